//! `cargo xtask package`: the Debian package of the dispatcher, for this machine's architecture. Called by people.
//!
//! What it built is unpacked and tried: its files are where its unit looks for them, its binary checks the example that
//! it brings, and systemd finds nothing wrong with the unit and little that it leaves open.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// What must be in it, and may be done with it.
const FILES: &[(&str, u32)] = &[
    ("usr/bin/iot-control", 0o755),
    ("usr/lib/systemd/system/iot-control.service", 0o644),
    ("usr/lib/sysusers.d/iot-control.conf", 0o644),
    ("usr/share/doc/iot-control/service.md", 0o644),
    (EXAMPLE_MAPPING, 0o644),
];

const EXAMPLE: &str = "usr/share/doc/iot-control/examples/evening-flat";
const EXAMPLE_MAPPING: &str = "usr/share/doc/iot-control/examples/evening-flat/mapping.toml";

/// How much of the machine the service may reach, in systemd's own measure: tenths of 0 (nothing) to 10.
const EXPOSURE_MAX: &str = "20";

/// Builds it and tries what it holds.
///
/// # Errors
/// cargo-deb is not installed, the build fails, or the package isn't what its unit needs.
pub(crate) fn run() -> Result<()> {
    let version = shell::output(Command::new("cargo").args(["deb", "--version"]));
    version.context("cargo-deb builds the package: cargo install cargo-deb --locked")?;
    let out = shell::root().join("target/debian");
    fs::create_dir_all(&out)?;
    let mut build = shell::cargo(["deb", "--package", "iot-control", "--locked", "--output"]);
    shell::run(build.arg(&out))?;
    let package = newest(&out)?;
    shell::run(Command::new("dpkg-deb").arg("--info").arg(&package))?;

    let root = out.join("root");
    if root.exists() {
        fs::remove_dir_all(&root)?;
    }
    shell::run(
        Command::new("dpkg-deb")
            .arg("--extract")
            .args([&package, &root]),
    )?;
    for (file, mode) in FILES {
        let metadata = root.join(file).metadata();
        let metadata = metadata.with_context(|| format!("{file} is not in the package"))?;
        let found = metadata.permissions().mode() & 0o777;
        ensure!(found == *mode, "{file} has mode {found:o}, not {mode:o}");
    }
    let binary = root.join("usr/bin/iot-control");
    shell::run(Command::new(&binary).arg("--version"))?;
    shell::run(Command::new(&binary).arg("check").arg(root.join(EXAMPLE)))?;
    judge(&root)?;
    let megabytes = package.metadata()?.len() as f64 / 1e6;
    println!("{}: {megabytes:.1} MB", package.display());
    Ok(())
}

/// Lets systemd look at the unit, where this machine has it.
fn judge(root: &Path) -> Result<()> {
    if shell::output(Command::new("systemd-analyze").arg("--version")).is_err() {
        eprintln!("skipped: no systemd-analyze here judges the unit");
        return Ok(());
    }
    let analyze = |words: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(words);
        command
    };
    // It names the units of Debian that this root has not.
    let unit = root.join("usr/lib/systemd/system/iot-control.service");
    let text = fs::read_to_string(&unit)?;
    let here = root.join("usr/bin/iot-control");
    let tried = root.join("iot-control.service");
    fs::write(
        &tried,
        text.replace("/usr/bin/iot-control", &here.display().to_string()),
    )?;
    shell::run(analyze(&["verify", "--man=no"]).arg(&tried))?;
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let security = ["security", "--offline=yes", "--no-pager", &threshold];
    let report = shell::output(analyze(&security).arg(&tried))?;
    println!("{}", report.lines().last().unwrap_or_default());
    Ok(())
}

fn newest(folder: &Path) -> Result<PathBuf> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            packages.push((path.metadata()?.modified()?, path));
        }
    }
    let Some((_, newest)) = packages.into_iter().max() else {
        bail!("cargo-deb left no package in {}", folder.display());
    };
    Ok(newest)
}
