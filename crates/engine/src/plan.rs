//! What the engine looks up while it runs, worked out once from a program: who waits for what.
//!
//! Built with an engine, read on every input. Must not hold anything that changes.

use std::{collections::BTreeMap, time::Duration};

use mapping::program::{
    Action, Carried, CarriedValue, ChannelIx, Condition, Cron, Days, EventIx, Expr, Program, Rule,
    RuleIx, SlotIx, Sun, SunEvent, Trigger,
};
use types::{Instant, Value};

use crate::{
    depend::Dependencies,
    gesture::{ARRIVAL_SPREAD_MAX, GesturePlan},
    index::Index,
    sequence::{SequenceIx, SequencePlan, named, steps_at},
    targets::Shape,
};

/// A `holds` trigger of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HoldIx(pub(crate) u32);

/// An `at`, `cron` or `sun` trigger of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AtIx(pub(crate) u32);

/// A chord trigger of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChordIx(pub(crate) u32);

/// Which trigger of which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) rule: RuleIx,
    pub(crate) trigger: u32,
}

/// The tables.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) index: Index,
    pub(crate) holds: Vec<HoldPlan>,
    pub(crate) ats: Vec<AtPlan>,
    pub(crate) chords: Vec<ChordPlan>,
    pub(crate) sequences: Vec<SequencePlan>,
    pub(crate) gestures: BTreeMap<ChannelIx, GesturePlan>,
    /// By timer: the rules that wait for it, each once.
    pub(crate) timers: Vec<Vec<Place>>,
    /// By rule: whether its actions wait.
    pub(crate) waits: Vec<bool>,
    pub(crate) events: Vec<EventPlan>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) slots: Vec<SlotPlan>,
    /// By variable: the `holds` that read it.
    pub(crate) vars: Vec<Vec<HoldIx>>,
    /// By device: the `holds` that read whether it is there.
    pub(crate) devices: Vec<Vec<HoldIx>>,
}

/// One `holds`.
#[derive(Debug)]
pub(crate) struct HoldPlan {
    pub(crate) place: Place,
    /// How long it must stay true.
    pub(crate) span: Duration,
    pub(crate) reads: Dependencies,
    /// Whether it reads `sun.elevation`, which never stands still.
    pub(crate) elevation: bool,
    /// Whether time alone can change its truth.
    pub(crate) timed: bool,
}

/// One `at`, `cron` or `sun`.
#[derive(Debug)]
pub(crate) struct AtPlan {
    pub(crate) place: Place,
    pub(crate) when: When,
}

/// Times on the wall.
#[derive(Clone, Debug)]
pub(crate) enum When {
    /// So many seconds since local midnight.
    Daily(u32, Days),
    /// Local times.
    Cron(Cron),
    /// So many microseconds after the sun gets there.
    Sun(SunEvent, i64),
}

/// One chord.
#[derive(Debug)]
pub(crate) struct ChordPlan {
    pub(crate) place: Place,
    pub(crate) event: EventIx,
    pub(crate) field: u8,
    pub(crate) values: Box<[Value]>,
    pub(crate) within: Duration,
}

/// What an event means besides its rules.
#[derive(Debug, Default)]
pub(crate) struct EventPlan {
    pub(crate) chords: Vec<ChordIx>,
    /// Each once.
    pub(crate) sequences: Vec<SequenceIx>,
    pub(crate) button: Option<Edge>,
}

/// A press or release of a button that some gesture is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    Press,
    Release,
}

/// Who depends on a field of a channel.
#[derive(Debug, Default)]
pub(crate) struct SlotPlan {
    /// Reads its reported value.
    pub(crate) state: Vec<HoldIx>,
    /// Reads how old that is.
    pub(crate) age: Vec<HoldIx>,
    /// Reads its desired value.
    pub(crate) target: Vec<HoldIx>,
}

