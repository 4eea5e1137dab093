//! Payloads of devices that keep their own form: a key or JSON pointer says where a value stands, words
//! say on and off, a table names the events. Keys that no channel asks for are not ours to judge.

use std::{borrow::Cow, sync::Arc};

use mapping::{
    Program,
    program::{ChannelIx, Codec, Meaning, Measure, SlotIx},
};
use serde_json::Value as Json;
use types::{Type, Value};

use super::{
    event::{DecodedEvent, by_name, default_of},
    flat::{Scalar, checked},
    state::{dark, finish},
};
use crate::refusal::Reason;

/// What one foreign message says about one device: what could be read, and what could not.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) reports: Vec<(ChannelIx, Vec<(SlotIx, Value)>)>,
    pub(crate) events: Vec<DecodedEvent>,
    pub(crate) refused: Vec<Reason>,
    /// A place at which a channel's value should stand and nothing did.
    pub(crate) missing: Option<Arc<str>>,
}

/// Reads a message on `topic` that several channels may share; each takes its own part, or nothing.
pub(crate) fn foreign(
    program: &Program,
    topic: &str,
    states: &[ChannelIx],
    events: &[ChannelIx],
    payload: &[u8],
) -> Result<Heard, Reason> {
    let tree = tree(payload)?;
    let mut heard = Heard::default();
    let none = Codec::default();
    for channel in states {
        let codec = program[*channel].codec.as_ref().unwrap_or(&none);
        let read = if codec.parts.is_empty() {
            let Some(part) = at(&tree, codec.from.as_deref()) else {
                heard.missing = heard.missing.or(codec.from.clone());
                continue;
            };
            report(program, *channel, codec, part)
        } else {
            match parts(program, *channel, codec, topic, &tree) {
                Ok(None) => continue,
                Ok(Some(fields)) => Ok(fields),
                Err(reason) => Err(reason),
            }
        };
        match read {
            Ok(fields) => heard.reports.push((*channel, fields)),
            Err(reason) => heard.refused.push(reason),
        }
    }
    // A remote has one topic and several keys: a word that one of them knows is none that the others miss.
    let mut unknown = None;
    for channel in events {
        let codec = program[*channel].codec.as_ref().unwrap_or(&none);
        for item in about(codec, &tree) {
            match event(program, *channel, codec, item) {
                Ok(Some(event)) => heard.events.push(event),
                Ok(None) => {}
                // Of a list, only what a channel asks for is its own.
                Err(Reason::UnknownEvent { .. }) if codec.among.is_some() => {}
                Err(reason @ Reason::UnknownEvent { .. }) => {
                    unknown.get_or_insert(reason);
                }
                Err(reason) => heard.refused.push(reason),
            }
        }
    }
    if heard.events.is_empty() && heard.refused.is_empty() {
        heard.refused.extend(unknown);
    }
    Ok(heard)
}

/// The parts of an event message that are about one channel.
fn about<'t>(codec: &Codec, tree: &'t Json) -> Vec<&'t Json> {
    let Some(among) = &codec.among else {
        return vec![tree];
    };
    let list = tree.pointer(&among.list).and_then(Json::as_array);
    let mine = |item: &&Json| item.get(&*among.key).and_then(Json::as_str) == Some(&*among.is);
    list.into_iter().flatten().filter(mine).collect()
}

/// What a device says about whether it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    There,
    Gone,
    /// It sleeps, and will be back: it hears nothing, and is not lost.
    Sleeps,
}

/// `online`/`offline` in the words of the common devices, bare or as `{"state":"online"}`.
pub(crate) fn availability(payload: &[u8]) -> Result<Said, Reason> {
    let tree = tree(payload)?;
    let part = tree.get("state").unwrap_or(&tree);
    let word = word_of(part).unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["sleeping"]) {
        Ok(Said::Sleeps)
    } else if is(&[
        "online",
        "true",
        "1",
        "on",
        "init",
        "ready",
        "alert",
        "connected",
        "alive",
    ]) {
        Ok(Said::There)
    } else if is(&[
        "offline",
        "false",
        "0",
        "off",
        "lost",
        "disconnected",
        "dead",
    ]) {
        Ok(Said::Gone)
    } else {
        Err(Reason::Availability { word })
    }
}

