//! The tables, and how an older database comes up to date.
//!
//! `PRAGMA user_version` counts the migrations that ran. A migration that was released is never
//! changed; a new one is added behind it.

use super::DbError;
use rusqlite::Connection;
use std::path::Path;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE meta (
        key   TEXT PRIMARY KEY,
        value ANY NOT NULL
    ) STRICT, WITHOUT ROWID;

    -- kind: 0 person, 1 device, 2 tool. Exactly one of phc and blake2s holds the secret's hash.
    CREATE TABLE users (
        name    TEXT PRIMARY KEY,
        kind    INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),
        phc     TEXT,
        blake2s BLOB CHECK (length(blake2s) = 32),
        grants  TEXT NOT NULL,
        CHECK ((phc IS NULL) <> (blake2s IS NULL))
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE devices (
        id            INTEGER PRIMARY KEY CHECK (id BETWEEN 0 AND 65535),
        name          TEXT NOT NULL,
        first_seen_us INTEGER NOT NULL,
        last_seen_us  INTEGER NOT NULL,
        firmware      TEXT
    ) STRICT;

    CREATE TABLE device_counters (
        device INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
        name   TEXT NOT NULL,
        value  INTEGER NOT NULL,
        PRIMARY KEY (device, name)
    ) STRICT, WITHOUT ROWID;

    -- used_at_us: on the elapsed-time line, when the mapping last came into force.
    CREATE TABLE mappings (
        hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
        files      BLOB NOT NULL,
        used_at_us INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE snapshots (
        no      INTEGER PRIMARY KEY,
        at_us   INTEGER NOT NULL,
        wall_us INTEGER NOT NULL,
        synced  INTEGER NOT NULL,
        mapping BLOB NOT NULL REFERENCES mappings (hash),
        format  INTEGER NOT NULL,
        binary  TEXT NOT NULL,
        crc     INTEGER NOT NULL,
        body    BLOB NOT NULL
    ) STRICT;

    CREATE TABLE series (
        id      INTEGER PRIMARY KEY,
        channel TEXT NOT NULL,
        field   TEXT NOT NULL,
        UNIQUE (channel, field)
    ) STRICT;

    -- value: an integer is a bool, a real a number, a text a text.
    CREATE TABLE history (
        series INTEGER NOT NULL REFERENCES series (id),
        at_us  INTEGER NOT NULL,
        value  ANY,
        PRIMARY KEY (series, at_us)
    ) STRICT, WITHOUT ROWID;
", "
    -- What the broker kept as of a snapshot. Beside the snapshots: only the newest is of use, and it may be large.
    CREATE TABLE broker_parts (
        no   INTEGER PRIMARY KEY REFERENCES snapshots (no) ON DELETE CASCADE,
        crc  INTEGER NOT NULL,
        body BLOB NOT NULL
    ) STRICT;
", "
    -- What history is of. number: of its device; device: the name of one that has none. kind: NULL where a version wrote it that knew
    -- names alone. path: as it is called, or was last. gone_us: since when another one is known by the same.
    CREATE TABLE things (
        id      INTEGER PRIMARY KEY,
        number  INTEGER,
        device  TEXT,
        channel TEXT NOT NULL,
        kind    TEXT,
        path    TEXT NOT NULL,
        gone_us INTEGER
    ) STRICT;
    CREATE INDEX things_by_owner ON things (channel, number, device);
    CREATE INDEX things_by_path ON things (path);
    INSERT INTO things (channel, path)
        SELECT DISTINCT substr(channel, instr(channel, '.') + 1), channel FROM series;

    CREATE TABLE series_of_things (
        id    INTEGER PRIMARY KEY,
        thing INTEGER NOT NULL REFERENCES things (id),
        field TEXT NOT NULL,
        UNIQUE (thing, field)
    ) STRICT;
    INSERT INTO series_of_things
        SELECT series.id, things.id, field FROM series JOIN things ON things.path = series.channel;
    DROP TABLE series;
    ALTER TABLE series_of_things RENAME TO series;
"];

/// The first schema that tells things from their names.
const WITH_THINGS: i64 = 3;

/// Whether long-term history goes by things: who only reads may find an older database.
pub(super) fn has_things(connection: &Connection) -> Result<bool, DbError> {
    Ok(version(connection)? >= WITH_THINGS)
}

/// Brings the database to the newest schema; each migration is one transaction.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), DbError> {
    check(connection, path)?;
    let done = usize::try_from(version(connection)?).unwrap_or(0);
    for (ix, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", known(ix + 1))?;
        transaction.commit()?;
    }
    Ok(())
}

/// Refuses a database that a newer version made.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), DbError> {
    let found = version(connection)?;
    let known = known(MIGRATIONS.len());
    if found > known {
        return Err(DbError::Newer {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(())
}

/// Whether a migration ever ran.
pub(super) fn is_ours(connection: &Connection) -> Result<bool, DbError> {
    Ok(version(connection)? > 0)
}

fn version(connection: &Connection) -> Result<i64, DbError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

fn known(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
