//! What a simulated module says: words of the command line to what it is to report, that and its targets from and to payloads.

use std::{fmt, time::Duration};

use mapping::{
    Program,
    kinds::Kind,
    program::{Carrier, ChannelIx, DeviceIx, EventIx, SlotIx},
};
use serde_json::{Map, Number, Value as Json};
use types::{Type, Value};

use super::{
    Known, Says,
    foreign::{self, States},
};
use crate::some_of::instead;

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
/// release, as a finger makes it. What has no events reports the fields of its state: `meter.power count=5`.
///
/// # Errors
/// An unknown channel, event or field (with a suggestion), or a value that does not fit.
pub(crate) fn words_of(
    program: &Program,
    path: &str,
    words: &[String],
) -> Result<Vec<Says>, Wrong> {
    let channel = channel_of(program, path)?;
    let (names, pairs): (Vec<_>, Vec<_>) = words.iter().partition(|word| !word.contains('='));
    let mut events = program[channel].events.iter();
    let said = events.find(|event| is_said(program, channel, **event));
    let event = match (names.as_slice(), said.or(program[channel].events.first())) {
        ([], None) => return Ok(vec![report_of(program, channel, path, &pairs)?]),
        ([], Some(first)) if are_state(program, channel, *first, &pairs) => {
            return Ok(vec![report_of(program, channel, path, &pairs)?]);
        }
        (names, first) => event_named(program, channel, path, names, first)?,
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
            Some(text) => value_of(&field.name, &field.ty, text)?,
            None => field
                .default
                .clone()
                .or_else(|| usual(program, channel, &field.name, &field.ty))
                .unwrap_or_else(|| middle(&field.ty)),
        });
    }
    let release = names.is_empty() && &*program[event].name == "press";
    let release = release.then(|| program.event(channel, "release")).flatten();
    let release = release.filter(|release| is_said(program, channel, *release));
    let released = release.map(|release| release_of(program, event, &fields, release));
    let pressed = Says::Event { event, fields };
    Ok(std::iter::once(pressed).chain(released).collect())
}

/// Whether the device has a word for an event: one of another make whose words the mapping names says no others.
fn is_said(program: &Program, channel: ChannelIx, event: EventIx) -> bool {
    let codec = program[channel].codec.as_ref();
    codec.is_none_or(|codec| {
        codec.events.is_empty() || codec.events.contains_key(&program[event].name)
    })
}

/// The event that the words name, or the channel's first one.
fn event_named(
    program: &Program,
    channel: ChannelIx,
    path: &str,
    names: &[&String],
    first: Option<&EventIx>,
) -> Result<EventIx, Wrong> {
    match (names, first) {
        ([], Some(first)) => Ok(*first),
        ([], None) => Err(no_events(program, channel, path)),
        ([name], _) => named_event(program, channel, path, name),
        ([_, extra, ..], _) => Err(Wrong(format!(
            "'{extra}' is no field; fields are written name=value"
        ))),
    }
}

/// Whether all of the words are fields of the channel's state and some are none of its first event: `contact=open`.
fn are_state(program: &Program, channel: ChannelIx, first: EventIx, pairs: &[&String]) -> bool {
    let name = |pair: &&String| pair.split('=').next().unwrap_or_default().to_owned();
    let mut names = pairs.iter().map(name);
    let of_event = |name: &str| program[first].fields.iter().any(|f| &*f.name == name);
    names
        .clone()
        .all(|name| program.slot(channel, &name).is_some())
        && names.any(|name| !of_event(&name))
}

/// What a measured field is where nobody says it: 21 degrees, and not the middle of what can be measured.
fn usual(program: &Program, channel: ChannelIx, field: &str, ty: &Type) -> Option<Value> {
    program.slot(channel, field)?;
    first_state(&program[channel].kind, field, ty)
}

