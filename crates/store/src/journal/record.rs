//! One record of the journal, as callers see it and as bytes in a segment.
//!
//! Called by [`super::segment`], [`super::Journal`] and the reader; pure, touches no file.
//! Must not know what a body means.
//!
//! A frame is `length | head | moment | body | crc`:
//!
//! | part | bytes | what |
//! |---|---|---|
//! | length | 1-3 | varint: bytes of head, moment and body; never 0, so that zeros mean "no record yet" |
//! | head | 1 | bits 0-1 class, bit 2 `synced`, bit 3: there is no moment, it is that of the record before |
//! | moment | 0, 10-18 | varints: the number; `at`; wall minus `at` since 2026 |
//! | crc | 4 | CRC-32, little endian, seeded with the crc before: a record that is missing or moved is found too |
//!
//! The crc before stands right before the frame, and the moment is complete: whatever is damaged in a
//! segment, the records behind it can be found and read. Only an outputs' hash and what was merely seen may
//! have none of their own; they are worth nothing without the record before them. A record of an ordinary
//! house costs 21 to 24 bytes beyond its body.

use types::{InputNo, Instant, Now, UnixTime};

/// Largest body, in bytes. A retained message of a foreign client is the largest thing that is kept;
/// the broker allows 256 KiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Most bytes that a frame adds to its body: three varints of 10, one of 3, head and crc.
pub(super) const FRAME_BYTES_MAX: usize = 40;

/// Fewest bytes of a frame: length, head and crc.
pub(super) const FRAME_BYTES_MIN: u64 = 6;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Something that changes the engine.
    Input,
    /// What the broker is to know after a restart although no input says it. It has a number of its own, as inputs
    /// have, so that whoever waits for it waits as for an input.
    Facts,
    /// The hash of what a batch of inputs put out; replay compares it.
    OutputsHash,
    /// What was seen and changes nothing: a consumer's acknowledgement, a refused message. Explanations of
    /// the past show it; a house that loses it has lost nothing.
    Observed,
}

/// A record that was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number, or the number of the record that it belongs to.
    pub no: InputNo,
    /// When it was taken.
    pub now: Now,
    /// What it is for.
    pub class: Class,
    /// Opaque bytes, at most [`BODY_BYTES_MAX`].
    pub body: Vec<u8>,
}

/// What the next frame follows: the record before, or the segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) no: InputNo,
    pub(super) now: Now,
    pub(super) crc: u32,
}

/// A record's parts but for its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) no: InputNo,
    pub(super) now: Now,
    pub(super) class: Class,
}

impl Meta {
    /// The last number that may stand before this record: what has no number of its own stands behind that of another.
    pub(super) fn before(self) -> InputNo {
        match self.class {
            Class::Input | Class::Facts => InputNo(self.no.0.saturating_sub(1)),
            Class::OutputsHash | Class::Observed => self.no,
        }
    }
}

/// What stands at a place in a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    /// A whole record; `bytes` is the frame's length.
    Whole {
        meta: Meta,
        body: &'a [u8],
        bytes: usize,
        chain: Chain,
    },
    /// The bytes end before the frame does; it needs this many.
    Short(usize),
    /// A zero: nothing was written here.
    Blank,
    /// Bytes that are no frame.
    Bad,
    /// A whole frame of a kind that this version does not know.
    Unknown,
}

