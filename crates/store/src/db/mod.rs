//! The database of a house: users, the registry of devices, archived mappings, snapshots, history.
//!
//! SQLite in WAL mode. The store thread owns the one [`Database`] that writes; everybody else opens
//! a [`DatabaseReader`], which can't. Every commit is on the disk when it returns: what stands here
//! is what people wait for. Must not know the journal's files.

mod devices;
mod error;
mod history;
mod mappings;
mod meta;
mod schema;
mod snapshots;
mod things;
mod users;

pub use devices::Device;
pub use error::DbError;
pub use history::{Change, Chronicle, Edit, Rename};
pub use mappings::{ArchivedMapping, MappingHash};
pub use snapshots::{BrokerPart, Rejected, Snapshot, SnapshotInfo};
pub use things::Thing;
pub use users::{Credential, User, UserKind};

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// A connection that only reads. Belongs to one thread; sees each commit as a whole.
#[derive(Debug)]
pub struct DatabaseReader {
    connection: Connection,
}

/// The connection that writes; there is one per house.
#[derive(Debug)]
pub struct Database {
    reader: DatabaseReader,
    /// A change was refused, and what was written of it lies in the log still.
    is_swollen: bool,
}

/// How long a connection waits for another one's lock. Only a checkpoint or a backup holds one, and
/// only for a moment.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// What SQLite's log may take once all of it is in the database: as much as it comes to between two checkpoints, 1,000 pages of
/// 4 KiB (<https://www.sqlite.org/pragma.html#pragma_wal_autocheckpoint>), so that a log of the usual size is not made anew.
const LOG_BYTES_MAX: u32 = 4 << 20;

impl Database {
    /// Opens the database at `path`, makes it where there is none, and brings an older one up to
    /// date.
    ///
    /// # Errors
    /// [`DbError::Newer`] where a newer version made it; what SQLite says otherwise.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        Self::open_or_begin(path, true)
    }

    /// As [`Self::open`], where a house must have its own by now.
    ///
    /// # Errors
    /// [`DbError::Lost`] where there is none, or an empty one, besides.
    pub fn open_existing(path: &Path) -> Result<Self, DbError> {
        Self::open_or_begin(path, false)
    }

    fn open_or_begin(path: &Path, may_begin: bool) -> Result<Self, DbError> {
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(LOCK_WAIT)?;
        if !may_begin && !schema::is_ours(&connection)? {
            return Err(DbError::Lost(path.to_owned()));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // 2 MiB of pages are plenty for a house, and stay out of the memory budget's way.
        connection.pragma_update(None, "cache_size", -2_048)?;
        // SQLite itself never cuts its log.
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        // A table that others refer to is made anew.
        connection.pragma_update(None, "foreign_keys", false)?;
        schema::migrate(&mut connection, path)?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(Self {
            reader: DatabaseReader { connection },
            is_swollen: false,
        })
    }

    /// What this connection reads, its own changes included.
    #[must_use]
    pub fn read(&self) -> &DatabaseReader {
        &self.reader
    }

    fn connection(&self) -> &Connection {
        &self.reader.connection
    }

    /// Moves what was committed from the log beside the database into it: what is rare and dear stands in one file then.
    /// Readers may keep SQLite from it, which is no error.
    ///
    /// # Errors
    /// What SQLite says.
    fn checkpoint(&self) -> Result<(), DbError> {
        let passive = "PRAGMA wal_checkpoint(PASSIVE)";
        self.connection().query_row(passive, [], |_| Ok(()))?;
        Ok(())
    }

    /// Runs `work` as one transaction, or as a part of the one that runs: all of its changes are kept, or, after an error, none.
    ///
    /// # Errors
    /// What `work` says, or SQLite at the commit.
    pub fn together<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        if !self.connection().is_autocommit() {
            return work(self);
        }
        let result = self.in_transaction(work);
        self.is_swollen |= matches!(result, Err(DbError::Full(_) | DbError::Io(_)));
        if self.is_swollen {
            // A disk that is full still may refuse that: it is tried again with each change.
            self.is_swollen = !self.cut_log().unwrap_or(false);
        }
        result
    }

    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        self.connection().execute_batch("BEGIN IMMEDIATE")?;
        let result = work(self).and_then(|done| {
            self.connection().execute_batch("COMMIT")?;
            Ok(done)
        });
        // SQLite may have rolled back by itself, as after a full disk.
        if result.is_err() && !self.connection().is_autocommit() {
            self.connection().execute_batch("ROLLBACK")?;
        }
        result
    }

    /// Moves what was committed into the database and leaves nothing of the log; says whether nobody who reads kept it from that.
    fn cut_log(&self) -> Result<bool, DbError> {
        self.connection().busy_timeout(Duration::ZERO)?;
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        let kept = self
            .connection()
            .query_row(truncate, [], |row| row.get::<_, bool>(0));
        self.connection().busy_timeout(LOCK_WAIT)?;
        Ok(!kept?)
    }
}

