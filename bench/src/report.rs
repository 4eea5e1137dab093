//! Promises beside what was measured, and figures of many rounds. Called by the programs; measures nothing.

use std::{fmt, time::Instant};

/// One promise, and whether it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Floor {
    /// What is promised.
    pub what: String,
    /// What was measured, in words.
    pub measured: String,
    /// Whether it is kept.
    pub holds: bool,
}

impl Floor {
    /// `what` is at most `max`.
    #[must_use]
    pub fn at_most(what: &str, measured: f64, max: f64, unit: &str) -> Self {
        Self {
            what: format!("{what}: at most {max} {unit}"),
            measured: format!("{measured:.2} {unit}"),
            holds: measured <= max,
        }
    }

    /// `what` is at least `min`.
    #[must_use]
    pub fn at_least(what: &str, measured: f64, min: f64, unit: &str) -> Self {
        Self {
            what: format!("{what}: at least {min} {unit}"),
            measured: format!("{measured:.1} {unit}"),
            holds: measured >= min,
        }
    }
}

impl fmt::Display for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "pass" } else { "FAIL" };
        write!(f, "- {word}: {}; measured {}", self.what, self.measured)
    }
}

/// The median of several rounds, with the smallest and the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// The one in the middle.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Of `rounds`; all zero where there is none.
    #[must_use]
    pub fn of(mut rounds: Vec<f64>) -> Self {
        rounds.sort_by(f64::total_cmp);
        let at = |place: usize| rounds.get(place).copied().unwrap_or_default();
        Self {
            median: at(rounds.len() / 2),
            min: at(0),
            max: at(rounds.len().saturating_sub(1)),
        }
    }
}

/// `median (min-max)`; takes a precision.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(1);
        let Self { median, min, max } = self;
        write!(f, "{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

/// Nanoseconds that one of `times` runs took.
pub fn ns_each(times: usize, mut run: impl FnMut(usize)) -> f64 {
    let start = Instant::now();
    for time in 0..times {
        run(time);
    }
    start.elapsed().as_secs_f64() * 1e9 / times.max(1) as f64
}
