//! What a word means, in a few lines of Markdown.

use std::fmt::Write;

use mapping::{
    Program, grammar,
    index::{Index, Symbol},
    outline::{Outline, Step},
    program::{Channel, ChannelIx, CommandEffect, EventIx, Field, SlotIx},
};

use crate::{
    Values,
    around::{Around, Typed},
    expression,
    houses::House,
    shape::{Shape, tops},
};

/// What stands at a byte of a file: its bytes, and what is said of it.
pub(crate) fn at(
    house: &House,
    name: &str,
    text: &str,
    offset: usize,
    values: &mut dyn Values,
) -> Option<(std::ops::Range<usize>, String)> {
    let index = &house.analysis.index;
    let file = house.file(&house.folder.join(name));
    if let Some(file) = file {
        let mut mentions = index.at(file, offset);
        if let Some(first) = mentions.next() {
            let same = mentions.filter(|other| other.span == first.span).count();
            let mut said = symbol(&house.analysis.draft, index, &first.symbol);
            if let Some(value) = values.value(&house.folder, &first.symbol) {
                said.push_str(&format!("\n\nnow: **{value}**"));
            }
            if same > 0 {
                said.push_str(&format!("\n\nand {same} more of its group"));
            }
            return Some((first.span.bytes.clone(), said));
        }
    }
    key(house, name, text, offset).or_else(|| word(text, offset))
}

/// A key of the language.
fn key(
    house: &House,
    name: &str,
    text: &str,
    offset: usize,
) -> Option<(std::ops::Range<usize>, String)> {
    let shape = Shape::new(&house.analysis.draft, text);
    let mut found = None;
    Outline::read(text).each_key(&mut |path, key| {
        if key.span.start <= offset && offset <= key.span.end {
            found = Some((path.to_vec(), key.span.clone()));
        }
    });
    let (path, span) = found?;
    let (last, table) = path.split_last()?;
    let Step::Key(key) = last else {
        return None;
    };
    let said = about(&shape, tops(name), table, key)?;
    Some((span, format!("**{key}** {said}")))
}

fn about(
    shape: &Shape<'_>,
    tops: &'static grammar::Keys,
    table: &[Step],
    key: &str,
) -> Option<String> {
    let spots = shape.at(tops, table);
    spots.iter().find_map(|spot| shape.about(spot, table, key))
}

/// A word of an expression.
fn word(text: &str, offset: usize) -> Option<(std::ops::Range<usize>, String)> {
    let Typed::Text(_) = Around::of(text, offset).typed else {
        return None;
    };
    let word = expression::word_at(text, offset)?;
    Some((offset..offset, format!("`{}` {}", word.form, word.about)))
}

/// What a symbol is.
pub(crate) fn symbol(program: &Program, index: &Index, symbol: &Symbol) -> String {
    let said = match symbol {
        Symbol::Device(name) => device(program, name),
        Symbol::Channel(device, name) => {
            channel_of(program, device, name).map(|channel| self::channel(program, channel))
        }
        Symbol::Group(name) => group(program, name),
        Symbol::Scene(name) => scene(program, name),
        Symbol::Var(name) => var(program, name),
        Symbol::Timer(_) => Some(format!(
            "started or stopped in {} places",
            index.of(symbol).count()
        )),
        Symbol::Rule(name) => rule(program, name),
        Symbol::Test(_) => Some("runs on virtual time".to_owned()),
        Symbol::Kind(name) => kind(program, name),
        Symbol::Event(device, channel, name) => {
            channel_of(program, device, channel).map(|channel| event(program, channel, name))
        }
        Symbol::Command(device, channel, name) => {
            channel_of(program, device, channel).map(|channel| command(program, channel, name))
        }
        Symbol::Field(device, channel, name) => channel_of(program, device, channel)
            .and_then(|channel| program.slot(channel, name))
            .map(|slot| field(program, slot)),
        Symbol::EventField(event, name) => event_field(program, event, name),
    };
    let said = said.unwrap_or_default();
    format!(
        "**{symbol}** {}{}{said}",
        symbol.what(),
        if said.is_empty() { "" } else { "\n\n" }
    )
}

fn channel_of(program: &Program, device: &str, channel: &str) -> Option<ChannelIx> {
    program.channel(program.device(device)?, channel)
}

fn device(program: &Program, name: &str) -> Option<String> {
    let row = &program[program.device(name)?];
    let mut said = format!("id {}", row.id.0);
    for (word, value) in [("board", &row.board), ("room", &row.room)] {
        if let Some(value) = value {
            said.push_str(&format!(", {word} {value}"));
        }
    }
    for channel in &row.channels {
        let channel = &program[*channel];
        // Writing to a string can't fail.
        let _ = write!(said, "\n- {}: {}", channel.name, channel.kind);
    }
    Some(said)
}

