//! Faults that tests make: the same tests that run on every change, with as many cases as a person has time for.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::{
    Way,
    findings::{Findings, Unable},
};
use crate::shell;

/// Random cases of a test that takes its number from here.
const CASES_VARIABLE: &str = "IOT_CONTROL_CASES";

/// Power cuts of the journal, by a model of a disk that loses, reorders and tears what was not synced.
///
/// # Errors
/// The tests can't be run.
pub(crate) fn power_cut(way: &Way) -> Result<Findings> {
    let cases = if way.quick { "200" } else { "10000" };
    let mut command = shell::cargo(["test"]);
    if !way.quick {
        command.arg("--release");
    }
    command
        .args(["--package", "store", "--test", "it", "power_cut::"])
        .env(CASES_VARIABLE, cases);
    passes(&mut command, &format!("{cases} power cuts"))
}

/// Days of a house of 200 devices, by the dispatcher without sockets on virtual time.
///
/// # Errors
/// The tests can't be run.
pub(crate) fn day(way: &Way) -> Result<Findings> {
    let cases = if way.quick { "1" } else { "100" };
    let mut command = shell::cargo(["test"]);
    if !way.quick {
        command.arg("--release");
    }
    command
        .args(["--package", "dispatcher", "--test", "it", "day::"])
        .env(CASES_VARIABLE, cases);
    passes(&mut command, &format!("{cases} days"))
}

/// Restarts of a real mosquitto and a real NATS between a house and its modules.
///
/// # Errors
/// One of them is not installed, or the tests can't be run.
pub(crate) fn external_broker(_: &Way) -> Result<Findings> {
    for broker in ["mosquitto", "nats-server"] {
        if shell::installed(broker).is_none() {
            return Err(Unable(format!("{broker} is not installed")).into());
        }
    }
    let words = [
        "test",
        "--package",
        "iot-control",
        "--test",
        "it",
        "external_broker::",
    ];
    passes(
        &mut shell::cargo(words),
        "restarts of a real mosquitto and NATS",
    )
}

/// Runs the tests, and tells what they came to: a filter that matches none succeeds, and so does a test that skips itself.
fn passes(command: &mut Command, what: &str) -> Result<Findings> {
    // Uncaptured, so that a test which skips itself is heard.
    command.args(["--", "--nocapture"]).stderr(Stdio::inherit());
    let line = shell::line(command);
    eprintln!("$ {line}");
    let output = command
        .output()
        .with_context(|| format!("can't start `{line}`"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    eprint!("{said}");
    let ran = Ran::read(&said);
    let mut findings = Findings::default();
    findings.holds(
        &format!(
            "{what}: tests passed {}, skipped {}",
            ran.passed, ran.skipped
        ),
        output.status.success() && ran.is_whole(),
    );
    Ok(findings)
}

/// What a run of tests says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    passed: u64,
    /// Tests that found on this machine not what they need.
    skipped: usize,
}

impl Ran {
    fn read(said: &str) -> Self {
        // Uncaptured, what a test prints may stand before or behind it on its line.
        let results = said.split("test result: ").skip(1);
        let passed = results.filter_map(|result| {
            let (before, _) = result.split_once(" passed;")?;
            before.split_whitespace().last()?.parse::<u64>().ok()
        });
        Self {
            passed: passed.sum(),
            skipped: said.matches("skipped: ").count(),
        }
    }

    fn is_whole(&self) -> bool {
        self.passed > 0 && self.skipped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_no_test_or_of_one_that_skipped_itself_shows_nothing() {
        let result = |passed: u64| {
            format!("test result: ok. {passed} passed; 0 failed; 0 ignored; 0 measured\n")
        };
        let ran = |said: &str| Ran::read(said).is_whole();
        assert!(ran(&format!("running 2 tests\n{}", result(2))));
        assert!(!ran(&format!("running 0 tests\n{}", result(0))));
        assert!(!ran(""), "nothing ran");
        let skipped = "test nats ... skipped: not installed (nats-server)\nok\n";
        let said = format!("{skipped}{}", result(2));
        let expected = Ran {
            passed: 2,
            skipped: 1,
        };
        assert_eq!(Ran::read(&said), expected);
        assert!(!ran(&said));
    }
}
