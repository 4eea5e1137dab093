//! **Deadlines**: what is due fires before the input, by deadline, then by creation.

use std::time::Duration;

use engine::{Cause, Input};
use mapping::program::{Days, GestureKind};

use crate::{
    bench::{bench, bench_at},
    build::rule,
};

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

#[test]
fn whatever_falls_due_is_in_one_order() {
    // A timer, a `for`, a gesture, a time of day, a cron and a look at the clock, all at 12:01:00.
    let rules = [
        rule("at").at(12, 1, Days::ALL).notify("at"),
        rule("cron").cron("1 12 * * *").notify("cron"),
        rule("look").holds("now.minute == 1", 0).notify("look"),
        rule("for").holds("var.night", 30).notify("for"),
        rule("long")
            .gesture(GestureKind::Long, 30_000, 400)
            .notify("long"),
        rule("start").on("desk.button.press").start("t", 30),
        rule("timer").timer("t").notify("timer"),
        rule("early").on("hall.motion.start").start("u", 20),
        rule("first").timer("u").notify("first"),
    ];
    let mut b = bench_at(&rules, "2026-01-05T11:00:30Z");
    b.var("night", true);
    b.event("desk.button.press", &[]);
    b.event("hall.motion.start", &[]);
    b.fired();
    b.now = b.now.after(Duration::from_secs(90));
    b.handle(Input::Tick);
    // Created ones in the order of their creation: the `for`, the long press, the timer; then times in the order of
    // the rules, then looks.
    assert_eq!(
        b.fired(),
        ["first", "for", "long", "timer", "at", "cron", "look"]
    );
}

#[test]
fn a_deadline_sees_the_house_as_it_was_then() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 10),
        rule("dark")
            .timer("t")
            .cond("state.hall.lux < 20 && age(state.hall.lux) <= 10")
            .notify("dark at ${now.minute}"),
    ]);
    b.report("hall.lux", 5.0);
    b.event("desk.button.press", &[]);
    // Nobody woke the engine for an hour; then the hall is bright, and the report old.
    b.now = b.now.after(Duration::from_secs(3_600));
    b.report("hall.lux", 500.0);
    assert_eq!(b.out(), ["notify all: dark at 0"]);
}

#[test]
fn a_wall_clock_that_jumps_moves_no_elapsed_deadline_and_a_times_deadline_with_it() {
    let mut b = bench_at(
        &[
            rule("start").on("desk.button.press").start("t", 3_600),
            rule("ring").timer("t").notify("ring"),
            rule("at").at(13, 0, Days::ALL).notify("at"),
        ],
        "2026-01-05T11:00:00Z",
    );
    b.event("desk.button.press", &[]);
    let due = |b: &crate::bench::Bench| b.engine.next_deadline(b.now).expect("a deadline");
    assert_eq!(due(&b).since(b.now.at).as_secs(), 3_600);
    b.now.wall.0 += 1_800 * 1_000_000;
    b.handle(Input::Tick);
    assert_eq!(
        due(&b).since(b.now.at).as_secs(),
        1_800,
        "13:00 is nearer now"
    );
    b.pass(1_800);
    assert_eq!(b.fired(), ["start", "at"]);
    b.pass(1_800);
    assert_eq!(b.fired(), ["ring"]);
}
