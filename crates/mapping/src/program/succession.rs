//! What the things of one program are in the program that takes over from it, also where an edit gave them other names.
//!
//! Used at a reload, so that what runs goes on under its new name. A thing is what bears its name still; a device,
//! what bears its number. What is gone and what is new are one thing under two names where they are declared alike,
//! a rule that keeps its name spoke of the one and now speaks of the other in the same place, and no such rule says
//! otherwise: so a rename is found whoever made it, with a tool or by hand, and in a replay without being told. Must
//! not guess: in doubt one thing is gone and another is new, for nothing may go on that nobody began.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use types::DeviceId;

use super::{
    Channel, ChannelIx, Condition, DeviceIx, EventIx, Program, Rule, RuleIx, SlotIx, TimerIx,
    Trigger, VarIx,
    form::{Form, Indices, Symbols},
};

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
    /// By new place.
    devices_before: Vec<Option<DeviceIx>>,
    channels_before: Vec<Option<ChannelIx>>,
}

/// Something of the old program that seems to have another name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Renamed {
    Device(DeviceIx),
    Channel(ChannelIx),
    Var(VarIx),
    Timer(TimerIx),
}

impl<'p> Succession<'p> {
    /// Compares two programs: `new` takes over from `old`.
    #[must_use]
    pub fn new(old: &'p Program, new: &'p Program) -> Self {
        let mut succession = Self {
            old,
            new,
            devices: devices(old, new),
            channels: vec![None; old.channels.len()],
            vars: by_name(&old.vars, |var| new.names.vars.get(&var.name)),
            timers: by_name(&old.timers, |timer| new.names.timers.get(&timer.name)),
            rules: by_name(&old.rules, |rule| new.names.rules.get(&rule.name)),
            devices_before: Vec::new(),
            channels_before: Vec::new(),
        };
        let mut supposed = succession.pair_names();
        // Each round takes a pair back at least, whose rules then are no evidence for another one.
        while let Some(unproven) = succession.unproven(&supposed) {
            for symbol in unproven {
                supposed.remove(&symbol);
                succession.take_back(symbol);
            }
        }
        succession.pair_rules();
        succession.devices_before = before(&succession.devices, new.devices.len());
        succession.channels_before = before(&succession.channels, new.channels.len());
        succession
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

    /// Whether a trigger of the old program and one of the new one fire at the same.
    #[must_use]
    pub fn is_same_trigger(&self, old: &Trigger, new: &Trigger) -> bool {
        self.form(|form| form.trigger(old)) == new_form(|form| form.trigger(new))
    }

    /// Whether a condition of the old program and one of the new one ask for the same.
    #[must_use]
    pub fn is_same_condition(&self, old: &Condition, new: &Condition) -> bool {
        self.form(|form| form.condition(old)) == new_form(|form| form.condition(new))
    }

    /// The old program and the new one.
    #[must_use]
    pub fn programs(&self) -> (&'p Program, &'p Program) {
        (self.old, self.new)
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

    /// Pairs what is gone with what is new, in the order of the files, where they are declared alike: what may be
    /// one thing under two names.
    fn pair_names(&mut self) -> BTreeSet<Renamed> {
        let mut renamed = BTreeSet::new();
        let (old, new) = (self.old, self.new);
        for (was, is) in unpaired(&self.devices, new.devices.len()) {
            // What has a number has another one now: it is another device.
            let is_virtual = old[was].id == DeviceId(0) && new[is].id == DeviceId(0);
            if is_virtual && self.has_same_channels(was, is) {
                self.devices[was.index()] = Some(is);
                renamed.insert(Renamed::Device(was));
            }
        }
        self.pair_channels(&mut renamed);
        for (was, is) in unpaired(&self.vars, new.vars.len()) {
            let (before, after) = (&old[was], &new[is]);
            if (&before.ty, &before.start, before.keep) == (&after.ty, &after.start, after.keep) {
                self.vars[was.index()] = Some(is);
                renamed.insert(Renamed::Var(was));
            }
        }
        for (was, is) in unpaired(&self.timers, new.timers.len()) {
            self.timers[was.index()] = Some(is);
            renamed.insert(Renamed::Timer(was));
        }
        renamed
    }

    fn has_same_channels(&self, was: DeviceIx, is: DeviceIx) -> bool {
        let old = self.old[was].channels.iter().map(|ix| &self.old[*ix]);
        let new = self.new[is].channels.iter().map(|ix| &self.new[*ix]);
        old.map(|row| (&row.name, &row.kind))
            .eq(new.map(|row| (&row.name, &row.kind)))
    }

    fn pair_channels(&mut self, renamed: &mut BTreeSet<Renamed>) {
        let (old, new) = (self.old, self.new);
        for (was, is) in DeviceIx::all(old.devices.len()).zip(&self.devices) {
            let Some(is) = *is else { continue };
            let (was, is) = (&old[was].channels, &new[is].channels);
            let by_name = |row: &Channel| is.iter().find(|ix| new[**ix].name == row.name).copied();
            let mut gone = Vec::new();
            for channel in was {
                let same = by_name(&old[*channel]);
                self.channels[channel.index()] = same;
                gone.extend(same.is_none().then_some(*channel));
            }
            let is_new = |ix: &&ChannelIx| was.iter().all(|was| old[*was].name != new[**ix].name);
            let came: Vec<ChannelIx> = is.iter().filter(is_new).copied().collect();
            if gone.len() != came.len() {
                continue;
            }
            for (was, is) in gone.into_iter().zip(came) {
                if old[was].kind == new[is].kind {
                    self.channels[was.index()] = Some(is);
                    renamed.insert(Renamed::Channel(was));
                }
            }
        }
    }

    /// Pairs rules by their names, then those that are gone with new ones that are otherwise the same.
    fn pair_rules(&mut self) {
        let (old, new) = (self.old, self.new);
        self.rules = by_name(&old.rules, |rule| new.names.rules.get(&rule.name));
        let is_taken = taken(&self.rules, new.rules.len());
        let mut came: BTreeMap<Vec<u64>, Vec<RuleIx>> = BTreeMap::new();
        for ix in RuleIx::all(new.rules.len()).filter(|ix| !is_taken[ix.index()]) {
            let form = new_form(|form| form.rule(&new[ix]));
            came.entry(form).or_default().push(ix);
        }
        if came.is_empty() {
            return;
        }
        for was in RuleIx::all(old.rules.len()) {
            if self.rules[was.index()].is_some() {
                continue;
            }
            let form = self.form(|form| form.rule(&old[was]));
            let Some(same) = came.get_mut(&form) else {
                continue;
            };
            let at = same.iter().position(|ix| runs_alike(&old[was], &new[*ix]));
            self.rules[was.index()] = at.map(|at| same.remove(at));
        }
    }

    /// Which of `supposed` are not shown to be one thing under two names. `None`: all are.
    fn unproven(&self, supposed: &BTreeSet<Renamed>) -> Option<BTreeSet<Renamed>> {
        if supposed.is_empty() {
            return None;
        }
        let (old, new) = (self.old, self.new);
        let (mut spoken_of, mut refuted) = (BTreeSet::new(), BTreeSet::new());
        for rule in &old.rules {
            let (form, seen) = self.form_and_symbols(rule);
            let kept = new.names.rules.get(&rule.name).map(|ix| &new[*ix]);
            if kept.is_some_and(|kept| form != new_form(|form| form.rule(kept))) {
                refuted.extend(seen.iter().copied());
            }
            let is_kept = kept.is_some();
            spoken_of.extend(seen.into_iter().map(|symbol| (symbol, is_kept)));
        }
        let in_new: BTreeSet<Renamed> = new
            .rules
            .iter()
            .flat_map(|rule| spoken_of_in(new, rule))
            .collect();
        let is_proven = |symbol: &Renamed| {
            let by_a_rule = spoken_of.contains(&(*symbol, true));
            let by_nobody = !by_a_rule && !spoken_of.contains(&(*symbol, false));
            // What no rule speaks of, before and after, makes nothing happen; a channel might.
            let is_idle = by_nobody
                && !matches!(symbol, Renamed::Channel(_))
                && self
                    .successor(*symbol)
                    .is_some_and(|is| !in_new.contains(&is));
            !refuted.contains(symbol) && (by_a_rule || is_idle)
        };
        let unproven: BTreeSet<Renamed> = supposed
            .iter()
            .filter(|symbol| !is_proven(symbol))
            .copied()
            .collect();
        (!unproven.is_empty()).then_some(unproven)
    }

    fn form_and_symbols(&self, rule: &Rule) -> (Vec<u64>, BTreeSet<Renamed>) {
        let seen = RefCell::default();
        let symbols = Successors {
            succession: self,
            seen: Some(&seen),
        };
        let mut form = Form::new(&symbols);
        form.rule(rule);
        let form = form.finish();
        (form, seen.into_inner())
    }

    /// The same, by its place in the new program.
    fn successor(&self, symbol: Renamed) -> Option<Renamed> {
        match symbol {
            Renamed::Device(device) => self.device(device).map(Renamed::Device),
            Renamed::Channel(channel) => self.channel(channel).map(Renamed::Channel),
            Renamed::Var(var) => self.var(var).map(Renamed::Var),
            Renamed::Timer(timer) => self.timer(timer).map(Renamed::Timer),
        }
    }

    fn take_back(&mut self, symbol: Renamed) {
        match symbol {
            Renamed::Device(device) => {
                self.devices[device.index()] = None;
                for channel in &self.old[device].channels {
                    self.channels[channel.index()] = None;
                }
            }
            Renamed::Channel(channel) => self.channels[channel.index()] = None,
            Renamed::Var(var) => self.vars[var.index()] = None,
            Renamed::Timer(timer) => self.timers[timer.index()] = None,
        }
    }
}

/// The old program's things by the places of their successors.
struct Successors<'a> {
    succession: &'a Succession<'a>,
    /// What was asked for.
    seen: Option<&'a RefCell<BTreeSet<Renamed>>>,
}

impl Successors<'_> {
    fn see(&self, symbol: Renamed) {
        if let Some(seen) = self.seen {
            seen.borrow_mut().insert(symbol);
        }
    }

