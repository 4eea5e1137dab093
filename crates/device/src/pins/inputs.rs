//! Readers of inputs. Each gives what its kind's machine takes; when to ask is the firmware's: at an interrupt, or every
//! millisecond.

use embedded_hal::{
    delay::DelayNs,
    digital::{InputPin, OutputPin},
};

use crate::input::Sample;

/// A button, a contact, a motion detector, a meter at a pin.
#[derive(Debug)]
pub struct Line<P> {
    pin: P,
    invert: bool,
}

impl<P: InputPin> Line<P> {
    /// `invert`: it is pressed, open, moving while the pin is low.
    pub fn new(pin: P, invert: bool) -> Self {
        Self { pin, invert }
    }

    /// How it is.
    ///
    /// # Errors
    /// The pin's.
    pub fn sample(&mut self) -> Result<Sample<'static>, P::Error> {
        Ok(Sample::Level(self.pin.is_high()? != self.invert))
    }
}

/// A knob at its two pins.
#[derive(Debug)]
pub struct Knob<A, B> {
    a: A,
    b: B,
    invert: bool,
}

impl<E, A: InputPin<Error = E>, B: InputPin<Error = E>> Knob<A, B> {
    /// `invert`: its contacts pull the pins low.
    pub fn new(a: A, b: B, invert: bool) -> Self {
        Self { a, b, invert }
    }

    /// How it stands.
    ///
    /// # Errors
    /// A pin's.
    pub fn sample(&mut self) -> Result<Sample<'static>, E> {
        let (a, b) = (self.a.is_high()?, self.b.is_high()?);
        Ok(Sample::Quadrature(a != self.invert, b != self.invert))
    }
}

/// From a row's switching on until its columns are what they are: wires of a keyboard charge within a microsecond.
const SETTLE_US: u32 = 5;

/// A matrix of keys: rows that are switched on one after the other, columns that pull down and are high where a key
/// conducts.
#[derive(Debug)]
pub struct Matrix<R, C, const ROWS: usize, const COLUMNS: usize> {
    rows: [R; ROWS],
    columns: [C; COLUMNS],
    keys: [u16; ROWS],
}

impl<E, R, C, const ROWS: usize, const COLUMNS: usize> Matrix<R, C, ROWS, COLUMNS>
where
    R: OutputPin<Error = E>,
    C: InputPin<Error = E>,
{
    /// Takes the pins in the order of the role; 16 of each at the most.
    pub fn new(rows: [R; ROWS], columns: [C; COLUMNS]) -> Self {
        const { assert!(ROWS <= crate::ROWS_MAX && COLUMNS <= u16::BITS as usize) };
        Self {
            rows,
            columns,
            keys: [0; ROWS],
        }
    }

    /// Which keys conduct.
    ///
    /// # Errors
    /// A pin's; no row stays on that can be switched off.
    pub fn sample(&mut self, delay: &mut impl DelayNs) -> Result<Sample<'_>, E> {
        for (row, keys) in self.rows.iter_mut().zip(&mut self.keys) {
            row.set_high()?;
            delay.delay_us(SETTLE_US);
            let read = read(&mut self.columns);
            row.set_low()?;
            *keys = read?;
        }
        Ok(Sample::Keys(&self.keys))
    }
}

/// A bit for each column.
fn read<C: InputPin>(columns: &mut [C]) -> Result<u16, C::Error> {
    let mut keys = 0;
    for (place, column) in columns.iter_mut().enumerate() {
        keys |= u16::from(column.is_high()?) << place;
    }
    Ok(keys)
}
