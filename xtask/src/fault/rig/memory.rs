//! A folder in memory, as systemd gives one to the service: it outlives the dispatcher.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process,
};

use anyhow::{Context, Result};

use super::super::findings::Unable;

/// Where every Linux has a tmpfs.
const TMPFS: &str = "/dev/shm";

/// The folder; it goes with this value.
pub(crate) struct Memory(PathBuf);

impl Memory {
    /// Makes one of its own for fault `name`.
    ///
    /// # Errors
    /// [`Unable`] where this machine has no tmpfs for everybody.
    pub(crate) fn new(name: &str) -> Result<Self> {
        if !Path::new(TMPFS).is_dir() {
            return Err(Unable(format!("there is no {TMPFS}")).into());
        }
        let path = Path::new(TMPFS).join(format!("iot-control-{}-{name}", process::id()));
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::DirBuilder::new().mode(0o700).create(&path),
        }
        .with_context(|| format!("can't make {}", path.display()))?;
        Ok(Self(path))
    }

    /// As [`Self::variable`], with a sync each second: a disk that errs is noticed by then.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let often = ("IOT_CONTROL__JOURNAL__SYNC_S", "1".to_owned());
        vec![self.variable(), often]
    }

    /// The variable by which a dispatcher hears of it.
    pub(crate) fn variable(&self) -> (&'static str, String) {
        ("RUNTIME_DIRECTORY", self.0.display().to_string())
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // What stays takes a few MiB until the next boot; nobody is left to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
