//! What the parts of things are in another program: that follows from whose parts they are, and from their names there.

use std::sync::Arc;

use super::{Succession, sets};
use crate::program::{ChannelIx, DeviceIx, EventIx, Program, RuleIx, SlotIx, TimerIx, VarIx};

/// Two programs, and which things of the one are which of the other, by whatever tells that. `None`: it is not there.
pub trait Kin {
    /// Whose things are asked about, and where they are looked for.
    fn sides(&self) -> (&Program, &Program);

    /// What `device` is there.
    fn device(&self, device: DeviceIx) -> Option<DeviceIx>;

    /// What `channel` is there.
    fn channel(&self, channel: ChannelIx) -> Option<ChannelIx>;

    /// What `var` is there.
    fn var(&self, var: VarIx) -> Option<VarIx>;

    /// What `timer` is there.
    fn timer(&self, timer: TimerIx) -> Option<TimerIx>;

    /// What `rule` is there. It may say something else.
    fn rule(&self, rule: RuleIx) -> Option<RuleIx>;

    /// The group of that name; else the one that is new there and holds the same channels, where no other one does.
    fn group(&self, name: &str) -> Option<Arc<str>> {
        sets::group(self, name)
    }

    /// The same field of the same channel.
    fn slot(&self, slot: SlotIx) -> Option<SlotIx> {
        let (of, there) = self.sides();
        let row = &of[slot];
        there.slot(self.channel(row.channel)?, &row.name)
    }

    /// The same event of the same channel, or of the same device.
    fn event(&self, event: EventIx) -> Option<EventIx> {
        let (of, there) = self.sides();
        let row = &of[event];
        if let Some(channel) = row.channel {
            return there.event(self.channel(channel)?, &row.name);
        }
        let device = &there[self.device(row.device)?];
        Some(match of[row.device].online == event {
            true => device.online,
            false => device.offline,
        })
    }

    /// The place of the same field of the same event.
    fn field(&self, event: EventIx, place: u8) -> Option<u8> {
        let (of, there) = self.sides();
        let name = &of[event].fields.get(usize::from(place))?.name;
        let mut fields = there[self.event(event)?].fields.iter();
        let place = fields.position(|field| field.name == *name)?;
        u8::try_from(place).ok()
    }

    /// The place of the same command of the same channel.
    fn command(&self, channel: ChannelIx, place: u8) -> Option<u8> {
        let (of, there) = self.sides();
        let name = &of[channel].commands.get(usize::from(place))?.name;
        let mut commands = there[self.channel(channel)?].commands.iter();
        let place = commands.position(|command| command.name == *name)?;
        u8::try_from(place).ok()
    }
}

impl Kin for Succession<'_> {
    fn sides(&self) -> (&Program, &Program) {
        (self.old, self.new)
    }

    fn device(&self, device: DeviceIx) -> Option<DeviceIx> {
        Succession::device(self, device)
    }

    fn channel(&self, channel: ChannelIx) -> Option<ChannelIx> {
        Succession::channel(self, channel)
    }

    fn var(&self, var: VarIx) -> Option<VarIx> {
        Succession::var(self, var)
    }

    fn timer(&self, timer: TimerIx) -> Option<TimerIx> {
        Succession::timer(self, timer)
    }

    fn rule(&self, rule: RuleIx) -> Option<RuleIx> {
        Succession::rule(self, rule)
    }
}
