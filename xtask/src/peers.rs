//! The programs that end-to-end tests talk to: which are here, and how to get those that no package
//! of the system holds. Called by `peers` and `test`.

use std::{path::PathBuf, process::Command};

use anyhow::{Context, Result};

use crate::shell;

/// Tells the tests where MQTT.js, paho, zeroconf and taplo are.
pub(crate) const FOLDER_VARIABLE: &str = "IOT_CONTROL_PEERS";

/// A program or library that a test talks with.
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) found: bool,
    /// How it gets here.
    pub(crate) install: &'static str,
}

/// Node-RED's release line: 5 needs a newer Node.js than distributions hold.
pub(crate) const NODE_RED: &str = "node-red@4";

/// Where [`install`] puts libraries: `node_modules/mqtt`, `node_modules/@taplo/lsp`, `python/paho` and `python/zeroconf`.
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
    let python = |name: &'static str, import: &str| Peer {
        name,
        found: shell::answers(with_python(
            Command::new("python3").args(["-c", &format!("import {import}")]),
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
    let nats = Peer {
        name: "nats-server",
        found: shell::installed("nats-server").is_some(),
        install: "apt-get install nats-server",
    };
    vec![
        system("mosquitto"),
        system("mosquitto_pub"),
        system("mosquitto_sub"),
        nats,
        mqtt_js,
        python("paho", "paho.mqtt.client"),
        python("zeroconf", "zeroconf"),
        taplo,
    ]
}

/// What only `cargo xtask bench` talks to.
pub(crate) fn of_benches() -> Vec<Peer> {
    let node = |name: &'static str| Peer {
        name,
        found: node_version(name).is_some() && shell::installed("node").is_some(),
        install: "apt-get install nodejs npm; cargo xtask peers --bench",
    };
    vec![node("aedes"), node("node-red")]
}

/// Version of a package of Node.js in [`folder`].
pub(crate) fn node_version(package: &str) -> Option<String> {
    let manifest = folder()
        .join("node_modules")
        .join(package)
        .join("package.json");
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(manifest).ok()?).ok()?;
    Some(manifest["version"].as_str()?.to_owned())
}

/// Gives a program, and all it starts, the libraries of [`folder`].
pub(crate) fn with_python(command: &mut Command) -> &mut Command {
    let own = folder().join("python");
    let others = shell::variable("PYTHONPATH").unwrap_or_default();
    let path = std::iter::once(own).chain(std::env::split_paths(&others));
    match std::env::join_paths(path) {
        Ok(path) => command.env("PYTHONPATH", path),
        Err(_) => command,
    }
}

/// Installs MQTT.js, paho, zeroconf and taplo into [`folder`], where they are missing, and says what is there; for benches aedes and Node-RED too.
///
/// # Errors
/// npm or pip is missing or fails.
pub(crate) fn install(for_benches: bool) -> Result<()> {
    let folder = folder();
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("can't create {}", folder.display()))?;
    let wanted = || {
        let benches = if for_benches {
            of_benches()
        } else {
            Vec::new()
        };
        all().into_iter().chain(benches)
    };
    for peer in wanted().filter(|peer| !peer.found) {
        match peer.name {
            "MQTT.js" => npm("mqtt@5")?,
            "taplo" => npm("@taplo/lsp@0.8")?,
            "aedes" => npm("aedes@1.2")?,
            "node-red" => npm(NODE_RED)?,
            "paho" => pip("paho-mqtt>=2,<3")?,
            "zeroconf" => pip("zeroconf<1")?,
            _ => {}
        }
    }
    print(&wanted().collect::<Vec<_>>());
    println!("{FOLDER_VARIABLE}={}", folder.display());
    Ok(())
}

/// Installs a package of Python into [`folder`].
fn pip(package: &str) -> Result<()> {
    let mut install = Command::new("python3");
    install
        .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
        .arg(folder().join("python"))
        .arg(package);
    shell::run(&mut install)
}

/// Installs a package of Node.js into [`folder`].
pub(crate) fn npm(package: &str) -> Result<()> {
    let mut install = Command::new("npm");
    install
        .args(["install", "--no-audit", "--no-fund", "--prefix"])
        .arg(folder())
        .arg(package);
    shell::run(&mut install)
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
