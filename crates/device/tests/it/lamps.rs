//! Dimmers and lights: brightness, colours, fades.

use device::{Drive, FADE_MS_MAX, FULL, Kept, Refused, Tint};
use proptest::prelude::*;
use wire::{ChannelKind, Fallback, Options, Pin, Value};

use crate::stage::{Stage, fading, lasting, number, on, target};

fn dimmer() -> Stage {
    Stage::new(ChannelKind::Dimmer, Options::default())
}

fn light() -> Stage {
    Stage::new(ChannelKind::Light, Options::default())
}

#[test]
fn brightness_implies_on_and_zero_is_off_and_on_restores_the_last() {
    let mut stage = dimmer();
    stage
        .set(number(1, "brightness", 40.0))
        .expect("a dimmer can");
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (4_000, "on=true brightness=40")
    );
    stage
        .set(number(2, "brightness", 0.0))
        .expect("a dimmer can");
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (0, "on=false brightness=40")
    );
    stage.set(on(3, true)).expect("a dimmer can");
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (4_000, "on=true brightness=40")
    );
    let off_at_70 = [
        ("on", Value::Bool(false)),
        ("brightness", Value::Number(70.0)),
    ];
    stage.set(target(4, &off_at_70)).expect("a dimmer can");
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (0, "on=false brightness=70")
    );
}

#[test]
fn a_lamp_that_never_was_told_goes_on_with_all_it_has() {
    let mut stage = dimmer();
    stage.set(on(1, true)).expect("a dimmer can");
    assert_eq!(stage.level(), FULL);
}

#[test]
fn the_ends_of_a_dimmer_are_where_its_channel_says() {
    let options = Options {
        min: Some(20.0),
        max: Some(60.0),
        ..Options::default()
    };
    let mut stage = Stage::new(ChannelKind::Dimmer, options);
    let mut level = |rev, brightness| {
        stage
            .set(number(rev, "brightness", brightness))
            .expect("a dimmer can");
        stage.level()
    };
    assert_eq!(
        [level(1, 1.0), level(2, 100.0), level(3, 0.0)],
        [2_000, 6_000, 0]
    );
}

#[test]
fn brightness_is_bent_to_what_eyes_see() {
    let options = Options {
        gamma: Some(2.0),
        ..Options::default()
    };
    let mut stage = Stage::new(ChannelKind::Dimmer, options);
    stage
        .set(number(1, "brightness", 50.0))
        .expect("a dimmer can");
    assert_eq!(stage.level(), 2_500);
}

#[test]
fn values_out_of_range_are_refused() {
    let mut stage = light();
    for (field, values) in [
        ("brightness", &[-1.0, 101.0, 1.5, 1e300][..]),
        ("hue", &[-1.0, 360.0]),
        ("saturation", &[101.0]),
        ("kelvin", &[1_499.0, 9_001.0, 70_000.0]),
    ] {
        for value in values {
            assert_eq!(
                stage.set(number(1, field, *value)),
                Err(Refused::Value(field)),
                "{value}"
            );
        }
    }
    assert_eq!(stage.drives, [(0, Drive::Lamp([0; 4]))]);
    assert_eq!(
        dimmer().set(number(1, "hue", 5.0)),
        Err(Refused::Field("a colour"))
    );
}