impl Chain {
    /// Appends the frame of one record to `out` and returns what the next one follows.
    pub(super) fn encode(self, meta: Meta, body: &[u8], out: &mut Vec<u8>) -> Self {
        let is_aside = matches!(meta.class, Class::OutputsHash | Class::Observed);
        let same = is_aside && meta.no == self.no && meta.now == self.now;
        let mut moment = [0; 1 + 3 * VARINT_BYTES_MAX];
        moment[0] = class_bits(meta.class) | (u8::from(meta.now.synced) << 2);
        let mut used = 1;
        if same {
            moment[0] |= SAME;
        } else {
            used += put_varint(&mut moment[used..], meta.no.0);
            used += put_varint(&mut moment[used..], meta.now.at.0);
            used += put_varint(&mut moment[used..], zigzag(wall_less_at(meta.now)));
        }

        let start = out.len();
        let mut length = [0; VARINT_BYTES_MAX];
        let length_bytes = put_varint(&mut length, (used + body.len()) as u64);
        out.extend_from_slice(&length[..length_bytes]);
        out.extend_from_slice(&moment[..used]);
        out.extend_from_slice(body);
        let crc = crc_after(self.crc, &out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
        Self {
            no: meta.no,
            now: meta.now,
            crc,
        }
    }

    /// Reads the frame at the start of `bytes`.
    pub(super) fn decode(self, bytes: &[u8]) -> Frame<'_> {
        match bytes.first() {
            None => return Frame::Short(1),
            Some(0) => return Frame::Blank,
            Some(_) => {}
        }
        let (length, length_bytes) = match varint(bytes) {
            Varint::Whole(length, used) => (length, used),
            Varint::Short => return Frame::Short(bytes.len() + 1),
            Varint::Bad => return Frame::Bad,
        };
        let Some(length) = length_of(length) else {
            return Frame::Bad;
        };
        let end = length_bytes + length;
        let Some(stored) = bytes.get(end..end + CRC_BYTES) else {
            return Frame::Short(end + CRC_BYTES);
        };
        let crc = crc_after(self.crc, &bytes[..end]);
        if stored != crc.to_le_bytes() {
            return Frame::Bad;
        }
        let Some((meta, body)) = self.parts(&bytes[length_bytes..end]) else {
            return Frame::Unknown;
        };
        Frame::Whole {
            meta,
            body,
            bytes: end + CRC_BYTES,
            chain: Self {
                no: meta.no,
                now: meta.now,
                crc,
            },
        }
    }

    /// Whether `bytes`, found somewhere behind this, look like the start of a later record with a moment of
    /// its own. Cheap: spares the checksum of what a wrong length spans. Needs [`PROBE_BYTES`], or all there are.
    pub(super) fn may_be_followed_by(self, bytes: &[u8]) -> bool {
        let Varint::Whole(length, used) = varint(bytes) else {
            return false;
        };
        if length == 0 || length_of(length).is_none() {
            return false;
        }
        let payload = &bytes[used..];
        if payload.first().is_none_or(|head| head & SAME != 0) {
            return false;
        }
        self.parts(payload).is_some_and(|(meta, _)| {
            let ahead = meta.no.0.checked_sub(self.no.0);
            ahead.is_some_and(|ahead| ahead <= AHEAD_MAX) && meta.now.at >= self.now.at
        })
    }

    fn parts(self, payload: &[u8]) -> Option<(Meta, &[u8])> {
        let (&head, mut rest) = payload.split_first()?;
        let mut take = || match varint(rest) {
            Varint::Whole(value, used) => {
                rest = &rest[used..];
                Some(value)
            }
            Varint::Short | Varint::Bad => None,
        };
        let class = class_of(head & 0b11)?;
        let synced = head & 0b100 != 0;
        let (no, now) = match head & !0b111 {
            0 => {
                let no = InputNo(take()?);
                let at = Instant(take()?);
                (no, moment(at, unzigzag(take()?), synced))
            }
            SAME => (self.no, Now { synced, ..self.now }),
            _ => return None,
        };
        Some((Meta { no, now, class }, rest))
    }
}

const CRC_BYTES: usize = 4;
/// In the head: number and moment are those of the record before.
const SAME: u8 = 0b1000;
/// What [`Chain::may_be_followed_by`] looks at, at most: length, head and moment.
pub(super) const PROBE_BYTES: usize = 1 + 4 * VARINT_BYTES_MAX;
/// The most numbers that damage can span: far more than a segment holds.
const AHEAD_MAX: u64 = u32::MAX as u64;
/// 2026-01-01T00:00:00Z: walls are counted from here, which saves a byte.
const WALL_BASE: i64 = 1_767_225_600_000_000;
/// A `u64` in groups of seven bits.
const VARINT_BYTES_MAX: usize = 10;

fn crc_after(before: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(before);
    hasher.update(bytes);
    hasher.finalize()
}

/// What the length of a frame may be.
fn length_of(length: u64) -> Option<usize> {
    let length = usize::try_from(length).ok()?;
    (length <= BODY_BYTES_MAX + FRAME_BYTES_MAX).then_some(length)
}

/// Stays nearly the same over a run, since both clocks run alike.
fn wall_less_at(now: Now) -> i64 {
    let wall = now.wall.0.wrapping_sub(WALL_BASE);
    wall.wrapping_sub(now.at.0 as i64)
}

