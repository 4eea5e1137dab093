//! `"TARGET.command"`, and `{ command = "TARGET.command", argument = value, .. }`, which says more than the defaults.

use super::{Compiler, beside, text};
use crate::{
    paths,
    program::{Action, Operand},
    read::{Table, Text},
};

/// A command by name, with the defaults of its arguments.
pub(super) fn by_name(compiler: &mut Compiler<'_, '_>, name: &Text<'_>) -> Option<Vec<Action>> {
    let house = &mut *compiler.house;
    let commands = paths::commands(&house.program, &mut house.report, name)?;
    let program = &house.program;
    let each = commands.into_iter().map(|(channel, command)| {
        let args = &program[channel].commands[usize::from(command)].args;
        let defaults = args.iter().filter_map(|arg| arg.default.clone());
        Action::Command {
            channel,
            command,
            args: defaults.map(Operand::Const).collect(),
        }
    });
    Some(each.collect())
}

/// One action for each channel: a group stands for its members.
pub(super) fn read(compiler: &mut Compiler<'_, '_>, table: &Table<'_>) -> Option<Vec<Action>> {
    let found = text(compiler, table, "command").and_then(|name| {
        let house = &mut *compiler.house;
        let commands = paths::commands(&house.program, &mut house.report, &name)?;
        Some((name, commands))
    });
    let Some((name, commands)) = found else {
        compiler.look_at(table, &["command"]);
        return None;
    };
    let mut actions = Vec::with_capacity(commands.len());
    for (channel, command) in commands {
        let declared = &compiler.house.program[channel].commands[usize::from(command)].args;
        let declared = declared.clone();
        let beside = beside::Beside {
            form: "command",
            name: &name,
            declared: &declared,
        };
        let args = beside.operands(compiler, table, |program, key| {
            paths::no_argument(program, key, channel, command)
        })?;
        actions.push(Action::Command {
            channel,
            command,
            args: args.into(),
        });
    }
    Some(actions)
}
