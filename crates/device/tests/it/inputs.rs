//! Buttons, knobs, contacts, sensors and meters: what becomes an event, what becomes a report, and what becomes nothing.

use device::{Happened, Input, Misfit, Sample};
use link::Millis;
use proptest::prelude::*;
use wire::{ChannelKind, Options};

use crate::{bench::Bench, stage::channel};

fn bench(kind: ChannelKind) -> Bench {
    Bench::new(kind, Options::default())
}

#[test]
fn every_producer_has_a_machine_and_no_consumer_has_one() {
    for kind in ChannelKind::ALL {
        let input = Input::new(&channel(kind, Options::default()), Millis(0));
        assert_eq!(input.is_none(), kind.is_consumer(), "{kind:?}");
    }
}

#[test]
fn a_press_counts_at_once_and_its_bouncing_does_not() {
    let mut bench = bench(ChannelKind::Button);
    bench.level(false);
    bench.run(1_000);
    for _ in 0..4 {
        bench.level(true);
        bench.run(1);
        bench.level(false);
        bench.run(1);
    }
    bench.level(true);
    bench.run(992);
    bench.level(false);
    bench.run(1_000);
    assert_eq!(
        bench.events,
        [(1_000, Happened::Press), (2_000, Happened::Release)]
    );
}

#[test]
fn a_tap_that_is_shorter_than_the_bouncing_is_a_press_and_a_release() {
    let mut bench = bench(ChannelKind::Button);
    bench.level(false);
    bench.level(true);
    bench.run(5);
    bench.level(false);
    bench.run(100);
    assert_eq!(
        bench.events,
        [(0, Happened::Press), (20, Happened::Release)]
    );
}

#[test]
fn what_is_held_at_the_start_is_no_press() {
    let mut bench = bench(ChannelKind::Button);
    bench.level(true);
    bench.run(1_000);
    assert_eq!(bench.events, []);
    assert_eq!(bench.state(), "");
}

proptest! {
    #[test]
    fn presses_and_releases_take_turns_and_end_where_the_finger_is(
        levels in prop::collection::vec((any::<bool>(), 0_u64..60), 1..60),
        debounce_ms in 0_u16..50,
    ) {
        let gap = u64::from(debounce_ms);
        let debounce_ms = Some(debounce_ms);
        let mut bench = Bench::new(ChannelKind::Button, Options { debounce_ms, ..Options::default() });
        bench.level(false);
        let mut last = false;
        for (level, pause) in levels {
            bench.level(level);
            bench.run(pause);
            last = level;
        }
        bench.run(1_000);
        for (place, event) in bench.happened().into_iter().enumerate() {
            let expected = if place % 2 == 0 { Happened::Press } else { Happened::Release };
            prop_assert_eq!(event, expected);
        }
        prop_assert_eq!(bench.events.len() % 2 == 1, last);
        prop_assert!(bench.events.windows(2).all(|pair| pair[1].0 - pair[0].0 >= gap));
    }
}

#[test]
fn contacts_motion_and_presence_report_how_they_are_from_the_start() {
    for (kind, on, off, is, was) in [
        (
            ChannelKind::Contact,
            Happened::Open,
            Happened::Close,
            "contact=open",
            "contact=closed",
        ),
        (
            ChannelKind::Motion,
            Happened::Start,
            Happened::Stop,
            "active=true",
            "active=false",
        ),
        (
            ChannelKind::Presence,
            Happened::Arrive,
            Happened::Leave,
            "presence=home",
            "presence=away",
        ),
    ] {
        let mut bench = bench(kind);
        assert_eq!(bench.state(), "");
        bench.level(true);
        assert_eq!((bench.happened().len(), bench.state().as_str()), (0, is));
        bench.run(100);
        bench.level(false);
        bench.run(100);
        bench.level(true);
        assert_eq!(bench.happened(), [off, on]);
        let reports: Vec<&str> = bench.reports.iter().map(|(_, state)| &**state).collect();
        assert_eq!(reports, [is, was, is]);
    }
}

