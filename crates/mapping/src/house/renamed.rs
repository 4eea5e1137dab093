//! `[renamed]`: what things were called before, so that what is known of them goes on under their new names.
//!
//! Read when devices, variables, timers and rules are known: the right column names what there is, the left one what there was,
//! of which nobody else knows any more. Must not compare programs: which line counts for whom is the succession's to say.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Range,
    sync::Arc,
};

use super::House;
use crate::{
    diagnostic::Diagnostic,
    grammar::Names,
    index::Symbol,
    names, paths,
    program::{ChannelIx, DeviceIx, Former, Program, RuleIx, TimerIx, VarIx},
    read::{Key, Node, Text, did_you_mean},
    report::Report,
    vocabulary,
};

/// Says that a line does nothing.
pub(crate) const LINT: &str = "renamed-in-vain";

/// How a name is written, for people.
const FORMS: &str = "write `DEVICE`, `DEVICE.CHANNEL`, `var.NAME`, `timer.NAME` or `rule.NAME`";

/// Words before a name that say what it is the name of. What a device of such a name has needs `device.` before it.
const SORTS: [&str; 4] = ["device", "rule", "timer", "var"];

/// Names of a circle that somebody reads.
const CIRCLE_SHOWN_MAX: usize = 8;

/// A name as it stands in this table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Device(&'a str),
    Channel(&'a str, &'a str),
    Var(&'a str),
    Timer(&'a str),
    Rule(&'a str),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    Device(DeviceIx),
    Channel(ChannelIx),
    Var(VarIx),
    Timer(TimerIx),
    Rule(RuleIx),
}

/// A line of the table.
struct Line<'a> {
    key: Key<'a>,
    was: Name<'a>,
    text: Text<'a>,
    is: Name<'a>,
}

/// All names that can stand in the right column.
pub(crate) fn names(program: &Program) -> Vec<String> {
    let known = &program.names;
    let devices = known.devices.keys().map(|name| Name::Device(name));
    let channels = program.channels.iter();
    let channels = channels.map(|row| Name::Channel(&program[row.device].name, &row.name));
    let vars = known.vars.keys().map(|name| Name::Var(name));
    let timers = known.timers.keys().map(|name| Name::Timer(name));
    let rules = known.rules.keys().map(|name| Name::Rule(name));
    let all = devices
        .chain(channels)
        .chain(vars)
        .chain(timers)
        .chain(rules);
    all.map(|name| name.to_string()).collect()
}

/// How `symbol` is written in this table; `None`: nothing is known of it that could go on.
#[must_use]
pub fn name_of(symbol: &Symbol) -> Option<String> {
    let name = match symbol {
        Symbol::Device(name) => Name::Device(name),
        Symbol::Channel(device, name) => Name::Channel(device, name),
        Symbol::Var(name) => Name::Var(name),
        Symbol::Timer(name) => Name::Timer(name),
        Symbol::Rule(name) => Name::Rule(name),
        _ => return None,
    };
    Some(name.to_string())
}

/// Reads the whole table.
pub(crate) fn read_all(house: &mut House<'_>, table: &[(Key<'_>, Node<'_>)]) {
    let House {
        program, report, ..
    } = house;
    let lines: Vec<Line<'_>> = table
        .iter()
        .filter_map(|(key, node)| read(report, key, *node))
        .collect();
    let lines = without_doubles(report, lines);
    let by_old: BTreeMap<&Name<'_>, &Line<'_>> =
        lines.iter().map(|line| (&line.was, line)).collect();
    let mut seen = BTreeSet::new();
    let mut by_new: BTreeMap<&Name<'_>, &Line<'_>> = BTreeMap::new();
    let mut ends = Vec::new();
    let known = OnceCell::new();
    for line in &lines {
        match find(program, &line.is) {
            Some(is) => {
                mention(program, report, line, is);
                if !is_in_vain(program, report, line, is) {
                    by_new.insert(&line.is, line);
                    ends.push((&line.is, is));
                }
            }
            None if by_old.contains_key(&line.is) => {
                by_new.insert(&line.is, line);
                circle(report, line, &by_old, &mut seen);
            }
            None => unknown(program, report, line, &known),
        }
    }
    program.renamed = ends
        .into_iter()
        .flat_map(|(end, is)| formers(program, &by_new, end, is))
        .collect();
}

/// One line; one that can't be read is reported.
fn read<'a>(report: &mut Report, key: &Key<'a>, node: Node<'a>) -> Option<Line<'a>> {
    let what = format!("what `{}` is called now", key.name);
    let text = match node.as_table() {
        Some(table) => {
            let inner = table.entries();
            let inner = inner
                .iter()
                .find_map(|(inner, node)| Some((inner.name, node.as_text()?.text)));
            let instead = inner.map(|(inner, is)| format!("\"{}.{inner}\" = \"{is}\"", key.name));
            node.complain_or(report, &what, "a text", instead);
            None
        }
        None => node.text(report, &what),
    };
    let is = text.as_ref().map(|text| {
        let name = Name::read(text.text);
        if name.is_none() {
            report.push(no_name(text.text, text.span()));
        }
        name
    });
    let was = Name::read(key.name);
    if was.is_none() {
        report.push(no_name(key.name, key.span.clone()));
    }
    let (was, text, is) = (was?, text?, is??);
    if was.sort() != is.sort() {
        let message = format!(
            "a {} does not become a {}",
            was.sort().what(),
            is.sort().what()
        );
        let error = Diagnostic::error("renamed-to-another-sort", text.span(), message);
        report.push(
            error
                .label(format!("this is a {}", is.sort().what()))
                .also(key.span.clone(), format!("this is a {}", was.sort().what())),
        );
        return None;
    }
    let key = key.clone();
    Some(Line { key, was, text, is })
}

fn no_name(name: &str, span: crate::source::Span) -> Diagnostic {
    let message = format!("`{name}` names nothing that can have another name");
    Diagnostic::error("bad-path", span, message).help(FORMS)
}

/// The lines of which each gives another name to something, and a name to something else.
fn without_doubles<'a>(report: &mut Report, lines: Vec<Line<'a>>) -> Vec<Line<'a>> {
    let (mut old, mut new) = (BTreeMap::new(), BTreeMap::new());
    let mut kept: Vec<Line<'a>> = Vec::new();
    for line in lines {
        let same_old = old.get(&line.was).copied();
        let same_new = new.get(&line.is).copied();
        if let Some(first) = same_old {
            let first: &Line<'_> = &kept[first];
            let message = format!("`{}` has another name in two lines", line.was);
            let error = Diagnostic::error("duplicate-name", line.key.span.clone(), message);
            report.push(
                error
                    .label("again")
                    .also(first.key.span.clone(), "first here"),
            );
        } else if let Some(first) = same_new {
            let first: &Line<'_> = &kept[first];
            let message = format!("two things can't be called `{}` now", line.is);
            let error = Diagnostic::error("duplicate-name", line.text.span(), message);
            let (older, newer) = (&first.was, &line.was);
            report.push(
                error
                    .label("again")
                    .also(first.text.span(), "first here")
                    .help(format!(
                        "where one thing had both names, let one line lead to the other: \"{older}\" = \"{newer}\""
                    )),
            );
        } else {
            old.insert(line.was.clone(), kept.len());
            new.insert(line.is.clone(), kept.len());
            kept.push(line);
        }
    }
    kept
}

