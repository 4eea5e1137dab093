//! What all outputs have in common, shown at switches, servos and buzzers.

use device::{Drive, Kept, Output, Refused};
use link::Millis;
use proptest::prelude::*;
use wire::{ChannelKind, Fallback, Options, Value};

use crate::stage::{Stage, channel, command, fading, lasting, number, on, target};

fn switch() -> Stage {
    Stage::new(ChannelKind::Switch, Options::default())
}

#[test]
fn every_consumer_has_a_machine_and_no_producer_has_one() {
    for kind in ChannelKind::ALL {
        let output = Output::new(&channel(kind, Options::default()), None, Millis(0));
        assert_eq!(output.is_some(), kind.is_consumer(), "{kind:?}");
    }
}

#[test]
fn a_switch_does_its_target_and_reports_it_once() {
    let mut stage = switch();
    assert_eq!(stage.drives, [(0, Drive::Level(false))]);
    stage.run(10);
    assert_eq!(stage.set(on(1, true)), Ok(()));
    assert_eq!(stage.drive(), Drive::Level(true));
    assert_eq!(stage.output.rev(), 1);
    stage.run(60_000);
    let reports = ["on=false", "on=true"].map(str::to_owned);
    assert_eq!(
        stage.reports,
        [0, 10].into_iter().zip(reports).collect::<Vec<_>>()
    );
}

#[test]
fn an_older_revision_is_never_applied() {
    let mut stage = switch();
    assert_eq!(stage.set(on(5, true)), Ok(()));
    assert_eq!(stage.set(on(4, false)), Err(Refused::Old));
    assert_eq!(stage.set(on(5, false)), Err(Refused::Old));
    assert_eq!(stage.drive(), Drive::Level(true));
    // The next session counts from 1 again.
    stage.output.begin();
    assert_eq!(stage.output.rev(), 0);
    assert_eq!(stage.set(on(1, false)), Ok(()));
    assert_eq!(stage.drive(), Drive::Level(false));
}

proptest! {
    #[test]
    fn in_any_order_the_newest_target_stays(
        revs in Just((1..=20_u32).collect::<Vec<_>>()).prop_shuffle(),
        bits: u32,
    ) {
        let mut stage = switch();
        for rev in revs {
            let _ = stage.set(on(rev, bits >> rev & 1 == 1));
        }
        prop_assert_eq!(stage.drive(), Drive::Level(bits >> 20 & 1 == 1));
        prop_assert_eq!(stage.output.rev(), 20);
    }
}

#[test]
fn what_a_channel_does_not_have_is_refused_and_changes_nothing() {
    let mut stage = switch();
    assert_eq!(
        stage.set(number(1, "brightness", 40.0)),
        Err(Refused::Field("brightness"))
    );
    assert_eq!(
        stage.set(number(1, "colour", 4.0)),
        Err(Refused::UnknownField)
    );
    assert_eq!(stage.set(number(1, "on", 1.0)), Err(Refused::Value("on")));
    assert_eq!(stage.set(command(1, "stop")), Err(Refused::Command));
    assert_eq!(stage.set(command(1, "explode")), Err(Refused::Command));
    let both = target(
        1,
        &[("on", Value::Bool(true)), ("angle", Value::Number(3.0))],
    );
    assert_eq!(stage.set(both), Err(Refused::Field("angle")));
    assert_eq!(stage.drive(), Drive::Level(false));
    assert_eq!(stage.output.rev(), 0);
    assert_eq!(stage.set(on(1, true)), Ok(()));
}

#[test]
fn what_is_on_for_ten_minutes_goes_off_by_itself_and_says_so() {
    let mut stage = switch();
    stage
        .set(lasting(600_000, on(1, true)))
        .expect("a switch can");
    stage.run(599_999);
    assert_eq!(stage.drive(), Drive::Level(true));
    // Also where the dispatcher is gone meanwhile.
    stage.lose();
    stage.run(1);
    assert_eq!(stage.drive(), Drive::Level(false));
    assert_eq!(
        stage.reports.last(),
        Some(&(600_000, "on=false".to_owned()))
    );
    stage.run(10_000_000);
    assert_eq!(stage.drives.len(), 3);
}

