//! Events as the table of kinds has them. Called by whoever puts them on the link.

use wire::{Fields, Value};

/// Something happened at a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    /// A button was pressed.
    Press,
    /// It was let go.
    Release,
    /// A knob was turned, clockwise where it is more than 0.
    Turn {
        /// -100 to 100.
        steps: i8,
    },
    /// A key was pressed.
    KeyPress {
        /// 0-127.
        key: u8,
        /// 0-127; `None`: its keyboard has no dynamics.
        velocity: Option<u8>,
    },
    /// A key was let go.
    KeyRelease {
        /// 0-127.
        key: u8,
    },
    /// A MIDI controller was moved.
    Control {
        /// 0-127.
        number: u8,
        /// 0-127.
        value: u8,
    },
    /// The sustain pedal.
    Pedal {
        /// Whether a foot is on it.
        down: bool,
    },
    /// Motion began.
    Start,
    /// Motion ended.
    Stop,
    /// A contact opened.
    Open,
    /// A contact closed.
    Close,
    /// Somebody came home.
    Arrive,
    /// Somebody left.
    Leave,
}

impl Happened {
    /// Its name in the mapping.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Press | Self::KeyPress { .. } => "press",
            Self::Release | Self::KeyRelease { .. } => "release",
            Self::Turn { .. } => "turn",
            Self::Control { .. } => "control",
            Self::Pedal { .. } => "pedal",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Open => "open",
            Self::Close => "close",
            Self::Arrive => "arrive",
            Self::Leave => "leave",
        }
    }

    /// Its fields.
    #[must_use]
    pub fn fields(self) -> Fields<'static> {
        let number = |name, number: u8| (name, Value::Number(number.into()));
        let fields = match self {
            Self::Turn { steps } => Fields::new(&[("steps", Value::Number(steps.into()))]),
            Self::KeyPress {
                key,
                velocity: Some(velocity),
            } => Fields::new(&[number("key", key), number("velocity", velocity)]),
            Self::KeyPress { key, .. } | Self::KeyRelease { key } => {
                Fields::new(&[number("key", key)])
            }
            Self::Control {
                number: which,
                value,
            } => Fields::new(&[number("number", which), number("value", value)]),
            Self::Pedal { down } => Fields::new(&[("down", Value::Bool(down))]),
            _ => Fields::new(&[]),
        };
        // Names that are names, each once: it can't fail.
        fields.unwrap_or_default()
    }
}