fn moment(at: Instant, wall_less_at: i64, synced: bool) -> Now {
    let wall = wall_less_at.wrapping_add(at.0 as i64);
    Now {
        at,
        wall: UnixTime(wall.wrapping_add(WALL_BASE)),
        synced,
    }
}

/// A version that does not know a class reads it as [`Frame::Unknown`].
fn class_bits(class: Class) -> u8 {
    match class {
        Class::Input => 0,
        Class::Facts => 1,
        Class::OutputsHash => 2,
        Class::Observed => 3,
    }
}

fn class_of(bits: u8) -> Option<Class> {
    match bits {
        0 => Some(Class::Input),
        1 => Some(Class::Facts),
        2 => Some(Class::OutputsHash),
        3 => Some(Class::Observed),
        _ => None,
    }
}

enum Varint {
    Whole(u64, usize),
    Short,
    Bad,
}

/// Little-endian groups of seven bits, the high bit set on all but the last (LEB128).
fn put_varint(out: &mut [u8], mut value: u64) -> usize {
    let mut used = 0;
    while value >= 0x80 {
        out[used] = value as u8 | 0x80;
        value >>= 7;
        used += 1;
    }
    out[used] = value as u8;
    used + 1
}

fn varint(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (ix, &byte) in bytes.iter().take(VARINT_BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * ix);
        if byte & 0x80 == 0 {
            return Varint::Whole(value, ix + 1);
        }
    }
    if bytes.len() < VARINT_BYTES_MAX {
        Varint::Short
    } else {
        Varint::Bad
    }
}

/// Small numbers of either sign become small numbers without one.
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    ((value >> 1) as i64) ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nows() -> impl Strategy<Value = Now> {
        (any::<u64>(), any::<i64>(), any::<bool>()).prop_map(|(at, wall, synced)| Now {
            at: Instant(at),
            wall: UnixTime(wall),
            synced,
        })
    }

    fn chains() -> impl Strategy<Value = Chain> {
        (any::<u64>(), nows(), any::<u32>()).prop_map(|(no, now, crc)| Chain {
            no: InputNo(no),
            now,
            crc,
        })
    }

    fn classes() -> impl Strategy<Value = Class> {
        prop_oneof![
            Just(Class::Input),
            Just(Class::Facts),
            Just(Class::OutputsHash),
            Just(Class::Observed)
        ]
    }

    #[test]
    fn a_record_with_a_head_of_a_newer_version_is_of_a_kind_that_is_not_known() {
        let chain = Chain {
            no: InputNo(0),
            now: Now::default(),
            crc: 7,
        };
        let meta = Meta {
            no: InputNo(1),
            now: Now::default(),
            class: Class::Input,
        };
        let mut bytes = Vec::new();
        chain.encode(meta, b"body", &mut bytes);
        let end = bytes.len() - CRC_BYTES;
        bytes[1] |= 0b1_0000;
        let crc = crc_after(chain.crc, &bytes[..end]);
        bytes[end..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(chain.decode(&bytes), Frame::Unknown);
    }

    proptest! {
        #[test]
        fn any_record_comes_back_after_any_other(
            chain in chains(), no: u64, now in nows(), same: bool, class in classes(),
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let meta = Meta {
                no: if same { chain.no } else { InputNo(no) },
                now: if same { chain.now } else { now },
                class,
            };
            let mut bytes = Vec::new();
            let next = chain.encode(meta, &body, &mut bytes);
            prop_assert!(bytes.len() <= body.len() + FRAME_BYTES_MAX);
            prop_assert_eq!(
                chain.decode(&bytes),
                Frame::Whole { meta, body: &body, bytes: bytes.len(), chain: next }
            );
            for cut in 0..bytes.len() {
                prop_assert!(matches!(chain.decode(&bytes[..cut]), Frame::Short(_)));
            }
            let alone = Chain { no: InputNo(0), now: Now::default(), crc: chain.crc };
            if meta.no.0 <= AHEAD_MAX && alone.may_be_followed_by(&bytes) {
                let found = matches!(alone.decode(&bytes), Frame::Whole { meta: found, .. } if found == meta);
                prop_assert!(found, "a record with a moment of its own needs no record before it");
            } else {
                prop_assert!(meta.no.0 > AHEAD_MAX || (same && !matches!(class, Class::Input | Class::Facts)));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            chain in chains(), bytes in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            chain.decode(&bytes);
            chain.parts(&bytes);
            chain.may_be_followed_by(&bytes);
        }
    }
}
