//! What a board must be able to do.

use core::fmt;

use embedded_hal::{
    digital::{self, InputPin, OutputPin},
    pwm::SetDutyCycle,
};
use wire::{Pin, Pull};

/// A board has no such pin, or not for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPin(pub Pin);

impl fmt::Display for NoPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this board has no pin {} for that", self.0)
    }
}

/// Pins, by the names that the mapping has for them. What was handed out is dropped before another role asks for it.
pub trait Pins {
    /// What a level's pin says when it fails.
    type Error: digital::Error;
    /// An input.
    type In: InputPin<Error = Self::Error>;
    /// An output.
    type Out: OutputPin<Error = Self::Error>;
    /// An output that is on for a share of the time.
    type Pwm: SetDutyCycle;

    /// Sets up an input.
    ///
    /// # Errors
    /// There is no such pin.
    fn input(&mut self, pin: Pin, pull: Option<Pull>) -> Result<Self::In, NoPin>;

    /// Sets up an output, low at first.
    ///
    /// # Errors
    /// There is no such pin.
    fn output(&mut self, pin: Pin) -> Result<Self::Out, NoPin>;

    /// Sets up an output that is on for a share of the time, off at first. `hz`: how often a second.
    ///
    /// # Errors
    /// There is no such pin, or none that can do that.
    fn pwm(&mut self, pin: Pin, hz: u32) -> Result<Self::Pwm, NoPin>;

    /// What an analog input measures, as a share of its range: 0 to 1.
    ///
    /// # Errors
    /// There is no such pin, or none that can do that.
    fn analog(&mut self, pin: Pin) -> Result<f32, NoPin>;

    /// Sets up the serial line of a MIDI instrument: 31,250 bits a second.
    ///
    /// # Errors
    /// There is no such pin, or none that can do that.
    fn serial(&mut self, rx: Pin) -> Result<(), NoPin>;

    /// A byte of the serial line, if one came.
    fn poll_byte(&mut self) -> Option<u8>;

    /// Returns when an input may have changed, at once or later; a board that can't tell waits a millisecond.
    fn changed(&mut self) -> impl Future<Output = ()>;
}

/// Random bytes of the hardware. They are mixed with others: a source that is weak while the radio is off is no harm.
pub trait Random {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}
