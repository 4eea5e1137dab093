//! The options of a channel that its device needs to know, each with a number that stays its own. One table, by which
//! they are read and written. Must not know which kind has which: the mapping checked that.

use minicbor::{Decoder, Encoder};

use super::{
    Out, RoleError,
    pin::{PINS_MAX, Pin, Pins},
};
use crate::body::Value;

/// What an output does on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Fallback {
    /// It stays, or becomes again, what it was.
    #[default]
    Keep = 0,
    /// It goes off.
    Off = 1,
    /// It goes on.
    On = 2,
}

/// The resistor at an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Pull {
    /// To the supply.
    Up = 0,
    /// To ground.
    Down = 1,
    /// Neither: there is one outside.
    None = 2,
}

/// The options of a channel; what the mapping does not say is `None`, `false`, empty or [`Fallback::Keep`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// What the output does when it gets power; keep: what it was before.
    pub at_boot: Fallback,
    /// What the output does when the dispatcher is gone.
    pub when_lost: Fallback,
    /// The state is reported at least so often, milliseconds.
    pub report_every_ms: Option<u32>,
    /// The state is reported when it changed by so much.
    pub report_change: Option<f64>,
    /// The pin it is wired to.
    pub pin: Option<Pin>,
    /// The pin works the other way round.
    pub invert: bool,
    /// The resistor at the pin.
    pub pull: Option<Pull>,
    /// Milliseconds for which bouncing is ignored.
    pub debounce_ms: Option<u16>,
    /// Frequency of the dimming.
    pub pwm_hz: Option<u32>,
    /// Bends the dimming to what eyes see.
    pub gamma: Option<f64>,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Pin of the red light.
    pub red: Option<Pin>,
    /// Pin of the green light.
    pub green: Option<Pin>,
    /// Pin of the blue light.
    pub blue: Option<Pin>,
    /// Pin of the white light.
    pub white: Option<Pin>,
    /// How many lights the strip has.
    pub pixels: Option<u16>,
    /// Pin that moves it up.
    pub up: Option<Pin>,
    /// Pin that moves it down.
    pub down: Option<Pin>,
    /// How long it takes from end to end, milliseconds.
    pub travel_ms: Option<u32>,
    /// First pin of the knob.
    pub a: Option<Pin>,
    /// Second pin of the knob.
    pub b: Option<Pin>,
    /// Pins of the rows.
    pub rows: Pins,
    /// Pins of the columns.
    pub columns: Pins,
    /// Number of its lowest key.
    pub first_key: Option<u8>,
    /// How many keys it has.
    pub keys: Option<u8>,
    /// Its address on the I2C bus.
    pub i2c: Option<u8>,
    /// Pin of its one-wire bus.
    pub one_wire: Option<Pin>,
}

