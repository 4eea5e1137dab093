//! When the times of `at`, `cron` and `sun` come.
//!
//! A local time comes once: where clocks at home skip it, at the first valid instant after the gap; where they
//! show it twice, the first time. Several times that fall into one gap come together, once.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::AmbiguousOffset,
};
use mapping::program::{Cron, Days};
use types::UnixTime;

use super::Clock;
use crate::plan::When;

/// A weekday comes again within a week; the day on which the search begins may be over.
const DAYS_MAX: usize = 9;

/// Cron's times that zones with strange changes may move behind the moment asked about.
const SKIPPED_MAX: usize = 10_000;

const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl Clock {
    /// The first time of `when` after `wall`; `None`: none in the years that calendar and sky know.
    pub(crate) fn next(&self, when: &When, wall: UnixTime) -> Option<UnixTime> {
        match when {
            When::Daily(second, days) => self.next_daily(*second, *days, wall),
            When::Cron(cron) => self.next_cron(cron, wall),
            When::Sun(..) if self.sun_pinned.is_some() => None,
            When::Sun(event, offset_us) => {
                let crossing = self.sky.as_ref()?.next(*event, shifted(wall, -offset_us))?;
                Some(shifted(crossing, *offset_us))
            }
        }
    }

    /// The last time of `when` that is not after `wall`; `earliest` is one and the first to think of.
    pub(crate) fn last(&self, when: &When, earliest: UnixTime, wall: UnixTime) -> UnixTime {
        let found = match when {
            When::Daily(second, days) => self.last_daily(*second, *days, wall),
            When::Cron(cron) => self.last_cron(cron, wall),
            When::Sun(event, offset_us) => {
                let sky = self.sky.as_ref();
                let last = sky.and_then(|sky| {
                    let earliest = shifted(earliest, -offset_us);
                    sky.last(*event, earliest, shifted(wall, -offset_us))
                });
                last.map(|crossing| shifted(crossing, *offset_us))
            }
        };
        found.map_or(earliest, |found| found.max(earliest))
    }

    fn next_daily(&self, second: u32, days: Days, wall: UnixTime) -> Option<UnixTime> {
        let mut date = self.local(wall)?.date();
        for _ in 0..DAYS_MAX {
            if on(days, date)
                && let Some(at) = self.daily(date, second)
                && at > wall
            {
                return Some(at);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn last_daily(&self, second: u32, days: Days, wall: UnixTime) -> Option<UnixTime> {
        let mut date = self.local(wall)?.date();
        for _ in 0..DAYS_MAX {
            if on(days, date)
                && let Some(at) = self.daily(date, second)
                && at <= wall
            {
                return Some(at);
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    fn daily(&self, date: Date, second: u32) -> Option<UnixTime> {
        let part = |value: u32| i8::try_from(value).ok();
        let (hour, minute) = (part(second / 3_600)?, part(second / 60 % 60)?);
        let time = Time::new(hour, minute, part(second % 60)?, 0).ok()?;
        self.instant_of(DateTime::from_parts(date, time))
    }

    fn next_cron(&self, cron: &Cron, wall: UnixTime) -> Option<UnixTime> {
        let mut from = match self.second_pass_ends(wall) {
            Some(end) => end,
            None => whole(self.local(wall)?)?.checked_add(SECOND).ok()?,
        };
        for _ in 0..SKIPPED_MAX {
            let local = cron.first_from(from)?;
            let at = self.instant_of(local)?;
            if at > wall {
                return Some(at);
            }
            from = local.checked_add(SECOND).ok()?;
        }
        None
    }

    fn last_cron(&self, cron: &Cron, wall: UnixTime) -> Option<UnixTime> {
        let mut until = match self.second_pass_ends(wall) {
            Some(end) => end.checked_sub(SECOND).ok()?,
            None => self.local(wall)?,
        };
        for _ in 0..SKIPPED_MAX {
            let local = cron.last_until(until)?;
            let at = self.instant_of(local)?;
            if at <= wall {
                return Some(at);
            }
            until = local.checked_sub(SECOND).ok()?;
        }
        None
    }

    /// Where clocks at home show a time again: the first local time that they will not have shown yet.
    fn second_pass_ends(&self, wall: UnixTime) -> Option<DateTime> {
        let at = Timestamp::from_microsecond(wall.0).ok()?;
        let local = self.zone.to_datetime(at);
        let offset = self.zone.to_ambiguous_timestamp(local).offset();
        let AmbiguousOffset::Fold { before, .. } = offset else {
            return None;
        };
        if before.to_timestamp(local).ok()? == at {
            return None;
        }
        Some(before.to_datetime(self.change_at_or_before(at)?))
    }

    /// The moment at which clocks at home show `local`.
    fn instant_of(&self, local: DateTime) -> Option<UnixTime> {
        let at = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                // Read with the old offset the time lies at or behind the change, which is the nearest one before it.
                self.change_at_or_before(before.to_timestamp(local).ok()?)?
            }
        };
        Some(UnixTime(at.as_microsecond()))
    }

    /// When the zone's offset changed last.
    fn change_at_or_before(&self, at: Timestamp) -> Option<Timestamp> {
        let just_behind = Timestamp::from_nanosecond(at.as_nanosecond() + 1).ok()?;
        Some(self.zone.preceding(just_behind).next()?.timestamp())
    }
}

fn on(days: Days, date: Date) -> bool {
    days.contains(date.weekday().to_monday_one_offset() as u8)
}

fn whole(local: DateTime) -> Option<DateTime> {
    local.with().subsec_nanosecond(0).build().ok()
}

fn shifted(wall: UnixTime, us: i64) -> UnixTime {
    UnixTime(wall.0.saturating_add(us))
}

#[cfg(test)]
mod tests {
    use mapping::program::Home;

    use super::*;

    fn at_home(zone: &str) -> Clock {
        Clock::new(&Home {
            timezone: Some(zone.into()),
            latitude: Some(52.52),
            longitude: Some(13.40),
        })
    }

    fn utc(text: &str) -> UnixTime {
        UnixTime(text.parse::<Timestamp>().expect("a time").as_microsecond())
    }

    fn cron(text: &str) -> When {
        When::Cron(Cron::parse(text).expect("a pattern"))
    }

    /// The first times after `from`, and each the last one of itself.
    fn times(clock: &Clock, when: &When, from: &str, count: usize) -> Vec<String> {
        let (start, mut wall) = (utc(from), utc(from));
        let mut all = Vec::new();
        for _ in 0..count {
            wall = clock.next(when, wall).expect("a time");
            assert_eq!(clock.last(when, start, wall), wall);
            assert_eq!(clock.next(when, UnixTime(wall.0 - 1)), Some(wall));
            all.push(
                Timestamp::from_microsecond(wall.0)
                    .expect("a time")
                    .to_string(),
            );
        }
        all
    }

    const DAILY: fn(u32) -> When = |second| When::Daily(second, Days::ALL);

    #[test]
    fn a_time_in_the_spring_gap_comes_at_the_first_valid_instant() {
        let clock = at_home("Europe/Berlin");
        for when in [
            DAILY(9_000),
            DAILY(7_200),
            cron("30 2 * * *"),
            cron("*/20 2 * * *"),
        ] {
            let came = times(&clock, &when, "2026-03-28T22:00:00Z", 2);
            assert_eq!(came[0], "2026-03-29T01:00:00Z", "{when:?}");
            assert!(came[1].starts_with("2026-03-30T00:"), "{when:?}: {came:?}");
        }
    }

    #[test]
    fn a_time_in_the_autumn_overlap_comes_in_the_first_pass_only() {
        let clock = at_home("Europe/Berlin");
        for when in [DAILY(9_000), cron("30 2 * * *")] {
            let came = times(&clock, &when, "2026-10-24T21:00:00Z", 2);
            assert_eq!(came, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
        }
        let came = times(&clock, &cron("*/30 * * * *"), "2026-10-24T23:45:00Z", 4);
        assert_eq!(
            came,
            [
                "2026-10-25T00:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-25T02:00:00Z",
                "2026-10-25T02:30:00Z"
            ]
        );
        // Asked in the second pass: 02:30 came an hour ago.
        let when = cron("*/30 * * * *");
        let asked = utc("2026-10-25T01:10:00Z");
        let last = clock.last(&when, utc("2026-10-24T00:00:00Z"), asked);
        assert_eq!(last, utc("2026-10-25T00:30:00Z"));
        assert_eq!(clock.next(&when, asked), Some(utc("2026-10-25T02:00:00Z")));
    }

    #[test]
    fn half_hours_and_lost_days_are_no_special_case() {
        // Lord Howe's clocks change by half an hour; Samoa had no 30 December 2011.
        let howe = at_home("Australia/Lord_Howe");
        let came = times(&howe, &cron("45 1 * * *"), "2026-04-04T00:00:00Z", 2);
        assert_eq!(came, ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
        let apia = at_home("Pacific/Apia");
        let came = times(&apia, &cron("0 12 * * *"), "2011-12-29T00:00:00Z", 3);
        // 30 December's noon comes at the first instant of the 31st.
        assert_eq!(
            came,
            [
                "2011-12-29T22:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-30T22:00:00Z"
            ]
        );
    }

    #[test]
    fn weekdays_are_local_ones() {
        let clock = at_home("Europe/Berlin");
        // Sunday evening in UTC is Monday 00:30 in Berlin; Monday is bit 0.
        let monday = When::Daily(1_800, Days(1));
        let asked = utc("2026-07-05T22:00:00Z");
        let next = utc("2026-07-05T22:30:00Z");
        assert_eq!(clock.next(&monday, asked), Some(next));
        let friday = utc("2026-07-10T12:00:00Z");
        assert_eq!(clock.last(&monday, asked, friday), next);
        assert_eq!(clock.next(&When::Daily(0, Days(0)), asked), None);
    }

    #[test]
    fn ever_later_and_never_twice() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Africa/Casablanca",
        ] {
            let clock = at_home(zone);
            for when in [cron("*/7 * * * *"), cron("0 0 1-7 * mon"), DAILY(7_205)] {
                let mut wall = utc("2026-03-01T00:00:00Z");
                for _ in 0..400 {
                    let next = clock.next(&when, wall).expect("a time");
                    assert!(next > wall, "{zone} {when:?}");
                    let between = UnixTime(wall.0 + (next.0 - wall.0) / 2);
                    assert_eq!(clock.next(&when, between), Some(next), "{zone} {when:?}");
                    wall = next;
                }
            }
        }
    }
}