impl DatabaseReader {
    /// Opens an existing database for reading.
    ///
    /// # Errors
    /// [`DbError::Newer`] where a newer version made it; what SQLite says otherwise.
    pub fn open(path: &Path) -> Result<Self, DbError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Self::with(Connection::open_with_flags(path, flags)?, path)
    }

    /// As [`Self::open`], and SQLite makes no side files where nobody works on the database. Who begins to meanwhile is not seen:
    /// for a glance, not for work.
    ///
    /// # Errors
    /// As there.
    pub fn open_untouched(path: &Path) -> Result<Self, DbError> {
        let beside = |end| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            std::fs::metadata(name).ok().map(|file| file.len())
        };
        // Somebody works on it, or something of it stands in its log only.
        if beside("-shm").is_some() || beside("-wal").is_some_and(|bytes| bytes > 0) {
            return Self::open(path);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI;
        let address = format!("file:{}?immutable=1", in_address(path));
        Self::with(Connection::open_with_flags(address, flags)?, path)
    }

    fn with(connection: Connection, path: &Path) -> Result<Self, DbError> {
        connection.busy_timeout(LOCK_WAIT)?;
        schema::check(&connection, path)?;
        Ok(Self { connection })
    }

    /// Writes all that is committed into the empty file at `path`, whose permissions stay, while others go on writing to
    /// this database.
    ///
    /// # Errors
    /// There is something in the file; what SQLite says otherwise.
    pub fn copy_to(&self, path: &Path) -> Result<(), DbError> {
        let path = ValueRef::Text(path.as_os_str().as_encoded_bytes());
        let path = ToSqlOutput::Borrowed(path);
        self.connection.execute("VACUUM INTO ?1", [path])?;
        Ok(())
    }

    /// Whether a dispatcher ever used this database.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn is_of_a_house(&self) -> Result<bool, DbError> {
        schema::is_ours(&self.connection)
    }
}

/// A path as it stands in an address: <https://www.sqlite.org/uri.html>.
fn in_address(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let as_it_is = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    bytes
        .map(|byte| match as_it_is(*byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02x}"),
        })
        .collect()
}

/// SQLite's integers have a sign; times and counts of a house stay far below where that matters.
fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn from_sql(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::Instant;

    /// A database that takes 2,000 pages, which is 8 MB, and a mapping that is twice as long.
    fn full(folder: &Path) -> (Database, ArchivedMapping) {
        let db = Database::open(&folder.join("house.db")).expect("it opens");
        let limit = "PRAGMA max_page_count = 2000";
        let limited = db.connection().query_row(limit, [], |_| Ok(()));
        limited.expect("it is taken");
        let long = ArchivedMapping {
            hash: MappingHash([1; 32]),
            files: vec![1; 16 << 20],
            used_at: Instant(0),
        };
        (db, long)
    }

    fn small() -> ArchivedMapping {
        ArchivedMapping {
            hash: MappingHash([2; 32]),
            files: vec![2; 100],
            used_at: Instant(1),
        }
    }

    fn log_bytes(folder: &Path) -> u64 {
        let log = folder.join("house.db-wal");
        log.metadata().expect("it is there").len()
    }

    #[test]
    fn what_a_full_disk_refuses_leaves_no_long_log() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut db, long) = full(folder.path());
        db.archive_mapping(&small()).expect("there is room");
        let refused = db.archive_mapping(&long);
        assert!(matches!(refused, Err(DbError::Full(_))), "{refused:?}");
        assert_eq!(log_bytes(folder.path()), 0);
        let kept = db.read().mapping(small().hash).expect("it reads");
        assert_eq!(kept, Some(small()));
    }

    #[test]
    fn the_log_is_cut_with_a_later_change_where_a_reader_keeps_it_at_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut db, long) = full(folder.path());
        let reader = DatabaseReader::open(&folder.path().join("house.db")).expect("it opens");
        let begin = "BEGIN; SELECT count(*) FROM mappings";
        reader.connection.execute_batch(begin).expect("it reads");
        let refused = db.archive_mapping(&long);
        assert!(matches!(refused, Err(DbError::Full(_))), "{refused:?}");
        assert!(log_bytes(folder.path()) > 1 << 20, "it is long still");
        reader.connection.execute_batch("COMMIT").expect("it ends");
        db.archive_mapping(&small()).expect("there is room");
        assert_eq!(log_bytes(folder.path()), 0);
    }
}
