//! What is known of makes of foreign devices: their topics, and where each built-in kind stands in their payloads.
//!
//! Sources: <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html>,
//! <https://www.zigbee2mqtt.io/devices/ZW-EU-4C.html> (a cover),
//! <https://tasmota.github.io/docs/MQTT/>, <https://tasmota.github.io/docs/Buttons-and-Switches/>.

use std::sync::Arc;

use types::Value;

use crate::{
    kinds::Kind,
    program::{Codec, Foreign, Meaning, Measure, Part, Phrase, Preset},
};

/// The presets of this version.
pub(super) const ALL: [Preset; 2] = [Preset::Zigbee2Mqtt, Preset::Tasmota];

/// The topics of the device that the make calls `name`.
pub(super) fn topics(preset: Preset, name: &str) -> Foreign {
    let topic = |text: String| Arc::<str>::from(text);
    let mut foreign = Foreign {
        preset: Some((preset, name.into())),
        ..Foreign::default()
    };
    match preset {
        Preset::Zigbee2Mqtt => {
            let state = topic(format!("zigbee2mqtt/{name}"));
            foreign.event = Some(Arc::clone(&state));
            foreign.states = vec![state];
            foreign.target = Some(topic(format!("zigbee2mqtt/{name}/set")));
            foreign.availability = Some(topic(format!("zigbee2mqtt/{name}/availability")));
        }
        Preset::Tasmota => {
            let result = topic(format!("stat/{name}/RESULT"));
            foreign.event = Some(Arc::clone(&result));
            foreign.states = vec![
                result,
                topic(format!("tele/{name}/STATE")),
                topic(format!("tele/{name}/SENSOR")),
            ];
            foreign.availability = Some(topic(format!("tele/{name}/LWT")));
        }
    }
    foreign
}

/// How a channel of `kind` reads where its own table says nothing else; `None`: the make is not known to have any.
/// `from` is what the table says.
pub(super) fn codec(preset: Preset, name: &str, kind: &Kind, from: Option<&str>) -> Option<Codec> {
    let known = match preset {
        Preset::Zigbee2Mqtt => zigbee2mqtt(&kind.name),
        Preset::Tasmota => tasmota(&kind.name, name, from),
    };
    // What stands at one place that the mapping names needs no more than that.
    known.or_else(|| (!Kind::is_built_in(&kind.name) || from.is_some()).then(Codec::default))
}

fn zigbee2mqtt(kind: &str) -> Option<Codec> {
    let light = ["hue", "saturation"].map(|field| (field, format!("/color/{field}")));
    let on = || part("on", "/state", Measure::Plain);
    let brightness = || part("brightness", "/brightness", Measure::Of254);
    Some(match kind {
        "switch" => at("state", "ON", "OFF"),
        "dimmer" => Codec {
            parts: vec![on(), brightness()],
            ..words("ON", "OFF")
        },
        "light" => {
            let colour = light
                .iter()
                .map(|(field, place)| part(field, place, Measure::Plain));
            let mut parts = vec![on(), brightness()];
            parts.extend(colour);
            parts.push(part("kelvin", "/color_temp", Measure::Mired));
            Codec {
                parts,
                ..words("ON", "OFF")
            }
        }
        // Its ends are said in words, which covers without a position know as well.
        "cover" => Codec {
            parts: vec![part("position", "/position", Measure::Plain)],
            phrases: vec![
                phrase("/state", "OPEN", is("position", Value::Number(100.0))),
                phrase("/state", "CLOSE", is("position", Value::Number(0.0))),
                phrase("/state", "STOP", Meaning::Command("stop".into())),
                phrase("/moving", "UP", is("moving", Value::Text("opening".into()))),
                phrase(
                    "/moving",
                    "DOWN",
                    is("moving", Value::Text("closing".into())),
                ),
                phrase(
                    "/moving",
                    "STOP",
                    is("moving", Value::Text("stopped".into())),
                ),
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

fn tasmota(kind: &str, name: &str, from: Option<&str>) -> Option<Codec> {
    let command = |command: &str| Some(Arc::from(format!("cmnd/{name}/{command}")));
    Some(match kind {
        "switch" => {
            let relay = from.unwrap_or("POWER");
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

fn words(on: &str, off: &str) -> Codec {
    Codec {
        on: Some(on.into()),
        off: Some(off.into()),
        ..Codec::default()
    }
}

fn at(from: &str, on: &str, off: &str) -> Codec {
    Codec {
        from: Some(from.into()),
        ..words(on, off)
    }
}

fn plain(from: &str) -> Codec {
    Codec {
        from: Some(from.into()),
        ..Codec::default()
    }
}

/// The device's words for click, double, triple and long.
fn gestures(theirs: [&str; 4]) -> Codec {
    let ours = super::foreign::READY_GESTURES.into_iter().map(Arc::from);
    Codec {
        events: ours.zip(theirs.map(Arc::from)).collect(),
        ..Codec::default()
    }
}

fn phrase(place: &str, word: &str, means: Meaning) -> Phrase {
    Phrase {
        place: place.into(),
        word: word.into(),
        means,
    }
}

fn is(field: &str, value: Value) -> Meaning {
    Meaning::Is(field.into(), value)
}

fn part(field: &str, place: &str, measure: Measure) -> Part {
    Part {
        field: field.into(),
        place: place.into(),
        measure,
    }
}
