//! What a simulated module of another make says and hears: its words, at its places of the payload. Channels that share
//! a topic share its messages, as such devices have it.

use std::collections::BTreeMap;

use mapping::{
    Program,
    program::{
        Channel, ChannelIx, Codec, CommandEffect, EventIx, Foreign, Meaning, Measure, Part, SlotIx,
        primaries,
    },
};
use serde_json::{Map, Value as Json};
use types::{Type, Value};

use super::payload::{fields, json, value};

/// What each channel of a module is.
pub(super) type States = BTreeMap<ChannelIx, Vec<(SlotIx, Value)>>;

/// The payload of an event.
pub(super) fn event(program: &Program, event: EventIx, values: &[Value], codec: &Codec) -> String {
    let row = &program[event];
    let word = codec.events.get(&row.name).unwrap_or(&row.name);
    let said = row.fields.iter().map(|field| &*field.name).zip(values);
    let mut tree = Json::Object(fields(said));
    let place = codec.event_from.as_deref().unwrap_or("event");
    put(&mut tree, place, Json::from(&**word));
    if let Some(among) = &codec.among {
        put(&mut tree, &among.key, Json::from(&*among.is));
        let mut whole = Json::Object(Map::new());
        put(&mut whole, &among.list, Json::from(vec![tree]));
        return whole.to_string();
    }
    // A word alone, where nothing names the place of a name.
    let bare = codec.event_from.is_none() && codec.event.is_some() && row.fields.is_empty();
    if bare {
        word.to_string()
    } else {
        tree.to_string()
    }
}

/// All that a device reports: its topics, and what stands on each.
pub(super) fn reports(
    program: &Program,
    foreign: &Foreign,
    states: &States,
) -> BTreeMap<String, String> {
    let mut reports = BTreeMap::new();
    let known = states.iter().filter(|(_, state)| !state.is_empty());
    for (channel, _) in known {
        for topic in said_on(program, foreign, *channel) {
            reports.entry(topic.to_string()).or_insert_with(|| {
                let here = |other: &ChannelIx| said_on(program, foreign, *other).contains(&topic);
                let here = states.iter().filter(|(other, _)| here(other));
                let here = here.map(|(other, state)| (*other, state.clone()));
                state(program, topic, &here.collect())
            });
        }
    }
    // What has nothing to say about a topic says nothing there.
    reports.retain(|_, payload| payload != "{}");
    reports
}

/// The topics on which a channel reports: its own, or the device's first.
pub(super) fn said_on<'p>(
    program: &'p Program,
    foreign: &'p Foreign,
    channel: ChannelIx,
) -> Vec<&'p str> {
    let own = program[channel].codec.as_ref().map(|codec| &codec.states);
    match own.filter(|own| !own.is_empty()) {
        Some(own) => own.iter().map(|topic| &**topic).collect(),
        None => foreign
            .states
            .first()
            .map(|topic| &**topic)
            .into_iter()
            .collect(),
    }
}

/// The payload that holds the state of all channels that speak on `topic`.
fn state(program: &Program, topic: &str, states: &States) -> String {
    let told: Vec<_> = states
        .iter()
        .filter(|(_, state)| !state.is_empty())
        .collect();
    let here = |own: &Option<std::sync::Arc<str>>| own.as_deref().is_none_or(|own| own == topic);
    let none = Codec::default();
    let mut tree = Json::Object(Map::new());
    for (channel, state) in &told {
        let row = &program[**channel];
        let codec = row.codec.as_ref().unwrap_or(&none);
        if !codec.parts.is_empty() {
            for (slot, value) in state.iter() {
                let slot = &program[*slot];
                let part = codec.parts.iter().find(|part| part.field == slot.name);
                if let Some(part) = part.filter(|part| here(&part.topic)) {
                    let said = match part.measure {
                        Measure::Hue | Measure::Saturation => colour(program, state, &part.place),
                        _ => counted(&slot.ty, codec, part, value),
                    };
                    put(&mut tree, &part.place, said);
                }
                let phrase = codec.phrase_of(&slot.name, value);
                if let Some(phrase) = phrase.filter(|phrase| here(&phrase.topic)) {
                    put(&mut tree, &phrase.place, Json::from(&*phrase.word));
                }
            }
            continue;
        }
        let named = || {
            let named = state.iter().map(|(slot, value)| {
                let name = program[*slot].name.to_string();
                (name, word(&program[*slot].ty, codec, value))
            });
            named.collect::<Map<_, _>>()
        };
        match (state.as_slice(), codec.from.as_deref()) {
            ([(slot, only)], Some(from)) if row.slots.len() == 1 => {
                put(&mut tree, from, word(&program[*slot].ty, codec, only));
            }
            ([(slot, only)], None) if row.slots.len() == 1 && told.len() == 1 => {
                tree = word(&program[*slot].ty, codec, only);
            }
            (_, Some(from)) => put(&mut tree, from, Json::Object(named())),
            (_, None) => {
                if let Some(object) = tree.as_object_mut() {
                    object.extend(named());
                }
            }
        }
    }
    match tree {
        Json::String(text) => text,
        other => other.to_string(),
    }
}

