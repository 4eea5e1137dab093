//! What long-term history is of: channels by what they are, whatever they are called.
//!
//! A channel is known by the number of its device, which outlives names, by its own name within that, and by its kind; that of a
//! device without a number by the device's name. What is known so is one thing, also where it is gone for a while and no mapping
//! of before is left. Must not know mappings: whoever writes history says what an edit renames.

use super::history::Edit;
use super::{Database, DatabaseReader, DbError, schema};
use rusqlite::{OptionalExtension, named_params, params};
use std::sync::Arc;
use types::{DeviceId, UnixTime};

/// A channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thing {
    /// The number of its device; `None`: that has none.
    pub number: Option<DeviceId>,
    /// The name of its device.
    pub device: Arc<str>,
    /// Its name within the device.
    pub channel: Arc<str>,
    /// The name of its kind.
    pub kind: Arc<str>,
}

impl Thing {
    /// What it is called, as in `hall.lamp`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.device, self.channel)
    }

    /// Whether both are one thing, whatever their devices are called.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.number == other.number
            && self.owner() == other.owner()
            && self.channel == other.channel
            && self.kind == other.kind
    }

    fn number(&self) -> Option<u16> {
        self.number.map(|number| number.0)
    }

    /// The name that its device goes by.
    fn owner(&self) -> Option<&str> {
        self.number.is_none().then_some(&*self.device)
    }
}

/// What still bears its name, or bore it until another one took that at `:since` or later; what a version wrote that knew names
/// alone goes by its path.
///
/// Asked with each change, on the thread that acknowledges: neither half may look through more than a few rows.
const FIND: &str = "SELECT id FROM (
        SELECT id, gone_us, kind FROM things
            WHERE channel = :channel AND number IS :number AND device IS :device AND kind = :kind
            AND (gone_us IS NULL OR gone_us >= :since)
        UNION ALL
        SELECT id, gone_us, kind FROM things
            WHERE path = :path AND kind IS NULL AND (gone_us IS NULL OR gone_us >= :since)
    ) ORDER BY gone_us IS NULL, gone_us, kind IS NULL LIMIT 1";

impl DatabaseReader {
    /// Whether there is history that a version wrote which knew names alone, and that nobody claimed.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn has_nameless_things(&self) -> Result<bool, DbError> {
        if !schema::has_things(&self.connection)? {
            return Ok(false);
        }
        let some = "SELECT EXISTS (SELECT 1 FROM things WHERE kind IS NULL AND gone_us IS NULL)";
        Ok(self.connection.query_row(some, [], |row| row.get(0))?)
    }

    /// The row of a thing; `since`: of the one that went then or was there, and has no heir.
    pub(super) fn thing(&self, thing: &Thing, since: UnixTime) -> Result<Option<i64>, DbError> {
        let mut find = self.connection.prepare_cached(FIND)?;
        let parameters = named_params! {
            ":number": thing.number(),
            ":device": thing.owner(),
            ":channel": thing.channel,
            ":kind": thing.kind,
            ":path": thing.path(),
            ":since": since.0,
        };
        Ok(find.query_row(parameters, |row| row.get(0)).optional()?)
    }
}

/// Of today's things alone.
pub(super) const TODAY: UnixTime = UnixTime(i64::MAX);

impl Database {
    /// Things that are there: each takes what was written under its name alone.
    pub(super) fn claim(&mut self, things: &[Thing]) -> Result<(), DbError> {
        for thing in things {
            if let Some(id) = self.reader.thing(thing, TODAY)? {
                self.identify(id, thing)?;
            }
        }
        Ok(())
    }

    /// The row of a thing, which is made where there is none.
    pub(super) fn thing_or_new(&mut self, thing: &Thing) -> Result<i64, DbError> {
        if let Some(id) = self.reader.thing(thing, TODAY)? {
            self.identify(id, thing)?;
            return Ok(id);
        }
        let mut insert = self.connection().prepare_cached(
            "INSERT INTO things (number, device, channel, kind, path) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?;
        let row = params![
            thing.number(),
            thing.owner(),
            thing.channel,
            thing.kind,
            thing.path()
        ];
        Ok(insert.insert(row)?)
    }

    /// What an edit renames keeps its row. What is gone and was known by a name that another one has
    /// from now on is not that one, and does not come again.
    pub(super) fn rename_things(&mut self, edit: &Edit) -> Result<(), DbError> {
        let mut renamed = Vec::new();
        for rename in &edit.renames {
            if let Some(id) = self.reader.thing(&rename.was, TODAY)? {
                renamed.push((id, rename));
            }
        }
        // All out before the first moves in: two may change names with each other.
        for (id, _) in &renamed {
            self.leave(*id, edit.at)?;
        }
        for rename in &edit.renames {
            if let Some(other) = self.reader.thing(&rename.is, TODAY)? {
                self.leave(other, edit.at)?;
            }
        }
        for (id, rename) in renamed {
            self.identify(id, &rename.is)?;
        }
        Ok(())
    }

    fn leave(&mut self, id: i64, at: UnixTime) -> Result<(), DbError> {
        self.connection()
            .prepare_cached("UPDATE things SET gone_us = ?2 WHERE id = ?1")?
            .execute(params![id, at.0])?;
        Ok(())
    }

    /// Writes nothing where all of it is so: it is asked with each change.
    fn identify(&mut self, id: i64, thing: &Thing) -> Result<(), DbError> {
        self.connection()
            .prepare_cached(
                "UPDATE things SET number = ?2, device = ?3, channel = ?4, kind = ?5, path = ?6, gone_us = NULL
                 WHERE id = ?1 AND (kind IS NULL OR path <> ?6 OR gone_us IS NOT NULL)",
            )?
            .execute(params![
                id,
                thing.number(),
                thing.owner(),
                thing.channel,
                thing.kind,
                thing.path()
            ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_found_without_looking_through_all_channels_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let db = Database::open(&folder.path().join("house.db")).unwrap();
        let plan = format!("EXPLAIN QUERY PLAN {FIND}");
        let mut plan = db.connection().prepare(&plan).unwrap();
        let nothing = [None::<i64>; 6];
        let steps = plan
            .query_map(rusqlite::params_from_iter(nothing), |row| row.get(3))
            .unwrap();
        let steps: Vec<String> = steps.collect::<Result<_, _>>().unwrap();
        let found_by = |index: &str| steps.iter().any(|step| step.contains(index));
        assert!(
            found_by("things_by_owner (channel=? AND number=? AND device=?)"),
            "{steps:#?}"
        );
        assert!(found_by("things_by_path (path=?)"), "{steps:#?}");
        assert!(
            !steps.iter().any(|step| step.contains("SCAN things")),
            "{steps:#?}"
        );
    }
}
