//! Passwords against hashes. Generated device passwords (128 random bits) are kept as BLAKE2s and
//! checked at once; people's are kept as argon2id and checked by a worker, away from the hot thread.
//! The registry makes hashes with this module, the core and the shell check with it.

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use blake2::{Blake2s256, Digest};

/// What hashes of generated passwords start with.
const GENERATED: &str = "blake2s$";

/// The hash of a generated password: `blake2s$` and the BLAKE2s-256 of its text in hex. Only for
/// passwords of at least 128 random bits: anybody can try billions of others a second.
#[must_use]
pub fn hash_generated(password: &str) -> String {
    let mut hash = GENERATED.to_owned();
    for byte in Blake2s256::digest(password.as_bytes()) {
        use std::fmt::Write;
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// The argon2id hash of a password that a person chose, as a PHC string. `salt` is random.
/// Takes tens of milliseconds and 19 MiB.
///
/// # Errors
/// The library's own words, where it can't.
pub fn hash_chosen(password: &str, salt: &[u8; 16]) -> Result<String, String> {
    let salt = SaltString::encode_b64(salt).map_err(|error| error.to_string())?;
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// Whether a password fits the hash of a generated one; `None` where the hash is another kind.
#[must_use]
pub fn verify_generated(hash: &str, password: &[u8]) -> Option<bool> {
    let hex = hash.strip_prefix(GENERATED)?;
    let digest = Blake2s256::digest(password);
    if hex.len() != 2 * digest.len() {
        return Some(false);
    }
    // Compares all of it, whatever differs first.
    let mut difference = 0;
    for (pair, byte) in hex.as_bytes().chunks_exact(2).zip(digest) {
        let wanted = std::str::from_utf8(pair)
            .ok()
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        difference |= wanted.map_or(0xFF, |wanted| wanted ^ byte);
    }
    Some(difference == 0)
}

/// Whether a password fits a hash of either kind. Slow for argon2: call it on the worker. A hash
/// that can't be read fits nothing.
#[must_use]
pub fn verify(hash: &str, password: &[u8]) -> bool {
    verify_generated(hash, password).unwrap_or_else(|| {
        PasswordHash::new(hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_hashes_fit_their_password_and_no_other() {
        let generated = hash_generated("4f0c9a");
        assert!(generated.starts_with("blake2s$") && generated.len() == 8 + 64);
        let chosen = hash_chosen("open sesame", &[7; 16]).unwrap();
        assert!(chosen.starts_with("$argon2id$"));
        for (hash, password, expected) in [
            (generated.as_str(), "4f0c9a", true),
            (generated.as_str(), "4f0c9b", false),
            ("blake2s$", "4f0c9a", false),
            (&format!("blake2s${}", "x".repeat(64)), "4f0c9a", false),
            (chosen.as_str(), "open sesame", true),
            (chosen.as_str(), "open", false),
            ("$argon2id$nonsense", "open", false),
            ("", "", false),
        ] {
            assert_eq!(verify(hash, password.as_bytes()), expected, "{hash}");
        }
    }
}
