//! `given = { .. }`: how the house is before the first step.

use std::time::Duration;

use super::{
    Given, GivenHold,
    read::{channels, rule, states, unsynced, vars},
    running,
};
use crate::{
    diagnostic::Diagnostic,
    grammar::GIVEN,
    house::{House, scenes::Write},
    index::Symbol,
    paths,
    program::{DeviceIx, RuleIx, SlotIx, Trigger},
    read::{Key, Node, Table, did_you_mean},
    units,
};

/// `only`: the rules that the test is about; `None`: all.
pub(super) fn given(house: &mut House<'_>, table: &Table<'_>, only: Option<&[RuleIx]>) -> Given {
    table.reject_unknown(&mut house.report, GIVEN.what, GIVEN.names);
    let mut given = Given::default();
    if let Some(node) = table.field("state") {
        given.state = states(house, node, Write::State);
    }
    if let Some(node) = table.field("var") {
        given.vars = vars(house, node);
    }
    given.offline = devices(house, table, "offline");
    given.blocked = devices(house, table, "blocked");
    given.sun_up = table
        .field("sun")
        .and_then(|node| node.word(&mut house.report, "`sun`", &["up", "down"]))
        .map(|word| word == "up");
    given.unsynced = unsynced(house, table);
    if let Some(node) = table.field("age") {
        given.ages = ages(house, node, &given);
    }
    if let Some(node) = table.field("holds") {
        given.holds = holds(house, node, only);
    }
    if let Some(node) = table.field("fired") {
        given.fired = fired(house, node, only);
    }
    running::read(house, table, &mut given);
    given
}

fn devices(house: &mut House<'_>, table: &Table<'_>, key: &str) -> Vec<DeviceIx> {
    let list = table
        .field(key)
        .and_then(|node| node.list(&mut house.report, &format!("`{key}`")))
        .unwrap_or_default();
    let mut found = Vec::new();
    for node in list {
        let Some(text) = node.text(&mut house.report, "a device") else {
            continue;
        };
        match house.program.device(text.text) {
            Some(device) => {
                let place = || text.place(0..text.text.len());
                let report = &mut house.report;
                report.mention(|| (place(), Symbol::Device(text.text.into())));
                found.push(device);
            }
            None if house.report.is_broken(text.text) => {}
            None => {
                let message = format!("there is no device `{}`", text.text);
                let error =
                    Diagnostic::error("unknown-name", text.span(), message).label("not declared");
                let names = house.program.names.devices.keys().map(|name| &**name);
                let error = did_you_mean(error, text.text, names);
                house.report.push(error);
            }
        }
    }
    found
}

/// `{ R = "20m" }`, `{ R = "fired" }`, and `{ R = { 2 = "20m" } }` where a rule waits for several conditions.
fn holds(house: &mut House<'_>, node: Node<'_>, only: Option<&[RuleIx]>) -> Vec<GivenHold> {
    let mut all = Vec::new();
    let table = node.table(&mut house.report, "`holds`");
    for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
        let Some(rule) = awake(house, &key, only) else {
            continue;
        };
        let triggers = (0..).zip(&house.program[rule].triggers);
        let places = triggers.filter(|(_, trigger)| matches!(trigger, Trigger::Holds { .. }));
        let places: Vec<u32> = places.map(|(place, _)| place).collect();
        match (node.as_table(), &places[..]) {
            (_, []) => {
                let message = format!("the rule `{}` has no `holds`", key.name);
                let error = Diagnostic::error("no-holds", key.span.clone(), message);
                let help = "only what a rule waits for with `holds` may be true already";
                house.report.push(error.help(help));
            }
            (Some(table), places) => {
                for (number, node) in table.entries() {
                    let place = place(house, &key, &number, places);
                    all.extend(place.and_then(|place| held(house, (rule, place), &key, node)));
                }
            }
            (None, [place]) => all.extend(held(house, (rule, *place), &key, node)),
            (None, several) => {
                let count = several.len();
                let message = format!("the rule `{}` waits for {count} conditions", key.name);
                let error = Diagnostic::error("no-holds", node.span(), message).label("which one?");
                let written = node.written();
                let help = format!(
                    "they count from 1 in the order of `when`: write {} = {{ 1 = {written} }}",
                    key.name
                );
                house.report.push(error.help(help));
            }
        }
    }
    all
}

