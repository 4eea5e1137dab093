//! What of `given` ends by itself: timers that run, outputs that are on for a time, outputs that are kept from rules.

use std::time::Duration;

use types::Value;

use super::{Given, read::channels};
use crate::{
    diagnostic::Diagnostic,
    house::House,
    index::Symbol,
    kinds::Kind,
    program::{Action, ChannelIx, Program, TimerIx},
    read::{Key, Node, Table, did_you_mean},
    units,
};

/// Reads it into `given`, whose state is read.
pub(super) fn read(house: &mut House<'_>, table: &Table<'_>, given: &mut Given) {
    if let Some(node) = table.field("timers") {
        given.timers = timers(house, node);
    }
    if let Some(node) = table.field("on_for") {
        given.on_for = outputs(house, node, "`on_for`", |house, channel, key| {
            can_end(house, channel, key) && is_on(house, given, channel, key)
        });
    }
    if let Some(node) = table.field("kept") {
        given.kept = outputs(house, node, "`kept`", takes_target);
    }
}

/// `{ T = "3m" }`.
fn timers(house: &mut House<'_>, node: Node<'_>) -> Vec<(TimerIx, Duration)> {
    let mut all = Vec::new();
    let table = node.table(&mut house.report, "`timers`");
    for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
        let timer = timer(house, &key);
        let left = units::some_duration(node, &mut house.report, "`timers`");
        let (Some(timer), Some(left)) = (timer, left) else {
            continue;
        };
        match longest(&house.program, timer) {
            Some(longest) if left > longest => {
                let longest = units::written(longest);
                let message = format!("`{}` never has so long to go", key.name);
                let error = Diagnostic::error("out-of-range", node.span(), message);
                let help = format!("rules start it for {longest} at the most");
                house.report.push(error.help(help));
            }
            _ => all.push((timer, left)),
        }
    }
    all
}

fn timer(house: &mut House<'_>, key: &Key<'_>) -> Option<TimerIx> {
    let timers = &house.program.names.timers;
    let found = timers.get(key.name).copied();
    if found.is_some() {
        let mention = || (key.span.clone(), Symbol::Timer(key.name.into()));
        house.report.mention(mention);
    } else {
        let message = format!("there is no timer `{}`", key.name);
        let error = Diagnostic::error("unknown-name", key.span.clone(), message);
        let error = error.label("no rule starts it");
        let error = did_you_mean(error, key.name, timers.keys().map(|name| &**name));
        house.report.push(error);
    }
    found
}

/// The longest time for which rules start a timer.
fn longest(program: &Program, timer: TimerIx) -> Option<Duration> {
    let actions = program.rules.iter().flat_map(|rule| &rule.actions);
    let spans = actions.filter_map(|action| match action {
        Action::Start {
            timer: started,
            span,
        } if *started == timer => Some(*span),
        _ => None,
    });
    spans.max()
}

/// `{ D.CH = "3m" }`, of channels that are `fit` for it.
fn outputs(
    house: &mut House<'_>,
    node: Node<'_>,
    what: &str,
    fit: impl Fn(&mut House<'_>, ChannelIx, &Key<'_>) -> bool,
) -> Vec<(ChannelIx, Duration)> {
    let mut all = Vec::new();
    for (channel, key, node) in channels(house, node, what) {
        let is_fit = takes_target(house, channel, &key) && fit(house, channel, &key);
        let left = units::some_duration(node, &mut house.report, what);
        all.extend(left.filter(|_| is_fit).map(|left| (channel, left)));
    }
    all
}

/// Whether it can be told something at all.
fn takes_target(house: &mut House<'_>, channel: ChannelIx, key: &Key<'_>) -> bool {
    let row = &house.program[channel];
    if !row.consumer {
        let (path, kind) = (
            house.program.channel_path(channel),
            Kind::with_article(&row.kind),
        );
        let message = format!("`{path}` takes no target");
        let error = Diagnostic::error("no-target", key.span.clone(), message);
        let error = error.label(format!("it is {kind}, which only reports"));
        house.report.push(error);
        return false;
    }
    true
}

fn can_end(house: &mut House<'_>, channel: ChannelIx, key: &Key<'_>) -> bool {
    let program = &house.program;
    let can = program.on(channel).is_some();
    if !can {
        let (path, kind) = (
            program.channel_path(channel),
            Kind::with_article(&program[channel].kind),
        );
        let message = format!("`{path}` can't be on for a time");
        let error = Diagnostic::error("no-off", key.span.clone(), message);
        let error = error.label(format!("it is {kind}, which is not on or off"));
        house.report.push(error);
    }
    can
}

fn is_on(house: &mut House<'_>, given: &Given, channel: ChannelIx, key: &Key<'_>) -> bool {
    let on = house.program.on(channel);
    let mut state = given.state.iter();
    let is_on = state.any(|(slot, value)| Some(*slot) == on && *value == Value::Bool(true));
    if !is_on {
        let path = house.program.channel_path(channel);
        let message = format!("`{path}` is on for a time, and not given to be on");
        let error = Diagnostic::error("missing-key", key.span.clone(), message);
        house
            .report
            .push(error.help(format!("write {path} = {{ on = true }} in `state` as well")));
    }
    is_on
}
