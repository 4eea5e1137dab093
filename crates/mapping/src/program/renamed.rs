//! What a house says of its past: names that its things had before.

use std::sync::Arc;

use super::{ChannelIx, DeviceIx, RuleIx, TimerIx, VarIx};

/// A name that something had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Former {
    /// A device.
    Device(Arc<str>, DeviceIx),
    /// A channel: its device as it is written there, which may have another name by now; its own name.
    Channel(Arc<str>, Arc<str>, ChannelIx),
    /// A variable.
    Var(Arc<str>, VarIx),
    /// A timer.
    Timer(Arc<str>, TimerIx),
    /// A rule.
    Rule(Arc<str>, RuleIx),
}
