//! Opening a house's state: lock, database, journal, and where to start again from.

use crate::db::{Database, DatabaseReader, DbError, Rejected, Snapshot};
use crate::folder::{FolderError, FolderLock, Original, StateFolder};
use crate::handle::{Inner, StoreHandle};
use crate::health::{Health, HealthState};
use crate::journal::{
    CutOff, Damage, Journal, JournalError, JournalReader, Lost, TornTail, Unopened,
};
use crate::queue::Queue;
use crate::reserve;
use crate::writer::{Options, Writer};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use types::{InputNo, Now};

/// An opened store whose thread does not run yet.
#[derive(Debug)]
pub struct Store {
    folder: StateFolder,
    lock: FolderLock,
    database: Database,
    /// The file of the database.
    original: Original,
    journal: Journal,
    last: InputNo,
    options: Options,
}

/// What was found: start from the snapshot, then apply the tail.
#[derive(Debug)]
pub struct Recovered {
    /// The newest good snapshot.
    pub snapshot: Option<Snapshot>,
    /// What else is wrong and did not stop the start.
    pub warnings: Vec<String>,
    /// Snapshots that were passed over because they are damaged.
    pub rejected: Vec<Rejected>,
    /// The records after the snapshot. Where some can't be read it yields a [`Gap`](crate::Gap), then goes on.
    pub tail: JournalReader,
    /// What was cut off the journal's end.
    pub torn: Option<TornTail>,
    /// What was written behind that, as far as it is known.
    pub cut_off: Option<CutOff>,
    /// Damage that was found before any record was asked for; the tail comes to it too, if it concerns it.
    pub damaged: Vec<Damage>,
    /// The last number that was used; the next input gets the one after it.
    pub last: InputNo,
    /// When the last record or the snapshot was taken; the house's clocks start after it.
    pub last_now: Option<Now>,
}

impl Store {
    /// Opens the state in `folder`, makes it where there is none, and locks it.
    ///
    /// # Errors
    /// [`OpenError`]: somebody else uses it, others may read it, a newer version wrote it, or the
    /// disk refuses. Damage that a start survives is in [`Recovered`] instead.
    pub fn open(folder: &Path, options: Options) -> Result<(Self, Recovered), OpenError> {
        let folder = StateFolder::new(folder);
        folder.prepare()?;
        let lock = folder.lock()?;
        let mut warnings = Vec::new();
        let database = open_database(&folder, &mut warnings)?;
        let path = folder.database();
        let original = Original::at(&path).map_err(|source| FolderError::Io { path, source })?;
        let begun = or_warn(
            database.read().journal_begun(),
            "whether the newest journal file is lost is unknown",
            &mut warnings,
        );
        let lost = begun.and_then(|begun| Lost::find(&folder.journal(), begun));
        let (mut journal, found) = Journal::open(
            &folder.journal(),
            options.segment_bytes,
            Arc::clone(&options.disk),
        )?;
        let is_lost = lost.is_some();
        if let (Some(lost), Some(begun)) = (lost, begun) {
            warnings.push(lost.to_string());
            journal
                .skip_lost(begun)
                .map_err(|source| JournalError::Io {
                    path: lost.file,
                    source,
                })?;
        }
        let newest = database.read().newest_snapshot(InputNo(u64::MAX));
        let (snapshot, rejected) = or_warn(newest, "no snapshot can be used", &mut warnings);
        let from = snapshot.as_ref().map_or(InputNo(0), |s| s.no);
        let mut unopened = found.unopened.into_iter();
        if let Some(Unopened { file, source, .. }) =
            unopened.find(|it| it.until.is_none_or(|until| until > from))
        {
            return Err(JournalError::Unopened { file, source }.into());
        }
        // What is lost as a whole was told.
        let cut_off = if is_lost { None } else { journal.cut_off(from) };
        let written = cut_off.as_ref().map_or(InputNo(0), |cut_off| cut_off.until);
        // A journal that ends before the snapshot lost its end, and the snapshot has it all. No number is used twice.
        let last = journal.last().max(from).max(written);
        let skipped = journal.skip_to(last);
        skipped.map_err(|source| JournalError::Io {
            path: folder.journal(),
            source,
        })?;
        if let Err(error) = journal.work_in(options.memory.as_deref()) {
            warnings.push(not_in_memory(options.memory.as_deref(), &error));
        }
        let recovered = Recovered {
            tail: journal.view().reader(from.next()),
            torn: found.torn,
            cut_off,
            damaged: found.damaged,
            last,
            last_now: later(found.last_now, snapshot.as_ref().map(|s| s.now)),
            snapshot,
            rejected,
            warnings,
        };
        let store = Self {
            folder,
            lock,
            database,
            original,
            journal,
            last,
            options,
        };
        Ok((store, recovered))
    }

