//! What was seen and changes nothing in the house, in the form that lies in the journal beside the inputs:
//! it makes an explanation of the past complete. A few bytes of CBOR each, by names like an input.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};
use minicbor::{Decoder, Encoder};

use crate::input::DecodeError;

/// One observation. The caller of the dispatcher keeps them, [`crate::Dispatcher::observe`] takes them in a
/// replay.
#[derive(Clone, Debug, PartialEq)]
pub enum Observed {
    /// The consumer acknowledged the newest target of this channel.
    Target(ChannelIx),
    /// The consumer acknowledged the newest momentary command of this channel.
    Command(ChannelIx),
    /// A session of this device started, and it was there before.
    Connected(DeviceIx),
    /// What was not taken was sent again.
    SentAgain,
    /// A message was not taken.
    Refused {
        /// Whose it was or whom it was about, where anybody known.
        device: Option<Arc<str>>,
        /// The topic on which it came; `None`: it is longer than is kept, or was not kept yet.
        topic: Option<Arc<str>>,
        /// Who sent what, and why it was not taken: a sentence.
        text: Arc<str>,
    },
}

/// First element of each record. Numbers are never used twice.
mod tag {
    pub(super) const TARGET: u8 = 0;
    pub(super) const COMMAND: u8 = 1;
    pub(super) const REFUSED: u8 = 2;
    pub(super) const CONNECTED: u8 = 3;
    pub(super) const SENT_AGAIN: u8 = 4;
}

/// Longest text of a refusal that is kept, and longest topic, in bytes.
const TEXT_BYTES_MAX: usize = 400;

impl Observed {
    /// Appends the record to `out`. `program` is the one in force.
    pub fn encode(&self, program: &Program, out: &mut Vec<u8>) {
        let before = out.len();
        let mut e = Encoder::new(&mut *out);
        let path = |channel: &ChannelIx| {
            let row = &program[*channel];
            (&program[row.device].name, &row.name)
        };
        let done = match self {
            Self::Target(channel) => {
                let (device, channel) = path(channel);
                e.encode((tag::TARGET, &**device, &**channel)).is_ok()
            }
            Self::Command(channel) => {
                let (device, channel) = path(channel);
                e.encode((tag::COMMAND, &**device, &**channel)).is_ok()
            }
            Self::Connected(device) => {
                let name = &program[*device].name;
                e.encode((tag::CONNECTED, &**name, ())).is_ok()
            }
            Self::SentAgain => e.encode((tag::SENT_AGAIN, (), ())).is_ok(),
            Self::Refused {
                device,
                topic,
                text,
            } => {
                let kept = |topic: &&str| topic.len() <= TEXT_BYTES_MAX;
                let topic = topic.as_deref().filter(kept);
                e.encode((tag::REFUSED, device.as_deref(), short(text), topic))
                    .is_ok()
            }
        };
        if !done {
            // A Vec takes every byte; a record without content is read as damaged.
            out.truncate(before);
        }
    }

    /// Reads a record under the program that was in force when it was written.
    ///
    /// # Errors
    /// A record that is damaged, or speaks of what the program does not declare.
    pub fn decode(program: &Program, bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        let parts = d.array()?;
        let tag = d.u8()?;
        // A refusal was kept without its topic once.
        let has_topic = tag == tag::REFUSED && parts == Some(4);
        if parts != Some(3) && !has_topic {
            return Err(DecodeError::Malformed("an observation has 3 parts".into()));
        }
        let observed = match tag {
            tag::TARGET => Self::Target(channel(program, &mut d)?),
            tag::COMMAND => Self::Command(channel(program, &mut d)?),
            tag::CONNECTED => {
                let device = device(program, d.str()?)?;
                d.decode::<()>()?;
                Self::Connected(device)
            }
            tag::SENT_AGAIN => {
                d.decode::<()>()?;
                d.decode::<()>()?;
                Self::SentAgain
            }
            tag::REFUSED => Self::Refused {
                device: d.decode::<Option<&str>>()?.map(Arc::from),
                text: d.str()?.into(),
                topic: match has_topic {
                    true => d.decode::<Option<&str>>()?.map(Arc::from),
                    false => None,
                },
            },
            other => {
                let what = format!("an observation of unknown kind {other}");
                return Err(DecodeError::Malformed(what));
            }
        };
        if d.position() != bytes.len() {
            return Err(DecodeError::Malformed("bytes after its end".into()));
        }
        Ok(observed)
    }
}

fn device(program: &Program, name: &str) -> Result<DeviceIx, DecodeError> {
    program.device(name).ok_or_else(|| DecodeError::Unknown {
        what: "device",
        name: name.to_owned(),
    })
}

fn channel(program: &Program, d: &mut Decoder<'_>) -> Result<ChannelIx, DecodeError> {
    let (device, name) = (device(program, d.str()?)?, d.str()?);
    program
        .channel(device, name)
        .ok_or_else(|| DecodeError::Unknown {
            what: "channel",
            name: name.to_owned(),
        })
}

fn short(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
