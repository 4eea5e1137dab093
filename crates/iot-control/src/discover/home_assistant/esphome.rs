//! ESPHome's entities, which are known by their topics: `NAME/COMPONENT/ID/state`.

use edit::Model;
use serde_json::Value as Json;

use super::entity::Entity;
use crate::discover::{Found, analog, number};

/// ESPHome's components that Home Assistant calls the same.
const COMPONENTS: [&str; 9] = [
    "switch",
    "fan",
    "light",
    "cover",
    "binary_sensor",
    "sensor",
    "number",
    "button",
    "event",
];

/// The device's name in its topics, where they are ESPHome's.
pub(super) fn prefix<'e>(entity: &'e Entity<'_>) -> Option<&'e str> {
    parts(entity).map(|(prefix, _)| prefix)
}

/// The device's name and the entity's id.
fn parts<'e>(entity: &'e Entity<'_>) -> Option<(&'e str, &'e str)> {
    let is_esphome = entity.software().to_ascii_lowercase().contains("esphome");
    if !is_esphome || !COMPONENTS.contains(&&*entity.component) {
        return None;
    }
    entity.topics().into_iter().find_map(|topic| {
        let base = ["/position/state", "/state", "/command"]
            .iter()
            .find_map(|leaf| topic.strip_suffix(leaf))?;
        let (rest, id) = base.rsplit_once('/')?;
        let prefix = rest.strip_suffix(&*entity.component)?.strip_suffix('/')?;
        (!prefix.is_empty() && !id.is_empty()).then_some((prefix, id))
    })
}

pub(super) fn add(found: &mut Found, entity: &Entity<'_>) {
    let Some((_, id)) = parts(entity) else {
        return;
    };
    let from = || ("from", Model::from(id));
    let explicit = |component: &str| ("from", Model::from(&*format!("/{component}/{id}")));
    let unsaid = match &*entity.component {
        "switch" => {
            found.channel(id, "switch", [from()]);
            None
        }
        "fan" => {
            found.channel(id, "switch", [explicit("fan")]);
            None
        }
        "light" => {
            let kind = lamp(entity);
            found.channel(
                id,
                kind,
                [if kind == "switch" {
                    explicit("light")
                } else {
                    from()
                }],
            );
            None
        }
        "cover" => {
            found.channel(id, "cover", [from()]);
            None
        }
        "binary_sensor" => match entity.binary_kind() {
            Some(kind) => {
                found.channel(id, kind, [from()]);
                None
            }
            None => Some(
                "a binary sensor; say kind = \"button\", \"contact\", \"motion\" or \"presence\""
                    .to_owned(),
            ),
        },
        "sensor" => entity
            .sensor_kind()
            .map(|kind| sensor(found, entity, id, kind))
            .err(),
        "number" => {
            let end = |key: &str| entity.config.get(key).and_then(Json::as_f64);
            match (end("min"), end("max")) {
                (Some(min), Some(max)) if min < max => {
                    found.channel(
                        id,
                        "servo",
                        [from(), ("min", number(min)), ("max", number(max))],
                    );
                    None
                }
                _ => Some("a number without a range".to_owned()),
            }
        }
        "event" => {
            let events = entity.events();
            events
                .map(|events| found.channel(id, "button", [explicit("event"), ("events", events)]))
                .err()
        }
        _ => Some("a command; a kind of your own with commands presses it".to_owned()),
    };
    if let Some(why) = unsaid {
        found.unsaid(format!("{id}: {why}"));
    }
}

fn sensor(found: &mut Found, entity: &Entity<'_>, id: &str, kind: &str) {
    if kind == "analog" {
        found.channel(
            id,
            kind,
            analog(entity.text("unit_of_measurement"), [None; 2], Some(id)),
        );
    } else {
        found.channel(id, kind, [("from", Model::from(id))]);
    }
}

/// What a lamp can be told.
fn lamp(entity: &Entity<'_>) -> &'static str {
    let modes = entity
        .config
        .get("supported_color_modes")
        .and_then(Json::as_array);
    let modes: Vec<&str> = modes
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    let dims = entity.config.get("brightness").and_then(Json::as_bool) == Some(true);
    let plain = modes
        .iter()
        .all(|mode| ["onoff", "brightness", "white"].contains(mode));
    match (dims || modes.iter().any(|mode| *mode != "onoff"), plain) {
        (false, _) => "switch",
        (true, true) => "dimmer",
        (true, false) => "light",
    }
}
