//! How a device reaches its dispatcher: a record in a flash partition of its own, replaceable over the link. Called by
//! the firmware at boot and by whatever flashes a device. Must not connect to anything. Passwords are not printed.
//!
//! 0 "IC1N" |4 version |5 zero |6 length of the fields u16 |8 fields: type u8, length u8, value |.. CRC-32 of all
//! before. Fields of a type that is not known are skipped.
//!
//! | type | value |
//! |---|---|
//! | 1 | Wi-Fi: length of the name u8, name (1-32 bytes), password (0-63) |
//! | 2 | transport u8: 0 UDP, 1 MQTT |
//! | 3 | host name or address, 1-64 bytes |
//! | 4 | port u16 |
//! | 5 | user at the broker, 1-64 bytes |
//! | 6 | password at the broker, 1-64 bytes |

use core::{fmt, str};

use crate::bytes::{Full, Writer, crc32};

/// Wi-Fi networks that a record holds at most, in the order they are tried.
pub const WIFIS_MAX: usize = 4;
/// Bytes of a record at most.
pub const NET_LEN_MAX: usize = 1_024;

const HEADER_LEN: usize = 8;
const CRC_LEN: usize = 4;
const NAME_LEN_MAX: usize = 64;

/// What carries the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// Datagrams.
    #[default]
    Udp,
    /// An MQTT broker.
    Mqtt,
}

/// A wireless network.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Wifi<'a> {
    /// 1-32 bytes of any kind.
    pub name: &'a [u8],
    /// 0-63 bytes; empty: an open network.
    pub password: &'a [u8],
}

impl fmt::Debug for Wifi<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wifi({})", self.name.escape_ascii())
    }
}

/// The record.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Net<'a> {
    /// Networks to try, the first ones first; none for a board with a cable.
    pub wifis: [Option<Wifi<'a>>; WIFIS_MAX],
    /// What carries the frames.
    pub transport: Transport,
    /// Where the dispatcher or the broker is: a name, an mDNS name or an address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// User and password at somebody else's broker.
    pub login: Option<(&'a str, &'a str)>,
}

impl fmt::Debug for Net<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("wifis", &self.wifis)
            .field("transport", &self.transport)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.login.map(|(user, _)| user))
            .finish_non_exhaustive()
    }
}

/// Why bytes are no record, or a record can't be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetError {
    /// It does not begin with `IC1N`, or is too short to.
    Magic,
    /// Written by a later release.
    Version {
        /// What it says.
        found: u8,
    },
    /// The fields end beyond the record, or a field beyond the fields.
    Length,
    /// The sum is wrong.
    Crc,
    /// A field's value is none that it takes.
    Value {
        /// The field's type.
        field: u8,
    },
    /// More networks than there is room for.
    Wifis,
    /// A field is missing.
    Missing {
        /// The field's type.
        field: u8,
    },
    /// The buffer to encode into is too small.
    Room,
}

impl fmt::Display for NetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic => f.write_str("no network record: it does not begin with IC1N"),
            Self::Version { found } => write!(f, "the network record has version {found}, not 1"),
            Self::Length => f.write_str("the network record is cut"),
            Self::Crc => f.write_str("the network record is damaged: write it again"),
            Self::Value { field } => write!(f, "field {field} of the network record is wrong"),
            Self::Wifis => write!(f, "more than {WIFIS_MAX} networks"),
            Self::Missing { field } => write!(f, "field {field} of the network record is missing"),
            Self::Room => f.write_str("the buffer is too small"),
        }
    }
}

impl core::error::Error for NetError {}

impl From<Full> for NetError {
    fn from(_: Full) -> Self {
        Self::Room
    }
}

