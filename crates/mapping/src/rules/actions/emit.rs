//! `{ emit = "DEVICE.CHANNEL.EVENT", field = value, .. }`: a rule lets a virtual device report an event.

use super::{Compiler, beside, text};
use crate::{
    diagnostic::Diagnostic,
    paths::{self, Source},
    program::{Action, Carrier, EventIx},
    read::{Table, Text, unknown_key},
};

/// One action for each event: a group stands for the events of its members.
pub(super) fn read(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let found = text(compiler, table, "emit").and_then(|name| {
        let house = &mut *compiler.house;
        let sources = paths::events(&house.program, &mut house.report, &name)?;
        Some((name, sources))
    });
    let Some((name, sources)) = found else {
        compiler.look_at(table, &["emit"]);
        return None;
    };
    let mut actions = Vec::with_capacity(sources.len());
    for source in sources {
        let event = emittable(compiler, &name, source)?;
        let declared = compiler.house.program[event].fields.clone();
        let beside = beside::Beside {
            form: "emit",
            name: &name,
            declared: &declared,
        };
        let fields = beside.operands(compiler, table, |_, key| {
            let names = declared.iter().map(|field| &*field.name);
            let keys: Vec<&str> = names.chain(["emit"]).collect();
            unknown_key(
                key,
                &format!("an action with `emit` of `{}`", name.text),
                &keys,
            )
        })?;
        actions.push(Action::Emit {
            event,
            fields: fields.into(),
        });
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
