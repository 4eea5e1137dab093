//! Decision records: what an input touched, which values were seen, what came of it.

use std::{sync::Arc, time::Duration};

use mapping::program::{ChannelIx, DeviceIx, EventIx, GestureKind, RuleIx, SlotIx, TimerIx, VarIx};
use types::{Now, Value};

/// The record of one cause and its whole cascade.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// When.
    pub now: Now,
    /// The cause and the inputs derived from it, in the order in which they ran.
    pub steps: Vec<Step>,
    /// Rules that looked, in the order in which they looked.
    pub rules: Vec<RuleTrace>,
    /// Values that conditions saw; [`RuleTrace::seen`] points in here.
    pub seen: Vec<Seen>,
    /// What was done for which nothing is sent: rules wait, timers start, outputs are kept from rules.
    pub deeds: Vec<Deed>,
    /// What was wished, in order; the dispatcher fills in the disposition.
    pub sent: Vec<Sent>,
    /// Its input is a report, and each of its values was known already.
    pub repeats: bool,
}

impl Decision {
    /// Empties it, keeping its memory.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.rules.clear();
        self.seen.clear();
        self.deeds.clear();
        self.sent.clear();
        self.repeats = false;
    }
}

/// One input of a cascade.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What happened.
    pub cause: Cause,
    /// Causal depth: 0 for the input itself.
    pub depth: u8,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// An event, with its fields in declared order.
    Event(EventIx, Vec<Value>),
    /// A report of state.
    Report(ChannelIx, Vec<(SlotIx, Value)>),
    /// A device came.
    Online(DeviceIx),
    /// A device went.
    Offline(DeviceIx),
    /// Somebody asked for a target.
    Set(ChannelIx, Arc<str>),
    /// Somebody set a variable, or a rule did.
    Var(VarIx, Value),
    /// A gesture was decided.
    Gesture(GestureKind, ChannelIx),
    /// A chord was complete.
    Chord(EventIx),
    /// The sequence of a rule was complete.
    Sequence(RuleIx),
    /// A timer ran out.
    Timer(TimerIx),
    /// A rule's `holds` stayed true for its time, or became true: the one with this place among its triggers.
    Holds(RuleIx, u32),
    /// A rule's time came: `at`, `cron` or `sun`.
    At(RuleIx),
    /// What was on for so long is off.
    Bound(ChannelIx),
    /// A rule goes on behind its wait.
    Waited(RuleIx),
    /// A firing of a rule with `mode = "queue"` begins: the one before it is over.
    Turn(RuleIx),
    /// Time passed.
    Tick,
}

/// One rule's part in a decision.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTrace {
    /// Which rule.
    pub rule: RuleIx,
    /// Index into [`Decision::steps`].
    pub step: u16,
    /// Where a `holds` of it made it look, its place among its triggers.
    pub holds: Option<u32>,
    /// What came of it.
    pub outcome: Outcome,
    /// Range of [`Decision::seen`]: start and end.
    pub seen: (u32, u32),
}

/// What came of a rule that looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its actions ran.
    Fired,
    /// Its condition was false.
    False,
    /// Its condition was unknown; the seen values say which input was missing.
    Unknown,
    /// Its limit was reached.
    Limited,
    /// More than 100 firings a second: cut.
    Fuse,
    /// Causal depth 16: cut.
    Depth,
    /// The sun stays up or down: what it waits for comes only after more than a day.
    SunStays,
    /// It waits for its `for`, or its wait was ended because the condition turned false.
    Waiting,
    /// A run that waited goes on with its next actions.
    Resumed,
    /// It would fire, but begins only when the runs before it are over.
    Queued,
    /// It would fire, but a run of it waits still: dropped.
    Busy,
}

/// Something that a rule or a person did and for which nothing is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Deed {
    /// Which rule; `None`: a person did it.
    pub rule: Option<RuleIx>,
    /// Index into [`Decision::steps`].
    pub step: u16,
    /// What.
    pub what: Did,
}

/// What was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Did {
    /// It waits for so long before its next action.
    Waits(Duration),
    /// A run of it that waited is given up: it fired again (`mode = "restart"`).
    GaveUp,
    /// It starts a timer for so long, or starts it again.
    Starts(TimerIx, Duration),
    /// It stops a timer that ran.
    Stops(TimerIx),
    /// Rules are kept from writing a channel for so long; zero: they may again.
    Keeps(ChannelIx, Duration),
    /// A computed value was out of its range.
    Clamped {
        /// Where it went: `hall.lamp.brightness`, `var.level`.
        what: String,
        /// What was computed.
        computed: f64,
        /// What was taken.
        taken: f64,
    },
}

/// A value that a condition or `${}` saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Where it was read.
    pub term: Term,
    /// The value; `None`: unknown.
    pub value: Option<Value>,
}

/// Something an expression reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// A field of the event, by its place in the rule's list of event fields.
    EventField(u8),
    /// Reported state.
    State(SlotIx),
    /// Desired state.
    Target(SlotIx),
    /// A variable.
    Var(VarIx),
    /// Whether a device is there.
    Online(DeviceIx),
    /// Seconds since the last report.
    Age(SlotIx),
    /// `sun.*`.
    Sun(mapping::program::Sun),
    /// `now.*`.
    Now(mapping::program::Now),
}

/// Something that was wished, and what became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Which channel; `None` for a notification.
    pub channel: Option<ChannelIx>,
    /// As people read it: `hall.lamp on=true brightness=40`, `notify all "..."`.
    /// Empty on the hot path for targets: the dispatcher's stream formats them from the output.
    pub text: String,
    /// The rule that wrote it last; `None`: a person.
    pub by: Option<RuleIx>,
    /// What became of it.
    pub disposition: Disposition,
}

/// What became of a wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Disposition {
    /// Not looked at yet.
    #[default]
    Pending,
    /// It left, or waits in a connected consumer's queue.
    Sent,
    /// A text for people is with those who carry it.
    Queued,
    /// A text for people that nobody carries: only who looks on sees it.
    Shown,
    /// A text for people by a carrier that is not set up: nobody is told.
    NoCarrier,
    /// The target was so already, reported and acknowledged.
    AlreadySo,
    /// The consumer is away; the newest target waits for it.
    Waiting,
    /// The consumer is away and `deliver = "now"`, or the command was momentary.
    Dropped,
    /// The consumer is blocked.
    Blocked,
    /// An output hold keeps rules from writing.
    Held,
    /// An operand was unknown: skipped.
    Unknown,
}
