//! What the new mapping itself says of names that its things had before: `[renamed]`.
//!
//! A line counts where the old program has the old name and not the new one, and the new program has not the old one; so it does
//! no harm where it has done what it is for, and it can stay or go. What it says is not weighed against what rules show.

use std::{collections::BTreeSet, mem::discriminant};

use types::Type;

use super::{Succession, Thing, before, taken};
use crate::program::{ChannelIx, DeviceIx, Former, RuleIx, VarIx};

impl Succession<'_> {
    /// Pairs devices of which a line says what they are called now. A number says more than a line.
    pub(super) fn pair_stated_devices(&mut self) {
        let (old, new) = (self.old, self.new);
        let mut is_taken = taken(&self.devices, new.devices.len());
        for former in &new.renamed {
            // A channel stays with its device: a line about it says what that is called now, too.
            let (was, is) = match former {
                Former::Device(was, is) => (was, *is),
                Former::Channel(was, _, is) => (was, new[*is].device),
                _ => continue,
            };
            let Some(was) = old.device(was) else { continue };
            let is_free = self.devices[was.index()].is_none() && !is_taken[is.index()];
            let has_both = old.device(&new[is].name).is_some();
            if is_free && !has_both && new.device(&old[was].name).is_none() {
                is_taken[is.index()] = true;
                self.pair(Thing::Device(was), Thing::Device(is));
                self.stated.insert(Thing::Device(was), Thing::Device(is));
            }
        }
    }

    /// Pairs whatever else is no rule, of which a line says what it is called now. Devices are known.
    pub(super) fn pair_stated(&mut self) {
        let (old, new) = (self.old, self.new);
        let devices_before = before(&self.devices, new.devices.len());
        let mut stated: BTreeSet<Thing> = self.stated.values().copied().collect();
        for former in &new.renamed {
            let pair = match former {
                Former::Channel(device, was, is) => self
                    .stated_channel((device, was), *is, &devices_before)
                    .map(|was| (Thing::Channel(was), Thing::Channel(*is))),
                Former::Var(was, is) => {
                    let (before, after) = (&old.names.vars, &new.names.vars);
                    let is_free = !before.contains_key(&new[*is].name) && !after.contains_key(was);
                    let was = before.get(was).copied().filter(|_| is_free);
                    let was = was.filter(|was| self.holds_the_like(*was, *is));
                    was.map(|was| (Thing::Var(was), Thing::Var(*is)))
                }
                Former::Timer(was, is) => {
                    let (before, after) = (&old.names.timers, &new.names.timers);
                    let is_free = !before.contains_key(&new[*is].name) && !after.contains_key(was);
                    let was = before.get(was).copied().filter(|_| is_free);
                    was.map(|was| (Thing::Timer(was), Thing::Timer(*is)))
                }
                Former::Device(..) | Former::Rule(..) => None,
            };
            // Of several names that one thing had, the newest stands first.
            if let Some((was, is)) = pair
                && stated.insert(is)
            {
                self.pair(was, is);
                self.stated.insert(was, is);
            }
        }
    }

    /// What each rule of the old program is called now, where a rule has its name or a line says so.
    pub(super) fn kept_names(&self) -> Vec<Option<RuleIx>> {
        let (old, new) = (self.old, self.new);
        let (before, after) = (&old.names.rules, &new.names.rules);
        let mut kept = super::by_name(&old.rules, |rule| after.get(&rule.name));
        let mut is_taken = taken(&kept, new.rules.len());
        for former in &new.renamed {
            let Former::Rule(was, is) = former else {
                continue;
            };
            let is_free = !before.contains_key(&new[*is].name) && !after.contains_key(was);
            if let Some(was) = before.get(was).filter(|_| is_free)
                && !is_taken[is.index()]
            {
                is_taken[is.index()] = true;
                kept[was.index()] = Some(*is);
            }
        }
        kept
    }

    /// The channel of the old program that `is` was by a line about `device`.`was`. How the device was called when the line
    /// was written tells only which one it is not.
    fn stated_channel(
        &self,
        (device, was): (&str, &str),
        is: ChannelIx,
        devices_before: &[Option<DeviceIx>],
    ) -> Option<ChannelIx> {
        let (old, new) = (self.old, self.new);
        let row = &new[is];
        let own = devices_before[row.device.index()]?;
        if old.device(device).is_some_and(|other| other != own) {
            return None;
        }
        let has_both = old.channel(own, &row.name).is_some();
        let has_still = new.channel(row.device, was).is_some();
        let was = old.channel(own, was)?;
        (!has_both && !has_still && self.is_same_kind(was, is)).then_some(was)
    }

    /// Whether what the one variable holds may be what the other one holds.
    fn holds_the_like(&self, was: VarIx, is: VarIx) -> bool {
        let (was, is) = (&self.old[was].ty, &self.new[is].ty);
        let is_text = |ty: &Type| matches!(ty, Type::Text | Type::Enum(_));
        discriminant(was) == discriminant(is) || (is_text(was) && is_text(is))
    }
}
