//! Opening a journal's folder: which segments are there, where the last one ends, what is damaged.
//!
//! Called once at start. Cuts a torn tail; never changes anything else.

use super::reader::{JournalView, Segment};
use super::segment::{Cursor, HEADER_BYTES, Header, HeaderError, Sequence, Step, used_bytes};
use super::{Active, Journal};
use crate::disk::Disk;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use types::{InputNo, Instant, Now};

/// What opening a journal found out.
#[derive(Debug, Default)]
pub struct Found {
    /// The end of the last segment that was no whole record, and was cut.
    pub torn: Option<TornTail>,
    /// Segments that can't be read; they are left as they are.
    pub damaged: Vec<Damage>,
    /// When the last record was taken.
    pub last_now: Option<Now>,
}

/// Bytes after the last whole record: a write that a crash or a power cut stopped, or damage there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment that was cut.
    pub file: PathBuf,
    /// Where, in bytes; 0 where no record was in it, and the file was removed.
    pub offset: u64,
    /// How many bytes were cut, up to the last one that was not zero.
    pub bytes: u64,
    /// The last number that is whole.
    pub after: InputNo,
    /// Where the bytes were put aside, unless the disk refused.
    pub set_aside: Option<PathBuf>,
}

impl fmt::Display for TornTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            offset,
            bytes,
            after,
            ..
        } = self;
        write!(
            f,
            "cut {bytes} bytes of an unfinished write from {} at byte {offset}; the last input is {after}",
            file.display()
        )
    }
}

/// A segment whose header can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The segment.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, offset } = self;
        write!(
            f,
            "{} is damaged at byte {offset}; its inputs can't be read; move it away once you have no use for it",
            file.display()
        )
    }
}

/// Why a journal can't be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalError {
    /// The operating system refuses.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// A newer version wrote it.
    Newer {
        /// The segment.
        file: PathBuf,
        /// The format or record at fault, in words.
        what: String,
    },
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, .. } => write!(f, "can't open the journal at {}", path.display()),
            Self::Newer { file, what } => write!(
                f,
                "{} was written by a newer iot-control ({what}); start that version, or restore a backup made before the upgrade",
                file.display()
            ),
        }
    }
}

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Newer { .. } => None,
        }
    }
}

impl Journal {
    /// Opens the journal in `folder`, which exists, and cuts a torn tail. New segments get
    /// `segment_bytes`.
    ///
    /// # Errors
    /// Where files can't be read or cut, or are of a newer version. Damage is no error: it is
    /// reported, and readers that come to it say so.
    pub fn open(
        folder: &Path,
        segment_bytes: u64,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Found), JournalError> {
        let sequences = sequences(folder).map_err(io_at(folder))?;
        let mut journal = Self {
            folder: folder.to_owned(),
            disk,
            segment_bytes,
            view: JournalView::default(),
            active: None,
            next_sequence: sequences.last().map_or(Sequence(1), |last| last.next()),
            last: InputNo(0),
            last_at: Instant::default(),
            buffer: Vec::new(),
        };
        let mut found = Found::default();
        for &sequence in &sequences {
            journal.list(sequence, Some(&sequence) == sequences.last(), &mut found)?;
        }
        let last = journal.view.segments().last().cloned();
        if let Some(last) = last {
            // A damaged newer file keeps its name; then this one is finished and the next is new.
            let is_newest = last.sequence.next() == journal.next_sequence;
            journal.resume(&last, is_newest, &mut found)?;
        }
        if let Some(torn) = &mut found.torn {
            torn.after = journal.last;
        }
        Ok((journal, found))
    }

