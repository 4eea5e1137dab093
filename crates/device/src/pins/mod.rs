//! Pins of any board, by the traits of `embedded-hal`: what an output should be becomes levels and duties, and levels
//! become what an input takes. Called by a board's firmware, which knows which pin is which; the machines know none.
//!
//! Whether a pin works the other way round (`invert`) is settled here and nowhere else.
//!
//! ```
//! use device::{Drive, pins::Relay};
//! # use std::convert::Infallible;
//! # use embedded_hal::digital::{ErrorType, OutputPin};
//! # #[derive(Default)]
//! # struct Pin { is_high: bool }
//! # impl ErrorType for Pin { type Error = Infallible; }
//! # impl OutputPin for Pin {
//! #     fn set_low(&mut self) -> Result<(), Infallible> { self.is_high = false; Ok(()) }
//! #     fn set_high(&mut self) -> Result<(), Infallible> { self.is_high = true; Ok(()) }
//! # }
//! # let mut pin = Pin::default();
//! // A relay that is on while its pin is low.
//! let mut relay = Relay::new(&mut pin, true);
//! relay.drive(Drive::Level(false))?;
//! assert!(pin.is_high);
//! # Ok::<(), Infallible>(())
//! ```

mod inputs;
mod outputs;

pub use inputs::{Knob, Line, Matrix};
pub use outputs::{LampPins, Motor, Relay, ServoPin};
