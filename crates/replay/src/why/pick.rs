//! Which decision, step and rules of an input did something to what is asked about.

use dispatcher::explain::{self, LOCAL};
use engine::{Cause, Decision, Output, RuleTrace, Sent};
use mapping::program::{Action, RuleIx, TimerIx};

use super::Scene;
use crate::target::Target;

/// The part of a scene that did it.
#[derive(Debug, Default)]
pub(super) struct Picked {
    pub(super) decision: usize,
    /// The last step of the cascade that matters.
    pub(super) step: usize,
    /// Places in [`Decision::rules`].
    pub(super) rules: Vec<usize>,
    /// Places in [`Decision::sent`].
    pub(super) sent: Vec<usize>,
}

/// The newest part that did something to `target`; `None`: it changed by itself.
pub(super) fn pick(target: &Target, scene: &Scene) -> Option<Picked> {
    match target {
        Target::Channel(_) | Target::Slot(_) => {
            by_rule(target, scene).unwrap_or_else(|| by_cause(target, scene))
        }
        Target::Event(_) | Target::Gesture(..) | Target::Device(_) | Target::Group(_) => {
            by_cause(target, scene)
        }
        Target::Rule(rule) => newest(scene, |decision| firing(decision, *rule)),
        Target::Var(var) => newest(scene, |decision| {
            let is_set = |cause: &Cause| matches!(cause, Cause::Var(set, _) if set == var);
            Some(Picked {
                step: last_step(decision, is_set)?,
                ..Picked::default()
            })
        }),
        Target::Timer(timer) => newest(scene, |decision| driving(scene, decision, *timer)),
        Target::Notify(wanted) => notifying(scene, wanted.as_deref()),
    }
}

/// The newest decision that has such a part.
fn newest(scene: &Scene, part: impl Fn(&Decision) -> Option<Picked>) -> Option<Picked> {
    let decisions = &scene.effects.engine.decisions;
    decisions.iter().enumerate().rev().find_map(|(ix, it)| {
        let picked = part(it)?;
        Some(Picked {
            decision: ix,
            ..picked
        })
    })
}

/// The newest wish that reached it, and the rule behind that; the outer `None`: there is none.
fn by_rule(target: &Target, scene: &Scene) -> Option<Option<Picked>> {
    let is_mine = |channel| target.is_told_through(&scene.program, channel);
    let mut outputs = scene.effects.engine.outputs.iter().rev();
    let (place, line) = outputs.find_map(|output| match output {
        Output::Target {
            channel,
            changed: true,
            decision,
            line,
            ..
        }
        | Output::Momentary {
            channel,
            decision,
            line,
            ..
        } if is_mine(*channel) => Some((*decision, *line)),
        _ => None,
    })?;
    let decision = scene.effects.engine.decisions.get(place);
    let picked = decision.and_then(|decision| {
        let by = decision.sent.get(line)?.by;
        let rule = by.and_then(|by| last_run(decision, |trace| trace.rule == by));
        Some(Picked {
            decision: place,
            step: rule.map_or(0, |(_, trace)| usize::from(trace.step)),
            rules: rule.map(|(ix, _)| ix).into_iter().collect(),
            sent: vec![line],
        })
    });
    Some(picked)
}

/// The last run of a rule in a decision, with all that it sent.
fn firing(decision: &Decision, rule: RuleIx) -> Option<Picked> {
    let (ix, trace) = last_run(decision, |trace| trace.rule == rule)?;
    let mine = (0..).zip(&decision.sent);
    let mine = mine.filter(|(_, sent)| sent.by == Some(rule));
    Some(Picked {
        step: usize::from(trace.step),
        rules: vec![ix],
        sent: mine.map(|(line, _)| line).collect(),
        ..Picked::default()
    })
}

/// Who started or stopped a timer in a decision, or that it ran out.
fn driving(scene: &Scene, decision: &Decision, timer: TimerIx) -> Option<Picked> {
    let drove = |trace: &RuleTrace| {
        let actions = &scene.program[trace.rule].actions;
        actions.iter().any(|action| drives(action, timer))
    };
    let started = last_run(decision, drove);
    let by = started.map(|(_, trace)| usize::from(trace.step));
    let ran_out = || last_step(decision, |cause| *cause == Cause::Timer(timer));
    Some(Picked {
        step: by.or_else(ran_out)?,
        rules: started.map(|(ix, _)| ix).into_iter().collect(),
        ..Picked::default()
    })
}