fn tree(payload: &[u8]) -> Result<Json, Reason> {
    let trimmed = payload.trim_ascii();
    if trimmed.is_empty() {
        return Err(Reason::Empty);
    }
    serde_json::from_slice(trimmed).or_else(|error| {
        let word = std::str::from_utf8(trimmed)
            .ok()
            .filter(|text| text.len() <= Type::TEXT_BYTES_MAX)
            .filter(|text| {
                !text.starts_with(['{', '[', '"']) && !text.chars().any(char::is_control)
            });
        word.map(|word| Json::String(word.to_owned()))
            .ok_or_else(|| Reason::NotJson {
                detail: error.to_string(),
            })
    })
}

/// The part of `tree` that a key or JSON pointer names; the whole where there is none. `null` is nothing: so bridges
/// say that they don't know. A pointer's first key may be `*`.
fn at<'t>(tree: &'t Json, from: Option<&str>) -> Option<&'t Json> {
    let part = match from {
        None | Some("") => Some(tree),
        Some(pointer) if pointer.starts_with("/*/") => {
            let rest = &pointer[2..];
            let mut objects = tree.as_object()?.values();
            objects.find_map(|object| object.pointer(rest))
        }
        Some(pointer) if pointer.starts_with('/') => tree.pointer(pointer),
        Some(key) => tree.get(key),
    };
    part.filter(|part| !part.is_null())
}

/// Fields that each stand at a place of their own; `None`: the message says nothing about any.
fn parts(
    program: &Program,
    channel: ChannelIx,
    codec: &Codec,
    topic: &str,
    tree: &Json,
) -> Result<Option<Vec<(SlotIx, Value)>>, Reason> {
    let mut fields = Vec::new();
    let here = |own: &Option<Arc<str>>| own.as_deref().is_none_or(|own| own == topic);
    for part in codec.parts.iter().filter(|part| here(&part.topic)) {
        let slot = program.slot(channel, &part.field);
        let (Some(slot), Some(said)) = (slot, at(tree, Some(&part.place))) else {
            continue;
        };
        let ours = match part.measure {
            Measure::Plain => None,
            Measure::Hue | Measure::Saturation if said.as_f64().is_none() => {
                // A lamp that shows white has no colour to tell.
                let Some(primaries) = primaries(said) else {
                    continue;
                };
                part.measure.of_colour(primaries).map(Json::from)
            }
            _ => {
                let counted = said.as_f64().filter(|said| *said > 0.0);
                counted.map(|theirs| Json::from(part.measure.ours(theirs) as u64))
            }
        };
        fields.extend(field(
            program,
            channel,
            slot,
            codec,
            ours.as_ref().unwrap_or(said),
        )?);
    }
    for phrase in codec.phrases.iter().filter(|phrase| here(&phrase.topic)) {
        if let Meaning::Is(name, value) = &phrase.means
            && let Some(slot) = program.slot(channel, name)
            && fields.iter().all(|(known, _)| *known != slot)
            && at(tree, Some(&phrase.place)).and_then(Json::as_str) == Some(&*phrase.word)
        {
            fields.push((slot, value.clone()));
        }
    }
    if fields.is_empty() {
        return Ok(None);
    }
    finish(fields).map(Some)
}

