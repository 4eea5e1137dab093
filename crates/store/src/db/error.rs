//! Why the database can't do what it is asked.

use super::MappingHash;
use rusqlite::ErrorCode;
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
    /// It is missing or empty, and the journal beside it holds inputs.
    Lost(PathBuf),
    /// It was deleted or replaced while the dispatcher runs; which file and how, in words.
    Gone(String),
    /// The disk has no room.
    Full(rusqlite::Error),
    /// The file is damaged, or is no database.
    Corrupt(rusqlite::Error),
    /// The file or its folder may not be opened or changed.
    Denied(rusqlite::Error),
    /// Another program holds it.
    Busy(rusqlite::Error),
    /// The disk fails.
    Io(rusqlite::Error),
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
        let Some(found) = error.sqlite_error() else {
            return Self::Sqlite(error);
        };
        match found.code {
            ErrorCode::DiskFull => Self::Full(error),
            ErrorCode::SystemIoFailure if found.extended_code == SHM_SIZE => Self::Full(error),
            ErrorCode::SystemIoFailure => Self::Io(error),
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(error),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly => {
                Self::Denied(error)
            }
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy(error),
            _ => Self::Sqlite(error),
        }
    }
}

/// SQLite's `SQLITE_IOERR_SHMSIZE`: the shared memory of its readers could not be made so long.
const SHM_SIZE: i32 = 10 | (19 << 8);

impl fmt::Display for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer { path, found, known } => write!(
                f,
                "{} was made by a newer iot-control (its schema is {found}, this version knows {known}); start that version, or restore a backup made before the upgrade",
                path.display()
            ),
            Self::Lost(path) => write!(
                f,
                "{} is missing or empty, and the journal beside it is not: users, snapshots and mappings are lost. Restore it from a backup, its -wal file too; or move the whole state folder away: then the house begins anew, and all users are to be added again",
                path.display()
            ),
            Self::Gone(what) => write!(
                f,
                "{what} while the dispatcher runs, and nothing more is kept; put that very file back, or restore a backup of the state folder and start the dispatcher again"
            ),
            Self::Full(_) => f.write_str("the disk has no room for the database; make some"),
            Self::Corrupt(_) => f.write_str(
                "house.db is damaged; restore a backup of it, or run `sqlite3 house.db .recover | sqlite3 mended.db` in its folder and put mended.db in its place; or move the whole state folder away: then the house begins anew, and all users are to be added again",
            ),
            Self::Denied(_) => f.write_str(
                "house.db can't be opened or changed; the user that runs iot-control must own it and its folder",
            ),
            Self::Busy(_) => {
                f.write_str("another program holds house.db; end it, then try again")
            }
            Self::Io(_) => f.write_str("the disk fails under house.db; check it and its cables"),
            Self::UnknownMapping(hash) => {
                write!(
                    f,
                    "the mapping {hash} is not archived, so nothing can refer to it"
                )
            }
            Self::Damaged { what } => write!(
                f,
                "house.db holds a damaged row: {what}; remove it and add it again, or restore a backup"
            ),
            Self::Sqlite(_) => f.write_str("the database refuses"),
        }
    }
}

impl std::error::Error for DbError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full(source)
            | Self::Corrupt(source)
            | Self::Denied(source)
            | Self::Busy(source)
            | Self::Io(source)
            | Self::Sqlite(source) => Some(source),
            _ => None,
        }
    }
}
