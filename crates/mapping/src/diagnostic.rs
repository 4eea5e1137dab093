//! What is wrong with a mapping, said so that a person can mend it: place, source line, label, help.

use crate::source::Span;

/// How bad it is. Errors keep a mapping from coming into force, warnings don't.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The mapping can't come into force.
    Error,
    /// Most likely not what was meant; `allow = ["code"]` silences it.
    Warning,
}

/// Longest sentence of a complaint in bytes. People's words stand in them, and those may be of any length.
const SENTENCE_BYTES_MAX: usize = 1_000;

/// One complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable name of the message, e.g. `unknown-name`; for lints the name that `allow` takes.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// One sentence without a full stop: what is wrong.
    pub message: String,
    /// Where, with a few words each; the first is the primary place.
    pub labels: Vec<Label>,
    /// How to mend it, "did you mean ..." first.
    pub help: Vec<String>,
}

/// A place in a file and what it has to do with the complaint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// A few words, may be empty.
    pub text: String,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message)
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message)
    }

    fn new(code: &'static str, severity: Severity, span: Span, message: impl Into<String>) -> Self {
        let labels = vec![Label {
            span,
            text: String::new(),
        }];
        Self {
            code,
            severity,
            message: shortened(message.into()),
            labels,
            help: Vec::new(),
        }
    }

    /// Says a few words at the primary place.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(first) = self.labels.first_mut() {
            first.text = shortened(text.into());
        }
        self
    }

    /// Points at a second place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: shortened(text.into()),
        });
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(shortened(text.into()));
        self
    }
}

/// A sentence without its middle, where it is longer than anybody reads.
fn shortened(text: String) -> String {
    if text.len() <= SENTENCE_BYTES_MAX {
        return text;
    }
    let start = text.floor_char_boundary(SENTENCE_BYTES_MAX / 2);
    let end = text.ceil_char_boundary(text.len() - SENTENCE_BYTES_MAX / 4);
    format!("{} .. {}", &text[..start], &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_giant_word_does_not_make_a_giant_message() {
        let giant = "ä".repeat(1_000_000);
        let found = Diagnostic::error("x", Span::default(), format!("`{giant}` is no key"))
            .label(&*giant)
            .help("short");
        assert!(found.message.len() < SENTENCE_BYTES_MAX);
        assert!(found.message.starts_with("`ä") && found.message.ends_with("ä` is no key"));
        assert!(found.labels[0].text.len() < SENTENCE_BYTES_MAX);
        assert_eq!(found.help, ["short"]);
    }
}
