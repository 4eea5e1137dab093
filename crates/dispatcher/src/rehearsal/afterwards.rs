//! What a step expects besides commands: emitted events, variables, runs that wait.

use mapping::{
    house_test::{Emitted, TestStep},
    program::EventIx,
};
use types::Value;

use super::{missed::Missed, stage::Stage, verdict::Unmet};
use crate::explain::emit_text;

/// What of it was not met; rules that should have waited go to `missed`.
pub(super) fn check(stage: &Stage, step: &TestStep, missed: &mut Vec<Missed>) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    let engine = stage.dispatcher.engine();
    if let Some(expected) = &step.emitted {
        unmet.extend(events(stage, expected));
    }
    for (var, value) in &step.vars {
        let came = engine.var(*var);
        if came != value {
            unmet.push(Unmet {
                expected: format!("var.{} = {value}", stage.program[*var].name),
                came: came.to_string(),
            });
        }
    }
    for (rule, count) in &step.waiting {
        let (count, came) = (*count as usize, engine.runs(*rule).count());
        if came != count {
            let name = &stage.program[*rule].name;
            unmet.push(Unmet {
                expected: runs(name, count),
                came: runs(name, came),
            });
            if came < count {
                missed.push(Missed::Rule(*rule));
            }
        }
    }
    unmet
}

/// The complete list of emitted events, in any order.
fn events(stage: &Stage, expected: &[Emitted]) -> Option<Unmet> {
    let mut left: Vec<&(EventIx, Vec<Value>)> = stage.emitted.iter().collect();
    let mut missing = false;
    for expected in expected {
        let matches = |came: &&(EventIx, Vec<Value>)| {
            let mut fields = expected.fields.iter();
            came.0 == expected.event
                && fields.all(|(place, value)| came.1.get(usize::from(*place)) == Some(value))
        };
        match left.iter().position(matches) {
            Some(place) => drop(left.remove(place)),
            None => missing = true,
        }
    }
    if !missing && left.is_empty() && stage.emitted_more == 0 {
        return None;
    }
    let wanted = expected.iter().map(|event| format!("emit {}", event.text));
    let came = stage.emitted.iter();
    let came = came.map(|(event, fields)| emit_text(&stage.program, *event, fields));
    Some(Unmet {
        expected: list(wanted.collect(), 0),
        came: list(came.collect(), stage.emitted_more),
    })
}

/// Events that are told of a long list.
const EVENTS_MAX: usize = 20;

fn list(mut events: Vec<String>, more: usize) -> String {
    let more = more + events.len().saturating_sub(EVENTS_MAX);
    events.truncate(EVENTS_MAX);
    match (events.is_empty(), more) {
        (true, _) => "no event".to_owned(),
        (false, 0) => events.join(", "),
        (false, more) => format!("{} and {more} more", events.join(", ")),
    }
}

fn runs(rule: &str, count: usize) -> String {
    match count {
        0 => format!("{rule} waits nowhere"),
        1 => format!("{rule} waits in one run"),
        count => format!("{rule} waits in {count} runs"),
    }
}
