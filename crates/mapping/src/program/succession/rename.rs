//! What seems to be one thing under two names, and what of it the rules show.
//!
//! A rule that keeps its name names the same things in the same places. Where one of them is gone and a new one stands there,
//! that is what the old one is called now; whatever else came in the same edit.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use types::DeviceId;

use super::{
    Pairs, Place, Succession, Thing,
    symbols::{Blanks, Successors, new_form},
    taken,
};
use crate::program::{
    ChannelIx, DeviceIx, Program, Rule,
    form::{Form, Indices, Symbols},
};

/// How often pairs are looked at anew after some were taken back. An edit of a rule is seldom evidence against more than its
/// own; where it is against one after another, all are given up: each look reads all rules, on the thread that serves everybody.
pub(super) const LOOKS_MAX: usize = 16;

impl Succession<'_> {
    /// Pairs what is gone with what is new, where it is shown to be one thing under two names; looks at most so often.
    pub(super) fn pair_renamed(&mut self, looks: &mut usize) {
        let mut supposed = self.suppose();
        if supposed.is_empty() {
            return;
        }
        // The rules of a pair that is taken back are no evidence for another one.
        while let Some(left) = looks.checked_sub(1) {
            *looks = left;
            let unproven = self.unproven(&supposed);
            if unproven.is_empty() {
                return;
            }
            for thing in unproven {
                supposed.remove(&thing);
                self.take_back(thing);
            }
        }
        for thing in supposed {
            self.take_back(thing);
        }
    }

    /// Pairs what may be one thing under two names: what stands in the same places and is declared alike.
    fn suppose(&mut self) -> BTreeSet<Thing> {
        let (gone, came) = (self.gone(), self.came());
        let mut supposed = BTreeSet::new();
        if gone.is_empty() || came.is_empty() {
            return supposed;
        }
        let shown = self.shown(&gone, &came);
        // Devices stand first: channels ask for theirs.
        for (was, is) in shown.iter().map(|(was, is)| (*was, *is)) {
            if self.is_alike(was, is, &shown) {
                self.pair(was, is);
                supposed.insert(was);
            }
        }
        // What of a renamed device no rule speaks of is what bears its name.
        self.pair_channels_by_name();
        supposed
    }

    fn gone(&self) -> BTreeSet<Thing> {
        let devices = gone(&self.devices).map(Thing::Device);
        let channels = gone(&self.channels).map(Thing::Channel);
        let vars = gone(&self.vars).map(Thing::Var);
        let timers = gone(&self.timers).map(Thing::Timer);
        devices.chain(channels).chain(vars).chain(timers).collect()
    }

    fn came(&self) -> BTreeSet<Thing> {
        let new = self.new;
        let devices = came(&self.devices, new.devices.len()).map(Thing::Device);
        let channels = came(&self.channels, new.channels.len()).map(Thing::Channel);
        let vars = came(&self.vars, new.vars.len()).map(Thing::Var);
        let timers = came(&self.timers, new.timers.len()).map(Thing::Timer);
        devices.chain(channels).chain(vars).chain(timers).collect()
    }

    /// What is gone and what is new by the places where rules that keep their names speak of them; without what stands for
    /// different things in different places.
    fn shown(&self, gone: &BTreeSet<Thing>, came: &BTreeSet<Thing>) -> Pairs {
        let (old, new) = (self.old, self.new);
        let mut pairs = BTreeSet::new();
        for (was, is) in self.namesakes() {
            let Some(is) = is else { continue };
            let of = Successors {
                succession: self,
                seen: None,
            };
            let (before, went) = blanked(old, was, of, gone);
            if went.is_empty() {
                continue;
            }
            let (after, stands_there) = blanked(new, is, Indices, came);
            if before == after {
                pairs.extend(went.into_iter().zip(stands_there));
            }
        }
        one_to_one(&pairs).collect()
    }

    /// Whether two things are declared alike; of channels, those of `shown` count as well as those that keep their name.
    pub(super) fn is_alike(&self, was: Thing, is: Thing, shown: &Pairs) -> bool {
        let (old, new) = (self.old, self.new);
        match (was, is) {
            // What has a number has another one now: it is another device.
            (Thing::Device(was), Thing::Device(is)) => {
                let is_virtual = old[was].id == DeviceId(0) && new[is].id == DeviceId(0);
                is_virtual && self.has_a_channel_of(was, is, shown)
            }
            (Thing::Channel(was), Thing::Channel(is)) => {
                let device = self.device(old[was].device);
                self.is_same_kind(was, is) && device == Some(new[is].device)
            }
            (Thing::Var(was), Thing::Var(is)) => {
                let (was, is) = (&old[was], &new[is]);
                (&was.ty, &was.start, was.keep) == (&is.ty, &is.start, is.keep)
            }
            (Thing::Timer(_), Thing::Timer(_)) => true,
            _ => false,
        }
    }

    /// Whether a channel of the one device is in the other, or neither has any.
    fn has_a_channel_of(&self, was: DeviceIx, is: DeviceIx, shown: &Pairs) -> bool {
        let (old, new) = (self.old, self.new);
        let (was, is) = (&old[was].channels, &new[is].channels);
        let goes_on = |channel: &ChannelIx| {
            let shown = shown.get(&Thing::Channel(*channel));
            let row = &old[*channel];
            is.iter().any(|ix| {
                let is_named = match shown {
                    Some(shown) => *shown == Thing::Channel(*ix),
                    None => new[*ix].name == row.name,
                };
                is_named && self.is_same_kind(*channel, *ix)
            })
        };
        (was.is_empty() && is.is_empty()) || was.iter().any(goes_on)
    }

    /// Which of `supposed` are not shown to be one thing under two names.
    fn unproven(&self, supposed: &BTreeSet<Thing>) -> Vec<Thing> {
        let (mut proven, mut refuted) = (BTreeSet::new(), BTreeSet::new());
        let rules = self.old.rules.iter().zip(self.pair_rules());
        for ((was, is), kept) in rules.zip(&self.kept) {
            let (form, seen) = self.form_and_things(was);
            // One that goes on under another name says nothing of what else has another one.
            let kept = is.filter(|is| *kept == Some(*is)).map(|is| &self.new[is]);
            let is_shown = kept.is_some_and(|is| form == new_form(|form| form.rule(is)));
            // What a group has more of now is no edit of the rules that name the group.
            if kept.is_some_and(|is| is.fingerprint != was.fingerprint) && !is_shown {
                refuted.extend(seen.iter().copied());
            }
            if is_shown {
                proven.extend(seen);
            }
        }
        let is_proven = |thing: &Thing| !refuted.contains(thing) && proven.contains(thing);
        let unproven = supposed.iter().filter(|thing| !is_proven(thing));
        unproven.copied().collect()
    }

    /// What rules that keep their names speak of though they say something else now.
    pub(super) fn contradicted(&self) -> BTreeSet<Thing> {
        let mut contradicted = BTreeSet::new();
        for (was, is) in self.namesakes() {
            let Some(is) = is else { continue };
            let (form, seen) = self.form_and_things(was);
            if form != new_form(|form| form.rule(is)) {
                contradicted.extend(seen);
            }
        }
        contradicted
    }

    fn form_and_things(&self, rule: &Rule) -> (Vec<u64>, BTreeSet<Thing>) {
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
    pub(super) fn successor(&self, thing: Thing) -> Option<Thing> {
        match thing {
            Thing::Device(device) => self.device(device).map(Thing::Device),
            Thing::Channel(channel) => self.channel(channel).map(Thing::Channel),
            Thing::Var(var) => self.var(var).map(Thing::Var),
            Thing::Timer(timer) => self.timer(timer).map(Thing::Timer),
        }
    }

    pub(super) fn pair(&mut self, was: Thing, is: Thing) {
        match (was, is) {
            (Thing::Device(was), Thing::Device(is)) => self.devices[was.index()] = Some(is),
            (Thing::Channel(was), Thing::Channel(is)) => self.channels[was.index()] = Some(is),
            (Thing::Var(was), Thing::Var(is)) => self.vars[was.index()] = Some(is),
            (Thing::Timer(was), Thing::Timer(is)) => self.timers[was.index()] = Some(is),
            _ => {}
        }
    }

    fn take_back(&mut self, thing: Thing) {
        match thing {
            Thing::Device(device) => {
                self.devices[device.index()] = None;
                for channel in &self.old[device].channels {
                    self.channels[channel.index()] = None;
                }
            }
            Thing::Channel(channel) => self.channels[channel.index()] = None,
            Thing::Var(var) => self.vars[var.index()] = None,
            Thing::Timer(timer) => self.timers[timer.index()] = None,
        }
    }
}