#[test]
fn a_fade_goes_in_small_steps_and_ends_exactly_on_its_target() {
    let mut stage = dimmer();
    stage
        .set(fading(1_000, number(1, "brightness", 73.0)))
        .expect("a dimmer can");
    stage.run(5_000);
    let levels: Vec<u16> = stage
        .drives
        .iter()
        .map(|(_, drive)| match drive {
            Drive::Lamp(levels) => levels[3],
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(levels.is_sorted() && levels.len() == 51, "{levels:?}");
    assert!(
        levels.windows(2).all(|pair| pair[1] - pair[0] <= 147),
        "{levels:?}"
    );
    assert_eq!(
        stage.drives.last(),
        Some(&(1_000, Drive::Lamp([0, 0, 0, 7_300])))
    );
    // It says how it is when it is there, and not at each step.
    assert_eq!(
        stage.reports[1..],
        [(1_000, "on=true brightness=73".to_owned())]
    );
}

#[test]
fn a_fade_is_over_when_it_shall_be_and_not_a_step_later() {
    let mut stage = dimmer();
    stage
        .set(fading(1_010, number(1, "brightness", 73.0)))
        .expect("a dimmer can");
    stage.run(1_009);
    assert!(stage.level() < 7_300);
    stage.run(1);
    assert_eq!(stage.level(), 7_300);
    assert_eq!(stage.reports.last().map(|(at, _)| *at), Some(1_010));
}

#[test]
fn a_fade_to_off_is_on_until_it_is_dark() {
    let mut stage = dimmer();
    stage
        .set(number(1, "brightness", 80.0))
        .expect("a dimmer can");
    stage
        .set(fading(8_000, on(2, false)))
        .expect("a dimmer can");
    stage.run(4_000);
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (4_000, "on=true brightness=40")
    );
    stage.run(4_000);
    assert_eq!(
        (stage.level(), stage.state().as_str()),
        (0, "on=false brightness=80")
    );
    stage.set(on(3, true)).expect("a dimmer can");
    assert_eq!(stage.level(), 8_000);
}

#[test]
fn a_new_target_midway_goes_on_from_where_it_is() {
    let mut stage = dimmer();
    stage
        .set(fading(1_000, number(1, "brightness", 100.0)))
        .expect("a dimmer can");
    stage.run(500);
    assert_eq!(stage.level(), 5_000);
    stage
        .set(fading(2_000, number(2, "brightness", 10.0)))
        .expect("a dimmer can");
    assert_eq!(stage.level(), 5_000);
    stage.run(1_000);
    assert_eq!(stage.level(), 3_000);
    // One without a fade is done at once.
    stage
        .set(number(3, "brightness", 90.0))
        .expect("a dimmer can");
    assert_eq!(stage.level(), 9_000);
    stage.run(5_000);
    assert_eq!(stage.level(), 9_000);
}

#[test]
fn a_bound_ends_a_fade_as_well() {
    let mut stage = dimmer();
    let set = lasting(500, fading(1_000, number(1, "brightness", 100.0)));
    stage.set(set).expect("a dimmer can");
    stage.run(500);
    assert_eq!(stage.level(), 0);
    stage.run(5_000);
    assert_eq!(stage.level(), 0);
    assert_eq!(
        stage.reports.last(),
        Some(&(500, "on=false brightness=100".to_owned()))
    );
}

#[test]
fn a_fade_takes_ten_minutes_at_most() {
    let mut stage = dimmer();
    stage
        .set(fading(u32::MAX, number(1, "brightness", 100.0)))
        .expect("a dimmer can");
    stage.run(FADE_MS_MAX.into());
    assert_eq!(stage.level(), FULL);
}

#[test]
fn of_colour_and_white_the_later_one_wins() {
    let mut stage = light();
    let (hue, kelvin) = (
        ("hue", Value::Number(120.0)),
        ("kelvin", Value::Number(3_000.0)),
    );
    let bright = ("brightness", Value::Number(100.0));
    stage
        .set(target(1, &[bright, hue, kelvin]))
        .expect("a light can");
    assert_eq!(stage.state(), "on=true brightness=100 kelvin=3000");
    assert_eq!(stage.drive(), Drive::Lamp([10_000, 7_058, 4_196, 0]));
    stage.set(target(2, &[kelvin, hue])).expect("a light can");
    assert_eq!(
        stage.state(),
        "on=true brightness=100 hue=120 saturation=100"
    );
    assert_eq!(stage.drive(), Drive::Lamp([0, 10_000, 0, 0]));
    stage
        .set(number(3, "saturation", 50.0))
        .expect("a light can");
    assert_eq!(
        stage.state(),
        "on=true brightness=100 hue=120 saturation=50"
    );
}

#[test]
fn a_colour_alone_does_not_switch_a_light_on() {
    let mut stage = light();
    stage.set(number(1, "hue", 240.0)).expect("a light can");
    assert_eq!(stage.drive(), Drive::Lamp([0; 4]));
    stage.set(on(2, true)).expect("a light can");
    assert_eq!(stage.drive(), Drive::Lamp([0, 0, 10_000, 0]));
}

#[test]
fn colours_fade_into_each_other() {
    let mut stage = light();
    let red = [
        ("brightness", Value::Number(100.0)),
        ("hue", Value::Number(0.0)),
    ];
    stage.set(target(1, &red)).expect("a light can");
    stage
        .set(fading(1_000, number(2, "hue", 240.0)))
        .expect("a light can");
    stage.run(500);
    assert_eq!(stage.drive(), Drive::Lamp([5_000, 0, 5_000, 0]));
    stage.run(500);
    assert_eq!(stage.drive(), Drive::Lamp([0, 0, 10_000, 0]));
}

#[test]
fn a_white_pin_makes_the_white() {
    let options = Options {
        white: Some(Pin::number(9)),
        ..Options::default()
    };
    let mut stage = Stage::new(ChannelKind::Light, options);
    let white = [
        ("brightness", Value::Number(50.0)),
        ("kelvin", Value::Number(2_700.0)),
    ];
    stage.set(target(1, &white)).expect("a light can");
    assert_eq!(stage.drive(), Drive::Lamp([0, 0, 0, 5_000]));
}

#[test]
fn a_lamp_comes_back_as_it_was() {
    let tint = Tint::Hue {
        hue: 120,
        saturation: 100,
    };
    let kept = Kept::Lamp {
        on: true,
        brightness: 30,
        tint,
    };
    let stage = Stage::with(ChannelKind::Light, Options::default(), Some(kept));
    assert_eq!(stage.drives, [(0, Drive::Lamp([0, 3_000, 0, 0]))]);
    let options = Options {
        at_boot: Fallback::Off,
        ..Options::default()
    };
    let mut stage = Stage::with(ChannelKind::Light, options, Some(kept));
    assert_eq!(stage.drives, [(0, Drive::Lamp([0; 4]))]);
    stage.set(on(1, true)).expect("a light can");
    assert_eq!(
        stage.state(),
        "on=true brightness=30 hue=120 saturation=100"
    );
}

proptest! {
    #[test]
    fn whatever_targets_come_a_dimmer_ends_exactly_on_the_last(
        targets in prop::collection::vec((0_u8..=100, prop::option::of(0_u32..3_000), 0_u64..2_000), 1..20),
    ) {
        let mut stage = dimmer();
        for (rev, (brightness, fade_ms, pause)) in (1..).zip(&targets) {
            let mut set = number(rev, "brightness", f64::from(*brightness));
            set.fade_ms = *fade_ms;
            stage.set(set).expect("a dimmer can");
            stage.run(*pause);
            prop_assert!(stage.level() <= FULL);
        }
        stage.run(3_000);
        let last = targets.last().map_or(0, |(brightness, ..)| u16::from(*brightness));
        prop_assert_eq!(stage.level(), last * 100);
        prop_assert_eq!(stage.output.deadline(), link::Millis::NEVER);
    }
}
