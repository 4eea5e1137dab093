//! The programs that end-to-end tests talk to: which are here, and how to get those that no package
//! of the system holds. Called by `peers` and `test`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::shell;

/// Tells the tests where MQTT.js, paho and taplo are.
pub(crate) const FOLDER_VARIABLE: &str = "IOT_CONTROL_PEERS";

/// A program or library that a test talks with.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) found: bool,
    /// How it gets here.
    pub(crate) install: &'static str,
}

/// Where [`install`] puts libraries: `node_modules/mqtt`, `node_modules/@taplo/lsp` and `python/paho`.
pub(crate) fn folder() -> PathBuf {
    let default = || shell::root().join("target/peers");
    shell::variable(FOLDER_VARIABLE).map_or_else(default, PathBuf::from)
}

/// Every peer of the tests.
pub(crate) fn all() -> Vec<Peer> {
    let system = |name: &'static str| Peer {
        name,
        found: shell::installed(name).is_some(),
        install: "apt-get install mosquitto mosquitto-clients",
    };
    let mqtt_js = Peer {
        name: "MQTT.js",
        found: folder().join("node_modules/mqtt/package.json").is_file()
            && shell::installed("node").is_some(),
        install: "apt-get install nodejs npm; cargo xtask peers",
    };
    let paho = Peer {
        name: "paho",
        found: shell::answers(with_paho(
            Command::new("python3").args(["-c", "import paho.mqtt.client"]),
        )),
        install: "apt-get install python3-pip; cargo xtask peers",
    };
    let taplo = Peer {
        name: "taplo",
        found: folder()
            .join("node_modules/@taplo/lsp/package.json")
            .is_file()
            && shell::installed("node").is_some(),
        install: "apt-get install nodejs npm; cargo xtask peers",
    };
    vec![
        system("mosquitto"),
        system("mosquitto_pub"),
        system("mosquitto_sub"),
        mqtt_js,
        paho,
        taplo,
    ]
}

/// Gives a program, and all it starts, the libraries of [`folder`].
pub(crate) fn with_paho(command: &mut Command) -> &mut Command {
    let own = folder().join("python");
    let others = shell::variable("PYTHONPATH").unwrap_or_default();
    let path = std::iter::once(own).chain(std::env::split_paths(&others));
    match std::env::join_paths(path) {
        Ok(path) => command.env("PYTHONPATH", path),
        Err(_) => command,
    }
}

/// Installs MQTT.js, paho and taplo into [`folder`], where they are missing, and says what is there.
///
/// # Errors
/// npm or pip is missing or fails.
pub(crate) fn install() -> Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("can't create {}", folder.display()))?;
    for peer in all().iter().filter(|peer| !peer.found) {
        match peer.name {
            "MQTT.js" => shell::run(
                Command::new("npm")
                    .args(["install", "--no-audit", "--no-fund", "--prefix"])
                    .arg(&folder)
                    .arg("mqtt@5"),
            )?,
            "taplo" => shell::run(
                Command::new("npm")
                    .args(["install", "--no-audit", "--no-fund", "--prefix"])
                    .arg(&folder)
                    .arg("@taplo/lsp@0.8"),
            )?,
            "paho" => shell::run(
                Command::new("python3")
                    .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
                    .arg(folder.join("python"))
                    .arg("paho-mqtt>=2,<3"),
            )?,
            _ => {}
        }
    }
    print(&all());
    println!("{FOLDER_VARIABLE}={}", folder.display());
    Ok(())
}

/// One line for each peer.
pub(crate) fn print(peers: &[Peer]) {
    for peer in peers {
        if peer.found {
            println!("peer {}: found", peer.name);
        } else {
            println!(
                "peer {}: skipped: not installed ({})",
                peer.name, peer.install
            );
        }
    }
}
