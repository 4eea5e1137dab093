//! Opening a journal's folder: which segments are there, where the last one ends, what is damaged.
//!
//! Called once at start. Cuts a torn tail, copies what is damaged; never changes anything else. Nothing
//! that is merely damaged stops a start.

use super::cursor::{Cursor, Step, is_mostly_zeros, used_bytes};
use super::damage::{Damage, TornTail};
use super::end::{CutOff, End, Note};
use super::memory::{self, Copy};
use super::reader::{JournalView, Segment};
use super::record::{Chain, FRAME_BYTES_MIN};
use super::segment::{HEADER_BYTES, Header, HeaderError, Sequence};
use super::{Active, Journal};
use crate::disk::{Disk, DiskFile};
use crate::folder::how_to_mend;
use crate::regular;
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
    /// Damage of headers and of the newest segment. That of older segments is found by who reads them.
    pub damaged: Vec<Damage>,
    /// When the last record was taken.
    pub last_now: Option<Now>,
    /// Segments that the disk did not open, which are told as damaged too. Nothing of them was listed.
    pub unopened: Vec<Unopened>,
}

/// A segment that is there and that the operating system did not open.
#[derive(Debug)]
pub struct Unopened {
    /// The segment.
    pub file: PathBuf,
    /// What the operating system says.
    pub source: io::Error,
    /// The last input that can be in it; `None`: any later one may be.
    pub until: Option<InputNo>,
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
    /// The operating system does not open a segment that holds what no snapshot has. To start without it would be to go
    /// on as if that had never been, also once the disk reads again.
    Unopened {
        /// The segment.
        file: PathBuf,
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
            Self::Io { path, source } => write!(
                f,
                "can't open the journal at {}{}",
                path.display(),
                how_to_mend(source)
            ),
            Self::Unopened { file, .. } => write!(
                f,
                "can't open the journal at {}, which holds what no snapshot has; it is tried again at the next start. Check the disk; where it \
                 never opens this file again move it away: then the house goes on with what came before",
                file.display()
            ),
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
            Self::Io { source, .. } | Self::Unopened { source, .. } => Some(source),
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
            end: None,
            before: None,
            notes: Note::default(),
            noted_at: None,
            memory: None,
            buffer: Vec::new(),
        };
        let mut found = Found::default();
        for &sequence in &sequences {
            journal.list(sequence, Some(&sequence) == sequences.last(), &mut found)?;
        }
        for unopened in &mut found.unopened {
            let segments = journal.view.segments();
            let next = segments.iter().find(|it| it.path > unopened.file);
            unopened.until = next.map(|next| next.header.previous);
        }
        let last = journal.view.segments().last().cloned();
        let unlisted = sequences
            .last()
            .filter(|newest| **newest < journal.next_sequence)
            .filter(|newest| last.as_ref().is_none_or(|last| last.sequence < **newest))
            .map(|newest| newest.path(folder))
            .filter(|newest| newest.is_file());
        if let Some(last) = last {
            journal.resume(&last, unlisted.is_none(), &mut found)?;
        }
        if let Some(torn) = &mut found.torn {
            torn.after = journal.last;
        }
        if let Some(newest) = unlisted {
            // Which numbers are in it is unknown. None of them must be used again.
            let bytes = newest.metadata().map_or(0, |metadata| metadata.len());
            journal.last = numbers_behind(journal.last, bytes);
        }
        Ok((journal, found))
    }

    /// Inputs that were written and are at the end of this journal no more, as long as nothing was appended. The
    /// house starts from a snapshot of input `covered`.
    #[must_use]
    pub fn cut_off(&self, covered: InputNo) -> Option<CutOff> {
        let end = End::read(&self.folder).filter(|end| end.no > self.last)?;
        let newest = self.view.segments().last().map(|last| last.path.clone());
        Some(CutOff {
            file: newest.unwrap_or_else(|| self.folder.clone()),
            after: self.last,
            until: end.no,
            until_wall: end.wall,
            covered,
        })
    }

    /// Reads one segment's header and lists it, unless nothing of the segment can be read.
    fn list(
        &mut self,
        sequence: Sequence,
        is_newest: bool,
        found: &mut Found,
    ) -> Result<(), JournalError> {
        let path = sequence.path(&self.folder);
        let io = io_at(&path);
        let (file, end) = match open_file(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(io(error)),
            Err(source) => {
                found.damaged.push(Damage {
                    file: path.clone(),
                    offset: 0,
                    bytes: 0,
                    behind: 0,
                    is_unwritten: false,
                    trouble: Some(source.to_string()),
                    set_aside: None,
                });
                // What is no file at all never gets one.
                if source.raw_os_error().is_some() {
                    found.unopened.push(Unopened {
                        file: path,
                        source,
                        until: None,
                    });
                }
                return Ok(());
            }
        };
        let mut bytes = [0; HEADER_BYTES];
        let read = file.read_exact_at(&mut bytes, 0);
        match read.map_or(Err(HeaderError::Bad), |()| Header::decode(&bytes)) {
            Ok(header) => self.view.segments().push(Segment {
                sequence,
                path,
                copy: None,
                header,
                has_header: true,
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
                if is_newest && used_bytes(&file, HEADER_BYTES as u64, end) == 0 =>
            {
                let bytes = used_bytes(&file, 0, end);
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
            Err(HeaderError::Bad) => self.list_without_header(sequence, file, end, found),
        }
        Ok(())
    }

    /// Records tell number and time by themselves: a header that is lost costs nothing but itself.
    fn list_without_header(&mut self, sequence: Sequence, file: File, end: u64, found: &mut Found) {
        let path = sequence.path(&self.folder);
        let before = match self.view.segments().last() {
            Some(last) => last.header.chain(),
            None => Chain {
                no: InputNo(0),
                now: Now::default(),
                crc: 0,
            },
        };
        let used = used_bytes(&file, 0, end);
        let mut cursor = Cursor::behind_damaged_header(file, before);
        let bytes = if cursor.resync(end) {
            cursor.offset()
        } else {
            used
        };
        let first = cursor.step(end);
        let behind = cursor.count_to(end) + u64::from(matches!(first, Step::Record(..)));
        found.damaged.push(Damage {
            offset: 0,
            bytes,
            behind,
            is_unwritten: is_mostly_zeros(cursor.file(), 0, bytes),
            trouble: cursor.trouble(),
            set_aside: self.set_aside(&path).ok(),
            file: path.clone(),
        });
        if let Step::Record(meta, _) = first {
            self.view.segments().push(Segment {
                sequence,
                path,
                copy: None,
                header: Header {
                    first: meta.no,
                    previous: meta.before(),
                    at: meta.now.at,
                    wall: meta.now.wall,
                },
                has_header: false,
                end,
            });
        }
    }

    /// Finds the end of the last segment and cuts what is behind it. Goes on writing there, or in its copy in memory, if
    /// it is the newest and whole.
    fn resume(
        &mut self,
        last: &Segment,
        is_newest: bool,
        found: &mut Found,
    ) -> Result<(), JournalError> {
        let io = io_at(&last.path);
        let copy = self.copy_of(last);
        let last = &copy.as_ref().map_or(last.clone(), |(copy, _)| copy.clone());
        let file = last.open().map_err(&io)?;
        let mut cursor = last.cursor(file, last.header.previous);
        let mut now = cursor.chain().now;
        // Damage, and how many records came before it.
        let mut damaged: Vec<(Damage, u64)> = Vec::new();
        let mut records = 0;
        let mut unread_bytes = 0;
        let torn_bytes = loop {
            match cursor.step(last.end) {
                Step::Record(meta, _) => {
                    now = meta.now;
                    records += 1;
                }
                Step::Unknown => {
                    return Err(JournalError::Newer {
                        file: last.path.clone(),
                        what: format!("a new kind of record at byte {}", cursor.offset()),
                    });
                }
                Step::End => break 0,
                Step::Blank | Step::Bad => {
                    let offset = cursor.offset();
                    let used = used_bytes(cursor.file(), offset, last.end);
                    let goes_on = cursor.resync(offset + used);
                    let trouble = cursor.trouble();
                    if !goes_on && trouble.is_none() {
                        break used;
                    }
                    let until = if goes_on {
                        cursor.offset()
                    } else {
                        offset + used
                    };
                    // That of a header was said when it was listed.
                    if records > 0 || last.has_header {
                        let damage = Damage {
                            file: last.path.clone(),
                            offset,
                            bytes: until - offset,
                            behind: 0,
                            is_unwritten: is_mostly_zeros(cursor.file(), offset, until),
                            trouble,
                            set_aside: None,
                        };
                        damaged.push((damage, records));
                    }
                    if !goes_on {
                        unread_bytes = used;
                        break 0;
                    }
                }
            }
        };
        let end = cursor.offset();
        let last_read = cursor.chain().no;
        // Which numbers are in what can't be read is unknown. None of them must be used again.
        self.last = match unread_bytes {
            0 => last_read,
            bytes => numbers_behind(last_read, bytes),
        };
        self.last_at = now.at;
        self.end = (records > 0).then_some(End {
            no: last_read,
            wall: now.wall,
        });
        found.last_now = Some(now);
        if let Some(listed) = self.view.segments().last_mut() {
            listed.end = end;
            listed.copy.clone_from(&last.copy);
        }
        let is_whole = damaged.is_empty() && last.has_header;
        if !damaged.is_empty() {
            let copy = self.set_aside(&last.path).ok();
            found
                .damaged
                .extend(damaged.into_iter().map(|(damage, before)| Damage {
                    behind: records - before,
                    set_aside: copy.clone(),
                    ..damage
                }));
        }

        let file = self.disk.open(&last.path).map_err(&io)?;
        if torn_bytes > 0 {
            found.torn = Some(TornTail {
                file: last.path.clone(),
                offset: end,
                bytes: torn_bytes,
                after: self.last,
                set_aside: self.set_aside_torn(last, &cursor, torn_bytes).ok(),
            });
        }
        // What the disk does not read now it may read later.
        if torn_bytes > 0 || (!is_whole && unread_bytes == 0) {
            file.set_len(end).map_err(&io)?;
            file.sync().map_err(&io)?;
        }
        // What may be a failing place of the disk is written no more.
        if is_newest && is_whole {
            // Where the disk does not take it, appends get longer one by one.
            let _ = file.set_len(self.segment_bytes.max(end));
            let active = Active::new(file, last.path.clone(), end, cursor.chain());
            // What the process before left to the kernel may not be on the disk yet.
            let active = active.synced_until(HEADER_BYTES as u64);
            self.active = Some(match copy {
                Some((segment, read)) => self.with_copy(active, segment, read).map_err(&io)?,
                None => active,
            });
        }
        Ok(())
    }

    fn with_copy(&self, active: Active, segment: Segment, read: File) -> io::Result<Active> {
        let path = segment.copy.unwrap_or(segment.path);
        let copy = Copy::open(&*self.disk, path, read, active.end)?;
        active.with_copy(copy)
    }

    /// The copy of the newest segment in memory, as a segment, and its file: where there is one that is whole and goes at
    /// least as far as the segment itself.
    fn copy_of(&self, newest: &Segment) -> Option<(Segment, File)> {
        if !newest.has_header {
            return None;
        }
        let (path, file) = memory::find(&self.folder, &newest.path, newest.header)?;
        let bytes = file.metadata().ok()?.len();
        let segment = Segment {
            copy: Some(path),
            end: bytes,
            ..newest.clone()
        };
        let mut cursor = Cursor::new(segment.open().ok()?, newest.header);
        while let Step::Record(..) = cursor.step(bytes) {}
        let whole = cursor.offset();
        let mut own = Cursor::new(regular::open(&newest.path).ok()?, newest.header);
        own.count_to(newest.end);
        (!cursor.resync(bytes) && own.offset() <= whole).then_some((segment, file))
    }

    /// Copies the torn bytes to a file of their own: should it be damage and no torn write, what
    /// lies behind it is not lost.
    fn set_aside_torn(&self, last: &Segment, cursor: &Cursor, bytes: u64) -> io::Result<PathBuf> {
        let path = last.sequence.torn_path(&self.folder);
        let mut torn = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
        cursor.file().read_exact_at(&mut torn, cursor.offset())?;
        self.disk.create(&path)?.write_all_at(&torn, 0)?;
        Ok(path)
    }

    /// Copies a segment that is damaged, once: a disk that fails may not read it again. The copy goes with
    /// the segment.
    ///
    /// # Errors
    /// `file` is no segment, or the disk refuses.
    pub fn set_aside(&self, file: &Path) -> io::Result<PathBuf> {
        let sequence = Sequence::of(file).ok_or(io::ErrorKind::InvalidInput)?;
        let path = sequence.damaged_path(&self.folder);
        let (from, bytes) = open_file(file)?;
        if path.metadata().is_ok_and(|copy| copy.len() == bytes) {
            return Ok(path);
        }
        let copied = self.disk.create(&path).and_then(|copy| {
            copy_readable(&from, bytes, &*copy)?;
            copy.set_len(bytes)?;
            copy.sync()
        });
        match copied {
            // Whoever only looks has a disk that keeps nothing.
            Ok(()) if path.exists() => Ok(path),
            Ok(()) => Err(io::ErrorKind::NotFound.into()),
            Err(error) => {
                // Half a copy would be taken for a whole one.
                let _ = self.disk.remove(&path);
                Err(error)
            }
        }
    }
}

/// The last number that so many bytes behind `last` can hold.
fn numbers_behind(last: InputNo, bytes: u64) -> InputNo {
    InputNo(last.0 + bytes / FRAME_BYTES_MIN + 1)
}

/// No segment is longer: what stands behind it is none of ours, and looking through the terabytes that a sparse
/// file claims to have would take days.
const BYTES_MAX: u64 = 64 << 20;

/// Opens what must be a regular file; gives its length too, as far as it can be a segment's.
pub(super) fn open_file(path: &Path) -> io::Result<(File, u64)> {
    let file = regular::open(path)?;
    let bytes = file.metadata()?.len();
    Ok((file, bytes.min(BYTES_MAX)))
}

/// Copies what can be read; the rest stays zeros.
fn copy_readable(from: &File, bytes: u64, to: &dyn DiskFile) -> io::Result<()> {
    let mut piece = vec![0; COPY_BYTES];
    let mut offset = 0;
    while offset < bytes {
        match from.read_at(&mut piece, offset) {
            Ok(0) => break,
            Ok(read) => {
                to.write_all_at(&piece[..read], offset)?;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => offset += COPY_BYTES as u64,
        }
    }
    Ok(())
}

/// What is copied at once: a page.
const COPY_BYTES: usize = 4_096;

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
