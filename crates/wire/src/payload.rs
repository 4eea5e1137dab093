//! What HELLO and WELCOME seal. Called by `link`; the bytes come authenticated, from a device that may still be a
//! liar about itself. Must not judge what they say.

use crate::bytes::part;

/// The version of the link that this crate speaks.
pub const VERSION: u8 = 1;

/// What a device says it is; bits of the HELLO payload's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HelloFlags(pub u16);

impl HelloFlags {
    /// It sends events.
    pub const PRODUCER: Self = Self(1);
    /// It has outputs.
    pub const CONSUMER: Self = Self(1 << 1);
    /// It talks over UDP.
    pub const UDP: Self = Self(1 << 2);
    /// New keys for a boot that goes on.
    pub const PLANNED_REKEY: Self = Self(1 << 3);
    /// It holds no role, or a broken one.
    pub const NEED_CONFIG: Self = Self(1 << 4);

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What a device tells first: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelloPayload {
    /// The oldest version it speaks.
    pub version_min: u8,
    /// The newest version it speaks.
    pub version_max: u8,
    /// What it is.
    pub flags: HelloFlags,
    /// Random for each boot.
    pub boot_id: u64,
    /// Boots that it counted; one that goes back is a clone, or a device that lost its flash.
    pub boot_count: u32,
    /// Version of the firmware.
    pub firmware_version: u32,
    /// The start of its image's hash.
    pub firmware_hash: [u8; 8],
    /// Of the role it holds; 0: none.
    pub config_hash: u32,
}

impl HelloPayload {
    /// Bytes of it.
    pub const LEN: usize = 32;

    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0] = self.version_min;
        out[1] = self.version_max;
        out[2..4].copy_from_slice(&self.flags.0.to_le_bytes());
        out[4..12].copy_from_slice(&self.boot_id.to_le_bytes());
        out[12..16].copy_from_slice(&self.boot_count.to_le_bytes());
        out[16..20].copy_from_slice(&self.firmware_version.to_le_bytes());
        out[20..28].copy_from_slice(&self.firmware_hash);
        out[28..32].copy_from_slice(&self.config_hash.to_le_bytes());
        out
    }

    /// Any 32 bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            version_min: bytes[0],
            version_max: bytes[1],
            flags: HelloFlags(u16::from_le_bytes(part::<2, 2, _>(bytes))),
            boot_id: u64::from_le_bytes(part::<4, 8, _>(bytes)),
            boot_count: u32::from_le_bytes(part::<12, 4, _>(bytes)),
            firmware_version: u32::from_le_bytes(part::<16, 4, _>(bytes)),
            firmware_hash: part::<20, 8, _>(bytes),
            config_hash: u32::from_le_bytes(part::<28, 4, _>(bytes)),
        }
    }
}

/// What a dispatcher answers with: 48 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WelcomePayload {
    /// Must be that of the frame's clear header.
    pub dispatcher_index: u32,
    /// The version that is spoken from now on.
    pub version: u8,
    /// 0: all is well; 1: the device's role and the house don't fit, nothing will be done.
    pub status: u8,
    /// How often the device is to be heard of, seconds.
    pub keepalive_s: u16,
    /// When the device is to ask for new keys, seconds.
    pub rekey_s: u32,
    /// Random for each start of the dispatcher.
    pub epoch: u64,
    /// Milliseconds since 1970; 0: not known.
    pub unix_ms: u64,
    /// Revision of the device's role.
    pub config_rev: u32,
    /// What a RESET of this session will hold.
    pub reset_token: [u8; 16],
}

impl WelcomePayload {
    /// Bytes of it.
    pub const LEN: usize = 48;

    /// All of it.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[0..4].copy_from_slice(&self.dispatcher_index.to_le_bytes());
        out[4] = self.version;
        out[5] = self.status;
        out[6..8].copy_from_slice(&self.keepalive_s.to_le_bytes());
        out[8..12].copy_from_slice(&self.rekey_s.to_le_bytes());
        out[12..20].copy_from_slice(&self.epoch.to_le_bytes());
        out[20..28].copy_from_slice(&self.unix_ms.to_le_bytes());
        out[28..32].copy_from_slice(&self.config_rev.to_le_bytes());
        out[32..48].copy_from_slice(&self.reset_token);
        out
    }

    /// Any 48 bytes are one.
    #[must_use]
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            dispatcher_index: u32::from_le_bytes(part::<0, 4, _>(bytes)),
            version: bytes[4],
            status: bytes[5],
            keepalive_s: u16::from_le_bytes(part::<6, 2, _>(bytes)),
            rekey_s: u32::from_le_bytes(part::<8, 4, _>(bytes)),
            epoch: u64::from_le_bytes(part::<12, 8, _>(bytes)),
            unix_ms: u64::from_le_bytes(part::<20, 8, _>(bytes)),
            config_rev: u32::from_le_bytes(part::<28, 4, _>(bytes)),
            reset_token: part::<32, 16, _>(bytes),
        }
    }
}