impl Plan {
    pub(crate) fn new(program: &Program) -> Self {
        let channels = ChannelIx::all(program.channels.len());
        let mut plan = Self {
            index: Index::new(program),
            holds: Vec::new(),
            ats: Vec::new(),
            chords: Vec::new(),
            sequences: Vec::new(),
            gestures: BTreeMap::new(),
            timers: table(program.timers.len()),
            waits: program.rules.iter().map(waits).collect(),
            events: table(program.events.len()),
            shapes: channels
                .map(|channel| Shape::of(program, channel))
                .collect(),
            slots: table(program.slots.len()),
            vars: table(program.vars.len()),
            devices: table(program.devices.len()),
        };
        for rule in RuleIx::all(program.rules.len()).filter(|rule| program[*rule].enabled) {
            for (trigger, what) in (0..).zip(&program[rule].triggers) {
                plan.add(program, Place { rule, trigger }, what);
            }
        }
        plan.finish(program);
        plan
    }

    fn add(&mut self, program: &Program, place: Place, trigger: &Trigger) {
        match trigger {
            Trigger::Event { .. } => {}
            Trigger::Timer(timer) => {
                let waiting = &mut self.timers[timer.index()];
                if waiting.last().is_none_or(|last| last.rule != place.rule) {
                    waiting.push(place);
                }
            }
            Trigger::Gesture {
                kind,
                channel,
                hold,
                within,
            } => self
                .gestures
                .entry(*channel)
                .or_default()
                .add(place, *kind, *hold, *within),
            Trigger::Chord {
                event,
                field,
                values,
                within,
            } => self.chords.push(ChordPlan {
                place,
                event: *event,
                field: *field,
                values: values.clone(),
                within: *within,
            }),
            Trigger::Sequence { steps, within } => {
                let plan = SequencePlan::new(program, place, steps, *within);
                self.sequences.push(plan);
            }
            Trigger::Holds { condition, hold } => {
                let reads = Dependencies::of(&condition.expr);
                let can_be_stale = |slot: &SlotIx| stale_after(program, *slot).is_some();
                self.holds.push(HoldPlan {
                    place,
                    span: *hold,
                    elevation: reads_elevation(&condition.expr),
                    timed: reads.on_time() || reads.states.iter().any(can_be_stale),
                    reads,
                });
            }
            Trigger::At { second, days } => self.at(place, When::Daily(*second, *days)),
            Trigger::Cron(cron) => self.at(place, When::Cron(cron.clone())),
            Trigger::Sun { event, offset_us } => self.at(place, When::Sun(*event, *offset_us)),
        }
    }

    fn at(&mut self, place: Place, when: When) {
        self.ats.push(AtPlan { place, when });
    }

    fn finish(&mut self, program: &Program) {
        for (ix, hold) in (0..).map(HoldIx).zip(&self.holds) {
            let reads = &hold.reads;
            for slot in &reads.states {
                self.slots[slot.index()].state.push(ix);
            }
            for age in &reads.ages {
                self.slots[age.slot.index()].age.push(ix);
            }
            for slot in &reads.targets {
                self.slots[slot.index()].target.push(ix);
            }
            for var in &reads.vars {
                self.vars[var.index()].push(ix);
            }
            for device in &reads.devices {
                self.devices[device.index()].push(ix);
            }
        }
        for (ix, chord) in (0..).map(ChordIx).zip(&self.chords) {
            self.events[chord.event.index()].chords.push(ix);
        }
        for (ix, sequence) in (0..).map(SequenceIx).zip(&self.sequences) {
            for event in named(steps_at(program, sequence.place)) {
                let waiting = &mut self.events[event.index()].sequences;
                if waiting.last() != Some(&ix) {
                    waiting.push(ix);
                }
            }
        }
        for channel in self.gestures.keys() {
            for (name, edge) in [("press", Edge::Press), ("release", Edge::Release)] {
                if let Some(event) = program.event(*channel, name) {
                    self.events[event.index()].button = Some(edge);
                }
            }
        }
        for gesture in self.gestures.values_mut() {
            gesture.finish();
        }
        self.holds.shrink_to_fit();
        self.ats.shrink_to_fit();
    }
}

impl ChordPlan {
    /// Whether a value that came at `struck` may still be part of a whole chord at `at`: producers drop what is too old.
    pub(crate) fn may_end(&self, struck: Instant, at: Instant) -> bool {
        at.since(struck) <= self.within + ARRIVAL_SPREAD_MAX
    }
}

