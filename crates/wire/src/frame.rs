//! What travels in the clear: HELLO, WELCOME, DATA, COOKIE, RESET, and the last will of a device on MQTT. Called by
//! `link` for each datagram or MQTT payload. Checks length, version, type, suite and reserved bytes; must not look
//! into what is sealed.
//!
//! | frame | first byte | bytes |
//! |---|---|---|
//! | HELLO | 0x11 | 168 |
//! | WELCOME | 0x12 | 108 |
//! | DATA | 0x13 | 28 + n, n <= 1,172 |
//! | COOKIE | 0x14 | 64 |
//! | RESET | 0x15 | 22 |
//! | last will | 0x1F | 9 |

use core::fmt;

use crate::bytes::{Full, Writer, part};

/// `Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s`, the only suite of version 1.
pub const SUITE: u8 = 1;
/// Bytes of a HELLO.
pub const HELLO_LEN: usize = 168;
/// Bytes of a WELCOME.
pub const WELCOME_LEN: usize = 108;
/// Bytes of a COOKIE.
pub const COOKIE_LEN: usize = 64;
/// Bytes of a RESET.
pub const RESET_LEN: usize = 22;
/// Bytes of a last will.
pub const WILL_LEN: usize = 9;
/// Bytes of an authentication tag.
pub const TAG_LEN: usize = 16;
/// Bytes that a DATA frame adds to what is sealed in it: header and tag.
pub const DATA_OVERHEAD: usize = DATA_HEADER_LEN + TAG_LEN;
/// Bytes of the largest frame: a datagram that no home's network cuts.
pub const FRAME_LEN_MAX: usize = 1_200;
/// Bytes that a DATA frame seals at most.
pub const PLAIN_LEN_MAX: usize = FRAME_LEN_MAX - DATA_OVERHEAD;
/// The largest counter of a DATA frame: 48 bits. A session ends long before.
pub const COUNTER_MAX: u64 = (1 << 48) - 1;

const DATA_HEADER_LEN: usize = 12;
const VERSION: u8 = 1;
const HELLO: u8 = 0x11;
const WELCOME: u8 = 0x12;
const DATA: u8 = 0x13;
const COOKIE: u8 = 0x14;
const RESET: u8 = 0x15;
const WILL: u8 = 0x1F;

/// Why bytes are no frame. Whoever sent them is no device of version 1, or the network cut them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// No byte at all.
    Empty,
    /// Another version of the protocol; the first byte's upper half.
    Version {
        /// What it says.
        found: u8,
    },
    /// A type that version 1 does not have; the first byte's lower half.
    Type {
        /// What it says.
        found: u8,
    },
    /// Not as long as its type says; for DATA the nearest length that would do.
    Length {
        /// Bytes that came.
        found: usize,
        /// Bytes that there should be.
        expected: usize,
    },
    /// Another suite than the one there is.
    Suite {
        /// What it says.
        found: u8,
    },
    /// A byte that has to be zero is not.
    Reserved {
        /// Its place in the frame.
        at: usize,
    },
    /// The buffer to encode into is too small.
    Room,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no byte at all"),
            Self::Version { found } => write!(f, "version {found} of the link, not {VERSION}"),
            Self::Type { found } => write!(f, "no frame has the type {found}"),
            Self::Length { found, expected } => {
                write!(f, "{found} bytes where {expected} are expected")
            }
            Self::Suite { found } => write!(f, "suite {found}, not {SUITE}"),
            Self::Reserved { at } => write!(f, "byte {at} is reserved and not zero"),
            Self::Room => f.write_str("the buffer is too small for the frame"),
        }
    }
}

impl core::error::Error for FrameError {}

impl From<Full> for FrameError {
    fn from(_: Full) -> Self {
        Self::Room
    }
}

/// The first message of a handshake, device to dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Random, chosen by the device: where the answer belongs.
    pub device_index: u32,
    /// The device's ephemeral public key.
    pub ephemeral: [u8; 32],
    /// The device's static public key, sealed.
    pub sealed_static: [u8; 48],
    /// [`crate::HelloPayload`], sealed.
    pub sealed_payload: [u8; 48],
    /// Keyed by the dispatcher's public key: garbage is refused before any work.
    pub mac1: [u8; 16],
    /// Keyed by a cookie where the dispatcher asked for one, else zero.
    pub mac2: [u8; 16],
}

impl Hello {
    /// Bytes that `mac1` covers, from the start.
    pub const MAC1_AT: usize = 136;
    /// Bytes that `mac2` covers, from the start.
    pub const MAC2_AT: usize = 152;
    /// Bytes of the clear header, which goes into the handshake's prologue.
    pub const HEADER_LEN: usize = 8;

