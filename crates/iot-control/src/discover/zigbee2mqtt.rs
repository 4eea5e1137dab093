//! Zigbee2MQTT lists its devices, with what each exposes.
//!
//! Source: <https://www.zigbee2mqtt.io/guide/usage/exposes.html> and `bridge/devices` of
//! <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html>.

use std::collections::BTreeMap;

use edit::Model;
use serde_json::Value as Json;

use super::{Found, analog, preset, remote, text, texts};

/// A value that is published is marked by this bit of `access`, <https://www.zigbee2mqtt.io/guide/usage/exposes.html#access>.
const PUBLISHED: u64 = 1;

pub(super) fn read(trees: &BTreeMap<String, Json>, notes: &mut Vec<String>) -> Vec<Found> {
    let mut found = Vec::new();
    for (topic, tree) in trees {
        let Some(devices) = tree.as_array() else {
            notes.push(format!("{topic}: is no list of devices"));
            continue;
        };
        for device in devices {
            let is = |key: &str| device.get(key).and_then(Json::as_bool);
            if text(device, "type") == Some("Coordinator") || is("disabled") == Some(true) {
                continue;
            }
            let Some(name) = text(device, "friendly_name") else {
                notes.push(format!("{topic}: a device without `friendly_name`"));
                continue;
            };
            found.push(one(name, device));
        }
    }
    found
}

fn one(name: &str, device: &Json) -> Found {
    let definition = &device["definition"];
    let model =
        ["vendor", "model", "description"].map(|key| text(definition, key).unwrap_or_default());
    let mut found = Found {
        name: name.to_owned(),
        about: format!("{name}: {}, behind Zigbee2MQTT", model.join(" ").trim()),
        mqtt: preset("zigbee2mqtt", name),
        ..Found::default()
    };
    let exposes = definition["exposes"].as_array();
    if exposes.is_none() {
        found.unsaid("Zigbee2MQTT does not know this model");
    }
    for expose in exposes.into_iter().flatten() {
        exposed(&mut found, expose);
    }
    found
}

fn exposed(found: &mut Found, expose: &Json) {
    let endpoint = text(expose, "endpoint")
        .map(|endpoint| format!("_{endpoint}"))
        .unwrap_or_default();
    match text(expose, "type") {
        Some("light") => light(found, expose, &endpoint),
        Some("switch") => {
            let property = property(expose, "state").unwrap_or("state");
            let from = (property != "state").then(|| ("from", Model::from(property)));
            found.channel(&format!("switch{endpoint}"), "switch", from);
        }
        Some("cover")
            if property(expose, "position").is_none_or(|property| property == "position") =>
        {
            found.channel(&format!("cover{endpoint}"), "cover", None);
        }
        Some("binary") => binary(found, expose),
        Some("numeric") => numeric(found, expose),
        Some("enum") if text(expose, "name") == Some("action") => action(found, expose),
        Some(other) => {
            let name = text(expose, "name").unwrap_or(other);
            if is_published(expose) && text(expose, "category").is_none() {
                found.unsaid(format!("{name}: no built-in kind for \"{other}\"; a kind of your own reads it by its name"));
            }
        }
        None => found.unsaid("something without a type"),
    }
}

/// Where a feature stands in the payload.
fn property<'e>(expose: &'e Json, feature: &str) -> Option<&'e str> {
    let features = expose.get("features")?.as_array()?;
    let feature = features
        .iter()
        .find(|one| text(one, "name") == Some(feature))?;
    text(feature, "property").or_else(|| text(feature, "name"))
}

fn light(found: &mut Found, expose: &Json, endpoint: &str) {
    let brightness = property(expose, "brightness");
    let has = |feature: &str| property(expose, feature).is_some();
    let kind = match brightness {
        None => "switch",
        Some(_) if has("color_hs") || has("color_xy") || has("color_temp") => "light",
        Some(_) => "dimmer",
    };
    let state = property(expose, "state").unwrap_or("state");
    let more = match (kind, brightness) {
        ("switch", _) if state != "state" => Some(("from", Model::from(state))),
        ("dimmer" | "light", Some(brightness)) if state != "state" => {
            Some(("fields", texts([("on", state), ("brightness", brightness)])))
        }
        _ => None,
    };
    found.channel(&format!("{kind}{endpoint}"), kind, more);
    if kind == "light" && !has("color_hs") && has("color_xy") {
        found.unsaid(
            "its colour is told as hue and saturation, which Zigbee2MQTT turns into x and y",
        );
    }
}

