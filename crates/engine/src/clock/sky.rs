//! The sun over one place, to the whole second.
//!
//! The sun is up while its geometric elevation is above -0.833 degrees: its upper edge touches the horizon
//! there, refraction included (the definition of almanacs). Dawn and dusk are those of civil twilight, at -6
//! degrees. Through `libm`, so that every machine says the same.

use std::cell::Cell;

use mapping::program::SunEvent;
use solar_positioning::{Horizon, Location, SolarEvents, SolarPositions, time::JulianDate};
use types::UnixTime;

/// Seconds between terrestrial and universal time in the 2020s. An error of ten seconds moves the sun by
/// a third of an arc second along its path: far below a second of sunrise.
const DELTA_T_S: f64 = 69.2;
const UNIX_EPOCH_JD: f64 = 2_440_587.5;
const DAY_S: f64 = 86_400.0;
/// At a pole the sun rises once a year.
const SEARCH_DAYS: f64 = 370.0;
const NEAR_DAYS: f64 = 2.0;
/// How far the search for a crossing may be off.
const NEAR_S: i64 = 3;
/// How often in a row the sun may graze a height without crossing it.
const GRAZES_MAX: usize = 8;

/// The sky over one place.
#[derive(Debug)]
pub(crate) struct Sky {
    place: Location,
    span: Cell<Option<Span>>,
    elevation: Cell<Option<(i64, f64)>>,
    /// By event: from which second on which one is the next. Rules that wait for the same event share it.
    crossings: [Cell<Option<(i64, i64)>>; 4],
}

/// Seconds from (included) and to (excluded) which the sun stays up or down.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
    up: bool,
}

impl Sky {
    pub(crate) fn new(latitude: f64, longitude: f64) -> Self {
        Self {
            place: Location {
                latitude,
                longitude,
            },
            span: Cell::new(None),
            elevation: Cell::new(None),
            crossings: Default::default(),
        }
    }

    /// Whether the sun is up; `None` outside of the years that the model knows.
    pub(crate) fn is_up(&self, wall: UnixTime) -> Option<bool> {
        Some(self.span(seconds(wall))?.up)
    }

    /// Degrees above the horizon without refraction, to a hundredth.
    pub(crate) fn elevation(&self, wall: UnixTime) -> Option<f64> {
        let second = seconds(wall);
        if let Some((at, elevation)) = self.elevation.get()
            && at == second
        {
            return Some(elevation);
        }
        let elevation = (self.raw_elevation(second)? * 100.0).round() / 100.0;
        self.elevation.set(Some((second, elevation)));
        Some(elevation)
    }

    /// The next whole second at which [`Self::is_up`] may differ from what it is at `wall`.
    pub(crate) fn next_change(&self, wall: UnixTime) -> Option<UnixTime> {
        let span = self.span(seconds(wall))?;
        Some(UnixTime(span.to.saturating_mul(1_000_000)))
    }

    /// The first whole second after `wall` at which the sun has got where `event` says. In polar day or night
    /// that lies months ahead. `None`: outside of the years that the model knows.
    pub(crate) fn next(&self, event: SunEvent, wall: UnixTime) -> Option<UnixTime> {
        let second = self.crossing_after(event, seconds(wall))?;
        Some(UnixTime(second.saturating_mul(1_000_000)))
    }

    /// The last such second that is not after `wall`, and not before `earliest`.
    pub(crate) fn last(
        &self,
        event: SunEvent,
        earliest: UnixTime,
        wall: UnixTime,
    ) -> Option<UnixTime> {
        let (earliest, end) = (seconds(earliest), seconds(wall));
        // Nearly always it was within the last days; else the sun stayed up or down.
        [3 * 86_400, 400 * 86_400].into_iter().find_map(|back| {
            let mut from = earliest.max(end.saturating_sub(back)).saturating_sub(1);
            let mut found = None;
            while let Some(next) = self.crossing_after(event, from).filter(|at| *at <= end) {
                found = Some(next);
                from = next;
            }
            found.map(|second| UnixTime(second.saturating_mul(1_000_000)))
        })
    }

    fn span(&self, second: i64) -> Option<Span> {
        if let Some(span) = self.span.get()
            && (span.from..span.to).contains(&second)
        {
            return Some(span);
        }
        let up = self.is_above(SunEvent::Sunrise, second)?;
        let event = if up {
            SunEvent::Sunset
        } else {
            SunEvent::Sunrise
        };
        let span = Span {
            from: second,
            to: self.crossing_after(event, second)?,
            up,
        };
        self.span.set(Some(span));
        Some(span)
    }

    /// The first whole second after `second` at which the sun is on the other side of the height of `event`
    /// than a second before.
    fn crossing_after(&self, event: SunEvent, second: i64) -> Option<i64> {
        let kept = &self.crossings[event as usize];
        if let Some((from, crossing)) = kept.get()
            && (from..crossing).contains(&second)
        {
            return Some(crossing);
        }
        let crossing = self.find_crossing(event, second)?;
        kept.set(Some((second, crossing)));
        Some(crossing)
    }

