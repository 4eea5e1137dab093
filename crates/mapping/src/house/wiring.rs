//! Pins and buses of one device: each pin once, and only pins that the board has.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::{
    diagnostic::Diagnostic,
    grammar::{I2C, Keys, Need, UART},
    kinds::{BOARDS, Board, UART as SERIAL},
    read::{Node, Table, did_you_mean},
    report::Report,
    source::Span,
};

/// The warning about pins that a board uses itself.
pub(crate) const LINT: &str = "pin-shared";

/// What a device's pins are used for, while it is being read.
#[derive(Debug, Default)]
pub(super) struct Wiring {
    /// Whether `board` is written at all: then wiring must be there.
    pub(super) has_board: bool,
    /// The board, where we know it.
    board: Option<&'static Board>,
    /// Whether the board's own pins may be taken without a word.
    shares: bool,
    used: BTreeMap<String, Span>,
    buses: Map<String, Json>,
}

/// A device's buses.
const BUSES: [(&str, &Keys); 2] = [("i2c", &I2C), ("uart", &UART)];

impl Wiring {
    /// Reads the board and the buses of a device.
    /// `allowed` are the warnings that the device silences.
    pub(super) fn read(
        report: &mut Report,
        device: &Table<'_>,
        board: Option<&str>,
        allowed: &[&str],
    ) -> Self {
        let mut wiring = Self {
            has_board: board.is_some(),
            board: board.and_then(Board::find),
            shares: allowed.contains(&LINT),
            ..Self::default()
        };
        if let (Some(board), None, Some(node)) = (board, wiring.board, device.field("board"))
            && !allowed.contains(&"unknown-board")
        {
            let message = format!("the board `{board}` is not known: its pins are not checked");
            let warning = Diagnostic::warning("unknown-board", node.span(), message);
            report.push(did_you_mean(
                warning,
                board,
                BOARDS.iter().map(|board| board.name),
            ));
        }
        for (bus, lines) in BUSES {
            let Some(table) = device
                .field(bus)
                .and_then(|node| node.table(report, &format!("`{bus}`")))
            else {
                continue;
            };
            table.reject_unknown(report, lines.what, lines.names);
            for line in lines.specs.iter().filter(|line| line.need == Need::Must) {
                table.required(report, lines.what, line.name, lines.names);
            }
            let mut pins = Map::new();
            for line in lines.names {
                if let Some(node) = table.field(line)
                    && let Some(pin) = wiring.pin(report, node, &format!("`{line}`"))
                {
                    pins.insert((*line).to_owned(), pin);
                }
            }
            wiring.buses.insert(bus.to_owned(), Json::Object(pins));
        }
        wiring
    }

    /// Whether the device has that bus.
    pub(super) fn has_bus(&self, bus: &str) -> bool {
        self.buses.contains_key(bus)
    }

    /// The buses, as they stand in the role.
    pub(super) fn role(self) -> Map<String, Json> {
        self.buses
    }

    /// Takes a pin; one that is not there, or is taken already, is reported.
    pub(super) fn pin(&mut self, report: &mut Report, node: Node<'_>, what: &str) -> Option<Json> {
        let (name, json) = match (node.as_text(), node.as_number()) {
            (Some(text), _) => (text.text.to_owned(), Json::from(text.text)),
            (None, Some(number)) if number.fract() == 0.0 && (0.0..=255.0).contains(&number) => {
                ((number as u8).to_string(), Json::from(number as u8))
            }
            _ => {
                node.complain(
                    report,
                    what,
                    "a pin: a number from 0 to 255, or a name like \"PC13\"",
                );
                return None;
            }
        };
        if let Some(board) = self.board
            && let Some(why) = board.refuses(&name)
        {
            let message = format!("the board `{}` has no pin {name} to use", board.name);
            report.push(Diagnostic::error("unknown-pin", node.span(), message).help(why));
        }
        let uses = self.board.and_then(|board| board.uses(&name));
        // A serial port on the pins of the serial port is what they are for.
        let own = uses == Some(SERIAL) && matches!(what, "`rx`" | "`tx`");
        if let (Some(why), false) = (uses, own || self.shares) {
            let message = format!("the board uses pin {name} itself: {why}");
            report.push(Diagnostic::warning(LINT, node.span(), message).help(format!(
                "take another pin; if it is meant, say allow = [\"{LINT}\"] in the device's table"
            )));
        }
        if let Some(first) = self.used.get(&name) {
            report.push(
                Diagnostic::error(
                    "pin-twice",
                    node.span(),
                    format!("pin {name} is used twice"),
                )
                .label("used again")
                .also(first.clone(), "used here"),
            );
        } else {
            self.used.insert(name, node.span());
        }
        Some(json)
    }
}
