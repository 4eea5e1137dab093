//! From the input that changed something back to what set it off, and forward to what came of it.

use std::sync::Arc;

use dispatcher::{
    Note,
    explain::{self, Explainer, LOCAL},
};
use engine::{Cause, Decision, Outcome, Output, RuleTrace, Sent};
use mapping::{
    Program,
    program::{Action, ChannelIx, Condition, RuleIx, TimerIx, Trigger},
};
use types::{InputNo, Instant};

use super::{Found, Hop, Scene, What, Why, after, scene};
use crate::{
    history::{History, Until},
    target::Target,
    trouble::HistoryError,
    words::{self, span},
};

/// Timers that start timers are followed back so far.
const BACK_MAX: u8 = 4;

/// The whole answer.
pub(super) fn of(history: &History, found: &Found) -> Result<Why, HistoryError> {
    let text = found.text.as_str();
    let scene = scene(history, found.no)?;
    let program = &scene.program;
    let target = Target::find(program, text);
    let mut hops = Vec::new();
    let mut told = Vec::new();
    match target.as_ref().and_then(|target| pick(target, &scene)) {
        Some(picked) => {
            let decision = &scene.effects.engine.decisions[picked.decision];
            let teller = Teller {
                history,
                program,
                no: found.no,
                decision,
                notes: &scene.effects.notes,
            };
            hops.extend(teller.causes(picked.step, BACK_MAX)?);
            for trace in picked.rules.iter().map(|place| &decision.rules[*place]) {
                hops.push(teller.rule(trace));
            }
            for line in picked.sent {
                let sent = &decision.sent[line];
                hops.push(teller.sent(sent));
                told.extend(sent.channel.map(|channel| (channel, sent.disposition)));
            }
        }
        None => hops.push(Hop {
            now: found.now,
            what: What::Cause(unpicked(&scene)),
        }),
    }
    hops.extend(after::hops(history, program, found, &told)?);
    let held = scene.kept.iter().filter(|(path, _)| match &target {
        Some(Target::Channel(channel)) => *path == program.channel_path(*channel),
        Some(Target::Slot(slot)) => *path == program.channel_path(program[*slot].channel),
        _ => false,
    });
    let remarks = held
        .map(|(path, until)| {
            let until = history.clock(until.wall);
            format!("{path} is held until {until}: rules don't write it until then")
        })
        .collect();
    Ok(Why {
        target: target.map_or_else(|| text.to_owned(), |target| target.path(program)),
        is: found.is.clone(),
        was: found.was.clone(),
        no: found.no,
        now: found.now,
        hops,
        remarks,
    })
}

/// What the reload of another mapping, or a start, did by itself.
fn unpicked(scene: &Scene) -> String {
    let notes = scene.effects.notes.iter();
    let notes: Vec<String> = notes.map(|note| note.render(&scene.program)).collect();
    if notes.is_empty() {
        "another mapping came into force".to_owned()
    } else {
        format!("another mapping came into force: {}", notes.join("; "))
    }
}

/// The part of a scene that did it.
#[derive(Debug, Default)]
struct Picked {
    decision: usize,
    /// The last step of the cascade that matters.
    step: usize,
    /// Places in [`Decision::rules`].
    rules: Vec<usize>,
    /// Places in [`Decision::sent`].
    sent: Vec<usize>,
}