    /// Bytes 0..8.
    #[must_use]
    pub fn header(device_index: u32) -> [u8; Self::HEADER_LEN] {
        let [a, b, c, d] = device_index.to_le_bytes();
        [HELLO, SUITE, 0, 0, a, b, c, d]
    }

    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; HELLO_LEN] {
        let mut out = [0; HELLO_LEN];
        out[..8].copy_from_slice(&Self::header(self.device_index));
        out[8..40].copy_from_slice(&self.ephemeral);
        out[40..88].copy_from_slice(&self.sealed_static);
        out[88..136].copy_from_slice(&self.sealed_payload);
        out[136..152].copy_from_slice(&self.mac1);
        out[152..168].copy_from_slice(&self.mac2);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes: &[u8; HELLO_LEN] = exact(bytes)?;
        suite_and_reserved(bytes)?;
        Ok(Self {
            device_index: u32::from_le_bytes(part::<4, 4, _>(bytes)),
            ephemeral: part::<8, 32, _>(bytes),
            sealed_static: part::<40, 48, _>(bytes),
            sealed_payload: part::<88, 48, _>(bytes),
            mac1: part::<136, 16, _>(bytes),
            mac2: part::<152, 16, _>(bytes),
        })
    }
}

/// The second message of a handshake, dispatcher to device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Where the device's DATA frames belong; repeated inside, because Noise does not cover it.
    pub dispatcher_index: u32,
    /// The HELLO's.
    pub device_index: u32,
    /// The dispatcher's ephemeral public key.
    pub ephemeral: [u8; 32],
    /// [`crate::WelcomePayload`], sealed.
    pub sealed_payload: [u8; 64],
}

impl Welcome {
    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; WELCOME_LEN] {
        let mut out = [0; WELCOME_LEN];
        out[..4].copy_from_slice(&[WELCOME, SUITE, 0, 0]);
        out[4..8].copy_from_slice(&self.dispatcher_index.to_le_bytes());
        out[8..12].copy_from_slice(&self.device_index.to_le_bytes());
        out[12..44].copy_from_slice(&self.ephemeral);
        out[44..108].copy_from_slice(&self.sealed_payload);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes: &[u8; WELCOME_LEN] = exact(bytes)?;
        suite_and_reserved(bytes)?;
        Ok(Self {
            dispatcher_index: u32::from_le_bytes(part::<4, 4, _>(bytes)),
            device_index: u32::from_le_bytes(part::<8, 4, _>(bytes)),
            ephemeral: part::<12, 32, _>(bytes),
            sealed_payload: part::<44, 64, _>(bytes),
        })
    }
}

/// A sealed frame, either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// The index that the receiver chose in the handshake.
    pub receiver_index: u32,
    /// 48 bits; each is used once with a key.
    pub counter: u64,
    /// Ciphertext and tag.
    pub sealed: &'a [u8],
}

impl<'a> Data<'a> {
    /// Bytes of the clear header, which the tag covers.
    pub const HEADER_LEN: usize = DATA_HEADER_LEN;

    /// Bytes 0..12.
    #[must_use]
    pub fn header(receiver_index: u32, counter: u64) -> [u8; DATA_HEADER_LEN] {
        let [a, b, c, d] = receiver_index.to_le_bytes();
        let [e, f, g, h, i, j, ..] = counter.to_le_bytes();
        [DATA, 0, a, b, c, d, e, f, g, h, i, j]
    }

    fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        let found = bytes.len();
        if found > FRAME_LEN_MAX {
            let expected = FRAME_LEN_MAX;
            return Err(FrameError::Length { found, expected });
        }
        let short = FrameError::Length {
            found,
            expected: DATA_OVERHEAD,
        };
        let (header, sealed) = bytes.split_first_chunk::<DATA_HEADER_LEN>().ok_or(short)?;
        if sealed.len() < TAG_LEN {
            return Err(short);
        }
        zero(header, 1)?;
        let [a, b, c, d, e, f] = part::<6, 6, _>(header);
        Ok(Self {
            receiver_index: u32::from_le_bytes(part::<2, 4, _>(header)),
            counter: u64::from_le_bytes([a, b, c, d, e, f, 0, 0]),
            sealed,
        })
    }
}

/// What a dispatcher under load answers a HELLO with: say again, with proof that you are where you say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The HELLO's.
    pub device_index: u32,
    /// Of XChaCha20-Poly1305.
    pub nonce: [u8; 24],
    /// The cookie, sealed for those who know the dispatcher's public key and the HELLO's `mac1`.
    pub sealed: [u8; 32],
}

