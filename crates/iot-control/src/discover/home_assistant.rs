//! What tells Home Assistant of itself: one message for each entity, or one for a whole device.
//!
//! Sources: <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery> (topics, abbreviations, payloads of the platforms),
//! and ESPHome's `components/mqtt/mqtt_component.cpp`, whose entities are known by their topics.

mod entity;
mod esphome;

use std::collections::BTreeMap;

use edit::Model;
use serde_json::Value as Json;
use types::Shown;

use self::entity::Entity;
use super::{Found, analog};

pub(super) fn read(trees: &BTreeMap<String, Json>, notes: &mut Vec<String>) -> Vec<Found> {
    let mut entities = Vec::new();
    for (topic, tree) in trees {
        if topic.ends_with("/config") {
            entities.extend(Entity::all(topic, tree));
        }
    }
    let mut bridged = 0;
    let mut groups: BTreeMap<Group, Found> = BTreeMap::new();
    for entity in &entities {
        let topics = entity.topics();
        // What we announce ourselves is no news.
        if topics.iter().any(|topic| topic.starts_with("iot/")) {
            continue;
        }
        if topics.iter().any(|topic| topic.starts_with("zigbee2mqtt/")) {
            bridged += 1;
            continue;
        }
        let group = match esphome::prefix(entity) {
            Some(prefix) => Group::EspHome(prefix.to_owned()),
            None => Group::Topics {
                device: entity.device_key(),
                state: entity.text("state_topic").map(str::to_owned),
                target: entity.text("command_topic").map(str::to_owned),
            },
        };
        let found = groups
            .entry(group.clone())
            .or_insert_with(|| begun(&group, entity));
        match &group {
            Group::EspHome(_) => esphome::add(found, entity),
            Group::Topics { .. } => add(found, entity),
        }
    }
    if bridged > 0 {
        notes.push(format!(
            "{bridged} entities of Zigbee2MQTT are left out here: its own list says more, --from zigbee2mqtt"
        ));
    }
    groups.into_values().collect()
}

/// What makes one device of ours: all of an ESPHome device, or what shares its topics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    EspHome(String),
    Topics {
        device: String,
        state: Option<String>,
        target: Option<String>,
    },
}

fn begun(group: &Group, entity: &Entity<'_>) -> Found {
    let name = entity.device_name();
    let mut found = Found {
        name: name.to_owned(),
        about: format!("{name}: told Home Assistant of itself"),
        ..Found::default()
    };
    match group {
        Group::EspHome(prefix) => {
            found.about = format!("{name}: with ESPHome");
            found.mqtt = super::preset("esphome", prefix);
        }
        Group::Topics { state, target, .. } => {
            let key = if entity.component == "event" {
                "event"
            } else {
                "state"
            };
            let topics = [(key, state), ("target", target)].into_iter();
            let topics = topics
                .filter_map(|(key, topic)| Some((key.to_owned(), Model::from(topic.as_deref()?))));
            found.mqtt.extend(topics);
            match entity.availability() {
                Ok(Some(topic)) => found
                    .mqtt
                    .push(("availability".to_owned(), Model::from(topic))),
                Ok(None) => {}
                Err(why) => found.unsaid(why),
            }
        }
    }
    found
}

/// An entity whose topics are its own.
fn add(found: &mut Found, entity: &Entity<'_>) {
    let said = match &*entity.component {
        "switch" | "siren" => switch(entity),
        "light" => light(found, entity),
        "binary_sensor" => binary(entity),
        "sensor" => sensor(entity),
        "event" => event(entity),
        other => Err(format!("no kind for Home Assistant's {}", Shown(other))),
    };
    match said {
        Ok((kind, more)) => found.channel(entity.name(), kind, more),
        Err(why) => found.unsaid(format!("{}: {why}", entity.name())),
    }
}

/// A kind and the rest of its table; or why it has none.
type Said = Result<(&'static str, Vec<(&'static str, Model)>), String>;

fn from(entity: &Entity<'_>) -> Result<Option<(&'static str, Model)>, String> {
    let place = entity.place()?;
    Ok(place.map(|place| ("from", Model::from(&*place))))
}

fn switch(entity: &Entity<'_>) -> Said {
    if entity.text("command_topic").is_none() {
        return Err("has no topic on which it is told".to_owned());
    }
    if entity.text("command_template").is_some() {
        return Err("is told by a template".to_owned());
    }
    let place = entity.place()?;
    let word = |key: &str, default: &str| entity.text(key).unwrap_or(default).to_owned();
    let (mut on, mut off) = (word("payload_on", "ON"), word("payload_off", "OFF"));
    if let Some(place) = &place {
        // In our words both stand at one place.
        let inner = |payload: &str| {
            let tree: Json = serde_json::from_str(payload).ok()?;
            let one = tree.as_object().is_some_and(|keys| keys.len() == 1);
            tree.pointer(place)
                .and_then(Json::as_str)
                .filter(|_| one)
                .map(str::to_owned)
        };
        let both = inner(&on).zip(inner(&off));
        (on, off) = both.ok_or("reports in JSON and is told in bare words")?;
    }
    if word("state_on", &on) != on || word("state_off", &off) != off {
        return Err("is told in other words than it reports in".to_owned());
    }
    let mut more: Vec<(&'static str, Model)> = from(entity)?.into_iter().collect();
    more.extend([("on", Model::from(&*on)), ("off", Model::from(&*off))]);
    Ok(("switch", more))
}

fn light(found: &mut Found, entity: &Entity<'_>) -> Said {
    let json = entity.text("schema") == Some("json");
    let dims = ["brightness", "brightness_command_topic"]
        .iter()
        .any(|key| {
            entity
                .config
                .get(*key)
                .is_some_and(|value| *value != Json::Bool(false))
        });
    if dims {
        found.unsaid(format!(
            "{}: its brightness counts otherwise than ours and has no preset; it is a switch here",
            entity.name()
        ));
    }
    if !json {
        return switch(entity);
    }
    let words = [("from", "state"), ("on", "ON"), ("off", "OFF")];
    Ok((
        "switch",
        words.map(|(key, word)| (key, Model::from(word))).into(),
    ))
}

fn binary(entity: &Entity<'_>) -> Said {
    let kind = entity.binary_kind().ok_or_else(|| {
        let class = entity.text("device_class").unwrap_or("no class");
        format!("no built-in kind for a binary sensor of {}; say kind = \"contact\", \"motion\" or \"presence\"", Shown(class))
    })?;
    let mut more: Vec<(&'static str, Model)> = from(entity)?.into_iter().collect();
    let words = [("on", "payload_on", "ON"), ("off", "payload_off", "OFF")];
    more.extend(
        words.map(|(ours, key, default)| (ours, Model::from(entity.text(key).unwrap_or(default)))),
    );
    Ok((kind, more))
}

fn sensor(entity: &Entity<'_>) -> Said {
    let place = entity.place()?;
    let kind = entity.sensor_kind()?;
    let more = match kind {
        "analog" => analog(
            entity.text("unit_of_measurement"),
            [None; 2],
            place.as_deref(),
        ),
        _ => from(entity)?.into_iter().collect(),
    };
    Ok((kind, more))
}

fn event(entity: &Entity<'_>) -> Said {
    if entity.text("value_template").is_some() {
        return Err("its events are read by a template".to_owned());
    }
    let events = entity.events()?;
    Ok((
        "button",
        vec![
            ("event_from", Model::from("event_type")),
            ("events", events),
        ],
    ))
}
