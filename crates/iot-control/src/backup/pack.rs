//! The making of a backup. The state is copied beside the file first, and opened there as a start would open it: what
//! can't be read again is no backup.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use store::{DatabaseReader, Past, StateFolder};

use super::{
    BYTES_MAX, Entry, FILES_MAX, FORMAT, HOUSE, MANIFEST, Manifest, STATE, copy_hashed,
    create_private, place::Staging,
};

/// Copies that are tried where the dispatcher tidies up meanwhile.
const TRIES: usize = 5;

/// What of a state folder is nothing to keep: it belongs to the process that runs.
const OF_THE_PROCESS: [&str; 3] = ["lock", "reserve", "control.sock"];

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Files in it.
    pub(crate) files: usize,
    /// The newest input that it holds; `None`: the house never ran.
    pub(crate) last_input: Option<u64>,
    /// Bytes of the archive.
    pub(crate) bytes: u64,
    /// Links of the house that lead out of it: not in the backup.
    pub(crate) left_out: Vec<PathBuf>,
}

/// Writes `file`: the house in `house` with its state in `state`.
///
/// # Errors
/// `file` is there, something can't be read, or what was copied could not be started from.
pub(crate) fn pack(house: &Path, state: &Path, file: &Path) -> Result<Packed> {
    ensure!(
        !file.exists(),
        "{} is there already: name another file",
        file.display()
    );
    ensure!(
        house.join("mapping.toml").exists(),
        "{} holds no mapping.toml: name the folder of the house",
        house.display()
    );
    let staging = Staging::beside(file)?;
    let last_input = copy_state(state, &staging)?;
    let (mut files, left_out) = house_files(house)?;
    files.extend(state_files(&staging.path(STATE))?);
    ensure!(
        files.len() <= FILES_MAX,
        "{}: more than {FILES_MAX} files",
        house.display()
    );
    let made = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let manifest = manifest(&files, made)?;
    let whole = staging.path("whole");
    write(&whole, &manifest, &files).with_context(|| format!("writing {}", file.display()))?;
    // Not over a file that came meanwhile.
    fs::hard_link(&whole, file).with_context(|| format!("writing {}", file.display()))?;
    if let Some(folder) = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(Packed {
        files: files.len(),
        last_input,
        bytes: file.metadata()?.len(),
        left_out,
    })
}

/// Copies the state until it is one that a start takes. The database comes first: the journal may then hold more, never
/// less, than what follows its newest snapshot; but where retention drops a segment in between, another try is due.
fn copy_state(state: &Path, staging: &Staging) -> Result<Option<u64>> {
    let to = staging.path(STATE);
    if !StateFolder::new(state).database().exists() {
        fs::create_dir(&to)?;
        return Ok(None);
    }
    let mut why = None;
    for _ in 0..TRIES {
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy_once(state, &to).with_context(|| format!("copying {}", state.display()))?;
        match last_input(&to) {
            Ok(last) => return Ok(Some(last)),
            Err(error) => why = Some(error),
        }
    }
    let why = why.map_or_else(String::new, |why| format!("{why:#}"));
    bail!(
        "{}: what was copied could not be started from: {why}",
        state.display()
    )
}

