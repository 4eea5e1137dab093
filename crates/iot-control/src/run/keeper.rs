//! Whether what happens is kept: how people hear that the disk fails, a mapping that no archive took at the start, and
//! snapshots that are to be tried again.
//!
//! Called by the application, on the hot thread; nothing here waits.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker::tcp::Durable;
use store::{ArchivedMapping, Health, HealthState, Snapshot, StoreHandle};
use types::{Instant, Now};

use super::historian::Historian;

/// How often it is looked whether the store still writes.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Time after which a snapshot that could not be kept is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);

/// The same while clients wait for it to be acknowledged.
const AWAITED_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Pause between two snapshots that make up for what the journal missed. Whoever sends more than the disk takes
/// would else set the pace at which the whole house is written down.
const MAKE_UP_EVERY: Duration = Duration::from_secs(2);

/// One log line in this time about what the journal missed; the rest is counted, and told after it.
const LOG_EVERY: Duration = Duration::from_secs(10);

pub(super) struct Keeper {
    state: HealthState,
    history: History,
    looked: Instant,
    /// The mapping of the start, where the archive did not take it yet: no snapshot can be kept without it, and no restart tell what
    /// inputs came to under it.
    unarchived: Arc<Mutex<Option<Unarchived>>>,
    /// There was one at the last look.
    was_unarchived: bool,
    snapshot_failed: Arc<AtomicBool>,
    historian: Option<Historian>,
    missed: Missed,
}

impl Keeper {
    pub(super) fn new(now: Now) -> Self {
        Self {
            state: HealthState::Good,
            history: History::default(),
            looked: now.at,
            unarchived: Arc::default(),
            was_unarchived: false,
            snapshot_failed: Arc::default(),
            historian: None,
            missed: Missed::default(),
        }
    }

    /// From now on this one hears of each snapshot that is kept.
    pub(super) fn tells(&mut self, historian: Historian) {
        self.historian = Some(historian);
    }

    /// This mapping is in force, and the archive did not take it because of `why`; [`Self::archive`] tries again.
    pub(super) fn is_unarchived(&self, mapping: ArchivedMapping, why: String) {
        *lock(&self.unarchived) = Some(Unarchived {
            mapping: Arc::new(mapping),
            why,
            is_asked: false,
        });
    }

    /// Why what happens can't be told after a restart, where the mapping that it happens under is not archived.
    pub(super) fn unarchived(&self) -> Option<String> {
        let unarchived = lock(&self.unarchived);
        let why = &unarchived.as_ref()?.why;
        Some(format!(
            "the mapping in force can't be kept ({why}): after a restart nobody can tell what inputs came to under it"
        ))
    }

    /// Archives the mapping that waits, where the store does not try already.
    pub(super) fn archive(&self, store: &StoreHandle) {
        let mapping = match &mut *lock(&self.unarchived) {
            Some(waits) if !waits.is_asked => {
                waits.is_asked = true;
                Arc::clone(&waits.mapping)
            }
            _ => return,
        };
        let unarchived = Arc::clone(&self.unarchived);
        let kept = store.change(
            move |database| database.archive_mapping(&mapping),
            move |done| match done {
                Ok(()) => {
                    *lock(&unarchived) = None;
                    tracing::info!("the mapping in force is kept now");
                }
                Err(error) => refuse(&unarchived, error.to_string()),
            },
        );
        if let Err(refusal) = kept {
            refuse(&self.unarchived, refusal.to_string());
        }
    }

