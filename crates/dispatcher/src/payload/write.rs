//! What we write: one canonical form, fields in slot order, numbers without exponent.

use std::{io::Write as _, sync::Arc, time::Duration};

use mapping::{
    Program,
    program::{ChannelIx, Codec, EventIx, Saying, SlotIx, Tells, said},
};
use serde_json::{Map, Value as Json};
use types::{Type, Value};

/// `{"on":true,"brightness":40}`, with `"fade_ms"` where the change takes time and `"for_ms"` where it ends by itself.
pub(crate) fn target(
    program: &Program,
    fields: &[(SlotIx, Value)],
    fade: Option<Duration>,
    bound: Option<Duration>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + 24 * fields.len());
    object(&mut out, program, fields, None);
    let mut more = |name: &str, span: Duration| {
        let comma = if out.len() > 2 { "," } else { "" };
        out.pop();
        // Writing to a Vec can't fail, here and below. What began ends: not after no time at all.
        let ms = span.as_micros().div_ceil(1_000).max(1);
        let _ = write!(out, "{comma}\"{name}\":{ms}}}");
    };
    if let Some(fade) = fade {
        more("fade_ms", fade);
    }
    if let Some(bound) = bound {
        more("for_ms", bound);
    }
    out
}

/// `{"command":"beep","ms":200}`.
pub(crate) fn momentary(
    program: &Program,
    channel: ChannelIx,
    command: u8,
    args: &[Value],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(b"{\"command\":");
    if let Some(command) = program[channel].commands.get(usize::from(command)) {
        text(&mut out, &command.name);
        for (field, arg) in command.args.iter().zip(args) {
            out.push(b',');
            text(&mut out, &field.name);
            out.push(b':');
            value(&mut out, arg);
        }
    } else {
        out.extend_from_slice(b"null");
    }
    out.push(b'}');
    out
}

/// `{"event":"press","key":60}`.
pub(crate) fn emitted(program: &Program, event: EventIx, fields: &[Value]) -> Vec<u8> {
    let row = &program[event];
    let mut out = Vec::with_capacity(32 + 24 * fields.len());
    out.extend_from_slice(b"{\"event\":");
    text(&mut out, &row.name);
    for (field, value_of) in row.fields.iter().zip(fields) {
        out.push(b',');
        text(&mut out, &field.name);
        out.push(b':');
        value(&mut out, value_of);
    }
    out.push(b'}');
    out
}

/// The word on an availability topic.
pub(crate) fn presence(online: bool) -> Vec<u8> {
    let word: &[u8] = if online { b"online" } else { b"offline" };
    word.to_vec()
}

/// `{"rev":3,"io":{..}}`: `body` is an object without `rev`.
pub(crate) fn role(rev: u32, body: &str) -> Vec<u8> {
    let rest = body
        .trim_start()
        .strip_prefix('{')
        .unwrap_or("}")
        .trim_start();
    let comma = if rest.starts_with('}') { "" } else { "," };
    format!("{{\"rev\":{rev}{comma}{rest}").into_bytes()
}

/// A target of which each field has a place of its own. Off is off: some lamps light up when they are told how bright
/// they would be.
fn in_parts(program: &Program, codec: &Codec, fields: &[(SlotIx, Value)]) -> Vec<u8> {
    let is_off = |(slot, value): &(SlotIx, Value)| {
        &*program[*slot].name == "on" && *value == Value::Bool(false)
    };
    let off = fields.iter().any(is_off);
    let mut tree = Json::Object(Map::new());
    let mut words = Vec::new();
    for part in &codec.parts {
        let field = fields
            .iter()
            .find(|(slot, _)| program[*slot].name == part.field);
        let Some((slot, value)) = field.filter(|field| !off || is_off(field)) else {
            continue;
        };
        let phrase = codec.phrase_of(&part.field, value);
        let place = phrase.map_or(&part.place, |phrase| &phrase.place);
        let known = phrase.map(|phrase| &*phrase.word);
        let known = known.or_else(|| word(&program[*slot].ty, value, codec));
        let said = match (known, value) {
            (Some(word), _) => Json::from(word),
            (None, Value::Bool(side)) => Json::from(*side),
            (None, Value::Number(ours)) => whole(part.measure.theirs(*ours)),
            (None, Value::Text(text)) => Json::from(&**text),
        };
        let keys = place.trim_start_matches('/');
        let key = keys.rsplit('/').next().unwrap_or(keys);
        words.push(match &said {
            Json::String(word) => format!("{key} {word}"),
            other => format!("{key} {other}"),
        });
        put(&mut tree, keys, said);
    }
    match codec.target {
        Some(_) => words.join(";").into_bytes(),
        None => tree.to_string().into_bytes(),
    }
}

/// Writes at a JSON pointer without its first `/`.
fn put(tree: &mut Json, keys: &str, said: Json) {
    let mut inner = tree;
    for key in keys.split('/') {
        if !inner.is_object() {
            *inner = Json::Object(Map::new());
        }
        inner = &mut inner[key];
    }
    *inner = said;
}

/// A number as JSON; without a fraction where it has none.
fn whole(number: f64) -> Json {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        Json::from(number as i64)
    } else {
        Json::from(number)
    }
}

