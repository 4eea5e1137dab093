//! What a fault came to: each promise, and what was found. Filled by each fault, printed and judged by the command.

use std::fmt;

use super::Way;

/// The promises that a fault puts to the test.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

#[derive(Debug)]
struct Finding {
    verdict: Verdict,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Held,
    Broken,
    /// Told, and not promised.
    Noted,
}

impl Findings {
    /// `what` must not have happened.
    pub(crate) fn none(&mut self, what: &str, found: u64) {
        self.add(found == 0, format!("{found} {what}"));
    }

    /// A measured value that has a bound; `unit` goes with both.
    pub(crate) fn at_most(&mut self, what: &str, found: f64, most: f64, unit: &str) {
        let text = format!("{what}: {found:.1} {unit}, at most {most}");
        self.add(found <= most, text);
    }

    /// As [`Self::at_most`], of what depends on how fast the machine is and what else it does: told in the short form,
    /// judged in full.
    pub(crate) fn timed(&mut self, way: &Way, what: &str, found: f64, most: f64, unit: &str) {
        if way.quick {
            self.note(format!("{what}: {found:.2} {unit}"));
        } else {
            self.at_most(what, found, most, unit);
        }
    }

    /// Something that must be so.
    pub(crate) fn holds(&mut self, what: &str, is_so: bool) {
        self.add(is_so, what.to_owned());
    }

    /// Something worth telling.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.0.push(Finding {
            verdict: Verdict::Noted,
            text: text.into(),
        });
    }

    /// How many promises are broken.
    pub(crate) fn broken(&self) -> usize {
        let broken = |finding: &&Finding| finding.verdict == Verdict::Broken;
        self.0.iter().filter(broken).count()
    }

    fn add(&mut self, is_held: bool, text: String) {
        let verdict = if is_held {
            Verdict::Held
        } else {
            Verdict::Broken
        };
        self.0.push(Finding { verdict, text });
    }
}

/// A line each.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, text } in &self.0 {
            let word = match verdict {
                Verdict::Held => "pass",
                Verdict::Broken => "FAIL",
                Verdict::Noted => "",
            };
            writeln!(f, "  {word:<4}  {text}")?;
        }
        Ok(())
    }
}

/// This machine does not let us make a fault: it shows neither that the promise holds nor that it is broken.
#[derive(Debug)]
pub(crate) struct Unable(pub(crate) String);

impl fmt::Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this can't be shown here: {}", self.0)
    }
}

impl std::error::Error for Unable {}

/// The value below which so many percent of `values` are; sorts them. 0 where there are none.
pub(crate) fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * percent / 100.0).ceil() as usize;
    values.get(at).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_that_is_broken_counts_and_is_seen() {
        let mut findings = Findings::default();
        findings.none("events lost", 0);
        findings.at_most("start", 900.0, 1_000.0, "ms");
        findings.holds("it says so", true);
        findings.note("by the way");
        assert_eq!(findings.broken(), 0);
        findings.none("events lost", 2);
        findings.at_most("start", 1_000.5, 1_000.0, "ms");
        findings.holds("it says so", false);
        assert_eq!(findings.broken(), 3);
        let text = findings.to_string();
        assert!(text.contains("  pass  0 events lost\n"), "{text}");
        assert!(
            text.contains("  FAIL  start: 1000.5 ms, at most 1000\n"),
            "{text}"
        );
        assert!(text.contains("        by the way\n"), "{text}");
    }

    #[test]
    fn percentiles_are_values_that_were_there() {
        let mut values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&mut values, 0.0), 1.0);
        assert_eq!(percentile(&mut values, 50.0), 51.0);
        assert_eq!(percentile(&mut values, 99.0), 100.0);
        assert_eq!(percentile(&mut [], 99.0), 0.0);
    }
}
