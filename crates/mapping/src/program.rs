//! The program: a checked mapping in the form that the engine runs. Everything is resolved to an
//! index into one of its tables; wildcards, groups and scenes are expanded; nothing can fail any more.
//!
//! Built by [`crate::load()`], run by the engine. The engine, the dispatcher and the command line also look names up here.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use types::{DeviceId, Type, Value};

use crate::kinds::Kinds;

mod colour;
pub(crate) mod cron;
mod expr;
mod few;
mod foreign;
pub(crate) mod form;
mod renamed;
mod rule;
mod saying;
mod succession;

pub use colour::{of_primaries, primaries};
pub use cron::{BadCron, Cron};
pub use expr::{Binary, Expr, Function, Now, Sun};
pub use few::Few;
pub use foreign::{Among, Codec, Foreign, Meaning, Measure, Part, Phrase, Preset};
pub use renamed::Former;
pub use rule::{
    Action, AfterDowntime, Condition, Days, FieldMap, GestureKind, LimitRate, Mode, Operand,
    Origin, Piece, Rule, SequenceStep, StepEvent, SunEvent, Template, Trigger,
};
pub use saying::{Form, Saying, Tells, said};
pub use succession::{Kin, Known, Renamed, Renumbered, Succession};

macro_rules! index {
    ($($(#[$doc:meta])* $name:ident => $table:ident: $row:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl std::ops::Index<$name> for Program {
            type Output = $row;

            fn index(&self, ix: $name) -> &$row {
                &self.$table[ix.0 as usize]
            }
        }

        impl $name {
            /// The place in the table.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// All indices of a table that has `len` rows.
            pub fn all(len: usize) -> impl Iterator<Item = Self> {
                (0..len as u32).map(Self)
            }
        }
    )*};
}

index! {
    /// A device of the mapping.
    DeviceIx => devices: Device;
    /// A channel of a device.
    ChannelIx => channels: Channel;
    /// One field of a channel's state; reported and target values are kept per slot.
    SlotIx => slots: Slot;
    /// An event that a channel or a device can produce.
    EventIx => events: Event;
    /// A variable.
    VarIx => vars: Var;
    /// A named timer.
    TimerIx => timers: Timer;
    /// A rule, in file order: the order in which matching rules fire.
    RuleIx => rules: Rule;
}

/// A whole house, checked.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// BLAKE2s-256 over the names and texts of all source files in include order.
    pub hash: [u8; 32],
    /// Where the house stands.
    pub home: Home,
    /// What channels can be: the built-in kinds and those of `[kind.K]`.
    pub kinds: Kinds,
    /// Devices in file order.
    pub devices: Vec<Device>,
    /// Channels; those of one device are adjacent.
    pub channels: Vec<Channel>,
    /// State fields; those of one channel are adjacent.
    pub slots: Vec<Slot>,
    /// Events; those of one channel are adjacent; each device's `online` and `offline` stand here too.
    pub events: Vec<Event>,
    /// Variables in file order.
    pub vars: Vec<Var>,
    /// Timers that some rule starts or waits for.
    pub timers: Vec<Timer>,
    /// Enabled and disabled rules in file order.
    pub rules: Vec<Rule>,
    /// What had other names before, by `[renamed]`; of several that one thing had, the newest stands first.
    pub renamed: Vec<Former>,
    /// Names to indices.
    pub names: Names,
}

/// `[home]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Home {
    /// IANA name, e.g. `Europe/Berlin`; present where `at`, `cron` or the sun is used.
    pub timezone: Option<Arc<str>>,
    /// Degrees north; present where the sun is used.
    pub latitude: Option<f64>,
    /// Degrees east; present where the sun is used.
    pub longitude: Option<f64>,
}

impl Home {
    /// The zone of its clocks, from the bundled ones: the same everywhere; UTC where none is written.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        let name = self.timezone.as_deref();
        let zone = name.and_then(|name| TimeZoneDatabase::bundled().get(name).ok());
        zone.unwrap_or(TimeZone::UTC)
    }
}

/// `[device.D]`.
#[derive(Clone, Debug)]
pub struct Device {
    /// Name for people.
    pub name: Arc<str>,
    /// Number that outlives renames; 0 where a virtual device has none: see [`Self::number`].
    pub id: DeviceId,
    /// Board name as written, e.g. `esp32-c3`.
    pub board: Option<Arc<str>>,
    /// Room as written.
    pub room: Option<Arc<str>>,
    /// How it is reached.
    pub carrier: Carrier,
    /// Its channels.
    pub channels: Vec<ChannelIx>,
    /// The event `D.online`.
    pub online: EventIx,
    /// The event `D.offline`, with the fields `device` and `last_seen`.
    pub offline: EventIx,
    /// The device's own `io` tables and buses as JSON text, byte for byte stable: the body of its role.
    pub role: Arc<str>,
    /// Where it is declared.
    pub origin: Origin,
}