/// Reports that names lead in a circle, once for each circle. `seen` are the names from which it was looked already.
fn circle<'a>(
    report: &mut Report,
    line: &Line<'a>,
    by_old: &BTreeMap<&Name<'a>, &Line<'a>>,
    seen: &mut BTreeSet<Name<'a>>,
) {
    let mut way = Vec::new();
    let mut next = &line.was;
    while seen.insert(next.clone()) {
        way.push(next);
        match by_old.get(next) {
            Some(line) => next = &line.is,
            None => return,
        }
    }
    // No two lines lead to one name: a circle is all of the way.
    if way.first() != Some(&next) {
        return;
    }
    let shown = way.iter().take(CIRCLE_SHOWN_MAX);
    let mut names: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
    if way.len() > CIRCLE_SHOWN_MAX {
        names.push(format!("{} more", way.len() - CIRCLE_SHOWN_MAX));
    }
    let message = format!("{} would be called `{}` again", names.join(" > "), line.was);
    let error = Diagnostic::error("renamed-in-circle", line.key.span.clone(), message);
    report.push(error.help("the last name is the one that it has in this mapping"));
}

/// Whether a line can't count for anybody, which is reported.
fn is_in_vain(program: &Program, report: &mut Report, line: &Line<'_>, is: Thing) -> bool {
    let still = match (&line.was, is) {
        (Name::Channel(device, was), Thing::Channel(channel)) => {
            let own = program[channel].device;
            let other = program.device(device).filter(|device| *device != own);
            if other.is_some() {
                let message =
                    format!("a channel stays with its device, and `{device}` is another one");
                let warning = Diagnostic::warning(LINT, line.key.span.clone(), message);
                report.push(warning.help(format!(
                    "this line counts only where `{}` was called `{device}`",
                    program[own].name
                )));
                return false;
            }
            program.channel(own, was).is_some()
        }
        (was, _) => find(program, was).is_some(),
    };
    if still {
        let message = format!("there is a {} `{}` still", line.was.sort().what(), line.was);
        let warning = Diagnostic::warning(LINT, line.key.span.clone(), message);
        report.push(
            warning
                .label("so this line does nothing")
                .help("what bears its name goes on under it; take the line out, or that name"),
        );
    }
    still
}

