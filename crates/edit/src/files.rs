//! Files onto the disk: all or none, as far as a file system can do that.
//!
//! Each new text is written beside its file and synced; only then the files are replaced, one after the
//! other. Where one can't be, those before it get their old text back.

use std::{
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

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
    /// A file can't be written; nothing was changed.
    File(PathBuf, io::Error),
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
            Self::File(path, error) => {
                write!(f, "{}: {error}; nothing was changed", path.display())
            }
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

impl std::error::Error for WriteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(_, error) | Self::Half { error, .. } => Some(error),
            Self::Changed(_) => None,
        }
    }
}

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

/// Replaces the files, or none of them.
pub(crate) fn replace_all(folder: &Path, files: &[Replacement<'_>]) -> Result<(), WriteError> {
    let mut staged = Vec::with_capacity(files.len());
    for file in files {
        let path = folder.join(file.name);
        staged.push(stage(path.clone(), file).map_err(|error| WriteError::File(path, error))?);
    }
    for file in &staged {
        let now =
            text_of(&file.path).map_err(|error| WriteError::File(file.path.clone(), error))?;
        if now.as_deref() != file.old {
            return Err(WriteError::Changed(file.path.clone()));
        }
    }
    for (done, file) in staged.iter().enumerate() {
        if let Err(error) = fs::rename(&file.beside, &file.path) {
            return Err(take_back(&staged[..done], &file.path, error));
        }
    }
    let mut folders: Vec<&Path> = staged
        .iter()
        .filter_map(|file| file.path.parent())
        .collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        // The texts themselves are on the disk; without this a power cut may bring an old one back.
        fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| WriteError::File(folder.to_owned(), error))?;
    }
    Ok(())
}

/// What stands in a file; `None`: it is not there.
fn text_of(path: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn stage<'a>(path: PathBuf, file: &Replacement<'a>) -> io::Result<Staged<'a>> {
    // A link stays a link: what it leads to is replaced.
    let path = match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path,
        other => other?,
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let beside = path.with_file_name(name);
    let staged = Staged {
        path,
        beside,
        old: file.old,
    };
    let mut new = fs::File::create(&staged.beside)?;
    if let Ok(meta) = fs::metadata(&staged.path) {
        new.set_permissions(meta.permissions())?;
    }
    new.write_all(file.new.as_bytes())?;
    new.sync_all()?;
    Ok(staged)
}

/// Puts old texts back.
fn take_back(done: &[Staged<'_>], failed: &Path, error: io::Error) -> WriteError {
    for file in done.iter().rev() {
        let back = match file.old {
            Some(old) => fs::write(&file.path, old),
            None => fs::remove_file(&file.path),
        };
        if back.is_err() {
            return WriteError::Half {
                written: file.path.clone(),
                failed: failed.to_owned(),
                error,
            };
        }
    }
    WriteError::File(failed.to_owned(), error)
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
        let impossible = [file("a", Some("2"), "3"), file("z", None, "3")];
        assert!(replace_all(folder.path(), &impossible).is_err());
        assert_eq!(read("a"), "2");
        let names = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 3, "nothing is left behind");
    }

    #[test]
    fn what_was_replaced_gets_its_old_text_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "new").unwrap();
        let staged = Staged {
            path: path.clone(),
            beside: folder.path().join(".a.new"),
            old: Some("old"),
        };
        let failed = folder.path().join("b");
        let error = take_back(&[staged], &failed, io::Error::other("full"));
        assert!(matches!(error, WriteError::File(..)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
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
