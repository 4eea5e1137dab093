//! The conditions that a rule waits for, apart from its `if`. A rule may have several.

use std::time::Duration;

use mapping::{
    Program,
    program::{Condition, RuleIx, Succession, Trigger},
};

/// One `holds`: the rule, and its place among the rule's triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) rule: RuleIx,
    pub(crate) place: u32,
}

impl Hold {
    /// Its condition, and for how long that must hold.
    pub(crate) fn of(self, program: &Program) -> Option<(&Condition, Duration)> {
        match program[self.rule].triggers.get(self.place as usize)? {
            Trigger::Holds { condition, hold } => Some((condition, *hold)),
            _ => None,
        }
    }

    /// The same one among those of `rule` of `other`, a mapping before or after `program`: what asks for the same there, else the
    /// only one, else the one with as many before it.
    pub(crate) fn in_other(
        self,
        program: &Program,
        (other, rule): (&Program, RuleIx),
    ) -> Option<Self> {
        if program.hash == other.hash {
            return Some(self);
        }
        let (condition, _) = self.of(program)?;
        let there = places(other, rule);
        let succession = Succession::new(program, other);
        let is_same = |place: &u32| {
            let hold = Self {
                rule,
                place: *place,
            };
            let there = hold.of(other);
            there.is_some_and(|(there, _)| succession.is_same_condition(condition, there))
        };
        let here = places(program, self.rule);
        let before = here.iter().position(|place| *place == self.place)?;
        let same = there.iter().copied().find(is_same);
        let place = match (same, there.as_slice()) {
            (Some(place), _) => place,
            (None, [only]) if here.len() == 1 => *only,
            (None, _) => *there.get(before)?,
        };
        Some(Self { rule, place })
    }
}

/// The places of all `holds` of a rule.
pub(crate) fn places(program: &Program, rule: RuleIx) -> Vec<u32> {
    let triggers = (0..).zip(&program[rule].triggers);
    let holds = triggers.filter(|(_, trigger)| matches!(trigger, Trigger::Holds { .. }));
    holds.map(|(place, _)| place).collect()
}
