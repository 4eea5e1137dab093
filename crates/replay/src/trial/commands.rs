//! What an input sent, in the words by which two houses are compared.

use dispatcher::{
    Effects,
    explain::{self, Explainer},
};
use engine::{Disposition, Output};
use mapping::{
    Program,
    program::{ChannelIx, Kin},
};
use types::{Instant, Now};

use crate::heirs::Heirs;

/// A command that left, or waits for its consumer.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub(super) now: Now,
    pub(super) cause: String,
    pub(super) text: String,
    pub(super) by: Option<String>,
    /// The output that is told; `None`: people are.
    channel: Option<ChannelIx>,
}

impl Command {
    /// What it has in common with its twin in the other house.
    pub(super) fn moment(&self) -> (Instant, String) {
        (self.now.at, self.text.clone())
    }

    /// Names the output of `program` as the `other` program does.
    pub(super) fn rename(&mut self, program: &Program, heirs: &Heirs, other: &Program) {
        let Some(channel) = self.channel else {
            return;
        };
        let path = program.channel_path(channel);
        if let (Some(heir), Some(rest)) = (heirs.channel(channel), self.text.strip_prefix(&path)) {
            self.text = format!("{}{rest}", other.channel_path(heir));
        }
    }
}

/// The commands and notifications in `effects`. What only repeats a target that was so already is none: whether
/// that is sent depends on acknowledgements.
pub(super) fn of(program: &Program, effects: &mut Effects) -> Vec<Command> {
    if effects.engine.outputs.is_empty() {
        return Vec::new();
    }
    explain::fill_texts(program, effects);
    let explainer = Explainer::new(program);
    let outputs = effects.engine.outputs.iter();
    outputs
        .filter_map(|output| {
            let (decision, line) = match output {
                Output::Target {
                    changed: true,
                    decision,
                    line,
                    ..
                }
                | Output::Momentary { decision, line, .. }
                | Output::Notify { decision, line, .. } => (*decision, *line),
                Output::Target { .. } | Output::Event { .. } => return None,
            };
            let decision = effects.engine.decisions.get(decision)?;
            let sent = decision.sent.get(line)?;
            // Whether a changed target counts as sent or as so already depends on acknowledgements too.
            let told = matches!(
                sent.disposition,
                Disposition::Sent | Disposition::Waiting | Disposition::AlreadySo
            );
            let told = told || explain::is_for_people(sent.disposition);
            let cause = decision.steps.first();
            told.then(|| Command {
                now: decision.now,
                cause: cause.map_or_else(String::new, |step| explainer.cause(&step.cause)),
                text: sent.text.clone(),
                channel: sent.channel,
                by: sent.by.map(|rule| explainer.rule_place(rule)),
            })
        })
        .collect()
}
