//! What the things of one program are in the program that takes over from it, also where an edit gave them other names.
//!
//! Used at a reload, so that what runs goes on under its new name. A thing is what bears its name still; a device,
//! what bears its number. What is gone and what is new are one thing under two names where they are declared alike,
//! a rule that keeps its name spoke of the one and now speaks of the other in the same place, and no such rule says
//! otherwise: so a rename is found whoever made it, with a tool or by hand, and in a replay without being told. A timer or variable
//! whose rules were edited besides is found by which rules use it, and how. What bears a name still is another thing all the
//! same where names were exchanged: every such rule says so, and the declarations.
//! What the new mapping says of it itself, in `[renamed]`, comes before all that is found.
//! Must not guess: in doubt one thing is gone and another is new, for nothing may go on that nobody began.

mod exchange;
mod known;
mod mentions;
mod parts;
mod rename;
mod rules;
mod sets;
mod stated;
mod symbols;
mod timers;
mod told;

use std::{cell::RefCell, collections::BTreeMap};

use types::DeviceId;

use super::{
    ChannelIx, Condition, DeviceIx, Program, Rule, RuleIx, TimerIx, Trigger, VarIx, form::Form,
};
pub use known::Known;
pub use parts::Kin;
use symbols::{Successors, new_form};
pub use told::{Renamed, Renumbered};

/// Who is who in the program that takes over.
#[derive(Debug)]
pub struct Succession<'p> {
    old: &'p Program,
    new: &'p Program,
    /// By old place.
    devices: Vec<Option<DeviceIx>>,
    channels: Vec<Option<ChannelIx>>,
    vars: Vec<Option<VarIx>>,
    timers: Vec<Option<TimerIx>>,
    rules: Vec<Option<RuleIx>>,
    /// By old place: which rule has its name, or had it before.
    kept: Vec<Option<RuleIx>>,
    /// What the new program says of others than rules.
    stated: Pairs,
    /// By new place.
    devices_before: Vec<Option<DeviceIx>>,
    channels_before: Vec<Option<ChannelIx>>,
}

/// Something of a program that may have another name in the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Device(DeviceIx),
    Channel(ChannelIx),
    Var(VarIx),
    Timer(TimerIx),
}

/// Things of the old program, each with one of the new one.
type Pairs = BTreeMap<Thing, Thing>;

impl<'p> Succession<'p> {
    /// Compares two programs: `new` takes over from `old`.
    #[must_use]
    pub fn new(old: &'p Program, new: &'p Program) -> Self {
        let mut succession = Self::by_names(old, new);
        succession.pair_otherwise_named();
        succession.pair_timers_of_renamed_rules();
        succession.pair_mentioned_alike();
        succession.rules = succession.pair_rules();
        succession.devices_before = before(&succession.devices, new.devices.len());
        succession.channels_before = before(&succession.channels, new.channels.len());
        succession
    }

    /// Each thing is what bears its name, a device what bears its number.
    fn by_names(old: &'p Program, new: &'p Program) -> Self {
        let mut succession = Self {
            devices: devices(old, new),
            channels: vec![None; old.channels.len()],
            vars: by_name(&old.vars, |var| new.names.vars.get(&var.name)),
            timers: by_name(&old.timers, |timer| new.names.timers.get(&timer.name)),
            ..Self::of_nothing(old, new)
        };
        succession.pair_stated_devices();
        succession.pair_stated();
        succession.pair_channels_by_name();
        succession.kept = succession.kept_names();
        succession
    }

    /// Finds what has another name now: what exchanged names first, since that leaves nothing gone. An exchange that does not fit
    /// to what else has another name is dropped.
    fn pair_otherwise_named(&mut self) {
        let mut looks = rename::LOOKS_MAX;
        let mut exchanges = self.pair_exchanged();
        loop {
            self.pair_renamed(&mut looks);
            if exchanges.is_empty() {
                return;
            }
            let contradicted = self.contradicted();
            let all = exchanges.len();
            exchanges.retain(|moved| !moved.keys().any(|was| contradicted.contains(was)));
            if exchanges.len() == all {
                return;
            }
            // Each round reads all rules as a look does.
            looks = looks.saturating_sub(1);
            if looks == 0 {
                exchanges.clear();
            }
            *self = Self::by_names(self.old, self.new);
            for exchange in &exchanges {
                self.exchange(exchange);
            }
        }
    }

