//! One segment file: its name and its header.
//!
//! Called by [`super::Journal`] and the reader. Only reads. Its records are walked by [`super::cursor`].
//!
//! A header is 48 bytes: magic, format (u32), first number (u64), the number before it (u64), `at`
//! and wall of the first record (u64, i64), CRC-32 of all that; integers little endian. The number
//! before it ties a segment to the one before: a segment that is missing is found.

use super::record::Chain;
use std::path::{Path, PathBuf};
use types::{InputNo, Instant, Now, UnixTime};

/// The format that this version writes, and the only one so far.
pub(super) const FORMAT: u32 = 1;
pub(super) const HEADER_BYTES: usize = 48;
/// Where the header's checksum stands, which the first record's is seeded with.
pub(super) const HEADER_CRC_AT: u64 = 44;
const MAGIC: [u8; 8] = *b"iotjrnl\0";
/// Far above what a house writes in a thousand years; a file named beyond it is not ours.
const SEQUENCE_MAX: u32 = u32::MAX - 0xFFFF;

/// Which segment of the journal: counts up from 1 and is the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sequence(pub(super) u32);

impl Sequence {
    pub(super) fn path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{:08}.journal", self.0))
    }

    /// Where what was cut off this segment is set aside.
    pub(super) fn torn_path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{:08}.torn", self.0))
    }

    /// Where a copy of this segment is set aside when it turns out to be damaged.
    pub(super) fn damaged_path(self, folder: &Path) -> PathBuf {
        folder.join(format!("{:08}.damaged", self.0))
    }

    /// The segment of this name, exactly as [`Self::path`] spells it.
    pub(super) fn of(path: &Path) -> Option<Self> {
        Self::of_name(path.file_name()?.to_str()?, "journal")
    }

    /// The segment whose file of this kind (`journal`, `torn`) has this name, exactly as we spell it.
    fn of_name(name: &str, ending: &str) -> Option<Self> {
        let number = name.strip_suffix(ending)?.strip_suffix('.')?.parse().ok()?;
        let named_so = format!("{number:08}.{ending}") == name;
        (named_so && number <= SEQUENCE_MAX).then_some(Self(number))
    }

    pub(super) fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// Whether a file of this name in the journal's folder is a segment, or what was set aside of one.
pub(super) fn is_of_segment(name: &str) -> bool {
    let mut endings = ["journal", "torn", "damaged"].into_iter();
    endings.any(|ending| Sequence::of_name(name, ending).is_some())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The number of its first record.
    pub(super) first: InputNo,
    /// The number of the last record before it; everything up to here is in older segments.
    pub(super) previous: InputNo,
    /// When its first record was taken.
    pub(super) at: Instant,
    pub(super) wall: UnixTime,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum HeaderError {
    /// Not a header of ours, or damaged.
    Bad,
    /// A header of a newer format.
    Format(u32),
}

impl Header {
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.previous.0.to_le_bytes());
        bytes[28..36].copy_from_slice(&self.at.0.to_le_bytes());
        bytes[36..44].copy_from_slice(&self.wall.0.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..44]);
        bytes[44..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn crc(self) -> u32 {
        u32::from_le_bytes(field(&self.encode(), 44))
    }

    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderError> {
        let (rest, crc) = bytes.split_at(44);
        if rest[..8] != MAGIC || crc32fast::hash(rest).to_le_bytes() != *crc {
            return Err(HeaderError::Bad);
        }
        let format = u32::from_le_bytes(field(rest, 8));
        if format != FORMAT {
            return Err(HeaderError::Format(format));
        }
        Ok(Self {
            first: InputNo(u64::from_le_bytes(field(rest, 12))),
            previous: InputNo(u64::from_le_bytes(field(rest, 20))),
            at: Instant(u64::from_le_bytes(field(rest, 28))),
            wall: UnixTime(i64::from_le_bytes(field(rest, 36))),
        })
    }

    /// What the segment's first record follows.
    pub(super) fn chain(self) -> Chain {
        Chain {
            no: self.previous,
            now: Now {
                at: self.at,
                wall: self.wall,
                synced: false,
            },
            crc: self.crc(),
        }
    }
}

pub(super) fn field<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[start..start + N]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flipped_bit_in_a_header_is_found_and_a_newer_format_is_named() {
        let header = Header {
            first: InputNo(7),
            previous: InputNo(6),
            at: Instant(3),
            wall: UnixTime(-4),
        };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), Err(HeaderError::Bad));
        }
        let mut newer = bytes;
        newer[8] = 2;
        let crc = crc32fast::hash(&newer[..44]);
        newer[44..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&newer), Err(HeaderError::Format(2)));
    }
}
