//! ESPHome's MQTT client: `NAME/COMPONENT/ID/state`, and `command` beside it.
//!
//! Sources: <https://esphome.io/components/mqtt/> and the firmware's own messages,
//! <https://github.com/esphome/esphome/tree/dev/esphome/components/mqtt> (switch, cover, event, number, button) and
//! `components/light/light_json_schema.cpp` (lamps).

use std::sync::Arc;

use super::{LampKeys, Place, colour, commands, is, lamp, part, phrase, tells, tells_that, words};
use crate::{
    kinds::Kind,
    program::{Codec, Measure, Part, Phrase},
};

pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let binary = || Codec {
        states: vec![topic(place, "binary_sensor", "state")],
        ..words("ON", "OFF")
    };
    Some(match &*place.kind.name {
        "switch" | "buzzer" if component(place, "switch").0 == "light" => lamps(place, &[]),
        "switch" | "buzzer" => Codec {
            target: Some(topic(place, "switch", "command")),
            states: vec![topic(place, "switch", "state")],
            ..words("ON", "OFF")
        },
        "dimmer" => lamps(place, &[brightness()]),
        "light" => {
            let [hue, saturation] = colour("/color");
            let kelvin = part("kelvin", "/color_temp", Measure::Mired);
            lamps(place, &[brightness(), hue, saturation, kelvin])
        }
        "cover" => cover(place),
        // A number is set as it is reported.
        "servo" => Codec {
            target: Some(topic(place, "number", "command")),
            states: vec![topic(place, "number", "state")],
            ..Codec::default()
        },
        "motion" | "contact" | "presence" => binary(),
        "temperature" | "humidity" | "pressure" | "lux" | "analog" => Codec {
            states: vec![topic(place, "sensor", "state")],
            ..Codec::default()
        },
        "counter" => fields(place, &["count"])?,
        "button" if component(place, "binary_sensor").0 == "event" => Codec {
            event: Some(topic(place, "event", "state")),
            event_from: Some("event_type".into()),
            ..Codec::default()
        },
        "button" => Codec {
            event: Some(topic(place, "binary_sensor", "state")),
            events: [("press", "ON"), ("release", "OFF")]
                .map(|(ours, theirs)| (ours.into(), theirs.into()))
                .into(),
            ..Codec::default()
        },
        kind if Kind::is_built_in(kind) => return None,
        _ => own(place)?,
    })
}

/// The component and the id of the channel.
fn component<'p>(place: &'p Place<'_>, default: &'p str) -> (&'p str, &'p str) {
    match place.path().as_slice() {
        [component, id, ..] => (component, id),
        [id] => (default, id),
        [] => (default, place.channel),
    }
}

fn topic(place: &Place<'_>, default: &str, leaf: &str) -> Arc<str> {
    let (component, id) = component(place, default);
    format!("{}/{component}/{id}/{leaf}", place.name).into()
}

fn brightness() -> Part {
    part("brightness", "/brightness", Measure::Of255)
}

fn lamps(place: &Place<'_>, more: &[Part]) -> Codec {
    let mut parts = vec![part("on", "/state", Measure::Plain)];
    parts.extend_from_slice(more);
    let form = |side: Option<bool>, more: &str| match side {
        Some(side) => {
            let word = if side { "ON" } else { "OFF" };
            format!("{{\"state\":\"{word}\"{more}}}")
        }
        None => format!("{{{more}}}"),
    };
    let keys = LampKeys {
        brightness: r#""brightness":<brightness>"#,
        colour: r#""color":{"r":<red>,"g":<green>,"b":<blue>}"#,
        kelvin: r#""color_temp":<kelvin>"#,
    };
    Codec {
        sayings: lamp(&topic(place, "light", "command"), &parts, form, &keys),
        states: vec![topic(place, "light", "state")],
        parts,
        ..words("ON", "OFF")
    }
}

/// A cover tells its position, or where it knows none, its ends. Both kinds take words for the ends.
fn cover(place: &Place<'_>) -> Codec {
    let (ends, position) = (
        topic(place, "cover", "state"),
        topic(place, "cover", "position/state"),
    );
    let command = topic(place, "cover", "command");
    let at = |end: f64| [("position", Some(end.into()))];
    let end = |word: &str, position: f64| Phrase {
        topic: Some(Arc::clone(&ends)),
        ..phrase("", word, is("position", position))
    };
    Codec {
        parts: vec![Part {
            topic: Some(Arc::clone(&position)),
            ..part("position", "", Measure::Plain)
        }],
        phrases: vec![end("open", 100.0), end("closed", 0.0)],
        sayings: vec![
            tells_that(&command, &at(100.0), "OPEN"),
            tells_that(&command, &at(0.0), "CLOSE"),
            tells(
                &topic(place, "cover", "position/command"),
                &["position"],
                "<position>",
            ),
            commands(&command, "stop", "STOP"),
        ],
        states: vec![position, ends],
        ..Codec::default()
    }
}

/// Fields of which each is a component of its own. Those of `alone` are what `from` or the channel's name says.
fn fields(place: &Place<'_>, alone: &[&str]) -> Option<Codec> {
    let mut codec = Codec::default();
    for field in &place.kind.fields {
        let named = place.fields.get(&field.name);
        let base = match named {
            Some(named) => format!("{}/{}", place.name, named.trim_start_matches('/')),
            None if alone.contains(&&*field.name) => {
                let (component, id) = component(place, "sensor");
                format!("{}/{component}/{id}", place.name)
            }
            None => continue,
        };
        let state: Arc<str> = format!("{base}/state").into();
        codec.parts.push(Part {
            topic: Some(Arc::clone(&state)),
            ..part(&field.name, "", Measure::Plain)
        });
        codec.states.push(state);
        if field.settable && place.kind.consumer {
            let command: Arc<str> = format!("{base}/command").into();
            codec.sayings.push(tells(
                &command,
                &[&field.name],
                &format!("<{}>", field.name),
            ));
        }
    }
    (!codec.parts.is_empty()).then_some(codec)
}

/// An own kind: its fields where `fields` says, a single one as a sensor; its commands are buttons.
fn own(place: &Place<'_>) -> Option<Codec> {
    let kind = place.kind;
    let alone: Vec<&str> = match kind.fields.as_slice() {
        [only] if !only.settable => vec![&only.name],
        _ => Vec::new(),
    };
    let mut codec = match fields(place, &alone) {
        Some(codec) => codec,
        None if kind.fields.is_empty() => Codec::default(),
        None => return None,
    };
    for command in &kind.commands {
        let press: Arc<str> = format!("{}/button/{}/command", place.name, command.name).into();
        codec.sayings.push(commands(&press, &command.name, "PRESS"));
    }
    if !kind.events.is_empty() {
        codec.event = Some(topic(place, "event", "state"));
        codec.event_from = Some("event_type".into());
    }
    if codec.on.is_none() {
        codec.on = Some("ON".into());
        codec.off = Some("OFF".into());
    }
    Some(codec)
}
