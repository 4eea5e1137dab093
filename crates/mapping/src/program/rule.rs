//! Rules in their compiled form: triggers, one condition, actions.

use std::{sync::Arc, time::Duration};

use types::Value;

use super::{ChannelIx, Cron, EventIx, Expr, Few, SlotIx, TimerIx, VarIx};

/// Where something of the program is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// File name relative to the house folder.
    pub file: Arc<str>,
    /// Line, from 1.
    pub line: u32,
}

/// `[rule.R]`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name.
    pub name: Arc<str>,
    /// Where it is written.
    pub origin: Origin,
    /// A disabled rule never fires but stays known to `why-not`.
    pub enabled: bool,
    /// What makes it look; any one of them.
    pub triggers: Few<Trigger>,
    /// What must be true then.
    pub condition: Option<Condition>,
    /// What it does then, in order.
    pub actions: Few<Action>,
    /// At most so often.
    pub limit: Option<Box<LimitRate>>,
    /// What a second firing does while the first one waits.
    pub mode: Mode,
    /// What happens to what fell due while the dispatcher was down; `None`: the defaults of [`AfterDowntime`].
    pub after_downtime: Option<AfterDowntime>,
    /// What a run that waits depends on, as a number: another one, and the rule is another rule.
    pub fingerprint: u64,
}

impl Rule {
    /// What happens to `for`, `wait` and timers that fell due while the dispatcher was down.
    #[must_use]
    pub fn after_downtime(&self) -> AfterDowntime {
        self.after_downtime.unwrap_or(AfterDowntime::Resume)
    }

    /// The same for times: `at`, `cron` and `sun`.
    #[must_use]
    pub fn missed_times(&self) -> AfterDowntime {
        self.after_downtime.unwrap_or(AfterDowntime::Drop)
    }
}

/// `if = ".."`, also the expression of `holds`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Compiled; its type is bool.
    pub expr: Expr,
    /// As written, for people.
    pub text: Box<str>,
}

/// For each event field that the rule reads ([`Expr::EventField`]): its place in this event's fields.
pub type FieldMap = Few<u8>;

/// What makes a rule look at its condition. Wildcards are expanded: one trigger for each event.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// An event as it arrives.
    Event {
        /// Which.
        event: EventIx,
        /// Where the rule's event fields stand in it.
        fields: FieldMap,
    },
    /// A gesture on a channel that has `press` and `release`.
    Gesture {
        /// Which gesture.
        kind: GestureKind,
        /// On which channel.
        channel: ChannelIx,
        /// `long`: held at least this long.
        hold: Duration,
        /// Largest pause between two presses of one gesture.
        within: Duration,
    },
    /// Several values of one event's field, in any order, all within a time.
    Chord {
        /// Which event.
        event: EventIx,
        /// The field's place in the event's fields.
        field: u8,
        /// The values, all different.
        values: Box<[Value]>,
        /// From the first to the last.
        within: Duration,
    },
    /// Events one after the other, all within a time. Of the events that its steps name, the last ones must be these
    /// in this order: another one in between breaks it.
    Sequence {
        /// What must come, in order; at least two.
        steps: Box<[SequenceStep]>,
        /// From the first to the last.
        within: Duration,
    },
    /// The edge false -> true of an expression, held for a time.
    Holds {
        /// The expression.
        condition: Box<Condition>,
        /// How long it must stay true before the rule fires; zero: at once.
        hold: Duration,
    },
    /// A timer ran out.
    Timer(TimerIx),
    /// A time of day in the home's time zone.
    At {
        /// Seconds since local midnight.
        second: u32,
        /// On which days.
        days: Days,
    },
    /// Local times as cron writes them.
    Cron(Cron),
    /// The sun crosses a height over the home.
    Sun {
        /// Which, and in which direction.
        event: SunEvent,
        /// So much later, in microseconds; negative: earlier.
        offset_us: i64,
    },
}

/// One step of a [`Trigger::Sequence`].
#[derive(Clone, Debug)]
pub struct SequenceStep {
    /// Any one of these.
    pub events: Box<[StepEvent]>,
    /// What must be true as well.
    pub condition: Option<Condition>,
}

/// An event of a [`SequenceStep`].
#[derive(Clone, Debug)]
pub struct StepEvent {
    /// Which.
    pub event: EventIx,
    /// Places of fields, and the values that they must have.
    pub wanted: Box<[(u8, Value)]>,
    /// Where the event fields of the step's condition stand in it.
    pub fields: FieldMap,
}

