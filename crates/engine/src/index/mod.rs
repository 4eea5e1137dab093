//! Matching that stays sub-linear in the number of rules: an event and its fields -> the rules whose
//! condition can be true.
//!
//! Called by the engine for each event. Must not evaluate conditions: what it returns is a superset of
//! the rules that fire, in file order. Rules that are disabled are left out.

use mapping::program::{EventIx, Program, RuleIx};
use types::Value;

/// The table of one program.
#[derive(Debug, Default)]
pub struct Index {}

impl Index {
    /// Builds the table.
    #[must_use]
    pub fn new(_program: &Program) -> Self {
        Self::default()
    }

    /// Appends to `out` each rule that `event` with `fields` may fire, in file order, with the place of
    /// the trigger in [`mapping::program::Rule::triggers`]. A rule appears once, also where two of its
    /// triggers name the event. `fields` are complete and in declared order.
    pub fn candidates(&self, _event: EventIx, _fields: &[Value], _out: &mut Vec<(RuleIx, u32)>) {}
}
