//! **Gestures**: click, double, triple, long, chords; sequences have a file of their own.

use mapping::program::GestureKind::{Click, Double, Long, Triple};

use crate::{
    bench::{Bench, bench},
    build::{R, rule},
};

fn gesture(name: &str, kind: mapping::program::GestureKind) -> R {
    rule(name).gesture(kind, 800, 400).notify(name)
}

/// Presses (`p`) and releases (`r`) of the button, with the time between them in milliseconds.
fn play(b: &mut Bench, score: &[(u64, char)]) {
    for (ms, edge) in score {
        b.pass_ms(*ms);
        let name = if *edge == 'p' { "press" } else { "release" };
        b.event(&format!("desk.button.{name}"), &[]);
    }
}

#[test]
fn a_click_does_not_wait_where_no_double_is_mapped() {
    let mut b = bench(&[gesture("click", Click)]);
    play(&mut b, &[(0, 'p'), (100, 'r')]);
    assert_eq!(b.fired(), ["click"]);
}

#[test]
fn a_click_waits_where_a_double_is_mapped() {
    let mut b = bench(&[gesture("click", Click), gesture("double", Double)]);
    play(&mut b, &[(0, 'p'), (100, 'r')]);
    b.pass_ms(399);
    assert_eq!(b.fired(), [""; 0]);
    b.pass_ms(1);
    assert_eq!(b.fired(), ["click"]);
    play(&mut b, &[(0, 'p'), (100, 'r'), (300, 'p'), (100, 'r')]);
    assert_eq!(b.fired(), ["double"]);
    b.pass(10);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_double_waits_where_a_triple_is_mapped() {
    let all = [
        gesture("click", Click),
        gesture("double", Double),
        gesture("triple", Triple),
    ];
    let mut b = bench(&all);
    play(&mut b, &[(0, 'p'), (50, 'r'), (50, 'p'), (50, 'r')]);
    assert_eq!(b.fired(), [""; 0]);
    b.pass_ms(400);
    assert_eq!(b.fired(), ["double"]);
    let three = [
        (0, 'p'),
        (50, 'r'),
        (50, 'p'),
        (50, 'r'),
        (50, 'p'),
        (50, 'r'),
    ];
    play(&mut b, &three);
    assert_eq!(b.fired(), ["triple"]);
}

#[test]
fn press_rules_never_wait() {
    let mut b = bench(&[
        gesture("double", Double),
        rule("press").on("desk.button.press").notify("press"),
    ]);
    play(&mut b, &[(0, 'p')]);
    assert_eq!(b.fired(), ["press"]);
}

#[test]
fn long_fires_while_still_held_and_is_no_click() {
    let mut b = bench(&[gesture("long", Long), gesture("click", Click)]);
    play(&mut b, &[(0, 'p')]);
    b.pass_ms(799);
    assert_eq!(b.fired(), [""; 0]);
    b.pass_ms(1);
    assert_eq!(b.fired(), ["long"]);
    play(&mut b, &[(100, 'r')]);
    b.pass(5);
    assert_eq!(b.fired(), [""; 0]);
    play(&mut b, &[(0, 'p'), (100, 'r')]);
    assert_eq!(b.fired(), ["click"]);
}

#[test]
fn each_long_fires_at_its_own_time() {
    let longer = rule("longer").gesture(Long, 2_000, 400).notify("longer");
    let mut b = bench(&[longer, gesture("long", Long)]);
    play(&mut b, &[(0, 'p')]);
    b.pass_ms(1_000);
    assert_eq!(b.fired(), ["long"]);
    b.pass_ms(1_000);
    assert_eq!(b.fired(), ["longer"]);
}

#[test]
fn the_producers_clock_tells_the_pause() {
    let mut b = bench(&[gesture("click", Click), gesture("double", Double)]);
    // Arrived together after a hiccup of the network, pressed a second apart: two clicks.
    for (path, ms) in [
        ("press", 1_000),
        ("release", 1_100),
        ("press", 2_100),
        ("release", 2_200),
    ] {
        b.event_at(&format!("desk.button.{path}"), &[], Some(ms));
    }
    assert_eq!(b.fired(), ["click"]);
    b.pass(1);
    assert_eq!(b.fired(), ["click"]);
}

#[test]
fn a_hold_that_the_producer_measured_is_a_long_even_if_it_arrives_at_once() {
    let mut b = bench(&[gesture("long", Long), gesture("click", Click)]);
    b.event_at("desk.button.press", &[], Some(5_000));
    b.event_at("desk.button.release", &[], Some(6_000));
    assert_eq!(b.fired(), ["long"]);
    b.pass(5);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_release_alone_is_nothing_and_a_lost_one_does_no_harm() {
    let mut b = bench(&[gesture("click", Click), gesture("double", Double)]);
    play(&mut b, &[(0, 'r'), (10, 'r')]);
    b.pass(5);
    assert_eq!(b.fired(), [""; 0]);
    play(&mut b, &[(0, 'p'), (200, 'p')]);
    assert_eq!(b.fired(), ["double"]);
    play(&mut b, &[(0, 'p'), (60_000, 'p'), (100, 'r')]);
    b.pass(1);
    assert_eq!(b.fired(), ["click"]);
}

#[test]
fn a_gesture_is_a_derived_input_of_the_release() {
    let mut b = bench(&[gesture("click", Click)]);
    play(&mut b, &[(0, 'p'), (100, 'r')]);
    let steps = &b.effects.decisions[0].steps;
    assert_eq!(steps.len(), 2);
    assert_eq!(
        steps[1].cause,
        engine::Cause::Gesture(Click, b.channel("desk.button"))
    );
}

fn chord() -> [R; 2] {
    [
        rule("c-major")
            .chord(&[60.0, 64.0, 67.0], 300)
            .notify("chord"),
        rule("any").on("piano.keys.press").cmd("desk.lamp.on"),
    ]
}

#[test]
fn a_chord_fires_in_any_order_and_its_keys_fire_their_own_rules_at_once() {
    for keys in [[60.0, 64.0, 67.0], [67.0, 60.0, 64.0]] {
        let mut b = bench(&chord());
        for key in keys {
            b.event("piano.keys.press", &[key, 80.0]);
            b.pass_ms(100);
        }
        assert_eq!(b.fired(), ["any", "any", "any", "c-major"]);
    }
}

#[test]
fn a_chord_that_takes_too_long_is_none() {
    let mut b = bench(&chord());
    for key in [60.0, 64.0, 67.0] {
        b.event("piano.keys.press", &[key, 80.0]);
        b.pass_ms(151);
    }
    assert!(!b.fired().contains(&"c-major".to_owned()));
    // The first key again: the two later ones are still young enough.
    b.event("piano.keys.press", &[60.0, 80.0]);
    assert!(!b.fired().contains(&"c-major".to_owned()));
    b.event("piano.keys.press", &[64.0, 80.0]);
    assert!(b.fired().contains(&"c-major".to_owned()));
}

#[test]
fn a_chord_is_told_by_the_producers_clock_whatever_the_order_of_arrival() {
    let mut b = bench(&chord());
    for (key, ms) in [(67.0, 1_290), (60.0, 1_000), (64.0, 1_100)] {
        b.event_at("piano.keys.press", &[key, 80.0], Some(ms));
        b.pass_ms(500);
    }
    assert!(b.fired().contains(&"c-major".to_owned()));
    for (key, ms) in [(67.0, 9_000), (60.0, 9_100), (64.0, 9_301)] {
        b.event_at("piano.keys.press", &[key, 80.0], Some(ms));
    }
    assert!(!b.fired().contains(&"c-major".to_owned()));
}

#[test]
fn a_complete_chord_starts_again_from_nothing() {
    let mut b = bench(&chord());
    for key in [60.0, 64.0, 67.0, 67.0] {
        b.event("piano.keys.press", &[key, 80.0]);
    }
    assert_eq!(
        b.fired().iter().filter(|name| *name == "c-major").count(),
        1
    );
}
