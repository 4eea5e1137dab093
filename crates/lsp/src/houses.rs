//! The houses whose files are open, and their texts as they stand in the editor.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use mapping::{Analysis, FileIx, analyze, blocklist, disk};

/// The name of the file that makes a folder a house.
const MAIN: &str = "mapping.toml";
/// Read on its own.
pub(crate) use mapping::blocklist::FILE as BLOCKLIST;

/// A house and what it means.
#[derive(Debug)]
pub(crate) struct House {
    /// Where its mapping.toml lies.
    pub(crate) folder: PathBuf,
    /// As it was read last.
    pub(crate) analysis: Analysis,
    /// Its blocklist; empty where there is none.
    pub(crate) blocklist: blocklist::Blocklist,
}

impl House {
    /// The file of a path, where the house reads it.
    pub(crate) fn file(&self, path: &Path) -> Option<FileIx> {
        let name = self.name(path)?;
        let files = self.analysis.mapping.iter().chain(&self.analysis.tests);
        let mut files = files.copied();
        files.find(|file| *self.analysis.loaded.sources.file(*file).name == *name)
    }

    /// The name of a file of this house: relative to its folder.
    pub(crate) fn name(&self, path: &Path) -> Option<String> {
        let relative = path.strip_prefix(&self.folder).ok()?;
        Some(relative.to_str()?.to_owned())
    }

    /// The text of the blocklist, where there is one.
    pub(crate) fn blocklist_text(&self) -> Option<&str> {
        let mut files = self.blocklist.sources.iter();
        let text = files.next().map(|(_, file)| file.text.as_str());
        text.filter(|text| !text.is_empty())
    }
}

/// All houses, by their folders.
#[derive(Debug, Default)]
pub(crate) struct Houses {
    /// Texts of open files: they count, and not what is on the disk.
    open: BTreeMap<PathBuf, String>,
    houses: BTreeMap<PathBuf, House>,
}

impl Houses {
    /// A file is open, or says something else now.
    pub(crate) fn put(&mut self, path: PathBuf, text: String) {
        self.changed(&path);
        self.open.insert(path, text);
    }

    /// A file is open no more.
    pub(crate) fn close(&mut self, path: &Path) {
        self.open.remove(path);
        self.changed(path);
    }

    /// A file changed on the disk.
    pub(crate) fn changed(&mut self, path: &Path) {
        // A new mapping.toml takes files from the house around it.
        if path.file_name().is_some_and(|name| name == MAIN) {
            self.houses.clear();
        } else if let Some(folder) = self.folder(path) {
            self.houses.remove(&folder);
        }
    }

    /// The text of an open file.
    pub(crate) fn text(&self, path: &Path) -> Option<&str> {
        self.open.get(path).map(String::as_str)
    }

    /// Folders of houses that have open files.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let mut all: Vec<PathBuf> = self
            .open
            .keys()
            .filter_map(|path| self.folder(path))
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// The nearest folder above a file that holds a mapping.toml.
    pub(crate) fn folder(&self, path: &Path) -> Option<PathBuf> {
        let mut above = path.ancestors().skip(1);
        let found = above.find(|folder| {
            let main = folder.join(MAIN);
            self.open.contains_key(&main) || main.is_file()
        });
        found.map(Path::to_owned)
    }

    /// The house in a folder; read where something changed.
    pub(crate) fn house(&mut self, folder: &Path) -> &House {
        let open = &self.open;
        self.houses
            .entry(folder.to_owned())
            .or_insert_with(|| read(folder, open))
    }

    /// The house of a file.
    pub(crate) fn house_of(&mut self, path: &Path) -> Option<&House> {
        let folder = self.folder(path)?;
        Some(self.house(&folder))
    }
}

fn read(folder: &Path, open: &BTreeMap<PathBuf, String>) -> House {
    let mut texts = BTreeMap::new();
    for (path, text) in open {
        if let Ok(name) = path.strip_prefix(folder)
            && let Some(name) = name.to_str()
        {
            texts.insert(name.to_owned(), text.clone());
        }
    }
    // Where it can't be completed, the editor shows what is there; `check` says why.
    let _ = edit::finish(folder);
    let blocks = texts.remove(BLOCKLIST);
    // What can't be read is no text that could be complained about here.
    let on_disk = || disk::text(&folder.join(BLOCKLIST), blocklist::BYTES_MAX).ok();
    let blocks = blocks.or_else(on_disk);
    House {
        folder: folder.to_owned(),
        analysis: analyze(Some(folder), &texts),
        blocklist: blocklist::parse(BLOCKLIST, &blocks.unwrap_or_default()),
    }
}
