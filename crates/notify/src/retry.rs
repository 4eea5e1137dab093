//! When a text that could not be delivered is tried again. Knows no clock.

use std::time::Duration;

/// First pause; doubled with each try.
const FIRST: Duration = Duration::from_secs(1);

/// Longest pause.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Age at which a text is given up: nobody needs yesterday's alarm.
pub(crate) const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// Tries of one text.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    tries: u32,
}

impl Retry {
    /// The pause before the next try of a text that is so old; `None`: give it up.
    pub(crate) fn next(&mut self, age: Duration) -> Option<Duration> {
        let factor = 1_u32.checked_shl(self.tries.min(16)).unwrap_or(u32::MAX);
        let pause = FIRST.saturating_mul(factor).min(LONGEST);
        self.tries += 1;
        (age + pause < GIVEN_UP_AFTER).then_some(pause)
    }

    /// Whether this is the first try that failed.
    pub(crate) fn is_first(&self) -> bool {
        self.tries == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_after_a_day() {
        let mut retry = Retry::default();
        let mut age = Duration::ZERO;
        let mut pauses = Vec::new();
        while let Some(pause) = retry.next(age) {
            age += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert!(age < GIVEN_UP_AFTER && age + LONGEST >= GIVEN_UP_AFTER);
        assert_eq!(pauses.len(), 9 + (86_400 - 511) / 300);
    }
}
