//! Reads the journal from any number on, also while the store thread appends to it.
//!
//! Called at restart (the tail after a snapshot) and by whatever looks into the past; each reader
//! belongs to one thread, holds one file and one window of 64 KiB (or one record, if that is
//! larger). It never reads past what was written whole. Must not write.

use super::record::Record;
use super::segment::{Cursor, Header, Sequence, Step};
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
    pub(super) header: Header,
    /// Where its last whole record ends.
    pub(super) end: u64,
}

impl JournalView {
    /// A reader of the records with this number and later ones.
    #[must_use]
    pub fn reader(&self, from: InputNo) -> JournalReader {
        JournalReader {
            view: self.clone(),
            from: from.max(InputNo(1)),
            open: None,
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
/// was written. After an error it yields nothing more: what follows the damage is read by a new
/// reader, so that nobody skips it unknowingly.
#[derive(Debug)]
pub struct JournalReader {
    view: JournalView,
    from: InputNo,
    open: Option<Open>,
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
                self.done = true;
                self.open = None;
                Some(Err(error))
            }
        }
    }
}

impl JournalReader {
    fn read(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            let Some(open) = &mut self.open else {
                match self.start()? {
                    Some(segment) => self.open = Some(Open::new(segment)?),
                    None => return Ok(None),
                }
                continue;
            };
            if open.cursor.offset() >= open.segment.end {
                open.look_again(&self.view)?;
            }
            let step = open.cursor.step(open.segment.end);
            match step.map_err(|source| open.io(source))? {
                Step::Record(meta, _) if meta.no < self.from => {}
                Step::Record(meta, body) => {
                    return Ok(Some(Record {
                        no: meta.no,
                        now: meta.now,
                        class: meta.class,
                        body: open.cursor.body(body).to_vec(),
                    }));
                }
                Step::End if open.next.is_none() => return Ok(None),
                Step::End => self.open = Some(open.follow()?),
                step @ (Step::Blank | Step::Bad) => {
                    open.look_again(&self.view)?;
                    // A power cut can take back that a full segment was cut to its length.
                    if step == Step::Bad || !open.is_complete() {
                        return Err(open.corrupt());
                    }
                    self.open = Some(open.follow()?);
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

    /// The newest segment that can hold the first wanted record: all older ones end before it.
    fn start(&self) -> Result<Option<Segment>, ReadError> {
        let segments = self.view.segments();
        let start = segments
            .iter()
            .rfind(|segment| segment.header.previous < self.from);
        match (start, segments.first()) {
            (Some(segment), _) => Ok(Some(segment.clone())),
            (None, Some(oldest)) => Err(ReadError::Missing {
                from: self.from,
                found: oldest.header.first,
                file: oldest.path.clone(),
            }),
            (None, None) => Ok(None),
        }
    }
}

impl Open {
    fn new(segment: Segment) -> Result<Self, ReadError> {
        match File::open(&segment.path) {
            Ok(file) => Ok(Self {
                cursor: Cursor::new(file, segment.header),
                segment,
                next: None,
            }),
            Err(source) => Err(ReadError::Io {
                file: segment.path,
                source,
            }),
        }
    }

    /// Learns where the segment ends by now and which one follows.
    fn look_again(&mut self, view: &JournalView) -> Result<(), ReadError> {
        let segments = view.segments();
        let listed = segments
            .iter()
            .find(|segment| segment.sequence == self.segment.sequence);
        let end = listed.map(|segment| segment.end);
        self.next = segments
            .iter()
            .find(|segment| segment.sequence > self.segment.sequence)
            .cloned();
        drop(segments);
        self.segment.end = match end {
            Some(end) => end,
            // Retention dropped it while it was being read; the open file still has all of it.
            None => match self.cursor.file().metadata() {
                Ok(metadata) => metadata.len(),
                Err(source) => return Err(self.io(source)),
            },
        };
        Ok(())
    }

    /// Whether the next segment says that it follows the last record read.
    fn is_complete(&self) -> bool {
        self.next
            .as_ref()
            .is_some_and(|next| next.header.previous == self.cursor.chain().no)
    }

    fn follow(&self) -> Result<Self, ReadError> {
        match &self.next {
            Some(next) if self.is_complete() => Self::new(next.clone()),
            Some(next) => Err(ReadError::Missing {
                from: self.cursor.chain().no.next(),
                found: next.header.first,
                file: next.path.clone(),
            }),
            None => Err(self.corrupt()),
        }
    }

    fn corrupt(&self) -> ReadError {
        ReadError::Corrupt {
            file: self.segment.path.clone(),
            offset: self.cursor.offset(),
            after: self.cursor.chain().no,
            resume: self.next.as_ref().map(|next| next.header.first),
        }
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
    /// Bytes in the middle of a segment are no record: the disk damaged them.
    Corrupt {
        /// The segment.
        file: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// The last number that was read whole.
        after: InputNo,
        /// A reader from this number reads what follows the segment.
        resume: Option<InputNo>,
    },
    /// Records are not there: retention dropped them, or a file was lost.
    Missing {
        /// The first number that is missing.
        from: InputNo,
        /// The next one that is there.
        found: InputNo,
        /// Where that one stands.
        file: PathBuf,
    },
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
            Self::Corrupt {
                file,
                offset,
                after,
                resume,
            } => {
                write!(
                    f,
                    "{} is damaged at byte {offset}, after input {after}",
                    file.display()
                )?;
                match resume {
                    Some(no) => write!(f, "; whole inputs follow from {no}"),
                    None => Ok(()),
                }
            }
            Self::Missing { from, found, file } => write!(
                f,
                "the journal has no inputs from {from} on; it goes on with {found} in {}",
                file.display()
            ),
            Self::Newer { file, offset } => write!(
                f,
                "{} holds a record of a newer iot-control at byte {offset}; start that version",
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
