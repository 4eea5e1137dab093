//! What a house was read from, for whoever wants to know when to read it again.
//!
//! Made by [`super::read`], asked by the binary's watcher. Holds no text, only where to look.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::glob::{self, Listing};
use crate::disk::Stamp;

/// Everything on disk that a house's meaning hangs on, as it was before it was read: each file, also one that
/// was not there, and what each pattern stood for. Two of these are equal where nothing has changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    folder: PathBuf,
    files: BTreeMap<String, Option<Stamp>>,
    patterns: BTreeMap<String, Listing>,
}

impl Reads {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            ..Self::default()
        }
    }

    /// Notes a file; to be called before it is read, so that a change while it is read shows later.
    pub(super) fn file(&mut self, name: &str) {
        let stamp = Stamp::of(&self.folder.join(name));
        self.files.insert(name.to_owned(), stamp);
    }

    /// What a pattern stands for; looked up on disk once.
    pub(super) fn pattern(&mut self, pattern: &str, left: &mut usize) -> &Listing {
        let folder = &self.folder;
        let listing = self.patterns.entry(pattern.to_owned());
        listing.or_insert_with(|| glob::on_disk(folder, pattern, left))
    }

    /// Whether a file holds nothing that held something `before`: an editor or a copy that writes in place
    /// begins so.
    #[must_use]
    pub fn emptied_since(&self, before: &Self) -> bool {
        self.files.iter().any(|(name, stamp)| {
            let is_empty = |stamp: &Option<Stamp>| stamp.as_ref().is_some_and(Stamp::is_empty);
            is_empty(stamp) && before.files.get(name).is_some_and(|was| !is_empty(was))
        })
    }

    /// The same places as they are now.
    #[must_use]
    pub fn now(&self) -> Self {
        let mut now = Self::new(&self.folder);
        for name in self.files.keys() {
            now.file(name);
        }
        let mut left = glob::ENTRIES_MAX;
        for pattern in self.patterns.keys() {
            now.pattern(pattern, &mut left);
        }
        now
    }
}
