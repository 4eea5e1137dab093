//! Pairing over the network, both ends: a module without keys and a dispatcher that do not know each other yet, and a
//! person who compares six digits. Called by whoever opened the window, and by a module without an identity. Must
//! not decide for the person, nor keep keys.
//!
//! Noise XX, in which the device commits to its share before it sees the dispatcher's, so that nobody in the middle
//! can try shares until both codes are the same: the chance of one attempt is one in a million.
//!
//! ```text
//! device                                          dispatcher, window open
//!   OFFER  e, commit(device's key, n_d)          ->
//!                                                <-  SHARE   e, key, n_p
//!   REVEAL key, n_d, within 5 s                  ->        commit is checked; both show six digits
//!   CONFIRM, when its person said yes            ->
//!                                                <-  GRANT   shared secret, site; when both persons said yes
//!   ACCEPTED, when it is kept                    ->        paired
//! ```
//! One person may stand at both ends. Each side can say REFUSE once there is a code.

mod frames;
mod joining;
mod window;

use core::fmt;

use blake2::{Blake2s256, Digest};
pub use joining::Joining;
pub use window::PairingWindow;
use wire::{PublicKey, Secret, Site};

/// How long a window is open, and how long a module tries.
pub const WINDOW_MS: u64 = 120_000;
/// How long after SHARE the device's share may come: whoever computes for longer is looking for a code.
pub const REVEAL_MS: u64 = 5_000;
/// How many attempts a window bears: each is one in a million for somebody in the middle.
pub const ATTEMPTS_MAX: u8 = 3;
/// A frame that is not answered is said again after this.
const AGAIN_MS: u64 = 1_000;

/// The six digits that a person compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(u32);

impl Code {
    /// Of everything that both ends have seen: the handshake's hash and both shares.
    fn of(hash: &[u8], device: &[u8; 16], dispatcher: &[u8; 16]) -> Self {
        let digest: [u8; 32] = Blake2s256::new()
            .chain_update(b"ic1-sas")
            .chain_update(hash)
            .chain_update(device)
            .chain_update(dispatcher)
            .finalize()
            .into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        // 2^64 is no multiple of a million: by far too little to matter.
        let digits = u64::from_le_bytes([a, b, c, d, e, f, g, h]) % 1_000_000;
        Self(u32::try_from(digits).unwrap_or_default())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// What the device's first frame binds it to. Its key comes in its last frame only, so without it here, keys could be
/// tried until a code fits.
fn commitment(device: &PublicKey, share: &[u8; 16]) -> [u8; 32] {
    Blake2s256::new()
        .chain_update(b"ic1-commit")
        .chain_update(device.0)
        .chain_update(share)
        .finalize()
        .into()
}

/// What the dispatcher gives a module that both persons want.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The secret that both share from now on.
    pub psk: Secret,
    /// The house.
    pub site: Site,
}

impl Granted {
    const LEN: usize = 40;

    fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..32].copy_from_slice(self.psk.expose());
        out[32..].copy_from_slice(&self.site.0);
        out
    }

    fn decode(bytes: &[u8; Self::LEN]) -> Self {
        let (mut psk, mut site) = ([0; 32], [0; 8]);
        psk.copy_from_slice(&bytes[..32]);
        site.copy_from_slice(&bytes[32..]);
        Self {
            psk: Secret::new(psk),
            site: Site(site),
        }
    }
}

/// Why an attempt came to nothing. Neither end keeps anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PairingError {
    /// Time was up.
    Late,
    /// The share is not what was committed to: somebody in the middle looked for a code.
    Commitment,
    /// The person at this end said no: the codes differ.
    No,
    /// The other end said no.
    Refused,
    /// Keys can't be used.
    Keys,
}

impl fmt::Display for PairingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Late => "time was up",
            Self::Commitment => "the other end changed its share after it had seen this one's",
            Self::No => "it was refused here",
            Self::Refused => "it was refused at the other end",
            Self::Keys => "the keys can't be used",
        })
    }
}

impl core::error::Error for PairingError {}

/// What a person or a caller is to know.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PairingEvent {
    /// To be shown, and compared with the other end's; [`Joining::answer`] or [`PairingWindow::answer`] say what came
    /// of it.
    Compare(Code),
    /// Both ends agree: the other end's key and what they share are to be kept.
    Paired {
        /// The other end.
        peer: PublicKey,
        /// What both share.
        granted: Granted,
    },
    /// An attempt came to nothing.
    Failed(PairingError),
    /// The window is closed, after its time or [`ATTEMPTS_MAX`] attempts. Of a window only.
    Closed,
}
