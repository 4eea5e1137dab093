//! House tests: `tests/*.test.toml`, resolved against a program.
//!
//! Read by [`crate::load()`]; run by the dispatcher's rehearsal on virtual time.

mod expect;
mod given;
pub(crate) mod read;
mod running;

use std::{sync::Arc, time::Duration};

use types::Value;

use crate::program::{ChannelIx, DeviceIx, EventIx, Origin, RuleIx, SlotIx, TimerIx, VarIx};

/// `[test.NAME]`.
#[derive(Clone, Debug)]
pub struct HouseTest {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is written.
    pub origin: Origin,
    /// Local date and time at which it starts, `2026-03-28 21:00`; absent: 2026-01-05 12:00, a Monday.
    pub start: Option<Arc<str>>,
    /// The rules that it is about, all others rest; absent: all run.
    pub only: Option<Vec<RuleIx>>,
    /// How the house is before the first step.
    pub given: Given,
    /// What happens, in order.
    pub steps: Vec<TestStep>,
}

/// `given = { .. }`.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Reported state.
    pub state: Vec<(SlotIx, Value)>,
    /// Variables.
    pub vars: Vec<(VarIx, Value)>,
    /// Devices whose last will was seen.
    pub offline: Vec<DeviceIx>,
    /// Devices blocked both ways.
    pub blocked: Vec<DeviceIx>,
    /// The sun stands still: `Some(true)` up, `Some(false)` down; `None`: as the date says.
    pub sun_up: Option<bool>,
    /// The dispatcher does not know the time yet.
    pub unsynced: bool,
    /// How long ago fields of `state` were reported; absent: just now.
    pub ages: Vec<(SlotIx, Duration)>,
    /// Conditions that were true before.
    pub holds: Vec<GivenHold>,
    /// How long ago rules with a `limit` fired.
    pub fired: Vec<(RuleIx, Duration)>,
    /// Timers that run, and how long they have to go. What runs out at one moment does so in this order.
    pub timers: Vec<(TimerIx, Duration)>,
    /// Outputs that are on for a time, and for how long still.
    pub on_for: Vec<(ChannelIx, Duration)>,
    /// Outputs that are kept from rules, and for how long still.
    pub kept: Vec<(ChannelIx, Duration)>,
}

/// `holds = { R = .. }`: a `holds` of a rule that is true before the first step.
#[derive(Clone, Debug)]
pub struct GivenHold {
    /// Where it is written.
    pub origin: Origin,
    /// Whose.
    pub rule: RuleIx,
    /// Its place in [`crate::program::Rule::triggers`].
    pub trigger: u32,
    /// So long before the start it became true; `None`: long enough that the rule has fired.
    pub since: Option<Duration>,
}

/// One step.
#[derive(Clone, Debug)]
pub struct TestStep {
    /// Where it is written.
    pub origin: Origin,
    /// Elapsed time since the start; absent: as the step before.
    pub at: Duration,
    /// What happens.
    pub input: Option<TestInput>,
    /// The complete list of commands and notifications since the last step; `None`: unchecked.
    pub expect: Option<Vec<Expected>>,
    /// The complete list of events that rules emitted since the last step; `None`: unchecked.
    pub emitted: Option<Vec<Emitted>>,
    /// Reported state that must hold afterwards.
    pub state: Vec<(SlotIx, Value)>,
    /// Targets that must hold afterwards.
    pub target: Vec<(SlotIx, Value)>,
    /// Variables that must hold afterwards.
    pub vars: Vec<(VarIx, Value)>,
    /// How often rules fired since the last step.
    pub fired: Vec<(RuleIx, u32)>,
    /// How many runs of rules wait afterwards.
    pub waiting: Vec<(RuleIx, u32)>,
    /// The rule that must have sent each command of this step.
    pub by: Option<RuleIx>,
    /// A word that must stand in the refusal or record of this step, e.g. `blocked`.
    pub log: Option<Arc<str>>,
}

/// What happens in a step.
#[derive(Clone, Debug)]
pub enum TestInput {
    /// `event = "D.CH.E", with = { .. }`.
    Event(EventIx, Vec<Value>),
    /// `report = { D.CH = .. }`.
    Report(ChannelIx, Vec<(SlotIx, Value)>),
    /// `event = "D.offline"`.
    Offline(DeviceIx),
    /// `event = "D.online"`.
    Online(DeviceIx),
    /// `set = "D.CH", field = value`: a person asks for a target.
    Set {
        /// Of which channel.
        channel: ChannelIx,
        /// Fields and values.
        fields: Vec<(SlotIx, Value)>,
        /// Keeps rules from it for so long.
        hold: Option<Duration>,
        /// Off again after so long.
        bound: Option<Duration>,
    },
    /// `restart = { down = "2h" }`: the dispatcher is killed, and comes back.
    Restart {
        /// How long it is not there.
        down: Duration,
        /// It comes up without knowing the time, as after a power cut: how long that was is not known either.
        unsynced: bool,
    },
    /// `clock = "synced"`: it shows the right time from now on.
    Synced,
    /// `clock = "2026-03-28 21:00"`: somebody sets it to this local time.
    Clock(Arc<str>),
    /// `sun = "up"`: it stands still, or, `None`, goes its way.
    Sun(Option<bool>),
}

impl TestStep {
    /// When it is over: the time since the start at which the next step may come.
    #[must_use]
    pub fn end(&self) -> Duration {
        match self.input {
            Some(TestInput::Restart { down, .. }) => self.at.saturating_add(down),
            _ => self.at,
        }
    }
}

/// One expected event of a virtual device.
#[derive(Clone, Debug)]
pub struct Emitted {
    /// As written.
    pub text: Arc<str>,
    /// Which.
    pub event: EventIx,
    /// Fields that it must have, by their places.
    pub fields: Vec<(u8, Value)>,
}

/// One expected command.
#[derive(Clone, Debug)]
pub enum Expected {
    /// `"hall.lamp.on"`, `{ set = "hall.lamp", brightness = 50 }` or `{ on = "hall.lamp", for = "5m" }`: the message's target holds at least these.
    Target {
        /// As written.
        text: Arc<str>,
        /// Which channel.
        channel: ChannelIx,
        /// Fields and values.
        fields: Vec<(SlotIx, Value)>,
        /// On for just so long; `None`: unchecked.
        bound: Option<Duration>,
    },
    /// `"living.blind.stop"`, `{ command = "roof.siren.chirp", ms = 70 }`: a momentary command.
    Momentary {
        /// As written.
        text: Arc<str>,
        /// Which channel.
        channel: ChannelIx,
        /// Place in the channel's commands.
        command: u8,
        /// Arguments that it must have, by their places.
        args: Vec<(u8, Value)>,
    },
    /// `{ notify = "all", text = ".." }`; without text: any.
    Notify {
        /// Name of the carrier.
        to: Arc<str>,
        /// What it must say.
        text: Option<Arc<str>>,
    },
}
