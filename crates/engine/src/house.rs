//! What is known of the house: reported and desired values, variables, who is there.
//!
//! Read by expressions through [`Look`], written by the engine. Must not decide anything.

use std::sync::Arc;

use mapping::program::{self, DeviceIx, Program, RuleIx, SlotIx, Sun, VarIx};
use types::{Instant, Now, Value};

use crate::{clock::Clock, eval::View, input::Who};

/// The house's values, by the program's indices.
#[derive(Debug, Default)]
pub(crate) struct House {
    pub(crate) slots: Vec<SlotState>,
    pub(crate) vars: Vec<Value>,
    pub(crate) online: Vec<bool>,
}

/// One field of a channel.
#[derive(Clone, Debug, Default)]
pub(crate) struct SlotState {
    /// What was reported last, fresh or not.
    pub(crate) reported: Option<Value>,
    /// When.
    pub(crate) reported_at: Instant,
    /// From when on that is stale.
    pub(crate) stale_at: Option<Instant>,
    /// What is desired.
    pub(crate) target: Option<Value>,
    /// Who wished it.
    pub(crate) origin: Option<Origin>,
}

/// Who wished something. A rule stands here by its place: its name would be counted at each write, twice, in memory that
/// nothing else of an event touches.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    /// A rule of the program.
    Rule(RuleIx),
    /// Anybody else; also a rule that is gone.
    Other(Who),
}

impl Origin {
    /// By name.
    pub(crate) fn who(&self, program: &Program) -> Who {
        match self {
            Self::Rule(rule) => Who::Rule(Arc::clone(&program[*rule].name)),
            Self::Other(who) => who.clone(),
        }
    }
}

impl House {
    /// A house of which nothing is known yet.
    pub(crate) fn new(program: &Program) -> Self {
        Self {
            slots: vec![SlotState::default(); program.slots.len()],
            vars: program.vars.iter().map(|var| var.start.clone()).collect(),
            online: vec![false; program.devices.len()],
        }
    }

    /// Reported state; `None`: never, or stale at `now`.
    pub(crate) fn reported(&self, slot: SlotIx, now: Instant) -> Option<&Value> {
        let state = &self.slots[slot.index()];
        state
            .reported
            .as_ref()
            .filter(|_| state.stale_at.is_none_or(|stale_at| now < stale_at))
    }

    /// Desired state.
    pub(crate) fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.slots[slot.index()].target.as_ref()
    }
}

impl SlotState {
    /// Takes a report, which is good until `stale_at`.
    pub(crate) fn report(&mut self, value: Value, at: Instant, stale_at: Option<Instant>) {
        self.reported = Some(value);
        self.reported_at = at;
        self.stale_at = stale_at;
    }
}

/// The house at one moment, as one rule sees it.
pub(crate) struct Look<'a> {
    pub(crate) house: &'a House,
    pub(crate) clock: &'a Clock,
    pub(crate) now: Now,
    /// The event's fields.
    pub(crate) fields: &'a [Value],
    /// Where the rule's event fields stand in them.
    pub(crate) map: &'a [u8],
}

impl View for Look<'_> {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        self.house.reported(slot, self.now.at)
    }

    fn age(&self, slot: SlotIx) -> Option<f64> {
        let state = &self.house.slots[slot.index()];
        let age = self.now.at.since(state.reported_at);
        state.reported.as_ref().map(|_| age.as_secs_f64())
    }

    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.house.target(slot)
    }

    fn var(&self, var: VarIx) -> &Value {
        &self.house.vars[var.index()]
    }

    fn online(&self, device: DeviceIx) -> bool {
        self.house.online[device.index()]
    }

    fn event(&self, field: u8) -> Option<&Value> {
        let place = *self.map.get(usize::from(field))?;
        self.fields.get(usize::from(place))
    }

    fn sun(&self, sun: Sun) -> Option<Value> {
        self.clock.sun(self.now, sun)
    }

    fn now(&self, term: program::Now) -> Option<Value> {
        self.clock.now(self.now, term)
    }
}
