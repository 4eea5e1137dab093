//! What left for consumers and people, as a test expects it.

use dispatcher::{Dispatcher, Effects, explain};
use engine::{Cause, Decision, Disposition, Output, depend::Dependencies};
use mapping::{
    Program,
    program::{Action, ChannelIx, Piece, RuleIx, SlotIx},
    toml_text,
};
use types::Value;

use super::{names::Names, toml};

/// Something that left, and the rule that sent it.
pub(super) struct Sent {
    pub(super) what: String,
    pub(super) by: Option<String>,
}

impl Sent {
    /// The target of an output, told once more.
    pub(super) fn again(
        (program, names): (&Program, &Names),
        house: &Dispatcher,
        channel: ChannelIx,
    ) -> Self {
        let fields = target_told(program, &house.target_of(channel));
        Self {
            what: toml::target((program, names), channel, &fields),
            by: None,
        }
    }
}

/// The rule that a test says sent something; `None`: it names none.
pub(super) struct By(pub(super) Option<RuleIx>);

/// What left because of some decisions, so far as it is of the part that is asked for, as a test expects it.
pub(super) fn expected(
    (program, names): (&Program, &Names),
    effects: &Effects,
    of: impl Fn(&Decision) -> bool,
    by: impl Fn(&Decision, &engine::Sent) -> Option<By>,
) -> Vec<Sent> {
    let decisions = &effects.engine.decisions;
    let mut all = Vec::new();
    for output in &effects.engine.outputs {
        let (what, decision, line, changed) = match output {
            Output::Target {
                channel,
                target,
                changed,
                decision,
                line,
                ..
            } => {
                let fields = target_told(program, target);
                let what = toml::target((program, names), *channel, &fields);
                (what, *decision, *line, *changed)
            }
            Output::Momentary {
                channel,
                command,
                args,
                decision,
                line,
            } => {
                let what = toml::momentary((program, names), *channel, *command, args);
                (what, *decision, *line, true)
            }
            Output::Notify {
                to,
                text,
                decision,
                line,
            } => {
                let to = toml_text::text(to);
                // When a device was seen last before a test began, no test knows; nor how old to the microsecond something is.
                let row = decisions.get(*decision);
                let by = row.and_then(|row| row.sent.get(*line)?.by);
                let is_of_then = row.is_some_and(|row| tells_last_seen(program, row, text))
                    || by.is_some_and(|by| tells_an_age(program, by));
                let what = if is_of_then {
                    format!("{{ notify = {to} }}")
                } else {
                    format!("{{ notify = {to}, text = {} }}", toml_text::text(text))
                };
                (what, *decision, *line, true)
            }
            Output::Event { .. } => continue,
        };
        let decision = decisions.get(decision).filter(|decision| of(decision));
        let sent = decision.and_then(|decision| {
            let sent = decision.sent.get(line)?;
            Some((sent, by(decision, sent)?))
        });
        // A target that is sent again because nobody confirmed it is no news: in a test somebody did.
        // In a test everybody is told, whoever carries it.
        let left = sent.filter(|(sent, _)| match sent.disposition {
            Disposition::Sent => changed,
            Disposition::Waiting => true,
            disposition => explain::is_for_people(disposition),
        });
        if let Some((_, By(by))) = left {
            let by = by.map(|rule| names.rule(rule));
            all.push(Sent { what, by });
        }
    }
    all
}

/// Whether a rule tells people how old something is.
fn tells_an_age(program: &Program, rule: RuleIx) -> bool {
    let reads_age = |piece: &Piece| match piece {
        Piece::Expr(expr) => !Dependencies::of(expr).ages.is_empty(),
        Piece::Text(_) => false,
    };
    let mut actions = program[rule].actions.iter();
    actions
        .any(|action| matches!(action, Action::Notify { text, .. } if text.0.iter().any(reads_age)))
}

/// Whether a text says when a device that came or went was seen last.
fn tells_last_seen(program: &Program, decision: &Decision, text: &str) -> bool {
    let mut seen = decision.steps.iter().filter_map(|step| {
        let Cause::Event(event, values) = &step.cause else {
            return None;
        };
        let fields = &program[*event].fields;
        let place = fields
            .iter()
            .position(|field| &*field.name == "last_seen")?;
        program[*event].channel.is_none().then_some(())?;
        values.get(place)?.as_text()
    });
    seen.any(|seen| text.contains(seen))
}

/// What of a target says all of it: what is off is nothing else.
pub(super) fn target_told(program: &Program, target: &[(SlotIx, Value)]) -> Vec<(SlotIx, Value)> {
    let is_off = |(slot, value): &&(SlotIx, Value)| {
        &*program[*slot].name == "on" && *value == Value::Bool(false)
    };
    match target.iter().find(is_off) {
        Some(off) => vec![off.clone()],
        None => target.to_vec(),
    }
}
