//! `hold`: rules are kept from writing an output for a while; people are not.

use std::time::Duration;

use engine::{Did, Disposition, Resume};

use crate::{
    bench::bench,
    build::{house, rule},
};

#[test]
fn a_rule_can_keep_rules_from_an_output_itself_included() {
    let rules = [
        rule("clean")
            .on("desk.button.press")
            .cmd("hall.lamp.on")
            .hold("hall.lamp", 60)
            .cmd("hall.lamp.off"),
        rule("motion").on("hall.motion.stop").cmd("hall.lamp.off"),
    ];
    let mut b = bench(&rules);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.lamp on=true"]);
    let decision = &b.effects.decisions[0];
    let (clean, lamp) = (b.program().names.rules["clean"], b.channel("hall.lamp"));
    assert_eq!(decision.deeds[0].rule, Some(clean));
    assert_eq!(
        decision.deeds[0].what,
        Did::Keeps(lamp, Duration::from_secs(60))
    );
    assert_eq!(decision.sent[1].disposition, Disposition::Held);
    b.pass(59);
    b.event("hall.motion.stop", &[]);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    b.event("hall.motion.stop", &[]);
    assert_eq!(b.out(), ["hall.lamp on=false"]);
}

#[test]
fn a_hold_of_no_time_lets_rules_write_again() {
    let mut b = bench(&[
        rule("free").on("desk.button.press").hold("hall.lamp", 0),
        rule("motion").on("hall.motion.start").cmd("hall.lamp.on"),
    ]);
    b.person("hall.lamp.on", false, Some(3_600));
    b.out();
    b.event("hall.motion.start", &[]);
    assert_eq!(b.out(), [""; 0]);
    b.event("desk.button.press", &[]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.out(), ["hall.lamp on=true"]);
    b.person("hall.lamp.on", false, Some(3_600));
    b.person("hall.lamp.on", false, Some(0));
    assert_eq!(b.engine.kept_until(b.channel("hall.lamp")), None);
}

#[test]
fn a_hold_survives_a_restart_and_a_reload() {
    let rules = [rule("motion").on("hall.motion.start").cmd("hall.lamp.on")];
    for how in [Resume::Replay, Resume::Restart, Resume::Reload] {
        let mut b = bench(&rules);
        b.person("hall.lamp.on", false, Some(600));
        b.out();
        b.now = b.now.after(Duration::from_secs(300));
        b.swap(&house(&rules), how);
        b.event("hall.motion.start", &[]);
        assert_eq!(b.out(), [""; 0], "{how:?}");
        b.pass(300);
        b.event("hall.motion.start", &[]);
        assert_eq!(b.out(), ["hall.lamp on=true"], "{how:?}");
    }
}
