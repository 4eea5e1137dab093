//! What has to hold before a change goes in, quick checks first. Called by `.ci/run` and by people.

use anyhow::Result;

use crate::{shell, test, tidy};

/// Stops at the first step that fails; the tests come last, so that their summary ends the output.
///
/// # Errors
/// The step that failed.
pub(crate) fn run() -> Result<()> {
    checks()?;
    test::run(true)
}

/// All but the tests.
///
/// # Errors
/// The step that failed.
pub(crate) fn checks() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    shell::run(&mut shell::cargo(clippy))?;
    let docs = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    shell::run(shell::cargo(docs).env("RUSTDOCFLAGS", "-D warnings"))
}
