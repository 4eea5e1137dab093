//! What is known of makes of foreign devices: their topics, and where each built-in kind stands in their payloads.

mod esphome;
mod homie;
mod shelly;
mod shelly_gen1;
mod tasmota;
mod zigbee2mqtt;

use std::{collections::BTreeMap, sync::Arc};

use types::Value;

use crate::{
    kinds::Kind,
    program::{Codec, Foreign, Form, Meaning, Measure, Part, Phrase, Preset, Saying, Tells},
};

/// Where a channel stands, as far as its table says.
pub(super) struct Place<'p> {
    /// The make.
    pub(super) preset: Preset,
    /// The device's name in its topics.
    pub(super) name: &'p str,
    /// The channel's name.
    pub(super) channel: &'p str,
    pub(super) kind: &'p Kind,
    /// `from = ".."`: a key, or a pointer with its first `/`.
    pub(super) from: Option<&'p str>,
    /// `fields = { .. }`: pointers of single fields.
    pub(super) fields: &'p BTreeMap<Arc<str>, Arc<str>>,
}

/// The topics of the device that the make calls `name`.
pub(super) fn topics(preset: Preset, name: &str) -> Foreign {
    let topic = |text: String| Arc::<str>::from(text);
    let mut foreign = Foreign {
        preset: Some((preset, name.into())),
        ..Foreign::default()
    };
    match preset {
        Preset::Zigbee2Mqtt => {
            let state = topic(format!("zigbee2mqtt/{name}"));
            foreign.event = Some(Arc::clone(&state));
            foreign.states = vec![state];
            foreign.target = Some(topic(format!("zigbee2mqtt/{name}/set")));
            foreign.availability = Some(topic(format!("zigbee2mqtt/{name}/availability")));
        }
        Preset::Tasmota => {
            let result = topic(format!("stat/{name}/RESULT"));
            foreign.event = Some(Arc::clone(&result));
            foreign.states = vec![
                result,
                topic(format!("tele/{name}/STATE")),
                topic(format!("tele/{name}/SENSOR")),
            ];
            foreign.availability = Some(topic(format!("tele/{name}/LWT")));
        }
        Preset::Homie => foreign.availability = Some(topic(format!("homie/5/{name}/$state"))),
        Preset::EspHome => foreign.availability = Some(topic(format!("{name}/status"))),
        Preset::Shelly => foreign.availability = Some(topic(format!("{name}/online"))),
        Preset::ShellyGen1 => {
            foreign.availability = Some(topic(format!("shellies/{name}/online")));
        }
    }
    foreign
}

/// How a channel reads where its own table says nothing else; `None`: the make is not known to have any.
pub(super) fn codec(place: &Place<'_>) -> Option<Codec> {
    let known = match place.preset {
        Preset::Zigbee2Mqtt => zigbee2mqtt::codec(&place.kind.name),
        Preset::Tasmota => tasmota::codec(place),
        Preset::Homie => return homie::codec(place),
        Preset::EspHome => return esphome::codec(place),
        Preset::Shelly => return shelly::codec(place),
        Preset::ShellyGen1 => return shelly_gen1::codec(place),
    };
    // What stands at one place that the mapping names needs no more than that.
    let named = place.from.is_some() || !place.fields.is_empty();
    known.or_else(|| (!Kind::is_built_in(&place.kind.name) || named).then(Codec::default))
}

impl Place<'_> {
    /// The parts of `from`: `/relay/1` and `relay` alike.
    fn path(&self) -> Vec<&str> {
        let from = self.from.unwrap_or_default();
        from.split('/').filter(|part| !part.is_empty()).collect()
    }
}

fn words(on: &str, off: &str) -> Codec {
    Codec {
        on: Some(on.into()),
        off: Some(off.into()),
        ..Codec::default()
    }
}

fn at(from: &str, on: &str, off: &str) -> Codec {
    Codec {
        from: Some(from.into()),
        ..words(on, off)
    }
}

