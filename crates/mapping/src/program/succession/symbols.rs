//! Which number stands for each thing when rules of two programs are compared.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use types::DeviceId;

use super::{Kin, Succession, Thing};
use crate::program::{
    ChannelIx, DeviceIx, EventIx, Program, SlotIx, TimerIx, VarIx,
    form::{Form, Indices, Symbols},
};

/// The old program's things by the places of their successors.
pub(super) struct Successors<'a> {
    pub(super) succession: &'a Succession<'a>,
    /// What was asked for.
    pub(super) seen: Option<&'a RefCell<BTreeSet<Thing>>>,
}

impl Successors<'_> {
    fn see(&self, symbol: Thing) {
        if let Some(seen) = self.seen {
            seen.borrow_mut().insert(symbol);
        }
    }
}

impl Symbols for Successors<'_> {
    fn device(&self, device: DeviceIx) -> u64 {
        self.see(Thing::Device(device));
        let is = self.succession.device(device);
        number(is.map(|is| is.0), device.0)
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        self.see(Thing::Device(self.succession.old[channel].device));
        self.see(Thing::Channel(channel));
        let is = self.succession.channel(channel);
        number(is.map(|is| is.0), channel.0)
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        self.channel(self.succession.old[slot].channel);
        number(self.succession.slot(slot).map(|is| is.0), slot.0)
    }

    fn event(&self, event: EventIx) -> u64 {
        let row = &self.succession.old[event];
        match row.channel {
            Some(channel) => self.channel(channel),
            None => self.device(row.device),
        };
        number(self.succession.event(event).map(|is| is.0), event.0)
    }

    fn var(&self, var: VarIx) -> u64 {
        self.see(Thing::Var(var));
        number(self.succession.var(var).map(|is| is.0), var.0)
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        self.see(Thing::Timer(timer));
        number(self.succession.timer(timer).map(|is| is.0), timer.0)
    }

    fn field(&self, event: EventIx, place: u8) -> u64 {
        let is = self.succession.field(event, place);
        number(is.map(u32::from), place.into())
    }

    fn command(&self, channel: ChannelIx, place: u8) -> u64 {
        let is = self.succession.command(channel, place);
        number(is.map(u32::from), place.into())
    }
}

/// The place of the successor; where there is none, a number that no place has.
fn number(is: Option<u32>, was: u32) -> u64 {
    is.map_or(1 << 32 | u64::from(was), u64::from)
}

/// What stands for a thing that is gone, or new.
const BLANK: u64 = 1 << 33;

/// What is added for a channel of that sort to the number of its device.
const BLANK_CHANNEL: u64 = 1 << 34;

/// Known things as `of` has them, and blanks for those that are gone or new: forms that are equal so show, in the order in
/// which these were seen, what may be one thing under two names. Tells less apart than [`Successors`] does.
pub(super) struct Blanks<'a, S> {
    /// Whose things they are.
    pub(super) program: &'a Program,
    pub(super) of: S,
    pub(super) unknown: &'a BTreeSet<Thing>,
    pub(super) seen: RefCell<Vec<Thing>>,
}

impl<S> Blanks<'_, S> {
    fn blank(&self, thing: Thing) -> Option<u64> {
        let is_unknown = self.unknown.contains(&thing);
        is_unknown.then(|| {
            self.seen.borrow_mut().push(thing);
            BLANK
        })
    }

    fn is_known(&self, channel: ChannelIx) -> bool {
        !self.unknown.contains(&Thing::Channel(channel))
    }
}

