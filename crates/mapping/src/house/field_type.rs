//! What a field of an own kind holds: `"bool"`, `["open", "closed"]`, `{ kind = "int", min = 0, max = 9 }`.
//!
//! Called by the reader of `[kind.K]`. Must not know what the field is for.

use std::sync::Arc;

use types::{Type, Value};

use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::{ARGUMENT, FIELD},
    read::{Node, Table},
    report::Report,
};

const WORDS: &[&str] = &["bool", "int", "number", "text"];

/// Largest whole number that an `f64` holds exactly.
const INT_MAX: f64 = 9_007_199_254_740_991.0;

/// Most names that an enum has.
const NAMES_MAX: usize = 64;

/// A type, and the value of its `default` where `with_default` lets it have one; anything else is reported.
/// `what` names the field.
pub(super) fn read(
    report: &mut Report,
    node: Node<'_>,
    what: &str,
    with_default: bool,
) -> Option<(Type, Option<Value>)> {
    if node.as_text().is_some() {
        let word = node.word(report, &format!("the type of {what}"), WORDS)?;
        return Some((unbounded(word), None));
    }
    if node.as_list().is_some() {
        return Some((names(report, node)?, None));
    }
    let Some(table) = node.as_table() else {
        node.complain(
            report,
            what,
            "a type: \"bool\", \"int\", \"number\", \"text\", a list of names, or a table",
        );
        return None;
    };
    let keys = if with_default { &ARGUMENT } else { &FIELD };
    table.reject_unknown(report, keys.what, keys.names);
    let word = match (table.field("kind"), table.field("values")) {
        (None, Some(_)) => "text",
        _ => table
            .required(report, what, "kind", keys.names)?
            .word(report, "`kind`", WORDS)?,
    };
    let ty = bounded(report, &table, word)?;
    let default = match table.field("default").filter(|_| with_default) {
        Some(node) => Some(constant::read(report, node, &ty, "`default`")?),
        None => None,
    };
    Some((ty, default))
}

fn unbounded(word: &str) -> Type {
    match word {
        "bool" => Type::Bool,
        "int" => Type::Int {
            min: -INT_MAX,
            max: INT_MAX,
        },
        "number" => Type::Number {
            min: f64::NEG_INFINITY,
            max: f64::INFINITY,
        },
        _ => Type::Text,
    }
}

/// The type that `kind`, `min`, `max` and `values` say together.
fn bounded(report: &mut Report, table: &Table<'_>, word: &str) -> Option<Type> {
    let fits = |key: &str| match key {
        "values" => word == "text",
        _ => matches!(word, "int" | "number"),
    };
    for key in ["min", "max", "values"] {
        if !fits(key) && table.field(key).is_some() {
            let message = format!("`{key}` does not go with kind = \"{word}\"");
            let error = Diagnostic::error("conflicting-keys", table.key_span(key), message);
            report.push(error.help("`min` and `max` are for int and number, `values` for text"));
            return None;
        }
    }
    if let Some(node) = table.field("values") {
        return names(report, node);
    }
    let mut bound = |key: &str, default: f64| match table.field(key) {
        Some(node) if word == "int" => {
            let whole = node.whole(report, &format!("`{key}`"), -INT_MAX as i64, INT_MAX as i64);
            whole.map(|whole| whole as f64)
        }
        Some(node) => node.number(report, &format!("`{key}`")),
        None => Some(default),
    };
    let (min, max) = match unbounded(word) {
        Type::Int { min, max } | Type::Number { min, max } => {
            (bound("min", min)?, bound("max", max)?)
        }
        other => return Some(other),
    };
    if min > max {
        let message = format!("`min` is larger than `max`: {min} > {max}");
        report.push(Diagnostic::error(
            "out-of-range",
            table.key_span("min"),
            message,
        ));
        return None;
    }
    Some(match word {
        "int" => Type::Int { min, max },
        _ => Type::Number { min, max },
    })
}

/// `["open", "closed"]`.
fn names(report: &mut Report, node: Node<'_>) -> Option<Type> {
    let list = node.list(report, "`values`")?;
    let mut names: Vec<Arc<str>> = Vec::with_capacity(list.len());
    for node in &list {
        let text = node.text(report, "a name")?;
        if names.iter().any(|name| **name == *text.text) {
            let message = format!("\"{}\" stands here twice", text.text);
            report.push(
                Diagnostic::error("duplicate-name", text.span(), message).help("once is enough"),
            );
            return None;
        }
        names.push(text.text.into());
    }
    let wrong = names
        .iter()
        .find(|name| name.is_empty() || name.len() > Type::TEXT_BYTES_MAX);
    if names.is_empty() || names.len() > NAMES_MAX || wrong.is_some() {
        let message = format!("an enum has 1 to {NAMES_MAX} names, none of them empty");
        report.push(
            Diagnostic::error("out-of-range", node.span(), message)
                .help("write for example [\"open\", \"closed\"]"),
        );
        return None;
    }
    Some(Type::Enum(names.into()))
}
