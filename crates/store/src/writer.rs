//! The store thread: the only one that writes the journal and the database.
//!
//! It takes all that waits at once, so that what piled up behind a slow fsync shares the next
//! write(2). A failing disk stops acknowledgements and nothing else: what waits stays in order, is
//! tried again with growing pauses, and the oldest segments go when there is no room.

use crate::db::{Database, DbError, Snapshot, SnapshotInfo};
use crate::disk::Disk;
use crate::folder::{FolderLock, Gone, Original};
use crate::health::{Health, HealthState, StoreError};
use crate::journal::{Batch, Begun, Durability, Journal, Keep, Retention};
use crate::queue::{Job, Queue, QueueLimits};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use types::InputNo;

/// How the store works; the defaults suit a house.
#[derive(Clone, Debug)]
pub struct Options {
    /// The length of a journal segment; what retention drops at once.
    pub segment_bytes: u64,
    /// How long inputs are kept.
    pub retention: Retention,
    /// The longest that a [`Durability::Soon`] batch waits for the disk: what a power cut can take.
    pub sync_interval: Duration,
    /// Snapshots that stay usable whatever retention says; the second is for when the first is
    /// damaged. At least 1.
    pub snapshots_kept: usize,
    /// How much may wait in memory.
    pub queue: QueueLimits,
    /// The shortest time between two writes. A single batch is written at once; those behind it share the
    /// next write, and the submitting thread need not wake this one for each.
    pub pace: Duration,
    /// The pause after the first failed write; it doubles up to `retry_max`.
    pub retry_first: Duration,
    /// The longest pause between tries.
    pub retry_max: Duration,
    /// How long a shutdown tries to write what waits.
    pub shutdown_wait: Duration,
    /// What the journal writes with.
    pub disk: Arc<dyn Disk>,
    /// A folder in memory that outlives this process: what is not synced yet stays there and comes to the disk together,
    /// which spares a card the pages that the kernel writes by itself. Without it records go to the disk's file at once.
    pub memory: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            segment_bytes: 4 << 20,
            retention: Retention::default(),
            sync_interval: Duration::from_secs(30),
            snapshots_kept: 2,
            queue: QueueLimits::default(),
            pace: Duration::from_millis(1),
            retry_first: Duration::from_millis(100),
            // Whoever made room waits for this at the most.
            retry_max: Duration::from_secs(4),
            shutdown_wait: Duration::from_secs(5),
            disk: Arc::new(crate::disk::RealDisk),
            memory: None,
        }
    }
}

/// The longest time until a file that was deleted, replaced or cut is noticed where nothing is written.
const LOOK_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Writer {
    queue: Arc<Queue>,
    health: Arc<Mutex<Health>>,
    journal: Journal,
    database: Database,
    /// The file of the database: SQLite goes on in one that was deleted.
    original: Original,
    looked: Instant,
    options: Options,
    on_durable: Box<dyn Fn(InputNo) + Send>,
    /// What was taken and is not acknowledged yet, and how many of its records are written.
    pending: Vec<Batch>,
    pending_written: usize,
    /// Something may be written that is not on the disk, since this time.
    unsynced_since: Option<Instant>,
    retry: Option<Retry>,
    /// Snapshots that are kept, newest first.
    snapshots: Vec<SnapshotInfo>,
    /// The segment of the journal that the database knows.
    begun: Option<Begun>,
    lock: FolderLock,
}

#[derive(Clone, Copy)]
struct Retry {
    at: Instant,
    pause: Duration,
    attempts: u32,
}

