//! Walks a segment's records, and finds the next whole one behind damage.
//!
//! Called by [`super::Journal`] when it opens a folder and by the reader. Only reads. What the disk can't
//! read is treated like what it damaged; [`Cursor::trouble`] tells the difference.

use super::record::{Chain, Frame, Meta, PROBE_BYTES};
use super::segment::{HEADER_BYTES, HEADER_CRC_AT, Header};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// What is read at once.
const WINDOW_BYTES: usize = 64 * 1024;
/// After a failed read, reading goes on at the next multiple of this: what a disk loses, it loses in
/// pieces of at least so many bytes.
const PAGE_BYTES: u64 = 4_096;

/// Walks a segment's records, holding one window of it in memory.
#[derive(Debug)]
pub(super) struct Cursor<F = File> {
    file: F,
    window: Vec<u8>,
    /// Where in the window the next frame starts.
    start: usize,
    /// Where in the file that is.
    offset: u64,
    chain: Chain,
    /// Nothing whole stands before `offset`: only [`Cursor::resync`] goes on.
    is_lost: bool,
    trouble: Option<String>,
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
    /// Bytes that are no whole record, or that the disk can't read.
    Bad,
    /// A record of a kind that only a newer version knows.
    Unknown,
}

impl<F: FileExt> Cursor<F> {
    /// A cursor at the first record of `file`, whose header was read.
    pub(super) fn new(file: F, header: Header) -> Self {
        Self {
            file,
            window: Vec::new(),
            start: 0,
            offset: HEADER_BYTES as u64,
            chain: header.chain(),
            is_lost: false,
            trouble: None,
        }
    }

    /// A cursor in a file whose header is damaged; its records come after those of `before`.
    pub(super) fn behind_damaged_header(file: F, before: Chain) -> Self {
        Self {
            file,
            window: Vec::new(),
            start: 0,
            offset: HEADER_CRC_AT,
            chain: before,
            is_lost: true,
            trouble: None,
        }
    }

    /// Another one at the same place, of the same file opened again.
    pub(super) fn beside(&self, file: F) -> Self {
        Self {
            file,
            window: Vec::new(),
            start: 0,
            trouble: None,
            ..*self
        }
    }

    pub(super) fn file(&self) -> &F {
        &self.file
    }

    /// Where the next frame starts; after anything but a record, where the trouble starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// What the next frame follows.
    pub(super) fn chain(&self) -> Chain {
        self.chain
    }

    /// What the operating system said when it could not read, since this was asked last.
    pub(super) fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    pub(super) fn body(&self, range: Range<usize>) -> &[u8] {
        &self.window[range]
    }

