//! Runs one cause to completion: the input itself, then what derives from it, in the order in which it
//! was derived; then writes down what it came to.
//!
//! Called by [`crate::Engine`]. Conditions and computed values of one step see the house as it is before
//! any of the step's actions. Must not know what a cause's deadline was.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use mapping::program::{ChannelIx, DeviceIx, EventIx, Program, RuleIx, SlotIx, TimerIx, VarIx};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    agenda::{Agenda, Key},
    bounds::{Bound, How, Lasts},
    clock::Clock,
    decision::{Cause, Outcome, Step},
    gesture::{Button, Chord, Gesture, Moment, strike},
    holds::HoldState,
    house::{House, Origin},
    input::{Input, Who},
    output::Effects,
    plan::{AtIx, ChordIx, Edge, HoldIx, Place, Plan, derived_fields, stale_after},
    rate::Rates,
    runs::Run,
    sequence::{Sequence, SequenceIx},
    times::AtState,
    work::Work,
};

/// Derived inputs that wait in one cascade; what comes on top is dropped, and recorded like depth where a
/// rule wished it. Only rules that set each other off get there: the fuse cuts each of them at 100.
pub(crate) const QUEUE_MAX: usize = 10_000;

/// The program and what was worked out from it.
#[derive(Clone, Copy)]
pub(crate) struct Ctx<'a> {
    pub(crate) program: &'a Program,
    pub(crate) plan: &'a Plan,
}

/// Everything that changes.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) house: House,
    pub(crate) clock: Clock,
    pub(crate) agenda: Agenda,
    pub(crate) timers: Vec<Option<Running>>,
    pub(crate) holds: Vec<HoldState>,
    pub(crate) ats: Vec<AtState>,
    pub(crate) chords: Vec<Chord>,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) buttons: BTreeMap<ChannelIx, Button>,
    pub(crate) rates: Rates,
    /// Runs of rules that are not over; never an empty list.
    pub(crate) runs: BTreeMap<RuleIx, Vec<Run>>,
    /// Targets that are on for so long and no longer.
    pub(crate) bounds: BTreeMap<ChannelIx, Bound>,
    /// Until when rules must not write an output.
    pub(crate) kept: BTreeMap<ChannelIx, Instant>,
    /// Devices that are blocked as producers: what rules emit for them is dropped. Not part of the state.
    pub(crate) silenced: Vec<bool>,
    /// When the last input was taken.
    pub(crate) last: Now,
    /// What the wall showed when it was last synced.
    pub(crate) known: Option<UnixTime>,
    pub(crate) work: Work,
    /// Looks also where the index rules it out.
    pub(crate) watched: Option<RuleIx>,
    /// Where each `holds` is found whose time is over and that is unknown; not all that are here are. Not part of the state.
    pub(crate) overdue: BTreeSet<HoldIx>,
    /// For house tests: what becomes of them is no edge. Not part of the state.
    pub(crate) resting: BTreeSet<HoldIx>,
    /// For house tests: no rule fires, whatever happens. Not part of the state.
    pub(crate) is_still: bool,
}

/// A running timer.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    pub(crate) key: Key,
    pub(crate) started: Instant,
    pub(crate) span: Duration,
    /// The rule that started it.
    pub(crate) by: Arc<str>,
    /// It ran out while the dispatcher was down, so long before it was up again.
    pub(crate) late: Option<Duration>,
}

/// What runs: an input, a deadline, or what derives from either.
#[derive(Debug)]
pub(crate) enum What {
    Input(Input),
    Event(EventIx, Vec<Value>),
    Var(VarIx, Value),
    Gesture(ChannelIx, Gesture),
    Chord(ChordIx),
    Sequence(SequenceIx),
    Hold(HoldIx),
    Look(HoldIx),
    Timer(TimerIx, Option<Duration>),
    At(AtIx),
    Bound(ChannelIx),
    Run(RuleIx, Run),
    Turn(RuleIx),
}

impl Core {
    /// Runs `what` and everything that derives from it.
    pub(crate) fn run(&mut self, ctx: Ctx<'_>, now: Now, what: What, effects: &mut Effects) {
        let quiet = matches!(what, What::Look(_));
        self.work.decision = effects.blank();
        self.work.decision.now = now;
        self.step(ctx, now, 0, what);
        while let Some((what, depth)) = self.work.queue.pop_front() {
            self.step(ctx, now, depth, what);
        }
        let nothing = self.work.decision.rules.is_empty() && self.work.wishes.is_empty();
        if quiet && nothing {
            effects.take_back(std::mem::take(&mut self.work.decision));
        } else {
            self.finish(ctx, effects);
        }
        self.last = now;
    }

    /// Queues what derives from a step at `depth`; false: there is no more room.
    pub(crate) fn derive(&mut self, what: What, depth: u8) -> bool {
        let room = self.work.queue.len() < QUEUE_MAX;
        if room {
            self.work.queue.push_back((what, depth.saturating_add(1)));
        }
        room
    }

