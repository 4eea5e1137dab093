//! The files of a house: mapping.toml, what it includes, and the tests.
//!
//! Called by [`crate::load()`]. Reads from a folder or from texts in memory; never outside of the folder, and
//! never more than a house may hold. Must not know what the files say, but for `include`.

mod glob;
mod reads;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use crate::{
    blocklist,
    diagnostic::Diagnostic,
    disk::{self, Unreadable},
    read::{Document, Size, Text, TooMuch, did_you_mean, head},
    report::Report,
    source::{FileIx, SourceFile, Sources, Span},
};
use glob::Listing;
pub use reads::Reads;

/// The file that includes all others.
pub(crate) const MAIN: &str = "mapping.toml";

/// Files of a house's folder that are read on their own: a `*` does not stand for them.
const OTHERS: &[&str] = &[blocklist::FILE, "settings.toml"];

/// Largest file in bytes.
const BYTES_MAX: u64 = Size::FILE_BYTES_MAX as u64;

/// Most files that a house has.
const FILES_MAX: usize = 1_000;

/// Longest way from mapping.toml to an included file.
const DEPTH_MAX: usize = 16;

/// Codes of what says that a file can't be read at all.
const UNREADABLE: [&str; 7] = [
    "missing-file",
    "outside-folder",
    "not-a-file",
    "file-too-large",
    "not-utf8",
    "not-a-text",
    "unreadable-file",
];

/// Whether this says that a file of the house can't be read at all, whatever is in it.
pub(crate) fn is_unreadable(found: &Diagnostic) -> bool {
    UNREADABLE.contains(&found.code)
}

/// Where files come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// A folder on disk.
    pub(crate) folder: Option<&'a Path>,
    /// Texts by their names: they stand for the folder's files, or beside them.
    pub(crate) texts: &'a BTreeMap<String, String>,
}

/// Why a file is not read.
enum Problem {
    /// It can't be.
    Unreadable(Unreadable),
    /// It lies outside of the house's folder.
    Outside,
}

/// What was read: in the order of inclusion.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// All texts.
    pub(crate) sources: Sources,
    /// Files of the mapping, mapping.toml first.
    pub(crate) mapping: Vec<FileIx>,
    /// Files with tests.
    pub(crate) tests: Vec<FileIx>,
    /// What they were read from; empty for texts in memory.
    pub(crate) reads: Reads,
    /// Something of the mapping could not be read: what it declares is not known.
    pub(crate) incomplete: bool,
}

/// Reads all files of a house.
pub(crate) fn read(origin: Origin<'_>, report: &mut Report) -> Files {
    let mut reader = Reader {
        origin,
        files: Files::default(),
        seen: BTreeSet::new(),
        size: Size::default(),
        full: false,
        entries_left: glob::ENTRIES_MAX,
        report,
    };
    if let Some(folder) = origin.folder {
        reader.files.reads = Reads::new(folder);
    }
    reader.mapping_file(MAIN, None, &mut Vec::new());
    for pattern in ["*.test.toml", "tests/*.test.toml"] {
        for name in reader.list(pattern, None) {
            reader.test_file(&name, None);
        }
    }
    reader.files
}

struct Reader<'a, 'r> {
    origin: Origin<'a>,
    files: Files,
    seen: BTreeSet<String>,
    /// Of all files so far.
    size: Size,
    /// The house holds as much as it may; said once, and no further file is read.
    full: bool,
    entries_left: usize,
    report: &'r mut Report,
}

impl Reader<'_, '_> {
    fn mapping_file(&mut self, name: &str, included_at: Option<&Span>, above: &mut Vec<String>) {
        if name.ends_with(".test.toml") {
            self.test_file(name, included_at);
            return;
        }
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let Some(file) = self.add(name, included_at) else {
            self.files.incomplete = true;
            return;
        };
        self.files.mapping.push(file);
        above.push(name.to_owned());
        for (pattern, span) in self.includes(file) {
            self.include(&pattern, &span, name, above);
        }
        above.pop();
    }

    fn test_file(&mut self, name: &str, included_at: Option<&Span>) {
        if self.seen.insert(name.to_owned())
            && let Some(file) = self.add(name, included_at)
        {
            self.files.tests.push(file);
        }
    }

