//! The entities of one channel.

use mapping::{
    Program,
    program::{ChannelIx, Command, CommandEffect, SlotIx},
};
use serde_json::{Value as Json, json};
use types::Type;

use super::{is_never_heard, template, words};

/// One entity.
pub(super) struct Entity {
    /// Home Assistant's kind of entity.
    pub(super) component: &'static str,
    /// Its name within the device.
    pub(super) id: String,
    pub(super) config: Json,
}

/// What a side without an end is taken for: Home Assistant wants one.
const NUMBER_MAX: f64 = 1e9;

/// What Home Assistant shows of `channel`. `node`: its device's name there.
pub(super) fn of_channel(program: &Program, channel: ChannelIx, node: &str) -> Vec<Entity> {
    let view = View {
        program,
        channel,
        node,
    };
    let row = &program[channel];
    let mut all = match &*row.kind {
        "switch" => vec![view.entity("switch", "", view.switched("value_template"))],
        "dimmer" | "light" => vec![view.entity("light", "", view.light())],
        "cover" => vec![view.entity("cover", "", view.cover())],
        "buzzer" => vec![view.entity("siren", "", view.siren())],
        "motion" => vec![view.detector("motion", &template::switched("active", true))],
        "contact" => vec![view.detector("opening", &template::one_of_two("contact", "open"))],
        "presence" => vec![view.detector("presence", &template::one_of_two("presence", "home"))],
        _ => row.slots.iter().map(|slot| view.field(*slot)).collect(),
    };
    all.extend(view.events());
    all.extend(
        row.commands
            .iter()
            .filter_map(|command| view.button(command)),
    );
    all
}

/// A channel as it is told.
struct View<'p> {
    program: &'p Program,
    channel: ChannelIx,
    node: &'p str,
}

