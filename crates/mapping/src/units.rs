//! Words for times: durations (`5m`, `1h30m`), times of day (`07:00`), weekdays (`mon-fri`), rates (`1 per 30s`).
//!
//! Used by rules, channels and house tests. Pure: a text in, a value or what is wrong with it out.

use std::{fmt::Write as _, time::Duration};

use crate::{
    diagnostic::Diagnostic,
    habits,
    program::{Days, LimitRate},
    read::{Node, Text},
    report::Report,
    suggest::closest,
};

/// Longest duration: ten years.
const SECONDS_MAX: f64 = 10.0 * 366.0 * 86_400.0;

/// Weekdays, Monday first.
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Units with their milliseconds, largest first.
const UNITS: [(&str, f64); 5] = [
    ("d", 86_400_000.0),
    ("h", 3_600_000.0),
    ("m", 60_000.0),
    ("s", 1_000.0),
    ("ms", 1.0),
];

/// What a duration looks like, for whoever refuses a text that is none.
pub const FORM: &str = "a time such as \"800ms\", \"30s\", \"5m\", \"1h30m\" or \"2d\"";

/// What people write for a unit.
const UNIT_WORDS: [(&str, &[&str]); 5] = [
    ("d", &["day", "days"]),
    ("h", &["hr", "hrs", "hour", "hours"]),
    ("m", &["min", "mins", "minute", "minutes"]),
    ("s", &["sec", "secs", "second", "seconds"]),
    (
        "ms",
        &["msec", "msecs", "millis", "millisecond", "milliseconds"],
    ),
];

/// Reads a duration; anything else is reported.
pub(crate) fn duration(node: Node<'_>, report: &mut Report, what: &str) -> Option<Duration> {
    if let Some(number) = node.as_number() {
        let message = format!("{what} needs a unit");
        let help = format!("write \"{number}s\" for seconds, \"{number}m\" for minutes");
        report.push(
            Diagnostic::error("bad-duration", node.span(), message)
                .label("a number without a unit")
                .help(help),
        );
        return None;
    }
    if node.as_table().is_some() {
        let instead = habits::span(node).map(|span| format!("\"{span}\""));
        node.complain_or(report, what, "a text", instead);
        return None;
    }
    let text = node.text(report, what)?;
    match parse_duration(text.text) {
        Ok(span) => Some(span),
        Err(mut problem) => {
            if habits::has_template(text.text) {
                problem.help = habits::NOT_COMPUTED.to_owned();
            } else if let Some(span) = habits::span(node) {
                problem.help = format!("write \"{span}\"");
            }
            report.push(problem.at(&text));
            None
        }
    }
}

/// What is wrong with a duration.
struct BadDuration {
    range: std::ops::Range<usize>,
    message: String,
    help: String,
}

impl BadDuration {
    fn at(self, text: &Text<'_>) -> Diagnostic {
        Diagnostic::error("bad-duration", text.place(self.range), self.message).help(self.help)
    }
}

/// A duration as a mapping writes it: `800ms`, `5m`, `1h30m`; `None`: it is none, or longer than ten years.
/// Settings, payloads and the command line read theirs here as well.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    parse_duration(text).ok()
}

/// A duration that somebody means by one number and a word: `5 minutes`, `5min`.
pub(crate) fn meant(text: &str) -> Option<Duration> {
    let (number, word) = text.split_at(text.find(char::is_alphabetic)?);
    let unit = short_of(word)?;
    parse(text).or_else(|| parse(&format!("{}{unit}", number.trim_end())))
}

/// A duration as a mapping writes it, in whole milliseconds: `8m59s`.
#[must_use]
pub fn written(span: Duration) -> String {
    let mut rest = span.as_millis();
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (name, unit_ms) in UNITS {
        let count = rest / unit_ms as u128;
        rest %= unit_ms as u128;
        if count > 0 {
            let _ = write!(text, "{count}{name}");
        }
    }
    text
}

fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    let bad = |range, message: &str, help: &str| BadDuration {
        range,
        message: message.to_owned(),
        help: help.to_owned(),
    };
    let form = &*format!("write {FORM}");
    let mut milliseconds = 0.0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let digits = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let letters = rest[digits..]
            .find(|c: char| !c.is_alphabetic())
            .unwrap_or(rest.len() - digits);
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let Ok(number) = number.parse::<f64>() else {
            return Err(bad(
                0..text.len(),
                &format!("\"{text}\" is no duration"),
                form,
            ));
        };
        let behind = rest[digits..].trim_start();
        if unit.is_empty()
            && behind.len() < rest.len() - digits
            && behind.starts_with(char::is_alphabetic)
        {
            let unit: String = behind.chars().take_while(|c| c.is_alphabetic()).collect();
            let known = short_of(&unit).unwrap_or(&unit);
            return Err(BadDuration {
                range: 0..text.len(),
                message: "no space stands between a number and its unit".to_owned(),
                help: format!("write \"{}{known}\"", &rest[..digits]),
            });
        }
        if unit.is_empty() {
            let message = format!("\"{text}\" has a number without a unit");
            return Err(bad(at..at + digits.max(1), &message, form));
        }
        let Some((_, factor)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(BadDuration {
                range: at + digits..at + digits + letters,
                message: format!("`{unit}` is no unit of time"),
                help: unit_help(&rest[..digits], unit),
            });
        };
        milliseconds += number * factor;
        at += digits + letters;
    }
    if text.is_empty() {
        return Err(bad(0..0, "an empty text is no duration", form));
    }
    if milliseconds > SECONDS_MAX * 1_000.0 {
        let message = format!("\"{text}\" is longer than ten years");
        return Err(bad(0..text.len(), &message, form));
    }
    Ok(Duration::from_micros(
        (milliseconds * 1_000.0).round() as u64
    ))
}

/// The unit that somebody means by a word.
fn short_of(unit: &str) -> Option<&'static str> {
    let word = unit.to_lowercase();
    let known = UNIT_WORDS
        .iter()
        .find(|(short, words)| *short == word || words.contains(&word.as_str()));
    known.map(|(short, _)| *short)
}

fn unit_help(number: &str, unit: &str) -> String {
    match short_of(unit) {
        Some(short) => format!("did you mean `{number}{short}`?"),
        None => "the units are `ms`, `s`, `m`, `h` and `d`".to_owned(),
    }
}

/// Reads a duration that is longer than nothing.
pub(crate) fn some_duration(node: Node<'_>, report: &mut Report, what: &str) -> Option<Duration> {
    let span = duration(node, report, what)?;
    if span.is_zero() {
        let message = format!("{what} must be longer than nothing");
        report.push(Diagnostic::error("bad-duration", node.span(), message));
        return None;
    }
    Some(span)
}

/// Reads a duration that may have a sign, as microseconds; anything else is reported.
pub(crate) fn signed_duration(node: Node<'_>, report: &mut Report, what: &str) -> Option<i64> {
    let signed = node
        .as_text()
        .filter(|text| text.text.starts_with(['-', '+']));
    let Some(text) = signed else {
        let span = duration(node, report, what)?;
        return i64::try_from(span.as_micros()).ok();
    };
    match parse_duration(&text.text[1..]) {
        Ok(span) => {
            let us = i64::try_from(span.as_micros()).ok()?;
            Some(if text.text.starts_with('-') { -us } else { us })
        }
        Err(mut problem) => {
            problem.range = problem.range.start + 1..problem.range.end + 1;
            report.push(problem.at(&text));
            None
        }
    }
}

/// Times of the sun, as `{ sun = ".." }` has them.
const SUN: [&str; 4] = ["sunrise", "sunset", "dawn", "dusk"];

/// Reads a time of day as seconds since midnight; anything else is reported.
pub(crate) fn time_of_day(node: Node<'_>, report: &mut Report) -> Option<u32> {
    let text = node.text(report, "`at`")?;
    let seconds = parse_time(text.text);
    if seconds.is_none() {
        let message = format!("\"{}\" is no time of day", text.text);
        let padded = format!("0{}", text.text);
        let error = Diagnostic::error("bad-time", text.span(), message);
        report.push(if parse_time(&padded).is_some() {
            error.help(format!("an hour has two digits: write \"{padded}\""))
        } else if SUN.contains(&text.text) {
            error.help(format!("write {{ sun = \"{}\" }}", text.text))
        } else {
            error.help("write hours and minutes from \"00:00\" to \"23:59\", with seconds as in \"07:00:30\"")
        });
    }
    seconds
}

/// A time of day, as seconds since midnight.
pub(crate) fn parse_time(text: &str) -> Option<u32> {
    let two_digits = |part: &str, max: u32| {
        let digits = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse::<u32>()
            .ok()
            .filter(|number| digits && *number <= max)
    };
    let parts: Vec<&str> = text.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, "00"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    Some(two_digits(hour, 23)? * 3_600 + two_digits(minute, 59)? * 60 + two_digits(second, 59)?)
}

