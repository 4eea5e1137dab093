//! What the rest of the dispatcher holds of the store thread.
//!
//! The hot thread submits batches and never waits; others ask for changes of the database and get
//! their reply by a callback on the store thread, which should only pass it on.

use crate::db::{Database, DatabaseReader, DbError, Snapshot};
use crate::folder::StateFolder;
use crate::health::{Health, StoreError};
use crate::journal::{Batch, JournalReader, JournalView};
use crate::queue::{Job, Queue, Refusal};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use types::InputNo;

/// The running store. Clones are the same store; when the last one goes, the store thread writes
/// what waits and ends, so don't keep one in a callback that the store itself holds.
#[derive(Clone)]
pub struct StoreHandle {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) queue: Arc<Queue>,
    pub(crate) health: Arc<Mutex<Health>>,
    pub(crate) view: JournalView,
    pub(crate) folder: StateFolder,
    pub(crate) thread: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
}

impl StoreHandle {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Hands a batch to the store thread; never blocks. It is acknowledged by the callback that the
    /// store was started with. Batches come in the order of their numbers, from one thread; one that
    /// starts with the number that the last one ended with is acknowledged under the same number.
    ///
    /// # Errors
    /// [`SubmitError`] gives the batch back: when the queue is full the caller keeps it, adds to it,
    /// and tries again after the next acknowledgement.
    pub fn submit(&self, batch: Batch) -> Result<(), SubmitError> {
        self.inner
            .queue
            .submit(batch)
            .map_err(|(why, batch)| SubmitError { why, batch })
    }

    /// Changes the database on the store thread, after the changes and snapshots that were asked for before. The
    /// batches that were submitted before are written by then, unless the disk fails: nobody is kept from changing
    /// a user for that. `reply` gets the result there; a change that succeeded is on the disk.
    ///
    /// # Errors
    /// [`Refusal`] at once where the queue is full or closed; `reply` is dropped uncalled then.
    pub fn change<T>(
        &self,
        work: impl FnOnce(&mut Database) -> Result<T, DbError> + Send + 'static,
        reply: impl FnOnce(Result<T, DbError>) + Send + 'static,
    ) -> Result<(), Refusal> {
        let change = move |database: Result<&mut Database, DbError>| reply(database.and_then(work));
        self.inner.queue.push(Job::Change(Box::new(change)))
    }

    /// Keeps a snapshot, with everything that was submitted before it; then drops what retention
    /// allows. `reply` is called on the store thread once the snapshot is on the disk.
    ///
    /// # Errors
    /// [`Refusal`] at once where the queue is full or closed; `reply` is dropped uncalled then.
    pub fn snapshot(
        &self,
        snapshot: Snapshot,
        reply: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), Refusal> {
        let job = Job::Snapshot(Box::new(snapshot), Box::new(reply));
        self.inner.queue.push(job)
    }

    /// How the store is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        let (batches, bytes) = self.inner.queue.unwritten();
        let health = self.inner.health.lock();
        let mut health = health.unwrap_or_else(PoisonError::into_inner).clone();
        health.waiting_batches = batches;
        health.waiting_bytes = bytes;
        health.journal_bytes = self.inner.view.bytes();
        health
    }

    /// Reads the journal from `from` on, while it is written.
    #[must_use]
    pub fn reader(&self, from: InputNo) -> JournalReader {
        self.inner.view.reader(from)
    }

    /// Opens the database for reading.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn database(&self) -> Result<DatabaseReader, DbError> {
        DatabaseReader::open(&self.inner.folder.database())
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &StateFolder {
        &self.inner.folder
    }

    /// Writes all that waits, puts it on the disk and ends the store thread.
    /// Blocks for as long as the options allow; not to be called from a callback of the store.
    ///
    /// # Errors
    /// [`StoreError::Unwritten`] where the disk failed until the end, and [`StoreError::Stopped`]
    /// where the store had ended before.
    pub fn shutdown(&self) -> Result<(), StoreError> {
        self.inner.queue.close();
        let thread = self.inner.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) | None => Err(StoreError::Stopped),
        }
    }
}

impl fmt::Debug for StoreHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreHandle")
            .field("folder", &self.inner.folder)
            .field("health", &self.health())
            .finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A batch that was not taken.
#[derive(Debug)]
pub struct SubmitError {
    /// Why.
    pub why: Refusal,
    /// The batch, unchanged.
    pub batch: Batch,
}

impl fmt::Display for SubmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}

impl std::error::Error for SubmitError {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "too much waits for the disk; try again later",
            Self::Closed => "the store has ended",
            Self::OutOfOrder => "the batch starts below the last submitted number",
        })
    }
}

impl std::error::Error for Refusal {}
