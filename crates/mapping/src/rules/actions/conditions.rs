//! An `if` that somebody wrote beside an action, where a rule has one for all that it does.

use super::Compiler;
use crate::{
    diagnostic::Diagnostic,
    grammar::{Form, Others},
    habits,
    paths::{self, Source},
    program::{Field, Program},
    read::Table,
    report::Report,
};

/// The action without an `if` that somebody wrote beside it, which is reported.
pub(super) fn without<'a>(
    compiler: &mut Compiler<'_, '_>,
    form: &Form,
    table: Table<'a>,
) -> Table<'a> {
    let conditions = ["if", "when", "condition", "unless"];
    if conditions.iter().all(|key| table.field(key).is_none()) {
        return table;
    }
    let program = &compiler.house.program;
    let mut keys = table.entries().into_iter().map(|(key, _)| key);
    let Some(key) = keys
        .find(|key| conditions.contains(&key.name) && !may_take(program, form, &table, key.name))
    else {
        return table;
    };
    let message = format!("`{}` is no key of an action", key.name);
    let error = Diagnostic::error("unknown-key", key.span, message);
    compiler.house.report.push(error.help(habits::BESIDE));
    table.without(key.name)
}

/// Whether what an action names may have a field or an argument `key`. What can't be found may: that is told where the
/// action is read.
fn may_take(program: &Program, form: &Form, table: &Table<'_>, key: &str) -> bool {
    takes(program, form, table, key).unwrap_or(true)
}

/// Whether what an action names has a field or an argument `key`; `None`: what it names can't be found.
pub(super) fn takes(program: &Program, form: &Form, table: &Table<'_>, key: &str) -> Option<bool> {
    if form.keys.others == Others::Nothing {
        return Some(false);
    }
    let name = table.field(form.name)?.as_text()?;
    let unheard = &mut Report::default();
    let has = |fields: &[Field]| fields.iter().any(|field| &*field.name == key);
    match form.keys.others {
        Others::ArgumentsOf(_) => {
            let commands = paths::commands(program, unheard, &name);
            commands.map(|commands| {
                commands.into_iter().any(|(channel, command)| {
                    has(&program[channel].commands[usize::from(command)].args)
                })
            })
        }
        Others::EventFieldsOf(_) => {
            let sources = paths::events(program, unheard, &name);
            sources.map(|sources| {
                sources.into_iter().any(|source| match source {
                    Source::Event(event) => has(&program[event].fields),
                    Source::Gesture(..) => false,
                })
            })
        }
        _ => {
            let channels = paths::targets(program, unheard, &name, 0..name.text.len());
            channels.map(|channels| {
                let mut channels = channels.into_iter();
                channels.any(|channel| program.slot(channel, key).is_some())
            })
        }
    }
}
