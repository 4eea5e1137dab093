//! Timers are declared by their use: one rule starts them, another waits for them.

use std::{collections::BTreeMap, sync::Arc};

use super::Meta;
use crate::{
    diagnostic::Diagnostic,
    house::House,
    index::Symbol,
    names::{self, Letters},
    program::{Timer, TimerIx},
    read::{Key, Text, did_you_mean},
    report::Report,
    source::Span,
};

/// All timers while rules are being read.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_name: BTreeMap<Arc<str>, TimerIx>,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: Arc<str>,
    /// The first place that starts it, with the number of its rule.
    started: Option<(Span, usize)>,
    /// Places that wait for it or stop it.
    waited: Vec<Span>,
    stopped: Vec<Span>,
}

/// What a rule does with a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// `{ start = T, for }`, by the rule with this number.
    Start(usize),
    /// `{ stop = T }`.
    Stop,
    /// `when = { timer = T }`.
    Wait,
}

impl Timers {
    /// The timer of that name.
    pub(super) fn take(&mut self, report: &mut Report, text: &Text<'_>, how: Use) -> TimerIx {
        let ix = match self.by_name.get(text.text) {
            Some(ix) => *ix,
            None => {
                let key = Key {
                    name: text.text,
                    span: text.span(),
                };
                names::check(report, &key, "timer", Letters::Hyphens);
                let ix = TimerIx(self.rows.len() as u32);
                let name: Arc<str> = text.text.into();
                self.by_name.insert(name.clone(), ix);
                self.rows.push(Row {
                    name,
                    started: None,
                    waited: Vec::new(),
                    stopped: Vec::new(),
                });
                ix
            }
        };
        let name = || {
            let place = text.place(0..text.text.len());
            (place, Symbol::Timer(text.text.into()))
        };
        match how {
            Use::Start(_) => report.declare(name),
            Use::Stop | Use::Wait => report.mention(name),
        }
        let row = &mut self.rows[ix.index()];
        match how {
            Use::Start(rule) => {
                row.started.get_or_insert_with(|| (text.span(), rule));
            }
            Use::Stop => row.stopped.push(text.span()),
            Use::Wait => row.waited.push(text.span()),
        }
        ix
    }

    /// Moves the timers into the program; reports those that nobody starts, and, where the `whole`
    /// house could be read, those that nobody waits for.
    pub(super) fn finish(self, house: &mut House<'_>, metas: &[Meta], whole: bool) {
        let report = &mut house.report;
        // What has a mistake may be a use.
        let whole = whole && !report.has_errors();
        for row in &self.rows {
            let name = &row.name;
            match &row.started {
                None => {
                    let started = self.rows.iter().filter(|other| other.started.is_some());
                    let names: Vec<&str> = started.map(|other| &*other.name).collect();
                    for span in row.waited.iter().chain(&row.stopped) {
                        let message = format!("no rule starts the timer `{name}`");
                        let error = Diagnostic::error("timer-never-started", span.clone(), message);
                        let near = did_you_mean(error, name, names.iter().copied());
                        report.push(if near.help.is_empty() {
                            near.help(format!(
                                "start it in a rule: {{ start = \"{name}\", for = \"5m\" }}"
                            ))
                        } else {
                            near
                        });
                    }
                }
                Some((span, rule)) if row.waited.is_empty() && whole => {
                    let allow = metas.get(*rule).map(|meta| &meta.allow);
                    if allow.is_none_or(|allow| !allow.contains(&"timer-unused")) {
                        let message = format!("no rule waits for the timer `{name}`");
                        let warning = Diagnostic::warning("timer-unused", span.clone(), message);
                        let waited = self.rows.iter().filter(|other| !other.waited.is_empty());
                        let names = waited.map(|other| &*other.name);
                        let near = did_you_mean(warning, name, names);
                        report.push(if near.help.is_empty() {
                            near.help(format!(
                                "wait for it in a rule: when = {{ timer = \"{name}\" }}"
                            ))
                        } else {
                            near
                        });
                    }
                }
                Some(_) => {}
            }
        }
        house.program.names.timers = self.by_name;
        let rows = self.rows.into_iter();
        house.program.timers = rows.map(|row| Timer { name: row.name }).collect();
        // Collected in place, it would keep the memory of the larger rows.
        house.program.timers.shrink_to_fit();
    }
}
