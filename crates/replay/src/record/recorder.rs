//! What happened, record by record, as the steps of a test: which of it is told, and what each step expects.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use dispatcher::{Dispatcher, Effects, Input, Note, explain};
use engine::{Cause, Decision};
use mapping::{
    Program,
    program::{Carrier, ChannelIx, DeviceIx, EventIx, SlotIx, VarIx},
};
use types::{Instant, Now, UnixTime};

use super::{
    Recording, STEPS_MAX, Unrecordable, Wanted,
    beginning::{aging, second},
    is_about,
    moments::{Moment, NEAR_US},
    names::Names,
    scope::{Scope, Share},
    sent::{Sent, expected},
    steady::{Lived, Steady},
    toml::{Line, Test},
};
use crate::{history::History, player::Fed, words::second_of};

/// A clock that differs by more from the time that passed was set.
const SET_MIN: Duration = Duration::from_secs(1);

/// A test that is being written.
pub(super) struct Recorder<'a> {
    pub(super) history: &'a History,
    wanted: &'a Wanted,
    pub(super) names: Names,
    start: UnixTime,
    test: Test,
    /// Steps before anything happened.
    prelude: usize,
    /// The record before.
    pub(super) before: Now,
    /// What was to fall due next after it.
    awaited: Option<Instant>,
    /// Devices that were there after it.
    online: BTreeSet<DeviceIx>,
    /// What of the house is needed; `None`: all of it.
    scope: Option<Scope>,
}

impl<'a> Recorder<'a> {
    /// A test of the house as `travel` has it, which begins at `start`.
    pub(super) fn begin(
        history: &'a History,
        wanted: &'a Wanted,
        names: Names,
        travel: &Steady<'_>,
        scope: Option<Scope>,
        start: UnixTime,
    ) -> Self {
        let begin = travel.now();
        let mut aging = aging(travel.house(), begin);
        aging.retain(|(_, channel, _)| scope.as_ref().is_none_or(|it| it.has_channel(*channel)));
        let oldest = aging.iter().map(|(at, _, _)| at.wall).min();
        let first = second(UnixTime(oldest.map_or(start.0, |at| at.0.min(start.0))));
        let mut recorder = Self {
            history,
            wanted,
            names,
            start: first,
            test: Test::new(&wanted.name, &second_of(history.zone(), first)),
            prelude: 0,
            before: begin,
            awaited: travel.house().engine().next_deadline(begin),
            online: BTreeSet::new(),
            scope,
        };
        recorder.give(travel.house());
        for (at, channel, field) in &aging {
            let words = (&**travel.house().program(), &recorder.names);
            let line = Line::report(words, *channel, std::slice::from_ref(field));
            let line = line.at(recorder.came(*at));
            recorder.test.push(line);
        }
        if !aging.is_empty() {
            // What time alone did meanwhile is not looked at.
            let us = (start.0 - first.0).max(begin.wall.0 - first.0);
            recorder.test.push(Line::default().at(Moment::Came(us)));
        }
        recorder.prelude = recorder.test.counts().0;
        recorder
    }

    /// The test, once all that happened was taken.
    ///
    /// # Errors
    /// Nothing of it is in the test.
    pub(super) fn end(mut self) -> Result<Recording, Unrecordable> {
        self.test.end();
        let (steps, commands) = self.test.counts();
        if steps <= self.prelude {
            return Err(match self.scope {
                Some(_) => Unrecordable::NothingOfPart,
                None => Unrecordable::Nothing,
            });
        }
        Ok(Recording {
            text: self.test.text(),
            steps,
            commands,
        })
    }

    /// How the house was.
    fn give(&mut self, house: &Dispatcher) {
        let (program, engine) = (house.program(), house.engine());
        let is_needed = |of: &dyn Fn(&Scope) -> bool| self.scope.as_ref().is_none_or(of);
        for channel in ChannelIx::all(program.channels.len()) {
            if !is_needed(&|scope| scope.has_channel(channel)) {
                continue;
            }
            // The devices of a test do what they were told.
            let known = |slot: &SlotIx| {
                let settable = program[*slot].settable;
                let target = engine.target(*slot).filter(|_| settable);
                let value = target.or_else(|| engine.reported(*slot))?;
                Some((*slot, value.clone()))
            };
            let fields: Vec<_> = program[channel].slots.iter().filter_map(known).collect();
            let words = (&**program, &self.names);
            self.test.give_state(words, channel, &fields);
        }
        let vars = (0..program.vars.len() as u32).map(VarIx);
        for var in vars.filter(|var| is_needed(&|scope| scope.has_var(*var))) {
            self.test.give_var(&self.names.var(var), engine.var(var));
        }
        let (mut offline, mut blocked) = (Vec::new(), Vec::new());
        for device in DeviceIx::all(program.devices.len()) {
            let row = &program[device];
            // A device that never says whether it is there is believed to be, until it was missed.
            let is_known = match &row.carrier {
                Carrier::Own => true,
                Carrier::Foreign(_) => house.last_heard(device).is_some(),
                Carrier::Virtual => false,
            };
            let is_needed = is_needed(&|scope| scope.has_device(program, device));
            if house.online(device) {
                self.online.insert(device);
            } else if is_known && is_needed {
                offline.push(self.names.device(device));
            }
            if house.blocked(device) == dispatcher::Sides::BOTH && is_needed {
                blocked.push(self.names.device(device));
            }
        }
        self.test.give_devices("offline", &offline);
        self.test.give_devices("blocked", &blocked);
    }

