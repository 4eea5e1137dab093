//! A house's files -> [`Program`], tests and diagnostics.
//!
//! Called by the command line, at start and at each change of a file. Takes time in proportion to the
//! files; must not run on the dispatcher's hot thread.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use blake2::{Blake2s256, Digest};

use crate::{
    diagnostic::{Diagnostic, Severity},
    files::{self, Files, Origin, Reads},
    house::{House, Tops, renamed},
    house_test::{self, HouseTest},
    index::{Index, Mention},
    lint,
    program::Program,
    read::Document,
    report::Report,
    rules,
    source::{FileIx, Sources, Span},
};

/// A house as it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// All texts, for messages.
    pub sources: Sources,
    /// The house; `None` where a file of the mapping holds an error. Errors in test files leave it, but
    /// show in [`Loaded::has_errors`]: a house whose tests don't read must not come into force.
    pub program: Option<Arc<Program>>,
    /// The house's tests that could be read.
    pub tests: Vec<HouseTest>,
    /// Everything that is wrong or strange, sorted by place.
    pub diagnostics: Vec<Diagnostic>,
    /// What to look at for changes; empty where the texts came from memory.
    pub reads: Reads,
}

impl Loaded {
    /// Whether something keeps the house from coming into force.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        let mut all = self.diagnostics.iter();
        all.any(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// A house with everything that tools want to know of it.
#[derive(Clone, Debug)]
pub struct Analysis {
    /// The house as it was read.
    pub loaded: Loaded,
    /// What could be understood of it, also where something is wrong. Must not be run.
    pub draft: Arc<Program>,
    /// Which names stand where.
    pub index: Index,
    /// Files of the mapping in the order of inclusion, mapping.toml first.
    pub mapping: Vec<FileIx>,
    /// Files with tests.
    pub tests: Vec<FileIx>,
}

impl Analysis {
    /// What says of a file that it can't be read at all: what it declares, and names, is not known.
    pub fn unread(&self) -> impl Iterator<Item = &Diagnostic> {
        let found = self.loaded.diagnostics.iter();
        found.filter(|found| files::is_unreadable(found))
    }
}

/// Reads a house for tools: from `texts`, by their names relative to the house's folder, and from
/// `folder` what is not among them.
#[must_use]
pub fn analyze(folder: Option<&Path>, texts: &BTreeMap<String, String>) -> Analysis {
    let mut report = Report::default();
    report.note_names();
    let files = files::read(Origin { folder, texts }, &mut report);
    let Compiled {
        program,
        sound,
        tests,
        diagnostics,
        mentions,
    } = compile(&files, report, &mut |_| {});
    let index = Index::new(&files.sources, mentions);
    let draft = Arc::new(program);
    Analysis {
        loaded: Loaded {
            sources: files.sources,
            program: sound.then(|| Arc::clone(&draft)),
            tests,
            diagnostics,
            reads: files.reads,
        },
        draft,
        index,
        mapping: files.mapping,
        tests: files.tests,
    }
}

/// Reads the house in `folder`: mapping.toml, what it includes, `*.test.toml` and `tests/*.test.toml`.
#[must_use]
pub fn load(folder: &Path) -> Loaded {
    let origin = Origin {
        folder: Some(folder),
        texts: &BTreeMap::new(),
    };
    load_from(origin, &mut |_| {})
}

/// Reads a house from texts, by their names relative to the house's folder; one is `mapping.toml`.
#[must_use]
pub fn load_texts<N: Into<String>, T: Into<String>>(
    texts: impl IntoIterator<Item = (N, T)>,
) -> Loaded {
    load_texts_in_stages(texts, &mut |_| {})
}

/// A part of reading a house that is over.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Every file is a tree of TOML.
    Parsed,
    /// Devices and rules are read: names resolved, types compared, expressions compiled.
    Compiled,
    /// The rules are looked at together, complaints are sorted.
    Checked,
}

/// [`load_texts`] for benches: `reached` is called as each stage ends. This crate has no clock.
#[doc(hidden)]
#[must_use]
pub fn load_texts_in_stages<N: Into<String>, T: Into<String>>(
    texts: impl IntoIterator<Item = (N, T)>,
    reached: &mut dyn FnMut(Stage),
) -> Loaded {
    let texts: BTreeMap<String, String> = texts
        .into_iter()
        .map(|(name, text)| (name.into(), text.into()))
        .collect();
    let origin = Origin {
        folder: None,
        texts: &texts,
    };
    load_from(origin, reached)
}

fn load_from(origin: Origin<'_>, reached: &mut dyn FnMut(Stage)) -> Loaded {
    let mut report = Report::default();
    let files = files::read(origin, &mut report);
    let compiled = compile(&files, report, reached);
    Loaded {
        sources: files.sources,
        program: compiled.sound.then(|| Arc::new(compiled.program)),
        tests: compiled.tests,
        diagnostics: compiled.diagnostics,
        reads: files.reads,
    }
}

/// What came of a house's files.
struct Compiled {
    program: Program,
    /// Whether the program may be run.
    sound: bool,
    tests: Vec<HouseTest>,
    diagnostics: Vec<Diagnostic>,
    mentions: Vec<Mention>,
}

fn compile(files: &Files, mut report: Report, reached: &mut dyn FnMut(Stage)) -> Compiled {
    let Files {
        sources,
        mapping,
        tests,
        incomplete,
        ..
    } = files;
    let all: Vec<FileIx> = mapping.iter().chain(tests).copied().collect();
    let mut blanked = vec![String::new(); all.len()];
    let mut syntax = Vec::new();
    let documents: Vec<Document<'_>> = all
        .iter()
        .zip(&mut blanked)
        .map(|(file, blanked)| {
            Document::read(*file, &sources.file(*file).text, blanked, &mut syntax)
        })
        .collect();
    reached(Stage::Parsed);
    let broken = Broken::of(&all, &documents);
    let (mapping_documents, test_documents) = documents.split_at(mapping.len());
    let mut tops = Tops::default();
    for (at, document) in mapping_documents.iter().enumerate() {
        tops.take_mapping(document, at == 0, &mut report);
    }
    for document in test_documents {
        tops.take_tests(document, &mut report);
    }
    for name in &broken.names {
        report.declare_broken(name);
    }
    let mut house = House::read(sources, report, &tops);
    let whole = broken.tables.is_empty() && broken.unquoted.is_empty() && !*incomplete;
    let read = rules::read_all(&mut house, &tops.rules);
    reached(Stage::Compiled);
    rules::check_all(&mut house, read, whole);
    renamed::read_all(&mut house, &tops.renamed);
    let test_list = house_test::read::read_all(&mut house, &tops.tests);
    let House {
        mut program,
        mut report,
        ..
    } = house;
    let mentions = report.take_mentions();
    let breaks = broken.names.is_empty() && report.declares_broken();
    let mut told = Report::default();
    let mut turned = Vec::new();
    for file in &all {
        lint::bidi::look(*file, &sources.file(*file).text, &mut turned);
    }
    told.extend(turned);
    let others = broken.without_follow_ups(report, sources);
    broken.settle_unquoted(&mut syntax, &others);
    told.extend(syntax);
    told.extend(others);
    let mut diagnostics = told.into_sorted();
    if *incomplete {
        drop_follow_ups(&mut diagnostics);
    }
    diagnostics.retain(|found| !lint::is_silenced(found, &tops.allow));
    let in_tests = |diagnostic: &Diagnostic| {
        let file = diagnostic.labels.first().map(|label| label.span.file);
        // What was cut off is not known to be in a test.
        file.is_some_and(|file| tests.contains(&file)) && diagnostic.code != "too-many-problems"
    };
    let sound = diagnostics
        .iter()
        .all(|found| found.severity == Severity::Warning || in_tests(found));
    debug_assert!(!sound || !breaks, "what can't be used was not reported");
    // A test that can't be read leaves the house sound.
    let mut unquoted = broken.unquoted.iter();
    let unread = unquoted.any(|span| !tests.contains(&span.file));
    debug_assert!(!sound || !unread, "a value without quotes was not reported");
    program.hash = hash(sources, mapping);
    reached(Stage::Checked);
    Compiled {
        program,
        sound,
        tests: test_list,
        diagnostics,
        mentions,
    }
}

/// What is said of a file that can't be read.
const UNREAD: &[&str] = &[
    "file-too-large",
    "house-too-large",
    "include-too-deep",
    "key-too-deep",
    "missing-file",
    "not-a-file",
    "not-a-text",
    "not-utf8",
    "outside-folder",
    "unreadable-file",
];

/// What is said of something that a file may declare that can't be read.
const NOT_DECLARED: &[&str] = &["home-missing", "timer-never-started", "unknown-name"];

/// Drops complaints about what is not declared, and says so where the first file could not be read.
fn drop_follow_ups(diagnostics: &mut Vec<Diagnostic>) {
    let before = diagnostics.len();
    diagnostics.retain(|found| !NOT_DECLARED.contains(&found.code));
    let dropped = before - diagnostics.len();
    let mut all = diagnostics.iter_mut();
    let unread = all.find(|found| UNREAD.contains(&found.code));
    if let (true, Some(unread)) = (dropped > 0, unread) {
        let left_out = if dropped == 1 {
            "1 complaint about what it may declare is left out".to_owned()
        } else {
            format!("{dropped} complaints about what it may declare are left out")
        };
        unread
            .help
            .push(format!("as long as it can't be read, {left_out}"));
    }
}

/// BLAKE2s-256 over names and texts, each with its length before it.
fn hash(sources: &Sources, mapping: &[FileIx]) -> [u8; 32] {
    let mut hash = Blake2s256::new();
    for file in mapping {
        let file = sources.file(*file);
        for part in [file.name.as_bytes(), file.text.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    hash.finalize().into()
}

/// Tables that hold a syntax error, and what can't be judged because of them.
struct Broken<'a> {
    tables: Vec<(Span, &'a str)>,
    /// Paths that these tables declare.
    names: Vec<String>,
    /// Values that lack their quotes.
    unquoted: Vec<Span>,
}

impl<'a> Broken<'a> {
    fn of(files: &[FileIx], documents: &'a [Document<'a>]) -> Self {
        let mut broken = Self {
            tables: Vec::new(),
            names: Vec::new(),
            unquoted: Vec::new(),
        };
        for (file, document) in files.iter().zip(documents) {
            broken.unquoted.extend_from_slice(document.unquoted());
            for table in document.broken() {
                let span = Span {
                    file: *file,
                    bytes: table.bytes.clone(),
                };
                broken.tables.push((span, table.text));
                match table.header.as_slice() {
                    ["device", name, ..] => broken.names.push((*name).to_owned()),
                    ["scene", name, ..] => broken.names.push(format!("scene.{name}")),
                    ["kind", name, ..] => broken.names.push(format!("kind.{name}")),
                    ["home"] => broken.names.push("home".to_owned()),
                    _ => {}
                }
            }
        }
        broken
    }

    /// Drops the complaint about missing quotes where somebody who knows what the table takes says what to write instead, or
    /// that it is no text at all. Only an error can take its place: a house with such a value is never sound.
    fn settle_unquoted(&self, syntax: &mut Vec<Diagnostic>, others: &[Diagnostic]) {
        if self.unquoted.is_empty() {
            return;
        }
        let place = |found: &Diagnostic| found.labels.first().map(|label| label.span.clone());
        let says_what = |found: &Diagnostic| found.help.iter().any(|help| help.contains("write "));
        let is_type = |found: &Diagnostic| matches!(found.code, "type-mismatch" | "wrong-type");
        let known: Vec<Span> = others
            .iter()
            .filter(|found| found.severity == Severity::Error)
            .filter(|found| says_what(found) || is_type(found))
            .filter_map(place)
            .filter(|span| self.unquoted.contains(span))
            .collect();
        syntax.retain(|found| place(found).is_none_or(|span| !known.contains(&span)));
    }

    /// Drops what stands in a broken table, and complaints about a name that a broken table mentions.
    fn without_follow_ups(&self, report: Report, sources: &Sources) -> Vec<Diagnostic> {
        let mut all = report.into_sorted();
        if self.tables.is_empty() {
            return all;
        }
        all.retain(|found| {
            let Some(label) = found.labels.first() else {
                return true;
            };
            let span = &label.span;
            let inside = |table: &Span| {
                table.file == span.file
                    && table.bytes.start <= span.bytes.start
                    && span.bytes.start < table.bytes.end
            };
            let word = sources.file(span.file).text.get(span.bytes.clone());
            let word = word.unwrap_or_default().trim_matches(['"', '\'']);
            let depends = matches!(found.code, "timer-never-started" | "unknown-name");
            let mentioned = |text: &str| depends && !word.is_empty() && text.contains(word);
            !self
                .tables
                .iter()
                .any(|(table, text)| inside(table) || mentioned(text))
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Codes of what is told of a value without quotes where `other` lies at its place as well.
    fn told_beside(other: impl Fn(Span) -> Diagnostic) -> Vec<&'static str> {
        let span = Span {
            file: FileIx(0),
            bytes: 7..10,
        };
        let broken = Broken {
            tables: Vec::new(),
            names: Vec::new(),
            unquoted: vec![span.clone()],
        };
        let mut syntax = vec![Diagnostic::error("syntax", span.clone(), "no text")];
        broken.settle_unquoted(&mut syntax, &[other(span)]);
        syntax.iter().map(|found| found.code).collect()
    }

    #[test]
    fn only_an_error_takes_the_place_of_one_about_quotes() {
        let error = |span| Diagnostic::error("bad-time", span, "no time").help("write \"07:00\"");
        assert!(told_beside(error).is_empty());
        let warning = |span| Diagnostic::warning("odd", span, "odd").help("write \"07:00\"");
        assert_eq!(told_beside(warning), ["syntax"]);
        let no_type = |span| Diagnostic::error("wrong-type", span, "a number");
        assert!(told_beside(no_type).is_empty());
        let maybe_a_type = |span| Diagnostic::warning("wrong-type", span, "a number");
        assert_eq!(told_beside(maybe_a_type), ["syntax"]);
        let unknown = |span| Diagnostic::error("unknown-name", span, "unknown");
        assert_eq!(told_beside(unknown), ["syntax"]);
    }
}
