//! A house's state, opened for looking into the past: nothing in it is changed or locked, and a dispatcher
//! may run on it meanwhile. Only SQLite may leave its empty side files.
//!
//! Called by the command line. Sees what was written when it was opened.

use crate::db::{DatabaseReader, DbError};
use crate::disk::{Disk, DiskFile};
use crate::folder::StateFolder;
use crate::journal::{Damage, Found, Journal, JournalError, JournalReader, JournalView, TornTail};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use types::{InputNo, Now};

/// A state folder as it was at one moment.
#[derive(Debug)]
pub struct Past {
    folder: StateFolder,
    database: DatabaseReader,
    view: JournalView,
    last: InputNo,
    last_now: Option<Now>,
    unfinished: Option<TornTail>,
    damaged: Vec<Damage>,
}

impl Past {
    /// Opens the state in `folder`.
    ///
    /// # Errors
    /// [`PastError`]: there is none, it can't be read, or a newer version wrote it.
    pub fn open(folder: &Path) -> Result<Self, PastError> {
        Self::open_by(DatabaseReader::open, folder)
    }

    /// As [`Self::open`], and not even SQLite leaves anything. A dispatcher that starts meanwhile is not seen: for a glance.
    ///
    /// # Errors
    /// As there.
    pub fn open_untouched(folder: &Path) -> Result<Self, PastError> {
        Self::open_by(DatabaseReader::open_untouched, folder)
    }

    fn open_by(
        open: impl FnOnce(&Path) -> Result<DatabaseReader, DbError>,
        folder: &Path,
    ) -> Result<Self, PastError> {
        let folder = StateFolder::new(folder);
        let no_house = |what| PastError::NoHouse {
            folder: folder.root().to_owned(),
            what,
        };
        let unreadable = |path: PathBuf| move |source| PastError::Io { path, source };
        for (path, what) in [
            (folder.root().to_owned(), "there is no such folder"),
            (folder.database(), "it holds no house.db"),
            (folder.journal(), "it holds no journal"),
        ] {
            match path.metadata() {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(no_house(what));
                }
                Err(source) => return Err(unreadable(path)(source)),
            }
        }
        let database = open(&folder.database())?;
        if !database.is_of_a_house()? {
            return Err(no_house("its house.db holds nothing of a house"));
        }
        let (journal, found) = look(&folder.journal())?;
        Ok(Self {
            database,
            view: journal.view().clone(),
            last: journal.last(),
            last_now: found.last_now,
            unfinished: found.torn,
            damaged: found.damaged,
            folder,
        })
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// The database, to look at.
    #[must_use]
    pub fn database(&self) -> &DatabaseReader {
        &self.database
    }

    /// A reader of the records with this number and later ones.
    #[must_use]
    pub fn reader(&self, from: InputNo) -> JournalReader {
        self.view.reader(from)
    }

    /// The number before the oldest record that is kept; `None` without records.
    #[must_use]
    pub fn before_oldest(&self) -> Option<InputNo> {
        self.view.before_oldest()
    }

    /// The number of the newest record; 0 without records.
    #[must_use]
    pub fn last(&self) -> InputNo {
        self.last
    }

    /// When the newest record was taken.
    #[must_use]
    pub fn last_now(&self) -> Option<Now> {
        self.last_now
    }

    /// Bytes behind the newest whole record: a write that is under way, or one that a crash stopped and the
    /// next start cuts.
    #[must_use]
    pub fn unfinished(&self) -> Option<&TornTail> {
        self.unfinished.as_ref()
    }

    /// What is damaged in the journal, as far as opening it shows.
    #[must_use]
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }
}

/// Opens the journal. While it is listed retention may drop a segment, and what is written meanwhile may be
/// seen in parts: then it is listed again.
fn look(folder: &Path) -> Result<(Journal, Found), JournalError> {
    const TRIES_MAX: u8 = 10;
    let mut tries = 0;
    let mut before = Vec::new();
    loop {
        tries += 1;
        // Nothing is appended: the length of segments does not matter.
        let opened = Journal::open(folder, 0, Arc::new(Untouched));
        let moves = match &opened {
            Ok((_, found)) => {
                let new = found.damaged != before;
                before.clone_from(&found.damaged);
                new
            }
            Err(JournalError::Io { source, .. }) => source.kind() == io::ErrorKind::NotFound,
            Err(JournalError::Unopened { .. } | JournalError::Newer { .. }) => false,
        };
        if !moves || tries == TRIES_MAX {
            return opened;
        }
    }
}

/// Why a house's past can't be looked at.
#[derive(Debug)]
#[non_exhaustive]
pub enum PastError {
    /// This is no state folder.
    NoHouse {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The operating system refuses.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The database can't be read.
    Db(DbError),
    /// The journal can't be read.
    Journal(JournalError),
}

impl fmt::Display for PastError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHouse { folder, what } => write!(
                f,
                "{} is no state folder of iot-control: {what}; name the one that `iot-control run` says it uses, with --state",
                folder.display()
            ),
            Self::Io { path, .. } => write!(f, "can't look at {}", path.display()),
            Self::Db(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PastError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoHouse { .. } => None,
            Self::Io { source, .. } => Some(source),
            Self::Db(error) => error.source(),
            Self::Journal(error) => error.source(),
        }
    }
}

impl From<DbError> for PastError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<JournalError> for PastError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

/// The disk of somebody who only looks: it says yes to every change and makes none.
#[derive(Debug)]
struct Untouched;

impl Disk for Untouched {
    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }

    fn open(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(Self))
    }

    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl DiskFile for Untouched {
    fn check_at(&self, _: &Path, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn write_all_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
