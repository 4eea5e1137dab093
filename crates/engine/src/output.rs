//! What the engine wants done. The dispatcher decides whether and how it is sent.

use std::{sync::Arc, time::Duration};

use mapping::program::{ChannelIx, SlotIx};
use types::Value;

use crate::decision::Decision;

/// One wish of the engine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A channel's target was written in this cascade; one for each channel, fields coalesced.
    Target {
        /// Which.
        channel: ChannelIx,
        /// The whole absolute target: all known settable fields, in slot order.
        target: Vec<(SlotIx, Value)>,
        /// Whether it differs from the target before the cascade. Where not, it is sent again
        /// only if the last report differs or the target is unacknowledged.
        changed: bool,
        /// Travel time of the change.
        fade: Option<Duration>,
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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    /// Wishes in order.
    pub outputs: Vec<Output>,
    /// One for each cause: each deadline that was due, then the input.
    pub decisions: Vec<Decision>,
}

impl Effects {
    /// Empties it, keeping its memory.
    pub fn clear(&mut self) {
        self.outputs.clear();
        self.decisions.clear();
    }
}
