//! How much to measure: the words after `cargo xtask bench`.

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::route;

/// The house in which every system takes part.
pub(crate) const RULES: usize = 1_000;

/// How much to measure.
#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) runs: usize,
    pub(crate) rules: Vec<usize>,
    /// Events one at a time.
    pub(crate) round_trips: usize,
    /// How long events come at each rate.
    pub(crate) paced: Duration,
    pub(crate) saturated: Duration,
    pub(crate) idle_clients: usize,
    /// Whether systems that are not installed are left out: a full run fails without them.
    pub(crate) is_quick: bool,
    /// Whether nobody but the dispatcher takes part: what is a ratio of its own numbers needs no other.
    pub(crate) is_alone: bool,
    /// Whether docs/performance.md is written.
    pub(crate) writes_docs: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            runs: 5,
            rules: vec![10, RULES, 10_000, 100_000],
            round_trips: 3_000,
            paced: Duration::from_secs(1),
            saturated: Duration::from_secs(1),
            idle_clients: 2_000,
            is_quick: false,
            is_alone: false,
            writes_docs: false,
        }
    }
}

impl Options {
    /// Takes the words after `bench`.
    ///
    /// # Errors
    /// There is no such option, or its value is none.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .with_context(|| format!("{word} needs a value"))
            };
            match *word {
                "--quick" => options = options.quick(),
                "--ours" => options.is_alone = true,
                "--docs" => options.writes_docs = true,
                "--runs" => options.runs = value()?.parse().context("--runs needs a number")?,
                "--rules" => {
                    let numbers = value()?
                        .split(',')
                        .map(str::parse)
                        .collect::<Result<_, _>>();
                    options.rules =
                        numbers.context("--rules needs numbers with commas between them")?;
                }
                _ => bail!("bench has no option {word}"),
            }
        }
        // Every producer needs a rule of its own.
        if options.runs == 0 || options.rules.iter().any(|rules| *rules < route::PRODUCERS) {
            bail!("bench needs a run, and {} rules at least", route::PRODUCERS);
        }
        let all = Self::default();
        let is_part = options.is_quick || options.is_alone;
        let is_all = options.rules == all.rules && options.runs >= all.runs && !is_part;
        if options.writes_docs && !is_all {
            bail!(
                "--docs takes the numbers of a whole run: no --quick, no --ours, no --rules, no fewer runs"
            );
        }
        Ok(options)
    }

    fn quick(self) -> Self {
        Self {
            runs: 2,
            rules: vec![10, RULES, 10_000],
            round_trips: 600,
            paced: Duration::from_millis(300),
            saturated: Duration::from_millis(400),
            is_quick: true,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_and_others_refused() {
        assert_eq!(Options::parse(&[]).ok(), Some(Options::default()));
        let quick =
            Options::parse(&["--quick", "--runs", "7", "--rules", "10,100"]).expect("they exist");
        assert_eq!(
            (quick.runs, quick.rules, quick.round_trips, quick.is_quick),
            (7, vec![10, 100], 600, true)
        );
        let alone = Options::parse(&["--ours"]).expect("it exists");
        assert!(alone.is_alone && !alone.is_quick);
        for wrong in [
            &["--fast"][..],
            &["--runs"],
            &["--runs", "x"],
            &["--runs", "0"],
            &["--rules", "3"],
        ] {
            assert!(Options::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn docs_are_written_from_a_whole_run_only() {
        assert!(Options::parse(&["--docs"]).is_ok_and(|options| options.writes_docs));
        for part in [
            &["--docs", "--quick"][..],
            &["--docs", "--ours"],
            &["--docs", "--runs", "2"],
            &["--rules", "10", "--docs"],
        ] {
            assert!(Options::parse(part).is_err(), "{part:?}");
        }
    }
}
