//! What changes the house, in the form that is journalled: names instead of places in tables, so that
//! a record outlives the program it was written under. 20-80 bytes of CBOR each.

use std::{fmt, sync::Arc, time::Duration};

use engine::Who;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, SlotIx, VarIx},
};
use types::Value;

use crate::{
    blocklist::{Block, Subject},
    conduct::Conduct,
};

mod decode;
mod encode;

/// An event's place among all events of its device: a copy that arrives later has the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Which run of the device's program.
    pub boot: u64,
    /// Counted within that run.
    pub seq: u32,
}

/// One input. [`crate::Dispatcher::admit`] makes them from messages, [`crate::Dispatcher::due`] from the
/// passing of time, the binary from what people command. Each is journalled, then applied.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A channel produced an event.
    Event {
        /// Which.
        event: EventIx,
        /// Its fields, complete, in declared order.
        fields: Vec<Value>,
        /// The producer's clock in milliseconds.
        produced_ms: Option<u64>,
        /// What a copy is known by.
        stamp: Option<Stamp>,
    },
    /// A channel reported state.
    Report {
        /// Which channel.
        channel: ChannelIx,
        /// Fields and values; the others are unchanged.
        fields: Vec<(SlotIx, Value)>,
        /// Whether events may be derived from what changed.
        live: bool,
        /// Whether somebody used the switch on the wall: the report becomes the desired value. Decided when
        /// the report was taken, since it depends on what was sent and acknowledged, which no journal holds.
        adopt: bool,
    },
    /// A device came.
    Online(DeviceIx),
    /// A device went.
    Offline(DeviceIx),
    /// Somebody asks for a target.
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
        /// Place in the channel's commands.
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
    /// A device is blocked, whether the mapping knows it or not.
    Block(Block),
    /// A device is no longer blocked.
    Unblock(Subject),
    /// The house begins: virtual devices are there from now on, and what is true from the start becomes true. The first input of
    /// all, to [`crate::Dispatcher::unbegun`]; a journal that an older version began has none.
    Began,
    /// The wall clock can be trusted from now on.
    ClockSynced,
    /// The dispatcher was down until now: what fell due meanwhile is treated as each rule's
    /// `after_downtime` says. The first input after a restart.
    Resumed,
    /// Another mapping is in force. Applied with [`crate::Dispatcher::replace`].
    Reload {
        /// [`Program::hash`] of it.
        hash: [u8; 32],
    },
    /// Other settings are in force: how the house goes on from here.
    Config(Conduct),
    /// Only time passed.
    Tick,
    /// What one message of a foreign device said about several channels.
    Several(Vec<Input>),
}

/// Why a record could not be read under a program.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not the CBOR of an input.
    Malformed(String),
    /// A name that this program does not have.
    Unknown {
        /// A device, channel, event, field, command or variable.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A value that does not fit what the program declares.
    Value {
        /// Where.
        name: String,
        /// Why.
        refusal: types::Refusal,
    },
    /// Another number of fields than the program declares.
    Fields {
        /// Of what.
        name: String,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(detail) => write!(f, "the record is damaged: {detail}"),
            Self::Unknown { what, name } => write!(
                f,
                "the record speaks of the {what} '{name}', which the mapping in force then did not have"
            ),
            Self::Value { name, refusal } => write!(f, "the record's '{name}' {refusal}"),
            Self::Fields { name } => {
                write!(
                    f,
                    "the record of '{name}' holds another number of fields than are declared"
                )
            }
        }
    }
}

impl std::error::Error for DecodeError {}

impl Input {
    /// Whether it is a change that somebody asks for. Where that is a person or the command line, it is synced
    /// to the disk at once: a power cut must not lose it.
    #[must_use]
    pub fn by_people(&self) -> bool {
        match self {
            Self::Set { .. }
            | Self::Command { .. }
            | Self::Var { .. }
            | Self::Block(_)
            | Self::Unblock(_)
            | Self::Reload { .. } => true,
            Self::Several(inputs) => inputs.iter().any(Self::by_people),
            Self::Event { .. }
            | Self::Report { .. }
            | Self::Online(_)
            | Self::Offline(_)
            | Self::Began
            | Self::ClockSynced
            | Self::Resumed
            | Self::Config(_)
            | Self::Tick => false,
        }
    }

    /// Appends the record to `out`. `program` is the one that the input was made under.
    pub fn encode(&self, program: &Program, out: &mut Vec<u8>) {
        encode::input(self, program, out);
    }

    /// Reads a record under the program that was in force when it was written.
    ///
    /// # Errors
    /// A record that is damaged, or speaks of what the program does not declare.
    pub fn decode(program: &Program, bytes: &[u8]) -> Result<Self, DecodeError> {
        decode::input(program, bytes)
    }
}

/// First element of each record. Numbers are never used twice.
mod tag {
    pub(super) const EVENT: u8 = 0;
    pub(super) const REPORT: u8 = 1;
    pub(super) const ONLINE: u8 = 2;
    pub(super) const OFFLINE: u8 = 3;
    pub(super) const SET: u8 = 4;
    pub(super) const COMMAND: u8 = 5;
    pub(super) const VAR: u8 = 6;
    pub(super) const BLOCK: u8 = 7;
    pub(super) const UNBLOCK: u8 = 8;
    pub(super) const CLOCK_SYNCED: u8 = 9;
    pub(super) const RELOAD: u8 = 10;
    pub(super) const TICK: u8 = 11;
    pub(super) const SEVERAL: u8 = 12;
    pub(super) const RESUMED: u8 = 13;
    pub(super) const CONFIG: u8 = 14;
    pub(super) const BEGAN: u8 = 15;
}

/// [`Who`] as a number and a name.
fn who_parts(who: &Who) -> (u8, &str) {
    match who {
        Who::Rule(name) => (0, name),
        Who::Person(name) => (1, name),
        Who::Local => (2, ""),
    }
}

fn who_from(kind: u8, name: &str) -> Option<Who> {
    match kind {
        0 => Some(Who::Rule(Arc::from(name))),
        1 => Some(Who::Person(Arc::from(name))),
        2 => Some(Who::Local),
        _ => None,
    }
}
