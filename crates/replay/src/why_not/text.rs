//! An answer as people read it.
//!
//! ```text
//! rule hall-motion  rules.toml:32
//! did not fire by Saturday 28 March 2026, 07:02:00.000
//!
//!   hall.motion.start came at 07:01:58.120, but state.hall.lux < 50 was false: state.hall.lux was 120, since 06:40:12.000
//!
//!   07:01:58.120                hall.motion.start
//!                               rule hall-motion  rules.toml:32
//!                                 sun.is_down           true
//!                                 state.hall.lux < 50   false      state.hall.lux = 120
//!                                 !var.night            not asked
//!
//! it waits for
//!   hall.motion.start  came last at 07:01:58.120, 4 times since 07:02
//! ```

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{Waiting, WhyNot};
use crate::{
    paint::Paint,
    why,
    words::{clock_of, day_of},
};

impl WhyNot {
    /// For people at home.
    #[must_use]
    pub fn text(&self, zone: &TimeZone, paint: Paint) -> String {
        let mut out = String::new();
        // Writing to a string can't fail, here and below.
        let _ = write!(out, "{}", paint.bold(&format!("rule {}", self.rule)));
        if self.line > 0 {
            let _ = write!(out, "  {}:{}", self.file, self.line);
        }
        let _ = writeln!(
            out,
            "\n{}",
            paint.dim(&format!(
                "by {}, {}",
                day_of(zone, self.at),
                clock_of(zone, self.at)
            ))
        );
        for (place, sentence) in self.sentences.iter().enumerate() {
            let gap = if place == 0 { "\n" } else { "" };
            let sentence = match place {
                0 => paint.bold(sentence),
                _ => sentence.clone(),
            };
            let _ = writeln!(out, "{gap}  {sentence}");
        }
        if let Some(attempt) = &self.attempt {
            let _ = write!(
                out,
                "\n{}",
                why::table_of(&attempt.hops, attempt.now, zone, paint)
            );
            for (term, value, since) in &attempt.since {
                let margin = " ".repeat(32);
                let since = clock_of(zone, *since);
                let _ = writeln!(
                    out,
                    "{margin}{}",
                    paint.dim(&format!("{term} was {value} since {since}"))
                );
            }
        }
        if !self.condition.is_empty() {
            let _ = writeln!(out, "\nits condition then");
            for line in why::parts_of(&self.condition, paint) {
                let _ = writeln!(out, "  {line}");
            }
        }
        self.waits(&mut out);
        if let Some(fired) = self.fired {
            let _ = writeln!(
                out,
                "\nfired last on {}, {}",
                day_of(zone, fired.wall),
                clock_of(zone, fired.wall)
            );
        }
        out
    }
    /// What it waits for, but for what the answer has said already.
    fn waits(&self, out: &mut String) {
        let is_said = |wait: &Waiting| self.sentences.contains(&wait.to_string());
        let waits: Vec<&Waiting> = self.triggers.iter().filter(|it| !is_said(it)).collect();
        if waits.is_empty() {
            return;
        }
        let _ = writeln!(out, "\nit waits for");
        let width = waits.iter().map(|wait| wait.what.chars().count());
        let width = width.max().unwrap_or(0).min(48);
        for wait in waits {
            let _ = writeln!(out, "  {:<width$}  {}", wait.what, wait.said);
        }
    }
}
