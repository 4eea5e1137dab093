//! **Time**: times of day, cron, the sun; zones, gaps and overlaps, clocks that jump or don't know the time yet.

use std::{sync::Arc, time::Duration};

use engine::{Engine, Input, Note, Outcome, Resume};
use mapping::program::{AfterDowntime, Days, Program, SunEvent};

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

/// Nothing comes in: only when the engine asks to be called, it is.
fn wait(b: &mut Bench, seconds: u64) -> usize {
    let until = b.now.after(Duration::from_secs(seconds));
    while let Some(due) = b.engine.next_deadline(b.now).filter(|due| *due <= until.at) {
        b.now = b.now.after(due.since(b.now.at));
        b.handle(Input::Tick);
    }
    b.now = until;
    b.fired().len()
}

#[test]
fn a_clock_that_is_put_back_is_noticed_in_a_house_where_nothing_comes_in() {
    let every_minute = || cron("* * * * *");
    for (is, back_us) in [
        ("2026-01-05T05:30:00Z", 5 * 60_000_000),
        ("2026-01-05T05:30:00Z", 25 * HOUR_US),
        ("2031-01-05T05:30:00Z", (5 * 365 * 24 + 1) * HOUR_US),
    ] {
        let mut b = bench_at(&[at(7, 0), every_minute()], is);
        assert_eq!(wait(&mut b, 3_600), 61, "07:00 and 60 minutes");
        b.now = b.now.after(Duration::from_secs(2));
        b.now.wall.0 -= back_us;
        let due = b.engine.next_deadline(b.now);
        assert_eq!(due, Some(b.now.at), "{back_us}: at once");
        b.handle(Input::Tick);
        assert!(b.engine.next_deadline(b.now) > Some(b.now.at), "and once");
        // What came within the day before does not come again; what came by a clock that was wrong does.
        let expected = match back_us < 24 * HOUR_US {
            true => 55,
            false => 60 + 1,
        };
        assert_eq!(wait(&mut b, 3_600), expected, "{back_us}");
    }
}

#[test]
fn a_clock_that_is_slewed_or_not_known_asks_for_nothing() {
    let mut b = bench_at(&[at(7, 0)], "2026-01-05T06:30:00Z");
    let due = b.engine.next_deadline(b.now).expect("07:00");
    b.now = b.now.after(Duration::from_secs(3_600));
    b.now.wall.0 -= 1_800_000;
    let slewed = b.engine.next_deadline(b.now).expect("07:00");
    assert_eq!(slewed.since(due), Duration::from_millis(1_800));
    b.now.synced = false;
    b.now.wall.0 = 0;
    assert_eq!(b.engine.next_deadline(b.now), None);
}