/// A value as the device counts it, or its word.
fn counted(ty: &Type, codec: &Codec, part: &Part, value: &Value) -> Json {
    match value {
        Value::Number(ours) => json(&Value::Number(part.measure.theirs(*ours))),
        other => word(ty, codec, other),
    }
}

/// The colour of a lamp in the form that its make has: an object, a list, or words.
fn colour(program: &Program, state: &[(SlotIx, Value)], place: &str) -> Json {
    let number = |name: &str| {
        let field = state.iter().find(|(slot, _)| &*program[*slot].name == name);
        field.and_then(|(_, value)| value.as_number())
    };
    let saturation = number("saturation").unwrap_or(100.0);
    let [red, green, blue] = primaries(number("hue").unwrap_or_default(), saturation);
    match place {
        "" => Json::from(format!("rgb,{red},{green},{blue}")),
        "/rgb" => serde_json::json!([red, green, blue]),
        _ => serde_json::json!({ "r": red, "g": green, "b": blue }),
    }
}

/// Takes what a message on `topic` says over into the states that it is about; what is momentary, a bell
/// that rings, leaves none.
pub(super) fn take_target(program: &Program, topic: &str, payload: &[u8], states: &mut States) {
    let text = String::from_utf8_lossy(payload);
    let tree = serde_json::from_str(&text).unwrap_or_else(|_| Json::from(text.trim()));
    let none = Codec::default();
    for (channel, state) in states {
        let row = &program[*channel];
        let codec = row.codec.as_ref().unwrap_or(&none);
        if !codec.sayings.is_empty() {
            for (slot, value) in heard(program, row, codec, topic, &text) {
                super::payload::write(state, slot, value);
            }
            continue;
        }
        let heard = match codec.target.as_deref() {
            None => told(program, row, codec, &tree),
            Some(own) if own != topic => Vec::new(),
            Some(_) if codec.parts.is_empty() => {
                let bare = Codec {
                    from: None,
                    ..codec.clone()
                };
                told(program, row, &bare, &tree)
            }
            Some(_) => told(program, row, codec, &commands(&text)),
        };
        for (slot, value) in heard {
            super::payload::write(state, slot, value);
        }
    }
}

/// What a message says that stands for one thing by itself.
fn heard(
    program: &Program,
    row: &Channel,
    codec: &Codec,
    topic: &str,
    text: &str,
) -> Vec<(SlotIx, Value)> {
    let sayings = codec
        .sayings
        .iter()
        .filter(|saying| &*saying.topic == topic);
    let heard = sayings
        .filter_map(|saying| saying.heard(codec, text))
        .next();
    let slot = |name: &str| row.slots.iter().find(|slot| &*program[**slot].name == name);
    let fields = heard.into_iter().flatten().filter_map(|(name, value)| {
        let slot = *slot(&name)?;
        program[slot]
            .ty
            .check(&value)
            .is_ok()
            .then_some((slot, value))
    });
    fields.collect()
}

/// `POWER ON;Dimmer 40` as an object.
fn commands(text: &str) -> Json {
    let said = text.split(';').filter_map(|command| {
        let (key, said) = command.trim().split_once(' ')?;
        let said = serde_json::from_str(said).unwrap_or_else(|_| Json::from(said));
        Some((key.to_owned(), said))
    });
    Json::Object(said.collect())
}

