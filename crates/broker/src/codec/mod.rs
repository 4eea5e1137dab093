//! MQTT packets to and from bytes. Called by the core; keeps no state, knows no session.
//!
//! CONNECT, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT are parsed, and their answers are built, by
//! `mqtt-protocol-core`; what that crate lets pass and the specification does not is checked here.
//! PUBLISH and its acks, which are the hot path, are read and written here without an allocation:
//! one event in and one command out, in memory on one core, takes 277 ns at QoS 0 and 461 ns at QoS 1
//! through that crate's connections alone, and 200 ns and 315 ns through the whole of this one, with
//! rights, routing, sessions and queues (`examples/throughput.rs`, 2026-11). Packet ids and what is
//! in flight belong to sessions, which outlive connections; that crate ties them to one.

pub(crate) mod connect;
pub(crate) mod publish;
pub(crate) mod reader;
pub(crate) mod subscribe;
pub(crate) mod write;

use crate::reason::Reason;

/// How hard delivery is tried. Ordered: the smaller of a message's and a subscription's counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Qos {
    /// QoS 0: sent once, not acknowledged.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: repeated until acknowledged.
    AtLeastOnce = 1,
    /// QoS 2: delivered once.
    ExactlyOnce = 2,
}

impl Qos {
    /// From the two bits on the wire; 3 is malformed.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

/// The protocol version of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// MQTT 3.1.1.
    V3,
    /// MQTT 5.
    V5,
}

/// Packet types, as the high four bits of the first byte.
pub(crate) mod kind {
    pub(crate) const CONNECT: u8 = 1;
    pub(crate) const PUBLISH: u8 = 3;
    pub(crate) const PUBACK: u8 = 4;
    pub(crate) const PUBREC: u8 = 5;
    pub(crate) const PUBREL: u8 = 6;
    pub(crate) const PUBCOMP: u8 = 7;
    pub(crate) const SUBSCRIBE: u8 = 8;
    pub(crate) const UNSUBSCRIBE: u8 = 10;
    pub(crate) const PINGREQ: u8 = 12;
    pub(crate) const DISCONNECT: u8 = 14;
}

/// One packet as it lies in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) body: &'a [u8],
    /// Bytes of the whole packet.
    pub(crate) len: usize,
}

/// The first packet of `data`; `None` where more bytes are needed.
///
/// # Errors
/// A remaining length of more than four bytes, or a packet of more than `bytes_max`: said as soon
/// as the header is there, so that nobody makes us wait for the rest.
pub(crate) fn split(data: &[u8], bytes_max: usize) -> Result<Option<Frame<'_>>, Reason> {
    let Some((&first, rest)) = data.split_first() else {
        return Ok(None);
    };
    let mut length = 0_usize;
    for ix in 0..4 {
        let Some(&byte) = rest.get(ix) else {
            return Ok(None);
        };
        length |= usize::from(byte & 0x7F) << (7 * ix);
        if byte & 0x80 == 0 {
            let header = ix + 2;
            let len = header + length;
            if len > bytes_max {
                return Err(Reason::PacketTooLarge);
            }
            return Ok(data.get(header..len).map(|body| Frame {
                kind: first >> 4,
                flags: first & 0x0F,
                body,
                len,
            }));
        }
    }
    Err(Reason::MalformedPacket)
}

/// Bytes that a remaining length or another variable byte integer takes.
pub(crate) fn varint_bytes(value: usize) -> usize {
    match value {
        0..=0x7F => 1,
        0x80..=0x3FFF => 2,
        0x4000..=0x1F_FFFF => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_once_it_is_whole() {
        let data = [0xC0, 0, 0x30, 3, 0, 1, b'a'];
        let first = split(&data, 100).unwrap().unwrap();
        assert_eq!((first.kind, first.len, first.body.len()), (12, 2, 0));
        let second = split(&data[2..], 100).unwrap().unwrap();
        assert_eq!((second.kind, second.len), (3, 5));
        assert!(split(&data[2..6], 100).unwrap().is_none());
        assert!(split(&[], 100).unwrap().is_none());
    }

    #[test]
    fn a_length_that_is_too_long_or_too_large_is_an_error() {
        assert_eq!(
            split(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1], usize::MAX).unwrap_err(),
            Reason::MalformedPacket
        );
        assert_eq!(
            split(&[0x30, 0xFF, 0x7F], 1_000).unwrap_err(),
            Reason::PacketTooLarge
        );
    }
}