/// The pins of a knob, a quarter of a step after the other.
const CLOCKWISE: [(bool, bool); 4] = [(true, false), (true, true), (false, true), (false, false)];

fn turn(bench: &mut Bench, quarter: (bool, bool)) {
    bench
        .says(Sample::Quadrature(quarter.0, quarter.1))
        .expect("it has two pins");
    bench.run(1);
}

#[test]
fn a_knob_tells_its_first_step_at_once_and_fast_ones_together() {
    let mut bench = bench(ChannelKind::Encoder);
    turn(&mut bench, (false, false));
    for _ in 0..5 {
        CLOCKWISE
            .into_iter()
            .for_each(|quarter| turn(&mut bench, quarter));
    }
    bench.run(100);
    CLOCKWISE[..3]
        .iter()
        .rev()
        .for_each(|quarter| turn(&mut bench, *quarter));
    turn(&mut bench, (false, false));
    let steps = |at, steps| (at, Happened::Turn { steps });
    assert_eq!(bench.events, [steps(4, 1), steps(34, 4), steps(124, -1)]);
}

#[test]
fn what_a_knob_missed_is_forgotten_where_it_rests() {
    let mut bench = bench(ChannelKind::Encoder);
    for quarter in [(false, false), (true, false), (false, true), (false, false)] {
        turn(&mut bench, quarter);
    }
    assert_eq!(bench.events, []);
    CLOCKWISE[..3]
        .iter()
        .for_each(|quarter| turn(&mut bench, *quarter));
    assert_eq!(bench.events, []);
    turn(&mut bench, CLOCKWISE[3]);
    assert_eq!(bench.happened(), [Happened::Turn { steps: 1 }]);
}

#[test]
fn a_knob_that_rests_with_both_pins_on_counts_as_well_and_bouncing_comes_to_nothing() {
    let mut bench = bench(ChannelKind::Encoder);
    turn(&mut bench, (true, true));
    for quarter in [
        (false, true),
        (true, true),
        (false, true),
        (false, false),
        (false, true),
    ] {
        turn(&mut bench, quarter);
    }
    assert_eq!(bench.events, []);
    for quarter in [(false, false), (true, false), (true, true)] {
        turn(&mut bench, quarter);
    }
    assert_eq!(bench.happened(), [Happened::Turn { steps: 1 }]);
    bench.level(false);
    bench.level(true);
    assert_eq!(bench.happened()[1..], [Happened::Press]);
}

proptest! {
    #[test]
    fn no_step_of_a_knob_is_lost_or_invented(turns in prop::collection::vec(-20_i32..20, 1..20), pause in 0_u64..100) {
        let mut bench = bench(ChannelKind::Encoder);
        turn(&mut bench, (false, false));
        for steps in &turns {
            for _ in 0..steps.abs() {
                if *steps > 0 {
                    CLOCKWISE.into_iter().for_each(|quarter| turn(&mut bench, quarter));
                } else {
                    CLOCKWISE[..3].iter().rev().for_each(|quarter| turn(&mut bench, *quarter));
                    turn(&mut bench, (false, false));
                }
            }
            bench.run(pause);
        }
        bench.run(1_000);
        let told: i32 = bench.happened().into_iter().map(|event| match event {
            Happened::Turn { steps } => i32::from(steps),
            other => panic!("{other:?}"),
        }).sum();
        prop_assert_eq!(told, turns.iter().sum::<i32>());
    }
}

