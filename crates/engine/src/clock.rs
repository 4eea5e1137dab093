//! What the wall shows at home: local time, times on the time line, the sun.
//!
//! Called by the engine for `now.*`, `sun.*`, `at`, `cron`, `sun` and what people read. Every answer is a function of the
//! moment asked about alone; what is kept here only saves computing it again. Must not read a clock.

use std::{cell::RefCell, sync::Arc};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use mapping::program::{Home, Now as NowTerm, Sun};
use types::{Now, UnixTime, Value};

mod calendar;
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
        let sky = match (home.latitude, home.longitude) {
            (Some(latitude), Some(longitude)) => Some(Sky::new(latitude, longitude)),
            _ => None,
        };
        Self {
            zone: home.zone(),
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
