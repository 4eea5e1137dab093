//! The engine as others see it.
//!
//! Called by the dispatcher, by house tests and by replay. Deterministic: it takes time as an argument and
//! reads nothing else; the same inputs give the same outputs, decisions and state, byte for byte.

use std::sync::Arc;

use mapping::program::{ChannelIx, DeviceIx, Program, SlotIx, Succession, VarIx};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    agenda::{Agenda, Due},
    cascade::{Core, Ctx, What},
    clock::Clock,
    house::House,
    input::{Input, Who},
    output::Effects,
    plan::Plan,
    rate::Rates,
    resume::{self, Note, Resume},
    state::State,
    work::Work,
};

/// Deadlines that one call makes up for at the times for which they were set. What is still overdue then
/// runs as of now, so that a timer that starts itself again can't keep a call busy with a whole night.
const CATCH_UP_MAX: usize = 10_000;

/// A program that runs: rules, what is known of the house, and what falls due.
///
/// After each [`Engine::handle`] ask [`Engine::next_deadline`] and call it again, at the latest then, with
/// [`Input::Tick`]. Time on the elapsed line never goes back; an input that says so is taken at the last
/// input's time. The wall clock may jump: a time that came does not come again, one that the clock was set over by
/// more than a minute follows the rule's `after_downtime`.
#[derive(Debug)]
pub struct Engine {
    program: Arc<Program>,
    plan: Plan,
    core: Core,
}

impl Engine {
    /// The engine of a house that starts for the first time: of its channels nothing is known. A `holds`
    /// that is true already is an edge; it falls due at `now`.
    #[must_use]
    pub fn new(program: Arc<Program>, now: Now) -> Self {
        let mut engine = Self::blank(program);
        let (ctx, core) = engine.parts();
        core.start(ctx, now);
        engine
    }

    /// The engine that goes on from `state`, and what of it did not survive.
    #[must_use]
    pub fn restore(
        program: Arc<Program>,
        state: &State,
        now: Now,
        how: Resume,
    ) -> (Self, Vec<Note>) {
        let mut engine = Self::blank(program);
        let (ctx, core) = engine.parts();
        let notes = core.load(ctx, state, now, how);
        (engine, notes)
    }

    /// Puts another program in force between two inputs; `succession` tells what the things of the one in force are
    /// in it. What runs goes on, also under another name; what does not is told.
    ///
    #[must_use]
    pub fn replace(
        &mut self,
        program: Arc<Program>,
        succession: &Succession<'_>,
        now: Now,
    ) -> Vec<Note> {
        let mut state = self.state();
        let (ctx, core) = self.look();
        core.note_turned(ctx, now, &mut state);
        state.succeed(succession);
        let (engine, mut notes) = Self::restore(program, &state, now, Resume::Reload);
        resume::propose(&mut notes, succession);
        *self = engine;
        notes
    }

