//! Long-term history: how the fields of channels changed, for charts, and which devices were seen. It follows from
//! the journal and outlives it.

use super::{Database, DatabaseReader, DbError, Device, from_sql, to_sql};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql, params};
use std::sync::Arc;
use types::{InputNo, UnixTime, Value};

const HISTORY_UP_TO: &str = "history-up-to";

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

/// A channel has another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// What it was called, as in `hall.lamp`.
    pub was: Arc<str>,
    /// What it is called now.
    pub is: Arc<str>,
}

/// What a stretch of the journal comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chronicle {
    /// The last input of the stretch; the next one begins behind it.
    pub up_to: InputNo,
    /// Channels of before the stretch that had another name at its end, all at once: two may have changed names with
    /// each other.
    pub renames: Vec<Rename>,
    /// In the order in which they happened, under the names of its end.
    pub changes: Vec<Change>,
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
    /// Adds a stretch, all of it or nothing. Of two changes at the same microsecond of a field the later one stays.
    /// Collect for a while: each call costs an fsync.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn add_history(&mut self, chronicle: &Chronicle) -> Result<(), DbError> {
        self.together(|db| {
            db.rename_channels(&chronicle.renames)?;
            db.add_changes(&chronicle.changes)?;
            for device in &chronicle.devices {
                db.see_device(device)?;
            }
            db.put_meta(HISTORY_UP_TO, to_sql(chronicle.up_to.0))
        })
    }

    /// What is told of a channel follows it to its new name. What another one left there that had the name before and is
    /// gone is not lost: it counts for the same.
    fn rename_channels(&mut self, renames: &[Rename]) -> Result<(), DbError> {
        // No channel has such a name: they all move out before the first moves in.
        let between = |at: usize| format!("\n{at}");
        let mut away = self
            .connection()
            .prepare_cached("UPDATE series SET channel = ?2 WHERE channel = ?1")?;
        for (at, rename) in renames.iter().enumerate() {
            away.execute(params![rename.was, between(at)])?;
        }
        let mut name = self.connection().prepare_cached(
            "INSERT OR IGNORE INTO series (channel, field) SELECT ?2, field FROM series WHERE channel = ?1",
        )?;
        let mut follow = self.connection().prepare_cached(
            "UPDATE OR REPLACE history SET series =
                (SELECT new.id FROM series AS old JOIN series AS new ON new.field = old.field AND new.channel = ?2
                 WHERE old.id = history.series)
             WHERE series IN (SELECT id FROM series WHERE channel = ?1)",
        )?;
        let mut forget = self
            .connection()
            .prepare_cached("DELETE FROM series WHERE channel = ?1")?;
        for (at, rename) in renames.iter().enumerate() {
            name.execute(params![between(at), rename.is])?;
            follow.execute(params![between(at), rename.is])?;
            forget.execute([between(at)])?;
        }
        Ok(())
    }

    fn add_changes(&mut self, changes: &[Change]) -> Result<(), DbError> {
        let mut name = self
            .connection()
            .prepare_cached("INSERT OR IGNORE INTO series (channel, field) VALUES (?1, ?2)")?;
        let mut insert = self.connection().prepare_cached(
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
