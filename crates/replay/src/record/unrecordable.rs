//! Why something can't be recorded, in words for people.

use std::fmt;

use super::STEPS_MAX;
use crate::trouble::HistoryError;

/// Why a stretch of history is no test.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unrecordable {
    /// It can't be read.
    History(HistoryError),
    /// Something was under way when it begins.
    Waits {
        /// What, in words.
        what: String,
        /// The first moment from which it can be recorded.
        quiet: Option<String>,
        /// Where there is none, the last one before.
        earlier: Option<String>,
        /// Only a part of the house was looked at.
        is_part: bool,
    },
    /// Something happened that a test can't say.
    Unsaid {
        /// When, at home.
        at: String,
        /// What, in words.
        what: String,
    },
    /// Inputs are missing.
    Gap,
    /// Nothing happened.
    Nothing,
    /// Nothing of what was asked for happened.
    NothingOfPart,
    /// More than [`STEPS_MAX`] steps.
    TooMuch {
        /// When that many were full.
        at: String,
    },
    /// More than a test may do, though few of it may be steps: rules that set each other off, or a timer that starts itself.
    TooMuchWork {
        /// When that much was done.
        at: String,
    },
}

impl fmt::Display for Unrecordable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History(error) => error.fmt(f),
            Self::Waits {
                what,
                quiet,
                earlier,
                is_part,
            } => {
                write!(
                    f,
                    "{what} at the beginning, and a test begins with a house in which nothing waits"
                )?;
                match (quiet, earlier) {
                    (Some(at), _) => write!(f, "; nothing waits at --since \"{at}\"")?,
                    (None, Some(at)) => write!(f, "; nothing waited at --since \"{at}\"")?,
                    (None, None) => {
                        f.write_str("; there was no such moment in the day before, nor since")?;
                    }
                }
                match (is_part, quiet) {
                    (false, None) => f.write_str(
                        ". With --rule or --device only what those need has to be quiet",
                    ),
                    _ => Ok(()),
                }
            }
            Self::Unsaid { at, what } => write!(
                f,
                "{what} at {at}, which a test can't say: record up to there (--until \"{at}\"), or from then on"
            ),
            Self::Gap => f.write_str("inputs of that time are missing in the journal"),
            Self::Nothing => f.write_str("nothing happened in that time that a test could tell"),
            Self::NothingOfPart => f.write_str(
                "nothing happened in that time that is about what --rule or --device name",
            ),
            Self::TooMuchWork { at } => write!(
                f,
                "rules fired so often that no test may do so much: end at --until \"{at}\", or say --rule or --device"
            ),
            Self::TooMuch { at } => write!(
                f,
                "that is more than {STEPS_MAX} steps, which nobody reads: end at --until \"{at}\", or say --rule or --device"
            ),
        }
    }
}

impl std::error::Error for Unrecordable {}

impl From<HistoryError> for Unrecordable {
    fn from(error: HistoryError) -> Self {
        Self::History(error)
    }
}
