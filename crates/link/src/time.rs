//! Time as it is told: milliseconds of a clock that never goes back. Called by both ends' state machines; must not
//! be asked what time it is.

/// A moment of the caller's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// A moment that does not come.
    pub const NEVER: Self = Self(u64::MAX);

    /// So many milliseconds later.
    #[must_use]
    pub const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since another moment; 0 before it.
    #[must_use]
    pub const fn since(self, other: Self) -> u64 {
        self.0.saturating_sub(other.0)
    }
}
