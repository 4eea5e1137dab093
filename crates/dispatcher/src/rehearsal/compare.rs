//! A step's expectations against what came.

use std::{collections::BTreeSet, sync::Arc};

use mapping::{
    Program,
    house_test::{Expected, TestStep},
    program::{Action, ChannelIx, Rule, RuleIx, SlotIx},
};
use types::Value;

use super::{
    stage::{Came, Stage, What},
    verdict::Failure,
};

/// Every expectation of `step` that was not met.
pub(super) fn step(stage: &Stage, step: &TestStep) -> Vec<Failure> {
    let mut unmet = Vec::new();
    let mut missed = BTreeSet::new();
    if let Some(expected) = &step.expect {
        unmet.extend(commands(stage, expected, &mut missed));
    }
    for (slot, value) in &step.state {
        let came = stage.dispatcher.engine().reported(*slot);
        unmet.extend(value_of(stage, "state", *slot, value, came));
    }
    for (slot, value) in &step.target {
        let came = stage.dispatcher.engine().target(*slot);
        let failed = value_of(stage, "target", *slot, value, came);
        if failed.is_some() {
            missed.insert(stage.program[*slot].channel);
        }
        unmet.extend(failed);
    }
    for (rule, count) in &step.fired {
        let came = stage.fired.get(rule).copied().unwrap_or(0);
        if came != *count {
            let name = &stage.program[*rule].name;
            unmet.push((
                format!("{name} fires {}", times(*count)),
                format!("it fired {}", times(came)),
            ));
        }
    }
    if let Some(rule) = step.by {
        unmet.extend(by(stage, rule));
    }
    let trace = trace(stage, &missed);
    if let Some(word) = &step.log
        && !trace.iter().any(|line| line.contains(&**word))
    {
        unmet.push((
            format!("\"{word}\" in the record"),
            "it does not stand there".to_owned(),
        ));
    }
    unmet
        .into_iter()
        .map(|(expected, came)| Failure {
            origin: step.origin.clone(),
            at: step.at,
            expected,
            came,
            trace: trace.clone(),
        })
        .collect()
}

type Unmet = (String, String);

/// The complete list of commands. Channels that were to be told something and weren't go to `missed`.
fn commands(
    stage: &Stage,
    expected: &[Expected],
    missed: &mut BTreeSet<ChannelIx>,
) -> Option<Unmet> {
    let mut left: Vec<&Came> = stage.came.iter().collect();
    let mut missing = false;
    for expected in expected {
        match left.iter().position(|came| matches(expected, came)) {
            Some(place) => {
                left.remove(place);
            }
            None => {
                missing = true;
                match expected {
                    Expected::Target { channel, .. } | Expected::Momentary { channel, .. } => {
                        missed.insert(*channel);
                    }
                    Expected::Notify { .. } => {}
                }
            }
        }
    }
    if !missing && left.is_empty() {
        return None;
    }
    let wanted: Vec<String> = expected.iter().map(text_of).collect();
    let came: Vec<String> = stage.came.iter().map(|came| line(stage, came)).collect();
    Some((list(&wanted), list(&came)))
}

fn matches(expected: &Expected, came: &Came) -> bool {
    match (expected, &came.what) {
        (
            Expected::Target {
                channel, fields, ..
            },
            What::Target(told, target),
        ) => told == channel && fields.iter().all(|field| target.contains(field)),
        (
            Expected::Momentary {
                channel, command, ..
            },
            What::Momentary(told, told_command),
        ) => told == channel && told_command == command,
        (Expected::Notify { to, text }, What::Notify(told, told_text)) => {
            told == to && text.as_ref().is_none_or(|text| **text == **told_text)
        }
        _ => false,
    }
}

fn by(stage: &Stage, rule: RuleIx) -> Option<Unmet> {
    let others: Vec<String> = stage
        .came
        .iter()
        .filter(|came| came.by != Some(rule))
        .map(|came| line(stage, came))
        .collect();
    let expected = format!("everything by {}", stage.program[rule].name);
    if stage.came.is_empty() {
        return Some((expected, "no command".to_owned()));
    }
    (!others.is_empty()).then(|| (expected, list(&others)))
}

fn value_of(
    stage: &Stage,
    root: &str,
    slot: SlotIx,
    expected: &Value,
    came: Option<&Value>,
) -> Option<Unmet> {
    if came == Some(expected) {
        return None;
    }
    let path = format!("{root}.{}", stage.program.slot_path(slot));
    let came = came.map_or_else(|| "unknown".to_owned(), ToString::to_string);
    Some((format!("{path} = {expected}"), came))
}

/// What happened, and rules that could have told a missed channel something but did not even look.
fn trace(stage: &Stage, missed: &BTreeSet<ChannelIx>) -> Vec<String> {
    let mut lines = stage.trace();
    if lines.is_empty() && !missed.is_empty() {
        lines.push("nothing".to_owned());
    }
    for rule in RuleIx::all(stage.program.rules.len()) {
        let row = &stage.program[rule];
        let near = !stage.looked.contains(&rule) && missed.iter().any(|ix| writes(row, *ix));
        if near {
            let why = match &row.condition {
                _ if !row.enabled => "did not look: it is disabled".to_owned(),
                Some(condition) if stage.pulled(row) => {
                    format!("its condition was false: {}", condition.text)
                }
                _ => "did not look: nothing of its `when` happened".to_owned(),
            };
            let (name, file, line) = (&row.name, &row.origin.file, row.origin.line);
            lines.push(format!("rule {name} {file}:{line} {why}"));
        }
    }
    lines
}

fn writes(rule: &Rule, channel: ChannelIx) -> bool {
    rule.actions.iter().any(|action| match action {
        Action::Set { channel: told, .. } | Action::Command { channel: told, .. } => {
            *told == channel
        }
        _ => false,
    })
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
        Expected::Target { text, .. } | Expected::Momentary { text, .. } => text.to_string(),
        Expected::Notify {
            to,
            text: Some(text),
        } => format!("notify {to} \"{text}\""),
        Expected::Notify { to, text: None } => format!("notify {to}"),
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() {
        "no command".to_owned()
    } else {
        items.join(", ")
    }
}

fn times(count: u32) -> String {
    match count {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}
