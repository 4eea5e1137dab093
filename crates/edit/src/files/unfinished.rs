//! An edit of several files that outlives the end of its process: between its first and its last file the house is of
//! two minds.
//!
//! Before the first file is replaced, a note of all of them is put beside `mapping.toml`. While it is there, the texts that are
//! not in place yet lie ready, and whoever finds it puts them there: what was begun is finished, never
//! taken back.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Staged, WriteError, leftover, sync_folders};

/// Name of the note in a house's folder.
pub(super) const NOTE: &str = ".iot-control-edit";

/// More is no note: a house has some thousand files at most.
const NOTE_BYTES_MAX: u64 = 1 << 20;

/// What the note says.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    files: Vec<Row>,
}

/// A text and where it goes; relative to the house's folder where it lies in it, which may be moved.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    from: String,
    to: String,
}

/// The note of an edit that is being written.
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// Notes the edit. From here on it is done, whatever happens to this process.
    pub(super) fn note(folder: &Path, staged: &[Staged<'_>]) -> Result<Self, WriteError> {
        let path = folder.join(NOTE);
        let failed = |error| WriteError::File(path.clone(), error);
        let real = folder.canonicalize().map_err(failed)?;
        let row = |file: &Staged<'_>| {
            Some(Row {
                from: name_in(&real, &file.beside)?,
                to: name_in(&real, &file.path)?,
            })
        };
        let files = staged.iter().map(row).collect::<Option<Vec<_>>>();
        let not_text = || io::Error::new(io::ErrorKind::InvalidFilename, "its path is no UTF-8");
        let files = files.ok_or_else(|| failed(not_text()))?;
        let text = serde_json::to_vec(&Note { files }).map_err(|error| failed(error.into()))?;
        let (beside, mut file) = super::create_beside(&path).map_err(failed)?;
        let written = file
            .write_all(&text)
            .and_then(|()| file.sync_all())
            .and_then(|()| put_new(&beside, &path))
            .and_then(|()| File::open(folder)?.sync_all());
        let _ = fs::remove_file(&beside);
        match written {
            Ok(()) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Busy(folder.to_owned()))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// The edit is over: all files are in place, or have their old text again.
    pub(super) fn end(self) {
        // Where it stays, whoever finds it finds nothing left to do.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether an edit of the house in `folder` is being written, or was interrupted: its files don't belong
/// together then.
#[must_use]
pub fn is_unfinished(folder: &Path) -> bool {
    folder.join(NOTE).exists()
}

/// Puts the files of an edit that was interrupted in place, and removes what killed processes left beside files; says
/// how many were missing. To be called before a house is read.
///
/// # Errors
/// One of them was changed by somebody since, or can't be written.
pub fn finish(folder: &Path) -> Result<usize, WriteError> {
    let missing = if is_unfinished(folder) {
        // Whoever is still writing it ends it first.
        let _alone = super::alone(folder)?;
        put_in_place(folder)?
    } else {
        0
    };
    // While a note stands, its texts are needed.
    if !is_unfinished(folder) {
        leftover::remove(folder);
    }
    Ok(missing)
}

fn put_in_place(folder: &Path) -> Result<usize, WriteError> {
    let path = folder.join(NOTE);
    let failed = |error| WriteError::Interrupted(path.clone(), error);
    let about = match path.metadata() {
        Err(error) if is_no_house(&error) => return Ok(0),
        about => about.map_err(failed)?,
    };
    if !about.is_file() || about.len() > NOTE_BYTES_MAX {
        return Err(failed(io::Error::other("it is no note of ours: remove it")));
    }
    let text = match fs::read(&path) {
        Err(error) if is_no_house(&error) => return Ok(0),
        read => read.map_err(failed)?,
    };
    let note: Note = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
    let begun = about.modified().map_err(failed)?;
    let mut rows = Vec::new();
    for row in &note.files {
        let (from, to) = (folder.join(&row.from), folder.join(&row.to));
        if !is_ours(&from, &to) {
            let why =
                format!("it puts {from:?} in the place of {to:?}, which no edit does: remove it");
            return Err(failed(io::Error::other(why)));
        }
        rows.push((from, to));
    }
    let missing = rows.iter().filter(|(from, _)| from.exists());
    let missing: Vec<_> = missing.collect();
    let is_newer = |to: &Path| {
        let changed = to.metadata().and_then(|file| file.modified());
        changed.is_ok_and(|changed| changed > begun)
    };
    if let Some((_, to)) = missing.iter().find(|(_, to)| is_newer(to)) {
        return Err(failed(io::Error::other(format!(
            "{} was changed since",
            to.display()
        ))));
    }
    for (from, to) in &missing {
        match fs::rename(from, to) {
            // Whoever wrote it was there all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            renamed => renamed.map_err(failed)?,
        }
    }
    sync_folders(rows.iter().map(|(_, to)| to.as_path()))?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(missing.len()),
    }
}

/// Whether `from` is a text that one of our edits put beside `to`. A note may come with somebody else's house: it must
/// move nothing that was not written for that very place.
fn is_ours(from: &Path, to: &Path) -> bool {
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let (Some(from_name), Some(to_name)) = (name(from), name(to)) else {
        return false;
    };
    let begins = from_name
        .strip_prefix('.')
        .and_then(|rest| rest.strip_prefix(&*to_name));
    // Behind the name stand the writer's numbers and nothing else: another file's name may begin with this one.
    begins.is_some_and(|rest| rest.starts_with('.') && rest.matches('.').count() == 2)
        && leftover::writer_of(&from_name).is_some()
        && from.parent() == to.parent()
}

/// There is no note, or no folder that could hold one: whoever reads the house says so better.
fn is_no_house(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}

fn name_in(folder: &Path, path: &Path) -> Option<String> {
    let real = match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => parent.canonicalize().ok()?.join(name),
        _ => path.to_owned(),
    };
    let name = real.strip_prefix(folder).unwrap_or(&real);
    name.to_str().map(str::to_owned)
}