    /// What a record says, and what came of it.
    ///
    /// # Errors
    /// No test can say it, or it is too much for one.
    pub(super) fn take(
        &mut self,
        step: &mut Lived,
        house: &Dispatcher,
    ) -> Result<(), Unrecordable> {
        let now = step.record.now;
        if !step.is_certain {
            return Err(Unrecordable::Gap);
        }
        match &step.fed {
            Fed::Applied => {}
            Fed::Reloaded => return Err(self.unsaid(now, "another mapping came into force")),
            Fed::Unreadable(_) => return Err(self.unsaid(now, "something came that can't be read")),
            Fed::Observed(_) | Fed::Passed => return Ok(()),
        }
        let Some(input) = step.input.clone() else {
            return Ok(());
        };
        let passed = now.at.since(self.before.at);
        let shown = Duration::from_micros(
            u64::try_from(now.wall.0 - self.before.wall.0).unwrap_or_default(),
        );
        if passed.abs_diff(shown) > SET_MIN && input != Input::Resumed {
            return Err(self.unsaid(now, "the clock was set"));
        }
        self.note_missed(now);
        self.before = now;
        self.awaited = house.engine().next_deadline(now);
        let program = Arc::clone(house.program());
        explain::fill_texts(&program, &mut step.effects);
        self.take_due(&program, now, &step.effects)?;
        let back = self.back(house, &input);
        let of_input = |decision: &Decision| decision.now.at >= now.at;
        let of_coming = |decision: &Decision| of_input(decision) && is_coming(decision);
        let mut sent = expected((&program, &self.names), &step.effects, |decision| {
            of_input(decision) && (back.is_none() || !is_coming(decision))
        });
        let inputs = match input {
            Input::Several(inputs) => inputs,
            input => vec![input],
        };
        let is_tick = matches!(inputs.as_slice(), [Input::Tick]);
        if is_tick && step.effects.engine.decisions.iter().any(of_input) {
            self.test.fell_due(self.us(now));
        }
        let undone = inputs
            .iter()
            .filter_map(|input| undone(&program, step, input));
        let undone: Vec<ChannelIx> = undone.collect();
        let again = undone
            .iter()
            .map(|channel| Sent::again((&program, &self.names), house, *channel));
        sent.extend(again);
        let is_asked_for = self.scope.as_ref().is_none_or(|scope| {
            let mut undone = undone.iter();
            undone.any(|channel| scope.has_channel(*channel))
                || inputs.iter().any(|input| scope.hears(&program, input))
        });
        if !is_asked_for && !self.is_wanted(&program, &step.effects, of_input) {
            // What it said is left out; that it is there again is not.
            let has_device = |device: &DeviceIx| {
                let scope = self.scope.as_ref();
                scope.is_none_or(|scope| scope.has_device(&program, *device))
            };
            if let Some(device) = back.filter(has_device) {
                let came = expected((&program, &self.names), &step.effects, of_coming);
                self.come_back(now, program[device].online, came)?;
            }
            // What time alone does it does in the test as well, where nobody expects it; what came of anything else does not happen.
            let by_time = |input: &Input| matches!(input, Input::Tick | Input::Offline(_));
            if inputs.iter().all(by_time) && !sent.is_empty() {
                self.look(now, None)?;
            }
            return Ok(());
        }
        let mut lines = Vec::new();
        for input in &inputs {
            lines.extend(self.line((&program, house), step, now, input)?);
        }
        if lines.is_empty() && !is_tick {
            // A consumer that says that it did what it was told: in the test it did so at once.
            if !sent.is_empty() {
                self.test.expect_more(sent);
            }
            return Ok(());
        }
        if lines.is_empty() {
            return if sent.is_empty() {
                Ok(())
            } else {
                self.look(now, Some(sent))
            };
        }
        if let Some(device) = back {
            let came = expected((&program, &self.names), &step.effects, of_coming);
            self.come_back(now, program[device].online, came)?;
        }
        let last = lines.len() - 1;
        let mut sent = Some(sent);
        for (place, line) in lines.into_iter().enumerate() {
            let expect = if place == last { sent.take() } else { None };
            self.push(now, line.at(self.came(now)).expecting(expect))?;
        }
        Ok(())
    }

