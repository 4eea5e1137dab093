//! What a device does: its own channels and buses, as they travel in the parts of CONFIG; `spec/role.cddl` is the
//! grammar. Written by the dispatcher from the mapping, read by the device's runtime. No name of the house is in
//! it: a channel is its place. Must not judge whether a board has these pins.
//!
//! ```
//! use wire::{Buses, Channel, ChannelKind, Options, Pin, Role};
//!
//! let options = Options { pin: Some(Pin::number(4)), invert: true, ..Options::default() };
//! let lamp = Channel { kind: ChannelKind::Dimmer, options };
//! let mut bytes = [0; wire::ROLE_LEN_MAX];
//! let len = Role::encode(&Buses::default(), &[lamp], &mut bytes)?;
//! assert_eq!(bytes[..len], [0x83, 1, 0xA0, 0x81, 0x82, 1, 0xA2, 4, 4, 5, 0xF5]);
//! let role = Role::decode(&bytes[..len])?;
//! assert_eq!(role.channels().next(), Some(lamp));
//! # Ok::<(), wire::RoleError>(())
//! ```

mod kind;
mod options;
mod pin;

use core::fmt;

use minicbor::{Decoder, Encoder, encode::write::Cursor};

use crate::body::CHANNELS_MAX;
pub use kind::ChannelKind;
pub use options::{Fallback, Options, Pull};
pub use pin::{PINS_MAX, Pin, Pins};

/// Bytes of a role at most: four parts of CONFIG, 64 bytes for each of 64 channels.
pub const ROLE_LEN_MAX: usize = 4 * crate::PART_LEN_MAX;

/// Of the layout; another one is refused.
const LAYOUT: u8 = 1;

/// Why bytes are no role, or a role can't be written. `channel` is the place of the channel that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoleError {
    /// No CBOR, or another type than the grammar has there.
    Cbor,
    /// The layout of a later release.
    Layout {
        /// What it says.
        found: u8,
    },
    /// More than the limit.
    Limit {
        /// Of what.
        what: &'static str,
    },
    /// A kind that this release does not have.
    Kind {
        /// Which channel.
        channel: u8,
        /// What it says.
        found: u16,
    },
    /// An option that this release does not have, or one that comes twice or out of order.
    Option {
        /// Which channel.
        channel: u8,
        /// What it says.
        found: u16,
    },
    /// A value that its option does not take.
    Value {
        /// Which channel.
        channel: u8,
        /// Which option.
        option: u8,
    },
    /// A bus that there is not, or one with the wrong pins.
    Bus,
    /// Something follows the role.
    Trailing,
    /// The buffer to encode into is too small.
    Room,
}

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cbor => f.write_str("no CBOR of the type that belongs there"),
            Self::Layout { found } => write!(
                f,
                "a role of layout {found}, this firmware reads {LAYOUT}: update the firmware"
            ),
            Self::Limit { what } => write!(f, "{what} beyond the limit"),
            Self::Kind { channel, found } => write!(
                f,
                "channel {channel} is of kind {found}, which this firmware does not have: update it"
            ),
            Self::Option { channel, found } => write!(
                f,
                "channel {channel} has the option {found}, which this firmware does not have, or has it twice"
            ),
            Self::Value { channel, option } => {
                write!(
                    f,
                    "option {option} of channel {channel} does not take this value"
                )
            }
            Self::Bus => f.write_str("a bus that there is not, or with the wrong pins"),
            Self::Trailing => f.write_str("something follows the role"),
            Self::Room => f.write_str("the buffer is too small"),
        }
    }
}

impl core::error::Error for RoleError {}

impl From<minicbor::decode::Error> for RoleError {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Cbor
    }
}

impl<E> From<minicbor::encode::Error<E>> for RoleError {
    fn from(_: minicbor::encode::Error<E>) -> Self {
        Self::Room
    }
}

/// The device's buses, each with its pins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Buses {
    /// `sda` and `scl`.
    pub i2c: Option<(Pin, Pin)>,
    /// `rx`, and `tx` where it is wired.
    pub uart: Option<(Pin, Option<Pin>)>,
}

/// Which role: the same bytes have the same, others another, but for one in four thousand million. Both ends make it from
/// the bytes, so it means the same after any restart. Whatever names a channel by its place says of which role: on its way
/// it may be overtaken by another role, where the same place is another channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoleId(pub u32);

impl RoleId {
    /// Of a role's bytes; of no bytes while none is played. FNV-1a.
    ///
    /// ```
    /// assert_eq!(wire::RoleId::of(b"a"), wire::RoleId(0xE40C_292C));
    /// ```
    #[must_use]
    pub fn of(role: &[u8]) -> Self {
        Self(role.iter().fold(0x811C_9DC5, |hash, byte| {
            (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
        }))
    }
}

/// One channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// What it is.
    pub kind: ChannelKind,
    /// How it is wired, and how it behaves.
    pub options: Options,
}

