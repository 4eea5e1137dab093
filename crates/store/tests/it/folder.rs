//! The state folder: who may read it, and who holds it.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use store::{FolderError, OpenError, Options, StateFolder, Store};

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_folder_and_all_in_it_is_its_owners_only() {
    let house = tempfile::tempdir().unwrap();
    let root = house.path().join("var/state");
    let (_store, _) = Store::open(&root, Options::default()).unwrap();
    let folder = StateFolder::new(&root);
    assert_eq!(mode(folder.root()), 0o700);
    assert_eq!(mode(&folder.journal()), 0o700);
    assert_eq!(mode(&folder.lock_file()), 0o600);
    for entry in std::fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path) & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn a_folder_that_is_in_use_is_refused_with_the_holders_process() {
    let house = tempfile::tempdir().unwrap();
    let first = Store::open(house.path(), Options::default()).unwrap();
    let error = Store::open(house.path(), Options::default()).unwrap_err();
    let text = error.to_string();
    let holder = format!("(process {})", std::process::id());
    assert!(text.starts_with("another dispatcher uses"), "{text}");
    assert!(text.contains(&holder), "{text}");
    drop(first);
    Store::open(house.path(), Options::default()).unwrap();
}

#[test]
fn secrets_that_others_may_read_are_refused_with_the_command_that_mends_it() {
    let house = tempfile::tempdir().unwrap();
    drop(Store::open(house.path(), Options::default()).unwrap());
    let folder = StateFolder::new(house.path());
    for (path, wide, narrow) in [
        (folder.database(), 0o644, 0o600),
        (folder.journal(), 0o750, 0o700),
        (house.path().to_owned(), 0o770, 0o700),
    ] {
        set_permissions(&path, Permissions::from_mode(wide)).unwrap();
        let error = Store::open(house.path(), Options::default()).unwrap_err();
        assert!(matches!(
            error,
            OpenError::Folder(FolderError::Permissions { .. })
        ));
        let mend = format!("run: chmod {narrow:o} {}", path.display());
        assert!(error.to_string().ends_with(&mend), "{error}");
        set_permissions(&path, Permissions::from_mode(narrow)).unwrap();
    }
    Store::open(house.path(), Options::default()).unwrap();
}

#[test]
fn what_the_operating_system_refuses_is_said_with_what_to_do() {
    use std::io::ErrorKind;
    for (kind, mend) in [
        (ErrorKind::PermissionDenied, "must own it: run chown"),
        (ErrorKind::ReadOnlyFilesystem, "mount it again"),
        (ErrorKind::StorageFull, "make room"),
        (ErrorKind::NotADirectory, "move it away"),
    ] {
        let error = FolderError::Io {
            path: "/var/lib/iot-control".into(),
            source: kind.into(),
        };
        let text = error.to_string();
        assert!(text.contains("/var/lib/iot-control"), "{text}");
        assert!(text.contains(mend), "{text}");
    }
}