    /// One entry of `include`, relative to the file that holds it.
    fn include(&mut self, pattern: &str, span: &Span, from: &str, above: &mut Vec<String>) {
        let Some(path) = inside(from, pattern) else {
            let message = format!("\"{pattern}\" leads out of the house's folder");
            let error = Diagnostic::error("outside-folder", span.clone(), message);
            let help = "paths are relative to the file that includes, and stay in the folder";
            self.report.push(error.help(help));
            self.files.incomplete = true;
            return;
        };
        if path.contains("**") {
            let message =
                "`**` is no pattern of `include`: a `*` stands for letters within one folder";
            let error = Diagnostic::error("bad-pattern", span.clone(), message);
            let (one, two) = (path.replace("**/", ""), path.replace("**", "*"));
            self.report.push(error.help(format!(
                "write \"{one}\", \"{two}\" and so on, one for each depth"
            )));
            self.files.incomplete = true;
            return;
        }
        if above.contains(&path) {
            let message = format!("\"{pattern}\" is included by itself");
            let way = above.join("` > `");
            self.report.push(
                Diagnostic::error("include-cycle", span.clone(), message)
                    .help(format!("it is on the way here: `{way}`")),
            );
            return;
        }
        if above.len() >= DEPTH_MAX {
            let message = format!("includes nest at most {DEPTH_MAX} deep");
            let error = Diagnostic::error("include-too-deep", span.clone(), message);
            self.report
                .push(error.help("let mapping.toml include all files itself"));
            self.files.incomplete = true;
            return;
        }
        if !path.contains('*') {
            self.mapping_file(&path, Some(span), above);
            return;
        }
        let found = self.list(&path, Some(span));
        if found.is_empty() {
            let message = format!("\"{pattern}\" matches no file");
            self.report
                .push(Diagnostic::warning("empty-include", span.clone(), message));
        }
        for name in found {
            if !above.contains(&name) && !OTHERS.contains(&name.as_str()) {
                self.mapping_file(&name, Some(span), above);
            }
        }
    }

