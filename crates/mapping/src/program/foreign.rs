//! Devices that keep topics and payloads of their own.

use std::{collections::BTreeMap, sync::Arc};

use types::Value;

use super::{Saying, colour};

/// `mqtt = { .. }` of a foreign device: full topics.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreign {
    /// The make whose topics these are, and the device's name in them.
    pub preset: Option<(Preset, Arc<str>)>,
    /// Where it reports state; a channel may have its own topics, see [`Codec::states`].
    pub states: Vec<Arc<str>>,
    /// Where it takes its target; a channel may have its own, see [`Codec::target`].
    pub target: Option<Arc<str>>,
    /// Where it reports events; a channel may have its own topic, see [`Codec::event`].
    pub event: Option<Arc<str>>,
    /// Where its `online`/`offline` stands.
    pub availability: Option<Arc<str>>,
}

/// A make of devices whose topics and payloads are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Zigbee devices behind the bridge <https://www.zigbee2mqtt.io>.
    Zigbee2Mqtt,
    /// Devices with the firmware <https://tasmota.github.io>.
    Tasmota,
    /// Devices that follow version 5 of the convention <https://homieiot.github.io>.
    Homie,
    /// Devices with the firmware <https://esphome.io> and its MQTT client.
    EspHome,
    /// Shelly's devices from the second generation on.
    Shelly,
    /// Shelly's devices of the first generation.
    ShellyGen1,
}

/// How the payloads of a foreign channel read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Codec {
    /// Key or JSON pointer of the value in a state payload; `None`: the whole payload. A pointer's first
    /// key may be `*`: whichever object holds the rest.
    pub from: Option<Arc<str>>,
    /// The word for true, e.g. `ON`.
    pub on: Option<Arc<str>>,
    /// The word for false, e.g. `OFF`.
    pub off: Option<Arc<str>>,
    /// Key or JSON pointer of the event's name in an event payload.
    pub event_from: Option<Arc<str>>,
    /// Our event name -> the device's word.
    pub events: BTreeMap<Arc<str>, Arc<str>>,
    /// Where each field stands, where they don't stand together under our names.
    pub parts: Vec<Part>,
    /// Words that stand for one value of a field, or for a command.
    pub phrases: Vec<Phrase>,
    /// The channel's own topic for targets. It takes the bare word, or several as `KEY value;KEY value`.
    pub target: Option<Arc<str>>,
    /// The channel's own topics for its state; empty: the device's.
    pub states: Vec<Arc<str>>,
    /// The channel's own topic for events; `None`: the device's.
    pub event: Option<Arc<str>>,
    /// Where events stand in a list: which of them are the channel's.
    pub among: Option<Among>,
    /// What targets and commands are, where each is a message of its own; empty: as above.
    pub sayings: Vec<Saying>,
}

/// A list of events, of which some are about one channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Among {
    /// JSON pointer of the list.
    pub list: Arc<str>,
    /// The key that says whom an event is about.
    pub key: Arc<str>,
    /// What stands there for this channel.
    pub is: Arc<str>,
}

/// One field of a foreign channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Our name of the field.
    pub field: Arc<str>,
    /// JSON pointer of its place in a payload; empty: the payload is the value.
    pub place: Arc<str>,
    /// How it is counted there.
    pub measure: Measure,
    /// The one topic on which it stands; `None`: on each of the channel's.
    pub topic: Option<Arc<str>>,
}

/// A word of the device, and what it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase {
    /// JSON pointer of its place in a payload; empty: the payload is the word.
    pub place: Arc<str>,
    /// The word, e.g. `OPEN`.
    pub word: Arc<str>,
    /// What we call it.
    pub means: Meaning,
    /// The one topic on which it stands; `None`: on each of the channel's.
    pub topic: Option<Arc<str>>,
}

/// What a word of a device stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Meaning {
    /// Our field of this name has this value. Where the field's own [`Part`] stands beside it, that one counts.
    Is(Arc<str>, Value),
    /// Our momentary command of this name.
    Command(Arc<str>),
}

/// How a device counts a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// As we do.
    Plain,
    /// 1-254 for our 1-100 %, as Zigbee's level cluster has it.
    Of254,
    /// 1-255 for our 1-100 %.
    Of255,
    /// Millionths of the reciprocal: mired for our kelvin.
    Mired,
    /// The hue of a colour, see [`Measure::of_colour`].
    Hue,
    /// The saturation of a colour, see [`Measure::of_colour`].
    Saturation,
}

impl Preset {
    /// All of them, in the order in which people read about them.
    pub const ALL: [Self; 6] = [
        Self::Zigbee2Mqtt,
        Self::Tasmota,
        Self::Homie,
        Self::EspHome,
        Self::Shelly,
        Self::ShellyGen1,
    ];

    /// Whether each channel has topics of its own, so that `from` names one of them.
    #[must_use]
    pub fn has_topics_of_channels(self) -> bool {
        !matches!(self, Self::Zigbee2Mqtt | Self::Tasmota)
    }

