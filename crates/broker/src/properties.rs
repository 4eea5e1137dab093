//! The properties of an MQTT 5 message that travel with it from publisher to subscriber, as the
//! bytes they came in: passed on untouched, read only by who wants to know. Empty for MQTT 3.1.1.

use std::borrow::Cow;

use crate::{codec::reader::Reader, reason::Reason, topic};

pub(crate) const PAYLOAD_FORMAT: u8 = 1;
pub(crate) const MESSAGE_EXPIRY: u8 = 2;
pub(crate) const CONTENT_TYPE: u8 = 3;
pub(crate) const RESPONSE_TOPIC: u8 = 8;
pub(crate) const CORRELATION_DATA: u8 = 9;
pub(crate) const SUBSCRIPTION_ID: u8 = 11;
pub(crate) const TOPIC_ALIAS: u8 = 35;
pub(crate) const USER_PROPERTY: u8 = 38;

/// The properties that a message carries to whoever receives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Properties<'a>(pub(crate) &'a [u8]);

impl<'a> Properties<'a> {
    /// Where the publisher wants an answer.
    #[must_use]
    pub fn response_topic(self) -> Option<&'a str> {
        self.texts(RESPONSE_TOPIC).next()
    }

    /// What the answer has to carry so that the publisher knows its question.
    #[must_use]
    pub fn correlation_data(self) -> Option<&'a [u8]> {
        self.iter()
            .find(|(id, ..)| *id == CORRELATION_DATA)
            .map(|(_, first, _)| first)
    }

    /// What the payload is, in the publisher's words.
    #[must_use]
    pub fn content_type(self) -> Option<&'a str> {
        self.texts(CONTENT_TYPE).next()
    }

    /// User properties in the order in which they came; a name may come more than once.
    pub fn user(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter()
            .filter(|(id, ..)| *id == USER_PROPERTY)
            .filter_map(|(_, name, value)| {
                Some((
                    std::str::from_utf8(name).ok()?,
                    std::str::from_utf8(value).ok()?,
                ))
            })
    }

    fn texts(self, wanted: u8) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(id, ..)| *id == wanted)
            .filter_map(|(_, text, _)| std::str::from_utf8(text).ok())
    }

    /// Id, value and for user properties the second value. Ends early where the bytes are not
    /// properties, which [`parse`] has excluded.
    fn iter(self) -> impl Iterator<Item = (u8, &'a [u8], &'a [u8])> {
        let mut reader = Reader(self.0);
        std::iter::from_fn(move || {
            let id = reader.u8().ok()?;
            match id {
                PAYLOAD_FORMAT => Some((id, reader.take(1).ok()?, &[][..])),
                USER_PROPERTY => Some((id, reader.binary().ok()?, reader.binary().ok()?)),
                _ => Some((id, reader.binary().ok()?, &[][..])),
            }
        })
    }
}

/// What the properties of a PUBLISH from a client say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed<'a> {
    pub(crate) alias: Option<u16>,
    pub(crate) expiry_s: Option<u32>,
    /// The bytes that travel on.
    pub(crate) forwarded: Cow<'a, [u8]>,
}

/// Reads the properties of a PUBLISH (MQTT 5 section 3.3.2.3), without their length.
///
/// # Errors
/// Malformed bytes; a property that doesn't belong here, or twice what may come once.
pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, Reason> {
    let mut parsed = Parsed::default();
    let mut seen = 0_u64;
    let mut reader = Reader(bytes);
    let mut all_travel = true;
    while !reader.is_empty() {
        let start = reader;
        let id = reader.u8()?;
        if id != USER_PROPERTY {
            let bit = 1_u64 << (id & 63);
            if seen & bit != 0 {
                return Err(Reason::ProtocolError);
            }
            seen |= bit;
        }
        let travels = match id {
            MESSAGE_EXPIRY => {
                parsed.expiry_s = Some(reader.u32()?);
                false
            }
            TOPIC_ALIAS => {
                parsed.alias = Some(reader.u16()?);
                false
            }
            _ => {
                skip_travelling(id, &mut reader)?;
                true
            }
        };
        if !travels && all_travel {
            all_travel = false;
            let before = bytes.len() - start.0.len();
            parsed.forwarded = Cow::Owned(bytes.get(..before).unwrap_or_default().to_vec());
        } else if travels && !all_travel {
            let len = start.0.len() - reader.0.len();
            let property = start.0.get(..len).unwrap_or_default();
            parsed.forwarded.to_mut().extend_from_slice(property);
        }
    }
    if all_travel {
        parsed.forwarded = Cow::Borrowed(bytes);
    }
    Ok(parsed)
}

fn skip_travelling(id: u8, reader: &mut Reader<'_>) -> Result<(), Reason> {
    match id {
        PAYLOAD_FORMAT => {
            if reader.u8()? > 1 {
                return Err(Reason::ProtocolError);
            }
        }
        CONTENT_TYPE => {
            reader.text()?;
        }
        RESPONSE_TOPIC => {
            if !topic::is_name(reader.text()?) {
                return Err(Reason::ProtocolError);
            }
        }
        CORRELATION_DATA => {
            reader.binary()?;
        }
        USER_PROPERTY => {
            reader.text()?;
            reader.text()?;
        }
        // A subscription identifier only comes from servers; all others belong to other packets.
        SUBSCRIPTION_ID | 17..=42 => return Err(Reason::ProtocolError),
        _ => return Err(Reason::MalformedPacket),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_is_kept_and_the_rest_is_taken_out() {
        let bytes = [
            1, 1, // payload is text
            2, 0, 0, 0, 9, // expires in 9 s
            8, 0, 1, b'r', // response topic
            35, 0, 3, // alias 3
            38, 0, 1, b'k', 0, 1, b'v',
        ];
        let parsed = parse(&bytes).unwrap();
        assert_eq!((parsed.expiry_s, parsed.alias), (Some(9), Some(3)));
        let travelling = Properties(&parsed.forwarded);
        assert_eq!(travelling.response_topic(), Some("r"));
        assert_eq!(travelling.user().collect::<Vec<_>>(), [("k", "v")]);
        assert_eq!(travelling.0.len(), 2 + 4 + 7);
    }

    #[test]
    fn properties_that_do_not_belong_are_errors() {
        for (bytes, expected) in [
            (&[1, 2][..], Reason::ProtocolError),
            (&[1, 0, 1, 0], Reason::ProtocolError),
            (&[11, 1], Reason::ProtocolError),
            (&[8, 0, 1, b'#'], Reason::ProtocolError),
            (&[17, 0, 0, 0, 0], Reason::ProtocolError),
            (&[99], Reason::MalformedPacket),
            (&[2, 0], Reason::MalformedPacket),
            (&[38, 0, 1, b'a'], Reason::MalformedPacket),
        ] {
            assert_eq!(parse(bytes).unwrap_err(), expected, "{bytes:?}");
        }
    }
}
