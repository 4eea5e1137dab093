//! `{ emit = "DEVICE.CHANNEL.EVENT", field = value, .. }`: a rule lets a virtual device report an event.

use super::{Compiler, text};
use crate::{
    diagnostic::Diagnostic,
    paths::{self, Source},
    program::{Action, Carrier, EventIx, Operand},
    read::{Key, Node, Table, Text, unknown_key},
};

/// One action for each event: a group stands for the events of its members.
pub(super) fn read(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let name = text(compiler, table, "emit")?;
    let house = &mut *compiler.house;
    let sources = paths::events(&house.program, &mut house.report, &name)?;
    let mut actions = Vec::with_capacity(sources.len());
    for source in sources {
        let event = emittable(compiler, &name, source)?;
        let fields = fields(compiler, table, &name, event)?;
        actions.push(Action::Emit { event, fields });
    }
    Some(actions)
}

/// The event, where it is one that a virtual device reports.
fn emittable(compiler: &mut Compiler<'_, '_>, name: &Text<'_>, source: Source) -> Option<EventIx> {
    let program = &compiler.house.program;
    let bad = |message: String, help: &str| {
        Diagnostic::error("bad-emit", name.span(), message).help(help)
    };
    let error = match source {
        Source::Gesture(..) => bad(
            format!("`{}` is a gesture, which no device reports", name.text),
            "emit the `press` and the `release` that make it",
        ),
        Source::Event(event) => {
            let row = &program[event];
            let device = &program[row.device];
            if row.channel.is_none() {
                bad(
                    format!(
                        "only the dispatcher says whether `{}` is there",
                        device.name
                    ),
                    "emit an event of a virtual device's channel",
                )
            } else if device.carrier == Carrier::Virtual {
                return Some(event);
            } else {
                bad(
                    format!(
                        "`{}` is no virtual device: it reports its events itself",
                        device.name
                    ),
                    "declare a device for it: [device.NAME], virtual = true, io.CHANNEL = { kind = \"button\" }",
                )
            }
        }
    };
    compiler.house.report.push(error);
    None
}

/// All fields of the event in their order: as written, or their defaults.
fn fields(
    compiler: &mut Compiler<'_, '_>,
    table: &Table<'_>,
    name: &Text<'_>,
    event: EventIx,
) -> Option<Vec<Operand>> {
    let declared = compiler.house.program[event].fields.clone();
    let names: Vec<&str> = declared.iter().map(|field| &*field.name).collect();
    let given: Vec<(Key<'_>, Node<'_>)> = table
        .entries()
        .into_iter()
        .filter(|(key, _)| key.name != "emit")
        .collect();
    let mut sound = true;
    for (key, _) in &given {
        if !names.contains(&key.name) {
            let keys: Vec<&str> = names.iter().copied().chain(["emit"]).collect();
            let what = format!("an action with `emit` of `{}`", name.text);
            compiler.house.report.push(unknown_key(key, &what, &keys));
            sound = false;
        }
    }
    let mut operands = Vec::with_capacity(declared.len());
    for field in &declared {
        let found = given.iter().find(|(key, _)| key.name == &*field.name);
        match (found, &field.default) {
            (Some((_, node)), _) => {
                let what = format!("`{}`", field.name);
                operands.extend(compiler.operand(*node, &field.ty, &what));
            }
            (None, Some(default)) => operands.push(Operand::Const(default.clone())),
            (None, None) if sound => {
                let message = format!("`{}` needs its field `{}`", name.text, field.name);
                let error = Diagnostic::error("missing-key", table.span.clone(), message);
                let example = crate::constant::example(&field.ty);
                compiler
                    .house
                    .report
                    .push(error.help(format!("add for example {} = {example}", field.name)));
            }
            (None, None) => {}
        }
    }
    (operands.len() == declared.len() && sound).then_some(operands)
}
