//! Covers: where they are follows from how long they moved.

use device::{
    Drive, Kept,
    Moving::{self, Closing, Opening, Stopped},
    Refused,
};
use proptest::prelude::*;
use wire::{ChannelKind, Fallback, Options};

use crate::stage::{Stage, command, number};

/// A cover of 20 s that stands there.
fn cover(percent: Option<u8>) -> Stage {
    let options = Options {
        travel_ms: Some(20_000),
        ..Options::default()
    };
    Stage::with(ChannelKind::Cover, options, Some(Kept::Cover(percent)))
}

/// From when it moved how.
fn moves(stage: &Stage) -> Vec<(u64, Moving)> {
    let moving = |(at, drive): &(u64, Drive)| match drive {
        Drive::Cover(moving) => (*at, *moving),
        other => panic!("{other:?}"),
    };
    stage.drives.iter().map(moving).collect()
}

#[test]
fn a_cover_moves_as_long_as_its_way_is_and_says_where_it_is() {
    let mut stage = cover(Some(20));
    stage.set(number(1, "position", 70.0)).expect("a cover can");
    assert_eq!(stage.state(), "position=20 moving=opening");
    stage.run(60_000);
    assert_eq!(
        moves(&stage),
        [(0, Stopped), (0, Opening), (10_000, Stopped)]
    );
    assert_eq!(
        stage.reports.last(),
        Some(&(10_000, "position=70 moving=stopped".to_owned()))
    );
}

#[test]
fn a_way_to_an_end_takes_a_tenth_more_so_that_it_gets_there() {
    let mut stage = cover(Some(50));
    stage.set(number(1, "position", 0.0)).expect("a cover can");
    stage.run(60_000);
    assert_eq!(
        moves(&stage),
        [(0, Stopped), (0, Closing), (12_000, Stopped)]
    );
    assert_eq!(stage.state(), "position=0 moving=stopped");
}

#[test]
fn one_that_nobody_knows_where_it_is_goes_to_the_nearer_end_first() {
    let mut stage = cover(None);
    assert_eq!(stage.state(), "moving=stopped");
    stage.set(number(1, "position", 75.0)).expect("a cover can");
    stage.run(60_000);
    let expected = [
        (0, Stopped),
        (0, Opening),
        (22_000, Stopped),
        (22_500, Closing),
        (27_500, Stopped),
    ];
    assert_eq!(moves(&stage), expected);
    assert_eq!(stage.state(), "position=75 moving=stopped");
}

#[test]
fn stop_is_at_once_and_it_knows_where() {
    let mut stage = cover(Some(0));
    stage
        .set(number(1, "position", 100.0))
        .expect("a cover can");
    stage.run(5_000);
    stage.set(command(2, "stop")).expect("a cover can");
    assert_eq!(stage.drive(), Drive::Cover(Stopped));
    assert_eq!(stage.state(), "position=25 moving=stopped");
    stage.run(60_000);
    assert_eq!(moves(&stage).len(), 3);
    assert_eq!(stage.set(command(3, "beep")), Err(Refused::Command));
}

#[test]
fn a_target_of_before_the_stop_that_comes_late_moves_nothing() {
    let mut stage = cover(Some(0));
    stage.set(command(2, "stop")).expect("a cover can");
    assert_eq!(stage.set(number(1, "position", 100.0)), Err(Refused::Old));
    stage.run(60_000);
    assert_eq!(moves(&stage), [(0, Stopped)]);
}

#[test]
fn a_motor_rests_before_it_turns_round_also_after_a_stop() {
    let mut stage = cover(Some(0));
    stage
        .set(number(1, "position", 100.0))
        .expect("a cover can");
    stage.run(10_000);
    stage.set(number(2, "position", 25.0)).expect("a cover can");
    assert_eq!(stage.state(), "position=50 moving=closing");
    stage.run(2_500);
    stage.set(command(3, "stop")).expect("a cover can");
    stage.set(number(4, "position", 60.0)).expect("a cover can");
    stage.run(60_000);
    let expected = [
        (0, Stopped),
        (0, Opening),
        (10_000, Stopped),
        (10_500, Closing),
        (12_500, Stopped),
        (13_000, Opening),
        (17_000, Stopped),
    ];
    assert_eq!(moves(&stage), expected);
    assert_eq!(stage.state(), "position=60 moving=stopped");
}

