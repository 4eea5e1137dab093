//! What is most likely not meant, though it can be run: warnings over all rules together.
//!
//! Called once the rules are compiled. `allow = [..]` silences a lint by name: in a rule, a device or a variable what
//! is said of it, at the head of a file what is said of anything in that file.

pub(crate) mod bidi;
mod chords;
mod conditions;
mod deaf;
mod heater;
mod topics;
mod unused;
mod writers;

use crate::{
    diagnostic::{Diagnostic, Severity},
    house::{self, House},
    program::{Action, Carrier, Program, SunEvent, Trigger},
    read::{Node, Table, did_you_mean, one_of},
    report::Report,
    rules::{Meta, Uses},
    source::FileIx,
};

/// All lints that `allow` takes.
pub(crate) const NAMES: &[&str] = &[
    "always-true",
    bidi::LINT,
    "bound-not-carried",
    "chord-repeats-press",
    crate::cycles::LINT,
    "device-unused",
    "empty-include",
    "mode-unused",
    "never-true",
    "not-computed",
    house::wiring::LINT,
    house::renamed::LINT,
    "scene-unused",
    "shadowed",
    "stale-after-missing",
    "sun-stays",
    deaf::LINT,
    topics::LINT,
    "timer-unused",
    "two-writers",
    "unknown-board",
    "var-unused",
    "var-unwritten",
];

/// The lints that `allow` of a table names; a name that is none is reported.
pub(crate) fn allowed(report: &mut Report, table: &Table<'_>) -> Vec<&'static str> {
    let node = table.field("allow");
    node.map_or_else(Vec::new, |node| allowed_by(report, node))
}

/// The lints that the value of an `allow` names.
pub(crate) fn allowed_by(report: &mut Report, node: Node<'_>) -> Vec<&'static str> {
    let list = node.list(report, "`allow`").unwrap_or_default();
    let mut allowed = Vec::new();
    for node in list {
        let Some(text) = node.text(report, "the name of a lint") else {
            continue;
        };
        match NAMES.iter().find(|name| **name == text.text) {
            Some(name) => allowed.push(*name),
            None => {
                let message = format!("there is no lint `{}`", text.text);
                let error = Diagnostic::error("unknown-lint", text.span(), message);
                let near = did_you_mean(error.clone(), text.text, NAMES.iter().copied());
                report.push(if near.help.is_empty() {
                    error.help(format!("the lints are {}", one_of(NAMES)))
                } else {
                    near
                });
            }
        }
    }
    allowed
}

/// Whether a file silences this.
pub(crate) fn is_silenced(found: &Diagnostic, by_file: &[(FileIx, &'static str)]) -> bool {
    let file = found.labels.first().map(|label| label.span.file);
    found.severity == Severity::Warning
        && by_file
            .iter()
            .any(|(allows, lint)| Some(*allows) == file && *lint == found.code)
}

/// Looks at the whole house.
pub(crate) fn all(house: &mut House<'_>, metas: &[Meta], uses: &Uses) {
    let mut found = Vec::new();
    // What has a mistake may be a use.
    if !house.report.has_errors() {
        unused::scenes(house, uses, &mut found);
        unused::vars(house, uses, &mut found);
        unused::devices(house, metas, &mut found);
        writers::shadowed(&house.program, metas, &mut found);
    }
    writers::two_writers(&house.program, metas, &mut found);
    chords::chords(&house.program, metas, &mut found);
    heater::stale_after_missing(house, metas, &mut found);
    topics::target_topic_shared(house, &mut found);
    deaf::target_topic_missing(&house.program, metas, &mut found);
    bounds(&house.program, metas, &mut found);
    sun_stays(&house.program, metas, &mut found);
    house.report.extend(found);
}

/// How far the sun gets from the equator, in degrees.
const TROPIC: f64 = 23.44;

/// Rules that wait for the sun where it stays up or down for days.
fn sun_stays(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    let Some(latitude) = program.home.latitude else {
        return;
    };
    for (rule, meta) in program.rules.iter().zip(metas) {
        if !rule.enabled || meta.allow.contains(&"sun-stays") {
            continue;
        }
        for (trigger, span) in rule.triggers.iter().zip(&meta.triggers) {
            let Trigger::Sun { event, .. } = trigger else {
                continue;
            };
            let height = match event {
                SunEvent::Sunrise | SunEvent::Sunset => 0.833,
                SunEvent::Dawn | SunEvent::Dusk => 6.0,
            };
            if latitude.abs() <= 90.0 - TROPIC - height {
                continue;
            }
            let message = format!(
                "at latitude {latitude} not every day has a {}",
                event.word()
            );
            found.push(
                Diagnostic::warning("sun-stays", span.clone(), message)
                    .label("the rule does not fire on the other days")
                    .help("add a time for them, or say allow = [\"sun-stays\"]"),
            );
        }
    }
}

/// A foreign device that is on for a time: its payload can't say so, only the dispatcher ends it.
fn bounds(program: &Program, metas: &[Meta], found: &mut Vec<Diagnostic>) {
    for (rule, meta) in program.rules.iter().zip(metas) {
        if meta.allow.contains(&"bound-not-carried") {
            continue;
        }
        for (action, span) in rule.actions.iter().zip(&meta.actions) {
            let Action::Set {
                channel,
                bound: Some(_),
                ..
            } = action
            else {
                continue;
            };
            if !matches!(
                program[program[*channel].device].carrier,
                Carrier::Foreign(_)
            ) {
                continue;
            }
            let path = program.channel_path(*channel);
            let message = format!("`{path}` can't end this by itself");
            found.push(
                Diagnostic::warning("bound-not-carried", span.clone(), message)
                    .label("only the dispatcher switches it off")
                    .help("while the dispatcher is down it stays on; if that is fine, say allow = [\"bound-not-carried\"]"),
            );
        }
    }
}
