//! Opening files that must be regular ones: what else stands in their place is refused before anybody waits for
//! it. A pipe without a writer would keep a start waiting for ever, a link would lead a write elsewhere.
//!
//! Called by whatever opens a file of the state folder by its name.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opening a pipe must not wait for its other end. The value is the same on every Linux that Rust has as a tier 1
/// or 2 host (asm-generic/fcntl.h), and another one on the BSDs.
const O_NONBLOCK: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    0o4000
} else {
    0x0004
};

/// Opens a regular file for reading.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(path, OpenOptions::new().read(true))
}

/// Opens a regular file as `options` say, or makes one.
pub(crate) fn open_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    // Before it is opened: a write through a link can't be taken back, and opening some devices does something.
    match path.symlink_metadata() {
        Ok(found) => expect_file(&found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let file = options.custom_flags(O_NONBLOCK).open(path)?;
    // Something else may have taken its place since.
    expect_file(&file.metadata()?)?;
    Ok(file)
}

fn expect_file(found: &std::fs::Metadata) -> io::Result<()> {
    let kind = found.file_type();
    let what = match () {
        () if kind.is_file() => return Ok(()),
        () if kind.is_symlink() => "a link",
        () if kind.is_dir() => "a folder",
        () if kind.is_fifo() => "a named pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let why = format!("it is no file, but {what}; move it away");
    Err(io::Error::other(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_regular_files_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        fs::create_dir(path("folder")).unwrap();
        std::os::unix::fs::symlink(path("file"), path("link")).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(pipe.unwrap().success());
        assert!(open(&path("file")).is_ok());
        for (name, what) in [
            ("folder", "a folder"),
            ("link", "a link"),
            ("pipe", "a named pipe"),
        ] {
            let mut options = OpenOptions::new();
            for refused in [
                open(&path(name)),
                open_with(&path(name), options.write(true).create(true).truncate(true)),
            ] {
                let why = refused.unwrap_err().to_string();
                assert!(why.contains(what), "{name}: {why}");
            }
        }
        assert_eq!(fs::read(path("file")).unwrap(), b"text");
        assert!(open_with(&path("new"), OpenOptions::new().write(true).create(true)).is_ok());
    }
}
