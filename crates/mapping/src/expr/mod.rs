//! The front end of expressions: text -> tokens -> tree -> typed [`Expr`], and every complaint on the way.
//!
//! Called by the loader for `if`, `holds`, `${..}` and texts with holes. Must not know TOML, rules or
//! how an expression is run; evaluating what comes out can only yield a value or *unknown*.

mod apply;
mod check;
mod fold;
mod hole;
mod kind;
mod parse;
mod report;
mod token;
mod tree;
pub mod words;

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use types::{Type, Value};

use crate::{
    diagnostic::Diagnostic,
    habits,
    index::Mention,
    program::{EventIx, Expr, Piece, Program, Template},
    source::Span,
};
use check::Checker;
use hole::Part;
use report::Report;
use tree::Node;

/// Longest expression in bytes: longer ones are no longer readable by people.
const BYTES_MAX: usize = 1_000;

/// Longest expression that help repeats.
const SHOWN_BYTES_MAX: usize = 100;

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
    /// Out: where names of the house stand; `None`: nobody wants to know.
    pub mentions: Option<Vec<Mention>>,
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
            mentions: None,
        }
    }
}

/// Compiles `if` or `holds`: an expression that is true or false.
///
/// # Errors
/// Everything that is wrong with the text, each with its own place.
pub fn condition(
    text: &str,
    place: Place<'_>,
    scope: &mut Scope<'_>,
) -> Result<Expr, Vec<Diagnostic>> {
    compile(text, place, scope, |checker, node| {
        let expr = checker.truth(node, "a condition")?;
        if let Expr::Const(Value::Bool(truth)) = expr {
            checker.constant_condition(node, truth);
        }
        Some(expr)
    })
}

/// Compiles what stands between `${` and `}`. Where `expected` is given, the value can be written
/// there: a constant fits it, a computed number is rounded and clamped later.
///
/// # Errors
/// Everything that is wrong with the text, each with its own place.
pub fn value(
    text: &str,
    place: Place<'_>,
    scope: &mut Scope<'_>,
    expected: Option<&Type>,
) -> Result<(Expr, Type), Vec<Diagnostic>> {
    compile(text, place, scope, |checker, node| {
        let typed = checker.check(node)?;
        if let Some(expected) = expected {
            checker.fits(node, &typed, expected)?;
        }
        Some((typed.expr, typed.kind.to_type()))
    })
}

/// Compiles a text with holes: `"text ${expr} text"`; `$${` stands for `${` itself.
///
/// # Errors
/// Everything that is wrong in any hole, each with its own place.
pub fn template(
    text: &str,
    place: Place<'_>,
    scope: &mut Scope<'_>,
) -> Result<Template, Vec<Diagnostic>> {
    let parts = hole::parts(text).map_err(|open| vec![unclosed(place(open))])?;
    if let Some(range) = hole::lookalike(text, &parts) {
        let warning =
            Diagnostic::warning("not-computed", place(range), "this is sent as it stands");
        scope
            .warnings
            .push(warning.help("a computed value is written ${..}, as in ${state.hall.lux}"));
    }
    let mut pieces = Vec::with_capacity(parts.len());
    let mut errors = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => pieces.push(Piece::Text(text.into())),
            Part::Hole(range) => {
                let inside =
                    |inner: Range<usize>| place(range.start + inner.start..range.start + inner.end);
                match value(&text[range.clone()], &inside, scope, None) {
                    Ok((expr, _)) => pieces.push(Piece::Expr(expr)),
                    Err(more) => errors.extend(more),
                }
            }
        }
    }
    if errors.is_empty() {
        Ok(Template(pieces))
    } else {
        Err(errors)
    }
}

/// Where the expression stands in a text that is nothing but one hole: `"${expr}"`.
#[must_use]
pub fn whole_hole(text: &str) -> Option<Range<usize>> {
    match hole::parts(text).ok()?.as_slice() {
        [Part::Hole(range)] => Some(range.clone()),
        _ => None,
    }
}

fn unclosed(span: Span) -> Diagnostic {
    Diagnostic::error("syntax", span, "`${` has no closing `}`")
        .help("write `$${` where no computed value is meant")
}

fn compile<T>(
    text: &str,
    place: Place<'_>,
    scope: &mut Scope<'_>,
    finish: impl FnOnce(&mut Checker<'_, '_, '_>, &Node) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let mut report = Report::new(place);
    if let Some(inner) = habits::without_template(text) {
        let message = "`{{ .. }}` is a template of another program";
        let written = match text.len() <= SHOWN_BYTES_MAX {
            true => inner,
            false => "..",
        };
        report.error("syntax", &(0..text.len()), message, |e| {
            e.help(format!("a condition stands bare: write \"{written}\""))
        });
        return Err(report.errors);
    }
    if text.len() > BYTES_MAX {
        let message = format!(
            "this expression is {} bytes long, more than {BYTES_MAX}",
            text.len()
        );
        report.error("expression-too-long", &(0..text.len()), message, |e| {
            e.help("split it into several rules, or keep a part of it in a variable")
        });
        return Err(report.errors);
    }
    let compiled = parse::parse(text, &mut report)
        .and_then(|node| finish(&mut Checker::new(text, scope, &mut report), &node));
    scope.warnings.append(&mut report.warnings);
    match compiled {
        Some(compiled) if report.errors.is_empty() => Ok(compiled),
        _ => Err(report.errors),
    }
}
