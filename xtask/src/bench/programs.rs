//! The workspace `bench/`: its programs, and its tests. Called by the benches of engine and travel,
//! and looked at by `check`.

use std::path::PathBuf;

use anyhow::Result;

use crate::{metadata::Workspace, shell};

/// Its manifest, from the root of ours.
const MANIFEST: &str = "bench/Cargo.toml";

/// Builds the program `name`; gives its path.
///
/// # Errors
/// It doesn't build.
pub(super) fn build(name: &str) -> Result<PathBuf> {
    let target = Workspace::read()?.target;
    let mut build = shell::cargo([
        "build",
        "--release",
        "--locked",
        "--manifest-path",
        MANIFEST,
    ]);
    shell::run(build.args(["--bin", name, "--target-dir"]).arg(&target))?;
    Ok(target.join("release").join(name))
}

/// Whether it still fits what it measures: a change of ours is built without it.
///
/// # Errors
/// It doesn't build, or not without a warning.
pub(crate) fn check() -> Result<()> {
    let target = Workspace::read()?.target;
    let mut clippy = shell::cargo([
        "clippy",
        "--locked",
        "--all-targets",
        "--manifest-path",
        MANIFEST,
    ]);
    clippy.arg("--target-dir").arg(target);
    shell::run(clippy.args(["--", "-D", "warnings"]))
}

/// Runs its tests, as built for a measurement: an optimised build is needed anyhow.
///
/// # Errors
/// One fails, or they don't build.
pub(super) fn test() -> Result<()> {
    let target = Workspace::read()?.target;
    let mut tests = shell::cargo(["test", "--release", "--locked", "--manifest-path", MANIFEST]);
    shell::run(tests.arg("--target-dir").arg(target))
}
