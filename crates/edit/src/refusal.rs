//! Why an edit was not done.

use std::fmt;

use crate::model::Model;

/// Why an edit was not done; nothing was changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// Not a JSON pointer; holds it.
    BadPointer(String),
    /// Nothing is at that place; holds the pointer, and where known what is near.
    Nothing(String, Option<String>),
    /// A value can't be written there; holds the pointer and why.
    Misplaced(String, &'static str),
    /// A list without such an item, or a value with nothing below it, stands where a table is needed.
    InTheWay {
        /// The pointer that was to be written.
        at: String,
        /// The pointer of what has no room for it.
        above: String,
        /// What stands there.
        there: Model,
    },
    /// A file can't be read as TOML, so that what it says is not known; holds its name.
    Unreadable(String),
    /// Files can't be read at all; holds the messages as `check` draws them, each with its file and how to mend it.
    Unread(String),
    /// The result would not check; holds the messages as `check` draws them.
    DoesNotCheck(String),
    /// What should stand above a value is not there, and as something new it would not check.
    Below {
        /// The first part of the path that is missing.
        missing: String,
        /// What is above that, as a pointer; empty: the house.
        above: String,
        /// Names that are there.
        there: Vec<String>,
        /// Where known, the path that may have been meant.
        near: Option<String>,
        /// The messages as `check` draws them.
        messages: String,
    },
    /// Something of that name is there already; holds what it is and its name.
    Taken(&'static str, String),
    /// Not a name for that; holds it, and why with what can be.
    BadName(String, String),
    /// Nothing has that name; holds it, and where known the nearest one.
    Unknown(String, Option<String>),
    /// Several things have that name; holds it, and how each is told apart.
    Ambiguous(String, Vec<String>),
    /// It is written in a way that this edit would change more than it should; holds the pointer or name.
    TooTangled(String),
}

/// Longest value that is repeated.
const SHOWN_BYTES_MAX: usize = 200;

/// Names that are told of a table.
const NAMES_MAX: usize = 12;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadPointer(text) => write!(
                f,
                "\"{text}\" is no path; write for example /rule/hall-motion/if, or rule.hall-motion.if"
            ),
            Self::Nothing(pointer, near) => {
                write!(f, "nothing is at {pointer}")?;
                match near {
                    Some(near) => write!(f, "; did you mean {near}?"),
                    None => Ok(()),
                }
            }
            Self::Misplaced(pointer, why) => write!(f, "{pointer} can't be written: {why}"),
            Self::InTheWay { at, above, there } => {
                write!(f, "{at} can't be written: {}", no_room(above, there))
            }
            Self::Unreadable(file) => {
                write!(
                    f,
                    "{file} can't be read; mend it first: iot-control check says where"
                )
            }
            Self::Unread(messages) => write!(
                f,
                "the house can't be read whole, so nothing was changed; mend this first:\n{messages}"
            ),
            Self::DoesNotCheck(messages) => {
                write!(f, "the house would not check any more:\n{messages}")
            }
            Self::Below {
                missing,
                above,
                there,
                near,
                messages,
            } => {
                write!(f, "nothing is at {missing}")?;
                if let Some(near) = near {
                    write!(f, "; did you mean {near}?")?;
                }
                if !there.is_empty() {
                    let told = there.len().min(NAMES_MAX);
                    let more = if told < there.len() { ", .." } else { "" };
                    write!(f, "; {above} has {}{more}", there[..told].join(", "))?;
                }
                write!(
                    f,
                    "\nas something new the house would not check:\n{messages}"
                )
            }
            Self::Taken(what, name) => write!(f, "there is a {what} `{name}` already"),
            Self::BadName(name, why) => write!(f, "`{name}` can't be a name there: {why}"),
            Self::Unknown(name, near) => {
                write!(f, "nothing is called `{name}`")?;
                match near {
                    Some(near) => write!(f, "; did you mean `{near}`?"),
                    None => Ok(()),
                }
            }
            Self::Ambiguous(name, candidates) => write!(
                f,
                "several things are called `{name}`: say {}",
                candidates.join(" or ")
            ),
            Self::TooTangled(what) => write!(
                f,
                "{what} is written in a way that this edit can't change alone; change it by hand"
            ),
        }
    }
}

/// Why nothing can be written below `above`, and what to write instead.
fn no_room(above: &str, there: &Model) -> String {
    let json = serde_json::to_string(there).unwrap_or_default();
    let json = match json.len() <= SHOWN_BYTES_MAX {
        true => &json,
        false => "..",
    };
    let Model::List(list) = there else {
        return format!("{above} is {json}, with nothing below it; write the whole of it");
    };
    let items = match list.len() {
        0 => "is an empty list".to_owned(),
        1 => format!("is a list of one item, {above}/0"),
        count => format!(
            "is a list of {count} items, {above}/0 to {above}/{}",
            count - 1
        ),
    };
    format!("{above} {items}; to add one write the whole list, which is '{json}' now")
}

impl std::error::Error for Refusal {}
