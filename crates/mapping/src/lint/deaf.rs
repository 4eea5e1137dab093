//! Devices of another make that rules tell something, and that have no topic to hear it on.

use crate::{
    diagnostic::Diagnostic,
    program::{Action, Carrier, Codec, Program},
    rules::Meta,
};

/// Its name for `allow`.
pub(super) const LINT: &str = "target-topic-missing";

/// Actions on a foreign device whose `mqtt` has no `target`: nothing can be sent to it.
pub(super) fn target_topic_missing(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    for (rule, meta) in program.rules.iter().zip(metas) {
        if meta.allow.contains(&LINT) {
            continue;
        }
        for (action, span) in rule.actions.iter().zip(&meta.actions) {
            let (Action::Set { channel, .. } | Action::Command { channel, .. }) = action else {
                continue;
            };
            let device = &program[program[*channel].device];
            let Carrier::Foreign(foreign) = &device.carrier else {
                continue;
            };
            let own = program[*channel].codec.as_ref();
            if foreign.target.is_some() || own.is_some_and(Codec::listens) {
                continue;
            }
            let path = program.channel_path(*channel);
            let message = format!("`{path}` has no topic on which it could be told this");
            found.push(
                Diagnostic::warning(LINT, span.clone(), message)
                    .label("nothing is sent")
                    .help(format!(
                        "write where it listens: mqtt = {{ target = \"..\" }} of the device {}",
                        device.name
                    )),
            );
        }
    }
}
