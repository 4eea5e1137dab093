//! A step's expectations against what came.

use std::sync::Arc;

use engine::Who;
use mapping::{
    Program,
    house_test::{Expected, TestStep},
    program::{RuleIx, SlotIx},
};
use types::{Shown, Value};

use super::{
    afterwards,
    assign::partners,
    missed::Missed,
    neighbours::Odd,
    stage::{Came, Stage, What},
    verdict::{Failure, Unmet},
};
use crate::{explain, span::Span};

/// What is wrong after `step`; `None`: everything is as expected. Beside it what came of its commands.
pub(super) fn step<'t>(stage: &Stage, step: &'t TestStep) -> (Option<Failure>, Odd<'t>) {
    let mut unmet = Vec::new();
    let mut missed = Vec::new();
    let odd = odd(stage, step);
    if let Some(expected) = &step.expect
        && !odd.is_even(stage)
    {
        missed.extend(odd.missed.iter().copied().map(Missed::of));
        unmet.push(commands(stage, expected));
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
    let failure = (!unmet.is_empty()).then(|| Failure {
        origin: step.origin.clone(),
        at: step.at,
        unmet,
        elsewhere: Vec::new(),
        trace: stage.trace(&missed),
    });
    (failure, odd)
}

/// Which of a step's commands have no partner, of those that it expects and of those that came.
fn odd<'t>(stage: &Stage, step: &'t TestStep) -> Odd<'t> {
    let expected = step.expect.as_deref().unwrap_or_default();
    let fits = |wanted: usize, came: usize| matches(&expected[wanted], &stage.came[came]);
    let partners = partners(expected.len(), stage.came.len(), fits);
    let missed = expected.iter().zip(&partners);
    let missed = missed.filter(|(_, partner)| partner.is_none());
    let mut is_left = vec![true; stage.came.len()];
    for partner in partners.iter().flatten() {
        is_left[*partner] = false;
    }
    Odd {
        missed: missed.map(|(expected, _)| expected).collect(),
        left: (0..is_left.len()).filter(|came| is_left[*came]).collect(),
    }
}

/// The complete list of commands, and what came instead.
fn commands(stage: &Stage, expected: &[Expected]) -> Unmet {
    let wanted: Vec<String> = expected.iter().map(text_of).collect();
    let came: Vec<String> = stage.came.iter().map(|came| line(stage, came)).collect();
    Unmet {
        expected: list(&wanted, 0),
        came: list(&came, stage.came_more),
    }
}

/// Whether `came` is what was expected.
pub(super) fn matches(expected: &Expected, came: &Came) -> bool {
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
            Who::Person(person) => format!("{came}, set by {}", explain::asker(&person)),
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

/// An expected command as it is told.
pub(super) fn text_of(expected: &Expected) -> String {
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
