//! `cargo xtask package`: the Debian package of the dispatcher, for this machine's architecture or another one. Called by
//! people.
//!
//! What it built is unpacked and tried: its files are where its unit looks for them, its binary checks the example that
//! it brings, and systemd finds nothing wrong with the unit and little that it leaves open. The binary of another architecture
//! runs in an emulator.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

mod architecture;

pub(crate) use architecture::Architecture;

/// What must be in it, and may be done with it.
const FILES: &[(&str, u32)] = &[
    ("usr/bin/iot-control", 0o755),
    ("usr/lib/systemd/system/iot-control.service", 0o644),
    ("usr/lib/sysusers.d/iot-control.conf", 0o644),
    ("usr/share/doc/iot-control/service.md", 0o644),
    ("usr/share/doc/iot-control/examples/presence.sh", 0o755),
    (EXAMPLE_MAPPING, 0o644),
];

const EXAMPLE: &str = "usr/share/doc/iot-control/examples/evening-flat";
const EXAMPLE_MAPPING: &str = "usr/share/doc/iot-control/examples/evening-flat/mapping.toml";

/// What dpkg runs.
const SCRIPTS: &[&str] = &["postinst", "prerm", "postrm"];

/// How much of the machine the service may reach, in systemd's own measure: tenths of 0 (nothing) to 10.
const EXPOSURE_MAX: &str = "20";

/// Builds it and tries what it holds.
///
/// # Errors
/// cargo-deb is not installed, the build fails, or the package isn't what its unit needs.
pub(crate) fn run(other: Option<&Architecture>) -> Result<()> {
    let version = shell::output(Command::new("cargo").args(["deb", "--version"]));
    version.context("cargo-deb builds the package: cargo install cargo-deb --locked")?;
    let out = shell::root().join("target/debian");
    fs::create_dir_all(&out)?;
    let mut build = shell::cargo(["deb", "--package", "iot-control", "--locked"]);
    if let Some(other) = other {
        other.prepare()?;
        other.build_with(&mut build);
    }
    shell::run(build.arg("--output").arg(&out))?;
    let package = newest(&out)?;
    shell::run(Command::new("dpkg-deb").arg("--info").arg(&package))?;
    if let Some(other) = other {
        let mut ask = Command::new("dpkg-deb");
        ask.arg("--field").arg(&package).arg("Architecture");
        let is = shell::output(&mut ask)?;
        ensure!(
            is.trim() == other.debian,
            "the package is for {}",
            is.trim()
        );
    }

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
    let command = || match other {
        None => Command::new(&binary),
        Some(other) => other.emulate(&binary),
    };
    shell::run(command().arg("--version"))?;
    for word in ["check", "test"] {
        shell::run(command().arg(word).arg(root.join(EXAMPLE)))?;
    }
    scripts(&package, &out, &root)?;
    judge(&root)?;
    let megabytes = package.metadata()?.len() as f64 / 1e6;
    println!("{}: {megabytes:.1} MB", package.display());
    Ok(())
}

/// Looks at the scripts that run at an installation: dpkg would stop halfway at one that is wrong.
fn scripts(package: &Path, out: &Path, root: &Path) -> Result<()> {
    let control = out.join("control");
    if control.exists() {
        fs::remove_dir_all(&control)?;
    }
    let words = [package, &control];
    shell::run(Command::new("dpkg-deb").arg("--control").args(words))?;
    for name in SCRIPTS {
        let script = control.join(name);
        let text = fs::read_to_string(&script)
            .with_context(|| format!("the package has no script {name}"))?;
        ensure!(
            !text.contains("#DEBHELPER#"),
            "{name} lacks what cargo-deb writes into it"
        );
        shell::run(Command::new("sh").arg("-n").arg(&script))?;
        for users in users_made(&text) {
            let path = root.join("usr/lib/sysusers.d").join(users);
            ensure!(
                path.exists(),
                "{name} makes the users of {users}, which is not in the package"
            );
        }
    }
    Ok(())
}

/// The files of users that a script has systemd make. cargo-deb adds a line for each, by the name that the file has here.
fn users_made(script: &str) -> impl Iterator<Item = &str> {
    let commands = script.lines().map(str::trim);
    let commands = commands.filter(|line| line.starts_with("systemd-sysusers "));
    commands.filter_map(|line| line.split_whitespace().last())
}

/// Lets systemd look at the unit, where this machine has it.
fn judge(root: &Path) -> Result<()> {
    if shell::output(Command::new("systemd-analyze").arg("--version")).is_err() {
        eprintln!("skipped: not installed: systemd-analyze, which judges the unit");
        return Ok(());
    }
    // It names the binary where the package puts it.
    let unit = root.join("usr/lib/systemd/system/iot-control.service");
    let here = root.join("usr/bin/iot-control").display().to_string();
    let text = fs::read_to_string(&unit)?.replace("/usr/bin/iot-control", &here);
    let tried = root.join("iot-control.service");
    fs::write(&tried, text)?;

    let said = analyze(&["verify", "--man=no"], &tried)?;
    // What it only warns of, it calls a success: a setting that it doesn't know opens what it was to shut.
    ensure!(
        said.code == Some(0) && said.text.is_empty(),
        "systemd finds something wrong with the unit:\n{}",
        said.text
    );
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    let said = analyze(
        &["security", "--offline=yes", "--no-pager", &threshold],
        &tried,
    )?;
    ensure!(
        said.code == Some(0),
        "the unit leaves more open than {EXPOSURE_MAX} tenths:\n{}",
        open_ways(&said.text)
    );
    println!("{}", said.text.lines().last().unwrap_or_default());
    Ok(())
}

/// What a program said, on stdout and stderr, and how it ended.
struct Said {
    code: Option<i32>,
    text: String,
}

fn analyze(words: &[&str], unit: &Path) -> Result<Said> {
    let mut command = Command::new("systemd-analyze");
    command.args(words).arg(unit);
    let line = shell::line(&command);
    eprintln!("$ {line}");
    let output = command
        .output()
        .with_context(|| format!("can't start `{line}`"))?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Said {
        code: output.status.code(),
        text: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

/// Of systemd's table the ways that are open, and its sum.
fn open_ways(table: &str) -> String {
    let is_open = |line: &&str| !line.starts_with('\u{2713}') && !line.trim().is_empty();
    table.lines().filter(is_open).collect::<Vec<_>>().join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_script_has_systemd_make_is_found() {
        let script = "#!/bin/sh\n  if command -v systemd-sysusers; then\n    systemd-sysusers a.conf\n  fi\n\
            systemd-sysusers ${DPKG_ROOT:+--root=\"$DPKG_ROOT\"} b.conf\n";
        assert_eq!(users_made(script).collect::<Vec<_>>(), ["a.conf", "b.conf"]);
    }

    #[test]
    fn of_systemd_s_table_the_ways_that_are_open_are_shown() {
        let table = "\u{2713} PrivateTmp= no access\n\u{2717} PrivateNetwork= access 0.5\n\n\u{2192} Overall exposure level: 1.4 OK\n";
        let open = "\u{2717} PrivateNetwork= access 0.5\n\u{2192} Overall exposure level: 1.4 OK";
        assert_eq!(open_ways(table), open);
    }
}