/// Where an option lies, and what it takes.
enum Place<'o> {
    Fallback(&'o mut Fallback),
    Flag(&'o mut bool),
    Pull(&'o mut Option<Pull>),
    Byte(&'o mut Option<u8>),
    Short(&'o mut Option<u16>),
    Long(&'o mut Option<u32>),
    Number(&'o mut Option<f64>),
    Pin(&'o mut Option<Pin>),
    Pins(&'o mut Pins),
}

/// How many options there are; their numbers are below.
const OPTIONS: u8 = 28;

impl Options {
    /// The table: a number is never given to another option.
    fn place(&mut self, number: u16) -> Option<Place<'_>> {
        Some(match number {
            0 => Place::Fallback(&mut self.at_boot),
            1 => Place::Fallback(&mut self.when_lost),
            2 => Place::Long(&mut self.report_every_ms),
            3 => Place::Number(&mut self.report_change),
            4 => Place::Pin(&mut self.pin),
            5 => Place::Flag(&mut self.invert),
            6 => Place::Pull(&mut self.pull),
            7 => Place::Short(&mut self.debounce_ms),
            8 => Place::Long(&mut self.pwm_hz),
            9 => Place::Number(&mut self.gamma),
            10 => Place::Number(&mut self.min),
            11 => Place::Number(&mut self.max),
            12 => Place::Pin(&mut self.red),
            13 => Place::Pin(&mut self.green),
            14 => Place::Pin(&mut self.blue),
            15 => Place::Pin(&mut self.white),
            16 => Place::Short(&mut self.pixels),
            17 => Place::Pin(&mut self.up),
            18 => Place::Pin(&mut self.down),
            19 => Place::Long(&mut self.travel_ms),
            20 => Place::Pin(&mut self.a),
            21 => Place::Pin(&mut self.b),
            22 => Place::Pins(&mut self.rows),
            23 => Place::Pins(&mut self.columns),
            24 => Place::Byte(&mut self.first_key),
            25 => Place::Byte(&mut self.keys),
            26 => Place::Byte(&mut self.i2c),
            27 => Place::Pin(&mut self.one_wire),
            _ => return None,
        })
    }

    pub(super) fn decode(d: &mut Decoder<'_>, channel: u8) -> Result<Self, RoleError> {
        let mut options = Self::default();
        let count = d.map()?.ok_or(RoleError::Cbor)?;
        let mut after = 0;
        // Numbers go up: as many turns as there are options at the most, whatever the length says.
        for _ in 0..count {
            let found = d.u16()?;
            let place = options.place(found).filter(|_| found >= after);
            let place = place.ok_or(RoleError::Option { channel, found })?;
            after = found + 1;
            let option = found as u8;
            place.read(d)?.ok_or(RoleError::Value { channel, option })?;
        }
        Ok(options)
    }

    pub(super) fn encode(&self, e: &mut Encoder<Out<'_>>, channel: u8) -> Result<(), RoleError> {
        let mut options = *self;
        let said = (0..OPTIONS).filter(|number| options.says(*number)).count();
        e.map(said as u64)?;
        for option in 0..OPTIONS {
            if options.says(option)
                && let Some(place) = options.place(option.into())
            {
                e.u8(option)?;
                place
                    .write(e)?
                    .ok_or(RoleError::Value { channel, option })?;
            }
        }
        Ok(())
    }

    /// Whether an option is more than its default.
    fn says(&mut self, number: u8) -> bool {
        match self.place(number.into()) {
            Some(Place::Fallback(is)) => *is != Fallback::Keep,
            Some(Place::Flag(is)) => *is,
            Some(Place::Pull(is)) => is.is_some(),
            Some(Place::Byte(is)) => is.is_some(),
            Some(Place::Short(is)) => is.is_some(),
            Some(Place::Long(is)) => is.is_some(),
            Some(Place::Number(is)) => is.is_some(),
            Some(Place::Pin(is)) => is.is_some(),
            Some(Place::Pins(is)) => !is.is_empty(),
            None => false,
        }
    }
}

impl Place<'_> {
    /// Reads the value; `None`: one that the option does not take.
    fn read(self, d: &mut Decoder<'_>) -> Result<Option<()>, RoleError> {
        Ok(match self {
            Self::Fallback(to) => match d.u8()? {
                0 => put(to, Fallback::Keep),
                1 => put(to, Fallback::Off),
                2 => put(to, Fallback::On),
                _ => None,
            },
            Self::Flag(to) => put(to, d.bool()?),
            Self::Pull(to) => match d.u8()? {
                0 => put(to, Some(Pull::Up)),
                1 => put(to, Some(Pull::Down)),
                2 => put(to, Some(Pull::None)),
                _ => None,
            },
            Self::Byte(to) => put(to, Some(d.u8()?)),
            Self::Short(to) => put(to, Some(d.u16()?)),
            Self::Long(to) => put(to, Some(d.u32()?)),
            Self::Number(to) => match Value::decode(d) {
                Ok(Value::Number(number)) => put(to, Some(number)),
                _ => None,
            },
            Self::Pin(to) => match Pin::from_code(d.u16()?) {
                Some(pin) => put(to, Some(pin)),
                None => None,
            },
            Self::Pins(to) => match pins(d)? {
                Some(pins) => put(to, pins),
                None => None,
            },
        })
    }

    /// Writes the value; `None`: there is none to write, or one that does not travel.
    fn write(self, e: &mut Encoder<Out<'_>>) -> Result<Option<()>, RoleError> {
        match self {
            Self::Fallback(is) => e.u8(*is as u8)?,
            Self::Flag(is) => e.bool(*is)?,
            Self::Pull(Some(is)) => e.u8(*is as u8)?,
            Self::Byte(Some(is)) => e.u8(*is)?,
            Self::Short(Some(is)) => e.u16(*is)?,
            Self::Long(Some(is)) => e.u32(*is)?,
            Self::Number(Some(is)) => match Value::Number(*is).encode(e) {
                Ok(()) => e,
                Err(crate::BodyError::Room) => return Err(RoleError::Room),
                Err(_) => return Ok(None),
            },
            Self::Pin(Some(is)) => e.u16(is.code())?,
            Self::Pins(pins) => {
                e.array(pins.len() as u64)?;
                pins.iter()
                    .try_for_each(|pin| e.u16(pin.code()).map(drop))?;
                e
            }
            Self::Pull(None)
            | Self::Byte(None)
            | Self::Short(None)
            | Self::Long(None)
            | Self::Number(None)
            | Self::Pin(None) => return Ok(None),
        };
        Ok(Some(()))
    }
}

fn put<T>(to: &mut T, value: T) -> Option<()> {
    *to = value;
    Some(())
}

/// One to 16 pins.
fn pins(d: &mut Decoder<'_>) -> Result<Option<Pins>, RoleError> {
    let count = d.array()?.ok_or(RoleError::Cbor)?;
    if !(1..=PINS_MAX as u64).contains(&count) {
        return Ok(None);
    }
    let mut all = [Pin::number(0); PINS_MAX];
    let all = all.get_mut(..count as usize).unwrap_or_default();
    for pin in all.iter_mut() {
        let Some(read) = Pin::from_code(d.u16()?) else {
            return Ok(None);
        };
        *pin = read;
    }
    Ok(Pins::new(all.iter().copied()))
}