impl<S: Symbols> Symbols for Blanks<'_, S> {
    fn device(&self, device: DeviceIx) -> u64 {
        let blank = self.blank(Thing::Device(device));
        blank.unwrap_or_else(|| self.of.device(device))
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        if self.is_known(channel) {
            return self.of.channel(channel);
        }
        let device = self.device(self.program[channel].device);
        self.blank(Thing::Channel(channel));
        BLANK_CHANNEL | device
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        match self.program[slot].channel {
            channel if self.is_known(channel) => self.of.slot(slot),
            channel => self.channel(channel),
        }
    }

    fn event(&self, event: EventIx) -> u64 {
        let row = &self.program[event];
        match row.channel {
            Some(channel) if self.is_known(channel) => self.of.event(event),
            Some(channel) => self.channel(channel),
            None => {
                let blank = self.blank(Thing::Device(row.device));
                blank.unwrap_or_else(|| self.of.event(event))
            }
        }
    }

    fn var(&self, var: VarIx) -> u64 {
        let blank = self.blank(Thing::Var(var));
        blank.unwrap_or_else(|| self.of.var(var))
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        let blank = self.blank(Thing::Timer(timer));
        blank.unwrap_or_else(|| self.of.timer(timer))
    }

    fn field(&self, event: EventIx, place: u8) -> u64 {
        match self.program[event].channel {
            Some(channel) if self.is_known(channel) => self.of.field(event, place),
            _ => 0,
        }
    }

    fn command(&self, channel: ChannelIx, place: u8) -> u64 {
        if self.is_known(channel) {
            self.of.command(channel, place)
        } else {
            0
        }
    }
}

/// Numbers of names, for as long as forms are compared.
pub(super) type Numbers = BTreeMap<Arc<str>, u64>;

/// How far the number of a field, an event or a command stands from that of its channel.
const NAME_SHIFT: u32 = 36;

/// Blanks for all that may have exchanged its name: forms that are equal so show, in the order in which these were seen, what
/// stands where. What a channel is told or says counts by its name. Devices with a number are themselves, as `of` has them.
pub(super) struct Shapes<'a, S> {
    /// Whose things they are.
    pub(super) program: &'a Program,
    pub(super) of: S,
    pub(super) numbers: &'a RefCell<Numbers>,
    pub(super) seen: RefCell<Vec<Thing>>,
}

impl<S> Shapes<'_, S> {
    fn blank(&self, thing: Thing) -> u64 {
        self.seen.borrow_mut().push(thing);
        BLANK
    }

    fn number(&self, name: &Arc<str>) -> u64 {
        let mut numbers = self.numbers.borrow_mut();
        let next = numbers.len() as u64 + 1;
        *numbers.entry(Arc::clone(name)).or_insert(next)
    }
}

impl<S: Symbols> Symbols for Shapes<'_, S> {
    fn device(&self, device: DeviceIx) -> u64 {
        if self.program[device].id == DeviceId(0) {
            self.blank(Thing::Device(device))
        } else {
            self.of.device(device)
        }
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        let device = self.device(self.program[channel].device);
        self.blank(Thing::Channel(channel));
        BLANK_CHANNEL | device
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        let row = &self.program[slot];
        self.channel(row.channel) | self.number(&row.name) << NAME_SHIFT
    }

    fn event(&self, event: EventIx) -> u64 {
        let row = &self.program[event];
        let of = match row.channel {
            Some(channel) => self.channel(channel),
            None => self.device(row.device),
        };
        of | self.number(&row.name) << NAME_SHIFT
    }

    fn var(&self, var: VarIx) -> u64 {
        self.blank(Thing::Var(var))
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        self.blank(Thing::Timer(timer))
    }

    fn field(&self, event: EventIx, place: u8) -> u64 {
        let fields = &self.program[event].fields;
        let field = fields.get(usize::from(place));
        field.map_or(0, |field| self.number(&field.name))
    }

    fn command(&self, channel: ChannelIx, place: u8) -> u64 {
        let commands = &self.program[channel].commands;
        let command = commands.get(usize::from(place));
        command.map_or(0, |command| self.number(&command.name))
    }
}

/// What is said in the words of the program that takes over, as it stands there.
pub(super) fn new_form(write: impl FnOnce(&mut Form<'_, Indices>)) -> Vec<u64> {
    let mut form = Form::new(&Indices);
    write(&mut form);
    form.finish()
}
