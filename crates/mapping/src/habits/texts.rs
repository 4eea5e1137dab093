//! Triggers, actions and values that somebody writes as a sentence, an expression or a template.

use super::{SOME_CHANNEL, channel, is_foreign, is_state, often, path, state};
use crate::{
    program::{ChannelIx, Program},
    units,
};

/// What is said where a rule waits for the start of the program.
pub(super) const AT_A_START: &str = "a start is no event, and what was wished survives it: what a lamp does when it gets power is its `at_boot`; when a device comes is \"DEVICE.online\"";

/// Whether a text holds a template, or a computed value, where none can stand.
pub(crate) fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("${")
}

/// What stands in `{{ .. }}`.
pub(crate) fn without_template(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    Some(inner.trim()).filter(|inner| !inner.contains("{{"))
}

/// What to write for a text in `when` that can be no event; with whether it is a condition.
pub(crate) fn event_text(program: &Program, text: &str) -> Option<(bool, String)> {
    // Every event of a sound house comes by here.
    if is_path(text) {
        return path_text(program, text);
    }
    let text = text.trim();
    if let Some(inner) = without_template(text) {
        return Some((true, held(program, inner)));
    }
    if let Some(said) = open_hab(program, text) {
        return Some((false, said));
    }
    if is_condition(text) {
        return Some((true, held(program, text)));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let said = match words[..] {
        ["at", time] if units::parse_time(time).is_some() => format!("write {{ at = \"{time}\" }}"),
        ["every", ..] => often::sentence(text)?,
        _ => return None,
    };
    Some((false, said))
}

/// Whether a text is made of names and points.
fn is_path(text: &str) -> bool {
    let mut letters = text.bytes();
    letters.all(|letter| letter.is_ascii_alphanumeric() || b"_.*-".contains(&letter))
}

/// As [`event_text`], for names with points.
fn path_text(program: &Program, text: &str) -> Option<(bool, String)> {
    let Some((first, rest)) = text.split_once('.') else {
        let is_start = matches!(text, "startup" | "start" | "boot");
        return is_start.then(|| (false, AT_A_START.to_owned()));
    };
    let is_value = matches!(first, "state" | "target") || !rest.contains('.');
    if is_value && is_condition(text) {
        return Some((true, held(program, text)));
    }
    if rest.contains('.') || !is_foreign(program, first) {
        return None;
    }
    let path = state(program, Some(text)).0;
    Some((false, format!("write {{ holds = \"{path}\" }}")))
}

/// Whether a text compares or joins something, or is a value of the house.
fn is_condition(text: &str) -> bool {
    let signs = ["<", ">", "==", "!=", "&&", "||"];
    let roots = [
        "state.",
        "target.",
        "var.",
        "sun.is_",
        "sun.elevation",
        "now.",
        "event.",
        "!",
    ];
    signs.iter().any(|sign| text.contains(sign)) || roots.iter().any(|root| text.starts_with(root))
}

fn held(program: &Program, condition: &str) -> String {
    if condition.contains("event.") {
        return format!(
            "an event is named here, \"{SOME_CHANNEL}.EVENT\", and beside it stands if = \"{condition}\""
        );
    }
    let condition = with_roots(program, condition);
    format!(
        "write {{ holds = \"{condition}\" }}, with for = \"5m\" where it must hold so long; what is only asked at an event stands in `if`"
    )
}

/// The condition with `state.` before the channels that lack it, and `.on` behind lamps.
fn with_roots(program: &Program, condition: &str) -> String {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '.';
    let mut whole = String::with_capacity(condition.len());
    let mut rest = condition;
    while let Some(start) = rest.find(is_name) {
        let word = &rest[start..];
        let word = &word[..word.find(|letter| !is_name(letter)).unwrap_or(word.len())];
        whole.push_str(&rest[..start]);
        rest = &rest[start + word.len()..];
        let channel = program
            .channel_by_path(word)
            .filter(|_| !whole.ends_with('\''));
        let two: Vec<&str> = word.splitn(3, '.').collect();
        if let Some(channel) = channel {
            rest = compared(program, channel, &mut whole, rest);
        } else if let [device, name, _] = two[..]
            && program
                .channel_by_path(&format!("{device}.{name}"))
                .is_some()
        {
            whole.push_str(&format!("state.{word}"));
        } else {
            whole.push_str(word);
        }
    }
    whole + rest
}

/// Writes the state of a channel, with ` == 'on'` behind it as the truth value that it is; out comes what is left.
fn compared<'t>(
    program: &Program,
    channel: ChannelIx,
    whole: &mut String,
    rest: &'t str,
) -> &'t str {
    let path = program.channel_path(channel);
    let Some(on) = program.on(channel) else {
        whole.push_str(&format!("state.{path}"));
        return rest;
    };
    let state = format!("state.{}", program.slot_path(on));
    for (text, not) in [("'on'", ""), ("'ON'", ""), ("'off'", "!"), ("'OFF'", "!")] {
        let behind = rest.trim_start().strip_prefix("==");
        if let Some(left) = behind.and_then(|rest| rest.trim_start().strip_prefix(text)) {
            whole.push_str(&format!("{not}{state}"));
            return left;
        }
    }
    whole.push_str(&state);
    rest
}

