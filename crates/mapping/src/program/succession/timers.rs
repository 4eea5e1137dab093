//! Timers that have another name together with the rules that speak of them.
//!
//! A timer is nothing but what its rules make of it: where each of them says the same as exactly one rule of the new program, up
//! to the names of timers, what runs does under the new names just what it would have done under the old ones. So no rule need
//! have kept its name, which one rename after the other would ask for. Variables and channels are more than their rules: people
//! and modules know them, and a new one that is used as an old one was is a new one.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Succession, Thing,
    rename::{blanked, came, gone, one_to_one},
    rules::key,
    symbols::Successors,
};
use crate::program::{Rule, TimerIx, form::Indices};

/// How often what was found is used to find more.
const ROUNDS_MAX: usize = 4;

/// A rule that speaks of timers that are gone or new: its name of now, and these, in its order.
struct Speaker<'p> {
    name: &'p str,
    timers: Vec<Thing>,
}

/// By what they say up to these timers: the rules of the old program, and of the new one.
type Alike<'p> = BTreeMap<Vec<u64>, (Vec<Speaker<'p>>, Vec<Speaker<'p>>)>;

impl Succession<'_> {
    /// Pairs timers that are gone with such as are new where all their rules show it, whatever these are called now.
    pub(super) fn pair_timers_of_renamed_rules(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let pairs = self.timers_shown();
            if pairs.is_empty() {
                return;
            }
            for (was, is) in pairs {
                self.pair(was, is);
            }
        }
    }

    fn timers_shown(&self) -> Vec<(Thing, Thing)> {
        let gone: BTreeSet<Thing> = gone(&self.timers).map(Thing::Timer).collect();
        let came = came::<TimerIx>(&self.timers, self.new.timers.len());
        let came: BTreeSet<Thing> = came.map(Thing::Timer).collect();
        if gone.is_empty() || came.is_empty() {
            return Vec::new();
        }
        let (mut pairs, mut doubtful_before, mut doubtful_after) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (mut before, mut after) in self.speakers(&gone, &came).into_values() {
            // Among several that say the same, a name that was kept tells.
            for (was, is) in take_namesakes(&mut before, &mut after) {
                add(&mut pairs, &was, &is);
            }
            if let ([was], [is]) = (&before[..], &after[..]) {
                add(&mut pairs, was, is);
            } else {
                doubtful_before.extend(before.iter().flat_map(|rule| &rule.timers).copied());
                doubtful_after.extend(after.iter().flat_map(|rule| &rule.timers).copied());
            }
        }
        let is_clear = |(was, is): &(Thing, Thing)| {
            !doubtful_before.contains(was) && !doubtful_after.contains(is)
        };
        one_to_one(&pairs).filter(is_clear).collect()
    }

    fn speakers(&self, gone: &BTreeSet<Thing>, came: &BTreeSet<Thing>) -> Alike<'_> {
        let (old, new) = (self.old, self.new);
        let of = || Successors {
            succession: self,
            seen: None,
        };
        let mut alike = Alike::new();
        for (rule, kept) in old.rules.iter().zip(&self.kept) {
            let said = blanked(old, rule, of(), gone);
            let name = kept.map_or(&*rule.name, |kept| &*new[kept].name);
            if let Some((key, speaker)) = speaker(rule, name, said) {
                alike.entry(key).or_default().0.push(speaker);
            }
        }
        for rule in &new.rules {
            let said = blanked(new, rule, Indices, came);
            if let Some((key, speaker)) = speaker(rule, &rule.name, said) {
                alike.entry(key).or_default().1.push(speaker);
            }
        }
        alike
    }
}

/// A rule, called `name` now, as one of those that speak of such timers; `None`: it speaks of none.
fn speaker<'p>(
    rule: &Rule,
    name: &'p str,
    (form, timers): (Vec<u64>, Vec<Thing>),
) -> Option<(Vec<u64>, Speaker<'p>)> {
    (!timers.is_empty()).then(|| (key(form, rule), Speaker { name, timers }))
}

/// Takes out the rules that are called alike on both sides, in twos.
fn take_namesakes<'p>(
    before: &mut Vec<Speaker<'p>>,
    after: &mut Vec<Speaker<'p>>,
) -> Vec<(Speaker<'p>, Speaker<'p>)> {
    let mut named: BTreeMap<&str, Speaker<'p>> = after.drain(..).map(|is| (is.name, is)).collect();
    let mut namesakes = Vec::new();
    let mut others = Vec::new();
    for was in before.drain(..) {
        match named.remove(was.name) {
            Some(is) => namesakes.push((was, is)),
            None => others.push(was),
        }
    }
    *before = others;
    after.extend(named.into_values());
    namesakes
}

/// What stands in the one rule where it stood in the other.
fn add(pairs: &mut BTreeSet<(Thing, Thing)>, was: &Speaker<'_>, is: &Speaker<'_>) {
    let places = was.timers.iter().zip(&is.timers);
    pairs.extend(places.map(|(was, is)| (*was, *is)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_say_the_same_are_paired_by_name_in_time_that_grows_with_their_number() {
        const RULES: usize = 200_000;
        let names: Vec<String> = (0..RULES).map(|rule| format!("rule-{rule:06}")).collect();
        let speaker = |name| Speaker {
            name,
            timers: Vec::new(),
        };
        let mut before: Vec<_> = names.iter().map(|name| speaker(name.as_str())).collect();
        // The order of the file says nothing.
        let mut after: Vec<_> = names
            .iter()
            .rev()
            .map(|name| speaker(name.as_str()))
            .collect();
        before.insert(0, speaker("gone"));
        after.push(speaker("new"));
        let namesakes = take_namesakes(&mut before, &mut after);
        assert_eq!(namesakes.len(), RULES);
        assert!(namesakes.iter().all(|(was, is)| was.name == is.name));
        assert_eq!((before.len(), before[0].name), (1, "gone"));
        assert_eq!((after.len(), after[0].name), (1, "new"));
    }
}