#[test]
fn a_target_further_on_the_way_does_not_stop_it() {
    let mut stage = cover(Some(0));
    stage.set(number(1, "position", 20.0)).expect("a cover can");
    stage.run(2_000);
    stage.set(number(2, "position", 50.0)).expect("a cover can");
    stage.run(60_000);
    assert_eq!(
        moves(&stage),
        [(0, Stopped), (0, Opening), (10_000, Stopped)]
    );
}

#[test]
fn one_that_is_there_does_not_move() {
    let mut stage = cover(Some(40));
    stage.set(number(1, "position", 40.0)).expect("a cover can");
    assert_eq!(moves(&stage), [(0, Stopped)]);
    assert_eq!(stage.reports.len(), 2);
}

#[test]
fn a_power_cut_on_the_way_leaves_it_somewhere() {
    let mut stage = cover(Some(40));
    assert_eq!(stage.output.kept(), Kept::Cover(Some(40)));
    stage.set(number(1, "position", 90.0)).expect("a cover can");
    assert_eq!(stage.output.kept(), Kept::Cover(None));
    stage.run(60_000);
    assert_eq!(stage.output.kept(), Kept::Cover(Some(90)));
}

#[test]
fn one_that_lost_its_dispatcher_can_close() {
    let options = Options {
        when_lost: Fallback::Off,
        ..Options::default()
    };
    let mut stage = Stage::with(ChannelKind::Cover, options, Some(Kept::Cover(Some(100))));
    stage.lose();
    stage.run(60_000);
    assert_eq!(
        moves(&stage),
        [(0, Stopped), (0, Closing), (33_000, Stopped)]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Go(u8),
    Stop,
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u8..=100).prop_map(Step::Go),
        Just(Step::Stop),
        (0_u64..15_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// Against a cover that really moves: 5 % a second, between its ends.
    #[test]
    fn whatever_is_asked_of_it_it_is_where_it_says_and_never_turns_round_at_once(
        steps in prop::collection::vec(step(), 1..30),
        start in prop::option::of(0_u8..=100),
        really in 0_u64..=20_000,
    ) {
        let mut stage = cover(start);
        let begun = start.map_or(really, |percent| u64::from(percent) * 200);
        let mut last = None;
        for (rev, step) in (1..).zip(steps) {
            match step {
                Step::Go(percent) => {
                    stage.set(number(rev, "position", f64::from(percent))).expect("a cover can");
                    last = Some(percent);
                }
                Step::Stop => {
                    stage.set(command(rev, "stop")).expect("a cover can");
                    last = None;
                }
                Step::Wait(ms) => stage.run(ms),
            }
        }
        stage.run(60_000);
        let all = moves(&stage);
        let (mut place, mut ended) = (begun, None);
        for pair in all.windows(2) {
            let ((from, moving), (to, next)) = (pair[0], pair[1]);
            match moving {
                Opening => place = (place + (to - from)).min(20_000),
                Closing => place = place.saturating_sub(to - from),
                Stopped => {
                    let rested = ended.is_none_or(|ended| to - ended >= 500);
                    prop_assert!(rested, "{:?}", all);
                }
            }
            if moving != Stopped {
                prop_assert_eq!(next, Stopped);
                ended = Some(to);
            }
        }
        prop_assert_eq!(all.last().map(|(_, moving)| *moving), Some(Stopped));
        if let Some(percent) = last {
            prop_assert_eq!(stage.state(), format!("position={percent} moving=stopped"));
            prop_assert!(place.abs_diff(u64::from(percent) * 200) <= 100, "{place} {all:?}");
        }
    }
}
