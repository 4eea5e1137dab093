//! Names inside of an expression: what can follow what is typed there.

use mapping::{
    Program,
    expr::words::{self, Word},
    program::{ChannelIx, EventIx},
};

use crate::complete::{Icon, Proposal};

/// Proposals for the end of an expression that these events precede; out comes the length of the word that they replace.
pub(crate) fn complete(
    program: &Program,
    events: &[EventIx],
    before: &str,
    out: &mut Vec<Proposal>,
) -> usize {
    if in_quotes(before) {
        return 0;
    }
    let (names, word) = dotted(before);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => roots(program, !events.is_empty(), out),
        ["event"] => fields_of_events(program, events, out),
        ["var"] => {
            for var in &program.vars {
                name(
                    &var.name,
                    &mapping::type_in_words(&var.ty),
                    Icon::Variable,
                    out,
                );
            }
        }
        ["sun"] => of_words(words::OF_SUN, Icon::Field, out),
        ["now"] => of_words(words::OF_NOW, Icon::Field, out),
        [root @ ("state" | "target")] => {
            for device in &program.devices {
                if device
                    .channels
                    .iter()
                    .any(|channel| has_state(program, *channel, root))
                {
                    name(&device.name, "device", Icon::Module, out);
                }
            }
        }
        [root @ ("state" | "target"), device] => {
            let channels = program
                .device(device)
                .map(|device| program[device].channels.as_slice());
            for channel in channels.unwrap_or_default() {
                if has_state(program, *channel, root) {
                    let row = &program[*channel];
                    name(&row.name, &row.kind, Icon::Module, out);
                }
            }
        }
        [root @ ("state" | "target"), device, channel] => {
            let channel = program.channel_by_path(&format!("{device}.{channel}"));
            let slots = channel.map(|channel| program[channel].slots.as_slice());
            for slot in slots.unwrap_or_default() {
                let row = &program[*slot];
                if *root == "state" || row.settable {
                    name(
                        &row.name,
                        &mapping::type_in_words(&row.ty),
                        Icon::Field,
                        out,
                    );
                }
            }
        }
        [first] if program.device(first).is_some() => {
            name("online", "whether it is there", Icon::Field, out);
        }
        [first] if program.names.groups.contains_key(*first) => {
            for word in words::OF_GROUPS {
                out.push(Proposal {
                    label: word.name.to_owned(),
                    text: format!("{}(x, ", word.name),
                    detail: word.about.to_owned(),
                    kind: Icon::Function,
                    rank: 1,
                });
            }
        }
        _ => {}
    }
    word
}

/// The names before the last point, and the length of the word behind it.
fn dotted(before: &str) -> (Vec<String>, usize) {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let word_start = before.rfind(|c: char| !letter(c)).map_or(0, |at| {
        at + before[at..].chars().next().map_or(1, char::len_utf8)
    });
    let word = before.len() - word_start;
    let mut names = Vec::new();
    let mut rest = before[..word_start].trim_end();
    while let Some(above) = rest.strip_suffix('.') {
        let above = above.trim_end();
        let start = above.rfind(|c: char| !letter(c)).map_or(0, |at| {
            at + above[at..].chars().next().map_or(1, char::len_utf8)
        });
        if start == above.len() {
            break;
        }
        names.insert(0, above[start..].to_owned());
        rest = above[..start].trim_end();
    }
    (names, word)
}

/// Whether the end stands inside of a text of the expression.
fn in_quotes(before: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    for letter in before.chars() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if letter == '\\' => escaped = true,
            Some(open) if letter == open => quote = None,
            None if matches!(letter, '\'' | '"') => quote = Some(letter),
            _ => {}
        }
    }
    quote.is_some()
}

