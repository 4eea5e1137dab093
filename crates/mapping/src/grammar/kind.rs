//! `[kind.K]`: own kinds of channels.

use super::{Keys, NUMBER, Names, Others, TEXT, Takes, keys, words};

/// Words for the types of fields.
const TYPES: Takes = words(&["bool", "int", "number", "text"]);

/// What a field holds.
const TYPE: Takes = Takes::Either(&[TYPES, Takes::List(&TEXT), Takes::Table(&FIELD)]);

/// What a field holds that something else fills in where it is absent.
const TYPE_OR_DEFAULT: Takes = Takes::Either(&[TYPES, Takes::List(&TEXT), Takes::Table(&ARGUMENT)]);

/// `[kind.K]`.
pub static KIND: Keys = keys!(
    "a kind",
    Others::Nothing,
    (
        "target",
        May,
        Takes::Declares(Names::KindField, &TYPE),
        "fields that take a target, and are reported"
    ),
    (
        "state",
        May,
        Takes::Declares(Names::KindField, &TYPE),
        "fields that are only reported"
    ),
    (
        "events",
        May,
        Takes::Declares(
            Names::KindEvent,
            &Takes::Declares(Names::KindField, &TYPE_OR_DEFAULT)
        ),
        "what it reports as it happens, with fields"
    ),
    (
        "carries",
        May,
        Takes::Declares(Names::KindEvent, &Takes::Constants),
        "state that an event's name says"
    ),
    (
        "commands",
        May,
        Takes::Declares(Names::KindCommand, &Takes::Table(&KIND_COMMAND)),
        "what it can be told by name"
    ),
    ("note", May, TEXT, "one line about it, for people"),
);

/// What a field holds, as a table.
pub static FIELD: Keys = keys!(
    "a type",
    Others::Nothing,
    ("kind", May, TYPES, "what it holds; with `values`: text"),
    ("min", May, NUMBER, "smallest number"),
    ("max", May, NUMBER, "largest number"),
    (
        "values",
        May,
        Takes::List(&TEXT),
        "the only texts that it holds"
    ),
    ("note", May, TEXT, "for people"),
);

/// What a field of an event or an argument of a command holds, as a table.
pub static ARGUMENT: Keys = keys!(
    "a type with a default",
    Others::Nothing,
    ("kind", May, TYPES, "what it holds; with `values`: text"),
    ("min", May, NUMBER, "smallest number"),
    ("max", May, NUMBER, "largest number"),
    (
        "values",
        May,
        Takes::List(&TEXT),
        "the only texts that it holds"
    ),
    ("default", May, Takes::Start, "its value where it is absent"),
    ("note", May, TEXT, "for people"),
);

/// `commands.C`: at most one of `set`, `toggle`, `step`, `args`.
pub static KIND_COMMAND: Keys = keys!(
    "a command",
    Others::Nothing,
    ("set", May, Takes::Constants, "sets these fields"),
    ("toggle", May, TEXT, "flips this field"),
    ("step", May, TEXT, "counts this field up or down"),
    ("by", May, NUMBER, "the size of a step; below 0 counts down"),
    (
        "args",
        May,
        Takes::Declares(Names::KindField, &TYPE_OR_DEFAULT),
        "sets nothing, is sent as it is with these"
    ),
    ("note", May, TEXT, "for people"),
);