    fn step(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, what: What) {
        let cause = match what {
            What::Input(input) => self.input(ctx, now, depth, input),
            What::Event(event, fields) => {
                let moment = Moment {
                    at: now.at,
                    produced_ms: None,
                };
                self.event(ctx, now, depth, event, fields, moment)
            }
            What::Var(var, to) => self.var(ctx, now, depth, var, to),
            What::Gesture(channel, gesture) => {
                let mut places = std::mem::take(&mut self.work.places);
                if let Some(plan) = ctx.plan.gestures.get(&channel) {
                    plan.rules(gesture, &mut places);
                }
                self.fire_places(ctx, now, depth, &places);
                places.clear();
                self.work.places = places;
                Cause::Gesture(gesture.kind, channel)
            }
            What::Chord(chord) => {
                let chord = &ctx.plan.chords[chord.0 as usize];
                self.fire_places(ctx, now, depth, &[chord.place]);
                Cause::Chord(chord.event)
            }
            What::Sequence(sequence) => {
                let place = ctx.plan.sequences[sequence.0 as usize].place;
                self.fire_places(ctx, now, depth, &[place]);
                Cause::Sequence(place.rule)
            }
            What::Hold(hold) => {
                let place = ctx.plan.holds[hold.0 as usize].place;
                self.fire_places(ctx, now, depth, &[place]);
                Cause::Holds(place.rule, place.trigger)
            }
            What::Look(hold) => {
                self.work.dirty.push(hold);
                self.look(ctx, now, depth);
                Cause::Tick
            }
            What::Timer(timer, late) => {
                let waiting = &ctx.plan.timers[timer.index()];
                match late {
                    None => self.fire_places(ctx, now, depth, waiting),
                    Some(late) => {
                        let may = |place: &&Place| {
                            crate::times::runs_late(ctx.program[place.rule].after_downtime(), late)
                        };
                        let waiting: Vec<Place> = waiting.iter().filter(may).copied().collect();
                        self.fire_places(ctx, now, depth, &waiting);
                    }
                }
                Cause::Timer(timer)
            }
            What::At(at) => {
                let place = ctx.plan.ats[at.0 as usize].place;
                self.fire_places(ctx, now, depth, &[place]);
                if self.sun_stays(ctx, now, at) {
                    self.trace(place.rule, None, Outcome::SunStays, (0, 0));
                }
                Cause::At(place.rule)
            }
            What::Bound(channel) => {
                self.end_bound(ctx, now, channel);
                self.look(ctx, now, depth);
                Cause::Bound(channel)
            }
            What::Run(rule, run) => {
                self.go_on(ctx, now, depth, rule, (run, Outcome::Resumed));
                Cause::Waited(rule)
            }
            What::Turn(rule) => {
                self.turn_comes(ctx, now, depth, rule);
                Cause::Turn(rule)
            }
        };
        self.work.decision.steps.push(Step { cause, depth });
    }

