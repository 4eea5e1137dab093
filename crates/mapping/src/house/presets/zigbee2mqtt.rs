//! Zigbee2MQTT: one topic for all that a device says, one for all that it is told.
//!
//! Sources: <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html>,
//! <https://www.zigbee2mqtt.io/devices/ZW-EU-4C.html> (a cover).

use super::{at, gestures, is, part, phrase, plain, words};
use crate::program::{Codec, Meaning, Measure};

pub(super) fn codec(kind: &str) -> Option<Codec> {
    let on = || part("on", "/state", Measure::Plain);
    let brightness = || part("brightness", "/brightness", Measure::Of254);
    Some(match kind {
        "switch" => at("state", "ON", "OFF"),
        "dimmer" => Codec {
            parts: vec![on(), brightness()],
            ..words("ON", "OFF")
        },
        "light" => {
            let field = |field: &str| part(field, &format!("/color/{field}"), Measure::Plain);
            let kelvin = part("kelvin", "/color_temp", Measure::Mired);
            Codec {
                parts: vec![
                    on(),
                    brightness(),
                    field("hue"),
                    field("saturation"),
                    kelvin,
                ],
                ..words("ON", "OFF")
            }
        }
        // Its ends are said in words, which covers without a position know as well.
        "cover" => Codec {
            parts: vec![part("position", "/position", Measure::Plain)],
            phrases: vec![
                phrase("/state", "OPEN", is("position", 100.0)),
                phrase("/state", "CLOSE", is("position", 0.0)),
                phrase("/state", "STOP", Meaning::Command("stop".into())),
                phrase("/moving", "UP", is("moving", "opening")),
                phrase("/moving", "DOWN", is("moving", "closing")),
                phrase("/moving", "STOP", is("moving", "stopped")),
            ],
            ..Codec::default()
        },
        "motion" => at("occupancy", "true", "false"),
        "presence" => at("presence", "true", "false"),
        // Zigbee says that the contact is made: the door is closed.
        "contact" => at("contact", "false", "true"),
        "temperature" | "humidity" | "pressure" => plain(kind),
        "lux" => plain("illuminance"),
        "button" => Codec {
            event_from: Some("action".into()),
            ..gestures(["single", "double", "triple", "hold"])
        },
        _ => return None,
    })
}
