//! The queue before the store thread. Bounded in batches, in bytes and in jobs; when it is full it
//! refuses and the caller keeps what it has: nothing is dropped, nobody waits.
//!
//! Batches count until they are written, not until they are taken: while the disk fails, the limit
//! bounds all that waits in memory. One order holds for batches and jobs. The lock is never held
//! across anything but moving pointers, so the hot thread does not wait for the disk.

use crate::db::{Database, DbError, Snapshot};
use crate::health::StoreError;
use crate::journal::Batch;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use types::InputNo;

/// How much may wait for the store thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Batches that are not written yet.
    pub batches_max: usize,
    /// Their bytes; a single larger batch is taken where nothing else waits.
    pub bytes_max: usize,
    /// Changes of the database and snapshots.
    pub jobs_max: usize,
}

/// 8 MiB hold 100,000 inputs: a day of a large house while its disk is full.
impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            batches_max: 16_384,
            bytes_max: 8 << 20,
            jobs_max: 256,
        }
    }
}

pub(crate) enum Job {
    Batch(Batch),
    Change(Change),
    Snapshot(Box<Snapshot>, SnapshotReply),
}

/// Gets the database, or why nothing can be changed in it.
pub(crate) type Change = Box<dyn FnOnce(Result<&mut Database, DbError>) + Send>;

pub(crate) type SnapshotReply = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

/// Why the queue does not take something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It is full: the disk is slower than the house, or fails. Try again after the next
    /// acknowledgement; [`StoreHandle::health`](crate::StoreHandle::health) says which it is.
    Full,
    /// The store was shut down, or its thread ended.
    Closed,
    /// The batch starts below the last number that was submitted: a mistake of the caller.
    OutOfOrder,
}

pub(crate) struct Queue {
    limits: QueueLimits,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    batches: usize,
    bytes: usize,
    jobs: usize,
    last: InputNo,
    closed: bool,
}

/// What the store thread took.
pub(crate) struct Taken {
    pub(crate) jobs: VecDeque<Job>,
    /// Nothing more will come.
    pub(crate) closed: bool,
}

impl Queue {
    pub(crate) fn new(limits: QueueLimits, last: InputNo) -> Self {
        let state = State {
            last,
            ..State::default()
        };
        Self {
            limits,
            state: Mutex::new(state),
            wake: Condvar::new(),
        }
    }

    pub(crate) fn submit(&self, batch: Batch) -> Result<(), (Refusal, Batch)> {
        let mut state = self.state();
        let bytes = batch.bytes();
        if state.closed {
            return Err((Refusal::Closed, batch));
        }
        if batch.first().is_some_and(|first| first < state.last) {
            return Err((Refusal::OutOfOrder, batch));
        }
        let no_room = state.batches >= self.limits.batches_max
            || state.bytes.saturating_add(bytes) > self.limits.bytes_max;
        if state.batches > 0 && no_room {
            return Err((Refusal::Full, batch));
        }
        state.batches += 1;
        state.bytes += bytes;
        state.last = batch.last().unwrap_or(state.last);
        state.waiting.push_back(Job::Batch(batch));
        self.wake.notify_one();
        Ok(())
    }

    pub(crate) fn push(&self, job: Job) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.closed {
            return Err(Refusal::Closed);
        }
        if state.jobs >= self.limits.jobs_max {
            return Err(Refusal::Full);
        }
        state.jobs += 1;
        state.waiting.push_back(job);
        self.wake.notify_one();
        Ok(())
    }

    /// All that waits; returns with nothing at `until`.
    pub(crate) fn take(&self, until: Option<Instant>) -> Taken {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.closed {
            let Some(until) = until else {
                state = self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let Some(left) = until.checked_duration_since(Instant::now()) else {
                break;
            };
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.jobs = 0;
        Taken {
            jobs: std::mem::take(&mut state.waiting),
            closed: state.closed,
        }
    }

    /// Makes room again for what was written.
    pub(crate) fn written(&self, batches: usize, bytes: usize) {
        let mut state = self.state();
        state.batches -= batches;
        state.bytes -= bytes;
    }

    /// Takes nothing more.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake.notify_one();
    }

    /// How many batches are not written yet, and their bytes.
    pub(crate) fn unwritten(&self) -> (usize, usize) {
        let state = self.state();
        (state.batches, state.bytes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
