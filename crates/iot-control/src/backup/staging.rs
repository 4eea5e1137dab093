//! Folders on the way: what is being made stands on the disk of its place until it is whole, and goes away where it never is.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::create_private;

/// How the names of such folders begin; the process and a number of it follow.
const PREFIX: &str = ".iot-control-unfinished-";

/// The file in it that is locked while somebody works on it.
const LOCK: &str = "lock";

/// A folder that only its owner can read, and that goes when this is dropped.
pub(super) struct Staging {
    path: PathBuf,
    _lock: File,
}

impl Staging {
    /// In `folder`; what processes that were killed left there goes first.
    pub(super) fn within(folder: &Path) -> Result<Self> {
        sweep(folder);
        for number in 0_u32.. {
            let path = folder.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => made.with_context(|| format!("making {}", path.display()))?,
            }
            let lock = match create_private(&path.join(LOCK)) {
                // Somebody swept it away before it had its lock.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock.inspect_err(|_| drop(fs::remove_dir(&path))),
            };
            let lock = lock.with_context(|| format!("writing into {}", path.display()))?;
            // A disk without locks leaves it to people to tidy up.
            let _ = lock.try_lock();
            return Ok(Self { path, _lock: lock });
        }
        bail!("{} is full of {PREFIX}*", folder.display())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed now is a leftover that its name tells of.
        let _ = remove(&self.path);
    }
}

/// Whether something of this name is such a folder.
pub(super) fn is_staging(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(PREFIX.as_bytes())
}

/// Removes what is left of processes that are gone: copies of a house's secrets. Nothing that was there before a restore is ever
/// moved into such a folder.
fn sweep(folder: &Path) {
    let me = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        // Of the entry itself: links are not followed, and what others put there is theirs.
        let is_ours = path
            .symlink_metadata()
            .is_ok_and(|it| it.is_dir() && it.uid() == me);
        if !is_staging(&entry.file_name()) || !is_ours {
            continue;
        }
        let lock = File::options().write(true).open(path.join(LOCK));
        let _ = match lock {
            Ok(lock) if lock.try_lock().is_ok() => remove(&path),
            // Killed before it had its lock, or behind its end; it holds nothing, or it is not ours to take.
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::remove_dir(&path),
            _ => Ok(()),
        };
    }
}

/// Removes such a folder, its lock last: killed in between, it can be swept away.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != LOCK {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_under_way_stays() {
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!("{PREFIX}1-0"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(LOCK), "").unwrap();
        fs::write(left.join("secret"), "").unwrap();
        fs::create_dir(folder.path().join(format!("{PREFIX}2-0"))).unwrap();
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        fs::write(other.join(LOCK), "").unwrap();
        let first = Staging::within(folder.path()).unwrap();
        let second = Staging::within(folder.path()).unwrap();
        assert!(!left.exists() && other.exists());
        assert!(first.path("lock").exists() && second.path("lock").exists());
        drop((first, second));
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_link_in_the_place_of_a_leftover_is_not_followed() {
        let (folder, away) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(away.path().join(LOCK), "").unwrap();
        let link = folder.path().join(format!("{PREFIX}1-0"));
        std::os::unix::fs::symlink(away.path(), &link).unwrap();
        drop(Staging::within(folder.path()).unwrap());
        assert!(away.path().join(LOCK).exists() && link.is_symlink());
    }
}
