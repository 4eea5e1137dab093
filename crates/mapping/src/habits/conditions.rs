//! Conditions that are tables elsewhere, as the expressions that they are here.

use super::{first_text, is_between, is_state, scalar, text, without_template};
use crate::{
    program::Program,
    read::{Node, Table},
};

/// The expression that a condition of Home Assistant means: a table, a template, or a list of these, which all must hold.
pub(crate) fn condition(program: &Program, node: Node<'_>) -> Option<String> {
    if let Some(text) = node.as_text() {
        return Some(without_template(text.text).unwrap_or(text.text).to_owned());
    }
    if let Some(list) = node.as_list() {
        return joined(program, &list, "&&");
    }
    of_table(program, &node.as_table()?)
}

fn joined(program: &Program, list: &[Node<'_>], sign: &str) -> Option<String> {
    let binds_less = |text: &str| text.contains("||") || text.contains('?');
    let part = |node: &Node<'_>| {
        let text = condition(program, *node)?;
        let is_loose =
            list.len() > 1 && (binds_less(&text) || (sign == "||" && text.contains("&&")));
        Some(if is_loose { format!("({text})") } else { text })
    };
    let parts: Option<Vec<String>> = list.iter().map(part).collect();
    parts
        .filter(|parts| !parts.is_empty())
        .map(|parts| parts.join(&format!(" {sign} ")))
}

fn of_table(program: &Program, table: &Table<'_>) -> Option<String> {
    for (word, sign) in [("and", "&&"), ("or", "||"), ("not", "||")] {
        let named = text(table, "condition") == Some(word);
        let node = table
            .field(word)
            .or_else(|| table.field("conditions").filter(|_| named));
        if let Some(node) = node {
            let all = joined(program, &node.one_or_more(), sign)?;
            return Some(if word == "not" {
                format!("!({all})")
            } else {
                all
            });
        }
    }
    let kind = first_text(table, &["condition", "platform"]).unwrap_or_default();
    match kind {
        "template" => {
            let template = first_text(table, &["value_template", "template"])?;
            Some(without_template(template).unwrap_or(template).to_owned())
        }
        "sun" => Some(match text(table, "after") {
            Some("sunset") => "sun.is_down".to_owned(),
            Some("sunrise") => "sun.is_up".to_owned(),
            _ if text(table, "before") == Some("sunrise") => "sun.is_down".to_owned(),
            _ => "sun.is_up".to_owned(),
        }),
        "time" => time(table),
        _ => state(program, table),
    }
}

/// `{ state = "hall.lamp", is = "on" }`, `{ entity_id = "light.hall", state = "on" }` and the like.
fn state(program: &Program, table: &Table<'_>) -> Option<String> {
    let entity = first_text(table, &["entity_id", "numeric_state", "item", "state"])?;
    if let Some(between) = is_between(program, table, Some(entity)) {
        return Some(between);
    }
    let values = ["to", "is", "equals", "value", "state"];
    let mut values = values.iter().filter_map(|key| scalar(table.field(key)?));
    let value = values.find(|value| *value != entity)?;
    Some(is_state(program, Some(entity), value))
}

/// `{ condition = "time", after = "22:00:00", before = "06:00:00" }`.
fn time(table: &Table<'_>) -> Option<String> {
    let minutes = |key: &str| {
        let mut parts = text(table, key)?.split(':').map(str::parse::<u32>);
        let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
        Some(hour * 60 + minute)
    };
    let now = "now.hour * 60 + now.minute";
    match (minutes("after"), minutes("before")) {
        (Some(after), Some(before)) if after > before => {
            Some(format!("{now} >= {after} || {now} < {before}"))
        }
        (Some(after), Some(before)) => Some(format!("{now} >= {after} && {now} < {before}")),
        (Some(after), None) => Some(format!("{now} >= {after}")),
        (None, Some(before)) => Some(format!("{now} < {before}")),
        (None, None) => None,
    }
}

/// The condition of a trigger that waits for a state.
pub(super) fn of_trigger(program: &Program, table: &Table<'_>) -> Option<String> {
    let keys = [
        "entity_id",
        "numeric_state",
        "item",
        "thing",
        "state",
        "channel",
    ];
    let entity = first_text(table, &keys)?;
    if let Some(between) = is_between(program, table, Some(entity)) {
        return Some(between);
    }
    let values = ["to", "is", "equals", "value", "command", "state"];
    let mut values = values.iter().filter_map(|key| scalar(table.field(key)?));
    Some(match values.find(|value| *value != entity) {
        Some(value) => is_state(program, Some(entity), value),
        None => super::state(program, Some(entity)).0,
    })
}
