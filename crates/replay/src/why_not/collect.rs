//! Gathers on the way what may explain that a rule did nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use dispatcher::{Dispatcher, Input, Note, Sides, explain};
use engine::{Cause, Decision, Outcome, RuleTrace, Term};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, RuleIx, TimerIx, Trigger},
};
use types::{Now, Value};

use super::{
    facts::{self, Fact},
    pulls::Pull,
    refusals::Refusals,
    sequence::{self, Progress},
};
use crate::{
    hold,
    player::Fed,
    travel::Step,
    waits::{self, Dropped, Wait},
};

/// A rule on its way through history.
pub(super) struct Collector {
    /// As the mapping in force calls it.
    pub(super) name: String,
    pub(super) program: Arc<Program>,
    /// `None`: the mapping in force does not have it.
    pub(super) rule: Option<RuleIx>,
    pub(super) facts: Vec<Fact>,
    /// The last time it looked, whatever came of it.
    pub(super) looked: Option<Looked>,
    /// The last time at which it fired; that it goes on behind a wait is none.
    pub(super) fired: Option<Now>,
    /// When things happened last that make it look, or nearly do.
    pub(super) came: BTreeMap<What, Came>,
    /// How far its sequences got.
    pub(super) sequences: Vec<Progress>,
    /// What it could have heard and was not taken.
    pub(super) refused: Refusals,
    /// A time of it passed while the dispatcher was down.
    pub(super) missed: Option<(Now, Duration)>,
    /// A clock was set over a time of it.
    pub(super) set_over: Option<(Now, Duration)>,
    /// What it waits for.
    waits: Vec<Wait>,
    /// What it waited for last when an edit dropped that.
    pub(super) dropped: Option<Dropped>,
    /// It came into the mapping, left it, or was switched.
    pub(super) mapped: Option<Now>,
    /// What it waits for, also while it is not in the mapping.
    pub(super) waited_for: Vec<What>,
    /// The last of that which came while it could not look.
    pub(super) unheard: Option<(What, Now, Unheard)>,
    /// The last look that was dropped since a run of it waited.
    pub(super) busy: Option<Looked>,
    /// The places of those of its `holds` that are true.
    pub(super) held: BTreeSet<u32>,
    /// The edits by which some of them are true since.
    pub(super) held_by_edit: BTreeMap<u32, Now>,
    /// The devices of its triggers, and since when they are there or not.
    pub(super) presence: BTreeMap<String, (bool, Option<Now>)>,
    /// The same devices, what a block takes from them, and since when.
    pub(super) blocks: BTreeMap<String, (Sides, Option<Now>)>,
    /// Since when the wall clock is what it is: synchronised or not.
    pub(super) synced: (bool, Option<Now>),
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    /// An event, by its path.
    Event(String),
    /// It came and was not heard: its device was blocked.
    Blocked(String),
    /// A copy of it came.
    Copy(String),
    /// A gesture or press on a channel, by its path.
    Gesture(String, String),
    /// A timer ran out.
    Timer(String),
    /// A timer was started.
    Started(String),
    /// A time of the rule came.
    Time,
    /// The `holds` with this place in the rule turned, true or false.
    Turned(u32, bool),
    /// The rule fired because the `holds` with this place was true.
    Held(u32),
}

/// Why a rule could not look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unheard {
    /// It was switched off.
    Disabled,
    /// It was not in the mapping.
    NotThere,
}

/// How often and when last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Came {
    pub(super) count: u64,
    pub(super) last: Now,
}

/// One look of the rule.
#[derive(Clone, Debug)]
pub(super) struct Looked {
    pub(super) program: Arc<Program>,
    pub(super) rule: RuleIx,
    /// The decision; its sent lines are filled in.
    pub(super) decision: Decision,
    /// The place of the rule in it.
    pub(super) trace: usize,
    /// What its condition could read then.
    pub(super) facts: Vec<Fact>,
    /// What was reported and is too old to count, or `None` for never: of what was unknown.
    pub(super) reports: Vec<(Term, Option<(Value, Now)>)>,
    /// Its firings that counted against its limit.
    pub(super) counted: Vec<types::Instant>,
}

