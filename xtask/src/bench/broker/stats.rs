//! Percentiles of one run, and the spread of several. Called by the report; knows nothing of systems.

use std::fmt;

/// Latencies of one run, in microseconds. Infinite where nothing came: then none is good enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Latency {
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
}

impl Latency {
    pub(crate) fn of(us: &[f64]) -> Self {
        let mut us = us.to_vec();
        us.sort_by(f64::total_cmp);
        Self {
            p50_us: at(&us, 0.5),
            p99_us: at(&us, 0.99),
            p999_us: at(&us, 0.999),
        }
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::of(&[])
    }
}

fn at(sorted_us: &[f64], share: f64) -> f64 {
    let place = (sorted_us.len() as f64 * share) as usize;
    let us = sorted_us.get(place).or(sorted_us.last());
    us.copied().unwrap_or(f64::INFINITY)
}

/// Median, least and most of some runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Nothing where there was no run.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        let upper = *values.get(half)?;
        let median = match values.len() % 2 {
            1 => upper,
            _ => (values[half - 1] + upper) / 2.0,
        };
        Some(Self {
            median,
            min: *values.first()?,
            max: *values.last()?,
        })
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(0);
        write!(
            f,
            "{:.digits$} ({:.digits$}-{:.digits$})",
            self.median, self.min, self.max
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_median_least_and_most() {
        let text = |values: &[f64]| {
            let spread = Spread::of(values.iter().copied());
            spread.map(|spread| format!("{spread:.1}"))
        };
        assert_eq!(text(&[3.0, 1.0, 2.0]).as_deref(), Some("2.0 (1.0-3.0)"));
        assert_eq!(text(&[3.0, 1.0]).as_deref(), Some("2.0 (1.0-3.0)"));
        assert_eq!(text(&[]), None);
    }

    #[test]
    fn percentiles_are_those_of_all_that_came() {
        let us: Vec<f64> = (1..=1_000).rev().map(f64::from).collect();
        let expected = Latency {
            p50_us: 501.0,
            p99_us: 991.0,
            p999_us: 1_000.0,
        };
        assert_eq!(Latency::of(&us), expected);
        assert_eq!(Latency::of(&[]).p50_us, f64::INFINITY, "nothing came");
    }
}
