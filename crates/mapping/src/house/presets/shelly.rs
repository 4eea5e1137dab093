//! Shelly from the second generation on: the status of each component, commands for some, and RPC for all.
//!
//! Sources: <https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt>, `../Switch#mqtt-control`,
//! `../Cover#mqtt-control`, `../Light`, `../RGB`, `../CCT`, `../Input`, `../Temperature`, `../Humidity`, `../Illuminance`,
//! and <https://shelly-api-docs.shelly.cloud/gen2/General/Notifications>.

use std::sync::Arc;

use super::{
    LampKeys, Place, colour, commands, gestures, is, lamp, part, phrase, tells, tells_that,
};
use crate::{
    kinds::Kind,
    program::{Among, Codec, Measure, Part, Saying},
};

pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let reads = |component: &str, key: &str| Codec {
        from: Some(rest(place).unwrap_or_else(|| key.into())),
        ..status(place, component)
    };
    Some(match &*place.kind.name {
        // It is told words, and reports true and false.
        "switch" | "buzzer" => {
            let command = topic(place, "command", "switch:0");
            let told = [(true, "on"), (false, "off")];
            let told =
                told.map(|(on, word)| tells_that(&command, &[("on", Some(on.into()))], word));
            Codec {
                sayings: told.into(),
                ..reads("switch:0", "/output")
            }
        }
        "dimmer" => lamps(place, "light:0", &[]),
        "light" => {
            let (kind, _) = numbered(component(place, "rgb:0"));
            let mut more = Vec::new();
            if kind.starts_with("rgb") || kind == "light" {
                more.extend(colour("/rgb"));
            }
            if kind.ends_with("cct") {
                more.push(part("kelvin", "/ct", Measure::Plain));
            }
            lamps(place, "rgb:0", &more)
        }
        "cover" => cover(place),
        "motion" | "contact" | "presence" => Codec {
            on: Some("true".into()),
            off: Some("false".into()),
            ..reads("input:0", "/state")
        },
        "temperature" => reads("temperature:0", "/tC"),
        "humidity" => reads("humidity:0", "/rh"),
        "lux" => reads("illuminance:0", "/lux"),
        "analog" => reads("input:0", "/percent"),
        "counter" => Codec {
            parts: vec![part("count", "/counts/total", Measure::Plain)],
            sayings: vec![reset(place)],
            ..status(place, "input:0")
        },
        "button" => button(place),
        kind if Kind::is_built_in(kind) => return None,
        // Its fields stand by their names in the status of the component that `from` names.
        _ if place.from.is_some() && !place.kind.consumer => Codec {
            from: rest(place),
            ..status(place, "")
        },
        _ => return None,
    })
}

/// The component of the channel, `switch:0`.
fn component<'p>(place: &'p Place<'_>, default: &'p str) -> &'p str {
    place.path().first().copied().unwrap_or(default)
}

/// The place within the component's status, where `from` names one.
fn rest(place: &Place<'_>) -> Option<Arc<str>> {
    let path = place.path();
    let keys = path.get(1..).filter(|keys| !keys.is_empty())?;
    Some(format!("/{}", keys.join("/")).into())
}

fn topic(place: &Place<'_>, leaf: &str, default: &str) -> Arc<str> {
    format!("{}/{leaf}/{}", place.name, component(place, default)).into()
}

fn status(place: &Place<'_>, default: &str) -> Codec {
    Codec {
        states: vec![topic(place, "status", default)],
        ..Codec::default()
    }
}

/// `light:0` as its kind and its number.
fn numbered(component: &str) -> (&str, &str) {
    component.split_once(':').unwrap_or((component, "0"))
}

/// A call of a method; the device answers below its own topic, where it may.
fn call(place: &Place<'_>, method: &str, params: &str) -> String {
    format!(
        r#"{{"id":1,"src":"{}/told","method":"{method}","params":{{{params}}}}}"#,
        place.name
    )
}

fn lamps(place: &Place<'_>, default: &str, more: &[Part]) -> Codec {
    let (kind, number) = numbered(component(place, default));
    let method = match kind {
        "light" => "Light.Set".to_owned(),
        _ => format!("{}.Set", kind.to_uppercase()),
    };
    let mut parts = vec![
        part("on", "/output", Measure::Plain),
        part("brightness", "/brightness", Measure::Plain),
    ];
    parts.extend_from_slice(more);
    let form = |side: Option<bool>, more: &str| {
        let params = match side {
            Some(side) => format!(r#""id":{number},"on":{side}{more}"#),
            None => format!(r#""id":{number},{more}"#),
        };
        call(place, &method, &params)
    };
    let keys = LampKeys {
        brightness: r#""brightness":<brightness>"#,
        colour: r#""rgb":[<red>,<green>,<blue>]"#,
        kelvin: r#""ct":<kelvin>"#,
    };
    let rpc: Arc<str> = format!("{}/rpc", place.name).into();
    Codec {
        sayings: lamp(&rpc, &parts, form, &keys),
        parts,
        ..status(place, default)
    }
}

/// A cover that was never calibrated knows its ends only.
fn cover(place: &Place<'_>) -> Codec {
    let command = topic(place, "command", "cover:0");
    let at = |end: f64| [("position", Some(end.into()))];
    let state = |word: &str, means| phrase("/state", word, means);
    Codec {
        parts: vec![part("position", "/current_pos", Measure::Plain)],
        phrases: vec![
            state("open", is("position", 100.0)),
            state("closed", is("position", 0.0)),
            state("stopped", is("moving", "stopped")),
            state("open", is("moving", "stopped")),
            state("closed", is("moving", "stopped")),
            state("opening", is("moving", "opening")),
            state("closing", is("moving", "closing")),
        ],
        sayings: vec![
            tells_that(&command, &at(100.0), "open"),
            tells_that(&command, &at(0.0), "close"),
            tells(&command, &["position"], "pos,<position>"),
            commands(&command, "stop", "stop"),
        ],
        ..status(place, "cover:0")
    }
}

fn button(place: &Place<'_>) -> Codec {
    let mut codec = gestures(["single_push", "double_push", "triple_push", "long_push"]);
    for (ours, theirs) in [("press", "btn_down"), ("release", "btn_up")] {
        codec.events.insert(ours.into(), theirs.into());
    }
    Codec {
        event: Some(format!("{}/events/rpc", place.name).into()),
        event_from: Some("event".into()),
        among: Some(Among {
            list: "/params/events".into(),
            key: "component".into(),
            is: component(place, "input:0").into(),
        }),
        ..codec
    }
}

fn reset(place: &Place<'_>) -> Saying {
    let (_, number) = numbered(component(place, "input:0"));
    let rpc: Arc<str> = format!("{}/rpc", place.name).into();
    let form = call(place, "Input.ResetCounters", &format!(r#""id":{number}"#));
    commands(&rpc, "reset", &form)
}
