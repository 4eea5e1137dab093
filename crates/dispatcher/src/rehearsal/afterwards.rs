//! What a step expects besides commands: emitted events, variables, runs that wait.

use mapping::house_test::{Emitted, TestStep};

use super::{assign::partners, missed::Missed, stage::Stage, verdict::Unmet};
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
    let fits = |wanted: usize, came: usize| {
        let (expected, (event, fields)) = (&expected[wanted], &stage.emitted[came]);
        let mut wanted = expected.fields.iter();
        *event == expected.event
            && wanted.all(|(place, value)| fields.get(usize::from(*place)) == Some(value))
    };
    let found = partners(expected.len(), stage.emitted.len(), fits);
    let is_complete = expected.len() == stage.emitted.len() && found.iter().all(Option::is_some);
    if is_complete && stage.emitted_more == 0 {
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
