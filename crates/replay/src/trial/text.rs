//! Differences as people read them.
//!
//! ```text
//! --- Saturday 28 March 2026
//! 20:06:10.000  timer hall-off ran out
//!   - hall.lamp on=false      hall-motion-off rules.toml:42
//! 20:07:40.000  timer hall-off ran out
//!   + hall.lamp on=false      hall-motion-off rules.toml:42
//! ```

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{Difference, Summary};
use crate::{
    paint::Paint,
    words::{clock_of, day_of, second_of},
};

impl Difference {
    /// For people at home; `day` is the day of the difference before, and is moved on.
    #[must_use]
    pub fn text(&self, zone: &TimeZone, day: &mut String, paint: Paint) -> String {
        let mut out = String::new();
        let today = day_of(zone, self.now.wall);
        // Writing to a string can't fail, here and below.
        if today != *day {
            let _ = writeln!(out, "{}", paint.dim(&format!("--- {today}")));
            *day = today;
        }
        let _ = writeln!(out, "{}  {}", clock_of(zone, self.now.wall), self.cause);
        let all = self.gone.iter().chain(&self.new);
        let width = all
            .map(|line| line.text.chars().count())
            .max()
            .unwrap_or(0)
            .min(60);
        let gone = self.gone.iter().map(|line| ('-', line));
        for (sign, line) in gone.chain(self.new.iter().map(|line| ('+', line))) {
            let by = line.by.as_deref().unwrap_or("somebody asked");
            let row = format!("{sign} {:<width$}", line.text);
            let row = match sign {
                '-' => paint.bad(&row),
                _ => paint.good(&row),
            };
            let _ = writeln!(out, "  {row}  {}", paint.dim(by));
        }
        out
    }
}

impl Summary {
    /// For people at home.
    #[must_use]
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut out = String::new();
        let commands = |count: u64| match count {
            1 => "1 command".to_owned(),
            n => format!("{n} commands"),
        };
        let _ = writeln!(
            out,
            "{} inputs from {} to {}",
            self.inputs,
            second_of(zone, self.since),
            second_of(zone, self.until)
        );
        let _ = match self.differs() {
            true => writeln!(
                out,
                "{} the same, {} no longer sent (-), {} new (+)",
                commands(self.same),
                self.gone,
                self.new
            ),
            false => writeln!(out, "no difference: {} the same", commands(self.same)),
        };
        if !self.untaken.is_empty() {
            let count: u64 = self.untaken.values().sum();
            let each: Vec<String> = self
                .untaken
                .iter()
                .map(|(what, count)| format!("{what} ({count})"))
                .collect();
            let _ = writeln!(
                out,
                "{count} inputs speak of what this mapping does not have: {}",
                each.join(", ")
            );
        }
        if self.cut > 0 {
            let _ = writeln!(
                out,
                "{} times so much fell due between two inputs that the rest of it is left out: do timers of this mapping start each other?",
                self.cut
            );
        }
        out
    }
}