/// What a channel reports of its state.
fn report_of(
    program: &Program,
    channel: ChannelIx,
    path: &str,
    pairs: &[&String],
) -> Result<Says, Wrong> {
    let mut fields = Vec::new();
    for pair in pairs {
        let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = program.slot(channel, name).ok_or_else(|| {
            let names = state_names(program, channel);
            Wrong(format!("{path} reports no {name}; it reports {names}"))
        })?;
        fields.push((slot, value_of(name, &program[slot].ty, text)?));
    }
    if fields.is_empty() {
        return Err(no_events(program, channel, path));
    }
    Ok(Says::State { channel, fields })
}

fn state_names(program: &Program, channel: ChannelIx) -> String {
    let slots = program[channel].slots.iter();
    let names: Vec<&str> = slots.map(|slot| &*program[*slot].name).collect();
    names.join(", ")
}

/// The release of the same key.
fn release_of(program: &Program, press: EventIx, pressed: &[Value], release: EventIx) -> Says {
    let declared = &program[press].fields;
    let fields = program[release].fields.iter().map(|field| {
        let same = declared.iter().position(|other| other.name == field.name);
        same.map_or_else(|| middle(&field.ty), |place| pressed[place].clone())
    });
    Says::Event {
        event: release,
        fields: fields.collect(),
    }
}

fn channel_of(program: &Program, path: &str) -> Result<ChannelIx, Wrong> {
    program.channel_by_path(path).ok_or_else(|| {
        let paths = ChannelIx::all(program.channels.len()).map(|ix| program.channel_path(ix));
        let paths: Vec<String> = paths.collect();
        let hint = instead(path, &paths).unwrap_or_default();
        Wrong(format!("the house has no channel {path}{hint}"))
    })
}

fn no_events(program: &Program, channel: ChannelIx, path: &str) -> Wrong {
    let hint = match program[channel].slots.first() {
        Some(first) => format!(
            "; say what it reports: iot-control press {path} {}=..",
            program[*first].name
        ),
        None => ", nor any state: it only takes commands".to_owned(),
    };
    Wrong(format!("{path} has no events{hint}"))
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
            return no_events(program, channel, path);
        }
        let hint = gesture_hint(program, channel, path, name)
            .or_else(|| value_hint(program, channel, path, name))
            .unwrap_or_default();
        Wrong(format!(
            "{path} has no event {name}; it has {}{hint}",
            names.join(", ")
        ))
    })
}

/// How fingers make a gesture: the dispatcher finds it in what the button reports.
fn gesture_hint(program: &Program, channel: ChannelIx, path: &str, name: &str) -> Option<String> {
    program.event(channel, "press")?;
    program.event(channel, "release")?;
    let press = format!("iot-control press {path}");
    let how = match name {
        "click" => press,
        "double" => format!("{press}; {press}"),
        "triple" => format!("{press}; {press}; {press}"),
        "long" => format!("{press} press; sleep 1; {press} release"),
        _ => return None,
    };
    Some(format!(". {name} is a gesture, made of those: {how}"))
}

