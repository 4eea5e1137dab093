//! What a channel can report and be told: the forms in which kinds are described, and how to find one.
//! The built-in kinds stand in one table, [`ALL`]; those of a house's `[kind.K]` have the same form.
//!
//! Used by the reader of devices (fields, events, commands, options), for roles and for documentation.
//! Must not know TOML or any house.

mod boards;
mod options;
mod set;
mod table;

use std::sync::Arc;

use types::{Type, Value};

pub(crate) use boards::UART;
pub use boards::{BOARDS, Board, Pins};
pub use options::{COMMON, FOREIGN, OptionSpec, Takes, Usage};
pub use set::Kinds;
pub use table::ALL;

/// What channels of one kind have in common.
#[derive(Clone, Debug)]
pub struct Kind {
    /// Its name in the mapping.
    pub name: Arc<str>,
    /// One line for people.
    pub about: Arc<str>,
    /// Whether it takes targets.
    pub consumer: bool,
    /// Its state, reported; for consumers also desired.
    pub fields: Vec<FieldSpec>,
    /// What it reports as it happens.
    pub events: Vec<EventSpec>,
    /// What it can be told by name.
    pub commands: Vec<CommandSpec>,
    /// How it is wired, and what else can be said about it.
    pub options: Vec<OptionSpec>,
    /// On a board, the options of one of these sets must be there; empty: nothing must.
    pub wiring: &'static [&'static [&'static str]],
}

/// A state field.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub shape: Shape,
    /// Whether a target can be set.
    pub settable: bool,
}

/// An event.
#[derive(Clone, Debug, PartialEq)]
pub struct EventSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its fields.
    pub fields: Vec<ArgSpec>,
    /// State that it writes.
    pub carries: Vec<CarriedSpec>,
}

/// A field of an event, or what a command takes.
#[derive(Clone, Debug, PartialEq)]
pub struct ArgSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What it holds.
    pub shape: Shape,
    /// Used where it is absent; `None`: it must be there.
    pub default: Option<Value>,
}

/// A state field that an event writes.
#[derive(Clone, Debug, PartialEq)]
pub struct CarriedSpec {
    /// The state field.
    pub field: Arc<str>,
    /// A constant; `None`: the event's field of the same name.
    pub value: Option<Value>,
}

/// A command.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandSpec {
    /// Its name.
    pub name: Arc<str>,
    /// What it takes.
    pub args: Vec<ArgSpec>,
    /// What it does to the target.
    pub effect: EffectSpec,
}

/// What a command does to the target.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectSpec {
    /// Writes constants.
    Set(Vec<(Arc<str>, Value)>),
    /// Flips a bool.
    Toggle(Arc<str>),
    /// Adds the first argument times this sign.
    Step(Arc<str>, f64),
    /// Sent as it is, never repeated.
    Momentary,
}

/// What values a field takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// The same on every channel.
    Fixed(Type),
    /// A number in the range of the channel's own `min` and `max`, by default this one.
    Ranged(f64, f64),
}

impl Shape {
    /// The type of a field of a channel whose table says `range`.
    #[must_use]
    pub fn to_type(&self, range: (Option<f64>, Option<f64>)) -> Type {
        match self {
            Self::Fixed(ty) => ty.clone(),
            Self::Ranged(min, max) => Type::Number {
                min: range.0.unwrap_or(*min),
                max: range.1.unwrap_or(*max),
            },
        }
    }
}

impl Kind {
    /// Whether every house has a kind of this name.
    #[must_use]
    pub fn is_built_in(name: &str) -> bool {
        ALL.iter().any(|kind| *kind.name == *name)
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

    /// Whether channels of both kinds hold, say and take the same, whatever the kinds are called.
    #[must_use]
    pub fn is_alike(&self, other: &Self) -> bool {
        (self.consumer, &self.fields, &self.events)
            == (other.consumer, &other.fields, &other.events)
            && self.commands == other.commands
    }

    /// Whether it has gestures: its `press` and `release` are those of one button.
    #[must_use]
    pub fn has_gestures(&self) -> bool {
        let plain = |name: &str| {
            let mut events = self.events.iter();
            events.any(|event| *event.name == *name && event.fields.is_empty())
        };
        plain("press") && plain("release")
    }

    /// Whether it reports a number by `changed`.
    #[must_use]
    pub fn is_sensor(&self) -> bool {
        self.events.iter().any(|event| &*event.name == "changed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_refers_only_to_its_own_fields_and_options() {
        for kind in ALL.iter() {
            let has = |name: &str| kind.fields.iter().any(|field| *field.name == *name);
            for event in &kind.events {
                for carried in &event.carries {
                    assert!(has(&carried.field), "{}", kind.name);
                    let from_event = event.fields.iter().any(|arg| arg.name == carried.field);
                    assert!(carried.value.is_some() || from_event, "{}", kind.name);
                }
            }
            for command in &kind.commands {
                match &command.effect {
                    EffectSpec::Set(fields) => assert!(fields.iter().all(|(name, _)| has(name))),
                    EffectSpec::Toggle(field) => assert!(has(field)),
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
    fn constants_of_the_table_fit_their_fields() {
        for kind in ALL.iter() {
            let ty = |name: &str| {
                let field = kind.fields.iter().find(|field| *field.name == *name);
                field
                    .expect("a field of its own")
                    .shape
                    .to_type((None, None))
            };
            let carried = kind.events.iter().flat_map(|event| &event.carries);
            for carried in carried {
                if let Some(value) = &carried.value {
                    assert_eq!(ty(&carried.field).check(value), Ok(()), "{}", kind.name);
                }
            }
            for command in &kind.commands {
                if let EffectSpec::Set(fields) = &command.effect {
                    for (name, value) in fields {
                        assert_eq!(ty(name).check(value), Ok(()), "{}", kind.name);
                    }
                }
            }
            let args = kind.events.iter().flat_map(|event| &event.fields);
            for arg in args.chain(kind.commands.iter().flat_map(|command| &command.args)) {
                let ty = arg.shape.to_type((None, None));
                assert!(arg.default.iter().all(|value| ty.check(value).is_ok()));
            }
        }
    }

    #[test]
    fn buttons_and_encoders_have_gestures_and_keyboards_do_not() {
        let with: Vec<&str> = ALL
            .iter()
            .filter(|kind| kind.has_gestures())
            .map(|kind| &*kind.name)
            .collect();
        assert_eq!(with, ["button", "encoder"]);
    }
}
