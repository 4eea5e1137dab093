//! What a DATA frame seals: eight bytes of header and a body. Called by `link` for each frame that opened. Must not
//! read the body: [`crate::Body`] does.

use core::fmt;

use crate::{PLAIN_LEN_MAX, bytes::Writer, bytes::part};

/// Bytes before the body.
pub const PLAIN_HEADER_LEN: usize = 8;

const ACK_ME: u8 = 1;
const HAS_ACK: u8 = 2;

/// What the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Acknowledges, or says that somebody is there; no body.
    Ack,
    /// The device has the WELCOME; no body.
    Confirm,
    /// Something happened, up to four of the newest.
    Event,
    /// What an output should be.
    Set,
    /// What a channel is.
    State,
    /// A part of the device's role.
    Config,
    /// The whole desired state was sent.
    SyncEnd,
    /// Are you there?
    Ping,
    /// Yes.
    Pong,
    /// The dispatcher asks for new keys.
    Rekey,
    /// The sender ends the session.
    Bye,
    /// The key that the dispatcher will have next.
    NewKey,
    /// A part of an update.
    Ota,
    /// A line of the device's log.
    Log,
    /// Of a later version: acknowledged, counted, ignored.
    Unknown(u8),
}

impl Kind {
    /// Its number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ack => 0,
            Self::Confirm => 1,
            Self::Event => 2,
            Self::Set => 3,
            Self::State => 4,
            Self::Config => 5,
            Self::SyncEnd => 6,
            Self::Ping => 7,
            Self::Pong => 8,
            Self::Rekey => 9,
            Self::Bye => 10,
            Self::NewKey => 11,
            Self::Ota => 12,
            Self::Log => 13,
            Self::Unknown(number) => number,
        }
    }
}

impl From<u8> for Kind {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Ack,
            1 => Self::Confirm,
            2 => Self::Event,
            3 => Self::Set,
            4 => Self::State,
            5 => Self::Config,
            6 => Self::SyncEnd,
            7 => Self::Ping,
            8 => Self::Pong,
            9 => Self::Rekey,
            10 => Self::Bye,
            11 => Self::NewKey,
            12 => Self::Ota,
            13 => Self::Log,
            other => Self::Unknown(other),
        }
    }
}

/// Why what was sealed can't be read. The sender holds the session's key: its firmware is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlainError {
    /// Less than the header.
    Short {
        /// Bytes that came.
        found: usize,
    },
    /// More than a frame takes.
    Long {
        /// Bytes that there would be.
        found: usize,
    },
    /// The buffer to encode into is too small.
    Room,
}

impl fmt::Display for PlainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { found } => {
                write!(
                    f,
                    "{found} bytes, where the header alone has {PLAIN_HEADER_LEN}"
                )
            }
            Self::Long { found } => write!(f, "{found} bytes, where {PLAIN_LEN_MAX} fit"),
            Self::Room => f.write_str("the buffer is too small"),
        }
    }
}

impl core::error::Error for PlainError {}

/// A sealed message: 0 kind |1 flags |2 seq |4 ack |6 ackbits |8.. body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// What the body is.
    pub kind: Kind,
    /// The sender waits for an acknowledgement.
    pub ack_me: bool,
    /// Number of this message, counted by its sender within the session.
    pub seq: u16,
    /// The newest number that the sender took, and whether it took each of the 16 before it (bit 0: the one before);
    /// `None` before the first.
    pub ack: Option<(u16, u16)>,
    /// CBOR.
    pub body: &'a [u8],
}

impl<'a> Plain<'a> {
    /// Reads one. Flags that version 1 does not have are ignored.
    ///
    /// # Errors
    /// [`PlainError::Short`] or [`PlainError::Long`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PlainError> {
        let found = bytes.len();
        if found > PLAIN_LEN_MAX {
            return Err(PlainError::Long { found });
        }
        let (header, body) = bytes
            .split_first_chunk::<PLAIN_HEADER_LEN>()
            .ok_or(PlainError::Short { found })?;
        let ack = u16::from_le_bytes(part::<4, 2, _>(header));
        let bits = u16::from_le_bytes(part::<6, 2, _>(header));
        Ok(Self {
            kind: Kind::from(header[0]),
            ack_me: header[1] & ACK_ME != 0,
            seq: u16::from_le_bytes(part::<2, 2, _>(header)),
            ack: (header[1] & HAS_ACK != 0).then_some((ack, bits)),
            body,
        })
    }

    /// Writes it to the start of `out` and gives its length.
    ///
    /// # Errors
    /// [`PlainError::Long`] or [`PlainError::Room`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, PlainError> {
        let found = PLAIN_HEADER_LEN + self.body.len();
        if found > PLAIN_LEN_MAX {
            return Err(PlainError::Long { found });
        }
        let flags = if self.ack_me { ACK_ME } else { 0 } | self.ack.map_or(0, |_| HAS_ACK);
        let (ack, bits) = self.ack.unwrap_or_default();
        let [seq_low, seq_high] = self.seq.to_le_bytes();
        let [ack_low, ack_high] = ack.to_le_bytes();
        let [bits_low, bits_high] = bits.to_le_bytes();
        let kind = self.kind.number();
        let header = [
            kind, flags, seq_low, seq_high, ack_low, ack_high, bits_low, bits_high,
        ];
        let mut writer = Writer::new(out);
        let put = writer.put(&header).and_then(|writer| writer.put(self.body));
        put.map(|writer| writer.len()).map_err(|_| PlainError::Room)
    }
}