    /// Keeps a snapshot, and the mapping that it may need. What the journal missed before it is acknowledged then.
    pub(super) fn keep(&self, store: &StoreHandle, snapshot: Snapshot, durable: &Durable) {
        self.archive(store);
        let failed = Arc::clone(&self.snapshot_failed);
        let (no, durable) = (snapshot.no, durable.clone());
        let historian = self.historian.clone();
        let kept = store.snapshot(snapshot, move |done| match done {
            Ok(()) => {
                durable.covered(no);
                if let Some(historian) = historian {
                    historian.nudge();
                }
            }
            Err(error) => {
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

    /// Says once that inputs are not kept any more, and once that they are again; says what history is lost. `unkept` is how many the journal
    /// missed; while `is_awaited`, clients wait for a snapshot that makes up for it. Returns by when one is wanted.
    pub(super) fn look(
        &mut self,
        now: Now,
        health: Health,
        unkept: u64,
        is_awaited: bool,
    ) -> Option<Instant> {
        self.looked = now.at;
        let was_good = self.state == HealthState::Good;
        let is_good = health.state == HealthState::Good;
        for news in self.history.take(&health) {
            tracing::warn!("{news}");
        }
        self.state = health.state;
        if was_good && !is_good {
            tracing::error!(
                "{}; lights keep switching, but nothing is acknowledged until this is mended",
                self.state
            );
        }
        let failed = self.snapshot_failed.swap(false, Ordering::Relaxed);
        if !is_good {
            return failed.then(|| now.at.after(TRY_AGAIN_AFTER));
        }
        if !was_good {
            tracing::info!("the disk takes inputs again; acknowledgements go on");
            self.missed.owes_snapshot = true;
        }
        let is_unarchived = lock(&self.unarchived).is_some();
        if std::mem::replace(&mut self.was_unarchived, is_unarchived) && !is_unarchived {
            // None could be kept without it.
            self.missed.owes_snapshot = true;
        }
        if let Some(missed) = self.missed.take(now.at, unkept) {
            tracing::warn!(
                "{missed} inputs are not in the journal: they were too long or too many for it, or the disk was away; what came of them is kept"
            );
        }
        if self.missed.wants_snapshot(now.at) {
            return Some(now.at);
        }
        let again = if is_awaited {
            AWAITED_AGAIN_AFTER
        } else {
            TRY_AGAIN_AFTER
        };
        failed.then(|| now.at.after(again))
    }
}

/// A mapping in force that is not archived.
struct Unarchived {
    mapping: Arc<ArchivedMapping>,
    why: String,
    /// The store is asked to take it, and did not answer yet.
    is_asked: bool,
}

/// What the journal missed, and what was done about it.
#[derive(Debug, Default)]
struct Missed {
    /// How many were seen.
    seen: u64,
    /// Those that were not told yet.
    untold: u64,
    told: Option<Instant>,
    /// No snapshot since holds what the journal does not.
    owes_snapshot: bool,
    made_up: Option<Instant>,
}

impl Missed {
    /// Of `unkept` in all, those that are to be told now.
    fn take(&mut self, now: Instant, unkept: u64) -> Option<u64> {
        let new = unkept - self.seen;
        self.seen = unkept;
        self.untold += new;
        self.owes_snapshot |= new > 0;
        let is_late = |told: Instant| now.since(told) >= LOG_EVERY;
        if self.untold == 0 || !self.told.is_none_or(is_late) {
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    fn wants_snapshot(&mut self, now: Instant) -> bool {
        let is_over = |made_up: Instant| now.since(made_up) >= MAKE_UP_EVERY;
        if !self.owes_snapshot || !self.made_up.is_none_or(is_over) {
            return false;
        }
        self.owes_snapshot = false;
        self.made_up = Some(now);
        true
    }
}

/// How it stands with the past, as people know it.
#[derive(Debug, Default)]
struct History {
    sacrificed: u64,
    trouble: Option<String>,
}

impl History {
    /// What is new.
    fn take(&mut self, health: &Health) -> Vec<String> {
        let mut news = Vec::new();
        let gone = health.segments_sacrificed.saturating_sub(self.sacrificed);
        if gone > 0 {
            news.push(format!(
                "the disk was full: {gone} segments of the oldest history went early to make room for what happens now"
            ));
        }
        if self.trouble != health.retention_trouble {
            news.push(match &health.retention_trouble {
                Some(why) => format!(
                    "old history can't be dropped, and the state folder grows until this is mended: {why}"
                ),
                None => "old history is dropped again when its time is over".to_owned(),
            });
        }
        self.sacrificed = health.segments_sacrificed;
        self.trouble.clone_from(&health.retention_trouble);
        news
    }
}

fn tell_not_kept(error: impl Error + Send + Sync + 'static) {
    let error = anyhow::Error::new(error);
    tracing::error!("a snapshot could not be kept, which is tried again: {error:#}");
}

/// It waits for the next try.
fn refuse(unarchived: &Mutex<Option<Unarchived>>, why: String) {
    if let Some(waits) = &mut *lock(unarchived) {
        waits.why = why;
        waits.is_asked = false;
    }
}

fn lock(unarchived: &Mutex<Option<Unarchived>>) -> MutexGuard<'_, Option<Unarchived>> {
    unarchived.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use store::{MappingHash, Options, Store};
    use types::InputNo;

    use super::*;

    fn good() -> Health {
        Health {
            state: HealthState::Good,
            written: InputNo(0),
            waiting_batches: 0,
            waiting_bytes: 0,
            journal_bytes: 0,
            segments_sacrificed: 0,
            retention_trouble: None,
        }
    }

    #[test]
    fn a_journal_that_misses_inputs_all_the_time_makes_a_snapshot_now_and_then() {
        let mut keeper = Keeper::new(Now::default());
        let mut snapshots = 0;
        for step in 0..400 {
            let now = Now {
                at: Instant(step * 25_000),
                ..Now::default()
            };
            snapshots += u32::from(keeper.look(now, good(), step + 1, true).is_some());
        }
        assert_eq!(snapshots, 5, "within 10 s");
        // What came after the last of them is made up for too.
        let later = Now {
            at: Instant(10_000_000),
            ..Now::default()
        };
        assert!(keeper.look(later, good(), 400, true).is_some());
        let later = Now {
            at: Instant(20_000_000),
            ..later
        };
        assert!(keeper.look(later, good(), 400, true).is_none());
    }

    #[test]
    fn a_mapping_that_is_not_archived_is_told_until_it_is_and_then_a_snapshot_can_be_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (store, _) = Store::open(folder.path(), Options::default()).expect("it opens");
        let store = store.start(|_| ()).expect("a thread");
        let mut keeper = Keeper::new(Now::default());
        let mapping = ArchivedMapping {
            hash: MappingHash([1; 32]),
            files: Vec::new(),
            used_at: Instant(0),
        };
        keeper.is_unarchived(mapping, "no room".to_owned());
        let told = keeper.unarchived().expect("it is not kept");
        assert!(told.contains("can't be kept (no room)"), "{told}");
        assert_eq!(keeper.look(Now::default(), good(), 0, false), None);
        keeper.archive(&store);
        let (sender, done) = sync_channel(1);
        let asked = store.change(|_| Ok(()), move |_| sender.send(()).expect("it is awaited"));
        asked.expect("there is room");
        done.recv().expect("it answers");
        assert_eq!(keeper.unarchived(), None);
        assert!(keeper.look(Now::default(), good(), 0, false).is_some());
    }

    #[test]
    fn what_the_journal_misses_is_told_at_a_bounded_pace_and_in_full() {
        let mut missed = Missed::default();
        let told =
            (0..30).filter_map(|second| missed.take(Instant(second * 1_000_000), second + 1));
        assert_eq!(told.collect::<Vec<_>>(), [1, 10, 10]);
        assert_eq!(missed.take(Instant(30_000_000), 30), Some(9));
        assert_eq!(missed.take(Instant(60_000_000), 30), None);
    }

    #[test]
    fn what_becomes_of_the_past_is_said_once() {
        let mut health = good();
        let mut history = History::default();
        assert!(history.take(&health).is_empty());
        health.segments_sacrificed = 2;
        health.retention_trouble = Some("read-only".to_owned());
        let news = history.take(&health);
        assert!(
            news[0].contains("2 segments of the oldest history"),
            "{news:?}"
        );
        assert!(news[1].ends_with("is mended: read-only"), "{news:?}");
        assert!(history.take(&health).is_empty());
        health.segments_sacrificed = 5;
        health.retention_trouble = None;
        let news = history.take(&health);
        assert!(news[0].contains("3 segments"), "{news:?}");
        assert!(news[1].contains("is dropped again"), "{news:?}");
        assert!(history.take(&health).is_empty());
    }
}
