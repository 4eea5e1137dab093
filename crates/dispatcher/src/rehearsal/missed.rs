//! What a step missed, which rules could have done it, and why each of them did not.
//!
//! Called for steps that fail. Looks at the stage and changes nothing.

use std::sync::Arc;

use engine::{Cause, HoldView, Seen, Term};
use mapping::{
    house_test::Expected,
    program::{
        Action, ChannelIx, CommandEffect, Condition, EventIx, Expr, Operand, Program, Rule, RuleIx,
        SlotIx, TimerIx, Trigger,
    },
};
use types::{UnixTime, Value};

use super::stage::{RESTS, Stage};
use crate::{
    explain::{Explainer, gesture},
    span::Span,
};

/// Rules that are told; a house may have hundreds that switch the same lamp.
const RULES_MAX: usize = 8;

/// Triggers of one rule that are told.
const TRIGGERS_MAX: usize = 3;

/// Something that was expected and did not come.
pub(super) enum Missed {
    /// A channel was to have these values.
    Values(ChannelIx, Vec<(SlotIx, Value)>),
    /// A momentary command.
    Momentary(ChannelIx, u8),
    /// Somebody was to be told something.
    Notify(Arc<str>),
    /// This rule was to fire.
    Rule(RuleIx),
}

impl Missed {
    pub(super) fn of(expected: &Expected) -> Self {
        match expected {
            Expected::Target {
                channel, fields, ..
            } => Self::Values(*channel, fields.clone()),
            Expected::Momentary {
                channel, command, ..
            } => Self::Momentary(*channel, *command),
            Expected::Notify { to, .. } => Self::Notify(Arc::clone(to)),
        }
    }

    /// Whether `rule` would do it if it fired; in doubt it would.
    fn done_by(&self, program: &Program, ix: RuleIx) -> bool {
        let mut actions = program[ix].actions.iter();
        match self {
            Self::Rule(rule) => *rule == ix,
            Self::Values(channel, fields) => {
                actions.any(|action| writes(program, action, *channel, fields))
            }
            Self::Momentary(channel, command) => actions.any(|action| {
                matches!(action, Action::Command { channel: told, command: said, .. }
                    if told == channel && said == command)
            }),
            Self::Notify(to) => actions
                .any(|action| matches!(action, Action::Notify { to: told, .. } if told == to)),
        }
    }
}

/// Whether an action may give one of `fields` its value.
fn writes(
    program: &Program,
    action: &Action,
    channel: ChannelIx,
    fields: &[(SlotIx, Value)],
) -> bool {
    let wanted = |slot: SlotIx| fields.iter().find(|(field, _)| *field == slot);
    match action {
        Action::Set {
            channel: told,
            fields: written,
            ..
        } if *told == channel => written.iter().any(|(slot, operand)| {
            let wanted = wanted(*slot);
            wanted.is_some_and(|(_, value)| match operand {
                Operand::Const(constant) => constant == value,
                Operand::Expr(_) => true,
            })
        }),
        Action::Command {
            channel: told,
            command,
            ..
        } if *told == channel => {
            let commands = &program[channel].commands;
            match commands.get(usize::from(*command)).map(|row| &row.effect) {
                Some(CommandEffect::Set(written)) => {
                    written.iter().any(|field| fields.contains(field))
                }
                Some(CommandEffect::Toggle(slot) | CommandEffect::Step { slot, .. }) => {
                    wanted(*slot).is_some()
                }
                Some(CommandEffect::Momentary) | None => false,
            }
        }
        _ => false,
    }
}

