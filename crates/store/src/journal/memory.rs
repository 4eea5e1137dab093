//! The newest segment in memory. Where there is a folder in memory that outlives the process (systemd's
//! `RuntimeDirectory`), records are written to a copy of their segment in it, and come to the disk together, at each
//! sync: a kernel writes by itself what lies dirty for 30 s, page by page, and cards die of that.
//!
//! The copy is the segment, byte for byte, with what the disk has not got yet behind it. kill -9 leaves it where it is,
//! and the next start goes on with it; a power cut takes it, and with it what was not synced, as ever. Used by
//! [`super::Journal`]; whoever reads the newest segment reads the copy. Must not know records.

use super::segment::{HEADER_BYTES, Header};
use crate::disk::{Disk, DiskFile};
use crate::regular;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The file in the journal's folder that names the folder in memory: whoever looks in from another process has not
/// our surroundings.
const NAME: &str = "memory";
/// A longer text names no folder.
const NAME_BYTES_MAX: u64 = 4_096;
/// What is copied at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Whether a file of this name in the journal's folder only leads to memory.
pub(crate) fn leads_to_memory(name: &str) -> bool {
    name == NAME
}

/// The folder in memory that the journal in `journal` works in; `None`: in none.
pub(super) fn folder(journal: &Path) -> Option<PathBuf> {
    let mut text = String::new();
    let file = regular::open(&journal.join(NAME)).ok()?;
    file.take(NAME_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(PathBuf::from(text.strip_suffix('\n')?)).filter(|folder| folder.is_absolute())
}

/// Notes which folder that is.
pub(super) fn note(journal: &Path, memory: Option<&Path>) -> io::Result<()> {
    if folder(journal).as_deref() == memory {
        return Ok(());
    }
    let path = journal.join(NAME);
    let Some(memory) = memory else {
        return std::fs::remove_file(path);
    };
    let text = memory.to_str().filter(|text| !text.contains('\n'));
    let text = text.ok_or_else(|| io::Error::other("its name is no text of one line"))?;
    let options = &mut OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    writeln!(regular::open_with(&path, options)?, "{text}")
}

/// Where the copy of `segment` stands in `memory`. A segment is known by its place on its disk: of one that was put
/// there from a backup, what is in memory is no copy.
///
/// # Errors
/// The segment or its folder can't be looked at.
pub(super) fn path_of(memory: &Path, journal: &Path, segment: &Path) -> io::Result<PathBuf> {
    let name = format!(
        "{}{:x}.journal",
        prefix(journal)?,
        segment.metadata()?.ino()
    );
    Ok(memory.join(name))
}

/// What the names of all copies of one journal begin with.
fn prefix(journal: &Path) -> io::Result<String> {
    let journal = journal.metadata()?;
    Ok(format!("{:x}-{:x}-", journal.dev(), journal.ino()))
}

/// The copy of `segment` that a process before left, or one that works now; `None`: none. Where it ends is for the
/// caller to see.
pub(super) fn find(journal: &Path, segment: &Path, header: Header) -> Option<(PathBuf, File)> {
    let path = path_of(&folder(journal)?, journal, segment).ok()?;
    let file = regular::open(&path).ok()?;
    let mut bytes = [0; HEADER_BYTES];
    file.read_exact_at(&mut bytes, 0).ok()?;
    (bytes == header.encode()).then_some((path, file))
}

/// The files of a journal, by name, and where each is to be read: what the newest holds may stand in its copy only.
pub(crate) fn files(journal: &Path) -> io::Result<Vec<(OsString, PathBuf)>> {
    let memory = folder(journal);
    let mut files = Vec::new();
    for entry in journal.read_dir()? {
        let entry = entry?;
        if !entry.file_type()?.is_file() || entry.file_name() == NAME {
            continue;
        }
        let copy = memory
            .as_deref()
            .and_then(|memory| path_of(memory, journal, &entry.path()).ok())
            .filter(|copy| copy.is_file());
        files.push((entry.file_name(), copy.unwrap_or_else(|| entry.path())));
    }
    Ok(files)
}

/// Removes what earlier copies of this journal are left in `memory`, but for `kept`. What can't be removed takes room,
/// and does nothing else.
pub(super) fn sweep(memory: &Path, journal: &Path, kept: Option<&Path>, disk: &dyn Disk) {
    let Ok(prefix) = prefix(journal) else { return };
    for entry in memory.read_dir().into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(&prefix);
        if is_ours && Some(&*entry.path()) != kept {
            let _ = disk.remove(&entry.path());
        }
    }
}

/// The copy that is written.
#[derive(Debug)]
pub(super) struct Copy {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    /// The same file, to be read also after somebody deleted it.
    read: File,
}

impl Copy {
    /// Goes on with the copy at `path`, whose whole records end at `end`.
    pub(super) fn open(disk: &dyn Disk, path: PathBuf, read: File, end: u64) -> io::Result<Self> {
        let file = disk.open(&path)?;
        file.set_len(end)?;
        Ok(Self { path, file, read })
    }

    /// Copies the first `end` bytes of `segment` to `path`.
    pub(super) fn make(
        disk: &dyn Disk,
        path: PathBuf,
        segment: &Path,
        end: u64,
    ) -> io::Result<Self> {
        let made = disk.create(&path).and_then(|file| {
            copy(&regular::open(segment)?, &*file, 0, end)?;
            Ok((file, regular::open(&path)?))
        });
        match made {
            Ok((file, read)) => Ok(Self { path, file, read }),
            Err(error) => {
                // Half a copy is shorter than its segment, and nobody would take it for one.
                let _ = disk.remove(&path);
                Err(error)
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    /// Looks whether a next start would find it, in all its `bytes`.
    pub(super) fn check(&self, bytes: u64) -> io::Result<()> {
        self.file.check_at(&self.path, bytes)
    }

    /// Writes its bytes from `start` to `end` at the same place of `to`.
    pub(super) fn put(&self, to: &dyn DiskFile, start: u64, end: u64) -> io::Result<()> {
        copy(&self.read, to, start, end)
    }

    /// How many bytes, of the first `end`, stand in `segment` as well.
    pub(super) fn common(&self, segment: &Path, end: u64) -> io::Result<u64> {
        let segment = regular::open(segment)?;
        let (mut own, mut other) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
        let mut start = 0;
        while start < end {
            let bytes = piece(start, end);
            self.read.read_exact_at(&mut own[..bytes], start)?;
            if segment.read_exact_at(&mut other[..bytes], start).is_err() {
                break;
            }
            let same = own[..bytes].iter().zip(&other[..bytes]);
            let same = same.take_while(|(a, b)| a == b).count();
            start += same as u64;
            if same < bytes {
                break;
            }
        }
        Ok(start)
    }
}

fn copy(from: &File, to: &dyn DiskFile, mut start: u64, end: u64) -> io::Result<()> {
    let mut bytes = vec![0; piece(start, end)];
    while start < end {
        bytes.truncate(piece(start, end));
        from.read_exact_at(&mut bytes, start)?;
        to.write_all_at(&bytes, start)?;
        start += bytes.len() as u64;
    }
    Ok(())
}

fn piece(start: u64, end: u64) -> usize {
    usize::try_from(end.saturating_sub(start)).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES))
}