/// Red, green and blue, 0-255, of a colour in one of the forms that devices have: an object with these keys, a list,
/// or `rgb,255,0,0` and `hsv,120,100,50`.
fn primaries(said: &Json) -> Option<[f64; 3]> {
    let whole = |numbers: [Option<f64>; 3]| match numbers {
        [Some(a), Some(b), Some(c)] => Some([a, b, c]),
        _ => None,
    };
    let in_range = |numbers: [f64; 3]| {
        numbers
            .iter()
            .all(|one| (0.0..=360.0).contains(one))
            .then_some(numbers)
    };
    match said {
        Json::Object(keys) => {
            let named =
                |names: [&str; 3]| whole(names.map(|name| keys.get(name).and_then(Json::as_f64)));
            named(["r", "g", "b"])
                .or_else(|| named(["red", "green", "blue"]))
                .and_then(in_range)
        }
        Json::Array(list) => {
            let at = |place: usize| list.get(place).and_then(Json::as_f64);
            whole([at(0), at(1), at(2)]).and_then(in_range)
        }
        Json::String(text) => {
            let (form, rest) = text.split_once(',')?;
            let mut numbers = rest.split(',').map(|number| number.parse::<f64>().ok());
            let mut next = || numbers.next().flatten();
            let numbers = in_range(whole([next(), next(), next()])?)?;
            match (form, numbers) {
                ("rgb", primaries) => Some(primaries),
                ("hsv", [hue, saturation, _]) => Some(mapping::program::primaries(hue, saturation)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn report(
    program: &Program,
    channel: ChannelIx,
    codec: &Codec,
    part: &Json,
) -> Result<Vec<(SlotIx, Value)>, Reason> {
    let slots = &program[channel].slots;
    if let Json::Object(pairs) = part {
        let mut fields = Vec::new();
        for slot in slots {
            if let Some(part) = pairs.get(&*program[*slot].name) {
                fields.extend(field(program, channel, *slot, codec, part)?);
            }
        }
        return finish(fields);
    }
    // A bare value on a channel with several fields is about the first one: ON for a dimmer.
    let slot = *slots.first().ok_or(Reason::Empty)?;
    Ok(vec![
        field(program, channel, slot, codec, part)?.ok_or(Reason::Empty)?,
    ])
}

fn field(
    program: &Program,
    channel: ChannelIx,
    slot: SlotIx,
    codec: &Codec,
    part: &Json,
) -> Result<Option<(SlotIx, Value)>, Reason> {
    let row = &program[slot];
    let scalar = scalar(part);
    if let Some(dark) = dark(program, channel, slot, &scalar) {
        return Ok(dark);
    }
    if let Some(value) = word_of(part).and_then(|word| side(&row.ty, codec, &word)) {
        return Ok(Some((slot, value)));
    }
    Ok(Some((slot, checked(&row.name, &row.ty, &scalar)?)))
}

/// A value with two sides in the device's words.
fn side(ty: &Type, codec: &Codec, word: &str) -> Option<Value> {
    let is = |known: &Option<Arc<str>>| known.as_deref().is_some_and(|known| known == word);
    let side = if is(&codec.on) {
        true
    } else if is(&codec.off) {
        false
    } else {
        return None;
    };
    match ty {
        Type::Bool => Some(Value::Bool(side)),
        Type::Enum(names) if names.len() == 2 => {
            Some(Value::Text(Arc::clone(&names[usize::from(!side)])))
        }
        _ => None,
    }
}

fn event(
    program: &Program,
    channel: ChannelIx,
    codec: &Codec,
    tree: &Json,
) -> Result<Option<DecodedEvent>, Reason> {
    // Without `event_from` a bare word is the event, or it stands where our own form has it.
    let part = match (&codec.event_from, tree) {
        (Some(from), _) => at(tree, Some(from)),
        (None, Json::Object(pairs)) => pairs.get("event"),
        (None, _) => Some(tree),
    };
    let word = part.and_then(word_of).unwrap_or_default();
    if word.is_empty() {
        return Ok(None);
    }
    let ours = codec.events.iter().find(|(_, theirs)| ***theirs == *word);
    let event = by_name(program, channel, ours.map_or(&*word, |(name, _)| name))?;
    let mut fields = Vec::with_capacity(program[event].fields.len());
    for field in &program[event].fields {
        fields.push(match tree.get(&*field.name) {
            Some(part) => checked(&field.name, &field.ty, &scalar(part))?,
            None => default_of(field)?,
        });
    }
    Ok(Some(DecodedEvent {
        event,
        fields,
        produced_ms: None,
        stamp: None,
    }))
}

fn scalar(part: &Json) -> Scalar<'_> {
    match part {
        Json::Bool(value) => Scalar::Bool(*value),
        Json::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => Scalar::Whole(whole),
            (None, Some(number)) => Scalar::Number(number),
            (None, None) => Scalar::NotPlain,
        },
        Json::String(text) => Scalar::Text(Cow::Borrowed(text)),
        Json::Null | Json::Array(_) | Json::Object(_) => Scalar::NotPlain,
    }
}

fn word_of(part: &Json) -> Option<String> {
    match part {
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.to_string()),
        Json::String(text) => Some(text.clone()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