/// Gives a whole file its name, unless something has that name.
fn put_new(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links; two edits in the same moment are what it costs.
            if to.exists() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MadeFolders, Replacement, replace_all, stage_all};
    use super::*;

    const FILES: [&str; 3] = ["a.toml", "b.toml", "c/d.toml"];

    fn house() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("c")).unwrap();
        for name in FILES {
            fs::write(folder.path().join(name), "old").unwrap();
        }
        folder
    }

    fn texts(folder: &Path) -> Vec<String> {
        let text = |name| fs::read_to_string(folder.join(name)).unwrap();
        FILES.into_iter().map(text).collect()
    }

    fn replacements() -> [Replacement<'static>; 3] {
        FILES.map(|name| Replacement {
            name,
            old: Some("old"),
            new: "new",
        })
    }

    /// Dies after so many files; `None`: before the note.
    fn die(folder: &Path, after: Option<usize>) {
        let files = replacements();
        let staged = stage_all(folder, &files, &mut MadeFolders::default()).unwrap();
        if let Some(after) = after {
            let note = Unfinished::note(folder, &staged).unwrap();
            for file in &staged[..after] {
                fs::rename(&file.beside, &file.path).unwrap();
            }
            std::mem::forget(note);
        }
        std::mem::forget(staged);
    }

    #[test]
    fn wherever_an_edit_is_interrupted_all_files_are_new_in_the_end_or_none() {
        for after in 0..=FILES.len() {
            let folder = house();
            die(folder.path(), Some(after));
            assert!(is_unfinished(folder.path()));
            let missing = finish(folder.path()).unwrap();
            assert_eq!(missing, FILES.len() - after);
            assert_eq!(texts(folder.path()), ["new"; 3], "after {after}");
            assert!(!is_unfinished(folder.path()));
            assert_eq!(finish(folder.path()).unwrap(), 0);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        }
        let folder = house();
        die(folder.path(), None);
        assert_eq!(finish(folder.path()).unwrap(), 0);
        assert_eq!(texts(folder.path()), ["old"; 3]);
        replace_all(folder.path(), &replacements()).unwrap();
        assert_eq!(texts(folder.path()), ["new"; 3]);
    }

    #[test]
    fn a_house_that_was_moved_meanwhile_is_finished_where_it_is() {
        let folder = house();
        die(folder.path(), Some(1));
        let moved = tempfile::tempdir().unwrap();
        let to = moved.path().join("house");
        fs::rename(folder.path(), &to).unwrap();
        assert_eq!(finish(&to).unwrap(), 2);
        assert_eq!(texts(&to), ["new"; 3]);
    }

    #[test]
    fn what_somebody_changed_since_is_not_overwritten() {
        let folder = house();
        die(folder.path(), Some(1));
        let file = File::options()
            .write(true)
            .open(folder.path().join("b.toml"));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        file.unwrap().set_modified(later).unwrap();
        let why = finish(folder.path()).unwrap_err().to_string();
        assert!(why.contains("b.toml was changed since"), "{why}");
        assert_eq!(texts(folder.path()), ["new", "old", "old"]);
    }

    #[test]
    fn a_note_that_came_with_the_house_moves_nothing() {
        let away = tempfile::tempdir().unwrap();
        let victim = away.path().join("keys.toml");
        fs::write(&victim, "mine").unwrap();
        let folder = house();
        let beside = folder.path().join(".keys.toml.1-0.new");
        fs::write(&beside, "theirs").unwrap();
        fs::write(folder.path().join("readme.txt"), "theirs").unwrap();
        std::os::unix::fs::symlink(away.path(), folder.path().join("out")).unwrap();
        let to = victim.to_str().unwrap();
        for (from, to) in [
            ("readme.txt", to),
            (".keys.toml.1-0.new", to),
            (".keys.toml.1-0.new", "out/keys.toml"),
            ("out/keys.toml", "stolen.toml"),
            ("..", "a.toml"),
            (".a.toml.bak.toml.1-0.new", "a.toml"),
        ] {
            let note = serde_json::json!({ "files": [{ "from": from, "to": to }] });
            fs::write(folder.path().join(NOTE), note.to_string()).unwrap();
            let why = finish(folder.path()).unwrap_err().to_string();
            assert!(why.contains("which no edit does"), "{from} {to}: {why}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        fs::write(folder.path().join(NOTE), vec![b' '; 2 << 20]).unwrap();
        let why = finish(folder.path()).unwrap_err().to_string();
        assert!(why.contains("no note of ours"), "{why}");
    }

    #[test]
    fn one_edit_is_written_after_the_other() {
        let folder = house();
        die(folder.path(), Some(0));
        let files = replacements();
        let staged = stage_all(folder.path(), &files, &mut MadeFolders::default()).unwrap();
        let second = Unfinished::note(folder.path(), &staged);
        assert!(matches!(second, Err(WriteError::Busy(_))));
    }
}