#[test]
fn a_time_that_the_clock_was_set_over_follows_after_downtime() {
    for (after, expected) in [
        (AfterDowntime::Drop, 0),
        (AfterDowntime::RunLate(Duration::from_secs(600)), 0),
        (AfterDowntime::RunLate(Duration::from_secs(7_200)), 1),
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

/// The local times at which the rules of a bench fired within `seconds`.
fn times(b: &mut Bench, seconds: u64) -> Vec<String> {
    b.pass(seconds);
    let said = b.out().into_iter();
    said.map(|line| line.trim_start_matches("notify all: ").to_owned())
        .collect()
}

fn cron(text: &str) -> R {
    rule("cron")
        .cron(text)
        .after(AfterDowntime::Drop)
        .notify("${now.weekday} ${now.hour}:${now.minute}")
}

#[test]
fn cron_comes_at_its_local_times() {
    // Monday noon in Berlin.
    let mut b = bench_at(&[cron("*/20 13,18 * * mon-fri")], "2026-01-05T11:00:00Z");
    let day = times(&mut b, 24 * 3_600);
    assert_eq!(
        day,
        [
            "1 13:0", "1 13:20", "1 13:40", "1 18:0", "1 18:20", "1 18:40"
        ]
    );
    b.pass(4 * 24 * 3_600);
    assert_eq!(b.out().len(), 24);
    assert_eq!(times(&mut b, 2 * 24 * 3_600), [""; 0]);
}

#[test]
fn cron_in_the_spring_gap_comes_once_at_the_first_valid_instant() {
    // 28 March 2026 is a Saturday; on Sunday 02:00 becomes 03:00.
    for text in ["30 2 * * *", "*/10 2 * * *"] {
        let mut b = bench_at(&[cron(text)], "2026-03-28T22:00:00Z");
        assert_eq!(times(&mut b, 12 * 3_600), ["7 3:0"], "{text}");
    }
    // What belongs at 03:00 anyway does not come twice.
    let mut b = bench_at(&[cron("0 2,3 * * *")], "2026-03-28T22:00:00Z");
    assert_eq!(times(&mut b, 12 * 3_600), ["7 3:0"]);
}

#[test]
fn cron_in_the_autumn_overlap_comes_in_the_first_pass_only() {
    let mut b = bench_at(&[cron("*/30 1-3 * * *")], "2026-10-24T22:30:00Z");
    let came = times(&mut b, 12 * 3_600);
    assert_eq!(
        came,
        ["7 1:0", "7 1:30", "7 2:0", "7 2:30", "7 3:0", "7 3:30"]
    );
}

#[test]
fn cron_with_seconds_comes_at_the_second() {
    let mut b = bench_at(&[cron("15 0 13 * * *")], "2026-01-05T11:59:00Z");
    assert_eq!(count(&mut b, 74), 0);
    assert_eq!(count(&mut b, 1), 1);
}

#[test]
fn the_29th_of_february_comes_every_four_years() {
    let b = bench_at(&[cron("0 0 29 2 *")], "2026-01-05T11:00:00Z");
    let due = b.engine.next_deadline(b.now).expect("a leap year");
    let days = due.since(b.now.at).as_secs() / 86_400;
    assert_eq!(days, 784); // 2028-02-29
}

#[test]
fn a_clock_set_back_brings_no_cron_twice() {
    let mut b = bench_at(&[cron("0 * * * *")], "2026-01-05T11:30:00Z");
    assert_eq!(times(&mut b, 2 * 3_600), ["1 13:0", "1 14:0"]);
    b.now.wall.0 -= 2 * HOUR_US; // 12:30 again
    assert_eq!(times(&mut b, 3 * 3_600), ["1 15:0"]);
}

/// The house of the other tests, moved.
fn moved(rules: &[R], zone: &str, latitude: f64, longitude: f64) -> Arc<Program> {
    let mut program = (*house(rules)).clone();
    program.home.timezone = Some(zone.into());
    program.home.latitude = Some(latitude);
    program.home.longitude = Some(longitude);
    Arc::new(program)
}

fn living_at(program: Arc<Program>, start: &str) -> Bench {
    let now = types::Now {
        at: types::Instant(1_000_000_000),
        wall: wall(start),
        synced: true,
    };
    Bench::new(Engine::new(program, now), now)
}

fn sun(event: SunEvent, offset_s: i64) -> R {
    rule(event.word())
        .sun(event, offset_s)
        .after(AfterDowntime::Drop)
        .notify("${now.hour}:${now.minute}")
}

#[test]
fn the_sun_comes_at_the_times_of_the_almanac() {
    // Berlin: timeanddate.com gives dawn, sunrise, sunset, dusk to the minute.
    for (day, expected) in [
        ("2026-01-05T23:00:00Z", ["7:36", "8:16", "16:8", "16:48"]),
        ("2026-06-20T22:00:00Z", ["3:52", "4:43", "21:33", "22:24"]),
    ] {
        let rules = [
            sun(SunEvent::Dawn, 0),
            sun(SunEvent::Sunrise, 0),
            sun(SunEvent::Sunset, 0),
            sun(SunEvent::Dusk, 0),
        ];
        let mut b = bench_at(&rules, day);
        b.pass(24 * 3_600 - 1);
        assert_eq!(b.fired(), ["dawn", "sunrise", "sunset", "dusk"]);
        let minutes = |time: &str| {
            let (hour, minute) = time.split_once(':').expect("a time");
            hour.parse::<i32>().expect("an hour") * 60 + minute.parse::<i32>().expect("a minute")
        };
        for (came, expected) in b.out().iter().zip(expected) {
            let came = came.trim_start_matches("notify all: ");
            assert!(
                (minutes(came) - minutes(expected)).abs() <= 1,
                "{came} {expected}"
            );
        }
    }
}

#[test]
fn an_offset_shifts_the_sun() {
    let late = |offset_s: i64| {
        let b = bench_at(&[sun(SunEvent::Sunset, offset_s)], "2026-01-05T11:00:00Z");
        let due = b.engine.next_deadline(b.now).expect("a sunset");
        due.since(b.now.at).as_secs()
    };
    let sunset = late(0);
    assert_eq!(late(-1_800), sunset - 1_800);
    assert_eq!(late(3_600), sunset + 3_600);
    // Five hours before sunset is over today: tomorrow's comes next.
    assert!((sunset + 86_400 - 18_000..sunset + 86_400 - 17_800).contains(&late(-18_000)));
}

#[test]
fn sunset_and_sun_is_down_are_the_same_second() {
    let holds = rule("holds").holds("sun.is_down", 0).notify("holds");
    let mut b = bench_at(&[holds, sun(SunEvent::Sunset, 0)], "2026-01-05T11:00:00Z");
    b.engine.settle(b.now);
    for _ in 0..10 {
        b.pass(24 * 3_600);
        let fired = b.fired();
        assert_eq!(fired.len(), 2, "{fired:?}");
    }
    let due = b.engine.next_deadline(b.now).expect("a sunset");
    b.now = b.now.after(due.since(b.now.at));
    b.handle(Input::Tick);
    assert_eq!(b.fired(), ["sunset", "holds"]);
}

#[test]
fn in_polar_day_and_night_the_sun_does_nothing_and_the_record_says_so() {
    let rules = [sun(SunEvent::Sunset, 0), sun(SunEvent::Sunrise, 0)];
    let mut b = living_at(
        moved(&rules, "Europe/Oslo", 69.65, 18.96),
        "2026-05-10T12:00:00Z",
    );
    let mut days = Vec::new();
    let mut stays = Vec::new();
    for day in 0..120 {
        let until = b.now.after(Duration::from_secs(86_400));
        while let Some(due) = b.engine.next_deadline(b.now).filter(|due| *due <= until.at) {
            b.now = b.now.after(due.since(b.now.at));
            b.handle(Input::Tick);
            let outcomes = b.outcomes();
            stays.extend(
                outcomes
                    .into_iter()
                    .filter(|(_, outcome)| *outcome == Outcome::SunStays)
                    .map(|(name, _)| (day, name)),
            );
        }
        b.now = until;
        days.push(b.fired().len());
    }
    // In Tromso the sun stays up from 18 May to 25 July.
    let first = days
        .iter()
        .position(|count| *count == 0)
        .expect("a bright night");
    assert!((6..=10).contains(&first), "{days:?}");
    assert!(
        days[first..first + 65].iter().sum::<usize>() <= 2,
        "{days:?}"
    );
    assert!(days[85..].iter().all(|count| *count == 2), "{days:?}");
    let mut names: Vec<&str> = stays.iter().map(|(_, name)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["sunrise", "sunset"], "each says so once: {stays:?}");
}

#[test]
fn where_the_sun_sets_after_midnight_no_evening_is_lost() {
    // Reykjavik in June: sunset moves over midnight and back.
    let mut b = living_at(
        moved(
            &[sun(SunEvent::Sunset, 0)],
            "Atlantic/Reykjavik",
            64.15,
            -21.94,
        ),
        "2026-06-01T12:00:00Z",
    );
    for _ in 0..50 {
        b.pass(24 * 3_600);
        assert_eq!(b.fired(), ["sunset"]);
    }
}

#[test]
fn a_pinned_sun_gets_nowhere() {
    let mut b = bench_at(&[sun(SunEvent::Sunset, 0)], "2026-01-05T11:00:00Z");
    b.engine.pin_sun(Some(true));
    assert_eq!(count(&mut b, 48 * 3_600), 0);
    b.engine.pin_sun(None);
    assert_eq!(count(&mut b, 24 * 3_600), 1);
}

#[test]
fn cron_and_sun_wait_until_the_clock_is_synced() {
    let rules = [cron("0 * * * *"), sun(SunEvent::Sunset, 0)];
    let mut b = living_at(house(&rules), "1970-01-01T00:00:00Z");
    b.now.synced = false;
    b.engine = Engine::new(house(&rules), b.now);
    assert_eq!(b.engine.next_deadline(b.now), None);
    assert_eq!(count(&mut b, 2 * 24 * 3_600), 0);
    b.now.wall = wall("2026-01-05T11:00:00Z");
    b.now.synced = true;
    b.handle(Input::Tick);
    assert_eq!(
        b.fired(),
        [""; 0],
        "what the first synced clock shows is no missed time"
    );
    assert_eq!(count(&mut b, 6 * 3_600), 7);
}

/// A power cut: no time passes on the elapsed line that is known of, and the clock must be synced first.
fn power_cut(b: &mut Bench, seconds: i64) -> Vec<Note> {
    let program = b.program();
    let before = b.now.wall.0;
    b.now.synced = false;
    b.now.wall.0 = 0;
    let mut notes = b.swap(&program, Resume::Restart);
    b.pass(30);
    assert_eq!(b.fired(), [""; 0]);
    b.now.wall.0 = before + seconds * 1_000_000;
    b.now.synced = true;
    b.handle(Input::Tick);
    notes.append(&mut b.effects.notes);
    notes
}

#[test]
fn what_was_missed_before_the_clock_is_synced_is_judged_then() {
    let late = |seconds| AfterDowntime::RunLate(Duration::from_secs(seconds));
    for (after, expected) in [
        (AfterDowntime::Drop, 0),
        (late(600), 0),
        (late(1_800), 1),
        (AfterDowntime::Resume, 1),
    ] {
        for when in [
            rule("time").at(13, 0, Days::ALL),
            rule("time").cron("*/10 12 * * *").cron("0 13 * * *"),
        ] {
            // From 12:50 to 13:20.
            let mut b = bench_at(&[when.after(after).notify("one")], "2026-01-05T11:50:30Z");
            let notes = power_cut(&mut b, 1_770);
            assert_eq!(b.fired().len(), expected, "{after:?}");
            let missed =
                |note: &Note| matches!(note, Note::Missed { late, .. } if late.as_secs() == 1_200);
            assert_eq!(
                notes.iter().filter(|note| missed(note)).count(),
                1 - expected
            );
        }
    }
}

#[test]
fn of_several_missed_times_the_last_is_made_up_for() {
    let every = rule("every").cron("*/5 * * * *").notify("${now.minute}");
    let mut b = bench_at(
        &[every.after(AfterDowntime::Resume)],
        "2026-01-05T11:01:00Z",
    );
    b.now = b.now.after(Duration::from_secs(3_600));
    let program = b.program();
    assert_eq!(b.swap(&program, Resume::Restart), []);
    b.pass(0);
    assert_eq!(b.fired(), ["every"]);
    b.pass(240);
    assert_eq!(b.fired(), ["every"]);
}

#[test]
fn a_missed_sunset_follows_after_downtime() {
    for (after, expected) in [(AfterDowntime::Drop, 0), (AfterDowntime::Resume, 1)] {
        let rule = rule("sunset")
            .sun(SunEvent::Sunset, 600)
            .after(after)
            .notify("dark");
        let mut b = bench_at(&[rule], "2026-01-05T11:00:00Z");
        b.now = b.now.after(Duration::from_secs(3 * 86_400 + 8 * 3_600));
        let program = b.program();
        let notes = b.swap(&program, Resume::Restart);
        b.pass(0);
        assert_eq!(b.fired().len(), expected);
        assert_eq!(notes.len(), 1 - expected);
        assert_eq!(count(&mut b, 24 * 3_600), 1);
    }
}

#[test]
fn a_time_that_is_added_while_the_house_runs_does_not_come_for_what_is_over() {
    let mut b = bench_at(&[], "2026-01-05T05:30:00Z");
    b.now = b.now.after(Duration::from_secs(2 * 3_600)); // 08:30
    let rules = [at(7, 0), cron("0 8 * * *")];
    b.swap(&house(&rules), Resume::Reload);
    b.handle(Input::Tick);
    assert_eq!(b.fired(), [""; 0]);
    assert_eq!(count(&mut b, 24 * 3_600), 2);
}
