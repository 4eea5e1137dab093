//! What passes between the house and devices on the sealed link: which devices are on it, what they say in bodies of
//! [`wire`], what they are to be told. Called by the dispatcher, and by whoever holds the sessions. Must not know
//! sessions, keys or transports.

use std::{borrow::Cow, collections::BTreeSet, time::Duration};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, SlotIx},
};
use types::Value;
use wire::{BodyError, Event, FIELDS_MAX, Fields, RoleId, Set, State};

use crate::{
    blocklist::Subject,
    effects::Token,
    payload::{Pair, Scalar},
};

/// What a device on the sealed link said at one of its channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Said<'m> {
    /// Something happened.
    Event {
        /// What.
        event: Event<'m>,
        /// In which run of the device's program; never 0.
        boot: u64,
    },
    /// How the channel is.
    State(State<'m>),
}

/// What a device on the sealed link is to be told.
#[derive(Clone, Debug, PartialEq)]
pub enum Tell {
    /// Its role: [`crate::role::encode`].
    Role(DeviceIx),
    /// What an output should be.
    Target {
        /// Which.
        channel: ChannelIx,
        /// All known settable fields, in slot order.
        fields: Vec<(SlotIx, Value)>,
        /// The change takes so long.
        fade: Option<Duration>,
        /// It is on for so long.
        bound: Option<Duration>,
        /// Given to [`crate::Dispatcher::delivered`] once the device took it.
        token: Token,
    },
    /// Something momentary.
    Command {
        /// Which channel.
        channel: ChannelIx,
        /// Place in the channel's commands.
        command: u8,
        /// Complete arguments.
        args: Vec<Value>,
        /// Given to [`crate::Dispatcher::delivered`] once the device took it.
        token: Token,
    },
    /// The role and all that it should be were told.
    SyncEnd(DeviceIx),
}

impl Tell {
    /// The channel that it is about.
    #[must_use]
    pub fn channel(&self) -> Option<ChannelIx> {
        match self {
            Self::Target { channel, .. } | Self::Command { channel, .. } => Some(*channel),
            Self::Role(_) | Self::SyncEnd(_) => None,
        }
    }

    /// What comes back with an acknowledgement.
    #[must_use]
    pub fn token(&self) -> Option<Token> {
        match self {
            Self::Target { token, .. } | Self::Command { token, .. } => Some(*token),
            Self::Role(_) | Self::SyncEnd(_) => None,
        }
    }

    /// Its body, for a channel that has this place in this role of the device; `None`: it is none that a SET says. The link
    /// numbers it.
    ///
    /// # Errors
    /// It is beyond a limit of the link.
    pub fn set<'t>(
        &'t self,
        program: &'t Program,
        (role, place): (RoleId, u8),
    ) -> Result<Option<Set<'t>>, BodyError> {
        let ms = |span: &Duration| span.as_micros().div_ceil(1_000).try_into();
        // What takes longer than 49 days takes as long as that.
        let span = |span: &Option<Duration>| span.as_ref().map(|span| ms(span).unwrap_or(u32::MAX));
        Ok(match self {
            Self::Role(_) | Self::SyncEnd(_) => None,
            Self::Target {
                fields,
                fade,
                bound,
                ..
            } => {
                let named = fields.iter();
                let named = named.map(|(slot, value)| (&*program[*slot].name, value));
                Some(Set {
                    rev: 0,
                    role,
                    channel: place,
                    command: None,
                    fields: written(named)?,
                    fade_ms: span(fade),
                    // What began ends: not after no time at all.
                    for_ms: span(bound).map(|ms| ms.max(1)),
                })
            }
            Self::Command {
                channel,
                command,
                args,
                ..
            } => {
                let Some(command) = program[*channel].commands.get(usize::from(*command)) else {
                    return Ok(None);
                };
                let named = command.args.iter().zip(args);
                let named = named.map(|(field, value)| (&*field.name, value));
                Some(Set {
                    rev: 0,
                    role,
                    channel: place,
                    command: Some(&command.name),
                    fields: written(named)?,
                    fade_ms: None,
                    for_ms: None,
                })
            }
        })
    }
}

fn written<'v>(named: impl Iterator<Item = (&'v str, &'v Value)>) -> Result<Fields<'v>, BodyError> {
    let mut fields = Vec::with_capacity(FIELDS_MAX);
    fields.extend(named.map(|(name, value)| {
        let value = match value {
            Value::Bool(is) => wire::Value::Bool(*is),
            Value::Number(number) => wire::Value::Number(*number),
            Value::Text(text) => wire::Value::Text(text),
        };
        (name, value)
    }));
    Fields::new(&fields)
}

/// Fields as the readers of payloads take them.
pub(crate) fn pairs<'m>(fields: &Fields<'m>) -> Vec<Pair<'m>> {
    let pairs = fields.iter().map(|(name, value)| {
        let scalar = match value {
            wire::Value::Bool(is) => Scalar::Bool(is),
            wire::Value::Number(number) => Scalar::Number(number),
            wire::Value::Text(text) => Scalar::Text(Cow::Borrowed(text)),
        };
        (Cow::Borrowed(name), scalar)
    });
    pairs.collect()
}

/// Which devices are on the sealed link: a fact of the registry, and not of the mapping.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    subjects: BTreeSet<Subject>,
    /// By place in the program.
    is_member: Vec<bool>,
}

impl Members {
    pub(crate) fn put(&mut self, subjects: BTreeSet<Subject>) {
        self.subjects = subjects;
    }

    /// Looks them up in a program.
    pub(crate) fn resolve(&mut self, program: &Program) {
        let is_member = program.devices.iter().map(|device| {
            let number = device.number().map(Subject::Id);
            number.is_some_and(|number| self.subjects.contains(&number))
                || self
                    .subjects
                    .contains(&Subject::Name(device.name.to_string()))
        });
        self.is_member = is_member.collect();
    }

    pub(crate) fn contains(&self, device: DeviceIx) -> bool {
        self.is_member.get(device.index()).is_some_and(|is| *is)
    }
}
