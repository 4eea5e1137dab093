//! Conditions in a form that tells equal ones apart from others, whichever rule they stand in.
//!
//! Called by [`super::writers`]. Two parts of a condition are equal where they are written alike: what is only equal
//! by calculation is not found.

use std::collections::BTreeMap;

use types::Value;

use crate::program::{Expr, FieldMap, Rule, Trigger};

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
        let mut form = Vec::new();
        write(part, map, &mut form);
        let next = self.parts.len() as u32;
        *self.parts.entry(form).or_insert(next)
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

/// Appends what `expr` is: first which form, then how many parts where that is not fixed, then the parts. So no
/// form is the beginning of another.
fn write(expr: &Expr, map: &[u8], form: &mut Vec<u64>) {
    let mut all = |tag: u64, parts: &[Expr]| {
        form.extend([tag, parts.len() as u64]);
        parts.iter().for_each(|part| write(part, map, form));
    };
    match expr {
        Expr::And(parts) => all(0, parts),
        Expr::Or(parts) => all(1, parts),
        Expr::Count(parts) => all(2, parts),
        Expr::Const(value) => {
            form.push(3);
            write_value(value, form);
        }
        Expr::EventField(read) => {
            let place = map.get(usize::from(*read)).copied();
            form.extend([4, place.map_or(u64::MAX, u64::from)]);
        }
        Expr::State(slot) => form.extend([5, u64::from(slot.0)]),
        Expr::Target(slot) => form.extend([6, u64::from(slot.0)]),
        Expr::Var(var) => form.extend([7, u64::from(var.0)]),
        Expr::Online(device) => form.extend([8, u64::from(device.0)]),
        Expr::Sun(what) => form.extend([9, *what as u64]),
        Expr::Now(what) => form.extend([10, *what as u64]),
        Expr::Has(slot) => form.extend([11, u64::from(slot.0)]),
        Expr::Age(slot) => form.extend([12, u64::from(slot.0)]),
        Expr::Not(inner) => {
            form.push(13);
            write(inner, map, form);
        }
        Expr::Neg(inner) => {
            form.push(14);
            write(inner, map, form);
        }
        Expr::Binary(operator, sides) => {
            form.extend([15, *operator as u64]);
            write(&sides.0, map, form);
            write(&sides.1, map, form);
        }
        Expr::If(parts) => {
            form.push(16);
            write(&parts.0, map, form);
            write(&parts.1, map, form);
            write(&parts.2, map, form);
        }
        Expr::In(inner, values) => {
            form.extend([17, values.len() as u64]);
            values.iter().for_each(|value| write_value(value, form));
            write(inner, map, form);
        }
        Expr::Call(function, parts) => {
            form.extend([18, *function as u64, parts.len() as u64]);
            parts.iter().for_each(|part| write(part, map, form));
        }
    }
}

/// Appends a value; numbers by their bits.
pub(super) fn write_value(value: &Value, form: &mut Vec<u64>) {
    match value {
        Value::Bool(is) => form.extend([0, u64::from(*is)]),
        Value::Number(number) => form.extend([1, number.to_bits()]),
        Value::Text(text) => {
            form.extend([2, text.len() as u64]);
            form.extend(text.bytes().map(u64::from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Binary, SlotIx, VarIx};

    fn form(expr: &Expr, map: &[u8]) -> Vec<u64> {
        let mut form = Vec::new();
        write(expr, map, &mut form);
        form
    }

    fn number(number: f64) -> Expr {
        Expr::Const(Value::Number(number))
    }

    #[test]
    fn what_is_written_otherwise_has_another_form_and_no_form_begins_another() {
        let text = |text: &str| Expr::Const(Value::Text(text.into()));
        let both = |operator, a: Expr, b: Expr| Expr::Binary(operator, Box::new((a, b)));
        let all = [
            number(1.0),
            number(1.5),
            Expr::Const(Value::Bool(true)),
            text(""),
            text("a"),
            text("ab"),
            // What prints the same, or holds another one's words.
            text("EventField(1)"),
            text("EventField(2)"),
            Expr::EventField(0),
            Expr::State(SlotIx(1)),
            Expr::Target(SlotIx(1)),
            Expr::Has(SlotIx(1)),
            Expr::Age(SlotIx(1)),
            Expr::Var(VarIx(1)),
            Expr::Not(Box::new(Expr::Var(VarIx(1)))),
            Expr::Neg(Box::new(Expr::Var(VarIx(1)))),
            Expr::And([number(1.0), number(2.0)].into()),
            Expr::Or([number(1.0), number(2.0)].into()),
            Expr::Or([number(1.0), number(2.0), number(3.0)].into()),
            both(Binary::Lt, number(1.0), number(2.0)),
            both(Binary::Le, number(1.0), number(2.0)),
            both(Binary::Lt, number(2.0), number(1.0)),
            Expr::In(Box::new(number(1.0)), [Value::Number(2.0)].into()),
            Expr::In(Box::new(number(2.0)), [Value::Number(1.0)].into()),
        ];
        let forms: Vec<_> = all.iter().map(|expr| form(expr, &[7])).collect();
        for (at, one) in forms.iter().enumerate() {
            for (other, two) in forms.iter().enumerate() {
                let begins = two.starts_with(one);
                assert_eq!(begins, at == other, "{:?} {:?}", all[at], all[other]);
            }
        }
    }

    #[test]
    fn a_field_of_the_event_counts_by_its_place_there() {
        assert_eq!(
            form(&Expr::EventField(0), &[3, 4]),
            form(&Expr::EventField(1), &[4, 3]),
        );
        assert_ne!(
            form(&Expr::EventField(0), &[3, 4]),
            form(&Expr::EventField(0), &[4, 3]),
        );
    }
}
