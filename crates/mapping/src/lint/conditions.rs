//! Conditions in a form that tells equal ones apart from others, whichever rule they stand in.
//!
//! Called by [`super::writers`]. Two parts of a condition are equal where they are written alike: what is only equal
//! by calculation is not found.

use std::collections::BTreeMap;

use crate::program::{
    Expr, FieldMap, Rule, Trigger,
    form::{Form, Indices},
};

/// A set of conjuncts; equal numbers, equal sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SetIx(u32);

/// All conditions of a house, each part kept once.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    parts: BTreeMap<Vec<u64>, u32>,
    sets: BTreeMap<Vec<u32>, SetIx>,
    by_set: Vec<Vec<u32>>,
}

impl Conditions {
    /// What `rule` asks for where `trigger` fires it. Event fields count by their place in the event, not in the
    /// rule's own list.
    pub(super) fn of(&mut self, rule: &Rule, trigger: &Trigger) -> SetIx {
        let map: &[u8] = match trigger {
            Trigger::Event { fields, .. } => fields,
            _ => &[],
        };
        let parts: &[Expr] = match rule.condition.as_ref().map(|condition| &condition.expr) {
            None => &[],
            Some(Expr::And(parts)) => parts,
            Some(other) => std::slice::from_ref(other),
        };
        let mut set: Vec<u32> = parts.iter().map(|part| self.part(part, map)).collect();
        set.sort_unstable();
        set.dedup();
        self.set(set)
    }

    /// [`Self::of`] for each trigger; those of a group mostly have the same.
    pub(super) fn of_all(&mut self, rule: &Rule) -> Vec<SetIx> {
        let mut last: Option<(Option<&FieldMap>, SetIx)> = None;
        let triggers = rule.triggers.iter().map(|trigger| {
            let fields = match trigger {
                Trigger::Event { fields, .. } => Some(fields),
                _ => None,
            };
            let known = last.filter(|(before, _)| *before == fields);
            let set = known.map_or_else(|| self.of(rule, trigger), |(_, set)| set);
            last = Some((fields, set));
            set
        });
        triggers.collect()
    }

    /// What every event fulfils.
    pub(super) fn none(&mut self) -> SetIx {
        self.set(Vec::new())
    }

    /// One set for each part of `set`.
    pub(super) fn single_parts(&mut self, set: SetIx) -> Vec<SetIx> {
        let parts = self.by_set[set.0 as usize].clone();
        parts.into_iter().map(|part| self.set(vec![part])).collect()
    }

    fn part(&mut self, part: &Expr, map: &[u8]) -> u32 {
        let mut form = Form::new(&Indices);
        form.expr(part, Some(map));
        let next = self.parts.len() as u32;
        *self.parts.entry(form.finish()).or_insert(next)
    }

    fn set(&mut self, parts: Vec<u32>) -> SetIx {
        if let Some(known) = self.sets.get(&parts) {
            return *known;
        }
        let ix = SetIx(self.by_set.len() as u32);
        self.by_set.push(parts.clone());
        self.sets.insert(parts, ix);
        ix
    }
}
