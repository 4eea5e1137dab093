//! Timers, limits and the order of deadlines.

use engine::{Cause, Input, Outcome};

use crate::{bench::bench, build::rule};

#[test]
fn starting_a_running_timer_restarts_it() {
    let mut b = bench(&[
        rule("on")
            .on("hall.motion.start")
            .cmd("hall.lamp.on")
            .start("t", 300),
        rule("off").timer("t").cmd("hall.lamp.off"),
    ]);
    b.event("hall.motion.start", &[]);
    b.pass(240);
    b.event("hall.motion.start", &[]);
    b.out();
    b.pass(299);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
    assert_eq!(b.engine.next_deadline(b.now), None);
}

#[test]
fn a_stopped_timer_never_rings_and_stopping_twice_is_no_error() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 10),
        rule("stop").on("desk.button.release").stop("t"),
        rule("ring").timer("t").notify("ring"),
    ]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    b.event("desk.button.release", &[]);
    b.pass(60);
    assert_eq!(b.out(), [""; 0]);
}

#[test]
fn deadlines_fire_before_the_input_in_their_order_each_its_own_decision() {
    let mut b = bench(&[
        rule("start")
            .on("desk.button.press")
            .start("u", 20)
            .start("t", 10)
            .start("v", 20),
        rule("t").timer("t").notify("t"),
        rule("v").timer("v").notify("v"),
        rule("u").timer("u").notify("u"),
        rule("release").on("desk.button.release").notify("release"),
    ]);
    b.event("desk.button.press", &[]);
    // Nobody woke the engine: everything comes with the next input, at the times it was set for.
    let start = b.now;
    b.now = start.after(std::time::Duration::from_secs(100));
    b.event("desk.button.release", &[]);
    assert_eq!(
        b.out(),
        [
            "notify all: t",
            "notify all: u",
            "notify all: v",
            "notify all: release"
        ]
    );
    let times: Vec<u64> = b
        .effects
        .decisions
        .iter()
        .map(|d| d.now.at.since(start.at).as_secs())
        .collect();
    assert_eq!(times, [10, 20, 20, 100]);
}

#[test]
fn a_timer_that_a_late_timer_starts_counts_from_its_deadline() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 10),
        rule("t").timer("t").start("u", 10),
        rule("u").timer("u").notify("u"),
    ]);
    b.event("desk.button.press", &[]);
    b.now = b.now.after(std::time::Duration::from_secs(20));
    b.handle(Input::Tick);
    assert_eq!(b.out(), ["notify all: u"]);
}

#[test]
fn a_limit_counts_in_a_sliding_window() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .limit(2, 30)
        .notify("rang")]);
    for seconds in [0, 10, 10, 10, 1, 9] {
        b.pass(seconds);
        b.event("desk.button.press", &[]);
    }
    // At 0, 10, 20, 30, 31 and 40 s: the one at 30 s comes when that at 0 s left the window.
    assert_eq!(b.fired().len(), 4);
    b.event("desk.button.press", &[]);
    assert_eq!(b.outcomes(), [("r".to_owned(), Outcome::Limited)]);
}

#[test]
fn the_deadline_is_the_earliest_of_all() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 90),
        rule("minute").holds("now.minute == 3", 0).notify("minute"),
        rule("ring").timer("t").notify("ring"),
    ]);
    b.event("desk.button.press", &[]);
    let due = b.engine.next_deadline(b.now).expect("a deadline");
    assert_eq!(due.since(b.now.at).as_secs(), 60);
    b.pass(61);
    let due = b.engine.next_deadline(b.now).expect("a deadline");
    assert_eq!(due.since(b.now.at).as_secs(), 29);
    b.out();
    b.pass(29);
    assert_eq!(b.out(), ["notify all: ring"]);
    assert!(matches!(
        b.effects.decisions[0].steps[0].cause,
        Cause::Timer(_) | Cause::Tick
    ));
}

#[test]
fn time_that_goes_back_is_taken_as_standing_still() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 10),
        rule("ring").timer("t").notify("ring"),
    ]);
    b.pass(100);
    b.now.at = types::Instant(0);
    b.event("desk.button.press", &[]);
    b.now.at = types::Instant(1_000_000_000 + 110_000_000);
    b.handle(Input::Tick);
    assert_eq!(b.out(), ["notify all: ring"]);
}
