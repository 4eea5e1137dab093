//! The state folder: its layout, who may read it, and the lock that keeps a second dispatcher out.
//!
//! Called by [`crate::Store::open`] and by the command line.
//! Must not know what the files hold.

use crate::contents;
use crate::keys::KeyFolder;
use crate::regular;
use std::ffi::OsString;
use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The paths of a house's state. Making one touches nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// The folder at `root`.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the journal's segments.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.root.join(contents::JOURNAL)
    }

    /// The files of the journal, by name, and where each is to be read: what the newest holds may stand in memory as yet.
    /// What only leads there is none of them.
    ///
    /// # Errors
    /// The folder can't be read.
    pub fn journal_files(&self) -> io::Result<Vec<(OsString, PathBuf)>> {
        crate::journal::files(&self.journal())
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join(contents::DATABASE)
    }

    /// The folder of the sealed link's keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.root.join(contents::KEYS)
    }

    /// The file that only takes room, to be given back where a start finds the disk full.
    #[must_use]
    pub fn reserve(&self) -> PathBuf {
        self.root.join(contents::RESERVE)
    }

    /// The file that a running dispatcher holds locked; its text is the holder's process id.
    #[must_use]
    pub fn lock_file(&self) -> PathBuf {
        self.root.join(contents::LOCK)
    }

    /// Makes what is missing, open to its owner only, and checks what is there. A folder that was
    /// there before may be readable to others, as service managers make it; what is in it may not.
    ///
    /// # Errors
    /// [`FolderError::Permissions`] where others could read the house's secrets, or replace them.
    pub fn prepare(&self) -> Result<(), FolderError> {
        self.make()?;
        check(&self.root, 0o022)?;
        check_private(&self.journal())?;
        KeyFolder::of(self).examine()?;
        // SQLite gives its side files the database's own permissions.
        let database = self.database();
        let options = &mut OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        regular::open_with(&database, options).map_err(io_at(&database))?;
        check_private(&database)
    }

    /// Makes the folders that are missing, open to their owner only.
    ///
    /// # Errors
    /// What the file system says.
    pub fn make(&self) -> Result<(), FolderError> {
        for folder in [&self.root, &self.journal()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(io_at(folder))?;
        }
        Ok(())
    }

    /// Checks what is there as [`Self::prepare`] does, and makes nothing.
    ///
    /// # Errors
    /// [`FolderError::Permissions`] where others could read the house's secrets, or replace them.
    pub fn examine(&self) -> Result<(), FolderError> {
        check(&self.root, 0o022)?;
        [self.journal(), self.database()]
            .iter()
            .filter(|path| path.exists())
            .try_for_each(|path| check_private(path))?;
        KeyFolder::of(self).examine()
    }

    /// Locks the folder for this process, until the lock is dropped or the process ends.
    ///
    /// # Errors
    /// [`FolderError::Locked`] names the process that holds it.
    pub fn lock(&self) -> Result<FolderLock, FolderError> {
        let path = self.lock_file();
        let io = io_at(&path);
        let options = &mut OpenOptions::new();
        options.read(true).write(true).create(true);
        options.truncate(false).mode(0o600);
        let mut file = regular::open_with(&path, options).map_err(&io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = match file.read_to_string(&mut text) {
                    Ok(_) => text.trim().parse().ok(),
                    Err(_) => None,
                };
                return Err(FolderError::Locked {
                    folder: self.root.clone(),
                    pid,
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // Who holds it is for people; a full disk may not take it.
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        let original = Original::at(&path).map_err(&io)?;
        Ok(FolderLock {
            _file: file,
            original,
        })
    }
}

/// Checks that only its owner can read the file or folder at `path`; for keys and other secrets.
///
/// # Errors
/// [`FolderError::Permissions`] says what to do about it.
pub fn check_private(path: &Path) -> Result<(), FolderError> {
    check(path, 0o077)
}

fn check(path: &Path, forbidden: u32) -> Result<(), FolderError> {
    let metadata = path.metadata().map_err(io_at(path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(FolderError::Permissions {
        path: path.to_owned(),
        mode,
        wanted: if metadata.is_dir() { 0o700 } else { 0o600 },
    })
}

/// The right to use a state folder; the operating system takes it back when the process ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    original: Original,
}

impl FolderLock {
    /// Looks whether it still keeps others out.
    ///
    /// # Errors
    /// [`Gone`]: whoever starts now locks another file.
    pub(crate) fn check(&self) -> Result<(), Gone> {
        self.original.check()
    }
}

/// A file that is written does not stand in the state folder any more: what goes into it goes with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    path: PathBuf,
    how: &'static str,
}

impl Gone {
    /// `how` follows the name of the file: "was deleted".
    pub(crate) fn new(path: &Path, how: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            how,
        }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.how)
    }
}

impl std::error::Error for Gone {}

impl From<Gone> for io::Error {
    fn from(gone: Gone) -> Self {
        Self::new(io::ErrorKind::NotFound, gone)
    }
}

/// The file that stood at a path when this was made.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    path: PathBuf,
    device: u64,
    inode: u64,
    is_empty: bool,
}

impl Original {
    /// # Errors
    /// There is none, or it can't be looked at.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            is_empty: metadata.len() == 0,
        })
    }

    /// Looks whether it still stands there. Where that can't be seen, whoever uses it says why.
    ///
    /// # Errors
    /// [`Gone`]: it was deleted or emptied, or another file stands there.
    pub(crate) fn check(&self) -> Result<(), Gone> {
        let how = match Self::at(&self.path) {
            Ok(now) if (now.device, now.inode) != (self.device, self.inode) => {
                "was replaced by another file"
            }
            Ok(now) if now.is_empty && !self.is_empty => "was emptied",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "was deleted",
            _ => return Ok(()),
        };
        Err(Gone::new(&self.path, how))
    }
}

/// Why a state folder can't be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderError {
    /// Another dispatcher uses it.
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process that holds the lock, where it said so.
        pid: Option<u32>,
    },
    /// Others may read or replace what holds secrets.
    Permissions {
        /// The file or folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        wanted: u32,
    },
    /// The operating system refuses.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { folder, pid } => {
                write!(f, "another dispatcher uses {}", folder.display())?;
                if let Some(pid) = pid {
                    write!(f, " (process {pid})")?;
                }
                f.write_str("; stop it, or name another state folder")
            }
            Self::Permissions { path, mode, wanted } => write!(
                f,
                "{path} holds secrets and others may use it (its mode is {mode:o}); run: chmod {wanted:o} {path}",
                path = path.display()
            ),
            Self::Io { path, source } => {
                write!(f, "can't use {}{}", path.display(), how_to_mend(source))
            }
        }
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// What a person can do about an error of the operating system, as the end of a sentence.
pub(crate) fn how_to_mend(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the user that runs iot-control must own it: run chown on the state folder"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "; its disk can only be read, as after an error of the disk: check it and mount it again"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk",
        io::ErrorKind::AlreadyExists
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory => "; something else stands there: move it away",
        _ => "",
    }
}

fn io_at(path: &Path) -> impl Fn(io::Error) -> FolderError + use<> {
    let path = path.to_owned();
    move |source| FolderError::Io {
        path: path.clone(),
        source,
    }
}
