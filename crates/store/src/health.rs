//! How the store is doing, and what callers are told when it does badly.

use crate::db::DbError;
use std::fmt;
use types::InputNo;

/// How the store is doing; for people and for the health page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether it writes.
    pub state: HealthState,
    /// The last number that was acknowledged in this run, or found at its start.
    pub written: InputNo,
    /// Batches that wait to be written.
    pub waiting_batches: usize,
    /// Their bytes in memory.
    pub waiting_bytes: usize,
    /// The bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Segments that went early because the disk was full.
    pub segments_sacrificed: u64,
    /// Why old data could not be dropped the last time.
    pub retention_trouble: Option<String>,
}

/// Whether the store writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthState {
    /// It does.
    Good,
    /// It can't: nothing is acknowledged, and it tries again by itself.
    Failing {
        /// The disk has no room, and nothing more could be dropped.
        full: bool,
        /// What the operating system says.
        error: String,
        /// How often it failed in a row.
        attempts: u32,
    },
    /// What it writes was deleted or replaced under it: nothing is acknowledged, and only that very file or a new
    /// start can mend it.
    Gone {
        /// Which file.
        what: String,
    },
    /// Its thread ended.
    Stopped,
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good => f.write_str("inputs are being kept"),
            Self::Failing { full: true, .. } => f.write_str(
                "the disk is full: inputs are not kept and not acknowledged; make room on it",
            ),
            Self::Failing { error, .. } => write!(
                f,
                "the disk refuses ({error}): inputs are not kept and not acknowledged; check the disk"
            ),
            Self::Gone { what } => write!(
                f,
                "{what} while the dispatcher runs: inputs are not kept and not acknowledged; put the state folder back from a backup, or let the house begin anew, and start the dispatcher again"
            ),
            Self::Stopped => f.write_str("the store ended; inputs are not kept"),
        }
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum StoreError {
    /// Inputs before it could not be written yet, so it was not tried.
    Behind(HealthState),
    /// The disk refused to take the journal.
    Io(std::io::Error),
    /// The database refused.
    Db(DbError),
    /// It was shut down before these batches could be written.
    Unwritten {
        /// How many.
        batches: usize,
        /// Why.
        state: HealthState,
    },
    /// Its thread ended before, by a shutdown or by a panic in a reply.
    Stopped,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(state) => write!(f, "the journal is behind: {state}"),
            Self::Io(_) => f.write_str("the disk does not take the journal"),
            Self::Db(_) => f.write_str("the database does not take it"),
            Self::Unwritten { batches, state } => {
                write!(f, "{batches} batches of inputs are lost: {state}")
            }
            Self::Stopped => f.write_str("the store has ended"),
        }
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(source) => Some(source),
            Self::Db(source) => Some(source),
            _ => None,
        }
    }
}

impl From<DbError> for StoreError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}
