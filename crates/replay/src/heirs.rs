//! Inputs of one mapping as they would have come under another one, where things have other names.
//!
//! Called by whoever lets a house live under another mapping than the one that was in force. Must not replay.

use std::sync::Arc;

use dispatcher::{Block, Blocklist, DecodeError, Input, Subject};
use engine::Who;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, Kin, Known, RuleIx, SlotIx, Succession, TimerIx, VarIx},
};
use types::{InputNo, Value};

use crate::{history::History, target::Target, way::Way};

/// What the things of one program are in another one, and back.
#[derive(Clone, Debug)]
pub(crate) struct Heirs {
    old: Arc<Program>,
    new: Arc<Program>,
    there: Known,
    back: Known,
}

impl Heirs {
    /// As an edit from the one to the other shows.
    pub(crate) fn new(old: &Arc<Program>, new: &Arc<Program>) -> Self {
        Self::of(old, new, Succession::new(old, new).into_known())
    }

    fn of(old: &Arc<Program>, new: &Arc<Program>, there: Known) -> Self {
        Self {
            old: Arc::clone(old),
            new: Arc::clone(new),
            back: there.reversed(new),
            there,
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
        let last = history.mappings().len() - 1;
        if history.mapping(at).hash == program.hash {
            return (at < last).then(|| history.heirs_since(at));
        }
        // It was in force too shortly for a snapshot.
        (at < last).then(|| {
            let first = Self::new(program, &history.mapping(at + 1));
            let mut to_last = history.to_last().borrow_mut();
            Arc::new(to_last.through(&first, last - at - 1, |at| history.step(last - at)))
        })
    }

    /// The programs: the old one and the new one.
    pub(crate) fn programs(&self) -> (&Arc<Program>, &Arc<Program>) {
        (&self.old, &self.new)
    }

    /// The way back.
    pub(crate) fn before(&self) -> Before<'_> {
        Before(self)
    }

    pub(crate) fn reversed(&self) -> Self {
        Self {
            old: Arc::clone(&self.new),
            new: Arc::clone(&self.old),
            there: self.back.clone(),
            back: self.there.clone(),
        }
    }

