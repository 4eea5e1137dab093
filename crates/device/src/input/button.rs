//! A push button: pressed, let go.

use link::Millis;
use wire::{Fields, Options};

use super::{Happened, Machine, Misfit, Sample, Sink, debounce::Debounce};

pub(super) struct Button {
    pin: Debounce,
}

impl Button {
    pub(super) fn new(options: &Options) -> Self {
        let pin = Debounce::new(options);
        Self { pin }
    }
}

/// The event of a level that changed.
pub(super) fn pressed(change: Option<bool>, sink: Sink<'_>) {
    match change {
        Some(true) => sink(Happened::Press),
        Some(false) => sink(Happened::Release),
        None => {}
    }
}

impl Machine for Button {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, sink: Sink<'_>) -> Result<bool, Misfit> {
        let Sample::Level(level) = sample else {
            return Err(Misfit::Sample);
        };
        pressed(self.pin.level(level, now), sink);
        Ok(false)
    }

    fn tick(&mut self, now: Millis, sink: Sink<'_>) -> bool {
        pressed(self.pin.tick(now), sink);
        false
    }

    fn deadline(&self) -> Millis {
        self.pin.deadline()
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        Fields::default()
    }
}
