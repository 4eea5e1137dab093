//! Chords whose keys have rules of their own.
//!
//! Called by [`super::all`].

use std::collections::BTreeMap;

use types::Value;

use crate::{
    diagnostic::Diagnostic,
    program::{Binary, EventIx, Expr, Program, Rule, RuleIx, Trigger},
    rules::Meta,
};

/// A chord whose keys also fire rules of their own, at once.
pub(super) fn chords(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let mut by_event: BTreeMap<EventIx, Vec<RuleIx>> = BTreeMap::new();
    let mut chords = Vec::new();
    for (at, rule) in program
        .rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| rule.enabled)
    {
        for (place, trigger) in rule.triggers.iter().enumerate() {
            match trigger {
                Trigger::Chord {
                    event,
                    field,
                    values,
                    ..
                } => chords.push((at, place, *event, *field, values)),
                Trigger::Event { event, .. } => {
                    by_event.entry(*event).or_default().push(RuleIx(at as u32));
                }
                _ => {}
            }
        }
    }
    for (at, place, event, field, values) in chords {
        let meta = &metas[at];
        if meta.allow.contains(&"chord-repeats-press") {
            continue;
        }
        let repeated = by_event.get(&event).and_then(|rules| {
            let mut rules = rules.iter();
            rules.find(|ix| {
                let mut values = values.iter();
                values.any(|value| may_fire(&program[**ix], event, field, value))
            })
        });
        if let Some(rule) = repeated {
            let span = meta.triggers[place].clone();
            let name = &program[*rule].name;
            let message = format!("the keys of this chord also fire the rule `{name}`");
            found.push(
                Diagnostic::warning("chord-repeats-press", span, message)
                    .label("each key fires its own rules at once")
                    .also(metas[rule.index()].name.clone(), "this rule")
                    .help("if that is meant, say allow = [\"chord-repeats-press\"]"),
            );
        }
    }
}

/// Whether a rule on `event` may fire where the event's `field` is `value`; in doubt it may.
fn may_fire(rule: &Rule, event: EventIx, field: u8, value: &Value) -> bool {
    let Some(condition) = &rule.condition else {
        return true;
    };
    let fields = rule.triggers.iter().find_map(|trigger| match trigger {
        Trigger::Event {
            event: other,
            fields,
        } if *other == event => Some(fields),
        _ => None,
    });
    let read = fields.and_then(|fields| fields.iter().position(|at| *at == field));
    let Some(read) = read else {
        return true;
    };
    let parts = match &condition.expr {
        Expr::And(parts) => parts,
        other => std::slice::from_ref(other),
    };
    parts.iter().all(|part| allows(part, read as u8, value))
}

/// Whether a conjunct lets `value` of the event field `read` pass; in doubt it does.
fn allows(part: &Expr, read: u8, value: &Value) -> bool {
    match part {
        Expr::In(inner, values) if **inner == Expr::EventField(read) => values.contains(value),
        Expr::Binary(operator, sides) => {
            let constant = match (&sides.0, &sides.1) {
                (Expr::EventField(field), Expr::Const(constant)) if *field == read => constant,
                _ => return true,
            };
            match (operator, value.as_number(), constant.as_number()) {
                (Binary::Eq, ..) => value == constant,
                (Binary::Ne, ..) => value != constant,
                (Binary::Lt, Some(value), Some(bound)) => value < bound,
                (Binary::Le, Some(value), Some(bound)) => value <= bound,
                (Binary::Gt, Some(value), Some(bound)) => value > bound,
                (Binary::Ge, Some(value), Some(bound)) => value >= bound,
                _ => true,
            }
        }
        _ => true,
    }
}
