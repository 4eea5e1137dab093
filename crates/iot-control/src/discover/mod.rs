//! What announces itself at a broker: announcements of other makes to devices of a house.
//!
//! Called by `device import`. Whoever may publish may announce anything: nothing here panics, grows without limit, or
//! says more than it understood. Must not know sockets or files.

mod home_assistant;
mod homie;
mod names;
mod tasmota;
mod zigbee2mqtt;

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use edit::{Model, NewDevice};
use mapping::{Program, program::Carrier};
use serde_json::Value as Json;
use types::Shown;

/// A longer announcement is left out, in bytes. Zigbee2MQTT's list of 200 devices has about 1 MB.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// More devices than this are left out.
const DEVICES_MAX: usize = 1_000;

/// More channels of one device, or more lines about it, are left out.
const CHANNELS_MAX: usize = 48;

/// Who announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Source {
    /// What Zigbee2MQTT lists in zigbee2mqtt/bridge/devices
    Zigbee2mqtt,
    /// What tells Home Assistant of itself, ESPHome too
    Homeassistant,
    /// Tasmota's discovery, on since version 9.2 (SetOption19 0)
    Tasmota,
    /// Homie 5
    Homie,
}

impl Source {
    pub(crate) const ALL: [Self; 4] = [
        Self::Zigbee2mqtt,
        Self::Tasmota,
        Self::Homie,
        Self::Homeassistant,
    ];

    /// The topics on which it announces.
    pub(crate) fn filters(self) -> &'static [&'static str] {
        match self {
            Self::Zigbee2mqtt => &["zigbee2mqtt/bridge/devices"],
            Self::Homeassistant => &["homeassistant/#"],
            Self::Tasmota => &["tasmota/discovery/+/config", "tasmota/discovery/+/sensors"],
            Self::Homie => &["homie/5/+/$description"],
        }
    }
}

/// A retained message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Announcement {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
}

/// What came of all announcements.
#[derive(Debug, Default)]
pub(crate) struct Discovered {
    /// Devices that the house does not have, with names that it has not either.
    pub(crate) devices: Vec<NewDevice>,
    /// Devices that the house has already, as they are called there.
    pub(crate) known: BTreeSet<String>,
    /// What was left out, and why, for people.
    pub(crate) notes: Vec<String>,
}

/// One device as it announced itself.
#[derive(Debug, Default)]
struct Found {
    /// What people call it.
    name: String,
    /// One line about it.
    about: String,
    /// `mqtt = { .. }`.
    mqtt: Vec<(String, Model)>,
    /// Its channels by wish for a name; with a number where two wish the same.
    channels: Vec<(String, Model)>,
    /// What it also has, and why that is no channel.
    unsaid: Vec<String>,
}

/// What the messages of one source say; each message that can't be read is a note.
type Read = fn(&BTreeMap<String, Json>, &mut Vec<String>) -> Vec<Found>;

/// Reads announcements of the sources. `blocked` are numbers that no new device may have.
pub(crate) fn discover(
    program: &Program,
    blocked: &BTreeSet<u16>,
    sources: &[Source],
    messages: &[Announcement],
) -> Discovered {
    let mut all = Discovered::default();
    let mut names = names::Names::of(program, blocked);
    let known = known(program);
    for source in sources {
        // Of Home Assistant's topics the others are states and words of its own.
        let mine = |message: &&Announcement| {
            if *source == Source::Homeassistant && !message.topic.ends_with("/config") {
                return false;
            }
            source
                .filters()
                .iter()
                .any(|filter| matches(filter, &message.topic))
        };
        let read: Read = match source {
            Source::Zigbee2mqtt => zigbee2mqtt::read,
            Source::Homeassistant => home_assistant::read,
            Source::Tasmota => tasmota::read,
            Source::Homie => homie::read,
        };
        let mut trees = BTreeMap::new();
        for message in messages.iter().filter(mine) {
            match tree(&message.payload) {
                Ok(Some(tree)) => {
                    trees.insert(message.topic.clone(), tree);
                }
                Ok(None) => {}
                Err(why) => all.notes.push(format!("{}: {why}", Shown(&message.topic))),
            }
        }
        for found in read(&trees, &mut all.notes) {
            take(found, &known, &mut names, &mut all);
        }
    }
    all
}

