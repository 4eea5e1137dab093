//! An external broker: whether it is reached, and whether it holds each device to its own topics.

use std::path::Path;

use super::{Finding, Level};
use crate::{
    acl::List,
    run::{keys, uplink::canary},
    settings::{External, Settings},
};

/// Looks at the broker of the settings where it is not our own. Tries one publish there, which it should refuse.
pub(super) fn examine(
    (house, state): (&Path, &Path),
    settings: &Settings,
    findings: &mut Vec<Finding>,
) {
    let Some(to) = &settings.broker else {
        return;
    };
    // A house that does not check has no list, nor has one whose keys can't be read; both are told elsewhere.
    let Some(program) = mapping::load(house).program else {
        return;
    };
    if let Ok(sealed) = keys::sealed(state, &program) {
        let list = List::new(&program, to.user.as_deref(), &sealed);
        findings.push(broker(house, settings, to, &list));
    }
}

fn broker(house: &Path, settings: &Settings, to: &External, list: &List) -> Finding {
    match canary::prove(settings, to, list.canary()) {
        Ok(true) => Finding::fine(
            "broker",
            format!("{to} holds each device to its own topics: it refused what no one may publish"),
        ),
        Ok(false) => Finding::bad(
            Level::Warning,
            "broker",
            format!(
                "{to} goes by no list of this house, or by an older one: who has a login there may speak for any device"
            ),
            format!(
                "`iot-control acl export {}` prints mosquitto's acl_file; name it in mosquitto.conf and reload mosquitto",
                house.display()
            ),
        ),
        Err(why) => Finding::bad(
            Level::Trouble,
            "broker",
            format!("{to}: {why:#}"),
            "until it is reached, no module is heard",
        ),
    }
}
