//! Files onto the disk: all or none.
//!
//! Each new text is written beside its file and synced; only then the files are replaced, one after the
//! other. Where one can't be, those before it get their old text back, all or none of them likewise; where the process ends in
//! between, whoever comes next finishes what it began ([`unfinished`]).

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use mapping::disk::{self, Unreadable};

mod alone;
mod leftover;
mod owner;
mod unfinished;

pub use alone::{Alone, alone};
pub use leftover::is_leftover;
pub(crate) use owner::MadeFolders;
use owner::Owner;
use unfinished::{Step, Unfinished};
pub use unfinished::{finish, is_unfinished};

/// Largest file in bytes that is looked at again before it is replaced: many times what a house may hold.
const BYTES_MAX: u64 = 1 << 30;

/// A file and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replacement<'a> {
    /// Relative to the house's folder.
    pub(crate) name: &'a str,
    /// What must stand in it; `None`: it must not be there.
    pub(crate) old: Option<&'a str>,
    /// What will stand in it.
    pub(crate) new: &'a str,
}

/// Why files were not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum WriteError {
    /// Somebody changed this file since it was read; nothing was written.
    Changed(PathBuf),
    /// The house's folder is not there, or no longer; nothing was changed.
    Gone(PathBuf),
    /// A file can't be written; nothing was changed.
    File(PathBuf, io::Error),
    /// The files are as they should be, and the disk did not say that it has them; holds their folder.
    Unsynced(PathBuf, io::Error),
    /// Another edit of the house in this folder is being written, or was interrupted; nothing was changed.
    Busy(PathBuf),
    /// This name is a link that leads out of the house's folder; nothing was changed.
    Outside(PathBuf),
    /// An edit was interrupted, and can't be finished; holds its note.
    Interrupted(PathBuf, io::Error),
    /// A file can't be written, and one that was changed before could not get its old text back.
    Half {
        /// The file that is new.
        written: PathBuf,
        /// The file that is not.
        failed: PathBuf,
        /// Why not.
        error: io::Error,
    },
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(path) => write!(
                f,
                "{} was changed meanwhile; nothing was written, try again",
                path.display()
            ),
            Self::Gone(folder) => write!(
                f,
                "{}: this folder is gone: it was removed or got another name since the house was read; nothing was changed",
                folder.display()
            ),
            Self::File(path, error) => {
                write!(f, "{}: {error}; nothing was changed", path.display())
            }
            Self::Unsynced(folder, error) => write!(
                f,
                "{}: {error}; the files are changed, but a power cut may bring old ones back: check the disk",
                folder.display()
            ),
            Self::Busy(folder) => write!(
                f,
                "another edit of {} is being written; nothing was changed, try again",
                folder.display()
            ),
            Self::Outside(path) => write!(
                f,
                "{} is a link that leads out of the house's folder; nothing was changed: put the file itself there, or let mapping.toml be the link",
                path.display()
            ),
            Self::Interrupted(note, error) => write!(
                f,
                "an edit of this house was interrupted and can't be finished: {error}; {} says which texts were to go where: put them there or leave it, and remove that file",
                note.display()
            ),
            Self::Half {
                written,
                failed,
                error,
            } => write!(
                f,
                "{}: {error}; {} is changed already and could not be put back: look at both",
                failed.display(),
                written.display()
            ),
        }
    }
}

/// What the system said stands in the words themselves.
impl std::error::Error for WriteError {}

/// A new text that lies beside its file.
struct Staged<'a> {
    /// The file itself, links followed.
    path: PathBuf,
    beside: PathBuf,
    old: Option<&'a str>,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        // It is gone where the file was replaced.
        let _ = fs::remove_file(&self.beside);
    }
}

