//! What the rules of a house read: which variables and scenes are used, and whether the home's place
//! and time zone are needed.

use crate::{
    diagnostic::Diagnostic,
    house::House,
    program::{Expr, Program, Template, VarIx},
    source::Span,
};

/// What has been used so far.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// For each variable: whether an expression reads it.
    vars: Vec<bool>,
    /// Names of scenes that an action sets.
    pub(crate) scenes: std::collections::BTreeSet<String>,
    /// Where a rule first waits for a time of day.
    time_of_day: Option<Span>,
}

impl Uses {
    /// Nothing is used yet.
    pub(super) fn new(program: &Program) -> Self {
        Self {
            vars: vec![false; program.vars.len()],
            ..Self::default()
        }
    }

    /// Whether an expression reads the variable.
    pub(crate) fn reads_var(&self, var: VarIx) -> bool {
        self.vars.get(var.index()).copied().unwrap_or(false)
    }

    /// A rule waits for a time of day at `span`.
    pub(super) fn time_of_day(&mut self, span: &Span) {
        self.time_of_day.get_or_insert_with(|| span.clone());
    }

    /// Takes note of what `expr` reads.
    pub(super) fn expr(&mut self, expr: &Expr) {
        expr.walk(&mut |part| {
            if let Expr::Var(var) = part
                && let Some(read) = self.vars.get_mut(var.index())
            {
                *read = true;
            }
        });
    }

    /// As [`Self::expr`].
    pub(super) fn template(&mut self, template: &Template) {
        for piece in &template.0 {
            if let crate::program::Piece::Expr(expr) = piece {
                self.expr(expr);
            }
        }
    }

    /// Reports a home that lacks what times of day need; the sun and `now` are checked where they are read.
    pub(super) fn require_home(&self, house: &mut House<'_>) {
        let Some(span) = &self.time_of_day else {
            return;
        };
        if house.program.home.timezone.is_some() || house.report.is_broken("home") {
            return;
        }
        let message = "times of day need the home's time zone";
        let error = Diagnostic::error("home-missing", span.clone(), message);
        let help = "add `timezone = \"Europe/Berlin\"` or yours to [home]";
        house.report.push(match &house.home_span {
            Some(home) => error
                .also(home.clone(), "it does not stand here")
                .help(help),
            None => error.help(help),
        });
    }
}
