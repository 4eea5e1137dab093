//! Inputs of one mapping as they would have come under another one, where things have other names.
//!
//! Called by whoever lets a house live under another mapping than the one that was in force. Must not replay.

use std::sync::Arc;

use dispatcher::Input;
use engine::Who;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, Kin, RuleIx, SlotIx, Succession, TimerIx, VarIx},
};
use types::{InputNo, Value};

use crate::history::History;

/// What the things of one program are in another one, and back.
#[derive(Clone, Debug)]
pub(crate) struct Heirs {
    old: Arc<Program>,
    new: Arc<Program>,
    devices: Vec<Option<DeviceIx>>,
    channels: Vec<Option<ChannelIx>>,
    channels_before: Vec<Option<ChannelIx>>,
    vars: Vec<Option<VarIx>>,
    timers: Vec<Option<TimerIx>>,
    rules: Vec<Option<RuleIx>>,
}

impl Heirs {
    pub(crate) fn new(old: &Arc<Program>, new: &Arc<Program>) -> Self {
        let succession = Succession::new(old, new);
        let devices = DeviceIx::all(old.devices.len());
        let channels = ChannelIx::all(old.channels.len());
        let channels_before = ChannelIx::all(new.channels.len());
        let vars = VarIx::all(old.vars.len());
        Self {
            devices: devices.map(|ix| succession.device(ix)).collect(),
            channels: channels.map(|ix| succession.channel(ix)).collect(),
            channels_before: channels_before
                .map(|ix| succession.channel_before(ix))
                .collect(),
            vars: vars.map(|ix| succession.var(ix)).collect(),
            timers: TimerIx::all(old.timers.len())
                .map(|ix| succession.timer(ix))
                .collect(),
            rules: RuleIx::all(old.rules.len())
                .map(|ix| succession.rule(ix))
                .collect(),
            old: Arc::clone(old),
            new: Arc::clone(new),
        }
    }

    /// From `program`, in force after input `no`, to the mapping in force last, by way of each that came in between; `None`: it
    /// is that one.
    pub(crate) fn today(
        history: &History,
        no: InputNo,
        program: &Arc<Program>,
    ) -> Option<Arc<Self>> {
        let at = history.mapping_after(no, program.hash);
        if history.mapping(at).hash == program.hash {
            return history.heirs_since(at);
        }
        // It was in force too shortly for a snapshot.
        let next = at + 1;
        if next >= history.mappings().len() {
            return None;
        }
        let step = Self::new(program, &history.mapping(next));
        Some(Arc::new(match history.heirs_since(next) {
            Some(rest) => step.and(&rest),
            None => step,
        }))
    }

    /// How much of the old program has an heir.
    pub(crate) fn reach(&self) -> usize {
        let devices = self.devices.iter().flatten().count();
        let channels = self.channels.iter().flatten().count();
        devices + channels + self.vars.iter().flatten().count()
    }

    /// Whether no other way can reach more.
    pub(crate) fn reaches_all(&self) -> bool {
        self.reach() == self.devices.len() + self.channels.len() + self.vars.len()
    }

    /// What `channel` of the new program was in the old one.
    pub(crate) fn channel_before(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.channels_before[channel.index()]
    }

    /// Whether everything of the old program has an heir.
    pub(crate) fn is_complete(&self) -> bool {
        self.devices.iter().all(Option::is_some)
            && self.channels.iter().all(Option::is_some)
            && self.vars.iter().all(Option::is_some)
            && self.rules.iter().all(Option::is_some)
    }

    /// From the old program of these to the new one of `next`, which goes on where these end.
    pub(crate) fn and(&self, next: &Self) -> Self {
        Self {
            devices: through(&self.devices, |ix| next.device(ix)),
            channels: through(&self.channels, |ix| next.channel(ix)),
            channels_before: through(&next.channels_before, |ix| self.channel_before(ix)),
            vars: through(&self.vars, |ix| next.var(ix)),
            timers: through(&self.timers, |ix| next.timer(ix)),
            rules: through(&self.rules, |ix| next.rule(ix)),
            old: Arc::clone(&self.old),
            new: Arc::clone(&next.new),
        }
    }

