//! Homie 5: each property of a node has a topic, and one below it on which it is told its value.
//!
//! Sources: <https://homieiot.github.io/specification/> (topics, payloads, `$state`); the names of nodes and properties
//! that are looked for where the mapping names none: <https://github.com/homieiot/homie5-device-profiles> and
//! <https://github.com/homie-homecontrol/hc-homie5-smarthome> (shutter, contact, motion, climate, button).

use std::sync::Arc;

use super::{Place, commands, gestures, part, tells};
use crate::{
    kinds::Kind,
    program::{Codec, Measure, Part, Saying},
};

/// A field of a kind: where it stands by default, and how it is counted.
type Field = (&'static str, [&'static str; 2], Measure);

const ON: Field = ("on", ["switch", "state"], Measure::Plain);
const BRIGHTNESS: Field = ("brightness", ["dimmer", "brightness"], Measure::Plain);
const HUE: Field = ("hue", ["colorlight", "color"], Measure::Hue);
const SATURATION: Field = ("saturation", ["colorlight", "color"], Measure::Saturation);
const KELVIN: Field = (
    "kelvin",
    ["colorlight", "color-temperature"],
    Measure::Mired,
);
const POSITION: Field = ("position", ["shutter", "position"], Measure::Plain);

/// Every colour is told in this form; three are read.
const COLOUR: &str = "rgb,<red>,<green>,<blue>";

pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let fields: &[Field] = match &*place.kind.name {
        "switch" | "buzzer" => &[ON],
        "dimmer" => &[ON, BRIGHTNESS],
        "light" => &[ON, BRIGHTNESS, HUE, SATURATION, KELVIN],
        "cover" => &[POSITION],
        "motion" => &[("active", ["motion", "motion"], Measure::Plain)],
        "contact" => &[("contact", ["contact", "state"], Measure::Plain)],
        "temperature" => &[("temperature", ["climate", "temperature"], Measure::Plain)],
        "humidity" => &[("humidity", ["climate", "humidity"], Measure::Plain)],
        "pressure" => &[("pressure", ["climate", "pressure"], Measure::Plain)],
        "lux" => &[("lux", ["illuminance", "illuminance"], Measure::Plain)],
        "button" => return Some(button(place)),
        _ => return other(place),
    };
    let mut codec = Codec::default();
    for (field, default, measure) in fields {
        let told = place
            .kind
            .fields
            .iter()
            .any(|known| &*known.name == *field && known.settable);
        add(
            &mut codec,
            field,
            topic(place, field, *default),
            *measure,
            told && place.kind.consumer,
        );
    }
    if &*place.kind.name == "cover" {
        let [node, _] = names(place, "position", ["shutter", "position"]);
        let action = format!("homie/5/{}/{node}/action/set", place.name);
        codec.sayings.push(commands(&action.into(), "stop", "stop"));
    }
    sides(&mut codec);
    Some(codec)
}

/// A boolean has no words of its own; the profiles call true open.
fn sides(codec: &mut Codec) {
    codec.on = Some("true".into());
    codec.off = Some("false".into());
}

/// Kinds that have no place by convention: the mapping names it, or the fields of an own kind are the properties of
/// the node that is called as the channel is.
fn other(place: &Place<'_>) -> Option<Codec> {
    let kind = place.kind;
    let built_in = Kind::is_built_in(&kind.name);
    let path = place.path();
    let alone = path.len() == 2 && kind.fields.len() == 1;
    let mut codec = Codec::default();
    let node = path.first().map_or_else(
        || place.channel.replace('_', "-"),
        |node| (*node).to_owned(),
    );
    for field in &kind.fields {
        if built_in && !alone && !place.fields.contains_key(&field.name) {
            continue;
        }
        let property = field.name.replace('_', "-");
        let topic = topic(place, &field.name, [&node, &property]);
        add(
            &mut codec,
            &field.name,
            topic,
            Measure::Plain,
            field.settable && kind.consumer,
        );
    }
    if built_in && codec.parts.is_empty() {
        return None;
    }
    let action: Arc<str> = format!("homie/5/{}/{node}/action", place.name).into();
    for command in &kind.commands {
        let set: Arc<str> = format!("{action}/set").into();
        codec
            .sayings
            .push(commands(&set, &command.name, &command.name));
    }
    codec.event = (!kind.events.is_empty() && !built_in).then_some(action);
    sides(&mut codec);
    Some(codec)
}

fn button(place: &Place<'_>) -> Codec {
    let mut codec = gestures(["click", "double-press", "triple-press", "long-press"]);
    for word in ["press", "release"] {
        codec.events.insert(word.into(), word.into());
    }
    codec.event = Some(topic(place, "", ["button", "action"]));
    codec
}

/// The node and the property of a field.
fn names<'n>(place: &'n Place<'_>, field: &str, [node, property]: [&'n str; 2]) -> [&'n str; 2] {
    let named = place
        .fields
        .get(field)
        .and_then(|named| named.trim_start_matches('/').split_once('/'));
    let one = place.kind.fields.len() <= 1;
    match (named, place.path().as_slice()) {
        (Some((node, property)), _) => [node, property],
        (None, [node, property, ..]) if one => [node, property],
        (None, [node, ..]) => [node, property],
        (None, []) => [node, property],
    }
}

fn topic(place: &Place<'_>, field: &str, default: [&str; 2]) -> Arc<str> {
    let [node, property] = names(place, field, default);
    format!("homie/5/{}/{node}/{property}", place.name).into()
}

/// A field with the topic on which it is reported, and below it the one on which it is told.
fn add(codec: &mut Codec, field: &str, topic: Arc<str>, measure: Measure, told: bool) {
    if told {
        let set: Arc<str> = format!("{topic}/set").into();
        let saying: Saying = match measure {
            Measure::Hue | Measure::Saturation => tells(&set, &[field], COLOUR),
            _ => tells(&set, &[field], &format!("<{field}>")),
        };
        codec.sayings.push(saying);
    }
    codec.parts.push(Part {
        topic: Some(Arc::clone(&topic)),
        ..part(field, "", measure)
    });
    if !codec.states.contains(&topic) {
        codec.states.push(topic);
    }
}
