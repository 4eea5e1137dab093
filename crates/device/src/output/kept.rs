//! What an output was, in the bytes that outlive a power cut. Called by outputs; the runtime writes them to flash. Bytes
//! that make no sense are nothing: an output then begins as if it were new.

use super::colour::Tint;

/// Bytes of an output's record.
pub const KEPT_LEN: usize = 8;

/// What an output was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kept {
    /// A switch or a buzzer.
    Level {
        /// Whether it was on.
        on: bool,
    },
    /// A dimmer or a light.
    Lamp {
        /// Whether it was on.
        on: bool,
        /// 1-100 %, also while it is off.
        brightness: u8,
        /// Its colour, where it had one.
        tint: Tint,
    },
    /// A cover: where it was, % open; `None` where nobody knows.
    Cover(Option<u8>),
    /// A servo: its angle, where it had one.
    Servo(Option<f32>),
}

const LEVEL: u8 = 1;
const LAMP: u8 = 2;
const COVER: u8 = 3;
const SERVO: u8 = 4;

impl Kept {
    /// The record.
    #[must_use]
    pub fn encode(&self) -> [u8; KEPT_LEN] {
        let mut out = [0; KEPT_LEN];
        match *self {
            Self::Level { on } => (out[0], out[1]) = (LEVEL, on.into()),
            Self::Lamp {
                on,
                brightness,
                tint,
            } => {
                (out[0], out[1], out[2]) = (LAMP, on.into(), brightness);
                let (which, number, saturation) = match tint {
                    Tint::Plain => (0, 0, 0),
                    Tint::White { kelvin } => (1, kelvin, 0),
                    Tint::Hue { hue, saturation } => (2, hue, saturation),
                };
                (out[3], out[4]) = (which, saturation);
                out[5..7].copy_from_slice(&number.to_le_bytes());
            }
            Self::Cover(position) => (out[0], out[1]) = (COVER, position.unwrap_or(u8::MAX)),
            Self::Servo(angle) => {
                (out[0], out[1]) = (SERVO, angle.is_some().into());
                out[2..6].copy_from_slice(&angle.unwrap_or_default().to_le_bytes());
            }
        }
        out
    }

    /// What a record says; `None` where it says nothing that could be.
    #[must_use]
    pub fn decode(bytes: &[u8; KEPT_LEN]) -> Option<Self> {
        let [of, first, second, which, saturation, low, high, _] = *bytes;
        let number = u16::from_le_bytes([low, high]);
        Some(match of {
            LEVEL => Self::Level { on: first == 1 },
            LAMP if (1..=100).contains(&second) => Self::Lamp {
                on: first == 1,
                brightness: second,
                tint: match which {
                    0 => Tint::Plain,
                    1 if (1_500..=9_000).contains(&number) => Tint::White { kelvin: number },
                    2 if number < 360 && saturation <= 100 => {
                        let hue = number;
                        Tint::Hue { hue, saturation }
                    }
                    _ => return None,
                },
            },
            COVER => Self::Cover((first <= 100).then_some(first)),
            SERVO => {
                let angle = f32::from_le_bytes([second, which, saturation, low]);
                Self::Servo((first == 1 && angle.is_finite()).then_some(angle))
            }
            _ => return None,
        })
    }

    /// The same, but off.
    pub(super) fn off(self) -> Self {
        match self {
            Self::Level { .. } => Self::Level { on: false },
            Self::Lamp {
                brightness, tint, ..
            } => Self::Lamp {
                on: false,
                brightness,
                tint,
            },
            other => other,
        }
    }
}
