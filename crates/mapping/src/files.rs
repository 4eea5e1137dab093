//! The files of a house: mapping.toml, what it includes, and the tests.
//!
//! Called by [`crate::load()`]. Reads from a folder or from texts in memory; never outside of the folder.
//! Must not know what the files say, but for `include`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    diagnostic::Diagnostic,
    read::{Document, Text, did_you_mean, head},
    report::Report,
    source::{FileIx, SourceFile, Sources, Span},
};

/// The file that includes all others.
pub(crate) const MAIN: &str = "mapping.toml";

/// Files of a house's folder that are read on their own: a `*` does not stand for them.
const OTHERS: &[&str] = &["blocklist.toml", "settings.toml"];

/// Largest file in bytes.
const BYTES_MAX: u64 = 10_000_000;

/// Most files that a house has.
const FILES_MAX: usize = 1_000;

/// Where files come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin<'a> {
    /// A folder on disk.
    pub(crate) folder: Option<&'a Path>,
    /// Texts by their names: they stand for the folder's files, or beside them.
    pub(crate) texts: &'a BTreeMap<String, String>,
}

/// Why a file could not be read.
enum Unreadable {
    Missing,
    Outside,
    TooLarge,
    NotUtf8(usize),
    Other(std::io::Error),
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
}

/// Reads all files of a house.
pub(crate) fn read(origin: Origin<'_>, report: &mut Report) -> Files {
    let mut reader = Reader {
        origin,
        files: Files::default(),
        seen: BTreeSet::new(),
        report,
    };
    reader.mapping_file(MAIN, None, &mut Vec::new());
    let mut tests = list(origin, "*.test.toml");
    tests.extend(list(origin, "tests/*.test.toml"));
    for name in tests {
        reader.test_file(&name, None);
    }
    reader.files
}

