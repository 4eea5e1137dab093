//! The journal: every input of the house, in order, in append-only segment files.
//!
//! Owned by the store thread; opened once at start. Bodies are opaque. Must not know SQLite, the
//! queue or what an input means.
//!
//! A new segment gets its full length at once (`set_len`): the file's size then stays the same over
//! thousands of appends, so that an fsync writes data and not the inode's size each time. The length
//! is sparse, so a disk that fills up says so at a write, where it is handled, and a nearly full one
//! still takes what fits. A segment that is done is cut to what it holds. Zeros mean "nothing yet".
//!
//! Where there is a folder in memory that outlives the process, the newest segment is worked on there (`journal/memory.rs`) and
//! comes to the disk at each sync. What an append promises is the same: it survives the end of the process. That a disk
//! is full is noticed with a sync, and appends are refused from then on until one succeeds.

mod active;
mod batch;
mod cursor;
mod damage;
mod end;
mod lost;
mod memory;
mod open;
mod reader;
mod record;
mod segment;

pub use batch::{Batch, Durability, Refused};
pub use damage::{Damage, Gap, GapCause, TornTail};
pub use end::CutOff;
pub use lost::{Begun, Lost};
pub(crate) use memory::{files, leads_to_memory};
pub use open::{Found, JournalError, Unopened};
pub use reader::{JournalReader, JournalView, ReadError};
pub use record::{BODY_BYTES_MAX, Class, Record};

use crate::disk::Disk;
use active::Active;
use end::{End, Note};
use reader::Segment;
use record::{Chain, FRAME_BYTES_MAX, Meta};
use segment::{HEADER_BYTES, Header, Sequence};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use types::{InputNo, Instant};

/// Whether a file of this name in the journal's folder is one of these.
pub(crate) fn is_file_of_journal(name: &str) -> bool {
    name == end::NAME || segment::is_of_segment(name)
}

/// How long inputs are kept: the house at any moment that is not older can be looked at. A segment goes
/// when no such moment needs it or the journal is too large, but never one that a restart needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Segments whose last record is older than this go, once a later snapshot is as old.
    pub age_max: Duration,
    /// The oldest segments go until all take at most this.
    pub bytes_max: u64,
}

/// 30 days and 512 MiB: at 20,000 events of 110 bytes a day, hashes of outputs included, 30 days are 66 MB.
impl Default for Retention {
    fn default() -> Self {
        Self {
            age_max: Duration::from_secs(30 * 24 * 3600),
            bytes_max: 512 << 20,
        }
    }
}

/// Which records stay whatever [`Retention`] says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// A restart needs the records from here on: they always stay.
    pub restart: InputNo,
    /// A moment that is not too old needs them: they go only where there is no room.
    pub past: InputNo,
}

/// The open journal; see [`Journal::open`].
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    segment_bytes: u64,
    view: JournalView,
    active: Option<Active>,
    next_sequence: Sequence,
    last: InputNo,
    last_at: Instant,
    /// The last record that stands in the segments.
    end: Option<End>,
    /// The last one before the newest write, and where that one began in the newest segment.
    before: Option<(End, u64)>,
    notes: Note,
    /// When the end was noted last, in this run.
    noted_at: Option<Instant>,
    /// Where new segments are worked on in memory.
    memory: Option<PathBuf>,
    /// Reused by every append.
    buffer: Vec<u8>,
}

/// What retention dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// How many segments.
    pub segments: u32,
    /// Their bytes.
    pub bytes: u64,
}

/// An append that stopped; the journal is as whole as before, and the same call can be repeated.
#[derive(Debug)]
pub struct AppendError {
    /// How many records of the batches are written by now; pass it as `skip` next time.
    pub written: usize,
    /// What the operating system says.
    pub source: io::Error,
}

impl fmt::Display for AppendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("can't write to the journal")
    }
}

impl std::error::Error for AppendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Journal {
    /// The number of the last record; 0 without records.
    #[must_use]
    pub fn last(&self) -> InputNo {
        self.last
    }

    /// When the last record was taken; what ages are counted from.
    #[must_use]
    pub fn last_at(&self) -> Instant {
        self.last_at
    }