impl Writer {
    pub(crate) fn new(
        (queue, health): (Arc<Queue>, Arc<Mutex<Health>>),
        (journal, database, original, lock): (Journal, Database, Original, FolderLock),
        options: Options,
        on_durable: Box<dyn Fn(InputNo) + Send>,
    ) -> Self {
        Self {
            queue,
            health,
            journal,
            database,
            original,
            looked: Instant::now(),
            options,
            on_durable,
            pending: Vec::new(),
            pending_written: 0,
            // What the run before left to the kernel.
            unsynced_since: Some(Instant::now()),
            retry: None,
            snapshots: Vec::new(),
            begun: None,
            lock,
        }
    }

    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) -> Result<(), StoreError> {
        self.look_up_snapshots();
        loop {
            let taken = self.queue.take(self.wakes_at());
            for job in taken.jobs {
                match job {
                    Job::Batch(batch) => self.pending.push(batch),
                    Job::Change(change) => {
                        self.write_if_due();
                        match self.look() {
                            Ok(()) => change(Ok(&mut self.database)),
                            Err(gone) => change(Err(DbError::Gone(gone.to_string()))),
                        }
                    }
                    Job::Snapshot(snapshot, reply) => {
                        // It may be the last one before the end: no pause after a failure is waited for.
                        self.write_now();
                        let kept = self.snapshot(&snapshot);
                        let changed = kept.is_ok();
                        reply(kept);
                        if changed {
                            self.tidy();
                        }
                    }
                }
            }
            let wrote = self.write_if_due();
            self.sync_if_due();
            if wrote {
                self.sync_full_pages_if_due();
            }
            if self.looks_at().is_some_and(|at| at <= Instant::now()) {
                // What comes of it stands in the health.
                let _ = self.look();
            }
            if taken.closed {
                return self.finish();
            }
            if wrote {
                std::thread::sleep(self.options.pace);
            }
        }
    }

    fn wakes_at(&self) -> Option<Instant> {
        self.syncs_at().into_iter().chain(self.looks_at()).min()
    }

    /// When to look again whether the files are still there; each try after a failure looks too.
    fn looks_at(&self) -> Option<Instant> {
        self.retry.is_none().then(|| self.looked + LOOK_EVERY)
    }

    /// Looks whether database, lock and journal still stand in their folder; where not, that is a failure.
    ///
    /// # Errors
    /// The database or the lock is not there: nothing can be changed. A journal that is not there refuses its own inputs.
    fn look(&mut self) -> Result<(), Gone> {
        self.looked = Instant::now();
        let checked = self.check_folder();
        if let Err(gone) = &checked {
            self.failed(&gone.clone().into());
        } else if let Err(error) = self.journal.check() {
            self.failed(&error);
        }
        checked
    }

    /// Whether database and lock still stand in their folder: each try looks at both, or the next one after a failure
    /// would take it for mended.
    fn check_folder(&self) -> Result<(), Gone> {
        self.original.check().and_then(|()| self.lock.check())
    }

    fn syncs_at(&self) -> Option<Instant> {
        match self.retry {
            Some(retry) => Some(retry.at),
            None => self
                .unsynced_since
                .map(|since| since + self.options.sync_interval),
        }
    }

    /// Whether it wrote.
    fn write_if_due(&mut self) -> bool {
        self.retry.is_none_or(|retry| retry.at <= Instant::now()) && self.write_now()
    }

    fn write_now(&mut self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        match self.write() {
            Ok(()) => {
                self.note_begun();
                self.recovered();
            }
            Err(error) => self.failed(&error),
        }
        true
    }

    /// Writes what is pending and acknowledges it.
    fn write(&mut self) -> io::Result<()> {
        self.check_folder()?;
        self.append()?;
        self.unsynced_since.get_or_insert_with(Instant::now);
        // What need not wait for the disk does not wait for what does.
        let soon = self
            .pending
            .iter()
            .take_while(|batch| batch.durability() == Durability::Soon)
            .count();
        self.acknowledge(soon);
        if !self.pending.is_empty() {
            self.sync()?;
            // People change little: what they did is worth a page.
            self.journal.note_end();
            self.acknowledge(self.pending.len());
        }
        Ok(())
    }

    /// Once for each segment: that inputs were in it must be known where it is lost.
    fn note_begun(&mut self) {
        let begun = self.journal.begun();
        if begun != self.begun
            && let Some(new) = begun
            && self.database.note_journal_begun(new).is_ok()
        {
            self.begun = begun;
        }
    }

    fn append(&mut self) -> io::Result<()> {
        loop {
            let error = match self.journal.append(&self.pending, self.pending_written) {
                Ok(_) => {
                    self.pending_written = self.pending.iter().map(Batch::len).sum();
                    return Ok(());
                }
                Err(error) => error,
            };
            self.pending_written = error.written;
            if !self.makes_room_after(&error.source)? {
                return Err(error.source);
            }
        }
    }

    /// Whether a try after `error` may come further: the disk was full, and the oldest segment went.
    fn makes_room_after(&mut self, error: &io::Error) -> io::Result<bool> {
        let newest = self.snapshots.first().map_or(InputNo(0), |s| s.no.next());
        if !is_full(error) || self.journal.drop_oldest(newest)?.segments == 0 {
            return Ok(false);
        }
        self.health().segments_sacrificed += 1;
        Ok(true)
    }

    /// Reports the first `count` pending batches as written, and makes room for as many.
    fn acknowledge(&mut self, count: usize) {
        let mut bytes = 0;
        let mut last = None;
        for batch in self.pending.drain(..count) {
            bytes += batch.bytes();
            self.pending_written -= batch.len();
            last = batch.last().or(last);
        }
        self.queue.written(count, bytes);
        if let Some(last) = last {
            self.health().written = last;
            (self.on_durable)(last);
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        while let Err(error) = self.journal.sync() {
            if !self.makes_room_after(&error)? {
                return Err(error);
            }
        }
        self.unsynced_since = None;
        Ok(())
    }

    fn sync_if_due(&mut self) {
        if self.syncs_at().is_none_or(|at| at > Instant::now()) {
            return;
        }
        let synced = self.check_folder().map_err(io::Error::from);
        match synced.and_then(|()| self.sync()) {
            Ok(()) => {
                self.recovered();
                self.retain();
            }
            Err(error) => self.failed(&error),
        }
    }

    /// Where records wait in memory and half the interval is over, pages that are full come to the disk: a sync of all
    /// writes the last page again and again, and a busy house needs none. What is left in memory came just now.
    fn sync_full_pages_if_due(&mut self) {
        let half = self.options.sync_interval / 2;
        if self.retry.is_some()
            || self
                .unsynced_since
                .is_none_or(|since| since.elapsed() < half)
        {
            return;
        }
        match self.journal.sync_full_pages() {
            Ok(Some(_)) => self.unsynced_since = Some(Instant::now()),
            Ok(None) => {}
            Err(error) => self.failed(&error),
        }
    }

    fn recovered(&mut self) {
        self.retry = None;
        let mut health = self.health();
        if health.state != HealthState::Good {
            health.state = HealthState::Good;
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let (pause, attempts) = match self.retry {
            Some(retry) => (retry.pause * 2, retry.attempts.saturating_add(1)),
            None => (self.options.retry_first, 1),
        };
        let pause = pause.min(self.options.retry_max);
        self.retry = Some(Retry {
            at: Instant::now() + pause,
            pause,
            attempts,
        });
        let is_gone = error.get_ref().is_some_and(|inner| inner.is::<Gone>());
        self.health().state = if is_gone {
            HealthState::Gone {
                what: error.to_string(),
            }
        } else {
            HealthState::Failing {
                full: is_full(error),
                error: error.to_string(),
                attempts,
            }
        };
    }

    /// Commits a snapshot, and everything before it first.
    fn snapshot(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        if !self.pending.is_empty() {
            return Err(StoreError::Behind(self.health().state.clone()));
        }
        let synced = self.check_folder().map_err(io::Error::from);
        if let Err(error) = synced.and_then(|()| self.sync()) {
            self.failed(&error);
            return Err(StoreError::Io(error));
        }
        self.database
            .together(|database| database.put_snapshot(snapshot))?;
        Ok(())
    }

    /// After a snapshot: drops what retention and the snapshots allow.
    fn tidy(&mut self) {
        self.look_up_snapshots();
        self.retain();
        if let Some(before_oldest) = self.journal.view().before_oldest() {
            let keep = self.options.snapshots_kept.max(1);
            let pruned = self
                .database
                .prune_snapshots(before_oldest, keep)
                .and_then(|_| self.database.prune_mappings());
            if let Err(error) = pruned {
                self.health().retention_trouble = Some(error.to_string());
            }
            self.look_up_snapshots();
        }
    }

    fn retain(&mut self) {
        let kept = self.options.snapshots_kept.max(1).min(self.snapshots.len());
        let restart = kept.checked_sub(1).and_then(|ix| self.snapshots.get(ix));
        let now = self.journal.last_at();
        // Whoever asks for the oldest moment that is kept starts from the snapshot before it.
        let age_max = self.options.retention.age_max;
        let past = self
            .snapshots
            .iter()
            .find(|s| now.since(s.now.at) >= age_max);
        let after = |snapshot: Option<&SnapshotInfo>| snapshot.map_or(InputNo(0), |s| s.no.next());
        let keep = Keep {
            restart: after(restart),
            past: after(past),
        };
        let retained = self.journal.retain(self.options.retention, now, keep);
        let journal_bytes = self.journal.view().bytes();
        let mut health = self.health();
        health.journal_bytes = journal_bytes;
        health.retention_trouble = retained.err().map(|error| error.to_string());
    }

    fn look_up_snapshots(&mut self) {
        match self.database.read().snapshots() {
            Ok(snapshots) => self.snapshots = snapshots,
            // The older list keeps more, never less.
            Err(error) => self.health().retention_trouble = Some(error.to_string()),
        }
    }

    /// Writes what waits, for as long as a shutdown may take. The first try comes at once: the pause after a
    /// failure may be longer than that.
    fn finish(&mut self) -> Result<(), StoreError> {
        let deadline = Instant::now() + self.options.shutdown_wait;
        self.write_now();
        while !self.pending.is_empty() {
            match self.retry {
                Some(retry) if retry.at > deadline => {
                    return Err(StoreError::Unwritten {
                        batches: self.pending.len(),
                        state: self.health().state.clone(),
                    });
                }
                Some(retry) => {
                    std::thread::sleep(retry.at.saturating_duration_since(Instant::now()));
                }
                None => {}
            }
            self.write_if_due();
        }
        self.sync()
            .and_then(|()| self.journal.close())
            .map_err(StoreError::Io)?;
        if let Err(gone) = self.check_folder() {
            return Err(DbError::Gone(gone.to_string()).into());
        }
        Ok(())
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Also after a panic in a callback: callers learn that nothing is kept any more.
impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.close();
        self.health().state = HealthState::Stopped;
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
