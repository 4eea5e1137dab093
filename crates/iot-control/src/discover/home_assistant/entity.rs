//! One entity that is announced to Home Assistant, its keys written out.

use std::borrow::Cow;

use edit::Model;
use serde_json::{Map, Value as Json};
use types::Shown;

use crate::discover::{gesture, texts};

/// Short forms of the keys that are read here, <https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages>.
const SHORT: [(&str, &str); 27] = [
    ("avty", "availability"),
    ("avty_t", "availability_topic"),
    ("bri_cmd_t", "brightness_command_topic"),
    ("clrm", "color_mode"),
    ("cmd_t", "command_topic"),
    ("cmd_tpl", "command_template"),
    ("cmps", "components"),
    ("dev", "device"),
    ("dev_cla", "device_class"),
    ("evt_typ", "event_types"),
    ("ids", "identifiers"),
    ("mdl", "model"),
    ("mf", "manufacturer"),
    ("p", "platform"),
    ("pl_avail", "payload_available"),
    ("pl_not_avail", "payload_not_available"),
    ("pl_off", "payload_off"),
    ("pl_on", "payload_on"),
    ("pos_t", "position_topic"),
    ("stat_off", "state_off"),
    ("stat_on", "state_on"),
    ("stat_t", "state_topic"),
    ("sup_clrm", "supported_color_modes"),
    ("sw", "sw_version"),
    ("t", "topic"),
    ("unit_of_meas", "unit_of_measurement"),
    ("val_tpl", "value_template"),
];

/// Filters of a template that change nothing of a value that we read.
const HARMLESS: [&str; 5] = ["float", "int", "round", "default", "is_defined"];

/// One entity.
pub(super) struct Entity<'t> {
    /// Home Assistant's platform: `switch`.
    pub(super) component: Cow<'t, str>,
    /// Its keys, in full, with `~` filled in.
    pub(super) config: Map<String, Json>,
    /// What stands for the entity in its topic.
    object: &'t str,
}

