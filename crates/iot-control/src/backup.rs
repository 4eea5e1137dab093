//! A house in one file, and back: its files, its state, and what says that both are whole.
//!
//! Called by the commands `backup` and `restore`; a dispatcher may run while a backup is made. The file is a gzipped tar
//! of [`Manifest`], the house below `house/` and the state below `state/`: whoever has neither us nor our command can
//! look into it. It holds files and no links, so that nothing in it can lead anywhere. Of what the files say, only the
//! settings' `state` is asked for: where a restored state belongs.

#[cfg(test)]
mod hostile;
mod house;
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
    fs::{File, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
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
    /// Those of the house, `house` itself first; each comes before what is in it.
    #[serde(default)]
    folders: Vec<Folder>,
    files: Vec<Entry>,
}

/// One folder of the house.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Folder {
    /// `house/rules`.
    path: String,
    mode: Mode,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// `house/rules/hall.toml`.
    path: String,
    bytes: u64,
    #[serde(default)]
    mode: Mode,
    /// Hexadecimal.
    blake2s: String,
}

impl Entry {
    /// Whether its path leads nowhere but below `house/` or `state/`.
    fn is_inside(&self) -> bool {
        self.path.contains('/') && leads_inside(&self.path, &[HOUSE, STATE])
    }
}

impl Folder {
    /// Whether it is `house` or below it.
    fn is_inside(&self) -> bool {
        leads_inside(&self.path, &[HOUSE])
    }
}

/// Whether a path is one of `roots` or below one, written in the one way there is.
fn leads_inside(text: &str, roots: &[&str]) -> bool {
    let path = Path::new(text);
    let root = path.components().next();
    roots
        .iter()
        .any(|name| root == Some(Component::Normal(name.as_ref())))
        && text.len() <= NAME_BYTES_MAX
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        && !text.contains(['\0', '\\'])
        && path.components().collect::<PathBuf>().as_os_str() == text
}

/// Who may read, write and run a file or folder: the nine bits, in JSON as octal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Mode(u32);

impl Mode {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.permissions().mode() & 0o777)
    }
}

impl Default for Mode {
    /// Its owner may read and write it.
    fn default() -> Self {
        Self(0o600)
    }
}

impl From<Mode> for String {
    fn from(mode: Mode) -> Self {
        format!("{:03o}", mode.0)
    }
}

impl TryFrom<String> for Mode {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mode = u32::from_str_radix(&text, 8).ok();
        let mode = mode.filter(|mode| *mode <= 0o777);
        mode.map(Self)
            .ok_or_else(|| format!("{text:?} is no mode of a file"))
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
                mode: Mode::default(),
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

    #[test]
    fn a_mode_is_written_as_chmod_takes_it() {
        let text = |mode| serde_json::to_string(&Mode(mode)).unwrap();
        assert_eq!(
            (text(0o600), text(0o7)),
            ("\"600\"".into(), "\"007\"".into())
        );
        let mode = |text: &str| serde_json::from_str::<Mode>(text).ok();
        assert_eq!(mode("\"750\""), Some(Mode(0o750)));
        for wrong in ["\"4755\"", "\"8\"", "\"\"", "\"-1\"", "600"] {
            assert_eq!(mode(wrong), None, "{wrong}");
        }
    }
}
