//! Moments and spans in words, at home.

use std::time::Duration;

use jiff::{Timestamp, Zoned, tz::TimeZone};
use types::UnixTime;

mod trigger;

pub(crate) use mapping::duration_in_words as span;
pub(crate) use trigger::{step, trigger};

fn at_home(zone: &TimeZone, wall: UnixTime) -> Option<Zoned> {
    let at = Timestamp::from_microsecond(wall.0).ok()?;
    Some(at.to_zoned(zone.clone()))
}

fn shown(zone: &TimeZone, wall: UnixTime, format: &str) -> String {
    match at_home(zone, wall) {
        Some(at) => at.strftime(format).to_string(),
        None => "an unknown time".to_owned(),
    }
}

/// `21:04:12.310`.
pub(crate) fn clock_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%H:%M:%S%.3f")
}

/// `21:04:12`.
pub(crate) fn short_clock(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%H:%M:%S")
}

/// `Saturday 28 March 2026`.
pub(crate) fn day_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%A %-d %B %Y")
}

/// `2026-03-28 21:04`.
pub(crate) fn minute_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%Y-%m-%d %H:%M")
}

/// `21:04:12.310`; `2026-03-28 21:04` where that is another day than the one of `here`.
pub(crate) fn from_here(zone: &TimeZone, here: UnixTime, wall: UnixTime) -> String {
    match day_of(zone, wall) == day_of(zone, here) {
        true => clock_of(zone, wall),
        false => minute_of(zone, wall),
    }
}

/// `today (2026-03-28)`, `yesterday (2026-03-27)`, `Tuesday (2026-03-24)` within a week; `2026-03-01` beyond it.
pub(crate) fn near_day(zone: &TimeZone, now: UnixTime, wall: UnixTime) -> String {
    let (Some(now), Some(at)) = (at_home(zone, now), at_home(zone, wall)) else {
        return "an unknown day".to_owned();
    };
    let date = at.strftime("%Y-%m-%d");
    let ago = now
        .date()
        .since(at.date())
        .map_or(i32::MAX, |span| span.get_days());
    match ago {
        0 => format!("today ({date})"),
        1 => format!("yesterday ({date})"),
        2..7 => format!("{} ({date})", at.strftime("%A")),
        _ => date.to_string(),
    }
}

/// `2026-03-28T21:04:12.31+01:00`, for machines.
pub(crate) fn iso_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%Y-%m-%dT%H:%M:%S%.f%:z")
}

/// `2026-03-28 21:04:12`.
pub(crate) fn second_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%Y-%m-%d %H:%M:%S")
}

/// `2026-03-28 21:04:12`, with what there is behind the second.
pub(crate) fn moment_of(zone: &TimeZone, wall: UnixTime) -> String {
    shown(zone, wall, "%Y-%m-%d %H:%M:%S%.f")
}

/// In two units at most, for people: `2 h 3 min`, `40 s`, `12 ms`.
pub(crate) fn roughly(span: Duration) -> String {
    let seconds = span.as_secs();
    let two = |a: u64, a_name: &str, b: u64, b_name: &str| match b {
        0 => format!("{a} {a_name}"),
        b => format!("{a} {a_name} {b} {b_name}"),
    };
    match seconds {
        0 if span.as_millis() < 10 => {
            let tenths = span.as_micros() / 100;
            format!("{}.{} ms", tenths / 10, tenths % 10)
        }
        0 => format!("{} ms", span.as_millis()),
        1..60 => format!("{seconds} s"),
        60..3_600 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => {
            let days = seconds / 86_400;
            let name = if days == 1 { "day" } else { "days" };
            two(days, name, seconds % 86_400 / 3_600, "h")
        }
    }
}