    /// The next record that ends at or before `limit` (a place in the file).
    pub(super) fn step(&mut self, limit: u64) -> Step {
        if self.is_lost {
            return Step::Bad;
        }
        if self.offset >= limit {
            return Step::End;
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
                    return Step::Record(meta, body);
                }
                Frame::Short(needed) => {
                    if !self.fill(needed, limit) {
                        return Step::Bad;
                    }
                }
                Frame::Blank => return Step::Blank,
                Frame::Bad => return Step::Bad,
                Frame::Unknown => return Step::Unknown,
            }
        }
    }

    /// After [`Step::Blank`] or [`Step::Bad`]: goes to the next record that ends at or before `limit`, and
    /// says whether there is one; where not, the cursor stays.
    pub(super) fn resync(&mut self, limit: u64) -> bool {
        let from = self.offset;
        // A frame is seeded with the four bytes before it.
        let mut seed = 0_u32;
        let mut seed_bytes = 0;
        loop {
            let left = usize::try_from(limit.saturating_sub(self.offset)).unwrap_or(usize::MAX);
            let wanted = PROBE_BYTES.min(left);
            if self.window.len() - self.start < wanted && !self.fill(wanted, limit) {
                let page = (self.offset / PAGE_BYTES + 1) * PAGE_BYTES;
                if self.trouble.is_some() && self.window.is_empty() && page < limit {
                    self.offset = page;
                    seed_bytes = 0;
                    continue;
                }
            }
            let Some(byte) = self.window.get(self.start).copied() else {
                self.offset = from;
                self.window.clear();
                self.start = 0;
                self.is_lost = true;
                return false;
            };
            if seed_bytes >= size_of::<u32>() {
                let chain = Chain {
                    crc: seed,
                    ..self.chain
                };
                if chain.may_be_followed_by(&self.window[self.start..])
                    && self.is_whole(chain, limit)
                {
                    self.chain = chain;
                    self.is_lost = false;
                    return true;
                }
            }
            seed = (seed >> 8) | (u32::from(byte) << 24);
            seed_bytes += 1;
            self.start += 1;
            self.offset += 1;
        }
    }

    /// Goes to `limit` over everything that is damaged; says how many records it came by.
    pub(super) fn count_to(&mut self, limit: u64) -> u64 {
        let mut records = 0;
        loop {
            match self.step(limit) {
                Step::Record(..) => records += 1,
                Step::Blank | Step::Bad if self.resync(limit) => {}
                _ => return records,
            }
        }
    }

    fn is_whole(&mut self, chain: Chain, limit: u64) -> bool {
        loop {
            let needed = match chain.decode(&self.window[self.start..]) {
                Frame::Whole { .. } => return true,
                Frame::Short(needed) => needed,
                _ => return false,
            };
            if !self.fill(needed, limit) {
                return false;
            }
        }
    }

    /// Reads on until the window holds `needed` bytes of the next frame; false where `limit` or the
    /// file's end comes first, or the disk can't read.
    fn fill(&mut self, needed: usize, limit: u64) -> bool {
        self.window.drain(..self.start);
        self.start = 0;
        let room = usize::try_from(limit - self.offset).unwrap_or(usize::MAX);
        if needed > room {
            return false;
        }
        let mut have = self.window.len();
        self.window.resize(room.min(needed.max(WINDOW_BYTES)), 0);
        while have < self.window.len() {
            let at = self.offset + have as u64;
            match self.file.read_at(&mut self.window[have..], at) {
                Ok(0) => self.window.truncate(have),
                Ok(read) => have += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.window.truncate(have);
                    // What was asked for may be readable up to here.
                    if have < needed {
                        self.trouble = Some(error.to_string());
                    }
                }
            }
        }
        have >= needed
    }
}

/// Whether most bytes of a part of a file are zeros. What can't be read is none.
pub(super) fn is_mostly_zeros(file: &impl FileExt, start: u64, end: u64) -> bool {
    let mut zeros = 0;
    let mut window = vec![0; WINDOW_BYTES];
    let mut offset = start;
    while offset < end {
        let wanted =
            usize::try_from(end - offset).map_or(WINDOW_BYTES, |left| left.min(WINDOW_BYTES));
        let Ok(read @ 1..) = file.read_at(&mut window[..wanted], offset) else {
            break;
        };
        zeros += window[..read].iter().filter(|byte| **byte == 0).count() as u64;
        offset += read as u64;
    }
    zeros * 2 > end.saturating_sub(start)
}

