//! A disk that runs full, errs and counts, on top of the real one.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use store::disk::{Disk, DiskFile, RealDisk};

/// What the disk does from now on; shared by all of its files.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that can still be written; a write that does not fit is cut short and fails. Removing a
    /// file gives back `segment_bytes`.
    pub(crate) room: Option<u64>,
    pub(crate) segment_bytes: u64,
    /// Every write fails after its first half, with this.
    pub(crate) write: Option<io::ErrorKind>,
    /// Every fsync fails.
    pub(crate) sync: bool,
    /// No fsync is done: for tests that try a thousand cases and cut no power.
    pub(crate) skips_sync: bool,
    /// How many writes of records and headers, and fsyncs of files, succeeded.
    pub(crate) writes: usize,
    pub(crate) syncs: usize,
    /// Copies in memory can't be written; nothing else strikes them.
    pub(crate) memory_is_full: bool,
    /// Told about each fsync of a file.
    pub(crate) on_sync: Option<std::sync::mpsc::SyncSender<()>>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultyDisk(pub(crate) Arc<Mutex<Faults>>);

impl FaultyDisk {
    /// One that is fast instead of safe.
    pub(crate) fn unsynced() -> Self {
        let disk = Self::default();
        disk.set(|faults| faults.skips_sync = true);
        disk
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().unwrap());
    }
}

#[derive(Debug)]
struct FaultyFile(Box<dyn DiskFile>, Arc<Mutex<Faults>>);

/// A copy of a segment in memory.
#[derive(Debug)]
struct MemoryFile(Box<dyn DiskFile>, Arc<Mutex<Faults>>);

/// Copies in memory are named by three numbers, segments by one.
pub(crate) fn is_in_memory(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().contains('-'))
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if is_in_memory(path) && self.0.lock().unwrap().memory_is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(self.file(RealDisk.create(path)?, path))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(RealDisk.open(path)?, path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut faults = self.0.lock().unwrap();
        if let Some(room) = faults.room.filter(|_| !is_in_memory(path)) {
            faults.room = Some(room + faults.segment_bytes);
        }
        RealDisk.remove(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.0.lock().unwrap().skips_sync {
            return Ok(());
        }
        RealDisk.sync_folder(path)
    }
}

impl FaultyDisk {
    fn file(&self, real: Box<dyn DiskFile>, path: &Path) -> Box<dyn DiskFile> {
        let faults = Arc::clone(&self.0);
        if is_in_memory(path) {
            Box::new(MemoryFile(real, faults))
        } else {
            Box::new(FaultyFile(real, faults))
        }
    }
}

impl DiskFile for MemoryFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.1.lock().unwrap().memory_is_full {
            self.0.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn check_at(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.0.check_at(path, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        panic!("memory is never synced")
    }
}

impl DiskFile for FaultyFile {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut faults = self.1.lock().unwrap();
        if let Some(kind) = faults.write {
            self.0.write_all_at(&bytes[..bytes.len() / 2], offset)?;
            return Err(kind.into());
        }
        if let Some(room) = faults.room {
            let fits = bytes.len().min(room as usize);
            if fits < bytes.len() {
                self.0.write_all_at(&bytes[..fits], offset)?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            faults.room = Some(room - fits as u64);
        }
        faults.writes += 1;
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn check_at(&self, path: &Path, bytes: u64) -> io::Result<()> {
        self.0.check_at(path, bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let mut faults = self.1.lock().unwrap();
        if faults.sync {
            return Err(io::Error::other("the disk does not answer"));
        }
        if faults.skips_sync {
            return Ok(());
        }
        faults.syncs += 1;
        if let Some(on_sync) = &faults.on_sync {
            let _ = on_sync.try_send(());
        }
        self.0.sync()
    }
}
