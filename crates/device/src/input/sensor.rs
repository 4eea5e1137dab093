//! Sensors of one number. Their `changed` is a report of their state: the dispatcher makes the event of it, and a newer
//! one replaces an older that was not heard.

use link::Millis;
use wire::{ChannelKind, Fields, Options, Value};

use super::{Machine, Misfit, Sample, Sink};

/// Between two reports of changes: ten a second follow a hand at a slider.
const GAP_MS: u64 = 100;

pub(super) struct Sensor {
    field: &'static str,
    min: f64,
    max: f64,
    /// Less than this is no change.
    change: f64,
    is: Option<f64>,
    told: Option<(f64, Millis)>,
}

impl Sensor {
    /// `kind` is one that reports a number.
    pub(super) fn new(kind: ChannelKind, options: &Options) -> Self {
        // As in the table of kinds.
        let (min, max) = match kind {
            ChannelKind::Lux => (0.0, 1_000_000.0),
            ChannelKind::Temperature => (-273.15, 2_000.0),
            ChannelKind::Humidity => (0.0, 100.0),
            ChannelKind::Pressure => (0.0, 2_000.0),
            _ => (
                options.min.unwrap_or(f64::MIN),
                options.max.unwrap_or(f64::MAX),
            ),
        };
        let field = if kind == ChannelKind::Analog {
            "value"
        } else {
            kind.name()
        };
        Self {
            field,
            min,
            max,
            change: options.report_change.unwrap_or(0.0),
            is: None,
            told: None,
        }
    }

    /// Whether what was measured is news now.
    fn is_news(&mut self, now: Millis) -> bool {
        let Some(is) = self.is.filter(|_| self.wants() && self.deadline() <= now) else {
            return false;
        };
        self.told = Some((is, now));
        true
    }

    /// Whether it is another number than was told.
    fn wants(&self) -> bool {
        match (self.is, self.told) {
            (Some(is), Some((told, _))) => is != told && (is - told).abs() >= self.change,
            (is, None) => is.is_some(),
            (None, _) => false,
        }
    }
}

impl Machine for Sensor {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, _: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Measured(number) = sample else {
            return Err(Misfit::Sample);
        };
        // Not a number is in no range.
        if !(self.min..=self.max).contains(&number) {
            return Err(Misfit::Value);
        }
        self.is = Some(number);
        Ok(self.is_news(now))
    }

    fn tick(&mut self, now: Millis, _: Sink<'_>) -> bool {
        self.is_news(now)
    }

    fn deadline(&self) -> Millis {
        match self.told {
            _ if !self.wants() => Millis::NEVER,
            Some((_, at)) => at.after(GAP_MS),
            None => Millis(0),
        }
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        let field = self.is.map(|is| (self.field, Value::Number(is)));
        // A name that is one: it can't fail.
        Fields::new(field.as_slice()).unwrap_or_default()
    }
}
