//! One writer of a house at a time, also among processes.
//!
//! The lock is the kernel's, on the folder itself: nothing lies about, a watcher sees no change, and it ends with the process that
//! holds it.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::WriteError;

/// Writing a house takes some hundredths of a second; a slow card and some edits before this one are waited for.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Between two attempts: the kernel's waiting lock has no bound.
const ATTEMPTS_EVERY: Duration = Duration::from_millis(5);

/// While it lives, no other edit of the house is written.
#[derive(Debug)]
pub struct Alone {
    _folder: Option<File>,
}

/// Waits until nobody else writes the house in `folder`. Who reads a text, changes it and writes it back holds this over all three.
///
/// # Errors
/// Others write it for longer than ten seconds, or the folder can't be opened.
pub fn alone(folder: &Path) -> Result<Alone, WriteError> {
    within(folder, WAIT_MAX)
}

fn within(folder: &Path, wait_max: Duration) -> Result<Alone, WriteError> {
    let file = File::open(folder).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => WriteError::Gone(folder.to_owned()),
        _ => WriteError::File(folder.to_owned(), error),
    })?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => {
                return Ok(Alone {
                    _folder: Some(file),
                });
            }
            Err(TryLockError::WouldBlock) if begun.elapsed() < wait_max => {
                thread::sleep(ATTEMPTS_EVERY);
            }
            Err(TryLockError::WouldBlock) => return Err(WriteError::Busy(folder.to_owned())),
            // A file system without locks: texts are compared all the same.
            Err(TryLockError::Error(_)) => return Ok(Alone { _folder: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_writer_waits_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let first = alone(folder.path()).unwrap();
        let second = within(folder.path(), Duration::from_millis(20));
        assert!(matches!(second, Err(WriteError::Busy(_))), "{second:?}");
        drop(first);
        within(folder.path(), Duration::ZERO).unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }
}