    /// As it stands in a mapping.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zigbee2Mqtt => "zigbee2mqtt",
            Self::Tasmota => "tasmota",
            Self::Homie => "homie",
            Self::EspHome => "esphome",
            Self::Shelly => "shelly",
            Self::ShellyGen1 => "shelly-gen1",
        }
    }
}

impl Codec {
    /// How the device counts our field `name`.
    #[must_use]
    pub fn measure(&self, name: &str) -> Measure {
        let part = self.parts.iter().find(|part| *part.field == *name);
        part.map_or(Measure::Plain, |part| part.measure)
    }

    /// The device's word for `value` of our field `name`.
    #[must_use]
    pub fn phrase_of(&self, name: &str, value: &Value) -> Option<&Phrase> {
        let says = |phrase: &&Phrase| match &phrase.means {
            Meaning::Is(field, known) => **field == *name && known == value,
            Meaning::Command(_) => false,
        };
        self.phrases.iter().find(says)
    }

    /// Whether the channel is told anything on a topic of its own.
    #[must_use]
    pub fn listens(&self) -> bool {
        self.target.is_some() || !self.sayings.is_empty()
    }

    /// The topics on which the channel alone is told something.
    pub fn told_on(&self) -> impl Iterator<Item = &Arc<str>> {
        let sayings = self.sayings.iter().map(|saying| &saying.topic);
        self.target.iter().chain(sayings)
    }

    /// The topics on which the channel alone says something.
    pub fn said_on(&self) -> impl Iterator<Item = &Arc<str>> {
        self.states.iter().chain(&self.event)
    }

    /// The device's word for our momentary command `name`.
    #[must_use]
    pub fn phrase_for(&self, name: &str) -> Option<&Phrase> {
        let says =
            |phrase: &&Phrase| matches!(&phrase.means, Meaning::Command(known) if **known == *name);
        self.phrases.iter().find(says)
    }
}

/// Largest level of Zigbee's level cluster; 255 means "as before".
const LEVEL_MAX: f64 = 254.0;

/// Largest value of a byte.
const BYTE_MAX: f64 = 255.0;

/// So many degrees of hue are lost on the way through whole reds, greens and blues.
const HUE_LOST_MAX: f64 = 3.0;

impl Measure {
    /// Our number in the device's measure.
    #[must_use]
    pub fn theirs(self, ours: f64) -> f64 {
        match self {
            Self::Plain | Self::Hue | Self::Saturation => ours,
            Self::Of254 => (ours * LEVEL_MAX / 100.0).round(),
            Self::Of255 => (ours * BYTE_MAX / 100.0).round(),
            Self::Mired => (1e6 / ours).round(),
        }
    }

    /// The device's number in ours.
    #[must_use]
    pub fn ours(self, theirs: f64) -> f64 {
        match self {
            Self::Plain => theirs,
            Self::Of254 => (theirs * 100.0 / LEVEL_MAX).round().clamp(1.0, 100.0),
            Self::Of255 => (theirs * 100.0 / BYTE_MAX).round().clamp(1.0, 100.0),
            Self::Mired => (1e6 / theirs).round(),
            Self::Hue => theirs.round().rem_euclid(360.0),
            Self::Saturation => theirs.round(),
        }
    }

    /// Our number, where this is the measure of a part of a colour: red, green and blue.
    #[must_use]
    pub fn of_colour(self, primaries: [f64; 3]) -> Option<f64> {
        let (hue, saturation) = colour::of_primaries(primaries);
        match self {
            Self::Hue => Some(hue),
            Self::Saturation => Some(saturation),
            _ => None,
        }
    }

    /// Whether two of our numbers may be one of the device's.
    #[must_use]
    pub fn same(self, a: f64, b: f64) -> bool {
        match self {
            Self::Hue => {
                let apart = (a - b).abs();
                apart.min(360.0 - apart) <= HUE_LOST_MAX
            }
            Self::Saturation => (a - b).abs() <= 1.0,
            _ => self.theirs(a) == self.theirs(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_percentage_survives_the_way_to_a_lamp_and_back() {
        for percent in 1..=100 {
            let percent = f64::from(percent);
            let level = Measure::Of254.theirs(percent);
            assert!((1.0..=254.0).contains(&level), "{percent} -> {level}");
            assert!((Measure::Of254.ours(level) - percent).abs() < 0.5);
            assert!((Measure::Of255.ours(Measure::Of255.theirs(percent)) - percent).abs() < 0.5);
        }
        assert!((Measure::Of254.ours(1.0) - 1.0).abs() < 0.5);
    }

    #[test]
    fn what_a_lamp_makes_of_a_colour_temperature_is_the_same_to_it() {
        for kelvin in [1_500.0, 2_700.0, 4_000.0, 6_535.0, 9_000.0] {
            let mired = Measure::Mired.theirs(kelvin);
            let again = Measure::Mired.theirs(Measure::Mired.ours(mired));
            assert!((again - mired).abs() < 0.5, "{kelvin}");
        }
    }
}