    /// For whoever puts the new program in force.
    pub(crate) fn succession(&self) -> Succession<'_> {
        Succession::of(&self.old, &self.new, self.there.clone())
    }

    /// What `channel` of the new program was in the old one.
    pub(crate) fn channel_before(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.before().channel(channel)
    }

    /// Whether everything of the old program has an heir.
    pub(crate) fn is_complete(&self) -> bool {
        self.gone()
            .iter()
            .all(|target| matches!(target, Target::Timer(_)))
    }

    /// From the old program of these to the new one of `next`, which goes on where these end.
    pub(crate) fn and(&self, next: &Self) -> Self {
        Self::of(&self.old, &next.new, self.there.and(&next.there))
    }

    /// What of the old program has no heir, devices first.
    pub(crate) fn gone(&self) -> Vec<Target> {
        let Known {
            devices,
            channels,
            vars,
            timers,
            rules,
        } = &self.there;
        let devices = none(devices, DeviceIx).map(Target::Device);
        let channels = none(channels, ChannelIx).map(Target::Channel);
        let vars = none(vars, VarIx).map(Target::Var);
        let timers = none(timers, TimerIx).map(Target::Timer);
        let rules = none(rules, RuleIx).map(Target::Rule);
        let things = devices.chain(channels).chain(vars);
        things.chain(timers).chain(rules).collect()
    }

    /// Makes `is` the heir of `was`, unless it is another's.
    pub(crate) fn pair(&mut self, was: &Target, is: &Target) {
        let Self { there, back, .. } = self;
        match (was, is) {
            (Target::Device(was), Target::Device(is)) => {
                pair(
                    &mut there.devices,
                    &mut back.devices,
                    (*was, was.index()),
                    (*is, is.index()),
                );
            }
            (Target::Channel(was), Target::Channel(is)) => {
                pair(
                    &mut there.channels,
                    &mut back.channels,
                    (*was, was.index()),
                    (*is, is.index()),
                );
            }
            (Target::Var(was), Target::Var(is)) => {
                pair(
                    &mut there.vars,
                    &mut back.vars,
                    (*was, was.index()),
                    (*is, is.index()),
                );
            }
            (Target::Timer(was), Target::Timer(is)) => {
                pair(
                    &mut there.timers,
                    &mut back.timers,
                    (*was, was.index()),
                    (*is, is.index()),
                );
            }
            (Target::Rule(was), Target::Rule(is)) => {
                pair(
                    &mut there.rules,
                    &mut back.rules,
                    (*was, was.index()),
                    (*is, is.index()),
                );
            }
            _ => {}
        }
    }

    /// An input of the old program in the words of the new one.
    ///
    /// # Errors
    /// What it speaks of is not there, or takes no such value.
    pub(crate) fn input(&self, input: &Input) -> Result<Input, DecodeError> {
        let mut record = Vec::new();
        self.moved(input)?.encode(&self.new, &mut record);
        Input::decode(&self.new, &record)
    }

    /// The blocks of the old program on the same devices of the new one; those on what is gone are left out.
    pub(crate) fn blocks(&self, blocks: &Blocklist) -> Blocklist {
        let all = blocks.iter().filter_map(|block| self.block(&block).ok());
        Blocklist::new(all)
    }

    fn block(&self, block: &Block) -> Result<Block, DecodeError> {
        Ok(Block {
            subject: self.subject(&block.subject)?,
            sides: block.sides,
        })
    }

    /// Whoever is blocked stays it under another name or number; what no device was called is nobody there either.
    fn subject(&self, subject: &Subject) -> Result<Subject, DecodeError> {
        let (old, new) = (&self.old, &self.new);
        let blocked = match subject {
            Subject::Name(name) => old.device(name),
            Subject::Id(id) => {
                DeviceIx::all(old.devices.len()).find(|ix| old[*ix].number() == Some(*id))
            }
        };
        let Some(blocked) = blocked else {
            return Ok(subject.clone());
        };
        let heir = &new[self.heir(blocked)?];
        Ok(match (subject, heir.number()) {
            (Subject::Id(_), Some(id)) => Subject::Id(id),
            _ => Subject::Name(heir.name.to_string()),
        })
    }

    fn heir(&self, device: DeviceIx) -> Result<DeviceIx, DecodeError> {
        let heir = self.there.devices[device.index()];
        heir.ok_or_else(|| none_is("device", self.old[device].name.to_string()))
    }

    /// What has no heir is not what bears its name now.
    fn moved(&self, input: &Input) -> Result<Input, DecodeError> {
        let (old, there) = (&*self.old, &self.there);
        let to_channel = |ix: ChannelIx| {
            let heir = there.channels[ix.index()];
            heir.ok_or_else(|| none_is("channel", old.channel_path(ix)))
        };
        Ok(match input {
            Input::Event {
                event,
                fields,
                produced_ms,
                stamp,
            } => Input::Event {
                event: self
                    .event(*event)
                    .ok_or_else(|| none_is("event", old.event_path(*event)))?,
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
                channel: to_channel(*channel)?,
                fields: self.fields(fields)?,
                live: *live,
                adopt: *adopt,
            },
            Input::Online(ix) => Input::Online(self.heir(*ix)?),
            Input::Offline(ix) => Input::Offline(self.heir(*ix)?),
            Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            } => Input::Set {
                channel: to_channel(*channel)?,
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
                channel: to_channel(*channel)?,
                command: self.command(*channel, *command).ok_or_else(|| {
                    let commands = &old[*channel].commands;
                    let name = commands.get(usize::from(*command)).map(|row| &*row.name);
                    let path = old.channel_path(*channel);
                    none_is("command", format!("{path}.{}", name.unwrap_or_default()))
                })?,
                args: args.clone(),
                who: Who::clone(who),
            },
            Input::Var { var, to } => Input::Var {
                var: self
                    .var(*var)
                    .ok_or_else(|| none_is("variable", old[*var].name.to_string()))?,
                to: to.clone(),
            },
            Input::Block(block) => Input::Block(self.block(block)?),
            Input::Unblock(subject) => Input::Unblock(self.subject(subject)?),
            Input::Several(inputs) => {
                let moved = inputs.iter().map(|input| self.moved(input));
                Input::Several(moved.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    fn fields(&self, fields: &[(SlotIx, Value)]) -> Result<Vec<(SlotIx, Value)>, DecodeError> {
        let moved = fields.iter();
        let moved = moved.map(|(slot, value)| {
            let heir = self.slot(*slot);
            let heir = heir.ok_or_else(|| none_is("field", self.old.slot_path(*slot)))?;
            Ok((heir, value.clone()))
        });
        moved.collect()
    }
}

impl Kin for Heirs {
    fn sides(&self) -> (&Program, &Program) {
        (&self.old, &self.new)
    }

    fn device(&self, device: DeviceIx) -> Option<DeviceIx> {
        self.there.devices[device.index()]
    }

    fn channel(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.there.channels[channel.index()]
    }

    fn var(&self, var: VarIx) -> Option<VarIx> {
        self.there.vars[var.index()]
    }

    fn timer(&self, timer: TimerIx) -> Option<TimerIx> {
        self.there.timers[timer.index()]
    }

    fn rule(&self, rule: RuleIx) -> Option<RuleIx> {
        self.there.rules[rule.index()]
    }
}

/// What the things of the new program were in the old one.
pub(crate) struct Before<'h>(&'h Heirs);

impl Kin for Before<'_> {
    fn sides(&self) -> (&Program, &Program) {
        (&self.0.new, &self.0.old)
    }

    fn device(&self, device: DeviceIx) -> Option<DeviceIx> {
        self.0.back.devices[device.index()]
    }

    fn channel(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.0.back.channels[channel.index()]
    }

    fn var(&self, var: VarIx) -> Option<VarIx> {
        self.0.back.vars[var.index()]
    }

    fn timer(&self, timer: TimerIx) -> Option<TimerIx> {
        self.0.back.timers[timer.index()]
    }

    fn rule(&self, rule: RuleIx) -> Option<RuleIx> {
        self.0.back.rules[rule.index()]
    }
}

/// From each mapping on a way to the one at its end: composed from that end on and kept, so that whoever goes through all
/// mappings compares each with the next one only once.
#[derive(Debug, Default)]
pub(crate) struct Toward {
    /// From the mapping before the end to it, from the one before to that, and so on.
    steps: Vec<Arc<Heirs>>,
    /// From each of these to the end.
    whole: Vec<Arc<Heirs>>,
}

impl Toward {
    /// From the mapping that is so many steps away, at least one. `step`: from the one so far away to the next one.
    pub(crate) fn from(
        &mut self,
        distance: usize,
        step: impl Fn(usize) -> Arc<Heirs>,
    ) -> Arc<Heirs> {
        while self.whole.len() < distance {
            let first = step(self.whole.len() + 1);
            let whole = self.joined(&first, self.whole.len());
            self.steps.push(first);
            self.whole.push(Arc::new(whole));
        }
        Arc::clone(&self.whole[distance - 1])
    }

    /// From the old program of `first`, whose new one is so many steps away.
    pub(crate) fn through(
        &mut self,
        first: &Heirs,
        distance: usize,
        step: impl Fn(usize) -> Arc<Heirs>,
    ) -> Heirs {
        if distance > 0 {
            self.from(distance, step);
        }
        self.joined(first, distance)
    }

    fn joined(&self, first: &Heirs, distance: usize) -> Heirs {
        let Some(rest) = distance.checked_sub(1).map(|at| &self.whole[at]) else {
            return first.clone();
        };
        let mut heirs = first.and(rest);
        // What the rest does not have either it may have again.
        for gone in first.gone() {
            let mut way = Way::new(&first.old, gone.clone());
            way.go(first);
            for step in self.steps[..distance].iter().rev() {
                way.go(step);
            }
            if let Some(is) = way.there() {
                heirs.pair(&gone, is);
            }
        }
        heirs
    }
}

impl History {
    /// From the mapping at this place of [`Self::mappings`] to the next one.
    pub(crate) fn step(&self, at: usize) -> Arc<Heirs> {
        let known = self.steps().borrow_mut().get(&at);
        known.unwrap_or_else(|| {
            let step = Arc::new(Heirs::new(&self.mapping(at), &self.mapping(at + 1)));
            self.steps().borrow_mut().add(at, Arc::clone(&step));
            step
        })
    }

    /// From the mapping at this place of [`Self::mappings`] to the last one, which it is not.
    pub(crate) fn heirs_since(&self, at: usize) -> Arc<Heirs> {
        let last = self.mappings().len() - 1;
        let mut to_last = self.to_last().borrow_mut();
        to_last.from(last - at, |distance| self.step(last - distance))
    }
}

fn none<Ix>(heirs: &[Option<Ix>], at: impl Fn(u32) -> Ix) -> impl Iterator<Item = Ix> {
    let gone = (0..).zip(heirs).filter(|(_, heir)| heir.is_none());
    gone.map(move |(place, _)| at(place))
}

fn pair<Ix: Copy>(
    there: &mut [Option<Ix>],
    back: &mut [Option<Ix>],
    (was, was_at): (Ix, usize),
    (is, is_at): (Ix, usize),
) {
    if there[was_at].is_none() && back[is_at].is_none() {
        there[was_at] = Some(is);
        back[is_at] = Some(was);
    }
}

fn none_is(what: &'static str, name: String) -> DecodeError {
    DecodeError::Unknown { what, name }
}
