//! Room on the disk that is kept for a start: where the disk is full, SQLite could not even be opened for
//! reading, and the house would stay down.
//!
//! Called by [`crate::Store::open`]. Must not know what needs the room.

use crate::regular;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// SQLite's shared memory takes 32 KiB, the users and a mapping a few dozen.
const BYTES: usize = 256 * 1024;

/// Takes the room, where it is not taken yet.
pub(crate) fn keep(path: &Path) -> io::Result<()> {
    if path
        .symlink_metadata()
        .is_ok_and(|found| found.is_file() && found.len() >= BYTES as u64)
    {
        return Ok(());
    }
    let options = &mut OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = regular::open_with(path, options)
        // Zeros may take no room at all.
        .and_then(|mut file| file.write_all(&[0xA5; BYTES]));
    if written.is_err() {
        // What it got is worth more elsewhere.
        let _ = fs::remove_file(path);
    }
    written
}

/// Gives the room back; says whether there was any.
pub(crate) fn release(path: &Path) -> bool {
    fs::remove_file(path).is_ok()
}