    fn input(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, input: Input) -> Cause {
        match input {
            Input::Event {
                event,
                fields,
                produced_ms,
            } => {
                let moment = Moment {
                    at: now.at,
                    produced_ms,
                };
                self.event(ctx, now, depth, event, fields, moment)
            }
            Input::Report {
                channel,
                fields,
                live,
            } => self.report(ctx, now, depth, channel, fields, live),
            Input::Online { device, last_seen } => {
                self.presence(ctx, now, depth, device, true, last_seen);
                Cause::Online(device)
            }
            Input::Offline { device, last_seen } => {
                self.presence(ctx, now, depth, device, false, last_seen);
                Cause::Offline(device)
            }
            Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            } => {
                let name = who.name();
                if let Some(span) = hold {
                    self.keep(now, channel, span, None);
                }
                let origin = Origin::Other(who);
                let how = How {
                    lasts: bound.map_or(Lasts::ForGood, Lasts::For),
                    ..How::plain(None, &origin)
                };
                self.write(ctx, now, channel, &fields, how);
                self.look(ctx, now, depth);
                Cause::Set(channel, name)
            }
            Input::Command {
                channel,
                command,
                args,
                who,
            } => {
                let name = who.name();
                let origin = Origin::Other(who);
                self.command(ctx, now, channel, command, args, How::plain(None, &origin));
                self.look(ctx, now, depth);
                Cause::Set(channel, name)
            }
            Input::Var { var, to } => self.var(ctx, now, depth, var, to),
            Input::Tick => Cause::Tick,
        }
    }

    /// An event: its carried state, `holds` that this turns, gestures, chords and sequences, then its rules.
    fn event(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        event: EventIx,
        fields: Vec<Value>,
        moment: Moment,
    ) -> Cause {
        for carried in &ctx.program[event].carries {
            let value = match &carried.value {
                mapping::program::CarriedValue::Const(value) => Some(value),
                mapping::program::CarriedValue::Field(place) => fields.get(usize::from(*place)),
            };
            if let Some(value) = value {
                self.reported(ctx, now, carried.slot, value.clone());
            }
        }
        self.look(ctx, now, depth);
        let plan = &ctx.plan.events[event.index()];
        if let (Some(edge), Some(channel)) = (plan.button, ctx.program[event].channel) {
            self.button(ctx, depth, channel, edge, moment);
        }
        for ix in &plan.chords {
            let chord = &mut self.chords[ix.0 as usize];
            if strike(chord, &ctx.plan.chords[ix.0 as usize], &fields, moment) {
                self.derive(What::Chord(*ix), depth);
            }
        }
        for ix in &plan.sequences {
            if self.advance(ctx, now, *ix, event, &fields, moment) {
                self.derive(What::Sequence(*ix), depth);
            }
        }
        let mut candidates = std::mem::take(&mut self.work.candidates);
        ctx.plan.index.candidates(event, &fields, &mut candidates);
        self.add_watched(ctx, event, &mut candidates);
        for (rule, trigger) in candidates.drain(..) {
            self.consider(ctx, now, depth, Place { rule, trigger }, &fields);
        }
        self.work.candidates = candidates;
        self.act(ctx, now, depth);
        Cause::Event(event, fields)
    }

    /// A report of state, and the events that this is where the channel derives them.
    fn report(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        channel: ChannelIx,
        fields: Vec<(SlotIx, Value)>,
        live: bool,
    ) -> Cause {
        let mut known = fields.iter();
        self.work.decision.repeats =
            known.all(|(slot, value)| self.house.reported(*slot, now.at) == Some(value));
        let mut changed = Vec::new();
        for (slot, value) in &fields {
            // An old value counts here even where it is stale: a contact that wakes up once a day still opens.
            let known = &self.house.slots[slot.index()].reported;
            if known.as_ref().is_some_and(|known| known != value) {
                changed.push(*slot);
            }
            self.reported(ctx, now, *slot, value.clone());
        }
        if live && !changed.is_empty() && ctx.program[channel].derives_events {
            for event in &ctx.program[channel].events {
                let house = &self.house;
                let reported = |slot: SlotIx| house.slots[slot.index()].reported.clone();
                if let Some(fields) = derived_fields(ctx.program, *event, &changed, reported) {
                    self.derive(What::Event(*event, fields), depth);
                }
            }
        }
        self.look(ctx, now, depth);
        Cause::Report(channel, fields)
    }

    /// A device came or went; that it is where it was is no event.
    fn presence(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        depth: u8,
        device: DeviceIx,
        online: bool,
        last_seen: Option<UnixTime>,
    ) {
        if std::mem::replace(&mut self.house.online[device.index()], online) == online {
            return;
        }
        let row = &ctx.program[device];
        let event = if online { row.online } else { row.offline };
        let last_seen = last_seen.and_then(|wall| self.clock.text(wall));
        let field = |field: &mapping::program::Field| match &*field.name {
            "device" => Value::Text(Arc::clone(&row.name)),
            "last_seen" => Value::Text(last_seen.as_deref().unwrap_or("never").into()),
            _ => field.default.clone().unwrap_or_else(|| "".into()),
        };
        let fields = ctx.program[event].fields.iter().map(field).collect();
        self.derive(What::Event(event, fields), depth);
        self.work.dirty.extend(&ctx.plan.devices[device.index()]);
        self.look(ctx, now, depth);
    }

    fn var(&mut self, ctx: Ctx<'_>, now: Now, depth: u8, var: VarIx, to: Value) -> Cause {
        let kept = &mut self.house.vars[var.index()];
        if *kept != to {
            kept.clone_from(&to);
            self.work.dirty.extend(&ctx.plan.vars[var.index()]);
            self.look(ctx, now, depth);
        }
        Cause::Var(var, to)
    }

    fn reported(&mut self, ctx: Ctx<'_>, now: Now, slot: SlotIx, value: Value) {
        let stale_after = stale_after(ctx.program, slot);
        let dependents = &ctx.plan.slots[slot.index()];
        if stale_after.is_some() || self.house.reported(slot, now.at) != Some(&value) {
            self.work.dirty.extend(&dependents.state);
        }
        self.work.dirty.extend(&dependents.age);
        let stale_at = stale_after.map(|span| now.at.after(span));
        self.house.slots[slot.index()].report(value, now.at, stale_at);
    }

    fn button(&mut self, ctx: Ctx<'_>, depth: u8, channel: ChannelIx, edge: Edge, moment: Moment) {
        let Some(plan) = ctx.plan.gestures.get(&channel) else {
            return;
        };
        let mut button = self.buttons.remove(&channel).unwrap_or_default();
        if let Some(key) = button.wait.take() {
            self.agenda.cancel(key);
        }
        let verdict = match edge {
            Edge::Press => button.press(plan, moment),
            Edge::Release => button.release(plan, moment),
        };
        for gesture in verdict.decided {
            self.derive(What::Gesture(channel, gesture), depth);
        }
        self.keep_button(channel, button, verdict.wait_until);
    }
}

impl Who {
    /// The name that records show.
    fn name(&self) -> Arc<str> {
        match self {
            Self::Rule(name) | Self::Person(name) => Arc::clone(name),
            Self::Local => Self::LOCAL.into(),
        }
    }
}
