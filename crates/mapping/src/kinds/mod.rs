//! What a channel can report and be told: the forms in which kinds are described, and how to find one.
//! The kinds themselves stand in one table, [`ALL`].
//!
//! Used by the reader of devices (fields, events, commands, options), for roles and for documentation.
//! Must not know TOML or any house.

mod boards;
mod options;
mod table;

use std::sync::Arc;

use types::{Type, Value};

pub use boards::{BOARDS, Board, Pins};
pub use options::{COMMON, FOREIGN, OptionSpec, Takes, Usage};
pub use table::ALL;

/// A built-in kind.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the mapping.
    pub name: &'static str,
    /// One line for people.
    pub about: &'static str,
    /// Whether it takes targets.
    pub consumer: bool,
    /// Its state, reported; for consumers also desired.
    pub fields: &'static [FieldSpec],
    /// What it reports as it happens.
    pub events: &'static [EventSpec],
    /// What it can be told by name.
    pub commands: &'static [CommandSpec],
    /// How it is wired, and what else can be said about it.
    pub options: &'static [OptionSpec],
    /// On a board, the options of one of these sets must be there; empty: nothing must.
    pub wiring: &'static [&'static [&'static str]],
}

/// A state field.
#[derive(Debug)]
pub struct FieldSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Whether a target can be set.
    pub settable: bool,
}

/// An event.
#[derive(Debug)]
pub struct EventSpec {
    /// Its name.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [ArgSpec],
    /// State that it writes.
    pub carries: &'static [CarriedSpec],
}

/// A field of an event, or what a command takes.
#[derive(Debug)]
pub struct ArgSpec {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub shape: Shape,
    /// Used where it is absent; `None`: it must be there.
    pub default: Option<Const>,
}

/// A state field that an event writes.
#[derive(Debug)]
pub struct CarriedSpec {
    /// The state field.
    pub field: &'static str,
    /// A constant; `None`: the event's field of the same name.
    pub value: Option<Const>,
}

/// A command.
#[derive(Debug)]
pub struct CommandSpec {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub args: &'static [ArgSpec],
    /// What it does to the target.
    pub effect: EffectSpec,
}

/// What a command does to the target.
#[derive(Debug)]
pub enum EffectSpec {
    /// Writes a constant.
    Set(&'static str, Const),
    /// Flips a bool.
    Toggle(&'static str),
    /// Adds the first argument times this sign.
    Step(&'static str, f64),
    /// Sent as it is, never repeated.
    Momentary,
}

/// A constant of the table.
#[derive(Clone, Copy, Debug)]
pub enum Const {
    /// A truth value.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text or the name of an enum's value.
    Text(&'static str),
}

impl From<Const> for Value {
    fn from(constant: Const) -> Self {
        match constant {
            Const::Bool(value) => Self::Bool(value),
            Const::Number(value) => Self::Number(value),
            Const::Text(value) => Self::Text(value.into()),
        }
    }
}

/// What values a field takes.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// `true` or `false`.
    Bool,
    /// A whole number in an inclusive range.
    Int(f64, f64),
    /// A number in an inclusive range.
    Number(f64, f64),
    /// A number in the range of the channel's own `min` and `max`, by default this one.
    Ranged(f64, f64),
    /// One of these names.
    Enum(&'static [&'static str]),
}

impl Shape {
    /// The type of a field of a channel whose table says `range`.
    #[must_use]
    pub fn to_type(self, range: (Option<f64>, Option<f64>)) -> Type {
        match self {
            Self::Bool => Type::Bool,
            Self::Int(min, max) => Type::Int { min, max },
            Self::Number(min, max) => Type::Number { min, max },
            Self::Ranged(min, max) => Type::Number {
                min: range.0.unwrap_or(min),
                max: range.1.unwrap_or(max),
            },
            Self::Enum(names) => Type::Enum(names.iter().map(|name| Arc::from(*name)).collect()),
        }
    }
}

impl Kind {
    /// The kind called `name`.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|kind| kind.name == name)
    }

    /// A kind's name with its article, for messages: "a dimmer", "an encoder".
    #[must_use]
    pub fn with_article(name: &str) -> String {
        let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
            "an"
        } else {
            "a"
        };
        format!("{article} {name}")
    }

    /// Whether it has gestures: its `press` and `release` are those of one button.
    #[must_use]
    pub fn has_gestures(&self) -> bool {
        let plain = |name| {
            let mut events = self.events.iter();
            events.any(|event| event.name == name && event.fields.is_empty())
        };
        plain("press") && plain("release")
    }

    /// Whether it reports a number by `changed`.
    #[must_use]
    pub fn is_sensor(&self) -> bool {
        self.events.iter().any(|event| event.name == "changed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_refers_only_to_its_own_fields_and_options() {
        for kind in ALL {
            let has = |name: &str| kind.fields.iter().any(|field| field.name == name);
            for carried in kind.events.iter().flat_map(|event| {
                let args = event.fields;
                event.carries.iter().map(move |carried| (carried, args))
            }) {
                assert!(has(carried.0.field), "{}", kind.name);
                let from_event = carried.1.iter().any(|arg| arg.name == carried.0.field);
                assert!(carried.0.value.is_some() || from_event, "{}", kind.name);
            }
            for command in kind.commands {
                match command.effect {
                    EffectSpec::Set(field, _) | EffectSpec::Toggle(field) => assert!(has(field)),
                    EffectSpec::Step(field, _) => {
                        assert!(has(field) && !command.args.is_empty());
                    }
                    EffectSpec::Momentary => {}
                }
            }
            for option in kind.wiring.iter().flat_map(|set| set.iter()) {
                assert!(
                    kind.options.iter().any(|known| known.name == *option),
                    "{}: {option}",
                    kind.name
                );
            }
        }
    }

    #[test]
    fn buttons_and_encoders_have_gestures_and_keyboards_do_not() {
        let with: Vec<&str> = ALL
            .iter()
            .filter(|kind| kind.has_gestures())
            .map(|kind| kind.name)
            .collect();
        assert_eq!(with, ["button", "encoder"]);
    }
}
