//! What has to hold before a change goes in, quick checks first. Called by `.ci/run` and by people.

use anyhow::Result;

use crate::{bench, firmware, shell, test, tidy};

/// Stops at the first step that fails; the tests come last, so that their summary ends the output.
///
/// # Errors
/// The step that failed.
pub(crate) fn run() -> Result<()> {
    checks()?;
    test::run(true)
}

/// What `cargo deny` says of the crates of the build, where it is installed: `tidy` finds forbidden licences and
/// banned crates without it. Advisories need the network, and change without a change of ours.
fn deny() -> Result<()> {
    let words = ["deny", "check", "licenses", "bans", "sources"];
    if shell::answers(&mut shell::cargo(["deny", "--version"])) {
        return shell::run(&mut shell::cargo(words));
    }
    eprintln!("$ cargo {}\nskipped: not installed", words.join(" "));
    Ok(())
}

/// All but the tests.
///
/// # Errors
/// The step that failed.
pub(crate) fn checks() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))?;
    tidy::run()?;
    deny()?;
    firmware::run()?;
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
    bench::check()?;
    let docs = [
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ];
    shell::run(shell::cargo(docs).env("RUSTDOCFLAGS", "-D warnings"))
}