impl<'a> Net<'a> {
    /// Reads the record at the start of a partition; what follows it is not looked at.
    ///
    /// # Errors
    /// [`NetError`] says what is wrong with it.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, NetError> {
        let (header, rest) = bytes
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(NetError::Magic)?;
        if &header[..4] != b"IC1N" {
            return Err(NetError::Magic);
        }
        if header[4] != 1 {
            return Err(NetError::Version { found: header[4] });
        }
        let len = usize::from(u16::from_le_bytes([header[6], header[7]]));
        if HEADER_LEN + len + CRC_LEN > NET_LEN_MAX {
            return Err(NetError::Length);
        }
        let (mut fields, rest) = rest.split_at_checked(len).ok_or(NetError::Length)?;
        let sum = rest.first_chunk::<CRC_LEN>().ok_or(NetError::Length)?;
        if crc32(&bytes[..HEADER_LEN + len]) != u32::from_le_bytes(*sum) {
            return Err(NetError::Crc);
        }
        let (mut net, mut user, mut password) = (Self::default(), None, None);
        while let [field, len, rest @ ..] = fields {
            let (value, rest) = rest
                .split_at_checked(usize::from(*len))
                .ok_or(NetError::Length)?;
            fields = rest;
            let wrong = NetError::Value { field: *field };
            match field {
                1 => {
                    let place = net.wifis.iter_mut().find(|wifi| wifi.is_none());
                    *place.ok_or(NetError::Wifis)? = Some(wifi(value).ok_or(wrong)?);
                }
                2 => {
                    net.transport = match value {
                        [0] => Transport::Udp,
                        [1] => Transport::Mqtt,
                        _ => return Err(wrong),
                    }
                }
                3 => net.host = text(value).ok_or(wrong)?,
                4 => net.port = u16::from_le_bytes(value.try_into().map_err(|_| wrong)?),
                5 => user = Some(text(value).ok_or(wrong)?),
                6 => password = Some(text(value).ok_or(wrong)?),
                _ => {}
            }
        }
        if !fields.is_empty() {
            return Err(NetError::Length);
        }
        net.login = user.zip(password);
        net.checked()
    }

    /// Writes it to the start of `out` and gives its length.
    ///
    /// # Errors
    /// A value is none that its field takes, or there is no room.
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, NetError> {
        self.checked()?;
        let (header, room) = out
            .split_first_chunk_mut::<HEADER_LEN>()
            .ok_or(NetError::Room)?;
        let mut writer = Writer::new(room);
        for wifi in self.wifis.iter().flatten() {
            let (name, password) = (byte(wifi.name, 32, 1)?, byte(wifi.password, 63, 1)?);
            if name == 0 {
                return Err(NetError::Value { field: 1 });
            }
            writer.put(&[1, 1 + name + password, name])?;
            writer.put(wifi.name)?.put(wifi.password)?;
        }
        writer.put(&[2, 1, u8::from(self.transport == Transport::Mqtt)])?;
        writer.put(&[3, byte(self.host.as_bytes(), NAME_LEN_MAX, 3)?])?;
        writer.put(self.host.as_bytes())?.put(&[4, 2])?;
        writer.put(&self.port.to_le_bytes())?;
        if let Some((user, password)) = self.login {
            writer.put(&[5, byte(user.as_bytes(), NAME_LEN_MAX, 5)?])?;
            writer.put(user.as_bytes())?;
            writer.put(&[6, byte(password.as_bytes(), NAME_LEN_MAX, 6)?])?;
            writer.put(password.as_bytes())?;
        }
        let len = writer.len();
        *header = *b"IC1N\x01\0\0\0";
        header[6..].copy_from_slice(
            &u16::try_from(len)
                .map_err(|_| NetError::Room)?
                .to_le_bytes(),
        );
        let end = HEADER_LEN + len;
        let sum = crc32(&out[..end]).to_le_bytes();
        let place = out.get_mut(end..end + CRC_LEN).ok_or(NetError::Room)?;
        place.copy_from_slice(&sum);
        Ok(end + CRC_LEN)
    }

    fn checked(self) -> Result<Self, NetError> {
        if self.host.is_empty() {
            return Err(NetError::Missing { field: 3 });
        }
        if self.port == 0 {
            return Err(NetError::Missing { field: 4 });
        }
        match self.login {
            Some(("", _)) => Err(NetError::Value { field: 5 }),
            Some((_, "")) => Err(NetError::Value { field: 6 }),
            _ => Ok(self),
        }
    }
}

fn wifi(value: &[u8]) -> Option<Wifi<'_>> {
    let (len, rest) = value.split_first()?;
    let (name, password) = rest.split_at_checked(usize::from(*len))?;
    let fits = (1..=32).contains(&name.len()) && password.len() <= 63;
    fits.then_some(Wifi { name, password })
}

fn text(value: &[u8]) -> Option<&str> {
    let text = str::from_utf8(value).ok()?;
    (1..=NAME_LEN_MAX).contains(&text.len()).then_some(text)
}

/// A length that was checked.
fn byte(value: &[u8], max: usize, field: u8) -> Result<u8, NetError> {
    let len = u8::try_from(value.len()).map_err(|_| NetError::Value { field })?;
    if usize::from(len) <= max {
        Ok(len)
    } else {
        Err(NetError::Value { field })
    }
}
