//! Facts about the house as a whole: where its journal was written last.

use super::{Database, DatabaseReader, DbError, from_sql, to_sql};
use crate::journal::Begun;
use rusqlite::{OptionalExtension, ToSql, params};
use types::InputNo;

const JOURNAL_SEGMENT: &str = "journal-segment";
const JOURNAL_FIRST: &str = "journal-segment-first";

impl DatabaseReader {
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
}
