//! Shelly's first generation: a topic for each thing, all below `shellies/NAME`.
//!
//! Source: <https://shelly-api-docs.shelly.cloud/gen1/> (common MQTT topics, Shelly 1, Dimmer, 2.5 as a roller, Button 1,
//! Door/Window 2, H&T, Motion).

use std::sync::Arc;

use super::{
    LampKeys, Place, at, commands, gestures, is, lamp, part, phrase, tells, tells_that, words,
};
use crate::program::{Codec, Measure, Part, Phrase};

pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let value = |default: &str| Codec {
        states: vec![topic(place, default, "")],
        ..Codec::default()
    };
    Some(match &*place.kind.name {
        "switch" | "buzzer" => Codec {
            states: vec![topic(place, "relay/0", "")],
            target: Some(topic(place, "relay/0", "/command")),
            ..words("on", "off")
        },
        "dimmer" => dimmer(place),
        "cover" => roller(place),
        "motion" => Codec {
            states: vec![topic(place, "status", "")],
            ..at("/motion", "true", "false")
        },
        "contact" => Codec {
            on: Some("open".into()),
            off: Some("close".into()),
            ..value("sensor/state")
        },
        "presence" => Codec {
            states: vec![topic(place, "input/0", "")],
            ..words("1", "0")
        },
        "temperature" => value("sensor/temperature"),
        "humidity" => value("sensor/humidity"),
        "lux" => value("sensor/lux"),
        "analog" => place.from.map(|_| value(""))?,
        "counter" => Codec {
            parts: vec![part("count", "", Measure::Plain)],
            ..place.from.map(|_| value(""))?
        },
        "button" => Codec {
            event: Some(topic(place, "input_event/0", "")),
            event_from: Some("event".into()),
            ..gestures(["S", "SS", "SSS", "L"])
        },
        _ => return None,
    })
}

fn topic(place: &Place<'_>, default: &str, leaf: &str) -> Arc<str> {
    let path = place.path();
    let path = if path.is_empty() {
        default.to_owned()
    } else {
        path.join("/")
    };
    format!("shellies/{}/{path}{leaf}", place.name).into()
}

fn dimmer(place: &Place<'_>) -> Codec {
    let parts = vec![
        part("on", "/ison", Measure::Plain),
        part("brightness", "/brightness", Measure::Plain),
    ];
    let form = |side: Option<bool>, more: &str| {
        let word = if side == Some(false) { "off" } else { "on" };
        format!(r#"{{"turn":"{word}"{more}}}"#)
    };
    let keys = LampKeys {
        brightness: r#""brightness":<brightness>"#,
        colour: "",
        kelvin: "",
    };
    Codec {
        sayings: lamp(&topic(place, "light/0", "/set"), &parts, form, &keys),
        states: vec![topic(place, "light/0", "/status")],
        parts,
        ..Codec::default()
    }
}

/// Its words say how it moves; where it is stands on a topic of its own.
fn roller(place: &Place<'_>) -> Codec {
    let (state, position) = (
        topic(place, "roller/0", ""),
        topic(place, "roller/0", "/pos"),
    );
    let command = topic(place, "roller/0", "/command");
    let end = |end: f64| [("position", Some(end.into()))];
    let moves = |word: &str, moving: &str| Phrase {
        topic: Some(Arc::clone(&state)),
        ..phrase("", word, is("moving", moving))
    };
    Codec {
        parts: vec![Part {
            topic: Some(Arc::clone(&position)),
            ..part("position", "", Measure::Plain)
        }],
        phrases: vec![
            moves("open", "opening"),
            moves("close", "closing"),
            moves("stop", "stopped"),
        ],
        sayings: vec![
            tells_that(&command, &end(100.0), "open"),
            tells_that(&command, &end(0.0), "close"),
            tells(
                &topic(place, "roller/0", "/command/pos"),
                &["position"],
                "<position>",
            ),
            commands(&command, "stop", "stop"),
        ],
        states: vec![state, position],
        ..Codec::default()
    }
}
