//! Who a device is: 256 bytes in a flash sector of their own, written once. Called by the firmware at each boot and
//! by whatever flashes a device. Secrets are wiped when dropped and not printed. Must not compute with keys.

use core::fmt;

use zeroize::Zeroize;

use crate::{
    bytes::{crc32, part},
    key::{PublicKey, Secret},
};

/// Bytes of the block.
pub const IDENTITY_LEN: usize = 256;

const MAGIC: [u8; 4] = *b"IC1K";
const BLOCK_VERSION: u8 = 1;
const CRC_AT: usize = 252;

/// Which house; part of the MQTT topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Site(pub [u8; 8]);

/// A device's identity.
///
/// 0 "IC1K" |4 version |5 flags |6 length u16 |8 device secret |40 device public |72 dispatcher public |104 next
/// dispatcher public |136 pre-shared key |168 site 8 |176 seed |208 update key |240 reserved 12 |252 CRC-32.
#[derive(Clone, Debug)]
pub struct Identity {
    /// No flag is defined; kept as they are.
    pub flags: u8,
    /// X25519.
    pub device_secret: Secret,
    /// That of the secret.
    pub device_public: PublicKey,
    /// The dispatcher that the device talks to, and no other.
    pub dispatcher: PublicKey,
    /// The one that the dispatcher will have next, where it was known at flashing.
    pub dispatcher_next: Option<PublicKey>,
    /// Shared with the dispatcher beside the keys.
    pub psk: Secret,
    /// Which house.
    pub site: Site,
    /// The first input of the device's random numbers.
    pub seed: Secret,
    /// Ed25519: who may sign updates.
    pub ota_key: PublicKey,
}

/// Why a sector holds no identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not 256 bytes.
    Length {
        /// Bytes that there are.
        found: usize,
    },
    /// All bytes are 0xFF: the sector was erased, the device was never flashed with an identity.
    Erased,
    /// It does not begin with `IC1K`: something else was written there.
    Magic,
    /// Written by a later release.
    Version {
        /// What it says.
        found: u8,
    },
    /// The sum is wrong: the sector is damaged; flash the identity again.
    Crc,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(f, "an identity has {IDENTITY_LEN} bytes, this has {found}")
            }
            Self::Erased => f.write_str("no identity was flashed: the sector is erased"),
            Self::Magic => f.write_str("no identity: it does not begin with IC1K"),
            Self::Version { found } => write!(
                f,
                "the identity has version {found}, this firmware reads {BLOCK_VERSION}: update the firmware"
            ),
            Self::Crc => f.write_str("the identity is damaged: flash it again"),
        }
    }
}

impl core::error::Error for IdentityError {}

impl Identity {
    /// Reads what lies in flash.
    ///
    /// # Errors
    /// [`IdentityError`] says what lies there instead.
    pub fn decode(bytes: &[u8]) -> Result<Self, IdentityError> {
        let found = bytes.len();
        let bytes: &[u8; IDENTITY_LEN] = bytes
            .try_into()
            .map_err(|_| IdentityError::Length { found })?;
        if bytes.iter().all(|byte| *byte == 0xFF) {
            return Err(IdentityError::Erased);
        }
        if part::<0, 4, _>(bytes) != MAGIC {
            return Err(IdentityError::Magic);
        }
        if bytes[4] != BLOCK_VERSION {
            return Err(IdentityError::Version { found: bytes[4] });
        }
        let length = usize::from(u16::from_le_bytes(part::<6, 2, _>(bytes)));
        if length != IDENTITY_LEN {
            return Err(IdentityError::Length { found: length });
        }
        if crc32(&bytes[..CRC_AT]) != u32::from_le_bytes(part::<CRC_AT, 4, _>(bytes)) {
            return Err(IdentityError::Crc);
        }
        let next = part::<104, 32, _>(bytes);
        Ok(Self {
            flags: bytes[5],
            device_secret: secret::<8>(bytes),
            device_public: PublicKey(part::<40, 32, _>(bytes)),
            dispatcher: PublicKey(part::<72, 32, _>(bytes)),
            dispatcher_next: (next != [0; 32]).then_some(PublicKey(next)),
            psk: secret::<136>(bytes),
            site: Site(part::<168, 8, _>(bytes)),
            seed: secret::<176>(bytes),
            ota_key: PublicKey(part::<208, 32, _>(bytes)),
        })
    }

    /// All of it; the caller wipes the bytes when they are written.
    #[must_use]
    pub fn encode(&self) -> [u8; IDENTITY_LEN] {
        let mut out = [0; IDENTITY_LEN];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = BLOCK_VERSION;
        out[5] = self.flags;
        out[6..8].copy_from_slice(&[0, 1]);
        out[8..40].copy_from_slice(self.device_secret.expose());
        out[40..72].copy_from_slice(&self.device_public.0);
        out[72..104].copy_from_slice(&self.dispatcher.0);
        if let Some(next) = &self.dispatcher_next {
            out[104..136].copy_from_slice(&next.0);
        }
        out[136..168].copy_from_slice(self.psk.expose());
        out[168..176].copy_from_slice(&self.site.0);
        out[176..208].copy_from_slice(self.seed.expose());
        out[208..240].copy_from_slice(&self.ota_key.0);
        let sum = crc32(&out[..CRC_AT]);
        out[CRC_AT..].copy_from_slice(&sum.to_le_bytes());
        out
    }
}

/// A secret at a place; the copy in between is wiped.
fn secret<const AT: usize>(bytes: &[u8; IDENTITY_LEN]) -> Secret {
    let mut copy = part::<AT, 32, _>(bytes);
    let secret = Secret::new(copy);
    copy.zeroize();
    secret
}
