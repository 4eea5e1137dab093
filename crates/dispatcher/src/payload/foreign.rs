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

/// Reads a message that several channels may share; each takes its own part, or nothing.
pub(crate) fn foreign(
    program: &Program,
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
            match parts(program, *channel, codec, &tree) {
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
        match event(program, *channel, codec, &tree) {
            Ok(Some(event)) => heard.events.push(event),
            Ok(None) => {}
            Err(reason @ Reason::UnknownEvent { .. }) => {
                unknown.get_or_insert(reason);
            }
            Err(reason) => heard.refused.push(reason),
        }
    }
    if heard.events.is_empty() && heard.refused.is_empty() {
        heard.refused.extend(unknown);
    }
    Ok(heard)
}

/// `online`/`offline` in the words of the common devices, bare or as `{"state":"online"}`.
pub(crate) fn availability(payload: &[u8]) -> Result<bool, Reason> {
    let tree = tree(payload)?;
    let part = tree.get("state").unwrap_or(&tree);
    let word = word_of(part).unwrap_or_default();
    let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["online", "true", "1", "on", "ready", "connected", "alive"]) {
        Ok(true)
    } else if is(&[
        "offline",
        "false",
        "0",
        "off",
        "lost",
        "disconnected",
        "dead",
    ]) {
        Ok(false)
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
        None => Some(tree),
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
    tree: &Json,
) -> Result<Option<Vec<(SlotIx, Value)>>, Reason> {
    let mut fields = Vec::new();
    for part in &codec.parts {
        let slot = program.slot(channel, &part.field);
        let (Some(slot), Some(said)) = (slot, at(tree, Some(&part.place))) else {
            continue;
        };
        let counted = said
            .as_f64()
            .filter(|said| part.measure != Measure::Plain && *said > 0.0);
        let ours = counted.map(|theirs| Json::from(part.measure.ours(theirs) as u64));
        fields.extend(field(
            program,
            channel,
            slot,
            codec,
            ours.as_ref().unwrap_or(said),
        )?);
    }
    for phrase in &codec.phrases {
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
