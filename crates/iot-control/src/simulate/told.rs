//! What a simulated module is told: to report something, or what it is in another mapping.

use std::{collections::BTreeMap, sync::Arc};

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, Succession},
};

use super::{Says, foreign::States, module::Link, payload};

/// What a module hears of this process.
pub(super) enum Told {
    /// It is to report something.
    Says(Says),
    /// Another mapping is in force.
    Next(Box<Next>),
}

/// What a module is in another mapping.
pub(super) struct Next {
    pub(super) program: Arc<Program>,
    pub(super) device: DeviceIx,
    /// What its channels are there, those of another kind left out.
    pub(super) channels: BTreeMap<ChannelIx, ChannelIx>,
    pub(super) how: Follows,
}

/// How a module goes over to another mapping.
pub(super) enum Follows {
    /// Nothing of it changed.
    AsItIs,
    /// It has another role, takes its targets where that has them, and says how it is.
    NewRole,
    /// It is reached otherwise: it leaves, and connects by this.
    Anew(Link),
}

impl Next {
    /// What `was` is as `is` in `program`.
    pub(super) fn new(
        succession: &Succession<'_>,
        program: &Arc<Program>,
        (was, is): (DeviceIx, DeviceIx),
        how: Follows,
    ) -> Self {
        let (old, _) = succession.programs();
        let pairs = old[was].channels.iter().filter_map(|channel| {
            let is = succession.channel(*channel)?;
            succession
                .is_same_kind(*channel, is)
                .then_some((*channel, is))
        });
        Self {
            program: Arc::clone(program),
            device: is,
            channels: pairs.collect(),
            how,
        }
    }

    /// An event of the mapping that was; `None`: its channel went, or has none of this name any more with such fields.
    pub(super) fn event(&self, was: &Program, event: EventIx) -> Option<EventIx> {
        let row = &was[event];
        let is = *self.channels.get(&row.channel?)?;
        let found = self.program.event(is, &row.name)?;
        let has = { self.program[found].fields.iter() }.map(|field| (&field.name, &field.ty));
        let had = row.fields.iter().map(|field| (&field.name, &field.ty));
        has.eq(had).then_some(found)
    }

    /// What is known of its channels, `before` as in the mapping that was. What doesn't fit any more begins anew.
    pub(super) fn states(&self, was: &Program, before: States) -> States {
        let mut states = payload::first_states(&self.program, self.device);
        for (channel, state) in before {
            let Some(is) = self.channels.get(&channel) else {
                continue;
            };
            for (slot, value) in state {
                let slot = self.program.slot(*is, &was[slot].name);
                let slot = slot.filter(|slot| self.program[*slot].ty.check(&value).is_ok());
                if let Some(slot) = slot {
                    payload::write(states.entry(*is).or_default(), slot, value);
                }
            }
        }
        states
    }
}