impl Device {
    /// The number that tells it from all others; `None`: a virtual device that is known by its name alone.
    #[must_use]
    pub fn number(&self) -> Option<DeviceId> {
        (self.id != DeviceId(0)).then_some(self.id)
    }
}

/// How a device is reached.
#[derive(Clone, Debug, PartialEq)]
pub enum Carrier {
    /// A module of ours: sealed, or plain on the topics `iot/<device>/..`.
    Own,
    /// No hardware; a granted user or the program itself feeds it.
    Virtual,
    /// A device with topics and payloads of its own.
    Foreign(Foreign),
}

/// One `io.CH`.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Name within the device.
    pub name: Arc<str>,
    /// Its device.
    pub device: DeviceIx,
    /// Name of its kind, e.g. `dimmer`.
    pub kind: Arc<str>,
    /// Whether it takes targets.
    pub consumer: bool,
    /// Its state fields, adjacent in the slot table.
    pub slots: Vec<SlotIx>,
    /// Its events.
    pub events: Vec<EventIx>,
    /// What it can be told by name, besides setting fields.
    pub commands: Vec<Command>,
    /// Reported state older than this is unknown.
    pub stale_after: Option<Duration>,
    /// What happens to a target while the device is away.
    pub deliver: Deliver,
    /// Whether a local change is undone instead of adopted.
    pub enforce: bool,
    /// How a foreign device's payloads read; `None` for our own form.
    pub codec: Option<Codec>,
    /// Whether a change of reported state is itself the channel's event: sensors that report a
    /// number, and every state-bearing channel of foreign and virtual devices.
    pub derives_events: bool,
}

/// `deliver = ..`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deliver {
    /// The newest target waits for the consumer.
    #[default]
    Latest,
    /// A target for an absent consumer is dropped and recorded.
    Now,
}

/// One field of a channel's state.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its channel.
    pub channel: ChannelIx,
    /// Field name, e.g. `brightness`.
    pub name: Arc<str>,
    /// What it holds.
    pub ty: Type,
    /// Whether a target can be set (false: state only, e.g. `moving`).
    pub settable: bool,
}

/// Something a channel or device can report.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its device.
    pub device: DeviceIx,
    /// Its channel; `None` for `D.online` and `D.offline`.
    pub channel: Option<ChannelIx>,
    /// Name, e.g. `press`.
    pub name: Arc<str>,
    /// Declared fields, in order; an event lacking one is rejected at the door.
    pub fields: Vec<Field>,
    /// State that the event carries: it is written before conditions are evaluated.
    pub carries: Vec<Carried>,
}

/// A field of an event.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name, e.g. `velocity`.
    pub name: Arc<str>,
    /// What it holds.
    pub ty: Type,
    /// Used where the event lacks the field; `None`: the field is required.
    pub default: Option<Value>,
}

/// A state field that an event writes.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The state field.
    pub slot: SlotIx,
    /// The value.
    pub value: CarriedValue,
}

/// Where a carried value comes from.
#[derive(Clone, Debug)]
pub enum CarriedValue {
    /// The event's name says it: `start` -> true.
    Const(Value),
    /// The event's field with this place in [`Event::fields`].
    Field(u8),
}

/// What a channel can be told by name.
#[derive(Clone, Debug)]
pub struct Command {
    /// Name, e.g. `toggle`.
    pub name: Arc<str>,
    /// What it takes, with defaults.
    pub args: Vec<Field>,
    /// What it does to the target.
    pub effect: CommandEffect,
}

/// What a command does to the target.
#[derive(Clone, Debug)]
pub enum CommandEffect {
    /// Writes constants: `on` -> on = true, `open` -> position = 100.
    Set(Vec<(SlotIx, Value)>),
    /// Flips a bool; unknown counts as off.
    Toggle(SlotIx),
    /// Adds the first argument times `sign` to a number; unknown counts as the smallest value.
    Step {
        /// The number.
        slot: SlotIx,
        /// +1 or -1.
        sign: f64,
    },
    /// Sent as it is, with an expiry; never retained, never repeated.
    Momentary,
}

/// `[var] V`.
#[derive(Clone, Debug)]
pub struct Var {
    /// Name.
    pub name: Arc<str>,
    /// What it holds.
    pub ty: Type,
    /// Value at first start, and at each start where `keep` is false.
    pub start: Value,
    /// Whether its value survives a restart.
    pub keep: bool,
}

