//! What there is in a house: the home, own kinds, devices, groups, variables, scenes. Reads their tables into the
//! program's tables and names.
//!
//! Called by [`crate::load()`] before rules and tests, which refer to all of these. Must not know rules.

mod channel;
mod codec;
mod device;
mod field_type;
mod foreign;
mod groups;
mod home;
mod kinds;
pub(crate) mod options;
mod presets;
pub(crate) mod renamed;
pub(crate) mod scenes;
mod tops;
mod vars;
pub(crate) mod wiring;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    diagnostic::Diagnostic,
    index::Symbol,
    names::{self, Letters},
    program::{ChannelIx, Origin, Program},
    read::Key,
    report::Report,
    source::{Sources, Span},
};

pub(crate) use tops::Tops;

/// A house while it is being read.
#[derive(Debug)]
pub(crate) struct House<'s> {
    /// What has been understood so far.
    pub(crate) program: Program,
    /// What is wrong so far.
    pub(crate) report: Report,
    /// The texts, for lines.
    pub(crate) sources: &'s Sources,
    /// Where devices, groups and scenes are declared, with what they are: they share one namespace.
    declared: BTreeMap<Arc<str>, (&'static str, Span)>,
    /// Where each device is declared.
    pub(crate) device_places: BTreeMap<Arc<str>, Span>,
    /// The lints that each device silences, where it does.
    pub(crate) device_allows: BTreeMap<Arc<str>, Vec<&'static str>>,
    /// Where each channel is declared.
    pub(crate) channel_places: BTreeMap<ChannelIx, Span>,
    /// Where each variable is declared.
    pub(crate) var_places: BTreeMap<Arc<str>, Span>,
    /// The lints that each variable silences, where it does.
    pub(crate) var_allows: BTreeMap<Arc<str>, Vec<&'static str>>,
    /// Where each scene is declared.
    pub(crate) scene_places: BTreeMap<Arc<str>, Span>,
    /// Where `timezone` stands, if it does; where the position stands, if it does.
    pub(crate) home_span: Option<Span>,
}

impl<'s> House<'s> {
    /// Reads everything but rules and tests.
    pub(crate) fn read(sources: &'s Sources, report: Report, tops: &Tops<'_>) -> Self {
        let mut house = Self {
            program: Program::default(),
            report,
            sources,
            declared: BTreeMap::new(),
            device_places: BTreeMap::new(),
            device_allows: BTreeMap::new(),
            channel_places: BTreeMap::new(),
            var_places: BTreeMap::new(),
            var_allows: BTreeMap::new(),
            scene_places: BTreeMap::new(),
            home_span: None,
        };
        home::read(&mut house, &tops.home);
        kinds::read_all(&mut house, &tops.kinds);
        device::read_all(&mut house, &tops.devices);
        groups::read_all(&mut house, &tops.groups);
        vars::read_all(&mut house, &tops.vars);
        scenes::read_all(&mut house, &tops.scenes);
        house
    }

    /// File and line of a place.
    pub(crate) fn origin(&self, span: &Span) -> Origin {
        origin(self.sources, span)
    }

    /// Takes a name in the namespace of devices, groups and scenes; a second owner is reported.
    fn declare(&mut self, key: &Key<'_>, what: &'static str) -> bool {
        let letters = if what == "scene" {
            Letters::Hyphens
        } else {
            Letters::Expression
        };
        names::check(&mut self.report, key, what, letters);
        let name: Arc<str> = key.name.into();
        self.report.declare(|| {
            let symbol = match what {
                "device" => Symbol::Device,
                "group" => Symbol::Group,
                _ => Symbol::Scene,
            };
            (key.span.clone(), symbol(name.clone()))
        });
        if let Some((first, place)) = self.declared.get(&name) {
            let message = format!("`{name}` is the name of a {first} already");
            self.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message)
                    .label(format!("this {what}"))
                    .also(place.clone(), format!("the {first}"))
                    .help("devices, groups and scenes share one namespace"),
            );
            return false;
        }
        self.declared.insert(name, (what, key.span.clone()));
        true
    }
}

/// File and line of a place.
pub(crate) fn origin(sources: &Sources, span: &Span) -> Origin {
    Origin {
        file: sources.file(span.file).name.clone(),
        line: sources.line_column(span.file, span.bytes.start).0,
    }
}
