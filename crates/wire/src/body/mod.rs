//! The CBOR bodies of sealed messages, each with its limits; `spec/bodies.cddl` is their grammar. Called by `link`
//! for what it needs itself, and by the device's runtime and the dispatcher for the rest. Must not judge whether a
//! channel or a field exists.
//!
//! Lengths are definite and exact: what is longer than the grammar says is refused, not skipped.

mod cbor;
mod value;

use core::fmt;

use minicbor::{Decoder, Encoder, encode::write::Cursor};

pub use cbor::CHANNELS_MAX;
pub use value::{FIELDS_MAX, Fields, NAME_LEN_MAX, TEXT_LEN_MAX, Value};

use crate::{Kind, PLAIN_HEADER_LEN, PLAIN_LEN_MAX, PublicKey, RoleId};
use cbor::{Out, array, bounded, bytes, channel, checked_channel, end, name, optional};

/// Bytes of a body at most.
pub const BODY_LEN_MAX: usize = PLAIN_LEN_MAX - PLAIN_HEADER_LEN;
/// Events of an EVENT body at most: the newest that were not acknowledged.
pub const EVENTS_MAX: usize = 4;
/// Bytes of one event at most, so that four fit and a device can keep some.
pub const EVENT_LEN_MAX: usize = 192;
/// Bytes of a part of a role or an update at most.
pub const PART_LEN_MAX: usize = 1_024;
/// Parts of a role at most: 16 KiB.
pub const PARTS_MAX: u8 = 16;
/// Bytes of a line of a device's log at most.
pub const LOG_TEXT_LEN_MAX: usize = 256;

/// Why bytes are no body of their kind, or a body can't be written. The sender's firmware is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// No CBOR, or another type than the grammar has there.
    Cbor,
    /// An array of another length.
    Shape {
        /// What it should hold.
        expected: &'static str,
    },
    /// More than the limit, or a number out of its range.
    Limit {
        /// Of what.
        what: &'static str,
    },
    /// A name that does not match `[a-z][a-z0-9_]{0,31}`, or comes twice.
    Name,
    /// Something follows the body.
    Trailing,
    /// The buffer to encode into is too small.
    Room,
    /// No body is known for this kind.
    Kind,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbor => f.write_str("no CBOR of the type that belongs there"),
            Self::Shape { expected } => write!(f, "no array of {expected}"),
            Self::Limit { what } => write!(f, "{what} beyond the limit"),
            Self::Name => f.write_str("a name that is none, or comes twice"),
            Self::Trailing => f.write_str("something follows the body"),
            Self::Room => f.write_str("the buffer is too small"),
            Self::Kind => f.write_str("the kind has no body that is known"),
        }
    }
}

impl core::error::Error for BodyError {}

impl From<minicbor::decode::Error> for BodyError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Cbor
    }
}

impl<E> From<minicbor::encode::Error<E>> for BodyError {
    fn from(_: minicbor::encode::Error<E>) -> Self {
        Self::Room
    }
}

/// Something happened at a channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Event<'a> {
    /// Counted within the boot, from 1; with device and boot it makes a repeated event harmless.
    pub seq: u32,
    /// The role that was played when it happened.
    pub role: RoleId,
    /// Which of the device's channels, by its place in that role.
    pub channel: u8,
    /// `press`, `start`.
    pub name: &'a str,
    /// `key`, `velocity`.
    pub fields: Fields<'a>,
    /// The device's clock, milliseconds: gestures are measured where the finger is.
    pub t_ms: u32,
}

/// What an output should be, or something momentary that it should do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Set<'a> {
    /// Counted within the session, from 1; an older one than the newest of its channel is ignored.
    pub rev: u32,
    /// The role that it is meant for; a device that plays another one does not do it.
    pub role: RoleId,
    /// Which output, by its place in that role.
    pub channel: u8,
    /// `stop`, `beep`; `None`: the fields are the target.
    pub command: Option<&'a str>,
    /// The absolute target, or the command's arguments.
    pub fields: Fields<'a>,
    /// The change takes so long, milliseconds.
    pub fade_ms: Option<u32>,
    /// It is on for so long, milliseconds.
    pub for_ms: Option<u32>,
}

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State<'a> {
    /// Newest SET of the channel that it follows; 0: none.
    pub rev: u32,
    /// The role that is played.
    pub role: RoleId,
    /// Which channel, by its place in that role.
    pub channel: u8,
    /// What is.
    pub fields: Fields<'a>,
}

/// A part of the device's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config<'a> {
    /// Of the whole.
    pub rev: u32,
    /// Which part, from 0.
    pub part: u8,
    /// How many parts, 1-16.
    pub parts: u8,
    /// The part.
    pub bytes: &'a [u8],
}

