//! A meter's pulses: how many, and how many a minute. The count begins at 0 with each boot.

use link::Millis;
use wire::{Fields, Options, Value};

use super::{Machine, Misfit, Sample, Sink, debounce::Debounce};

/// Between two reports: a meter that spins need not tell each pulse.
const GAP_MS: u64 = 10_000;
const MINUTE_MS: f64 = 60_000.0;

pub(super) struct Counter {
    pin: Debounce,
    /// Pulses that make a report.
    change: f64,
    count: u64,
    /// The last pulse, and milliseconds between it and the one before.
    last: Option<(Millis, Option<u64>)>,
    told: u64,
    told_at: Option<Millis>,
}

impl Counter {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            pin: Debounce::new(options),
            change: options.report_change.unwrap_or(1.0),
            count: 0,
            last: None,
            told: 0,
            told_at: None,
        }
    }

    fn change(&mut self, change: Option<bool>, now: Millis) {
        if change == Some(true) {
            self.count += 1;
            let pause = self.last.map(|(before, _)| now.since(before).max(1));
            self.last = Some((now, pause));
        }
    }

    fn wants(&self) -> bool {
        self.count != self.told && self.count.abs_diff(self.told) as f64 >= self.change
    }

    fn is_news(&mut self, now: Millis) -> bool {
        let news = self.wants() && self.due() <= now;
        if news {
            (self.told, self.told_at) = (self.count, Some(now));
        }
        news
    }

    /// When it may report again.
    fn due(&self) -> Millis {
        self.told_at.map_or(Millis(0), |at| at.after(GAP_MS))
    }

    /// A minute's pulses. Where none came for longer than between the last two, it is slower than that.
    fn rate(&self, now: Millis) -> f64 {
        match self.last {
            Some((last, Some(pause))) => MINUTE_MS / pause.max(now.since(last)) as f64,
            _ => 0.0,
        }
    }
}

impl Machine for Counter {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, _: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Level(level) = sample else {
            return Err(Misfit::Sample);
        };
        let change = self.pin.level(level, now);
        self.change(change, now);
        Ok(self.is_news(now))
    }

    fn tick(&mut self, now: Millis, _: Sink<'_>) -> bool {
        let change = self.pin.tick(now);
        self.change(change, now);
        self.is_news(now)
    }

    fn deadline(&self) -> Millis {
        let report = if self.wants() {
            self.due()
        } else {
            Millis::NEVER
        };
        self.pin.deadline().min(report)
    }

    fn state(&self, now: Millis) -> Fields<'static> {
        let number = |name, number| (name, Value::Number(number));
        let fields = [
            number("count", self.count as f64),
            number("rate", self.rate(now)),
        ];
        // Names that are names, each once: it can't fail.
        Fields::new(&fields).unwrap_or_default()
    }

    fn reset(&mut self) -> bool {
        (self.count, self.told) = (0, 0);
        true
    }
}
