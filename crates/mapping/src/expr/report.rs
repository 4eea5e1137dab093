//! Collects what is wrong with one expression, with places inside its text.
//!
//! Used by every stage of the front end; the stages know byte ranges of the text only.

use std::ops::Range;

use super::Place;
use crate::{diagnostic::Diagnostic, source::Span};

/// Complaints about one expression, in the order in which they were found.
pub(super) struct Report<'a> {
    place: Place<'a>,
    /// What keeps the mapping from coming into force.
    pub(super) errors: Vec<Diagnostic>,
    /// Lints.
    pub(super) warnings: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    /// Nothing is wrong yet.
    pub(super) fn new(place: Place<'a>) -> Self {
        Self {
            place,
            errors: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The place in the file of a range of the text.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        (self.place)(range.clone())
    }

    /// Reports an error; `more` adds labels and help.
    pub(super) fn error(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let error = more(Diagnostic::error(code, self.span(range), message));
        push_new(&mut self.errors, error);
    }

    /// Reports a lint; `more` adds labels and help.
    pub(super) fn warning(
        &mut self,
        code: &'static str,
        range: &Range<usize>,
        message: impl Into<String>,
        more: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        let warning = more(Diagnostic::warning(code, self.span(range), message));
        push_new(&mut self.warnings, warning);
    }
}

/// A group's body is checked once for each member: the same complaint at the same place is one complaint.
fn push_new(list: &mut Vec<Diagnostic>, new: Diagnostic) {
    let place = |diagnostic: &Diagnostic| {
        let label = diagnostic.labels.first();
        (diagnostic.code, label.map(|label| label.span.clone()))
    };
    if !list.iter().any(|old| place(old) == place(&new)) {
        list.push(new);
    }
}
