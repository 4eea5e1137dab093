//! What keeps a house from running well on this machine, and how to mend it: `iot-control doctor`.
//!
//! Called by the command. Looks and changes nothing (an external broker is asked to take one message that it should refuse), with or without a dispatcher that runs. Each part looks at one
//! thing and must not depend on what another found, so that a machine in a sorry state is told all of it at once.

mod broker;
mod house;
mod machine;
mod ports;
mod state;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::settings::Settings;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// It runs, but not as well or not for long.
    Warning,
    /// It doesn't run, or loses something.
    Trouble,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// Which part of the machine or the house, as one word.
    pub(crate) about: &'static str,
    /// What was found.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) mend: Option<String>,
}

impl Finding {
    fn fine(about: &'static str, what: impl Into<String>) -> Self {
        Self {
            level: Level::Fine,
            about,
            what: what.into(),
            mend: None,
        }
    }

    fn bad(
        level: Level,
        about: &'static str,
        what: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self {
            level,
            about,
            what: what.into(),
            mend: Some(mend.into()),
        }
    }
}

/// Looks at the machine, the house in `house` and the state in `state`, which else is where the settings have it.
pub(crate) fn examine(house: &Path, state: Option<&Path>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let settings = house::settings(house, &mut findings);
    let program = house::examine(house, &settings, &mut findings);
    let folder = state.map_or_else(|| settings.state_folder(None), PathBuf::from);
    state::examine(&folder, &settings, program.as_deref(), &mut findings);
    broker::examine((house, &folder), &settings, &mut findings);
    ports::examine(&folder, &settings, &mut findings);
    machine::examine(Path::new("/"), &settings, &mut findings);
    findings
}

/// `3.2 GB`, `17 MB`.
fn bytes(count: u64) -> String {
    match count {
        1_000_000_000.. => format!("{:.1} GB", count as f64 / 1e9),
        _ => format!("{} MB", count / 1_000_000),
    }
}

/// Whose password or key would be read by whoever can read the settings.
fn has_secrets(settings: &Settings) -> bool {
    !settings.notify.carriers.is_empty()
}
