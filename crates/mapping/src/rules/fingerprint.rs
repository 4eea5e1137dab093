//! What a run that waits depends on, as a number: its rule as it is written, and what groups and scenes made of
//! its actions. A run of a rule whose number changed can't go on: its next action may be another one.
//!
//! Called for each rule once it is compiled. Must not depend on where the rule stands, on comments, or on what is
//! for people only.

use blake2::{Blake2s256, Digest};

use crate::{
    program::{Action, Operand, Program},
    read::Table,
};

/// Keys that change nothing of what a rule does.
const FOR_PEOPLE: [&str; 2] = ["note", "allow"];

/// The number of a rule that stands as `table` and does `actions`.
pub(super) fn of(program: &Program, table: &Table<'_>, actions: &[Action]) -> u64 {
    let mut hash = Blake2s256::new();
    let mut feed = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    for (key, node) in table.entries() {
        if !FOR_PEOPLE.contains(&key.name) {
            feed(key.name.as_bytes());
            node.feed(&mut feed);
        }
    }
    for action in actions {
        feed(told(program, action).as_bytes());
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// What an action is about after names are resolved; what it computes stands in the rule's text.
fn told(program: &Program, action: &Action) -> String {
    match action {
        Action::Set {
            channel, fields, ..
        } => {
            let mut text = program.channel_path(*channel);
            for (slot, operand) in fields {
                text.push(' ');
                text.push_str(&program[*slot].name);
                if let Operand::Const(value) = operand {
                    text.push('=');
                    value.append_to(&mut text);
                }
            }
            text
        }
        Action::Command {
            channel, command, ..
        } => {
            let row = &program[*channel].commands[usize::from(*command)];
            format!("{} {}", program.channel_path(*channel), row.name)
        }
        Action::Hold { channel, .. } => format!("{} held", program.channel_path(*channel)),
        Action::Emit { event, .. } => program.event_path(*event),
        // These are what the text says.
        Action::Start { .. }
        | Action::Stop(_)
        | Action::Wait(_)
        | Action::Var { .. }
        | Action::Notify { .. } => String::new(),
    }
}