/// openHAB's triggers: `Item Hall_Lamp changed to ON`, `Time cron 0 0 7 * * ?`.
fn open_hab(program: &Program, text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(match words[..] {
        ["Item" | "Group", item, "changed" | "received", ref how @ ..] => {
            let value = match how {
                [.., "to", value] | ["command" | "update", value] => Some(*value),
                _ => None,
            };
            let condition = match value {
                Some(value) => is_state(program, Some(item), &value.to_lowercase()),
                None => state(program, Some(item)).0,
            };
            format!("write {{ holds = \"{condition}\" }}")
        }
        ["Member", "of", group, ..] => {
            format!(
                "write \"{}.EVENT\", an event of any member of the group",
                group.to_lowercase()
            )
        }
        ["System", "started" | "reached", ..] => AT_A_START.to_owned(),
        ["Time", "cron", ref fields @ ..] if (5..=6).contains(&fields.len()) => {
            format!(
                "write {{ cron = \"{}\" }}",
                fields.join(" ").replace('?', "*")
            )
        }
        ["Time", "is", "noon"] => "write { at = \"12:00\" }".to_owned(),
        ["Time", "is", "midnight"] => "write { at = \"00:00\" }".to_owned(),
        ["Time", "is", time] => format!("write {{ at = \"{time}\" }}"),
        ["Thing", _, ..] => "write \"DEVICE.online\" or \"DEVICE.offline\"".to_owned(),
        _ => return None,
    })
}

/// What to write for a text in `do` that can be no command.
pub(crate) fn action_text(program: &Program, text: &str) -> Option<String> {
    let text = text.trim();
    let lower = text.to_lowercase();
    if let Some(span) = units::parse(text).or_else(|| delay(&lower)) {
        return Some(format!("{{ wait = \"{}\" }}", units::written(span)));
    }
    let (target, value) = told(text, &lower)?;
    let ix = channel(program, target);
    let command = command(program, ix, &value)?;
    Some(format!("\"{}.{command}\"", path(program, Some(target))))
}

/// The span of `delay: 5m`, `sleep(5s)`.
fn delay(lower: &str) -> Option<std::time::Duration> {
    let rest = ["delay", "sleep", "wait", "pause"]
        .iter()
        .find_map(|word| lower.strip_prefix(word))?;
    units::meant(rest.trim_matches(|letter: char| " :=()'\"".contains(letter)))
}

