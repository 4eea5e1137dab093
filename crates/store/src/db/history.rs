//! Long-term history: how the fields of channels changed, for charts.

use super::{Database, DatabaseReader, DbError};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql, params};
use std::sync::Arc;
use types::{UnixTime, Value};

/// A field of a channel took a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// When, on the wall.
    pub at: UnixTime,
    /// The channel's name, as in `hall.lamp`.
    pub channel: Arc<str>,
    /// The field's name.
    pub field: Arc<str>,
    /// What it is from then on; `None` for unknown.
    pub value: Option<Value>,
}

impl DatabaseReader {
    /// The newest `limit` changes of a field from `from` up to and without `to`, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn history(
        &self,
        channel: &str,
        field: &str,
        from: UnixTime,
        to: UnixTime,
        limit: u32,
    ) -> Result<Vec<(UnixTime, Option<Value>)>, DbError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT at_us, value FROM history
             WHERE series = (SELECT id FROM series WHERE channel = ?1 AND field = ?2)
             AND at_us >= ?3 AND at_us < ?4 ORDER BY at_us DESC LIMIT ?5",
        )?;
        let changes = statement.query_map(params![channel, field, from.0, to.0, limit], |row| {
            Ok((UnixTime(row.get(0)?), value(row)?))
        })?;
        let mut changes = changes.collect::<Result<Vec<_>, _>>()?;
        changes.reverse();
        Ok(changes)
    }
}

impl Database {
    /// Adds changes, all or none. Of two at the same microsecond of a field the later one stays.
    /// Collect them for a while: each call costs an fsync.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_history(&mut self, changes: &[Change]) -> Result<(), DbError> {
        self.together(|db| {
            let mut name = db
                .connection()
                .prepare_cached("INSERT OR IGNORE INTO series (channel, field) VALUES (?1, ?2)")?;
            let mut insert = db.connection().prepare_cached(
                "INSERT OR REPLACE INTO history (series, at_us, value)
                 SELECT id, ?3, ?4 FROM series WHERE channel = ?1 AND field = ?2",
            )?;
            for change in changes {
                name.execute(params![change.channel, change.field])?;
                insert.execute(params![
                    change.channel,
                    change.field,
                    change.at.0,
                    Column(change.value.as_ref())
                ])?;
            }
            Ok(())
        })
    }

    /// Drops changes before `before`, and the names that nothing is left of; says how many changes.
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
