//! **Gestures**, part two: sequences of events, within one device and across devices.

use std::time::Duration;

use engine::{Cause, Note, Outcome, Resume};

use crate::{
    bench::{Bench, bench},
    build::{R, house, rule},
};

fn tune() -> R {
    rule("tune")
        .melody(&[60.0, 64.0, 67.0], 2_000)
        .notify("tune")
}

/// Keys with the pause before each, in milliseconds.
fn play(b: &mut Bench, score: &[(u64, f64)]) {
    for (ms, key) in score {
        b.pass_ms(*ms);
        b.event("piano.keys.press", &[*key, 80.0]);
    }
}

#[test]
fn a_tune_fires_at_its_last_key() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 60.0), (900, 64.0)]);
    assert_eq!(b.fired(), [""; 0]);
    play(&mut b, &[(900, 67.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

#[test]
fn the_order_counts() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 64.0), (0, 60.0), (0, 67.0), (0, 64.0)]);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn another_key_in_between_breaks_a_tune_and_may_begin_it_anew() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 60.0), (0, 62.0), (0, 64.0), (0, 67.0)]);
    assert_eq!(b.fired(), [""; 0]);
    play(&mut b, &[(0, 60.0), (0, 60.0), (0, 64.0), (0, 67.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

#[test]
fn events_that_it_does_not_name_do_not_break_it() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 60.0)]);
    b.event("piano.keys.release", &[60.0]);
    b.event("desk.button.press", &[]);
    play(&mut b, &[(0, 64.0), (0, 67.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

#[test]
fn what_takes_too_long_is_none() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 60.0), (1_000, 64.0), (1_001, 67.0)]);
    assert_eq!(b.fired(), [""; 0]);
    play(&mut b, &[(0, 60.0), (1_000, 64.0), (1_000, 67.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

#[test]
fn a_beginning_that_repeats_within_a_tune_is_found() {
    let hidden = rule("tune")
        .melody(&[60.0, 60.0, 62.0], 9_000)
        .notify("tune");
    let mut b = bench(&[hidden]);
    play(&mut b, &[(0, 60.0), (0, 60.0), (0, 60.0), (0, 62.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

#[test]
fn a_complete_tune_starts_again_from_nothing() {
    let twice = rule("tune").melody(&[60.0, 60.0], 9_000).notify("tune");
    let mut b = bench(&[twice]);
    play(&mut b, &[(0, 60.0), (0, 60.0), (0, 60.0)]);
    assert_eq!(b.fired(), ["tune"]);
    play(&mut b, &[(0, 60.0)]);
    assert_eq!(b.fired(), ["tune"]);
}

fn upstairs(within_ms: u64) -> R {
    let steps = [("hall.motion.start", ""), ("desk.button.press", "")];
    rule("up").sequence(&steps, within_ms).notify("up")
}

#[test]
fn a_sequence_across_devices_is_told_by_arrival() {
    let mut b = bench(&[upstairs(1_000)]);
    // Clocks of two devices have nothing to do with each other.
    b.event_at("hall.motion.start", &[], Some(5));
    b.pass_ms(900);
    b.event_at("desk.button.press", &[], Some(70_000_000));
    assert_eq!(b.fired(), ["up"]);
    b.event_at("hall.motion.start", &[], Some(100));
    b.pass_ms(1_100);
    b.event_at("desk.button.press", &[], Some(101));
    assert_eq!(b.fired(), [""; 0]);
    // The other way round is another sequence.
    b.event("desk.button.press", &[]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.fired(), [""; 0]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.fired(), ["up"]);
}

#[test]
fn within_one_device_the_producers_clock_tells_the_time() {
    let mut b = bench(&[tune()]);
    let mut play_at = |score: &[(f64, u64)], pause_ms: u64| {
        for (key, ms) in score {
            b.event_at("piano.keys.press", &[*key, 80.0], Some(*ms));
            b.pass_ms(pause_ms);
        }
        b.fired()
    };
    // A network that dawdles: four seconds on the way, one on the piano.
    let slow = play_at(&[(60.0, 1_000), (64.0, 1_500), (67.0, 2_000)], 2_000);
    assert_eq!(slow, ["tune"]);
    // All at once after a hiccup, but five seconds on the piano.
    let burst = play_at(&[(60.0, 10_000), (64.0, 12_000), (67.0, 15_000)], 0);
    assert_eq!(burst, [""; 0]);
    // What comes later than producers keep events is another tune, whatever their clock says.
    let late = play_at(&[(60.0, 20_000), (64.0, 20_100), (67.0, 20_200)], 7_000);
    assert_eq!(late, [""; 0]);
}

#[test]
fn a_step_may_ask_for_more_than_its_event() {
    let hard = rule("hard")
        .sequence(
            &[
                ("piano.keys.press", "event.velocity > 60 && !var.night"),
                ("piano.keys.press", "event.key == 64"),
            ],
            2_000,
        )
        .notify("hard");
    let mut b = bench(&[hard]);
    b.event("piano.keys.press", &[1.0, 50.0]);
    b.event("piano.keys.press", &[64.0, 50.0]);
    assert_eq!(b.fired(), [""; 0]);
    b.event("piano.keys.press", &[1.0, 70.0]);
    b.event("piano.keys.press", &[64.0, 50.0]);
    assert_eq!(b.fired(), ["hard"]);
}

#[test]
fn a_step_whose_condition_is_unknown_does_not_count_and_the_record_names_it() {
    let steps = [
        ("hall.motion.start", "state.hall.lux < 20"),
        ("desk.button.press", ""),
    ];
    let dark = rule("dark").sequence(&steps, 2_000).notify("dark");
    let mut b = bench(&[dark]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.outcomes(), [("dark".to_owned(), Outcome::Unknown)]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn its_events_fire_their_own_rules_at_once_and_it_is_a_derived_input() {
    let own = rule("own").on("piano.keys.press").notify("own");
    let mut b = bench(&[tune(), own]);
    play(&mut b, &[(0, 60.0), (0, 64.0), (0, 67.0)]);
    assert_eq!(b.fired(), ["own", "own", "own", "tune"]);
    let steps = &b.effects.decisions[0].steps;
    let rule = b.program().names.rules["tune"];
    assert_eq!(steps[1].cause, Cause::Sequence(rule));
    assert_eq!(steps[1].depth, 1);
}

#[test]
fn it_goes_on_after_a_restart_as_long_as_there_is_time() {
    for (down_s, expected) in [(1, 1), (60, 0)] {
        let mut b = bench(&[upstairs(5_000)]);
        b.event("hall.motion.start", &[]);
        b.now = b.now.after(Duration::from_secs(down_s));
        let program = b.program();
        assert_eq!(b.swap(&program, Resume::Restart), []);
        b.event("desk.button.press", &[]);
        assert_eq!(b.fired().len(), expected);
    }
}

#[test]
fn a_reload_keeps_what_has_begun_unless_its_steps_changed() {
    let mut b = bench(&[tune()]);
    play(&mut b, &[(0, 60.0), (0, 64.0)]);
    let with_more = [rule("new").on("desk.button.press").notify("new"), tune()];
    assert_eq!(b.swap(&house(&with_more), Resume::Reload), []);
    play(&mut b, &[(0, 67.0)]);
    assert_eq!(b.fired(), ["tune"]);

    play(&mut b, &[(0, 60.0), (0, 64.0)]);
    let changed = rule("tune")
        .melody(&[60.0, 65.0, 67.0], 2_000)
        .notify("tune");
    let notes = b.swap(&house(&[changed]), Resume::Reload);
    let rule = "tune".into();
    assert_eq!(notes, [Note::SequenceDropped { rule }]);
    play(&mut b, &[(0, 67.0)]);
    assert_eq!(b.fired(), [""; 0]);
}

#[test]
fn a_device_that_goes_and_comes_can_be_part_of_one() {
    let steps = [("living.offline", ""), ("living.online", "")];
    let back = rule("back").sequence(&steps, 60_000).notify("back");
    let mut b = bench(&[back]);
    b.online("living");
    b.offline("living", None);
    b.pass(30);
    b.online("living");
    assert_eq!(b.fired(), ["back"]);
}
