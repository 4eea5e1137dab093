//! One segment file: its name, its header, and a cursor that walks its records.
//!
//! Called by [`super::Journal`] when it opens a folder and by the reader. Only reads.
//!
//! A header is 48 bytes: magic, format (u32), first number (u64), the number before it (u64), `at`
//! and wall of the first record (u64, i64), CRC-32 of all that; integers little endian. The number
//! before it ties a segment to the one before: a segment that is missing is found.

use super::record::{Chain, Frame, Meta};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use types::{InputNo, Instant, UnixTime};

/// The format that this version writes, and the only one so far.
pub(super) const FORMAT: u32 = 1;
pub(super) const HEADER_BYTES: usize = 48;
const MAGIC: [u8; 8] = *b"iotjrnl\0";
/// What the cursor reads at once.
const WINDOW_BYTES: usize = 64 * 1024;

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

    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".journal")?;
        name.parse().ok().map(Self)
    }

    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }
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

    /// What the segment's first record is relative to.
    pub(super) fn chain(self) -> Chain {
        Chain {
            no: self.previous,
            at: self.at,
            wall: self.wall,
            crc: crc32fast::hash(&self.encode()),
        }
    }
}

fn field<const N: usize>(bytes: &[u8], start: usize) -> [u8; N] {
    let mut field = [0; N];
    field.copy_from_slice(&bytes[start..start + N]);
    field
}

/// Walks a segment's records, holding one window of it in memory.
#[derive(Debug)]
pub(super) struct Cursor {
    file: File,
    window: Vec<u8>,
    /// Where in the window the next frame starts.
    start: usize,
    /// Where in the file that is.
    offset: u64,
    chain: Chain,
}

/// What the cursor came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A record; its body stands in this part of the window until the next call.
    Record(Meta, Range<usize>),
    /// Exactly the limit.
    End,
    /// Zeros: nothing was written here.
    Blank,
    /// Bytes that are no whole record.
    Bad,
    /// A record of a kind that only a newer version knows.
    Unknown,
}

impl Cursor {
    /// A cursor at the first record of `file`, whose header was read.
    pub(super) fn new(file: File, header: Header) -> Self {
        Self {
            file,
            window: Vec::new(),
            start: 0,
            offset: HEADER_BYTES as u64,
            chain: header.chain(),
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Where the next frame starts; after anything but a record, where the trouble starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next frame is relative to.
    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    pub(super) fn body(&self, range: Range<usize>) -> &[u8] {
        &self.window[range]
    }

    /// The next record that ends at or before `limit` (a place in the file).
    pub(super) fn step(&mut self, limit: u64) -> io::Result<Step> {
        if self.offset >= limit {
            return Ok(Step::End);
        }
        loop {
            match self.chain.decode(&self.window[self.start..]) {
                Frame::Whole {
                    meta,
                    body,
                    bytes,
                    chain,
                } => {
                    let end = self.start + bytes - size_of::<u32>();
                    let body = end - body.len()..end;
                    self.start += bytes;
                    self.offset += bytes as u64;
                    self.chain = chain;
                    return Ok(Step::Record(meta, body));
                }
                Frame::Short(needed) => {
                    if !self.fill(needed, limit)? {
                        return Ok(Step::Bad);
                    }
                }
                Frame::Blank => return Ok(Step::Blank),
                Frame::Bad => return Ok(Step::Bad),
                Frame::Unknown => return Ok(Step::Unknown),
            }
        }
    }

    /// Reads on until the window holds `needed` bytes of the next frame; false where `limit` or the
    /// file's end comes first.
    fn fill(&mut self, needed: usize, limit: u64) -> io::Result<bool> {
        self.window.drain(..self.start);
        self.start = 0;
        let room = usize::try_from(limit - self.offset).unwrap_or(usize::MAX);
        if needed > room {
            return Ok(false);
        }
        let mut have = self.window.len();
        self.window.resize(room.min(needed.max(WINDOW_BYTES)), 0);
        while have < self.window.len() {
            let read = match self
                .file
                .read_at(&mut self.window[have..], self.offset + have as u64)
            {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.window.truncate(have);
                    return Err(error);
                }
            };
            if read == 0 {
                self.window.truncate(have);
            }
            have += read;
        }
        Ok(have >= needed)
    }
}

/// How many bytes from `start` on hold anything: up to the last one that is not zero.
pub(super) fn used_bytes(file: &File, start: u64) -> io::Result<u64> {
    let mut used = 0;
    let mut offset = start;
    let mut window = vec![0; WINDOW_BYTES];
    loop {
        let read = match file.read_at(&mut window, offset) {
            Ok(0) => return Ok(used),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(ix) = window[..read].iter().rposition(|byte| *byte != 0) {
            used = offset + ix as u64 + 1 - start;
        }
        offset += read as u64;
    }
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
