//! Times as people say them, in the home's time zone: `07:02`, `yesterday`, `2026-03-28 21:00`, `-2h`, `5 minutes ago`.
//!
//! Called by the command line. Reads no clock: what is now comes in.

use std::{fmt, time::Duration};

use jiff::{
    Timestamp, Zoned,
    civil::{Date, Time, Weekday},
    tz::{AmbiguousOffset, TimeZone},
};
use types::UnixTime;

use crate::words;

/// What somebody meant: everything from `from` up to and without `until`. A minute for `07:02`, a day for
/// `yesterday`, a microsecond for `now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Its first microsecond.
    pub from: UnixTime,
    /// The first one behind it.
    pub until: UnixTime,
    /// Whether no time of day was said.
    pub is_day: bool,
    /// What the clocks at home made of the time that was said.
    pub shown: Shown,
}

/// How often the clocks at home show a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// As on most days.
    Once,
    /// Never: they were put forward over it.
    Never,
    /// They were put back over it; the first time is meant.
    Twice,
}

/// A text that is no time, or one that no history can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenError {
    /// Nothing that can be read.
    Unreadable(String),
    /// It has not come yet.
    Future {
        /// As it was written.
        text: String,
        /// What time it is at home.
        now: String,
    },
}

impl fmt::Display for WhenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(text) => write!(
                f,
                "\"{}\" is no time; write for example 07:02, \"yesterday 21:00\", monday, \"2026-03-28 21:00\", -2h30m, \
                 \"5 minutes ago\", now, or 2026-03-28T21:00:00+01:00",
                text.escape_debug()
            ),
            Self::Future { text, now } => write!(
                f,
                "\"{}\" has not come yet: it is {now} at home. A time of day alone, as 21:00, is the last one that came",
                text.escape_debug()
            ),
        }
    }
}

impl std::error::Error for WhenError {}

impl When {
    /// Reads `text` as somebody at home would mean it at `now`. A time of day alone is the last one that came.
    ///
    /// # Errors
    /// What is no time, with examples, and what lies in the future.
    pub fn parse(text: &str, now: UnixTime, zone: &TimeZone) -> Result<Self, WhenError> {
        let unreadable = || WhenError::Unreadable(text.to_owned());
        let here = Timestamp::from_microsecond(now.0).map_err(|_| unreadable())?;
        let here = here.to_zoned(zone.clone());
        let when = read(text.trim(), now, &here).ok_or_else(unreadable)?;
        if when.from > now {
            return Err(WhenError::Future {
                text: text.to_owned(),
                now: here.strftime("%Y-%m-%d %H:%M").to_string(),
            });
        }
        Ok(when)
    }

    /// The moment that it was read as, for people at home, where it is `now`: `07:02:00 today (2026-03-28)`; a whole day
    /// without a time.
    #[must_use]
    pub fn words(&self, now: UnixTime, zone: &TimeZone) -> String {
        let day = words::near_day(zone, now, self.from);
        match self.is_day {
            true => day,
            false => {
                let clock = words::short_clock(zone, self.from);
                format!("{clock} {day}{}", self.said_of_clocks(now, zone))
            }
        }
    }

    /// What to know where the clocks were put forward or back over the time that was said, and what to say instead.
    fn said_of_clocks(&self, now: UnixTime, zone: &TimeZone) -> String {
        match self.shown {
            Shown::Once => String::new(),
            Shown::Never => {
                ": the clocks were put forward then, over the time that was named".to_owned()
            }
            Shown::Twice => match again(zone, self.from).filter(|again| *again <= now) {
                Some(again) => format!(
                    ", the first time: the clocks were put back and showed it again at {}",
                    words::iso_of(zone, again)
                ),
                None => String::new(),
            },
        }
    }

    /// Its first moment alone.
    #[must_use]
    pub fn begin(&self) -> Self {
        Self {
            shown: self.shown,
            ..Self::exactly(self.from)
        }
    }

    /// The moment at which it ends as the end of a stretch of time: all of a day, the begin of a minute.
    #[must_use]
    pub fn end(&self) -> Self {
        match self.is_day {
            true => Self::exactly(self.until),
            false => self.begin(),
        }
    }