impl Collector {
    pub(super) fn new(name: &str, house: &Dispatcher, now: Now) -> Self {
        let mut collector = Self {
            name: name.to_owned(),
            program: Arc::clone(house.program()),
            rule: None,
            facts: Vec::new(),
            looked: None,
            fired: None,
            came: BTreeMap::new(),
            sequences: Vec::new(),
            refused: Refusals::default(),
            missed: None,
            set_over: None,
            waits: Vec::new(),
            dropped: None,
            mapped: None,
            waited_for: Vec::new(),
            unheard: None,
            busy: None,
            held: BTreeSet::new(),
            held_by_edit: BTreeMap::new(),
            presence: BTreeMap::new(),
            blocks: BTreeMap::new(),
            synced: (now.synced, None),
        };
        collector.meet(house);
        collector.waits = collector
            .rule
            .map_or_else(Vec::new, |rule| waits::of(house, rule));
        collector.held = collector.holds(house);
        collector
    }

    /// The places of those of its `holds` that are true.
    fn holds(&self, house: &Dispatcher) -> BTreeSet<u32> {
        let Some(rule) = self.rule else {
            return BTreeSet::new();
        };
        let is_true = |place: &u32| {
            let hold = house.engine().hold(rule, *place);
            hold.is_some_and(|hold| hold.known == Some(true))
        };
        let places = hold::places(&self.program, rule).into_iter();
        places.filter(is_true).collect()
    }

    /// Looks the rule up in the mapping in force. What is still so keeps its time.
    fn meet(&mut self, house: &Dispatcher) {
        self.program = Arc::clone(house.program());
        self.rule = self.program.names.rules.get(self.name.as_str()).copied();
        let before = std::mem::take(&mut self.facts);
        let Some(rule) = self.rule else {
            return;
        };
        self.waited_for = waited_for(&self.program, rule);
        self.facts = facts::of(house, rule);
        self.sequences = sequence::of(&self.program, rule, std::mem::take(&mut self.sequences));
        for fact in &mut self.facts {
            let same = |known: &&Fact| known.name == fact.name && known.value == fact.value;
            if let Some(known) = before.iter().find(same) {
                fact.since = known.since;
            }
        }
        let program = &self.program;
        for device in devices(program, rule) {
            let name = program[device].name.to_string();
            let online = house.online(device);
            self.presence.entry(name.clone()).or_insert((online, None));
            let sides = house.blocked(device);
            self.blocks.entry(name).or_insert((sides, None));
        }
    }

    pub(super) fn look(&mut self, step: &mut Step<'_>) {
        // What a reload leads to at once was decided under the new mapping.
        if step.fed == Fed::Reloaded {
            self.reloaded(step);
        }
        let mine = |decision: &Decision| {
            let mut rules = decision.rules.iter();
            rules.any(|trace| Some(trace.rule) == self.rule)
        };
        if step.effects.engine.decisions.iter().any(mine) {
            explain::fill_texts(&self.program, step.effects);
        }
        let now = step.record.now;
        if now.synced != self.synced.0 {
            self.synced = (now.synced, Some(now));
        }
        let in_passing = step.fed == Fed::Applied
            && !step.effects.notes.is_empty()
            && !matches!(
                Input::decode(step.house.program(), &step.record.body),
                Ok(Input::Resumed)
            );
        for note in &step.effects.notes {
            self.note(now, note, in_passing);
        }
        self.held = self.holds(step.house);
        self.held_by_edit
            .retain(|place, _| self.held.contains(place));
        for decision in &step.effects.engine.decisions {
            self.causes(decision);
        }
        let Some(rule) = self.rule else {
            return;
        };
        self.refused.look(step, rule);
        for decision in &step.effects.engine.decisions {
            for progress in &mut self.sequences {
                progress.take(step.house, rule, decision);
            }
            self.decision(step, rule, decision);
        }
        self.changes(step.house, now);
        self.waits = waits::of(step.house, rule);
    }

    fn reloaded(&mut self, step: &Step<'_>) {
        let enabled = |collector: &Self| collector.rule.map(|rule| collector.program[rule].enabled);
        let before = enabled(self);
        let file = self
            .rule
            .map(|rule| self.program[rule].origin.file.to_string());
        self.rename(step.house.program());
        self.meet(step.house);
        for place in self.holds(step.house).difference(&self.held) {
            self.held_by_edit.insert(*place, step.record.now);
        }
        let waits = (std::mem::take(&mut self.waits), &*file.unwrap_or_default());
        let decisions = &step.effects.engine.decisions;
        let dropped = waits::dropped(waits, (step.house, self.rule), decisions, step.record.now);
        self.dropped = dropped.into_iter().next_back().or(self.dropped.take());
        if enabled(self) != before {
            self.mapped = Some(step.record.now);
        }
    }

