//! How often rules may fire: their own `limit`, and a fuse for all.
//!
//! Called by the engine when a rule's condition is true. Must not know what a rule does.

use std::{
    collections::{BTreeMap, VecDeque},
    hint::black_box,
};

use mapping::program::{LimitRate, RuleIx};
use types::Instant;

use crate::decision::Outcome;

/// Firings of one rule in one second before the fuse cuts it.
pub(crate) const FUSE: u32 = 100;
const SECOND_US: u64 = 1_000_000;

/// What each rule has used up.
#[derive(Debug)]
pub(crate) struct Rates {
    pub(crate) fuse: u32,
    bursts: Vec<Burst>,
    windows: BTreeMap<RuleIx, VecDeque<Instant>>,
}

/// Firings in one second, which starts with the first of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    pub(crate) start: Instant,
    pub(crate) count: u32,
}

impl Rates {
    pub(crate) fn new(rules: usize) -> Self {
        Self {
            fuse: FUSE,
            bursts: vec![Burst::default(); rules],
            windows: BTreeMap::new(),
        }
    }

    /// Has memory bring what [`Self::admit`] will read of `rule`.
    pub(crate) fn fetch(&self, rule: RuleIx) {
        black_box(self.bursts[rule.index()].count);
    }

    /// Whether `rule` may fire now; counts it where it may.
    pub(crate) fn admit(
        &mut self,
        rule: RuleIx,
        limit: Option<&LimitRate>,
        now: Instant,
    ) -> Outcome {
        if let Some(limit) = limit {
            let window = self.windows.entry(rule).or_default();
            while window
                .front()
                .is_some_and(|first| first.after(limit.per) <= now)
            {
                window.pop_front();
            }
            if window.len() >= limit.count as usize {
                return Outcome::Limited;
            }
        }
        let burst = &mut self.bursts[rule.index()];
        if !burst.lasts(now) {
            *burst = Burst {
                start: now,
                count: 0,
            };
        }
        if burst.count >= self.fuse {
            return Outcome::Fuse;
        }
        burst.count += 1;
        if limit.is_some()
            && let Some(window) = self.windows.get_mut(&rule)
        {
            window.push_back(now);
        }
        Outcome::Fired
    }

    /// `rule` fired at `at` as well, later than what is counted.
    pub(crate) fn count(&mut self, rule: RuleIx, at: Instant) {
        self.windows.entry(rule).or_default().push_back(at);
    }

    /// The burst of `rule`, where it still counts at `now`.
    pub(crate) fn burst(&self, rule: RuleIx, now: Instant) -> Option<Burst> {
        Some(self.bursts[rule.index()]).filter(|burst| burst.lasts(now))
    }

    /// The firings of `rule` that still count at `now` against `limit`.
    pub(crate) fn window(&self, rule: RuleIx, limit: LimitRate, now: Instant) -> Vec<Instant> {
        let counts = |fired: &Instant| fired.after(limit.per) > now;
        let window = self.windows.get(&rule).into_iter().flatten().copied();
        window.filter(counts).collect()
    }

    /// Puts back what was used up.
    pub(crate) fn restore(&mut self, rule: RuleIx, burst: Option<Burst>, window: Vec<Instant>) {
        self.bursts[rule.index()] = burst.unwrap_or_default();
        if !window.is_empty() {
            self.windows.insert(rule, window.into());
        }
    }
}

impl Burst {
    fn lasts(self, now: Instant) -> bool {
        self.count > 0 && now.0 < self.start.0.saturating_add(SECOND_US)
    }
}
