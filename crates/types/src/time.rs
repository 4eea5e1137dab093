//! Two time lines. [`Instant`] only moves forward and carries timers; [`UnixTime`] is what a clock
//! on the wall shows and may jump. Nothing here reads a clock: time is an argument everywhere.

use core::time::Duration;

/// A point on the house's elapsed-time line, in microseconds since the house first started.
/// It never goes back, also not across restarts: downtime is added when the dispatcher starts again.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
)]
#[cbor(transparent)]
pub struct Instant(#[n(0)] pub u64);

impl Instant {
    /// This instant plus `span`; stays at the end of time where it would overflow.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros(span)))
    }

    /// The time from `earlier` to this instant; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// Wall-clock time: microseconds since 1970-01-01T00:00:00Z, negative before it.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    minicbor::Encode,
    minicbor::Decode,
)]
#[cbor(transparent)]
pub struct UnixTime(#[n(0)] pub i64);

impl UnixTime {
    /// This time plus `span`, saturating.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(micros(span)))
    }

    /// The time from `earlier` to this; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        u64::try_from(self.0.saturating_sub(earlier.0))
            .map_or(Duration::ZERO, Duration::from_micros)
    }
}

/// The moment at which an input was taken; every input carries one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct Now {
    /// On the elapsed-time line; carries `for`, `wait` and timers.
    #[n(0)]
    pub at: Instant,
    /// On the wall; carries `at`, cron, sun and what people read.
    #[n(1)]
    pub wall: UnixTime,
    /// Whether the wall clock can be trusted. A Pi has no battery clock: until the first
    /// synchronisation, triggers that need the wall clock wait.
    #[n(2)]
    pub synced: bool,
}

impl Now {
    /// The same moment `span` later on both lines.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self {
            at: self.at.after(span),
            wall: self.wall.after(span),
            synced: self.synced,
        }
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