#[test]
fn a_newer_target_lifts_the_bound_or_moves_it() {
    let mut stage = switch();
    stage
        .set(lasting(1_000, on(1, true)))
        .expect("a switch can");
    stage.run(500);
    stage.set(on(2, true)).expect("a switch can");
    stage.run(5_000);
    assert_eq!(stage.drive(), Drive::Level(true));
    stage
        .set(lasting(1_000, on(3, true)))
        .expect("a switch can");
    stage.run(900);
    stage
        .set(lasting(1_000, on(4, true)))
        .expect("a switch can");
    stage.run(999);
    assert_eq!(stage.drive(), Drive::Level(true));
    stage.run(1);
    assert_eq!(stage.drive(), Drive::Level(false));
}

#[test]
fn an_older_target_does_not_move_the_bound() {
    let mut stage = switch();
    stage
        .set(lasting(1_000, on(2, true)))
        .expect("a switch can");
    stage.run(900);
    assert_eq!(stage.set(lasting(1_000, on(2, true))), Err(Refused::Old));
    assert_eq!(stage.set(lasting(1_000, on(1, true))), Err(Refused::Old));
    stage.run(100);
    assert_eq!(stage.drive(), Drive::Level(false));
}

#[test]
fn a_bound_of_nothing_is_over_at_once_and_off_needs_none() {
    let mut stage = switch();
    stage.set(lasting(0, on(1, true))).expect("a switch can");
    stage.run(0);
    assert_eq!(stage.drive(), Drive::Level(false));
    stage
        .set(lasting(1_000, on(2, false)))
        .expect("a switch can");
    assert_eq!(stage.output.deadline(), Millis::NEVER);
}

#[test]
fn at_boot_is_what_was_off_or_on() {
    for (at_boot, was, expected) in [
        (Fallback::Keep, true, true),
        (Fallback::Keep, false, false),
        (Fallback::Off, true, false),
        (Fallback::On, false, true),
    ] {
        let options = Options {
            at_boot,
            ..Options::default()
        };
        let stage = Stage::with(ChannelKind::Switch, options, Some(Kept::Level { on: was }));
        assert_eq!(stage.drives, [(0, Drive::Level(expected))], "{at_boot:?}");
    }
}

#[test]
fn when_the_dispatcher_is_lost_an_output_does_what_it_shall_once() {
    for (when_lost, expected) in [
        (Fallback::Keep, [true, false]),
        (Fallback::Off, [false, false]),
        (Fallback::On, [true, true]),
    ] {
        for (is, expected) in [true, false].into_iter().zip(expected) {
            let options = Options {
                when_lost,
                ..Options::default()
            };
            let mut stage = Stage::new(ChannelKind::Switch, options);
            stage.set(on(1, is)).expect("a switch can");
            stage.lose();
            assert_eq!(stage.drive(), Drive::Level(expected), "{when_lost:?} {is}");
            // It comes back, and wishes what it wished: that holds until the next loss.
            stage.output.begin();
            stage.set(on(1, is)).expect("a new session");
            assert_eq!(stage.drive(), Drive::Level(is));
            stage.lose();
            assert_eq!(stage.drive(), Drive::Level(expected), "{when_lost:?} {is}");
            let before = stage.drives.len();
            stage.lose();
            assert_eq!(stage.drives.len(), before);
        }
    }
}

#[test]
fn what_a_bound_keeps_on_is_off_after_a_power_cut() {
    let mut stage = switch();
    stage.set(on(1, true)).expect("a switch can");
    assert_eq!(stage.output.kept(), Kept::Level { on: true });
    stage
        .set(lasting(1_000, on(2, true)))
        .expect("a switch can");
    assert_eq!(stage.output.kept(), Kept::Level { on: false });
}

