//! `mqtt = { .. }`: a device with topics and payloads of its own.

use std::sync::Arc;

use super::presets;
use crate::{
    diagnostic::Diagnostic,
    grammar::MQTT,
    program::{Foreign, Preset},
    read::{Node, Table, Text, did_you_mean, list},
    report::Report,
};

/// Longest topic in bytes that MQTT carries.
const TOPIC_BYTES_MAX: usize = 65_535;

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
    if let Some((preset, _)) = foreign
        .preset
        .as_ref()
        .filter(|(preset, _)| preset.has_topics_of_channels())
    {
        let own = ["state", "target", "event"]
            .into_iter()
            .find(|key| table.field(key).is_some());
        if let Some(key) = own {
            let message = format!(
                "with the preset `{}` each channel has topics of its own",
                preset.name()
            );
            let error = Diagnostic::error("conflicting-keys", table.key_span(key), message);
            report.push(error.help("leave it out, or write all topics instead of the preset"));
            return foreign;
        }
    }
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
    let Some(preset) = Preset::ALL.into_iter().find(|one| one.name() == text.text) else {
        let names = Preset::ALL.map(Preset::name);
        let message = format!("there is no preset `{}`", text.text);
        let error = Diagnostic::error("unknown-word", text.span(), message);
        let near = did_you_mean(error.clone(), text.text, names.iter().copied());
        report.push(if near.help.is_empty() {
            error.help(format!("the presets are {}", list(&names)))
        } else {
            near
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
    // Some makes' topics begin with the name.
    if matches!(preset, Preset::EspHome | Preset::Shelly) && is_ours(&format!("{name}/")) {
        let span = table
            .field("name")
            .map_or_else(|| text.span(), |node| node.span());
        let message = format!("{OURS}, and this device's begin with `{name}/`");
        let error = Diagnostic::error("bad-topic", span, message);
        report.push(error.help("give the device another name, and write it here: name = \"..\""));
        return None;
    }
    Some(presets::topics(preset, name))
}

/// Why a device can't have a topic.
const OURS: &str = "topics below `iot/`, `ic1/` and `$` belong to the dispatcher";

fn is_ours(topic: &str) -> bool {
    topic.starts_with('$') || topic.starts_with("iot/") || topic.starts_with("ic1/")
}

fn topic(report: &mut Report, table: &Table<'_>, key: &str) -> Option<Arc<str>> {
    let text = table.field(key)?.text(report, &format!("`{key}`"))?;
    check_topic(report, &text)
}

/// Why what becomes part of a topic can't stay; `None`: it can. A line break would end the line of a list of rights in
/// which the topic stands, and begin one of its own.
pub(super) fn wrong_in_topic(text: &str) -> Option<&'static str> {
    if text.contains(['+', '#']) {
        Some("a device's topic can't hold the wildcards + and #")
    } else if text.contains(char::is_control) {
        Some("a device's topic can't hold control characters, such as a line break")
    } else if text.contains(is_no_character) {
        Some("MQTT can't carry this topic")
    } else {
        None
    }
}

/// The code points that Unicode keeps free of characters for ever (MQTT 5 section 1.5.4).
fn is_no_character(c: char) -> bool {
    let point = u32::from(c);
    (0xFDD0..=0xFDEF).contains(&point) || point & 0xFFFE == 0xFFFE
}

fn check_topic(report: &mut Report, text: &Text<'_>) -> Option<Arc<str>> {
    let topic = text.text;
    let wrong = if topic.is_empty() {
        Some("a topic can't be empty")
    } else if topic.len() > TOPIC_BYTES_MAX {
        Some("MQTT can't carry this topic")
    } else if is_ours(topic) {
        Some(OURS)
    } else {
        wrong_in_topic(topic)
    };
    match wrong {
        Some(message) => {
            report.push(Diagnostic::error("bad-topic", text.span(), message));
            None
        }
        None => Some(topic.into()),
    }
}
