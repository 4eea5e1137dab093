//! Names that appear in only one of settings and mapping. Neither can
//! know the other when it is read alone, so it is told when both come together: by `check`, at a start and at a reload.

use std::collections::BTreeMap;

use mapping::{
    Program,
    program::{Action, Rule},
    suggest,
};

use super::tell;
use crate::settings::{FILE, Settings};

/// One line for people each.
pub(crate) fn concerns(settings: &Settings, program: &Program) -> Vec<String> {
    let mut concerns = unknown_devices(settings, program);
    concerns.extend(unknown_carriers(settings, program));
    concerns
}

fn unknown_devices(settings: &Settings, program: &Program) -> Vec<String> {
    let silent = settings.presence.silence_max.keys();
    silent
        .filter(|name| program.device(name).is_none())
        .map(|name| {
            let names = program.devices.iter().map(|device| &*device.name);
            let near = did_you_mean(name, names);
            format!("{FILE}: presence.silence_max.{name}: the house has no device {name}{near}")
        })
        .collect()
}

fn unknown_carriers(settings: &Settings, program: &Program) -> Vec<String> {
    let known = tell::names(&settings.notify);
    let mut missing: BTreeMap<&str, &Rule> = BTreeMap::new();
    for rule in &program.rules {
        for action in &rule.actions {
            if let Action::Notify { to, .. } = action
                && **to != *dispatcher::ALL
                && !known.contains(to)
            {
                missing.entry(to).or_insert(rule);
            }
        }
    }
    missing
        .into_iter()
        .map(|(to, rule)| {
            let (file, line, name) = (&rule.origin.file, rule.origin.line, &rule.name);
            let near = did_you_mean(to, known.iter().map(|name| &**name));
            format!(
                "{file}:{line}: rule {name} tells people by {to}, but {FILE} has no [notify.{to}]{near}"
            )
        })
        .collect()
}

fn did_you_mean<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    suggest::closest(name, known)
        .map(|near| format!("; did you mean {near}?"))
        .unwrap_or_default()
}
