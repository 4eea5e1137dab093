//! What the dispatcher wants done by the broker, the notifiers and the log.

use std::{sync::Arc, time::Duration};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, RuleIx},
};

use crate::{blocklist::Sides, sealed::Tell};

/// Names a send; comes back with [`crate::Dispatcher::delivered`] when the consumer acknowledged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// Low bits that name the channel; the rest counts sends.
    const CHANNEL_BITS: u32 = 24;

    pub(crate) fn new(serial: u64, channel: ChannelIx) -> Self {
        Self(serial << Self::CHANNEL_BITS | u64::from(channel.0))
    }

    pub(crate) fn channel(self) -> ChannelIx {
        ChannelIx((self.0 & ((1 << Self::CHANNEL_BITS) - 1)) as u32)
    }
}

/// MQTT's quality of service, as far as we use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// At most once.
    AtMostOnce,
    /// At least once: what goes to consumers.
    AtLeastOnce,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq)]
pub struct Send {
    /// Where.
    pub topic: Arc<str>,
    /// What; empty and retained: the retained message is deleted.
    pub payload: Vec<u8>,
    /// How surely.
    pub qos: Qos,
    /// Whether the broker keeps it for who comes later.
    pub retain: bool,
    /// Seconds after which it is worth nothing.
    pub expiry_s: Option<u32>,
    /// Asked back on acknowledgement.
    pub token: Option<Token>,
}

/// People should be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notify {
    /// Name of the carrier, or `all`.
    pub to: Arc<str>,
    /// What.
    pub text: String,
}

/// Something that no decision of the engine says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// An event was journalled and not matched: its device is blocked.
    BlockedEvent(EventIx),
    /// A report was journalled and not used: its device is blocked.
    BlockedReport(ChannelIx),
    /// A copy of an event that was seen already.
    Duplicate(EventIx),
    /// Somebody used the switch on the wall: the report is the desired value now.
    Adopted(ChannelIx),
    /// A consumer reports for the first time, and nothing was ever wished of it: so it shall stay.
    FirstReport(ChannelIx),
    /// A target was sent again, for so many times now: the consumer reports something else.
    Resent {
        /// Which channel.
        channel: ChannelIx,
        /// Tries since the target was confirmed last.
        tries: u32,
    },
    /// A consumer doesn't take its target; people were told.
    NotTaken {
        /// Which channel.
        channel: ChannelIx,
        /// Tries so far.
        tries: u32,
    },
    /// What a device lost changed.
    Blocks {
        /// Which device.
        device: DeviceIx,
        /// What it lost now.
        sides: Sides,
    },
    /// Assumed states went in a circle and were cut.
    Cut(ChannelIx),
    /// A rule was cut because it sets itself off, alone or with others; people were told.
    RuleCut(RuleIx),
    /// A rule's time came while the dispatcher was down, or a clock was set over it, and the rule does not run that late.
    Missed {
        /// The rule.
        rule: Arc<str>,
        /// How long ago.
        late: Duration,
    },
    /// A snapshot or reload could not carry something over.
    Lost(String),
}

impl Note {
    /// As a line for people. `program` is the one that was in force.
    #[must_use]
    pub fn render(&self, program: &Program) -> String {
        match self {
            Self::BlockedEvent(event) => {
                format!("{}: blocked, not matched", program.event_path(*event))
            }
            Self::BlockedReport(channel) => {
                format!(
                    "{}: report blocked, not used",
                    program.channel_path(*channel)
                )
            }
            Self::Duplicate(event) => format!("{}: a copy, dropped", program.event_path(*event)),
            Self::Adopted(channel) => format!(
                "{}: changed at the device, by no rule and no command; so it shall stay",
                program.channel_path(*channel)
            ),
            Self::FirstReport(channel) => format!(
                "{}: reports for the first time; nobody wished anything of it yet, so it stays as it is",
                program.channel_path(*channel)
            ),
            Self::Resent { channel, tries } => format!(
                "{}: reports something else than its target, sent again (try {tries})",
                program.channel_path(*channel)
            ),
            Self::NotTaken { channel, tries } => format!(
                "{}: does not take its target after {tries} tries",
                program.channel_path(*channel)
            ),
            Self::Blocks { device, sides } => {
                let lost = match (sides.producer, sides.consumer) {
                    (true, true) => "blocked as producer and consumer",
                    (true, false) => "blocked as producer",
                    (false, true) => "blocked as consumer",
                    (false, false) => "no longer blocked",
                };
                format!("{}: {lost}", program[*device].name)
            }
            Self::Cut(channel) => format!(
                "{}: its assumed state leads to itself again and again, cut",
                program.channel_path(*channel)
            ),
            Self::RuleCut(rule) => format!(
                "rule {}: cut, it sets itself off again and again",
                program[*rule].name
            ),
            Self::Missed { rule, late } => engine::Note::Missed {
                rule: Arc::clone(rule),
                late: *late,
            }
            .to_string(),
            Self::Lost(text) => text.clone(),
        }
    }

    /// What it is about: `hall.lamp`, `rule.night`; `None`: the house.
    #[must_use]
    pub fn path(&self, program: &Program) -> Option<String> {
        Some(match self {
            Self::BlockedEvent(event) | Self::Duplicate(event) => program.event_path(*event),
            Self::BlockedReport(channel)
            | Self::Adopted(channel)
            | Self::FirstReport(channel)
            | Self::Resent { channel, .. }
            | Self::NotTaken { channel, .. }
            | Self::Cut(channel) => program.channel_path(*channel),
            Self::Blocks { device, .. } => program[*device].name.to_string(),
            Self::RuleCut(rule) => format!("rule.{}", program[*rule].name),
            Self::Missed { rule, .. } => format!("rule.{rule}"),
            Self::Lost(_) => return None,
        })
    }
}

/// What an engine could not carry over.
impl From<engine::Note> for Note {
    fn from(note: engine::Note) -> Self {
        match note {
            engine::Note::Missed { rule, late } => Self::Missed { rule, late },
            other => Self::Lost(other.to_string()),
        }
    }
}

/// Everything that came of one call. The caller hands it out, clears and reuses it.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Messages, in order.
    pub sends: Vec<Send>,
    /// What devices on the sealed link say, for everybody else: messages that follow from who has a key, which no journal
    /// holds.
    pub mirror: Vec<Send>,
    /// What devices on the sealed link are to be told, in order; [`Self::sends`] shows the same to everybody else.
    pub tells: Vec<Tell>,
    /// Broker users of devices whose sessions end.
    pub kicks: Vec<Arc<str>>,
    /// Broker users of devices whose [`crate::access`] changed, or that are gone.
    pub access: Vec<Arc<str>>,
    /// What people are told.
    pub notifications: Vec<Notify>,
    /// The engine's wishes and decisions, dispositions filled in.
    pub engine: engine::Effects,
    /// What else happened.
    pub notes: Vec<Note>,
}

impl Effects {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.sends.clear();
        self.mirror.clear();
        self.tells.clear();
        self.kicks.clear();
        self.access.clear();
        self.notifications.clear();
        self.engine.clear();
        self.notes.clear();
    }

    pub(crate) fn retained(&mut self, topic: &Arc<str>, payload: Vec<u8>) {
        self.sends.push(Send {
            topic: Arc::clone(topic),
            payload,
            qos: Qos::AtLeastOnce,
            retain: true,
            expiry_s: None,
            token: None,
        });
    }
}
