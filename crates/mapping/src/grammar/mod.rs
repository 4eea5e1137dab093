//! The language as data: which tables there are, which keys each has, what a key takes, and one line about
//! it for people.
//!
//! One place for the readers (which keys they know), the schema, and completion in editors: a key that is
//! added here is known to all of them. Must not know TOML or any house.

mod house;
mod kind;
mod rule;
mod test;

use crate::kinds;

pub use house::{BLOCK, BLOCKLIST, CHANNEL, DEVICE, HOME, I2C, MAPPING, MQTT, UART, VAR};
pub use kind::{ARGUMENT, FIELD, KIND, KIND_COMMAND};
pub use rule::{ACTIONS, LATE, RULE, STEPS, TRIGGERS};
pub use test::{EMITTED, EXPECTED, GIVEN, RESTART, STEP, TEST, TESTS};

/// A table of the language.
#[derive(Debug)]
pub struct Keys {
    /// What it is, with its article: "a rule".
    pub what: &'static str,
    /// Its keys by name, in the order in which people read about them.
    pub names: &'static [&'static str],
    /// The same keys with what they take.
    pub specs: &'static [KeySpec],
    /// What other keys mean.
    pub others: Others,
}

/// A key of a table.
#[derive(Debug)]
pub struct KeySpec {
    /// As it is written.
    pub name: &'static str,
    /// Whether it must be there.
    pub need: Need,
    /// What it takes.
    pub takes: Takes,
    /// One line for people.
    pub about: &'static str,
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Must,
    /// It may.
    May,
}

