//! `cargo xtask homeassistant`: the real Home Assistant shows, switches and forgets the devices of a house.
//!
//! Called by people. Installs Home Assistant once, into the folder of the peers; `agents/homeassistant.py` does the rest. No part of the
//! tests: it takes 450 MB and minutes.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result, bail};

use crate::{metadata::Workspace, peers, shell};

/// Home Assistant's release: the last one for Python 3.11, which distributions hold.
const VERSION: &str = "2024.3.3";

/// A Python of another name or place.
const PYTHON_VARIABLE: &str = "IOT_CONTROL_PYTHON_3_11";

/// What it imports and does not bound: newer ones of these no longer have what it calls.
const BESIDE: [&str; 2] = ["paho-mqtt==1.6.1", "josepy<2"];

/// Installs, builds, and runs the check.
///
/// # Errors
/// There is no Python 3.11, the package index can't be reached, or Home Assistant sees something else than it should.
pub(crate) fn run() -> Result<()> {
    let python = installed()?;
    shell::run(&mut shell::cargo(["build", "-p", "iot-control"]))?;
    let binary = Workspace::read()?.target.join("debug/iot-control");
    shell::run(
        Command::new(python)
            .arg(shell::root().join("xtask/agents/homeassistant.py"))
            .arg(binary)
            .arg(peers::folder().join("homeassistant-run")),
    )
}

/// The Python in which Home Assistant is.
fn installed() -> Result<PathBuf> {
    let folder = peers::folder().join("homeassistant");
    let python = folder.join("bin/python");
    let imports =
        "import josepy, paho.mqtt.client, homeassistant.const as it; assert it.__version__ == ";
    let is_there = format!("{imports}'{VERSION}'");
    if shell::answers(Command::new(&python).args(["-c", &is_there])) {
        return Ok(python);
    }
    let system = shell::variable(PYTHON_VARIABLE).unwrap_or_else(|| "python3.11".into());
    if !shell::answers(Command::new(&system).args(["-c", "import venv"])) {
        bail!(
            "python3.11 is not here; install it with its venv module, or say where it is in {PYTHON_VARIABLE}"
        );
    }
    shell::run(
        Command::new(system)
            .args(["-m", "venv", "--clear"])
            .arg(&folder),
    )?;
    let pip = |words: &[&str]| -> Result<()> {
        shell::run(
            Command::new(&python)
                .args(["-m", "pip", "install", "--quiet"])
                .args(words),
        )
    };
    let package = format!("homeassistant=={VERSION}");
    // The release says which version of everything it was made with.
    pip(&["--no-deps", &package])?;
    let mut find = Command::new(&python);
    find.args(["-c", "import homeassistant as it; print(it.__path__[0])"]);
    let home = shell::output(&mut find)?;
    let constraints = PathBuf::from(home.trim()).join("package_constraints.txt");
    let constraints = constraints.to_str().context("its path is not text")?;
    pip(&[&["-c", constraints, &package], &BESIDE[..]].concat())?;
    Ok(python)
}
