//! Passwords against hashes. Generated device passwords (128 random bits) are kept as BLAKE2s and
//! checked at once; people's are kept as argon2id and checked by a worker, away from the hot thread.
//! The registry makes hashes with this module, the core and the shell check with it.

use std::sync::Arc;

use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier, password_hash::SaltString};
use blake2::{Blake2s256, Digest};

/// What hashes of generated passwords start with.
const GENERATED: &str = "blake2s$";

/// What no password fits: 256 random bits that are no hash of anything, with what [`hash_chosen`] takes. A login that
/// fails anyway is checked against it, so that the time of its answer does not tell which users exist.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$1HflZfRukMMSJkp/CrcOZw$scb5AbHFjed/NzXo8K0IVXdR4UhKzw76k+gb60T/C7M";

/// The hash that no password fits, and that takes as long to check as one of [`hash_chosen`].
#[must_use]
pub fn decoy() -> Arc<str> {
    DECOY.into()
}

/// The hash of a generated password: `blake2s$` and the BLAKE2s-256 of its text in hex. Only for
/// passwords of at least 128 random bits: anybody can try billions of others a second.
#[must_use]
pub fn hash_generated(password: &str) -> String {
    generated_from_digest(&Blake2s256::digest(password.as_bytes()).into())
}

/// The same hash from its digest alone, as a registry may keep it.
#[must_use]
pub fn generated_from_digest(digest: &[u8; 32]) -> String {
    let mut hash = GENERATED.to_owned();
    for byte in digest {
        use std::fmt::Write;
        // Writing to a string can't fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}

/// The digest in the hash of a generated password; `None` where the hash is another kind, and an
/// error where it says that it is one and is none.
///
/// # Errors
/// What such a hash looks like.
pub fn generated_digest(hash: &str) -> Result<Option<[u8; 32]>, &'static str> {
    const WRONG: &str = "blake2s$ takes 64 hexadecimal digits";
    let Some(hex) = hash.strip_prefix(GENERATED) else {
        return Ok(None);
    };
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(WRONG);
    }
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| WRONG)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| WRONG)?;
    }
    Ok(Some(digest))
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

/// Whether this is the hash of a password that a person chose.
#[must_use]
pub fn is_chosen(hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

/// Whether a password fits the hash of a generated one; `None` where the hash is another kind.
#[must_use]
pub fn verify_generated(hash: &str, password: &[u8]) -> Option<bool> {
    let wanted = match generated_digest(hash) {
        Ok(wanted) => wanted?,
        Err(_) => return Some(false),
    };
    // Compares all of it, whatever differs first.
    let digest = Blake2s256::digest(password);
    let differ = |difference: u8, (a, b): (&u8, &u8)| difference | (a ^ b);
    Some(wanted.iter().zip(&digest).fold(0, differ) == 0)
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

    #[test]
    fn the_decoy_costs_what_a_chosen_password_costs_and_fits_none() {
        let parameters = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        let chosen = hash_chosen("open sesame", &[7; 16]).unwrap();
        let decoy = decoy();
        assert!(is_chosen(&decoy));
        assert_eq!(parameters(&decoy), parameters(&chosen));
        assert_eq!(decoy.len(), chosen.len());
        assert!(!verify(&decoy, b"") && !verify(&decoy, b"open sesame"));
    }

    #[test]
    fn a_digest_makes_the_hash_it_came_from() {
        let hash = hash_generated("4f0c9a");
        let digest = generated_digest(&hash).unwrap().unwrap();
        assert_eq!(generated_from_digest(&digest), hash);
        assert_eq!(generated_digest("$argon2id$v=19"), Ok(None));
        for wrong in [
            "",
            "12",
            &"ü".repeat(32),
            &"+1".repeat(32),
            &"ab".repeat(33),
        ] {
            assert!(
                generated_digest(&format!("blake2s${wrong}")).is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_text_that_is_no_hash_is_told_apart() {
        assert!(is_chosen(&hash_chosen("open sesame", &[7; 16]).unwrap()));
        for wrong in [
            "",
            "open sesame",
            "$argon2id$",
            "$argon2id$v=19$m=1,t=1,p=1$c2FsdHNhbHQ",
            "$2b$10$x",
        ] {
            assert!(!is_chosen(wrong), "{wrong}");
        }
    }
}
