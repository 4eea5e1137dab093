//! What keeps the past from being told in full, in words for people. None of it stops a look.

use std::fmt;

use dispatcher::{DecodeError, SnapshotError};
use store::{DbError, PastError, ReadError, Rejected};
use types::InputNo;

use crate::{comparison::Differing, programs::StandIn, when::WhenError};

/// Something that is missing or doubtful, or is told of another time or name than was asked for; each is told once.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Trouble {
    /// Inputs that can't be read: what they changed is not known until the next snapshot.
    Gap(String),
    /// A snapshot that is damaged; an older one was used.
    Snapshot(String),
    /// There is no snapshot to start from: what was before the oldest input is not known.
    FromNothing,
    /// A mapping that can't be used.
    StandIn(StandIn),
    /// An input that can't be read under the mapping that was in force.
    Unreadable {
        /// The first of them.
        no: InputNo,
        /// Why.
        why: DecodeError,
        /// How many there are.
        count: u64,
    },
    /// What was asked about is no longer in the mapping: it is told as it was.
    Removed {
        /// Its last name, as somebody would ask for it.
        name: String,
        /// When another mapping took it out, at home.
        at: String,
    },
    /// What was asked about has another name now, under which it is told as well.
    Renamed {
        /// The name that was asked about.
        was: String,
        /// The one of today.
        is: String,
    },
    /// Not all mappings of the past were looked through for this name.
    NotLookedThrough(String),
    /// The clock was put back over the moment that was asked about, at home: it is told as the first time.
    ShownTwice(String),
    /// Replayed, inputs led to something else than when they came: another version took them.
    Differs(Differing),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(text) => write!(
                f,
                "{text}; what they changed is not known, and what follows is told without them until the next snapshot"
            ),
            Self::Snapshot(text) => f.write_str(text),
            Self::FromNothing => f.write_str(
                "no snapshot is left to start from: the house is told from its oldest input on, as if nothing had been before",
            ),
            Self::StandIn(stand_in) => stand_in.fmt(f),
            Self::Unreadable { no, why, count: 1 } => {
                write!(f, "input {no} can't be told: {why}")
            }
            Self::Unreadable { no, why, count } => {
                write!(f, "{count} inputs can't be told; the first is {no}: {why}")
            }
            Self::ShownTwice(at) => write!(
                f,
                "the clock was put back over {at}, which it showed more than once: the first time is meant; without a moment the newest is told"
            ),
            Self::Removed { name, at } => write!(
                f,
                "{name} was taken out of the mapping at {at}; it is told as it was until then"
            ),
            Self::Renamed { was, is } => write!(
                f,
                "{} is called {is} now and is told under both names",
                was.escape_debug()
            ),
            Self::NotLookedThrough(name) => write!(
                f,
                "only the newest mappings in which \"{}\" is written were looked through for what was called so",
                name.escape_debug()
            ),
            Self::Differs(differing) => differing.fmt(f),
        }
    }
}

/// Why the past can't be told at all.
#[derive(Debug)]
#[non_exhaustive]
pub enum HistoryError {
    /// The state folder can't be opened.
    Open(PastError),
    /// The database can't be read.
    Db(DbError),
    /// The journal can't be read.
    Read(ReadError),
    /// A snapshot of a newer version.
    Snapshot {
        /// The input after which it was taken.
        no: InputNo,
        /// The version that wrote it.
        binary: String,
        /// What is wrong with it.
        why: SnapshotError,
    },
    /// No mapping was ever in force, or this version does not take it any more.
    NoMapping(String),
    /// Nothing was ever recorded.
    Empty,
    /// The moment lies before everything that is kept.
    TooOld {
        /// The oldest moment that can be told, at home.
        oldest: String,
        /// The house began then; else what was before was dropped.
        is_begin: bool,
    },
    /// The journal has no such input.
    NoInput(InputNo),
    /// A time that is none.
    When(WhenError),
    /// What was asked about does not exist; with a suggestion where there is one.
    Unknown(String),
}

impl fmt::Display for HistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Db(error) => error.fmt(f),
            Self::Read(error) => error.fmt(f),
            Self::Snapshot { no, binary, why } => write!(
                f,
                "the snapshot of input {no}, which iot-control {binary} wrote: {why}"
            ),
            Self::NoMapping(why) => write!(f, "the mapping of this house can't be read: {why}"),
            Self::Empty => f.write_str("nothing has been recorded in this state folder yet"),
            Self::TooOld {
                oldest,
                is_begin: true,
            } => write!(
                f,
                "this house began at {oldest}; nothing is known of before"
            ),
            Self::TooOld { oldest, .. } => write!(
                f,
                "the journal reaches back to {oldest}; what was before is no longer kept (journal.keep_days in settings.toml)"
            ),
            Self::NoInput(no) => write!(f, "the journal has no input {no}"),
            Self::When(error) => error.fmt(f),
            Self::Unknown(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for HistoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open(error) => error.source(),
            Self::Db(error) => error.source(),
            Self::Read(error) => error.source(),
            _ => None,
        }
    }
}

impl From<PastError> for HistoryError {
    fn from(error: PastError) -> Self {
        Self::Open(error)
    }
}

impl From<DbError> for HistoryError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<WhenError> for HistoryError {
    fn from(error: WhenError) -> Self {
        Self::When(error)
    }
}

/// Troubles in the order in which they were met.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Vec<Trouble>);

impl Troubles {
    pub(crate) fn add(&mut self, trouble: Trouble) {
        if !self.0.contains(&trouble) {
            self.0.push(trouble);
        }
    }

    pub(crate) fn rejected(&mut self, rejected: Vec<Rejected>) {
        for rejected in rejected {
            self.add(Trouble::Snapshot(rejected.to_string()));
        }
    }

    /// Several travels may meet the same stretch; the oldest one is told.
    pub(crate) fn differing(&mut self, met: &Differing) {
        for trouble in &mut self.0 {
            if let Trouble::Differs(known) = trouble {
                if met.from <= known.from {
                    known.clone_from(met);
                }
                return;
            }
        }
        self.0.push(Trouble::Differs(met.clone()));
    }

    /// The same input may be met by several travels: they are counted by their numbers.
    pub(crate) fn unreadable(&mut self, at: InputNo, reason: DecodeError) {
        for trouble in &mut self.0 {
            if let Trouble::Unreadable { no, why, count } = trouble {
                match at.cmp(no) {
                    std::cmp::Ordering::Equal => return,
                    std::cmp::Ordering::Less => (*no, *why) = (at, reason),
                    std::cmp::Ordering::Greater => {}
                }
                *count += 1;
                return;
            }
        }
        self.0.push(Trouble::Unreadable {
            no: at,
            why: reason,
            count: 1,
        });
    }

    pub(crate) fn all(&self) -> Vec<Trouble> {
        self.0.clone()
    }
}