/// A payload as JSON; nothing where it takes an announcement back.
fn tree(payload: &[u8]) -> Result<Option<Json>, String> {
    if payload.trim_ascii().is_empty() {
        return Ok(None);
    }
    if payload.len() > BYTES_MAX {
        let (mb, most) = (payload.len() >> 20, BYTES_MAX >> 20);
        return Err(format!(
            "{mb} MB are more than an announcement may have, {most}"
        ));
    }
    serde_json::from_slice(payload)
        .map(Some)
        .map_err(|error| format!("is no JSON that can be read: {error}"))
}

/// Whether a topic fits a filter of ours.
fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// What a house's device is to its make, or its topics: that and the name of each.
fn known(program: &Program) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for device in &program.devices {
        let Carrier::Foreign(foreign) = &device.carrier else {
            continue;
        };
        if let Some((preset, name)) = &foreign.preset {
            known.insert(format!("{}:{name}", preset.name()), device.name.to_string());
        }
        let topics = foreign
            .states
            .iter()
            .chain(&foreign.target)
            .chain(&foreign.event);
        for topic in topics {
            known.insert(topic.to_string(), device.name.to_string());
        }
    }
    known
}

impl Found {
    /// What the house knows it by, where it has it.
    fn identities(&self) -> Vec<String> {
        let text = |wanted: &str| {
            let field = self.mqtt.iter().find(|(key, _)| key == wanted);
            match field.map(|(_, value)| value) {
                Some(Model::Text(text)) => Some(text.as_str()),
                _ => None,
            }
        };
        if let (Some(preset), Some(name)) = (text("preset"), text("name")) {
            let state = (preset == "zigbee2mqtt").then(|| format!("zigbee2mqtt/{name}"));
            return [Some(format!("{preset}:{name}")), state]
                .into_iter()
                .flatten()
                .collect();
        }
        let topics = ["state", "target", "event"].into_iter().filter_map(text);
        topics.map(str::to_owned).collect()
    }

    /// A channel of a kind, with more of its table.
    fn channel(
        &mut self,
        name: &str,
        kind: &str,
        more: impl IntoIterator<Item = (&'static str, Model)>,
    ) {
        let mut table = vec![("kind".to_owned(), Model::from(kind))];
        table.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
        self.channels.push((name.to_owned(), Model::Table(table)));
    }

    fn unsaid(&mut self, line: impl Into<String>) {
        self.unsaid.push(line.into());
    }
}

/// Gives a device its name and its number, unless the house has it, or it can't be one.
fn take(
    found: Found,
    known: &BTreeMap<String, String>,
    names: &mut names::Names,
    all: &mut Discovered,
) {
    let identities = found.identities();
    if let Some(name) = identities.iter().find_map(|one| known.get(one)) {
        all.known.insert(name.clone());
        return;
    }
    let shown = Shown(&found.name).to_string();
    if names.is_taken(&identities) {
        all.notes.push(format!(
            "{shown}: announced twice, the second one is left out"
        ));
        return;
    }
    if found.channels.is_empty() {
        let why = found
            .unsaid
            .first()
            .map_or("it announces nothing", String::as_str);
        all.notes.push(format!(
            "{shown}: nothing of it can be imported; {}",
            Shown(why)
        ));
        return;
    }
    if all.devices.len() == DEVICES_MAX {
        let note =
            format!("more than {DEVICES_MAX} devices announce themselves; the rest is left out");
        if all.notes.last() != Some(&note) {
            all.notes.push(note);
        }
        return;
    }
    let device = finished(found, names);
    // Each by itself: what one of them can't be must not keep the others out.
    let alone = format!("allow = [\"device-unused\"]\n{}", device.text());
    let loaded = mapping::load_texts([("mapping.toml", alone)]);
    let mut errors = loaded.diagnostics.iter();
    if let Some(error) = errors.find(|found| found.severity == mapping::Severity::Error) {
        all.notes
            .push(format!("{shown}: left out, {}", Shown(&error.message)));
        return;
    }
    names.take(&device.name, identities);
    all.devices.push(device);
}

fn finished(mut found: Found, names: &names::Names) -> NewDevice {
    let more = found.channels.len().saturating_sub(CHANNELS_MAX);
    found.channels.truncate(CHANNELS_MAX);
    found.unsaid.truncate(CHANNELS_MAX);
    if more > 0 {
        found.unsaid(format!("{more} more channels are left out"));
    }
    let mut channels: Vec<(String, Model)> = Vec::new();
    for (wish, table) in found.channels {
        let taken = |name: &str| channels.iter().any(|(known, _)| known == name);
        let name = names::channel(&wish, taken);
        channels.push((name, table));
    }
    let (name, id) = names.next(&found.name);
    NewDevice {
        name,
        about: found.about,
        table: Model::Table(vec![
            ("id".to_owned(), Model::Int(i64::from(id))),
            ("mqtt".to_owned(), Model::Table(found.mqtt)),
            ("io".to_owned(), Model::Table(channels)),
        ]),
        unsaid: found.unsaid,
    }
}

/// `{ preset = "..", name = ".." }`.
fn preset(preset: &str, name: &str) -> Vec<(String, Model)> {
    vec![
        ("preset".to_owned(), Model::from(preset)),
        ("name".to_owned(), Model::from(name)),
    ]
}

/// A JSON text, or nothing.
fn text<'j>(tree: &'j Json, key: &str) -> Option<&'j str> {
    tree.get(key).and_then(Json::as_str)
}

