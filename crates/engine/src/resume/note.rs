//! What did not survive when an engine went on from a state, in words for people.
//!
//! Left by whoever takes a state over; must not know how it came about.

use std::{fmt, sync::Arc, time::Duration};

use types::Value;

use crate::almanac::Almanac;

/// Something that did not survive.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Note {
    /// The state has a format that this version does not read; the engine starts from nothing.
    Format(u32),
    /// Local times and the sun were computed with other tables than this program has.
    Almanac {
        /// Those of the state.
        was: Almanac,
    },
    /// Reported and desired values of a channel or field that is gone or holds another type.
    ValueDropped {
        /// `DEVICE.CHANNEL` or `DEVICE.CHANNEL.FIELD`.
        path: Arc<str>,
    },
    /// A variable is gone or holds another type.
    VarDropped {
        /// Its name.
        var: Arc<str>,
        /// What alone of its type is new: perhaps that, under another name.
        is: Option<Arc<str>>,
    },
    /// A variable's value lies outside of its new range: it is the nearest one inside.
    VarFitted {
        /// Its name.
        var: Arc<str>,
        /// What it is now.
        value: Value,
    },
    /// A running timer is in the program no more.
    TimerCancelled {
        /// Its name.
        timer: Arc<str>,
        /// What alone of all timers is new: perhaps that, under another name.
        is: Option<Arc<str>>,
    },
    /// A running timer's duration changed: it counts from its start.
    TimerMoved {
        /// Its name.
        timer: Arc<str>,
    },
    /// A rule's `for` ran, and the rule is gone or its condition changed.
    HoldDropped {
        /// The rule.
        rule: Arc<str>,
    },
    /// A run of a rule waited, and the rule is gone or changed.
    RunCancelled {
        /// The rule.
        rule: Arc<str>,
    },
    /// A rule's sequence had begun, and the rule is gone or its sequence changed.
    SequenceDropped {
        /// The rule.
        rule: Arc<str>,
    },
    /// Some values of a rule's chord had come, and the rule is gone or its chord changed.
    ChordDropped {
        /// The rule.
        rule: Arc<str>,
    },
    /// A gesture was in flight.
    GestureDropped {
        /// `DEVICE.CHANNEL`.
        channel: Arc<str>,
    },
    /// A rule's time came while the dispatcher was down, or a clock was set over it, and the rule does not run that late.
    Missed {
        /// The rule.
        rule: Arc<str>,
        /// How long ago.
        late: Duration,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(
                f,
                "the state has format {format}, which this version does not read: the house starts from nothing"
            ),
            Self::Almanac { was } => write!(
                f,
                "local times and the sun were computed with {was}, and are now with {}: where these differ, what is \
                 replayed may come at another moment than it did",
                Almanac::built_in()
            ),
            Self::ValueDropped { path } => write!(
                f,
                "{path} is gone or holds another type: its last value is forgotten"
            ),
            Self::VarDropped { var, is } => {
                write!(
                    f,
                    "the variable {var} is gone or holds another type: its value is forgotten"
                )?;
                propose(f, ("var", var), is.as_deref())
            }
            Self::VarFitted { var, value } => write!(
                f,
                "the variable {var} was outside of its new range: it is {value} now"
            ),
            Self::TimerCancelled { timer, is } => {
                write!(f, "the timer {timer} was running and is no longer used")?;
                propose(f, ("timer", timer), is.as_deref())
            }
            Self::TimerMoved { timer } => write!(
                f,
                "the timer {timer} runs with its new duration, counted from its start"
            ),
            Self::HoldDropped { rule } => write!(
                f,
                "the rule {rule} was waiting for its `for`, and is gone or changed"
            ),
            Self::RunCancelled { rule } => write!(
                f,
                "the rule {rule} was waiting among its actions, and is gone or changed: the rest of them is dropped"
            ),
            Self::SequenceDropped { rule } => write!(
                f,
                "the sequence of the rule {rule} had begun, and is gone or changed"
            ),
            Self::ChordDropped { rule } => write!(
                f,
                "the chord of the rule {rule} had begun, and is gone or changed"
            ),
            Self::GestureDropped { channel } => write!(f, "a gesture on {channel} was cut off"),
            Self::Missed { rule, late } => write!(
                f,
                "the rule {rule} was due {} s ago and does not run that late",
                late.as_secs()
            ),
        }
    }
}

/// The line that says what is called otherwise now. It counts in the edit that changes the name.
fn propose(f: &mut fmt::Formatter<'_>, (sort, was): (&str, &str), is: Option<&str>) -> fmt::Result {
    let Some(is) = is else { return Ok(()) };
    write!(
        f,
        "; where it is called {is} now, `\"{sort}.{was}\" = \"{sort}.{is}\"` below `[renamed]` in the same save keeps it"
    )
}
