//! Which inputs are stored: told by the store's thread, asked by the one that acknowledges.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::Notify;
use types::InputNo;

/// Tells the broker from any thread which inputs are stored. Cheap: an atomic and a wake-up.
///
/// An input that the journal could not take is [`missed`](Self::missed). It and all that came after it
/// count as stored once a snapshot [`covers`](Self::covered) them, and not when the journal goes on.
#[derive(Clone, Debug, Default)]
pub struct Durable(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Up to here the journal holds what it was given.
    written: AtomicU64,
    /// Up to here a snapshot holds what came of all inputs.
    covered: AtomicU64,
    /// The first and the last input since `covered` that the journal does not hold; 0 for none.
    missed_first: AtomicU64,
    missed_last: AtomicU64,
    news: Notify,
}

impl Durable {
    /// The journal holds all inputs up to this one that it was given. The acks that wait for them leave
    /// in one write for each connection.
    pub fn report(&self, input: InputNo) {
        self.0.written.fetch_max(input.0, Ordering::AcqRel);
        self.0.news.notify_one();
    }

    /// A snapshot holds what came of all inputs up to this one.
    pub fn covered(&self, input: InputNo) {
        self.0.covered.fetch_max(input.0, Ordering::AcqRel);
        self.0.news.notify_one();
    }

    /// The journal could not take this input. Called by the thread that numbers them, in their order.
    pub fn missed(&self, input: InputNo) {
        if !self.waits_for_snapshot() {
            self.0.missed_first.store(input.0, Ordering::Release);
        }
        self.0.missed_last.store(input.0, Ordering::Release);
    }

    /// Whether inputs wait for a snapshot that covers them.
    #[must_use]
    pub fn waits_for_snapshot(&self) -> bool {
        self.0.missed_last.load(Ordering::Acquire) > self.0.covered.load(Ordering::Acquire)
    }

    /// The last input that the journal reported.
    #[must_use]
    pub fn written(&self) -> InputNo {
        InputNo(self.0.written.load(Ordering::Acquire))
    }

    /// All inputs up to this one survive an end of the process. For the thread that numbers them.
    #[must_use]
    pub fn reached(&self) -> InputNo {
        let written = self.written().0;
        let covered = self.0.covered.load(Ordering::Acquire);
        let before_gap = if self.waits_for_snapshot() {
            let first = self.0.missed_first.load(Ordering::Acquire);
            written.min(first.saturating_sub(1))
        } else {
            written
        };
        InputNo(before_gap.max(covered))
    }

    pub(super) async fn next(&self) -> InputNo {
        self.0.news.notified().await;
        self.reached()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_missed_and_all_after_it_waits_for_a_snapshot() {
        let durable = Durable::default();
        durable.report(InputNo(3));
        assert_eq!(durable.reached(), InputNo(3));
        durable.missed(InputNo(5));
        durable.report(InputNo(6));
        assert_eq!(durable.reached(), InputNo(4));
        durable.missed(InputNo(8));
        // It was taken before the second one was missed.
        durable.covered(InputNo(7));
        durable.report(InputNo(9));
        assert!(durable.waits_for_snapshot());
        assert_eq!(durable.reached(), InputNo(7));
        durable.covered(InputNo(9));
        assert!(!durable.waits_for_snapshot());
        durable.report(InputNo(12));
        assert_eq!(durable.reached(), InputNo(12));
        durable.missed(InputNo(14));
        durable.report(InputNo(15));
        assert_eq!(durable.reached(), InputNo(13), "a gap of its own");
        assert_eq!(durable.written(), InputNo(15));
    }
}