/// Reads `"mon-fri"`, `"sat,sun"` or a list of these; anything else is reported.
pub(crate) fn days(node: Node<'_>, report: &mut Report) -> Option<Days> {
    let mut set = 0;
    for part in node.one_or_more() {
        let text = part.text(report, "`days`")?;
        let mut at = 0;
        for word in text.text.split(',') {
            let start = at + word.len() - word.trim_start().len();
            at += word.len() + 1;
            match parse_days(word.trim()) {
                Ok(days) => set |= days,
                Err((from, to)) => {
                    let name = &word.trim()[from..to];
                    let error = Diagnostic::error(
                        "bad-days",
                        text.place(start + from..start + to),
                        format!("\"{name}\" is no weekday"),
                    );
                    let help = match closest(name, WEEKDAYS) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => nearest_day(name),
                    };
                    report.push(error.help(help));
                    return None;
                }
            }
        }
    }
    if set == 0 {
        let error = Diagnostic::error("bad-days", node.span(), "`days` names no weekday");
        report.push(error.help("leave it out for every day"));
        return None;
    }
    Some(Days(set))
}

fn nearest_day(name: &str) -> String {
    let lower = name.to_lowercase();
    match WEEKDAYS.iter().find(|day| lower.starts_with(*day)) {
        Some(day) => format!("did you mean `{day}`?"),
        None => "write for example \"mon-fri\" or \"sat,sun\"".to_owned(),
    }
}

/// The bits of a day or a span of days; else the byte range of the word that is none.
fn parse_days(word: &str) -> Result<u8, (usize, usize)> {
    let day = |name: &str, at: usize| {
        let found = WEEKDAYS.iter().position(|day| *day == name);
        found.ok_or((at, at + name.len()))
    };
    let Some((first, last)) = word.split_once('-') else {
        return Ok(1 << day(word, 0)?);
    };
    let mut at = day(first, 0)?;
    let last = day(last, first.len() + 1)?;
    let mut bits = 1 << at;
    while at != last {
        at = (at + 1) % 7;
        bits |= 1 << at;
    }
    Ok(bits)
}

/// Reads `"1 per 30s"`; anything else is reported.
pub(crate) fn limit(node: Node<'_>, report: &mut Report) -> Option<LimitRate> {
    let Some(text) = node.as_text() else {
        let form = "\"1 per 30s\": how often in which time".to_owned();
        node.complain_or(report, "`limit`", "a text", Some(form));
        return None;
    };
    let parts = text.text.split_once(" per ");
    let count = parts.and_then(|(count, _)| count.trim().parse::<u32>().ok());
    let (Some((_, per)), Some(count @ 1..=1_000_000)) = (parts, count) else {
        let message = format!("\"{}\" is no limit", text.text);
        report.push(
            Diagnostic::error("bad-limit", text.span(), message)
                .help("write how often in which time, for example \"1 per 30s\""),
        );
        return None;
    };
    let start = text.text.len() - per.trim_start().len();
    let per = match parse_duration(per.trim()) {
        Ok(per) if !per.is_zero() => per,
        Ok(_) => {
            let message = "a limit's time must be longer than nothing";
            report.push(Diagnostic::error("bad-limit", text.span(), message));
            return None;
        }
        Err(mut problem) => {
            problem.range = start + problem.range.start..start + problem.range.end;
            report.push(problem.at(&text));
            return None;
        }
    };
    Some(LimitRate { count, per })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up_and_strange_units_are_named() {
        for (text, expected) in [
            ("5m", Some(300_000)),
            ("1h30m", Some(5_400_000)),
            ("800ms", Some(800)),
            ("1.5s", Some(1_500)),
            ("2h59m", Some(10_740_000)),
            ("8m59s", Some(539_000)),
            ("1d", Some(86_400_000)),
            ("5mins", None),
            ("5", None),
            ("", None),
            ("m", None),
            ("1..2s", None),
            ("-5m", None),
            ("99999999d", None),
        ] {
            let parsed = parse_duration(text).ok().map(|span| span.as_millis());
            assert_eq!(parsed, expected, "{text}");
        }
        let problem = parse_duration("5mins").err().unwrap();
        assert_eq!(
            (problem.range, &*problem.help),
            (1..5, "did you mean `5m`?")
        );
    }

    #[test]
    fn a_duration_is_written_as_it_is_read() {
        for text in ["0s", "12ms", "8m59s", "1h30m", "2d", "1d1ms"] {
            let span = parse(text).expect("it is one");
            assert_eq!(written(span), text);
        }
    }

    #[test]
    fn words_for_units_are_understood() {
        for (text, expected) in [
            ("5min", Some(300)),
            ("5 minutes", Some(300)),
            ("2h", Some(7_200)),
            ("5", None),
            ("five minutes", None),
        ] {
            assert_eq!(meant(text).map(|span| span.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn weekdays_span_the_weekend_too() {
        assert_eq!(parse_days("mon-fri"), Ok(0b001_1111));
        assert_eq!(parse_days("sat-mon"), Ok(0b110_0001));
        assert_eq!(parse_days("mon-fry"), Err((4, 7)));
        assert_eq!(parse_time("07:00"), Some(25_200));
        assert_eq!(parse_time("24:00"), None);
        assert_eq!(parse_time("7:00"), None);
    }
}