/// A line for each rule that could have done what was missed but did not even look.
pub(super) fn rules(stage: &Stage, missed: &[Missed]) -> Vec<String> {
    let program = &stage.program;
    // What a rule that looked could have done is explained by what it saw.
    let looked_for = |missed: &Missed| {
        let mut looked = stage.looked.iter();
        looked.any(|ix| missed.done_by(program, *ix))
    };
    let missed: Vec<&Missed> = missed.iter().filter(|missed| !looked_for(missed)).collect();
    if missed.is_empty() {
        return Vec::new();
    }
    let explainer = Explainer::new(program);
    let all = RuleIx::all(program.rules.len());
    let near = all.filter(|ix| {
        !stage.looked.contains(ix) && missed.iter().any(|missed| missed.done_by(program, *ix))
    });
    let mut near: Vec<RuleIx> = near.collect();
    let is_named = |ix: &RuleIx| {
        let mut missed = missed.iter();
        missed.any(|missed| matches!(missed, Missed::Rule(rule) if rule == ix))
    };
    let waits_for_running = |ix: &RuleIx| {
        let mut triggers = program[*ix].triggers.iter();
        triggers.any(|trigger| match trigger {
            Trigger::Timer(timer) => stage.dispatcher.engine().timer(*timer).is_some(),
            _ => false,
        })
    };
    near.sort_by_key(|ix| (!is_named(ix), !waits_for_running(ix)));
    let mut lines: Vec<String> = near
        .iter()
        .take(RULES_MAX)
        .map(|ix| {
            let why = why_not(stage, &explainer, *ix);
            format!("rule {}: {why}", explainer.rule_place(*ix))
        })
        .collect();
    if near.len() > RULES_MAX {
        lines.push(format!(".. and {} more rules", near.len() - RULES_MAX));
    }
    lines
}

/// Why a rule did not look.
fn why_not(stage: &Stage, explainer: &Explainer<'_>, ix: RuleIx) -> String {
    let rule = &stage.program[ix];
    if stage.resting.contains(&ix) {
        return RESTS.to_owned();
    }
    if !rule.enabled {
        return "it is disabled".to_owned();
    }
    if let (Some(condition), Some((event, values))) = (&rule.condition, stage.pulled(rule)) {
        // The index of rules ruled it out, so that no decision mentions it.
        let seen = seen_by(stage, condition, rule, event, values);
        let cause = Cause::Event(event, values.to_vec());
        let seen = explainer.seen(&seen, ix, &cause);
        return format!("its condition was false: {}{seen}", condition.text);
    }
    let triggers = (0_u32..).zip(&rule.triggers);
    let mut waits: Vec<String> = triggers
        .take(TRIGGERS_MAX)
        .map(|(place, trigger)| waits_for(stage, explainer, ix, place, trigger))
        .collect();
    if rule.triggers.len() > TRIGGERS_MAX {
        waits.push(format!("{} others", rule.triggers.len() - TRIGGERS_MAX));
    }
    format!("waits {}", waits.join(", or "))
}

/// `for the timer hall-off, which has 1m left`.
fn waits_for(
    stage: &Stage,
    explainer: &Explainer<'_>,
    rule: RuleIx,
    place: u32,
    trigger: &Trigger,
) -> String {
    let program = &stage.program;
    match trigger {
        Trigger::Event { event, .. } => format!("for {}", program.event_path(*event)),
        Trigger::Gesture { kind, channel, .. } => {
            format!("for {}.{}", program.channel_path(*channel), gesture(*kind))
        }
        Trigger::Chord { event, .. } => format!("for a chord on {}", program.event_path(*event)),
        Trigger::Sequence { .. } => "for a sequence of events".to_owned(),
        Trigger::Timer(timer) => {
            let name = &program[*timer].name;
            match stage.dispatcher.engine().timer(*timer) {
                Some(running) => {
                    let left = running.due.since(stage.now().at);
                    format!("for the timer {name}, which has {} left", Span(left))
                }
                None => format!("for the timer {name}, which does not run"),
            }
        }
        Trigger::Holds { condition, hold } => {
            let engine = stage.dispatcher.engine();
            let mut seen = Vec::new();
            let truth = engine.evaluate(stage.now(), &condition.expr, &mut seen);
            let values = explainer.seen(&seen, rule, &Cause::Tick);
            let is = match truth {
                Some(Value::Bool(true)) => "true",
                Some(_) => "false",
                None => "unknown",
            };
            let held = match engine.hold(rule, place) {
                Some(HoldView {
                    waits: Some((_, Some(due))),
                    ..
                }) => {
                    let left = due.since(stage.now().at);
                    return format!(
                        "until `{}` has held for {}: {} left{values}",
                        condition.text,
                        Span(*hold),
                        Span(left)
                    );
                }
                Some(HoldView {
                    known: Some(true), ..
                }) if is == "true" => {
                    "was true before, so that it must turn false first".to_owned()
                }
                _ => format!("is {is}"),
            };
            format!("until `{}` turns true; it {held}{values}", condition.text)
        }
        Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } => {
            let what = match trigger {
                Trigger::Sun { .. } => "the sun",
                _ => "its time",
            };
            let next = stage.dispatcher.engine().next_time_of_day(rule, place);
            match next {
                Some(next) => format!("for {what}, {} from now", Span(until(stage, next))),
                None => format!("for {what}, which does not come"),
            }
        }
    }
}

