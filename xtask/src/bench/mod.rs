//! `cargo xtask bench`: the numbers of SPECIFICATION.md, measured. Without another word it is the broker beside mosquitto;
//! `engine` and `travel` build and run the programs of `bench/`, a workspace of its own.

pub(crate) mod broker;
pub(crate) mod engine;
mod programs;
pub(crate) mod travel;

pub(crate) use programs::check;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::shell;

/// Where benches write.
fn folder() -> Result<PathBuf> {
    let folder = shell::root().join("target/bench");
    fs::create_dir_all(&folder).with_context(|| format!("can't create {}", folder.display()))?;
    Ok(folder)
}

/// Waits until no other bench runs here: two at once would measure each other.
fn alone(folder: &Path) -> Result<fs::File> {
    let path = folder.join("lock");
    let lock =
        fs::File::create(&path).with_context(|| format!("can't create {}", path.display()))?;
    if lock.try_lock().is_err() {
        eprintln!("another bench is running: waiting for its end");
        lock.lock()?;
    }
    Ok(lock)
}

/// Prints a report and keeps it in `folder`.
fn keep(folder: &Path, name: &str, text: &str) -> Result<()> {
    println!("{text}");
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}