/// The newest text for people by `wanted`, or by anybody, and the rule behind it.
fn notifying(scene: &Scene, wanted: Option<&str>) -> Option<Picked> {
    let mut outputs = scene.effects.engine.outputs.iter().rev();
    let (place, line) = outputs.find_map(|output| match output {
        Output::Notify {
            to, decision, line, ..
        } if wanted.is_none_or(|wanted| *wanted == **to) => Some((*decision, *line)),
        _ => None,
    })?;
    let decision = scene.effects.engine.decisions.get(place)?;
    let by = decision.sent.get(line)?.by?;
    let (ix, trace) = last_run(decision, |trace| trace.rule == by)?;
    Some(Picked {
        decision: place,
        step: usize::from(trace.step),
        rules: vec![ix],
        sent: vec![line],
    })
}

/// What happened by itself: an event, a report, a hand on the switch, a device that went; with all that rules
/// made of it.
fn by_cause(target: &Target, scene: &Scene) -> Option<Picked> {
    let program = &scene.program;
    let is_mine = |cause: &Cause| {
        target.is_caused(program, cause)
            || match cause {
                Cause::Report(channel, _) | Cause::Set(channel, _) => {
                    target.is_told_through(program, *channel)
                }
                Cause::Event(event, _) => program[*event]
                    .channel
                    .is_some_and(|channel| target.is_told_through(program, channel)),
                _ => false,
            }
    };
    let by_hand = |decision: &Decision| {
        let mut steps = decision.steps.iter();
        steps.any(|step| matches!(&step.cause, Cause::Set(_, who) if &**who == LOCAL))
    };
    // A hand on the switch is a report that became the wish.
    let decisions = scene.effects.engine.decisions.iter().enumerate().rev();
    let mut decisions: Vec<(usize, &Decision)> = decisions.collect();
    decisions.sort_by_key(|(_, decision)| !by_hand(decision));
    decisions.into_iter().find_map(|(place, decision)| {
        let wants_rules = matches!(target, Target::Event(_) | Target::Gesture(..));
        let mut steps = decision.steps.iter();
        let is_it = |step: &engine::Step| is_mine(&step.cause);
        // What a device's coming and going sets off hangs on the event that derives from it.
        let step = match wants_rules {
            true => steps.rposition(is_it)?,
            false => steps.position(is_it)?,
        };
        let rules = (0..).zip(&decision.rules).filter(|(_, trace)| {
            wants_rules && explain::ran(trace) && usize::from(trace.step) == step
        });
        let rules: Vec<usize> = rules.map(|(ix, _)| ix).collect();
        let by = |sent: &Sent| {
            let ran = |rule: RuleIx| rules.iter().any(|ix| decision.rules[*ix].rule == rule);
            sent.by.is_some_and(ran)
        };
        let sent = (0..).zip(&decision.sent).filter(|(_, sent)| by(sent));
        let sent = sent.map(|(line, _)| line).collect();
        Some(Picked {
            decision: place,
            step,
            rules,
            sent,
        })
    })
}

fn last_run(
    decision: &Decision,
    wanted: impl Fn(&RuleTrace) -> bool,
) -> Option<(usize, &RuleTrace)> {
    let mut traces = decision.rules.iter().enumerate().rev();
    traces.find(|(_, trace)| explain::ran(trace) && wanted(trace))
}

fn last_step(decision: &Decision, wanted: impl Fn(&Cause) -> bool) -> Option<usize> {
    let mut steps = decision.steps.iter();
    steps.rposition(|step| wanted(&step.cause))
}

fn drives(action: &Action, timer: TimerIx) -> bool {
    match action {
        Action::Start { timer: started, .. } => *started == timer,
        Action::Stop(stopped) => *stopped == timer,
        _ => false,
    }
}
