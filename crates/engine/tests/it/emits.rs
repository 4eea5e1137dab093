//! Events that rules let virtual devices report: they queue behind what runs and run before the next input.

use engine::{Cause, Cut, Disposition, Outcome};

use crate::{
    bench::bench,
    build::{event, rule},
};

#[test]
fn an_emitted_event_runs_behind_its_cause_in_the_same_decision() {
    let mut b = bench(&[
        rule("first")
            .on("desk.button.press")
            .emit("mode.evening.press", &[])
            .notify("first"),
        rule("evening").on("mode.evening.press").notify("evening"),
        rule("last").on("desk.button.press").notify("last"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        [
            "emit mode.evening.press",
            "notify all: first",
            "notify all: last",
            "notify all: evening"
        ]
    );
    assert_eq!(b.effects.decisions.len(), 1);
    let press = event(&b.program(), "mode.evening.press");
    let step = &b.effects.decisions[0].steps[1];
    assert_eq!((&step.cause, step.depth), (&Cause::Event(press, vec![]), 1));
}

#[test]
fn fields_are_computed_from_the_snapshot_rounded_and_clamped() {
    let mut b = bench(&[
        rule("up").on("piano.keys.press").emit(
            "mode.keys.press",
            &["${event.key + 0.5}", "${event.velocity * 100}"],
        ),
        rule("played")
            .on("mode.keys.press")
            .notify("${event.key} ${event.velocity}"),
    ]);
    b.event("piano.keys.press", &[60.0, 2.0]);
    assert_eq!(
        b.out(),
        [
            "emit mode.keys.press key=61 velocity=127",
            "notify all: 61 127"
        ]
    );
}

#[test]
fn an_unknown_field_skips_the_event_and_says_so() {
    let mut b = bench(&[
        rule("r")
            .on("desk.button.press")
            .emit("mode.keys.press", &["${state.living.temp}", "1"]),
        rule("played").on("mode.keys.press").notify("played"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), [""; 0]);
    let line = &b.effects.decisions[0].sent[0];
    assert_eq!(line.disposition, Disposition::Unknown);
    assert_eq!(line.text, "mode.keys press key=unknown");
}

#[test]
fn an_emitted_event_carries_state_that_conditions_and_holds_see() {
    let mut b = bench(&[
        rule("leave")
            .on("desk.button.press")
            .emit("mode.away.open", &[]),
        rule("left")
            .on("mode.away.open")
            .cond("state.mode.away == 'open'")
            .notify("left"),
        rule("away")
            .holds("state.mode.away == 'open'", 0)
            .notify("away"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        [
            "emit mode.away.open",
            "notify all: left",
            "notify all: away"
        ]
    );
}

#[test]
fn gestures_of_a_virtual_button_are_derived_like_any_other() {
    use mapping::program::GestureKind::Double;
    let mut b = bench(&[
        rule("r")
            .on("hall.motion.start")
            .emit("desk.button.press", &[])
            .emit("desk.button.release", &[])
            .emit("desk.button.press", &[])
            .emit("desk.button.release", &[]),
        rule("double").gesture(Double, 0, 400).notify("double"),
    ]);
    b.event("hall.motion.start", &[]);
    assert_eq!(
        b.out().last().map(String::as_str),
        Some("notify all: double")
    );
}

#[test]
fn a_blocked_virtual_device_reports_nothing() {
    let mut b = bench(&[
        rule("r")
            .on("desk.button.press")
            .emit("mode.evening.press", &[]),
        rule("evening").on("mode.evening.press").notify("evening"),
    ]);
    let mode = b.program().device("mode").expect("mode");
    b.engine.silence(mode, true);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), [""; 0]);
    let line = &b.effects.decisions[0].sent[0];
    assert_eq!(line.disposition, Disposition::Blocked);
    b.engine.silence(mode, false);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out().len(), 2);
}

#[test]
fn events_that_emit_each_other_are_cut_at_depth_sixteen() {
    let mut b = bench(&[
        rule("ping")
            .on("mode.evening.press")
            .emit("mode.evening.release", &[]),
        rule("pong")
            .on("mode.evening.release")
            .emit("mode.evening.press", &[]),
    ]);
    b.event("mode.evening.press", &[]);
    assert_eq!(b.out().len(), 16);
    let rule = b.program().names.rules["ping"];
    let why = Outcome::Depth;
    assert_eq!(b.effects.cuts, [Cut { rule, why }]);
}