    fn blank(program: Arc<Program>) -> Self {
        let plan = Plan::new(&program);
        let chord = |chord: &crate::plan::ChordPlan| vec![None; chord.values.len()];
        let core = Core {
            house: House::new(&program),
            clock: Clock::new(&program.home),
            agenda: Agenda::default(),
            timers: vec![None; program.timers.len()],
            holds: vec![Default::default(); plan.holds.len()],
            ats: vec![Default::default(); plan.ats.len()],
            chords: plan.chords.iter().map(chord).collect(),
            sequences: plan.sequences.iter().map(|s| vec![None; s.more]).collect(),
            buttons: Default::default(),
            rates: Rates::new(program.rules.len()),
            runs: Default::default(),
            bounds: Default::default(),
            kept: Default::default(),
            silenced: vec![false; program.devices.len()],
            last: Now::default(),
            known: None,
            work: Work::new(program.channels.len()),
            watched: None,
            overdue: Default::default(),
            resting: Default::default(),
            is_still: false,
        };
        Self {
            program,
            plan,
            core,
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    pub(crate) fn look(&self) -> (Ctx<'_>, &Core) {
        let ctx = Ctx {
            program: &self.program,
            plan: &self.plan,
        };
        (ctx, &self.core)
    }

    pub(crate) fn parts(&mut self) -> (Ctx<'_>, &mut Core) {
        let ctx = Ctx {
            program: &self.program,
            plan: &self.plan,
        };
        (ctx, &mut self.core)
    }

    /// Fires every deadline that is not after `now`, in the order of deadlines, then of their creation, each
    /// its own decision; then runs `input` to completion. Appends to `effects`.
    pub fn handle(&mut self, now: Now, input: Input, effects: &mut Effects) {
        let (ctx, core) = self.parts();
        let now = Now {
            at: now.at.max(core.last.at),
            ..now
        };
        core.tell_time(ctx, now, &mut effects.notes);
        let before = effects.decisions.len();
        while let Some((at, due)) = core.agenda.pop(now) {
            let at = if effects.decisions.len() - before < CATCH_UP_MAX {
                at.clamp(core.last.at, now.at)
            } else {
                now.at
            };
            let then = Now {
                at,
                wall: UnixTime(now.wall.0.saturating_sub_unsigned(now.at.0 - at.0)),
                ..now
            };
            core.fall_due(ctx, then, due, effects);
        }
        core.run(ctx, now, What::Input(input), effects);
    }

    /// Takes a local change (the switch on the wall) as the desired value: nothing is sent.
    pub fn adopt(
        &mut self,
        now: Now,
        channel: ChannelIx,
        fields: Vec<(SlotIx, Value)>,
        effects: &mut Effects,
    ) {
        let who = Who::Local;
        let input = Input::Set {
            channel,
            fields,
            who,
            hold: None,
            bound: None,
        };
        self.handle(now, input, effects);
    }

    /// The dispatcher was down until `now`, after all inputs of the journal were replayed: what fell due
    /// meanwhile fires with the next input as far as each rule's `after_downtime` lets it, and variables that
    /// are not kept start again. [`Engine::restore`] with [`Resume::Restart`] does the same.
    pub fn resume(&mut self, now: Now) -> Vec<Note> {
        let mut notes = Vec::new();
        let (ctx, core) = self.parts();
        core.resume(ctx, now, &mut notes);
        core.reset_vars(ctx, now);
        notes
    }

    /// The earliest moment at which something falls due; it may be past. Wall-clock times are read by `now`. Where the
    /// wall clock was put back since the last input, that is `now`: times wait for what it showed before.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<Instant> {
        if crate::times::was_put_back(self.core.last, now) {
            return Some(now.at);
        }
        self.core.agenda.next(now)
    }

    /// Everything the engine knows, by names.
    #[must_use]
    pub fn state(&self) -> State {
        let (ctx, core) = self.look();
        core.save(ctx)
    }

    /// The program that runs.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// When the last input was taken.
    #[must_use]
    pub fn now(&self) -> Now {
        self.core.last
    }

    /// Reported state at the last input's time; `None`: never reported, or stale.
    #[must_use]
    pub fn reported(&self, slot: SlotIx) -> Option<&Value> {
        self.core.house.reported(slot, self.core.last.at)
    }

    /// The same, asked at a moment behind the last input: what is too old by then is unknown.
    #[must_use]
    pub fn reported_by(&self, slot: SlotIx, at: Instant) -> Option<&Value> {
        self.core.house.reported(slot, at)
    }

    /// When `slot` was reported last.
    #[must_use]
    pub fn reported_at(&self, slot: SlotIx) -> Option<Instant> {
        let state = &self.core.house.slots[slot.index()];
        state.reported.as_ref().map(|_| state.reported_at)
    }

    /// Desired state; `None`: nobody ever wished anything.
    #[must_use]
    pub fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.core.house.target(slot)
    }

    /// The whole absolute target of `channel`: all known settable fields, in slot order.
    #[must_use]
    pub fn absolute_target(&self, channel: ChannelIx) -> Vec<(SlotIx, Value)> {
        crate::targets::absolute(&self.program, &self.core.house, channel)
    }