/// When the sun gets somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SunEvent {
    /// Its upper edge appears: the centre rises above -0.833 degrees.
    Sunrise,
    /// Its upper edge disappears.
    Sunset,
    /// Civil twilight begins: the centre rises above -6 degrees.
    Dawn,
    /// Civil twilight ends.
    Dusk,
}

impl SunEvent {
    /// The word in the mapping.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sunrise => "sunrise",
            Self::Sunset => "sunset",
            Self::Dawn => "dawn",
            Self::Dusk => "dusk",
        }
    }

    /// Whether the sun goes up.
    #[must_use]
    pub fn rises(self) -> bool {
        matches!(self, Self::Sunrise | Self::Dawn)
    }
}

/// Gestures on a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GestureKind {
    /// One press; waits only where a double or triple is mapped for that button.
    Click,
    /// Two presses.
    Double,
    /// Three presses.
    Triple,
    /// Pressed and held; fires while still held.
    Long,
}

/// A set of weekdays: bit 0 is Monday, bit 6 Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(pub u8);

impl Days {
    /// Every day.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether `weekday` (1 Monday .. 7 Sunday) is in the set.
    #[must_use]
    pub fn contains(self, weekday: u8) -> bool {
        (1..=7).contains(&weekday) && self.0 & (1 << (weekday - 1)) != 0
    }
}

/// `limit = "3 per 1h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitRate {
    /// At most so many firings ..
    pub count: u32,
    /// .. in any window this long.
    pub per: Duration,
}

/// `mode = ..`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The waiting run ends, a new one starts.
    #[default]
    Restart,
    /// The new firing is dropped.
    Single,
    /// The new firing runs afterwards.
    Queue,
    /// Both run.
    Parallel,
}

/// `after_downtime = ..`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDowntime {
    /// What fell due fires at once, in order; of several times of one trigger the last. Default for `for`,
    /// `wait` and timers.
    Resume,
    /// Only if at most that late.
    RunLate(Duration),
    /// Never. Default for `at`, `cron` and `sun`.
    Drop,
}

/// One step of a rule. Groups and scenes are expanded to one [`Action::Set`] for each channel.
#[derive(Clone, Debug)]
pub enum Action {
    /// Writes fields of a channel's target.
    Set {
        /// Which channel.
        channel: ChannelIx,
        /// Fields and their values.
        fields: Few<(SlotIx, Operand)>,
        /// Travel time of the change; not part of the recovered target.
        fade: Option<Duration>,
        /// Off again after so long; the consumer itself ends it.
        bound: Option<Duration>,
    },
    /// A command by name.
    Command {
        /// Which channel.
        channel: ChannelIx,
        /// Its place in [`super::Channel::commands`].
        command: u8,
        /// One for each of the command's arguments; defaults are filled in.
        args: Few<Operand>,
    },
    /// Starts a timer, or starts it again.
    Start {
        /// Which.
        timer: TimerIx,
        /// How long.
        span: Duration,
    },
    /// Stops a timer; one that does not run is no error.
    Stop(TimerIx),
    /// Keeps rules from writing a channel's target for so long; zero: lets them again.
    Hold {
        /// Which channel.
        channel: ChannelIx,
        /// For how long from then on.
        span: Duration,
    },
    /// What follows runs so much later.
    Wait(Duration),
    /// Writes a variable.
    Var {
        /// Which.
        var: VarIx,
        /// The value.
        to: Operand,
    },
    /// Lets a virtual device report an event: it queues behind this input and runs before the next one.
    Emit {
        /// Which; its device is [`super::Carrier::Virtual`].
        event: EventIx,
        /// One for each of its fields; defaults are filled in.
        fields: Few<Operand>,
    },
    /// Tells people.
    Notify {
        /// Name of the carrier, or `all`.
        to: Arc<str>,
        /// What it says.
        text: Template,
    },
}

/// A constant, or what `${..}` computes. A computed value is rounded and clamped to its field.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Checked at load.
    Const(Value),
    /// Unknown: the action is skipped and noted.
    Expr(Expr),
}

/// A text with holes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Template(pub Vec<Piece>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(Arc<str>),
    /// `${expr}`; prints `unknown` where it is.
    Expr(Expr),
}
