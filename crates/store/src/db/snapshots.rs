//! Snapshots: the whole state of the house after one input, and of the broker, to start again from.

use super::{Database, DatabaseReader, DbError, MappingHash, from_sql, to_sql};
use rusqlite::{Connection, ErrorCode, Row, params};
use std::fmt;
use types::{InputNo, Instant, Now, UnixTime};

/// The state after an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last input that it includes.
    pub no: InputNo,
    /// When it was taken.
    pub now: Now,
    /// The mapping in force then; it must be archived.
    pub mapping: MappingHash,
    /// The body's format, for people who look: the body says it too, and that counts.
    pub format: u32,
    /// The version of the program that wrote it.
    pub binary: String,
    /// The state, opaque here.
    pub body: Vec<u8>,
    /// What the broker keeps, opaque here. Read back by [`DatabaseReader::newest_broker_part`] alone, and missing in what
    /// else is read: who looks into the past has no use for it.
    pub broker: Option<Vec<u8>>,
}

/// What the broker kept as of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerPart {
    /// The last record that it includes.
    pub no: InputNo,
    /// As it was given.
    pub body: Vec<u8>,
}

/// Broker's parts that are kept: the newest, and one to fall back on. They may be as large as all that waits for clients.
const BROKER_PARTS_KEPT: usize = 2;

/// A snapshot without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// The last input that it includes.
    pub no: InputNo,
    /// When it was taken.
    pub now: Now,
    /// The mapping that was in force then.
    pub mapping: MappingHash,
    /// The body's length.
    pub bytes: u64,
}

/// A snapshot that can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which one.
    pub no: InputNo,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the snapshot of input {} is damaged ({}); an older one is used, with a longer replay",
            self.no, self.why
        )
    }
}

const COLUMNS: &str =
    "SELECT no, at_us, wall_us, synced, mapping, format, binary, crc, body FROM snapshots";

impl DatabaseReader {
    /// The newest snapshot of an input up to `up_to` whose checksum holds, and those passed over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_snapshot(
        &self,
        up_to: InputNo,
    ) -> Result<(Option<Snapshot>, Vec<Rejected>), DbError> {
        let mut rejected = Vec::new();
        let mut no = to_sql(up_to.0);
        let mut next = self
            .connection
            .prepare_cached("SELECT max(no) FROM snapshots WHERE no <= ?1")?;
        let mut whole = self
            .connection
            .prepare_cached(&format!("{COLUMNS} WHERE no = ?1"))?;
        while let Some(found) = next.query_row([no], |row| row.get::<_, Option<i64>>(0))? {
            let why = match whole.query_row([found], snapshot) {
                Ok(Some(snapshot)) => return Ok((Some(snapshot), rejected)),
                Ok(None) => "its checksum does not hold".to_owned(),
                Err(error) => error.to_string(),
            };
            rejected.push(Rejected {
                no: InputNo(from_sql(found)),
                why,
            });
            no = found - 1;
        }
        Ok((None, rejected))
    }

    /// The newest broker's part whose checksum holds, and the numbers of those passed over.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_broker_part(&self) -> Result<(Option<BrokerPart>, Vec<InputNo>), DbError> {
        let mut damaged = Vec::new();
        let mut statement = self
            .connection
            .prepare_cached("SELECT no, crc, body FROM broker_parts ORDER BY no DESC")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let part = BrokerPart {
                no: InputNo(from_sql(row.get(0)?)),
                body: row.get(2)?,
            };
            if row.get::<_, u32>(1)? == crc_of_part(part.no, &part.body) {
                return Ok((Some(part), damaged));
            }
            damaged.push(part.no);
        }
        Ok((None, damaged))
    }

    /// All snapshots, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn snapshots(&self) -> Result<Vec<SnapshotInfo>, DbError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT no, at_us, wall_us, synced, length(body), mapping FROM snapshots ORDER BY no DESC",
        )?;
        let snapshots = statement.query_map([], |row| {
            Ok(SnapshotInfo {
                no: InputNo(from_sql(row.get(0)?)),
                now: now(row)?,
                bytes: from_sql(row.get(4)?),
                // Where the disk spoiled it, it is the hash of no mapping; the snapshot's checksum tells.
                mapping: MappingHash(row.get(5).unwrap_or_default()),
            })
        })?;
        Ok(snapshots.collect::<Result<_, _>>()?)
    }
}

