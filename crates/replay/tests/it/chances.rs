//! Hours of each example house as they may come, of which tests are recorded: what channels say, what people want, hands at
//! devices, devices that go and come back.

use std::{sync::Arc, time::Duration};

use dispatcher::Input;
use engine::Who;
use mapping::program::{Carrier, ChannelIx, DeviceIx, SlotIx};
use types::Value;

use crate::{
    examples::{Dice, Moment, files, happenings, houses, is_recorded_or_told},
    home::Home,
};

/// What happens in each house, and from how many moments of it tests are recorded: all of the house, and a part of it. With
/// 300 and 200 it is a measurement that takes minutes.
const HAPPENINGS: usize = 36;
const BEGINS: usize = 12;

/// Where a test begins, more is to happen behind it.
const BEHIND: usize = 12;

/// Pauses of seconds, minutes and hours are equally likely.
const PAUSES_MS: [usize; 4] = [300, 10_000, 300_000, 1_800_000];

/// How long a finger stays, at most.
const FINGER_MS: usize = 300;

/// As long as devices take to say how they are, at the first start.
const FIRST_MS: u64 = 600_000;

/// How long a device that came back is left alone.
const BACK_MS: u64 = 60_000;

/// A house, and what happens in it.
struct Life {
    home: Home,
    dice: Dice,
}

impl Life {
    /// All that devices say of themselves is known.
    fn begin(mut home: Home, seed: u64) -> Self {
        home.watched = false;
        let mut life = Self {
            home,
            dice: Dice(seed),
        };
        let program = Arc::clone(&life.home.program);
        for device in DeviceIx::all(program.devices.len()) {
            if matches!(program[device].carrier, Carrier::Foreign(_)) {
                life.home.take(Input::Online(device));
            }
        }
        for channel in ChannelIx::all(program.channels.len()) {
            life.says(channel, channel.0 as usize);
        }
        life.passes(FIRST_MS);
        life
    }

    /// Anything of all that can happen.
    fn goes_on(&mut self) {
        let program = Arc::clone(&self.home.program);
        let channel = ChannelIx(self.dice.below(program.channels.len()) as u32);
        let device = &program[program[channel].device];
        let turn = self.dice.below(10_000);
        match self.dice.below(12) {
            0 if device.carrier == Carrier::Own && self.is_there(channel) => {
                self.home.disconnect(&device.name);
            }
            1..=3 => self.is_wished(channel, turn),
            _ => {
                if device.carrier == Carrier::Own && !self.is_there(channel) {
                    self.home.connect(&device.name);
                    // What it was told meanwhile it does first.
                    self.passes(BACK_MS);
                }
                self.says(channel, turn);
            }
        }
    }

    fn is_there(&self, channel: ChannelIx) -> bool {
        let device = self.home.program[channel].device;
        self.home.dispatcher.online(device)
    }

    /// Somebody wants an output to be as it was at another turn.
    fn is_wished(&mut self, channel: ChannelIx, turn: usize) {
        let program = &self.home.program;
        let reported = happenings(&self.home, channel, turn).into_iter();
        let fields = reported.flat_map(|input| match input {
            Input::Report { fields, .. } => fields,
            _ => Vec::new(),
        });
        let fields: Vec<_> = fields.filter(|(slot, _)| program[*slot].settable).collect();
        if !fields.is_empty() {
            self.home.take(Input::Set {
                channel,
                fields,
                who: Who::Person("anna".into()),
                hold: None,
                bound: None,
            });
        }
    }

    /// A channel says something.
    fn says(&mut self, channel: ChannelIx, turn: usize) {
        let program = Arc::clone(&self.home.program);
        let row = &program[channel];
        let device = &program[row.device];
        for input in happenings(&self.home, channel, turn) {
            match input {
                Input::Report { fields, .. } if device.carrier == Carrier::Own => {
                    let fields = fields.iter();
                    let fields = fields.map(|(slot, value)| {
                        format!("\"{}\":{}", program[*slot].name, json(value))
                    });
                    let payload = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
                    let topic = format!("{}/state", row.name);
                    self.home.says(&device.name, &topic, &payload);
                }
                Input::Report { fields, .. } if row.consumer => {
                    // How it is at first becomes its target, and from then on it does what it is told.
                    if self.home.dispatcher.target_of(channel).is_empty() {
                        self.home.take(report(channel, fields, true));
                    }
                }
                input => self.home.take(input),
            }
            let finger_ms = self.dice.below(FINGER_MS) as u64;
            self.passes(finger_ms);
        }
    }

    /// Nothing happens for a while.
    fn pauses(&mut self) {
        let most_ms = PAUSES_MS[self.dice.below(PAUSES_MS.len())];
        let pause_ms = self.dice.below(most_ms) as u64;
        self.passes(pause_ms);
    }

    /// Time passes, and consumers that the house has no module for do at once what they are told.
    fn passes(&mut self, ms: u64) {
        let end = self.home.now.after(Duration::from_millis(ms)).at;
        self.comply();
        while self.home.now.at < end {
            let now = self.home.now;
            let due = self.home.dispatcher.next_deadline(now);
            let next = due.filter(|due| *due < end && *due > now.at).unwrap_or(end);
            self.home.pass_us(next.since(now.at).as_micros() as u64);
            self.comply();
        }
    }

    fn comply(&mut self) {
        let program = Arc::clone(&self.home.program);
        for channel in ChannelIx::all(program.channels.len()) {
            let row = &program[channel];
            let is_own = program[row.device].carrier == Carrier::Own;
            if is_own || !row.consumer || !self.is_there(channel) {
                continue;
            }
            let engine = self.home.dispatcher.engine();
            let wanted = engine.absolute_target(channel);
            if { wanted.iter() }.any(|(slot, value)| engine.reported(*slot) != Some(value)) {
                self.home.take(report(channel, wanted, false));
            }
        }
    }
}

fn report(channel: ChannelIx, fields: Vec<(SlotIx, Value)>, adopt: bool) -> Input {
    Input::Report {
        channel,
        fields,
        live: true,
        adopt,
    }
}

fn json(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

#[test]
fn whatever_comes_in_an_example_house_is_a_test_that_passes_or_what_is_under_way_is_told() {
    for (place, house) in (1..).zip(houses()) {
        let files = files(&house);
        let mut life = Life::begin(
            Home::new(&files),
            0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(place),
        );
        let mut moments = Vec::new();
        for _ in 0..HAPPENINGS {
            life.goes_on();
            life.pauses();
            moments.push(Moment::of(&life.home));
            life.pauses();
        }
        let Life {
            mut home, mut dice, ..
        } = life;
        for _ in 0..BEGINS {
            let begin = &moments[dice.below(HAPPENINGS - BEHIND)];
            is_recorded_or_told(&mut home, &files, begin, &[]);
            let rule = dice.below(home.program.rules.len());
            let rule = format!("rule.{}", home.program.rules[rule].name);
            is_recorded_or_told(&mut home, &files, begin, &[&rule]);
        }
    }
}