/// The rule that something is given of: one that rests in the test has no past that counts. One that is off stays, with the
/// tests about it, as it was written.
fn awake(house: &mut House<'_>, key: &Key<'_>, only: Option<&[RuleIx]>) -> Option<RuleIx> {
    let rule = rule(house, key.name, key.span.clone(), key.span.clone())?;
    if only.is_none_or(|only| only.contains(&rule)) {
        return Some(rule);
    }
    let help = "`only` does not name it: add it there, or leave this out";
    let message = format!("the rule `{}` rests in this test", key.name);
    let error = Diagnostic::error("resting-rule", key.span.clone(), message);
    house.report.push(error.help(help));
    None
}

/// The trigger that is the rule's `holds` of this number.
fn place(house: &mut House<'_>, rule: &Key<'_>, number: &Key<'_>, places: &[u32]) -> Option<u32> {
    let ordinal = number.name.parse::<usize>().ok();
    let found = ordinal.and_then(|ordinal| places.get(ordinal.checked_sub(1)?));
    if found.is_none() {
        let message = format!(
            "the rule `{}` has no condition `{}`",
            rule.name, number.name
        );
        let error = Diagnostic::error("no-holds", number.span.clone(), message);
        house.report.push(error.help(match places.len() {
            1 => "it waits for one `holds`, which is 1".to_owned(),
            count => format!("its `holds` count from 1 to {count} in the order of `when`"),
        }));
    }
    found.copied()
}

/// `"20m"` or `"fired"`.
fn held(
    house: &mut House<'_>,
    (rule, trigger): (RuleIx, u32),
    key: &Key<'_>,
    node: Node<'_>,
) -> Option<GivenHold> {
    let is_word = |text: &str| text.starts_with(char::is_alphabetic);
    let report = &mut house.report;
    let since = match node.as_text().is_some_and(|text| is_word(text.text)) {
        true => {
            node.word(report, "`holds`", &["fired"])?;
            None
        }
        false => Some(units::duration(node, report, "`holds`")?),
    };
    Some(GivenHold {
        origin: house.origin(&key.span),
        rule,
        trigger,
        since,
    })
}

/// `{ D.CH = "4m" }`, for all of its fields that are given, or `{ D.CH.field = "4m" }`.
fn ages(house: &mut House<'_>, node: Node<'_>, given: &Given) -> Vec<(SlotIx, Duration)> {
    let mut all = Vec::new();
    for (channel, key, node) in channels(house, node, "`age`") {
        match node.as_table() {
            Some(table) => {
                for (key, node) in table.entries() {
                    let (program, report) = (&house.program, &mut house.report);
                    let slot = paths::field(program, report, channel, &key, false);
                    let slots: Vec<SlotIx> = slot.into_iter().collect();
                    all.extend(age(house, given, &slots, &key, node));
                }
            }
            None => {
                let slots = house.program[channel].slots.to_vec();
                all.extend(age(house, given, &slots, &key, node));
            }
        }
    }
    all
}

/// The age of those of `slots` that are given.
fn age(
    house: &mut House<'_>,
    given: &Given,
    slots: &[SlotIx],
    key: &Key<'_>,
    node: Node<'_>,
) -> Vec<(SlotIx, Duration)> {
    let is_given = |slot: &SlotIx| given.state.iter().any(|(other, _)| other == slot);
    let known: Vec<SlotIx> = slots.iter().copied().filter(is_given).collect();
    if let (true, Some(slot)) = (known.is_empty(), slots.first()) {
        let path = match slots {
            [only] => house.program.slot_path(*only),
            _ => house.program.channel_path(house.program[*slot].channel),
        };
        let message = format!("what `{path}` reported so long ago is not given");
        let error = Diagnostic::error("missing-key", key.span.clone(), message);
        house
            .report
            .push(error.help("give its value in `state` as well"));
    }
    let age = units::duration(node, &mut house.report, "`age`");
    age.map_or_else(Vec::new, |age| {
        known.into_iter().map(|slot| (slot, age)).collect()
    })
}

/// `{ R = "3h" }`, or a list of these.
fn fired(
    house: &mut House<'_>,
    node: Node<'_>,
    only: Option<&[RuleIx]>,
) -> Vec<(RuleIx, Duration)> {
    let mut all = Vec::new();
    let table = node.table(&mut house.report, "`fired`");
    for (key, node) in table.map(|table| table.entries()).unwrap_or_default() {
        let Some(rule) = awake(house, &key, only) else {
            continue;
        };
        if house.program[rule].limit.is_none() {
            let message = format!("the rule `{}` has no `limit`", key.name);
            let error = Diagnostic::error("no-limit", key.span.clone(), message);
            let help = "when a rule fired before counts for nothing but its `limit`; leave it out";
            house.report.push(error.help(help));
        }
        for node in node.one_or_more() {
            let ago = units::duration(node, &mut house.report, "`fired`");
            all.extend(ago.map(|ago| (rule, ago)));
        }
    }
    all
}