/// Replaces one file, or makes it: after a power cut the old or the new text is there. A link stays a link, and rights
/// stay as they are; its owner too, where this process may give files away. Whoever read the old text before holds
/// [`alone()`] meanwhile.
///
/// # Errors
/// It can't be written; [`WriteError::Unsynced`] where it was, and the disk may not have it.
pub fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    let failed = |error| WriteError::File(path.to_owned(), error);
    let mut made = MadeFolders::default();
    let owner = Owner::KeptWhereAllowed;
    let staged = stage(path.to_owned(), text, None, owner, &mut made).map_err(failed)?;
    fs::rename(&staged.beside, &staged.path).map_err(failed)?;
    made.keep();
    sync_folders([staged.path.as_path()])
}

/// As [`replace`], of the file `name` of a house.
///
/// # Errors
/// It can't be written, or is a link that leads out of the house's folder.
pub fn replace_in(folder: &Path, name: &str, text: &str) -> Result<(), WriteError> {
    let path = folder.join(name);
    if leads_out(folder, name) {
        return Err(WriteError::Outside(path));
    }
    replace(&path, text)
}

/// Replaces the files, or none of them.
pub(crate) fn replace_all(folder: &Path, files: &[Replacement<'_>]) -> Result<(), WriteError> {
    // Who edits the same house meanwhile waits here, and finds it changed.
    let _alone = alone(folder)?;
    // Behind the files that are staged: they leave them first.
    let mut made = MadeFolders::default();
    let staged = stage_all(folder, files, &mut made)?;
    for file in &staged {
        let now =
            text_of(&file.path).map_err(|error| WriteError::File(file.path.clone(), error))?;
        if now.as_deref() != file.old {
            return Err(WriteError::Changed(file.path.clone()));
        }
    }
    // One file is new or old by itself.
    let note = match staged.len() {
        0 | 1 => None,
        _ => Some(Unfinished::note(folder, &staged)?),
    };
    let mut replaced = Ok(());
    for (done, file) in staged.iter().enumerate() {
        match fs::rename(&file.beside, &file.path) {
            // Somebody found the note, and was faster.
            Err(error) if note.is_some() && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let done = &staged[..done];
                replaced = Err(take_back(folder, note.as_ref(), done, &file.path, error));
                break;
            }
            Ok(()) => {}
        }
    }
    if replaced.is_ok() {
        made.keep();
    }
    let synced =
        replaced.and_then(|()| sync_folders(staged.iter().map(|file| file.path.as_path())));
    if let Some(note) = note {
        note.end();
    }
    synced
}

/// Makes the names of these files survive a power cut; their texts did before.
fn sync_folders<'a>(files: impl IntoIterator<Item = &'a Path>) -> Result<(), WriteError> {
    let mut folders: Vec<&Path> = files.into_iter().filter_map(Path::parent).collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        };
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| WriteError::Unsynced(folder.to_owned(), error))?;
    }
    Ok(())
}

fn stage_all<'a>(
    folder: &Path,
    files: &[Replacement<'a>],
    made: &mut MadeFolders,
) -> Result<Vec<Staged<'a>>, WriteError> {
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        let path = folder.join(file.name);
        if leads_out(folder, file.name) {
            return Err(WriteError::Outside(path));
        }
        let one = stage(path.clone(), file.new, file.old, Owner::Kept, made);
        staged.push(one.map_err(|error| WriteError::File(path, error))?);
    }
    Ok(staged)
}

/// Whether a file of the house would be written elsewhere. mapping.toml may be a link out of the folder, as its reader
/// has it.
fn leads_out(folder: &Path, name: &str) -> bool {
    let path = folder.join(name);
    // What is not there yet will lie in the nearest folder that is.
    let real = path.ancestors().find_map(|path| path.canonicalize().ok());
    match (real, folder.canonicalize()) {
        (Some(real), Ok(folder)) => name != "mapping.toml" && !real.starts_with(folder),
        _ => false,
    }
}

/// What stands in a file; `None`: it is not there.
fn text_of(path: &Path) -> io::Result<Option<String>> {
    match disk::text(path, BYTES_MAX) {
        Ok(text) => Ok(Some(text)),
        Err(Unreadable::Missing) => Ok(None),
        Err(why) => Err(io::Error::other(why.to_string())),
    }
}

