//! Whose files they are: a house that is edited with sudo stays its dispatcher's to read.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
};

/// What becomes of a file's owner and group where this process can't keep them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The file is not written.
    Kept,
    /// It is written as this process's: a block must not wait for it.
    KeptWhereAllowed,
}

/// Gives `new` the owner and group of the file that it replaces.
pub(super) fn keep(new: &File, old: &Metadata, owner: Owner) -> io::Result<()> {
    let ours = new.metadata()?;
    let Some((user, group)) = given_as(ids(&ours), ids(old)) else {
        return Ok(());
    };
    match fchown(new, Some(user), Some(group)) {
        Err(error) if owner == Owner::Kept && error.kind() == io::ErrorKind::PermissionDenied => {
            Err(io::Error::new(error.kind(), someone_elses(&ours, old)))
        }
        Err(error) if owner == Owner::Kept => Err(error),
        _ => Ok(()),
    }
}

fn someone_elses(ours: &Metadata, old: &Metadata) -> String {
    if ours.uid() == old.uid() {
        return format!(
            "it belongs to group {}, which you are not in, and written by you it would not any more; run this with sudo",
            old.gid()
        );
    }
    format!(
        "it belongs to user {}, and written by you it would be yours; run this with sudo, or as that user: sudo -u '#{}' iot-control ..",
        old.uid(),
        old.uid()
    )
}

/// What root puts into a folder belongs to whoever the folder belongs to.
pub(super) fn as_its_folder(path: &Path, new: &File) {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = fs::metadata(folder.unwrap_or(Path::new(".")));
    if let (Ok(folder), Ok(ours)) = (folder, new.metadata())
        && let Some((user, group)) = added_as(ids(&ours), ids(&folder))
    {
        // Root may, unless the file system has no owners.
        let _ = fchown(new, Some(user), Some(group));
    }
}

/// User and group.
type Ids = (u32, u32);

fn ids(file: &Metadata) -> Ids {
    (file.uid(), file.gid())
}

/// To whom a new file of `ours` is given in the place of one of `old`; `None`: it is theirs.
fn given_as(ours: Ids, old: Ids) -> Option<Ids> {
    (ours != old).then_some(old)
}

/// To whom a new file of `ours` is given in a folder of `folder`, where nothing was in its place; `None`: it stays ours.
fn added_as(ours: Ids, folder: Ids) -> Option<Ids> {
    let (is_root, is_roots) = (ours.0 == 0, folder.0 == 0);
    (is_root && !is_roots).then_some(folder)
}

/// Folders that were made for files; those in which nothing stands go with it, unless they are to stay.
#[derive(Debug, Default)]
pub(crate) struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    /// Makes a folder and those above it, each its parent's owner's where root makes it.
    ///
    /// # Errors
    /// One of them can't be made.
    pub(crate) fn make(&mut self, folder: &Path) -> io::Result<()> {
        if folder.as_os_str().is_empty() || folder.is_dir() {
            return Ok(());
        }
        if let Some(parent) = folder.parent() {
            self.make(parent)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            Err(error) => Err(error),
            Ok(()) => {
                self.0.push(folder.to_owned());
                as_its_folder(folder, &File::open(folder)?);
                Ok(())
            }
        }
    }

    /// What they were made for is in them.
    pub(crate) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // What somebody else put there meanwhile keeps it.
            let _ = fs::remove_dir(folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::chown;

    use super::{
        super::{Replacement, replace_all},
        *,
    };

    /// Somebody who is neither root nor whoever runs the tests.
    const SOMEBODY: u32 = 54_321;

    #[test]
    fn what_is_edited_stays_its_owner_s_and_what_root_adds_is_the_folder_s() {
        let (root, anna, house) = ((0, 0), (1_000, 1_000), (999, 998));
        assert_eq!(given_as(root, house), Some(house));
        assert_eq!(given_as(anna, house), Some(house));
        assert_eq!(given_as((999, 1_000), house), Some(house), "another group");
        assert_eq!(given_as(anna, root), Some(root));
        assert_eq!(given_as(house, house), None);
        assert_eq!(added_as(root, house), Some(house));
        assert_eq!(added_as(root, (0, 998)), None);
        assert_eq!(added_as(anna, house), None);
    }

    #[test]
    fn files_of_root_s_edits_are_given_away() {
        let house = tempfile::tempdir().unwrap();
        let path = |name: &str| house.path().join(name);
        fs::write(path("mapping.toml"), "1").unwrap();
        let given = chown(path("mapping.toml"), Some(SOMEBODY), Some(SOMEBODY + 1));
        if given.is_err() {
            return println!("skipped: only root gives files away");
        }
        chown(house.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        let file = |name, old| Replacement {
            name,
            old,
            new: "2",
        };
        let files = [
            file("mapping.toml", Some("1")),
            file("tests/a.test.toml", None),
        ];
        replace_all(house.path(), &files).unwrap();
        let owner = |name: &str| {
            let meta = fs::metadata(path(name)).unwrap();
            (meta.uid(), meta.gid())
        };
        assert_eq!(owner("mapping.toml"), (SOMEBODY, SOMEBODY + 1));
        assert_eq!(owner("tests/a.test.toml"), (SOMEBODY, SOMEBODY));
        assert_eq!(owner("tests"), (SOMEBODY, SOMEBODY));
    }

    #[test]
    fn a_file_that_can_t_stay_its_owner_s_is_refused_with_what_to_type() {
        let folder = tempfile::tempdir().unwrap();
        let ours = fs::metadata(folder.path()).unwrap();
        let roots = fs::metadata("/proc/1").unwrap();
        let said = someone_elses(&ours, &roots);
        assert!(said.contains("sudo"), "{said}");
    }
}
