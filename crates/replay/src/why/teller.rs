//! One decision in hops: what led to it, the rules that ran, what was sent.

use std::sync::Arc;

use dispatcher::{
    Dispatcher, Note,
    explain::{self, Explainer, LOCAL},
};
use engine::{Cause, Decision, RuleTrace, Sent};
use mapping::{
    Program,
    program::{Action, ChannelIx, GestureKind, RuleIx, Trigger},
};
use types::{InputNo, Instant};

use super::{
    Hop, What,
    earlier::{Wanted, earlier},
    moved,
};
use crate::{
    history::{History, Until},
    hold::Hold,
    lineage::Lineage,
    target::Target,
    trouble::HistoryError,
    waits,
    words::{self, span},
};

/// Timers that start timers are followed back so far.
pub(super) const BACK_MAX: u8 = 4;

/// Puts one decision into hops.
pub(super) struct Teller<'a> {
    pub(super) history: &'a History,
    pub(super) program: &'a Arc<Program>,
    pub(super) no: InputNo,
    pub(super) decision: &'a Decision,
    /// What was noted with it.
    pub(super) notes: &'a [Note],
}

impl Teller<'_> {
    pub(super) fn hop(&self, what: What) -> Hop {
        Hop {
            now: self.decision.now,
            what,
        }
    }

    /// Whether what a channel reported is the wish because nobody had wished anything.
    fn is_first(&self, channel: ChannelIx) -> bool {
        self.notes.contains(&Note::FirstReport(channel))
    }

    /// What led to `step`, from its root on.
    pub(super) fn causes(&self, step: usize, back: u8) -> Result<Vec<Hop>, HistoryError> {
        let way = self.way_to(step);
        let mut hops = Vec::new();
        for (place, &at) in way.iter().enumerate() {
            let Some(step) = self.decision.steps.get(at) else {
                continue;
            };
            // That a device went says its event better.
            let is_told = matches!(step.cause, Cause::Online(_) | Cause::Offline(_));
            // What a rule set stands with the rule.
            let is_set = place > 0 && matches!(step.cause, Cause::Var(..));
            if place == 0 && back > 0 {
                hops.extend(self.before(&step.cause, back)?);
            }
            let is_said = is_set || (is_told && place + 1 < way.len());
            if !is_said {
                let waited = match step.cause {
                    Cause::Gesture(kind, channel) if step.depth == 0 => self.waited(kind, channel),
                    _ => None,
                };
                let cause = match &step.cause {
                    Cause::Holds(rule, place) if step.depth == 0 => self.held_at_first(Hold {
                        rule: *rule,
                        place: *place,
                    }),
                    _ => None,
                };
                let cause = cause.unwrap_or_else(|| self.cause(&step.cause));
                hops.push(self.hop(What::Cause(cause + &waited.unwrap_or_default())));
            }
            // The rule in this step that led to the next one.
            if let Some(next) = way
                .get(place + 1)
                .and_then(|at| self.decision.steps.get(*at))
            {
                let mut ran = self.decision.rules.iter().filter(|trace| {
                    usize::from(trace.step) == at
                        && explain::ran(trace)
                        && self.leads_to(trace.rule, &next.cause)
                });
                hops.extend(ran.next().map(|trace| self.rule(trace)));
            }
        }
        Ok(hops)
    }

    /// The steps from the root to `step`: each was derived from the one before.
    fn way_to(&self, step: usize) -> Vec<usize> {
        let steps = &self.decision.steps;
        let mut way = vec![step];
        let mut depth = steps.get(step).map_or(0, |step| step.depth);
        let mut at = step;
        while depth > 0 {
            let before = (0..at).rev().filter(|ix| steps[*ix].depth + 1 == depth);
            let likely = before.clone().find(|ix| {
                self.decision.rules.iter().any(|trace| {
                    usize::from(trace.step) == *ix
                        && explain::ran(trace)
                        && self.leads_to(trace.rule, &steps[at].cause)
                })
            });
            let Some(parent) = likely.or_else(|| before.clone().next()) else {
                break;
            };
            way.push(parent);
            (at, depth) = (parent, depth - 1);
        }
        way.reverse();
        way
    }

    fn leads_to(&self, rule: RuleIx, cause: &Cause) -> bool {
        let actions = &self.program[rule].actions;
        match cause {
            Cause::Var(var, _) => actions
                .iter()
                .any(|action| matches!(action, Action::Var { var: set, .. } if set == var)),
            Cause::Event(event, _) => actions
                .iter()
                .any(|action| matches!(action, Action::Emit { event: e, .. } if e == event)),
            // Whatever it wrote may have turned a condition.
            Cause::Holds(..) => true,
            _ => false,
        }
    }

    fn cause(&self, cause: &Cause) -> String {
        let program = self.program;
        match cause {
            Cause::Set(channel, who) if &**who == LOCAL && self.is_first(*channel) => format!(
                "{} reported for the first time; nobody had wished anything of it, so what it reported is the wish now",
                program.channel_path(*channel)
            ),
            Cause::Set(channel, who) if &**who == LOCAL => format!(
                "{} was changed at the device, by no rule and no command; what it reported is the wish now",
                program.channel_path(*channel)
            ),
            Cause::Set(channel, who) => {
                let who = explain::asker(who);
                format!("{who} asked for {}", program.channel_path(*channel))
            }
            Cause::Var(var, value) => {
                format!("somebody set var.{} to {value}", program[*var].name)
            }
            Cause::Holds(rule, place) => match (Hold {
                rule: *rule,
                place: *place,
            })
            .of(program)
            {
                Some((condition, span_of)) if !span_of.is_zero() => {
                    format!("{} has held for {}", condition.text, span(span_of))
                }
                Some((condition, _)) => format!("{} became true", condition.text),
                None => Explainer::new(program).cause(cause),
            },
            Cause::At(rule) => {
                let is_time = |trigger: &&Trigger| {
                    matches!(
                        trigger,
                        Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. }
                    )
                };
                let times: Vec<String> = program[*rule]
                    .triggers
                    .iter()
                    .filter(is_time)
                    .map(|trigger| words::trigger(program, trigger))
                    .collect();
                format!("its time came: {}", times.join(" or "))
            }
            other => Explainer::new(program).cause(other),
        }
    }

    /// A condition without a `for` that nothing turned: it was true when there was a house for the first time.
    fn held_at_first(&self, hold: Hold) -> Option<String> {
        let (condition, _) = hold.of(self.program).filter(|(_, span)| span.is_zero())?;
        Some(format!(
            "{} was true when the house started for the first time",
            condition.text
        ))
    }

    /// A gesture that no press or release completed: it was none of more presses, and that took its time to know.
    fn waited(&self, kind: GestureKind, button: ChannelIx) -> Option<String> {
        let (next, more) = match kind {
            GestureKind::Click => (
                "second",
                [GestureKind::Double, GestureKind::Triple].as_slice(),
            ),
            GestureKind::Double => ("third", [GestureKind::Triple].as_slice()),
            GestureKind::Triple | GestureKind::Long => return None,
        };
        let enabled = self.program.rules.iter().filter(|rule| rule.enabled);
        let pauses = enabled
            .flat_map(|rule| &rule.triggers)
            .filter_map(|trigger| match trigger {
                Trigger::Gesture {
                    kind,
                    channel,
                    within,
                    ..
                } if *channel == button && more.contains(kind) => Some(*within),
                _ => None,
            });
        let longest = pauses.max()?;
        Some(format!(": waited for a {next} press ({})", span(longest)))
    }

    /// What happened earlier and only came to its end now: a timer that was started, a condition that turned, a wait.
    fn before(&self, cause: &Cause, back: u8) -> Result<Vec<Hop>, HistoryError> {
        let target = match cause {
            Cause::Timer(timer) => Target::Timer(*timer),
            Cause::Holds(rule, _) | Cause::Waited(rule) => Target::Rule(*rule),
            _ => return Ok(Vec::new()),
        };
        let travel = self.history.from_input(self.no, Until::End)?;
        let (house, last) = (travel.house(), travel.last());
        let program = house.program();
        // The input may have brought another mapping: what it ended is looked for in the one before.
        let there = match program.hash == self.program.hash {
            true => Some(target),
            false => {
                let mut lineage = Lineage::of(self.history, self.no, self.program, target);
                lineage.then(last, program)
            }
        };
        let begun = there.and_then(|there| self.begun(house, cause, there));
        let Some((since, wanted, there)) = begun else {
            return Ok(Vec::new());
        };
        let before = (self.no, program);
        let mut hops = earlier(self.history, before, since, wanted, back - 1)?;
        hops.extend(match (wanted, there) {
            (Wanted::Turned(hold), _) => moved::holds_between(self.history, before, hold, since)?,
            (_, Target::Timer(timer)) => moved::between(self.history, before, Some(timer), since)?,
            _ => Vec::new(),
        });
        Ok(hops)
    }

    /// Since when what `cause` ends went on in `house`, the one before it, what began it, and `there`: what it is about.
    fn begun(
        &self,
        house: &Dispatcher,
        cause: &Cause,
        there: Target,
    ) -> Option<(Instant, Wanted, Target)> {
        let (engine, program) = (house.engine(), house.program());
        let (since, wanted) = match (cause, &there) {
            (Cause::Timer(_), Target::Timer(timer)) => {
                let running = engine.timer(*timer)?;
                let starter = program.names.rules.get(&running.by).copied();
                (running.started, Wanted::Ran(starter))
            }
            (Cause::Holds(rule, place), Target::Rule(was)) => {
                let hold = Hold {
                    rule: *rule,
                    place: *place,
                };
                let hold = hold.in_other(self.program, (program, *was))?;
                let (since, _) = engine.hold(hold.rule, hold.place)?.waits?;
                (since, Wanted::Turned(hold))
            }
            (Cause::Waited(_), Target::Rule(rule)) => {
                let runs = waits::of(house, *rule).into_iter();
                let runs = runs.filter(|wait| wait.holds.is_none());
                let wait = runs.min_by_key(|wait| wait.due)?;
                (wait.since, Wanted::Ran(Some(*rule)))
            }
            _ => return None,
        };
        Some((since, wanted, there))
    }

    pub(super) fn rule(&self, trace: &RuleTrace) -> Hop {
        let program = self.program;
        let row = &program[trace.rule];
        let explainer = Explainer::new(program);
        let step = self.decision.steps.get(usize::from(trace.step));
        let cause = step.map(|step| &step.cause);
        let range = trace.seen.0 as usize..trace.seen.1 as usize;
        let seen = self.decision.seen.get(range).unwrap_or_default();
        let hold = trace.holds.map(|place| Hold {
            rule: trace.rule,
            place,
        });
        let hold = hold.and_then(|hold| hold.of(program));
        let hold = hold.map(|(condition, _)| condition);
        let conditions = hold.into_iter().chain(&row.condition);
        let parts = conditions
            .flat_map(|condition| explainer.parts(trace.rule, condition, cause, seen))
            .collect();
        let mut did: Vec<String> = Vec::new();
        if explain::ran(trace) {
            did.extend(row.actions.iter().filter_map(|action| self.did(action)));
        }
        let deeds = self.decision.deeds.iter();
        let mine = deeds.filter(|deed| deed.rule == Some(trace.rule) && deed.step == trace.step);
        did.extend(mine.map(|deed| explainer.did(self.decision.now, &deed.what)));
        self.hop(What::Rule {
            name: row.name.to_string(),
            file: row.origin.file.to_string(),
            line: row.origin.line,
            parts,
            did,
        })
    }

    /// What an action does that is neither sent nor a deed.
    fn did(&self, action: &Action) -> Option<String> {
        let program = self.program;
        match action {
            Action::Var { var, .. } => {
                let mut steps = self.decision.steps.iter();
                let value = steps.find_map(|step| match &step.cause {
                    Cause::Var(set, value) if set == var => Some(value),
                    _ => None,
                })?;
                Some(format!("set var.{} to {value}", program[*var].name))
            }
            _ => None,
        }
    }

    pub(super) fn sent(&self, sent: &Sent) -> Hop {
        let text = match (sent.channel, sent.text.is_empty()) {
            (Some(channel), true) => self.program.channel_path(channel),
            _ => sent.text.clone(),
        };
        self.hop(What::Sent {
            text,
            disposition: sent.disposition,
        })
    }
}
