//! How often something may happen. Called by the dispatcher's end. Must not know what it limits.

use crate::time::Millis;

/// So many at once, and so many a second after that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    /// Thousandths of one.
    left: u64,
    at: Millis,
}

/// How large a bucket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// A thousand seconds' worth.
    pub per_1000_s: u64,
    /// At once.
    pub burst: u64,
}

impl Rate {
    /// So many a second.
    #[must_use]
    pub const fn per_second(count: u64, burst: u64) -> Self {
        Self {
            per_1000_s: count * 1_000,
            burst,
        }
    }
}

impl Bucket {
    pub(super) const fn new(rate: Rate, now: Millis) -> Self {
        Self {
            left: rate.burst * 1_000_000,
            at: now,
        }
    }

    /// Takes one, where there is one.
    pub(super) fn take(&mut self, rate: Rate, now: Millis) -> bool {
        self.fill(rate, now);
        if self.left < 1_000_000 {
            return false;
        }
        self.left -= 1_000_000;
        true
    }

    /// Whether less than half is left.
    pub(super) fn is_low(&mut self, rate: Rate, now: Millis) -> bool {
        self.fill(rate, now);
        self.left < rate.burst * 500_000
    }

    /// Millionths: a millisecond brings `per_1000_s` of them.
    fn fill(&mut self, rate: Rate, now: Millis) {
        let more = now.since(self.at).saturating_mul(rate.per_1000_s);
        self.left = self.left.saturating_add(more).min(rate.burst * 1_000_000);
        self.at = self.at.max(now);
    }
}