#[test]
fn a_sensor_reports_when_it_changed_by_so_much_and_not_faster_than_ten_times_a_second() {
    let options = Options {
        report_change: Some(0.5),
        ..Options::default()
    };
    let mut bench = Bench::new(ChannelKind::Temperature, options);
    for tenths in 0..=20 {
        bench
            .says(Sample::Measured(20.0 + f64::from(tenths) / 10.0))
            .expect("a temperature");
        bench.run(1_000);
    }
    let times: Vec<u64> = bench.reports.iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [0, 5_000, 10_000, 15_000, 20_000]);
    for degrees in 0..30 {
        bench
            .says(Sample::Measured(f64::from(degrees)))
            .expect("a temperature");
        bench.run(10);
    }
    bench.run(1_000);
    let late = &bench.reports[5..];
    assert!(
        late.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 100),
        "{late:?}"
    );
    assert_eq!(
        late.last().map(|(_, state)| &**state),
        Some("temperature=29")
    );
}

#[test]
fn a_sensor_reports_at_least_as_often_as_it_shall_and_nothing_before_it_measured() {
    let options = Options {
        report_every_ms: Some(10_000),
        report_change: Some(5.0),
        ..Options::default()
    };
    let mut bench = Bench::new(ChannelKind::Lux, options);
    bench.run(5_000);
    bench.says(Sample::Measured(40.0)).expect("a brightness");
    bench.run(20_000);
    let expected = [5_000, 10_000, 20_000].map(|at| (at, "lux=40".to_owned()));
    assert_eq!(bench.reports, expected);
}

#[test]
fn what_no_sensor_can_measure_is_refused() {
    for (kind, values) in [
        (ChannelKind::Humidity, &[-1.0, 140.0, f64::NAN][..]),
        (ChannelKind::Temperature, &[-300.0, 5_000.0]),
        (ChannelKind::Lux, &[-1.0, f64::INFINITY]),
        (ChannelKind::Analog, &[f64::NAN, f64::NEG_INFINITY]),
    ] {
        let mut bench = bench(kind);
        for value in values {
            assert_eq!(
                bench.says(Sample::Measured(*value)),
                Err(Misfit::Value),
                "{value}"
            );
        }
        assert_eq!((bench.reports.len(), bench.state().as_str()), (0, ""));
        assert_eq!(bench.says(Sample::Level(true)), Err(Misfit::Sample));
    }
    let options = Options {
        min: Some(0.0),
        max: Some(10.0),
        ..Options::default()
    };
    let mut bench = Bench::new(ChannelKind::Analog, options);
    assert_eq!(bench.says(Sample::Measured(10.5)), Err(Misfit::Value));
    assert_eq!(bench.says(Sample::Measured(10.0)), Ok(()));
    assert_eq!(bench.state(), "value=10");
}

fn pulse(bench: &mut Bench, pause: u64) {
    bench.level(true);
    bench.run(30);
    bench.level(false);
    bench.run(pause - 30);
}

#[test]
fn a_meter_counts_pulses_and_knows_how_fast_they_come() {
    let mut bench = bench(ChannelKind::Counter);
    bench.level(false);
    for _ in 0..60 {
        pulse(&mut bench, 1_000);
    }
    assert_eq!(bench.state(), "count=60 rate=60");
    // The first, and then one in ten seconds.
    assert_eq!(bench.reports.len(), 7);
    // None for two minutes: it is slower than one in two minutes.
    bench.run(119_000);
    assert_eq!(bench.state(), "count=60 rate=0.5");
    assert!(bench.input.reset());
    assert_eq!(bench.state(), "count=0 rate=0.5");
    assert!(!self::bench(ChannelKind::Button).input.reset());
}

#[test]
fn what_belongs_to_other_hardware_is_refused() {
    for kind in ChannelKind::ALL
        .into_iter()
        .filter(|kind| !kind.is_consumer())
    {
        let mut bench = bench(kind);
        let samples = [
            Sample::Level(true),
            Sample::Quadrature(true, false),
            Sample::Keys(&[0]),
            Sample::Byte(0),
            Sample::Measured(1.0),
        ];
        let taken = samples
            .into_iter()
            .filter(|sample| bench.says(*sample).is_ok())
            .count();
        let expected = if kind == ChannelKind::Encoder { 2 } else { 1 };
        assert_eq!(taken, expected, "{kind:?}");
    }
}