/// A step of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ota<'a> {
    /// There is an image.
    Offer {
        /// Its version.
        version: u32,
        /// Its length, bytes.
        len: u32,
        /// Its hash.
        hash: [u8; 32],
        /// The owner's signature.
        signature: [u8; 64],
    },
    /// The device asks for a part.
    Want {
        /// From this byte on.
        offset: u32,
        /// So many bytes.
        len: u16,
    },
    /// A part.
    Part {
        /// Where it begins.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// What became of it: 0 installed, anything else is an error of the device's.
    Done {
        /// Which.
        code: u8,
    },
}

/// Up to four events that were checked: oldest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Events<'a> {
    body: &'a [u8],
    count: u8,
}

impl<'a> Events<'a> {
    /// The events.
    pub fn iter(&self) -> impl Iterator<Item = Event<'a>> + use<'a> {
        let mut decoder = Decoder::new(self.body);
        let begun = decoder.array().is_ok();
        // They were decoded once: nothing ends early.
        (0..self.count).map_while(move |_| begun.then(|| event(&mut decoder).ok()).flatten())
    }

    /// Writes an EVENT body of events that were encoded each by [`Event::encode`].
    ///
    /// # Errors
    /// There are none or more than four, or there is no room.
    pub fn join<'e>(
        events: impl ExactSizeIterator<Item = &'e [u8]>,
        out: &mut [u8],
    ) -> Result<usize, BodyError> {
        if !(1..=EVENTS_MAX).contains(&events.len()) {
            return Err(BodyError::Limit { what: "events" });
        }
        let mut writer = crate::bytes::Writer::new(out);
        // An array of less than 24 items: CBOR's major type 4 and the number.
        let put = writer.put(&[0x80 | events.len() as u8]);
        put.map_err(|_| BodyError::Room)?;
        for event in events {
            writer.put(event).map_err(|_| BodyError::Room)?;
        }
        Ok(writer.len())
    }
}

impl Event<'_> {
    /// Writes this event alone, for [`Events::join`], and gives its length.
    ///
    /// # Errors
    /// A name is none, or it takes more than [`EVENT_LEN_MAX`] bytes.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BodyError> {
        let mut encoder = Encoder::new(Cursor::new(out));
        name(self.name)?;
        encoder
            .array(6)?
            .u32(self.seq)?
            .u32(self.role.0)?
            .u8(checked_channel(self.channel)?)?
            .str(self.name)?;
        self.fields.encode(&mut encoder)?;
        encoder.u32(self.t_ms)?;
        let len = encoder.writer().position();
        bounded(len, EVENT_LEN_MAX, "the bytes of an event")
    }
}

