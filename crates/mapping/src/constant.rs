//! Constants of a TOML file, checked against the type of the field they are written to.
//!
//! Used by scenes, variables, actions, chords and house tests.

use types::{Refusal, Type, Value};

use crate::{
    diagnostic::Diagnostic,
    habits,
    program::{Program, SlotIx},
    read::{Node, did_you_mean},
    report::Report,
};

/// Reads a constant of type `ty`; anything else is reported. `what` names the field.
pub(crate) fn read(report: &mut Report, node: Node<'_>, ty: &Type, what: &str) -> Option<Value> {
    let text = node.as_text();
    let value = match (node.as_bool(), node.as_number(), &text) {
        (Some(value), _, _) => Value::Bool(value),
        (None, Some(value), _) => Value::Number(value),
        (None, None, Some(text)) => Value::Text(text.text.into()),
        _ => {
            node.complain(report, what, &expected(ty));
            return None;
        }
    };
    let refusal = match ty.check(&value) {
        Ok(()) => return Some(value),
        Err(refusal) => refusal,
    };
    let place = node.span();
    report.push(match refusal {
        Refusal::Name { value, expected } => {
            let names: Vec<&str> = expected.iter().map(|name| &**name).collect();
            let message = format!("{what} can't be '{value}'");
            let error = Diagnostic::error("unknown-enum-name", place, message)
                .label(format!("expected {}", crate::read::one_of(&names)));
            match &*value {
                "unknown" | "unavailable" => {
                    error.help("what was never reported has no value; what it is then, `has(..)` tells a condition")
                }
                value => match habits::value(value) {
                    Some(help) => error.help(help),
                    None => did_you_mean(error, value, names),
                },
            }
        }
        Refusal::Type { .. } => {
            let message = format!("{what} must be {}", expected(ty));
            let error = Diagnostic::error("type-mismatch", place, message)
                .label(format!("this is {}", a(value.type_name())));
            match (&text, ty) {
                (Some(text), Type::Bool) if matches!(text.text, "true" | "false") => {
                    error.help(format!("write {} without quotes", text.text))
                }
                (Some(_), Type::Bool) if node.meant_truth().is_some() => {
                    error.help(format!("write {}", node.meant_truth() == Some(true)))
                }
                (Some(text), Type::Int { .. } | Type::Number { .. })
                    if text.text.parse::<f64>().is_ok() =>
                {
                    error.help(format!("write {} without quotes", text.text))
                }
                (Some(text), Type::Int { .. } | Type::Number { .. })
                    if percent(text.text).is_some() =>
                {
                    error.help(format!("write {}", percent(text.text).unwrap_or_default()))
                }
                (Some(text), _) if habits::value(text.text).is_some() => {
                    error.help(habits::value(text.text).unwrap_or_default())
                }
                (Some(text), _) if text.text.contains("event.") || text.text.contains("state.") => {
                    error.help(format!("to compute it write \"${{{}}}\"", text.text))
                }
                _ => error,
            }
        }
        Refusal::Range { value, .. } => {
            let message = format!("{what} must be {}", expected(ty));
            Diagnostic::error("out-of-range", place, message).label(format!("is {value}"))
        }
        other => Diagnostic::error("out-of-range", place, format!("{what} {other}")),
    });
    None
}

/// `50` of `50%`.
fn percent(text: &str) -> Option<&str> {
    let number = text.strip_suffix('%')?.trim();
    number.parse::<f64>().is_ok().then_some(number)
}

/// What a field takes, in words: "a whole number from 1 to 100".
#[must_use]
pub fn expected(ty: &Type) -> String {
    let range = |min: f64, max: f64| match (min.is_finite(), max.is_finite()) {
        (true, true) => format!(" from {min} to {max}"),
        (true, false) => format!(" from {min}"),
        (false, true) => format!(" up to {max}"),
        (false, false) => String::new(),
    };
    match ty {
        Type::Bool => "true or false".to_owned(),
        Type::Int { min, max } => format!("a whole number{}", range(*min, *max)),
        Type::Number { min, max } => format!("a number{}", range(*min, *max)),
        Type::Text => "a text".to_owned(),
        Type::Enum(names) => {
            let names: Vec<&str> = names.iter().map(|name| &**name).collect();
            crate::read::one_of(&names)
        }
    }
}

/// A value of this type as it is written, for help.
pub(crate) fn example(ty: &Type) -> String {
    match ty {
        Type::Bool => "true".to_owned(),
        Type::Text => "\"..\"".to_owned(),
        Type::Enum(names) => format!("\"{}\"", names.first().map_or("..", |name| name)),
        Type::Int { min, max } | Type::Number { min, max } => {
            format!("{}", 60.0_f64.clamp(*min, max.max(*min)))
        }
    }
}

fn a(type_name: &str) -> String {
    match type_name {
        "bool" => "true or false".to_owned(),
        other => format!("a {other}"),
    }
}

/// What can be written to a field: its type, and for a brightness also 0, which switches off.
pub(crate) fn writable(program: &Program, slot: SlotIx) -> Type {
    let row = &program[slot];
    match row.ty {
        Type::Int { max, .. } if program.is_brightness(slot) => Type::Int { min: 0.0, max },
        _ => row.ty.clone(),
    }
}
