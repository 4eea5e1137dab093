//! Folders on the way: what is being made stands beside its place until it is whole, and goes away where it never is.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, chown},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

/// A folder that only its owner can read, and that goes when this is dropped.
pub(super) struct Staging(PathBuf);

impl Staging {
    /// Beside `place`, on the same disk.
    pub(super) fn beside(place: &Path) -> Result<Self> {
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let path = parent.join(format!(".{name}.{}", std::process::id()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What can't be removed now is a leftover that its name tells of.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Moves a whole folder to its place; what stood there is kept beside it. Gives where that is now.
pub(super) fn put(whole: &Path, place: &Path) -> Result<Option<PathBuf>> {
    let before = place.exists().then(|| aside(place));
    let owner = place
        .metadata()
        .ok()
        .map(|found| (found.uid(), found.gid()));
    if let Some((user, group)) = owner {
        give(whole, user, group)
            .with_context(|| format!("giving {} its owner", whole.display()))?;
    }
    if let Some(before) = &before {
        fs::rename(place, before).with_context(|| format!("moving {} away", place.display()))?;
    }
    if let Err(error) = fs::rename(whole, place) {
        if let Some(before) = &before {
            // As it was.
            let _ = fs::rename(before, place);
        }
        return Err(error).with_context(|| format!("putting {} in its place", place.display()));
    }
    if let Some(parent) = place
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(before)
}

/// A name beside `place` that nothing has.
fn aside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let mut names = (1_u32..).map(|n| place.with_file_name(format!("{name}.before-restore-{n}")));
    names
        .find(|path| path.symlink_metadata().is_err())
        .unwrap_or_else(|| place.with_file_name("before-restore"))
}

/// Gives everything below to another owner, where that is another one.
fn give(path: &Path, user: u32, group: u32) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if (metadata.uid(), metadata.gid()) != (user, group) {
        chown(path, Some(user), Some(group))?;
    }
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), user, group)?;
        }
    }
    Ok(())
}
