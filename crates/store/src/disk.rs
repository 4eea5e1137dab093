//! The few file operations that the journal writes with, so that tests can let them fail.
//!
//! Two implementations: [`RealDisk`], and the tests' disk that runs full, errs and counts. Reading
//! goes through `std::fs` directly. Must not know what is written.

use crate::folder::Gone;
use crate::regular;
use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Where the journal's files are made and removed.
pub trait Disk: Debug + Send + Sync {
    /// Makes an empty file, readable by its owner only; an existing one is emptied.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens an existing file for writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the folder's list of files survive a power cut.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// One open file of the journal.
pub trait DiskFile: Debug + Send {
    /// Writes all of `bytes` at `offset`. After an error any part of them may be there.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts or extends the file to `bytes`; what is added reads as zeros.
    ///
    /// # Errors
    /// What the operating system says.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes the file's data survive a power cut (fdatasync).
    ///
    /// # Errors
    /// What the operating system says.
    fn sync(&self) -> io::Result<()>;

    /// Looks whether what was written stands at `path`, in all its `bytes`: what doesn't goes with the process, or went.
    ///
    /// # Errors
    /// The file was deleted, moved away, replaced or cut, or what the operating system says.
    fn check_at(&self, path: &Path, bytes: u64) -> io::Result<()>;
}

/// The operating system's files.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let options = &mut OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        Ok(Box::new(regular::open_with(path, options)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(regular::open_with(
            path,
            OpenOptions::new().write(true),
        )?))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn check_at(&self, path: &Path, bytes: u64) -> io::Result<()> {
        let own = self.metadata()?;
        let how = match path.metadata() {
            _ if own.nlink() == 0 => "was deleted",
            Ok(there) if (there.dev(), there.ino()) != (own.dev(), own.ino()) => {
                "was replaced by another file"
            }
            Ok(_) if own.len() < bytes => "was cut short",
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was moved away",
            Err(error) => return Err(error),
        };
        Err(Gone::new(path, how).into())
    }
}
