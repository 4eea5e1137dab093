//! Actions that are tables elsewhere: services with their data, conditions and loops among actions.

use super::{
    channel, conditions, first_text, has_any, is_foreign, often::timer, path, scalar, span,
    texts::command,
};
use crate::{
    program::Program,
    read::{Node, Table},
};

/// Longest action that help repeats.
const SHOWN_BYTES_MAX: usize = 80;

/// What to write for a table in `do` that is none of ours.
pub(crate) fn action(program: &Program, table: &Table<'_>) -> Option<Vec<String>> {
    if has_any(table, &["if", "condition", "then", "else", "unless"]) {
        return Some(decision(program, table));
    }
    let one = if has_any(table, &["choose", "switch", "case"]) {
        "a rule has one condition for all that it does: make a rule of each choice, with the same `when` and an `if` of its own".to_owned()
    } else if has_any(table, &["repeat", "while", "for_each", "loop"]) {
        format!(
            "actions are not repeated: write each of them, or a rule with {}",
            timer("5s")
        )
    } else if has_any(table, &["parallel"]) || table.field("sequence").is_some() {
        "actions take no time: write them one after the other in the list of `do`".to_owned()
    } else if has_any(table, &["wait_for_trigger", "wait_template", "wait_until"]) {
        "a rule waits for a time only: what is to happen later is a rule of its own, with that as its `when`; a variable or a timer remembers what came before".to_owned()
    } else if let Some(topic) = first_text(table, &["topic", "publish", "mqtt"]) {
        on_topic(topic)
    } else if let Some(event) = first_text(table, &["event"]) {
        format!("an event of a virtual device is {{ emit = \"{event}\" }}")
    } else {
        format!("write {}", service(program, table)?)
    };
    Some(vec![one])
}

/// What is said of a condition beside an action of ours.
pub(crate) const BESIDE: &str = "a rule has one condition for all that it does: write `if` beside `when` and `do`, or make a second rule";

