//! `mqtt = { .. }`: a device with topics and payloads of its own.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    diagnostic::Diagnostic,
    grammar::MQTT,
    kinds::Kind,
    names::{self, Letters},
    program::{Codec, Foreign},
    read::{Node, Table, did_you_mean},
    report::Report,
};

/// Gestures that a foreign button may report ready-made.
const READY_GESTURES: [&str; 4] = ["click", "double", "triple", "long"];

/// Longest topic in bytes that MQTT carries.
const TOPIC_BYTES_MAX: usize = 65_535;

/// Reads a foreign device's topics.
pub(super) fn read(report: &mut Report, node: Node<'_>) -> Foreign {
    let Some(table) = node.table(report, "`mqtt`") else {
        return Foreign::default();
    };
    table.reject_unknown(report, MQTT.what, MQTT.names);
    for key in ["preset", "name"] {
        if table.field(key).is_some() {
            let message = format!("`{key}` is part of the language but not in this version");
            report.push(
                Diagnostic::error("not-yet", table.key_span(key), message)
                    .help("write the full topics: state, target, event, availability"),
            );
        }
    }
    if MQTT.names.iter().all(|key| table.field(key).is_none()) {
        let error = Diagnostic::error("missing-key", table.span.clone(), "`mqtt` names no topic");
        report.push(error.help("write at least one of state, target, event"));
    }
    Foreign {
        state: topic(report, &table, "state"),
        target: topic(report, &table, "target"),
        event: topic(report, &table, "event"),
        availability: topic(report, &table, "availability"),
    }
}

fn topic(report: &mut Report, table: &Table<'_>, key: &str) -> Option<Arc<str>> {
    let text = table.field(key)?.text(report, &format!("`{key}`"))?;
    let topic = text.text;
    let wrong = if topic.is_empty() {
        Some("a topic can't be empty")
    } else if topic.contains(['+', '#']) {
        Some("a device's topic can't hold the wildcards + and #")
    } else if topic.contains('\0') || topic.len() > TOPIC_BYTES_MAX {
        Some("MQTT can't carry this topic")
    } else if topic.starts_with('$') || topic.starts_with("iot/") || topic.starts_with("ic1/") {
        Some("topics below `iot/`, `ic1/` and `$` belong to the dispatcher")
    } else {
        None
    };
    match wrong {
        Some(message) => {
            report.push(Diagnostic::error("bad-topic", text.span(), message));
            None
        }
        None => Some(topic.into()),
    }
}

/// Reads how the payloads of a foreign channel read.
pub(super) fn codec(report: &mut Report, table: &Table<'_>, kind: &Kind) -> Codec {
    let word = |report: &mut Report, key: &str| {
        let node = table.field(key)?;
        node.text(report, &format!("`{key}`"))
            .map(|text| Arc::from(text.text))
    };
    Codec {
        from: word(report, "from"),
        on: word(report, "on"),
        off: word(report, "off"),
        event_from: word(report, "event_from"),
        events: event_words(report, table, kind),
    }
}

/// Reads `events = { its word = "ours" }` into ours -> its word.
fn event_words(
    report: &mut Report,
    table: &Table<'_>,
    kind: &Kind,
) -> BTreeMap<Arc<str>, Arc<str>> {
    let mut words: BTreeMap<Arc<str>, Arc<str>> = BTreeMap::new();
    let entries = table
        .field("events")
        .and_then(|node| node.table(report, "`events`"))
        .map(|events| events.entries())
        .unwrap_or_default();
    for (theirs, node) in entries {
        let Some(ours) = node.text(report, "our name of the event") else {
            continue;
        };
        let kinds_own = kind.events.iter().map(|event| &*event.name);
        let gestures = READY_GESTURES.into_iter().filter(|_| kind.has_gestures());
        let mut known = kinds_own.chain(gestures);
        if !known.clone().any(|name| name == ours.text) {
            let message = format!(
                "{} has no event `{}`",
                Kind::with_article(&kind.name),
                ours.text
            );
            let error = Diagnostic::error("unknown-event", ours.span(), message);
            let error = if names::matches(theirs.name, Letters::Expression)
                && known.any(|name| name == theirs.name)
            {
                error.help("the device's word stands left, ours right")
            } else {
                did_you_mean(error, ours.text, known)
            };
            report.push(error);
        } else if let Some(first) = words.get(ours.text) {
            let message = format!("`{}` is the meaning of `{first}` already", ours.text);
            report.push(
                Diagnostic::error("duplicate-name", ours.span(), message)
                    .help("one of our events has one word of the device"),
            );
        } else {
            words.insert(ours.text.into(), theirs.name.into());
        }
    }
    words
}
