//! A name for what is whole: given in one step, and never one that something has.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};

/// Gives the file or folder `from` the name `to`.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] where something has it; what the file system says.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    rename_by(from, to, |from, to| {
        renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)
    })
}

/// `exclusive` renames where nothing has the name, or says that this file system can't.
fn rename_by(
    from: &Path,
    to: &Path,
    exclusive: impl Fn(&Path, &Path) -> Result<(), Errno>,
) -> io::Result<()> {
    match exclusive(from, to) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => rename_onto_own(from, to),
        done => Ok(done?),
    }
}

/// Takes the name with something empty of our own, which is then replaced: the disks of some other makes and of the network know
/// no rename that spares what is there.
fn rename_onto_own(from: &Path, to: &Path) -> io::Result<()> {
    let is_folder = from.symlink_metadata()?.is_dir();
    if is_folder {
        fs::create_dir(to)?;
    } else {
        File::create_new(to)?;
    }
    fs::rename(from, to).inspect_err(|_| {
        let _ = match is_folder {
            true => fs::remove_dir(to),
            false => fs::remove_file(to),
        };
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Rename = fn(&Path, &Path) -> io::Result<()>;

    /// As this disk does it, and as one without such a rename does.
    const WAYS: [Rename; 2] = [rename_new, |from, to| {
        rename_by(from, to, |_, _| Err(Errno::INVAL))
    }];

    #[test]
    fn a_file_or_folder_gets_a_name_that_is_free() {
        for rename in WAYS {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::write(path("file"), "whole").unwrap();
            fs::create_dir(path("folder")).unwrap();
            fs::write(path("folder/inside"), "whole").unwrap();
            rename(&path("file"), &path("new")).unwrap();
            rename(&path("folder"), &path("elsewhere")).unwrap();
            let read = |name: &str| fs::read_to_string(path(name)).unwrap();
            assert_eq!(
                (read("new"), read("elsewhere/inside")),
                ("whole".to_owned(), "whole".to_owned())
            );
            assert_eq!(folder.path().read_dir().unwrap().count(), 2);
        }
    }

    #[test]
    fn nothing_that_has_the_name_is_replaced() {
        for rename in WAYS {
            let folder = tempfile::tempdir().unwrap();
            let path = |name: &str| folder.path().join(name);
            fs::write(path("file"), "new").unwrap();
            fs::write(path("taken"), "old").unwrap();
            fs::create_dir(path("folder")).unwrap();
            fs::create_dir(path("empty")).unwrap();
            std::os::unix::fs::symlink("nowhere", path("link")).unwrap();
            for (from, to) in [
                ("file", "taken"),
                ("file", "empty"),
                ("file", "link"),
                ("folder", "empty"),
                ("folder", "taken"),
                ("folder", "link"),
            ] {
                let error = rename(&path(from), &path(to)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{from} {to}");
            }
            assert_eq!(fs::read_to_string(path("taken")).unwrap(), "old");
            assert!(path("file").exists() && path("folder").exists());
        }
    }

    #[test]
    fn a_rename_that_fails_leaves_no_name_behind() {
        for rename in WAYS {
            let folder = tempfile::tempdir().unwrap();
            let to = folder.path().join("to");
            assert!(rename(&folder.path().join("nothing"), &to).is_err());
            assert!(to.symlink_metadata().is_err());
            // A folder can't move into itself.
            let outer = folder.path().join("outer");
            fs::create_dir(&outer).unwrap();
            assert!(rename(&outer, &outer.join("inner")).is_err());
            assert_eq!(outer.read_dir().unwrap().count(), 0);
        }
    }
}
