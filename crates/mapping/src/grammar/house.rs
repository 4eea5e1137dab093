//! Tables that say what there is in a house, and the blocklist.

use super::{BOOL, KIND, Keys, NUMBER, Names, Others, PIN, RULE, TEXT, Takes, Values, keys, words};

/// A file of the mapping.
pub static MAPPING: Keys = keys!(
    "a mapping file",
    Others::Nothing,
    (
        "format",
        May,
        Takes::Format,
        "the version of the language; in mapping.toml only"
    ),
    (
        "include",
        May,
        Takes::List(&Takes::File),
        "files to read too, * stands for any letters"
    ),
    (
        "allow",
        May,
        Takes::List(&Takes::Name(Names::Lint)),
        "warnings that are silenced in this file"
    ),
    ("home", May, Takes::Table(&HOME), "where the house stands"),
    (
        "device",
        May,
        Takes::Declares(Names::Device, &Takes::Table(&DEVICE)),
        "what is installed"
    ),
    (
        "kind",
        May,
        Takes::Declares(Names::Kind, &Takes::Table(&KIND)),
        "own kinds of channels"
    ),
    (
        "group",
        May,
        Takes::Declares(Names::Group, &Takes::List(&Takes::Name(Names::Member))),
        "names for several channels; may hold devices and groups"
    ),
    (
        "var",
        May,
        Takes::Declares(Names::Var, &Takes::Table(&VAR)),
        "what the house remembers"
    ),
    (
        "scene",
        May,
        Takes::Declares(Names::Scene, &Takes::Values(Values::Scene)),
        "targets that belong together"
    ),
    (
        "rule",
        May,
        Takes::Declares(Names::Rule, &Takes::Table(&RULE)),
        "what happens when"
    ),
    (
        "renamed",
        May,
        Takes::Renames,
        "what had another name before, so that it keeps what is known of it"
    ),
);

/// `[home]`.
pub static HOME: Keys = keys!(
    "home",
    Others::Nothing,
    (
        "timezone",
        May,
        Takes::TimeZone,
        "IANA name; needed for times of day"
    ),
    (
        "latitude",
        May,
        Takes::Between(-90.0, 90.0),
        "degrees north; needed for the sun"
    ),
    (
        "longitude",
        May,
        Takes::Between(-180.0, 180.0),
        "degrees east; needed for the sun"
    ),
    ("note", May, TEXT, "for people"),
);

/// `[device.D]`.
pub static DEVICE: Keys = keys!(
    "a device",
    Others::Nothing,
    (
        "id",
        May,
        Takes::Plain(crate::kinds::Takes::Int(1, 65_535)),
        "its number for ever; only a virtual device needs none"
    ),
    (
        "board",
        May,
        Takes::Board,
        "the board, for firmware of ours; its pins are checked"
    ),
    ("room", May, TEXT, "where it is, for people"),
    (
        "virtual",
        May,
        BOOL,
        "true: no hardware, somebody reports for it"
    ),
    (
        "mqtt",
        May,
        Takes::Table(&MQTT),
        "a device with topics and payloads of its own"
    ),
    (
        "io",
        May,
        Takes::Declares(Names::Channel, &Takes::Table(&CHANNEL)),
        "its channels"
    ),
    ("i2c", May, Takes::Table(&I2C), "the pins of its I2C bus"),
    (
        "uart",
        May,
        Takes::Table(&UART),
        "the pins of its serial port"
    ),
    ("note", May, TEXT, "for people"),
    (
        "allow",
        May,
        Takes::List(&Takes::Name(Names::Lint)),
        "warnings about it that are silenced"
    ),
);

/// `io.CH`.
pub static CHANNEL: Keys = keys!(
    "a channel",
    Others::OptionsOf("kind"),
    ("kind", Must, Takes::Kind, "what it reports and takes"),
);

/// `mqtt = { .. }` of a foreign device.
pub static MQTT: Keys = keys!(
    "`mqtt`",
    Others::Nothing,
    ("state", May, Takes::Topic, "where it reports state"),
    ("target", May, Takes::Topic, "where it takes its target"),
    ("event", May, Takes::Topic, "where it reports events"),
    (
        "availability",
        May,
        Takes::Topic,
        "where it says online or offline"
    ),
    (
        "preset",
        May,
        words(&[
            "zigbee2mqtt",
            "tasmota",
            "homie",
            "esphome",
            "shelly",
            "shelly-gen1"
        ]),
        "the topics and payloads of a make of devices"
    ),
    (
        "name",
        May,
        TEXT,
        "with `preset`: its name in the topics; absent: as the device"
    ),
);

/// `i2c = { .. }`.
pub static I2C: Keys = keys!(
    "the bus `i2c`",
    Others::Nothing,
    ("sda", Must, PIN, "data"),
    ("scl", Must, PIN, "clock"),
);

/// `uart = { .. }`.
pub static UART: Keys = keys!(
    "the bus `uart`",
    Others::Nothing,
    ("rx", May, PIN, "receives"),
    ("tx", May, PIN, "sends"),
);

/// `[var]`.
pub static VAR: Keys = keys!(
    "a variable",
    Others::Nothing,
    (
        "kind",
        Must,
        words(&["bool", "number", "text"]),
        "what it holds"
    ),
    ("start", May, Takes::Start, "its value at first"),
    ("min", May, NUMBER, "smallest number"),
    ("max", May, NUMBER, "largest number"),
    (
        "values",
        May,
        Takes::List(&TEXT),
        "the only texts that it holds"
    ),
    ("keep", May, BOOL, "true: it survives a restart"),
    ("note", May, TEXT, "for people"),
    (
        "allow",
        May,
        Takes::List(&Takes::Name(Names::Lint)),
        "warnings about it that are silenced"
    ),
);

/// A blocklist.
pub static BLOCKLIST: Keys = keys!(
    "a blocklist",
    Others::Nothing,
    (
        "block",
        May,
        Takes::List(&Takes::Table(&BLOCK)),
        "who is not heard, or not told anything"
    ),
);

/// `[[block]]`.
pub static BLOCK: Keys = keys!(
    "a block",
    Others::Nothing,
    (
        "device",
        May,
        Takes::Either(&[Takes::Name(Names::Device), Takes::Word]),
        "whom, by name"
    ),
    (
        "id",
        May,
        Takes::Plain(crate::kinds::Takes::Int(1, 65_535)),
        "whom, by number; beside a name: either"
    ),
    (
        "as",
        May,
        words(&["producer", "consumer", "both"]),
        "which side; absent: both"
    ),
    ("since", May, Takes::Date, "since when"),
    ("why", May, TEXT, "why, for people"),
);
