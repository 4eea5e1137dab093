//! Reads the journal from any number on, also while the store thread appends to it.
//!
//! Called at restart (the tail after a snapshot) and by whatever looks into the past; each reader
//! belongs to one thread, holds one file and one window of 64 KiB (or one record, if that is
//! larger). It never reads past what was written whole. Must not write.

use super::cursor::{Cursor, Step, is_mostly_zeros};
use super::damage::{Damage, Gap, GapCause};
use super::record::{Chain, Meta, Record};
use super::segment::{HEADER_CRC_AT, Header, Sequence};
use crate::regular;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use types::InputNo;

/// What readers may see: shared between the journal and all its readers.
#[derive(Clone, Debug, Default)]
pub struct JournalView {
    segments: Arc<Mutex<Vec<Segment>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) sequence: Sequence,
    pub(super) path: PathBuf,
    /// Its copy in memory, where it is worked on in one: the file may hold less then.
    pub(super) copy: Option<PathBuf>,
    /// As it stands there; as its records say where it is damaged.
    pub(super) header: Header,
    pub(super) has_header: bool,
    /// Where its last whole record ends.
    pub(super) end: u64,
}

impl Segment {
    /// Opens it where all of it is. A copy that is gone was put on the disk before.
    pub(super) fn open(&self) -> io::Result<File> {
        match &self.copy {
            Some(copy) => regular::open(copy).or_else(|_| regular::open(&self.path)),
            None => regular::open(&self.path),
        }
    }

    /// A cursor at its start. Without a header the first step is [`Step::Bad`], and `before` is what was
    /// read last.
    pub(super) fn cursor(&self, file: File, before: InputNo) -> Cursor {
        let chain = self.header.chain();
        if self.has_header {
            Cursor::new(file, self.header)
        } else {
            let no = before.min(chain.no);
            Cursor::behind_damaged_header(file, Chain { no, ..chain })
        }
    }
}

impl JournalView {
    /// A reader of the records with this number and later ones.
    #[must_use]
    pub fn reader(&self, from: InputNo) -> JournalReader {
        JournalReader {
            view: self.clone(),
            from: from.max(InputNo(1)),
            open: None,
            found: None,
            last: InputNo(0),
            passed: Vec::new(),
            done: false,
        }
    }

    /// The number before the oldest record that is kept: any snapshot from here on can be read
    /// forward to the present. 0 for a journal from the first input on; `None` without records.
    #[must_use]
    pub fn before_oldest(&self) -> Option<InputNo> {
        self.segments().first().map(|s| s.header.previous)
    }

    /// The bytes that records and headers take.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments().iter().map(|s| s.end).sum()
    }

    /// Never held across a file operation.
    pub(super) fn segments(&self) -> MutexGuard<'_, Vec<Segment>> {
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Yields records in order. At the end of what is written it yields `None`, and goes on when more
/// was written. Where inputs can't be read it yields [`ReadError::Gap`] and then goes on behind them: whoever
/// takes records only passes a gap knowingly. After any other error it yields nothing more.
#[derive(Debug)]
pub struct JournalReader {
    view: JournalView,
    from: InputNo,
    open: Option<Open>,
    /// The record behind a gap, yielded after it.
    found: Option<Record>,
    /// The number of the last record; whatever is below has been read or was lost.
    last: InputNo,
    passed: Vec<Gap>,
    done: bool,
}

#[derive(Debug)]
struct Open {
    segment: Segment,
    cursor: Cursor,
    /// The segment after this one; once there is one, this one does not grow any more.
    next: Option<Segment>,
}

impl Iterator for JournalReader {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.read() {
            Ok(record) => record.map(Ok),
            Err(error) => {
                if !matches!(error, ReadError::Gap(_)) {
                    self.done = true;
                    self.open = None;
                }
                Some(Err(error))
            }
        }
    }
}

