//! What an expression reads: which changes, and which moments, can change its value.
//!
//! Called by the engine when it takes a program, for `holds`. Must not know values.

use std::collections::{BTreeMap, BTreeSet};

use mapping::program::{DeviceIx, Expr, Function, Now, SlotIx, Sun, VarIx};
use types::Value;

/// What an expression reads. Each list is sorted and free of duplicates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependencies {
    /// Reported state, also inside `has(..)`; those with `stale_after` turn unknown by time alone.
    pub states: Vec<SlotIx>,
    /// Desired state.
    pub targets: Vec<SlotIx>,
    /// Variables.
    pub vars: Vec<VarIx>,
    /// Whether devices are there.
    pub devices: Vec<DeviceIx>,
    /// Ages of state: change with time and with each report.
    pub ages: Vec<Age>,
    /// Whether `now.*` is read.
    pub now: bool,
    /// Whether `sun.*` is read.
    pub sun: bool,
}

/// The ages of one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Age {
    /// Of which state.
    pub slot: SlotIx,
    /// Seconds with which they are compared, ascending: between two of them no comparison changes.
    /// A comparison can change at the threshold itself and right after it (`>`).
    pub thresholds_s: Vec<f64>,
    /// Whether one is also read in another way than compared with a constant: any moment may matter.
    pub any_moment: bool,
}

impl Dependencies {
    /// What `expr` reads.
    #[must_use]
    pub fn of(expr: &Expr) -> Self {
        let mut found = Found::default();
        found.walk(expr);
        let age = |(slot, (mut thresholds_s, any_moment)): (SlotIx, (Vec<f64>, bool))| {
            thresholds_s.sort_by(f64::total_cmp);
            thresholds_s.dedup();
            Age {
                slot,
                thresholds_s,
                any_moment,
            }
        };
        Self {
            states: found.states.into_iter().collect(),
            targets: found.targets.into_iter().collect(),
            vars: found.vars.into_iter().collect(),
            devices: found.devices.into_iter().collect(),
            ages: found.ages.into_iter().map(age).collect(),
            now: found.now,
            sun: found.sun,
        }
    }

    /// Whether time alone can change the value, besides state that gets stale.
    #[must_use]
    pub fn on_time(&self) -> bool {
        self.now || self.sun || !self.ages.is_empty()
    }
}

#[derive(Default)]
struct Found {
    states: BTreeSet<SlotIx>,
    targets: BTreeSet<SlotIx>,
    vars: BTreeSet<VarIx>,
    devices: BTreeSet<DeviceIx>,
    ages: BTreeMap<SlotIx, (Vec<f64>, bool)>,
    now: bool,
    sun: bool,
}

impl Found {
    fn walk(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(_) | Expr::EventField(_) => {}
            Expr::State(slot) | Expr::Has(slot) => {
                self.states.insert(*slot);
            }
            Expr::Target(slot) => {
                self.targets.insert(*slot);
            }
            Expr::Var(var) => {
                self.vars.insert(*var);
            }
            Expr::Online(device) => {
                self.devices.insert(*device);
            }
            Expr::Sun(Sun::IsUp | Sun::IsDown | Sun::Elevation) => self.sun = true,
            Expr::Now(Now::Hour | Now::Minute | Now::Weekday | Now::Date) => self.now = true,
            Expr::Age(slot) => self.ages.entry(*slot).or_default().1 = true,
            Expr::Not(inner) | Expr::Neg(inner) | Expr::In(inner, _) => self.walk(inner),
            Expr::And(parts) | Expr::Or(parts) | Expr::Count(parts) => self.walk_all(parts),
            Expr::Call(Function::Between, parts) => self.between(parts),
            Expr::Call(_, parts) => self.walk_all(parts),
            Expr::Binary(operator, sides) => {
                let compares = operator.compare(0.0, 0.0).is_some();
                if !(compares
                    && (self.threshold(&sides.0, &sides.1) || self.threshold(&sides.1, &sides.0)))
                {
                    self.walk(&sides.0);
                    self.walk(&sides.1);
                }
            }
            Expr::If(parts) => {
                self.walk(&parts.0);
                self.walk(&parts.1);
                self.walk(&parts.2);
            }
        }
    }

    fn walk_all(&mut self, parts: &[Expr]) {
        for part in parts {
            self.walk(part);
        }
    }

    fn between(&mut self, parts: &[Expr]) {
        let done = matches!(parts, [age, low, high]
            if self.threshold(age, low) && self.threshold(age, high));
        if !done {
            self.walk_all(parts);
        }
    }

    /// Notes `age(..)` compared with a constant; false where it is something else.
    fn threshold(&mut self, age: &Expr, constant: &Expr) -> bool {
        let (Expr::Age(slot), Expr::Const(Value::Number(threshold_s))) = (age, constant) else {
            return false;
        };
        self.ages.entry(*slot).or_default().0.push(*threshold_s);
        true
    }
}

#[cfg(test)]
mod tests {
    use mapping::program::Binary;

    use super::*;

    fn compare(operator: Binary, left: Expr, right: f64) -> Expr {
        let right = Expr::Const(Value::Number(right));
        Expr::Binary(operator, Box::new((left, right)))
    }

    #[test]
    fn everything_that_is_read_is_found_once_and_in_order() {
        let expr = Expr::And(
            [
                compare(Binary::Lt, Expr::State(SlotIx(4)), 50.0),
                Expr::Not(Box::new(Expr::Has(SlotIx(2)))),
                Expr::Or([Expr::State(SlotIx(4)), Expr::Online(DeviceIx(1))].into()),
                Expr::In(Box::new(Expr::Var(VarIx(3))), [Value::Bool(true)].into()),
                Expr::Sun(Sun::IsDown),
                Expr::Target(SlotIx(9)),
            ]
            .into(),
        );
        let found = Dependencies::of(&expr);
        assert_eq!(found.states, [SlotIx(2), SlotIx(4)]);
        assert_eq!(found.targets, [SlotIx(9)]);
        assert_eq!(found.vars, [VarIx(3)]);
        assert_eq!(found.devices, [DeviceIx(1)]);
        assert!(found.sun && !found.now && found.on_time());
    }

    #[test]
    fn an_age_compared_with_constants_has_thresholds() {
        let slot = SlotIx(0);
        let expr = Expr::Or(
            [
                compare(Binary::Gt, Expr::Age(slot), 300.0),
                compare(Binary::Lt, Expr::Age(slot), 60.0),
                Expr::Call(
                    Function::Between,
                    [
                        Expr::Age(slot),
                        Expr::Const(Value::Number(60.0)),
                        Expr::Const(Value::Number(90.0)),
                    ]
                    .into(),
                ),
            ]
            .into(),
        );
        let age = |thresholds_s: &[f64], any_moment| Age {
            slot,
            thresholds_s: thresholds_s.to_vec(),
            any_moment,
        };
        assert_eq!(
            Dependencies::of(&expr).ages,
            [age(&[60.0, 90.0, 300.0], false)]
        );
        let free = Expr::Binary(Binary::Gt, Box::new((Expr::Age(slot), Expr::Var(VarIx(0)))));
        assert_eq!(Dependencies::of(&free).ages, [age(&[], true)]);
    }
}
