//! What a simulated module says: words of the command line to events, events and state to payloads.

use std::{fmt, time::Duration};

use mapping::{
    Program,
    kinds::Kind,
    program::{Channel, ChannelIx, EventIx, Field, SlotIx},
    suggest,
};
use serde_json::{Map, Number, Value as Json};
use types::{Type, Value};

use super::Event;

/// Why words are no event of this house; a sentence for people.
#[derive(Debug, PartialEq)]
pub(crate) struct Wrong(pub(crate) String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reads `piano.keys`, `[press] key=60 velocity=90` as an event of the house. Fields that are not
/// given take their default, or the middle of their range. A press that is not named comes with its
/// release, as a finger makes it.
///
/// # Errors
/// An unknown channel, event or field (with a suggestion), or a value that does not fit.
pub(crate) fn event_of(
    program: &Program,
    path: &str,
    words: &[String],
) -> Result<Vec<Event>, Wrong> {
    let channel = channel_of(program, path)?;
    let (names, pairs): (Vec<_>, Vec<_>) = words.iter().partition(|word| !word.contains('='));
    let event = match names.as_slice() {
        [] => *program[channel]
            .events
            .first()
            .ok_or_else(|| no_events(path))?,
        [name] => named_event(program, channel, path, name)?,
        [_, extra, ..] => {
            return Err(Wrong(format!(
                "'{extra}' is no field; fields are written name=value"
            )));
        }
    };
    let declared = &program[event].fields;
    for pair in &pairs {
        let name = pair.split('=').next().unwrap_or_default();
        if !declared.iter().any(|field| &*field.name == name) {
            return Err(unknown_field(program, event, name));
        }
    }
    let mut fields = Vec::with_capacity(declared.len());
    for field in declared {
        let given = pairs.iter().rev().find_map(|pair| {
            pair.split_once('=')
                .filter(|(name, _)| **name == *field.name)
                .map(|(_, text)| text)
        });
        fields.push(match given {
            Some(text) => value_of(field, text)?,
            None => field.default.clone().unwrap_or_else(|| middle(&field.ty)),
        });
    }
    let release = names.is_empty() && &*program[event].name == "press";
    let release = release.then(|| program.event(channel, "release")).flatten();
    let pressed = Event { event, fields };
    let released = release.map(|release| release_of(program, &pressed, release));
    Ok(std::iter::once(pressed).chain(released).collect())
}

/// The release of the same key.
fn release_of(program: &Program, pressed: &Event, release: EventIx) -> Event {
    let declared = &program[pressed.event].fields;
    let fields = program[release].fields.iter().map(|field| {
        let same = declared.iter().position(|other| other.name == field.name);
        same.map_or_else(|| middle(&field.ty), |place| pressed.fields[place].clone())
    });
    Event {
        event: release,
        fields: fields.collect(),
    }
}

fn channel_of(program: &Program, path: &str) -> Result<ChannelIx, Wrong> {
    program.channel_by_path(path).ok_or_else(|| {
        let paths: Vec<String> = ChannelIx::all(program.channels.len())
            .map(|ix| program.channel_path(ix))
            .collect();
        let hint = match suggest::closest(path, paths.iter().map(String::as_str)) {
            Some(near) => format!("; did you mean {near}?"),
            None => format!("; there are {}", paths.join(", ")),
        };
        Wrong(format!("the house has no channel {path}{hint}"))
    })
}

fn no_events(path: &str) -> Wrong {
    Wrong(format!("{path} produces no events; it is a consumer"))
}

fn named_event(
    program: &Program,
    channel: ChannelIx,
    path: &str,
    name: &str,
) -> Result<EventIx, Wrong> {
    program.event(channel, name).ok_or_else(|| {
        let names: Vec<&str> = program[channel]
            .events
            .iter()
            .map(|ix| &*program[*ix].name)
            .collect();
        if names.is_empty() {
            return no_events(path);
        }
        Wrong(format!(
            "{path} has no event {name}; it has {}",
            names.join(", ")
        ))
    })
}

fn unknown_field(program: &Program, event: EventIx, name: &str) -> Wrong {
    let names: Vec<&str> = program[event]
        .fields
        .iter()
        .map(|field| &*field.name)
        .collect();
    let path = program.event_path(event);
    if names.is_empty() {
        return Wrong(format!("{path} takes no fields, not {name}"));
    }
    Wrong(format!(
        "{path} has no field {name}; it has {}",
        names.join(", ")
    ))
}

fn value_of(field: &Field, text: &str) -> Result<Value, Wrong> {
    let value = match field.ty {
        Type::Bool => text.parse().ok().map(Value::Bool),
        Type::Int { .. } | Type::Number { .. } => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::Number),
        _ => Some(Value::from(text)),
    };
    let value = value.ok_or_else(|| {
        Wrong(format!(
            "{}={text}: that is no {}",
            field.name,
            field.ty.name()
        ))
    })?;
    field
        .ty
        .check(&value)
        .map_err(|refusal| Wrong(format!("{} {refusal}", field.name)))?;
    Ok(value)
}

