//! Drivers of outputs. Each does what its kind's [`Drive`] says and ignores that of other kinds: a role and its pins
//! come from one place.

use embedded_hal::{digital::OutputPin, digital::PinState, pwm::SetDutyCycle};

use crate::{
    limit::within,
    output::{Drive, FULL, Moving},
};

/// A switch or a buzzer at a pin.
#[derive(Debug)]
pub struct Relay<P> {
    pin: P,
    invert: bool,
}

impl<P: OutputPin> Relay<P> {
    /// `invert`: it is on while the pin is low.
    pub fn new(pin: P, invert: bool) -> Self {
        Self { pin, invert }
    }

    /// Does what a switch or a buzzer should be.
    ///
    /// # Errors
    /// The pin's.
    pub fn drive(&mut self, drive: Drive) -> Result<(), P::Error> {
        match drive {
            Drive::Level(on) => self.set(on),
            _ => Ok(()),
        }
    }

    fn set(&mut self, on: bool) -> Result<(), P::Error> {
        self.pin.set_state(PinState::from(on != self.invert))
    }
}

/// A lamp at one pin, or at one for each colour: red, green, blue, white.
#[derive(Debug)]
pub struct LampPins<P> {
    pins: [Option<P>; 4],
    invert: bool,
}

impl<P: SetDutyCycle> LampPins<P> {
    /// A dimmer.
    pub fn dimmer(pin: P, invert: bool) -> Self {
        Self::light([None, None, None, Some(pin)], invert)
    }

    /// A light: its pins for red, green, blue and white, as far as it has them.
    pub fn light(pins: [Option<P>; 4], invert: bool) -> Self {
        Self { pins, invert }
    }

    /// Does what a dimmer or a light should be.
    ///
    /// # Errors
    /// A pin's; those after it are not set.
    pub fn drive(&mut self, drive: Drive) -> Result<(), P::Error> {
        let Drive::Lamp(levels) = drive else {
            return Ok(());
        };
        for (pin, level) in self.pins.iter_mut().zip(levels) {
            if let Some(pin) = pin {
                let most = u32::from(pin.max_duty_cycle());
                let half = u32::from(FULL) / 2;
                let duty = (u32::from(level.min(FULL)) * most + half) / u32::from(FULL);
                let duty = if self.invert { most - duty } else { duty };
                // No more than the most.
                pin.set_duty_cycle(duty as u16)?;
            }
        }
        Ok(())
    }
}

/// A cover's motor: one pin for each way. Never are both on, whatever fails.
#[derive(Debug)]
pub struct Motor<U, D> {
    up: Relay<U>,
    down: Relay<D>,
}

impl<E, U: OutputPin<Error = E>, D: OutputPin<Error = E>> Motor<U, D> {
    /// `invert`: a way is on while its pin is low.
    pub fn new(up: U, down: D, invert: bool) -> Self {
        Self {
            up: Relay::new(up, invert),
            down: Relay::new(down, invert),
        }
    }

    /// Does what a cover should be: a way is switched off before the other is switched on.
    ///
    /// # Errors
    /// A pin's. Where one could not be switched off, the other is not switched on.
    pub fn drive(&mut self, drive: Drive) -> Result<(), E> {
        let Drive::Cover(moving) = drive else {
            return Ok(());
        };
        match moving {
            Moving::Stopped => {
                // One that fails must not keep the other on.
                let up = self.up.set(false);
                self.down.set(false).and(up)
            }
            Moving::Opening => {
                self.down.set(false)?;
                self.up.set(true)
            }
            Moving::Closing => {
                self.up.set(false)?;
                self.down.set(true)
            }
        }
    }
}

/// Pulses every 20 ms: the frequency that a servo's pin is set up with.
const PERIOD_US: u32 = 20_000;
/// The pulse at the lower end; every servo takes it.
const PULSE_US_MIN: u32 = 1_000;
/// How much longer it is at the upper end.
const PULSE_US_SPAN: u32 = 1_000;

/// A servo at a pin whose PWM runs at 50 Hz: pulses of 1 to 2 ms from its smallest to its largest angle.
#[derive(Debug)]
pub struct ServoPin<P> {
    pin: P,
    min: f32,
    max: f32,
}

impl<P: SetDutyCycle> ServoPin<P> {
    /// The angles at its ends, as the channel has them: 0 and 180 where it does not say.
    pub fn new(pin: P, min: f32, max: f32) -> Self {
        Self { pin, min, max }
    }

    /// Does what a servo should be.
    ///
    /// # Errors
    /// The pin's.
    pub fn drive(&mut self, drive: Drive) -> Result<(), P::Error> {
        let Drive::Angle(angle) = drive else {
            return Ok(());
        };
        let Some(angle) = angle else {
            return self.pin.set_duty_cycle_fully_off();
        };
        let span = self.max - self.min;
        let share = if span > 0.0 {
            within((angle - self.min) / span, 0.0, 1.0)
        } else {
            0.0
        };
        let pulse_us = PULSE_US_MIN + libm::roundf(share * PULSE_US_SPAN as f32) as u32;
        let most = u32::from(self.pin.max_duty_cycle());
        // A tenth of the most at the most.
        self.pin
            .set_duty_cycle((most * pulse_us / PERIOD_US) as u16)
    }
}
