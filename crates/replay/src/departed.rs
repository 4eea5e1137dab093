//! Channels that were taken out of the mapping: what long-term history keeps them under, and which of them came back.
//!
//! Their names may be others' by the time anybody asks. Asked as an edit is written down, and for what is gone. Must not replay.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use mapping::{
    Program,
    program::{ChannelIx, Kin},
};

use crate::{heirs::Heirs, history::History, target::Target, way::Way};

/// Bytes of a mapping's hash that tell it from the others that had a channel of that name.
const HASH_BYTES: usize = 8;

/// What is kept of `channel` is kept under this name once it is gone; `last` is the last mapping that had it. Nothing of a house
/// is called so.
pub(crate) fn name(last: &Program, channel: ChannelIx) -> Arc<str> {
    let mut name = last.channel_path(channel);
    name.push('\n');
    for byte in &last.hash[..HASH_BYTES] {
        let _ = write!(name, "{byte:02x}");
    }
    name.into()
}

/// What an edit makes of the names of channels, those of departed ones among them: by each that is another one now.
pub(crate) fn renames(
    history: &History,
    start: usize,
    before: &[Heirs],
    edit: &Heirs,
) -> BTreeMap<String, Arc<str>> {
    let (old, new) = edit.programs();
    let mut renames = BTreeMap::new();
    for was in ChannelIx::all(old.channels.len()) {
        let path = old.channel_path(was);
        let is = match edit.channel(was) {
            Some(is) => new.channel_path(is).into(),
            None => name(old, was),
        };
        if path != *is {
            renames.insert(path, is);
        }
    }
    let mut came = ChannelIx::all(new.channels.len());
    if came.any(|is| edit.channel_before(is).is_none()) {
        let back = come_back(history, start, before, edit).into_iter();
        renames.extend(back.map(|(was, is)| (was.to_string(), new.channel_path(is).into())));
    }
    renames
}

/// The channels that were gone before `edit` and are there behind it, each by the name that it was kept under. `start`: the
/// place of the mapping in which `before` begins, the edits between.
fn come_back(
    history: &History,
    start: usize,
    before: &[Heirs],
    edit: &Heirs,
) -> Vec<(Arc<str>, ChannelIx)> {
    let mut ways = Vec::new();
    for at in 0..start {
        go_on(&mut ways, &history.step(at));
    }
    for step in before {
        go_on(&mut ways, step);
    }
    let gone = ways.iter_mut().filter(|way| way.there().is_none());
    gone.filter_map(|way| {
        let was = match way.last() {
            (program, Target::Channel(channel)) => name(program, *channel),
            _ => return None,
        };
        way.go(edit);
        match way.there() {
            Some(Target::Channel(is)) => Some((was, *is)),
            _ => None,
        }
    })
    .collect()
}

/// Over one more edit, with what that takes out.
fn go_on(ways: &mut Vec<Way>, step: &Heirs) {
    for way in ways.iter_mut() {
        way.go(step);
    }
    let (old, _) = step.programs();
    for gone in step.gone() {
        if !matches!(gone, Target::Channel(_)) {
            continue;
        }
        let is_known = ways.iter().any(|way| {
            let (program, target) = way.last();
            program.hash == old.hash && *target == gone
        });
        if !is_known {
            let mut way = Way::new(old, gone);
            way.go(step);
            ways.push(way);
        }
    }
}
