//! Why the database can't do what it is asked.

use super::MappingHash;
use std::fmt;
use std::path::PathBuf;

/// Why the database can't do what it is asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum DbError {
    /// A newer version made it.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this version knows.
        known: i64,
    },
    /// The disk has no room.
    Full(rusqlite::Error),
    /// A snapshot names a mapping that is not archived; archive it first.
    UnknownMapping(MappingHash),
    /// A row holds what this version never writes: damage, or a hand at work.
    Damaged {
        /// Which table and row, in words.
        what: String,
    },
    /// Anything else that SQLite says.
    Sqlite(rusqlite::Error),
}

impl From<rusqlite::Error> for DbError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full(error),
            _ => Self::Sqlite(error),
        }
    }
}

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { path, found, known } => write!(
                f,
                "{} was made by a newer iot-control (its schema is {found}, this version knows {known}); start that version, or restore a backup made before the upgrade",
                path.display()
            ),
            Self::Full(_) => f.write_str("the disk has no room for the database; make some"),
            Self::UnknownMapping(hash) => {
                write!(
                    f,
                    "the mapping {hash} is not archived, so nothing can refer to it"
                )
            }
            Self::Damaged { what } => write!(f, "the database holds a damaged row: {what}"),
            Self::Sqlite(_) => f.write_str("the database refuses"),
        }
    }
}

impl std::error::Error for DbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full(source) | Self::Sqlite(source) => Some(source),
            _ => None,
        }
    }
}
