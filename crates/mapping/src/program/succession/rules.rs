//! Which rules go on.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Succession, symbols::new_form, taken};
use crate::program::{AfterDowntime, Rule, RuleIx, form::micros};

/// Rules of the old program and of the new one that do the same.
type Alike = (Vec<RuleIx>, BTreeSet<RuleIx>);

impl Succession<'_> {
    /// What each rule of the old program is now, by its place: what does the same under its name, then the only one that does
    /// the same under another name, where names were exchanged; then what only bears its name; then whatever does the same, in
    /// the order of the files.
    pub(super) fn pair_rules(&self) -> Vec<Option<RuleIx>> {
        let (old, new) = (self.old, self.new);
        let named = &self.kept;
        let mut rules = named.clone();
        let mut before = Vec::new();
        for was in RuleIx::all(old.rules.len()) {
            let is = &mut rules[was.index()];
            // What is written as it was needs no look, and what the mapping says of its past is so.
            let is_settled = |is: RuleIx| {
                new[is].fingerprint == old[was].fingerprint || new[is].name != old[was].name
            };
            if !is.is_some_and(is_settled) {
                *is = None;
                before.push(was);
            }
        }
        let is_taken = taken(&rules, new.rules.len());
        let after = RuleIx::all(new.rules.len()).filter(|is| !is_taken[is.index()]);
        let mut alike: BTreeMap<Vec<u64>, Alike> = BTreeMap::new();
        for is in after {
            let key = key(new_form(|form| form.rule(&new[is])), &new[is]);
            alike.entry(key).or_default().1.insert(is);
        }
        if alike.is_empty() {
            return rules;
        }
        for was in &before {
            let key = key(self.form(|form| form.rule(&old[*was])), &old[*was]);
            if let Some((before, _)) = alike.get_mut(&key) {
                before.push(*was);
            }
        }
        for (before, after) in alike.values_mut() {
            before.retain(|was| {
                let is = named[was.index()].filter(|is| after.remove(is));
                rules[was.index()] = is;
                is.is_none()
            });
            if let ([was], 1) = (&before[..], after.len()) {
                rules[was.index()] = after.first().copied();
            }
        }
        let is_taken = taken(&rules, new.rules.len());
        for was in before {
            let is = &mut rules[was.index()];
            *is = is.or_else(|| named[was.index()].filter(|is| !is_taken[is.index()]));
        }
        let is_taken = taken(&rules, new.rules.len());
        for (before, after) in alike.into_values() {
            let before = before
                .into_iter()
                .filter(|was| rules[was.index()].is_none());
            let before: Vec<RuleIx> = before.collect();
            let after = after.into_iter().filter(|is| !is_taken[is.index()]);
            for (was, is) in before.into_iter().zip(after) {
                rules[was.index()] = Some(is);
            }
        }
        rules
    }
}

/// A rule's form, and how it runs, which that does not hold.
pub(super) fn key(mut form: Vec<u64>, rule: &Rule) -> Vec<u64> {
    let (how, late) = match rule.after_downtime {
        None => (0, Duration::ZERO),
        Some(AfterDowntime::Resume) => (1, Duration::ZERO),
        Some(AfterDowntime::RunLate(late)) => (2, late),
        Some(AfterDowntime::Drop) => (3, Duration::ZERO),
    };
    let limit = rule.limit.as_deref();
    let (count, per) = limit.map_or((0, Duration::ZERO), |limit| (limit.count, limit.per));
    form.extend([
        u64::from(rule.enabled),
        rule.mode as u64,
        how,
        u64::from(count),
    ]);
    form.extend([late, per].map(micros));
    form
}
