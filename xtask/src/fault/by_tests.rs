//! Faults that tests make: the same tests that run on every change, with as many cases as a person has time for.

use std::process::Command;

use anyhow::Result;

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

/// Restarts of a real mosquitto, and of a NATS where it is installed, between a house and its modules.
///
/// # Errors
/// The tests can't be run.
pub(crate) fn external_broker(_: &Way) -> Result<Findings> {
    if shell::installed("mosquitto").is_none() {
        return Err(Unable("mosquitto is not installed".to_owned()).into());
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

fn passes(command: &mut Command, what: &str) -> Result<Findings> {
    let mut findings = Findings::default();
    findings.holds(what, shell::run(command).is_ok());
    Ok(findings)
}
