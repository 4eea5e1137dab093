//! The house's files: whether they check, and who else may read what is secret in them.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use mapping::{Program, Severity};

use super::{Finding, Level, has_secrets};
use crate::{
    run::{concerns, count, tls},
    settings::{FILE, Settings},
};

/// The settings; those of a house that never set any where they can't be read.
pub(super) fn settings(house: &Path, findings: &mut Vec<Finding>) -> Settings {
    match Settings::read(house) {
        Ok(settings) => settings,
        Err(wrong) => {
            let complaints = wrong.0.iter().map(|wrong| {
                let mend = "until then `run` refuses to start; the rest here goes by the defaults";
                Finding::bad(Level::Trouble, "settings", wrong.to_string(), mend)
            });
            findings.extend(complaints);
            Settings::default()
        }
    }
}

/// Looks at mapping, blocklist and settings together; gives the mapping where it checks.
pub(super) fn examine(
    house: &Path,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Option<Arc<Program>> {
    let shown = house.display();
    if !house.join("mapping.toml").exists() {
        findings.push(Finding::bad(
            Level::Trouble,
            "house",
            format!("{shown} holds no mapping.toml"),
            "name the folder of your house, or begin with a copy of one of the examples",
        ));
        return None;
    }
    let loaded = mapping::load(house);
    let blocks = mapping::blocklist::load(house);
    let all = loaded.diagnostics.iter().chain(&blocks.diagnostics);
    let errors = all
        .filter(|found| found.severity == Severity::Error)
        .count();
    let sound = loaded.program.filter(|_| errors == 0);
    match &sound {
        Some(program) => {
            findings.push(Finding::fine(
                "house",
                format!(
                    "{shown}: {}, {}; it checks",
                    count(program.devices.len(), "device"),
                    count(program.rules.len(), "rule")
                ),
            ));
            let concerns = concerns::concerns(settings, program).into_iter();
            findings.extend(concerns.map(|what| Finding {
                level: Level::Warning,
                about: "house",
                what,
                mend: None,
            }));
        }
        None => findings.push(Finding::bad(
            Level::Trouble,
            "house",
            format!("{shown}: {} in its files", count(errors, "error")),
            format!("`iot-control check {shown}` says where and how to mend them"),
        )),
    }
    secrets(house, settings, findings);
    certificate(house, settings, findings);
    sound
}

fn secrets(house: &Path, settings: &Settings, findings: &mut Vec<Finding>) {
    let path = house.join(FILE);
    let Ok(metadata) = path.metadata() else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 && has_secrets(settings) {
        findings.push(Finding::bad(
            Level::Warning,
            "settings",
            format!(
                "{} tells how people are told, and others may read it (mode {mode:o})",
                path.display()
            ),
            format!("chmod 600 {}", path.display()),
        ));
    }
}

/// Until when clients that come through TLS are content.
fn certificate(house: &Path, settings: &Settings, findings: &mut Vec<Finding>) {
    if !settings.mqtt.has_tls() {
        return;
    }
    let found = match tls::Files::read(settings, house) {
        Err(why) => Finding {
            level: Level::Trouble,
            about: "TLS",
            what: format!("{why:#}"),
            mend: None,
        },
        Ok(files) => match files.days_left() {
            ..0 => Finding::bad(
                Level::Trouble,
                "TLS",
                "the certificate is over: clients that check it stay out",
                "`iot-control tls init --renew`",
            ),
            days @ 0..30 => Finding::bad(
                Level::Warning,
                "TLS",
                format!("the certificate holds for {days} days more"),
                "`iot-control tls init --renew`",
            ),
            days => Finding::fine("TLS", format!("the certificate holds for {days} days more")),
        },
    };
    findings.push(found);
}
