//! Dimmers and lights: whether it is on, how bright, which colour, and how it gets there.
//!
//! A lamp that is off knows how bright it was. Where it is on its way, its state is where it is, not where it goes.

use link::Millis;
use wire::{Fields, Options, Value};

use crate::limit::within;

use super::{
    Drive, FULL, Kept, Machine, Refused,
    colour::{Tint, bent, mix},
    order::{Command, Has, Target},
    ramp::{Progress, Ramp},
};

/// How bright a lamp is that never was told.
const BRIGHTNESS: u8 = 100;

pub(super) struct Lamp {
    has_colour: bool,
    has_white: bool,
    /// Shares of the duty for 1 % and for 100 %.
    ends: (u16, u16),
    gamma: f32,
    goal: Goal,
    was: Shown,
    is: Shown,
    ramp: Option<Ramp>,
}

/// What is wished.
#[derive(Clone, Copy)]
struct Goal {
    on: bool,
    /// 1-100 %, also while it is off.
    brightness: u8,
    tint: Tint,
}

/// What can be seen: all of it moves in a fade.
#[derive(Clone, Copy)]
struct Shown {
    /// Hundredths of a percent; 0: off.
    brightness: u16,
    levels: [u16; 4],
}

impl Shown {
    fn between(self, to: Self, progress: Progress) -> Self {
        let mut levels = to.levels;
        for (level, from) in levels.iter_mut().zip(self.levels) {
            *level = progress.between(from, *level);
        }
        Self {
            brightness: progress.between(self.brightness, to.brightness),
            levels,
        }
    }
}

impl Lamp {
    pub(super) fn dimmer(options: &Options, kept: Option<Kept>) -> Self {
        // Its one pin is that of the white light.
        Self::new(false, true, options, kept)
    }

    pub(super) fn light(options: &Options, kept: Option<Kept>) -> Self {
        Self::new(true, options.white.is_some(), options, kept)
    }

    fn new(has_colour: bool, has_white: bool, options: &Options, kept: Option<Kept>) -> Self {
        let share = |end: Option<f64>, or: f32| {
            (within(end.map_or(or, |end| end as f32), 0.0, 100.0) * 100.0) as u16
        };
        let low = share(options.min, 1.0);
        let dark = Shown {
            brightness: 0,
            levels: [0; 4],
        };
        let mut lamp = Self {
            has_colour,
            has_white,
            ends: (low, share(options.max, 100.0).max(low)),
            gamma: options.gamma.unwrap_or(1.0) as f32,
            goal: Goal {
                on: false,
                brightness: BRIGHTNESS,
                tint: Tint::Plain,
            },
            was: dark,
            is: dark,
            ramp: None,
        };
        if let Some(Kept::Lamp {
            on,
            brightness,
            tint,
        }) = kept
        {
            lamp.goal = Goal {
                on,
                brightness,
                tint,
            };
            lamp.is = lamp.shown();
        }
        lamp
    }

    /// What its goal looks like.
    fn shown(&self) -> Shown {
        let Goal {
            on,
            brightness,
            tint,
        } = self.goal;
        if !on {
            // A light that goes off keeps its colour on the way.
            return Shown {
                brightness: 0,
                levels: [0; 4],
            };
        }
        let (low, high) = (u32::from(self.ends.0), u32::from(self.ends.1));
        let share = low + (high - low) * u32::from(brightness.saturating_sub(1)) / 99;
        Shown {
            brightness: u16::from(brightness) * 100,
            levels: mix(tint, share as u16, self.has_white),
        }
    }

    fn go(&mut self, fade_ms: u32, now: Millis) {
        self.was = self.is;
        self.ramp = Ramp::new(fade_ms, now);
        if self.ramp.is_none() {
            self.is = self.shown();
        }
    }

    fn tint(&self, target: &Target) -> Tint {
        match (target.kelvin, target.hue, target.saturation) {
            (Some(kelvin), ..) => Tint::White { kelvin },
            (None, None, None) => self.goal.tint,
            (None, hue, saturation) => {
                let (old_hue, old_saturation) = match self.goal.tint {
                    Tint::Hue { hue, saturation } => (hue, saturation),
                    Tint::Plain | Tint::White { .. } => (0, 100),
                };
                Tint::Hue {
                    hue: hue.unwrap_or(old_hue),
                    saturation: saturation.unwrap_or(old_saturation),
                }
            }
        }
    }
}

impl Machine for Lamp {
    fn target(&mut self, target: &Target, now: Millis) -> Result<bool, Refused> {
        let colour: &[Has] = &[Has::On, Has::Brightness, Has::Colour];
        target.only(if self.has_colour {
            colour
        } else {
            &colour[..2]
        })?;
        let (on, brightness) = match target.brightness {
            Some(0) => (false, self.goal.brightness),
            Some(brightness) => (target.on.unwrap_or(true), brightness),
            None => (target.on.unwrap_or(self.goal.on), self.goal.brightness),
        };
        self.goal = Goal {
            on,
            brightness,
            tint: self.tint(target),
        };
        self.go(target.fade_ms, now);
        Ok(self.ramp.is_none())
    }

    fn command(&mut self, _: Command, _: Millis) -> Result<bool, Refused> {
        Err(Refused::Command)
    }

    fn fall_back(&mut self, on: bool, now: Millis) -> bool {
        let changes = self.goal.on != on || self.ramp.is_some();
        self.goal.on = on;
        self.go(0, now);
        changes
    }

    fn tick(&mut self, now: Millis) -> bool {
        let goal = self.shown();
        let Some(ramp) = &mut self.ramp else {
            return false;
        };
        if let Some(progress) = ramp.progress(now) {
            self.is = self.was.between(goal, progress);
            ramp.stepped(now);
            return false;
        }
        self.is = goal;
        self.ramp = None;
        true
    }

    fn deadline(&self) -> Millis {
        self.ramp.as_ref().map_or(Millis::NEVER, Ramp::next)
    }

    fn drive(&self) -> Drive {
        Drive::Lamp(
            self.is
                .levels
                .map(|level| bent(level.min(FULL), self.gamma)),
        )
    }

    fn state(&self) -> Fields<'static> {
        let on = self.is.brightness > 0;
        let brightness = if on {
            (self.is.brightness / 100).max(1)
        } else {
            self.goal.brightness.into()
        };
        let number = |number: u16| Value::Number(number.into());
        let common = [("on", Value::Bool(on)), ("brightness", number(brightness))];
        let [first, second] = common;
        // Names that are names, each once: it can't fail.
        match self.goal.tint {
            Tint::Plain => Fields::new(&common),
            Tint::White { kelvin } => Fields::new(&[first, second, ("kelvin", number(kelvin))]),
            Tint::Hue { hue, saturation } => Fields::new(&[
                first,
                second,
                ("hue", number(hue)),
                ("saturation", number(saturation.into())),
            ]),
        }
        .unwrap_or_default()
    }

    fn kept(&self) -> Kept {
        let Goal {
            on,
            brightness,
            tint,
        } = self.goal;
        Kept::Lamp {
            on,
            brightness,
            tint,
        }
    }
}