    /// The patterns of a file's `include`. Their types are reported here and nowhere else.
    fn includes(&mut self, file: FileIx) -> Vec<(String, Span)> {
        let text = head(&self.files.sources.file(file).text);
        let mut blanked = String::new();
        // What is wrong in the head is reported when the whole file is read.
        let document = Document::read(file, text, &mut blanked, &mut Vec::new());
        let mut patterns = Vec::new();
        for node in document.tops().filter_map(|top| top.field("include")) {
            let list = node.list(self.report, "`include`").unwrap_or_default();
            let texts = list
                .into_iter()
                .filter_map(|node| node.text(self.report, "a path to include"));
            patterns.extend(texts.map(|text: Text<'_>| (text.text.to_owned(), text.span())));
        }
        patterns
    }

    /// The files that a pattern stands for.
    fn list(&mut self, pattern: &str, included_at: Option<&Span>) -> Vec<String> {
        let Listing { mut names, mut cut } = glob::among(self.origin.texts, pattern);
        if self.origin.folder.is_some() {
            let left = &mut self.entries_left;
            let listing = self.files.reads.pattern(pattern, left);
            names.extend(listing.names.iter().cloned());
            names.sort();
            names.dedup();
            cut |= listing.cut;
        }
        if cut {
            let max = glob::ENTRIES_MAX;
            let message = format!("more than {max} files lie where \"{pattern}\" looks");
            self.too_large(message, "keep a house in a folder of its own", included_at);
        }
        names
    }

    fn add(&mut self, name: &str, included_at: Option<&Span>) -> Option<FileIx> {
        if self.full {
            return None;
        }
        if self.files.mapping.len() + self.files.tests.len() >= FILES_MAX {
            let message = format!("a house has at most {FILES_MAX} files");
            self.too_large(message, "put more into one file", included_at);
            return None;
        }
        let (text, path) = match self.contents(name) {
            Ok(found) => found,
            Err(problem) => {
                let span = self.place(name, included_at);
                let error = self.unreadable(name, span, &problem);
                self.report.push(error);
                return None;
            }
        };
        let size = Size::of(&text);
        if let Err(TooMuch(said)) = size.fits_a_file() {
            let span = self.place(name, included_at);
            let message = format!("`{name}` has more than {said}");
            let error = Diagnostic::error("file-too-large", span, message);
            self.report
                .push(error.help("write groups, or put some into another file"));
            return None;
        }
        match self.size.plus(&size) {
            Ok(size) => self.size = size,
            Err(TooMuch(said)) => {
                let message = format!("a house has at most {said}");
                let help = format!("with `{name}` it has more: write groups, or split the house");
                self.too_large(message, &help, included_at);
                return None;
            }
        }
        let too_deep = size.too_deep();
        let file = self.files.sources.add(SourceFile {
            name: name.into(),
            path,
            text,
        });
        if let Some(bytes) = too_deep {
            let message = format!("a key has at most {} parts", Size::KEY_PARTS_MAX);
            let error = Diagnostic::error("key-too-deep", Span { file, bytes }, message);
            self.report
                .push(error.help("no key of a house needs more than a few"));
            return None;
        }
        Some(file)
    }

    fn too_large(&mut self, message: String, help: &str, included_at: Option<&Span>) {
        let span = self.place(MAIN, included_at);
        let error = Diagnostic::error("house-too-large", span, message);
        self.report.push(error.help(help));
        self.full = true;
        self.files.incomplete = true;
    }

    fn contents(&mut self, name: &str) -> Result<(String, PathBuf), Problem> {
        let path = self.origin.folder.map(|folder| folder.join(name));
        if let Some(text) = self.origin.texts.get(name) {
            if text.len() as u64 > BYTES_MAX {
                return Err(Problem::Unreadable(Unreadable::TooLarge(BYTES_MAX)));
            }
            disk::expect_text(text).map_err(Problem::Unreadable)?;
            return Ok((text.clone(), path.unwrap_or_default()));
        }
        let (Some(folder), Some(path)) = (self.origin.folder, path) else {
            return Err(Problem::Unreadable(Unreadable::Missing));
        };
        self.files.reads.file(name);
        // mapping.toml itself may be a link: the person who starts the dispatcher chose it.
        if name != MAIN
            && let (Ok(real), Ok(root)) = (path.canonicalize(), folder.canonicalize())
            && !real.starts_with(root)
        {
            return Err(Problem::Outside);
        }
        let text = disk::text(&path, BYTES_MAX).map_err(Problem::Unreadable)?;
        Ok((text, path))
    }

    /// Where to complain about a file that can't be read: at its `include`, else in an empty file.
    fn place(&mut self, name: &str, included_at: Option<&Span>) -> Span {
        included_at.cloned().unwrap_or_else(|| Span {
            file: self.files.sources.add(SourceFile {
                name: name.into(),
                path: PathBuf::new(),
                text: String::new(),
            }),
            bytes: 0..0,
        })
    }

    fn unreadable(&mut self, name: &str, span: Span, problem: &Problem) -> Diagnostic {
        let why = match problem {
            Problem::Outside => {
                let message = format!("`{name}` is a link that leads out of the house's folder");
                return Diagnostic::error("outside-folder", span, message)
                    .help("put the file itself there, or let mapping.toml be the link");
            }
            Problem::Unreadable(why) => why,
        };
        let message = format!("`{name}` {why}");
        match why {
            Unreadable::Missing => {
                let message = format!("there is no file `{name}`");
                let error = Diagnostic::error("missing-file", span, message);
                if name == MAIN {
                    return error.help("a house is a folder with a mapping.toml");
                }
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let slash = if folder.is_empty() { "" } else { "/" };
                let pattern = format!("{folder}{slash}*.toml");
                let mut names = glob::among(self.origin.texts, &pattern).names;
                if let Some(folder) = self.origin.folder {
                    names.extend(glob::on_disk(folder, &pattern, &mut self.entries_left).names);
                }
                did_you_mean(error, name, names.iter().map(String::as_str))
            }
            Unreadable::Dangling => Diagnostic::error("missing-file", span, message)
                .help("let the link lead to a file, or put a file there"),
            Unreadable::NotAFile(what) => {
                let error = Diagnostic::error("not-a-file", span, message);
                if *what == "a folder" {
                    error.help(format!("to include what is in it, write \"{name}/*.toml\""))
                } else {
                    error.help("put a file there, or a link to one")
                }
            }
            Unreadable::TooLarge(_) => Diagnostic::error("file-too-large", span, message)
                .help("split it, and include the parts"),
            Unreadable::NotUtf8(_) => {
                Diagnostic::error("not-utf8", span, message).help("save it as UTF-8 in your editor")
            }
            Unreadable::Binary(_) => Diagnostic::error("not-a-text", span, message)
                .help("save it as UTF-8 in your editor"),
            Unreadable::Refused(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Diagnostic::error("unreadable-file", span, message)
                    .help("it must be readable by the user who runs this")
            }
            Unreadable::Refused(_) => Diagnostic::error("unreadable-file", span, message),
        }
    }
}

/// The name, relative to the folder, of `path` as written in the file `from`; `None`: it leads out.
fn inside(from: &str, path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with('/') || path.contains(['\\', ':', '\0']) {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_never_leads_out_of_the_folder() {
        for (from, path, expected) in [
            ("mapping.toml", "rules.toml", Some("rules.toml")),
            ("rules/a.toml", "b.toml", Some("rules/b.toml")),
            ("rules/a.toml", "../devices/*.toml", Some("devices/*.toml")),
            ("mapping.toml", "../secret.toml", None),
            ("rules/a.toml", "../../secret.toml", None),
            ("mapping.toml", "/etc/passwd", None),
            ("mapping.toml", "", None),
        ] {
            assert_eq!(inside(from, path).as_deref(), expected, "{from} {path}");
        }
    }
}
