//! Files in a house's folder that look like a part of it and that nobody reads: a rule in one of them never fires, and nothing
//! else says so.

use std::{collections::BTreeSet, fs, path::Path};

use mapping::Loaded;

use crate::settings;

/// Entries of folders that are looked at; who gives `/` by mistake has not to wait.
const ENTRIES_MAX: usize = 2_000;

/// Folders in folders that are looked into.
const DEPTH_MAX: usize = 4;

/// Names that are told.
const TOLD_MAX: usize = 20;

/// Endings of names that were meant to be `.toml`.
const SLIPS: &[&str] = &[".tml", ".tom", ".tolm", ".otml", ".tomll", ".toml.txt"];

/// What is said of a file that is there and can't be read: nobody knows what it would include.
const UNREADABLE: &[&str] = &[
    "file-too-large",
    "house-too-large",
    "include-too-deep",
    "key-too-deep",
    "not-a-file",
    "not-a-text",
    "not-utf8",
    "outside-folder",
    "unreadable-file",
];

/// The files, by their names relative to `house`, that are not among those that were read; none where that can't be known.
pub(super) fn files(house: &Path, loaded: &Loaded) -> Vec<String> {
    let mut told = loaded.diagnostics.iter();
    if told.any(|told| UNREADABLE.contains(&told.code)) || !house.join("mapping.toml").exists() {
        return Vec::new();
    }
    let read = loaded.sources.iter();
    let mut found = Search {
        read: read.map(|(_, file)| &*file.name).collect(),
        left: ENTRIES_MAX,
        found: Vec::new(),
    };
    found.look(house, "", DEPTH_MAX);
    found.found.sort();
    found.found
}

/// What people are told; `None`: every file is read.
pub(super) fn note(unread: &[String]) -> Option<String> {
    if unread.is_empty() {
        return None;
    }
    let told = unread.len().min(TOLD_MAX);
    let more = match unread.len() - told {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "note: nobody reads {}{more}: mapping.toml and what it includes are read, and tests in *.test.toml and tests/*.test.toml",
        unread[..told].join(", ")
    ))
}

struct Search<'a> {
    read: BTreeSet<&'a str>,
    left: usize,
    found: Vec<String>,
}

impl Search<'_> {
    /// Looks into a folder whose name in the house ends with a slash, or is empty.
    fn look(&mut self, folder: &Path, name: &str, depth: usize) {
        // What can't be listed has been told where it was to be read.
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        for entry in entries {
            let Some(left) = self.left.checked_sub(1) else {
                return;
            };
            self.left = left;
            let file_name = entry.file_name();
            let Some(last) = file_name.to_str().filter(|last| !last.starts_with('.')) else {
                continue;
            };
            let path = format!("{name}{last}");
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && depth > 0 && !entry.path().join("mapping.toml").exists() {
                self.look(&entry.path(), &format!("{path}/"), depth - 1);
            } else if !is_folder && is_meant(last) && !self.is_known(&path) {
                self.found.push(path);
            }
        }
    }

    fn is_known(&self, path: &str) -> bool {
        let others = [settings::FILE, mapping::blocklist::FILE];
        self.read.contains(path) || others.contains(&path)
    }
}

/// Whether somebody meant this to be a file of a house.
fn is_meant(name: &str) -> bool {
    let name = name.to_lowercase();
    name.ends_with(".toml") || SLIPS.iter().any(|slip| name.ends_with(slip))
}