fn told(program: &Program, row: &Channel, codec: &Codec, tree: &Json) -> Vec<(SlotIx, Value)> {
    if !codec.parts.is_empty() {
        let parts = codec.parts.iter().filter_map(|part| {
            let slot = row
                .slots
                .iter()
                .find(|slot| program[**slot].name == part.field)?;
            let said = tree.pointer(&part.place)?;
            let value = read(&program[*slot].ty, codec, said).or_else(|| {
                let ours = part.measure.ours(said.as_f64()?);
                read(&program[*slot].ty, codec, &json(&Value::Number(ours)))
            })?;
            let value = match (value, said.as_f64()) {
                (Value::Number(_), Some(theirs)) => Value::Number(part.measure.ours(theirs)),
                (value, _) => value,
            };
            Some((*slot, value))
        });
        let mut told: Vec<(SlotIx, Value)> = parts.collect();
        for phrase in &codec.phrases {
            if let Meaning::Is(name, value) = &phrase.means
                && let mut slots = row.slots.iter()
                && let Some(slot) = slots.find(|slot| program[**slot].name == *name)
                && told.iter().all(|(known, _)| known != slot)
                && tree.pointer(&phrase.place).and_then(Json::as_str) == Some(&*phrase.word)
            {
                told.push((*slot, value.clone()));
            }
        }
        return told;
    }
    let part = match codec.from.as_deref() {
        None => Some(tree),
        Some(pointer) if pointer.starts_with('/') => tree.pointer(pointer),
        Some(key) => tree.get(key),
    };
    let settable = row.slots.iter().filter(|slot| program[**slot].settable);
    match part {
        Some(Json::Object(pairs)) => settable
            .filter_map(|slot| {
                let slot_row = &program[*slot];
                let said = pairs.get(&*slot_row.name)?;
                Some((*slot, read(&slot_row.ty, codec, said)?))
            })
            .collect(),
        Some(bare) if !is_momentary(row, codec, bare) => settable
            .take(1)
            .filter_map(|slot| Some((*slot, read(&program[*slot].ty, codec, bare)?)))
            .collect(),
        _ => Vec::new(),
    }
}

fn is_momentary(row: &Channel, codec: &Codec, word: &Json) -> bool {
    let Some(word) = word.as_str() else {
        return false;
    };
    let is_side = [&codec.on, &codec.off]
        .iter()
        .any(|side| side.as_deref() == Some(word));
    let mut momentary = row
        .commands
        .iter()
        .filter(|command| matches!(command.effect, CommandEffect::Momentary));
    !is_side && momentary.any(|command| *command.name == *word)
}

