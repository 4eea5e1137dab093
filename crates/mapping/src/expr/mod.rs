//! The front end of expressions: text -> tokens -> tree -> typed [`Expr`], and every complaint on the way.
//!
//! Called by the loader for `if`, `holds`, `${..}` and texts with holes. Must not know TOML, rules or
//! how an expression is run; evaluating what comes out can only yield a value or *unknown*.

use std::{ops::Range, sync::Arc};

use types::Type;

use crate::{
    diagnostic::Diagnostic,
    program::{EventIx, Expr, Program, Template},
    source::Span,
};

/// Maps a byte range of the expression's text to its place in the file.
pub type Place<'a> = &'a dyn Fn(Range<usize>) -> Span;

/// What names mean in one rule. Use one scope for all expressions of a rule, so that they share
/// [`Scope::used_fields`].
pub struct Scope<'a> {
    /// Tables and names are filled; rules need not be.
    pub program: &'a Program,
    /// Events that can trigger the rule; empty: `event.*` is an error.
    pub events: &'a [EventIx],
    /// Out: names of event fields that were read, in the order of [`Expr::EventField`]'s index.
    pub used_fields: Vec<Arc<str>>,
    /// Out: lints such as `never-true`; the rule's `allow` decides whether they are shown.
    pub warnings: Vec<Diagnostic>,
}

impl<'a> Scope<'a> {
    /// A scope for a rule that `events` can trigger.
    #[must_use]
    pub fn new(program: &'a Program, events: &'a [EventIx]) -> Self {
        Self {
            program,
            events,
            used_fields: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// Compiles `if` or `holds`: an expression that is true or false.
///
/// # Errors
/// Everything that is wrong with the text, each with its own place.
pub fn condition(
    _text: &str,
    _place: Place<'_>,
    _scope: &mut Scope<'_>,
) -> Result<Expr, Vec<Diagnostic>> {
    Err(Vec::new())
}

/// Compiles what stands between `${` and `}`. Where `expected` is given, the value can be written
/// there: a constant fits it, a computed number is rounded and clamped later.
///
/// # Errors
/// Everything that is wrong with the text, each with its own place.
pub fn value(
    _text: &str,
    _place: Place<'_>,
    _scope: &mut Scope<'_>,
    _expected: Option<&Type>,
) -> Result<(Expr, Type), Vec<Diagnostic>> {
    Err(Vec::new())
}

/// Compiles a text with holes: `"text ${expr} text"`; `$${` stands for `${` itself.
///
/// # Errors
/// Everything that is wrong in any hole, each with its own place.
pub fn template(
    _text: &str,
    _place: Place<'_>,
    _scope: &mut Scope<'_>,
) -> Result<Template, Vec<Diagnostic>> {
    Err(Vec::new())
}

/// Where the expression stands in a text that is nothing but one hole: `"${expr}"`.
#[must_use]
pub fn whole_hole(_text: &str) -> Option<Range<usize>> {
    None
}