impl<'t> Entity<'t> {
    /// The entities that a message announces.
    pub(super) fn all(topic: &'t str, tree: &'t Json) -> Vec<Self> {
        let parts: Vec<&str> = topic.split('/').collect();
        let [_, component, .., object, _] = parts.as_slice() else {
            return Vec::new();
        };
        let Some(config) = tree.as_object().map(written_out) else {
            return Vec::new();
        };
        if *component != "device" {
            return vec![Self {
                component: Cow::Borrowed(*component),
                config,
                object: *object,
            }];
        }
        let Some(components) = tree
            .get("cmps")
            .or_else(|| tree.get("components"))
            .and_then(Json::as_object)
        else {
            return Vec::new();
        };
        let shared = |key: &str| {
            config
                .get(key)
                .cloned()
                .map(|value| (key.to_owned(), value))
        };
        let shared: Vec<_> = ["device", "availability", "availability_topic", "~"]
            .into_iter()
            .filter_map(shared)
            .collect();
        let mut all = Vec::new();
        for (object, own) in components {
            let mut own = own.as_object().cloned().unwrap_or_default();
            for (key, value) in &shared {
                own.entry(key.clone()).or_insert_with(|| value.clone());
            }
            let config = written_out(&own);
            let component = config
                .get("platform")
                .and_then(Json::as_str)
                .unwrap_or_default();
            all.push(Self {
                component: Cow::Owned(component.to_owned()),
                object,
                config,
            });
        }
        all
    }

    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.config.get(key).and_then(Json::as_str)
    }

    /// The topics on which it speaks and is told.
    pub(super) fn topics(&self) -> Vec<&str> {
        let keys = ["state_topic", "command_topic", "position_topic"];
        keys.into_iter().filter_map(|key| self.text(key)).collect()
    }

    /// The name of a channel.
    pub(super) fn name(&self) -> &str {
        self.text("name")
            .filter(|name| !name.is_empty())
            .unwrap_or(self.object)
    }

    /// What tells its device from others.
    pub(super) fn device_key(&self) -> String {
        let ids = self
            .config
            .get("device")
            .and_then(|device| device.get("identifiers"));
        let first = ids.map(|ids| ids.get(0).unwrap_or(ids));
        first
            .and_then(Json::as_str)
            .unwrap_or(self.object)
            .to_owned()
    }

    /// The software of its device, as it calls itself.
    pub(super) fn software(&self) -> &str {
        let software = self
            .config
            .get("device")
            .and_then(|device| device.get("sw_version"));
        software.and_then(Json::as_str).unwrap_or_default()
    }

    pub(super) fn device_name(&self) -> &str {
        let name = self
            .config
            .get("device")
            .and_then(|device| device.get("name"));
        name.and_then(Json::as_str).unwrap_or_else(|| self.name())
    }

    /// Where it says that it is there. We read words that are usual.
    pub(super) fn availability(&self) -> Result<Option<&str>, String> {
        let list = self
            .config
            .get("availability")
            .map(|list| list.get(0).unwrap_or(list));
        let topic = self
            .text("availability_topic")
            .or_else(|| list?.get("topic")?.as_str());
        let word = |key: &str| self.text(key).or_else(|| list?.get(key)?.as_str());
        let usual = |key: &str, words: [&str; 4]| {
            word(key).is_none_or(|word| words.iter().any(|usual| word.eq_ignore_ascii_case(usual)))
        };
        let there = usual("payload_available", ["online", "true", "1", "on"]);
        let gone = usual("payload_not_available", ["offline", "false", "0", "off"]);
        match topic {
            Some(_) if !(there && gone) => {
                Err("availability: it says in unusual words whether it is there".to_owned())
            }
            topic => Ok(topic),
        }
    }

    /// The place of its value: `{{ value_json.power }}` is `/power`.
    pub(super) fn place(&self) -> Result<Option<String>, String> {
        let Some(template) = self.text("value_template") else {
            return Ok(None);
        };
        let other =
            || "its value is read by a template that does more than name a place".to_owned();
        let inner = template
            .trim()
            .strip_prefix("{{")
            .and_then(|rest| rest.strip_suffix("}}"))
            .ok_or_else(other)?;
        let mut parts = inner.split('|').map(str::trim);
        let path = parts.next().unwrap_or_default();
        let harmless =
            |filter: &str| HARMLESS.contains(&filter.split('(').next().unwrap_or_default());
        if !parts.all(harmless) {
            return Err(other());
        }
        if path == "value" {
            return Ok(None);
        }
        let path = path.strip_prefix("value_json").ok_or_else(other)?;
        let path = path
            .replace("['", ".")
            .replace("[\"", ".")
            .replace("']", "")
            .replace("\"]", "");
        let keys: Vec<&str> = path.split('.').skip(1).collect();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = |key: &&str| !key.is_empty() && key.chars().all(is_plain);
        if keys.is_empty() || !keys.iter().all(plain) {
            return Err(other());
        }
        Ok(Some(format!("/{}", keys.join("/"))))
    }

    /// Our kind of a binary sensor.
    pub(super) fn binary_kind(&self) -> Option<&'static str> {
        Some(match self.text("device_class")? {
            "door" | "window" | "opening" | "garage_door" => "contact",
            "motion" | "occupancy" | "moving" => "motion",
            "presence" => "presence",
            _ => return None,
        })
    }

    /// Our kind of a sensor that reports a number.
    pub(super) fn sensor_kind(&self) -> Result<&'static str, String> {
        let unit = self.text("unit_of_measurement");
        Ok(match (self.text("device_class"), unit) {
            (Some("temperature"), Some("°F")) => {
                return Err("in °F; the house counts in °C".to_owned());
            }
            (Some("temperature"), _) => "temperature",
            (Some("humidity"), _) => "humidity",
            (Some("illuminance"), _) => "lux",
            (Some("pressure" | "atmospheric_pressure"), Some("hPa" | "mbar")) => "pressure",
            (_, Some(_)) => "analog",
            (_, None) if self.config.contains_key("state_class") => "analog",
            (_, None) => return Err("reports no number, as far as it says".to_owned()),
        })
    }

    /// Its events as `events = { its word = "ours" }`.
    pub(super) fn events(&self) -> Result<Model, String> {
        let types = self
            .config
            .get("event_types")
            .and_then(Json::as_array)
            .into_iter()
            .flatten();
        let mut known: Vec<(&str, &str)> = Vec::new();
        let mut others = Vec::new();
        for word in types.filter_map(Json::as_str) {
            match gesture(word) {
                Some((ours, _)) if !known.iter().any(|(_, other)| *other == ours) => {
                    known.push((word, ours));
                }
                _ => others.push(word),
            }
        }
        if known.is_empty() {
            return Err(format!(
                "none of its events is a gesture: {}",
                Shown(&others.join(", "))
            ));
        }
        Ok(texts(known))
    }
}

/// A configuration with its keys in full, and `~` filled in.
fn written_out(config: &Map<String, Json>) -> Map<String, Json> {
    let base = config.get("~").and_then(Json::as_str).unwrap_or_default();
    below(config, base)
}

fn below(config: &Map<String, Json>, base: &str) -> Map<String, Json> {
    let mut out = Map::new();
    for (key, value) in config {
        let long = SHORT
            .iter()
            .find(|(short, _)| short == key)
            .map_or(&**key, |(_, long)| long);
        let value = match value {
            Json::String(text) if long.ends_with("topic") && !base.is_empty() => {
                Json::from(text.replace('~', base))
            }
            Json::Object(inner) if long == "device" => Json::Object(below(inner, base)),
            Json::Array(list) if long == "availability" => {
                let list = list.iter().map(|one| {
                    one.as_object()
                        .map_or_else(|| one.clone(), |one| Json::Object(below(one, base)))
                });
                Json::Array(list.collect())
            }
            other => other.clone(),
        };
        out.insert(long.to_owned(), value);
    }
    out
}
