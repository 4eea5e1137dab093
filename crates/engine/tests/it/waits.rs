//! `wait` among actions: what comes behind it runs later, in the house of then, with the event of its beginning.

use std::time::Duration;

use engine::{Cause, Did, Disposition, Note, Outcome, Resume, State};
use mapping::program::AfterDowntime;

use crate::{
    bench::{Bench, bench},
    build::{R, house, rule},
};

fn lamp() -> R {
    rule("lamp")
        .on("desk.button.press")
        .cmd("hall.lamp.on")
        .wait(10)
        .cmd("hall.lamp.off")
}

#[test]
fn what_comes_behind_a_wait_runs_that_much_later() {
    let mut b = bench(&[lamp()]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.lamp on=true"]);
    let rule = b.program().names.rules["lamp"];
    let deed = &b.effects.decisions[0].deeds[0];
    assert_eq!(deed.what, Did::Waits(Duration::from_secs(10)));
    assert_eq!(b.engine.runs(rule).count(), 1);
    b.pass_ms(9_999);
    assert_eq!(b.out(), [""; 0]);
    b.now = b.now.after(Duration::from_millis(1));
    b.handle(engine::Input::Tick);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
    let decision = &b.effects.decisions[0];
    assert_eq!(decision.steps[0].cause, Cause::Waited(rule));
    assert_eq!(decision.rules[0].outcome, Outcome::Resumed);
    assert_eq!(decision.sent[0].by, Some(rule));
    assert_eq!(b.engine.runs(rule).count(), 0);
}

#[test]
fn values_behind_a_wait_see_the_house_as_it_is_then_and_the_event_as_it_was() {
    let mut b = bench(&[rule("r")
        .on("piano.keys.press")
        .notify("${event.key} ${state.hall.lux}")
        .wait(10)
        .notify("${event.key} ${event.velocity} ${state.hall.lux}")
        .wait(10)
        .set(
            "hall.lamp",
            &[("brightness", "${event.velocity + state.hall.lux}")],
        )]);
    b.report("hall.lux", 1.0);
    b.event("piano.keys.press", &[60.0, 20.0]);
    b.report("hall.lux", 2.0);
    b.event("piano.keys.release", &[60.0]);
    b.pass(10);
    b.report("hall.lux", 3.0);
    b.pass(10);
    assert_eq!(
        b.out(),
        [
            "notify all: 60 1",
            "notify all: 60 20 2",
            "hall.lamp on=true brightness=23"
        ]
    );
}

#[test]
fn an_unknown_value_behind_a_wait_skips_its_action_alone() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .wait(1)
        .set("hall.lamp", &[("brightness", "${state.living.temp}")])
        .cmd("hall.fan.on")]);
    b.event("desk.button.press", &[]);
    b.now = b.now.after(Duration::from_secs(1));
    b.handle(engine::Input::Tick);
    assert_eq!(b.out(), ["hall.fan on=true"]);
    let line = &b.effects.decisions[0].sent[0];
    assert_eq!(line.disposition, Disposition::Unknown);
}

#[test]
fn events_and_variables_behind_a_wait_derive_as_before_it() {
    let mut b = bench(&[
        rule("r")
            .on("desk.button.press")
            .wait(1)
            .emit("mode.evening.press", &[])
            .var("night", "true"),
        rule("evening").on("mode.evening.press").notify("evening"),
        rule("night").holds("var.night", 0).notify("night"),
    ]);
    b.event("desk.button.press", &[]);
    b.pass(1);
    assert_eq!(
        b.out(),
        [
            "emit mode.evening.press",
            "notify all: evening",
            "notify all: night"
        ]
    );
}