/// How a value is given, where the word is one.
fn value_hint(program: &Program, channel: ChannelIx, path: &str, word: &str) -> Option<String> {
    let mut slots = program[channel].slots.iter().map(|slot| &program[*slot]);
    let fits = slots.find(|slot| value_of(&slot.name, &slot.ty, word).is_ok())?;
    let field = &fits.name;
    Some(format!(
        ". To give it a value: iot-control press {path} {field}={word}"
    ))
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

/// Reads what somebody typed for `name` as a value of `ty`.
///
/// # Errors
/// It is none, or out of range.
pub(crate) fn value_of(name: &str, ty: &Type, text: &str) -> Result<Value, Wrong> {
    let value = match ty {
        Type::Bool => text.parse().ok().map(Value::Bool),
        Type::Int { .. } | Type::Number { .. } => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::number),
        _ => Some(Value::from(text)),
    };
    let value = value.ok_or_else(|| {
        let expected = mapping::type_in_words(ty);
        Wrong(format!("{name}={text}: write {expected}"))
    })?;
    ty.check(&value)
        .map_err(|refusal| Wrong(format!("{name} {refusal}")))?;
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
fn first_state(kind: &str, field: &str, ty: &Type) -> Option<Value> {
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

/// What the channels of a device are before anything happened.
pub(super) fn first_states(program: &Program, device: DeviceIx) -> States {
    known_states(program, device, &Known::new())
}

/// What the channels of a device are as far as that is known, else as before anything happened. A virtual one is no module
/// and says nothing by itself.
pub(super) fn known_states(program: &Program, device: DeviceIx, known: &Known) -> States {
    if program[device].carrier == Carrier::Virtual {
        return States::new();
    }
    let state = |channel: &ChannelIx| {
        let row = &program[*channel];
        let state = row.slots.iter().filter_map(|slot| {
            let field = &program[*slot];
            let first = || first_state(&row.kind, &field.name, &field.ty);
            Some((*slot, known.get(slot).cloned().or_else(first)?))
        });
        (*channel, state.collect())
    };
    program[device].channels.iter().map(state).collect()
}

/// The payload of an event: our form, or the words of a foreign device.
pub(super) fn event(program: &Program, event: EventIx, values: &[Value]) -> String {
    let row = &program[event];
    let channel = row.channel.map(|channel| &program[channel]);
    if let Some(codec) = channel.and_then(|channel| channel.codec.as_ref()) {
        return foreign::event(program, event, values, codec);
    }
    let said = row.fields.iter().map(|field| &*field.name).zip(values);
    let mut object = fields(said);
    object.insert("event".to_owned(), Json::from(&*row.name));
    Json::Object(object).to_string()
}

/// The payload of a channel's whole state, in our form.
pub(super) fn state(program: &Program, state: &[(SlotIx, Value)]) -> String {
    let said = state
        .iter()
        .map(|(slot, value)| (&*program[*slot].name, value));
    Json::Object(fields(said)).to_string()
}

/// For how long a target is on, where it says so.
pub(super) fn bound(payload: &[u8]) -> Option<Duration> {
    let target: Json = serde_json::from_slice(payload).ok()?;
    target.get("for_ms")?.as_u64().map(Duration::from_millis)
}

/// Takes a target in our form over into `state`.
pub(super) fn take_target(
    program: &Program,
    channel: ChannelIx,
    payload: &[u8],
    state: &mut Vec<(SlotIx, Value)>,
) {
    let Ok(target) = serde_json::from_slice::<Json>(payload) else {
        return;
    };
    for slot in &program[channel].slots {
        let told = target.get(&*program[*slot].name).and_then(value);
        if let Some(told) = told {
            write(state, *slot, told);
        }
    }
}

/// What a momentary command leaves behind; most leave nothing.
pub(super) fn take_command(
    program: &Program,
    channel: ChannelIx,
    payload: &[u8],
    state: &mut Vec<(SlotIx, Value)>,
) {
    let told: Json = serde_json::from_slice(payload).unwrap_or_default();
    if &*program[channel].kind == "counter" && told["command"] == "reset" {
        for (_, value) in state {
            *value = Value::Number(0.0);
        }
    }
}

/// Writes a field of a state, which stays in the order of its slots.
pub(super) fn write(state: &mut Vec<(SlotIx, Value)>, slot: SlotIx, value: Value) {
    match state.iter_mut().find(|(known, _)| *known == slot) {
        Some((_, old)) => *old = value,
        None => {
            state.push((slot, value));
            state.sort_by_key(|(slot, _)| *slot);
        }
    }
}

pub(super) fn fields<'f>(said: impl Iterator<Item = (&'f str, &'f Value)>) -> Map<String, Json> {
    said.map(|(name, value)| (name.to_owned(), json(value)))
        .collect()
}

pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) if value.fract() == 0.0 && value.abs() < 9e15 => {
            Json::from(*value as i64)
        }
        Value::Number(value) => Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::Text(value) => Json::from(&**value),
    }
}

pub(super) fn value(json: &Json) -> Option<Value> {
    match json {
        Json::Bool(value) => Some(Value::Bool(*value)),
        Json::Number(value) => value.as_f64().map(Value::number),
        Json::String(value) => Some(Value::from(value.as_str())),
        _ => None,
    }
}