/// What is told to whom in `sendCommand(Hall_Lamp, ON)`, `Hall_Lamp.sendCommand(ON)`, `hall.lamp = on`, `turn on hall.lamp`.
fn told<'a>(text: &'a str, lower: &str) -> Option<(&'a str, String)> {
    let clean = |part: &'a str| part.trim_matches(|letter: char| " ()\"':=,;".contains(letter));
    for send in ["sendCommand", "postUpdate"] {
        if let Some((before, behind)) = text.split_once(send) {
            let (target, value) = match before.strip_suffix('.') {
                Some(target) => (target, behind),
                None => behind.split_once(',')?,
            };
            return Some((clean(target), clean(value).to_lowercase()));
        }
    }
    for (begin, value) in [
        ("turn on ", "on"),
        ("turn off ", "off"),
        ("switch on ", "on"),
        ("switch off ", "off"),
        ("toggle ", "toggle"),
        ("open ", "open"),
        ("close ", "close"),
    ] {
        if lower.starts_with(begin) {
            return Some((clean(text.get(begin.len()..)?), value.to_owned()));
        }
    }
    let (target, value) = text.split_once(['=', ':', ' '])?;
    let value = clean(value).to_lowercase();
    let value = value.strip_prefix("turn ").unwrap_or(&value).to_owned();
    (!value.contains(' ')).then(|| (clean(target), value))
}

/// Our command for theirs; `None`: the channel has none like it.
pub(super) fn command(program: &Program, channel: Option<ChannelIx>, word: &str) -> Option<String> {
    let ours = match word {
        "turn_on" | "true" | "1" => "on",
        "turn_off" | "false" | "0" => "off",
        "open_cover" | "up" | "open_valve" => "open",
        "close_cover" | "down" | "close_valve" => "close",
        "stop_cover" => "stop",
        word => word,
    };
    let is_known = match channel {
        Some(channel) => {
            let mut commands = program[channel].commands.iter();
            commands.any(|command| &*command.name == ours)
        }
        None => ["on", "off", "toggle", "open", "close", "stop"].contains(&ours),
    };
    is_known.then(|| ours.to_owned())
}

/// What to write for `light.turn_on` or `light.hall.turn_on`.
pub(crate) fn service_text(program: &Program, text: &str) -> Option<String> {
    let (domain, rest) = text.split_once('.')?;
    if !is_foreign(program, domain) {
        return None;
    }
    let (entity, verb) = match rest.split_once('.') {
        Some((name, verb)) => (Some(format!("{domain}.{name}")), verb),
        None => (None, rest),
    };
    let channel = entity
        .as_deref()
        .and_then(|entity| channel(program, entity));
    let command = command(program, channel, verb)?;
    Some(format!(
        "\"{}.{command}\"",
        path(program, entity.as_deref())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> std::sync::Arc<Program> {
        let text = "[device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\nio.lux = { kind = \"lux\" }\nio.motion = { kind = \"motion\" }\n";
        let loaded = crate::load_texts([("mapping.toml", text)]);
        loaded.program.expect("it checks")
    }

    #[test]
    fn a_condition_gets_the_roots_that_it_lacks() {
        let program = house();
        for (written, expected) in [
            ("hall.lux < 5", "state.hall.lux < 5"),
            (
                "state.hall.lux<5&&hall.lamp.on",
                "state.hall.lux<5&&state.hall.lamp.on",
            ),
            ("hall.lamp == 'on'", "state.hall.lamp.on"),
            ("hall.lamp=='OFF' && 1 < 2", "!state.hall.lamp.on && 1 < 2"),
            ("var.x == 'hall.lux'", "var.x == 'hall.lux'"),
            ("hall.online || 5 > 1.5", "hall.online || 5 > 1.5"),
        ] {
            assert_eq!(with_roots(&program, written), expected);
        }
    }

    #[test]
    fn sentences_in_do_are_commands_and_waits() {
        let program = house();
        for (written, expected) in [
            ("5m", Some("{ wait = \"5m\" }")),
            ("delay: 5 minutes", Some("{ wait = \"5m\" }")),
            ("sendCommand(Hall_Lamp, ON)", Some("\"hall.lamp.on\"")),
            ("Hall_Lamp.sendCommand(OFF)", Some("\"hall.lamp.off\"")),
            ("hall.lamp = on", Some("\"hall.lamp.on\"")),
            ("turn on hall.lamp", Some("\"hall.lamp.on\"")),
            ("turn on everything", Some("\"DEVICE.CHANNEL.on\"")),
            ("hall.lamp", None),
            ("dance", None),
        ] {
            assert_eq!(
                action_text(&program, written).as_deref(),
                expected,
                "{written}"
            );
        }
    }
}
