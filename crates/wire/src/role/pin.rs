//! Pins as the mapping names them: by number, or by port and number. Called by the role's codec and by whoever looks
//! for a board's pin. Must not know boards.

use core::fmt;

/// Pins of a list at most: the rows or the columns of a keyboard.
pub const PINS_MAX: usize = 16;

/// A pin: `4`, `PC13`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(u16);

/// Where ports begin; below are plain numbers.
const PORTS: u16 = 256;
const PORT_PINS: u16 = 16;
const LETTERS: u16 = 26;

impl Pin {
    /// A pin of a board that numbers them.
    #[must_use]
    pub const fn number(number: u8) -> Self {
        Self(number as u16)
    }

    /// Reads `4` or `PC13`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            return Some(Self::number(number));
        }
        let mut rest = text.strip_prefix('P')?.chars();
        let port = rest.next().filter(char::is_ascii_uppercase)?;
        let number: u16 = rest.as_str().parse().ok()?;
        let port = u16::from(port as u8 - b'A');
        let pin = Self(PORTS + port * PORT_PINS + number);
        (number < PORT_PINS).then_some(pin)
    }

    /// As it travels: 0 to 255 as they are, then 16 for each port from A on.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.0
    }

    /// The pin that travels so.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        (code < PORTS + LETTERS * PORT_PINS).then_some(Self(code))
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = self.0.checked_sub(PORTS) else {
            return self.0.fmt(f);
        };
        let port = char::from(b'A' + (place / PORT_PINS) as u8);
        write!(f, "P{port}{}", place % PORT_PINS)
    }
}

/// Up to 16 pins, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    pins: [Option<Pin>; PINS_MAX],
}

impl Pins {
    /// Takes them; `None` where there are more than 16.
    #[must_use]
    pub fn new(pins: impl IntoIterator<Item = Pin>) -> Option<Self> {
        let mut all = Self::default();
        for (place, pin) in pins.into_iter().enumerate() {
            *all.pins.get_mut(place)? = Some(pin);
        }
        Some(all)
    }

    /// The pins.
    pub fn iter(&self) -> impl Iterator<Item = Pin> + '_ {
        self.pins.iter().copied().flatten()
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_pin_reads_as_it_is_written() {
        for text in ["0", "4", "255", "PA0", "PC13", "PH15", "PZ15"] {
            let pin = Pin::parse(text).expect(text);
            assert_eq!(pin.to_string(), text);
            assert_eq!(Pin::from_code(pin.code()), Some(pin));
        }
        for text in [
            "", "256", "-1", "P", "PA", "PA16", "Pa1", "PÄ1", "GPIO4", "PA-1",
        ] {
            assert_eq!(Pin::parse(text), None, "{text}");
        }
        assert_eq!(Pin::from_code(256 + 26 * 16), None);
    }
}
