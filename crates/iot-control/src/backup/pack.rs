//! The making of a backup. House and state are copied beside the file first, and the copied state is opened there as a start
//! would open it; the archive is read back before it gets its name: what can't be read again is no backup.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use store::contents;

use super::{
    BYTES_MAX, FILES_MAX, FORMAT, HOUSE, MANIFEST, STATE, copy_hashed, create_private,
    house::{LeftOut, Source, copy_house},
    manifest::{Entry, Manifest, Mode},
    names::rename_new,
    read::verify,
    staging::Staging,
    state::{copy_state, left_out},
};

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Files in it.
    pub(crate) files: usize,
    /// The newest input that it holds; `None`: the house never ran.
    pub(crate) last_input: Option<u64>,
    /// Bytes of the archive.
    pub(crate) bytes: u64,
    /// What of the house is not in it.
    pub(crate) left_out: Vec<LeftOut>,
}

/// Writes `file`: the house in `house` with its state in `state`.
///
/// # Errors
/// `file` is there or lies in what is packed, something can't be read, or what was copied could not be started from. Then there
/// is no `file`.
pub(crate) fn pack(house: &Path, state: &Path, file: &Path) -> Result<Packed> {
    let folder = folder_of(file, house, state)?;
    let staging = Staging::within(&folder)?;
    let copied = copy_house(house, state, &staging.path(HOUSE))?;
    let last_input = copy_state(state, &staging.path(STATE))?;
    let mut files = copied.files;
    files.extend(state_files(&staging.path(STATE))?);
    ensure!(
        files.len() + copied.folders.len() <= FILES_MAX,
        "{}: more than {FILES_MAX} files",
        house.display()
    );
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made: Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        folders: copied.folders,
        files: entries(&files)?,
    };
    let whole = staging.path("whole");
    let shown = || format!("writing {}", file.display());
    write(&whole, &manifest, &files).with_context(shown)?;
    let read_back = open_from_disk(&whole).map_err(Into::into).and_then(verify);
    let read_back = read_back.with_context(|| {
        format!(
            "{}: what was written is not what can be read there: is the disk in order?",
            file.display()
        )
    })?;
    ensure!(
        read_back == manifest,
        "{} was not written as it should be",
        file.display()
    );
    // Not over a file that came meanwhile.
    rename_new(&whole, file).with_context(shown)?;
    File::open(&folder)?.sync_all().with_context(shown)?;
    Ok(Packed {
        files: files.len(),
        last_input,
        bytes: file.metadata()?.len(),
        left_out: [copied.left_out, left_out(state)?].concat(),
    })
}

/// Opens a file that was synced, so that its bytes come from the disk and not from memory, as far as the system does it.
fn open_from_disk(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    Ok(file)
}

/// The folder in which the backup is written, links followed.
fn folder_of(file: &Path, house: &Path, state: &Path) -> Result<PathBuf> {
    let shown = file.display();
    ensure!(
        file.symlink_metadata().is_err(),
        "{shown} is there already: name another file"
    );
    ensure!(
        house.join("mapping.toml").exists(),
        "{} holds no mapping.toml: name the folder of the house",
        house.display()
    );
    let whole = std::path::absolute(file)?;
    let folder = whole.parent().context("name a file")?;
    let folder = folder
        .canonicalize()
        .with_context(|| folder.display().to_string())?;
    let house = house.canonicalize()?;
    let state = state.canonicalize().ok();
    ensure!(
        state.as_ref() != Some(&house),
        "{} is the folder of the house, not of its state",
        house.display()
    );
    for packed in state.iter().chain([&house]) {
        ensure!(
            !folder.starts_with(packed),
            "{shown} would lie in {}, which is packed: the next backup would hold this one; name a file elsewhere, best on another disk",
            packed.display()
        );
    }
    Ok(folder)
}

fn state_files(state: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    for folder in ["", "journal/", "keys/"] {
        let Ok(entries) = fs::read_dir(state.join(folder)) else {
            continue;
        };
        let mut entries: Vec<_> = entries.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_type()?.is_file() {
                let name = format!("{folder}{}", entry.file_name().display());
                // SQLite leaves files beside a database that was looked at.
                if contents::is_of_state(&name) {
                    files.push(Source {
                        name: format!("{STATE}/{name}"),
                        mode: Mode::default(),
                        path: entry.path(),
                    });
                }
            }
        }
    }
    Ok(files)
}

fn entries(files: &[Source]) -> Result<Vec<Entry>> {
    let mut entries = Vec::with_capacity(files.len());
    let mut total = 0_u64;
    for file in files {
        let mut copy = File::open(&file.path)?;
        let (bytes, blake2s) = copy_hashed(&mut copy, &mut io::sink())?;
        total = total.saturating_add(bytes);
        let entry = Entry {
            path: file.name.clone(),
            bytes,
            mode: file.mode,
            blake2s,
        };
        ensure!(
            entry.is_inside(),
            "{}: such a name can't be kept",
            file.name
        );
        entries.push(entry);
    }
    ensure!(
        total <= BYTES_MAX,
        "the house and its state take {total} bytes: too much for one file"
    );
    Ok(entries)
}

fn write(to: &Path, manifest: &Manifest, files: &[Source]) -> Result<()> {
    let packed = GzEncoder::new(create_private(to)?, Compression::default());
    let mut archive = tar::Builder::new(packed);
    let text = serde_json::to_vec_pretty(manifest)?;
    let mut first = header(text.len() as u64, Mode::default());
    archive.append_data(&mut first, MANIFEST, &*text)?;
    for (entry, file) in manifest.files.iter().zip(files) {
        let mut header = header(entry.bytes, entry.mode);
        archive.append_data(&mut header, &entry.path, File::open(&file.path)?)?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(())
}

fn header(bytes: u64, mode: Mode) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(mode.0);
    header.set_mtime(0);
    header
}

/// A house that never ran, packed; `mapping.toml` is one of its files.
#[cfg(test)]
pub(super) fn packed(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let house = folder.path().join("house");
    for (name, text) in files {
        let path = house.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let file = folder.path().join("backup.tar.gz");
    pack(&house, &folder.path().join("state"), &file).unwrap();
    fs::read(&file).unwrap()
}