/// How many bytes from `start` on hold anything: up to the last one that is not zero. What can't be read
/// counts as if it did.
pub(super) fn used_bytes(file: &impl FileExt, start: u64, end: u64) -> u64 {
    let mut used = 0;
    let mut offset = start;
    let mut window = vec![0; WINDOW_BYTES];
    while offset < end {
        let room = usize::try_from(end - offset).unwrap_or(usize::MAX);
        let wanted = room.min(WINDOW_BYTES);
        match file.read_at(&mut window[..wanted], offset) {
            Ok(0) => return used,
            Ok(read) => {
                if let Some(ix) = window[..read].iter().rposition(|byte| *byte != 0) {
                    used = offset + ix as u64 + 1 - start;
                }
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                offset = end.min((offset / PAGE_BYTES + 1) * PAGE_BYTES);
                used = offset - start;
            }
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Class;
    use types::{InputNo, Instant, Now, UnixTime};

    /// A file with one piece that the disk can't read.
    struct Failing {
        bytes: Vec<u8>,
        piece: Range<u64>,
    }

    impl FileExt for Failing {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.piece.contains(&offset) {
                return Err(io::Error::from_raw_os_error(5));
            }
            let mut end = (self.bytes.len() as u64).min(offset + buffer.len() as u64);
            if offset < self.piece.start {
                end = end.min(self.piece.start);
            }
            let Some(bytes) = self.bytes.get(offset as usize..end as usize) else {
                return Ok(0);
            };
            buffer[..bytes.len()].copy_from_slice(bytes);
            Ok(bytes.len())
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn meta(no: u64) -> Meta {
        let at = Instant(no * 1_000_000);
        let wall = UnixTime(1_790_000_000_000_000 + no as i64 * 1_000_000);
        let synced = true;
        Meta {
            no: InputNo(no),
            now: Now { at, wall, synced },
            class: Class::Input,
        }
    }

    const RECORDS: u64 = 500;

    fn header() -> Header {
        Header {
            first: InputNo(1),
            previous: InputNo(0),
            at: meta(1).now.at,
            wall: meta(1).now.wall,
        }
    }

    /// A segment and where each of its records ends.
    fn segment() -> (Vec<u8>, Vec<u64>) {
        let header = header();
        let mut bytes = header.encode().to_vec();
        let mut chain = header.chain();
        let mut ends = Vec::new();
        for no in 1..=RECORDS {
            chain = chain.encode(meta(no), &[no as u8; 60], &mut bytes);
            ends.push(bytes.len() as u64);
        }
        (bytes, ends)
    }

    fn numbers(cursor: &mut Cursor<Failing>, limit: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        loop {
            match cursor.step(limit) {
                Step::Record(read, body) => {
                    assert_eq!(read, meta(read.no.0));
                    assert_eq!(cursor.body(body), [read.no.0 as u8; 60]);
                    numbers.push(read.no.0);
                }
                Step::Blank | Step::Bad if cursor.resync(limit) => {}
                _ => return numbers,
            }
        }
    }

    #[test]
    fn what_the_disk_can_not_read_costs_what_stands_there_and_the_disk_is_quoted() {
        let (bytes, ends) = segment();
        for page in 0..bytes.len() as u64 / PAGE_BYTES {
            let piece = page * PAGE_BYTES..(page + 1) * PAGE_BYTES;
            let limit = bytes.len() as u64;
            let file = Failing {
                bytes: bytes.clone(),
                piece: piece.clone(),
            };
            let mut cursor = Cursor::new(file, header());
            let read = numbers(&mut cursor, limit);
            let trouble = cursor.trouble().expect("the disk said something");
            assert!(trouble.contains("os error 5"), "{trouble}");
            let is_hit = |no: &u64| {
                let ix = *no as usize - 1;
                let start = if ix == 0 { 48 } else { ends[ix - 1] };
                // The four bytes before a record are what it is known by after damage.
                start - 4 < piece.end && ends[ix] > piece.start
            };
            let expected: Vec<_> = (1..=RECORDS).filter(|no| !is_hit(no)).collect();
            assert_eq!(read, expected, "page {page}");
            let file = cursor.file();
            let used = used_bytes(file, piece.start, piece.end);
            assert_eq!(used, PAGE_BYTES, "what can't be read counts as used");
        }
    }

    #[test]
    fn a_frame_inside_a_body_is_not_taken_for_a_record_while_its_own_is_whole() {
        let header = header();
        let mut bytes = header.encode().to_vec();
        let mut inner = vec![1, 2, 3, 4];
        let seeded = Chain {
            crc: u32::from_le_bytes([1, 2, 3, 4]),
            ..header.chain()
        };
        seeded.encode(meta(7), b"a trap", &mut inner);
        let chain = header.chain().encode(meta(1), &inner, &mut bytes);
        chain.encode(meta(2), &inner, &mut bytes);
        let limit = bytes.len() as u64;
        let piece = limit..limit;
        let mut cursor = Cursor::new(Failing { bytes, piece }, header);
        assert_eq!(cursor.count_to(limit), 2);
        assert_eq!(cursor.chain().no, InputNo(2));
    }

    #[test]
    fn zeros_and_noise_hold_no_record() {
        let mut noise = header().encode().to_vec();
        let mut state = 1_u64;
        noise.extend((0..1 << 20).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        }));
        let zeros = vec![0; 100_000];
        for bytes in [noise, zeros] {
            let limit = bytes.len() as u64;
            let piece = limit..limit;
            let mut cursor = Cursor::new(Failing { bytes, piece }, header());
            assert_eq!(cursor.count_to(limit), 0);
            assert_eq!(
                cursor.offset(),
                HEADER_BYTES as u64,
                "it stays where it was"
            );
        }
    }
}
