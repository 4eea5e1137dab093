//! A servo: an angle within its channel's range. Until it is told one it has none, and its pin stays still.

use link::Millis;
use wire::{Fields, Options, Value};

use crate::limit::within;

use super::{
    Drive, Kept, Machine, Refused,
    order::{Command, Has, Target},
    ramp::Ramp,
};

pub(super) struct Servo {
    min: f32,
    max: f32,
    /// Where it is, where it goes.
    from: Option<f32>,
    is: Option<f32>,
    to: Option<f32>,
    ramp: Option<Ramp>,
}

impl Servo {
    pub(super) fn new(options: &Options, kept: Option<Kept>) -> Self {
        let min = options.min.unwrap_or(0.0) as f32;
        let max = (options.max.unwrap_or(180.0) as f32).max(min);
        let angle = match kept {
            Some(Kept::Servo(angle)) => angle.map(|angle| within(angle, min, max)),
            _ => None,
        };
        Self {
            min,
            max,
            from: angle,
            is: angle,
            to: angle,
            ramp: None,
        }
    }

    fn go(&mut self, angle: f32, fade_ms: u32, now: Millis) {
        self.to = Some(angle);
        self.from = self.is;
        // Where it is isn't known before the first target.
        self.ramp = self.is.and_then(|_| Ramp::new(fade_ms, now));
        if self.ramp.is_none() {
            self.is = self.to;
        }
    }
}

impl Machine for Servo {
    fn target(&mut self, target: &Target, now: Millis) -> Result<bool, Refused> {
        target.only(&[Has::Angle])?;
        if let Some(angle) = target.angle {
            if !(self.min..=self.max).contains(&angle) {
                return Err(Refused::Value("angle"));
            }
            self.go(angle, target.fade_ms, now);
        }
        Ok(self.ramp.is_none())
    }

    fn command(&mut self, _: Command, _: Millis) -> Result<bool, Refused> {
        Err(Refused::Command)
    }

    fn fall_back(&mut self, on: bool, now: Millis) -> bool {
        let before = self.is;
        self.go(if on { self.max } else { self.min }, 0, now);
        self.is != before
    }

    fn tick(&mut self, now: Millis) -> bool {
        let (Some(ramp), Some(from), Some(to)) = (&mut self.ramp, self.from, self.to) else {
            return false;
        };
        if let Some(progress) = ramp.progress(now) {
            self.is = Some(progress.between_f32(from, to));
            ramp.stepped(now);
            return false;
        }
        self.is = self.to;
        self.ramp = None;
        true
    }

    fn deadline(&self) -> Millis {
        self.ramp.as_ref().map_or(Millis::NEVER, Ramp::next)
    }

    fn drive(&self) -> Drive {
        Drive::Angle(self.is)
    }

    fn state(&self) -> Fields<'static> {
        let angle = self.is.map(|is| ("angle", Value::Number(is.into())));
        Fields::new(angle.as_slice()).unwrap_or_default()
    }

    fn kept(&self) -> Kept {
        Kept::Servo(self.to)
    }

    fn has_on(&self) -> bool {
        false
    }
}
