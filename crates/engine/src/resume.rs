//! An engine from a state: at a restart, in a replay, and when a mapping is replaced while the house runs.
//!
//! Called by [`crate::Engine::restore`], and by [`crate::Engine::replace`] once the state speaks of everything by its
//! new name. What the program still knows by name keeps its value; each thing that is dropped leaves a [`Note`].
//! Must not trust the state to fit the program.

mod lost;
mod note;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use mapping::program::{Action, ChannelIx, Program, SlotIx, TimerIx};
use types::{Now, Value};

use crate::{
    agenda::Due,
    almanac::Almanac,
    bounds::Bound,
    cascade::{Core, Ctx, Running},
    gesture::Button,
    holds::Pending,
    plan::{AtIx, HoldIx, chord_key, holds_condition, key_at, stale_after},
    rate::Burst,
    runs::{Run, is_behind_a_wait},
    sequence,
    state::{ButtonSaved, ChannelSaved, ChordSaved, HoldSaved, SequenceSaved, State, TimerSaved},
};
pub(crate) use lost::propose;
pub use note::Note;

/// How an engine goes on from a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// As if nothing had happened: inputs of the journal follow.
    Replay,
    /// The dispatcher was down from the state's time until now: `after_downtime` decides about what fell due
    /// meanwhile, and variables that are not kept start again.
    Restart,
    /// Another program takes over between two inputs.
    Reload,
}

impl Core {
    /// Takes over what `state` knows and the program still has; `now` is when.
    pub(crate) fn load(&mut self, ctx: Ctx<'_>, state: &State, now: Now, how: Resume) -> Vec<Note> {
        let mut notes = Vec::new();
        if !state.is_readable() {
            notes.push(Note::Format(state.format()));
            self.start(ctx, now);
            return notes;
        }
        let was = state.almanac.as_ref();
        if let Some(was) = was.filter(|was| **was != Almanac::built_in()) {
            notes.push(Note::Almanac { was: was.clone() });
        }
        self.last = state.now;
        self.known = state.known;
        self.agenda.count_from(state.order);
        for saved in &state.channels {
            self.load_channel(ctx, saved, &mut notes);
        }
        for name in &state.online {
            if let Some(device) = ctx.program.device(name) {
                self.house.online[device.index()] = true;
            }
        }
        let starts = match how {
            Resume::Reload => starts(ctx.program),
            Resume::Replay | Resume::Restart => BTreeMap::new(),
        };
        for saved in &state.timers {
            self.load_timer(ctx, saved, now, &starts, &mut notes);
        }
        self.load_ats(ctx, state, now, how);
        self.load_chords(ctx, state, &mut notes);
        self.load_sequences(ctx, state, &mut notes);
        for saved in &state.rates {
            if let Some(rule) = ctx.program.names.rules.get(saved.rule.as_str()) {
                let burst = saved.burst_start.map(|start| Burst {
                    start,
                    count: saved.burst,
                });
                self.rates.restore(*rule, burst, saved.window.clone());
            }
        }
        self.load_runs(ctx, state, &mut notes);
        self.load_vars(ctx, state, &mut notes);
        self.load_holds(ctx, state, now, how, &mut notes);
        if how == Resume::Restart {
            self.resume(ctx, now, &mut notes);
            self.reset_vars(ctx, now);
        }
        notes
    }

    /// The first start of a house: nothing is known but the time.
    pub(crate) fn start(&mut self, ctx: Ctx<'_>, now: Now) {
        self.last = now;
        for ix in (0..ctx.plan.holds.len() as u32).map(HoldIx) {
            self.first_look(ctx, now, ix);
        }
        self.known = now.synced.then_some(now.wall);
        for ix in (0..ctx.plan.ats.len() as u32).map(AtIx) {
            if now.synced {
                self.arm(ctx, now.wall, ix);
            }
        }
    }

    /// Variables that are not kept start again, and what reads them is looked at.
    pub(crate) fn reset_vars(&mut self, ctx: Ctx<'_>, now: Now) {
        for (ix, var) in ctx.program.vars.iter().enumerate() {
            if !var.keep && self.house.vars[ix] != var.start {
                self.house.vars[ix] = var.start.clone();
                for hold in &ctx.plan.vars[ix] {
                    self.look_soon(ctx, *hold, now);
                }
            }
        }
    }

