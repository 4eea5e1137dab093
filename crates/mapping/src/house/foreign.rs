//! `mqtt = { .. }`: a device with topics and payloads of its own.

use std::{collections::BTreeMap, sync::Arc};

use super::presets;
use crate::{
    diagnostic::Diagnostic,
    grammar::MQTT,
    kinds::Kind,
    program::{Codec, Foreign, Preset},
    read::{Node, Table, Text, did_you_mean, list},
    report::Report,
};

/// Gestures that a foreign button may report ready-made.
pub(super) const READY_GESTURES: [&str; 4] = ["click", "double", "triple", "long"];

/// Longest topic in bytes that MQTT carries.
const TOPIC_BYTES_MAX: usize = 65_535;

/// Makes that the design names and this version does not know.
const LATER: [&str; 3] = ["homie", "esphome", "shelly"];

/// Reads the topics of the foreign device `device`.
pub(super) fn read(report: &mut Report, node: Node<'_>, device: &str) -> Foreign {
    let Some(table) = node.table_or(report, "`mqtt`", in_full) else {
        return Foreign::default();
    };
    table.reject_unknown(report, MQTT.what, MQTT.names);
    if MQTT.names.iter().all(|key| table.field(key).is_none()) {
        let error = Diagnostic::error("missing-key", table.span.clone(), "`mqtt` names no topic");
        report.push(error.help("write a preset, or at least one of state, target, event"));
    }
    let mut foreign = preset(report, &table, device).unwrap_or_default();
    if let Some(state) = topic(report, &table, "state") {
        foreign.states = vec![state];
    }
    let named = ["target", "event", "availability"].map(|key| topic(report, &table, key));
    let places = [
        &mut foreign.target,
        &mut foreign.event,
        &mut foreign.availability,
    ];
    for (place, named) in places.into_iter().zip(named) {
        *place = named.or_else(|| place.take());
    }
    foreign
}

/// The table that somebody means by a preset's name or a topic alone.
fn in_full(node: &Node<'_>) -> Option<String> {
    let text = node.as_text()?.text;
    Some(match text.split_once('/') {
        Some((preset @ "zigbee2mqtt", name)) => {
            format!("{{ preset = \"{preset}\", name = \"{name}\" }}")
        }
        Some(_) => format!("{{ state = \"{text}\", target = \"{text}/set\" }}"),
        None => format!("{{ preset = \"{text}\" }}"),
    })
}

/// The topics of a preset; single ones may be written beside it.
fn preset(report: &mut Report, table: &Table<'_>, device: &str) -> Option<Foreign> {
    let Some(node) = table.field("preset") else {
        if table.field("name").is_some() {
            let message = "`name` is the device's name in the topics of a preset";
            let error = Diagnostic::error("missing-key", table.key_span("name"), message);
            report.push(error.help("write preset = \"zigbee2mqtt\" beside it"));
        }
        return None;
    };
    let text = node.text(report, "`preset`")?;
    let Some(preset) = presets::ALL.into_iter().find(|one| one.name() == text.text) else {
        let names = presets::ALL.map(Preset::name);
        report.push(if LATER.contains(&text.text) {
            let message = format!("the preset `{}` is not in this version", text.text);
            Diagnostic::error("not-yet", text.span(), message)
                .help("write the full topics: state, target, event, availability")
        } else {
            let message = format!("there is no preset `{}`", text.text);
            let error = Diagnostic::error("unknown-word", text.span(), message);
            let near = did_you_mean(error.clone(), text.text, names.iter().copied());
            if near.help.is_empty() {
                error.help(format!("the presets are {}", list(&names)))
            } else {
                near
            }
        });
        return None;
    };
    let name = match table.field("name") {
        Some(node) => {
            let name = node.text(report, "`name`")?;
            check_topic(report, &name)?;
            name.text
        }
        None => device,
    };
    Some(presets::topics(preset, name))
}

fn topic(report: &mut Report, table: &Table<'_>, key: &str) -> Option<Arc<str>> {
    let text = table.field(key)?.text(report, &format!("`{key}`"))?;
    check_topic(report, &text)
}

fn check_topic(report: &mut Report, text: &Text<'_>) -> Option<Arc<str>> {
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

/// Reads how the payloads of a channel of `foreign` read.
pub(super) fn codec(
    report: &mut Report,
    table: &Table<'_>,
    kind: &Kind,
    foreign: &Foreign,
) -> Codec {
    let word = |report: &mut Report, key: &str| {
        let node = table.field(key)?;
        node.text(report, &format!("`{key}`"))
            .map(|text| Arc::from(text.text))
    };
    let from = place(report, table, "from");
    let event_from = place(report, table, "event_from");
    let known = foreign.preset.as_ref().and_then(|(preset, name)| {
        let known = presets::codec(*preset, name, kind, from.as_deref());
        if known.is_none() && table.field("kind").is_some() {
            let (preset, kind_name) = (preset.name(), Kind::with_article(&kind.name));
            let message = format!("the preset `{preset}` does not know {kind_name}");
            let error = Diagnostic::error("unknown-in-preset", table.key_span("kind"), message);
            let fields = kind.fields.len();
            report.push(error.help(match fields {
                0 | 1 => "say where its value stands: from = \"key\"; or write the topics instead of the preset",
                _ => "it has several fields, for which no one place can be named; write the topics instead of the preset",
            }));
        }
        known
    });
    let known = known.unwrap_or_default();
    if let (Some(_), [first, ..]) = (&from, &*known.parts) {
        let message = format!(
            "{} has several fields, and the preset knows where each stands",
            Kind::with_article(&kind.name)
        );
        let error = Diagnostic::error("conflicting-keys", table.key_span("from"), message);
        let place = first.place.trim_start_matches('/');
        report.push(error.help(format!(
            "leave `from` out: `{}` is read from `{place}`",
            first.field
        )));
    }
    let events = event_words(report, table, kind);
    Codec {
        from: from.or(known.from),
        on: word(report, "on").or(known.on),
        off: word(report, "off").or(known.off),
        event_from: event_from.or(known.event_from),
        events: if events.is_empty() {
            known.events
        } else {
            events
        },
        parts: known.parts,
        phrases: known.phrases,
        target: known.target,
    }
}

/// Where something stands in a payload: a plain key or a JSON pointer.
fn place(report: &mut Report, table: &Table<'_>, key: &str) -> Option<Arc<str>> {
    let text = table.field(key)?.text(report, &format!("`{key}`"))?;
    let place = text.text;
    let pointer = place.strip_prefix('/');
    let wrong = match pointer {
        Some(pointer) => pointer.split('/').any(str::is_empty),
        None => place.is_empty() || place.contains(['.', '/']),
    };
    if !wrong {
        return Some(place.into());
    }
    let message = format!("`{key}` is a key of the payload or a JSON pointer");
    let error = Diagnostic::error("bad-place", text.span(), message);
    let keys: Vec<&str> = place
        .split(['.', '/'])
        .filter(|key| !key.is_empty())
        .collect();
    report.push(if keys.is_empty() {
        error.help("leave it out where the payload is the value itself")
    } else {
        error.help(format!("write {key} = \"/{}\"", keys.join("/")))
    });
    None
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
            let near = did_you_mean(error.clone(), ours.text, known.clone());
            let swapped = near.help.is_empty() && known.any(|name| name == theirs.name);
            report.push(if swapped {
                error.help("the device's word stands left, ours right")
            } else {
                near
            });
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
