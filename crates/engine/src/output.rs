//! What the engine wants done. The dispatcher decides whether and how it is sent.

use std::{sync::Arc, time::Duration};

use mapping::program::{ChannelIx, EventIx, RuleIx, SlotIx};
use types::Value;

use crate::{
    decision::{Decision, Outcome},
    resume::Note,
};

/// One wish of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A channel's target was written in this cascade; one for each channel, fields coalesced.
    Target {
        /// Which.
        channel: ChannelIx,
        /// The whole absolute target: all known settable fields, in slot order.
        target: Vec<(SlotIx, Value)>,
        /// Whether it, or its bound, differs from before the cascade. Where not, it is sent again
        /// only if the last report differs or the target is unacknowledged.
        changed: bool,
        /// Travel time of the change.
        fade: Option<Duration>,
        /// It is on for so long and no longer.
        bound: Option<Duration>,
        /// Index into [`Effects::decisions`] of the decision that caused it.
        decision: usize,
        /// Index into [`Decision::sent`] of its line there.
        line: usize,
    },
    /// A momentary command: sent now or never.
    Momentary {
        /// Which channel.
        channel: ChannelIx,
        /// Place in [`mapping::program::Channel::commands`].
        command: u8,
        /// Its arguments.
        args: Vec<Value>,
        /// Index into [`Effects::decisions`].
        decision: usize,
        /// Index into [`Decision::sent`].
        line: usize,
    },
    /// A virtual device reported an event, because a rule emitted it. Its rules run in this cascade.
    Event {
        /// Which.
        event: EventIx,
        /// Its fields, complete, in declared order.
        fields: Vec<Value>,
        /// Index into [`Effects::decisions`].
        decision: usize,
        /// Index into [`Decision::sent`].
        line: usize,
    },
    /// People should be told.
    Notify {
        /// Name of the carrier, or `all`.
        to: Arc<str>,
        /// What.
        text: String,
        /// Index into [`Effects::decisions`].
        decision: usize,
        /// Index into [`Decision::sent`].
        line: usize,
    },
}

/// Everything that came of one call; the caller clears and reuses it.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Wishes in order.
    pub outputs: Vec<Output>,
    /// One for each cause: each deadline that was due, then the input. A deadline at which nothing came
    /// of looking again leaves none.
    pub decisions: Vec<Decision>,
    /// Rules that were cut: they set each other off without end.
    pub cuts: Vec<Cut>,
    /// Times that the clock was set over, or that came before it was synced, and that stay missed.
    pub notes: Vec<Note>,
    spare: Vec<Decision>,
}

/// A rule that would have fired but for the limits on rules that set each other off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Which.
    pub rule: RuleIx,
    /// [`Outcome::Depth`] or [`Outcome::Fuse`].
    pub why: Outcome,
}

/// How many empty decisions are kept for their memory.
const SPARE_MAX: usize = 16;

impl Effects {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.outputs.clear();
        self.cuts.clear();
        self.notes.clear();
        for mut decision in self.decisions.drain(..) {
            if self.spare.len() < SPARE_MAX {
                decision.clear();
                self.spare.push(decision);
            }
        }
    }

    /// An empty decision, with the memory of an earlier one where there is one.
    pub(crate) fn blank(&mut self) -> Decision {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a decision back that nothing came of.
    pub(crate) fn take_back(&mut self, mut decision: Decision) {
        if self.spare.len() < SPARE_MAX {
            decision.clear();
            self.spare.push(decision);
        }
    }
}

/// Kept memory makes no difference.
impl PartialEq for Effects {
    fn eq(&self, other: &Self) -> bool {
        self.outputs == other.outputs
            && self.decisions == other.decisions
            && self.cuts == other.cuts
            && self.notes == other.notes
    }
}
