//! Devices of another make that listen on one topic: what is meant for one of them, both do.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{Carrier, DeviceIx},
};

/// Its name for `allow`.
pub(super) const LINT: &str = "target-topic-shared";

/// Where a channel is told its target: the topic, and the place in its payload.
type Place = (Arc<str>, Option<Arc<str>>);

/// Devices whose targets go where those of an earlier device go. Two channels that stand at different places of one
/// payload are one thing with two parts, and fine.
pub(super) fn target_topic_shared(house: &House<'_>, found: &mut Vec<Diagnostic>) {
    let program = &house.program;
    let mut taken: BTreeMap<Place, DeviceIx> = BTreeMap::new();
    for device in DeviceIx::all(program.devices.len()) {
        let Carrier::Foreign(foreign) = &program[device].carrier else {
            continue;
        };
        let mut shared = None;
        for channel in &program[device].channels {
            let row = &program[*channel];
            // The places of the makes that have a message for each thing are told apart by their topics, or by what the
            // message calls; the first one says whose they are.
            let own = row.codec.as_ref().and_then(|codec| codec.told_on().next());
            let Some(topic) = own.or(foreign.target.as_ref()).filter(|_| row.consumer) else {
                continue;
            };
            let from = row.codec.as_ref().and_then(|codec| codec.from.clone());
            let first = *taken.entry((topic.clone(), from)).or_insert(device);
            if first != device && shared.is_none() {
                shared = Some((topic, first));
            }
        }
        if let Some((topic, first)) = shared {
            found.extend(complaint(house, device, first, topic));
        }
    }
}

fn complaint(
    house: &House<'_>,
    device: DeviceIx,
    first: DeviceIx,
    topic: &str,
) -> Option<Diagnostic> {
    let (name, other) = (&house.program[device].name, &house.program[first].name);
    let allows = |name| {
        let allowed = house.device_allows.get(name);
        allowed.is_some_and(|allowed| allowed.contains(&LINT))
    };
    if allows(name) || allows(other) {
        return None;
    }
    let message = format!("`{name}` and `{other}` both listen on \"{topic}\"");
    let place = house.device_places.get(name)?.clone();
    let first_place = house.device_places.get(other)?.clone();
    Some(
        Diagnostic::warning(LINT, place, message)
            .label("what is told one of them, both do")
            .also(first_place, "this one as well")
            .help("give each its own topic, or its own `name` in the preset; one thing with several parts is one device with several channels"),
    )
}
