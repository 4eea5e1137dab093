//! Timers and limits.

use engine::Outcome;

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
