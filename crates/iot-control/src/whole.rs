//! Small files of the state folder that are replaced as a whole: whoever reads finds the old or the new one.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

/// Writes `text` into the place of `path`.
///
/// # Errors
/// The file can't be written.
pub(crate) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let new = path.with_extension("new");
    // What a killed start left; never through a link.
    let _ = std::fs::remove_file(&new);
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?
        .write_all(text.as_bytes())?;
    std::fs::rename(&new, path)
}
