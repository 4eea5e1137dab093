//! Reading one text file of a house from disk, whatever lies at its path: pipes, devices, giants and bytes that
//! are no text are refused in bounded time and memory.
//!
//! Called by the reader of a house's files, and by the binary for blocklist.toml and settings.toml. Must not
//! know what the files say.

use std::{
    fmt,
    fs::{FileType, Metadata, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Opening a pipe must not wait for somebody who writes into it. The value is the same on every Linux that Rust
/// has as a tier 1 or 2 host (asm-generic/fcntl.h), and another one on the BSDs.
const O_NONBLOCK: i32 = if cfg!(any(target_os = "linux", target_os = "android")) {
    0o4000
} else {
    0x0004
};

/// What tells two states of a path apart without reading it. A path that leads through links is judged by
/// the file at its end, so that a link that leads elsewhere is another state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Also moves where a tool sets the time of modification back.
    changed: (i64, i64),
}

impl Stamp {
    /// The state of what lies at `path`; `None`: nothing does.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().as_ref().map(Self::new)
    }

    /// Whether there is not a byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn new(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            bytes: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Why a file could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unreadable {
    /// There is none.
    Missing,
    /// A link that leads to nothing.
    Dangling,
    /// Something else than a file lies there, e.g. `a folder`.
    NotAFile(&'static str),
    /// It is larger than so many bytes.
    TooLarge(u64),
    /// It is no text: the byte at this offset is none of UTF-8.
    NotUtf8(usize),
    /// It is no text: the byte at this offset is 0.
    Binary(usize),
    /// The system refuses.
    Refused(io::Error),
}

impl fmt::Display for Unreadable {
    /// Goes on after the name of the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("is not there"),
            Self::Dangling => f.write_str("is a link that leads to nothing"),
            Self::NotAFile(what) => write!(f, "is {what}, not a file"),
            Self::TooLarge(max) => write!(f, "is larger than {}", Bytes(*max)),
            Self::NotUtf8(at) => write!(f, "is not UTF-8, at byte {at}"),
            Self::Binary(at) => write!(f, "is no text: byte {at} is zero"),
            Self::Refused(why) => write!(f, "can't be read: {why}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// A number of bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes >= 1_000_000 && bytes % 1_000_000 == 0 => {
                write!(f, "{} MB", bytes / 1_000_000)
            }
            bytes if bytes >= 1_000 && bytes % 1_000 == 0 => write!(f, "{} kB", bytes / 1_000),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// The text of the file at `path`, of at most `bytes_max` bytes. Memory is bounded by that whatever the file
/// turns into while it is read.
///
/// # Errors
/// Why it can't be read.
pub fn text(path: &Path, bytes_max: u64) -> Result<String, Unreadable> {
    let meta = std::fs::metadata(path).map_err(|problem| refused(path, problem))?;
    // Before it is opened: opening some devices does something.
    expect_file(meta.file_type())?;
    if meta.len() > bytes_max {
        return Err(Unreadable::TooLarge(bytes_max));
    }
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NONBLOCK)
        .open(path)
        .map_err(|problem| refused(path, problem))?;
    // Something else may have taken its place since.
    expect_file(file.metadata().map_err(Unreadable::Refused)?.file_type())?;
    let mut bytes = Vec::with_capacity(meta.len().min(bytes_max) as usize + 1);
    file.take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(Unreadable::Refused)?;
    if bytes.len() as u64 > bytes_max {
        return Err(Unreadable::TooLarge(bytes_max));
    }
    let text = String::from_utf8(bytes)
        .map_err(|problem| Unreadable::NotUtf8(problem.utf8_error().valid_up_to()))?;
    expect_text(&text)?;
    Ok(text)
}

/// As [`text`]; where no file is, an empty text.
///
/// # Errors
/// Why it can't be read.
pub fn text_or_empty(path: &Path, bytes_max: u64) -> Result<String, Unreadable> {
    match text(path, bytes_max) {
        Err(Unreadable::Missing) => Ok(String::new()),
        other => other,
    }
}

/// Whether this is text at all.
pub(crate) fn expect_text(text: &str) -> Result<(), Unreadable> {
    match text.bytes().position(|byte| byte == 0) {
        Some(at) => Err(Unreadable::Binary(at)),
        None => Ok(()),
    }
}

fn refused(path: &Path, problem: io::Error) -> Unreadable {
    if problem.kind() != io::ErrorKind::NotFound {
        return Unreadable::Refused(problem);
    }
    match path.symlink_metadata() {
        Ok(_) => Unreadable::Dangling,
        Err(_) => Unreadable::Missing,
    }
}

fn expect_file(kind: FileType) -> Result<(), Unreadable> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a named pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Unreadable::NotAFile(what))
}

#[cfg(test)]
mod tests {
    use std::{os::unix::net::UnixListener, process::Command};

    use super::*;

    fn said(path: &Path) -> String {
        text(path, 1_000).expect_err("it is no file").to_string()
    }

    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let pipe = folder.path().join("pipe");
        let made = Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo is everywhere").success());
        assert_eq!(said(&pipe), "is a named pipe, not a file");
        assert_eq!(said(folder.path()), "is a folder, not a file");
        assert_eq!(said(Path::new("/dev/zero")), "is a device, not a file");
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket for the test");
        assert_eq!(said(&socket), "is a socket, not a file");
    }

    #[test]
    fn a_link_to_nothing_is_no_missing_file() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).expect("a link for the test");
        assert_eq!(said(&link), "is a link that leads to nothing");
        assert_eq!(said(&folder.path().join("none")), "is not there");
        assert_eq!(
            text_or_empty(&folder.path().join("none"), 9).expect("it is empty"),
            ""
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_place() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let file = folder.path().join("file");
        for (bytes, expected) in [
            (&b"ab\xff"[..], "is not UTF-8, at byte 2"),
            (b"a\0b", "is no text: byte 1 is zero"),
            (&[b' '; 1_001], "is larger than 1 kB"),
        ] {
            std::fs::write(&file, bytes).expect("a file for the test");
            assert_eq!(said(&file), expected);
        }
        std::fs::write(&file, [b' '; 1_000]).expect("a file for the test");
        assert_eq!(
            text(&file, 1_000).expect("as large as it may be").len(),
            1_000
        );
    }

    #[test]
    fn a_file_whose_size_is_not_told_is_bounded_all_the_same() {
        // The kernel's own files say that they have no bytes.
        let path = Path::new("/proc/kallsyms");
        if path.exists() {
            assert_eq!(said(path), "is larger than 1 kB");
        }
    }

    #[test]
    fn a_stamp_follows_links_and_contents() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = |name: &str| folder.path().join(name);
        for name in ["one", "two"] {
            std::fs::create_dir(path(name)).expect("a folder for the test");
            std::fs::write(path(name).join("file"), "same").expect("a file for the test");
        }
        let link = |to: &str| {
            std::os::unix::fs::symlink(to, path("new")).expect("a link for the test");
            std::fs::rename(path("new"), path("data")).expect("it can be renamed");
        };
        link("one");
        let before = Stamp::of(&path("data").join("file"));
        assert!(before.is_some());
        assert_eq!(before, Stamp::of(&path("data").join("file")));
        link("two");
        assert_ne!(before, Stamp::of(&path("data").join("file")));
        assert_eq!(Stamp::of(&path("nothing")), None);
    }
}
