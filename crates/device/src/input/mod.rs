//! Inputs: one state machine for each channel that produces. Called by the runtime with what pins, buses and sensors
//! say; events come out through a sink, and whether the state should be reported is asked. Must not know pins, or what
//! a press means: gestures are the dispatcher's.
//!
//! How things are at the start is no event: who switches the power on presses no button and opens no door.

mod button;
mod counter;
mod debounce;
mod encoder;
mod happened;
mod keyboard;
mod midi;
mod sensor;
mod two_state;

use link::Millis;
use wire::{Channel, ChannelKind, Fields};

use crate::every::Every;
use button::Button;
use counter::Counter;
use encoder::Encoder;
pub use happened::Happened;
use keyboard::Keyboard;
pub use keyboard::ROWS_MAX;
use midi::Midi;
use sensor::Sensor;
use two_state::TwoState;

/// What the hardware of a channel says. Levels are as the channel means them: where its pin works the other way round,
/// the pin's driver turned it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample<'a> {
    /// The level of its pin: pressed, moving, open, at home, a pulse.
    Level(bool),
    /// The levels of a knob's two pins.
    Quadrature(bool, bool),
    /// The keys of a matrix that conduct: a number for each row, a bit for each column, the first the lowest.
    Keys(&'a [u16]),
    /// A byte of the serial line.
    Byte(u8),
    /// What was measured, in the kind's unit.
    Measured(f64),
}

/// Why a sample is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// The channel has no such hardware.
    Sample,
    /// No number, or none that its sensor could measure: it is broken or not wired.
    Value,
}

impl core::fmt::Display for Misfit {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Sample => "not what this channel's hardware says",
            Self::Value => "a value that its sensor can't measure",
        })
    }
}

impl core::error::Error for Misfit {}

/// Where events go.
pub type Sink<'a> = &'a mut dyn FnMut(Happened);

/// What a machine of one kind does. `true`: how it is should be reported.
trait Machine {
    /// Takes a sample.
    fn sample(&mut self, sample: Sample<'_>, now: Millis, sink: Sink<'_>) -> Result<bool, Misfit>;

    /// Time has passed.
    fn tick(&mut self, now: Millis, sink: Sink<'_>) -> bool;

    /// When [`Machine::tick`] is due.
    fn deadline(&self) -> Millis;

    /// How it is; without a field: it has no state, or it is not known.
    fn state(&self, now: Millis) -> Fields<'static>;

    /// It counts from 0 again; `false`: it does not count.
    fn reset(&mut self) -> bool {
        false
    }

    /// Keys that could not be told from others, since the start.
    fn ghosts(&self) -> u32 {
        0
    }
}

#[expect(
    clippy::large_enum_variant,
    reason = "one for each channel, and there is no allocator to box a keyboard"
)]
enum Of {
    Button(Button),
    Encoder(Encoder),
    Keyboard(Keyboard),
    Midi(Midi),
    TwoState(TwoState),
    Sensor(Sensor),
    Counter(Counter),
}

impl Of {
    fn new(channel: &Channel) -> Option<Self> {
        let (kind, options) = (channel.kind, &channel.options);
        Some(match kind {
            ChannelKind::Button => Self::Button(Button::new(options)),
            ChannelKind::Encoder => Self::Encoder(Encoder::new(options)),
            ChannelKind::Keyboard => Self::Keyboard(Keyboard::new(options)),
            ChannelKind::Midi => Self::Midi(Midi::new(options)),
            ChannelKind::Motion | ChannelKind::Contact | ChannelKind::Presence => {
                Self::TwoState(TwoState::new(kind, options))
            }
            ChannelKind::Lux
            | ChannelKind::Temperature
            | ChannelKind::Humidity
            | ChannelKind::Pressure
            | ChannelKind::Analog => Self::Sensor(Sensor::new(kind, options)),
            ChannelKind::Counter => Self::Counter(Counter::new(options)),
            _ => return None,
        })
    }

    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Self::Button(of) => of,
            Self::Encoder(of) => of,
            Self::Keyboard(of) => of,
            Self::Midi(of) => of,
            Self::TwoState(of) => of,
            Self::Sensor(of) => of,
            Self::Counter(of) => of,
        }
    }

    fn as_machine(&self) -> &dyn Machine {
        match self {
            Self::Button(of) => of,
            Self::Encoder(of) => of,
            Self::Keyboard(of) => of,
            Self::Midi(of) => of,
            Self::TwoState(of) => of,
            Self::Sensor(of) => of,
            Self::Counter(of) => of,
        }
    }
}

/// One input.
///
/// Sans-io. After each call that takes `now`, ask [`Input::poll_report`]; [`Input::handle_timeout`] is due at
/// [`Input::deadline`]. `now` never goes back.
pub struct Input {
    of: Of,
    every: Every,
    report: bool,
}

impl core::fmt::Debug for Input {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

impl Input {
    /// Begins without knowing anything. `None`: the channel is no input.
    #[must_use]
    pub fn new(channel: &Channel, now: Millis) -> Option<Self> {
        Some(Self {
            of: Of::new(channel)?,
            every: Every::new(channel.options.report_every_ms, now),
            report: false,
        })
    }

    /// Takes what the hardware says; what happened goes into `sink`.
    ///
    /// # Errors
    /// [`Misfit`]: nothing changes.
    pub fn sample(
        &mut self,
        sample: Sample<'_>,
        now: Millis,
        sink: Sink<'_>,
    ) -> Result<(), Misfit> {
        self.report |= self.of.machine().sample(sample, now, sink)?;
        Ok(())
    }

    /// Does what fell due.
    pub fn handle_timeout(&mut self, now: Millis, sink: Sink<'_>) {
        self.report |= self.of.machine().tick(now, sink);
        self.report |= self.every.tick(now);
    }

    /// When [`Input::handle_timeout`] is due.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        self.of.as_machine().deadline().min(self.every.due())
    }

    /// A session begins: the dispatcher wants to know how it is.
    pub fn begin(&mut self) {
        self.report = true;
    }

    /// The report found no room.
    pub(crate) fn report_again(&mut self) {
        self.report = true;
    }

    /// It counts from 0 again; `false`: it does not count.
    pub fn reset(&mut self) -> bool {
        let done = self.of.machine().reset();
        self.report |= done;
        done
    }

    /// Whether [`Input::state`] should be reported; once for all that changed since the last call.
    pub fn poll_report(&mut self) -> bool {
        core::mem::take(&mut self.report)
    }

    /// How it is; without a field: it has no state, or it is not known.
    #[must_use]
    pub fn state(&self, now: Millis) -> Fields<'static> {
        self.of.as_machine().state(now)
    }

    /// Keys that were not reported because a matrix without diodes can't tell them from others, since the start.
    #[must_use]
    pub fn ghosts(&self) -> u32 {
        self.of.as_machine().ghosts()
    }
}
