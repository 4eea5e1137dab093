//! Readers of inputs. Each gives what its kind's machine takes; when to ask is the firmware's: at an interrupt, or every
//! millisecond.

use core::array;

use embedded_hal::{
    delay::DelayNs,
    digital::{InputPin, OutputPin},
};

use crate::input::{ROWS_MAX, Sample};

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

/// Columns of a matrix at most: a bit for each.
const COLUMNS_MAX: usize = u16::BITS as usize;

/// A matrix of keys: rows that are switched on one after the other, columns that pull down and are high where a key
/// conducts.
#[derive(Debug)]
pub struct Matrix<R, C> {
    rows: [Option<R>; ROWS_MAX],
    columns: [Option<C>; COLUMNS_MAX],
    keys: [u16; ROWS_MAX],
}

impl<E, R, C> Matrix<R, C>
where
    R: OutputPin<Error = E>,
    C: InputPin<Error = E>,
{
    /// Takes the pins in the order of the role; what is beyond 16 of each is left out, as no role has them.
    pub fn new(rows: impl IntoIterator<Item = R>, columns: impl IntoIterator<Item = C>) -> Self {
        let (mut rows, mut columns) = (rows.into_iter(), columns.into_iter());
        Self {
            rows: array::from_fn(|_| rows.next()),
            columns: array::from_fn(|_| columns.next()),
            keys: [0; ROWS_MAX],
        }
    }

    /// Which keys conduct.
    ///
    /// # Errors
    /// A pin's; no row stays on that can be switched off.
    pub fn sample(&mut self, delay: &mut impl DelayNs) -> Result<Sample<'_>, E> {
        let mut count = 0;
        for (row, keys) in self.rows.iter_mut().flatten().zip(&mut self.keys) {
            row.set_high()?;
            delay.delay_us(SETTLE_US);
            let read = read(self.columns.iter_mut().flatten());
            row.set_low()?;
            *keys = read?;
            count += 1;
        }
        Ok(Sample::Keys(&self.keys[..count]))
    }
}

/// A bit for each column.
fn read<'c, C: InputPin + 'c>(columns: impl Iterator<Item = &'c mut C>) -> Result<u16, C::Error> {
    let mut keys = 0;
    for (place, column) in columns.enumerate() {
        keys |= u16::from(column.is_high()?) << place;
    }
    Ok(keys)
}