#[test]
fn waits_and_timers_that_are_due_together_go_in_the_order_in_which_they_began() {
    let mut b = bench(&[
        rule("a").on("desk.button.press").wait(5).notify("a"),
        rule("t").on("desk.button.press").start("t", 5),
        rule("c").on("desk.button.press").wait(5).notify("c"),
        rule("b").timer("t").notify("b"),
    ]);
    b.event("desk.button.press", &[]);
    b.pass(5);
    assert_eq!(b.out(), ["notify all: a", "notify all: b", "notify all: c"]);
}

#[test]
fn a_circle_with_a_wait_in_it_is_no_cascade() {
    let mut b = bench(&[rule("r")
        .on("mode.evening.press")
        .wait(1)
        .emit("mode.evening.press", &[])]);
    b.event("mode.evening.press", &[]);
    b.pass(100);
    assert_eq!(b.out().len(), 100);
    assert!(b.effects.cuts.is_empty());
}

#[test]
fn a_limit_counts_beginnings() {
    let mut b = bench(&[lamp().limit(1, 60)]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.outcomes(), [("lamp".to_owned(), Outcome::Limited)]);
    b.pass(10);
    assert_eq!(b.out(), ["hall.lamp on=true", "hall.lamp on=false"]);
}

fn restarted(b: &mut Bench, seconds: u64) -> Vec<Note> {
    let program = b.program();
    b.now = b.now.after(Duration::from_secs(seconds));
    b.swap(&program, Resume::Restart)
}

#[test]
fn a_run_that_waits_survives_a_restart_with_its_event() {
    let mut b = bench(&[rule("r")
        .on("piano.keys.press")
        .wait(300)
        .notify("${event.velocity}")]);
    b.event("piano.keys.press", &[60.0, 7.0]);
    b.pass(100);
    assert_eq!(restarted(&mut b, 100), []);
    b.pass(99);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["notify all: 7"]);
}

#[test]
fn after_downtime_decides_whether_a_late_wait_goes_on() {
    let late = |seconds| AfterDowntime::RunLate(Duration::from_secs(seconds));
    for (after, expected) in [
        (AfterDowntime::Drop, 0),
        (late(589), 0),
        (late(590), 1),
        (AfterDowntime::Resume, 1),
    ] {
        let mut b = bench(&[lamp().after(after)]);
        b.event("desk.button.press", &[]);
        b.out();
        let notes = restarted(&mut b, 600);
        b.pass(0);
        assert_eq!(b.out().len(), expected, "{after:?}");
        assert_eq!(notes.len(), 1 - expected);
    }
}

#[test]
fn a_run_goes_on_through_a_reload_and_is_cancelled_where_its_rule_changed() {
    let mut b = bench(&[lamp()]);
    b.event("desk.button.press", &[]);
    b.pass(5);
    let other = rule("other").on("hall.motion.start").cmd("hall.fan.on");
    assert_eq!(b.swap(&house(&[other, lamp()]), Resume::Reload), []);
    b.out();
    b.pass(5);
    assert_eq!(b.out(), ["hall.lamp on=false"]);

    b.event("desk.button.press", &[]);
    let cancelled = [Note::RunCancelled {
        rule: "lamp".into(),
    }];
    let changed = lamp().cmd("hall.fan.off");
    assert_eq!(b.swap(&house(&[changed]), Resume::Reload), cancelled);
    b.out();
    b.pass(60);
    assert_eq!(b.out(), [""; 0]);

    b.event("desk.button.press", &[]);
    assert_eq!(b.swap(&house(&[]), Resume::Reload), cancelled);
}

#[test]
fn a_state_with_runs_that_wait_for_nothing_is_taken_without_them() {
    use mapping::program::Mode;
    let mut b = bench(&[lamp().mode(Mode::Queue)]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.press", &[]);
    let bytes = b.engine.state().encode();
    assert!(State::decode(&bytes).is_ok());
    let rule = b.program().names.rules["lamp"];
    assert_eq!(b.engine.runs(rule).count(), 2);
    let notes = restarted(&mut b, 0);
    assert_eq!((notes.len(), b.engine.runs(rule).count()), (0, 2));
}