/// A body of any kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Body<'a> {
    /// ACK: nothing.
    Ack,
    /// CONFIRM: nothing.
    Confirm,
    /// EVENT.
    Event(Events<'a>),
    /// SET.
    Set(Set<'a>),
    /// STATE.
    State(State<'a>),
    /// CONFIG.
    Config(Config<'a>),
    /// `SYNC_END`: revision of the role, and how many SETs belonged to it.
    SyncEnd {
        /// Of the role.
        config_rev: u32,
        /// SETs since the session began.
        sets: u16,
    },
    /// PING.
    Ping {
        /// To be said back.
        nonce: u32,
    },
    /// PONG.
    Pong {
        /// The PING's.
        nonce: u32,
        /// Since the device's boot, milliseconds.
        uptime_ms: u64,
    },
    /// REKEY: nothing.
    Rekey,
    /// BYE.
    Bye {
        /// 0 shutting down, 1 blocked, 2 replaced, 3 update.
        reason: u8,
    },
    /// NEWKEY.
    NewKey(PublicKey),
    /// OTA.
    Ota(Ota<'a>),
    /// LOG.
    Log {
        /// 1 error, 2 warning, 3 information, 4 debugging.
        level: u8,
        /// The device's clock, milliseconds.
        t_ms: u32,
        /// The line.
        text: &'a str,
    },
}

impl<'a> Body<'a> {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ack => Kind::Ack,
            Self::Confirm => Kind::Confirm,
            Self::Event(_) => Kind::Event,
            Self::Set(_) => Kind::Set,
            Self::State(_) => Kind::State,
            Self::Config(_) => Kind::Config,
            Self::SyncEnd { .. } => Kind::SyncEnd,
            Self::Ping { .. } => Kind::Ping,
            Self::Pong { .. } => Kind::Pong,
            Self::Rekey => Kind::Rekey,
            Self::Bye { .. } => Kind::Bye,
            Self::NewKey(_) => Kind::NewKey,
            Self::Ota(_) => Kind::Ota,
            Self::Log { .. } => Kind::Log,
        }
    }

    /// Reads a body of this kind.
    ///
    /// # Errors
    /// [`BodyError`]; [`BodyError::Kind`] where the kind is of a later version.
    pub fn decode(kind: Kind, body: &'a [u8]) -> Result<Self, BodyError> {
        bounded(body.len(), BODY_LEN_MAX, "the bytes of a body")?;
        if matches!(kind, Kind::Ack | Kind::Confirm | Kind::Rekey) {
            return match (body, kind) {
                ([], Kind::Ack) => Ok(Self::Ack),
                ([], Kind::Confirm) => Ok(Self::Confirm),
                ([], _) => Ok(Self::Rekey),
                _ => Err(BodyError::Trailing),
            };
        }
        let mut decoder = Decoder::new(body);
        let decoded = Self::read(kind, body, &mut decoder)?;
        end(&decoder, body)?;
        Ok(decoded)
    }

    fn read(kind: Kind, body: &'a [u8], d: &mut Decoder<'a>) -> Result<Self, BodyError> {
        Ok(match kind {
            Kind::Event => Self::Event(events(body, d)?),
            Kind::Set => Self::Set(set(d)?),
            Kind::State => {
                array(d, 4, "rev, role, channel, fields")?;
                let (rev, role, channel) = (d.u32()?, RoleId(d.u32()?), channel(d)?);
                let fields = Fields::decode(d)?;
                Self::State(State {
                    rev,
                    role,
                    channel,
                    fields,
                })
            }
            Kind::Config => Self::Config(config(d)?),
            Kind::SyncEnd => {
                array(d, 2, "config_rev, sets")?;
                let (config_rev, sets) = (d.u32()?, d.u16()?);
                Self::SyncEnd { config_rev, sets }
            }
            Kind::Ping => {
                array(d, 1, "nonce")?;
                Self::Ping { nonce: d.u32()? }
            }
            Kind::Pong => {
                array(d, 2, "nonce, uptime_ms")?;
                let (nonce, uptime_ms) = (d.u32()?, d.u64()?);
                Self::Pong { nonce, uptime_ms }
            }
            Kind::Bye => {
                array(d, 1, "reason")?;
                Self::Bye { reason: d.u8()? }
            }
            Kind::NewKey => {
                array(d, 1, "key")?;
                let key = d.bytes()?.try_into();
                Self::NewKey(PublicKey(
                    key.map_err(|_| BodyError::Limit { what: "the key" })?,
                ))
            }
            Kind::Ota => Self::Ota(ota(d)?),
            Kind::Log => {
                array(d, 3, "level, t_ms, text")?;
                let (level, t_ms, text) = (d.u8()?, d.u32()?, d.str()?);
                bounded(text.len(), LOG_TEXT_LEN_MAX, "the text")?;
                Self::Log { level, t_ms, text }
            }
            _ => return Err(BodyError::Kind),
        })
    }

    /// Writes it to the start of `out` and gives its length.
    ///
    /// # Errors
    /// Something is beyond its limit, or there is no room.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, BodyError> {
        let mut e = Encoder::new(Cursor::new(out));
        match self {
            Self::Ack | Self::Confirm | Self::Rekey => {}
            Self::Event(events) => {
                let room = e.writer_mut();
                minicbor::encode::Write::write_all(room, events.body)
                    .map_err(|_| BodyError::Room)?;
            }
            Self::Set(set) => write_set(set, &mut e)?,
            Self::State(state) => {
                e.array(4)?
                    .u32(state.rev)?
                    .u32(state.role.0)?
                    .u8(checked_channel(state.channel)?)?;
                state.fields.encode(&mut e)?;
            }
            Self::Config(config) => {
                part_in(config.part, config.parts)?;
                bounded(config.bytes.len(), PART_LEN_MAX, "the part")?;
                e.array(4)?
                    .u32(config.rev)?
                    .u8(config.part)?
                    .u8(config.parts)?
                    .bytes(config.bytes)?;
            }
            Self::SyncEnd { config_rev, sets } => {
                e.array(2)?.u32(*config_rev)?.u16(*sets)?;
            }
            Self::Ping { nonce } => {
                e.array(1)?.u32(*nonce)?;
            }
            Self::Pong { nonce, uptime_ms } => {
                e.array(2)?.u32(*nonce)?.u64(*uptime_ms)?;
            }
            Self::Bye { reason } => {
                e.array(1)?.u8(*reason)?;
            }
            Self::NewKey(key) => {
                e.array(1)?.bytes(&key.0)?;
            }
            Self::Ota(ota) => write_ota(ota, &mut e)?,
            Self::Log { level, t_ms, text } => {
                bounded(text.len(), LOG_TEXT_LEN_MAX, "the text")?;
                e.array(3)?.u8(*level)?.u32(*t_ms)?.str(text)?;
            }
        }
        Ok(e.writer().position())
    }
}

fn events<'a>(body: &'a [u8], d: &mut Decoder<'a>) -> Result<Events<'a>, BodyError> {
    const SHAPE: BodyError = BodyError::Shape {
        expected: "one to four events",
    };
    let count = d.array()?.and_then(|count| u8::try_from(count).ok());
    let count = count.filter(|count| (1..=EVENTS_MAX).contains(&usize::from(*count)));
    let count = count.ok_or(SHAPE)?;
    for _ in 0..count {
        let start = d.position();
        event(d)?;
        bounded(d.position() - start, EVENT_LEN_MAX, "the bytes of an event")?;
    }
    Ok(Events { body, count })
}

fn event<'a>(d: &mut Decoder<'a>) -> Result<Event<'a>, BodyError> {
    array(d, 6, "seq, role, channel, name, fields, t_ms")?;
    Ok(Event {
        seq: d.u32()?,
        role: RoleId(d.u32()?),
        channel: channel(d)?,
        name: name(d.str()?)?,
        fields: Fields::decode(d)?,
        t_ms: d.u32()?,
    })
}

