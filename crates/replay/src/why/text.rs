//! An answer as people read it.
//!
//! ```text
//! hall.lamp  on=true   (before: on=false)
//! since Saturday 28 March 2026, 21:04:12.310, 2 h 3 min ago
//!
//!   21:04:12.310            hall.motion.start
//!                           rule hall-motion  rules.toml:34
//!                             sun.is_down            true
//!                             state.hall.lux < 50    true     state.hall.lux = 12
//!                           sent  hall.lamp on=true
//!   21:04:12.322    +12 ms  acknowledged by hall
//!   21:04:12.370    +48 ms  reported  hall.lamp on=true
//! ```

use std::fmt::Write as _;

use dispatcher::explain::{self, Part, Truth};
use engine::Disposition;
use jiff::tz::TimeZone;
use types::{Now, UnixTime, Value};

use super::{Hop, What, Why, down};
use crate::{
    paint::Paint,
    words::{clock_of, day_of, roughly},
};

impl Why {
    /// For people at home; `now` is when they ask.
    #[must_use]
    pub fn text(&self, zone: &TimeZone, now: UnixTime, paint: Paint) -> String {
        let mut out = String::new();
        // Writing to a string can't fail, here and below.
        let _ = write!(out, "{}", paint.bold(&self.target));
        if let Some(then) = &self.then {
            let _ = write!(out, ", then {then}");
        }
        let _ = write!(out, "  {}", paint.bold(&self.is));
        if !self.was.is_empty() && self.was != self.is {
            let _ = write!(out, "   {}", paint.dim(&format!("(before: {})", self.was)));
        }
        let since = format!(
            "\nsince {}, {}, {} ago\n\n",
            day_of(zone, self.now.wall),
            clock_of(zone, self.now.wall),
            roughly(now.since(self.now.wall)),
        );
        out.push_str(&since);
        out.push_str(&hops(&self.hops, self.now, zone, paint));
        for remark in &self.remarks {
            let _ = writeln!(out, "\n{remark}");
        }
        out
    }
}

/// A table of hops; `change` is the moment that the headline names.
pub(crate) fn hops(hops: &[Hop], change: Now, zone: &TimeZone, paint: Paint) -> String {
    let mut out = String::new();
    let mut before: Option<Now> = None;
    let mut day = day_of(zone, change.wall);
    for hop in hops {
        let today = day_of(zone, hop.now.wall);
        if today != day {
            let _ = writeln!(out, "  {}", paint.dim(&today));
            day = today;
        }
        let same = before.is_some_and(|before| before.at == hop.now.at);
        let (time, passed) = match before {
            _ if same => (String::new(), String::new()),
            None => (clock_of(zone, hop.now.wall), String::new()),
            Some(before) => (
                clock_of(zone, hop.now.wall),
                format!("+{}", roughly(hop.now.at.since(before.at))),
            ),
        };
        before = Some(hop.now);
        let margin = paint.dim(&format!("  {time:<12}  {passed:>12}  "));
        let blank = " ".repeat(30);
        let lines = lines(&hop.what, paint);
        for (place, line) in lines.iter().enumerate() {
            let margin = if place == 0 { &margin } else { &blank };
            let _ = writeln!(out, "{margin}{line}");
        }
    }
    out
}

fn lines(what: &What, paint: Paint) -> Vec<String> {
    match what {
        What::Cause(text) => vec![text.clone()],
        What::Rule {
            name,
            file,
            line,
            parts,
            did,
        } => {
            let head = format!("rule {}  {file}:{line}", paint.bold(name));
            let mut lines = vec![head];
            lines.extend(
                table(parts, paint)
                    .into_iter()
                    .map(|line| format!("  {line}")),
            );
            lines.extend(did.iter().map(|did| format!("  {did}")));
            lines
        }
        What::Sent { text, disposition } => vec![match disposition {
            Disposition::Sent => format!("sent  {}", paint.bold(text)),
            other => format!("{}: {text}", paint.doubt(explain::disposition(*other)),),
        }],
        What::Unblocked(device) => vec![format!("sent  {device} is no longer blocked")],
        What::Acknowledged(device) => vec![format!("{} by {device}", paint.good("acknowledged"))],
        What::Reported { text, as_told } => vec![match as_told {
            true => format!("{}  {text}", paint.good("reported")),
            false => format!(
                "{}  {text}, which is not what it was told",
                paint.bad("reported")
            ),
        }],
        What::Down(off) => vec![paint.doubt(&down::text(*off))],
        What::Missing(text) => vec![paint.doubt(text)],
    }
}

/// The parts of a condition in columns.
pub(crate) fn table(parts: &[Part], paint: Paint) -> Vec<String> {
    let width = parts.iter().map(|part| part.text.chars().count());
    let width = width.max().unwrap_or(0).min(48);
    parts
        .iter()
        .map(|part| {
            let word = format!("{:<9}", part.truth.word());
            let word = match part.truth {
                Truth::True => paint.good(&word),
                Truth::False => paint.bad(&word),
                Truth::Unknown => paint.doubt(&word),
                Truth::NotAsked => paint.dim(&word),
            };
            let seen: Vec<String> = part.seen.iter().map(seen).collect();
            let line = format!("{:<width$}   {word}  {}", part.text, seen.join(", "));
            line.trim_end().to_owned()
        })
        .collect()
}

fn seen((term, value): &(String, Option<Value>)) -> String {
    match value {
        Some(text @ Value::Text(_)) => format!("{term} = '{text}'"),
        Some(value) => format!("{term} = {value}"),
        None => format!("{term} is unknown"),
    }
}
