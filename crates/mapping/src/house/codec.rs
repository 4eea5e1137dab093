//! How the payloads of one channel of a foreign device read: its words, and where things stand.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    foreign,
    presets::{self, Place},
};
use crate::{
    diagnostic::Diagnostic,
    kinds::Kind,
    program::{Codec, Foreign, Meaning, Measure, Part, Preset},
    read::{Key, Table, Text, did_you_mean, its_fields},
    report::Report,
};

/// Gestures that a foreign button may report ready-made.
pub(super) const READY_GESTURES: [&str; 4] = ["click", "double", "triple", "long"];

/// Reads how the payloads of the channel `key` of `foreign` read.
pub(super) fn read(
    report: &mut Report,
    table: &Table<'_>,
    key: &Key<'_>,
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
    let fields = fields(report, table, kind, foreign);
    let known = foreign.preset.as_ref().and_then(|(preset, name)| {
        let place = Place {
            preset: *preset,
            name,
            channel: key.name,
            kind,
            from: from.as_deref(),
            fields: &fields,
        };
        let known = presets::codec(&place);
        if known.is_none() && table.field("kind").is_some() {
            report.push(unknown(table, kind, *preset));
        }
        known
    });
    let own_topics = foreign
        .preset
        .as_ref()
        .is_some_and(|(preset, _)| preset.has_topics_of_channels());
    let mut known = known.unwrap_or_default();
    if own_topics {
        names_in_topics(report, table);
    } else {
        conflict(report, table, kind, &known, &fields);
        put(&mut known, kind, &fields);
        known.from = from.or(known.from);
    }
    let events = event_words(report, table, kind);
    Codec {
        on: word(report, "on").or(known.on),
        off: word(report, "off").or(known.off),
        event_from: event_from.or(known.event_from),
        events: if events.is_empty() {
            known.events
        } else {
            events
        },
        ..known
    }
}

/// Of a make with topics of its own for each channel: the places are parts of those.
fn names_in_topics(report: &mut Report, table: &Table<'_>) {
    let fields = table.field("fields").and_then(|node| node.as_table());
    let fields = fields.map(|fields| fields.entries()).unwrap_or_default();
    let places = fields.into_iter().map(|(_, node)| node);
    for node in table.field("from").into_iter().chain(places) {
        let Some(text) = node.as_text() else { continue };
        if let Some(message) = foreign::wrong_in_topic(text.text) {
            report.push(Diagnostic::error("bad-topic", text.span(), message));
        }
    }
}

/// A kind that a preset does not know, and what to write instead.
fn unknown(table: &Table<'_>, kind: &Kind, preset: Preset) -> Diagnostic {
    let (name, kind_name) = (preset.name(), Kind::with_article(&kind.name));
    let message = format!("the preset `{name}` does not know {kind_name}");
    let error = Diagnostic::error("unknown-in-preset", table.key_span("kind"), message);
    let topics = "write the topics instead of the preset";
    error.help(match (preset, kind.fields.as_slice()) {
        (Preset::Homie, []) | (Preset::EspHome | Preset::Shelly | Preset::ShellyGen1, _) => {
            topics.to_owned()
        }
        (Preset::Homie, [_]) => "say which property it is: from = \"/node/property\"".to_owned(),
        (Preset::Homie, [first, ..]) => format!(
            "say which property each field is: fields = {{ {} = \"/node/property\" }}",
            first.name
        ),
        (Preset::Zigbee2Mqtt | Preset::Tasmota, [] | [_]) => {
            format!("say where its value stands: from = \"key\"; or {topics}")
        }
        (Preset::Zigbee2Mqtt | Preset::Tasmota, [first, ..]) => format!(
            "it has several fields: say where each stands, fields = {{ {} = \"key\" }}; or {topics}",
            first.name
        ),
    })
}