    fn find_crossing(&self, event: SunEvent, second: i64) -> Option<i64> {
        let crosses = |second: &i64| {
            let is = self.is_above(event, *second);
            let was = self.is_above(event, second.saturating_sub(1));
            is == Some(event.rises()) && was == Some(!event.rises())
        };
        // The search may place a crossing that lies right ahead just behind its start.
        let near = second.checked_add(NEAR_S)?;
        if let Some(found) = (second + 1..=near).find(crosses) {
            return Some(found);
        }
        let mut from = near;
        for _ in 0..GRAZES_MAX {
            let about = self.search(event, from)?;
            let nearest = (about - NEAR_S).max(second + 1)..=about + NEAR_S;
            if let Some(found) = nearest.into_iter().find(crosses) {
                return Some(found);
            }
            // It only grazed the height, for less than a second.
            from = about + NEAR_S;
        }
        None
    }

    /// About when the sun crosses the height of `event` next.
    fn search(&self, event: SunEvent, from: i64) -> Option<i64> {
        let events = SolarEvents::new();
        let start = julian(from);
        let search = if event.rises() {
            SolarEvents::next_rise_from_julian
        } else {
            SolarEvents::next_set_from_julian
        };
        // Nearly always it lies within the next days, and the search is the shorter for it.
        let crossing = [NEAR_DAYS, SEARCH_DAYS].into_iter().find_map(|days| {
            let end = start + days;
            search(&events, start, end, self.place, DELTA_T_S, horizon(event)).ok()?
        });
        Some(((crossing? - UNIX_EPOCH_JD) * DAY_S).floor() as i64)
    }

    fn is_above(&self, event: SunEvent, second: i64) -> Option<bool> {
        Some(self.raw_elevation(second)? > horizon(event).elevation_angle())
    }

    fn raw_elevation(&self, second: i64) -> Option<f64> {
        let time = JulianDate::new(julian(second), DELTA_T_S).ok()?;
        let position = SolarPositions::new()
            .at_from_julian(time, self.place, 0.0, None)
            .ok()?;
        Some(position.elevation_angle())
    }
}

/// The height that `event` is about.
fn horizon(event: SunEvent) -> Horizon {
    match event {
        SunEvent::Sunrise | SunEvent::Sunset => Horizon::SunriseSunset,
        SunEvent::Dawn | SunEvent::Dusk => Horizon::CivilTwilight,
    }
}

fn seconds(wall: UnixTime) -> i64 {
    wall.0.div_euclid(1_000_000)
}

fn julian(second: i64) -> f64 {
    second as f64 / DAY_S + UNIX_EPOCH_JD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> UnixTime {
        UnixTime(
            text.parse::<jiff::Timestamp>()
                .expect("a time")
                .as_microsecond(),
        )
    }

    #[test]
    fn sunrise_and_sunset_are_those_of_the_almanac() {
        let berlin = Sky::new(52.52, 13.40);
        // Berlin, 2026-06-21: 04:43 to 21:33 local time (UTC+2).
        let rise = berlin
            .next_change(at("2026-06-21T00:00:00Z"))
            .expect("a sunrise");
        assert!((at("2026-06-21T02:42:00Z")..at("2026-06-21T02:44:30Z")).contains(&rise));
        assert_eq!(berlin.is_up(UnixTime(rise.0 - 1)), Some(false));
        assert_eq!(berlin.is_up(rise), Some(true));
        let set = berlin.next_change(rise).expect("a sunset");
        assert!((at("2026-06-21T19:32:00Z")..at("2026-06-21T19:34:30Z")).contains(&set));
    }

    #[test]
    fn the_answer_does_not_depend_on_what_was_asked_before() {
        let asked = Sky::new(52.52, 13.40);
        let start = at("2026-03-01T00:00:00Z");
        for step in 0..400 {
            let wall = UnixTime(start.0 + step * 3_607_000_000);
            let fresh = Sky::new(52.52, 13.40);
            assert_eq!(asked.is_up(wall), fresh.is_up(wall));
            assert_eq!(asked.next_change(wall), fresh.next_change(wall));
            let event = [SunEvent::Dawn, SunEvent::Sunset][usize::from(step % 3 == 0)];
            assert_eq!(asked.next(event, wall), fresh.next(event, wall));
        }
    }

    #[test]
    fn the_polar_night_ends_and_absurd_years_are_unknown() {
        let tromso = Sky::new(69.65, 18.96);
        let winter = at("2026-12-01T12:00:00Z");
        assert_eq!(tromso.is_up(winter), Some(false));
        let rise = tromso.next_change(winter).expect("an end of the night");
        assert!((at("2027-01-05T00:00:00Z")..at("2027-01-25T00:00:00Z")).contains(&rise));
        assert_eq!(tromso.next_change(UnixTime(i64::MAX)), None);
    }
}