    /// Just this moment.
    #[must_use]
    pub fn exactly(at: UnixTime) -> Self {
        Self::lasting(at, Duration::from_micros(1))
    }

    fn lasting(from: UnixTime, span: Duration) -> Self {
        Self {
            from,
            until: from.after(span),
            is_day: false,
            shown: Shown::Once,
        }
    }
}

fn read(text: &str, now: UnixTime, here: &Zoned) -> Option<When> {
    let lower = text.to_lowercase();
    if lower == "now" {
        return Some(When::exactly(now));
    }
    let ago = lower.strip_prefix('-').or(lower.strip_suffix(" ago"));
    // Nothing else is a number with a unit, and what is asked about has come already.
    if let Some(ago) = span(ago.unwrap_or(&lower).trim()) {
        let ago = i64::try_from(ago.as_micros()).ok()?;
        return Some(When::exactly(UnixTime(now.0.checked_sub(ago)?)));
    }
    // With an offset it needs no home.
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(When::exactly(UnixTime(at.as_microsecond())));
    }
    if let Some((time, span)) = time_of_day(&lower) {
        let today = moment(here, here.date(), time)?;
        let (from, shown) = if today.0 > now {
            moment(here, here.date().yesterday().ok()?, time)?
        } else {
            today
        };
        let when = When::lasting(from, span);
        return Some(When { shown, ..when });
    }
    let (day_word, time_word) = match lower.rsplit_once(' ').or_else(|| split_iso(&lower)) {
        Some((day, time)) => (day.trim(), Some(time)),
        None => (lower.as_str(), None),
    };
    let date = day(day_word, here)?;
    match time_word {
        Some(word) => {
            let (time, span) = time_of_day(word)?;
            let (from, shown) = moment(here, date, time)?;
            let when = When::lasting(from, span);
            Some(When { shown, ..when })
        }
        None => Some(When {
            from: moment(here, date, Time::midnight())?.0,
            until: moment(here, date.tomorrow().ok()?, Time::midnight())?.0,
            is_day: true,
            shown: Shown::Once,
        }),
    }
}

/// `2h`, `1h30m`; `5 minutes`, `an hour`, `1 hour 30 minutes`, `2 hours and 5 min`.
fn span(text: &str) -> Option<Duration> {
    if let Some(span) = mapping::duration(text) {
        return Some(span);
    }
    let mut words = text.split_whitespace().filter(|word| *word != "and");
    let mut sum = None;
    while let Some(count) = words.next() {
        let unit = words.next()?;
        let unit = match unit.strip_suffix('s').unwrap_or(unit) {
            "second" | "sec" => "s",
            "minute" | "min" => "m",
            "hour" => "h",
            "day" => "d",
            "week" => "w",
            _ => return None,
        };
        let count = match count {
            "a" | "an" | "one" => "1",
            count => count,
        };
        let (count, unit) = match unit {
            "w" => (count.parse::<u32>().ok()?.checked_mul(7)?.to_string(), "d"),
            unit => (count.to_owned(), unit),
        };
        let part = mapping::duration(&format!("{count}{unit}"))?;
        sum = Some(sum.unwrap_or(Duration::ZERO).checked_add(part)?);
    }
    sum
}

/// `2026-03-28t21:00`: a T between digits.
fn split_iso(text: &str) -> Option<(&str, &str)> {
    let (day, time) = text.split_once('t')?;
    let digits = day.ends_with(|c: char| c.is_ascii_digit()) && time.contains(':');
    digits.then_some((day, time))
}

/// A local time as a moment: where clocks skip it the one at which they do, where they show it twice the first.
fn moment(here: &Zoned, date: Date, time: Time) -> Option<(UnixTime, Shown)> {
    let zone = here.time_zone();
    let local = zone.to_ambiguous_zoned(date.to_datetime(time));
    let shown = match local.offset() {
        AmbiguousOffset::Unambiguous { .. } => Shown::Once,
        AmbiguousOffset::Gap { .. } => Shown::Never,
        AmbiguousOffset::Fold { .. } => Shown::Twice,
    };
    let at = local.compatible().ok()?.timestamp();
    let at = match shown {
        // That is as far behind the change as the time that was named is behind the last one that was shown.
        Shown::Never => {
            let behind = Timestamp::from_microsecond(at.as_microsecond() + 1).ok()?;
            let change = zone.preceding(behind).next();
            change.map_or(at, |change| change.timestamp())
        }
        _ => at,
    };
    Some((UnixTime(at.as_microsecond()), shown))
}

