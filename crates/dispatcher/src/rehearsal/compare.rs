//! A step's expectations against what came.

use std::{cmp::Reverse, sync::Arc};

use engine::Who;
use mapping::{
    Program,
    house_test::{Expected, TestStep},
    program::{RuleIx, SlotIx},
};
use types::{Shown, Value};

use super::{
    afterwards,
    missed::Missed,
    stage::{Came, Stage, What},
    verdict::{Failure, Unmet},
};
use crate::span::Span;

/// What is wrong after `step`; `None`: everything is as expected.
pub(super) fn step(stage: &Stage, step: &TestStep) -> Option<Failure> {
    let mut unmet = Vec::new();
    let mut missed = Vec::new();
    if let Some(expected) = &step.expect {
        unmet.extend(commands(stage, expected, &mut missed));
    }
    let engine = stage.dispatcher.engine();
    for (root, values) in [("state", &step.state), ("target", &step.target)] {
        for (slot, value) in values {
            let came = match root {
                "state" => engine.reported_by(*slot, stage.now().at),
                _ => engine.target(*slot),
            };
            if came != Some(value) {
                unmet.push(value_of(stage, root, *slot, value, came));
                let channel = stage.program[*slot].channel;
                missed.push(Missed::Values(channel, vec![(*slot, value.clone())]));
            }
        }
    }
    unmet.extend(afterwards::check(stage, step, &mut missed));
    for (rule, count) in &step.fired {
        let came = stage.fired.get(rule).copied().unwrap_or(0);
        if came != *count {
            let name = &stage.program[*rule].name;
            unmet.push(Unmet {
                expected: format!("{name} fires {}", times(*count)),
                came: format!("it fired {}", times(came)),
            });
            if came < *count {
                missed.push(Missed::Rule(*rule));
            }
        }
    }
    if let Some(rule) = step.by
        && let Some(wrong) = by(stage, rule)
    {
        unmet.push(wrong);
        missed.push(Missed::Rule(rule));
    }
    if let Some(word) = &step.log
        && !stage.says(word)
    {
        unmet.push(Unmet {
            expected: format!("\"{}\" in the record", Shown(word)),
            came: "it does not stand there".to_owned(),
        });
    }
    (!unmet.is_empty()).then(|| Failure {
        origin: step.origin.clone(),
        at: step.at,
        unmet,
        trace: stage.trace(&missed),
    })
}

/// The complete list of commands. What was to come and didn't goes to `missed`.
fn commands(stage: &Stage, expected: &[Expected], missed: &mut Vec<Missed>) -> Option<Unmet> {
    let mut left: Vec<&Came> = stage.came.iter().collect();
    let before = missed.len();
    // Who asks for less would take what only another one fits.
    let mut choosy: Vec<&Expected> = expected.iter().collect();
    choosy.sort_by_key(|expected| Reverse(asks(expected)));
    for expected in choosy {
        match left.iter().position(|came| matches(expected, came)) {
            Some(place) => {
                left.remove(place);
            }
            None => missed.push(Missed::of(expected)),
        }
    }
    if missed.len() == before && left.is_empty() && stage.came_more == 0 {
        return None;
    }
    let wanted: Vec<String> = expected.iter().map(text_of).collect();
    let came: Vec<String> = stage.came.iter().map(|came| line(stage, came)).collect();
    Some(Unmet {
        expected: list(&wanted, 0),
        came: list(&came, stage.came_more),
    })
}

/// How much must be so of what comes.
fn asks(expected: &Expected) -> usize {
    match expected {
        Expected::Target { fields, bound, .. } => fields.len() + usize::from(bound.is_some()),
        Expected::Momentary { args, .. } => args.len(),
        Expected::Notify { text, .. } => usize::from(text.is_some()),
    }
}

fn matches(expected: &Expected, came: &Came) -> bool {
    match (expected, &came.what) {
        (
            Expected::Target {
                channel,
                fields,
                bound,
                ..
            },
            What::Target(told, target, lasts),
        ) => {
            let as_long = bound.is_none() || bound == lasts;
            told == channel && as_long && fields.iter().all(|field| target.contains(field))
        }
        (
            Expected::Momentary {
                channel,
                command,
                args,
                ..
            },
            What::Momentary(told, told_command, told_args),
        ) => {
            let wanted =
                |(place, value): &(u8, Value)| told_args.get(usize::from(*place)) == Some(value);
            told == channel && told_command == command && args.iter().all(wanted)
        }
        (Expected::Notify { to, text }, What::Notify(told, told_text)) => {
            told == to && text.as_ref().is_none_or(|text| **text == **told_text)
        }
        _ => false,
    }
}

/// Whether something came that is not by `rule`, or nothing did.
fn by(stage: &Stage, rule: RuleIx) -> Option<Unmet> {
    let others: Vec<String> = stage
        .came
        .iter()
        .filter(|came| came.by != Some(rule))
        .map(|came| line(stage, came))
        .collect();
    let expected = format!("everything by {}", stage.program[rule].name);
    let came = if stage.came.is_empty() {
        "no command".to_owned()
    } else if others.is_empty() {
        return None;
    } else {
        list(&others, 0)
    };
    Some(Unmet { expected, came })
}

fn value_of(
    stage: &Stage,
    root: &str,
    slot: SlotIx,
    expected: &Value,
    came: Option<&Value>,
) -> Unmet {
    let path = format!("{root}.{}", stage.program.slot_path(slot));
    let mut came = came.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    if root == "target"
        && let Some(who) = stage.dispatcher.engine().desired_origin(slot)
    {
        came = match who {
            Who::Rule(rule) => format!("{came}, written by rule {rule}"),
            Who::Person(person) => format!("{came}, set by {person}"),
            Who::Local => format!("{came}, as the device itself said"),
        };
    }
    Unmet {
        expected: format!("{path} = {expected}"),
        came,
    }
}

fn line(stage: &Stage, came: &Came) -> String {
    let program: &Arc<Program> = &stage.program;
    match came.by {
        Some(rule) => {
            let row = &program[rule];
            let (name, file, line) = (&row.name, &row.origin.file, row.origin.line);
            format!("{} (by {name} {file}:{line})", came.text)
        }
        None => came.text.clone(),
    }
}

fn text_of(expected: &Expected) -> String {
    match expected {
        Expected::Target {
            text,
            bound: Some(bound),
            ..
        } => format!("{text} for {}", Span(*bound)),
        Expected::Target { text, .. } | Expected::Momentary { text, .. } => text.to_string(),
        Expected::Notify {
            to,
            text: Some(text),
        } => format!("notify {to} \"{}\"", Shown(text)),
        Expected::Notify { to, text: None } => format!("notify {to}"),
    }
}

/// Commands that are told of a long list.
const COMMANDS_MAX: usize = 20;

fn list(items: &[String], more: usize) -> String {
    let told = items.len().min(COMMANDS_MAX);
    let more = more + items.len() - told;
    match items {
        [] => "no command".to_owned(),
        items if more == 0 => items.join(", "),
        items => format!("{} and {more} more", items[..told].join(", ")),
    }
}

fn times(count: u32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