fn copy_once(state: &Path, to: &Path) -> Result<()> {
    let (from, to) = (StateFolder::new(state), StateFolder::new(to));
    to.make()?;
    create_private(&to.database())?;
    DatabaseReader::open(&from.database())?.copy_to(&to.database())?;
    for entry in fs::read_dir(from.root())? {
        let entry = entry?;
        let name = entry.file_name();
        let is_known = OF_THE_PROCESS.iter().any(|known| name == *known);
        let is_database = name.to_string_lossy().starts_with("house.db");
        if entry.file_type()?.is_file() && !is_known && !is_database {
            copy(&entry.path(), &to.root().join(&name))?;
        }
    }
    copy_folder(&from.journal(), &to.journal())?;
    if from.keys().exists() {
        fs::DirBuilder::new().mode(0o700).create(to.keys())?;
        copy_folder(&from.keys(), &to.keys())?;
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies a file that may go away meanwhile.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = match File::open(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let mut copy = create_private(to)?;
    io::copy(&mut source, &mut copy)?;
    copy.sync_all()
}

/// The last input of a state, where its journal follows on its newest snapshot.
pub(super) fn last_input(state: &Path) -> Result<u64> {
    let past = Past::open(state)?;
    let (snapshot, _) = past
        .database()
        .newest_snapshot(types::InputNo(u64::MAX >> 1))?;
    let snapshot = snapshot.map_or(0, |snapshot| snapshot.no.0);
    let before_oldest = past.before_oldest().map_or(snapshot, |no| no.0);
    ensure!(
        before_oldest <= snapshot,
        "its journal begins behind input {before_oldest}, its newest snapshot is of {snapshot}"
    );
    Ok(past.last().0.max(snapshot))
}

/// A file, and its name in the archive.
type Source = (String, PathBuf);

/// All files of a house, and the links that lead out of it.
fn house_files(house: &Path) -> Result<(Vec<Source>, Vec<PathBuf>)> {
    let real = house.canonicalize()?;
    let (mut files, mut left_out) = (Vec::new(), Vec::new());
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let mut entries: Vec<_> = fs::read_dir(real.join(&folder))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let inside = folder.join(entry.file_name());
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                // The history of the files is kept elsewhere.
                if entry.file_name() != ".git" {
                    folders.push(inside);
                }
            } else if kind.is_symlink() {
                let is_mapping = inside == Path::new("mapping.toml");
                let target = path.canonicalize().ok().filter(|target| target.is_file());
                match target.filter(|target| is_mapping || target.starts_with(&real)) {
                    Some(target) => files.push((name(HOUSE, &inside)?, target)),
                    None => left_out.push(path),
                }
            } else if kind.is_file() {
                files.push((name(HOUSE, &inside)?, path));
            } else {
                left_out.push(path);
            }
            ensure!(
                files.len() <= FILES_MAX,
                "{}: more than {FILES_MAX} files",
                house.display()
            );
        }
    }
    Ok((files, left_out))
}

fn state_files(state: &Path) -> Result<Vec<Source>> {
    let mut files = Vec::new();
    for folder in ["", "journal", "keys"].map(|folder| state.join(folder)) {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        let mut entries: Vec<_> = entries.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            if entry.file_type()?.is_file() {
                let path = entry.path();
                let inside = path.strip_prefix(state)?;
                files.push((name(STATE, inside)?, path));
            }
        }
    }
    Ok(files)
}

fn name(below: &str, inside: &Path) -> Result<String> {
    let text = inside.to_str();
    let text = text.with_context(|| format!("{}: its name is no text", inside.display()))?;
    Ok(format!("{below}/{text}"))
}

fn manifest(files: &[Source], made: String) -> Result<Manifest> {
    let mut entries = Vec::with_capacity(files.len());
    let mut total = 0_u64;
    for (path, source) in files {
        let mut file = File::open(source).with_context(|| source.display().to_string())?;
        let (bytes, blake2s) = copy_hashed(&mut file, &mut io::sink())?;
        total = total.saturating_add(bytes);
        let entry = Entry {
            path: path.clone(),
            bytes,
            blake2s,
        };
        ensure!(
            entry.is_inside(),
            "{}: such a name can't be kept",
            source.display()
        );
        entries.push(entry);
    }
    ensure!(
        total <= BYTES_MAX,
        "the house and its state take {total} bytes: too much for one file"
    );
    Ok(Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        made,
        files: entries,
    })
}

fn write(to: &Path, manifest: &Manifest, files: &[Source]) -> Result<()> {
    let packed = GzEncoder::new(create_private(to)?, Compression::default());
    let mut archive = tar::Builder::new(packed);
    let text = serde_json::to_vec_pretty(manifest)?;
    archive.append_data(&mut header(text.len() as u64), MANIFEST, &*text)?;
    for (entry, (_, source)) in manifest.files.iter().zip(files) {
        // Exactly what was hashed: a file that grows meanwhile is cut, one that shrinks is refused at a restore.
        let file = File::open(source)?;
        let bytes = io::Read::take(file, entry.bytes);
        archive.append_data(&mut header(entry.bytes), &entry.path, bytes)?;
    }
    let mut file = archive.into_inner()?.finish()?;
    file.flush()?;
    file.sync_all()?;
    Ok(())
}

fn header(bytes: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o600);
    header.set_mtime(0);
    header
}