/// A measured number: `kind = "analog"` with its unit and range, where they are known.
fn analog(
    unit: Option<&str>,
    range: [Option<f64>; 2],
    from: Option<&str>,
) -> Vec<(&'static str, Model)> {
    let mut more = Vec::new();
    if let Some(from) = from {
        more.push(("from", Model::from(from)));
    }
    if let Some(unit) = unit.filter(|unit| !unit.is_empty()) {
        more.push(("unit", Model::from(unit)));
    }
    if let [Some(min), Some(max)] = range
        && min < max
    {
        more.push(("min", number(min)));
        more.push(("max", number(max)));
    }
    more
}

/// A number as people write it.
fn number(number: f64) -> Model {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        Model::Int(number as i64)
    } else {
        Model::Float(number)
    }
}

/// A table of texts.
fn texts<'t>(pairs: impl IntoIterator<Item = (&'t str, &'t str)>) -> Model {
    let pairs = pairs.into_iter();
    Model::Table(
        pairs
            .map(|(key, value)| (key.to_owned(), Model::from(value)))
            .collect(),
    )
}

/// The gesture that a device's word means, where it means one: `single`, `1_double`, `hold`. Out comes the rest of the
/// word, which names the key.
fn gesture(word: &str) -> Option<(&'static str, &str)> {
    // What holds another one stands before it.
    const WORDS: [(&str, &str); 20] = [
        ("single_click", "click"),
        ("double_click", "double"),
        ("triple_click", "triple"),
        ("long_click", "long"),
        ("double-press", "double"),
        ("double_press", "double"),
        ("triple-press", "triple"),
        ("triple_press", "triple"),
        ("single", "click"),
        ("short_release", "click"),
        ("click", "click"),
        ("double", "double"),
        ("triple", "triple"),
        ("long_press", "long"),
        ("long-press", "long"),
        ("hold", "long"),
        ("long", "long"),
        ("press", "press"),
        ("release", "release"),
        ("short", "click"),
    ];
    for (theirs, ours) in WORDS {
        let rest = match word.split_once(theirs) {
            Some(("", "")) => Some(""),
            Some((before, "")) => before.strip_suffix(['_', '-']),
            Some(("", after)) => after.strip_prefix(['_', '-']),
            _ => None,
        };
        if let Some(rest) = rest {
            return Some((ours, rest));
        }
    }
    None
}

/// The keys of a remote by its words: for each key, our gesture and its word. A word that is no gesture is a key of its
/// own, which it clicks. The first word for a gesture counts.
fn remote<'w>(
    words: impl IntoIterator<Item = &'w str>,
) -> Vec<(String, Vec<(&'static str, &'w str)>)> {
    let mut keys: Vec<(String, Vec<(&'static str, &str)>)> = Vec::new();
    for word in words {
        let (ours, key) = gesture(word).unwrap_or(("click", word));
        let place = keys
            .iter()
            .position(|(known, _)| known == key)
            .unwrap_or_else(|| {
                keys.push((key.to_owned(), Vec::new()));
                keys.len() - 1
            });
        let (_, gestures) = &mut keys[place];
        if !gestures.iter().any(|(known, _)| *known == ours) {
            gestures.push((ours, word));
        }
    }
    keys
}

#[cfg(test)]
mod tests;
