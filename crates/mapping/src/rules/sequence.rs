//! `{ sequence = [..], within }`: events one after the other.

use std::time::Duration;

use types::Value;

use super::triggers::Drafts;
use crate::{
    constant,
    diagnostic::Diagnostic,
    house::House,
    index::Symbol,
    paths::{self, Source},
    program::{EventIx, Field, Program, SequenceStep, StepEvent, Trigger},
    read::{Key, Node, Table, Text, unknown_key},
    report::Report,
    units,
};

/// From a sequence's first event to its last, where the rule doesn't say.
const WITHIN: Duration = Duration::from_secs(5);

/// How many steps a sequence has.
const STEPS: std::ops::RangeInclusive<usize> = 2..=16;

/// The condition of a step, to be compiled with the rule's other expressions.
#[derive(Debug)]
pub(super) struct StepIf<'a> {
    /// Its trigger in the rule, and its step in the sequence.
    pub(super) trigger: usize,
    pub(super) step: usize,
    pub(super) text: Text<'a>,
    /// The events of the step.
    pub(super) events: Vec<EventIx>,
}

/// Reads the trigger.
pub(super) fn read<'a>(
    house: &mut House<'_>,
    table: &Table<'a>,
    drafts: &mut Drafts<'a>,
) -> Option<()> {
    let (program, report) = (&house.program, &mut house.report);
    let node = table.field("sequence")?;
    let within = match table.field("within") {
        Some(node) => units::some_duration(node, report, "`within`"),
        None => Some(WITHIN),
    };
    let mut conditions = Vec::new();
    let steps = if let Some(text) = node.as_text() {
        melody(program, report, table, &text)?
    } else if let Some(list) = node.as_list() {
        let keys = ["sequence", "within"];
        table.reject_unknown(report, "a trigger with `sequence`", &keys);
        let mut steps = Vec::with_capacity(list.len());
        for node in list {
            let (events, condition) = step(program, report, node);
            let named = events.iter().flatten();
            conditions.extend(condition.map(|text| StepIf {
                trigger: drafts.triggers.len(),
                step: steps.len(),
                text,
                events: named.map(|event| event.event).collect(),
            }));
            steps.push(events);
        }
        let steps: Option<Vec<_>> = steps.into_iter().collect();
        if steps.is_none() {
            // What is wrong with its conditions is told too; no trigger has that place.
            let nowhere = |condition| StepIf {
                trigger: usize::MAX,
                ..condition
            };
            drafts.steps.extend(conditions.drain(..).map(nowhere));
        }
        steps?
    } else {
        node.complain(
            report,
            "`sequence`",
            "a list of events, or one event in quotes",
        );
        return None;
    };
    if !STEPS.contains(&steps.len()) {
        let message = format!("a sequence has {} to {} steps", STEPS.start(), STEPS.end());
        let error = Diagnostic::error("bad-sequence", node.span(), message);
        report.push(if steps.len() == 1 {
            error.help("for one event write when = \"DEVICE.CHANNEL.EVENT\"")
        } else {
            error.help("list its events in their order")
        });
        return None;
    }
    drafts.steps.append(&mut conditions);
    let steps = steps.into_iter().map(|events| SequenceStep {
        events: events.into(),
        condition: None,
    });
    drafts.triggers.push(Trigger::Sequence {
        steps: steps.collect(),
        within: within?,
    });
    Some(())
}

/// `sequence = "piano.keys.press", key = [60, 64, 67]`: one event, and the values of one of its fields.
fn melody(
    program: &Program,
    report: &mut Report,
    table: &Table<'_>,
    text: &Text<'_>,
) -> Option<Vec<Vec<StepEvent>>> {
    let events = events(program, report, text)?;
    let own = ["sequence", "within"];
    let mut values: Option<Vec<Vec<StepEvent>>> = None;
    for (key, node) in table.entries() {
        if own.contains(&key.name) {
            continue;
        }
        if values.is_some() {
            let message = "a sequence on one event has the values of one field";
            report.push(
                Diagnostic::error("bad-sequence", key.span, message)
                    .help("write a list of { event = .., field = .. } for several fields"),
            );
            return None;
        }
        // An unknown field is complained about once, not at each value.
        fields_named(program, report, &events, &key, &own)?;
        let list = node.list(report, "the values of a sequence")?;
        let steps = list.into_iter().map(|node| {
            let mut step = plain(&events);
            demand(program, report, &mut step, &key, node, &own).map(|()| step)
        });
        values = Some(
            steps
                .collect::<Vec<_>>()
                .into_iter()
                .collect::<Option<_>>()?,
        );
    }
    if values.is_none() {
        let first = events.first().map(|event| &program[*event].fields);
        let field = first.and_then(|fields| fields.first());
        let message = "a sequence on one event needs the values of a field of it";
        let error = Diagnostic::error("bad-sequence", text.span(), message);
        report.push(match field {
            Some(field) => error.help(format!("add for example {} = [..]", field.name)),
            None => error.help(format!(
                "write a list of events: sequence = [\"{}\", ..]",
                text.text
            )),
        });
    }
    values
}