impl JournalReader {
    /// Gaps before the first wanted record that were met on the way to it; they were not yielded.
    #[must_use]
    pub fn passed(&self) -> &[Gap] {
        &self.passed
    }

    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            if let Some(record) = self.found.take() {
                return Ok(Some(record));
            }
            let Some(open) = &mut self.open else {
                match self.start()? {
                    true => continue,
                    false => return Ok(None),
                }
            };
            if open.cursor.offset() >= open.segment.end {
                open.look_again(&self.view)?;
            }
            match open.cursor.step(open.segment.end) {
                // A segment that was copied to another name would give its records twice.
                Step::Record(meta, _) if meta.no < self.from.max(self.last) => {}
                Step::Record(meta, body) => {
                    self.last = meta.no;
                    return Ok(Some(record(meta, open.cursor.body(body))));
                }
                Step::End if open.next.is_none() => return Ok(None),
                Step::End => self.follow()?,
                step @ (Step::Blank | Step::Bad) => {
                    if open.look_again(&self.view)? {
                        continue;
                    }
                    // A power cut can take back that a full segment was cut to its length.
                    if step == Step::Blank && open.is_complete() {
                        self.follow()?;
                    } else {
                        self.cross()?;
                    }
                }
                Step::Unknown => {
                    return Err(ReadError::Newer {
                        file: open.segment.path.clone(),
                        offset: open.cursor.offset(),
                    });
                }
            }
        }
    }

    /// Opens the newest segment that can hold the first wanted record: all older ones end before it.
    fn start(&mut self) -> Result<bool, ReadError> {
        let segments = self.view.segments();
        let before = segments
            .iter()
            .rfind(|segment| segment.header.previous < self.from);
        let Some(segment) = before.or(segments.first()).cloned() else {
            return Ok(false);
        };
        drop(segments);
        let previous = segment.header.previous;
        let is_late = segment.has_header && previous >= self.from;
        let gap = Gap {
            from: self.from,
            until: Some(previous.next()),
            cause: GapCause::Missing {
                before: segment.path.clone(),
            },
        };
        self.open = Some(Open::new(segment, InputNo(self.from.0 - 1))?);
        if is_late {
            self.report(gap)?;
        }
        Ok(true)
    }

    /// Goes to the next segment.
    fn follow(&mut self) -> Result<(), ReadError> {
        let Some(open) = &self.open else {
            return Ok(());
        };
        let Some(next) = open.next.clone() else {
            return Ok(());
        };
        let before = open.cursor.chain().no;
        // Without a header, what is missing is said when its first record was found.
        let is_complete = open.is_complete() || !next.has_header;
        let gap = Gap {
            from: before.next(),
            until: Some(next.header.previous.next()),
            cause: GapCause::Missing {
                before: next.path.clone(),
            },
        };
        self.open = Some(Open::new(next, before)?);
        if is_complete {
            Ok(())
        } else {
            self.report(gap)
        }
    }

    /// Goes to the next whole record behind damage, in this segment or in the next one.
    fn cross(&mut self) -> Result<(), ReadError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let (offset, end) = (open.cursor.offset(), open.segment.end);
        let before = open.cursor.chain().no;
        let offset = if offset <= HEADER_CRC_AT { 0 } else { offset };
        let mut damage = Damage {
            file: open.segment.path.clone(),
            offset,
            bytes: end.saturating_sub(offset),
            behind: 0,
            is_unwritten: false,
            trouble: None,
            set_aside: None,
        };
        let mut until = None;
        if open.cursor.resync(end) {
            let found = open.cursor.offset();
            damage.bytes = found - offset;
            damage.is_unwritten = is_mostly_zeros(open.cursor.file(), offset, found);
            damage.trouble = open.cursor.trouble();
            damage.behind = open.count_rest()?;
            if let Step::Record(meta, body) = open.cursor.step(end) {
                until = Some(meta.before().next());
                if meta.no >= self.from.max(self.last) {
                    self.last = meta.no;
                    self.found = Some(record(meta, open.cursor.body(body)));
                }
            }
        } else {
            damage.is_unwritten = is_mostly_zeros(open.cursor.file(), offset, end);
            damage.trouble = open.cursor.trouble();
            match open.next.clone() {
                Some(next) => {
                    until = Some(next.header.previous.next());
                    self.open = Some(Open::new(next, before)?);
                }
                None => self.done = true,
            }
        }
        self.report(Gap {
            from: before.next(),
            until,
            cause: GapCause::Damage(Box::new(damage)),
        })
    }

    /// Yields a gap, unless all of it is before what is wanted.
    fn report(&mut self, gap: Gap) -> Result<(), ReadError> {
        if gap.until.is_some_and(|until| until <= self.from) {
            self.passed.push(gap);
            return Ok(());
        }
        Err(ReadError::Gap(gap))
    }
}

fn record(meta: Meta, body: &[u8]) -> Record {
    Record {
        no: meta.no,
        now: meta.now,
        class: meta.class,
        body: body.to_vec(),
    }
}

impl Open {
    fn new(segment: Segment, before: InputNo) -> Result<Self, ReadError> {
        match segment.open() {
            Ok(file) => Ok(Self {
                cursor: segment.cursor(file, before),
                segment,
                next: None,
            }),
            Err(source) => Err(ReadError::Io {
                file: segment.path,
                source,
            }),
        }
    }

    /// Learns where the segment ends by now and which one follows; whether it is read from another file from now on,
    /// because the copy in memory is not worked on any more.
    fn look_again(&mut self, view: &JournalView) -> Result<bool, ReadError> {
        let segments = view.segments();
        let listed = segments
            .iter()
            .find(|segment| segment.sequence == self.segment.sequence)
            .cloned();
        self.next = segments
            .iter()
            .find(|segment| segment.sequence > self.segment.sequence)
            .cloned();
        drop(segments);
        let Some(listed) = listed else {
            // Retention dropped it while it was being read; the open file still has all of it.
            let metadata = self.cursor.file().metadata();
            self.segment.end = metadata.map_err(|source| self.io(source))?.len();
            return Ok(false);
        };
        self.segment.end = listed.end;
        if listed.copy == self.segment.copy {
            return Ok(false);
        }
        self.segment.copy = listed.copy;
        // Where it was dropped since, the open copy has all that was written to it.
        let Ok(file) = self.segment.open() else {
            return Ok(false);
        };
        self.cursor = self.cursor.beside(file);
        Ok(true)
    }

    /// Whether the next segment says that it follows the last record read.
    fn is_complete(&self) -> bool {
        self.next
            .as_ref()
            .is_some_and(|next| next.header.previous == self.cursor.chain().no)
    }

    /// How many records stand from the cursor on.
    fn count_rest(&self) -> Result<u64, ReadError> {
        let file = self.segment.open().map_err(|source| self.io(source))?;
        Ok(self.cursor.beside(file).count_to(self.segment.end))
    }

    fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io {
            file: self.segment.path.clone(),
            source,
        }
    }
}

/// Why the journal can't be read on.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// Inputs that can't be read; reading goes on behind them.
    Gap(Gap),
    /// A newer version wrote this record.
    Newer {
        /// The segment.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
    },
    /// The operating system can't read the file.
    Io {
        /// The segment.
        file: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => gap.fmt(f),
            Self::Newer { file, offset } => write!(
                f,
                "{} holds a record of a newer iot-control at byte {offset}; start that version, or restore a backup made before the upgrade",
                file.display()
            ),
            Self::Io { file, .. } => write!(f, "can't read {}", file.display()),
        }
    }
}

impl std::error::Error for ReadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}