fn plain(from: &str) -> Codec {
    Codec {
        from: Some(from.into()),
        ..Codec::default()
    }
}

/// The device's words for click, double, triple and long.
fn gestures(theirs: [&str; 4]) -> Codec {
    let ours = super::codec::READY_GESTURES.into_iter().map(Arc::from);
    Codec {
        events: ours.zip(theirs.map(Arc::from)).collect(),
        ..Codec::default()
    }
}

fn phrase(place: &str, word: &str, means: Meaning) -> Phrase {
    Phrase {
        place: place.into(),
        word: word.into(),
        means,
        topic: None,
    }
}

fn is(field: &str, value: impl Into<Value>) -> Meaning {
    Meaning::Is(field.into(), value.into())
}

fn part(field: &str, place: &str, measure: Measure) -> Part {
    Part {
        field: field.into(),
        place: place.into(),
        measure,
        topic: None,
    }
}

/// Hue and saturation of a colour that stands at `place`.
fn colour(place: &str) -> [Part; 2] {
    [
        part("hue", place, Measure::Hue),
        part("saturation", place, Measure::Saturation),
    ]
}

/// A message that tells fields, whatever their values.
fn tells(topic: &Arc<str>, fields: &[&str], form: &str) -> Saying {
    let fields: Vec<(&str, Option<Value>)> = fields.iter().map(|field| (*field, None)).collect();
    tells_that(topic, &fields, form)
}

/// A message that tells fields, each with any value or with this one.
fn tells_that(topic: &Arc<str>, fields: &[(&str, Option<Value>)], form: &str) -> Saying {
    let fields = fields.iter();
    let fields = fields.map(|(name, value)| (Arc::from(*name), value.clone()));
    Saying {
        topic: Arc::clone(topic),
        tells: Tells::Fields(fields.collect()),
        form: Form::new(form),
    }
}

/// The message for a momentary command.
fn commands(topic: &Arc<str>, command: &str, form: &str) -> Saying {
    Saying {
        topic: Arc::clone(topic),
        tells: Tells::Command(command.into()),
        form: Form::new(form),
    }
}

/// The messages of a lamp that takes one object of its on, brightness and colour. `form` makes it of the side, with
/// keys for the rest: `{"state":"ON"..}`.
fn lamp(
    topic: &Arc<str>,
    parts: &[Part],
    form: impl Fn(Option<bool>, &str) -> String,
    keys: &LampKeys<'_>,
) -> Vec<Saying> {
    let has = |field: &str| parts.iter().any(|part| &*part.field == field);
    let (on, off) = (Some(Value::Bool(true)), Some(Value::Bool(false)));
    let LampKeys {
        brightness,
        colour,
        kelvin,
    } = keys;
    let bright = format!(",{brightness}");
    let mut sayings = vec![tells_that(topic, &[("on", off)], &form(Some(false), ""))];
    let colours = [("hue", colour), ("kelvin", kelvin)];
    let colours = colours.into_iter().filter(|(field, _)| has(field));
    for (field, key) in colours.clone() {
        let fields = [("on", on.clone()), ("brightness", None), (field, None)];
        sayings.push(tells_that(
            topic,
            &fields,
            &form(Some(true), &format!("{bright},{key}")),
        ));
    }
    let fields = [("on", on.clone()), ("brightness", None)];
    sayings.push(tells_that(topic, &fields, &form(Some(true), &bright)));
    sayings.push(tells_that(topic, &[("on", on)], &form(Some(true), "")));
    for (field, key) in colours {
        sayings.push(tells(topic, &[field], &form(None, key)));
    }
    if has("saturation") {
        sayings.push(tells(topic, &["saturation"], &form(None, colour)));
    }
    sayings
}

/// How a lamp's object says what it is to be, each as `"key":<field>`.
struct LampKeys<'k> {
    brightness: &'k str,
    colour: &'k str,
    kelvin: &'k str,
}