    /// Reads one segment's header and lists it.
    fn list(
        &mut self,
        sequence: Sequence,
        is_newest: bool,
        found: &mut Found,
    ) -> Result<(), JournalError> {
        let path = sequence.path(&self.folder);
        let io = io_at(&path);
        let file = File::open(&path).map_err(&io)?;
        let end = file.metadata().map_err(&io)?.len();
        let mut bytes = [0; HEADER_BYTES];
        let header = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Header::decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(HeaderError::Bad),
            Err(error) => return Err(io(error)),
        };
        match header {
            Ok(header) => self.view.segments().push(Segment {
                sequence,
                path,
                header,
                end,
            }),
            Err(HeaderError::Format(format)) => {
                return Err(JournalError::Newer {
                    file: path,
                    what: format!(
                        "journal format {format}, this one reads {}",
                        super::segment::FORMAT
                    ),
                });
            }
            // The header is on the disk before the first record is written: without anything
            // behind it, the crash came while the segment was made.
            Err(HeaderError::Bad)
                if is_newest && used_bytes(&file, HEADER_BYTES as u64).map_err(&io)? == 0 =>
            {
                let bytes = used_bytes(&file, 0).map_err(&io)?;
                self.disk.remove(&path).map_err(&io)?;
                self.next_sequence = sequence;
                if bytes > 0 {
                    found.torn = Some(TornTail {
                        file: path,
                        offset: 0,
                        bytes,
                        after: InputNo(0),
                        set_aside: None,
                    });
                }
            }
            Err(HeaderError::Bad) => found.damaged.push(Damage {
                file: path,
                offset: 0,
            }),
        }
        Ok(())
    }

    /// Finds the end of the last segment, cuts what is behind it and makes it the written one.
    fn resume(
        &mut self,
        last: &Segment,
        is_newest: bool,
        found: &mut Found,
    ) -> Result<(), JournalError> {
        let io = io_at(&last.path);
        let mut cursor = Cursor::new(File::open(&last.path).map_err(&io)?, last.header);
        let mut now = Now {
            at: last.header.at,
            wall: last.header.wall,
            synced: false,
        };
        loop {
            match cursor.step(last.end).map_err(&io)? {
                Step::Record(meta, _) => now = meta.now,
                Step::Unknown => {
                    return Err(JournalError::Newer {
                        file: last.path.clone(),
                        what: format!("a new kind of record at byte {}", cursor.offset()),
                    });
                }
                Step::End | Step::Blank | Step::Bad => break,
            }
        }
        let end = cursor.offset();
        self.last = cursor.chain().no;
        self.last_at = now.at;
        found.last_now = Some(now);
        if let Some(listed) = self.view.segments().last_mut() {
            listed.end = end;
        }

        let torn_bytes = used_bytes(cursor.file(), end).map_err(&io)?;
        let file = self.disk.open(&last.path).map_err(&io)?;
        if torn_bytes > 0 {
            found.torn = Some(TornTail {
                file: last.path.clone(),
                offset: end,
                bytes: torn_bytes,
                after: self.last,
                set_aside: self.set_aside(last, &cursor, torn_bytes).ok(),
            });
            file.set_len(end).map_err(&io)?;
            file.sync().map_err(&io)?;
        }
        if is_newest {
            file.set_len(self.segment_bytes.max(end)).map_err(&io)?;
            let mut active = Active::new(file, last.path.clone(), end, cursor.chain());
            // What the process before left to the kernel may not be on the disk yet.
            active.synced = HEADER_BYTES as u64;
            self.active = Some(active);
        }
        Ok(())
    }

    /// Copies the torn bytes to a file of their own: should it be damage and no torn write, what
    /// lies behind it is not lost.
    fn set_aside(&self, last: &Segment, cursor: &Cursor, bytes: u64) -> io::Result<PathBuf> {
        let path = last.sequence.torn_path(&self.folder);
        let mut torn = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        cursor.file().read_exact_at(&mut torn, cursor.offset())?;
        self.disk.create(&path)?.write_all_at(&torn, 0)?;
        Ok(path)
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> JournalError + use<> {
    let path = path.to_owned();
    move |source| JournalError::Io {
        path: path.clone(),
        source,
    }
}

/// The segments of a folder, oldest first.
fn sequences(folder: &Path) -> io::Result<Vec<Sequence>> {
    let mut sequences = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        sequences.extend(Sequence::of(&entry?.path()));
    }
    sequences.sort_unstable();
    Ok(sequences)
}
