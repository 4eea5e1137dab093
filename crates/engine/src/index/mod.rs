//! Matching that stays sub-linear in the number of rules: an event and its fields -> the rules whose
//! condition can be true.
//!
//! Called by the engine for each event. Must not evaluate conditions: what it returns is a superset of
//! the rules that fire, in file order. Rules that are disabled are left out.

mod constraint;
mod interval;
#[doc(hidden)]
pub mod naive;
mod numbers;
mod table;

#[cfg(test)]
mod tests;

use mapping::program::{EventIx, Program, Rule, RuleIx, Trigger};
use types::{Type, Value};

use constraint::Allowed;
use table::{Entry, Table};

/// A rule and the place of the trigger that the event is.
type Hit = (RuleIx, u32);

/// The table of one program.
#[derive(Debug, Default)]
pub struct Index {
    /// By event; empty where no rule waits for it.
    events: Box<[Table]>,
}

impl Index {
    /// Builds the table.
    #[must_use]
    pub fn new(program: &Program) -> Self {
        let mut waiting: Vec<Vec<Hit>> = vec![Vec::new(); program.events.len()];
        let rules = RuleIx::all(program.rules.len()).zip(&program.rules);
        for (rule_ix, rule) in rules.filter(|(_, rule)| rule.enabled) {
            for (place, trigger) in rule.triggers.iter().enumerate() {
                let Trigger::Event { event, .. } = trigger else {
                    continue;
                };
                let list = &mut waiting[event.index()];
                if list.last().is_none_or(|(last, _)| *last != rule_ix) {
                    list.push((rule_ix, place as u32));
                }
            }
        }
        let events = EventIx::all(program.events.len()).zip(waiting);
        Self {
            events: events
                .map(|(event, hits)| table(program, event, hits))
                .collect(),
        }
    }

    /// Appends to `out` each rule that `event` with `fields` may fire, in file order, with the place of
    /// the trigger in [`mapping::program::Rule::triggers`]. A rule appears once, also where two of its
    /// triggers name the event. `fields` are complete and in declared order.
    pub fn candidates(&self, event: EventIx, fields: &[Value], out: &mut Vec<(RuleIx, u32)>) {
        if let Some(table) = self.events.get(event.index()) {
            table.candidates(fields, out);
        }
    }
}

fn table(program: &Program, event: EventIx, hits: Vec<Hit>) -> Table {
    let types: Vec<&Type> = program[event]
        .fields
        .iter()
        .map(|field| &field.ty)
        .collect();
    let entry = |hit: Hit| {
        let mut demands = demands(&program[hit.0], hit.1);
        demands.retain(|(field, _)| usize::from(*field) < types.len());
        Entry { hit, demands }
    };
    Table::new(hits.into_iter().map(entry).collect(), &types)
}

/// What a rule's condition demands of the fields of the event at its trigger `place`.
fn demands(rule: &Rule, place: u32) -> Vec<(u8, Allowed)> {
    let (Some(condition), Some(Trigger::Event { fields, .. })) =
        (&rule.condition, rule.triggers.get(place as usize))
    else {
        return Vec::new();
    };
    let in_event =
        |(field, allowed): (u8, Allowed)| Some((*fields.get(usize::from(field))?, allowed));
    let demands = constraint::demands(&condition.expr);
    demands.into_iter().filter_map(in_event).collect()
}
