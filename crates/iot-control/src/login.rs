//! Passwords: made for machines, hashed for everybody. Only hashes leave this module. How a hash is made
//! and checked stands in [`broker::password`] alone; what comes from the system is added here.

use anyhow::{Context, anyhow};
use broker::password;

/// Shortest password a person may choose, in characters.
pub(crate) const PASSWORD_CHARS_MIN: usize = 8;

/// A password of 128 random bits, in 26 letters and digits.
///
/// # Errors
/// The system gives no random bytes.
pub(crate) fn generate() -> anyhow::Result<String> {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    let mut bytes = [0_u8; 26];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random bytes: {error}"))?;
    Ok(bytes
        .iter()
        .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
        .collect())
}

/// The hash of a generated password. It can't be guessed, so a fast hash is as good as a slow one
/// and a stampede of modules after a power cut costs nothing.
pub(crate) fn hash_generated(text: &str) -> String {
    password::hash_generated(text)
}

/// The argon2id hash of a password that a person chose.
///
/// # Errors
/// It is too short, or the system gives no random bytes.
pub(crate) fn hash_chosen(text: &str) -> anyhow::Result<String> {
    if text.chars().count() < PASSWORD_CHARS_MIN {
        return Err(anyhow!(
            "the password has fewer than {PASSWORD_CHARS_MIN} characters"
        ));
    }
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|error| anyhow!("no random bytes: {error}"))?;
    password::hash_chosen(text, &salt)
        .map_err(|error| anyhow!("{error}"))
        .context("hashing the password")
}
