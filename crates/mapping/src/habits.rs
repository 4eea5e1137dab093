//! What rules of Home Assistant, Node-RED and openHAB say, in our form: who comes from there writes those tables and texts
//! first, and is told what to write instead.
//!
//! Called where a trigger, an action, a condition or a value is none of ours. Guesses what was meant with the names of the
//! house, and says nothing where it can't. Must not report anything, nor know where the words stand.

mod actions;
mod conditions;
mod often;
mod texts;
mod triggers;

use types::Type;

use crate::{
    program::{ChannelIx, Program},
    read::{Node, Table},
    units,
};

pub(crate) use actions::{BESIDE, action};
pub(crate) use conditions::condition;
pub(crate) use texts::{action_text, event_text, has_template, service_text, without_template};
pub(crate) use triggers::{days_of_sun, trigger};

/// First parts of the names of Home Assistant's entities and services, in their order.
const DOMAINS: &[&str] = &[
    "automation",
    "binary_sensor",
    "button",
    "climate",
    "cover",
    "device_tracker",
    "fan",
    "group",
    "homeassistant",
    "input_boolean",
    "input_button",
    "input_number",
    "input_select",
    "input_text",
    "light",
    "lock",
    "media_player",
    "mqtt",
    "notify",
    "number",
    "person",
    "scene",
    "script",
    "select",
    "sensor",
    "siren",
    "switch",
    "timer",
    "tts",
    "valve",
];

/// How a channel is called that nobody can guess.
const SOME_CHANNEL: &str = "DEVICE.CHANNEL";

/// The text under a key; of a list its first one.
fn text<'a>(table: &Table<'a>, key: &str) -> Option<&'a str> {
    let node = table.field(key)?;
    let first = || node.as_list()?.first()?.as_text();
    node.as_text().or_else(first).map(|text| text.text)
}

/// The first of these keys under which a text stands.
fn first_text<'a>(table: &Table<'a>, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| text(table, key))
}

fn has_any(table: &Table<'_>, keys: &[&str]) -> bool {
    keys.iter().any(|key| table.field(key).is_some())
}

/// A scalar as a text: `on`, `5`, `true`.
fn scalar<'a>(node: Node<'a>) -> Option<&'a str> {
    match node.as_text() {
        Some(text) => Some(text.text),
        None if node.as_number().is_some() || node.as_bool().is_some() => Some(node.written()),
        None => None,
    }
}

/// Whether a name is one of Home Assistant's, and none of the house.
fn is_foreign(program: &Program, name: &str) -> bool {
    DOMAINS.binary_search(&name).is_ok()
        && program.device(name).is_none()
        && !program.names.groups.contains_key(name)
}

/// The channel that is meant by `hall.lamp`, `light.hall_lamp`, `light.hall` or `Hall_Lamp`.
fn channel(program: &Program, entity: &str) -> Option<ChannelIx> {
    let ours = program.channel_by_path(entity);
    if ours.is_some() {
        return ours;
    }
    let lower = entity.to_lowercase();
    let (domain, name) = match lower.split_once('.') {
        Some((domain, name)) if is_foreign(program, domain) => (domain, name),
        Some(_) => return None,
        None => ("", &*lower),
    };
    let parted = name.match_indices('_').find_map(|(at, _)| {
        let device = program.device(&name[..at])?;
        program.channel(device, &name[at + 1..])
    });
    parted.or_else(|| {
        let channels = &program[program.device(name)?].channels;
        let kinds = kinds(domain);
        let is_one = |channel: &&ChannelIx| kinds.contains(&&*program[**channel].kind);
        channels.iter().find(is_one).copied()
    })
}

/// Kinds of channels that are entities of a domain, the likeliest first.
fn kinds(domain: &str) -> &'static [&'static str] {
    match domain {
        "light" => &["light", "dimmer", "switch"],
        "switch" | "fan" | "input_boolean" => &["switch"],
        "cover" | "valve" => &["cover"],
        "binary_sensor" => &["motion", "contact", "presence"],
        "sensor" => &[
            "temperature",
            "humidity",
            "lux",
            "pressure",
            "analog",
            "counter",
        ],
        "person" | "device_tracker" => &["presence"],
        "button" | "input_button" => &["button"],
        "siren" => &["buzzer"],
        _ => &[],
    }
}

/// The channel's name as our files write it.
fn path(program: &Program, entity: Option<&str>) -> String {
    let channel = entity.and_then(|entity| channel(program, entity));
    channel.map_or_else(
        || SOME_CHANNEL.to_owned(),
        |channel| program.channel_path(channel),
    )
}

/// The state that an entity has at large: `state.hall.lamp.on`, and what it holds.
fn state(program: &Program, entity: Option<&str>) -> (String, Option<Type>) {
    let Some(channel) = entity.and_then(|entity| channel(program, entity)) else {
        return (format!("state.{SOME_CHANNEL}"), None);
    };
    let first = program[channel].slots.first().copied();
    match program.on(channel).or(first) {
        Some(slot) => (
            format!("state.{}", program.slot_path(slot)),
            Some(program[slot].ty.clone()),
        ),
        None => (format!("state.{}", program.channel_path(channel)), None),
    }
}