/// The form of a rule with blanks for what is `unknown`, and what that is, in its order.
pub(super) fn blanked(
    program: &Program,
    rule: &Rule,
    of: impl Symbols,
    unknown: &BTreeSet<Thing>,
) -> (Vec<u64>, Vec<Thing>) {
    let symbols = Blanks {
        program,
        of,
        unknown,
        seen: RefCell::default(),
    };
    let mut form = Form::new(&symbols);
    form.rule(rule);
    let form = form.finish();
    (form, symbols.seen.into_inner())
}

/// The pairs of things that stand in no other pair.
pub(super) fn one_to_one(pairs: &BTreeSet<(Thing, Thing)>) -> impl Iterator<Item = (Thing, Thing)> {
    let (mut of_old, mut of_new) = (BTreeMap::new(), BTreeMap::new());
    for (was, is) in pairs {
        *of_old.entry(*was).or_insert(0) += 1;
        *of_new.entry(*is).or_insert(0) += 1;
    }
    let pairs = pairs.iter().copied();
    pairs.filter(move |(was, is)| of_old[was] == 1 && of_new[is] == 1)
}

pub(super) fn gone<Ix: Place>(successors: &[Option<Ix>]) -> impl Iterator<Item = Ix> {
    let gone = (0..).zip(successors).filter(|(_, is)| is.is_none());
    gone.map(|(place, _)| Ix::at(place))
}

pub(super) fn came<Ix: Place>(successors: &[Option<Ix>], new: usize) -> impl Iterator<Item = Ix> {
    let came = (0..).zip(taken(successors, new)).filter(|(_, is)| !is);
    came.map(|(place, _)| Ix::at(place))
}