fn channel(program: &Program, channel: ChannelIx) -> String {
    let row = &program[channel];
    let kind = program.kinds.find(&row.kind);
    let mut said = match kind {
        Some(kind) if !kind.about.is_empty() => format!("{}: {}", row.kind, kind.about),
        _ => row.kind.to_string(),
    };
    if let Some(unit) = unit(program, row) {
        said.push_str(&format!(", in {unit}"));
    }
    for slot in &row.slots {
        said.push_str(&format!("\n- {}", field(program, *slot)));
    }
    let list = |said: &mut String, word: &str, names: Vec<String>| {
        if !names.is_empty() {
            said.push_str(&format!("\n- {word}: {}", names.join(", ")));
        }
    };
    list(
        &mut said,
        "events",
        mapping::vocabulary::event_names(program, channel),
    );
    list(
        &mut said,
        "commands",
        mapping::vocabulary::command_names(program, channel),
    );
    said
}

/// The unit that the channel's own table says.
fn unit(program: &Program, channel: &Channel) -> Option<String> {
    let role: serde_json::Value = serde_json::from_str(&program[channel.device].role).ok()?;
    let unit = role["io"][&*channel.name]["unit"].as_str()?;
    Some(unit.to_owned())
}

fn field(program: &Program, slot: SlotIx) -> String {
    let row = &program[slot];
    let settable = if row.settable { "" } else { ", only reported" };
    format!(
        "{}: {}{settable}",
        row.name,
        mapping::type_in_words(&row.ty)
    )
}

fn group(program: &Program, name: &str) -> Option<String> {
    let members = program.names.groups.get(name)?;
    let paths: Vec<String> = members
        .iter()
        .map(|channel| program.channel_path(*channel))
        .collect();
    Some(paths.join(", "))
}

fn scene(program: &Program, name: &str) -> Option<String> {
    let values = program.names.scenes.get(name)?;
    let lines: Vec<String> = values
        .iter()
        .map(|(slot, value)| format!("- {} = {value}", program.slot_path(*slot)))
        .collect();
    Some(lines.join("\n"))
}

fn var(program: &Program, name: &str) -> Option<String> {
    let row = &program[program.names.vars.get(name).copied()?];
    let keep = if row.keep { ", survives a restart" } else { "" };
    Some(format!(
        "{}, at first {}{keep}",
        mapping::type_in_words(&row.ty),
        row.start
    ))
}

fn rule(program: &Program, name: &str) -> Option<String> {
    let row = program.rules.get(program.names.rules.get(name)?.index())?;
    let mut said = String::new();
    if let Some(condition) = &row.condition {
        said.push_str(&format!("if `{}`", condition.text));
    }
    if !row.enabled {
        said.push_str("\n\nswitched off");
    }
    Some(said)
}

fn kind(program: &Program, name: &str) -> Option<String> {
    let kind = program.kinds.find(name)?;
    let mut said = kind.about.to_string();
    for field in &kind.fields {
        let ty = mapping::type_in_words(&field.shape.to_type((None, None)));
        let settable = if field.settable {
            ""
        } else {
            ", only reported"
        };
        said.push_str(&format!("\n- {}: {ty}{settable}", field.name));
    }
    let events: Vec<&str> = kind.events.iter().map(|event| &*event.name).collect();
    let commands: Vec<&str> = kind.commands.iter().map(|command| &*command.name).collect();
    for (word, names) in [("events", events), ("commands", commands)] {
        if !names.is_empty() {
            said.push_str(&format!("\n- {word}: {}", names.join(", ")));
        }
    }
    Some(said)
}

fn event(program: &Program, channel: ChannelIx, name: &str) -> String {
    match program.event(channel, name) {
        Some(event) => fields(&program[event].fields),
        None => "a gesture, told from press and release".to_owned(),
    }
}

fn fields(fields: &[Field]) -> String {
    let lines: Vec<String> = fields
        .iter()
        .map(|field| {
            let default = field
                .default
                .as_ref()
                .map(|value| format!(", absent: {value}"));
            let ty = mapping::type_in_words(&field.ty);
            format!("- {}: {ty}{}", field.name, default.unwrap_or_default())
        })
        .collect();
    lines.join("\n")
}

fn command(program: &Program, channel: ChannelIx, name: &str) -> String {
    let mut commands = program[channel].commands.iter();
    let Some(command) = commands.find(|command| *command.name == *name) else {
        return String::new();
    };
    let slot = |slot: &SlotIx| program[*slot].name.to_string();
    let effect = match &command.effect {
        CommandEffect::Set(values) => {
            let each = values
                .iter()
                .map(|(field, value)| format!("{} = {value}", slot(field)));
            format!("sets {}", each.collect::<Vec<_>>().join(", "))
        }
        CommandEffect::Toggle(field) => format!("flips {}", slot(field)),
        CommandEffect::Step { slot: field, sign } => {
            let way = if *sign < 0.0 { "lowers" } else { "raises" };
            format!("{way} {}", slot(field))
        }
        CommandEffect::Momentary => "happens once; is never repeated".to_owned(),
    };
    let args = fields(&command.args);
    if args.is_empty() {
        effect
    } else {
        format!("{effect}\n{args}")
    }
}

fn event_field(program: &Program, event: &str, name: &str) -> Option<String> {
    let event = EventIx::all(program.events.len()).find(|ix| program.event_path(*ix) == event)?;
    let mut fields = program[event].fields.iter();
    let field = fields.find(|field| *field.name == *name)?;
    Some(format!(
        "of {}: {}",
        program.event_path(event),
        mapping::type_in_words(&field.ty)
    ))
}