/// The condition that the state of an entity is `value`.
fn is_state(program: &Program, entity: Option<&str>, value: &str) -> String {
    let (path, ty) = state(program, entity);
    let truth = match value.to_lowercase().as_str() {
        "on" | "true" | "yes" | "open" | "opened" | "detected" | "home" => Some(true),
        "off" | "false" | "no" | "closed" | "clear" | "away" | "not_home" => Some(false),
        _ => None,
    };
    match (ty, truth) {
        (Some(Type::Bool), Some(true)) => path,
        (Some(Type::Bool), Some(false)) => format!("!{path}"),
        (None, Some(truth)) if matches!(value, "on" | "off") => {
            format!("{}{path}.on", if truth { "" } else { "!" })
        }
        (Some(Type::Enum(names)), truth) => {
            let same = names.iter().find(|name| &***name == value);
            // A contact of theirs is on where ours is open; who is not home is away.
            let place = usize::from(truth == Some(false));
            let meant = same.or(names.get(place).filter(|_| truth.is_some()));
            format!("{path} == '{}'", meant.map_or(value, |name| name))
        }
        _ if value.parse::<f64>().is_ok() => format!("{path} == {value}"),
        _ => format!("{path} == '{value}'"),
    }
}

/// The condition that an entity's number lies between `above` and `below`.
fn is_between(program: &Program, table: &Table<'_>, entity: Option<&str>) -> Option<String> {
    let (path, _) = state(program, entity);
    let bound = |key: &str, sign: &str| {
        let number = scalar(table.field(key)?)?;
        Some(format!("{path} {sign} {number}"))
    };
    let parts: Vec<String> = [("above", ">"), ("below", "<")]
        .into_iter()
        .filter_map(|(key, sign)| bound(key, sign))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" && "))
}

/// A time that is none of ours: `00:05:00`, `{ minutes = 5 }`, or a number of seconds; as we write it.
pub(crate) fn span(node: Node<'_>) -> Option<String> {
    if let Some(text) = node.as_text() {
        return match units::parse(text.text) {
            Some(_) => Some(text.text.to_owned()),
            None => clock(text.text),
        };
    }
    if node.as_number().is_some() {
        return Some(format!("{}s", node.written()));
    }
    let mut written = String::new();
    let table = node.as_table()?;
    for (key, unit) in [
        ("days", "d"),
        ("hours", "h"),
        ("minutes", "m"),
        ("seconds", "s"),
        ("milliseconds", "ms"),
    ] {
        if let Some(count) = table.field(key).and_then(scalar) {
            written.push_str(&format!("{count}{unit}"));
        }
    }
    units::parse(&written).filter(|_| !written.is_empty())?;
    Some(written)
}

/// `5m` of `00:05:00`.
fn clock(text: &str) -> Option<String> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let mut parts = text.split(':').map(|part| part.parse::<u32>().ok());
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next()??);
    let mut written = sign.to_owned();
    for (count, unit) in [(hours, "h"), (minutes, "m"), (seconds, "s")] {
        if count > 0 {
            written.push_str(&format!("{count}{unit}"));
        }
    }
    (parts.next().is_none() && written.len() > sign.len()).then_some(written)
}

/// What is said where a name or a fixed value is computed, or written as a template.
pub(crate) const NOT_COMPUTED: &str = "nothing is computed here; ${..} stands in the values of a `set`, in arguments, in `to` and in texts to people";

/// What to write for a value that stands in `{{ .. }}`.
pub(crate) fn value(text: &str) -> Option<String> {
    let inner = without_template(text)?;
    let is_constant = inner.parse::<f64>().is_ok() || matches!(inner, "true" | "false");
    Some(match is_constant {
        true => format!("write {inner}"),
        false => format!("a computed value is written \"${{{inner}}}\""),
    })
}

/// What to write for a function of Home Assistant's templates, with its arguments as they are written.
pub(crate) fn function(program: &Program, name: &str, arguments: &[&str]) -> Option<String> {
    let bare = |at: usize| {
        let written = arguments.get(at)?.trim();
        Some(written.trim_matches(['\'', '"']))
    };
    let written = match name {
        "is_state" => is_state(program, bare(0), bare(1)?),
        "states" | "state_attr" => state(program, bare(0)).0,
        _ => return None,
    };
    Some(format!("write {written}"))
}

/// What a key of an automation is in a rule of ours.
pub(crate) fn rule_key(name: &str) -> Option<&'static str> {
    Some(match name {
        "else" | "otherwise" => {
            "write a second rule with the same `when`, and the opposite in its `if`"
        }
        "delay" | "wait" | "sleep" => {
            "{ wait = \"5m\" } stands among the actions: do = [\"hall.lamp.on\", { wait = \"5m\" }, \"hall.lamp.off\"]"
        }
        "for" | "duration" => {
            "what must hold so long stands in `when`: { holds = \"..\", for = \"5m\" }"
        }
        "max" | "max_exceeded" => {
            "at most ten runs wait for their turn; how often a rule fires at all is said with `limit`"
        }
        "id" | "name" | "unique_id" => "the name of a rule stands in its header: [rule.NAME]",
        "choose" | "repeat" | "parallel" => {
            "a rule does all that stands in its `do`, once; make a rule of each choice, with an `if` of its own"
        }
        "entity_id" | "target" | "data" | "service" | "command" | "set" => {
            "what a rule does stands in `do`: do = \"hall.lamp.on\", or do = { set = \"hall.lamp\", brightness = 40 }"
        }
        "event" | "on" | "from" | "to" | "state" => {
            "what a rule waits for stands in `when`: when = \"hall.motion.start\", or when = { holds = \"state.hall.lamp.on\" }"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_found_by_their_order() {
        assert!(DOMAINS.is_sorted());
    }
}