/// What keys mean that are none of a table's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nothing: they are mistakes.
    Nothing,
    /// Fields that can be set, of the channel or group that this key names.
    FieldsOf(&'static str),
    /// Fields of the event that this key names.
    EventFieldsOf(&'static str),
    /// Arguments of the command that this key names.
    ArgumentsOf(&'static str),
    /// Options of the kind that this key names.
    OptionsOf(&'static str),
}

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A value that knows nothing of the house.
    Plain(kinds::Takes),
    /// A number in an inclusive range.
    Between(f64, f64),
    /// `1`: the format that this version reads.
    Format,
    /// A path to include.
    File,
    /// An IANA time zone.
    TimeZone,
    /// A time of day, `07:00`.
    TimeOfDay,
    /// Weekdays: `mon-fri`, `sat,sun`, or a list of these.
    Days,
    /// How often in which time: `1 per 30s`.
    Limit,
    /// A local date and time: `2026-03-28 21:00`.
    Moment,
    /// A date, with or without quotes.
    Date,
    /// An MQTT topic without wildcards.
    Topic,
    /// The name of a board; one that we don't know is fine.
    Board,
    /// The name of a kind.
    Kind,
    /// An expression that is true or false.
    Condition,
    /// A text with `${..}` in it.
    Message,
    /// Something of the house, by its name.
    Name(Names),
    /// What the variable or field holds that the table declares.
    Start,
    /// Constants for fields of the kind that the table declares: `{ volume = 3 }`.
    Constants,
    /// What the variable holds that this key names: a constant, or `${..}`.
    ValueOf(&'static str),
    /// A name that is declared by its use, as in `all`.
    Word,
    /// `{ D.CH = value, D.CH.field = value }`.
    Values(Values),
    /// Fields of the event that this key names: `{ key = 60 }`.
    FieldsOf(&'static str),
    /// Values of variables by their names: `{ night = true }`.
    VarValues,
    /// Numbers of firings by the names of rules: `{ hall-motion = 1 }`.
    Firings,
    /// The same for each of some rules or timers, by their names.
    By(Names, &'static Takes),
    /// The same for some of several, by their places: `{ 2 = .. }`.
    ByPlace(&'static Takes),
    /// What had other names, by these: `{ "var.night" = "var.dark" }`.
    Renames,
    /// A table of tables by names that are declared here.
    Declares(Names, &'static Takes),
    /// A table.
    Table(&'static Keys),
    /// A text, or a table that has one of these forms.
    Forms(&'static Forms),
    /// A list.
    List(&'static Takes),
    /// One, or a list.
    OneOrMore(&'static Takes),
    /// One of these.
    Either(&'static [Takes]),
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// A device.
    Device,
    /// A kind of channels.
    Kind,
    /// A field of the kind that the table declares.
    KindField,
    /// An event of the kind that the table declares.
    KindEvent,
    /// A command of the kind that the table declares.
    KindCommand,
    /// A channel within its device.
    Channel,
    /// A channel, a device or a group: a member of a group.
    Member,
    /// `D.CH` or a group that takes targets.
    Target,
    /// `D.CH` or a group that is on or off, and so can be on for a time.
    Switched,
    /// `D.CH` or a group with gestures.
    Button,
    /// `D.CH.event`, `G.event`, `D.offline`, `*.offline`.
    Event,
    /// `D.CH.event` of one channel.
    OneEvent,
    /// `D.CH.command` or `G.command`.
    Command,
    /// A group.
    Group,
    /// A variable.
    Var,
    /// A scene.
    Scene,
    /// A timer that some rule starts.
    Timer,
    /// A timer; it is declared here.
    NewTimer,
    /// A rule.
    Rule,
    /// A test.
    Test,
    /// Something that goes on under another name: `D`, `D.CH`, `var.V`, `timer.T`, `rule.R`.
    Renamed,
    /// A lint that `allow` silences.
    Lint,
}

/// Whether values are desired or reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Desired, groups allowed: a scene.
    Scene,
    /// Desired.
    Target,
    /// Reported.
    State,
    /// How long ago that was: durations.
    Age,
    /// How long an output is on still: durations, by channels.
    OnFor,
    /// How long an output is kept from rules still: durations, by channels.
    Kept,
}

impl Values {
    /// Whether they are about reported fields, also those that nobody can set.
    #[must_use]
    pub fn are_reported(self) -> bool {
        matches!(self, Self::State | Self::Age)
    }

    /// Whether a channel is told something as a whole, and none of its fields is.
    #[must_use]
    pub fn are_whole(self) -> bool {
        matches!(self, Self::OnFor | Self::Kept)
    }
}

/// Tables that are told apart by the key that they have.
#[derive(Debug)]
pub struct Forms {
    /// What they are, with the article: "a trigger".
    pub what: &'static str,
    /// What stands there as a text.
    pub text: Takes,
    /// The forms; the first one whose key is there counts.
    pub all: &'static [Form],
}

/// One form.
#[derive(Debug)]
pub struct Form {
    /// The key that says so.
    pub name: &'static str,
    /// Its keys, this one included.
    pub keys: Keys,
}

impl Keys {
    /// The key of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static KeySpec> {
        self.specs.iter().find(|spec| spec.name == name)
    }
}

const TEXT: Takes = Takes::Plain(kinds::Takes::Text);
const BOOL: Takes = Takes::Plain(kinds::Takes::Bool);
const NUMBER: Takes = Takes::Plain(kinds::Takes::Number);
const DURATION: Takes = Takes::Plain(kinds::Takes::Duration);
const PIN: Takes = Takes::Plain(kinds::Takes::Pin);

const fn words(words: &'static [&'static str]) -> Takes {
    Takes::Plain(kinds::Takes::Word(words))
}

/// The keys of one table: `keys!("a rule", Others::Nothing, ("when", Must, TAKES, "what makes it look"), ..)`.
macro_rules! keys {
    ($what:literal, $others:expr, $(($name:literal, $need:ident, $takes:expr, $about:literal)),+ $(,)?) => {
        $crate::grammar::Keys {
            what: $what,
            names: &[$($name),+],
            specs: &[$($crate::grammar::KeySpec {
                name: $name,
                need: $crate::grammar::Need::$need,
                takes: $takes,
                about: $about,
            }),+],
            others: $others,
        }
    };
}
use keys;

#[cfg(test)]
mod tests {
    use super::*;

    fn each_key(takes: &Takes, seen: &mut Vec<(&'static str, &'static KeySpec)>) {
        let mut table = |keys: &'static Keys| {
            for spec in keys.specs {
                seen.push((keys.what, spec));
                each_key(&spec.takes, seen);
            }
        };
        match takes {
            Takes::Table(keys) => table(keys),
            Takes::Forms(forms) => forms.all.iter().for_each(|form| table(&form.keys)),
            Takes::List(inner) | Takes::OneOrMore(inner) | Takes::Declares(_, inner) => {
                each_key(inner, seen);
            }
            Takes::Either(all) => all.iter().for_each(|takes| each_key(takes, seen)),
            _ => {}
        }
    }

    fn all() -> Vec<(&'static str, &'static KeySpec)> {
        let mut seen = Vec::new();
        for keys in [&MAPPING, &TESTS, &BLOCKLIST] {
            each_key(&Takes::Table(keys), &mut seen);
        }
        seen
    }

    #[test]
    fn every_key_says_what_it_is_in_a_line() {
        let all = all();
        assert!(all.len() > 80, "{}", all.len());
        for (what, spec) in all {
            let about = spec.about;
            let fits = !about.is_empty() && about.len() <= 100 && !about.ends_with('.');
            assert!(fits, "{} of {what}: {about}", spec.name);
        }
    }

    #[test]
    fn a_form_holds_its_own_key() {
        for forms in [&TRIGGERS, &ACTIONS, &EXPECTED] {
            for form in forms.all {
                assert!(form.keys.find(form.name).is_some(), "{}", form.name);
            }
        }
    }

    #[test]
    fn keys_that_other_keys_lean_on_stand_beside_them() {
        for (what, spec) in all() {
            let leans_on = match spec.takes {
                Takes::ValueOf(key) | Takes::FieldsOf(key) => key,
                _ => continue,
            };
            let tables = all();
            let beside = tables
                .iter()
                .any(|(other, found)| *other == what && found.name == leans_on);
            assert!(beside, "{} of {what}", spec.name);
        }
    }
}