fn pick(target: &Target, scene: &Scene) -> Option<Picked> {
    let (program, effects) = (&scene.program, &scene.effects.engine);
    let decisions = || effects.decisions.iter().enumerate().rev();
    match target {
        Target::Channel(_) | Target::Slot(_) => {
            let told = effects
                .outputs
                .iter()
                .rev()
                .find_map(|output| match output {
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
                    } if target.is_told_through(program, *channel) => Some((*decision, *line)),
                    _ => None,
                });
            let Some((place, line)) = told else {
                return by_cause(target, scene);
            };
            let decision = effects.decisions.get(place)?;
            let by = decision.sent.get(line)?.by;
            let rule = by.and_then(|by| last_run(decision, |trace| trace.rule == by));
            Some(Picked {
                decision: place,
                step: rule.map_or(0, |(_, trace)| usize::from(trace.step)),
                rules: rule.map(|(ix, _)| ix).into_iter().collect(),
                sent: vec![line],
            })
        }
        Target::Event(_) | Target::Device(_) => by_cause(target, scene),
        Target::Rule(rule) => decisions().find_map(|(place, decision)| {
            let (ix, trace) = last_run(decision, |trace| trace.rule == *rule)?;
            let mine = (0..).zip(&decision.sent);
            let mine = mine.filter(|(_, sent)| sent.by == Some(*rule));
            Some(Picked {
                decision: place,
                step: usize::from(trace.step),
                rules: vec![ix],
                sent: mine.map(|(line, _)| line).collect(),
            })
        }),
        Target::Var(var) => decisions().find_map(|(place, decision)| {
            let mut steps = decision.steps.iter();
            let step =
                steps.rposition(|step| matches!(step.cause, Cause::Var(set, _) if set == *var))?;
            Some(Picked {
                decision: place,
                step,
                ..Picked::default()
            })
        }),
        Target::Timer(timer) => decisions().find_map(|(place, decision)| {
            let runs = |trace: &RuleTrace| {
                let actions = &program[trace.rule].actions;
                actions.iter().any(|action| drives(action, *timer))
            };
            let started = last_run(decision, runs);
            let ran_out = |step: &engine::Step| step.cause == Cause::Timer(*timer);
            let step = decision.steps.iter().rposition(ran_out);
            let by = started.map(|(_, trace)| usize::from(trace.step));
            Some(Picked {
                decision: place,
                step: by.or(step)?,
                rules: started.map(|(ix, _)| ix).into_iter().collect(),
                ..Picked::default()
            })
        }),
        Target::Notify(wanted) => {
            let told = effects
                .outputs
                .iter()
                .rev()
                .find_map(|output| match output {
                    Output::Notify {
                        to, decision, line, ..
                    } if wanted.as_ref().is_none_or(|wanted| wanted == to) => {
                        Some((*decision, *line))
                    }
                    _ => None,
                });
            let (place, line) = told?;
            let decision = effects.decisions.get(place)?;
            let by = decision.sent.get(line)?.by?;
            let (ix, trace) = last_run(decision, |trace| trace.rule == by)?;
            Some(Picked {
                decision: place,
                step: usize::from(trace.step),
                rules: vec![ix],
                sent: vec![line],
            })
        }
    }
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
        let wants_rules = matches!(target, Target::Event(_));
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

fn drives(action: &Action, timer: TimerIx) -> bool {
    match action {
        Action::Start { timer: started, .. } => *started == timer,
        Action::Stop(stopped) => *stopped == timer,
        _ => false,
    }
}

/// Puts one decision into hops.
struct Teller<'a> {
    history: &'a History,
    program: &'a Arc<Program>,
    no: InputNo,
    decision: &'a Decision,
    /// What was noted with it.
    notes: &'a [Note],
}

