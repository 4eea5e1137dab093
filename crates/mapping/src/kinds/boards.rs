//! The pins of the boards that we know. A board that is not here may have any pins.
//!
//! Sources: the chips' data sheets (ESP32-C3 v1.5 table 2-1, ESP32-C6 v1.2 table 2-1, ESP32 v4.5 table 2-1,
//! ESP32-S3 v1.9 table 2-1; strapping pins in their chapters 3) and the Nucleo-144 user manual UM1974.

/// A board and its pins.
#[derive(Debug)]
pub struct Board {
    /// Its name in the mapping.
    pub name: &'static str,
    /// How its pins are called.
    pub pins: Pins,
    /// Pins that the board uses itself, and what for; who takes one should know.
    pub shared: &'static [(&'static str, &'static str)],
}

const STRAPPING: &str = "its level while the chip starts decides how it starts";
const USB: &str = "it is a line of the board's USB, by which it is flashed";
/// What a pin of the serial port is for.
pub(crate) const UART: &str = "it is a line of the serial port by which it talks to a computer";
const DEBUGGER: &str = "it is a line of the debugger";

/// How a board's pins are called.
#[derive(Debug)]
pub enum Pins {
    /// Numbers: the ranges that are free to use, and why the others are not.
    Numbers(&'static [(u8, u8)], &'static str),
    /// Port and number: `PC13`; the ports with 16 pins each.
    Ports(&'static str),
}

/// All boards that we know.
pub static BOARDS: &[Board] = &[
    Board {
        name: "esp32-c3",
        pins: Pins::Numbers(&[(0, 10), (18, 21)], "11-17 belong to the flash"),
        shared: &[
            ("2", STRAPPING),
            ("8", STRAPPING),
            ("9", STRAPPING),
            ("18", USB),
            ("19", USB),
            ("20", UART),
            ("21", UART),
        ],
    },
    Board {
        name: "esp32-c6",
        pins: Pins::Numbers(&[(0, 23)], "24-30 belong to the flash"),
        // 4 and 5 are strapping pins of its SDIO interface alone, which nothing here uses.
        shared: &[
            ("8", STRAPPING),
            ("9", STRAPPING),
            ("15", STRAPPING),
            ("12", USB),
            ("13", USB),
            ("16", UART),
            ("17", UART),
        ],
    },
    Board {
        name: "esp32",
        pins: Pins::Numbers(
            &[(0, 5), (12, 19), (21, 23), (25, 27), (32, 39)],
            "6-11 belong to the flash; 20, 24 and 28-31 don't exist",
        ),
        shared: &[
            ("0", STRAPPING),
            ("2", STRAPPING),
            ("5", STRAPPING),
            ("12", STRAPPING),
            ("15", STRAPPING),
            ("1", UART),
            ("3", UART),
        ],
    },
    Board {
        name: "esp32-s3",
        pins: Pins::Numbers(
            &[(0, 21), (33, 48)],
            "26-32 belong to the flash; 22-25 don't exist",
        ),
        shared: &[
            ("0", STRAPPING),
            ("3", STRAPPING),
            ("45", STRAPPING),
            ("46", STRAPPING),
            ("19", USB),
            ("20", USB),
            ("43", UART),
            ("44", UART),
        ],
    },
    Board {
        name: "nucleo-f429zi",
        pins: Pins::Ports("ABCDEFGH"),
        shared: &[
            ("PA11", USB),
            ("PA12", USB),
            ("PA13", DEBUGGER),
            ("PA14", DEBUGGER),
            ("PD8", UART),
            ("PD9", UART),
        ],
    },
];

impl Board {
    /// The board called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        BOARDS.iter().find(|board| board.name == name)
    }

    /// What the board itself does with the pin, if anything.
    #[must_use]
    pub fn uses(&self, pin: &str) -> Option<&'static str> {
        let mut shared = self.shared.iter();
        let (_, what) = shared.find(|(name, _)| *name == pin)?;
        Some(what)
    }

    /// What is wrong with the pin, written as in the mapping; `None`: it is there.
    #[must_use]
    pub fn refuses(&self, pin: &str) -> Option<String> {
        match self.pins {
            Pins::Numbers(free, why) => {
                let number = pin.parse::<u8>().ok();
                let fits = number.is_some_and(|pin| {
                    free.iter()
                        .any(|(first, last)| (*first..=*last).contains(&pin))
                });
                let ranges: Vec<String> = free
                    .iter()
                    .map(|(first, last)| format!("{first}-{last}"))
                    .collect();
                (!fits).then(|| format!("its pins are {} ({why})", ranges.join(", ")))
            }
            Pins::Ports(ports) => {
                let port = pin
                    .strip_prefix('P')
                    .filter(|rest| rest.starts_with(|port: char| ports.contains(port)))
                    .and_then(|rest| rest.get(1..))
                    .and_then(|number| number.parse::<u8>().ok());
                let fits = port.is_some_and(|number| number < 16);
                (!fits).then(|| format!("its pins are PA0 to P{}15", &ports[ports.len() - 1..]))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boards_pins_are_known() {
        let c3 = Board::find("esp32-c3").unwrap();
        assert!(c3.refuses("4").is_none());
        assert!(c3.refuses("12").is_some());
        assert!(c3.refuses("PC13").is_some());
        let nucleo = Board::find("nucleo-f429zi").unwrap();
        assert!(nucleo.refuses("PC13").is_none());
        assert!(nucleo.refuses("PC16").is_some());
        assert!(nucleo.refuses("13").is_some());
        assert!(nucleo.refuses("Pä1").is_some());
    }

    #[test]
    fn what_a_board_uses_itself_is_there_at_all() {
        for board in BOARDS {
            for (pin, _) in board.shared {
                assert_eq!(board.refuses(pin), None, "{}", board.name);
                assert!(board.uses(pin).is_some());
            }
        }
        let c3 = Board::find("esp32-c3").unwrap();
        assert_eq!(c3.uses("9"), Some(STRAPPING));
        assert_eq!(c3.uses("4"), None);
    }
}