impl Cookie {
    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; COOKIE_LEN] {
        let mut out = [0; COOKIE_LEN];
        out[0] = COOKIE;
        out[4..8].copy_from_slice(&self.device_index.to_le_bytes());
        out[8..32].copy_from_slice(&self.nonce);
        out[32..64].copy_from_slice(&self.sealed);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes: &[u8; COOKIE_LEN] = exact(bytes)?;
        (1..4).try_for_each(|at| zero(bytes, at))?;
        Ok(Self {
            device_index: u32::from_le_bytes(part::<4, 4, _>(bytes)),
            nonce: part::<8, 24, _>(bytes),
            sealed: part::<32, 32, _>(bytes),
        })
    }
}

/// What a dispatcher that knows no such session answers DATA with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// The index that the DATA frame named.
    pub dispatcher_index: u32,
    /// That of this index, which the WELCOME told in secret.
    pub token: [u8; 16],
}

impl Reset {
    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; RESET_LEN] {
        let mut out = [0; RESET_LEN];
        out[0] = RESET;
        out[2..6].copy_from_slice(&self.dispatcher_index.to_le_bytes());
        out[6..22].copy_from_slice(&self.token);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let bytes: &[u8; RESET_LEN] = exact(bytes)?;
        zero(bytes, 1)?;
        Ok(Self {
            dispatcher_index: u32::from_le_bytes(part::<2, 4, _>(bytes)),
            token: part::<6, 16, _>(bytes),
        })
    }
}

/// A device's last will on MQTT: a hint that nobody vouches for, which only makes the dispatcher ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will {
    /// The boot that the connection belonged to.
    pub boot_id: u64,
}

impl Will {
    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; WILL_LEN] {
        let mut out = [WILL; WILL_LEN];
        out[1..].copy_from_slice(&self.boot_id.to_le_bytes());
        out
    }

    /// Reads one. It is no [`Frame`]: it comes on a topic of its own.
    ///
    /// # Errors
    /// [`FrameError`], as for frames.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        match *bytes.first().ok_or(FrameError::Empty)? {
            WILL => {}
            first if first >> 4 != VERSION => {
                return Err(FrameError::Version { found: first >> 4 });
            }
            first => return Err(FrameError::Type { found: first & 15 }),
        }
        let bytes: &[u8; WILL_LEN] = exact(bytes)?;
        Ok(Self {
            boot_id: u64::from_le_bytes(part::<1, 8, _>(bytes)),
        })
    }
}

/// Any frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// 0x11
    Hello(Hello),
    /// 0x12
    Welcome(Welcome),
    /// 0x13
    Data(Data<'a>),
    /// 0x14
    Cookie(Cookie),
    /// 0x15
    Reset(Reset),
}

impl<'a> Frame<'a> {
    /// Reads one datagram or MQTT payload.
    ///
    /// # Errors
    /// The bytes are no frame of version 1: [`FrameError`] says which part is not.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, FrameError> {
        match *bytes.first().ok_or(FrameError::Empty)? {
            HELLO => Hello::decode(bytes).map(Self::Hello),
            WELCOME => Welcome::decode(bytes).map(Self::Welcome),
            DATA => Data::decode(bytes).map(Self::Data),
            COOKIE => Cookie::decode(bytes).map(Self::Cookie),
            RESET => Reset::decode(bytes).map(Self::Reset),
            first if first >> 4 == VERSION => Err(FrameError::Type { found: first & 15 }),
            first => Err(FrameError::Version { found: first >> 4 }),
        }
    }

    /// Writes it to the start of `out` and gives its length.
    ///
    /// # Errors
    /// [`FrameError::Room`].
    pub fn encode(&self, out: &mut [u8]) -> Result<usize, FrameError> {
        let mut writer = Writer::new(out);
        match self {
            Self::Hello(frame) => writer.put(&frame.encode())?,
            Self::Welcome(frame) => writer.put(&frame.encode())?,
            Self::Data(frame) => writer
                .put(&Data::header(frame.receiver_index, frame.counter))?
                .put(frame.sealed)?,
            Self::Cookie(frame) => writer.put(&frame.encode())?,
            Self::Reset(frame) => writer.put(&frame.encode())?,
        };
        Ok(writer.len())
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<&[u8; N], FrameError> {
    bytes.try_into().map_err(|_| FrameError::Length {
        found: bytes.len(),
        expected: N,
    })
}

/// Bytes 1 to 3 of HELLO and WELCOME.
fn suite_and_reserved<const N: usize>(bytes: &[u8; N]) -> Result<(), FrameError> {
    if bytes[1] != SUITE {
        return Err(FrameError::Suite { found: bytes[1] });
    }
    zero(bytes, 2)?;
    zero(bytes, 3)
}

fn zero<const N: usize>(bytes: &[u8; N], at: usize) -> Result<(), FrameError> {
    if bytes.get(at) == Some(&0) {
        Ok(())
    } else {
        Err(FrameError::Reserved { at })
    }
}
