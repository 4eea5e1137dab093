//! Who is who, for whoever knows it already: kept without the programs, put together from one takeover after the other.

use super::{Place, Succession, before};
use crate::program::{ChannelIx, DeviceIx, Program, RuleIx, TimerIx, VarIx};

/// What the things of one program are in another one, each by its place. A rule may say something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is what its type says")]
pub struct Known {
    pub devices: Vec<Option<DeviceIx>>,
    pub channels: Vec<Option<ChannelIx>>,
    pub vars: Vec<Option<VarIx>>,
    pub timers: Vec<Option<TimerIx>>,
    pub rules: Vec<Option<RuleIx>>,
}

impl Known {
    /// Of the program that `next` begins with: on to the one that it ends with.
    #[must_use]
    pub fn and(&self, next: &Self) -> Self {
        Self {
            devices: through(&self.devices, &next.devices),
            channels: through(&self.channels, &next.channels),
            vars: through(&self.vars, &next.vars),
            timers: through(&self.timers, &next.timers),
            rules: through(&self.rules, &next.rules),
        }
    }

    /// The way back from `new`, where this leads to.
    #[must_use]
    pub fn reversed(&self, new: &Program) -> Self {
        Self {
            devices: before(&self.devices, new.devices.len()),
            channels: before(&self.channels, new.channels.len()),
            vars: before(&self.vars, new.vars.len()),
            timers: before(&self.timers, new.timers.len()),
            rules: before(&self.rules, new.rules.len()),
        }
    }
}

impl<'p> Succession<'p> {
    /// `new` takes over from `old`, and it is known who is who.
    #[must_use]
    pub fn of(old: &'p Program, new: &'p Program, known: Known) -> Self {
        Self {
            devices_before: before(&known.devices, new.devices.len()),
            channels_before: before(&known.channels, new.channels.len()),
            devices: known.devices,
            channels: known.channels,
            vars: known.vars,
            timers: known.timers,
            rules: known.rules,
            ..Self::of_nothing(old, new)
        }
    }

    /// Who is who, without the programs.
    #[must_use]
    pub fn into_known(self) -> Known {
        Known {
            devices: self.devices,
            channels: self.channels,
            vars: self.vars,
            timers: self.timers,
            rules: self.rules,
        }
    }
}

fn through<Ix: Place>(heirs: &[Option<Ix>], next: &[Option<Ix>]) -> Vec<Option<Ix>> {
    let heirs = heirs.iter();
    heirs
        .map(|heir| next.get(heir.as_ref()?.place()).copied().flatten())
        .collect()
}
