//! A knob without end: two pins that tell which way it turns, and often a button in it.
//!
//! Four changes of the pins are one step that a hand feels. A contact that bounces goes back and forth between two
//! neighbours, which comes to nothing; two pins that change at once say nothing and are ignored.

use link::Millis;
use wire::{Fields, Options};

use super::{Happened, Machine, Misfit, Sample, Sink, button::pressed, debounce::Debounce};

/// Changes for a step.
const CHANGES: i16 = 4;
/// The first step is told at once, more of them together.
const GATHER_MS: u64 = 30;
/// Steps of one event, either way.
const STEPS_MAX: i16 = 100;

pub(super) struct Encoder {
    pin: Debounce,
    /// Place within the four of a turn; `None`: no level came yet.
    phase: Option<u8>,
    /// The place where it rests: where it stood at the start.
    rest: u8,
    changes: i16,
    steps: i16,
    /// Until then steps are gathered.
    gather: Option<Millis>,
}

impl Encoder {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            pin: Debounce::new(options),
            phase: None,
            rest: 0,
            changes: 0,
            steps: 0,
            gather: None,
        }
    }

    fn turn(&mut self, a: bool, b: bool) {
        // Clockwise `a` leads: 00, 10, 11, 01.
        let phase = match (a, b) {
            (false, false) => 0,
            (true, false) => 1,
            (true, true) => 2,
            (false, true) => 3,
        };
        let Some(before) = self.phase.replace(phase) else {
            self.rest = phase;
            return;
        };
        match (phase + 4 - before) % 4 {
            1 => self.changes += 1,
            3 => self.changes -= 1,
            // It stands, or a change was missed: which way nobody knows.
            _ => return,
        }
        let step = self.changes / CHANGES;
        self.changes -= step * CHANGES;
        self.steps = (self.steps + step).clamp(-STEPS_MAX, STEPS_MAX);
        // What was missed on the way is forgotten where it rests.
        if phase == self.rest {
            self.changes = 0;
        }
    }

    fn tell(&mut self, now: Millis, sink: Sink<'_>) {
        if self.gather.is_some_and(|until| now < until) {
            return;
        }
        self.gather = None;
        let steps = core::mem::take(&mut self.steps);
        if steps != 0 {
            // At most a hundred.
            sink(Happened::Turn { steps: steps as i8 });
            self.gather = Some(now.after(GATHER_MS));
        }
    }
}

impl Machine for Encoder {
    fn sample(&mut self, sample: Sample<'_>, now: Millis, sink: Sink<'_>) -> Result<bool, Misfit> {
        match sample {
            Sample::Level(level) => pressed(self.pin.level(level, now), sink),
            Sample::Quadrature(a, b) => {
                self.turn(a, b);
                self.tell(now, sink);
            }
            _ => return Err(Misfit::Sample),
        }
        Ok(false)
    }

    fn tick(&mut self, now: Millis, sink: Sink<'_>) -> bool {
        pressed(self.pin.tick(now), sink);
        self.tell(now, sink);
        false
    }

    fn deadline(&self) -> Millis {
        self.pin
            .deadline()
            .min(self.gather.unwrap_or(Millis::NEVER))
    }

    fn state(&self, _: Millis) -> Fields<'static> {
        Fields::default()
    }
}