impl Database {
    /// Keeps a snapshot; it replaces one of the same input.
    ///
    /// # Errors
    /// [`DbError::UnknownMapping`] where its mapping is not archived; what SQLite says otherwise.
    pub fn put_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), DbError> {
        let done = self.connection().execute(
            "INSERT OR REPLACE INTO snapshots
                (no, at_us, wall_us, synced, mapping, format, binary, crc, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                to_sql(snapshot.no.0),
                to_sql(snapshot.now.at.0),
                snapshot.now.wall.0,
                snapshot.now.synced,
                snapshot.mapping.0,
                snapshot.format,
                snapshot.binary,
                crc(snapshot),
                snapshot.body
            ],
        );
        match done {
            Ok(_) => put_broker_part(self.connection(), snapshot),
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
                Err(DbError::UnknownMapping(snapshot.mapping))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Drops the snapshots before `before_oldest`, from which the journal can't be read forward any
    /// more, but keeps the newest `keep`; says how many went.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_snapshots(
        &mut self,
        before_oldest: InputNo,
        keep: usize,
    ) -> Result<usize, DbError> {
        Ok(self.connection().execute(
            "DELETE FROM snapshots WHERE no < ?1
             AND no NOT IN (SELECT no FROM snapshots ORDER BY no DESC LIMIT ?2)",
            params![to_sql(before_oldest.0), to_sql(keep as u64)],
        )?)
    }
}

fn put_broker_part(connection: &Connection, snapshot: &Snapshot) -> Result<(), DbError> {
    let Some(body) = &snapshot.broker else {
        return Ok(());
    };
    connection.execute(
        "INSERT OR REPLACE INTO broker_parts (no, crc, body) VALUES (?1, ?2, ?3)",
        params![to_sql(snapshot.no.0), crc_of_part(snapshot.no, body), body],
    )?;
    connection.execute(
        "DELETE FROM broker_parts
         WHERE no NOT IN (SELECT no FROM broker_parts ORDER BY no DESC LIMIT ?1)",
        [to_sql(BROKER_PARTS_KEPT as u64)],
    )?;
    Ok(())
}

fn crc_of_part(no: InputNo, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&no.0.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// `None` where the checksum does not hold.
fn snapshot(row: &Row<'_>) -> rusqlite::Result<Option<Snapshot>> {
    let stored: u32 = row.get(7)?;
    let snapshot = Snapshot {
        no: InputNo(from_sql(row.get(0)?)),
        now: now(row)?,
        mapping: MappingHash(row.get(4)?),
        format: row.get(5)?,
        binary: row.get(6)?,
        body: row.get(8)?,
        broker: None,
    };
    Ok((crc(&snapshot) == stored).then_some(snapshot))
}

fn now(row: &Row<'_>) -> rusqlite::Result<Now> {
    Ok(Now {
        at: Instant(from_sql(row.get(1)?)),
        wall: UnixTime(row.get(2)?),
        synced: row.get(3)?,
    })
}

/// Over everything that a restart relies on.
fn crc(snapshot: &Snapshot) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&snapshot.no.0.to_le_bytes());
    hasher.update(&snapshot.now.at.0.to_le_bytes());
    hasher.update(&snapshot.now.wall.0.to_le_bytes());
    hasher.update(&[u8::from(snapshot.now.synced)]);
    hasher.update(&snapshot.mapping.0);
    hasher.update(&snapshot.format.to_le_bytes());
    hasher.update(&snapshot.body);
    hasher.finalize()
}