    fn note(&mut self, now: Now, note: &Note, in_passing: bool) {
        let path = |event: EventIx| self.program.event_path(event);
        match note {
            Note::BlockedEvent(event) => self.happened(What::Blocked(path(*event)), now),
            Note::BlockedReport(channel) => {
                let path = self.program.channel_path(*channel);
                self.happened(What::Blocked(path), now);
            }
            Note::Duplicate(event) => self.happened(What::Copy(path(*event)), now),
            Note::Missed { rule, late } if **rule == *self.name => {
                // With an input that comes in between the clock alone can have gone on.
                let missed = if in_passing {
                    &mut self.set_over
                } else {
                    &mut self.missed
                };
                *missed = Some((now, *late));
            }
            _ => {}
        }
    }

    fn happened(&mut self, what: What, now: Now) {
        let came = self.came.entry(what).or_insert(Came {
            count: 0,
            last: now,
        });
        came.count += 1;
        came.last = now;
    }

    /// What happened, whether or not the rule could look.
    fn causes(&mut self, decision: &Decision) {
        let program = Arc::clone(&self.program);
        let unheard = match self.rule {
            None => Some(Unheard::NotThere),
            Some(rule) => (!program[rule].enabled).then_some(Unheard::Disabled),
        };
        for cause in decision.steps.iter().map(|step| &step.cause) {
            let what = match cause {
                Cause::Event(event, _) => What::Event(program.event_path(*event)),
                Cause::Gesture(kind, channel) => What::Gesture(
                    program.channel_path(*channel),
                    explain::gesture(*kind).to_owned(),
                ),
                Cause::Timer(timer) => What::Timer(program[*timer].name.to_string()),
                Cause::At(by) if Some(*by) == self.rule => What::Time,
                _ => continue,
            };
            if let Some(why) = unheard.filter(|_| self.waited_for.contains(&what)) {
                self.unheard = Some((what.clone(), decision.now, why));
            }
            self.happened(what, decision.now);
        }
    }

    fn decision(&mut self, step: &Step<'_>, rule: RuleIx, decision: &Decision) {
        let program = Arc::clone(&self.program);
        let started = decision.rules.iter().filter(|trace| explain::ran(trace));
        let timers: Vec<TimerIx> = started
            .flat_map(|trace| &program[trace.rule].actions)
            .filter_map(|action| match action {
                mapping::program::Action::Start { timer, .. } => Some(*timer),
                _ => None,
            })
            .collect();
        for timer in timers {
            let name = program[timer].name.to_string();
            self.happened(What::Started(name), decision.now);
        }
        for (place, trace) in decision.rules.iter().enumerate() {
            if trace.rule != rule {
                continue;
            }
            match trace.outcome {
                Outcome::Waiting => {
                    let engine = step.house.engine();
                    if let Some(place) = trace.holds {
                        let hold = engine.hold(rule, place);
                        let waits = hold.is_some_and(|hold| hold.waits.is_some());
                        self.happened(What::Turned(place, waits), decision.now);
                    }
                    continue;
                }
                // A `holds` that turned false is no miss: nothing was due.
                Outcome::False if !is_pulled(decision, trace, &program) => {
                    if let Some(place) = trace.holds {
                        self.happened(What::Turned(place, false), decision.now);
                    }
                    continue;
                }
                Outcome::Unknown if !is_pulled(decision, trace, &program) => continue,
                Outcome::Fired => {
                    self.fired = Some(decision.now);
                    if let Some(place) = trace.holds {
                        self.happened(What::Held(place), decision.now);
                    }
                }
                _ => {}
            }
            let looked = self.looked_at(step, rule, decision, place);
            if trace.outcome == Outcome::Busy {
                self.busy = Some(looked.clone());
            }
            self.looked = Some(looked);
        }
    }

