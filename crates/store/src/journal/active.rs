//! The segment that is written: where its next frame goes, what of it is on the disk, and its copy in memory.
//!
//! Owned by [`super::Journal`]. Must not know what a frame holds.

use super::memory::Copy;
use super::record::Chain;
use crate::disk::{Disk, DiskFile};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What the kernel writes at once.
const PAGE_BYTES: u64 = 4_096;

#[derive(Debug)]
pub(super) struct Active {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    /// Where the next frame goes.
    pub(super) end: u64,
    pub(super) chain: Chain,
    /// Everything before this place was given to the kernel for the disk; what is behind it is in the copy.
    given: u64,
    /// Everything before this place is on the disk.
    synced: u64,
    /// An fsync failed: the kernel may take the pages for clean although they are not on the disk.
    suspect: bool,
    copy: Option<Copy>,
}

impl Active {
    /// A segment of which all up to `end` stands at `path`.
    pub(super) fn new(file: Box<dyn DiskFile>, path: PathBuf, end: u64, chain: Chain) -> Self {
        Self {
            file,
            path,
            end,
            chain,
            given: end,
            synced: end,
            suspect: false,
            copy: None,
        }
    }

    /// What stands before `synced` is known to be on the disk, and no more.
    pub(super) fn synced_until(self, synced: u64) -> Self {
        Self { synced, ..self }
    }

    /// It has a copy, which holds all of it; the file may hold less.
    ///
    /// # Errors
    /// One of the two can't be read.
    pub(super) fn with_copy(self, copy: Copy) -> io::Result<Self> {
        let given = copy.common(&self.path, self.end)?;
        Ok(Self {
            given,
            synced: self.synced.min(given),
            copy: Some(copy),
            ..self
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the copy in memory stands.
    pub(super) fn copy(&self) -> Option<&Path> {
        self.copy.as_ref().map(Copy::path)
    }

    /// Works in a copy at `path` from now on.
    ///
    /// # Errors
    /// It can't be made; all goes on without it.
    pub(super) fn make_copy(&mut self, disk: &dyn Disk, path: PathBuf) -> io::Result<()> {
        self.copy = Some(Copy::make(disk, path, &self.path, self.end)?);
        Ok(())
    }

    /// Writes a frame at the end, which does not move: [`Self::advance`] does that.
    ///
    /// # Errors
    /// What the operating system says. Without a copy any part of it may be there.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        match &self.copy {
            Some(copy) => copy.write_all_at(bytes, self.end),
            None => self.file.write_all_at(bytes, self.end),
        }
    }

    /// What was written at the end, so many bytes, are frames up to `chain`.
    pub(super) fn advance(&mut self, bytes: usize, chain: Chain) {
        self.end += bytes as u64;
        self.chain = chain;
        if self.copy.is_none() {
            self.given = self.end;
        }
    }

    /// Looks whether what was written stands in the folder; what is in the copy only, stands there.
    ///
    /// # Errors
    /// What was written is not there any more, or the operating system's error.
    pub(super) fn check(&self) -> io::Result<()> {
        self.file.check_at(&self.path, self.given)
    }

    /// Whether the copy is where the next start looks for it; without one, yes.
    pub(super) fn copy_stands(&self) -> bool {
        let standing = self.copy.as_ref().map(|copy| copy.check(self.end));
        standing.is_none_or(|stands| stands.is_ok())
    }

    /// Works without the copy from now on: gives all that is in it to the kernel, for the disk. Then it is removed.
    ///
    /// # Errors
    /// The disk does not take it: all is as before, and what is in the copy still only there.
    pub(super) fn leave_copy(&mut self, disk: &dyn Disk) -> io::Result<()> {
        self.give(self.end)?;
        if let Some(copy) = self.copy.take() {
            // One that stays is shorter than its segment soon, and nobody takes it for a copy then.
            let _ = disk.remove(copy.path());
        }
        Ok(())
    }

    /// Whether the last sync failed: until one succeeds, nobody knows what the disk takes.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Puts on the disk what was written.
    ///
    /// # Errors
    /// See [`super::Journal::sync`].
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.check()?;
        if self.suspect {
            self.write_again()?;
        } else if self.synced == self.end {
            return Ok(());
        }
        self.sync_until(self.end)
    }

    /// Puts the pages on the disk that are full, and are in the copy only; gives where they end, where there are any.
    ///
    /// # Errors
    /// See [`super::Journal::sync`].
    pub(super) fn sync_full_pages(&mut self) -> io::Result<Option<u64>> {
        let full = self.end - self.end % PAGE_BYTES;
        if self.copy.is_none() || self.suspect || full <= self.given {
            return Ok(None);
        }
        self.check()?;
        self.sync_until(full)?;
        Ok(Some(full))
    }

    fn sync_until(&mut self, end: u64) -> io::Result<()> {
        self.suspect = true;
        self.give(end)?;
        self.file.sync()?;
        self.suspect = false;
        self.synced = end;
        Ok(())
    }

    /// The file takes `bytes` from now on.
    pub(super) fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.file.set_len(bytes)
    }

    /// Gives the kernel what is in the copy only, up to `end`.
    fn give(&mut self, end: u64) -> io::Result<()> {
        if let Some(copy) = &self.copy {
            copy.put(&*self.file, self.given, end)?;
            self.given = end;
        }
        Ok(())
    }

    fn write_again(&mut self) -> io::Result<()> {
        if self.copy.is_some() {
            self.given = self.given.min(self.synced);
            return Ok(());
        }
        let mut bytes = vec![0; usize::try_from(self.end - self.synced).unwrap_or(0)];
        crate::regular::open(&self.path)?.read_exact_at(&mut bytes, self.synced)?;
        self.file.write_all_at(&bytes, self.synced)
    }
}
