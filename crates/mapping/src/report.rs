//! Collects what is wrong with a whole house, and remembers which names are broken, so that one
//! mistake is not reported again at each place that uses the name. Takes note of names too, where an
//! index of them is wanted.
//!
//! Used by every stage of loading. Must not know TOML or what the names mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnostic::{Diagnostic, Severity},
    index::{Mention, Symbol},
    source::Span,
};

/// Complaints about one house that are told. Who has that many mends some first, and each of them takes
/// time: its "did you mean" looks at every name.
const TOLD_MAX: usize = 1_000;

/// Triggers, actions and values that all words of a house may stand for together. A group, a scene or a `*` in
/// a short line can stand for thousands, and each of them takes some hundred bytes.
const EXPANDED_MAX: usize = 300_000;

/// Complaints in the order in which they were found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    diagnostics: Vec<Diagnostic>,
    /// Says that there were more; an error where one of those was.
    cut: Option<Diagnostic>,
    broken: BTreeSet<String>,
    /// Where groups are declared; `None`: it was said already that the members don't go together.
    groups: BTreeMap<String, Option<Span>>,
    /// `None`: nobody wants them.
    mentions: Option<Vec<Mention>>,
    expanded: usize,
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

    /// Adds one complaint; one too many only shows as such.
    pub(crate) fn push(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < TOLD_MAX {
            self.diagnostics.push(diagnostic);
        } else if self
            .cut
            .as_ref()
            .is_none_or(|cut| diagnostic.severity < cut.severity)
        {
            let span = diagnostic.labels.into_iter().next();
            let span = span.map(|label| label.span).unwrap_or_default();
            let message = format!("there are more than {TOLD_MAX} problems; the rest is not told");
            let mut cut = Diagnostic::error("too-many-problems", span, message);
            cut.severity = diagnostic.severity;
            self.cut = Some(cut.help("mend some of them first"));
        }
    }

    /// Whether more was found than is told: what only leads to further complaints can be left.
    pub(crate) fn is_full(&self) -> bool {
        self.cut.is_some()
    }

    /// Whether an error was reported since there were `before` complaints.
    pub(crate) fn has_errors_since(&self, before: usize) -> bool {
        let new = self.diagnostics.get(before..).unwrap_or_default().iter();
        new.chain(&self.cut)
            .any(|found| found.severity == Severity::Error)
    }

    /// Adds a help to the first error that was reported since there were `before` complaints.
    pub(crate) fn help_first_since(&mut self, before: usize, help: String) {
        let mut new = self.diagnostics.iter_mut().skip(before);
        if let Some(error) = new.find(|found| found.severity == Severity::Error) {
            error.help.push(help);
        }
    }

    /// Adds several.
    pub(crate) fn extend(&mut self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        for diagnostic in diagnostics {
            self.push(diagnostic);
        }
    }

    /// Whether an error was reported.
    pub(crate) fn has_errors(&self) -> bool {
        self.has_errors_since(0)
    }

    /// A word at `span` stands for so many things; `None`: with them the house is too large, which is reported.
    pub(crate) fn expand(&mut self, things: usize, span: &Span) -> Option<()> {
        let was_over = self.is_over();
        self.expanded = self.expanded.saturating_add(things);
        if !self.is_over() {
            return Some(());
        }
        if !was_over {
            let message =
                "groups, scenes and `*` stand for too many channels, triggers and actions";
            self.push(
                Diagnostic::error("house-too-large", span.clone(), message)
                    .label(format!("with these there are more than {EXPANDED_MAX}"))
                    .help("use smaller groups, or fewer rules about large ones"),
            );
        }
        None
    }

    /// Whether the house stands for more than it may.
    pub(crate) fn is_over(&self) -> bool {
        self.expanded > EXPANDED_MAX
    }

    /// How many complaints there are so far.
    pub(crate) fn len(&self) -> usize {
        self.diagnostics.len()
    }

    /// A group is declared at `span`.
    pub(crate) fn declare_group(&mut self, name: &str, span: Span) {
        self.groups.insert(name.to_owned(), Some(span));
    }

    /// Where a group is declared, for a complaint about what it holds: such a one is told once.
    pub(crate) fn group_to_blame(&mut self, name: &str) -> Option<Span> {
        self.groups.get_mut(name)?.take()
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

    /// Whether a channel of that name may be missing because of how it, or a whole device, was declared.
    pub(crate) fn may_lack_channel(&self, name: &str) -> bool {
        let mut broken = self.broken.iter();
        broken.any(|path| {
            let channel = path.split_once('.').map(|(_, channel)| channel);
            channel.is_none_or(|channel| channel == name)
        })
    }

    /// Whether something was declared in a broken way.
    pub(crate) fn declares_broken(&self) -> bool {
        !self.broken.is_empty()
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
        all.extend(self.cut);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_bounded_and_an_error_among_the_rest_is_still_one() {
        let warning = |at: usize| {
            let span = Span {
                bytes: at..at,
                ..Span::default()
            };
            Diagnostic::warning("strange", span, "strange")
        };
        let mut report = Report::default();
        report.extend((0..TOLD_MAX).map(warning));
        assert_eq!(report.cut, None);
        report.push(warning(0));
        let error = Diagnostic::error("wrong", Span::default(), "wrong");
        report.extend([error, warning(1)]);
        let all = report.into_sorted();
        assert_eq!(all.len(), TOLD_MAX + 1);
        let last = all.last().expect("there are some");
        assert_eq!(
            (last.code, last.severity),
            ("too-many-problems", Severity::Error)
        );
    }
}
