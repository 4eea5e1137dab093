//! Times as cron writes them, on the local calendar: every local date and time either matches or doesn't.
//!
//! Read by the rules' reader, asked by the engine, which knows what clocks at home do with local times. A
//! small wall around the `croner` crate. Must not know time zones.

use std::sync::Arc;

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;

/// The shorthands, with what they stand for.
const SHORT: &[(&str, &str)] = &[
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@weekly", "0 0 * * sun"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
];

/// The fields of a pattern with a second field in front, and what each takes.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    ("day of the month", "1-31, or `L` for the last"),
    ("month", "1-12, or jan-dec"),
    ("day of the week", "0-7, or sun-sat; 0 and 7 are Sunday"),
];

/// Local times as cron writes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Cron {
    text: Arc<str>,
    times: Arc<croner::Cron>,
}

/// What is wrong with a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadCron {
    /// It has so many fields.
    Fields(usize),
    /// `@something` that is none of the shorthands.
    Short,
    /// A field can't be read: its bytes, its name, what it takes.
    Field(std::ops::Range<usize>, &'static str, &'static str),
    /// No date ever matches.
    Never,
}

impl Cron {
    /// Reads five fields, six with seconds in front, or a shorthand.
    ///
    /// # Errors
    /// What is wrong with it; also that no date ever matches.
    pub fn parse(text: &str) -> Result<Self, BadCron> {
        let word = text.trim();
        let pattern = match SHORT.iter().find(|(short, _)| *short == word) {
            Some((_, pattern)) => pattern,
            None if word.starts_with('@') => return Err(BadCron::Short),
            None => word,
        };
        let count = pattern.split_ascii_whitespace().count();
        if !(FIELDS.len() - 1..=FIELDS.len()).contains(&count) {
            return Err(BadCron::Fields(count));
        }
        let Some(times) = read(pattern) else {
            return Err(wrong_field(text, count));
        };
        let cron = Self {
            text: text.into(),
            times: Arc::new(times),
        };
        // The calendar repeats itself every 400 years, which the search looks through.
        let start = DateTime::constant(2000, 1, 1, 0, 0, 0, 0);
        if cron.first_from(start).is_none() {
            return Err(BadCron::Never);
        }
        Ok(cron)
    }

    /// As written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The first matching time at or behind `local`, to the second.
    #[must_use]
    pub fn first_from(&self, local: DateTime) -> Option<DateTime> {
        self.times.find_next_occurrence(&local, true).ok()
    }

    /// The last matching time at or before `local`, to the second.
    #[must_use]
    pub fn last_until(&self, local: DateTime) -> Option<DateTime> {
        self.times.find_previous_occurrence(&local, true).ok()
    }
}

/// The names of all shorthands.
pub(crate) fn shorthands() -> impl Iterator<Item = &'static str> + Clone {
    SHORT.iter().map(|(short, _)| *short)
}

/// `mon` for `Monday`, `jan` for `January`.
pub(crate) fn short_name(word: &str) -> Option<&'static str> {
    const NAMES: [&str; 19] = [
        "mon", "tue", "wed", "thu", "fri", "sat", "sun", "jan", "feb", "mar", "apr", "may", "jun",
        "jul", "aug", "sep", "oct", "nov", "dec",
    ];
    let lower = word.to_lowercase();
    NAMES.into_iter().find(|name| lower.starts_with(name))
}

fn read(pattern: &str) -> Option<croner::Cron> {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Disallowed)
        .build();
    parser.parse(pattern).ok()
}

/// The first field that can't be read with all others left open.
fn wrong_field(text: &str, count: usize) -> BadCron {
    let known = &FIELDS[FIELDS.len() - count..];
    let mut at = 0;
    for (place, (name, takes)) in known.iter().enumerate() {
        let rest = &text[at..];
        let start = at + (rest.len() - rest.trim_ascii_start().len());
        let field = text[start..].split_ascii_whitespace().next();
        let field = field.unwrap_or_default();
        at = start + field.len();
        let mut alone = vec!["*"; count];
        alone[place] = field;
        if read(&alone.join(" ")).is_none() {
            return BadCron::Field(start..at, name, takes);
        }
    }
    BadCron::Fields(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime {
        text.parse().expect("a local time")
    }

    fn first(cron: &str, from: &str) -> String {
        let cron = Cron::parse(cron).expect("a pattern");
        let first = cron.first_from(at(from)).expect("a time");
        let last = cron.last_until(first).expect("a time");
        assert_eq!(last, first, "a time that matches is its own last");
        first.to_string()
    }

    #[test]
    fn patterns_mean_what_cron_means_by_them() {
        // 2026-01-05 is a Monday.
        for (cron, expected) in [
            ("0 7 * * mon-fri", "2026-01-05T07:00:00"),
            ("*/20 * * * *", "2026-01-05T06:40:00"),
            ("30 0 7 * * *", "2026-01-05T07:00:30"),
            ("0 12 1 * *", "2026-02-01T12:00:00"),
            ("0 12 L 2 *", "2026-02-28T12:00:00"),
            ("0 8-10 * * 0", "2026-01-11T08:00:00"),
            ("0 8-10 * * 7", "2026-01-11T08:00:00"),
            ("0 0 29 feb *", "2028-02-29T00:00:00"),
            // Either the day of the month or the day of the week.
            ("0 9 13 * fri", "2026-01-09T09:00:00"),
            ("@daily", "2026-01-06T00:00:00"),
            ("@hourly", "2026-01-05T07:00:00"),
            ("@weekly", "2026-01-11T00:00:00"),
        ] {
            assert_eq!(first(cron, "2026-01-05T06:30:00"), expected, "{cron}");
        }
    }

    #[test]
    fn a_time_that_matches_now_is_the_first_and_sub_seconds_do_not_count() {
        assert_eq!(
            first("0 7 * * *", "2026-01-05T07:00:00"),
            "2026-01-05T07:00:00"
        );
        let cron = Cron::parse("0 7 * * *").expect("a pattern");
        let last = cron.last_until(at("2026-01-05T06:59:59.9"));
        assert_eq!(last, Some(at("2026-01-04T07:00:00")));
    }

    #[test]
    fn what_is_wrong_is_found_in_its_field() {
        let wrong = |text: &str| Cron::parse(text).expect_err("no pattern");
        assert_eq!(wrong("0 7 * *"), BadCron::Fields(4));
        assert_eq!(wrong(""), BadCron::Fields(0));
        assert_eq!(wrong("0 0 7 * * * 2027"), BadCron::Fields(7));
        assert_eq!(wrong("@fortnightly"), BadCron::Short);
        assert_eq!(wrong("0 0 30 feb *"), BadCron::Never);
        for (text, bytes, name) in [
            ("60 7 * * *", 0..2, "minute"),
            ("0  25 * * *", 3..5, "hour"),
            ("0 7 * * mond", 8..12, "day of the week"),
            ("0 7 32 * *", 4..6, "day of the month"),
            ("0 0 7 * 13 *", 8..10, "month"),
            ("x 0 7 * * *", 0..1, "second"),
            ("0 7 * * ä", 8..10, "day of the week"),
        ] {
            let found = wrong(text);
            assert!(
                matches!(&found, BadCron::Field(range, field, _) if *range == bytes && *field == name),
                "{text}: {found:?}"
            );
        }
    }
}
