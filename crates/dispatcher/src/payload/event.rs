//! `{"event":"press","key":60,"velocity":87,"boot":4711,"seq":9,"t_ms":12345}` -> an event with its
//! fields in declared order. `boot`, `seq` and `t_ms` are optional. This is the hot path.

use std::{borrow::Cow, sync::Arc};

use mapping::{
    Program,
    program::{ChannelIx, EventIx, Field},
};
use types::Value;

use super::flat::{Body, Scalar, checked, no_doubles};
use crate::{input::Stamp, refusal::Reason};

/// An event as it came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DecodedEvent {
    pub(crate) event: EventIx,
    pub(crate) fields: Vec<Value>,
    pub(crate) produced_ms: Option<u64>,
    pub(crate) stamp: Option<Stamp>,
}

type Pairs<'a> = [(Cow<'a, str>, Scalar<'a>)];

/// Reads an event of `channel`. A bare word names an event that needs no fields.
pub(crate) fn event(
    program: &Program,
    channel: ChannelIx,
    payload: &[u8],
) -> Result<DecodedEvent, Reason> {
    let pairs = match Body::read(payload)? {
        Body::Pairs(pairs) => pairs,
        Body::Bare(word) => vec![(Cow::Borrowed("event"), word)],
    };
    let event = named(program, channel, &pairs)?;
    let declared = &program[event].fields;
    let (fields, mut taken) = fields(declared, &pairs)?;
    taken += 1;
    let mut whole = |name: &'static str, takes: &'static str, max: u64| {
        let declared = declared.iter().any(|field| *field.name == *name);
        match find(&pairs, name).filter(|_| !declared) {
            None => Ok(None),
            Some(Scalar::Whole(value)) if *value <= max => {
                taken += 1;
                Ok(Some(*value))
            }
            Some(_) => Err(Reason::Stamp { field: name, takes }),
        }
    };
    let boot = whole("boot", "a whole number", u64::MAX)?;
    let seq = whole("seq", "a whole number below 2^32", u64::from(u32::MAX))?;
    let produced_ms = whole("t_ms", "milliseconds as a whole number", u64::MAX)?;
    if taken != pairs.len() {
        return Err(surplus(declared, &pairs));
    }
    Ok(DecodedEvent {
        event,
        fields,
        produced_ms,
        stamp: seq.map(|seq| Stamp {
            boot: boot.unwrap_or(0),
            seq: seq as u32,
        }),
    })
}

/// Reads an event of `channel` that was named apart from its fields.
pub(crate) fn named_event(
    program: &Program,
    channel: ChannelIx,
    name: &str,
    pairs: &Pairs<'_>,
) -> Result<(EventIx, Vec<Value>), Reason> {
    let event = by_name(program, channel, name)?;
    let declared = &program[event].fields;
    let (fields, taken) = fields(declared, pairs)?;
    if taken != pairs.len() {
        return Err(surplus(declared, pairs));
    }
    Ok((event, fields))
}

/// The declared fields, in their order, and how many of the pairs those are.
fn fields(declared: &[Field], pairs: &Pairs<'_>) -> Result<(Vec<Value>, usize), Reason> {
    let mut taken = 0;
    let mut fields = Vec::with_capacity(declared.len());
    for field in declared {
        fields.push(match find(pairs, &field.name) {
            Some(scalar) => {
                taken += 1;
                checked(&field.name, &field.ty, scalar)?
            }
            None => default_of(field)?,
        });
    }
    Ok((fields, taken))
}

/// What an event has where the payload lacks the field.
pub(super) fn default_of(field: &Field) -> Result<Value, Reason> {
    field.default.clone().ok_or_else(|| Reason::MissingField {
        name: Arc::clone(&field.name),
    })
}

/// The channel's event with this name.
pub(super) fn by_name(
    program: &Program,
    channel: ChannelIx,
    name: &str,
) -> Result<EventIx, Reason> {
    program
        .event(channel, name)
        .ok_or_else(|| Reason::UnknownEvent {
            name: name.to_owned(),
            known: known(program, channel),
        })
}

fn named(program: &Program, channel: ChannelIx, pairs: &Pairs<'_>) -> Result<EventIx, Reason> {
    match find(pairs, "event") {
        Some(Scalar::Text(name)) => by_name(program, channel, name),
        Some(_) | None => Err(Reason::NoEvent {
            known: known(program, channel),
        }),
    }
}

fn known(program: &Program, channel: ChannelIx) -> Vec<Arc<str>> {
    let events = program[channel].events.iter();
    events.map(|ix| Arc::clone(&program[*ix].name)).collect()
}

fn find<'p, 'a>(pairs: &'p Pairs<'a>, name: &str) -> Option<&'p Scalar<'a>> {
    let pair = pairs.iter().find(|(key, _)| key == name);
    pair.map(|(_, scalar)| scalar)
}

/// Says which pair was one too many.
fn surplus(declared: &[Field], pairs: &Pairs<'_>) -> Reason {
    if let Err(double) = no_doubles(pairs) {
        return double;
    }
    let strange = pairs.iter().find(|(key, _)| {
        !["event", "boot", "seq", "t_ms"].contains(&&**key)
            && !declared.iter().any(|field| *field.name == **key)
    });
    Reason::UnknownField {
        name: strange.map_or_else(String::new, |(key, _)| key.to_string()),
        known: declared.iter().map(|f| Arc::clone(&f.name)).collect(),
    }
}
