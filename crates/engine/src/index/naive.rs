//! The linear scan that the index must agree with: looks at every trigger of every rule.
//!
//! Called by tests and benches as their oracle, never by the engine.

use mapping::program::{EventIx, Program, RuleIx, Trigger};

/// Appends each enabled rule that `event` triggers, in file order, with the place of its first such
/// trigger. Conditions are not looked at.
pub fn candidates(program: &Program, event: EventIx, out: &mut Vec<(RuleIx, u32)>) {
    for (rule_ix, rule) in RuleIx::all(program.rules.len()).zip(&program.rules) {
        if !rule.enabled {
            continue;
        }
        let place = rule.triggers.iter().position(
            |trigger| matches!(trigger, Trigger::Event { event: on, .. } if *on == event),
        );
        out.extend(place.map(|place| (rule_ix, place as u32)));
    }
}
