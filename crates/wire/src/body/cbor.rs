//! The few shapes that all bodies are made of. Called by the bodies; must not know any of them.

use minicbor::{Decoder, data::Type, encode::write::Cursor};

use super::BodyError;

/// Where bodies are written to.
pub(crate) type Out<'a> = Cursor<&'a mut [u8]>;

/// Channels of a device at most.
pub const CHANNELS_MAX: u8 = 64;

/// An array of exactly so many.
pub(super) fn array(
    d: &mut Decoder<'_>,
    len: u64,
    expected: &'static str,
) -> Result<(), BodyError> {
    if d.array()? == Some(len) {
        Ok(())
    } else {
        Err(BodyError::Shape { expected })
    }
}

/// The length, where it is within its limit.
pub(super) fn bounded(len: usize, max: usize, what: &'static str) -> Result<usize, BodyError> {
    if len <= max {
        Ok(len)
    } else {
        Err(BodyError::Limit { what })
    }
}

pub(super) fn bytes<'a>(d: &mut Decoder<'a>, max: usize) -> Result<&'a [u8], BodyError> {
    let bytes = d.bytes()?;
    bounded(bytes.len(), max, "the part")?;
    Ok(bytes)
}

pub(super) fn channel(d: &mut Decoder<'_>) -> Result<u8, BodyError> {
    checked_channel(d.u8()?)
}

pub(super) fn checked_channel(channel: u8) -> Result<u8, BodyError> {
    if channel < CHANNELS_MAX {
        Ok(channel)
    } else {
        Err(BodyError::Limit {
            what: "the channel",
        })
    }
}

/// The name, where it is one.
pub(super) fn name(name: &str) -> Result<&str, BodyError> {
    let mut rest = name.bytes();
    let first = rest.next().is_some_and(|byte| byte.is_ascii_lowercase());
    let others = rest.all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if first && others && name.len() <= super::NAME_LEN_MAX {
        Ok(name)
    } else {
        Err(BodyError::Name)
    }
}

/// `null`, or what `read` reads.
pub(super) fn optional<'a, T>(
    d: &mut Decoder<'a>,
    read: impl FnOnce(&mut Decoder<'a>) -> Result<T, minicbor::decode::Error>,
) -> Result<Option<T>, BodyError> {
    if d.datatype()? == Type::Null {
        d.null()?;
        return Ok(None);
    }
    Ok(Some(read(d)?))
}

/// Nothing follows.
pub(super) fn end(d: &Decoder<'_>, body: &[u8]) -> Result<(), BodyError> {
    if d.position() == body.len() {
        Ok(())
    } else {
        Err(BodyError::Trailing)
    }
}
