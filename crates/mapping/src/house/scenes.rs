//! `[scene.S]`: targets that belong together.

use std::sync::Arc;

use types::Value;

use super::House;
use crate::{
    constant,
    diagnostic::Diagnostic,
    habits,
    index::Symbol,
    paths,
    program::{ChannelIx, Program, SlotIx},
    read::{Key, Node, Table, Text, did_you_mean},
    report::Report,
};

/// Reads all scenes.
pub(super) fn read_all(house: &mut House<'_>, scenes: &[(Key<'_>, Node<'_>)]) {
    for (key, node) in scenes {
        if !house.declare(key, "scene") {
            house.report.declare_broken(format!("scene.{}", key.name));
            continue;
        }
        let name: Arc<str> = key.name.into();
        house.scene_places.insert(name.clone(), key.span.clone());
        let mut fields = Vec::new();
        if let Some(table) = node.table(&mut house.report, &format!("scene `{name}`")) {
            read(house, &table, &mut fields);
            if table.entries().is_empty() {
                let message = format!("scene `{name}` sets nothing");
                let error = Diagnostic::error("empty-scene", key.span.clone(), message);
                house.report.push(error);
            }
        }
        house.program.names.scenes.insert(name, fields);
    }
}

/// `D.CH = { field = value }` and `G = { field = value }`.
fn read(house: &mut House<'_>, table: &Table<'_>, out: &mut Vec<(SlotIx, Value)>) {
    for (key, node) in table.entries() {
        let (program, report) = (&house.program, &mut house.report);
        if let Some(members) = program.names.groups.get(key.name) {
            report.mention(|| (key.span.clone(), Symbol::Group(key.name.into())));
            if report.expand(members.len(), &key.span).is_none() {
                return;
            }
            for channel in members {
                values(program, report, *channel, node, Write::Target, out);
            }
        } else if let Some(device) = program.device(key.name) {
            report.mention(|| (key.span.clone(), Symbol::Device(key.name.into())));
            let Some(inner) = node.table(report, &format!("`{}`", key.name)) else {
                continue;
            };
            for (channel, node) in inner.entries() {
                let found =
                    paths::channel_of(program, report, device, channel.name, channel.span.clone());
                if let Some(channel) = found {
                    values(program, report, channel, node, Write::Target, out);
                }
            }
        } else if !report.is_broken(key.name) {
            report.push(paths::unknown_target(program, key.name, key.span.clone()));
        }
    }
}

/// A channel and what is written to it.
pub(crate) type Written = (ChannelIx, Vec<(SlotIx, Value)>);

/// What the scene of this name sets: the fields of each of its channels, in its order.
pub(crate) fn named(house: &mut House<'_>, name: &Text<'_>) -> Option<Vec<Written>> {
    let (program, report) = (&house.program, &mut house.report);
    let scenes = &program.names.scenes;
    let Some(values) = scenes.get(name.text) else {
        if report.is_broken(&format!("scene.{}", name.text)) {
            return None;
        }
        let message = format!("there is no scene `{}`", name.text);
        let error = Diagnostic::error("unknown-name", name.span(), message).label("not declared");
        let known = scenes.keys().map(|name| &**name);
        report.push(match habits::has_template(name.text) {
            true => error.help(habits::NOT_COMPUTED),
            false => did_you_mean(error, name.text, known),
        });
        return None;
    };
    report.mention(|| {
        let place = name.place(0..name.text.len());
        (place, Symbol::Scene(name.text.into()))
    });
    report.expand(values.len(), &name.span())?;
    let mut writes: Vec<Written> = Vec::new();
    for (slot, value) in values {
        let channel = program[*slot].channel;
        match writes.iter_mut().find(|(other, _)| *other == channel) {
            Some((_, fields)) => fields.push((*slot, value.clone())),
            None => writes.push((channel, vec![(*slot, value.clone())])),
        }
    }
    Some(writes)
}

/// Whether values are desired or reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Write {
    /// Desired: the field must be settable.
    Target,
    /// Reported.
    State,
}

/// Reads `{ field = value }`, or the bare value of a channel with one field.
pub(crate) fn values(
    program: &Program,
    report: &mut Report,
    channel: ChannelIx,
    node: Node<'_>,
    write: Write,
    out: &mut Vec<(SlotIx, Value)>,
) {
    let Some(table) = node.as_table() else {
        let path = program.channel_path(channel);
        if let [slot] = *program[channel].slots {
            if write == Write::Target && !program[slot].settable {
                report.push(paths::not_settable(program, slot, node.span()));
            } else if let Some(value) = one(program, report, slot, node, write) {
                out.push((slot, value));
            }
        } else {
            let fields = paths::field_names(program, channel, write == Write::Target);
            let names: Vec<&str> = fields.iter().map(|name| &**name).collect();
            let message = format!("`{path}` has several fields: say which");
            let error = Diagnostic::error("wrong-type", node.span(), message);
            report.push(match names[..] {
                [] => error,
                [only] => error.help(format!("write {{ {only} = .. }}")),
                [first, ..] => error.help(format!(
                    "write {{ {first} = .. }}; its fields are {}",
                    crate::read::list(&names)
                )),
            });
        }
        return;
    };
    for (key, node) in table.entries() {
        let slot = paths::field(program, report, channel, &key, write == Write::Target);
        if let Some(slot) = slot
            && let Some(value) = one(program, report, slot, node, write)
        {
            out.push((slot, value));
        }
    }
}

fn one(
    program: &Program,
    report: &mut Report,
    slot: SlotIx,
    node: Node<'_>,
    write: Write,
) -> Option<Value> {
    let ty = match write {
        Write::Target => constant::writable(program, slot),
        Write::State => program[slot].ty.clone(),
    };
    constant::read(report, node, &ty, &format!("`{}`", program.slot_path(slot)))
}