/// When the clocks show the time of `first` once more, after they were put back.
fn again(zone: &TimeZone, first: UnixTime) -> Option<UnixTime> {
    let first = Timestamp::from_microsecond(first.0).ok()?;
    let local = zone.to_ambiguous_zoned(zone.to_datetime(first));
    let again = local.later().ok()?.timestamp();
    Some(UnixTime(again.as_microsecond()))
}

/// `7:02`, `07:02:30`, `07:02:30.5`, and how long that lasts.
fn time_of_day(text: &str) -> Option<(Time, Duration)> {
    let mut parts = text.split(':');
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| -> Option<i8> {
        let whole = digits.contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        whole.then(|| part.parse().ok()).flatten()
    };
    let hour = number(parts.next()?, 1..=2)?;
    let minute = number(parts.next()?, 2..=2)?;
    let (seconds, fraction) = match parts.next() {
        None => return Some((Time::new(hour, minute, 0, 0).ok()?, Duration::from_secs(60))),
        Some(seconds) => match seconds.split_once('.') {
            Some((seconds, fraction)) => (seconds, Some(fraction)),
            None => (seconds, None),
        },
    };
    if parts.next().is_some() {
        return None;
    }
    let second = number(seconds, 2..=2)?;
    let Some(fraction) = fraction else {
        return Some((
            Time::new(hour, minute, second, 0).ok()?,
            Duration::from_secs(1),
        ));
    };
    let known = (1..=6).contains(&fraction.len()) && fraction.bytes().all(|b| b.is_ascii_digit());
    let micros: i32 = known
        .then(|| format!("{fraction:0<6}").parse().ok())
        .flatten()?;
    let lasts = 10_u64.pow(6 - fraction.len() as u32);
    let time = Time::new(hour, minute, second, micros * 1_000).ok()?;
    Some((time, Duration::from_micros(lasts)))
}

/// `today`, `yesterday`, `monday` (the last one, today included), `2026-03-28`.
fn day(text: &str, here: &Zoned) -> Option<Date> {
    let today = here.date();
    match text {
        "today" => return Some(today),
        "yesterday" => return today.yesterday().ok(),
        // Refused as what has not come yet, and not as no time.
        "tomorrow" => return today.tomorrow().ok(),
        _ => {}
    }
    if let Some(weekday) = weekday(text) {
        let back = i64::from(weekday.until(today.weekday()));
        return today.checked_sub(jiff::Span::new().days(back)).ok();
    }
    let mut parts = text.split('-');
    let mut number = |digits: usize| -> Option<i16> {
        let part = parts.next()?;
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit()))
            .then(|| part.parse().ok())
            .flatten()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    let date = Date::new(year, month as i8, day as i8).ok()?;
    parts.next().is_none().then_some(date)
}