struct Reader<'a, 'r> {
    origin: Origin<'a>,
    files: Files,
    seen: BTreeSet<String>,
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
            return;
        };
        if above.contains(&path) {
            let message = format!("\"{pattern}\" is included by itself");
            let way = above.join("` > `");
            self.report.push(
                Diagnostic::error("include-cycle", span.clone(), message)
                    .help(format!("it is on the way here: `{way}`")),
            );
            return;
        }
        if !path.contains('*') {
            self.mapping_file(&path, Some(span), above);
            return;
        }
        let found = list(self.origin, &path);
        if found.is_empty() {
            let message = format!("\"{pattern}\" matches no file");
            self.report
                .push(Diagnostic::warning("empty-include", span.clone(), message));
        }
        let others = |name: &&String| !above.contains(name) && !OTHERS.contains(&name.as_str());
        let names: Vec<&String> = found.iter().filter(others).collect();
        for name in names {
            self.mapping_file(name, Some(span), above);
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

    fn add(&mut self, name: &str, included_at: Option<&Span>) -> Option<FileIx> {
        let at_limit = self.files.mapping.len() + self.files.tests.len() >= FILES_MAX;
        let (text, path) = match contents(self.origin, name) {
            Ok(_) if at_limit => {
                let message = format!("a house has at most {FILES_MAX} files");
                let span = self.place(name, included_at);
                self.report
                    .push(Diagnostic::error("too-many-files", span, message));
                return None;
            }
            Ok(found) => found,
            Err(problem) => {
                let span = self.place(name, included_at);
                let error = self.unreadable(name, span, &problem);
                self.report.push(error);
                return None;
            }
        };
        Some(self.files.sources.add(SourceFile {
            name: name.into(),
            path,
            text,
        }))
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

    fn unreadable(&self, name: &str, span: Span, problem: &Unreadable) -> Diagnostic {
        match problem {
            Unreadable::Missing => {
                let message = format!("there is no file `{name}`");
                let error = Diagnostic::error("missing-file", span, message);
                if name == MAIN {
                    return error.help("a house is a folder with a mapping.toml");
                }
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                let slash = if folder.is_empty() { "" } else { "/" };
                let names = list(self.origin, &format!("{folder}{slash}*.toml"));
                did_you_mean(error, name, names.iter().map(String::as_str))
            }
            Unreadable::Outside => {
                let message = format!("`{name}` is a link that leads out of the house's folder");
                Diagnostic::error("outside-folder", span, message)
            }
            Unreadable::TooLarge => {
                let message = format!("`{name}` is larger than {} MB", BYTES_MAX / 1_000_000);
                Diagnostic::error("file-too-large", span, message)
                    .help("split it, and include the parts")
            }
            Unreadable::NotUtf8(at) => {
                let message = format!("`{name}` is not UTF-8, at byte {at}");
                Diagnostic::error("not-utf8", span, message).help("save it as UTF-8 in your editor")
            }
            Unreadable::Other(problem) => {
                let message = format!("`{name}` can't be read: {problem}");
                Diagnostic::error("unreadable-file", span, message)
            }
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

fn contents(origin: Origin<'_>, name: &str) -> Result<(String, PathBuf), Unreadable> {
    if let Some(text) = origin.texts.get(name) {
        if text.len() as u64 > BYTES_MAX {
            return Err(Unreadable::TooLarge);
        }
        let path = origin.folder.map(|folder| folder.join(name));
        return Ok((text.clone(), path.unwrap_or_default()));
    }
    let folder = origin.folder.ok_or(Unreadable::Missing)?;
    let path = folder.join(name);
    let missing = |problem: std::io::Error| match problem.kind() {
        std::io::ErrorKind::NotFound => Unreadable::Missing,
        _ => Unreadable::Other(problem),
    };
    let meta = std::fs::metadata(&path).map_err(missing)?;
    // mapping.toml itself may be a link: the person who starts the dispatcher chose it.
    if name != MAIN {
        let real = path.canonicalize().map_err(missing)?;
        let root = folder.canonicalize().map_err(missing)?;
        if !real.starts_with(root) {
            return Err(Unreadable::Outside);
        }
    }
    if meta.len() > BYTES_MAX {
        return Err(Unreadable::TooLarge);
    }
    let bytes = std::fs::read(&path).map_err(missing)?;
    let text = String::from_utf8(bytes)
        .map_err(|problem| Unreadable::NotUtf8(problem.utf8_error().valid_up_to()))?;
    Ok((text, path))
}

/// Files that match a pattern, sorted; `*` stands for anything within one part of the path.
fn list(origin: Origin<'_>, pattern: &str) -> Vec<String> {
    let parts: Vec<&str> = pattern.split('/').collect();
    let fits = |name: &&String| {
        let names: Vec<&str> = name.split('/').collect();
        let pairs = names.iter().zip(&parts);
        names.len() == parts.len() && pairs.into_iter().all(|(name, part)| matches(name, part))
    };
    let mut found: Vec<String> = origin.texts.keys().filter(fits).cloned().collect();
    if let Some(folder) = origin.folder {
        walk(folder, &parts, "", &mut found);
    }
    found.sort();
    found.dedup();
    found
}

fn walk(folder: &Path, parts: &[&str], above: &str, found: &mut Vec<String>) {
    let Some((part, rest)) = parts.split_first() else {
        return;
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten().take(10_000) {
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        // Editors leave hidden files beside the one they save.
        if name.starts_with('.') || !matches(&name, part) {
            continue;
        }
        let path = format!("{above}{name}");
        if rest.is_empty() {
            if entry.path().is_file() {
                found.push(path);
            }
        } else {
            walk(&entry.path(), rest, &format!("{path}/"), found);
        }
    }
}

/// Whether `name` fits `pattern`, in which each `*` stands for any letters.
fn matches(name: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return name == pattern;
    };
    let Some(mut name) = name.strip_prefix(start) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
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

    #[test]
    fn a_star_stands_for_any_letters() {
        for (name, pattern, expected) in [
            ("a.toml", "*.toml", true),
            ("a.test.toml", "*.test.toml", true),
            ("a.toml", "*.test.toml", false),
            ("ab.toml", "a*b*.toml", true),
            ("a", "a*a", false),
        ] {
            assert_eq!(matches(name, pattern), expected, "{name} {pattern}");
        }
    }
}
