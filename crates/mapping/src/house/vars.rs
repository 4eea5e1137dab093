//! `[var]`: what the house remembers.

use std::sync::Arc;

use types::{Type, Value};

use super::House;
use crate::{
    constant,
    diagnostic::Diagnostic,
    grammar::VAR,
    index::Symbol,
    lint,
    names::{self, Letters},
    program::{Var, VarIx},
    read::{Key, Node, Table},
    report::Report,
};

const KINDS: &[&str] = &["bool", "number", "text"];

/// Reads all variables.
pub(super) fn read_all(house: &mut House<'_>, vars: &[(Key<'_>, Node<'_>)]) {
    for (key, node) in vars {
        names::check(&mut house.report, key, "variable", Letters::Expression);
        let name: Arc<str> = key.name.into();
        house
            .report
            .declare(|| (key.span.clone(), Symbol::Var(name.clone())));
        if let Some(place) = house.var_places.get(&name) {
            let message = format!("the variable `{name}` is declared twice");
            house.report.push(
                Diagnostic::error("duplicate-name", key.span.clone(), message)
                    .label("again")
                    .also(place.clone(), "first here"),
            );
            continue;
        }
        house.var_places.insert(name.clone(), key.span.clone());
        if let Some(table) = node.as_table() {
            let allowed = lint::allowed(&mut house.report, &table);
            if !allowed.is_empty() {
                house.var_allows.insert(name.clone(), allowed);
            }
        }
        let Some(var) = read(&mut house.report, &name, *node) else {
            house.report.declare_broken(format!("var.{name}"));
            continue;
        };
        let ix = VarIx(house.program.vars.len() as u32);
        house.program.vars.push(var);
        house.program.names.vars.insert(name, ix);
    }
}

fn read(report: &mut Report, name: &Arc<str>, node: Node<'_>) -> Option<Var> {
    let what = format!("variable `{name}`");
    let table = node.table_or(report, &what, in_full)?;
    table.reject_unknown(report, &what, VAR.names);
    let kind = table
        .required(report, &what, "kind", VAR.names)?
        .word(report, "`kind`", KINDS)?;
    let ty = ty(report, &table, kind)?;
    let start = table
        .field("start")
        .and_then(|node| constant::read(report, node, &ty, "`start`"));
    let keep = table
        .field("keep")
        .and_then(|node| node.boolean(report, "`keep`"));
    Some(Var {
        name: name.clone(),
        start: start.unwrap_or_else(|| smallest(&ty)),
        ty,
        keep: keep.unwrap_or(false),
    })
}

/// The table that somebody means by `night = true`, `level = 5` or `mood = "text"`.
fn in_full(node: &Node<'_>) -> Option<String> {
    let kind = match (node.as_text(), node.as_bool(), node.as_number()) {
        (Some(text), ..) if KINDS.contains(&text.text) => {
            return Some(format!("{{ kind = \"{}\" }}", text.text));
        }
        (Some(_), ..) => "text",
        (_, Some(_), _) => "bool",
        (.., Some(_)) => "number",
        _ => return None,
    };
    let start = node.written();
    Some(format!("{{ kind = \"{kind}\", start = {start} }}"))
}

/// The type that `kind`, `min`, `max` and `values` say.
fn ty(report: &mut Report, table: &Table<'_>, kind: &str) -> Option<Type> {
    for (key, owner) in [("min", "number"), ("max", "number"), ("values", "text")] {
        if kind != owner && table.field(key).is_some() {
            let message = format!("`{key}` belongs to a {owner}, this variable is a {kind}");
            report.push(Diagnostic::error(
                "conflicting-keys",
                table.key_span(key),
                message,
            ));
        }
    }
    match kind {
        "bool" => Some(Type::Bool),
        "number" => {
            let mut bound = |key: &str| {
                let node = table.field(key)?;
                node.number(report, &format!("`{key}`"))
            };
            let min = bound("min").unwrap_or(f64::NEG_INFINITY);
            let max = bound("max").unwrap_or(f64::INFINITY);
            if min > max {
                let message = format!("`min` is larger than `max`: {min} > {max}");
                report.push(Diagnostic::error(
                    "out-of-range",
                    table.key_span("min"),
                    message,
                ));
                return None;
            }
            Some(Type::Number { min, max })
        }
        _ => {
            let Some(node) = table.field("values") else {
                return Some(Type::Text);
            };
            let list = node.list(report, "`values`")?;
            let names: Vec<Arc<str>> = list
                .iter()
                .filter_map(|node| Some(node.text(report, "a value")?.text.into()))
                .collect();
            if names.is_empty() {
                let message = "`values` must name at least one value";
                report.push(Diagnostic::error("out-of-range", node.span(), message));
                return None;
            }
            Some(Type::Enum(names.into()))
        }
    }
}

/// Where a variable without `start` begins.
fn smallest(ty: &Type) -> Value {
    match ty {
        Type::Bool => Value::Bool(false),
        Type::Int { min, max } | Type::Number { min, max } => {
            Value::Number(0.0_f64.clamp(*min, *max))
        }
        Type::Text => Value::Text("".into()),
        Type::Enum(names) => Value::Text(names.first().cloned().unwrap_or_else(|| "".into())),
    }
}
