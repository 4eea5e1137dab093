//! The test that is being recorded: how the house was when it begins, and steps as they are added.

use std::collections::BTreeMap;

use dispatcher::Dispatcher;
use mapping::program::{Carrier, ChannelIx, DeviceIx, VarIx};
use types::{Instant, Now};

use super::{
    Recording, STEPS_MAX, Unrecordable, Wanted,
    moments::Moment,
    names::Names,
    past::{Held, aging, bounded, fired, held, kept, running},
    scope::Scope,
    sent::Sent,
    steady::Steady,
    toml::{Line, Test},
};
use crate::{
    history::History,
    words::{moment_of, second_of},
};

/// A test that is being written.
pub(super) struct Recorder<'a> {
    pub(super) history: &'a History,
    pub(super) wanted: &'a Wanted,
    pub(super) names: Names,
    start: Now,
    pub(super) test: Test,
    /// The record before.
    pub(super) before: Now,
    /// What was to fall due next after it.
    pub(super) awaited: Option<Instant>,
    /// Outputs that are on for a time as it begins, and when that ends: no test knows the rule that did it.
    pub(super) bounded: BTreeMap<ChannelIx, Instant>,
    /// What of the house is needed; `None`: all of it.
    pub(super) scope: Option<Scope>,
    /// What the test may do still.
    pub(super) work_left: u64,
}

impl<'a> Recorder<'a> {
    /// A test of the house as `travel` has it, which begins at `start`.
    pub(super) fn begin(
        history: &'a History,
        wanted: &'a Wanted,
        names: Names,
        travel: &Steady<'_>,
        scope: Option<Scope>,
        start: Now,
    ) -> Self {
        let begin = travel.now();
        let mut recorder = Self {
            history,
            wanted,
            names,
            start,
            test: Test::new(&wanted.name, &moment_of(history.zone(), start.wall)),
            before: begin,
            awaited: travel.house().engine().next_deadline(begin),
            bounded: bounded(travel.house(), scope.as_ref()),
            scope,
            work_left: u64::MAX,
        };
        recorder.give(travel.house());
        recorder
    }

    /// The test, once all that happened was taken.
    ///
    /// # Errors
    /// Nothing of it is in the test.
    pub(super) fn end(mut self) -> Result<Recording, Unrecordable> {
        self.test.end();
        let (steps, commands) = self.test.counts();
        if steps == 0 {
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
        if let Some(scope) = &self.scope {
            let rules: Vec<String> = scope.rules().map(|rule| self.names.rule(rule)).collect();
            self.test.is_about(&rules);
        }
        self.give_state(house);
        for var in VarIx::all(house.program().vars.len()) {
            if !self.is_needed(|scope| scope.has_var(var)) {
                continue;
            }
            let is = house.engine().var(var);
            self.test.give_var(&self.names.var(var), is);
        }
        self.give_devices(house);
        for Held {
            rule,
            number,
            so_long,
        } in held(house, self.scope.as_ref(), self.start)
        {
            self.test.give_hold(&self.names.rule(rule), number, so_long);
        }
        for (rule, ago) in fired(house, self.scope.as_ref(), self.start) {
            self.test.give_fired(&self.names.rule(rule), &ago);
        }
        self.give_running(house);
    }

    /// What ends by itself.
    fn give_running(&mut self, house: &Dispatcher) {
        let (scope, start) = (self.scope.as_ref(), self.start);
        for (timer, left) in running(house, scope, start) {
            self.test
                .give_span("timers", &self.names.timer(timer), left);
        }
        for (channel, until) in &self.bounded {
            let left = until.since(start.at);
            self.test
                .give_span("on_for", &self.names.channel(*channel), left);
        }
        for (channel, left) in kept(house, scope, start) {
            self.test
                .give_span("kept", &self.names.channel(channel), left);
        }
    }

    /// What was reported, and how long ago where that counts.
    fn give_state(&mut self, house: &Dispatcher) {
        let (program, engine) = (house.program(), house.engine());
        let aging = aging(program);
        for channel in ChannelIx::all(program.channels.len()) {
            if !self.is_needed(|scope| scope.has_channel(channel)) {
                continue;
            }
            let mut fields = Vec::new();
            let mut ages = Vec::new();
            for slot in &program[channel].slots {
                // The devices of a test do what they were told.
                let settable = program[*slot].settable;
                let target = engine.target(*slot).filter(|_| settable);
                let reported = engine.reported_last(*slot);
                let Some(value) = target.or(reported) else {
                    continue;
                };
                fields.push((*slot, value.clone()));
                let at = engine.reported_at(*slot);
                let at = at.filter(|_| aging.contains(slot));
                ages.extend(at.map(|at| (*slot, self.start.at.since(at))));
            }
            let words = (&**program, &self.names);
            self.test.give_state(words, channel, &fields);
            self.test.give_ages(words, channel, &ages);
        }
    }

    /// Which devices were not there, and which were blocked.
    fn give_devices(&mut self, house: &Dispatcher) {
        let program = house.program();
        let (mut offline, mut blocked) = (Vec::new(), Vec::new());
        for device in DeviceIx::all(program.devices.len()) {
            // A device that never says whether it is there is believed to be, until it was missed.
            let is_known = match &program[device].carrier {
                Carrier::Own => true,
                Carrier::Foreign(_) => house.last_heard(device).is_some(),
                Carrier::Virtual => false,
            };
            let is_needed = self.is_needed(|scope| scope.has_device(program, device));
            if !house.online(device) && is_known && is_needed {
                offline.push(self.names.device(device));
            }
            if house.blocked(device) == dispatcher::Sides::BOTH && is_needed {
                blocked.push(self.names.device(device));
            }
        }
        self.test.give_devices("offline", &offline);
        self.test.give_devices("blocked", &blocked);
    }

    fn is_needed(&self, of: impl Fn(&Scope) -> bool) -> bool {
        self.scope.as_ref().is_none_or(of)
    }

    /// A step in which nothing comes but time.
    pub(super) fn look(&mut self, now: Now, sent: Option<Vec<Sent>>) -> Result<(), Unrecordable> {
        let due = Moment::Due(self.us(now));
        self.push(now, Line::default().at(due).expecting(sent))
    }

    pub(super) fn push(&mut self, now: Now, line: Line) -> Result<(), Unrecordable> {
        if self.test.counts().0 == STEPS_MAX {
            let at = second_of(self.history.zone(), now.wall);
            return Err(Unrecordable::TooMuch { at });
        }
        self.test.push(line);
        Ok(())
    }

    /// Microseconds since the start.
    pub(super) fn us(&self, now: Now) -> i64 {
        now.wall.0.saturating_sub(self.start.wall.0)
    }

    pub(super) fn came(&self, now: Now) -> Moment {
        Moment::Came(self.us(now))
    }

    pub(super) fn unsaid(&self, now: Now, what: impl Into<String>) -> Unrecordable {
        Unrecordable::Unsaid {
            at: second_of(self.history.zone(), now.wall),
            what: what.into(),
        }
    }
}
