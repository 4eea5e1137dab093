//! What the wall shows at home: local time, times of day on the time line, the sun.
//!
//! Called by the engine for `now.*`, `sun.*`, `at` and what people read. Every answer is a function of the
//! moment asked about alone; what is kept here only saves computing it again. Must not read a clock.

use std::{cell::RefCell, sync::Arc};

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase},
};
use mapping::program::{Days, Home, Now as NowTerm, Sun};
use types::{Now, UnixTime, Value};

mod sky;

use sky::Sky;

const MINUTE_US: i64 = 60_000_000;

/// The home's wall clock and sky.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
    sky: Option<Sky>,
    sun_pinned: Option<bool>,
    minute: RefCell<Option<Minute>>,
}

/// A local calendar day as `yyyymmdd`: ordered, and readable in a snapshot.
pub(crate) type Day = u32;

#[derive(Clone, Debug)]
struct Minute {
    starts: i64,
    hour: f64,
    minute: f64,
    weekday: f64,
    date: Arc<str>,
}

impl Clock {
    /// The clock of a home; without a time zone: UTC.
    pub(crate) fn new(home: &Home) -> Self {
        let zone = home
            .timezone
            .as_deref()
            .and_then(|name| TimeZoneDatabase::bundled().get(name).ok());
        let sky = match (home.latitude, home.longitude) {
            (Some(latitude), Some(longitude)) => Some(Sky::new(latitude, longitude)),
            _ => None,
        };
        Self {
            zone: zone.unwrap_or(TimeZone::UTC),
            sky,
            sun_pinned: None,
            minute: RefCell::new(None),
        }
    }

    /// Makes the sun stand still, up or down; `None`: as the date says.
    pub(crate) fn pin_sun(&mut self, up: Option<bool>) {
        self.sun_pinned = up;
    }

    /// `sun.*`; unknown before the clock is synced and where the home's place is not told.
    pub(crate) fn sun(&self, now: Now, term: Sun) -> Option<Value> {
        if let Some(up) = self.sun_pinned {
            return Some(match term {
                Sun::IsUp => Value::Bool(up),
                Sun::IsDown => Value::Bool(!up),
                Sun::Elevation => Value::Number(if up { 30.0 } else { -30.0 }),
            });
        }
        let sky = self.sky.as_ref().filter(|_| now.synced)?;
        Some(match term {
            Sun::IsUp => Value::Bool(sky.is_up(now.wall)?),
            Sun::IsDown => Value::Bool(!sky.is_up(now.wall)?),
            Sun::Elevation => Value::Number(sky.elevation(now.wall)?),
        })
    }

    /// The next whole second after `wall` at which `sun.is_up` changes; `None` in polar day or night.
    pub(crate) fn next_sun_change(&self, wall: UnixTime) -> Option<UnixTime> {
        if self.sun_pinned.is_some() {
            return None;
        }
        self.sky.as_ref()?.next_change(wall)
    }

    /// `now.*`; unknown before the clock is synced.
    pub(crate) fn now(&self, now: Now, term: NowTerm) -> Option<Value> {
        if !now.synced {
            return None;
        }
        let starts = now.wall.0.div_euclid(MINUTE_US) * MINUTE_US;
        let mut kept = self.minute.borrow_mut();
        if kept.as_ref().is_none_or(|minute| minute.starts != starts) {
            *kept = self
                .local(UnixTime(starts))
                .map(|local| Minute::new(starts, local));
        }
        let minute = kept.as_ref()?;
        Some(match term {
            NowTerm::Hour => Value::Number(minute.hour),
            NowTerm::Minute => Value::Number(minute.minute),
            NowTerm::Weekday => Value::Number(minute.weekday),
            NowTerm::Date => Value::Text(Arc::clone(&minute.date)),
        })
    }

    /// The next full minute after `wall`.
    pub(crate) fn next_minute(wall: UnixTime) -> UnixTime {
        UnixTime((wall.0.div_euclid(MINUTE_US) + 1).saturating_mul(MINUTE_US))
    }