    fn load_channel(&mut self, ctx: Ctx<'_>, saved: &ChannelSaved, notes: &mut Vec<Note>) {
        let program = ctx.program;
        let Some(channel) = program.channel_by_path(&saved.path) else {
            notes.push(dropped(&saved.path));
            return;
        };
        for value in &saved.slots {
            let Some(slot) = program.slot(channel, &value.name) else {
                notes.push(dropped(&format!("{}.{}", saved.path, value.name)));
                continue;
            };
            let fits = |value: &Value| program[slot].ty.check(value).is_ok();
            let reported = value.reported.clone().filter(fits);
            let target = value.target.clone().filter(fits);
            if reported.is_some() != value.reported.is_some()
                || target.is_some() != value.target.is_some()
            {
                notes.push(dropped(&program.slot_path(slot)));
            }
            if let (Some(reported), Some(at)) = (reported, value.reported_at) {
                self.put_back(program, slot, reported, at);
            }
            let state = &mut self.house.slots[slot.index()];
            state.origin = value.origin.as_ref().map(|origin| origin.of(program));
            state.origin = state.origin.take().filter(|_| target.is_some());
            state.target = target;
        }
        if let Some(until) = saved.kept {
            self.kept.insert(channel, until);
        }
        let on = program.on(channel);
        let lit = on.is_some_and(|on| self.house.target(on) == Some(&Value::Bool(true)));
        if let Some(bound) = saved.bound.as_ref().filter(|_| lit) {
            let due = Due::Bound(channel);
            let key = self.agenda.restore(bound.until.at, bound.until.order, due);
            let origin = bound.who.of(program);
            self.bounds.insert(channel, Bound { key, origin });
        }
        if let Some(button) = &saved.button {
            self.load_button(ctx, channel, button, notes);
        }
    }

    fn put_back(&mut self, program: &Program, slot: SlotIx, value: Value, at: types::Instant) {
        let stale_at = stale_after(program, slot).map(|span| at.after(span));
        self.house.slots[slot.index()].report(value, at, stale_at);
    }

    fn load_button(
        &mut self,
        ctx: Ctx<'_>,
        channel: ChannelIx,
        saved: &ButtonSaved,
        notes: &mut Vec<Note>,
    ) {
        if !ctx.plan.gestures.contains_key(&channel) {
            notes.push(Note::GestureDropped {
                channel: ctx.program.channel_path(channel).into(),
            });
            return;
        }
        let due = Due::Gesture(channel);
        let button = Button {
            presses: saved.presses,
            down: saved.down,
            longs: saved.longs,
            last: saved.last.into(),
            pause_longest: Duration::from_micros(saved.pause_longest_us),
            wait: saved
                .wait
                .map(|wait| self.agenda.restore(wait.at, wait.order, due)),
        };
        self.buttons.insert(channel, button);
    }

    fn load_timer(
        &mut self,
        ctx: Ctx<'_>,
        saved: &TimerSaved,
        now: Now,
        starts: &Starts<'_>,
        notes: &mut Vec<Note>,
    ) {
        let name: Arc<str> = saved.name.as_str().into();
        let Some(timer) = ctx.program.names.timers.get(&name).copied() else {
            notes.push(Note::TimerCancelled {
                timer: name,
                is: None,
            });
            return;
        };
        let mut span = Duration::from_micros(saved.span_us);
        let mut at = saved.at;
        let of_timer = starts.get(&timer).map_or(&[][..], Vec::as_slice);
        if let Some(new) = new_span(of_timer, &saved.by, span) {
            span = new;
            // Not before the edit that says so.
            at = saved.started.after(new).max(now.at);
            notes.push(Note::TimerMoved { timer: name });
        }
        self.timers[timer.index()] = Some(Running {
            key: self.agenda.restore(at, saved.order, Due::Timer(timer)),
            started: saved.started,
            span,
            by: saved.by.as_str().into(),
            late: saved.late_us.map(Duration::from_micros),
        });
    }

