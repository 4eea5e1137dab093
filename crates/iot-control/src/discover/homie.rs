//! Homie 5: a description says which nodes a device has, and which properties they have.
//!
//! Source: <https://homieiot.github.io/specification/>, the sections on device, node and property attributes.

use std::collections::BTreeMap;

use edit::Model;
use serde_json::Value as Json;
use types::Shown;

use super::{Found, analog, number, preset, remote, text, texts};

/// A property with its node and the names of both.
struct Property<'d> {
    node: &'d str,
    id: &'d str,
    tree: &'d Json,
}

pub(super) fn read(trees: &BTreeMap<String, Json>, notes: &mut Vec<String>) -> Vec<Found> {
    let mut found = Vec::new();
    for (topic, description) in trees {
        let Some(id) = topic.split('/').nth(2) else {
            continue;
        };
        let version = text(description, "homie").unwrap_or_default();
        if !version.starts_with("5.") {
            notes.push(format!(
                "{}: is of Homie {}, 5 is understood",
                Shown(topic),
                Shown(version)
            ));
            continue;
        }
        found.push(one(id, description));
    }
    found
}

fn one(id: &str, description: &Json) -> Found {
    let name = text(description, "name")
        .filter(|name| !name.is_empty())
        .unwrap_or(id);
    let mut found = Found {
        name: name.to_owned(),
        about: format!("{name}: a Homie device"),
        mqtt: preset("homie", id),
        ..Found::default()
    };
    // A child's own state stays as it was when its bridge is lost.
    if let Some(root) = text(description, "root") {
        let state = format!("homie/5/{root}/$state");
        found
            .mqtt
            .push(("availability".to_owned(), Model::from(&*state)));
    }
    let nodes = description["nodes"].as_object();
    for (node, tree) in nodes.into_iter().flatten() {
        let properties = tree["properties"].as_object().into_iter().flatten();
        let all: Vec<Property<'_>> = properties
            .map(|(id, tree)| Property { node, id, tree })
            .collect();
        self::node(&mut found, &all);
    }
    join_lamps(&mut found);
    found
}

impl Property<'_> {
    fn path(&self) -> String {
        format!("/{}/{}", self.node, self.id)
    }

    fn is(&self, datatype: &str) -> bool {
        text(self.tree, "datatype") == Some(datatype)
    }

    fn is_number(&self) -> bool {
        self.is("integer") || self.is("float")
    }

    fn settable(&self) -> bool {
        self.tree.get("settable").and_then(Json::as_bool) == Some(true)
    }

    fn unit(&self) -> Option<&str> {
        text(self.tree, "unit")
    }

    /// `min:max[:step]`.
    fn range(&self) -> [Option<f64>; 2] {
        let mut ends = text(self.tree, "format").unwrap_or_default().split(':');
        let mut next = || ends.next().and_then(|end| end.parse::<f64>().ok());
        [next(), next()]
    }

    fn named(&self, words: &[&str]) -> bool {
        words
            .iter()
            .any(|word| self.id.contains(word) || self.node.contains(word))
    }
}

/// The channels of one node: a lamp's or a cover's properties belong together, all others stand alone.
fn node(found: &mut Found, properties: &[Property<'_>]) {
    let settable = || properties.iter().filter(|property| property.settable());
    let percent = |property: &&Property<'_>| {
        property.is_number() && (property.unit() == Some("%") || property.range()[1] == Some(100.0))
    };
    let on = settable().find(|property| property.is("boolean"));
    let level = settable()
        .filter(percent)
        .find(|property| !property.named(&["position", "shutter", "blind"]));
    let position = settable()
        .filter(percent)
        .find(|property| property.named(&["position", "shutter", "blind"]));
    let colour = settable().find(|property| property.is("color"));
    let mut used: Vec<&str> = Vec::new();
    if let Some(position) = position {
        let fields = texts([("position", &*position.path())]);
        found.channel(position.node, "cover", [("fields", fields)]);
        used.extend([position.id, "action"]);
    } else if let (Some(level), Some(on)) = (level, on) {
        lamp(found, on.node, &[("on", on), ("brightness", level)], colour);
        used.extend([on.id, level.id]);
    } else if let Some(on) = on {
        found.channel(on.node, "switch", [("from", Model::from(&*on.path()))]);
        used.push(on.id);
    } else if let Some(level) = level.filter(|level| level.named(&["dim", "bright", "level"])) {
        // Switched by another node: joined when all are read.
        lamp(found, level.node, &[("brightness", level)], colour);
        used.push(level.id);
    }
    if let Some(colour) = colour {
        used.push(colour.id);
    }
    for property in properties
        .iter()
        .filter(|property| !used.contains(&property.id))
    {
        alone(found, property);
    }
}

