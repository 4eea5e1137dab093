//! A state as people read it.
//!
//! ```text
//! Saturday 28 March 2026, 21:05:00.000
//!
//! hall  online
//!   lamp    on          true    20:06:10   wanted false by rule hall-motion-off
//!           brightness  40      20:06:10
//!   lux                 12      20:00:10
//!
//! variables
//!   night  false
//! timers
//!   hall-off  runs out at 21:06:10 in 1 min 10 s, started at 21:01:10 by rule hall-motion
//! ```

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use types::UnixTime;

use super::{ChannelState, DeviceState, FieldState, State, look::AT_THE_DEVICE};
use crate::{
    paint::Paint,
    words::{clock_of, day_of, roughly, short_clock},
};

impl State {
    /// For people at home.
    #[must_use]
    pub fn text(&self, zone: &TimeZone, paint: Paint) -> String {
        let mut out = String::new();
        // Writing to a string can't fail, here and below.
        let _ = writeln!(
            out,
            "{}",
            paint.bold(&format!(
                "{}, {}",
                day_of(zone, self.at),
                clock_of(zone, self.at)
            ))
        );
        if let Some((asked, then)) = &self.then {
            let _ = writeln!(out, "{asked} was called {then} then");
        }
        for device in &self.devices {
            let _ = writeln!(out, "\n{}", self.head(device, zone, paint));
            let widths = widths(device);
            for channel in &device.channels {
                self.channel(&mut out, channel, widths, zone, paint);
            }
        }
        self.lists(&mut out, zone, paint);
        out
    }

    fn head(&self, device: &DeviceState, zone: &TimeZone, paint: Paint) -> String {
        let there = match (device.online, device.heard) {
            (true, _) => paint.good("online"),
            (false, None) => paint.bad("offline"),
            (false, Some(heard)) => {
                let ago = format!("last heard {} ago", roughly(self.at.since(heard)));
                format!(
                    "{}, {ago} at {}",
                    paint.bad("offline"),
                    short_clock(zone, heard)
                )
            }
        };
        let blocked = match (device.blocked.producer, device.blocked.consumer) {
            (false, false) => String::new(),
            (true, true) => format!(", {}", paint.bad("blocked")),
            (true, false) => format!(", {}", paint.bad("blocked as producer")),
            (false, true) => format!(", {}", paint.bad("blocked as consumer")),
        };
        format!("{}  {there}{blocked}", paint.bold(&device.name))
    }

    fn channel(
        &self,
        out: &mut String,
        channel: &ChannelState,
        (name, field, value): (usize, usize, usize),
        zone: &TimeZone,
        paint: Paint,
    ) {
        let alone = is_alone(channel);
        for (place, row) in channel.fields.iter().enumerate() {
            let first = if place == 0 {
                channel.name.as_str()
            } else {
                ""
            };
            let named = if alone { "" } else { row.name.as_str() };
            let line = format!(
                "  {first:<name$}  {named:<field$}  {}",
                self.field(row, value, zone, paint)
            );
            let _ = writeln!(out, "{}", line.trim_end());
        }
        if channel.fields.is_empty() {
            let line = format!("  {:<name$}  {}", channel.name, paint.dim("nothing known"));
            let _ = writeln!(out, "{line}");
        }
        let margin = " ".repeat(name + 4);
        if let Some(until) = channel.held_until {
            let until = clock_of(zone, until);
            let _ = writeln!(
                out,
                "{margin}{}",
                paint.doubt(&format!("held until {until}: rules don't write it"))
            );
        }
        if let Some(until) = channel.bounded_until {
            let until = clock_of(zone, until);
            let _ = writeln!(out, "{margin}ends by itself at {until}");
        }
    }

    fn field(&self, row: &FieldState, width: usize, zone: &TimeZone, paint: Paint) -> String {
        let (shown, when) = match &row.reported {
            Some((value, at)) => (value.to_string(), short_clock(zone, *at)),
            None => ("-".to_owned(), String::new()),
        };
        let mut text = format!("{shown:<width$}  {}", paint.dim(&format!("{when:<8}")));
        if row.is_stale {
            let _ = write!(text, "  {}", paint.doubt("too old to count: unknown"));
        }
        if let Some((wanted, who)) = &row.wanted {
            let differs = row
                .reported
                .as_ref()
                .is_some_and(|(value, _)| value != wanted);
            let wanted = format!("wanted {wanted}");
            let wanted = if differs { paint.bad(&wanted) } else { wanted };
            let by = if who == AT_THE_DEVICE { "" } else { " by" };
            let _ = write!(text, "  {wanted}{by} {who}");
        }
        text
    }

    fn lists(&self, out: &mut String, zone: &TimeZone, paint: Paint) {
        let width = |names: &mut dyn Iterator<Item = usize>| names.max().unwrap_or(0);
        if !self.vars.is_empty() {
            let _ = writeln!(out, "\n{}", paint.bold("variables"));
            let name = width(&mut self.vars.iter().map(|(name, _)| name.chars().count()));
            for (var, value) in &self.vars {
                let _ = writeln!(out, "  {var:<name$}  {value}");
            }
        }
        if !self.timers.is_empty() {
            let _ = writeln!(out, "\n{}", paint.bold("timers"));
            let name = width(&mut self.timers.iter().map(|timer| timer.name.chars().count()));
            for timer in &self.timers {
                let _ = writeln!(
                    out,
                    "  {:<name$}  runs out {}, started at {} by rule {}",
                    timer.name,
                    self.due(timer.due, zone),
                    clock_of(zone, timer.started),
                    timer.by
                );
            }
        }
        if !self.waits.is_empty() {
            let _ = writeln!(out, "\n{}", paint.bold("rules that wait"));
            let name = width(&mut self.waits.iter().map(|wait| wait.rule.chars().count()));
            for wait in &self.waits {
                let due = match wait.due {
                    Some(due) => self.due(due, zone),
                    None => "once that is known".to_owned(),
                };
                let _ = writeln!(out, "  {:<name$}  {}: {due}", wait.rule, wait.what);
            }
        }
    }

    fn due(&self, due: UnixTime, zone: &TimeZone) -> String {
        format!(
            "at {} in {}",
            clock_of(zone, due),
            roughly(due.since(self.at))
        )
    }
}

/// A sensor's only field needs no name.
fn is_alone(channel: &ChannelState) -> bool {
    matches!(channel.fields.as_slice(), [field] if field.wanted.is_none())
}

/// Of channels, fields and values.
fn widths(device: &DeviceState) -> (usize, usize, usize) {
    let max = |all: &mut dyn Iterator<Item = usize>| all.max().unwrap_or(0).min(24);
    let fields = || device.channels.iter().flat_map(|channel| &channel.fields);
    let named = device.channels.iter().filter(|channel| !is_alone(channel));
    (
        max(&mut device
            .channels
            .iter()
            .map(|channel| channel.name.chars().count())),
        max(&mut named
            .flat_map(|channel| &channel.fields)
            .map(|field| field.name.chars().count())),
        max(&mut fields().map(|field| {
            let value = field.reported.as_ref().map(|(value, _)| value.to_string());
            value.map_or(1, |value| value.chars().count())
        })),
    )
}