/// `"D.CH.event"`, or `{ event = "D.CH.event", if = "..", field = value }`: its events, where they could be read, and its
/// condition.
fn step<'a>(
    program: &Program,
    report: &mut Report,
    node: Node<'a>,
) -> (Option<Vec<StepEvent>>, Option<Text<'a>>) {
    if let Some(text) = node.as_text() {
        return (
            events(program, report, &text).map(|found| plain(&found)),
            None,
        );
    }
    let Some(table) = node.as_table() else {
        node.complain(
            report,
            "a step of a sequence",
            "an event in quotes, or a table with `event`",
        );
        return (None, None);
    };
    let own = ["event", "if"];
    let what = "a step of a sequence";
    let table = table.forgiving(report, what, "event", &own);
    let condition = table.field("if");
    let is_text = condition.is_none_or(|node| node.as_text().is_some());
    let condition = condition.and_then(|node| node.text(report, "`if`"));
    let named = table
        .required(report, what, "event", &own)
        .and_then(|node| node.text(report, "`event`"))
        .and_then(|text| events(program, report, &text));
    let Some(named) = named else {
        return (None, condition);
    };
    let mut step = plain(&named);
    let mut sound = is_text.then_some(());
    for (key, node) in table.entries() {
        if !own.contains(&key.name) {
            let taken = demand(program, report, &mut step, &key, node, &own);
            sound = sound.and(taken);
        }
    }
    (sound.map(|()| step), condition)
}

/// The events that a step names, any one of them.
fn events(program: &Program, report: &mut Report, text: &Text<'_>) -> Option<Vec<EventIx>> {
    let mut events = Vec::new();
    for source in paths::events(program, report, text)? {
        match source {
            Source::Event(event) => events.push(event),
            Source::Gesture(..) => {
                let message = format!(
                    "\"{}\" is a gesture, a sequence is made of events",
                    text.text
                );
                let error = Diagnostic::error("bad-sequence", text.span(), message);
                let path = text.text.rsplit_once('.').map_or("", |(path, _)| path);
                report.push(error.help(format!("write \"{path}.press\"")));
                return None;
            }
        }
    }
    Some(events)
}

fn plain(events: &[EventIx]) -> Vec<StepEvent> {
    let each = events.iter().map(|event| StepEvent {
        event: *event,
        wanted: Box::default(),
        fields: Default::default(),
    });
    each.collect()
}

/// The field `key` of each event of a step; one that lacks it is reported.
fn fields_named<'p>(
    program: &'p Program,
    report: &mut Report,
    events: &[EventIx],
    key: &Key<'_>,
    own: &[&str],
) -> Option<Vec<(u8, &'p Field)>> {
    let mut found = Vec::with_capacity(events.len());
    for event in events {
        let fields = &program[*event].fields;
        let Some(at) = fields.iter().position(|field| *field.name == *key.name) else {
            let names = fields.iter().map(|field| &*field.name);
            let keys: Vec<&str> = names.chain(own.iter().copied()).collect();
            let what = format!("a step on `{}`", program.event_path(*event));
            report.push(unknown_key(key, &what, &keys));
            return None;
        };
        report.mention(|| {
            let symbol = Symbol::event_field(program, *event, key.name);
            (key.span.clone(), symbol)
        });
        found.push((at as u8, &fields[at]));
    }
    Some(found)
}

/// `field = value`: the events of the step must have it.
fn demand(
    program: &Program,
    report: &mut Report,
    step: &mut [StepEvent],
    key: &Key<'_>,
    node: Node<'_>,
    own: &[&str],
) -> Option<()> {
    let events: Vec<EventIx> = step.iter().map(|event| event.event).collect();
    let fields = fields_named(program, report, &events, key, own)?;
    let what = format!("`{}`", key.name);
    let mut values: Vec<(u8, Value)> = Vec::with_capacity(fields.len());
    for (place, field) in fields {
        values.push((place, constant::read(report, node, &field.ty, &what)?));
    }
    for (event, value) in step.iter_mut().zip(values) {
        let mut wanted = std::mem::take(&mut event.wanted).into_vec();
        wanted.push(value);
        event.wanted = wanted.into();
    }
    Some(())
}