fn binary(found: &mut Found, expose: &Json) {
    let name = text(expose, "name").unwrap_or_default();
    let property = text(expose, "property").unwrap_or(name);
    let side = |key: &str| match expose.get(key) {
        Some(Json::String(text)) => Some(text.clone()),
        Some(Json::Bool(side)) => Some(side.to_string()),
        _ => None,
    };
    let words = || {
        let (on, off) = (side("value_on")?, side("value_off")?);
        Some([("on", Model::from(&*on)), ("off", Model::from(&*off))])
    };
    let from = [("from", Model::from(property))];
    match name {
        "contact" => found.channel(
            "contact",
            "contact",
            (property != name).then(|| from[0].clone()),
        ),
        "occupancy" => found.channel(
            "motion",
            "motion",
            (property != name).then(|| from[0].clone()),
        ),
        // A room's sensor: nobody comes home.
        "presence" | "moving" => {
            let words = words().into_iter().flatten();
            found.channel(name, "motion", from.into_iter().chain(words));
        }
        _ if is_published(expose) && text(expose, "category").is_none() => {
            let (on, off) = (side("value_on"), side("value_off"));
            let words = on
                .zip(off)
                .map(|(on, off)| format!(", {on} or {off}"))
                .unwrap_or_default();
            found.unsaid(format!(
                "{name}{words}: no built-in kind; a kind of your own reads it by its name"
            ));
        }
        _ => {}
    }
}

fn numeric(found: &mut Found, expose: &Json) {
    let name = text(expose, "name").unwrap_or_default();
    let property = text(expose, "property").unwrap_or(name);
    let number = |key: &str| expose.get(key).and_then(Json::as_f64);
    let unit = text(expose, "unit");
    let plain = |kind: &str| {
        let default = if kind == "lux" { "illuminance" } else { kind };
        (property != default).then(|| ("from", Model::from(property)))
    };
    match (name, unit) {
        ("temperature" | "device_temperature", Some("°F")) => {
            found.unsaid(format!(
                "{name}: in °F; the house counts in °C, which Zigbee2MQTT can publish"
            ));
        }
        ("temperature" | "humidity" | "pressure", _) => found.channel(name, name, plain(name)),
        ("illuminance" | "illuminance_lux", _) => found.channel("lux", "lux", plain("lux")),
        // How well it is heard is no matter of the house.
        ("linkquality", _) => {}
        _ if !is_published(expose) || text(expose, "category") == Some("config") => {}
        _ => {
            let range = [number("value_min"), number("value_max")];
            found.channel(property, "analog", analog(unit, range, Some(property)));
        }
    }
}

fn action(found: &mut Found, expose: &Json) {
    let words = expose
        .get("values")
        .and_then(Json::as_array)
        .into_iter()
        .flatten();
    let words: Vec<&str> = words
        .filter_map(Json::as_str)
        .filter(|word| !word.is_empty())
        .collect();
    if words.is_empty() {
        found.unsaid(
            "action: its words are not announced; write them as events = { word = \"click\" }",
        );
    }
    let usual = ["single", "double", "triple", "hold"];
    if words.iter().all(|word| usual.contains(word)) && !words.is_empty() {
        return found.channel("button", "button", None);
    }
    for (key, gestures) in remote(words) {
        let name = if key.is_empty() {
            "button".to_owned()
        } else {
            format!("key_{key}")
        };
        let events = texts(gestures.iter().map(|(ours, theirs)| (*theirs, *ours)));
        found.channel(&name, "button", [("events", events)]);
    }
}

fn is_published(expose: &Json) -> bool {
    let access = expose.get("access").and_then(Json::as_u64);
    access.is_none_or(|access| access & PUBLISHED != 0)
}
