//! `mode`: what a second firing does while the first one waits.

use engine::{Did, Outcome};
use mapping::program::Mode;

use crate::{
    bench::{Bench, bench},
    build::{R, rule},
};

fn played(mode: Mode) -> R {
    rule("r")
        .on("piano.keys.press")
        .notify("begins ${event.key}")
        .wait(10)
        .notify("ends ${event.key}")
        .mode(mode)
}

fn press(b: &mut Bench, key: u32) {
    b.event("piano.keys.press", &[f64::from(key), 1.0]);
}

fn said(b: &mut Bench) -> Vec<String> {
    let said = b.out().into_iter();
    said.map(|line| line.replace("notify all: ", "")).collect()
}

#[test]
fn restart_gives_up_the_run_that_waits() {
    let mut b = bench(&[played(Mode::Restart)]);
    press(&mut b, 1);
    b.pass(9);
    press(&mut b, 2);
    let gave_up = b.effects.decisions[0].deeds.iter();
    let gave_up = gave_up.filter(|deed| deed.what == Did::GaveUp);
    assert_eq!(gave_up.count(), 1);
    b.pass(9);
    assert_eq!(said(&mut b), ["begins 1", "begins 2"]);
    b.pass(1);
    assert_eq!(said(&mut b), ["ends 2"]);
}

#[test]
fn restart_leaves_the_run_alone_where_the_condition_is_false() {
    let mut b = bench(&[played(Mode::Restart).cond("event.key < 5")]);
    press(&mut b, 1);
    press(&mut b, 9);
    b.pass(10);
    assert_eq!(said(&mut b), ["begins 1", "ends 1"]);
}

#[test]
fn single_drops_the_new_firing_and_records_it() {
    let mut b = bench(&[played(Mode::Single)]);
    press(&mut b, 1);
    press(&mut b, 2);
    assert_eq!(b.outcomes(), [("r".to_owned(), Outcome::Busy)]);
    b.pass(10);
    press(&mut b, 3);
    assert_eq!(said(&mut b), ["begins 1", "ends 1", "begins 3"]);
}

#[test]
fn queue_runs_one_after_the_other() {
    let mut b = bench(&[played(Mode::Queue)]);
    press(&mut b, 1);
    press(&mut b, 2);
    assert_eq!(b.outcomes(), [("r".to_owned(), Outcome::Queued)]);
    press(&mut b, 3);
    b.pass(10);
    assert_eq!(said(&mut b), ["begins 1", "ends 1", "begins 2"]);
    b.pass(20);
    assert_eq!(said(&mut b), ["ends 2", "begins 3", "ends 3"]);
    assert_eq!(b.fired().len(), 3);
}

#[test]
fn a_queue_holds_ten_runs_and_drops_what_comes_on_top() {
    let mut b = bench(&[played(Mode::Queue)]);
    for key in 0..12 {
        press(&mut b, key);
    }
    assert_eq!(b.outcomes(), [("r".to_owned(), Outcome::Busy)]);
    b.pass(1_000);
    assert_eq!(said(&mut b).len(), 20);
    let rule = b.program().names.rules["r"];
    assert_eq!(b.engine.runs(rule).count(), 0);
}

#[test]
fn parallel_runs_ten_at_a_time() {
    let mut b = bench(&[played(Mode::Parallel)]);
    for key in 0..12 {
        press(&mut b, key);
        b.pass_ms(10);
    }
    let begun = said(&mut b);
    assert_eq!((begun.len(), begun[9].as_str()), (10, "begins 9"));
    b.pass(10);
    let ended = said(&mut b);
    assert_eq!((ended.len(), ended[0].as_str()), (10, "ends 0"));
    press(&mut b, 13);
    assert_eq!(said(&mut b), ["begins 13"]);
}

#[test]
fn what_is_dropped_uses_up_no_limit() {
    let mut b = bench(&[played(Mode::Single).limit(2, 600)]);
    press(&mut b, 1);
    press(&mut b, 2);
    b.pass(10);
    press(&mut b, 3);
    assert_eq!(said(&mut b), ["begins 1", "ends 1", "begins 3"]);
}

#[test]
fn one_event_through_two_triggers_begins_as_often_as_the_mode_lets_it() {
    use mapping::program::GestureKind::Click;
    for (mode, begun) in [
        (Mode::Single, 1),
        (Mode::Parallel, 2),
        (Mode::Queue, 1),
        (Mode::Restart, 2),
    ] {
        let mut b = bench(&[rule("r")
            .on("desk.button.release")
            .gesture(Click, 0, 400)
            .notify("begins")
            .wait(10)
            .mode(mode)]);
        b.event("desk.button.press", &[]);
        b.event("desk.button.release", &[]);
        assert_eq!(b.out().len(), begun, "{mode:?}");
    }
}

#[test]
fn a_rule_without_wait_is_atomic_whatever_its_mode() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .notify("done")
        .mode(Mode::Single)]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out().len(), 2);
}
