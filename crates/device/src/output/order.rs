//! What a SET says, read once: a target, or something momentary. Called by outputs, and by the runtime for what comes
//! before the role. Knows all fields of all kinds; which of them a kind has is its machine's.

use core::fmt;

use wire::{Set, Value};

/// Why a SET is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// A newer one came before.
    Old,
    /// The channel is no output, or there is none.
    Channel,
    /// The channel has no such field.
    Field(&'static str),
    /// No kind has a field of this name.
    UnknownField,
    /// A value that the field does not take.
    Value(&'static str),
    /// The channel has no such command.
    Command,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Old => f.write_str("a newer one came before"),
            Self::Channel => f.write_str("no output"),
            Self::Field(field) => write!(f, "an output without {field}"),
            Self::UnknownField => f.write_str("a field that no kind has"),
            Self::Value(field) => write!(f, "a value that {field} does not take"),
            Self::Command => f.write_str("a command that it does not have"),
        }
    }
}

impl core::error::Error for Refused {}

/// A SET that was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Order {
    pub(super) rev: u32,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Target(Target),
    Command(Command),
}

/// Something momentary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// A cover stays where it is.
    Stop,
    /// A buzzer is on for so long, milliseconds.
    Beep(u16),
    /// A meter counts from 0 again.
    Reset,
}

/// An absolute target of any kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Target {
    pub(super) on: Option<bool>,
    /// 0: off, and the brightness of before stays known.
    pub(super) brightness: Option<u8>,
    pub(super) hue: Option<u16>,
    pub(super) saturation: Option<u8>,
    /// Excludes the two before: what comes later in the message wins.
    pub(super) kelvin: Option<u16>,
    pub(super) position: Option<u8>,
    pub(super) angle: Option<f32>,
    pub(super) fade_ms: u32,
    pub(super) for_ms: Option<u32>,
}

/// The fields, by the kinds that have them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    On,
    Brightness,
    Colour,
    Position,
    Angle,
}

impl Order {
    /// Reads a SET, whatever its channel is.
    ///
    /// # Errors
    /// A name that no kind has, or a value out of its range.
    pub fn read(set: &Set<'_>) -> Result<Self, Refused> {
        let what = match set.command {
            Some("stop") => What::Command(Command::Stop),
            Some("reset") => What::Command(Command::Reset),
            Some("beep") => What::Command(Command::Beep(beep_ms(set)?)),
            Some(_) => return Err(Refused::Command),
            None => What::Target(Target::read(set)?),
        };
        Ok(Self { rev: set.rev, what })
    }

    /// Whether it is a target, which counts until a newer one comes.
    pub(crate) fn is_target(&self) -> bool {
        matches!(self.what, What::Target(_))
    }

    /// Whether it makes a meter count from 0.
    pub(crate) fn is_reset(&self) -> bool {
        matches!(self.what, What::Command(Command::Reset))
    }
}

/// As in the table of kinds: 200 where it is not said.
fn beep_ms(set: &Set<'_>) -> Result<u16, Refused> {
    let mut ms = 200;
    for (name, value) in set.fields.iter() {
        if name != "ms" {
            return Err(Refused::UnknownField);
        }
        ms = whole(value, "ms", 10..=5_000)?;
    }
    Ok(ms)
}

impl Target {
    fn read(set: &Set<'_>) -> Result<Self, Refused> {
        let mut target = Self {
            fade_ms: set.fade_ms.unwrap_or(0),
            for_ms: set.for_ms,
            ..Self::default()
        };
        for (name, value) in set.fields.iter() {
            match (name, value) {
                ("on", Value::Bool(on)) => target.on = Some(on),
                ("on", _) => return Err(Refused::Value("on")),
                ("brightness", _) => {
                    target.brightness = Some(whole(value, "brightness", 0..=100)? as u8);
                }
                ("hue", _) => {
                    target.hue = Some(whole(value, "hue", 0..=359)?);
                    target.kelvin = None;
                }
                ("saturation", _) => {
                    target.saturation = Some(whole(value, "saturation", 0..=100)? as u8);
                    target.kelvin = None;
                }
                ("kelvin", _) => {
                    target.kelvin = Some(whole(value, "kelvin", 1_500..=9_000)?);
                    (target.hue, target.saturation) = (None, None);
                }
                ("position", _) => {
                    target.position = Some(whole(value, "position", 0..=100)? as u8);
                }
                ("angle", Value::Number(angle)) => target.angle = Some(angle as f32),
                ("angle", _) => return Err(Refused::Value("angle")),
                _ => return Err(Refused::UnknownField),
            }
        }
        Ok(target)
    }

    /// Whether something will be on when it is reached.
    pub(super) fn is_on(&self) -> bool {
        self.on.unwrap_or(self.brightness != Some(0)) && self.brightness != Some(0)
    }

    /// Refuses fields that the kind does not have.
    pub(super) fn only(&self, has: &[Has]) -> Result<(), Refused> {
        let colour = self.hue.is_some() || self.saturation.is_some() || self.kelvin.is_some();
        let said = [
            (self.on.is_some(), Has::On, "on"),
            (self.brightness.is_some(), Has::Brightness, "brightness"),
            (colour, Has::Colour, "a colour"),
            (self.position.is_some(), Has::Position, "position"),
            (self.angle.is_some(), Has::Angle, "angle"),
        ];
        let foreign = said
            .iter()
            .find(|(said, which, _)| *said && !has.contains(which));
        foreign.map_or(Ok(()), |(_, _, name)| Err(Refused::Field(name)))
    }
}

/// A whole number in its range.
fn whole(
    value: Value<'_>,
    field: &'static str,
    range: core::ops::RangeInclusive<u16>,
) -> Result<u16, Refused> {
    let Value::Number(number) = value else {
        return Err(Refused::Value(field));
    };
    // A number beyond the type becomes its nearest end, which is another number then.
    let whole = number as u16;
    if f64::from(whole) == number && range.contains(&whole) {
        Ok(whole)
    } else {
        Err(Refused::Value(field))
    }
}
