//! The last input that was written, noted beside the segments: of a segment that was cut nothing else tells what
//! stood behind the cut.
//!
//! Written by [`super::Journal`] with the first sync of a run, every half hour with one, where people change something,
//! and at an orderly end: each note costs a page of the disk, which at every sync was a third of all that was written.
//! So a cut that takes only what came after the last note goes unnoticed, and of one that takes more the last minutes
//! are not in the numbers. It has no fsync of its own: where a power cut takes the note, less is known, and nothing
//! wrong. Read once at start. A journal without the note is as good as any.

use super::segment::field;
use crate::regular;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use types::{InputNo, UnixTime};

/// The file's name in the journal's folder.
pub(super) const NAME: &str = "end";
/// Number (u64), wall time in microseconds (i64) and CRC-32 of both; integers little endian.
const BYTES: usize = 20;

/// An input that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) no: InputNo,
    pub(super) wall: UnixTime,
}

impl End {
    /// What was noted in `folder`; `None` where nothing readable was.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let file = regular::open(&folder.join(NAME)).ok()?;
        let mut bytes = [0; BYTES];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let end = Self {
            no: InputNo(u64::from_le_bytes(field(&bytes, 0))),
            wall: UnixTime(i64::from_le_bytes(field(&bytes, 8))),
        };
        (end.encode() == bytes).then_some(end)
    }

    fn encode(self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(&self.no.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.wall.0.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..16]);
        bytes[16..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }
}

/// Where the end is noted; opened with the first note, so that who only reads a journal leaves nothing.
#[derive(Debug, Default)]
pub(super) struct Note(Option<File>);

impl Note {
    /// Notes the end. What the disk refuses costs only what could be told after a loss.
    pub(super) fn set(&mut self, folder: &Path, end: End) {
        if self.write(folder, end).is_err() {
            self.0 = None;
        }
    }

    fn write(&mut self, folder: &Path, end: End) -> io::Result<()> {
        let file = match &self.0 {
            Some(file) => file,
            None => {
                let options = &mut OpenOptions::new();
                options.write(true).create(true).truncate(false).mode(0o600);
                self.0
                    .insert(regular::open_with(&folder.join(NAME), options)?)
            }
        };
        file.write_all_at(&end.encode(), 0)
    }
}

/// Inputs that were written behind what is the journal's end now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutOff {
    /// The segment that ends too early.
    pub file: PathBuf,
    /// The last input that is there.
    pub after: InputNo,
    /// The last that was noted as written; what came within half an hour behind it is not known.
    pub until: InputNo,
    /// When that one came.
    pub until_wall: UnixTime,
    /// The last input that the snapshot holds from which the house starts.
    pub covered: InputNo,
}

impl CutOff {
    /// The first input that neither the journal nor the snapshot has; `None`: the snapshot has them all.
    #[must_use]
    pub fn lost_from(&self) -> Option<InputNo> {
        let first = self.after.max(self.covered).next();
        (first <= self.until).then_some(first)
    }
}

/// Without the time, which only who knows the house's place can word.
impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, after, until) = (self.file.display(), self.after, self.until);
        write!(
            f,
            "{file} ends behind input {after}, and inputs up to {until} were written: "
        )?;
        match self.lost_from() {
            Some(first) => write!(
                f,
                "{} lost, and what came in the half hour behind. Look whether lights and timers are as they should be; \
                 check the disk, or what cut the file",
                these(first, until)
            ),
            None => write!(
                f,
                "{} gone, and the snapshot of input {} holds what came of them. Check the disk, or what cut the file",
                these(after.next(), until),
                self.covered
            ),
        }
    }
}

fn these(first: InputNo, last: InputNo) -> String {
    if first == last {
        format!("input {last} is")
    } else {
        format!("inputs {first} to {last} are")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_note_is_read_as_it_was_written_and_damage_is_no_note() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(End::read(folder.path()), None);
        let mut note = Note::default();
        let end = |no| End {
            no: InputNo(no),
            wall: UnixTime(-7),
        };
        for no in [1, 700_000] {
            note.set(folder.path(), end(no));
            assert_eq!(End::read(folder.path()), Some(end(no)));
        }
        let path = folder.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            assert_eq!(End::read(folder.path()), None);
        }
        std::fs::write(&path, &whole[..10]).unwrap();
        assert_eq!(End::read(folder.path()), None);
    }
}
