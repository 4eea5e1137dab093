//! What each kind makes of what is written to it.

use crate::{bench::bench, build::rule};

/// Commands of a person, one after the other, and what came out of the last.
fn last(commands: &[&str]) -> String {
    let mut b = bench(&[]);
    for command in commands {
        match command.split_once('=') {
            Some((path, "true")) => b.person(path, true, None),
            Some((path, "false")) => b.person(path, false, None),
            Some((path, number)) => b.person(path, number.parse::<f64>().expect("a number"), None),
            None => b.command(command),
        }
    }
    b.out().pop().unwrap_or_default()
}

#[test]
fn brightness_implies_on() {
    assert_eq!(
        last(&["hall.lamp.brightness=40"]),
        "hall.lamp on=true brightness=40"
    );
}

#[test]
fn brightness_zero_means_off_and_keeps_the_last() {
    let commands = ["hall.lamp.brightness=40", "hall.lamp.brightness=0"];
    assert_eq!(last(&commands), "hall.lamp on=false brightness=40");
}

#[test]
fn on_restores_the_last_brightness() {
    let commands = ["hall.lamp.brightness=40", "hall.lamp.off", "hall.lamp.on"];
    assert_eq!(last(&commands), "hall.lamp on=true brightness=40");
    assert_eq!(last(&["hall.lamp.on"]), "hall.lamp on=true");
}

#[test]
fn toggle_takes_unknown_as_off() {
    assert_eq!(last(&["hall.fan.toggle"]), "hall.fan on=true");
    assert_eq!(
        last(&["hall.fan.toggle", "hall.fan.toggle"]),
        "hall.fan on=false"
    );
}

#[test]
fn toggle_counts_from_the_target_and_not_from_the_report() {
    let mut b = bench(&[]);
    b.report("hall.fan", true);
    b.command("hall.fan.toggle");
    assert_eq!(b.out(), ["hall.fan on=true"]);
}

#[test]
fn steps_are_clamped_and_unknown_counts_as_the_smallest_value() {
    assert_eq!(
        last(&["hall.lamp.brighter"]),
        "hall.lamp on=true brightness=11"
    );
    assert_eq!(
        last(&["hall.lamp.brightness=95", "hall.lamp.brighter"]),
        "hall.lamp on=true brightness=100"
    );
    assert_eq!(
        last(&["hall.lamp.brightness=5", "hall.lamp.dimmer"]),
        "hall.lamp on=true brightness=1"
    );
}

#[test]
fn a_step_down_does_not_switch_on() {
    let commands = [
        "hall.lamp.brightness=50",
        "hall.lamp.off",
        "hall.lamp.dimmer",
    ];
    assert_eq!(last(&commands), "hall.lamp on=false brightness=40");
}

#[test]
fn color_and_kelvin_exclude_each_other() {
    let warm = ["living.strip.hue=200", "living.strip.kelvin=2700"];
    assert_eq!(last(&warm), "living.strip kelvin=2700");
    let colored = ["living.strip.kelvin=2700", "living.strip.saturation=80"];
    assert_eq!(last(&colored), "living.strip saturation=80");
}

#[test]
fn what_cannot_be_set_is_no_part_of_the_target() {
    assert_eq!(last(&["living.blind.open"]), "living.blind position=100");
}

#[test]
fn computed_values_are_rounded_and_clamped() {
    let dims = rule("dims").on("piano.keys.press").set(
        "hall.lamp",
        &[("brightness", "${event.velocity * 200 / 127}")],
    );
    let mut b = bench(&[dims]);
    for (velocity, expected) in [
        (32.0, "hall.lamp on=true brightness=50"),
        (127.0, "hall.lamp on=true brightness=100"),
        (0.0, "hall.lamp on=false brightness=100"),
    ] {
        b.event("piano.keys.press", &[60.0, velocity]);
        assert_eq!(b.out(), [expected]);
    }
}

#[test]
fn an_explicit_off_wins_over_a_brightness_beside_it() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("on", "false"), ("brightness", "30")])]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.lamp on=false brightness=30"]);
}
