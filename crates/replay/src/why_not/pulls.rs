//! What pulls a rule, but for times and conditions.

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, GestureKind, RuleIx, TimerIx, Trigger},
};

/// One thing that a trigger of a rule waits for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pull {
    /// An event, alone, in a chord or in a sequence.
    Event(EventIx),
    /// A gesture on a button.
    Gesture(GestureKind, ChannelIx),
    /// The end of a timer.
    Timer(TimerIx),
}

impl Pull {
    /// All of a rule, in the order of its triggers.
    pub(super) fn all(program: &Program, rule: RuleIx) -> impl Iterator<Item = Self> {
        program[rule].triggers.iter().flat_map(Self::of)
    }

    fn of(trigger: &Trigger) -> Vec<Self> {
        match trigger {
            Trigger::Event { event, .. } | Trigger::Chord { event, .. } => {
                vec![Self::Event(*event)]
            }
            Trigger::Gesture { kind, channel, .. } => vec![Self::Gesture(*kind, *channel)],
            Trigger::Timer(timer) => vec![Self::Timer(*timer)],
            Trigger::Sequence { steps, .. } => {
                let events = steps.iter().flat_map(|step| &step.events);
                events.map(|named| Self::Event(named.event)).collect()
            }
            Trigger::At { .. } | Trigger::Cron(_) | Trigger::Sun { .. } | Trigger::Holds { .. } => {
                Vec::new()
            }
        }
    }

    /// The device that it comes from; `None`: from nobody.
    pub(super) fn device(self, program: &Program) -> Option<DeviceIx> {
        match self {
            Self::Event(event) => Some(program[event].device),
            Self::Gesture(_, channel) => Some(program[channel].device),
            Self::Timer(_) => None,
        }
    }

    /// The channels that it is heard on: all of a device for that this comes or goes.
    pub(super) fn channels(self, program: &Program) -> Vec<ChannelIx> {
        match self {
            Self::Event(event) => match program[event].channel {
                Some(channel) => vec![channel],
                None => program[program[event].device].channels.clone(),
            },
            Self::Gesture(_, channel) => vec![channel],
            Self::Timer(_) => Vec::new(),
        }
    }
}