    fn new_event(&self, event: EventIx) -> Option<EventIx> {
        let Succession { old, new, .. } = self.succession;
        let row = &old[event];
        match row.channel {
            Some(channel) => new.event(self.succession.channel(channel)?, &row.name),
            None => {
                let device = &new[self.succession.device(row.device)?];
                let is_online = old[row.device].online == event;
                Some(if is_online {
                    device.online
                } else {
                    device.offline
                })
            }
        }
    }
}

impl Symbols for Successors<'_> {
    fn device(&self, device: DeviceIx) -> u64 {
        self.see(Renamed::Device(device));
        let is = self.succession.device(device);
        number(is.map(|is| is.0), device.0)
    }

    fn channel(&self, channel: ChannelIx) -> u64 {
        self.see(Renamed::Device(self.succession.old[channel].device));
        self.see(Renamed::Channel(channel));
        let is = self.succession.channel(channel);
        number(is.map(|is| is.0), channel.0)
    }

    fn slot(&self, slot: SlotIx) -> u64 {
        let row = &self.succession.old[slot];
        self.channel(row.channel);
        let channel = self.succession.channel(row.channel);
        let is = channel.and_then(|channel| self.succession.new.slot(channel, &row.name));
        number(is.map(|is| is.0), slot.0)
    }

    fn event(&self, event: EventIx) -> u64 {
        let row = &self.succession.old[event];
        match row.channel {
            Some(channel) => self.channel(channel),
            None => self.device(row.device),
        };
        number(self.new_event(event).map(|is| is.0), event.0)
    }

    fn var(&self, var: VarIx) -> u64 {
        self.see(Renamed::Var(var));
        number(self.succession.var(var).map(|is| is.0), var.0)
    }

    fn timer(&self, timer: TimerIx) -> u64 {
        self.see(Renamed::Timer(timer));
        number(self.succession.timer(timer).map(|is| is.0), timer.0)
    }

    fn field(&self, event: EventIx, place: u8) -> u64 {
        let Succession { old, new, .. } = self.succession;
        let is = self.new_event(event).and_then(|is| {
            let name = &old[event].fields.get(usize::from(place))?.name;
            new[is].fields.iter().position(|field| field.name == *name)
        });
        number(is.map(|is| is as u32), place.into())
    }

    fn command(&self, channel: ChannelIx, place: u8) -> u64 {
        let Succession { old, new, .. } = self.succession;
        let is = self.succession.channel(channel).and_then(|is| {
            let name = &old[channel].commands.get(usize::from(place))?.name;
            new[is]
                .commands
                .iter()
                .position(|command| command.name == *name)
        });
        number(is.map(|is| is as u32), place.into())
    }
}

