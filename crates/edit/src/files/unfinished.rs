//! An edit of several files that outlives the end of its process: between its first and its last file the house is of
//! two minds.
//!
//! Before the first file is replaced, a note of all of them is put beside `mapping.toml`. While it is there, the texts that are
//! not in place yet lie ready, and whoever finds it puts them there: what was begun is finished. Where a file can't be replaced,
//! the old texts lie ready before the note is exchanged for one that says so; from then on what is finished is the way back.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};

use super::{Staged, WriteError, leftover, sync_folders, text_of};

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
    /// The edit is taken back and the file was made by it: it goes, where this text stands in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    made: bool,
}

/// What is to be done with a file.
#[derive(Debug)]
pub(super) struct Step {
    /// The text beside it.
    pub(super) beside: PathBuf,
    pub(super) file: PathBuf,
    /// Whether it goes, since the edit that is taken back made it; else the text is put in its place.
    pub(super) goes: bool,
}

impl Step {
    pub(super) fn take(&self) -> io::Result<()> {
        if self.goes {
            fs::remove_file(&self.file)
        } else {
            fs::rename(&self.beside, &self.file)
        }
    }

    fn is_to_do(&self) -> bool {
        self.beside.exists() && (!self.goes || self.file.exists())
    }

    /// Whether somebody changed the file since the note was written, at `begun`.
    fn is_stale(&self, begun: SystemTime) -> bool {
        let changed = self.file.metadata().and_then(|file| file.modified());
        let is_other = || match (text_of(&self.file), text_of(&self.beside)) {
            (Ok(now), Ok(made)) => now != made,
            _ => true,
        };
        changed.is_ok_and(|changed| changed > begun) || (self.goes && is_other())
    }
}

/// The note of an edit that is being written.
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// Notes the edit. From here on it is done, whatever happens to this process.
    pub(super) fn note(folder: &Path, staged: &[Staged<'_>]) -> Result<Self, WriteError> {
        let path = folder.join(NOTE);
        let steps = staged.iter().map(|file| Step {
            beside: file.beside.clone(),
            file: file.path.clone(),
            goes: false,
        });
        let steps: Vec<Step> = steps.collect();
        match write(folder, &steps, put_new) {
            Ok(()) => Ok(Self(path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(WriteError::Busy(folder.to_owned()))
            }
            Err(error) => Err(WriteError::File(path, error)),
        }
    }

    /// Notes instead that these are the steps to be taken. From here on the edit is taken back, whatever happens to this
    /// process.
    pub(super) fn turn_back(&self, folder: &Path, steps: &[Step]) -> io::Result<()> {
        write(folder, steps, |beside, note| fs::rename(beside, note))
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
    let mut steps = Vec::new();
    for row in &note.files {
        let (from, to) = (folder.join(&row.from), folder.join(&row.to));
        if !is_ours(&from, &to) {
            let why =
                format!("it puts {from:?} in the place of {to:?}, which no edit does: remove it");
            return Err(failed(io::Error::other(why)));
        }
        steps.push(Step {
            beside: from,
            file: to,
            goes: row.made,
        });
    }
    let missing: Vec<&Step> = steps.iter().filter(|step| step.is_to_do()).collect();
    if let Some(step) = missing.iter().find(|step| step.is_stale(begun)) {
        return Err(failed(io::Error::other(format!(
            "{} was changed since",
            step.file.display()
        ))));
    }
    for step in &missing {
        match step.take() {
            // Whoever wrote it was there all the same.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            taken => taken.map_err(failed)?,
        }
    }
    sync_folders(steps.iter().map(|step| step.file.as_path()))?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(missing.len()),
    }
}

/// Puts a note of these steps into the house's folder, onto the disk.
fn write(
    folder: &Path,
    steps: &[Step],
    put: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    let path = folder.join(NOTE);
    let real = folder.canonicalize()?;
    let row = |step: &Step| {
        Some(Row {
            from: name_in(&real, &step.beside)?,
            to: name_in(&real, &step.file)?,
            made: step.goes,
        })
    };
    let files = steps.iter().map(row).collect::<Option<Vec<_>>>();
    let not_text = || io::Error::new(io::ErrorKind::InvalidFilename, "its path is no UTF-8");
    let text = serde_json::to_vec(&Note {
        files: files.ok_or_else(not_text)?,
    })?;
    let (beside, mut file) = super::create_beside(&path)?;
    let written = file
        .write_all(&text)
        .and_then(|()| file.sync_all())
        .and_then(|()| put(&beside, &path))
        .and_then(|()| File::open(folder)?.sync_all());
    let _ = fs::remove_file(&beside);
    written
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
    use serde_json::json;

    use super::super::{MadeFolders, Replacement, replace_all, stage_all, way_back};
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

    /// Can't replace its last file, and dies after so many of those that were replaced have their old text again; one of these
    /// was made by the edit.
    fn die_on_the_way_back(folder: &Path, after: usize) {
        fs::remove_file(folder.join("b.toml")).unwrap();
        let mut files = replacements();
        files[1].old = None;
        let staged = stage_all(folder, &files, &mut MadeFolders::default()).unwrap();
        let note = Unfinished::note(folder, &staged).unwrap();
        let done = &staged[..2];
        for file in done {
            fs::rename(&file.beside, &file.path).unwrap();
        }
        let back = way_back(folder, &note, done).unwrap();
        for step in &back.steps[..after] {
            step.take().unwrap();
        }
        std::mem::forget((note, back, staged));
    }

    #[test]
    fn wherever_an_edit_is_interrupted_that_is_taken_back_no_file_is_new_in_the_end() {
        for after in 0..=2 {
            let folder = house();
            die_on_the_way_back(folder.path(), after);
            assert!(is_unfinished(folder.path()));
            assert_eq!(finish(folder.path()).unwrap(), 2 - after);
            let text = |name| fs::read_to_string(folder.path().join(name)).unwrap();
            let texts = ["a.toml", "c/d.toml"].map(text);
            assert_eq!(texts, ["old"; 2], "after {after}");
            assert!(!folder.path().join("b.toml").exists(), "after {after}");
            assert!(!is_unfinished(folder.path()));
        }
    }

    #[test]
    fn what_somebody_changed_since_is_not_taken_away() {
        let folder = house();
        die_on_the_way_back(folder.path(), 0);
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
        let made = File::options()
            .write(true)
            .open(folder.path().join("b.toml"));
        made.unwrap().set_modified(later).unwrap();
        let why = finish(folder.path()).unwrap_err().to_string();
        assert!(why.contains("b.toml was changed since"), "{why}");
        assert_eq!(texts(folder.path()), ["new", "new", "old"]);
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
            ("out/keys.toml", "out/.keys.toml.1-0.new"),
        ] {
            for made in [false, true] {
                let note = json!({ "files": [{ "from": from, "to": to, "made": made }] });
                fs::write(folder.path().join(NOTE), note.to_string()).unwrap();
                let why = finish(folder.path()).unwrap_err().to_string();
                assert!(why.contains("which no edit does"), "{from} {to}: {why}");
            }
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "mine");
        // Nor does it take away what another text stands in.
        fs::write(folder.path().join(".a.toml.1-0.new"), "theirs").unwrap();
        let note =
            json!({ "files": [{ "from": ".a.toml.1-0.new", "to": "a.toml", "made": true }] });
        fs::write(folder.path().join(NOTE), note.to_string()).unwrap();
        let why = finish(folder.path()).unwrap_err().to_string();
        assert!(why.contains("a.toml was changed since"), "{why}");
        assert_eq!(texts(folder.path()), ["old"; 3]);
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
