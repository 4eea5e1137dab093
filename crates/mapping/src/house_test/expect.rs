//! What a step expects: the commands that were sent, the events that rules emitted.

use std::{sync::Arc, time::Duration};

use types::Value;

use super::{Emitted, Expected};
use crate::{
    constant,
    diagnostic::Diagnostic,
    house::{House, scenes},
    kinds::Kind,
    paths::{self, Source},
    program::{ChannelIx, CommandEffect, EventIx, Field, Program, SlotIx},
    read::{Key, Node, Table, Text, unknown_key},
    report::Report,
    units,
};

/// The complete list of commands and notifications.
pub(super) fn commands(house: &mut House<'_>, node: Node<'_>) -> Option<Vec<Expected>> {
    let list = node.list(&mut house.report, "`expect`")?;
    let mut all = Vec::with_capacity(list.len());
    for node in list {
        all.extend(expected(house, node).unwrap_or_default());
    }
    Some(all)
}

fn expected(house: &mut House<'_>, node: Node<'_>) -> Option<Vec<Expected>> {
    if let Some(text) = node.as_text() {
        let commands = paths::commands(&house.program, &mut house.report, &text)?;
        let each = commands
            .into_iter()
            .map(|(channel, command)| expected_command(house, &text, channel, command, Vec::new()));
        return each.collect::<Vec<_>>().into_iter().collect();
    }
    let Some(table) = node.as_table() else {
        let report = &mut house.report;
        node.complain(
            report,
            "an expected command",
            "a command in quotes, or a table with `command`, `set`, `on`, `scene` or `notify`",
        );
        return None;
    };
    let program = &house.program;
    let set = table.field("set").and_then(|node| node.as_text());
    let set = set.and_then(|text| {
        let whole = 0..text.text.len();
        paths::targets(program, &mut Report::default(), &text, whole)
    });
    // A field may be called as another form.
    let is_field = |key: &str| {
        let mut channels = set.iter().flatten();
        channels.any(|channel| program.slot(*channel, key).is_some())
    };
    let form = |key: &str| table.field(key).filter(|_| !is_field(key));
    let (command, notify, scene_name) = (form("command"), form("notify"), form("scene"));
    let on = form("on").filter(|on| on.as_text().is_some());
    if let Some(name) = command {
        return with_arguments(house, &table, name);
    }
    if let Some(to) = notify {
        return notification(house, &table, to);
    }
    if let Some(on) = on {
        return switched_on(house, &table, on);
    }
    if let Some(name) = scene_name {
        table.reject_unknown(&mut house.report, "an expected scene", &["scene"]);
        let name = name.text(&mut house.report, "`scene`")?;
        return scene(house, &name);
    }
    written_target(house, table)
}

/// `{ notify = "phone", text = ".." }`.
fn notification(house: &mut House<'_>, table: &Table<'_>, to: Node<'_>) -> Option<Vec<Expected>> {
    let report = &mut house.report;
    table.reject_unknown(report, "an expected notification", &["notify", "text"]);
    let to = to.text(report, "`notify`")?.text.into();
    let text = table
        .field("text")
        .and_then(|node| node.text(report, "`text`"));
    Some(vec![Expected::Notify {
        to,
        text: text.map(|text| text.text.into()),
    }])
}

/// `{ set = "D.CH", field = value }`.
fn written_target(house: &mut House<'_>, table: Table<'_>) -> Option<Vec<Expected>> {
    let keys = ["command", "set", "on", "scene", "notify"];
    let what = "an expected target";
    let table = table.forgiving(&mut house.report, what, "set", &keys);
    let set = table.required(&mut house.report, what, "set", &keys)?;
    let text = set.text(&mut house.report, "`set`")?;
    let (program, report) = (&house.program, &mut house.report);
    let channels = paths::targets(program, report, &text, 0..text.text.len())?;
    let bound = bound(report, &table);
    let mut all = Vec::with_capacity(channels.len());
    for channel in channels {
        let mut fields = Vec::new();
        let mut written = String::new();
        for (key, node) in table
            .entries()
            .into_iter()
            .filter(|(key, _)| !matches!(key.name, "set" | "for"))
        {
            let slot = paths::field(program, report, channel, &key, true)?;
            let ty = constant::writable(program, slot);
            let value = constant::read(report, node, &ty, &format!("`{}`", key.name))?;
            written.push_str(&format!(" {}={value}", key.name));
            fields.push((slot, value));
        }
        all.push(target(program, channel, fields, &written, bound));
    }
    Some(all)
}

/// `{ command = "D.CH.C", argument = value }`.
fn with_arguments(
    house: &mut House<'_>,
    table: &Table<'_>,
    name: Node<'_>,
) -> Option<Vec<Expected>> {
    let text = name.text(&mut house.report, "`command`")?;
    let commands = paths::commands(&house.program, &mut house.report, &text)?;
    let mut all = Vec::with_capacity(commands.len());
    for (channel, command) in commands {
        let declared = &house.program[channel].commands[usize::from(command)].args;
        let program = &house.program;
        let args = beside(&mut house.report, table, "command", declared, |key| {
            paths::no_argument(program, key, channel, command)
        })?;
        all.push(expected_command(house, &text, channel, command, args)?);
    }
    Some(all)
}