/// The names that something had, the newest first.
fn formers<'a>(
    program: &Program,
    by_new: &BTreeMap<&Name<'a>, &Line<'a>>,
    end: &Name<'a>,
    is: Thing,
) -> Vec<Former> {
    let (mut all, mut name) = (Vec::new(), end);
    // A circle is an error, and such a program never runs.
    while let Some(line) = by_new.get(name).filter(|_| all.len() <= by_new.len()) {
        all.extend(former(&line.was, is));
        name = &line.was;
        if find(program, name).is_some() {
            break;
        }
    }
    all
}

fn former(was: &Name<'_>, is: Thing) -> Option<Former> {
    Some(match (was, is) {
        (Name::Device(was), Thing::Device(is)) => Former::Device((*was).into(), is),
        (Name::Channel(device, was), Thing::Channel(is)) => {
            Former::Channel((*device).into(), (*was).into(), is)
        }
        (Name::Var(was), Thing::Var(is)) => Former::Var((*was).into(), is),
        (Name::Timer(was), Thing::Timer(is)) => Former::Timer((*was).into(), is),
        (Name::Rule(was), Thing::Rule(is)) => Former::Rule((*was).into(), is),
        _ => return None,
    })
}

fn find(program: &Program, name: &Name<'_>) -> Option<Thing> {
    let known = &program.names;
    match name {
        Name::Device(name) => program.device(name).map(Thing::Device),
        Name::Channel(device, name) => {
            let channel = program.channel(program.device(device)?, name);
            channel.map(Thing::Channel)
        }
        Name::Var(name) => known.vars.get(*name).copied().map(Thing::Var),
        Name::Timer(name) => known.timers.get(*name).copied().map(Thing::Timer),
        Name::Rule(name) => known.rules.get(*name).copied().map(Thing::Rule),
    }
}

/// Takes note of what the right column names.
fn mention(program: &Program, report: &mut Report, line: &Line<'_>, is: Thing) {
    let name: Arc<str> = line.is.last().into();
    let place = line.text.place(line.last_range());
    let symbol = match is {
        Thing::Device(_) => Symbol::Device(name),
        Thing::Channel(channel) => {
            let device = Symbol::Device(Arc::clone(&program[program[channel].device].name));
            report.mention(|| (line.text.place(line.device_range()), device));
            Symbol::channel(program, channel)
        }
        Thing::Var(_) => Symbol::Var(name),
        Thing::Timer(_) => Symbol::Timer(name),
        Thing::Rule(_) => Symbol::Rule(name),
    };
    report.mention(|| (place, symbol));
}

