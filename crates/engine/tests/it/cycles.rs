//! Rules that set each other off.

use std::time::Duration;

use engine::{Input, Outcome};

use crate::{bench::bench, build::rule};

fn flip_flop() -> [crate::build::R; 3] {
    [
        rule("begin").on("desk.button.press").var("level", "1"),
        rule("up").holds("var.level == 1", 0).var("level", "2"),
        rule("down").holds("var.level == 2", 0).var("level", "1"),
    ]
}

#[test]
fn a_cycle_is_cut_at_depth_sixteen() {
    let mut b = bench(&flip_flop());
    b.event("desk.button.press", &[]);
    let decision = &b.effects.decisions[0];
    assert_eq!(decision.steps.iter().map(|s| s.depth).max(), Some(16));
    let cut = decision
        .rules
        .iter()
        .filter(|t| t.outcome == Outcome::Depth);
    assert_eq!(cut.count(), 1);
    assert!(decision.steps.len() < 20);
}

#[test]
fn the_fuse_cuts_a_rule_that_fires_too_often_and_closes_again() {
    let mut b = bench(&[rule("r").on("desk.button.press").cmd("hall.fan.on")]);
    for _ in 0..150 {
        b.event("desk.button.press", &[]);
    }
    assert_eq!(b.fired().len(), 100);
    assert_eq!(b.outcomes(), [("r".to_owned(), Outcome::Fuse)]);
    b.pass(1);
    b.event("desk.button.press", &[]);
    assert_eq!(b.fired().len(), 1);
    b.engine.set_fuse(1_000);
    for _ in 0..150 {
        b.event("desk.button.press", &[]);
    }
    assert_eq!(b.fired().len(), 150);
}

#[test]
fn a_timer_that_starts_itself_at_once_is_stopped_by_the_fuse() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 0),
        rule("again").timer("t").start("t", 0),
    ]);
    b.event("desk.button.press", &[]);
    b.handle(Input::Tick);
    assert_eq!(b.effects.decisions.len(), 102);
    assert_eq!(b.engine.next_deadline(b.now), None);
}

#[test]
fn a_night_of_missed_repetitions_ends() {
    let mut b = bench(&[
        rule("start").on("desk.button.press").start("t", 1),
        rule("again").timer("t").start("t", 1),
    ]);
    b.event("desk.button.press", &[]);
    b.now = b.now.after(Duration::from_secs(100_000));
    b.handle(Input::Tick);
    assert!(b.effects.decisions.len() <= 10_002);
    let due = b.engine.next_deadline(b.now).expect("it goes on");
    assert_eq!(due.since(b.now.at), Duration::from_secs(1));
}
