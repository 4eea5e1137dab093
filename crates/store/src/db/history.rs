//! Long-term history: how the fields of channels changed, for charts, and which devices were seen. It follows from
//! the journal and outlives it.

use super::things::TODAY;
use super::{Database, DatabaseReader, DbError, Device, Thing, from_sql, schema, to_sql};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use std::sync::Arc;
use types::{InputNo, UnixTime, Value};

const HISTORY_UP_TO: &str = "history-up-to";

/// A field of a channel took a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When, on the wall.
    pub at: UnixTime,
    /// The channel, as it was then.
    pub thing: Arc<Thing>,
    /// The field's name.
    pub field: Arc<str>,
    /// What it is from then on; `None` for unknown.
    pub value: Option<Value>,
}

/// A channel is called otherwise, or otherwise known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// What it was.
    pub was: Thing,
    /// What it is from then on.
    pub is: Thing,
}

/// An edit came into force that renames channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The input that brought it.
    pub no: InputNo,
    /// When it came.
    pub at: UnixTime,
    /// How many changes of the stretch came before it.
    pub behind: usize,
    /// All at once: two may have changed names with each other.
    pub renames: Vec<Rename>,
}

/// What a stretch of the journal comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chronicle {
    /// The last input of the stretch; the next one begins behind it.
    pub up_to: InputNo,
    /// The channels that there were at its begin, where history is to be claimed that goes by names alone.
    pub claims: Vec<Thing>,
    /// In the order in which they happened, each of what its channel was then.
    pub changes: Vec<Change>,
    /// What was renamed between them, in order.
    pub edits: Vec<Edit>,
    /// Who said something. Counters count this stretch alone.
    pub devices: Vec<Device>,
}

impl DatabaseReader {
    /// The last input that long-term history tells of; `None` before it was ever written.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn history_up_to(&self) -> Result<Option<InputNo>, DbError> {
        let up_to = self.meta::<i64>(HISTORY_UP_TO)?;
        Ok(up_to.map(|no| InputNo(from_sql(no))))
    }

    /// The newest `limit` changes of a field from `from` up to and without `to`, oldest first. `gone`: when the thing went that is
    /// meant, which another one may be known by since.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn history(
        &self,
        (thing, gone): (&Thing, Option<UnixTime>),
        field: &str,
        from: UnixTime,
        to: UnixTime,
        limit: u32,
    ) -> Result<Vec<(UnixTime, Option<Value>)>, DbError> {
        let Some(series) = self.series(thing, gone.unwrap_or(TODAY), field)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT at_us, value FROM history WHERE series = ?1
             AND at_us >= ?2 AND at_us < ?3 ORDER BY at_us DESC LIMIT ?4",
        )?;
        let changes = statement.query_map(params![series, from.0, to.0, limit], |row| {
            Ok((UnixTime(row.get(0)?), value(row)?))
        })?;
        let mut changes = changes.collect::<Result<Vec<_>, _>>()?;
        changes.reverse();
        Ok(changes)
    }

    fn series(&self, thing: &Thing, gone: UnixTime, field: &str) -> Result<Option<i64>, DbError> {
        let found = if schema::has_things(&self.connection)? {
            let Some(thing) = self.thing(thing, gone)? else {
                return Ok(None);
            };
            self.connection
                .prepare_cached("SELECT id FROM series WHERE thing = ?1 AND field = ?2")?
                .query_row(params![thing, field], |row| row.get(0))
        } else {
            self.connection
                .prepare_cached("SELECT id FROM series WHERE channel = ?1 AND field = ?2")?
                .query_row(params![thing.path(), field], |row| row.get(0))
        };
        Ok(found.optional()?)
    }
}

impl Database {
    /// Adds a stretch, all of it or nothing. Of two changes at the same microsecond of a field the later one stays.
    /// Collect for a while: each call costs an fsync.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_history(&mut self, chronicle: &Chronicle) -> Result<(), DbError> {
        self.together(|db| {
            db.claim(&chronicle.claims)?;
            let mut written = 0;
            for edit in &chronicle.edits {
                db.add_changes(&chronicle.changes[written..edit.behind])?;
                db.rename_things(edit)?;
                written = edit.behind;
            }
            db.add_changes(&chronicle.changes[written..])?;
            for device in &chronicle.devices {
                db.see_device(device)?;
            }
            db.put_meta(HISTORY_UP_TO, to_sql(chronicle.up_to.0))
        })
    }

    fn add_changes(&mut self, changes: &[Change]) -> Result<(), DbError> {
        for change in changes {
            let thing = self.thing_or_new(&change.thing)?;
            self.connection()
                .prepare_cached("INSERT OR IGNORE INTO series (thing, field) VALUES (?1, ?2)")?
                .execute(params![thing, change.field])?;
            self.connection()
                .prepare_cached(
                    "INSERT OR REPLACE INTO history (series, at_us, value)
                     SELECT id, ?3, ?4 FROM series WHERE thing = ?1 AND field = ?2",
                )?
                .execute(params![
                    thing,
                    change.field,
                    change.at.0,
                    Column(change.value.as_ref())
                ])?;
        }
        Ok(())
    }

    /// Drops changes before `before`, and the things that nothing is left of; says how many changes.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn prune_history(&mut self, before: UnixTime) -> Result<usize, DbError> {
        self.together(|db| {
            let dropped = db
                .connection()
                .execute("DELETE FROM history WHERE at_us < ?1", [before.0])?;
            db.connection().execute(
                "DELETE FROM series WHERE NOT EXISTS
                    (SELECT 1 FROM history WHERE history.series = series.id)",
                [],
            )?;
            db.connection().execute(
                "DELETE FROM things WHERE NOT EXISTS
                    (SELECT 1 FROM series WHERE series.thing = things.id)",
                [],
            )?;
            Ok(dropped)
        })
    }
}

struct Column<'a>(Option<&'a Value>);

impl ToSql for Column<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            None => ValueRef::Null,
            Some(Value::Bool(value)) => ValueRef::Integer((*value).into()),
            Some(Value::Number(value)) => ValueRef::Real(*value),
            Some(Value::Text(value)) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

fn value(row: &Row<'_>) -> rusqlite::Result<Option<Value>> {
    Ok(match row.get_ref(1)? {
        ValueRef::Null | ValueRef::Blob(_) => None,
        ValueRef::Integer(value) => Some(Value::Bool(value != 0)),
        ValueRef::Real(value) => Some(Value::Number(value)),
        ValueRef::Text(text) => Some(Value::Text(String::from_utf8_lossy(text).into())),
    })
}
