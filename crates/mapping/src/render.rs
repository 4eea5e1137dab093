//! Diagnostics for people (as rustc draws its own) and for machines.
//!
//! Called by the command line and by reload. Must not print. What is drawn comes from files that anybody may have written: nothing
//! of them acts on a terminal.

use std::{borrow::Cow, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde::Serialize;
use types::{Shown, ShownLines};

use crate::{
    diagnostic::{Diagnostic, Label, Severity},
    source::{FileIx, Sources},
};

/// Longest piece of a file that is drawn, in bytes: what is longer are no lines that people read.
const DRAWN_BYTES_MAX: usize = 20_000;

/// All diagnostics as text, a blank line between them, with a line that counts them at the end.
#[must_use]
pub fn render(sources: &Sources, diagnostics: &[Diagnostic], color: bool) -> String {
    let renderer = if color {
        Renderer::styled()
    } else {
        Renderer::plain()
    };
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&renderer.render(&[group(sources, diagnostic)]));
        out.push_str("\n\n");
    }
    if let Some(summary) = summary(diagnostics) {
        out.push_str(&summary);
        out.push('\n');
    }
    out
}

/// "2 errors, 1 warning"; `None`: nothing was found.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |severity, word: &str| {
        let all = diagnostics.iter();
        let number = all.filter(|found| found.severity == severity).count();
        let plural = if number == 1 { "" } else { "s" };
        (number > 0).then(|| format!("{number} {word}{plural}"))
    };
    let parts: Vec<String> = [
        count(Severity::Error, "error"),
        count(Severity::Warning, "warning"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Words of a diagnostic, which quote what stands in files.
fn words(text: &str) -> String {
    ShownLines(text).to_string()
}

fn group<'a>(sources: &'a Sources, diagnostic: &'a Diagnostic) -> Group<'a> {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level
        .primary_title(words(&diagnostic.message))
        .id(diagnostic.code);
    let mut files: Vec<FileIx> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    let mut group = Group::with_title(title);
    for file in files {
        let labels = diagnostic.labels.iter().enumerate();
        let here: Vec<(usize, &Label)> = labels
            .filter(|(_, label)| label.span.file == file)
            .collect();
        if lines_of(sources, file, &here).len() <= DRAWN_BYTES_MAX {
            group = group.element(snippet(sources, file, &here));
            continue;
        }
        // Too far apart to be drawn together, or even a line that nobody reads.
        for label in here {
            group = if lines_of(sources, file, &[label]).len() <= DRAWN_BYTES_MAX {
                group.element(snippet(sources, file, &[label]))
            } else {
                group.element(place(sources, file, label.1))
            };
        }
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(words(help)));
    }
    group
}

/// The lines in which labels stand, from the first to the last.
fn lines_of(sources: &Sources, file: FileIx, labels: &[(usize, &Label)]) -> Range<usize> {
    let text = sources.file(file).text.as_str();
    let starts = labels.iter().map(|(_, label)| label.span.bytes.start);
    let ends = labels.iter().map(|(_, label)| label.span.bytes.end);
    let first = boundary(text, starts.min().unwrap_or_default());
    let last = boundary(text, ends.max().unwrap_or_default()).max(first);
    let from = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let to = text[last..].find('\n');
    from..to.map_or(text.len(), |newline| last + newline)
}

/// Where a label stands, without the line itself.
fn place<'a>(sources: &'a Sources, file: FileIx, label: &Label) -> Origin<'a> {
    let (line, column) = sources.line_column(file, label.span.bytes.start);
    let place = Origin::path(words(&sources.file(file).name));
    place.line(line as usize).char_column(column as usize)
}

/// The lines of one file that labels are about, with these drawn below.
fn snippet<'a>(
    sources: &'a Sources,
    file: FileIx,
    labels: &[(usize, &'a Label)],
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let source = sources.file(file);
    let text = source.text.as_str();
    // Only the lines in question: a house may be large, and drawing looks at all that it is given.
    let Range {
        start: from,
        end: to,
    } = lines_of(sources, file, labels);
    let annotations = labels.iter().map(|(at, label)| {
        let kind = if *at == 0 {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let start = boundary(text, label.span.bytes.start);
        let end = boundary(text, label.span.bytes.end).max(start);
        // A table's span begins at its header: the header says which table it is.
        let first_line = text[start..end].split('\n').next().unwrap_or_default();
        let end = start + first_line.trim_end_matches('\r').len();
        let place = |at: usize| {
            let (before, behind) = (&text[from..at], &text[at..]);
            // The end of a line ends with a letter that is not drawn; anywhere else it is.
            let is_cut = before.ends_with('\r') && !behind.is_empty() && !behind.starts_with('\n');
            drawn(before).len() + if is_cut { "\\r".len() } else { 0 }
        };
        let annotation = kind.span(place(start)..place(end));
        if label.text.is_empty() {
            annotation
        } else {
            annotation.label(words(&label.text))
        }
    });
    Snippet::source(drawn(&text[from..to]))
        .line_start(sources.line_column(file, from).0 as usize)
        .path(words(&source.name))
        .annotations(annotations.collect::<Vec<_>>())
}

/// A text as it is drawn: without the second letter of Windows' line ends, with a mark where U+FEFF stands unseen, and with all that
/// would act on a terminal escaped. What is drawn of a part of it is that part of what is drawn.
fn drawn(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c == '\u{feff}' || (types::is_acting(c) && c != '\n')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\r' if letters.peek().is_none_or(|next| *next == '\n') => {}
            '\u{feff}' => out.push('\u{fffd}'),
            // Tabs are drawn as blanks.
            '\n' | '\t' => out.push(letter),
            letter if types::is_acting(letter) => {
                out.push_str(&Shown(letter.encode_utf8(&mut [0; 4])).to_string());
            }
            letter => out.push(letter),
        }
    }
    Cow::Owned(out)
}

fn boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A diagnostic for machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// File name relative to the house's folder.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// Line of the end.
    pub end_line: u32,
    /// Column of the end.
    pub end_column: u32,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Stable name of the message.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// A few words at the place.
    pub label: String,
    /// How to mend it.
    pub help: Vec<String>,
}

/// All diagnostics for machines.
#[must_use]
pub fn findings(sources: &Sources, diagnostics: &[Diagnostic]) -> Vec<Finding> {
    let one = |diagnostic: &Diagnostic| {
        let label = diagnostic.labels.first()?;
        let span = &label.span;
        let (line, column) = sources.line_column(span.file, span.bytes.start);
        let (end_line, end_column) = sources.line_column(span.file, span.bytes.end);
        Some(Finding {
            file: sources.file(span.file).name.to_string(),
            line,
            column,
            end_line,
            end_column,
            severity: match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: diagnostic.code,
            message: diagnostic.message.clone(),
            label: label.text.clone(),
            help: diagnostic.help.clone(),
        })
    };
    diagnostics.iter().filter_map(one).collect()
}