/// A value in the device's words.
fn read(ty: &Type, codec: &Codec, said: &Json) -> Option<Value> {
    let plain = match said {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is = |side: &Option<std::sync::Arc<str>>| side.as_deref() == Some(&*plain);
    let side = match (is(&codec.on), is(&codec.off)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    let read = match (ty, side) {
        (Type::Bool, Some(side)) => Value::Bool(side),
        (Type::Enum(names), Some(side)) if names.len() == 2 => {
            Value::Text(names[usize::from(!side)].clone())
        }
        (Type::Bool, None) => Value::Bool(plain.parse().ok()?),
        _ => value(said)?,
    };
    ty.check(&read).is_ok().then_some(read)
}

/// The device's word for a value, or the value.
fn word(ty: &Type, codec: &Codec, value: &Value) -> Json {
    let side = match (ty, value) {
        (Type::Bool, Value::Bool(true)) => &codec.on,
        (Type::Bool, Value::Bool(false)) => &codec.off,
        (Type::Enum(names), Value::Text(name)) if names.len() == 2 => {
            if names[0] == *name {
                &codec.on
            } else {
                &codec.off
            }
        }
        _ => &None,
    };
    side.as_deref().map_or_else(|| json(value), Json::from)
}

/// Puts something where a key or a JSON pointer says, with all that lies above it.
fn put(tree: &mut Json, place: &str, part: Json) {
    if place.is_empty() {
        *tree = part;
        return;
    }
    let keys: Vec<&str> = match place.strip_prefix('/') {
        Some(pointer) => pointer.split('/').collect(),
        None => vec![place],
    };
    let mut inner = tree;
    for key in keys {
        if !inner.is_object() {
            *inner = Json::Object(Map::new());
        }
        inner = &mut inner[key];
    }
    match (inner.as_object_mut(), part) {
        (Some(known), Json::Object(more)) => known.extend(more),
        (_, part) => *inner = part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapping::program::Carrier;

    use crate::simulate::payload::first_states;

    const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[kind.siren]
target.on        = "bool"
target.volume    = { kind = "int", min = 0, max = 10 }
state.battery    = { kind = "number", min = 0, max = 100 }
events.tampered  = { by = ["hand", "wind"] }
commands.chirp   = {}

[device.roof]
id = 1
mqtt = { state = "roof", target = "roof/set", event = "roof" }
io.siren = { kind = "siren", from = "/alarm/siren", event_from = "/alarm/what", events = { TAMPER = "tampered" } }
io.lamp  = { kind = "switch", from = "lamp", on = "1", off = "0" }

[device.arm]
id = 2
mqtt = { state = "arm", target = "arm/set" }
io.servo = { kind = "servo", min = 0, max = 180 }

[device.light]
id = 3
mqtt = { state = "light", target = "light/set" }
io.lamp = { kind = "dimmer", on = "ON", off = "OFF" }

[device.tree]
id = 5
mqtt = { preset = "zigbee2mqtt" }
io.lamp = { kind = "dimmer" }

[device.plug]
id = 6
mqtt = { preset = "tasmota" }
io.relay = { kind = "switch", from = "POWER2" }
io.lamp = { kind = "dimmer" }

[device.blind]
id = 7
mqtt = { preset = "zigbee2mqtt" }
io.blind = { kind = "cover" }

[device.pump]
id = 4
mqtt = { state = "pump", target = "pump/set" }
io.pump = { kind = "switch", on = "RUN", off = "HALT" }
"#;

    fn check(device: &str, target: &str, expected: &str) {
        check_on(device, "", target, expected);
    }

    fn check_on(device: &str, topic: &str, target: &str, expected: &str) {
        let loaded = mapping::load_texts([("mapping.toml", HOUSE)]);
        let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        let program = loaded.program.unwrap_or_else(|| panic!("{said}"));
        let device = program.device(device).expect("the house has it");
        let mut states = first_states(&program, device);
        take_target(&program, topic, target.as_bytes(), &mut states);
        let Carrier::Foreign(foreign) = &program[device].carrier else {
            panic!("it has topics of its own");
        };
        let came = reports(&program, foreign, &states)
            .into_values()
            .collect::<Vec<_>>()
            .join(" ");
        let parsed = |text: &str| serde_json::from_str::<Json>(text).ok();
        match parsed(expected) {
            Some(expected) => assert_eq!(parsed(&came), Some(expected), "{target}"),
            None => assert_eq!(came, expected, "{target}"),
        }
    }

    #[test]
    fn a_target_is_taken_in_the_devices_words_and_reported_in_them() {
        let roof = |on, volume, lamp| {
            format!(
                r#"{{"alarm":{{"siren":{{"battery":50,"on":{on},"volume":{volume}}}}},"lamp":"{lamp}"}}"#
            )
        };
        let siren = r#"{"alarm":{"siren":{"on":true,"volume":7}}}"#;
        check("roof", siren, &roof(true, 7, 0));
        check("roof", r#"{"lamp":"1"}"#, &roof(false, 5, 1));
        check(
            "roof",
            r#"{"alarm":{"siren":{"battery":1}}}"#,
            &roof(false, 5, 0),
        );
        check("arm", "45", "45");
        check("arm", "450", "90");
        check(
            "light",
            r#"{"on":"ON","brightness":30}"#,
            r#"{"brightness":30,"on":"ON"}"#,
        );
        check("pump", "RUN", "RUN");
        check("pump", "what", "HALT");
    }

    #[test]
    fn a_device_of_a_known_make_does_what_its_preset_says() {
        check(
            "tree",
            r#"{"state":"ON","brightness":127}"#,
            r#"{"state":"ON","brightness":127}"#,
        );
        check(
            "blind",
            r#"{"position":40}"#,
            r#"{"position":40,"moving":"STOP"}"#,
        );
        check(
            "blind",
            r#"{"state":"OPEN"}"#,
            r#"{"position":100,"state":"OPEN","moving":"STOP"}"#,
        );
        check_on(
            "plug",
            "cmnd/plug/POWER2",
            "ON",
            r#"{"POWER2":"ON","POWER":"OFF"}"#,
        );
        check_on(
            "plug",
            "cmnd/plug/Backlog",
            "POWER ON;Dimmer 70",
            r#"{"POWER2":"OFF","POWER":"ON","Dimmer":70}"#,
        );
    }

    #[test]
    fn what_is_momentary_leaves_no_state() {
        let roof = r#"{"alarm":{"siren":{"battery":50,"on":false,"volume":5}},"lamp":"0"}"#;
        check("roof", "chirp", roof);
        check("roof", r#"{"command":"chirp"}"#, roof);
    }
}
