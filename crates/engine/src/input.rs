//! What changes the engine. Values were checked against the program's types at the door.

use std::{sync::Arc, time::Duration};

use mapping::program::{ChannelIx, DeviceIx, EventIx, SlotIx, VarIx};
use types::{UnixTime, Value};

/// Who wrote a desired value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A rule, by name.
    Rule(Arc<str>),
    /// A person or tool, by user name.
    Person(Arc<str>),
    /// The switch on the wall: an unprompted report, adopted.
    Local,
}

impl Who {
    /// The name under which decisions show [`Who::Local`].
    pub const LOCAL: &str = "local";
}

/// One input. Each runs to completion before the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A channel produced an event.
    Event {
        /// Which.
        event: EventIx,
        /// Its fields, in the declared order, complete.
        fields: Vec<Value>,
        /// The producer's own clock in milliseconds, where it sent one: gestures within one device use it.
        produced_ms: Option<u64>,
    },
    /// A channel reported state; fields not named are unchanged.
    Report {
        /// Which channel.
        channel: ChannelIx,
        /// Fields and values.
        fields: Vec<(SlotIx, Value)>,
        /// Whether the channel's events may be derived from what changed ([`mapping::program::Channel::derives_events`]);
        /// false for what a broker retained: a restart is no event.
        live: bool,
    },
    /// A device came.
    Online {
        /// Which.
        device: DeviceIx,
        /// When it last said anything before; `None`: it never did.
        last_seen: Option<UnixTime>,
    },
    /// A device went: its will, or silence.
    Offline {
        /// Which.
        device: DeviceIx,
        /// When it last said anything.
        last_seen: Option<UnixTime>,
    },
    /// Somebody asks for target values.
    Set {
        /// Which channel.
        channel: ChannelIx,
        /// Fields and values.
        fields: Vec<(SlotIx, Value)>,
        /// Who.
        who: Who,
        /// Keeps rules from writing this output for so long; zero: lets them again.
        hold: Option<Duration>,
        /// Off again after so long.
        bound: Option<Duration>,
    },
    /// Somebody asks for a command by name.
    Command {
        /// Which channel.
        channel: ChannelIx,
        /// Place in [`mapping::program::Channel::commands`].
        command: u8,
        /// Complete arguments.
        args: Vec<Value>,
        /// Who.
        who: Who,
    },
    /// Somebody sets a variable.
    Var {
        /// Which.
        var: VarIx,
        /// The value.
        to: Value,
    },
    /// Nothing but time passed: fires what is due.
    Tick,
}
