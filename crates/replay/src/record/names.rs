//! What things are called today: a recorded test is for the house as it is now.

use std::sync::Arc;

use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, EventIx, Kin, RuleIx, TimerIx, VarIx},
};
use types::InputNo;

use crate::{heirs::Heirs, history::History};

/// Names of the things of a mapping of the past; what is gone keeps the one that it had.
pub(super) struct Names {
    program: Arc<Program>,
    today: Arc<Program>,
    /// `None`: it is in force still.
    heirs: Option<Arc<Heirs>>,
}

impl Names {
    /// Of `program`, in force after input `no`.
    pub(super) fn of(history: &History, no: InputNo, program: &Arc<Program>) -> Self {
        Self {
            program: Arc::clone(program),
            today: Arc::clone(history.program()),
            heirs: Heirs::today(history, no, program),
        }
    }

    /// What something is called today.
    fn name<Ix: Copy>(
        &self,
        ix: Ix,
        heir: impl Fn(&Heirs, Ix) -> Option<Ix>,
        name: impl Fn(&Program, Ix) -> String,
    ) -> String {
        let heir = self.heirs.as_deref().and_then(|heirs| heir(heirs, ix));
        match heir {
            Some(heir) => name(&self.today, heir),
            None => name(&self.program, ix),
        }
    }

    /// `hall.lamp`.
    pub(super) fn channel(&self, channel: ChannelIx) -> String {
        self.name(channel, Heirs::channel, Program::channel_path)
    }

    /// `hall.motion.start`.
    pub(super) fn event(&self, event: EventIx) -> String {
        self.name(event, Heirs::event, Program::event_path)
    }

    pub(super) fn device(&self, device: DeviceIx) -> String {
        self.name(device, Heirs::device, |program, ix| {
            program[ix].name.to_string()
        })
    }

    pub(super) fn rule(&self, rule: RuleIx) -> String {
        self.name(rule, Heirs::rule, |program, ix| {
            program[ix].name.to_string()
        })
    }

    pub(super) fn timer(&self, timer: TimerIx) -> String {
        self.name(timer, Heirs::timer, |program, ix| {
            program[ix].name.to_string()
        })
    }

    pub(super) fn var(&self, var: VarIx) -> String {
        self.name(var, Heirs::var, |program, ix| program[ix].name.to_string())
    }
}