fn stage<'a>(
    path: PathBuf,
    text: &str,
    old: Option<&'a str>,
    owner: Owner,
    made: &mut MadeFolders,
) -> io::Result<Staged<'a>> {
    // A link stays a link: what it leads to is replaced.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path,
        other => other?,
    };
    if let Some(folder) = path.parent() {
        made.make(folder)?;
    }
    let (beside, mut new) = create_beside(&path)?;
    let staged = Staged { path, beside, old };
    if let Ok(meta) = fs::metadata(&staged.path) {
        // Before the rights: a new owner may cost some of them.
        owner::keep(&new, &meta, owner)?;
        new.set_permissions(meta.permissions())?;
    }
    new.write_all(text.as_bytes())?;
    new.sync_all()?;
    Ok(staged)
}

/// A file beside another one that nobody else has: two edits at once don't write into each other's.
fn create_beside(path: &Path) -> io::Result<(PathBuf, fs::File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        name.push(format!(".{}-{serial}.new", process::id()));
        let beside = path.with_file_name(name);
        match fs::File::create_new(&beside) {
            // Left by a process of the same number that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => {
                let created = created?;
                owner::as_its_folder(&beside, &created);
                return Ok((beside, created));
            }
        }
    }
}

/// Puts old texts back.
fn take_back(
    folder: &Path,
    note: Option<&Unfinished>,
    done: &[Staged<'_>],
    failed: &Path,
    error: io::Error,
) -> WriteError {
    let (Some(note), Some(first)) = (note, done.first()) else {
        return WriteError::File(failed.to_owned(), error);
    };
    let half = |written: &Path, error| WriteError::Half {
        written: written.to_owned(),
        failed: failed.to_owned(),
        error,
    };
    let Ok(back) = way_back(folder, note, done) else {
        return half(&first.path, error);
    };
    if let Some(step) = back.steps.iter().find(|step| step.take().is_err()) {
        return half(&step.file, error);
    }
    // Before the note goes. Where the disk does not take it, there is no better moment.
    let _ = sync_folders(done.iter().map(|file| file.path.as_path()));
    WriteError::File(failed.to_owned(), error)
}

/// Files that are to be as they were.
struct WayBack<'a> {
    steps: Vec<Step>,
    _old: Vec<Staged<'a>>,
}