fn weekday(text: &str) -> Option<Weekday> {
    const NAMES: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    let known = |name: &str| name == text || (text.len() == 3 && name.starts_with(text));
    let found = NAMES.iter().find(|(name, _)| known(name));
    found.map(|(_, weekday)| *weekday)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled()
            .get("Europe/Berlin")
            .expect("a bundled zone")
    }

    fn utc(text: &str) -> UnixTime {
        UnixTime(text.parse::<Timestamp>().expect("a time").as_microsecond())
    }

    /// Saturday, 28 March 2026, 22:15:30 in Berlin.
    fn now() -> UnixTime {
        utc("2026-03-28T21:15:30Z")
    }

    fn check(text: &str, from: &str, until: &str) {
        let when = When::parse(text, now(), &berlin()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((when.from, when.until), (utc(from), utc(until)), "{text}");
    }

    #[test]
    fn what_people_say_is_a_stretch_of_time_at_home() {
        for (text, from, until) in [
            ("07:02", "2026-03-28T06:02:00Z", "2026-03-28T06:03:00Z"),
            ("7:02", "2026-03-28T06:02:00Z", "2026-03-28T06:03:00Z"),
            ("22:16", "2026-03-27T21:16:00Z", "2026-03-27T21:17:00Z"),
            ("22:15", "2026-03-28T21:15:00Z", "2026-03-28T21:16:00Z"),
            ("07:02:30", "2026-03-28T06:02:30Z", "2026-03-28T06:02:31Z"),
            (
                "07:02:30.250",
                "2026-03-28T06:02:30.25Z",
                "2026-03-28T06:02:30.251Z",
            ),
            ("yesterday", "2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z"),
            (
                "Yesterday 21:00",
                "2026-03-27T20:00:00Z",
                "2026-03-27T20:01:00Z",
            ),
            ("today", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"),
            (
                "today 06:00",
                "2026-03-28T05:00:00Z",
                "2026-03-28T05:01:00Z",
            ),
            ("sat", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"),
            (
                "tuesday 8:00",
                "2026-03-24T07:00:00Z",
                "2026-03-24T07:01:00Z",
            ),
            ("2026-03-27", "2026-03-26T23:00:00Z", "2026-03-27T23:00:00Z"),
            (
                "2026-03-27 21:00",
                "2026-03-27T20:00:00Z",
                "2026-03-27T20:01:00Z",
            ),
            (
                "2026-03-27T21:00:05",
                "2026-03-27T20:00:05Z",
                "2026-03-27T20:00:06Z",
            ),
            (
                "2026-03-27T21:00:00+00:00",
                "2026-03-27T21:00:00Z",
                "2026-03-27T21:00:00.000001Z",
            ),
            (
                "2026-03-27T21:00:00Z",
                "2026-03-27T21:00:00Z",
                "2026-03-27T21:00:00.000001Z",
            ),
            ("-2h", "2026-03-28T19:15:30Z", "2026-03-28T19:15:30.000001Z"),
            (
                "-1h30m",
                "2026-03-28T19:45:30Z",
                "2026-03-28T19:45:30.000001Z",
            ),
            (
                "90s ago",
                "2026-03-28T21:14:00Z",
                "2026-03-28T21:14:00.000001Z",
            ),
            ("2h", "2026-03-28T19:15:30Z", "2026-03-28T19:15:30.000001Z"),
            (
                "5 minutes ago",
                "2026-03-28T21:10:30Z",
                "2026-03-28T21:10:30.000001Z",
            ),
            (
                "2 Hours ago",
                "2026-03-28T19:15:30Z",
                "2026-03-28T19:15:30.000001Z",
            ),
            (
                "an hour and 30 minutes ago",
                "2026-03-28T19:45:30Z",
                "2026-03-28T19:45:30.000001Z",
            ),
            (
                "a week ago",
                "2026-03-21T21:15:30Z",
                "2026-03-21T21:15:30.000001Z",
            ),
            (
                "90 sec",
                "2026-03-28T21:14:00Z",
                "2026-03-28T21:14:00.000001Z",
            ),
            ("now", "2026-03-28T21:15:30Z", "2026-03-28T21:15:30.000001Z"),
        ] {
            check(text, from, until);
        }
    }

    #[test]
    fn what_was_read_is_told_with_its_day() {
        for (text, said) in [
            ("07:02", "07:02:00 today (2026-03-28)"),
            ("22:16", "22:16:00 yesterday (2026-03-27)"),
            ("tuesday 8:00", "08:00:00 Tuesday (2026-03-24)"),
            ("2026-03-21 21:00", "21:00:00 2026-03-21"),
            ("-2h", "20:15:30 today (2026-03-28)"),
            ("yesterday", "yesterday (2026-03-27)"),
        ] {
            let when = When::parse(text, now(), &berlin()).expect(text);
            assert_eq!(when.words(now(), &berlin()), said);
        }
        let day = When::parse("yesterday", now(), &berlin()).expect("a day");
        let (begin, end) = (day.begin(), day.end());
        assert_eq!(
            begin.words(now(), &berlin()),
            "00:00:00 yesterday (2026-03-27)"
        );
        assert_eq!(end.words(now(), &berlin()), "00:00:00 today (2026-03-28)");
    }

    #[test]
    fn a_day_with_a_change_of_clocks_has_its_own_length() {
        let sunday = utc("2026-03-29T20:00:00Z");
        let when = When::parse("today", sunday, &berlin()).expect("a day");
        assert_eq!(when.until.since(when.from), Duration::from_secs(23 * 3_600));
        let gap = When::parse("02:30", sunday, &berlin()).expect("a time");
        assert_eq!(gap.from, utc("2026-03-29T01:00:00Z"));
    }

    #[test]
    fn a_time_that_the_clocks_skipped_is_the_moment_at_which_they_did_and_says_so() {
        // Ten minutes after the clocks were put forward: what would have been at half past two has not come.
        let now = utc("2026-03-29T01:10:00Z");
        for text in ["02:30", "02:00", "today 02:30", "2026-03-29 02:59"] {
            let when = When::parse(text, now, &berlin()).expect(text);
            assert_eq!(when.from, utc("2026-03-29T01:00:00Z"), "{text}");
            let said = "03:00:00 today (2026-03-29): the clocks were put forward then, over the time that was named";
            assert_eq!(when.words(now, &berlin()), said, "{text}");
            assert_eq!(when.begin().words(now, &berlin()), said, "{text}");
        }
        let shown = When::parse("03:00", now, &berlin()).expect("a time");
        assert_eq!(shown.words(now, &berlin()), "03:00:00 today (2026-03-29)");
    }

    #[test]
    fn of_a_time_that_was_twice_it_is_said_which_is_meant_and_how_to_name_the_other() {
        let after = utc("2026-10-25T08:00:00Z");
        let when = When::parse("02:30", after, &berlin()).expect("a time");
        assert_eq!(when.from, utc("2026-10-25T00:30:00Z"));
        let said = "02:30:00 today (2026-10-25), the first time: the clocks were put back and showed it again at \
            2026-10-25T02:30:00+01:00";
        assert_eq!(when.words(after, &berlin()), said);
        let second = When::parse("2026-10-25T02:30:00+01:00", after, &berlin()).expect("a time");
        assert_eq!(second.from, utc("2026-10-25T01:30:00Z"));
        // The second time has not come yet.
        let between = utc("2026-10-25T00:45:00Z");
        let when = When::parse("02:30", between, &berlin()).expect("a time");
        assert_eq!(
            when.words(between, &berlin()),
            "02:30:00 today (2026-10-25)"
        );
    }

    #[test]
    fn the_future_is_refused_with_the_time_at_home() {
        for text in [
            "2026-03-29",
            "today 23:00",
            "tomorrow",
            "tomorrow 07:00",
            "2026-03-28T22:00:00Z",
            "9998-12-31 23:59",
        ] {
            let error = When::parse(text, now(), &berlin()).expect_err(text);
            let said = error.to_string();
            assert!(said.contains("2026-03-28 22:15"), "{said}");
            assert!(said.ends_with("is the last one that came"), "{said}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_with_examples() {
        for text in [
            "",
            "  ",
            "soon",
            "7",
            "25:00",
            "07:60",
            "07:2",
            "07:02:99",
            "2026-13-01",
            "2026-3-1",
            "-",
            "-2x",
            "-h",
            "ago",
            "5 ago",
            "minutes ago",
            "5 minutes 3 ago",
            "5 moons ago",
            "5 minutes m ago",
            "99999999999 weeks ago",
            "-5 minutes -3 minutes",
            "tomorrow 7",
            "07:02:30.",
            "07:02:30:1",
            "-99999999999999999999h",
            "--2h",
            "\u{1b}[31m",
            "t",
            "t7:00",
            "2026-03-27 21:00 22:00",
            "mo",
        ] {
            let error = When::parse(text, now(), &berlin())
                .expect_err(text)
                .to_string();
            assert!(
                error.contains("07:02") && !error.contains('\u{1b}'),
                "{text}: {error}"
            );
        }
    }
}
