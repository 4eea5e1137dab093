//! Actions about time: `{ wait = ".." }`, `{ hold = TARGET, for = ".." }`, `{ on = TARGET, for = ".." }` and the `for` of
//! a `set`.

use std::time::Duration;

use types::Value;

use super::{Compiler, text};
use crate::{
    diagnostic::Diagnostic,
    kinds::Kind,
    paths,
    program::{Action, ChannelIx, Operand, SlotIx},
    read::{Table, Text},
    units,
};

/// `{ wait = "2s" }`.
pub(super) fn wait(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Action> {
    let node = table.field("wait")?;
    units::some_duration(node, &mut compiler.house.report, "`wait`").map(Action::Wait)
}

/// `{ hold = TARGET, for = "1h" }`: one action for each channel.
pub(super) fn hold(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let name = text(compiler, table, "hold");
    let held = name.map_or("hall.lamp", |name| name.text);
    let help = format!("write for example {{ hold = \"{held}\", for = \"1h\" }}");
    let (report, keys) = (&mut compiler.house.report, ["hold", "for"]);
    let node = table.required_or(report, "an output hold", "for", &keys, &help);
    let span = node.and_then(|node| units::duration(node, &mut compiler.house.report, "`for`"));
    let channels = consumers(compiler, &name?)?;
    let span = span?;
    let hold = |channel| Action::Hold { channel, span };
    Some(channels.into_iter().map(hold).collect())
}

/// `{ on = TARGET, for = "10m" }`: on, and off again by itself.
pub(super) fn on(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let name = text(compiler, table, "on")?;
    let help = format!("to switch it on for good write \"{}.on\"", name.text);
    let (report, keys) = (&mut compiler.house.report, ["on", "for"]);
    let bound = table
        .required_or(report, "what is on for a time", "for", &keys, &help)
        .and_then(|node| units::some_duration(node, report, "`for`"));
    let channels = consumers(compiler, &name)?;
    let mut actions = Vec::with_capacity(channels.len());
    for channel in channels {
        let on = can_end(compiler, &name, channel)?;
        actions.push(Action::Set {
            channel,
            fields: [(on, Operand::Const(Value::Bool(true)))].into(),
            fade: None,
            bound,
        });
    }
    bound.is_some().then_some(actions)
}

/// `for`: off again after so long.
pub(super) fn bound(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Duration> {
    let node = table.field("for")?;
    units::some_duration(node, &mut compiler.house.report, "`for`")
}

/// The `on` of a channel that can be switched off after a time.
pub(super) fn can_end(
    compiler: &mut Compiler<'_, '_>,
    name: &Text<'_>,
    channel: ChannelIx,
) -> Option<SlotIx> {
    let program = &compiler.house.program;
    let on = program.on(channel);
    if on.is_none() {
        let path = program.channel_path(channel);
        let kind = Kind::with_article(&program[channel].kind);
        let message = format!("`{path}` can't be on for a time");
        let error = Diagnostic::error("no-off", name.span(), message)
            .label(format!("it is {kind}, which is not on or off"));
        compiler
            .house
            .report
            .push(error.help("start a timer, or { wait = \"..\" }, and say what happens then"));
    }
    on
}

/// What is switched off needs no end.
pub(super) fn is_on(
    compiler: &mut Compiler<'_, '_>,
    table: &Table<'_>,
    written: &[(SlotIx, Operand)],
) -> Option<()> {
    let program = &compiler.house.program;
    let off = written.iter().any(|(slot, operand)| match operand {
        Operand::Const(Value::Bool(on)) => &*program[*slot].name == "on" && !on,
        Operand::Const(value) => program.is_brightness(*slot) && *value == Value::Number(0.0),
        Operand::Expr(_) => false,
    });
    if off {
        let message = "`for` says how long something is on, and this is off";
        let error = Diagnostic::error("conflicting-keys", table.key_span("for"), message);
        let help = "to switch it on again later start a timer, or { wait = \"..\" }";
        compiler.house.report.push(error.help(help));
    }
    (!off).then_some(())
}

/// The channels that `name` stands for, where all of them take targets.
fn consumers(compiler: &mut Compiler<'_, '_>, name: &Text<'_>) -> Option<Vec<ChannelIx>> {
    let house = &mut *compiler.house;
    let whole = 0..name.text.len();
    let channels = paths::targets(&house.program, &mut house.report, name, whole)?;
    for channel in &channels {
        let row = &house.program[*channel];
        if !row.consumer {
            let path = house.program.channel_path(*channel);
            let kind = Kind::with_article(&row.kind);
            let error = Diagnostic::error(
                "no-target",
                name.span(),
                format!("`{path}` takes no target"),
            );
            let error = error.label(format!("it is {kind}, which only reports"));
            house
                .report
                .push(error.help("name a channel that can be told something, or a group of such"));
            return None;
        }
    }
    Some(channels)
}
