//! Reported state: `{"on":true,"brightness":40}`, or a bare value on a channel with one field.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, SlotIx},
};
use types::Value;

use super::flat::{Body, Pair, Scalar, checked, no_doubles};
use crate::refusal::Reason;

/// Keys that a report may carry beside its fields; they are not looked at. The last two stand in a target: a module
/// may well say what it was told.
const STAMPS: [&str; 5] = ["boot", "seq", "t_ms", "fade_ms", "for_ms"];

/// Reads a report of `channel`.
pub(crate) fn state(
    program: &Program,
    channel: ChannelIx,
    payload: &[u8],
) -> Result<Vec<(SlotIx, Value)>, Reason> {
    let row = &program[channel];
    let pairs: Vec<Pair<'_>> = match Body::read(payload)? {
        Body::Pairs(pairs) => pairs,
        Body::Bare(scalar) => {
            let [slot] = row.slots[..] else {
                return Err(Reason::Bare {
                    fields: names(program, &row.slots),
                });
            };
            return Ok(vec![(
                slot,
                checked(&program[slot].name, &program[slot].ty, &scalar)?,
            )]);
        }
    };
    state_of(program, channel, &pairs)
}

/// Reads a report of `channel` that was taken apart already.
pub(crate) fn state_of(
    program: &Program,
    channel: ChannelIx,
    pairs: &[Pair<'_>],
) -> Result<Vec<(SlotIx, Value)>, Reason> {
    let row = &program[channel];
    no_doubles(pairs)?;
    let mut fields = Vec::with_capacity(pairs.len());
    for (name, scalar) in pairs {
        let Some(slot) = program.slot(channel, name) else {
            if STAMPS.contains(&&**name) {
                continue;
            }
            return Err(Reason::UnknownField {
                name: name.to_string(),
                known: names(program, &row.slots),
            });
        };
        if let Some(value) = dark(program, channel, slot, scalar) {
            fields.extend(value);
        } else {
            fields.push((
                slot,
                checked(&program[slot].name, &program[slot].ty, scalar)?,
            ));
        }
    }
    finish(fields)
}

/// Several lamps report `brightness: 0` when they are off. It says `on = false` and nothing about the
/// brightness to come back to. `None`: it is not that.
pub(super) fn dark(
    program: &Program,
    channel: ChannelIx,
    slot: SlotIx,
    scalar: &Scalar<'_>,
) -> Option<Option<(SlotIx, Value)>> {
    if !scalar.is_zero() || !program.is_brightness(slot) {
        return None;
    }
    let on = program.slot(channel, "on")?;
    Some(Some((on, Value::Bool(false))))
}

/// One value for each slot, in slot order. Where a payload says the same thing twice, as with
/// `"on":false,"brightness":0`, the first one stays.
pub(super) fn finish(mut fields: Vec<(SlotIx, Value)>) -> Result<Vec<(SlotIx, Value)>, Reason> {
    if fields.is_empty() {
        return Err(Reason::Empty);
    }
    fields.sort_by_key(|(slot, _)| *slot);
    fields.dedup_by_key(|(slot, _)| *slot);
    Ok(fields)
}

pub(super) fn names(program: &Program, slots: &[SlotIx]) -> Vec<Arc<str>> {
    slots
        .iter()
        .map(|ix| Arc::clone(&program[*ix].name))
        .collect()
}
