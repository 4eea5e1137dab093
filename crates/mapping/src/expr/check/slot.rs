//! State of channels: `state.D.CH[.F]`, `target.D.CH[.F]` and members of groups.

use std::ops::Range;

use super::{Checker, Typed};
use crate::{
    expr::kind::Kind,
    index::Symbol,
    program::{ChannelIx, DeviceIx, Expr, Program, SlotIx},
};

impl Checker<'_, '_, '_> {
    /// `state.D.CH[.F]` and `target.D.CH[.F]`.
    pub(super) fn slot_of(
        &mut self,
        range: &Range<usize>,
        reported: bool,
        rest: &[Range<usize>],
    ) -> Option<Typed> {
        let program = self.scope.program;
        let root = if reported { "state" } else { "target" };
        let Some((device, rest)) = rest.split_first() else {
            return self.shape(range, format!("write `{root}.DEVICE.CHANNEL`"));
        };
        let word = self.written(device);
        let Some(device_ix) = program.device(word) else {
            self.unknown_device(root, device);
            return None;
        };
        self.mention(device, || Symbol::Device(program[device_ix].name.clone()));
        let Some((channel, fields)) = rest.split_first() else {
            let channels: Vec<String> = channel_names(program, device_ix)
                .map(|name| format!("{root}.{word}.{name}"))
                .collect();
            return self.shape(
                range,
                format!("`{word}` is a device; it has: {}", channels.join(", ")),
            );
        };
        let Some(channel_ix) = program.channel(device_ix, self.written(channel)) else {
            let message = format!("`{word}` has no channel `{}`", self.written(channel));
            if rest.last().is_some_and(|word| self.is_presence(word)) {
                return self.presence_of(range, device_ix);
            }
            self.unknown(
                "unknown-channel",
                channel,
                message,
                channel_names(program, device_ix),
            );
            return None;
        };
        self.mention(channel, || Symbol::channel(program, channel_ix));
        if let [field] = fields
            && self.is_presence(field)
            && program.slot(channel_ix, self.written(field)).is_none()
        {
            return self.presence_of(range, device_ix);
        }
        let slot = self.channel_slot(range, channel_ix, fields)?;
        self.slot_value(range, slot, reported)
    }

    fn unknown_device(&mut self, root: &str, range: &Range<usize>) {
        let program = self.scope.program;
        let word = self.written(range);
        if program.names.groups.contains_key(word) {
            let message = format!("`{word}` is a group and has no state of its own");
            self.report.error("unknown-name", range, message, |e| {
                e.help(format!(
                    "ask its members: {word}.all(x, x == ..), .exists(x, ..), .count(x, ..)"
                ))
            });
            return;
        }
        if self.loop_member(word).is_some() {
            let message = format!("`{word}` already stands for the state of a member");
            self.report.error("unknown-name", range, message, |e| {
                e.help(format!("write `{word}` without `{root}.`"))
            });
            return;
        }
        let devices = program.names.devices.keys().map(|name| &**name);
        self.unknown(
            "unknown-name",
            range,
            format!("no device is called `{word}`"),
            devices,
        );
    }

    /// The field of a channel that `fields` names; a channel with one field needs no name.
    pub(super) fn channel_slot(
        &mut self,
        range: &Range<usize>,
        channel: ChannelIx,
        fields: &[Range<usize>],
    ) -> Option<SlotIx> {
        let program = self.scope.program;
        let path = || program.channel_path(channel);
        let slots = &program[channel].slots;
        let names = slots.iter().map(|slot| &*program[*slot].name);
        match (fields, &**slots) {
            ([], [slot]) => Some(*slot),
            (_, []) => {
                let message = format!("{} reports no state, only events", path());
                self.report.error("no-state", range, message, |e| {
                    e.help(format!(
                        "a rule waits for its events: when = \"{}.EVENT\"; a variable can keep what they said",
                        path()
                    ))
                });
                None
            }
            ([], _) => {
                let fields: Vec<&str> = names.collect();
                let written = self.written(range);
                let message = format!("{} has several fields", path());
                self.report.error("incomplete-name", range, message, |e| {
                    let help = fields.iter().map(|field| format!("`{written}.{field}`"));
                    e.help(format!("write {}", help.collect::<Vec<_>>().join(" or ")))
                });
                None
            }
            ([name], _) => {
                let slot = program.slot(channel, self.written(name));
                match slot {
                    Some(slot) => {
                        let field = &program[slot].name;
                        self.mention(name, || Symbol::field(program, channel, field));
                    }
                    None => {
                        let message = self.no_field(channel, name);
                        self.unknown("unknown-field", name, message, names);
                    }
                }
                slot
            }
            ([_, rest, ..], _) => {
                let message = format!("nothing can follow behind a field of {}", path());
                self.report.error("unknown-field", rest, message, |e| e);
                None
            }
        }
    }

    fn no_field(&self, channel: ChannelIx, name: &Range<usize>) -> String {
        let path = self.scope.program.channel_path(channel);
        let word = self.written(name);
        match self
            .loops
            .iter()
            .rev()
            .find(|variable| variable.member == channel)
        {
            Some(variable) => {
                format!(
                    "group `{}` holds {path}, which has no field `{word}`",
                    variable.group
                )
            }
            None => format!("{path} has no field `{word}`"),
        }
    }

    pub(super) fn slot_value(
        &mut self,
        range: &Range<usize>,
        slot: SlotIx,
        reported: bool,
    ) -> Option<Typed> {
        let program = self.scope.program;
        let row = &program[slot];
        let has_target = program[row.channel].consumer && row.settable;
        if !reported && !has_target {
            let path = program.slot_path(slot);
            let message = format!("{path} has no target, it only reports");
            self.report.error("no-target", range, message, |e| {
                e.help(format!("write `state.{path}`"))
            });
            return None;
        }
        Some(Typed {
            expr: if reported {
                Expr::State(slot)
            } else {
                Expr::Target(slot)
            },
            kind: Kind::of(&row.ty),
        })
    }
}

/// Names of a device's channels, in file order.
pub(super) fn channel_names(
    program: &Program,
    device: DeviceIx,
) -> impl Iterator<Item = &str> + Clone {
    let channels = program[device].channels.iter();
    channels.map(|channel| &*program[*channel].name)
}
