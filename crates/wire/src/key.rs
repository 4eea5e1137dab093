//! Keys as bytes, and a device's handle. Called by everybody who holds a key; a secret never prints itself and is
//! wiped when dropped. Must not compute with keys: that is `link`'s.

use core::fmt;

use blake2::{Blake2s256, Digest};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// An X25519 public key; an Ed25519 one where it signs updates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey(pub [u8; 32]);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// 32 bytes that nobody else may know: an X25519 secret, a pre-shared key, a seed. Wiped when dropped; no `Display`,
/// and `Debug` does not show them.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl Secret {
    /// Takes the bytes; the caller wipes its own copy.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever computes with them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a device is called in public: the first 8 bytes of BLAKE2s of its public key. Printed in base32
/// (RFC 4648, lower case, no padding), 13 characters: `fj42w2eum2zg4`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub [u8; 8]);

/// RFC 4648's alphabet in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

impl Handle {
    /// Characters of a printed handle.
    pub const TEXT_LEN: usize = 13;

    /// The handle of a device's public key.
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        let hash: [u8; 32] = Blake2s256::digest(key.0).into();
        let [a, b, c, d, e, f, g, h, ..] = hash;
        Self([a, b, c, d, e, f, g, h])
    }

    /// As it is printed.
    #[must_use]
    pub fn text(&self) -> [u8; Self::TEXT_LEN] {
        // 64 bits and one zero: 13 characters of 5 bits.
        let bits = u128::from(u64::from_be_bytes(self.0)) << 1;
        let mut out = [0; Self::TEXT_LEN];
        for (place, out) in (0_u32..).zip(out.iter_mut()) {
            *out = BASE32[(bits >> (60 - 5 * place)) as usize & 31];
        }
        out
    }

    /// Reads what [`Handle::text`] writes; `None` for anything else, upper case too.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != Self::TEXT_LEN {
            return None;
        }
        let bits = text.bytes().try_fold(0_u128, |bits, byte| {
            let digit = BASE32.iter().position(|known| *known == byte)?;
            Some(bits << 5 | digit as u128)
        })?;
        // The last bit pads: a handle has one text.
        (bits & 1 == 0).then(|| Self(((bits >> 1) as u64).to_be_bytes()))
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text()
            .iter()
            .try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}
