//! `given = { .. }`: makes the house as it was before the first step.

use std::{collections::BTreeMap, time::Duration};

use engine::Who;
use mapping::{
    house_test::{Given, GivenHold, HouseTest},
    program::{ChannelIx, DeviceIx, SlotIx, Trigger},
};
use types::{Instant, Value};

use super::{
    failure,
    stage::{Exhausted, Stage},
    verdict::Failure,
};
use crate::{Block, Input, Sides, Subject};

/// Who a trace says started what is given to run.
const STARTED_BY: &str = "the test";

impl Stage {
    /// Makes the house as it was before the first step. What a test says of conditions and can't be is told.
    pub(super) fn give(&mut self, test: &HouseTest) -> Result<Vec<Failure>, Exhausted> {
        let given = &test.given;
        // Who is there, and what variables are, has been so for long: no rule fires by it.
        for device in DeviceIx::all(self.program.devices.len()) {
            self.apply(Input::Online(device))?;
        }
        for (var, to) in &given.vars {
            self.apply(Input::Var {
                var: *var,
                to: to.clone(),
            })?;
        }
        self.give_past(given);
        self.dispatcher.engine_given().stand_still(false);
        self.give_state(given)?;
        self.dispatcher.engine_given().stand_still(true);
        for device in &given.offline {
            self.apply(Input::Offline(*device))?;
        }
        self.dispatcher.engine_given().stand_still(false);
        for device in &given.blocked {
            self.apply(Input::Block(Block {
                subject: Subject::Name(self.program[*device].name.to_string()),
                sides: Sides::BOTH,
            }))?;
        }
        self.dispatcher.settle_deliveries();
        self.give_running(given);
        let holds = given.holds.iter();
        let failures = holds.filter_map(|held| self.begin(held)).collect();
        self.forget();
        Ok(failures)
    }

    /// When rules fired, and which conditions are not to fire them while the rest is given.
    fn give_past(&mut self, given: &Given) {
        let mut fired = given.fired.clone();
        fired.sort_by_key(|(_, ago)| std::cmp::Reverse(*ago));
        let now = self.now();
        let engine = self.dispatcher.engine_given();
        engine.settle(now);
        for (rule, ago) in fired {
            engine.fired_before(rule, before(now.at, ago));
        }
        for held in &given.holds {
            engine.rest_hold(held.rule, held.trigger);
        }
    }

    /// What ends by itself.
    fn give_running(&mut self, given: &Given) {
        let now = self.now();
        let engine = self.dispatcher.engine_given();
        for (timer, left) in &given.timers {
            engine.run_timer(now, *timer, *left, STARTED_BY);
        }
        for (channel, left) in &given.on_for {
            let who = Who::Person(STARTED_BY.into());
            engine.bound_until(*channel, now.at.after(*left), who);
        }
        for (channel, left) in &given.kept {
            engine.keep_until(*channel, now.at.after(*left));
        }
    }

    /// What was reported, and how long ago.
    fn give_state(&mut self, given: &Given) -> Result<(), Exhausted> {
        let mut reports: BTreeMap<ChannelIx, Vec<(SlotIx, Value)>> = BTreeMap::new();
        for (slot, value) in &given.state {
            let fields = reports.entry(self.program[*slot].channel).or_default();
            fields.push((*slot, value.clone()));
        }
        // Consumers last: what sensors set off while they are given does not count.
        let is_consumer = |channel: &ChannelIx| self.program[*channel].consumer;
        let (consumers, sensors): (Vec<_>, Vec<_>) = reports
            .into_iter()
            .partition(|(channel, _)| is_consumer(channel));
        let now = self.now();
        for (channel, fields) in sensors.into_iter().chain(consumers) {
            let adopt = self.program[channel].consumer;
            let slots: Vec<SlotIx> = fields.iter().map(|(slot, _)| *slot).collect();
            self.apply(Input::Report {
                channel,
                fields: fields.clone(),
                live: false,
                adopt,
            })?;
            self.give_target(channel, fields)?;
            let ages = given.ages.iter().filter(|(slot, _)| slots.contains(slot));
            for (slot, age) in ages {
                let engine = self.dispatcher.engine_given();
                engine.reported_before(*slot, before(now.at, *age));
            }
        }
        // What is too old by now is looked at.
        match given.ages.is_empty() {
            true => Ok(()),
            false => self.apply(Input::Tick),
        }
    }

    /// What is given of an output is its target, also where that has one already: a rule may have fired as the house began, and
    /// of a report no field is taken over then that nobody wished before.
    fn give_target(
        &mut self,
        channel: ChannelIx,
        mut fields: Vec<(SlotIx, Value)>,
    ) -> Result<(), Exhausted> {
        let engine = self.dispatcher.engine();
        fields.retain(|(slot, _)| self.program[*slot].settable);
        if { fields.iter() }.all(|(slot, value)| engine.target(*slot) == Some(value)) {
            return Ok(());
        }
        self.apply(Input::Set {
            channel,
            fields,
            who: Who::Local,
            hold: None,
            bound: None,
        })
    }

    /// A condition was true before; told where it can't have been.
    fn begin(&mut self, held: &GivenHold) -> Option<Failure> {
        let now = self.now();
        let since = held.since.map(|since| before(now.at, since));
        let place = (held.rule, held.trigger);
        let engine = self.dispatcher.engine_given();
        let truth = engine.begin_hold(now, place, since);
        if truth != Some(false) {
            return None;
        }
        let rule = &self.program[held.rule];
        let trigger = rule.triggers.get(held.trigger as usize);
        let Some(Trigger::Holds { condition, .. }) = trigger else {
            return None;
        };
        let expected = format!("`{}` of {} to hold already", condition.text, rule.name);
        let came = "it is false by all that is given".to_owned();
        Some(failure(&held.origin, Duration::ZERO, expected, came))
    }
}

fn before(at: Instant, span: Duration) -> Instant {
    let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    Instant(at.0.saturating_sub(us))
}