fn until(stage: &Stage, next: UnixTime) -> std::time::Duration {
    next.since(stage.now().wall)
}

/// Every value that a condition reads, as the house is now and as the event was.
fn seen_by(
    stage: &Stage,
    condition: &Condition,
    rule: &Rule,
    event: EventIx,
    values: &[Value],
) -> Vec<Seen> {
    let map = rule.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Event {
            event: other,
            fields,
        } if *other == event => Some(fields),
        _ => None,
    });
    let mut seen: Vec<Seen> = Vec::new();
    condition.expr.walk(&mut |part| {
        let mut new = Vec::new();
        match part {
            Expr::EventField(field) => {
                let place = map.and_then(|map| map.get(usize::from(*field)));
                let value = place.and_then(|place| values.get(usize::from(*place)));
                new.push(Seen {
                    term: Term::EventField(*field),
                    value: value.cloned(),
                });
            }
            Expr::State(_)
            | Expr::Target(_)
            | Expr::Var(_)
            | Expr::Online(_)
            | Expr::Sun(_)
            | Expr::Now(_)
            | Expr::Has(_)
            | Expr::Age(_) => {
                let engine = stage.dispatcher.engine();
                let _ = engine.evaluate(stage.now(), part, &mut new);
            }
            _ => {}
        }
        let known = |seen: &[Seen], new: &Seen| seen.iter().any(|old| old.term == new.term);
        new.retain(|new| !known(&seen, new));
        seen.extend(new);
    });
    seen
}

/// Timers that run, conditions that wait for their time, and rules that wait between their actions.
pub(super) fn waits(stage: &Stage) -> Vec<String> {
    let program = &stage.program;
    let engine = stage.dispatcher.engine();
    let now = stage.now().at;
    let mut waits = Vec::new();
    for timer in TimerIx::all(program.timers.len()) {
        if let Some(running) = engine.timer(timer) {
            let (left, span) = (Span(running.due.since(now)), Span(running.span));
            let (name, by) = (&program[timer].name, &running.by);
            let line = format!("timer {name}: {left} of {span} left, started by {by}");
            waits.push((running.due, line));
        }
    }
    for ix in RuleIx::all(program.rules.len()) {
        let triggers = (0..).zip(&program[ix].triggers);
        for (place, trigger) in triggers {
            if let Trigger::Holds { condition, hold } = trigger
                && let Some(view) = engine.hold(ix, place)
                && let Some((_, Some(due))) = view.waits
            {
                let (left, hold) = (Span(due.since(now)), Span(*hold));
                let (name, text) = (&program[ix].name, &condition.text);
                waits.push((
                    due,
                    format!("rule {name}: {left} of {hold} left of `{text}`"),
                ));
            }
        }
    }
    for ix in RuleIx::all(program.rules.len()) {
        for due in engine.runs(ix).filter_map(|run| run.until) {
            let left = Span(due.since(now));
            let line = format!("rule {}: {left} left of its wait", program[ix].name);
            waits.push((due, line));
        }
    }
    waits.sort_by_key(|(due, _)| *due);
    let more = waits.len().saturating_sub(RULES_MAX);
    let lines = waits.into_iter().take(RULES_MAX).map(|(_, line)| line);
    let more = (more > 0).then(|| format!(".. and {more} more"));
    lines.chain(more).collect()
}
