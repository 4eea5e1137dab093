//! `cargo xtask nodered`: the real Node-RED shows a press and asks for a target, with the flow of examples/node-red.json.
//!
//! Called by people. Installs Node-RED once, into the folder of the peers; `agents/nodered.mjs` does the rest. No part of the tests: it takes
//! 100 MB and a minute.

use std::process::Command;

use anyhow::Result;

use crate::{metadata::Workspace, peers, shell};

/// Installs, builds, and runs the check.
///
/// # Errors
/// npm or node is missing, the package index can't be reached, or Node-RED sees something else than it should.
pub(crate) fn run() -> Result<()> {
    if peers::node_version("node-red").is_none() {
        std::fs::create_dir_all(peers::folder())?;
        peers::npm(peers::NODE_RED)?;
    }
    shell::run(&mut shell::cargo(["build", "-p", "iot-control"]))?;
    let binary = Workspace::read()?.target.join("debug/iot-control");
    shell::run(
        Command::new("node")
            .arg(shell::root().join("xtask/agents/nodered.mjs"))
            .arg(binary)
            .arg(peers::folder())
            .arg(peers::folder().join("node-red-run"))
            .arg(shell::root().join("examples")),
    )
}