/// A foreign device's target in its words: the messages, in order. `topic` is where it is told its targets, where it has
/// no message of its own for each thing.
pub(crate) fn foreign_target(
    program: &Program,
    channel: ChannelIx,
    topic: &Arc<str>,
    fields: &[(SlotIx, Value)],
) -> Vec<(Arc<str>, Vec<u8>)> {
    let none = Codec::default();
    let codec = program[channel].codec.as_ref().unwrap_or(&none);
    if codec.sayings.is_empty() {
        let payload = in_one(program, channel, codec, fields);
        return vec![(Arc::clone(topic), payload)];
    }
    let named = fields
        .iter()
        .map(|(slot, value)| (&*program[*slot].name, value));
    let named: Vec<(&str, &Value)> = named.collect();
    let said = said(codec, &named).into_iter();
    said.map(|(topic, text)| (topic, text.into_bytes()))
        .collect()
}

/// A target as one message: its words, under its key.
///
/// One settable field: the bare value, or under `from` as an object. Several: an object with our field names.
fn in_one(
    program: &Program,
    channel: ChannelIx,
    codec: &Codec,
    fields: &[(SlotIx, Value)],
) -> Vec<u8> {
    if !codec.parts.is_empty() {
        return in_parts(program, codec, fields);
    }
    let mut out = Vec::with_capacity(16 + 24 * fields.len());
    let keys: Vec<&str> = match codec.from.as_deref() {
        // A topic for this channel alone says itself what it is about.
        Some(_) if codec.target.is_some() => Vec::new(),
        Some(from) => from.split('/').filter(|key| !key.is_empty()).collect(),
        None => Vec::new(),
    };
    for key in &keys {
        out.push(b'{');
        text(&mut out, key);
        out.push(b':');
    }
    match fields {
        [(slot, only)] if program[channel].slots.len() == 1 => {
            let word = word(&program[*slot].ty, only, codec);
            match (word, keys.is_empty()) {
                (Some(word), true) => out.extend_from_slice(word.as_bytes()),
                (Some(word), false) => text(&mut out, word),
                (None, true) => {
                    let _ = write!(out, "{only}");
                }
                (None, false) => value(&mut out, only),
            }
        }
        _ => object(&mut out, program, fields, Some(codec)),
    }
    out.extend(keys.iter().map(|_| b'}'));
    out
}

/// A momentary command of a foreign device, and where it is said, where that is not on `topic`: in its own words, or the
/// bare word where it takes no arguments.
pub(crate) fn foreign_command(
    program: &Program,
    channel: ChannelIx,
    topic: &Arc<str>,
    command: u8,
    args: &[Value],
) -> (Arc<str>, Vec<u8>) {
    let row = program[channel].commands.get(usize::from(command));
    let codec = program[channel].codec.as_ref();
    let saying = row.zip(codec).and_then(|(row, codec)| {
        let is =
            |saying: &&Saying| matches!(&saying.tells, Tells::Command(name) if *name == row.name);
        codec.sayings.iter().find(is)
    });
    if let Some(saying) = saying {
        let args = row.into_iter().flat_map(|row| &row.args).zip(args);
        let named: Vec<(&str, &Value)> = args.map(|(field, value)| (&*field.name, value)).collect();
        return (
            Arc::clone(&saying.topic),
            saying.filled(&named).into_bytes(),
        );
    }
    let payload = bare_command(program, channel, command, args);
    (Arc::clone(topic), payload)
}

fn bare_command(program: &Program, channel: ChannelIx, command: u8, args: &[Value]) -> Vec<u8> {
    let row = program[channel].commands.get(usize::from(command));
    let codec = program[channel].codec.as_ref();
    if let Some(phrase) = row.and_then(|row| codec?.phrase_for(&row.name)) {
        let mut tree = Json::Object(Map::new());
        let keys = phrase.place.trim_start_matches('/');
        put(&mut tree, keys, Json::from(&*phrase.word));
        return tree.to_string().into_bytes();
    }
    match row {
        Some(row) if row.args.is_empty() => row.name.as_bytes().to_vec(),
        _ => momentary(program, channel, command, args),
    }
}

fn object(out: &mut Vec<u8>, program: &Program, fields: &[(SlotIx, Value)], codec: Option<&Codec>) {
    out.push(b'{');
    for (place, (slot, field)) in fields.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        let row = &program[*slot];
        text(out, &row.name);
        out.push(b':');
        match codec.and_then(|codec| word(&row.ty, field, codec)) {
            Some(word) => text(out, word),
            None => value(out, field),
        }
    }
    out.push(b'}');
}

/// The device's word for a value with two sides.
fn word<'c>(ty: &Type, value: &Value, codec: &'c Codec) -> Option<&'c str> {
    let side = match (ty, value) {
        (Type::Bool, Value::Bool(side)) => *side,
        (Type::Enum(names), Value::Text(name)) if names.len() == 2 => names[0] == *name,
        _ => return None,
    };
    let word: &'c Option<Arc<str>> = if side { &codec.on } else { &codec.off };
    word.as_deref()
}

/// A value as JSON.
pub(crate) fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        // Small whole numbers are most of what we write; the general float printer is slower.
        Value::Number(n) if *n == (*n as i32) as f64 => {
            let _ = write!(out, "{}", *n as i32);
        }
        Value::Number(n) if n.is_finite() => {
            let _ = write!(out, "{n}");
        }
        Value::Number(_) => out.extend_from_slice(b"null"),
        Value::Text(t) => text(out, t),
    }
}

/// A text as JSON.
pub(crate) fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => {
                let _ = write!(out, "\\u{byte:04x}");
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}