/// A timer that rules start, stop and wait for.
#[derive(Clone, Debug)]
pub struct Timer {
    /// Name.
    pub name: Arc<str>,
}

/// Lookup tables, for people's words.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Devices by name.
    pub devices: BTreeMap<Arc<str>, DeviceIx>,
    /// Groups by name: their channels in file order, nested groups expanded.
    pub groups: BTreeMap<Arc<str>, Vec<ChannelIx>>,
    /// Variables by name.
    pub vars: BTreeMap<Arc<str>, VarIx>,
    /// Timers by name.
    pub timers: BTreeMap<Arc<str>, TimerIx>,
    /// Rules by name.
    pub rules: BTreeMap<Arc<str>, RuleIx>,
    /// Scenes by name: what they set.
    pub scenes: BTreeMap<Arc<str>, Vec<(SlotIx, Value)>>,
}

impl Program {
    /// The device called `name`.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<DeviceIx> {
        self.names.devices.get(name).copied()
    }

    /// The channel `name` of `device`.
    #[must_use]
    pub fn channel(&self, device: DeviceIx, name: &str) -> Option<ChannelIx> {
        self[device]
            .channels
            .iter()
            .copied()
            .find(|ix| &*self[*ix].name == name)
    }

    /// The channel written `DEVICE.CHANNEL`.
    #[must_use]
    pub fn channel_by_path(&self, path: &str) -> Option<ChannelIx> {
        let (device, channel) = path.split_once('.')?;
        self.channel(self.device(device)?, channel)
    }

    /// The state field `name` of `channel`.
    #[must_use]
    pub fn slot(&self, channel: ChannelIx, name: &str) -> Option<SlotIx> {
        self[channel]
            .slots
            .iter()
            .copied()
            .find(|ix| &*self[*ix].name == name)
    }

    /// The event `name` of `channel`.
    #[must_use]
    pub fn event(&self, channel: ChannelIx, name: &str) -> Option<EventIx> {
        self[channel]
            .events
            .iter()
            .copied()
            .find(|ix| &*self[*ix].name == name)
    }

    /// Whether `slot` is a lamp's brightness: above 0 it switches the channel's `on` on, and 0, which is not
    /// kept, off. Of whatever kind the channel is.
    #[must_use]
    pub fn is_brightness(&self, slot: SlotIx) -> bool {
        let row = &self[slot];
        let on = || self.slot(row.channel, "on").map(|on| &self[on]);
        &*row.name == "brightness"
            && row.settable
            && matches!(row.ty, Type::Int { .. })
            && on().is_some_and(|on| on.settable && on.ty == Type::Bool)
    }

    /// The field of `channel` that switches it on and off, where it has one.
    #[must_use]
    pub fn on(&self, channel: ChannelIx) -> Option<SlotIx> {
        let on = self.slot(channel, "on");
        on.filter(|on| self[*on].settable && self[*on].ty == Type::Bool)
    }

    /// Whether what `channel` was told counts as what it does: a consumer that nobody reports for.
    #[must_use]
    pub fn is_assumed(&self, channel: ChannelIx) -> bool {
        let row = &self[channel];
        row.consumer
            && match &self[row.device].carrier {
                Carrier::Own => false,
                Carrier::Virtual => true,
                Carrier::Foreign(foreign) => {
                    let own = row.codec.as_ref();
                    foreign.states.is_empty() && own.is_none_or(|codec| codec.states.is_empty())
                }
            }
    }

    /// `DEVICE.CHANNEL`, as people write it.
    #[must_use]
    pub fn channel_path(&self, channel: ChannelIx) -> String {
        let row = &self[channel];
        format!("{}.{}", self[row.device].name, row.name)
    }

    /// `DEVICE.CHANNEL.EVENT`, or `DEVICE.offline`.
    #[must_use]
    pub fn event_path(&self, event: EventIx) -> String {
        let row = &self[event];
        match row.channel {
            Some(channel) => format!("{}.{}", self.channel_path(channel), row.name),
            None => format!("{}.{}", self[row.device].name, row.name),
        }
    }

    /// `DEVICE.CHANNEL.FIELD`; a channel with one field reads as its value.
    #[must_use]
    pub fn slot_path(&self, slot: SlotIx) -> String {
        let row = &self[slot];
        if self[row.channel].slots.len() == 1 {
            self.channel_path(row.channel)
        } else {
            format!("{}.{}", self.channel_path(row.channel), row.name)
        }
    }
}