/// Stages the old texts of these files, and has the note say that they are to be put back. Where that can't be, all stands as
/// it did.
fn way_back<'a>(folder: &Path, note: &Unfinished, done: &[Staged<'a>]) -> io::Result<WayBack<'a>> {
    let (mut steps, mut staged) = (Vec::new(), Vec::new());
    for file in done {
        let (beside, goes) = match file.old {
            Some(old) => {
                let mut none = MadeFolders::default();
                let old = stage(file.path.clone(), old, None, Owner::Kept, &mut none)?;
                let beside = old.beside.clone();
                staged.push(old);
                (beside, false)
            }
            None => {
                // It shows whoever finishes this that the file is the one that was made.
                fs::copy(&file.path, &file.beside)?;
                fs::File::open(&file.beside)?.sync_all()?;
                (file.beside.clone(), true)
            }
        };
        steps.push(Step {
            beside,
            file: file.path.clone(),
            goes,
        });
    }
    note.turn_back(folder, &steps)?;
    Ok(WayBack {
        steps,
        _old: staged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_files_are_replaced_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        // What can't be replaced by a file.
        fs::create_dir_all(folder.path().join("z/full")).unwrap();
        let file = |name, old, new| Replacement { name, old, new };
        let both = [file("a", Some("1"), "2"), file("b/c", None, "new")];
        replace_all(folder.path(), &both).unwrap();
        assert_eq!((read("a"), read("b/c")), ("2".to_owned(), "new".to_owned()));
        let stale = [file("b/c", Some("new"), "x"), file("a", Some("1"), "3")];
        let refused = replace_all(folder.path(), &stale);
        assert!(matches!(refused, Err(WriteError::Changed(_))));
        assert_eq!((read("a"), read("b/c")), ("2".to_owned(), "new".to_owned()));
        let impossible = [
            file("a", Some("2"), "3"),
            file("new/below", None, "3"),
            file("z", None, "3"),
        ];
        assert!(replace_all(folder.path(), &impossible).is_err());
        assert_eq!(read("a"), "2");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 3, "nothing is left behind");
    }

    #[test]
    fn what_was_replaced_gets_its_old_text_back_and_what_was_made_goes() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.toml"), "old").unwrap();
        let file = |name, old| Replacement {
            name,
            old,
            new: "new",
        };
        let files = [file("a.toml", Some("old")), file("b/c.toml", None)];
        let mut made = MadeFolders::default();
        let staged = stage_all(folder.path(), &files, &mut made).unwrap();
        let note = Unfinished::note(folder.path(), &staged).unwrap();
        for file in &staged {
            fs::rename(&file.beside, &file.path).unwrap();
        }
        let failed = folder.path().join("d.toml");
        let full = io::Error::other("full");
        let error = take_back(folder.path(), Some(&note), &staged, &failed, full);
        assert!(matches!(error, WriteError::File(..)), "{error}");
        note.end();
        drop(staged);
        drop(made);
        let text = fs::read_to_string(folder.path().join("a.toml")).unwrap();
        assert_eq!(text, "old");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1, "nothing is left behind");
    }

    #[test]
    fn of_edits_at_once_each_that_says_done_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "").unwrap();
        let edit = |word: usize| {
            let old = fs::read_to_string(&path).unwrap();
            let new = format!("{old}{word};");
            let file = Replacement {
                name: "a",
                old: Some(&old),
                new: &new,
            };
            replace_all(folder.path(), &[file]).is_ok()
        };
        let done: Vec<usize> = std::thread::scope(|scope| {
            let edit = &edit;
            let editors: Vec<_> = (0..8)
                .map(|editor| {
                    let words = (0..20).map(move |at| editor * 100 + at);
                    scope.spawn(move || words.filter(|word| edit(*word)).collect::<Vec<_>>())
                })
                .collect();
            editors
                .into_iter()
                .flat_map(|one| one.join().unwrap())
                .collect()
        });
        let text = fs::read_to_string(&path).unwrap();
        let mut kept: Vec<usize> = text
            .split_terminator(';')
            .map(|word| word.parse().unwrap())
            .collect();
        kept.sort_unstable();
        assert_eq!(kept, done);
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no lock lies there"
        );
    }

    #[test]
    fn a_link_out_of_the_house_is_not_written_through() {
        let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let victim = away.path().join("victim");
        fs::write(&victim, "1").unwrap();
        for name in ["devices.toml", "mapping.toml"] {
            std::os::unix::fs::symlink(&victim, folder.path().join(name)).unwrap();
        }
        std::os::unix::fs::symlink(away.path(), folder.path().join("tests")).unwrap();
        let write = |name, old| {
            replace_all(
                folder.path(),
                &[Replacement {
                    name,
                    old,
                    new: "2",
                }],
            )
        };
        let linked = write("devices.toml", Some("1"));
        assert!(matches!(linked, Err(WriteError::Outside(_))), "{linked:?}");
        let below = write("tests/a.test.toml", None);
        assert!(matches!(below, Err(WriteError::Outside(_))), "{below:?}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "1");
        assert_eq!(fs::read_dir(away.path()).unwrap().count(), 1);
        write("mapping.toml", Some("1")).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "2");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_rights_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("real"), "1").unwrap();
        fs::set_permissions(path("real"), fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(path("real"), path("link")).unwrap();
        let file = Replacement {
            name: "link",
            old: Some("1"),
            new: "2",
        };
        replace_all(folder.path(), &[file]).unwrap();
        assert!(fs::symlink_metadata(path("link")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(path("real")).unwrap(), "2");
        let mode = fs::metadata(path("real")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