    /// The database, for what has to be written before the store thread runs.
    pub fn database(&mut self) -> &mut Database {
        &mut self.database
    }

    /// The database, to look at.
    #[must_use]
    pub fn read(&self) -> &DatabaseReader {
        self.database.read()
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Reads the journal from `from` on.
    #[must_use]
    pub fn reader(&self, from: InputNo) -> JournalReader {
        self.journal.view().reader(from)
    }

    /// Copies a damaged segment beside it, once: a disk that fails may not read it again. The copy goes when
    /// retention drops the segment.
    ///
    /// # Errors
    /// `file` is no segment, or the disk refuses.
    pub fn set_aside(&self, file: &Path) -> io::Result<PathBuf> {
        self.journal.set_aside(file)
    }

    /// Starts the store thread. It calls `on_durable` with the last number written, in order, after
    /// every write: everything up to it survives the end of this process, and batches of
    /// [`Durability::Now`](crate::Durability::Now) a power cut. The callback runs on the store
    /// thread and should only pass the number on; the store does not write while it runs.
    ///
    /// # Errors
    /// Where the operating system gives no thread.
    pub fn start(self, on_durable: impl Fn(InputNo) + Send + 'static) -> io::Result<StoreHandle> {
        let queue = Arc::new(Queue::new(self.options.queue, self.last));
        let view = self.journal.view().clone();
        let health = Arc::new(Mutex::new(Health {
            state: HealthState::Good,
            written: self.last,
            waiting_batches: 0,
            waiting_bytes: 0,
            journal_bytes: view.bytes(),
            segments_sacrificed: 0,
            retention_trouble: None,
        }));
        let writer = Writer::new(
            (Arc::clone(&queue), Arc::clone(&health)),
            (self.journal, self.database, self.original, self.lock),
            self.options,
            Box::new(on_durable),
        );
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())?;
        Ok(StoreHandle::new(Inner {
            queue,
            health,
            view,
            folder: self.folder,
            thread: Mutex::new(Some(thread)),
        }))
    }
}

/// Opens the database, with the room that was kept for that where the disk is full.
fn open_database(folder: &StateFolder, warnings: &mut Vec<String>) -> Result<Database, DbError> {
    let reserve = folder.reserve();
    let open = if holds_inputs(&folder.journal()) {
        Database::open_existing
    } else {
        Database::open
    };
    match open(&folder.database()) {
        Err(DbError::Full(_)) if reserve::release(&reserve) => {
            warnings.push(
                "the disk is full: what was kept in reserve for a start is used up; make room before the next one"
                    .to_owned(),
            );
            open(&folder.database())
        }
        Ok(database) => {
            // Without it the next start on a full disk says so.
            let _ = reserve::keep(&reserve);
            Ok(database)
        }
        Err(error) => Err(error),
    }
}

/// What the journal goes without, in words.
fn not_in_memory(memory: Option<&Path>, error: &io::Error) -> String {
    match memory {
        Some(memory) => format!(
            "{} can't be used ({error}): inputs are written to the disk one by one, which wears out an SD card sooner",
            memory.display()
        ),
        None => format!(
            "what an earlier run has left of the journal in memory stays there, for the disk does not take it: {error}"
        ),
    }
}

/// Whether a journal was ever written there; one that can't be looked at is opened later, and says why.
fn holds_inputs(journal: &Path) -> bool {
    let files = std::fs::read_dir(journal).into_iter().flatten().flatten();
    files
        .filter(|file| file.path().extension().is_some_and(|end| end == "journal"))
        .any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0))
}

/// What could be read; where not, nothing, and a warning.
fn or_warn<T: Default>(read: Result<T, DbError>, otherwise: &str, warnings: &mut Vec<String>) -> T {
    read.unwrap_or_else(|error| {
        warnings.push(match std::error::Error::source(&error) {
            Some(source) => format!("{otherwise}: {error} ({source})"),
            None => format!("{otherwise}: {error}"),
        });
        T::default()
    })
}

fn later(a: Option<Now>, b: Option<Now>) -> Option<Now> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.at > a.at { b } else { a }),
        (a, b) => a.or(b),
    }
}

/// Why a house's state can't be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder can't be used.
    Folder(FolderError),
    /// The database can't be used.
    Db(DbError),
    /// The journal can't be used.
    Journal(JournalError),
}

/// What is wrong with the part that is wrong.
impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(error) => error.fmt(f),
            Self::Db(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Folder(error) => error.source(),
            Self::Db(error) => error.source(),
            Self::Journal(error) => error.source(),
        }
    }
}

impl From<FolderError> for OpenError {
    fn from(error: FolderError) -> Self {
        Self::Folder(error)
    }
}

impl From<DbError> for OpenError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<JournalError> for OpenError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
