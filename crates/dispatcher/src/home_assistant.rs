//! What Home Assistant is told of a house, so that it shows its devices by itself: one retained message for each entity at
//! `homeassistant/<component>/<node>/<entity>/config`.
//!
//! Called by the binary where the settings ask for it: at the start, after each reload, and when Home Assistant says that
//! it started. It follows from the program alone and from no input, so no journal holds it and no replay needs it. The engine
//! knows nothing of it. Source: <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use mapping::{
    Program,
    program::{ChannelIx, Device, DeviceIx},
};

use crate::effects::{Qos, Send};

mod entity;
mod template;
mod words;

/// Where Home Assistant looks unless it was told otherwise.
pub const PREFIX: &str = "homeassistant";

/// Entities that are gone and still taken back at each start of Home Assistant. It forgets those that it was told of
/// once, so only a house that goes through thousands of channels while it is off could exceed this.
const GONE_MAX: usize = 4_096;

/// What was published, and what has to be taken back.
#[derive(Clone, Debug)]
pub struct Discovery {
    prefix: Arc<str>,
    /// Topic -> configuration of each entity of the house.
    entities: BTreeMap<Arc<str>, Vec<u8>>,
    /// Topics of entities that the house no longer has. The broker keeps no message for who was not there when they
    /// went, so they are said again.
    gone: BTreeSet<Arc<str>>,
}

impl Discovery {
    /// Tells of nothing yet. `before`: the topics that an earlier process published, from [`Self::topics`].
    pub fn new(prefix: &str, before: impl IntoIterator<Item = Arc<str>>) -> Self {
        let ours = |topic: &Arc<str>| {
            topic.ends_with("/config") && topic.contains(words::NODE) && is_name(topic)
        };
        Self {
            prefix: prefix.into(),
            entities: BTreeMap::new(),
            gone: before.into_iter().filter(ours).take(GONE_MAX).collect(),
        }
    }

    /// From now on it tells of `program`; gives what is new, other, or gone.
    pub fn go_by(&mut self, program: &Program) -> Vec<Send> {
        let after = entities(program, &self.prefix);
        let before = std::mem::replace(&mut self.entities, after);
        let mut sends = Vec::new();
        for topic in before
            .keys()
            .filter(|topic| !self.entities.contains_key(*topic))
        {
            sends.push(retained(topic, &[]));
            if self.gone.len() < GONE_MAX {
                self.gone.insert(Arc::clone(topic));
            }
        }
        for (topic, config) in &self.entities {
            self.gone.remove(topic);
            if before.get(topic) != Some(config) {
                sends.push(retained(topic, config));
            }
        }
        sends
    }

    /// Everything, for one who just came: first what is gone, then what is there.
    #[must_use]
    pub fn all(&self) -> Vec<Send> {
        let gone = self.gone.iter().map(|topic| retained(topic, &[]));
        let here = self.entities.iter();
        gone.chain(here.map(|(topic, config)| retained(topic, config)))
            .collect()
    }

    /// Every topic that was published, to be kept for the next process.
    pub fn topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.gone.iter().chain(self.entities.keys())
    }

    /// Whether a message says that Home Assistant started.
    #[must_use]
    pub fn is_birth(&self, topic: &str, payload: &[u8]) -> bool {
        let status = topic.strip_prefix(&*self.prefix);
        status == Some("/status") && payload == b"online"
    }
}

/// Why `prefix` can't be where Home Assistant looks; `None`: it can.
#[must_use]
pub fn not_a_prefix(prefix: &str) -> Option<&'static str> {
    let first = prefix.split('/').next().unwrap_or_default();
    if prefix.split('/').any(str::is_empty) || !is_name(prefix) || prefix.len() > 64 {
        Some("takes a topic of letters, digits, '-', '_' and '/', at most 64 of them")
    } else if ["iot", "ic1"].contains(&first) {
        Some("topics below `iot/` and `ic1/` belong to the dispatcher and to devices")
    } else {
        None
    }
}

fn is_name(topic: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_/".contains(c);
    topic.chars().all(fits)
}

/// The configuration of each entity of a house, by its topic.
fn entities(program: &Program, prefix: &str) -> BTreeMap<Arc<str>, Vec<u8>> {
    let mut all = BTreeMap::new();
    for channel in ChannelIx::all(program.channels.len()) {
        let node = node(&program[program[channel].device]);
        for entity in entity::of_channel(program, channel, &node) {
            let topic = format!("{prefix}/{}/{node}/{}/config", entity.component, entity.id);
            all.insert(Arc::from(topic), entity.config.to_string().into_bytes());
        }
    }
    all
}

/// A device's name for Home Assistant: its number, which outlives renames; a virtual device has none.
fn node(device: &Device) -> String {
    match device.id.0 {
        0 => format!("{}{}", words::NODE, device.name),
        number => format!("{}{number}", words::NODE),
    }
}

/// Whether nobody can know whether `device` is there: it has no availability topic and never says anything.
fn is_never_heard(program: &Program, device: DeviceIx) -> bool {
    match &program[device].carrier {
        mapping::program::Carrier::Foreign(foreign) => {
            let mut own = program[device].channels.iter();
            let says = |channel: &ChannelIx| {
                let codec = program[*channel].codec.as_ref();
                codec.is_some_and(|codec| codec.said_on().next().is_some())
            };
            foreign.availability.is_none()
                && foreign.states.is_empty()
                && foreign.event.is_none()
                && !own.any(says)
        }
        _ => false,
    }
}

fn retained(topic: &Arc<str>, payload: &[u8]) -> Send {
    Send {
        topic: Arc::clone(topic),
        payload: payload.to_vec(),
        qos: Qos::AtLeastOnce,
        retain: true,
        expiry_s: None,
        token: None,
    }
}
