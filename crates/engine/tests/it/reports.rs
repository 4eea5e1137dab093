//! Reports of state and the events that are derived from them; who is there.

use engine::Cause;

use crate::{
    bench::{MONDAY_NOON, bench, wall},
    build::{rule, slot},
};

fn changed() -> crate::build::R {
    rule("changed")
        .on("hall.lux.changed")
        .notify("${event.lux} = ${state.hall.lux}")
}

#[test]
fn a_first_report_is_no_event() {
    let mut b = bench(&[changed()]);
    b.report("hall.lux", 5.0);
    assert_eq!(b.out(), [""; 0]);
}

#[test]
fn a_changed_report_is_an_event_that_carries_the_state() {
    let mut b = bench(&[changed()]);
    b.report("hall.lux", 5.0);
    b.report("hall.lux", 5.0);
    b.report("hall.lux", 6.5);
    assert_eq!(b.out(), ["notify all: 6.5 = 6.5"]);
    let steps = &b.effects.decisions[0].steps;
    assert!(matches!(steps[0].cause, Cause::Report(..)));
    assert!(matches!(steps[1].cause, Cause::Event(..)));
}

#[test]
fn what_a_broker_retained_is_no_event() {
    let mut b = bench(&[changed()]);
    b.report("hall.lux", 5.0);
    b.report_as("hall.lux", 9.0, false);
    assert_eq!(b.out(), [""; 0]);
    let program = b.program();
    let lux = slot(&program, "hall.lux");
    assert_eq!(b.engine.reported(lux), Some(&9.0.into()));
}

#[test]
fn the_value_chooses_the_event() {
    let mut b = bench(&[
        rule("open").on("door.contact.open").notify("open"),
        rule("close").on("door.contact.close").notify("close"),
    ]);
    for value in ["closed", "open", "open", "closed"] {
        b.report("door.contact", value);
    }
    assert_eq!(b.fired(), ["open", "close"]);
}

#[test]
fn a_contact_that_slept_too_long_still_opens() {
    let mut b = bench(&[rule("changed").on("living.temp.changed").notify("changed")]);
    b.report("living.temp", 20.0);
    b.pass(3_600);
    b.report("living.temp", 21.0);
    assert_eq!(b.fired(), ["changed"]);
}

#[test]
fn an_event_writes_reported_state_and_its_time() {
    let mut b = bench(&[]);
    b.pass(7);
    b.event("hall.motion.start", &[]);
    let program = b.program();
    let active = slot(&program, "hall.motion");
    assert_eq!(b.engine.reported(active), Some(&true.into()));
    assert_eq!(b.engine.reported_at(active), Some(b.now.at));
}

#[test]
fn a_device_that_goes_says_its_name_and_when_it_was_last_seen() {
    let mut b = bench(&[rule("lost")
        .on("living.offline")
        .on("hall.offline")
        .notify("${event.device} (${event.last_seen})")]);
    b.online("living");
    b.online("hall");
    b.offline("living", Some(wall(MONDAY_NOON)));
    b.offline("hall", None);
    b.offline("hall", None);
    assert_eq!(
        b.out(),
        [
            "notify all: living (2026-01-05 12:00:00)",
            "notify all: hall (never)"
        ]
    );
}

#[test]
fn coming_twice_is_one_event() {
    let mut b = bench(&[rule("back").on("living.online").notify("back")]);
    b.online("living");
    b.online("living");
    assert_eq!(b.fired(), ["back"]);
    let living = b.program().device("living").expect("living");
    assert!(b.engine.online(living));
}
