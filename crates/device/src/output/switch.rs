//! A switch: on or off.

use link::Millis;
use wire::Fields;

use super::{
    Drive, Kept, Machine, Refused,
    order::{Command, Has, Target},
};

pub(super) struct Switch {
    on: bool,
}

impl Switch {
    pub(super) fn new(kept: Option<Kept>) -> Self {
        Self { on: was_on(kept) }
    }
}

/// Whether a switch or a buzzer was on.
pub(super) fn was_on(kept: Option<Kept>) -> bool {
    matches!(kept, Some(Kept::Level { on: true }))
}

/// The state of what is only on or off.
pub(super) fn on_or_off(on: bool) -> Fields<'static> {
    // One name that is one: it can't fail.
    Fields::new(&[("on", wire::Value::Bool(on))]).unwrap_or_default()
}

impl Machine for Switch {
    fn target(&mut self, target: &Target, _: Millis) -> Result<bool, Refused> {
        target.only(&[Has::On])?;
        self.on = target.on.unwrap_or(self.on);
        Ok(true)
    }

    fn command(&mut self, _: Command, _: Millis) -> Result<bool, Refused> {
        Err(Refused::Command)
    }

    fn fall_back(&mut self, on: bool, _: Millis) -> bool {
        core::mem::replace(&mut self.on, on) != on
    }

    fn tick(&mut self, _: Millis) -> bool {
        false
    }

    fn deadline(&self) -> Millis {
        Millis::NEVER
    }

    fn drive(&self) -> Drive {
        Drive::Level(self.on)
    }

    fn state(&self) -> Fields<'static> {
        on_or_off(self.on)
    }

    fn kept(&self) -> Kept {
        Kept::Level { on: self.on }
    }
}
