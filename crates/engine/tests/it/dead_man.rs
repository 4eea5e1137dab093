//! `{ on = TARGET, for }`: on for so long and no longer.

use std::time::Duration;

use engine::{Cause, Resume, Who};

use crate::{
    bench::{Bench, bench},
    build::{R, house, rule, slot},
};

fn pump() -> [R; 2] {
    [
        rule("pump").on("desk.button.press").on_for("hall.fan", 600),
        rule("lamp")
            .on("hall.motion.start")
            .on_for("hall.lamp", 600),
    ]
}

fn on(b: &Bench, path: &str) -> bool {
    let slot = slot(&b.program(), path);
    b.engine.target(slot) == Some(&true.into())
}

#[test]
fn it_goes_with_its_bound_and_ends_with_it() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.fan on=true for 600s"]);
    b.pass_ms(599_999);
    assert_eq!(b.out(), [""; 0]);
    b.now = b.now.after(Duration::from_millis(1));
    b.handle(engine::Input::Tick);
    assert_eq!(b.out(), ["hall.fan on=false"]);
    let decision = &b.effects.decisions[0];
    let (fan, rule) = (b.channel("hall.fan"), b.program().names.rules["pump"]);
    assert_eq!(decision.steps[0].cause, Cause::Bound(fan));
    assert_eq!(decision.sent[0].by, Some(rule));
    let origin = b.engine.desired_origin(slot(&b.program(), "hall.fan"));
    assert_eq!(origin, Some(Who::Rule("pump".into())));
}

#[test]
fn doing_it_again_begins_a_new_time_and_is_sent() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    b.pass(300);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        ["hall.fan on=true for 600s", "hall.fan on=true for 600s"]
    );
    b.pass(599);
    assert!(on(&b, "hall.fan"));
    b.pass(1);
    assert!(!on(&b, "hall.fan"));
}

#[test]
fn on_without_a_bound_is_for_good_and_the_consumer_hears_of_it() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    b.out();
    b.command("hall.fan.on");
    assert_eq!(b.out(), ["hall.fan on=true"]);
    b.pass(3_600);
    assert!(on(&b, "hall.fan"));
}

#[test]
fn off_ends_it_early() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    b.command("hall.fan.toggle");
    assert_eq!(b.engine.bounded_until(b.channel("hall.fan")), None);
    b.out();
    b.pass(3_600);
    assert_eq!(b.out(), [""; 0]);
}

#[test]
fn how_bright_says_nothing_about_how_long() {
    let mut b = bench(&pump());
    b.event("hall.motion.start", &[]);
    b.pass(300);
    b.out();
    b.command("hall.lamp.brighter");
    b.command("hall.lamp.dimmer");
    b.person("hall.lamp.brightness", 50.0, None);
    assert_eq!(
        b.out(),
        [
            "hall.lamp on=true brightness=11 for 300s",
            "hall.lamp on=true brightness=1 for 300s",
            "hall.lamp on=true brightness=50 for 300s"
        ]
    );
    b.pass(300);
    assert_eq!(b.out(), ["hall.lamp on=false brightness=50"]);
}

#[test]
fn it_ends_whatever_holds_the_output() {
    let mut b = bench(&[rule("pump")
        .on("desk.button.press")
        .on_for("hall.fan", 60)
        .hold("hall.fan", 3_600)]);
    b.event("desk.button.press", &[]);
    b.pass(60);
    assert!(!on(&b, "hall.fan"));
}

#[test]
fn a_bound_that_is_set_and_taken_back_in_one_cascade_sends_nothing_new() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .on_for("hall.fan", 60)
        .cmd("hall.fan.off")]);
    b.person("hall.fan", false, None);
    b.out();
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["= hall.fan on=false"]);
}

#[test]
fn a_restart_ends_what_was_to_end_meanwhile_at_once() {
    for (seconds, expected) in [(599, true), (600, false), (100_000, false)] {
        let mut b = bench(&pump());
        b.event("desk.button.press", &[]);
        b.now = b.now.after(Duration::from_secs(seconds));
        let program = b.program();
        b.swap(&program, Resume::Restart);
        b.pass(0);
        assert_eq!(on(&b, "hall.fan"), expected, "{seconds}");
    }
}

#[test]
fn a_reload_leaves_it_running_also_where_its_rule_is_gone() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    b.pass(300);
    b.out();
    b.swap(&house(&[]), Resume::Reload);
    b.pass(299);
    assert!(on(&b, "hall.fan"));
    b.pass(1);
    assert!(!on(&b, "hall.fan"));
    assert_eq!(b.out(), ["hall.fan on=false"]);
}

#[test]
fn a_hand_that_switches_off_ends_it() {
    let mut b = bench(&pump());
    b.event("desk.button.press", &[]);
    let fan = slot(&b.program(), "hall.fan");
    let channel = b.channel("hall.fan");
    let now = b.now;
    b.engine
        .adopt(now, channel, vec![(fan, false.into())], &mut b.effects);
    assert_eq!(b.engine.bounded_until(channel), None);
}