fn lamp(
    found: &mut Found,
    name: &str,
    fields: &[(&str, &Property<'_>)],
    colour: Option<&Property<'_>>,
) {
    let mut places: Vec<(&str, String)> = fields
        .iter()
        .map(|(ours, property)| (*ours, property.path()))
        .collect();
    let formats = colour
        .and_then(|colour| text(colour.tree, "format"))
        .unwrap_or_default();
    let rgb = colour.filter(|_| formats.split(',').any(|format| format == "rgb"));
    if let Some(colour) = rgb {
        places.extend([("hue", colour.path()), ("saturation", colour.path())]);
    } else if colour.is_some() {
        found.unsaid(format!(
            "{name}: its colour is told as {formats}; rgb is understood"
        ));
    }
    let kind = if rgb.is_some() { "light" } else { "dimmer" };
    let places = texts(places.iter().map(|(ours, place)| (*ours, &**place)));
    found.channel(name, kind, [("fields", places)]);
}

/// A lamp without a switch of its own takes that of the one node that switches the device.
fn join_lamps(found: &mut Found) {
    let field = |table: &Model, key: &str| table.field(key).cloned();
    let is_switch = |table: &Model| field(table, "kind") == Some(Model::from("switch"));
    let switches: Vec<usize> = (0..found.channels.len())
        .filter(|at| is_switch(&found.channels[*at].1))
        .collect();
    let lacks = |table: &Model| {
        table.field("fields").is_some_and(|fields| {
            fields.field("brightness").is_some() && fields.field("on").is_none()
        })
    };
    let lamps: Vec<usize> = (0..found.channels.len())
        .filter(|at| lacks(&found.channels[*at].1))
        .collect();
    match (switches.as_slice(), lamps.as_slice()) {
        ([switch], [lamp]) => {
            let from = field(&found.channels[*switch].1, "from");
            if let (Some(from), Model::Table(keys)) = (from, &mut found.channels[*lamp].1)
                && let Some((_, Model::Table(fields))) =
                    keys.iter_mut().find(|(key, _)| key == "fields")
            {
                fields.insert(0, ("on".to_owned(), from));
                found.channels.remove(*switch);
            }
        }
        (_, []) => {}
        _ => {
            for lamp in lamps.into_iter().rev() {
                let (name, _) = found.channels.remove(lamp);
                found.unsaid(format!(
                    "{name}: a brightness, and it is not clear which node switches it"
                ));
            }
        }
    }
}

fn alone(found: &mut Found, property: &Property<'_>) {
    let path = property.path();
    let from = || [("from", Model::from(&*path))];
    let name = if property.id == "state" || property.id == "value" {
        property.node
    } else {
        property.id
    };
    let retained = property.tree.get("retained").and_then(Json::as_bool) != Some(false);
    if property.is("enum") && !property.settable() && !retained {
        let format = text(property.tree, "format").unwrap_or_default();
        return button(found, property, format);
    }
    if property.is("boolean") && !property.settable() {
        if property.named(&["motion", "occupancy", "presence"]) {
            found.channel(name, "motion", from());
        } else if property.named(&["contact", "door", "window", "open"]) {
            found.channel(name, "contact", from());
        } else {
            found.unsaid(format!(
                "{path}: a boolean; say what it is: from = \"{path}\" with kind = \"contact\", \"motion\" or \"presence\""
            ));
        }
        return;
    }
    if property.is_number() && !property.settable() {
        return match property.unit() {
            Some("°C") => found.channel(name, "temperature", from()),
            Some("lx") => found.channel(name, "lux", from()),
            Some("hPa" | "mbar") => found.channel(name, "pressure", from()),
            Some("%") if property.named(&["humidity"]) => found.channel(name, "humidity", from()),
            unit => found.channel(name, "analog", analog(unit, property.range(), Some(&path))),
        };
    }
    if property.is_number()
        && let [Some(min), Some(max)] = property.range()
        && min < max
    {
        let ends = [("min", number(min)), ("max", number(max))];
        return found.channel(name, "servo", from().into_iter().chain(ends));
    }
    let datatype = text(property.tree, "datatype").unwrap_or("unknown");
    found.unsaid(format!("{path}: no built-in kind for a property of type {datatype}; a kind of your own can have it as a field"));
}

fn button(found: &mut Found, property: &Property<'_>, format: &str) {
    let words: Vec<&str> = format.split(',').filter(|word| !word.is_empty()).collect();
    for (key, gestures) in remote(words) {
        let name = if key.is_empty() {
            property.node.to_owned()
        } else {
            format!("{}_{key}", property.node)
        };
        let events = texts(gestures.iter().map(|(ours, theirs)| (*theirs, *ours)));
        let from = Model::from(&*property.path());
        found.channel(&name, "button", [("from", from), ("events", events)]);
    }
}
