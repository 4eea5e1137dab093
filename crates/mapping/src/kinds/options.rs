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
    /// One line for people.
    pub about: &'static str,
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
    /// A table from our fields to their places in a payload.
    FieldPlaces,
}

/// Who needs to know an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// The device: part of its role.
    Role,
    /// The dispatcher only.
    Dispatcher,
}

const fn role(name: &'static str, takes: Takes, about: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        takes,
        usage: Usage::Role,
        about,
    }
}

const fn dispatcher(name: &'static str, takes: Takes, about: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        takes,
        usage: Usage::Dispatcher,
        about,
    }
}

/// Options of every kind that the rest of the table allows: the first three for consumers, the
/// next for whatever reports state.
pub const COMMON: &[OptionSpec] = &[
    role(
        "at_boot",
        Takes::Word(&["restore", "off", "on"]),
        "what it does when it gets power",
    ),
    role(
        "when_lost",
        Takes::Word(&["keep", "off", "on"]),
        "what it does when the dispatcher is gone",
    ),
    dispatcher(
        "deliver",
        Takes::Word(&["latest", "now"]),
        "what happens to a target while it is away",
    ),
    dispatcher(
        "enforce",
        Takes::Bool,
        "true: a change made by hand is undone",
    ),
    role("report_every", Takes::Duration, "reports at least so often"),
    role(
        "report_change",
        Takes::Number,
        "reports when it changed by so much",
    ),
    dispatcher(
        "stale_after",
        Takes::Duration,
        "what it reported is unknown after so long",
    ),
    dispatcher("note", Takes::Text, "for people"),
];

/// Options of channels of foreign devices: how their payloads read.
pub const FOREIGN: &[OptionSpec] = &[
    dispatcher(
        "from",
        Takes::Text,
        "key or JSON pointer of the state in its payload; with some presets its name in the topics",
    ),
    dispatcher(
        "fields",
        Takes::FieldPlaces,
        "places of single fields, where each stands by itself",
    ),
    dispatcher("on", Takes::Text, "its word for on"),
    dispatcher("off", Takes::Text, "its word for off"),
    dispatcher(
        "event_from",
        Takes::Text,
        "key or JSON pointer of the event's name in its payload",
    ),
    dispatcher("events", Takes::EventWords, "its words for our events"),
];

pub(super) const PIN: OptionSpec = role("pin", Takes::Pin, "the pin it is wired to");
pub(super) const INVERT: OptionSpec = role(
    "invert",
    Takes::Bool,
    "true: the pin works the other way round",
);
pub(super) const PULL: OptionSpec = role(
    "pull",
    Takes::Word(&["up", "down", "none"]),
    "the resistor at the pin",
);
pub(super) const DEBOUNCE: OptionSpec = role(
    "debounce_ms",
    Takes::Int(0, 1_000),
    "milliseconds for which bouncing is ignored",
);
pub(super) const PWM: OptionSpec =
    role("pwm_hz", Takes::Int(1, 100_000), "frequency of the dimming");
pub(super) const GAMMA: OptionSpec =
    role("gamma", Takes::Number, "bends the dimming to what eyes see");
pub(super) const MIN: OptionSpec = role("min", Takes::Number, "smallest value");
pub(super) const MAX: OptionSpec = role("max", Takes::Number, "largest value");
pub(super) const RED: OptionSpec = role("red", Takes::Pin, "pin of the red light");
pub(super) const GREEN: OptionSpec = role("green", Takes::Pin, "pin of the green light");
pub(super) const BLUE: OptionSpec = role("blue", Takes::Pin, "pin of the blue light");
pub(super) const WHITE: OptionSpec = role("white", Takes::Pin, "pin of the white light");
pub(super) const PIXELS: OptionSpec = role(
    "pixels",
    Takes::Int(1, 1_024),
    "how many lights the strip has",
);
pub(super) const UP: OptionSpec = role("up", Takes::Pin, "pin that moves it up");
pub(super) const DOWN: OptionSpec = role("down", Takes::Pin, "pin that moves it down");
pub(super) const TRAVEL: OptionSpec = role(
    "travel",
    Takes::Duration,
    "how long it takes from end to end",
);
pub(super) const A: OptionSpec = role("a", Takes::Pin, "first pin of the knob");
pub(super) const B: OptionSpec = role("b", Takes::Pin, "second pin of the knob");
pub(super) const ROWS: OptionSpec = role("rows", Takes::Pins, "pins of the rows");
pub(super) const COLUMNS: OptionSpec = role("columns", Takes::Pins, "pins of the columns");
pub(super) const FIRST_KEY: OptionSpec =
    role("first_key", Takes::Int(0, 127), "number of its lowest key");
pub(super) const KEYS: OptionSpec = role("keys", Takes::Int(1, 128), "how many keys it has");
pub(super) const I2C: OptionSpec = role("i2c", Takes::I2c, "its address on the I2C bus");
pub(super) const ONE_WIRE: OptionSpec = role("one_wire", Takes::Pin, "pin of its one-wire bus");
pub(super) const UNIT: OptionSpec = role("unit", Takes::Text, "the unit of its value, for people");