fn set<'a>(d: &mut Decoder<'a>) -> Result<Set<'a>, BodyError> {
    array(d, 7, "rev, role, channel, command, fields, fade_ms, for_ms")?;
    Ok(Set {
        rev: d.u32()?,
        role: RoleId(d.u32()?),
        channel: channel(d)?,
        command: optional(d, Decoder::str)?.map(name).transpose()?,
        fields: Fields::decode(d)?,
        fade_ms: optional(d, Decoder::u32)?,
        for_ms: optional(d, Decoder::u32)?,
    })
}

fn write_set(set: &Set<'_>, e: &mut Encoder<Out<'_>>) -> Result<(), BodyError> {
    e.array(7)?
        .u32(set.rev)?
        .u32(set.role.0)?
        .u8(checked_channel(set.channel)?)?;
    e.encode(set.command.map(name).transpose()?)?;
    set.fields.encode(e)?;
    e.encode(set.fade_ms)?.encode(set.for_ms)?;
    Ok(())
}

fn config<'a>(d: &mut Decoder<'a>) -> Result<Config<'a>, BodyError> {
    array(d, 4, "rev, part, parts, bytes")?;
    let config = Config {
        rev: d.u32()?,
        part: d.u8()?,
        parts: d.u8()?,
        bytes: bytes(d, PART_LEN_MAX)?,
    };
    part_in(config.part, config.parts)?;
    Ok(config)
}

fn part_in(part: u8, parts: u8) -> Result<(), BodyError> {
    if part < parts && parts <= PARTS_MAX {
        Ok(())
    } else {
        Err(BodyError::Limit { what: "the parts" })
    }
}

fn ota<'a>(d: &mut Decoder<'a>) -> Result<Ota<'a>, BodyError> {
    const STEP: BodyError = BodyError::Limit {
        what: "the step of an update",
    };
    let len = d.array()?;
    let fixed = |bytes: &[u8]| bytes.len();
    match (d.u8()?, len) {
        (0, Some(5)) => {
            let (version, len, hash, signature) = (d.u32()?, d.u32()?, d.bytes()?, d.bytes()?);
            bounded(fixed(hash), 32, "the hash")?;
            bounded(fixed(signature), 64, "the signature")?;
            Ok(Ota::Offer {
                version,
                len,
                hash: hash.try_into().map_err(|_| STEP)?,
                signature: signature.try_into().map_err(|_| STEP)?,
            })
        }
        (1, Some(3)) => Ok(Ota::Want {
            offset: d.u32()?,
            len: d.u16()?,
        }),
        (2, Some(3)) => Ok(Ota::Part {
            offset: d.u32()?,
            bytes: bytes(d, PART_LEN_MAX)?,
        }),
        (3, Some(2)) => Ok(Ota::Done { code: d.u8()? }),
        _ => Err(STEP),
    }
}

fn write_ota(ota: &Ota<'_>, e: &mut Encoder<Out<'_>>) -> Result<(), BodyError> {
    match ota {
        Ota::Offer {
            version,
            len,
            hash,
            signature,
        } => {
            e.array(5)?
                .u8(0)?
                .u32(*version)?
                .u32(*len)?
                .bytes(hash)?
                .bytes(signature)?;
        }
        Ota::Want { offset, len } => {
            e.array(3)?.u8(1)?.u32(*offset)?.u16(*len)?;
        }
        Ota::Part { offset, bytes } => {
            bounded(bytes.len(), PART_LEN_MAX, "the part")?;
            e.array(3)?.u8(2)?.u32(*offset)?.bytes(bytes)?;
        }
        Ota::Done { code } => {
            e.array(2)?.u8(3)?.u8(*code)?;
        }
    }
    Ok(())
}
