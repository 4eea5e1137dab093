//! A house in one file, and back: its files, its state, and what says that both are whole.
//!
//! Called by the commands `backup` and `restore`; a dispatcher may run while a backup is made. The file is a gzipped tar
//! of [`Manifest`], the house below `house/` and the state below `state/`: whoever has neither us nor our command can
//! look into it. Must not know what the files say.

mod pack;
mod place;
mod unpack;

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Component, Path},
};

use blake2::{Blake2s256, Digest};
use serde::{Deserialize, Serialize};

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

/// What an archive holds, in its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    /// Of the program that wrote it.
    version: String,
    /// When, in UTC.
    made: String,
    files: Vec<Entry>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `house/rules/hall.toml`.
    path: String,
    bytes: u64,
    /// Hexadecimal.
    blake2s: String,
}

impl Entry {
    /// Whether its path leads nowhere but below `house/` or `state/`.
    fn is_inside(&self) -> bool {
        let path = Path::new(&self.path);
        let mut parts = path.components();
        let first = parts.next();
        let known = [HOUSE, STATE].map(|name| Some(Component::Normal(name.as_ref())));
        known.contains(&first)
            && self.path.len() <= NAME_BYTES_MAX
            && parts.clone().next().is_some()
            && parts.all(|part| matches!(part, Component::Normal(_)))
            && !self.path.contains(['\0', '\\'])
            // No second way to write it.
            && path.components().collect::<std::path::PathBuf>().as_os_str() == &*self.path
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_entry_leads_out_of_the_folders() {
        let is_inside = |path: &str| {
            let entry = Entry {
                path: path.to_owned(),
                bytes: 0,
                blake2s: String::new(),
            };
            entry.is_inside()
        };
        assert!(is_inside("house/mapping.toml") && is_inside("state/journal/00000001.journal"));
        for path in [
            "",
            "house",
            "house/",
            "mapping.toml",
            "/etc/passwd",
            "house/../x",
            "house/./x",
            "house//x",
            "./house/x",
            "state/journal/../../x",
            "house/a\0b",
            "other/x",
        ] {
            assert!(!is_inside(path), "{path:?}");
        }
        assert!(!is_inside(&format!("house/{}", "x".repeat(2_000))));
    }
}