/// Nothing has the name of the right column.
fn unknown(program: &Program, report: &mut Report, line: &Line<'_>, known: &OnceCell<Vec<String>>) {
    let is = &line.is;
    if let Name::Channel(device, channel) = is
        && let Some(device) = program.device(device)
    {
        let place = line.text.place(line.last_range());
        paths::channel_of(program, report, device, channel, place);
        return;
    }
    let path = match is {
        Name::Device(name) | Name::Channel(name, _) => (*name).to_owned(),
        is => is.to_string(),
    };
    if report.is_broken(&path) {
        return;
    }
    let message = match is {
        Name::Channel(device, _) => format!("there is no device `{device}`"),
        is => format!("there is no {} `{}`", is.sort().what(), is.last()),
    };
    let error = Diagnostic::error("unknown-name", line.text.span(), message).label("not declared");
    if report.is_full() {
        // What it might mean is not told any more.
        report.push(error);
        return;
    }
    let known = known.get_or_init(|| vocabulary::all(program, Names::Renamed));
    let of_sort = known
        .iter()
        .map(String::as_str)
        .filter(|name| Name::read(name).is_some_and(|name| name.sort() == is.sort()));
    let near = did_you_mean(error.clone(), line.text.text, of_sort);
    report.push(if near.help.is_empty() {
        error.help(format!(
            "the right column says what `{}` is called in this mapping; take the line out where it is gone",
            line.was
        ))
    } else {
        near
    });
}

impl Line<'_> {
    /// Where the last part of the new name stands in its text.
    fn last_range(&self) -> Range<usize> {
        let end = self.text.text.len();
        end - self.is.last().len()..end
    }

    /// Where a channel's device stands in it.
    fn device_range(&self) -> Range<usize> {
        let end = self.last_range().start.saturating_sub(1);
        let device = match self.is {
            Name::Channel(device, _) => device.len(),
            _ => 0,
        };
        end.saturating_sub(device)..end
    }
}

impl<'a> Name<'a> {
    /// `None`: it is none.
    fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.split('.').collect();
        let (name, of) = match parts.as_slice() {
            ["var", name] => (Self::Var(name), Names::Var),
            ["timer", name] => (Self::Timer(name), Names::Timer),
            ["rule", name] => (Self::Rule(name), Names::Rule),
            ["device", name] | [name] => (Self::Device(name), Names::Device),
            ["device", device, name] | [device, name] => {
                (Self::Channel(device, name), Names::Channel)
            }
            _ => return None,
        };
        let is_device = |name: &Self| match name {
            Self::Channel(device, _) => names::is_name(Names::Device, device),
            _ => true,
        };
        (names::is_name(of, name.last()) && is_device(&name)).then_some(name)
    }

    fn last(&self) -> &'a str {
        match self {
            Self::Device(name)
            | Self::Channel(_, name)
            | Self::Var(name)
            | Self::Timer(name)
            | Self::Rule(name) => name,
        }
    }

    fn sort(&self) -> Sort {
        match self {
            Self::Device(_) => Sort::Device,
            Self::Channel(..) => Sort::Channel,
            Self::Var(_) => Sort::Var,
            Self::Timer(_) => Sort::Timer,
            Self::Rule(_) => Sort::Rule,
        }
    }
}

/// What sort of thing a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Device,
    Channel,
    Var,
    Timer,
    Rule,
}

impl Sort {
    fn what(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Channel => "channel",
            Self::Var => "variable",
            Self::Timer => "timer",
            Self::Rule => "rule",
        }
    }
}

/// As people write it.
impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(name) => write!(f, "{name}"),
            Self::Channel(device, name) if SORTS.contains(device) => {
                write!(f, "device.{device}.{name}")
            }
            Self::Channel(device, name) => write!(f, "{device}.{name}"),
            Self::Var(name) => write!(f, "var.{name}"),
            Self::Timer(name) => write!(f, "timer.{name}"),
            Self::Rule(name) => write!(f, "rule.{name}"),
        }
    }
}
