//! A copy of a state beside whoever writes to it, and whether one is a state that a start would take.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use store::{DatabaseReader, Past, StateFolder, contents};

use super::{create_private, house::LeftOut};

/// Copies that are tried where the dispatcher tidies up meanwhile.
const TRIES: usize = 5;

/// Copies the state to `to`, which is made, until it is one that a start takes; gives its last input, `None`: no house ran on it.
/// The database comes first: the journal may then hold more, never less, than what follows its newest snapshot; but where
/// retention drops a segment in between, another try is due.
pub(super) fn copy_state(state: &Path, to: &Path) -> Result<Option<u64>> {
    if !StateFolder::new(state).database().exists() {
        fs::create_dir(to)?;
        // Devices may have keys before the house runs for the first time.
        copy_keys(&StateFolder::new(state), &StateFolder::new(to))?;
        return Ok(None);
    }
    let mut why = None;
    for _ in 0..TRIES {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        copy_once(state, to).with_context(|| format!("copying {}", state.display()))?;
        match last_input(to) {
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
        let is_database = name.to_string_lossy().starts_with("house.db");
        if !is_database && is_kept("", &entry)? {
            copy(&entry.path(), &to.root().join(&name))?;
        }
    }
    copy_journal(&from, &to)?;
    copy_keys(&from, &to)
}

/// Where the newest file is worked on in memory, that copy holds all of it; it may come to the disk, and go, meanwhile.
fn copy_journal(from: &StateFolder, to: &StateFolder) -> Result<()> {
    for (name, source) in from.journal_files()? {
        if contents::is_of_state(&format!("journal/{}", name.to_string_lossy())) {
            let to = to.journal().join(&name);
            let is_there = copy(&source, &to)?;
            let own = from.journal().join(&name);
            if !is_there && source != own {
                copy(&own, &to)?;
            }
        }
    }
    Ok(())
}

fn copy_keys(from: &StateFolder, to: &StateFolder) -> Result<()> {
    if from.keys().exists() {
        fs::DirBuilder::new().mode(0o700).create(to.keys())?;
        copy_folder("keys/", &from.keys(), &to.keys())?;
    }
    Ok(())
}

/// What people put into a state folder: nothing that a restore would take.
pub(super) fn left_out(state: &Path) -> Result<Vec<LeftOut>> {
    let mut left_out = Vec::new();
    for folder in ["", "journal/", "keys/"] {
        let Ok(entries) = fs::read_dir(state.join(folder)) else {
            continue;
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let is_passing = contents::is_passing(&format!("{folder}{}", name.to_string_lossy()));
            let is_thing = entry.file_type()?.is_file() || entry.file_type()?.is_symlink();
            if is_thing && !is_passing && !is_kept(folder, &entry)? {
                left_out.push(LeftOut {
                    path: entry.path(),
                    why: "is no file of the state",
                });
            }
        }
    }
    left_out.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(left_out)
}

/// Whether something in this part of a state folder (`journal/`) is a file of the state.
fn is_kept(folder: &str, entry: &fs::DirEntry) -> io::Result<bool> {
    let name = format!("{folder}{}", entry.file_name().to_string_lossy());
    Ok(entry.file_type()?.is_file() && contents::is_of_state(&name))
}

fn copy_folder(name: &str, from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if is_kept(name, &entry)? {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Copies a file that may go away meanwhile; whether it was there.
fn copy(from: &Path, to: &Path) -> io::Result<bool> {
    let mut source = match File::open(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    io::copy(&mut source, &mut create_private(to)?)?;
    Ok(true)
}

/// The last input of a state, where its journal follows on its newest snapshot.
pub(super) fn last_input(state: &Path) -> Result<u64> {
    let past = Past::open(state)?;
    let (snapshot, _) = past
        .database()
        .newest_snapshot(types::InputNo(u64::MAX >> 1))?;
    let snapshot = snapshot.map_or(0, |snapshot| snapshot.no.0);
    let before_oldest = past.before_oldest();
    ensure!(
        before_oldest.is_some() || snapshot == 0,
        "its journal is missing, and its newest snapshot is of input {snapshot}"
    );
    let before_oldest = before_oldest.map_or(snapshot, |no| no.0);
    ensure!(
        before_oldest <= snapshot,
        "its journal begins behind input {before_oldest}, its newest snapshot is of {snapshot}"
    );
    Ok(past.last().0.max(snapshot))
}