    fn load_runs(&mut self, ctx: Ctx<'_>, state: &State, notes: &mut Vec<Note>) {
        for saved in &state.runs {
            let rule = ctx.program.names.rules.get(saved.rule.as_str()).copied();
            let same = rule.filter(|rule| {
                let row = &ctx.program[*rule];
                row.enabled && row.fingerprint == saved.fingerprint
            });
            let next = usize::try_from(saved.next).unwrap_or(usize::MAX);
            let Some(rule) =
                same.filter(|rule| is_behind_a_wait(&ctx.program[*rule].actions, next))
            else {
                notes.push(Note::RunCancelled {
                    rule: saved.rule.as_str().into(),
                });
                continue;
            };
            let due = Due::Run(rule);
            let key = saved
                .deadline
                .map(|due_at| self.agenda.restore(due_at.at, due_at.order, due));
            self.runs.entry(rule).or_default().push(Run {
                next,
                fields: saved.fields.as_slice().into(),
                key,
            });
        }
        // Runs that wait for their turn behind nothing would wait for ever; only a damaged state has them.
        self.runs
            .retain(|_, runs| runs.iter().any(|run| run.key.is_some()));
    }

    fn load_vars(&mut self, ctx: Ctx<'_>, state: &State, notes: &mut Vec<Note>) {
        for saved in &state.vars {
            let name = || saved.name.as_str().into();
            let Some(var) = ctx.program.names.vars.get(saved.name.as_str()) else {
                notes.push(Note::VarDropped {
                    var: name(),
                    is: None,
                });
                continue;
            };
            // A number stays one where its range became smaller.
            match ctx.program[*var].ty.fit(saved.value.clone()) {
                Some(value) => {
                    if value != saved.value {
                        notes.push(Note::VarFitted {
                            var: name(),
                            value: value.clone(),
                        });
                    }
                    self.house.vars[var.index()] = value;
                }
                None => notes.push(Note::VarDropped {
                    var: name(),
                    is: None,
                }),
            }
        }
    }

    fn load_ats(&mut self, ctx: Ctx<'_>, state: &State, now: Now, how: Resume) {
        let saved: BTreeMap<(&str, &str), _> = state
            .ats
            .iter()
            .map(|at| ((at.rule.as_str(), at.when.as_str()), at))
            .collect();
        for (ix, plan) in (0..).map(AtIx).zip(&ctx.plan.ats) {
            let rule = &*ctx.program[plan.place.rule].name;
            let mut from = state.known;
            let key = plan.when.key();
            let saved = saved.get(&(rule, key.as_str()));
            if let Some(saved) = saved {
                let at = &mut self.ats[ix.0 as usize];
                at.spent = saved.spent;
                if let Some(late) = saved.late {
                    at.late = Some(self.agenda.restore(late.at, late.order, Due::Late(ix)));
                }
            }
            if saved.is_none() && how == Resume::Reload && now.synced {
                // It was not there before: what came since the last input is nothing to it.
                from = Some(now.wall);
            }
            if let Some(from) = from {
                self.arm(ctx, from, ix);
            }
        }
    }

    fn load_chords(&mut self, ctx: Ctx<'_>, state: &State, notes: &mut Vec<Note>) {
        let mut saved: Vec<&ChordSaved> = state.chords.iter().collect();
        for (chord, plan) in self.chords.iter_mut().zip(&ctx.plan.chords) {
            if saved.is_empty() {
                return;
            }
            let rule = &*ctx.program[plan.place.rule].name;
            let key = key_at(ctx.program, plan.place, chord_key);
            let same = |saved: &&ChordSaved| *saved.rule == *rule && saved.chord == key;
            let Some(at) = saved.iter().position(same) else {
                continue;
            };
            for struck in &saved.remove(at).struck {
                if let Some(ix) = plan.values.iter().position(|value| *value == struck.value) {
                    chord[ix] = Some(struck.moment.into());
                }
            }
        }
        notes.extend(saved.into_iter().map(|chord| Note::ChordDropped {
            rule: chord.rule.as_str().into(),
        }));
    }

