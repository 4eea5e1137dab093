//! Everything below a folder, as it stands on the disk: what tests compare before and after. Knows nothing of archives.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

/// Each path, relative to the folder, with what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tree(pub(super) BTreeMap<PathBuf, Thing>);

/// A file, folder, link or something else, its mode, and what it holds or leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: &'static str,
    pub(super) mode: u32,
    pub(super) holds: Vec<u8>,
}

impl Tree {
    pub(super) fn of(folder: &Path) -> Self {
        let mut tree = Self(BTreeMap::new());
        tree.add(folder, Path::new(""));
        tree
    }

    fn add(&mut self, root: &Path, inside: &Path) {
        let path = root.join(inside);
        let metadata = path.symlink_metadata().unwrap();
        let kind = metadata.file_type();
        let (kind, holds) = if kind.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            ("link", target.into_os_string().into_encoded_bytes())
        } else if kind.is_dir() {
            for entry in fs::read_dir(&path).unwrap() {
                self.add(root, &inside.join(entry.unwrap().file_name()));
            }
            ("folder", Vec::new())
        } else if kind.is_file() {
            ("file", fs::read(&path).unwrap())
        } else if kind.is_fifo() {
            ("pipe", Vec::new())
        } else {
            ("device", Vec::new())
        };
        let mode = metadata.mode() & 0o7777;
        self.0
            .insert(inside.to_owned(), Thing { kind, mode, holds });
    }

    /// All but what is below `part`.
    pub(super) fn without(mut self, part: &str) -> Self {
        self.0.retain(|path, _| !path.starts_with(part));
        self
    }

    /// What every file holds, in no place.
    pub(super) fn texts(&self) -> Vec<Vec<u8>> {
        let files = self.0.values().filter(|thing| thing.kind == "file");
        let mut texts: Vec<_> = files.map(|file| file.holds.clone()).collect();
        texts.sort();
        texts
    }
}