/// What a snapshot knows a chord by: another one must not go on where this one was. `None`: it is no chord.
pub(crate) fn chord_key(program: &Program, trigger: &Trigger) -> Option<String> {
    let Trigger::Chord {
        event,
        field,
        values,
        within,
    } = trigger
    else {
        return None;
    };
    let mut key = program.event_path(*event);
    let field = program[*event].fields.get(usize::from(*field));
    key += &format!(" {}", field.map_or("", |field| &field.name));
    for value in values {
        key.push(' ');
        value.append_to(&mut key);
    }
    Some(key + &format!(" within {} us", within.as_micros()))
}

impl When {
    /// What a snapshot knows it by: the days of an `at` may be others.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Daily(second, _) => format!("at {second}"),
            Self::Cron(cron) => format!("cron {}", cron.text()),
            Self::Sun(event, offset_us) => format!("sun {} {offset_us}", event.word()),
        }
    }
}

/// The condition of `place`, where it is a `holds`.
pub(crate) fn holds_condition(program: &Program, place: Place) -> Option<&Condition> {
    match trigger(&program[place.rule], place.trigger) {
        Some(Trigger::Holds { condition, .. }) => Some(condition),
        _ => None,
    }
}

/// After how long a report of `slot` is stale.
pub(crate) fn stale_after(program: &Program, slot: SlotIx) -> Option<Duration> {
    program[program[slot].channel].stale_after
}

/// A rule's trigger by its place.
pub(crate) fn trigger(rule: &Rule, place: u32) -> Option<&Trigger> {
    rule.triggers.get(place as usize)
}

/// What a snapshot knows the trigger at `place` by; empty where it needs no name.
pub(crate) fn key_at(
    program: &Program,
    place: Place,
    key: impl Fn(&Program, &Trigger) -> Option<String>,
) -> String {
    let trigger = trigger(&program[place.rule], place.trigger);
    trigger
        .and_then(|trigger| key(program, trigger))
        .unwrap_or_default()
}

/// The fields of `event` as the channel's reported state tells them: what it carries, else defaults.
/// `None`: `changed` holds no part of the event, a constant differs, or a field is told by nothing.
pub(crate) fn derived_fields(
    program: &Program,
    event: EventIx,
    changed: &[SlotIx],
    reported: impl Fn(SlotIx) -> Option<Value>,
) -> Option<Vec<Value>> {
    let event = &program[event];
    let touched = |carried: &Carried| changed.contains(&carried.slot);
    if !event.carries.iter().any(touched) {
        return None;
    }
    let mut fields: Vec<Option<Value>> = event.fields.iter().map(|f| f.default.clone()).collect();
    for carried in &event.carries {
        let value = reported(carried.slot)?;
        match &carried.value {
            CarriedValue::Const(expected) if *expected != value => return None,
            CarriedValue::Const(_) => {}
            CarriedValue::Field(place) => *fields.get_mut(usize::from(*place))? = Some(value),
        }
    }
    fields.into_iter().collect()
}

fn waits(rule: &Rule) -> bool {
    let mut actions = rule.actions.iter();
    actions.any(|action| matches!(action, Action::Wait(_)))
}

fn table<T: Default>(len: usize) -> Vec<T> {
    std::iter::repeat_with(T::default).take(len).collect()
}

fn reads_elevation(expr: &Expr) -> bool {
    match expr {
        Expr::Sun(sun) => *sun == Sun::Elevation,
        Expr::Not(a) | Expr::Neg(a) | Expr::In(a, _) => reads_elevation(a),
        Expr::And(all) | Expr::Or(all) | Expr::Count(all) | Expr::Call(_, all) => {
            all.iter().any(reads_elevation)
        }
        Expr::Binary(_, sides) => reads_elevation(&sides.0) || reads_elevation(&sides.1),
        Expr::If(parts) => [&parts.0, &parts.1, &parts.2]
            .into_iter()
            .any(reads_elevation),
        Expr::Const(_)
        | Expr::EventField(_)
        | Expr::State(_)
        | Expr::Target(_)
        | Expr::Var(_)
        | Expr::Online(_)
        | Expr::Now(_)
        | Expr::Has(_)
        | Expr::Age(_) => false,
    }
}
