//! Triggers that are tables elsewhere.

use super::{SOME_CHANNEL, conditions, first_text, has_any, often, span, text};
use crate::{
    program::Program,
    read::{Node, Table},
    report::Report,
    units,
};

/// What to write for a table in `when` that is none of ours.
pub(crate) fn trigger(program: &Program, table: &Table<'_>) -> Option<String> {
    let kind = first_text(table, &["platform", "trigger", "type"]).unwrap_or_default();
    if kind == "sun" || has_any(table, &["sunset", "sunrise"]) {
        return Some(sun(table));
    }
    let is_pattern = kind == "time_pattern";
    if is_pattern || has_any(table, &["minutes", "hours", "every", "interval"]) {
        return Some(often::table(table, is_pattern));
    }
    if kind == "mqtt" || has_any(table, &["topic", "mqtt"]) {
        let topic = first_text(table, &["topic", "mqtt"]).unwrap_or("some/topic");
        return Some(format!(
            "what comes on a topic is an event of a device: mqtt = {{ event = \"{topic}\" }} below its [device.NAME], and here \"NAME.CHANNEL.EVENT\""
        ));
    }
    if matches!(kind, "homeassistant" | "startup") || has_any(table, &["homeassistant", "startup"])
    {
        return Some(super::texts::AT_A_START.to_owned());
    }
    if let Some(event) = text(table, "event") {
        return Some(event_of(program, table, event));
    }
    let held = ["if", "when", "value_template"];
    if let Some(node) = held.iter().find_map(|key| table.field(key)) {
        let condition = conditions::condition(program, node)?;
        return Some(format!("write {}", holds(&condition, table)));
    }
    let condition = conditions::of_trigger(program, table)?;
    Some(format!("write {}", holds(&condition, table)))
}

/// What to write for the `days` of a trigger with `sun`; `None`: nobody knows which are meant.
pub(crate) fn days_of_sun(days: Node<'_>) -> Option<String> {
    let days = units::days(days, &mut Report::default())?;
    let days = (1..=7).filter(|day| days.contains(*day));
    let days: Vec<String> = days.map(|day| day.to_string()).collect();
    Some(format!(
        "the sun knows no weekdays: write if = \"now.weekday in [{}]\" beside `when`, where 1 is Monday",
        days.join(", ")
    ))
}

/// `{ holds = ".." }`, with the time that stands in `table`.
fn holds(condition: &str, table: &Table<'_>) -> String {
    let time = table.field("for").and_then(|node: Node<'_>| span(node));
    let time = time.map_or(String::new(), |time| format!(", for = \"{time}\""));
    format!("{{ holds = \"{condition}\"{time} }}")
}

/// `{ event = "press", on = "hall.button" }`, or an event alone.
fn event_of(program: &Program, table: &Table<'_>, event: &str) -> String {
    let source = first_text(table, &["on", "device", "channel", "entity_id", "source"]);
    let whole = match source {
        Some(_) if !event.contains('.') => format!("{}.{event}", super::path(program, source)),
        _ if event.contains('.') => event.to_owned(),
        _ => format!("{SOME_CHANNEL}.{event}"),
    };
    let condition = ["if", "condition"].iter().find_map(|key| table.field(key));
    let condition = condition.and_then(|node| conditions::condition(program, node));
    let beside = condition.map_or(String::new(), |condition| {
        format!(", and beside it if = \"{condition}\"")
    });
    let after = table.field("for").and_then(span).map_or(String::new(), |time| {
        format!("; what is to come {time} after it begins with {{ start = \"TIMER\", for = \"{time}\" }}, what stays so for {time} is {{ holds = \"..\", for = \"{time}\" }}")
    });
    format!("an event stands for itself: when = \"{whole}\"{beside}{after}")
}

fn sun(table: &Table<'_>) -> String {
    let event = first_text(table, &["event"]).unwrap_or("sunset");
    let offset = table.field("offset").and_then(span);
    let offset = offset.map_or(String::new(), |offset| format!(", offset = \"{offset}\""));
    format!("write {{ sun = \"{event}\"{offset} }}")
}