impl Teller<'_> {
    fn hop(&self, what: What) -> Hop {
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
    fn causes(&self, step: usize, back: u8) -> Result<Vec<Hop>, HistoryError> {
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
                hops.push(self.hop(What::Cause(self.cause(&step.cause))));
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
            Cause::Holds(_) => true,
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
            Cause::Holds(rule) => match hold_of(program, *rule) {
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

    /// What happened earlier and only came to its end now: a timer that was started, a condition that turned.
    fn before(&self, cause: &Cause, back: u8) -> Result<Vec<Hop>, HistoryError> {
        let (since, wanted): (Instant, Wanted) = match cause {
            Cause::Timer(timer) => {
                let travel = self.history.from_input(self.no, Until::End)?;
                let engine = travel.house().engine();
                let program = engine.program();
                let name = &self.program[*timer].name;
                let there = program.names.timers.get(name).copied();
                match there.and_then(|timer| engine.timer(timer)) {
                    Some(running) => {
                        let starter = program.names.rules.get(&running.by).copied();
                        (running.started, Wanted::Ran(starter))
                    }
                    None => return Ok(Vec::new()),
                }
            }
            Cause::Holds(rule) => {
                let travel = self.history.from_input(self.no, Until::End)?;
                let engine = travel.house().engine();
                let triggers = (0..).zip(&self.program[*rule].triggers);
                let waits = triggers
                    .filter_map(|(place, _)| engine.hold(*rule, place)?.waits)
                    .next();
                match waits {
                    Some((since, _)) => (since, Wanted::Turned(*rule)),
                    None => return Ok(Vec::new()),
                }
            }
            _ => return Ok(Vec::new()),
        };
        earlier(self.history, self.no, since, wanted, back - 1)
    }

    pub(super) fn rule(&self, trace: &RuleTrace) -> Hop {
        let program = self.program;
        let row = &program[trace.rule];
        let explainer = Explainer::new(program);
        let step = self.decision.steps.get(usize::from(trace.step));
        let cause = step.map(|step| &step.cause);
        let range = trace.seen.0 as usize..trace.seen.1 as usize;
        let seen = self.decision.seen.get(range).unwrap_or_default();
        let hold = match cause {
            Some(Cause::Holds(_)) => hold_of(program, trace.rule).map(|(condition, _)| condition),
            _ if trace.outcome == Outcome::Waiting => {
                hold_of(program, trace.rule).map(|(condition, _)| condition)
            }
            _ => None,
        };
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
        did.extend(mine.map(|deed| explainer.did(&deed.what)));
        self.hop(What::Rule {
            name: row.name.to_string(),
            file: row.origin.file.to_string(),
            line: row.origin.line,
            parts,
            did,
        })
    }

    /// What an action does without sending anything.
    fn did(&self, action: &Action) -> Option<String> {
        let program = self.program;
        match action {
            Action::Start {
                timer,
                span: so_long,
            } => Some(format!(
                "started the timer {} for {}",
                program[*timer].name,
                span(*so_long)
            )),
            Action::Stop(timer) => Some(format!("stopped the timer {}", program[*timer].name)),
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

    fn sent(&self, sent: &Sent) -> Hop {
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

/// One look of a rule, as hops: what made it look, the rule, what it wished.
pub(crate) fn look_hops(
    program: &Program,
    decision: &Decision,
    trace: &RuleTrace,
    parts: Vec<explain::Part>,
) -> Vec<Hop> {
    let hop = |what| Hop {
        now: decision.now,
        what,
    };
    let explainer = Explainer::new(program);
    let step = decision.steps.get(usize::from(trace.step));
    let cause = step.map(|step| hop(What::Cause(explainer.cause(&step.cause))));
    let row = &program[trace.rule];
    let mine = decision
        .sent
        .iter()
        .filter(|sent| sent.by == Some(trace.rule));
    let sent = mine.filter(|_| explain::ran(trace)).map(|sent| {
        hop(What::Sent {
            text: sent.text.clone(),
            disposition: sent.disposition,
        })
    });
    let rule = hop(What::Rule {
        name: row.name.to_string(),
        file: row.origin.file.to_string(),
        line: row.origin.line,
        parts,
        did: Vec::new(),
    });
    cause.into_iter().chain([rule]).chain(sent).collect()
}

/// The `holds` of a rule, and for how long it must hold.
pub(crate) fn hold_of(
    program: &Program,
    rule: RuleIx,
) -> Option<(&Condition, std::time::Duration)> {
    program[rule]
        .triggers
        .iter()
        .find_map(|trigger| match trigger {
            Trigger::Holds { condition, hold } => Some((&**condition, *hold)),
            _ => None,
        })
}

/// What is looked for in the past.
#[derive(Clone, Copy)]
enum Wanted {
    /// A firing of this rule, or of any.
    Ran(Option<RuleIx>),
    /// The moment at which this rule's condition became true.
    Turned(RuleIx),
}

impl Wanted {
    fn is(self, trace: &RuleTrace) -> bool {
        match self {
            Self::Ran(rule) => explain::ran(trace) && rule.is_none_or(|rule| rule == trace.rule),
            Self::Turned(rule) => trace.rule == rule && trace.outcome == Outcome::Waiting,
        }
    }
}

/// The decision at `since`, before input `no`: its causes and the rule.
fn earlier(
    history: &History,
    no: InputNo,
    since: Instant,
    wanted: Wanted,
    back: u8,
) -> Result<Vec<Hop>, HistoryError> {
    let before = InputNo(no.0.saturating_sub(1));
    let is_it = |decision: &Decision| {
        decision.now.at == since && decision.rules.iter().any(|trace| wanted.is(trace))
    };
    for window in history.windows(Until::No(before), None)? {
        let mut travel = history.window(window)?;
        if travel.now().at > since {
            continue;
        }
        while let Some(step) = travel.next()? {
            let (no, program) = (step.record.no, Arc::clone(step.program()));
            let Some(decision) = step.effects.engine.decisions.iter().find(|d| is_it(d)) else {
                continue;
            };
            let teller = Teller {
                history,
                program: &program,
                no,
                decision,
                notes: &step.effects.notes,
            };
            let mut traces = decision.rules.iter();
            let Some(trace) = traces.find(|trace| wanted.is(trace)) else {
                continue;
            };
            let mut hops = teller.causes(usize::from(trace.step), back)?;
            match (wanted, hold_of(&program, trace.rule)) {
                (Wanted::Turned(rule), Some((condition, so_long))) => {
                    let text = format!(
                        "{} became true; rule {} waits {}",
                        condition.text,
                        program[rule].name,
                        span(so_long)
                    );
                    hops.push(teller.hop(What::Cause(text)));
                }
                _ => hops.push(teller.rule(trace)),
            }
            return Ok(hops);
        }
        return Ok(Vec::new());
    }
    Ok(Vec::new())
}

/// Channels that a scene told something.
pub(super) type Told = (ChannelIx, engine::Disposition);