/// What `rule` of `program` speaks of.
fn spoken_of_in(program: &Program, rule: &Rule) -> BTreeSet<Renamed> {
    // Nobody asks it who follows whom.
    let itself = Succession {
        old: program,
        new: program,
        devices: Vec::new(),
        channels: Vec::new(),
        vars: Vec::new(),
        timers: Vec::new(),
        rules: Vec::new(),
        devices_before: Vec::new(),
        channels_before: Vec::new(),
    };
    itself.form_and_symbols(rule).1
}

/// The place of the successor; where there is none, a number that no place has.
fn number(is: Option<u32>, was: u32) -> u64 {
    is.map_or(1 << 32 | u64::from(was), u64::from)
}

fn new_form(write: impl FnOnce(&mut Form<'_, Indices>)) -> Vec<u64> {
    let mut form = Form::new(&Indices);
    write(&mut form);
    form.finish()
}

/// Whether two rules are alike in what their forms do not hold.
fn runs_alike(old: &Rule, new: &Rule) -> bool {
    old.enabled == new.enabled
        && old.limit == new.limit
        && old.mode == new.mode
        && old.after_downtime == new.after_downtime
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

/// What is gone and what is new, in pairs, where there are as many of the ones as of the others.
fn unpaired<Ix: Place>(successors: &[Option<Ix>], new: usize) -> Vec<(Ix, Ix)> {
    let gone = (0..).zip(successors).filter(|(_, is)| is.is_none());
    let gone: Vec<Ix> = gone.map(|(place, _)| Ix::at(place)).collect();
    let came = (0..).zip(taken(successors, new)).filter(|(_, is)| !is);
    let came: Vec<Ix> = came.map(|(place, _)| Ix::at(place)).collect();
    if gone.len() == came.len() {
        gone.into_iter().zip(came).collect()
    } else {
        Vec::new()
    }
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
