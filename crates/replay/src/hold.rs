//! The condition that a rule waits for, apart from its `if`.

use std::time::Duration;

use mapping::{
    Program,
    program::{Condition, RuleIx, Trigger},
};

/// The `holds` of a rule, and for how long it must hold.
pub(crate) fn hold_of(program: &Program, rule: RuleIx) -> Option<(&Condition, Duration)> {
    program[rule]
        .triggers
        .iter()
        .find_map(|trigger| match trigger {
            Trigger::Holds { condition, hold } => Some((&**condition, *hold)),
            _ => None,
        })
}