/// A value for a field nobody spoke of: the middle of its range, whole.
fn middle(ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Int { min, max } | Type::Number { min, max } => {
            let middle = ((min + max) / 2.0).round();
            Value::Number(if middle.is_finite() {
                middle
            } else {
                min.max(0.0).min(*max)
            })
        }
        Type::Enum(names) => Value::Text(names.first().cloned().unwrap_or_default()),
        Type::Text => Value::from(""),
    }
}

/// What a sensor or output says before anything happened to it, so that a fresh house has no
/// unknowns where a real one would soon have none: a mild evening, doors closed, everything off.
pub(super) fn first_state(kind: &str, field: &str, ty: &Type) -> Option<Value> {
    Some(match (kind, field) {
        ("lux", _) => Value::Number(20.0),
        ("temperature", _) => Value::Number(21.0),
        ("humidity", _) => Value::Number(45.0),
        ("pressure", _) => Value::Number(1_013.0),
        ("contact", _) => Value::from("closed"),
        ("presence", _) => Value::from("home"),
        ("cover", "position") => Value::Number(100.0),
        ("cover", "moving") => Value::from("stopped"),
        (_, "on" | "active") => Value::Bool(false),
        ("analog" | "counter" | "servo", _) => middle(ty),
        (kind, _) if Kind::is_built_in(kind) => return None,
        // A kind of the house's own: nobody knows what is usual there.
        _ => middle(ty),
    })
}

/// The payload of an event: our form, or the words of a foreign device.
pub(super) fn event(program: &Program, event: &Event) -> String {
    let row = &program[event.event];
    let codec = row
        .channel
        .and_then(|channel| program[channel].codec.as_ref());
    let (key, word) = match codec {
        Some(codec) => (
            codec.event_from.as_deref().unwrap_or("event"),
            codec.events.get(&row.name).unwrap_or(&row.name),
        ),
        None => ("event", &row.name),
    };
    let mut object = Map::new();
    object.insert(key.trim_start_matches('/').to_owned(), Json::from(&**word));
    for (field, value) in row.fields.iter().zip(&event.fields) {
        object.insert(field.name.to_string(), json(value));
    }
    Json::Object(object).to_string()
}

/// The payload of a channel's whole state.
pub(super) fn state(program: &Program, channel: &Channel, state: &[(SlotIx, Value)]) -> String {
    let Some(codec) = &channel.codec else {
        let fields = state
            .iter()
            .map(|(slot, value)| (program[*slot].name.to_string(), json(value)));
        return Json::Object(fields.collect()).to_string();
    };
    let word = |value: &Value| match (value, &codec.on, &codec.off) {
        (Value::Bool(true), Some(on), _) => Json::from(&**on),
        (Value::Bool(false), _, Some(off)) => Json::from(&**off),
        _ => json(value),
    };
    let Some((_, value)) = state.first() else {
        return String::new();
    };
    match &codec.from {
        Some(key) => Json::Object(
            [(key.trim_start_matches('/').to_owned(), word(value))]
                .into_iter()
                .collect(),
        )
        .to_string(),
        None => match word(value) {
            Json::String(text) => text,
            other => other.to_string(),
        },
    }
}

/// For how long a target is on, where it says so.
pub(super) fn bound(payload: &[u8]) -> Option<Duration> {
    let target: Json = serde_json::from_slice(payload).ok()?;
    target.get("for_ms")?.as_u64().map(Duration::from_millis)
}

/// Takes a target message over into `state`.
pub(super) fn take_target(
    program: &Program,
    channel: &Channel,
    payload: &[u8],
    state: &mut Vec<(SlotIx, Value)>,
) {
    let text = String::from_utf8_lossy(payload);
    let told: Vec<(SlotIx, Value)> = match serde_json::from_str::<Json>(&text) {
        Ok(Json::Object(object)) => channel
            .slots
            .iter()
            .filter_map(|slot| Some((*slot, value(object.get(&*program[*slot].name)?)?)))
            .collect(),
        _ => {
            let on = channel
                .codec
                .as_ref()
                .and_then(|codec| codec.on.as_deref())
                .unwrap_or("ON");
            channel
                .slots
                .first()
                .map(|slot| (*slot, Value::Bool(text == on)))
                .into_iter()
                .collect()
        }
    };
    for (slot, value) in told {
        match state.iter_mut().find(|(known, _)| *known == slot) {
            Some((_, old)) => *old = value,
            None => state.push((slot, value)),
        }
    }
    state.sort_by_key(|(slot, _)| *slot);
}

fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Json::from(*value as i64)
        }
        Value::Number(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Text(value) => Json::from(&**value),
    }
}

fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(value) => value.as_f64().map(Value::Number),
        Json::String(value) => Some(Value::from(value.as_str())),
        _ => None,
    }
}
