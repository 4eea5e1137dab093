//! Facts about the house as a whole: its id, and when it last shut down.

use super::{Database, DatabaseReader, DbError, from_sql, to_sql};
use crate::journal::Begun;
use rusqlite::{OptionalExtension, ToSql, params};
use std::fmt;
use types::{InputNo, Instant, Now, UnixTime};

/// Tells houses apart; made once, at the first start, from 128 random bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HouseId(pub u128);

/// As 32 hexadecimal digits.
impl fmt::Display for HouseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// How the dispatcher ended, so that the next start can count the downtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// The last moment of the run.
    pub now: Now,
    /// The kernel's boot id at that time: within one boot its clock tells the downtime, across a
    /// reboot only the wall clock can.
    pub boot_id: String,
}

const HOUSE_ID: &str = "house-id";
const JOURNAL_SEGMENT: &str = "journal-segment";
const JOURNAL_FIRST: &str = "journal-segment-first";
const SHUTDOWN_AT: &str = "shutdown-at-us";
const SHUTDOWN_WALL: &str = "shutdown-wall-us";
const SHUTDOWN_SYNCED: &str = "shutdown-synced";
const SHUTDOWN_BOOT: &str = "shutdown-boot-id";

impl DatabaseReader {
    /// The house's id; `None` before the first start gave it one.
    ///
    /// # Errors
    /// What SQLite says, or a damaged row.
    pub fn house_id(&self) -> Result<Option<HouseId>, DbError> {
        let Some(text) = self.meta::<String>(HOUSE_ID)? else {
            return Ok(None);
        };
        match u128::from_str_radix(&text, 16) {
            Ok(id) => Ok(Some(HouseId(id))),
            Err(_) => Err(DbError::Damaged {
                what: format!("meta {HOUSE_ID} is '{text}'"),
            }),
        }
    }

    /// How the last run ended; `None` where it was killed, or there was none.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn last_shutdown(&self) -> Result<Option<Shutdown>, DbError> {
        let Some(boot_id) = self.meta(SHUTDOWN_BOOT)? else {
            return Ok(None);
        };
        let now = Now {
            at: Instant(from_sql(self.meta(SHUTDOWN_AT)?.unwrap_or(0))),
            wall: UnixTime(self.meta(SHUTDOWN_WALL)?.unwrap_or(0)),
            synced: self.meta(SHUTDOWN_SYNCED)?.unwrap_or(false),
        };
        Ok(Some(Shutdown { now, boot_id }))
    }

    pub(super) fn meta<T: rusqlite::types::FromSql>(
        &self,
        key: &str,
    ) -> Result<Option<T>, DbError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(statement.query_row([key], |row| row.get(0)).optional()?)
    }
}

impl DatabaseReader {
    /// The segment of the journal that was written last.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn journal_begun(&self) -> Result<Option<Begun>, DbError> {
        let (sequence, first) = (self.meta(JOURNAL_SEGMENT)?, self.meta(JOURNAL_FIRST)?);
        Ok(sequence.zip(first).map(|(sequence, first)| Begun {
            sequence,
            first: InputNo(from_sql(first)),
        }))
    }
}

impl Database {
    pub(super) fn put_meta(&self, key: &str, value: impl ToSql) -> Result<(), DbError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)",
            params![key, value],
        )?;
        Ok(())
    }

    /// Notes the segment of the journal that is written now: should it be empty at the next start, inputs are
    /// missing.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn note_journal_begun(&mut self, begun: Begun) -> Result<(), DbError> {
        self.connection().execute(
            "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2), (?3, ?4)",
            params![
                JOURNAL_SEGMENT,
                begun.sequence,
                JOURNAL_FIRST,
                to_sql(begun.first.0)
            ],
        )?;
        Ok(())
    }

    /// Gives the house its id. One that it has stays.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn give_house_id(&mut self, id: HouseId) -> Result<(), DbError> {
        self.connection().execute(
            "INSERT OR IGNORE INTO meta (key, value) VALUES (?1, ?2)",
            params![HOUSE_ID, id.to_string()],
        )?;
        Ok(())
    }

    /// Notes how this run ends; `None` while it runs, so that a kill is not taken for a shutdown.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn set_last_shutdown(&mut self, shutdown: Option<&Shutdown>) -> Result<(), DbError> {
        self.together(|db| {
            db.connection().execute(
                "DELETE FROM meta WHERE key IN (?1, ?2, ?3, ?4)",
                [SHUTDOWN_AT, SHUTDOWN_WALL, SHUTDOWN_SYNCED, SHUTDOWN_BOOT],
            )?;
            let Some(Shutdown { now, boot_id }) = shutdown else {
                return Ok(());
            };
            db.connection().execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2), (?3, ?4), (?5, ?6), (?7, ?8)",
                params![
                    SHUTDOWN_AT,
                    to_sql(now.at.0),
                    SHUTDOWN_WALL,
                    now.wall.0,
                    SHUTDOWN_SYNCED,
                    now.synced,
                    SHUTDOWN_BOOT,
                    boot_id
                ],
            )?;
            Ok(())
        })
    }
}
