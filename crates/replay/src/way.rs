//! One thing through mapping after mapping: also where one does not have it, and one behind that has it again.
//!
//! This is the only place that says when what was taken out and what came later are one thing. It is the same device by its
//! `id`; what has none, or is a part of one, by its name and what it is. Whoever bore that name meanwhile, or bears it and was
//! something else before, is the other one. Must not replay.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, Kin},
};
use types::DeviceId;

use crate::{heirs::Heirs, lineage::over, target::Target};

/// Where a thing is on its way, there or back in time.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    /// The last mapping on the way that had it, and what it was there.
    program: Arc<Program>,
    target: Target,
    is_there: bool,
    /// Its name is somebody else's: it does not come again.
    is_lost: bool,
    /// While a part of a device is not there: that device.
    owner: Option<Box<Self>>,
}

impl Way {
    /// Begins with `target` of `program`.
    pub(crate) fn new(program: &Arc<Program>, target: Target) -> Self {
        Self {
            program: Arc::clone(program),
            target,
            is_there: true,
            is_lost: false,
            owner: None,
        }
    }

    /// What it is in the mapping that was reached; `None`: that does not have it.
    pub(crate) fn there(&self) -> Option<&Target> {
        self.is_there.then_some(&self.target)
    }

    /// As somebody would ask for it in the last mapping that had it.
    pub(crate) fn words(&self) -> String {
        self.target.words(&self.program)
    }

    /// On to the mapping that came next.
    pub(crate) fn go(&mut self, step: &Heirs) {
        self.travel(step, &step.before(), step.programs().1);
    }

    /// Back to the mapping before.
    pub(crate) fn go_back(&mut self, step: &Heirs) {
        self.travel(&step.before(), step, step.programs().0);
    }

    /// `there` and `back` lead to `to` and from it.
    fn travel(&mut self, there: &impl Kin, back: &impl Kin, to: &Arc<Program>) {
        if let Some(owner) = &mut self.owner {
            owner.travel(there, back, to);
        }
        if self.is_there {
            match over(there, &self.target) {
                Some(target) => self.is_at(to, target),
                None => {
                    self.is_there = false;
                    self.owner = owner(&self.program, &self.target).map(|device| {
                        let mut owner = Self::new(&self.program, Target::Device(device));
                        owner.travel(there, back, to);
                        Box::new(owner)
                    });
                }
            }
            return;
        }
        if self.is_lost {
            return;
        }
        let owner = match self.owner.as_ref().and_then(|owner| owner.there()) {
            Some(Target::Device(device)) => Some(*device),
            _ => None,
        };
        match again(&self.program, &self.target, owner, to) {
            Some(target) if over(back, &target).is_none() => self.is_at(to, target),
            Some(_) => self.is_lost = true,
            None => {}
        }
    }

    fn is_at(&mut self, program: &Arc<Program>, target: Target) {
        self.program = Arc::clone(program);
        self.target = target;
        self.is_there = true;
        self.owner = None;
    }
}

/// The device that `target` is a part of.
pub(crate) fn owner(program: &Program, target: &Target) -> Option<DeviceIx> {
    match target {
        Target::Channel(channel) | Target::Gesture(channel, _) => Some(program[*channel].device),
        Target::Slot(slot) => Some(program[program[*slot].channel].device),
        Target::Event(event) => Some(program[*event].device),
        _ => None,
    }
}

/// What may be `target` of `was` in `is`, which came into force when nothing was it any more. `owner`: what the device is there
/// that it was a part of.
pub(crate) fn again(
    was: &Program,
    target: &Target,
    owner: Option<DeviceIx>,
    is: &Program,
) -> Option<Target> {
    let channel = |channel: ChannelIx| {
        let row = &was[channel];
        let channel = is.channel(owner?, &row.name)?;
        (is[channel].kind == row.kind).then_some(channel)
    };
    Some(match target {
        Target::Device(device) => {
            let row = &was[*device];
            let device = match row.id {
                DeviceId(0) => is.device(&row.name)?,
                id => DeviceIx::all(is.devices.len()).find(|ix| is[*ix].id == id)?,
            };
            (is[device].id == row.id).then_some(Target::Device(device))?
        }
        Target::Channel(was) => Target::Channel(channel(*was)?),
        Target::Gesture(was, kind) => Target::Gesture(channel(*was)?, *kind),
        Target::Slot(slot) => {
            let row = &was[*slot];
            Target::Slot(is.slot(channel(row.channel)?, &row.name)?)
        }
        Target::Event(event) => {
            let row = &was[*event];
            Target::Event(match row.channel {
                Some(of) => is.event(channel(of)?, &row.name)?,
                None if was[row.device].online == *event => is[owner?].online,
                None => is[owner?].offline,
            })
        }
        Target::Rule(rule) => Target::Rule(*is.names.rules.get(&was[*rule].name)?),
        Target::Timer(timer) => Target::Timer(*is.names.timers.get(&was[*timer].name)?),
        Target::Var(var) => {
            let row = &was[*var];
            let var = *is.names.vars.get(&row.name)?;
            (is[var].ty == row.ty).then_some(Target::Var(var))?
        }
        Target::Notify(_) => target.clone(),
        Target::Group(name) => {
            let is_there = is.names.groups.contains_key(name);
            is_there.then(|| target.clone())?
        }
    })
}