impl View<'_> {
    /// What all entities have in common, and `own` besides. `part`: which part of the channel it is, if not the whole.
    fn entity(&self, component: &'static str, part: &str, own: Json) -> Entity {
        let row = &self.program[self.channel];
        let (id, name) = match part {
            "" => (row.name.to_string(), row.name.to_string()),
            part => (
                format!("{}-{part}", row.name),
                format!("{} {part}", row.name),
            ),
        };
        let device = &self.program[row.device];
        let mut config = json!({
            "name": name,
            "unique_id": format!("{}_{id}", self.node),
            "device": {
                "identifiers": [self.node],
                "name": &*device.name,
            },
            "origin": { "name": "iot-control", "sw_version": crate::VERSION },
        });
        if let Some(board) = &device.board {
            config["device"]["model"] = json!(&**board);
        }
        if let Some(room) = &device.room {
            config["device"]["suggested_area"] = json!(&**room);
        }
        if !is_never_heard(self.program, row.device) {
            config["availability_topic"] = json!(format!("iot/{}/availability", device.name));
        }
        if let (Json::Object(config), Json::Object(own)) = (&mut config, own) {
            config.extend(own);
        }
        Entity {
            component,
            id,
            config,
        }
    }

    fn topic(&self, leaf: &str) -> String {
        let row = &self.program[self.channel];
        format!("iot/{}/{}/{leaf}", self.program[row.device].name, row.name)
    }

    /// On and off, by our bare words.
    fn switched(&self, value_template: &str) -> Json {
        json!({
            "state_topic": self.topic("state"),
            value_template: template::switched("on", true),
            "command_topic": self.topic("set"),
            "payload_on": "ON",
            "payload_off": "OFF",
        })
    }

    fn light(&self) -> Json {
        let mut light = self.switched("state_value_template");
        let (state, set) = (self.topic("state"), self.topic("set"));
        let mut takes = |name: &str, command: String, value: &str| {
            light[format!("{name}_state_topic")] = json!(state);
            light[format!("{name}_command_topic")] = json!(set);
            light[format!("{name}_command_template")] = json!(command);
            light[format!("{name}_value_template")] = json!(value);
        };
        let slot = |name: &str| self.program.slot(self.channel, name);
        let is_coloured = slot("hue").is_some() && slot("saturation").is_some();
        if slot("brightness").is_some() {
            let command = template::set_number("brightness", "value");
            takes("brightness", command, &template::plain("brightness", false));
        }
        if is_coloured {
            takes("hs", template::SET_HUE.to_owned(), template::HUE);
        }
        let kelvin = slot("kelvin").map(|slot| range(&self.program[slot].ty));
        if let Some((min, max)) = kelvin {
            takes(
                "color_temp",
                template::set_kelvin(min, max),
                template::MIRED,
            );
            light["min_mireds"] = json!((1e6 / max).ceil() as u32);
            light["max_mireds"] = json!((1e6 / min).floor() as u32);
        }
        if is_coloured && kelvin.is_some() {
            light["color_mode_state_topic"] = json!(state);
            light["color_mode_value_template"] = json!(template::COLOUR_MODE);
        }
        if slot("brightness").is_some() {
            light["brightness_scale"] = json!(100);
        }
        // First how, then that: what was never on has no brightness yet.
        light["on_command_type"] = json!("last");
        light
    }

    fn cover(&self) -> Json {
        let (state, set) = (self.topic("state"), self.topic("set"));
        json!({
            "command_topic": set,
            "payload_open": "open",
            "payload_close": "close",
            "payload_stop": "stop",
            "position_topic": state,
            "position_template": template::plain("position", false),
            "set_position_topic": set,
            "set_position_template": template::set_number("position", "position"),
            "state_topic": state,
            "value_template": template::COVER,
        })
    }

    fn siren(&self) -> Json {
        let mut siren = self.switched("state_value_template");
        siren["command_template"] = json!("{{ value }}");
        for what in ["support_duration", "support_volume_set"] {
            siren[what] = json!(false);
        }
        siren
    }

    fn detector(&self, class: &str, value: &str) -> Entity {
        let own = json!({
            "state_topic": self.topic("state"),
            "value_template": value,
            "device_class": class,
        });
        self.entity("binary_sensor", "", own)
    }

    /// One field, by its type and whether it can be set.
    fn field(&self, slot: SlotIx) -> Entity {
        let row = &self.program[slot];
        let is_only = self.program[self.channel].slots.len() == 1;
        let part = if is_only { "" } else { &*row.name };
        let name = &*row.name;
        let is_bare = is_only || name == "on";
        let value = template::plain(name, is_bare);
        let mut own = json!({ "state_topic": self.topic("state"), "value_template": value });
        if row.settable {
            own["command_topic"] = json!(self.topic("set"));
        }
        let component = match (&row.ty, row.settable) {
            (Type::Bool, settable) => {
                own["value_template"] = json!(template::switched(name, is_bare));
                if settable {
                    own["payload_on"] = json!(format!("{{\"{name}\":true}}"));
                    own["payload_off"] = json!(format!("{{\"{name}\":false}}"));
                    own["state_on"] = json!("ON");
                    own["state_off"] = json!("OFF");
                    "switch"
                } else {
                    "binary_sensor"
                }
            }
            (Type::Int { .. } | Type::Number { .. }, true) => {
                let (min, max) = range(&row.ty);
                own["min"] = json!(min);
                own["max"] = json!(max);
                own["step"] = json!(if matches!(row.ty, Type::Int { .. }) {
                    1.0
                } else {
                    0.1
                });
                own["mode"] = json!("auto");
                own["command_template"] = json!(template::set_number(name, "value"));
                "number"
            }
            (Type::Int { .. } | Type::Number { .. }, false) => {
                self.measured(&mut own, name);
                "sensor"
            }
            (Type::Enum(options), settable) => {
                own["options"] = options.iter().map(|option| json!(&**option)).collect();
                if settable {
                    own["command_template"] = json!(template::set_text(name));
                    "select"
                } else {
                    own["device_class"] = json!("enum");
                    "sensor"
                }
            }
            (_, true) => {
                own["command_template"] = json!(template::set_text(name));
                "text"
            }
            (_, false) => "sensor",
        };
        self.entity(component, part, own)
    }

    /// Unit and class of a number that is reported.
    fn measured(&self, own: &mut Json, field: &str) {
        let row = &self.program[self.channel];
        let known = words::measured(&row.kind);
        let written = self.written_unit();
        let unit = written.as_deref().or(known.map(|(unit, _)| unit));
        let unit = unit.filter(|_| row.slots.len() == 1);
        let known_class = known.map(|(_, class)| class);
        let class = known_class.or(unit.and_then(words::class_of_unit));
        let is_count = (&*row.kind, field) == ("counter", "count");
        let grows = is_count || class.is_some_and(words::grows);
        own["state_class"] = json!(if grows {
            "total_increasing"
        } else {
            "measurement"
        });
        if let Some(unit) = unit {
            own["unit_of_measurement"] = json!(unit);
        }
        if let Some(class) = class {
            own["device_class"] = json!(class);
        }
        if let Some(stale) = row.stale_after {
            own["expire_after"] = json!(stale.as_secs().max(1));
        }
    }

    /// `unit = ".."` of the channel.
    fn written_unit(&self) -> Option<String> {
        let row = &self.program[self.channel];
        let role: Json = serde_json::from_str(&self.program[row.device].role).ok()?;
        let unit = role.get("io")?.get(&*row.name)?.get("unit")?;
        unit.as_str().map(str::to_owned)
    }

    /// Presses, turns and words of its own; not what its state says already.
    fn events(&self) -> Option<Entity> {
        let events = self.program[self.channel].events.iter();
        let events = events.map(|event| &self.program[*event]);
        let names: Vec<&str> = events
            .filter(|event| event.carries.is_empty())
            .map(|event| &*event.name)
            .collect();
        if names.is_empty() {
            return None;
        }
        let mut own = json!({
            "state_topic": self.topic("event"),
            "event_types": names,
            "value_template": template::EVENT,
        });
        if *self.program[self.channel].kind == *"button" {
            own["device_class"] = json!("button");
        }
        let is_all = self.program[self.channel].slots.is_empty();
        let part = if is_all { "" } else { "event" };
        Some(self.entity("event", part, own))
    }

    /// Something momentary that needs no more words.
    fn button(&self, command: &Command) -> Option<Entity> {
        let is_covers = &*self.program[self.channel].kind == "cover";
        let is_momentary = matches!(command.effect, CommandEffect::Momentary) && !is_covers;
        let is_whole = command.args.iter().all(|arg| arg.default.is_some());
        (is_momentary && is_whole).then(|| {
            let payload = json!({ "command": &*command.name }).to_string();
            let own = json!({ "command_topic": self.topic("set"), "payload_press": payload });
            self.entity("button", &command.name, own)
        })
    }
}

/// The ends of a number, both finite.
fn range(ty: &Type) -> (f64, f64) {
    let (min, max) = match ty {
        Type::Int { min, max } | Type::Number { min, max } => (*min, *max),
        _ => (0.0, 0.0),
    };
    let (min, max) = (min.max(-NUMBER_MAX), max.min(NUMBER_MAX));
    // Home Assistant refuses a range without an inside.
    (min, if max > min { max } else { min + 1.0 })
}