#[test]
fn a_beep_ends_by_itself_and_is_no_state() {
    let mut stage = Stage::new(ChannelKind::Buzzer, Options::default());
    let reports = stage.reports.len();
    let mut beep = command(1, "beep");
    beep.fields = number(1, "ms", 300.0).fields;
    stage.set(beep).expect("a buzzer can");
    stage.run(1_000);
    stage.set(command(2, "beep")).expect("a buzzer can");
    stage.run(1_000);
    let level = |at, on| (at, Drive::Level(on));
    let expected = [
        level(0, false),
        level(0, true),
        level(300, false),
        level(1_000, true),
        level(1_200, false),
    ];
    assert_eq!(stage.drives, expected);
    assert_eq!(stage.reports.len(), reports);
    beep.rev = 3;
    beep.fields = number(1, "ms", 5_001.0).fields;
    assert_eq!(stage.set(beep), Err(Refused::Value("ms")));
}

#[test]
fn what_was_asked_for_before_the_newest_target_is_over() {
    let mut stage = Stage::new(ChannelKind::Buzzer, Options::default());
    stage.set(on(2, false)).expect("a buzzer can");
    assert_eq!(stage.set(command(1, "beep")), Err(Refused::Old));
    assert_eq!(stage.set(command(3, "beep")), Ok(()));
    assert_eq!(stage.set(command(3, "beep")), Err(Refused::Old));
    // A target is done although something momentary came after it.
    stage.set(on(5, false)).expect("a buzzer can");
    stage.set(command(7, "beep")).expect("a buzzer can");
    assert_eq!(stage.set(on(6, true)), Ok(()));
    assert_eq!(stage.drive(), Drive::Level(true));
}

#[test]
fn a_servo_stays_still_until_it_is_told_and_keeps_to_its_range() {
    let options = Options {
        min: Some(10.0),
        max: Some(90.0),
        ..Options::default()
    };
    let mut stage = Stage::new(ChannelKind::Servo, options);
    assert_eq!(
        (stage.drive(), stage.state().as_str()),
        (Drive::Angle(None), "")
    );
    assert_eq!(
        stage.set(number(1, "angle", 91.0)),
        Err(Refused::Value("angle"))
    );
    stage
        .set(fading(1_000, number(1, "angle", 50.0)))
        .expect("in its range");
    assert_eq!(stage.drive(), Drive::Angle(Some(50.0)));
    stage
        .set(fading(1_000, number(2, "angle", 90.0)))
        .expect("in its range");
    stage.run(500);
    assert_eq!(stage.drive(), Drive::Angle(Some(70.0)));
    stage.run(500);
    assert_eq!(stage.drive(), Drive::Angle(Some(90.0)));
    assert_eq!(stage.reports.last(), Some(&(1_000, "angle=90".to_owned())));
    assert_eq!(stage.output.kept(), Kept::Servo(Some(90.0)));
    assert_eq!(
        stage.set(lasting(5, number(3, "angle", 20.0))),
        Err(Refused::Field("for_ms"))
    );
}

fn kept() -> impl Strategy<Value = [u8; device::KEPT_LEN]> {
    let likely = (0_u8..6, 0_u8..4, any::<[u8; 6]>());
    prop_oneof![
        any::<[u8; 8]>(),
        likely.prop_map(|(of, on, rest)| {
            let mut bytes = [of, on, 0, 0, 0, 0, 0, 0];
            bytes[2..].copy_from_slice(&rest);
            bytes
        }),
    ]
}

proptest! {
    #[test]
    fn any_record_of_before_is_nothing_or_what_it_says(bytes in kept()) {
        if let Some(kept) = Kept::decode(&bytes) {
            prop_assert_eq!(Kept::decode(&kept.encode()), Some(kept));
            let kind = match kept {
                Kept::Level { .. } => ChannelKind::Buzzer,
                Kept::Lamp { .. } => ChannelKind::Light,
                Kept::Cover(_) => ChannelKind::Cover,
                Kept::Servo(_) => ChannelKind::Servo,
            };
            let stage = Stage::with(kind, Options::default(), Some(kept));
            // A servo's range is its channel's.
            if kind != ChannelKind::Servo {
                prop_assert_eq!(stage.output.kept(), kept);
            }
            // Another kind has no use for it.
            let switch = Stage::with(ChannelKind::Switch, Options::default(), Some(kept));
            let on = matches!(kept, Kept::Level { on: true });
            prop_assert_eq!(switch.output.kept(), Kept::Level { on });
        }
    }
}
