//! Collects what is wrong with a whole house, and remembers which names are broken, so that one
//! mistake is not reported again at each place that uses the name. Takes note of names too, where an
//! index of them is wanted.
//!
//! Used by every stage of loading. Must not know TOML or what the names mean.

use std::collections::BTreeSet;

use crate::{
    diagnostic::Diagnostic,
    index::{Mention, Symbol},
    source::Span,
};

/// Complaints in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    broken: BTreeSet<String>,
    /// `None`: nobody wants them.
    mentions: Option<Vec<Mention>>,
}

impl Report {
    /// Takes note of names from now on.
    pub(crate) fn note_names(&mut self) {
        self.mentions.get_or_insert_default();
    }

    /// Whether names are taken note of.
    pub(crate) fn notes_names(&self) -> bool {
        self.mentions.is_some()
    }

    /// A name stands somewhere.
    pub(crate) fn mention(&mut self, name: impl FnOnce() -> (Span, Symbol)) {
        self.note(false, name);
    }

    /// A name is declared somewhere.
    pub(crate) fn declare(&mut self, name: impl FnOnce() -> (Span, Symbol)) {
        self.note(true, name);
    }

    fn note(&mut self, declares: bool, name: impl FnOnce() -> (Span, Symbol)) {
        if let Some(mentions) = &mut self.mentions {
            let (span, symbol) = name();
            mentions.push(Mention {
                span,
                symbol,
                declares,
            });
        }
    }

    /// Names that somebody else took note of.
    pub(crate) fn extend_mentions(&mut self, more: Vec<Mention>) {
        if let Some(mentions) = &mut self.mentions {
            mentions.extend(more);
        }
    }

    /// All names so far.
    pub(crate) fn take_mentions(&mut self) -> Vec<Mention> {
        self.mentions.take().unwrap_or_default()
    }

    /// Adds one complaint.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Adds several.
    pub(crate) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        self.diagnostics.extend(diagnostics);
    }

    /// Whether something was reported under this code.
    pub(crate) fn has(&self, code: &str) -> bool {
        self.diagnostics.iter().any(|found| found.code == code)
    }

    /// How many complaints there are so far.
    pub(crate) fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// `path` (`hall`, `hall.lamp`, `var.night`) is declared, but in a way that can't be used: what
    /// refers to it is not reported again.
    pub(crate) fn declare_broken(&mut self, path: impl Into<String>) {
        self.broken.insert(path.into());
    }

    /// Whether `path`, or the device it begins with, was declared in a broken way.
    pub(crate) fn is_broken(&self, path: &str) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        let mut ends = path.match_indices('.').map(|(at, _)| at);
        self.broken.contains(path) || ends.any(|end| self.broken.contains(&path[..end]))
    }

    /// Whether an expression's text mentions a name that was declared in a broken way.
    pub(crate) fn mentions_broken(&self, text: &str) -> bool {
        if self.broken.is_empty() {
            return false;
        }
        let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'));
        words.filter(|word| !word.is_empty()).any(|word| {
            let path = word
                .strip_prefix("state.")
                .or_else(|| word.strip_prefix("target."))
                .unwrap_or(word);
            self.is_broken(path)
        })
    }

    /// Everything, sorted by place; the same complaint at the same place stands once.
    pub(crate) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut all = self.diagnostics;
        let place = |diagnostic: &Diagnostic| {
            let label = diagnostic.labels.first();
            label.map(|label| {
                (
                    label.span.file,
                    label.span.bytes.start,
                    label.span.bytes.end,
                )
            })
        };
        all.sort_by_key(place);
        all.dedup_by(|a, b| place(a) == place(b) && a.code == b.code && a.message == b.message);
        all
    }
}