    /// What was about to fall due when something came: it may have kept it from doing so, and does in the test only where that
    /// keeps the two apart as well.
    fn note_missed(&mut self, now: Now) {
        let awaited = self.awaited.filter(|awaited| *awaited > now.at);
        let ahead = awaited.map(|awaited| awaited.since(now.at).as_micros());
        let ahead = ahead.and_then(|ahead| i64::try_from(ahead).ok());
        if let Some(ahead) = ahead.filter(|ahead| *ahead < NEAR_US) {
            self.test.fell_due(self.us(now) + ahead);
        }
    }

    /// A device is there again; `online` says so.
    fn come_back(
        &mut self,
        now: Now,
        online: EventIx,
        came: Vec<Sent>,
    ) -> Result<(), Unrecordable> {
        let line = Line::event(&self.names.event(online), std::iter::empty());
        self.push(now, line.at(self.came(now)).expecting(Some(came)))
    }

    /// A step in which nothing comes but time.
    fn look(&mut self, now: Now, sent: Option<Vec<Sent>>) -> Result<(), Unrecordable> {
        let due = Moment::Due(self.us(now));
        self.push(now, Line::default().at(due).expecting(sent))
    }

    fn push(&mut self, now: Now, line: Line) -> Result<(), Unrecordable> {
        if self.test.counts().0 == STEPS_MAX {
            let at = second_of(self.history.zone(), now.wall);
            return Err(Unrecordable::TooMuch { at });
        }
        self.test.push(line);
        Ok(())
    }

    /// Microseconds since the start.
    fn us(&self, now: Now) -> i64 {
        now.wall.0.saturating_sub(self.start.0)
    }

    fn came(&self, now: Now) -> Moment {
        Moment::Came(self.us(now))
    }

    /// The device that came back by saying something else than that it is there. In a test it says so first: then it
    /// finds its targets.
    fn back(&mut self, house: &Dispatcher, input: &Input) -> Option<DeviceIx> {
        let online = |device: &DeviceIx| house.online(*device);
        let online = DeviceIx::all(house.program().devices.len()).filter(online);
        let before = std::mem::replace(&mut self.online, online.collect());
        if matches!(input, Input::Online(_)) {
            return None;
        }
        self.online.difference(&before).next().copied()
    }

    /// What fell due before an input came.
    fn take_due(
        &mut self,
        program: &Program,
        now: Now,
        effects: &Effects,
    ) -> Result<(), Unrecordable> {
        let decisions = effects.engine.decisions.iter();
        let due: Vec<Now> = decisions
            .map(|decision| decision.now)
            .filter(|due| due.at < now.at)
            .collect();
        let mut before = None;
        for due in due {
            if before.replace(due.at) == Some(due.at) {
                continue;
            }
            self.test.fell_due(self.us(due));
            let then = |decision: &Decision| decision.now.at == due.at;
            let sent = expected((program, &self.names), effects, then);
            if !sent.is_empty() {
                let wanted = self.is_wanted(program, effects, then);
                self.look(due, wanted.then_some(sent))?;
            }
        }
        Ok(())
    }

    fn is_wanted(
        &self,
        program: &Program,
        effects: &Effects,
        of: impl Fn(&Decision) -> bool,
    ) -> bool {
        let mut decisions = effects.engine.decisions.iter();
        let Some(scope) = &self.scope else {
            return true;
        };
        decisions.any(|decision| {
            let is_asked_for = is_about(program, decision, &self.wanted.only);
            of(decision) && scope.has(program, &Share::of(program, decision, is_asked_for))
        })
    }

    pub(super) fn unsaid(&self, now: Now, what: impl Into<String>) -> Unrecordable {
        Unrecordable::Unsaid {
            at: second_of(self.history.zone(), now.wall),
            what: what.into(),
        }
    }
}

/// The output that insists on its target, and that somebody's hand changed: it was told again at once.
pub(super) fn undone(program: &Program, step: &Lived, input: &Input) -> Option<ChannelIx> {
    let Input::Report { channel, .. } = input else {
        return None;
    };
    let mut notes = step.effects.notes.iter();
    let told = |note: &Note| matches!(note, Note::Resent { channel: told, .. } if told == channel);
    (program[*channel].enforce && notes.any(told)).then_some(*channel)
}

/// Whether a decision is about a device that came.
fn is_coming(decision: &Decision) -> bool {
    let first = decision.steps.first();
    first.is_some_and(|step| matches!(step.cause, Cause::Online(_)))
}