fn decision(program: &Program, table: &Table<'_>) -> Vec<String> {
    let condition = ["if", "condition", "unless"]
        .iter()
        .find_map(|key| table.field(key));
    // `{ condition = "state", entity_id = .. }` is the condition itself.
    let whole = table.field("entity_id").is_some() || table.field("conditions").is_some();
    let condition = match condition {
        Some(node) if !whole => conditions::condition(program, node),
        _ => conditions::of_trigger(program, table),
    };
    let condition = condition.unwrap_or_else(|| "..".to_owned());
    let written = |key: &str| {
        let written = table.field(key).map(|node: Node<'_>| node.written());
        let short = written.filter(|text| text.len() <= SHOWN_BYTES_MAX && !text.contains('\n'));
        short.map_or(String::new(), |text| format!(" and do = {text}"))
    };
    let mut help = vec![format!(
        "a rule has one condition for all that it does: write if = \"{condition}\"{} in the rule, beside `when`",
        written("then")
    )];
    if table.field("else").is_some() {
        help.push(format!(
            "the rest is a second rule with the same `when`, if = \"!({condition})\"{}",
            written("else")
        ));
    }
    help
}

fn on_topic(topic: &str) -> String {
    format!(
        "what listens on a topic is a device: mqtt = {{ target = \"{topic}\" }} below its [device.NAME], and here \"NAME.CHANNEL.on\""
    )
}

/// The action for `{ service = "light.turn_on", target = { entity_id = "light.hall" }, data = { brightness_pct = 50 } }`.
fn service(program: &Program, table: &Table<'_>) -> Option<String> {
    let keys = [
        "service",
        "action",
        "perform_action",
        "call_service",
        "call",
    ];
    let called = first_text(table, &keys);
    let tables = ["data", "service_data", "data_template", "target", "with"];
    let inner: Vec<Table<'_>> = tables
        .iter()
        .filter_map(|key| table.field(key)?.as_table())
        .chain([table.clone()])
        .collect();
    let find = |keys: &[&str]| inner.iter().find_map(|table| first_text(table, keys));
    let entity = find(&["entity_id", "entity", "device", "target"]);
    let Some(called) = called else {
        // `{ entity_id = "light.hall", state = "on" }`.
        let entity = first_text(table, &["entity_id", "entity", "item"])?;
        let value = ["state", "to", "command", "value"]
            .iter()
            .find_map(|key| scalar(table.field(key)?));
        let value = value.unwrap_or("on").to_lowercase();
        let command = command(program, channel(program, entity), &value)?;
        return Some(format!("\"{}.{command}\"", path(program, Some(entity))));
    };
    let (domain, verb) = called.split_once('.')?;
    if !is_foreign(program, domain) {
        return None;
    }
    let name = |fallback: &'static str| {
        let entity = entity.unwrap_or(fallback);
        entity
            .rsplit_once('.')
            .map_or(entity, |(_, name)| name)
            .to_owned()
    };
    Some(match (domain, verb) {
        ("notify" | "tts", _) => {
            let says = find(&["message", "text"]).unwrap_or("..");
            let says = says.replace("{{ ", "${").replace("{{", "${");
            let says = says.replace(" }}", "}").replace("}}", "}");
            format!("{{ notify = \"all\", text = \"{says}\" }}")
        }
        ("scene", _) => format!("{{ scene = \"{}\" }}", name("NAME")),
        ("timer", "start") => {
            let time = inner.iter().find_map(|table| span(table.field("duration")?));
            let time = time.unwrap_or_else(|| "5m".to_owned());
            format!("{{ start = \"{}\", for = \"{time}\" }}", name("NAME"))
        }
        ("timer", _) => format!("{{ stop = \"{}\" }}", name("NAME")),
        ("input_boolean" | "input_number" | "input_select" | "input_text", verb) => {
            let value = inner.iter().find_map(|table| {
                let node = table.field("value").or_else(|| table.field("option"))?;
                Some(node.written())
            });
            let to = match verb {
                "turn_on" => "true",
                "turn_off" => "false",
                "toggle" => return Some(toggled(&name("NAME"))),
                _ => value.unwrap_or(".."),
            };
            format!("{{ var = \"{}\", to = {to} }}", name("NAME"))
        }
        ("mqtt", _) => return None,
        ("script" | "automation", _) => {
            "{ emit = \"DEVICE.CHANNEL.press\" } of a virtual device, and do the rest in a rule with that as its `when`".to_owned()
        }
        _ => of_channel(program, entity, verb, &inner)?,
    })
}

fn toggled(name: &str) -> String {
    format!("{{ var = \"{name}\", to = \"${{!var.{name}}}\" }}")
}

/// A command, or where data says how, the fields that it sets.
fn of_channel(
    program: &Program,
    entity: Option<&str>,
    verb: &str,
    tables: &[Table<'_>],
) -> Option<String> {
    let number = |key: &str| {
        let mut found = tables.iter().filter_map(|table| table.field(key));
        found.find_map(|node| node.as_number())
    };
    let path = path(program, entity);
    let mut fields = String::new();
    let brightness = number("brightness_pct").or(number("brightness").map(|of_255| of_255 / 2.55));
    for (name, value) in [
        ("brightness", brightness),
        ("kelvin", number("color_temp_kelvin").or(number("kelvin"))),
        ("position", number("position")),
    ] {
        if let Some(value) = value {
            fields.push_str(&format!(", {name} = {}", value.round()));
        }
    }
    if let Some(seconds) = number("transition") {
        if fields.is_empty() {
            let on = verb != "turn_off";
            fields.push_str(&format!(", on = {on}"));
        }
        fields.push_str(&format!(", fade = \"{seconds}s\""));
    }
    if !fields.is_empty() {
        return Some(format!("{{ set = \"{path}\"{fields} }}"));
    }
    let channel = entity.and_then(|entity| channel(program, entity));
    let command = command(program, channel, verb)?;
    Some(format!("\"{path}.{command}\""))
}
