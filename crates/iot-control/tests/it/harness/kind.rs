//! The makes of MQTT clients that the tests use, and whether this machine has them.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

/// A make of MQTT client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `mosquitto_pub` and `mosquitto_sub`, MQTT 3.1.1.
    Mosquitto,
    /// Python's paho, MQTT 5.
    Paho,
    /// MQTT.js, MQTT 5.
    MqttJs,
    /// rumqttc-next, MQTT 3.1.1; always here.
    RumqttcV4,
    /// rumqttc-next, MQTT 5; always here.
    RumqttcV5,
}

impl Kind {
    /// Every make.
    pub const ALL: [Self; 5] = [
        Self::Mosquitto,
        Self::Paho,
        Self::MqttJs,
        Self::RumqttcV4,
        Self::RumqttcV5,
    ];

    /// Whether it speaks MQTT 5, which tells refusals by number.
    pub fn is_v5(self) -> bool {
        matches!(self, Self::Paho | Self::MqttJs | Self::RumqttcV5)
    }

    /// Those of [`Self::ALL`] that are installed; says which are not.
    ///
    /// # Panics
    /// One is missing and the environment demands all.
    pub fn installed() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.is_installed())
    }

    /// Whether it is here; says so where not, so that the test can pass without it.
    ///
    /// # Panics
    /// It is missing and the environment demands it.
    pub fn is_installed(self) -> bool {
        static FOUND: [OnceLock<bool>; 3] = [const { OnceLock::new() }; 3];
        let (place, name): (usize, _) = match self {
            Self::Mosquitto => (0, "mosquitto_pub, mosquitto_sub"),
            Self::Paho => (1, "paho"),
            Self::MqttJs => (2, "MQTT.js"),
            Self::RumqttcV4 | Self::RumqttcV5 => return true,
        };
        *FOUND[place].get_or_init(|| say_if_missing(name, self.answers()))
    }

    fn answers(self) -> bool {
        match self {
            Self::Mosquitto => ["mosquitto_pub", "mosquitto_sub", "stdbuf"]
                .iter()
                .all(|tool| Command::new(tool).arg("--help").output().is_ok()),
            Self::Paho => python_can("paho.mqtt.client"),
            Self::MqttJs => {
                let package = peers_folder().join("node_modules/mqtt/package.json");
                package.is_file() && succeeds(Command::new("node").arg("--version"))
            }
            Self::RumqttcV4 | Self::RumqttcV5 => true,
        }
    }
}

/// Whether a program of others was found; says so where not, so that a test can pass without it.
///
/// # Panics
/// It is missing and the environment demands it.
pub fn say_if_missing(name: &str, found: bool) -> bool {
    if !found {
        let required = std::env::var_os("IOT_CONTROL_REQUIRE_PEERS").is_some_and(|v| v == "1");
        assert!(
            !required,
            "{name} is required but not installed; see `cargo xtask peers`"
        );
        println!("skipped: not installed ({name})");
    }
    found
}

/// Where `cargo xtask peers` puts the libraries of other languages.
pub fn peers_folder() -> PathBuf {
    std::env::var_os("IOT_CONTROL_PEERS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers"),
        PathBuf::from,
    )
}

/// Where Python finds what `cargo xtask peers` installs: our folder first, then what the environment says.
pub fn python_path() -> OsString {
    let mut path = peers_folder().join("python").into_os_string();
    if let Some(others) = std::env::var_os("PYTHONPATH").filter(|others| !others.is_empty()) {
        path.push(":");
        path.push(others);
    }
    path
}

/// Whether Python finds this module.
pub fn python_can(module: &str) -> bool {
    let mut python = Command::new("python3");
    python
        .args(["-c", &format!("import {module}")])
        .env("PYTHONPATH", python_path());
    succeeds(&mut python)
}

fn succeeds(command: &mut Command) -> bool {
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}
