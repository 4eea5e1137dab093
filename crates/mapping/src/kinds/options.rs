//! What can be said about a channel besides its kind: wiring, and how it behaves.

/// An option of a channel's table.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its key.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Who needs to know it.
    pub usage: Usage,
}

/// What an option takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A pin of the board: a number, or a name like `PC13`.
    Pin,
    /// A list of pins.
    Pins,
    /// `true` or `false`.
    Bool,
    /// A whole number in an inclusive range.
    Int(i64, i64),
    /// A number.
    Number,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A duration.
    Duration,
    /// An address on the device's `i2c` bus.
    I2c,
    /// Any text.
    Text,
    /// A table from the device's words to our event names.
    EventWords,
}

/// Who needs to know an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The device: part of its role.
    Role,
    /// The dispatcher only.
    Dispatcher,
}

const fn role(name: &'static str, takes: Takes) -> OptionSpec {
    OptionSpec {
        name,
        takes,
        usage: Usage::Role,
    }
}

const fn dispatcher(name: &'static str, takes: Takes) -> OptionSpec {
    OptionSpec {
        name,
        takes,
        usage: Usage::Dispatcher,
    }
}

/// Options of every kind that the rest of the table allows: the first three for consumers, the
/// next for whatever reports state.
pub const COMMON: &[OptionSpec] = &[
    role("at_boot", Takes::Word(&["restore", "off", "on"])),
    role("when_lost", Takes::Word(&["keep", "off", "on"])),
    dispatcher("deliver", Takes::Word(&["latest", "now"])),
    dispatcher("enforce", Takes::Bool),
    role("report_every", Takes::Duration),
    role("report_change", Takes::Number),
    dispatcher("stale_after", Takes::Duration),
    dispatcher("note", Takes::Text),
];

/// Options of channels of foreign devices: how their payloads read.
pub const FOREIGN: &[OptionSpec] = &[
    dispatcher("from", Takes::Text),
    dispatcher("on", Takes::Text),
    dispatcher("off", Takes::Text),
    dispatcher("event_from", Takes::Text),
    dispatcher("events", Takes::EventWords),
];

pub(super) const PIN: OptionSpec = role("pin", Takes::Pin);
pub(super) const INVERT: OptionSpec = role("invert", Takes::Bool);
pub(super) const PULL: OptionSpec = role("pull", Takes::Word(&["up", "down", "none"]));
pub(super) const DEBOUNCE: OptionSpec = role("debounce_ms", Takes::Int(0, 1_000));
pub(super) const PWM: OptionSpec = role("pwm_hz", Takes::Int(1, 100_000));
pub(super) const GAMMA: OptionSpec = role("gamma", Takes::Number);
pub(super) const MIN: OptionSpec = role("min", Takes::Number);
pub(super) const MAX: OptionSpec = role("max", Takes::Number);
pub(super) const RED: OptionSpec = role("red", Takes::Pin);
pub(super) const GREEN: OptionSpec = role("green", Takes::Pin);
pub(super) const BLUE: OptionSpec = role("blue", Takes::Pin);
pub(super) const WHITE: OptionSpec = role("white", Takes::Pin);
pub(super) const PIXELS: OptionSpec = role("pixels", Takes::Int(1, 1_024));
pub(super) const UP: OptionSpec = role("up", Takes::Pin);
pub(super) const DOWN: OptionSpec = role("down", Takes::Pin);
pub(super) const TRAVEL: OptionSpec = role("travel", Takes::Duration);
pub(super) const A: OptionSpec = role("a", Takes::Pin);
pub(super) const B: OptionSpec = role("b", Takes::Pin);
pub(super) const ROWS: OptionSpec = role("rows", Takes::Pins);
pub(super) const COLUMNS: OptionSpec = role("columns", Takes::Pins);
pub(super) const FIRST_KEY: OptionSpec = role("first_key", Takes::Int(0, 127));
pub(super) const KEYS: OptionSpec = role("keys", Takes::Int(1, 128));
pub(super) const I2C: OptionSpec = role("i2c", Takes::I2c);
pub(super) const ONE_WIRE: OptionSpec = role("one_wire", Takes::Pin);
pub(super) const UNIT: OptionSpec = role("unit", Takes::Text);
