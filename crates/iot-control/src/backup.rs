//! A house in one file, and back: its files, its state, and what says that both are whole.
//!
//! Called by the commands `backup` and `restore`; a dispatcher may run while a backup is made. The file is a gzipped tar
//! of [`manifest::Manifest`], the house below `house/` and the state below `state/`: whoever has neither us nor our command can
//! look into it. It holds files and no links, so that nothing in it can lead anywhere, and of a state only files that a state has.
//! Where something goes is said by whoever restores it, never by the archive.

#[cfg(test)]
mod hostile;
mod house;
mod manifest;
mod names;
mod pack;
mod place;
mod read;
mod staging;
mod state;
mod steps;
#[cfg(test)]
mod tree;
mod unpack;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use blake2::{Blake2s256, Digest};

pub(crate) use pack::pack;
pub(crate) use unpack::unpack;

/// Form of the archive that this version writes.
const FORMAT: u32 = 1;

/// Its name in the archive; it comes first.
const MANIFEST: &str = "manifest.json";

/// Where house and state stand in the archive.
const HOUSE: &str = "house";
const STATE: &str = "state";

/// Files of an archive, and the longest name of one: more is no backup of a house.
const FILES_MAX: usize = 20_000;
const NAME_BYTES_MAX: usize = 1_024;

/// Bytes of all files, unpacked: the journal at its largest setting, and as much again.
const BYTES_MAX: u64 = 1 << 40;

/// Copies all of `from`; gives how many bytes that were and their hash.
fn copy_hashed(from: &mut dyn Read, to: &mut dyn io::Write) -> io::Result<(u64, String)> {
    let (mut hash, mut count) = (Blake2s256::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok((count, hex(&hash.finalize()))),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let bytes = &buffer[..read];
        hash.update(bytes);
        to.write_all(bytes)?;
        count += read as u64;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A new file that only its owner can read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(path)
}