    fn looked_at(
        &self,
        step: &Step<'_>,
        rule: RuleIx,
        decision: &Decision,
        trace: usize,
    ) -> Looked {
        let engine = step.house.engine();
        let range = decision.rules[trace].seen;
        let seen = decision.seen.get(range.0 as usize..range.1 as usize);
        let unknown = seen
            .unwrap_or_default()
            .iter()
            .filter(|seen| seen.value.is_none());
        let reports = unknown.filter_map(|seen| match seen.term {
            Term::State(slot) | Term::Age(slot) => {
                let at = engine.reported_at(slot);
                let value = engine.reported_last(slot).cloned();
                let report = value.zip(at).map(|(value, at)| {
                    let ago = decision.now.at.since(at);
                    let wall = decision
                        .now
                        .wall
                        .0
                        .saturating_sub_unsigned(ago.as_micros() as u64);
                    (
                        value,
                        Now {
                            at,
                            wall: types::UnixTime(wall),
                            ..decision.now
                        },
                    )
                });
                Some((seen.term, report))
            }
            _ => None,
        });
        Looked {
            program: Arc::clone(&self.program),
            rule,
            decision: decision.clone(),
            trace,
            facts: self.facts.clone(),
            reports: reports.collect(),
            counted: engine.counted_firings(rule, decision.now),
        }
    }

    /// Notes what is otherwise now than it was.
    fn changes(&mut self, house: &Dispatcher, now: Now) {
        for fact in &mut self.facts {
            let value = facts::value(house, fact.term);
            if value != fact.value {
                fact.value = value;
                fact.since = Some(now);
            }
        }
        for (name, (online, since)) in &mut self.presence {
            if let Some(device) = self.program.device(name)
                && house.online(device) != *online
            {
                (*online, *since) = (!*online, Some(now));
            }
        }
        for (name, (sides, since)) in &mut self.blocks {
            if let Some(device) = self.program.device(name)
                && house.blocked(device) != *sides
            {
                (*sides, *since) = (house.blocked(device), Some(now));
            }
        }
    }

    /// When this happened last.
    pub(super) fn came(&self, what: &What) -> Option<Came> {
        self.came.get(what).copied()
    }
}

/// Whether a step's cause is one of these triggers, other than a condition that turned.
fn is_pulled(decision: &Decision, trace: &RuleTrace, program: &Program) -> bool {
    let Some(step) = decision.steps.get(usize::from(trace.step)) else {
        return false;
    };
    if let Cause::Holds(rule, place) = step.cause {
        return (rule, Some(place)) == (trace.rule, trace.holds);
    }
    let mut triggers = program[trace.rule].triggers.iter();
    triggers.any(|trigger| match (trigger, &step.cause) {
        (Trigger::Event { event, .. }, Cause::Event(came, _)) => event == came,
        (Trigger::Gesture { channel, .. }, Cause::Gesture(_, came)) => channel == came,
        (Trigger::Chord { event, .. }, Cause::Chord(came)) => event == came,
        (Trigger::Timer(timer), Cause::Timer(came)) => timer == came,
        (Trigger::Sequence { .. }, Cause::Sequence(_))
        | (Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. }, Cause::At(_)) => true,
        _ => false,
    })
}

/// What a rule waits for, as it happens.
fn waited_for(program: &Program, rule: RuleIx) -> Vec<What> {
    let happens = |pull| match pull {
        Pull::Event(event) => What::Event(program.event_path(event)),
        Pull::Gesture(kind, channel) => What::Gesture(
            program.channel_path(channel),
            explain::gesture(kind).to_owned(),
        ),
        Pull::Timer(timer) => What::Timer(program[timer].name.to_string()),
    };
    Pull::all(program, rule).map(happens).collect()
}

/// The devices whose events a rule waits for.
pub(super) fn producers(program: &Program, rule: RuleIx) -> Vec<DeviceIx> {
    let pulls = Pull::all(program, rule);
    pulls.filter_map(|pull| pull.device(program)).collect()
}

/// The devices whose events a rule waits for, or whose state its conditions read.
fn devices(program: &Program, rule: RuleIx) -> Vec<DeviceIx> {
    let mut devices = producers(program, rule);
    for condition in facts::conditions(program, rule) {
        let reads = engine::depend::Dependencies::of(&condition.expr);
        let channels = reads.states.iter().map(|slot| program[*slot].channel);
        devices.extend(channels.map(|channel: ChannelIx| program[channel].device));
    }
    devices.sort_unstable();
    devices.dedup();
    devices
}