/// `{ on = TARGET, for = "10m" }`.
fn switched_on(house: &mut House<'_>, table: &Table<'_>, on: Node<'_>) -> Option<Vec<Expected>> {
    let (program, report) = (&house.program, &mut house.report);
    table.reject_unknown(report, "an expected target with `on`", &["on", "for"]);
    let text = on.text(report, "`on`")?;
    let channels = paths::targets(program, report, &text, 0..text.text.len())?;
    let bound = bound(report, table);
    let mut all = Vec::with_capacity(channels.len());
    for channel in channels {
        let Some(on) = program.on(channel) else {
            let path = program.channel_path(channel);
            let kind = Kind::with_article(&program[channel].kind);
            let error = Diagnostic::error("no-off", text.span(), format!("`{path}` can't be on"));
            report.push(
                error
                    .label(format!("it is {kind}, which is not on or off"))
                    .help(format!("write {{ set = \"{path}\", .. }}")),
            );
            return None;
        };
        let fields = vec![(on, Value::Bool(true))];
        all.push(target(program, channel, fields, " on=true", bound));
    }
    Some(all)
}

/// `{ scene = S }`: what it sends, channel by channel.
fn scene(house: &mut House<'_>, name: &Text<'_>) -> Option<Vec<Expected>> {
    let writes = scenes::named(house, name)?;
    let program = &house.program;
    let targets = writes.into_iter().map(|(channel, fields)| {
        let written = fields.iter().map(|(slot, value)| {
            let field = &program[*slot].name;
            format!(" {field}={value}")
        });
        let written: String = written.collect();
        target(program, channel, fields, &written, None)
    });
    Some(targets.collect())
}

fn bound(report: &mut Report, table: &Table<'_>) -> Option<Duration> {
    let node = table.field("for")?;
    units::some_duration(node, report, "`for`")
}

fn target(
    program: &Program,
    channel: ChannelIx,
    fields: Vec<(SlotIx, Value)>,
    written: &str,
    bound: Option<Duration>,
) -> Expected {
    Expected::Target {
        text: format!("{}{written}", program.channel_path(channel)).into(),
        channel,
        fields,
        bound,
    }
}

/// A command by name stands for the absolute target that it resolves to.
fn expected_command(
    house: &mut House<'_>,
    text: &Text<'_>,
    channel: ChannelIx,
    command: u8,
    args: Vec<(u8, Value)>,
) -> Option<Expected> {
    let program = &house.program;
    let row = &program[channel].commands[usize::from(command)];
    let path = program.channel_path(channel);
    let mut written = format!("{path}.{}", row.name);
    for (place, value) in &args {
        let name = &row.args[usize::from(*place)].name;
        written.push_str(&format!(" {name}={value}"));
    }
    let written: Arc<str> = written.into();
    match &row.effect {
        CommandEffect::Set(fields) => Some(Expected::Target {
            text: written,
            channel,
            fields: fields.clone(),
            bound: None,
        }),
        CommandEffect::Momentary => Some(Expected::Momentary {
            text: written,
            channel,
            command,
            args,
        }),
        CommandEffect::Toggle(_) | CommandEffect::Step { .. } => {
            let message = format!("`{}` is relative; what is sent is the target", row.name);
            let error = Diagnostic::error("relative-expect", text.span(), message);
            house.report.push(error.help(format!(
                "write what it comes to, for example \"{path}.on\" or {{ set = \"{path}\", .. }}"
            )));
            None
        }
    }
}

/// The complete list of events that rules emitted.
pub(super) fn emitted(house: &mut House<'_>, node: Node<'_>) -> Option<Vec<Emitted>> {
    let list = node.list(&mut house.report, "`emitted`")?;
    let mut all = Vec::with_capacity(list.len());
    for node in list {
        let table = node.as_table();
        let name = match &table {
            Some(table) => table.field("emit"),
            None => Some(node),
        };
        let Some(text) = name.and_then(|name| name.as_text()) else {
            let expected = "an event in quotes, or a table with `emit` and fields";
            node.complain(&mut house.report, "an emitted event", expected);
            continue;
        };
        let Some(event) = one_event(house, &text) else {
            continue;
        };
        let (declared, report) = (&house.program[event].fields, &mut house.report);
        let fields = table.and_then(|table| {
            beside(report, &table, "emit", declared, |key| {
                let names = declared.iter().map(|field| &*field.name);
                let keys: Vec<&str> = names.chain(["emit"]).collect();
                unknown_key(key, &format!("event `{}`", text.text), &keys)
            })
        });
        let fields = fields.unwrap_or_default();
        let program = &house.program;
        let mut written = program.event_path(event);
        for (place, value) in &fields {
            let name = &program[event].fields[usize::from(*place)].name;
            written.push_str(&format!(" {name}={value}"));
        }
        all.push(Emitted {
            text: written.into(),
            event,
            fields,
        });
    }
    Some(all)
}

fn one_event(house: &mut House<'_>, text: &Text<'_>) -> Option<EventIx> {
    let sources = paths::events(&house.program, &mut house.report, text)?;
    if let [Source::Event(event)] = sources[..] {
        return Some(event);
    }
    let message = format!("`{}` is no single event", text.text);
    let error = Diagnostic::error("bad-test-event", text.span(), message);
    house.report.push(error.help(
        "name one event of a virtual device; gestures are derived, and a group is several events",
    ));
    None
}

/// Values beside the name of a command or an event, with the places of what they are for; `None`: something that is not
/// declared stands there, of which `strange` says what is wrong.
fn beside(
    report: &mut Report,
    table: &Table<'_>,
    form: &str,
    declared: &[Field],
    strange: impl Fn(&Key<'_>) -> Diagnostic,
) -> Option<Vec<(u8, Value)>> {
    let mut all = Vec::new();
    let mut sound = true;
    for (key, node) in table.entries() {
        if key.name == form {
            continue;
        }
        let place = declared.iter().position(|field| *field.name == *key.name);
        let Some(place) = place else {
            report.push(strange(&key));
            sound = false;
            continue;
        };
        let what = format!("`{}`", key.name);
        let value = constant::read(report, node, &declared[place].ty, &what);
        all.extend(value.map(|value| (place as u8, value)));
    }
    sound.then_some(all)
}