    /// Nothing of the old program is in the new one.
    fn of_nothing(old: &'p Program, new: &'p Program) -> Self {
        Self {
            old,
            new,
            devices: Vec::new(),
            channels: Vec::new(),
            vars: Vec::new(),
            timers: Vec::new(),
            rules: Vec::new(),
            kept: Vec::new(),
            stated: Pairs::new(),
            devices_before: Vec::new(),
            channels_before: Vec::new(),
        }
    }

    /// What `device` of the old program is now; `None`: it is gone.
    #[must_use]
    pub fn device(&self, device: DeviceIx) -> Option<DeviceIx> {
        self.devices.get(device.index()).copied().flatten()
    }

    /// What `channel` of the old program is now.
    #[must_use]
    pub fn channel(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.channels.get(channel.index()).copied().flatten()
    }

    /// What `var` of the old program is now.
    #[must_use]
    pub fn var(&self, var: VarIx) -> Option<VarIx> {
        self.vars.get(var.index()).copied().flatten()
    }

    /// What `timer` of the old program is now.
    #[must_use]
    pub fn timer(&self, timer: TimerIx) -> Option<TimerIx> {
        self.timers.get(timer.index()).copied().flatten()
    }

    /// What `rule` of the old program is now. It may say something else.
    #[must_use]
    pub fn rule(&self, rule: RuleIx) -> Option<RuleIx> {
        self.rules[rule.index()]
    }

    /// What `device` of the new program was.
    #[must_use]
    pub fn device_before(&self, device: DeviceIx) -> Option<DeviceIx> {
        self.devices_before[device.index()]
    }

    /// What `channel` of the new program was.
    #[must_use]
    pub fn channel_before(&self, channel: ChannelIx) -> Option<ChannelIx> {
        self.channels_before[channel.index()]
    }

    /// Whether a rule of the old program and one of the new one do the same for the same reasons.
    #[must_use]
    pub fn is_same_rule(&self, old: &Rule, new: &Rule) -> bool {
        self.form(|form| form.rule(old)) == new_form(|form| form.rule(new))
    }

    /// As [`Self::is_same_rule`], and they run alike: as often, as late, several at once or not.
    #[must_use]
    pub fn is_only_renamed(&self, old: &Rule, new: &Rule) -> bool {
        let form = self.form(|form| form.rule(old));
        rules::key(form, old) == rules::key(new_form(|form| form.rule(new)), new)
    }

    /// Whether a trigger of the old program and one of the new one fire at the same.
    #[must_use]
    pub fn is_same_trigger(&self, old: &Trigger, new: &Trigger) -> bool {
        self.form(|form| form.trigger(old)) == new_form(|form| form.trigger(new))
    }

    /// Whether something that a rule of the old program speaks of left its name to another thing.
    #[must_use]
    pub fn rule_names_others(&self, old: &Rule) -> bool {
        self.names_others(|form| form.rule(old))
    }

    /// The same of a trigger.
    #[must_use]
    pub fn trigger_names_others(&self, old: &Trigger) -> bool {
        self.names_others(|form| form.trigger(old))
    }

    /// Whether a condition of the old program and one of the new one ask for the same.
    #[must_use]
    pub fn is_same_condition(&self, old: &Condition, new: &Condition) -> bool {
        self.form(|form| form.condition(old)) == new_form(|form| form.condition(new))
    }

    /// Whether a channel of the old program and one of the new one are of one kind: of one name, or the house's own kind of the one
    /// is gone, that of the other is new, and both say the same.
    #[must_use]
    pub fn is_same_kind(&self, was: ChannelIx, is: ChannelIx) -> bool {
        let (was, is) = (&self.old[was].kind, &self.new[is].kind);
        let (old, new) = (&self.old.kinds, &self.new.kinds);
        let is_renamed = || {
            let kinds = old.find(was).zip(new.find(is));
            let is_alike = kinds.is_some_and(|(was, is)| was.is_alike(is));
            is_alike && new.find(was).is_none() && old.find(is).is_none()
        };
        was == is || is_renamed()
    }