    fn load_sequences(&mut self, ctx: Ctx<'_>, state: &State, notes: &mut Vec<Note>) {
        // Few are in flight; most often none.
        let mut saved: Vec<&SequenceSaved> = state.sequences.iter().collect();
        for (begun, plan) in self.sequences.iter_mut().zip(&ctx.plan.sequences) {
            if saved.is_empty() {
                return;
            }
            let rule = &*ctx.program[plan.place.rule].name;
            let steps = key_at(ctx.program, plan.place, sequence::key);
            let same = |saved: &&SequenceSaved| *saved.rule == *rule && saved.steps == steps;
            if let Some(at) = saved.iter().position(same) {
                for (first, saved) in begun.iter_mut().zip(&saved.remove(at).begun) {
                    *first = saved.map(Into::into);
                }
            }
        }
        notes.extend(saved.into_iter().map(|sequence| Note::SequenceDropped {
            rule: sequence.rule.as_str().into(),
        }));
    }

    fn load_holds(
        &mut self,
        ctx: Ctx<'_>,
        state: &State,
        now: Now,
        how: Resume,
        notes: &mut Vec<Note>,
    ) {
        // A rule may ask for one condition twice, for 5 and for 10 minutes: they stand in its order.
        let mut saved: BTreeMap<(&str, &str), VecDeque<&HoldSaved>> = BTreeMap::new();
        for hold in &state.holds {
            let known_by = (hold.rule.as_str(), hold.text.as_str());
            saved.entry(known_by).or_default().push_back(hold);
        }
        for (ix, plan) in (0..).map(HoldIx).zip(&ctx.plan.holds) {
            let rule = &*ctx.program[plan.place.rule].name;
            let text = holds_condition(ctx.program, plan.place).map_or("", |c| &c.text);
            let saved = saved.get_mut(&(rule, text));
            let Some(saved) = saved.and_then(VecDeque::pop_front) else {
                self.meet(ctx, now, ix);
                continue;
            };
            let pending = saved.since.map(|since| {
                let at = since.after(plan.span);
                // Its time was over, and with the program of now it is not.
                let is_ahead = at > state.now.at;
                // Nothing is due before it was asked for: an edit may have made the time shorter than what has passed of it.
                let at = match how {
                    Resume::Reload => at.max(now.at),
                    Resume::Replay | Resume::Restart => saved.due.unwrap_or(at),
                };
                let due = Due::Hold(ix);
                let key = match saved.order {
                    Some(order) => Some(self.agenda.restore(at, order, due)),
                    None => is_ahead.then(|| self.agenda.create(at, due)),
                };
                Pending { since, key }
            });
            if pending.is_some_and(|pending| pending.key.is_none()) {
                self.overdue.insert(ix);
            }
            let hold = &mut self.holds[ix.0 as usize];
            hold.known = saved.known;
            hold.truth = saved.truth;
            hold.pending = pending;
            match how {
                Resume::Reload if saved.overdue.is_some() => self.look_soon(ctx, ix, now),
                Resume::Reload => self.meet(ctx, now, ix),
                Resume::Replay | Resume::Restart => {
                    self.plan_looks(ctx, state.now, ix);
                    self.look_overdue(ix, saved.overdue);
                }
            }
        }
        let left = saved.into_values().flatten();
        let waiting = left.filter(|hold| hold.since.is_some());
        notes.extend(waiting.map(|hold| Note::HoldDropped {
            rule: hold.rule.as_str().into(),
        }));
    }
}

/// Who starts each timer, with which span, in the order of the file.
type Starts<'p> = BTreeMap<TimerIx, Vec<(&'p str, Duration)>>;

fn starts(program: &Program) -> Starts<'_> {
    let mut starts = Starts::new();
    for rule in &program.rules {
        for action in &rule.actions {
            if let Action::Start { timer, span } = action {
                starts.entry(*timer).or_default().push((&rule.name, *span));
            }
        }
    }
    starts
}

/// The span that a running timer should have now, where it is another one. The rule that started it decides,
/// by a start with the same span where it has one, else by its first; where it does not start it any more, a start
/// with the same span, then any start.
fn new_span(starts: &[(&str, Duration)], by: &str, old: Duration) -> Option<Duration> {
    let starts_own = starts.iter().any(|(rule, _)| *rule == by);
    let mut chosen = starts.iter().filter(|(rule, _)| *rule == by || !starts_own);
    let first = chosen.next();
    let same = chosen.chain(first).any(|(_, span)| *span == old);
    first.map(|(_, span)| *span).filter(|_| !same)
}

fn dropped(path: &str) -> Note {
    Note::ValueDropped { path: path.into() }
}
