//! The registry: every device that was ever seen.

use super::{Database, DatabaseReader, DbError, from_sql, to_sql};
use rusqlite::params;
use std::collections::BTreeMap;
use types::{DeviceId, UnixTime};

/// What the registry knows of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its number in the mapping.
    pub id: DeviceId,
    /// Its name in the mapping when it was last seen.
    pub name: String,
    /// When it first connected.
    pub first_seen: UnixTime,
    /// When it was last heard.
    pub last_seen: UnixTime,
    /// What is counted for it, by name: reconnects, refused payloads.
    pub counters: BTreeMap<String, u64>,
}

impl DatabaseReader {
    /// All devices, by number.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn devices(&self) -> Result<Vec<Device>, DbError> {
        let mut counters = self.counters()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT id, name, first_seen_us, last_seen_us FROM devices ORDER BY id",
        )?;
        let devices = statement.query_map([], |row| {
            let id = DeviceId(row.get(0)?);
            Ok(Device {
                id,
                name: row.get(1)?,
                first_seen: UnixTime(row.get(2)?),
                last_seen: UnixTime(row.get(3)?),
                counters: counters.remove(&id).unwrap_or_default(),
            })
        })?;
        Ok(devices.collect::<Result<_, _>>()?)
    }

    fn counters(&self) -> Result<BTreeMap<DeviceId, BTreeMap<String, u64>>, DbError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT device, name, value FROM device_counters")?;
        let mut rows = statement.query([])?;
        let mut counters: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        while let Some(row) = rows.next()? {
            counters
                .entry(DeviceId(row.get(0)?))
                .or_default()
                .insert(row.get(1)?, from_sql(row.get(2)?));
        }
        Ok(counters)
    }
}

impl Database {
    /// Adds what a stretch of time brought. What is known of a device stays: its first time; its counters grow.
    /// The column `firmware` stays empty: no device says its firmware, and dropping it would cost older databases
    /// a migration.
    pub(super) fn see_device(&mut self, seen: &Device) -> Result<(), DbError> {
        self.connection()
            .prepare_cached(
                "INSERT INTO devices (id, name, first_seen_us, last_seen_us)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name,
                    last_seen_us = max(last_seen_us, excluded.last_seen_us)",
            )?
            .execute(params![
                seen.id.0,
                seen.name,
                seen.first_seen.0,
                seen.last_seen.0
            ])?;
        let mut add = self.connection().prepare_cached(
            "INSERT INTO device_counters (device, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (device, name) DO UPDATE SET value = value + excluded.value",
        )?;
        for (name, value) in &seen.counters {
            add.execute(params![seen.id.0, name, to_sql(*value)])?;
        }
        Ok(())
    }
}
