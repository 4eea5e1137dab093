//! An imported house into a folder: nothing is overwritten without being asked.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use mapping::{Loaded, Severity, analyze};

use super::Imported;
use crate::files::{self, MadeFolders, Replacement, WriteError};

/// Why an imported house was not written.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// These files are there already.
    Exists(Vec<PathBuf>),
    /// With what else lies in the folder the house would not check; holds the messages.
    DoesNotFit(String),
    /// A file that would be replaced can't be read.
    Unreadable(PathBuf, io::Error),
    /// The files can't be written.
    Write(WriteError),
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists(paths) => {
                f.write_str("there is a house already:")?;
                for path in paths {
                    write!(f, " {}", path.display())?;
                }
                f.write_str("; say --force to replace it")
            }
            Self::DoesNotFit(messages) => write!(
                f,
                "other files of that folder don't fit the new house, move them away:\n{messages}"
            ),
            Self::Unreadable(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Write(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ImportError {}

impl Imported {
    /// Writes the house into a folder, which is made where it is missing. With `replace`, files of these names
    /// are replaced. Out comes the house as it is there now, with the tests that lay in the folder already.
    ///
    /// # Errors
    /// A house is there already and must not be replaced, or the files can't be written; then nothing was.
    pub fn write(&self, folder: &Path, replace: bool) -> Result<Loaded, ImportError> {
        let mut old = Vec::new();
        let mut in_the_way = Vec::new();
        for name in self.files.keys() {
            let path = folder.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => {
                    in_the_way.push(path);
                    old.push(Some(text));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => old.push(None),
                Err(error) => return Err(ImportError::Unreadable(path, error)),
            }
        }
        if !replace && !in_the_way.is_empty() {
            return Err(ImportError::Exists(in_the_way));
        }
        // Tests that lie there already belong to the house from now on.
        let together = analyze(Some(folder), &self.files).loaded;
        if together.has_errors() {
            let mut errors = together.diagnostics;
            errors.retain(|found| found.severity == Severity::Error);
            let messages = mapping::render(&together.sources, &errors, false);
            return Err(ImportError::DoesNotFit(messages));
        }
        let files: Vec<Replacement<'_>> = self
            .files
            .iter()
            .zip(&old)
            .map(|((name, text), old)| Replacement {
                name,
                old: old.as_deref(),
                new: text,
            })
            .collect();
        let mut made = MadeFolders::default();
        made.make(folder)
            .map_err(|error| ImportError::Write(WriteError::File(folder.to_owned(), error)))?;
        let written = files::replace_all(folder, &files);
        // Files whose names the disk may lose are there all the same.
        if matches!(written, Ok(()) | Err(WriteError::Unsynced(..))) {
            made.keep();
        }
        written.map_err(ImportError::Write)?;
        Ok(together)
    }
}
