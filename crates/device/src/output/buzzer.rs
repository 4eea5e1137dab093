//! A buzzer: on or off, and a beep that ends by itself and is no state.

use link::Millis;
use wire::Fields;

use super::{
    Drive, Kept, Machine, Refused,
    order::{Command, Has, Target},
    switch::{on_or_off, was_on},
};

pub(super) struct Buzzer {
    on: bool,
    /// A beep lasts until then.
    beeps: Option<Millis>,
}

impl Buzzer {
    pub(super) fn new(kept: Option<Kept>) -> Self {
        Self {
            on: was_on(kept),
            beeps: None,
        }
    }
}

impl Machine for Buzzer {
    fn target(&mut self, target: &Target, _: Millis) -> Result<bool, Refused> {
        target.only(&[Has::On])?;
        self.on = target.on.unwrap_or(self.on);
        self.beeps = None;
        Ok(true)
    }

    fn command(&mut self, command: Command, now: Millis) -> Result<bool, Refused> {
        let Command::Beep(ms) = command else {
            return Err(Refused::Command);
        };
        self.beeps = Some(now.after(ms.into()));
        Ok(false)
    }

    fn fall_back(&mut self, on: bool, _: Millis) -> bool {
        self.beeps = None;
        core::mem::replace(&mut self.on, on) != on
    }

    fn tick(&mut self, now: Millis) -> bool {
        self.beeps = self.beeps.filter(|until| now < *until);
        false
    }

    fn deadline(&self) -> Millis {
        self.beeps.unwrap_or(Millis::NEVER)
    }

    fn drive(&self) -> Drive {
        Drive::Level(self.on || self.beeps.is_some())
    }

    fn state(&self) -> Fields<'static> {
        on_or_off(self.on)
    }

    fn kept(&self) -> Kept {
        Kept::Level { on: self.on }
    }
}
