//! From the input that changed something back to what set it off, and forward to what came of it.

use dispatcher::{Effects, Input};
use engine::{Disposition, Output};
use mapping::Program;

use super::{
    Found, Hop, Scene, What, Why, after,
    down::STARTED,
    earlier::{Wanted, earlier},
    moved,
    pick::pick,
    scene,
    teller::{BACK_MAX, Teller},
};
use crate::{
    history::{History, Until},
    hold::Hold,
    target::Target,
    trouble::HistoryError,
    waits::Dropped,
    words::span,
};

/// The whole answer.
pub(super) fn of(history: &History, found: &Found) -> Result<Why, HistoryError> {
    let scene = scene(history, found.no)?;
    let program = &scene.program;
    let target = found.target.as_ref();
    let mut hops = Vec::new();
    let mut told = Vec::new();
    // Of what fell due it is the moment at which it did, and not the one at which it was looked at.
    let mut now = found.now;
    if let Some(dropped) = &found.dropped {
        hops.extend(before_drop(history, found, dropped)?);
    }
    match target.and_then(|target| pick(target, &scene)) {
        Some(picked) => {
            let decision = &scene.effects.engine.decisions[picked.decision];
            now = decision.now;
            let teller = Teller {
                history,
                program,
                no: found.no,
                decision,
                notes: &scene.effects.notes,
            };
            hops.extend(teller.causes(picked.step, BACK_MAX)?);
            for trace in picked.rules.iter().map(|place| &decision.rules[*place]) {
                hops.push(teller.rule(trace));
            }
            for line in picked.sent {
                let sent = &decision.sent[line];
                hops.push(teller.sent(sent));
                // A command that was blocked is gone; a target is sent once its consumer no longer is.
                let is_lost = sent.disposition == Disposition::Blocked
                    && !is_target(&scene.effects, picked.decision, line);
                if !is_lost {
                    told.extend(sent.channel.map(|channel| (channel, sent.disposition)));
                }
            }
        }
        None => {
            let moved = moved::by_now(history, found)?;
            let (start, edit) =
                moved.map_or((Vec::new(), None), |(start, edit)| (start, Some(edit)));
            hops.extend(start);
            hops.push(Hop {
                now,
                what: What::Cause(match (&found.dropped, edit) {
                    (Some(dropped), _) => dropped.text(history),
                    (None, Some(edit)) => edit,
                    (None, None) => unpicked(&scene, target),
                }),
            });
        }
    }
    hops.extend(after::hops(history, program, found, &told)?);
    let held = scene.kept.iter().filter(|(path, _)| match target {
        Some(Target::Channel(channel)) => *path == program.channel_path(*channel),
        Some(Target::Slot(slot)) => *path == program.channel_path(program[*slot].channel),
        _ => false,
    });
    let remarks = held
        .map(|(path, until)| {
            let until = history.clock(until.wall);
            format!("{path} is held until {until}: rules don't write it until then")
        })
        .collect();
    let then = target.map(|target| target.path(program));
    Ok(Why {
        target: found.name.clone(),
        then: then.filter(|then| *then != found.name),
        is: found.is.clone(),
        was: found.was.clone(),
        no: found.no,
        now,
        hops,
        remarks,
    })
}

/// What began the wait of a rule that was dropped.
fn before_drop(
    history: &History,
    found: &Found,
    dropped: &Dropped,
) -> Result<Vec<Hop>, HistoryError> {
    let travel = history.from_input(found.no, Until::End)?;
    let program = travel.house().program();
    let Some(rule) = found.rule_before else {
        return Ok(Vec::new());
    };
    let wanted = match dropped.wait.holds {
        None => Wanted::Ran(Some(rule)),
        Some(place) => Wanted::Turned(Hold { rule, place }),
    };
    let since = dropped.wait.since;
    earlier(history, (found.no, program), since, wanted, BACK_MAX)
}

/// What changed it where no rule, no command and no report did.
fn unpicked(scene: &Scene, target: Option<&Target>) -> String {
    let program = &scene.program;
    match &scene.input {
        Some(Input::Reload { .. }) => {
            let came = "another mapping came into force";
            let notes = scene.effects.notes.iter();
            let notes: Vec<String> = notes.map(|note| note.render(program)).collect();
            match notes.is_empty() {
                true => came.to_owned(),
                false => format!("{came}: {}", notes.join("; ")),
            }
        }
        Some(Input::Resumed) => match target {
            Some(Target::Var(var)) if !program[*var].keep => format!(
                "{STARTED}; var.{} does not outlive that",
                program[*var].name
            ),
            _ => staleness(program, target).unwrap_or_else(|| STARTED.to_owned()),
        },
        Some(Input::Config(_)) => "the settings changed".to_owned(),
        _ => staleness(program, target).unwrap_or_else(|| "nothing that was recorded".to_owned()),
    }
}

/// A reported value that changed without a report: it is too old to count.
fn staleness(program: &Program, target: Option<&Target>) -> Option<String> {
    let channel = match target? {
        Target::Channel(channel) => *channel,
        Target::Slot(slot) => program[*slot].channel,
        _ => return None,
    };
    let row = &program[channel];
    let so_long = row.stale_after.filter(|_| !row.consumer)?;
    Some(format!(
        "nothing came from {} for {} (stale_after)",
        program.channel_path(channel),
        span(so_long)
    ))
}

/// Whether this line of a decision is a target, and no command.
fn is_target(effects: &Effects, of: usize, at: usize) -> bool {
    let mut outputs = effects.engine.outputs.iter();
    outputs.any(|output| {
        matches!(output, Output::Target { decision, line, .. } if (*decision, *line) == (of, at))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dispatcher::{Conduct, Effects, Note};

    use super::*;

    const HOUSE: &str = r#"
format = 1
[device.a]
id = 7
io.t = { kind = "temperature", stale_after = "5m" }
io.lamp = { kind = "switch" }
[var]
party = { kind = "bool", start = false }
night = { kind = "bool", start = false, keep = true }
"#;

    /// What is said of `target`, which changed with `input` and by nothing else.
    fn said(input: Option<Input>, target: &str) -> String {
        let loaded = mapping::load_texts([("mapping.toml", HOUSE.to_owned())]);
        let program: Arc<Program> = loaded.program.expect("it checks");
        let target = Target::find(&program, target);
        let mut effects = Effects::default();
        effects.notes.push(Note::Lost("a note".to_owned()));
        let scene = Scene {
            program,
            input,
            effects,
            kept: Vec::new(),
        };
        assert!(target.is_some());
        unpicked(&scene, target.as_ref())
    }

    #[test]
    fn what_changed_by_itself_is_told_by_what_came() {
        let started = "the dispatcher started again";
        let reload = || Some(Input::Reload { hash: [0; 32] });
        let config = || Some(Input::Config(Conduct::default()));
        for (input, target, expected) in [
            (reload(), "party", "another mapping came into force: a note"),
            (config(), "party", "the settings changed"),
            (Some(Input::Resumed), "night", started),
            (Some(Input::Resumed), "a.lamp", started),
            (Some(Input::Tick), "party", "nothing that was recorded"),
            (Some(Input::Tick), "a.lamp", "nothing that was recorded"),
            (None, "party", "nothing that was recorded"),
        ] {
            assert_eq!(said(input, target), expected, "{target}");
        }
        assert_eq!(
            said(Some(Input::Resumed), "party"),
            "the dispatcher started again; var.party does not outlive that"
        );
        for input in [Input::Resumed, Input::Tick] {
            let old = "nothing came from a.t for 5m (stale_after)";
            assert_eq!(said(Some(input), "a.t"), old);
        }
    }
}