    /// The segment that is written, once it holds a record.
    #[must_use]
    pub fn begun(&self) -> Option<Begun> {
        let active = self.active.as_ref()?;
        if active.end == HEADER_BYTES as u64 {
            return None;
        }
        let newest = self.view.segments().last().cloned()?;
        Some(Begun {
            sequence: newest.sequence.0,
            first: newest.header.first,
        })
    }

    /// Goes on behind a segment that is lost: neither its name nor a number that may have stood in it is used
    /// again.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn skip_lost(&mut self, begun: Begun) -> io::Result<()> {
        let sequence = Sequence(begun.sequence);
        self.next_sequence = self.next_sequence.max(sequence.next());
        let records_max = self.segment_bytes / record::FRAME_BYTES_MIN;
        self.skip_to(InputNo(begun.first.0.saturating_add(records_max)))
    }

    /// Makes readers; can be cloned and sent to other threads.
    #[must_use]
    pub fn view(&self) -> &JournalView {
        &self.view
    }

    /// Appends the batches' records but for the first `skip`, all that fit a segment with one
    /// write(2), to the disk's file or to its copy in memory. They survive the end of the process then, and a power
    /// cut after [`Self::sync`].
    ///
    /// # Errors
    /// [`AppendError`] says how far it came; readers see exactly what came so far. In memory, after a sync that failed,
    /// what the disk says to the next one.
    pub fn append(&mut self, batches: &[Batch], skip: usize) -> Result<InputNo, AppendError> {
        let mut written = skip;
        let mut records = batches
            .iter()
            .flat_map(Batch::records)
            .skip(skip)
            .peekable();
        while let Some((first, _)) = records.peek().copied() {
            let fail = |source| AppendError { written, source };
            self.expect_disk().map_err(fail)?;
            if !self.has_room(first, records.peek().map_or(0, |(_, body)| body.len())) {
                self.roll(first).map_err(fail)?;
            }
            let Some(active) = &mut self.active else {
                continue;
            };
            self.buffer.clear();
            let mut chain = active.chain;
            let mut count = 0;
            while let Some((meta, body)) = records.next_if(|(_, body)| {
                let end = active.end + (self.buffer.len() + frame_bytes(body.len())) as u64;
                count == 0 || end <= self.segment_bytes
            }) {
                chain = chain.encode(meta, body, &mut self.buffer);
                count += 1;
            }
            self.write(chain).map_err(fail)?;
            written += count;
        }
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        Ok(self.last)
    }

    /// Writes what is in the buffer, whose last frame leaves `chain`.
    fn write(&mut self, chain: Chain) -> io::Result<()> {
        self.check()?;
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let mut written = active.write(&self.buffer);
        if written.is_err() && active.copy().is_some() {
            // Memory is full; the disk is there.
            self.leave_memory()?;
            written = self
                .active
                .as_ref()
                .map_or(Ok(()), |active| active.write(&self.buffer));
        }
        written?;
        if let Some(active) = &mut self.active {
            self.before = self.end.map(|end| (end, active.end));
            active.advance(self.buffer.len(), chain);
            if let Some(segment) = self.view.segments().last_mut() {
                segment.end = active.end;
            }
        }
        self.last = chain.no;
        self.last_at = chain.now.at;
        self.end = Some(End {
            no: chain.no,
            wall: chain.now.wall,
        });
        Ok(())
    }

    /// In memory an append always succeeds: where the last sync failed, another one has to succeed before anything
    /// more is taken, or a disk that is full for days would be noticed by nobody.
    fn expect_disk(&mut self) -> io::Result<()> {
        match &self.active {
            Some(active) if active.is_suspect() && active.copy().is_some() => self.sync(),
            _ => Ok(()),
        }
    }

    /// Looks whether what was appended is still there. A copy in memory that is not, is left.
    ///
    /// # Errors
    /// It is not, or what the operating system says.
    pub fn check(&mut self) -> io::Result<()> {
        let Some(active) = &self.active else {
            return Ok(());
        };
        active.check()?;
        if active.copy_stands() {
            return Ok(());
        }
        self.leave_memory()
    }

    /// Puts on the disk what was appended.
    ///
    /// # Errors
    /// What the operating system says. Repeating the call writes the data again first, because a
    /// kernel that failed to write a page may forget that it has to.
    pub fn sync(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        active.sync()?;
        if self.is_note_due() {
            self.note_end();
        }
        Ok(())
    }

    /// Puts the pages on the disk that are full, where they are in memory only: none of them is written again. Gives the
    /// last record before the newest append where that is on the disk by this, with all before it.
    ///
    /// # Errors
    /// As [`Self::sync`].
    pub fn sync_full_pages(&mut self) -> io::Result<Option<InputNo>> {
        let Some(active) = &mut self.active else {
            return Ok(None);
        };
        let full = active.sync_full_pages()?;
        let known = self.before.zip(full);
        let Some(((end, _), _)) = known.filter(|((_, begin), full)| begin <= full) else {
            return Ok(None);
        };
        if self.is_note_due() {
            self.note(end);
        }
        Ok(Some(end.no))
    }

    fn is_note_due(&self) -> bool {
        let since = self.noted_at.map(|noted| self.last_at.since(noted));
        since.is_none_or(|since| since >= NOTE_EVERY)
    }

    /// Ends orderly: all is on the disk, its end is noted, and nothing is left in memory.
    ///
    /// # Errors
    /// As [`Self::sync`]; what is in memory stays there then.
    pub fn close(&mut self) -> io::Result<()> {
        self.sync()?;
        self.note_end();
        self.leave_memory()
    }

    /// Notes the last record, so that a cut of the newest segment is told with its number; what is synced is noted by
    /// itself, but only every half hour.
    pub fn note_end(&mut self) {
        if let Some(end) = self.end {
            self.note(end);
        }
    }

    fn note(&mut self, end: End) {
        self.notes.set(&self.folder, end);
        self.noted_at = Some(self.last_at);
    }

    /// Has the newest segment worked on in `memory`, a folder in memory that outlives this process; `None`: nowhere
    /// but on the disk. What a process before left in another one comes to the disk. To be called before the first
    /// append.
    ///
    /// # Errors
    /// The folder can't be used, or the disk does not take what was in another one. All goes on as it was, and no
    /// segment comes to `memory`.
    pub fn work_in(&mut self, memory: Option<&Path>) -> io::Result<()> {
        let copy = self.active.as_ref().and_then(Active::copy);
        if copy.is_some_and(|copy| copy.parent() != memory) {
            self.leave_memory()?;
        }
        memory::note(&self.folder, memory)?;
        let Some(memory) = memory else {
            return Ok(());
        };
        self.memory = Some(memory.to_owned());
        let made = self.make_copy();
        if made.is_err() {
            self.memory = None;
        }
        let copy = self.active.as_ref().and_then(Active::copy);
        memory::sweep(memory, &self.folder, copy, &*self.disk);
        made
    }

    /// Works on the newest segment in memory, where that is wished and not so yet.
    fn make_copy(&mut self) -> io::Result<()> {
        let (Some(memory), Some(active)) = (&self.memory, &mut self.active) else {
            return Ok(());
        };
        if active.copy().is_none() {
            let path = memory::path_of(memory, &self.folder, active.path())?;
            active.make_copy(&*self.disk, path)?;
            self.list_copy();
        }
        Ok(())
    }

    fn leave_memory(&mut self) -> io::Result<()> {
        if let Some(active) = &mut self.active {
            active.leave_copy(&*self.disk)?;
            self.list_copy();
        }
        Ok(())
    }

    /// Tells readers where the newest segment is to be read.
    fn list_copy(&self) {
        let copy = self.active.as_ref().and_then(Active::copy);
        if let Some(segment) = self.view.segments().last_mut() {
            segment.copy = copy.map(Path::to_owned);
        }
    }

    /// Drops the oldest segments that `retention` allows to go, as of `now`, but for what is in `keep`. The
    /// newest segment stays.
    ///
    /// # Errors
    /// What the operating system says; what was dropped by then is gone.
    pub fn retain(
        &mut self,
        retention: Retention,
        now: Instant,
        keep: Keep,
    ) -> io::Result<Dropped> {
        let mut dropped = Dropped::default();
        loop {
            let next_at = self.view.segments().get(1).map(|next| next.header.at);
            let old = next_at.is_some_and(|at| now.since(at) > retention.age_max);
            let one = if self.view.bytes() > retention.bytes_max {
                self.drop_oldest(keep.restart)?
            } else if old {
                self.drop_oldest(keep.restart.min(keep.past))?
            } else {
                return Ok(dropped);
            };
            if one.segments == 0 {
                return Ok(dropped);
            }
            dropped.segments += one.segments;
            dropped.bytes += one.bytes;
        }
    }

    /// Drops the oldest segment, if all its records are before `keep_from` and it is not the newest.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn drop_oldest(&mut self, keep_from: InputNo) -> io::Result<Dropped> {
        let oldest = match self.view.segments().as_slice() {
            [oldest, next, ..] if next.header.previous < keep_from => oldest.clone(),
            _ => return Ok(Dropped::default()),
        };
        match self.disk.remove(&oldest.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.view.segments().remove(0),
        };
        for aside in [
            oldest.sequence.torn_path(&self.folder),
            oldest.sequence.damaged_path(&self.folder),
        ] {
            if aside.exists() {
                self.disk.remove(&aside)?;
            }
        }
        Ok(Dropped {
            segments: 1,
            bytes: oldest.end,
        })
    }

    /// Goes on after `no` although the journal ends before it: a snapshot holds what is between.
    /// The next record starts a segment that says so, and reading across the gap is an error.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn skip_to(&mut self, no: InputNo) -> io::Result<()> {
        if no > self.last {
            self.seal()?;
            self.last = no;
        }
        Ok(())
    }

    fn has_room(&self, meta: Meta, body_bytes: usize) -> bool {
        let Some(active) = &self.active else {
            return false;
        };
        debug_assert!(meta.no >= active.chain.no, "numbers never go back");
        // A record that is larger than a whole segment gets one of its own.
        active.end == HEADER_BYTES as u64
            || active.end + frame_bytes(body_bytes) as u64 <= self.segment_bytes
    }

    /// Ends the written segment and starts the next one, whose first record will be `first`.
    fn roll(&mut self, first: Meta) -> io::Result<()> {
        self.seal()?;
        let sequence = self.next_sequence;
        let path = sequence.path(&self.folder);
        let header = Header {
            first: first.no,
            previous: self.last,
            at: first.now.at,
            wall: first.now.wall,
        };
        let file = self.disk.create(&path)?;
        let start = || {
            file.set_len(self.segment_bytes)?;
            file.write_all_at(&header.encode(), 0)?;
            file.sync()?;
            self.disk.sync_folder(&self.folder)
        };
        if let Err(error) = start() {
            // The name is used again by the next try; until then an empty file only takes space.
            let _ = self.disk.remove(&path);
            return Err(error);
        }
        self.view.segments().push(Segment {
            sequence,
            path: path.clone(),
            header,
            copy: None,
            has_header: true,
            end: HEADER_BYTES as u64,
        });
        self.active = Some(Active::new(file, path, HEADER_BYTES as u64, header.chain()));
        self.next_sequence = sequence.next();
        // Where memory has no room, there is the disk.
        let _ = self.make_copy();
        Ok(())
    }

    /// Ends the written segment: all of it on the disk, cut to what it holds.
    fn seal(&mut self) -> io::Result<()> {
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        active.set_len(active.end)?;
        active.sync()?;
        self.leave_memory()?;
        self.active = None;
        Ok(())
    }
}

/// A note costs a page of the disk: at each sync it would be as much as all records together.
const NOTE_EVERY: Duration = Duration::from_secs(30 * 60);

/// Encoding memory that is kept between appends.
const BUFFER_BYTES_KEPT: usize = 256 * 1024;

fn frame_bytes(body_bytes: usize) -> usize {
    body_bytes + FRAME_BYTES_MAX
}
