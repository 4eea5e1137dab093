//! Archived mappings: the files of every mapping that was in force, for looking into the past.

use super::{Database, DatabaseReader, DbError, from_sql, to_sql};
use rusqlite::{OptionalExtension, params};
use std::fmt;
use types::Instant;

/// The hash of a mapping's files (BLAKE2s, 32 bytes); whoever archives it computes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MappingHash(pub [u8; 32]);

/// As 64 hexadecimal digits.
impl fmt::Display for MappingHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MappingHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MappingHash({self})")
    }
}

/// A mapping as it was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedMapping {
    /// The hash of its files.
    pub hash: MappingHash,
    /// Its files, in the form that the archiver chose.
    pub files: Vec<u8>,
    /// When it last came into force.
    pub used_at: Instant,
}

impl DatabaseReader {
    /// The archived mapping with this hash.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn mapping(&self, hash: MappingHash) -> Result<Option<ArchivedMapping>, DbError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT files, used_at_us FROM mappings WHERE hash = ?1")?;
        let mapping = statement.query_row([hash.0], |row| {
            Ok(ArchivedMapping {
                hash,
                files: row.get(0)?,
                used_at: Instant(from_sql(row.get(1)?)),
            })
        });
        Ok(mapping.optional()?)
    }
}

impl DatabaseReader {
    /// The mapping that came into force last.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn newest_mapping(&self) -> Result<Option<MappingHash>, DbError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT hash FROM mappings ORDER BY used_at_us DESC, rowid DESC LIMIT 1",
        )?;
        let hash = statement.query_row([], |row| Ok(MappingHash(row.get(0)?)));
        Ok(hash.optional()?)
    }
}

impl Database {
    /// Archives a mapping that comes into force; one with the same hash is marked as used again.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn archive_mapping(&mut self, mapping: &ArchivedMapping) -> Result<(), DbError> {
        let insert = "INSERT INTO mappings (hash, files, used_at_us) VALUES (?1, ?2, ?3)
             ON CONFLICT (hash) DO UPDATE SET used_at_us = max(used_at_us, excluded.used_at_us)";
        let row = params![mapping.hash.0, mapping.files, to_sql(mapping.used_at.0)];
        // What the disk refuses of it is as long as a house.
        self.together(|db| {
            db.connection().execute(insert, row)?;
            Ok(())
        })
    }

    /// Drops the mappings that no kept snapshot and no reload since the oldest one refers to; says
    /// how many. Without a snapshot all stay.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_mappings(&mut self) -> Result<usize, DbError> {
        Ok(self.connection().execute(
            "DELETE FROM mappings WHERE used_at_us < (SELECT min(at_us) FROM snapshots)
             AND hash NOT IN (SELECT mapping FROM snapshots)",
            [],
        )?)
    }
}