    /// The old program and the new one.
    #[must_use]
    pub fn programs(&self) -> (&'p Program, &'p Program) {
        (self.old, self.new)
    }

    fn names_others(&self, write: impl FnOnce(&mut Form<'_, Successors<'_>>)) -> bool {
        let seen = RefCell::default();
        let symbols = Successors {
            succession: self,
            seen: Some(&seen),
        };
        write(&mut Form::new(&symbols));
        let (old, new) = (self.old, self.new);
        let namesake = |thing: &Thing| match thing {
            Thing::Device(was) => new.device(&old[*was].name).map(Thing::Device),
            Thing::Channel(was) => {
                let is = new.channel_by_path(&old.channel_path(*was));
                is.map(Thing::Channel)
            }
            Thing::Var(was) => {
                let is = new.names.vars.get(&old[*was].name);
                is.copied().map(Thing::Var)
            }
            Thing::Timer(was) => {
                let is = new.names.timers.get(&old[*was].name);
                is.copied().map(Thing::Timer)
            }
        };
        let seen = seen.into_inner();
        let mut seen = seen.iter();
        seen.any(|was| namesake(was).is_some_and(|is| self.successor(*was) != Some(is)))
    }

    fn form(&self, write: impl FnOnce(&mut Form<'_, Successors<'_>>)) -> Vec<u64> {
        let symbols = Successors {
            succession: self,
            seen: None,
        };
        let mut form = Form::new(&symbols);
        write(&mut form);
        form.finish()
    }

    /// Channels of devices that go on, where these have one of the same name that is nobody's yet.
    fn pair_channels_by_name(&mut self) {
        let (old, new) = (self.old, self.new);
        let is_taken = taken(&self.channels, new.channels.len());
        for (was, is) in old.devices.iter().zip(&self.devices) {
            let Some(is) = *is else { continue };
            for channel in &was.channels {
                let same_name = || new.channel(is, &old[*channel].name);
                let is = &mut self.channels[channel.index()];
                *is = is.or_else(|| same_name().filter(|ix| !is_taken[ix.index()]));
            }
        }
    }
}

/// Devices by their numbers; where no device has that one, by name.
fn devices(old: &Program, new: &Program) -> Vec<Option<DeviceIx>> {
    let numbered = DeviceIx::all(new.devices.len()).map(|ix| (new[ix].id, ix));
    let numbered: BTreeMap<DeviceId, DeviceIx> =
        numbered.filter(|(id, _)| *id != DeviceId(0)).collect();
    let rows = old.devices.iter();
    let mut devices: Vec<_> = rows.map(|row| numbered.get(&row.id).copied()).collect();
    let is_taken = taken(&devices, new.devices.len());
    for (row, is) in old.devices.iter().zip(&mut devices) {
        let same_name = || new.device(&row.name).filter(|ix| !is_taken[ix.index()]);
        *is = is.or_else(same_name);
    }
    devices
}

fn by_name<'p, T, Ix: Copy + 'p>(
    old: &[T],
    successor: impl Fn(&T) -> Option<&'p Ix>,
) -> Vec<Option<Ix>> {
    old.iter().map(|row| successor(row).copied()).collect()
}

/// By new place: whether something of the old program has it.
fn taken<Ix: Place>(successors: &[Option<Ix>], new: usize) -> Vec<bool> {
    let mut taken = vec![false; new];
    for ix in successors.iter().flatten() {
        taken[ix.place()] = true;
    }
    taken
}

/// By new place: who has it.
fn before<Ix: Place>(successors: &[Option<Ix>], new: usize) -> Vec<Option<Ix>> {
    let mut before = vec![None; new];
    for (place, is) in (0..).zip(successors) {
        if let Some(is) = is {
            before[is.place()] = Some(Ix::at(place));
        }
    }
    before
}

/// An index of one of the program's tables.
trait Place: Copy {
    fn place(self) -> usize;
    fn at(place: u32) -> Self;
}

macro_rules! place {
    ($($index:ident)*) => {$(
        impl Place for $index {
            fn place(self) -> usize {
                self.index()
            }

            fn at(place: u32) -> Self {
                Self(place)
            }
        }
    )*};
}

place!(DeviceIx ChannelIx VarIx TimerIx RuleIx);