/// One place for several fields.
fn conflict(
    report: &mut Report,
    table: &Table<'_>,
    kind: &Kind,
    known: &Codec,
    fields: &BTreeMap<Arc<str>, Arc<str>>,
) {
    if table.field("from").is_none() {
        return;
    }
    let kind_name = Kind::with_article(&kind.name);
    if let [first, ..] = &*known.parts {
        let message =
            format!("{kind_name} has several fields, and the preset knows where each stands");
        let error = Diagnostic::error("conflicting-keys", table.key_span("from"), message);
        let place = first.place.trim_start_matches('/');
        report.push(error.help(format!(
            "leave `from` out: `{}` is read from `{place}`; fields = {{ {} = \"other\" }} says where it stands instead",
            first.field, first.field
        )));
    } else if !fields.is_empty() {
        let message = "a channel has either `from` or `fields`";
        let error = Diagnostic::error("conflicting-keys", table.key_span("fields"), message);
        report.push(error.also(table.key_span("from"), "and this"));
    }
}

/// Puts the fields that the mapping names where it names them. Those of an own kind that it does not name stand by
/// their names.
fn put(codec: &mut Codec, kind: &Kind, fields: &BTreeMap<Arc<str>, Arc<str>>) {
    if fields.is_empty() {
        return;
    }
    codec.from = None;
    let rest = kind.fields.iter().map(|field| &field.name);
    let rest = rest.filter(|name| !fields.contains_key(*name) && !Kind::is_built_in(&kind.name));
    let rest: Vec<(Arc<str>, Arc<str>)> = rest
        .map(|name| (Arc::clone(name), format!("/{name}").into()))
        .collect();
    let named = fields.iter();
    let named = named.map(|(field, place)| (Arc::clone(field), Arc::clone(place)));
    for (field, place) in named.chain(rest) {
        codec
            .phrases
            .retain(|phrase| !matches!(&phrase.means, Meaning::Is(known, _) if *known == field));
        match codec.parts.iter_mut().find(|part| part.field == field) {
            Some(part) => part.place = place,
            None => codec.parts.push(Part {
                field,
                place,
                measure: Measure::Plain,
                topic: None,
            }),
        }
    }
}

/// Reads `fields = { ours = "its place" }`.
fn fields(
    report: &mut Report,
    table: &Table<'_>,
    kind: &Kind,
    foreign: &Foreign,
) -> BTreeMap<Arc<str>, Arc<str>> {
    let entries = table
        .field("fields")
        .and_then(|node| node.table(report, "`fields`"))
        .map(|fields| fields.entries())
        .unwrap_or_default();
    let mut places = BTreeMap::new();
    for (ours, node) in entries {
        let names: Vec<&str> = kind.fields.iter().map(|field| &*field.name).collect();
        if !names.contains(&ours.name) {
            let message = format!(
                "{} has no field `{}`",
                Kind::with_article(&kind.name),
                ours.name
            );
            let error = Diagnostic::error("unknown-field", ours.span.clone(), message);
            let near = did_you_mean(error.clone(), ours.name, names.iter().copied());
            report.push(if near.help.is_empty() {
                error.help(its_fields(&names))
            } else {
                near
            });
            continue;
        }
        let Some(text) = node.text(report, "where the field stands") else {
            continue;
        };
        let Some(place) = checked_place(report, &text, "fields") else {
            continue;
        };
        let parts = place.split('/').filter(|part| !part.is_empty()).count();
        let two = matches!(foreign.preset, Some((Preset::Homie | Preset::EspHome, _)));
        if two && parts != 2 {
            let message = "a field of such a device is two names: \"/node/property\"";
            report.push(Diagnostic::error("bad-place", text.span(), message));
            continue;
        }
        let pointer = format!("/{}", place.trim_start_matches('/'));
        places.insert(ours.name.into(), pointer.into());
    }
    places
}

/// Where something stands in a payload: a plain key or a JSON pointer.
fn place(report: &mut Report, table: &Table<'_>, key: &str) -> Option<Arc<str>> {
    let text = table.field(key)?.text(report, &format!("`{key}`"))?;
    checked_place(report, &text, key)
}

fn checked_place(report: &mut Report, text: &Text<'_>, key: &str) -> Option<Arc<str>> {
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