    /// Who wrote the desired value of `slot`.
    #[must_use]
    pub fn desired_origin(&self, slot: SlotIx) -> Option<Who> {
        let origin = self.core.house.slots[slot.index()].origin.as_ref();
        origin.map(|origin| origin.who(&self.program))
    }

    /// Until when rules must not write `channel`.
    #[must_use]
    pub fn kept_until(&self, channel: ChannelIx) -> Option<Instant> {
        let until = self.core.kept.get(&channel).copied();
        until.filter(|until| self.core.last.at < *until)
    }

    /// Until when `channel` is on at the most; `None`: for good, or it is off.
    #[must_use]
    pub fn bounded_until(&self, channel: ChannelIx) -> Option<Instant> {
        self.core.bounded_until(channel)
    }

    /// A variable.
    #[must_use]
    pub fn var(&self, var: VarIx) -> &Value {
        &self.core.house.vars[var.index()]
    }

    /// Whether `device` is there.
    #[must_use]
    pub fn online(&self, device: DeviceIx) -> bool {
        self.core.house.online[device.index()]
    }

    /// Local time for people, to the second: `2026-03-28 21:00:05`.
    #[must_use]
    pub fn local_time(&self, wall: UnixTime) -> Option<String> {
        self.core.clock.text(wall)
    }

    /// Firings of one rule within a second before it is cut; 100 unless set. Not part of the state.
    pub fn set_fuse(&mut self, firings_per_s: u32) {
        self.core.rates.fuse = firings_per_s;
    }

    /// Whether `device` is blocked as a producer: what rules emit for a virtual device is dropped then. Not part of
    /// the state; everything else that a device says is kept from the engine by its caller.
    pub fn silence(&mut self, device: DeviceIx, blocked: bool) {
        self.core.silenced[device.index()] = blocked;
    }

    /// For house tests: the sun stands still, up or down, and gets nowhere; `None`: as the date says. Not part of
    /// the state.
    pub fn pin_sun(&mut self, up: Option<bool>) {
        let (ctx, core) = self.parts();
        core.clock.pin_sun(up);
        core.arm_all(ctx);
        core.look_at_wall_readers(ctx, core.last);
    }

    /// For house tests: what is true now was true before. No `holds` is an edge, none waits for its time.
    pub fn settle(&mut self, now: Now) {
        let (ctx, core) = self.parts();
        core.settle(ctx, now);
    }
}

impl Core {
    fn fall_due(&mut self, ctx: Ctx<'_>, now: Now, due: Due, effects: &mut Effects) {
        match due {
            Due::Timer(timer) => {
                if let Some(running) = self.timers[timer.index()].take() {
                    self.run(ctx, now, What::Timer(timer, running.late), effects);
                }
            }
            Due::Hold(hold) => {
                if self.hold_is_due(ctx, now, hold) {
                    self.run(ctx, now, What::Hold(hold), effects);
                }
            }
            Due::Bound(channel) => self.run(ctx, now, What::Bound(channel), effects),
            Due::Run(rule) => {
                if let Some(run) = self.run_is_due(rule) {
                    self.run(ctx, now, What::Run(rule, run), effects);
                }
            }
            Due::Gesture(channel) => self.gesture_due(ctx, now, channel, effects),
            Due::Late(at) => {
                self.ats[at.0 as usize].late = None;
                self.run(ctx, now, What::At(at), effects);
            }
            Due::At(at) => {
                self.spend(ctx, now, at);
                self.run(ctx, now, What::At(at), effects);
            }
            Due::Look(hold) => {
                self.looked(hold);
                self.run(ctx, now, What::Look(hold), effects);
            }
        }
    }

    fn gesture_due(&mut self, ctx: Ctx<'_>, now: Now, channel: ChannelIx, effects: &mut Effects) {
        let Some(plan) = ctx.plan.gestures.get(&channel) else {
            return;
        };
        let mut button = self.buttons.remove(&channel).unwrap_or_default();
        let verdict = button.waited(plan);
        self.keep_button(channel, button, verdict.wait_until);
        for gesture in verdict.decided {
            self.run(ctx, now, What::Gesture(channel, gesture), effects);
        }
    }
}