    /// Local time for people, to the second: `2026-03-28 21:00:05`.
    pub(crate) fn text(&self, wall: UnixTime) -> Option<String> {
        let t = self.local(wall)?;
        Some(format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ))
    }

    /// The local calendar day at `wall`.
    pub(crate) fn day(&self, wall: UnixTime) -> Option<Day> {
        Some(number(self.local(wall)?.date()))
    }

    /// When the local time `second` (since midnight) next comes after `wall` on one of `days`, and on
    /// which day that is; the day `spent` is left out. `None`: no such day.
    pub(crate) fn next_time_of_day(
        &self,
        wall: UnixTime,
        second: u32,
        days: Days,
        spent: Option<Day>,
    ) -> Option<(UnixTime, Day)> {
        let mut date = self.local(wall)?.date();
        // Today may be past or spent, and its weekday comes again within a week.
        for _ in 0..9 {
            let day = number(date);
            if days.contains(date.weekday().to_monday_one_offset() as u8)
                && spent != Some(day)
                && let Some(at) = self.instant_of(date, second)
                && at > wall
            {
                return Some((at, day));
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// When the local time `second` last came at or before `wall` on one of `days`, and on which day.
    pub(crate) fn last_time_of_day(
        &self,
        wall: UnixTime,
        second: u32,
        days: Days,
    ) -> Option<(UnixTime, Day)> {
        let mut date = self.local(wall)?.date();
        for _ in 0..9 {
            if days.contains(date.weekday().to_monday_one_offset() as u8)
                && let Some(at) = self.instant_of(date, second)
                && at <= wall
            {
                return Some((at, number(date)));
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// The moment at which clocks at home show `second` of `date`: where they skip it, the first valid
    /// moment after the gap; where they show it twice, the first.
    fn instant_of(&self, date: Date, second: u32) -> Option<UnixTime> {
        let part = |value: u32| i8::try_from(value).ok();
        let (hour, minute, second) = (
            part(second / 3_600)?,
            part(second / 60 % 60)?,
            part(second % 60)?,
        );
        let local =
            DateTime::from_parts(date, jiff::civil::Time::new(hour, minute, second, 0).ok()?);
        let at = match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                // Read with the old offset the time lies at or behind the transition, which is the nearest one before it.
                let behind = before.to_timestamp(local).ok()?;
                let just_behind = Timestamp::from_nanosecond(behind.as_nanosecond() + 1).ok()?;
                self.zone.preceding(just_behind).next()?.timestamp()
            }
        };
        Some(UnixTime(at.as_microsecond()))
    }

    fn local(&self, wall: UnixTime) -> Option<DateTime> {
        Some(
            self.zone
                .to_datetime(Timestamp::from_microsecond(wall.0).ok()?),
        )
    }
}

impl Minute {
    fn new(starts: i64, local: DateTime) -> Self {
        Self {
            starts,
            hour: f64::from(local.hour()),
            minute: f64::from(local.minute()),
            weekday: f64::from(local.weekday().to_monday_one_offset()),
            date: format!(
                "{:04}-{:02}-{:02}",
                local.year(),
                local.month(),
                local.day()
            )
            .into(),
        }
    }
}

fn number(date: Date) -> Day {
    // Years before 1 don't happen in a house; they count as year 0.
    let year = u32::try_from(date.year()).unwrap_or(0);
    year * 10_000 + date.month() as u32 * 100 + date.day() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Clock {
        Clock::new(&Home {
            timezone: Some("Europe/Berlin".into()),
            latitude: Some(52.52),
            longitude: Some(13.40),
        })
    }

    fn utc(text: &str) -> UnixTime {
        UnixTime(text.parse::<Timestamp>().expect("a time").as_microsecond())
    }

    #[test]
    fn a_time_in_the_spring_gap_comes_at_the_first_valid_instant() {
        let clock = berlin();
        let next = clock.next_time_of_day(utc("2026-03-28T22:00:00Z"), 9_000, Days::ALL, None);
        assert_eq!(next, Some((utc("2026-03-29T01:00:00Z"), 20_260_329)));
        let next = clock.next_time_of_day(utc("2026-03-28T22:00:00Z"), 7_200, Days::ALL, None);
        assert_eq!(next, Some((utc("2026-03-29T01:00:00Z"), 20_260_329)));
    }

    #[test]
    fn a_time_in_the_autumn_overlap_comes_in_the_first_pass_only() {
        let clock = berlin();
        let (first, day) = clock
            .next_time_of_day(utc("2026-10-24T21:00:00Z"), 9_000, Days::ALL, None)
            .expect("a time");
        assert_eq!((first, day), (utc("2026-10-25T00:30:00Z"), 20_261_025));
        let next = clock.next_time_of_day(first, 9_000, Days::ALL, Some(day));
        assert_eq!(next, Some((utc("2026-10-26T01:30:00Z"), 20_261_026)));
    }

    #[test]
    fn weekdays_are_local_ones() {
        let clock = berlin();
        // Sunday evening in UTC is Monday 00:30 in Berlin; Monday is bit 0.
        let next = clock.next_time_of_day(utc("2026-07-05T22:00:00Z"), 1_800, Days(1), None);
        assert_eq!(next, Some((utc("2026-07-05T22:30:00Z"), 20_260_706)));
        let last = clock.last_time_of_day(utc("2026-07-10T12:00:00Z"), 1_800, Days(1));
        assert_eq!(last, next);
        assert_eq!(
            clock.next_time_of_day(utc("2026-07-05T22:00:00Z"), 0, Days(0), None),
            None
        );
    }

    #[test]
    fn nothing_is_told_before_the_clock_is_synced() {
        let clock = berlin();
        let mut now = Now {
            wall: utc("2026-07-06T12:34:56Z"),
            ..Now::default()
        };
        assert_eq!(clock.now(now, NowTerm::Hour), None);
        assert_eq!(clock.sun(now, Sun::IsUp), None);
        now.synced = true;
        assert_eq!(clock.now(now, NowTerm::Hour), Some(Value::Number(14.0)));
        assert_eq!(clock.now(now, NowTerm::Date), Some("2026-07-06".into()));
        assert_eq!(clock.sun(now, Sun::IsUp), Some(Value::Bool(true)));
        assert_eq!(clock.text(now.wall).as_deref(), Some("2026-07-06 14:34:56"));
    }
}
