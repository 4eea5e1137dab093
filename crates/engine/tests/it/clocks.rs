//! Times of day: zones, gaps and overlaps, clocks that jump or don't know the time yet.

use engine::{Engine, Input};
use mapping::program::{AfterDowntime, Days};

use crate::{
    bench::{Bench, bench_at, wall},
    build::{R, house, rule},
};

const WEEKDAYS: Days = Days(0b001_1111);
const HOUR_US: i64 = 3_600_000_000;

fn at(hour: u32, minute: u32) -> R {
    rule("at")
        .at(hour, minute, Days::ALL)
        .after(AfterDowntime::Drop)
        .notify("${now.hour}:${now.minute}")
}

fn count(b: &mut Bench, seconds: u64) -> usize {
    b.pass(seconds);
    b.fired().len()
}

#[test]
fn a_time_of_day_is_local() {
    let mut b = bench_at(&[at(7, 0)], "2026-07-05T22:00:00Z");
    assert_eq!(count(&mut b, 7 * 3_600 - 1), 0);
    assert_eq!(count(&mut b, 1), 1);
    assert_eq!(b.out(), ["notify all: 7:0"]);
    assert_eq!(count(&mut b, 24 * 3_600), 1);
}

#[test]
fn days_choose() {
    let alarm = rule("alarm").at(7, 0, WEEKDAYS).notify("wake up");
    // Saturday, 2026-03-28, 00:00; the clocks go forward on Sunday.
    let mut b = bench_at(&[alarm], "2026-03-27T23:00:00Z");
    assert_eq!(count(&mut b, 2 * 24 * 3_600 - 3_600), 0);
    // Monday 07:00 summer time is 05:00 in UTC.
    assert_eq!(count(&mut b, 7 * 3_600 - 1), 0);
    assert_eq!(count(&mut b, 1), 1);
}

#[test]
fn a_time_in_the_spring_gap_fires_at_the_first_valid_instant() {
    let mut b = bench_at(&[at(2, 30)], "2026-03-28T22:00:00Z");
    assert_eq!(count(&mut b, 3 * 3_600 - 1), 0);
    assert_eq!(count(&mut b, 1), 1);
    assert_eq!(b.out(), ["notify all: 3:0"]);
    assert_eq!(count(&mut b, 12 * 3_600), 0);
}

#[test]
fn a_time_in_the_autumn_overlap_fires_once_in_the_first_pass() {
    let mut b = bench_at(&[at(2, 30)], "2026-10-24T21:00:00Z");
    assert_eq!(count(&mut b, 3 * 3_600 + 1_799), 0);
    assert_eq!(count(&mut b, 1), 1);
    assert_eq!(count(&mut b, 12 * 3_600), 0);
}

#[test]
fn a_time_of_day_waits_until_the_clock_is_synced() {
    let mut now = types::Now {
        at: types::Instant(0),
        wall: wall("2026-01-05T05:59:00Z"),
        synced: false,
    };
    let mut b = Bench::new(Engine::new(house(&[at(7, 0)]), now), now);
    assert_eq!(b.engine.next_deadline(b.now), None);
    assert_eq!(count(&mut b, 3_600), 0);
    now = b.now;
    now.synced = true;
    b.now = now;
    b.handle(Input::Tick);
    assert_eq!(b.fired(), [""; 0]);
    assert_eq!(count(&mut b, 24 * 3_600), 1);
}

#[test]
fn a_clock_set_back_does_not_fire_twice_on_one_day() {
    let mut b = bench_at(&[at(7, 0)], "2026-01-05T05:30:00Z");
    assert_eq!(count(&mut b, 3_600), 1);
    b.now.wall.0 -= HOUR_US; // 06:30 again
    b.handle(Input::Tick);
    assert_eq!(count(&mut b, 3_600), 0);
    assert_eq!(count(&mut b, 23 * 3_600 + 1_800), 1);
}

#[test]
fn a_clock_set_back_over_a_time_that_did_not_come_yet_waits_longer() {
    let mut b = bench_at(&[at(7, 0)], "2026-01-05T05:30:00Z");
    b.now.wall.0 -= HOUR_US; // 05:30
    b.handle(Input::Tick);
    assert_eq!(count(&mut b, 5_399), 0);
    assert_eq!(count(&mut b, 1), 1);
}

#[test]
fn a_clock_that_was_years_ahead_does_not_keep_times_from_coming() {
    let mut b = bench_at(&[at(7, 0)], "2031-01-05T05:30:00Z");
    assert_eq!(count(&mut b, 3_600), 1);
    b.now.wall = wall("2026-01-05T05:30:00Z");
    b.handle(Input::Tick);
    assert_eq!(count(&mut b, 3_600), 1);
}

#[test]
fn a_time_that_the_clock_was_set_over_follows_after_downtime() {
    for (after, expected) in [
        (AfterDowntime::Drop, 0),
        (
            AfterDowntime::RunLate(std::time::Duration::from_secs(600)),
            0,
        ),
        (
            AfterDowntime::RunLate(std::time::Duration::from_secs(7_200)),
            1,
        ),
        (AfterDowntime::Resume, 1),
    ] {
        let mut b = bench_at(&[at(7, 0).after(after)], "2026-01-05T05:30:00Z");
        b.now.wall.0 += 48 * HOUR_US; // two days and half an hour before 07:00: the last one is 23.5 h late
        b.now.wall.0 += HOUR_US; // and now it is 07:30
        b.handle(Input::Tick);
        assert_eq!(b.fired().len(), expected, "{after:?}");
        assert_eq!(count(&mut b, 24 * 3_600), 1);
    }
}

#[test]
fn a_time_that_a_small_correction_skips_still_comes() {
    let mut b = bench_at(&[at(7, 0)], "2026-01-05T05:59:50Z");
    b.pass(5);
    b.now.wall.0 += 20_000_000;
    b.handle(Input::Tick);
    assert_eq!(b.fired().len(), 1);
}

#[test]
fn a_slewed_clock_is_not_a_set_clock() {
    let mut b = bench_at(&[at(7, 0)], "2026-01-05T05:59:00Z");
    b.pass(60);
    assert_eq!(b.fired().len(), 1);
    b.now.wall.0 -= 400_000;
    b.pass(60);
    assert_eq!(b.fired().len(), 0);
}

#[test]
fn elapsed_time_does_not_mind_the_wall_clock() {
    let mut b = bench_at(
        &[
            rule("start").on("desk.button.press").start("t", 60),
            rule("ring").timer("t").notify("ring"),
        ],
        "2026-01-05T05:59:00Z",
    );
    b.event("desk.button.press", &[]);
    b.now.wall.0 += 100 * HOUR_US;
    b.pass(59);
    assert_eq!(b.out(), [""; 0]);
    b.pass(1);
    assert_eq!(b.out(), ["notify all: ring"]);
}
