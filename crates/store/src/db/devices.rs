//! The registry: every device that was ever seen, until somebody forgets it.

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
    /// The firmware that it reported, as it wrote it.
    pub firmware: Option<String>,
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
            "SELECT id, name, first_seen_us, last_seen_us, firmware FROM devices ORDER BY id",
        )?;
        let devices = statement.query_map([], |row| {
            let id = DeviceId(row.get(0)?);
            Ok(Device {
                id,
                name: row.get(1)?,
                first_seen: UnixTime(row.get(2)?),
                last_seen: UnixTime(row.get(3)?),
                firmware: row.get(4)?,
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
    /// Adds a device, or changes the one of the same number, its counters included.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn put_device(&mut self, device: &Device) -> Result<(), DbError> {
        self.put_devices(std::slice::from_ref(device))
    }

    /// [`Self::put_device`] for many, as one change.
    ///
    /// # Errors
    /// What SQLite says; none is changed then.
    pub fn put_devices(&mut self, devices: &[Device]) -> Result<(), DbError> {
        self.together(|db| devices.iter().try_for_each(|device| db.put_one(device)))
    }

    fn put_one(&mut self, device: &Device) -> Result<(), DbError> {
        self.connection()
            .prepare_cached(
                "INSERT INTO devices (id, name, first_seen_us, last_seen_us, firmware)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (id) DO UPDATE SET name = excluded.name,
                    first_seen_us = excluded.first_seen_us,
                    last_seen_us = excluded.last_seen_us, firmware = excluded.firmware",
            )?
            .execute(params![
                device.id.0,
                device.name,
                device.first_seen.0,
                device.last_seen.0,
                device.firmware
            ])?;
        self.connection()
            .prepare_cached("DELETE FROM device_counters WHERE device = ?1")?
            .execute([device.id.0])?;
        let mut insert = self.connection().prepare_cached(
            "INSERT INTO device_counters (device, name, value) VALUES (?1, ?2, ?3)",
        )?;
        for (name, value) in &device.counters {
            insert.execute(params![device.id.0, name, to_sql(*value)])?;
        }
        Ok(())
    }

    /// Forgets a device; says whether there was one.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn forget_device(&mut self, id: DeviceId) -> Result<bool, DbError> {
        let removed = self
            .connection()
            .execute("DELETE FROM devices WHERE id = ?1", [id.0])?;
        Ok(removed > 0)
    }
}