fn roots(program: &Program, has_event: bool, out: &mut Vec<Proposal>) {
    for root in words::ROOTS
        .iter()
        .filter(|root| root.name != "event" || has_event)
    {
        out.push(Proposal {
            label: root.name.to_owned(),
            text: format!("{}.", root.name),
            detail: format!("{}: {}", root.form, root.about),
            kind: Icon::Keyword,
            rank: 1,
        });
    }
    for device in &program.devices {
        out.push(Proposal {
            label: device.name.to_string(),
            text: format!("{}.online", device.name),
            detail: "whether it is there".to_owned(),
            kind: Icon::Module,
            rank: 3,
        });
    }
    for group in program.names.groups.keys() {
        out.push(Proposal {
            label: group.to_string(),
            text: format!("{group}."),
            detail: "group".to_owned(),
            kind: Icon::Module,
            rank: 2,
        });
    }
    for function in words::FUNCTIONS {
        out.push(Proposal {
            label: function.name.to_owned(),
            text: format!("{}(", function.name),
            detail: format!("{}: {}", function.form, function.about),
            kind: Icon::Function,
            rank: 4,
        });
    }
}

fn of_words(words: &[Word], kind: Icon, out: &mut Vec<Proposal>) {
    for word in words {
        name(word.name, word.about, kind, out);
    }
}

fn name(label: &str, about: &str, kind: Icon, out: &mut Vec<Proposal>) {
    out.push(Proposal {
        label: label.to_owned(),
        text: label.to_owned(),
        detail: about.to_owned(),
        kind,
        rank: 1,
    });
}

/// Fields that all of these events have.
fn fields_of_events(program: &Program, events: &[EventIx], out: &mut Vec<Proposal>) {
    let Some((first, rest)) = events.split_first() else {
        return;
    };
    for field in &program[*first].fields {
        let shared = rest.iter().all(|other| {
            let mut fields = program[*other].fields.iter();
            fields.any(|other| other.name == field.name)
        });
        if shared {
            name(
                &field.name,
                &mapping::type_in_words(&field.ty),
                Icon::Field,
                out,
            );
        }
    }
}

fn has_state(program: &Program, channel: ChannelIx, root: &str) -> bool {
    let mut slots = program[channel].slots.iter();
    slots.any(|slot| root == "state" || program[*slot].settable)
}

/// The word of the expression language at a byte of a text, where it is one.
pub(crate) fn word_at(text: &str, offset: usize) -> Option<&'static Word> {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let start = text[..offset].rfind(|c: char| !letter(c)).map_or(0, |at| {
        at + text[at..].chars().next().map_or(1, char::len_utf8)
    });
    let end = text[offset..]
        .find(|c: char| !letter(c))
        .map_or(text.len(), |at| offset + at);
    let word = text.get(start..end)?;
    let (names, _) = dotted(&text[..start]);
    let table = match names.last().map(String::as_str) {
        None if text[end..].trim_start().starts_with('(') => words::FUNCTIONS,
        None => words::ROOTS,
        Some("sun") => words::OF_SUN,
        Some("now") => words::OF_NOW,
        Some(_) => words::OF_GROUPS,
    };
    table.iter().find(|known| known.name == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_before_the_cursor_are_read_backwards() {
        for (before, names, word) in [
            ("state.hall.la", &["state", "hall"][..], 2),
            ("1 < state . hall . ", &["state", "hall"], 0),
            ("ev", &[], 2),
            ("", &[], 0),
            ("f(x.", &["x"], 0),
            ("'a'.", &[], 0),
            ("a.b() && ä", &[], 2),
        ] {
            let (found, length) = dotted(before);
            assert_eq!(
                (found.iter().map(String::as_str).collect::<Vec<_>>(), length),
                (names.to_vec(), word),
                "{before}"
            );
        }
    }

    #[test]
    fn words_are_found_where_they_mean_something() {
        let form = |text: &str, at: usize| word_at(text, at).map(|word| word.form);
        assert_eq!(form("min(1, 2)", 1), Some("min(a, b)"));
        assert_eq!(form("sun.is_down", 6), Some("sun.is_down"));
        assert_eq!(form("g.all(x, x)", 3), Some("GROUP.all(x, x.on)"));
        assert_eq!(form("state.a.b", 0), Some("state.DEVICE.CHANNEL"));
        assert_eq!(form("ä.ü", 3), None);
        assert_eq!(form("", 0), None);
    }
}