    /// An input of the old program in the words of the new one.
    ///
    /// # Errors
    /// What it speaks of is not there, or takes no such value.
    pub(crate) fn input(&self, input: &Input) -> Result<Input, dispatcher::DecodeError> {
        let mut record = Vec::new();
        match self.moved(input) {
            Some(moved) => moved.encode(&self.new, &mut record),
            None => input.encode(&self.old, &mut record),
        }
        Input::decode(&self.new, &record)
    }

    /// `None`: what it speaks of has no heir.
    fn moved(&self, input: &Input) -> Option<Input> {
        Some(match input {
            Input::Event {
                event,
                fields,
                produced_ms,
                stamp,
            } => Input::Event {
                event: self.event(*event)?,
                fields: fields.clone(),
                produced_ms: *produced_ms,
                stamp: *stamp,
            },
            Input::Report {
                channel,
                fields,
                live,
                adopt,
            } => Input::Report {
                channel: self.channel(*channel)?,
                fields: self.fields(fields)?,
                live: *live,
                adopt: *adopt,
            },
            Input::Online(device) => Input::Online(self.device(*device)?),
            Input::Offline(device) => Input::Offline(self.device(*device)?),
            Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            } => Input::Set {
                channel: self.channel(*channel)?,
                fields: self.fields(fields)?,
                who: Who::clone(who),
                hold: *hold,
                bound: *bound,
            },
            Input::Command {
                channel,
                command,
                args,
                who,
            } => Input::Command {
                channel: self.channel(*channel)?,
                command: self.command(*channel, *command)?,
                args: args.clone(),
                who: Who::clone(who),
            },
            Input::Var { var, to } => Input::Var {
                var: self.var(*var)?,
                to: to.clone(),
            },
            Input::Several(inputs) => {
                let moved = inputs.iter().map(|input| self.moved(input));
                Input::Several(moved.collect::<Option<_>>()?)
            }
            other => other.clone(),
        })
    }

    fn fields(&self, fields: &[(SlotIx, Value)]) -> Option<Vec<(SlotIx, Value)>> {
        let moved = fields.iter();
        let moved = moved.map(|(slot, value)| Some((self.slot(*slot)?, value.clone())));
        moved.collect()
    }
}

impl Kin for Heirs {
    fn sides(&self) -> (&Program, &Program) {
        (&self.old, &self.new)
    }

    fn device(&self, device: DeviceIx) -> Option<DeviceIx> {
        self.devices[device.index()]
    }

    fn channel(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.channels[channel.index()]
    }

    fn var(&self, var: VarIx) -> Option<VarIx> {
        self.vars[var.index()]
    }

    fn timer(&self, timer: TimerIx) -> Option<TimerIx> {
        self.timers[timer.index()]
    }

    fn rule(&self, rule: RuleIx) -> Option<RuleIx> {
        self.rules[rule.index()]
    }
}

impl History {
    /// From the mapping at this place of [`Self::mappings`] to the last one; `None`: it is the last one. Composed from the last
    /// one backwards and kept: whoever goes through all mappings compares each with the next one only once.
    pub(crate) fn heirs_since(&self, at: usize) -> Option<Arc<Heirs>> {
        let last = self.mappings().len() - 1;
        let from_last = last - at;
        let mut known = self.heirs().borrow_mut();
        while known.len() < from_last {
            let at = last - 1 - known.len();
            let step = Heirs::new(&self.mapping(at), &self.mapping(at + 1));
            let heirs = match known.last() {
                Some(rest) => step.and(rest),
                None => step,
            };
            known.push(Arc::new(heirs));
        }
        let newest = from_last.checked_sub(1)?;
        known.get(newest).map(Arc::clone)
    }
}

fn through<Ix: Copy>(heirs: &[Option<Ix>], next: impl Fn(Ix) -> Option<Ix>) -> Vec<Option<Ix>> {
    heirs.iter().map(|heir| heir.and_then(&next)).collect()
}
