//! What settings and mapping say past each other: names in the settings that the house does not have.
//! Neither can know the other when it is checked alone, so it is told when both come together, at a
//! start and at a reload.

use mapping::{Program, suggest};

use crate::settings::{FILE, Settings};

/// One line for people each.
pub(super) fn concerns(settings: &Settings, program: &Program) -> Vec<String> {
    let silent = settings.presence.silence_max.keys();
    silent
        .filter(|name| program.device(name).is_none())
        .map(|name| {
            let names = program.devices.iter().map(|device| &*device.name);
            let near = suggest::closest(name, names)
                .map(|near| format!("; did you mean {near}?"))
                .unwrap_or_default();
            format!("{FILE}: presence.silence_max.{name}: the house has no device {name}{near}")
        })
        .collect()
}
