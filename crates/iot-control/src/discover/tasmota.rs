//! Tasmota's discovery: one message says which relays, switches and buttons a device has, another what it measures.
//!
//! Source: <https://github.com/arendst/Tasmota/blob/development/tasmota/tasmota_xdrv_driver/xdrv_12_discovery.ino>; shapes as
//! <https://github.com/emontnemery/hatasmota> reads them.

use std::collections::BTreeMap;

use edit::Model;
use serde_json::Value as Json;

use super::{Found, analog, preset, text};

/// What stands in `rl` for each relay.
const RELAY: u64 = 1;
const LIGHT: u64 = 2;
const SHUTTER: u64 = 3;

/// The option that makes buttons report over MQTT.
const BUTTONS_REPORT: &str = "73";

/// What a sensor measures: its key, our kind, and the unit where ours is another.
const MEASURED: [(&str, &str); 4] = [
    ("Temperature", "temperature"),
    ("Humidity", "humidity"),
    ("Pressure", "pressure"),
    ("Illuminance", "lux"),
];

/// What an energy meter measures, and its unit.
const ENERGY: [(&str, &str); 6] = [
    ("Power", "W"),
    ("ApparentPower", "VA"),
    ("Voltage", "V"),
    ("Current", "A"),
    ("Total", "kWh"),
    ("Today", "kWh"),
];

pub(super) fn read(trees: &BTreeMap<String, Json>, notes: &mut Vec<String>) -> Vec<Found> {
    let mut found = Vec::new();
    for (topic, config) in trees.iter().filter(|(topic, _)| topic.ends_with("/config")) {
        let Some(name) = text(config, "t") else {
            notes.push(format!(
                "{}: does not say its topic, `t`",
                types::Shown(topic)
            ));
            continue;
        };
        let sensors = trees.get(&topic.replace("/config", "/sensors"));
        found.push(one(name, config, sensors));
    }
    found
}

fn one(name: &str, config: &Json, sensors: Option<&Json>) -> Found {
    let words = ["dn", "md"].map(|key| text(config, key).unwrap_or_default());
    let called = text(config, "dn")
        .filter(|dn| !dn.is_empty() && *dn != "Tasmota")
        .unwrap_or(name);
    let mut found = Found {
        name: called.to_owned(),
        about: format!("{}: {}, with Tasmota", words[0], words[1]),
        mqtt: preset("tasmota", name),
        ..Found::default()
    };
    let form = text(config, "ft").unwrap_or("%prefix%/%topic%/");
    let prefixes: Vec<&str> = config["tp"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Json::as_str)
        .collect();
    if form != "%prefix%/%topic%/" || !(prefixes.is_empty() || prefixes == ["cmnd", "stat", "tele"])
    {
        found.unsaid(format!(
            "its topics are {form} with {}; the preset knows %prefix%/%topic%/ with cmnd, stat, tele alone",
            prefixes.join(", ")
        ));
        return found;
    }
    relays(&mut found, config);
    inputs(&mut found, config);
    if let Some(measured) = sensors
        .and_then(|sensors| sensors.get("sn"))
        .and_then(Json::as_object)
    {
        let fahrenheit = measured.get("TempUnit").and_then(Json::as_str) == Some("F");
        for (sensor, values) in measured {
            measures(&mut found, sensor, values, fahrenheit);
        }
    }
    found
}

fn numbers(config: &Json, key: &str) -> Vec<i64> {
    let list = config[key].as_array().into_iter().flatten();
    list.map(|number| number.as_i64().unwrap_or_default())
        .collect()
}

fn relays(found: &mut Found, config: &Json) {
    let relays = numbers(config, "rl");
    let count = relays.iter().filter(|relay| **relay != 0).count();
    for (place, relay) in relays.iter().enumerate() {
        // One alone has no number.
        let power = if count == 1 {
            "POWER".to_owned()
        } else {
            format!("POWER{}", place + 1)
        };
        let from = (power != "POWER").then(|| ("from", Model::from(&*power)));
        let called = config["fn"].get(place).and_then(Json::as_str);
        let called = called.filter(|_| count > 1).unwrap_or("relay");
        match u64::try_from(*relay) {
            Ok(RELAY) => found.channel(called, "switch", from),
            Ok(LIGHT) => {
                let colours = config["lt_st"].as_u64().unwrap_or(1);
                let fields = from.map(|_| {
                    (
                        "fields",
                        super::texts([("on", &*power), ("brightness", "Dimmer")]),
                    )
                });
                found.channel("lamp", "dimmer", fields);
                if colours > 1 {
                    found.unsaid("its colour: the preset knows Dimmer alone");
                }
            }
            Ok(SHUTTER) => found.unsaid(format!(
                "relay {}: half of a shutter, which the preset does not know",
                place + 1
            )),
            _ => {}
        }
    }
}

fn inputs(found: &mut Found, config: &Json) {
    for (place, mode) in numbers(config, "swc").into_iter().enumerate() {
        if mode >= 0 {
            let number = place + 1;
            found.unsaid(format!(
                "Switch{number}: what is wired to it is not announced; write io.door = {{ kind = \"contact\", from = \"/Switch{number}/Action\" }}, or motion"
            ));
        }
    }
    let report = config["so"][BUTTONS_REPORT].as_u64() == Some(1);
    for (place, button) in numbers(config, "btn").into_iter().enumerate() {
        let number = place + 1;
        match (button, report) {
            (0, _) => {}
            (_, true) => {
                let from = (number > 1).then(|| {
                    (
                        "event_from",
                        Model::from(&*format!("/Button{number}/Action")),
                    )
                });
                found.channel(&format!("button{number}"), "button", from);
            }
            (_, false) => found.unsaid(format!("Button{number}: reports with SetOption73 1")),
        }
    }
}

fn measures(found: &mut Found, sensor: &str, values: &Json, fahrenheit: bool) {
    for (key, kind) in MEASURED {
        if values.get(key).is_none_or(|value| !value.is_number()) {
            continue;
        }
        let name = format!("{sensor}_{kind}");
        if kind == "temperature" && fahrenheit {
            found.unsaid(format!(
                "{sensor} Temperature: in °F; the house counts in °C, SetOption8 0"
            ));
            continue;
        }
        found.channel(
            &name,
            kind,
            [("from", Model::from(&*format!("/{sensor}/{key}")))],
        );
    }
    if sensor != "ENERGY" {
        return;
    }
    for (key, unit) in ENERGY {
        if values.get(key).is_some_and(Json::is_number) {
            let from = format!("/{sensor}/{key}");
            found.channel(
                &key.to_lowercase(),
                "analog",
                analog(Some(unit), [None; 2], Some(&from)),
            );
        }
    }
}
