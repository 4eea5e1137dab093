//! Tasmota: a topic for each command, several for what is reported.
//!
//! Sources: <https://tasmota.github.io/docs/MQTT/>, <https://tasmota.github.io/docs/Buttons-and-Switches/>.

use std::sync::Arc;

use super::{Place, at, gestures, part, plain, words};
use crate::program::{Codec, Measure};

pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let name = place.name;
    let command = |command: &str| Some(Arc::from(format!("cmnd/{name}/{command}")));
    Some(match &*place.kind.name {
        "switch" => {
            let relay = place.from.unwrap_or("POWER");
            Codec {
                target: command(relay.trim_start_matches('/')),
                ..at(relay, "ON", "OFF")
            }
        }
        "dimmer" => Codec {
            parts: vec![
                part("on", "/POWER", Measure::Plain),
                part("brightness", "/Dimmer", Measure::Plain),
            ],
            target: command("Backlog"),
            ..words("ON", "OFF")
        },
        "motion" | "contact" => at("/Switch1/Action", "ON", "OFF"),
        "temperature" => plain("/*/Temperature"),
        "humidity" => plain("/*/Humidity"),
        "pressure" => plain("/*/Pressure"),
        "lux" => plain("/*/Illuminance"),
        "button" => Codec {
            event_from: Some("/Button1/Action".into()),
            ..gestures(["SINGLE", "DOUBLE", "TRIPLE", "HOLD"])
        },
        _ => return None,
    })
}