/// A role that was checked. It borrows the bytes; a channel is decoded when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Role<'a> {
    buses: Buses,
    channels: &'a [u8],
    count: u8,
}

impl<'a> Role<'a> {
    /// Reads a whole role.
    ///
    /// # Errors
    /// [`RoleError`] says which part is none.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RoleError> {
        if bytes.len() > ROLE_LEN_MAX {
            let what = "the bytes of the role";
            return Err(RoleError::Limit { what });
        }
        let d = &mut Decoder::new(bytes);
        if d.array()? != Some(3) {
            return Err(RoleError::Cbor);
        }
        match d.u8()? {
            LAYOUT => {}
            found => return Err(RoleError::Layout { found }),
        }
        let buses = Buses::decode(d)?;
        let count = d.array()?.ok_or(RoleError::Cbor)?;
        let count = u8::try_from(count).ok();
        let what = "the channels";
        let count = { count.filter(|count| *count <= CHANNELS_MAX) };
        let count = count.ok_or(RoleError::Limit { what })?;
        let start = d.position();
        for channel in 0..count {
            Channel::decode(d, channel)?;
        }
        let (channels, rest) = bytes
            .split_at_checked(d.position())
            .ok_or(RoleError::Cbor)?;
        if !rest.is_empty() {
            return Err(RoleError::Trailing);
        }
        let channels = channels.get(start..).unwrap_or_default();
        Ok(Self {
            buses,
            channels,
            count,
        })
    }

    /// Its buses.
    #[must_use]
    pub fn buses(&self) -> Buses {
        self.buses
    }

    /// How many channels there are.
    #[must_use]
    pub fn len(&self) -> u8 {
        self.count
    }

    /// Whether it has no channel.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The channels in the order of their places.
    pub fn channels(&self) -> impl Iterator<Item = Channel> + use<'a> {
        let mut d = Decoder::new(self.channels);
        // They were decoded once: nothing ends early.
        (0..self.count).map_while(move |channel| Channel::decode(&mut d, channel).ok())
    }

    /// Writes a role to the start of `out` and gives its length.
    ///
    /// # Errors
    /// There are more than 64 channels, a value that its option does not take, or no room.
    pub fn encode(buses: &Buses, channels: &[Channel], out: &mut [u8]) -> Result<usize, RoleError> {
        if channels.len() > usize::from(CHANNELS_MAX) {
            let what = "the channels";
            return Err(RoleError::Limit { what });
        }
        let room = out.len().min(ROLE_LEN_MAX);
        let mut e = Encoder::new(Cursor::new(out.get_mut(..room).unwrap_or_default()));
        e.array(3)?.u8(LAYOUT)?;
        buses.encode(&mut e)?;
        e.array(channels.len() as u64)?;
        for (place, channel) in (0..).zip(channels) {
            e.array(2)?.u8(channel.kind.number())?;
            channel.options.encode(&mut e, place)?;
        }
        Ok(e.writer().position())
    }
}

impl Channel {
    fn decode(d: &mut Decoder<'_>, channel: u8) -> Result<Self, RoleError> {
        if d.array()? != Some(2) {
            return Err(RoleError::Cbor);
        }
        let found = d.u16()?;
        let kind = ChannelKind::from_number(found).ok_or(RoleError::Kind { channel, found })?;
        let options = Options::decode(d, channel)?;
        Ok(Self { kind, options })
    }
}

type Out<'a> = Cursor<&'a mut [u8]>;

/// Numbers of the buses.
const I2C: u8 = 0;
const UART: u8 = 1;

impl Buses {
    fn encode(&self, e: &mut Encoder<Out<'_>>) -> Result<(), RoleError> {
        let count = u64::from(self.i2c.is_some()) + u64::from(self.uart.is_some());
        e.map(count)?;
        if let Some((sda, scl)) = self.i2c {
            e.u8(I2C)?.array(2)?.u16(sda.code())?.u16(scl.code())?;
        }
        if let Some((rx, tx)) = self.uart {
            e.u8(UART)?.array(2)?.u16(rx.code())?;
            e.encode(tx.map(Pin::code))?;
        }
        Ok(())
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, RoleError> {
        let pin = |code: u16| Pin::from_code(code).ok_or(RoleError::Bus);
        let mut buses = Self::default();
        let mut after = 0;
        for _ in 0..d.map()?.ok_or(RoleError::Cbor)? {
            let bus = d.u8()?;
            if bus < after || bus > UART || d.array()? != Some(2) {
                return Err(RoleError::Bus);
            }
            after = bus + 1;
            let first = pin(d.u16()?)?;
            let second = d.decode::<Option<u16>>()?.map(pin).transpose()?;
            if bus == I2C {
                buses.i2c = Some((first, second.ok_or(RoleError::Bus)?));
            } else {
                buses.uart = Some((first, second));
            }
        }
        Ok(buses)
    }
}
