//! Whether what happens is kept: how people hear that the disk fails, mappings that wait for their archive, and
//! snapshots that are to be tried again.
//!
//! Called by the application, on the hot thread; nothing here waits. The store thread only takes the mapping
//! that waits and puts it back where the database refuses.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use store::{ArchivedMapping, HealthState, Snapshot, StoreHandle};
use types::{Instant, Now};

/// How often it is looked whether the store still writes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Time after which a snapshot that could not be kept is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);

pub(super) struct Keeper {
    state: HealthState,
    looked: Instant,
    /// A mapping in force that is not archived yet: no snapshot can be kept without it.
    unarchived: Arc<Mutex<Option<ArchivedMapping>>>,
    snapshot_failed: Arc<AtomicBool>,
    /// Inputs that could not be kept, as people know.
    unkept: u64,
}

impl Keeper {
    pub(super) fn new(now: Now) -> Self {
        Self {
            state: HealthState::Good,
            looked: now.at,
            unarchived: Arc::default(),
            snapshot_failed: Arc::default(),
            unkept: 0,
        }
    }

    /// This mapping is in force from now on; it is archived with the next call of [`Self::archive`].
    pub(super) fn is_to_archive(&self, mapping: ArchivedMapping) {
        *lock(&self.unarchived) = Some(mapping);
    }

    /// Archives the mapping that waits. Where the database refuses, it waits for the next snapshot.
    pub(super) fn archive(&self, store: &StoreHandle) {
        if lock(&self.unarchived).is_none() {
            return;
        }
        let waiting = Arc::clone(&self.unarchived);
        let work = move |database: &mut store::Database| {
            let Some(mapping) = lock(&waiting).take() else {
                return Ok(());
            };
            database.archive_mapping(&mapping).inspect_err(|_| {
                // A newer one may have come since.
                lock(&waiting).get_or_insert(mapping);
            })
        };
        let kept = store.change(work, |done| {
            if let Err(error) = done {
                tell_unarchived(error);
            }
        });
        if let Err(error) = kept {
            tell_unarchived(error);
        }
    }

    /// Keeps a snapshot, and the mapping that it needs.
    pub(super) fn keep(&self, store: &StoreHandle, snapshot: Snapshot) {
        self.archive(store);
        let failed = Arc::clone(&self.snapshot_failed);
        let kept = store.snapshot(snapshot, move |done| {
            if let Err(error) = done {
                tell_not_kept(error);
                failed.store(true, Ordering::Relaxed);
            }
        });
        if let Err(error) = kept {
            tell_not_kept(error);
            self.snapshot_failed.store(true, Ordering::Relaxed);
        }
    }

    /// When to look next.
    pub(super) fn next_look(&self) -> Instant {
        self.looked.after(LOOK_EVERY)
    }

    /// Says once that inputs are not kept any more, and once that they are again. `unkept` is how many never
    /// will be. Returns by when a snapshot is wanted.
    pub(super) fn look(&mut self, now: Now, state: HealthState, unkept: u64) -> Option<Instant> {
        self.looked = now.at;
        let was_good = self.state == HealthState::Good;
        let is_good = state == HealthState::Good;
        self.state = state;
        if was_good && !is_good {
            tracing::error!(
                "{}; lights keep switching, but nothing is acknowledged until this is mended",
                self.state
            );
        }
        let failed = self.snapshot_failed.swap(false, Ordering::Relaxed);
        if is_good && !was_good {
            match unkept - self.unkept {
                0 => tracing::info!("the disk takes inputs again; acknowledgements go on"),
                lost => tracing::warn!(
                    "the disk takes inputs again; acknowledgements go on. {lost} inputs of the meantime are not in the journal; what came of them is kept"
                ),
            }
            self.unkept = unkept;
            // It holds what the journal does not.
            return Some(now.at);
        }
        failed.then(|| now.at.after(TRY_AGAIN_AFTER))
    }
}

fn tell_unarchived(error: impl Error + Send + Sync + 'static) {
    let error = anyhow::Error::new(error);
    tracing::error!(
        "the mapping could not be archived, which is tried again with the next snapshot: {error:#}"
    );
}

fn tell_not_kept(error: impl Error + Send + Sync + 'static) {
    let error = anyhow::Error::new(error);
    tracing::error!("a snapshot could not be kept, which is tried again: {error:#}");
}

fn lock(
    waiting: &Mutex<Option<ArchivedMapping>>,
) -> std::sync::MutexGuard<'_, Option<ArchivedMapping>> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
