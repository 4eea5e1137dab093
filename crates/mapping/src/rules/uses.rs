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
    /// Where the sun is first read.
    sun: Option<Span>,
    /// Where local time is first read.
    clock: Option<Span>,
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

    /// Local time is needed at `span`.
    pub(super) fn clock(&mut self, span: &Span) {
        self.clock.get_or_insert_with(|| span.clone());
    }

    /// Takes note of what `expr`, written at `span`, reads.
    pub(super) fn expr(&mut self, expr: &Expr, span: &Span) {
        match expr {
            Expr::Var(var) => {
                if let Some(read) = self.vars.get_mut(var.index()) {
                    *read = true;
                }
            }
            Expr::Sun(_) => {
                self.sun.get_or_insert_with(|| span.clone());
            }
            Expr::Now(_) => self.clock(span),
            Expr::Const(_)
            | Expr::EventField(_)
            | Expr::State(_)
            | Expr::Target(_)
            | Expr::Online(_)
            | Expr::Has(_)
            | Expr::Age(_) => {}
            Expr::Not(inner) | Expr::Neg(inner) | Expr::In(inner, _) => self.expr(inner, span),
            Expr::And(parts) | Expr::Or(parts) | Expr::Count(parts) | Expr::Call(_, parts) => {
                parts.iter().for_each(|part| self.expr(part, span));
            }
            Expr::Binary(_, sides) => {
                self.expr(&sides.0, span);
                self.expr(&sides.1, span);
            }
            Expr::If(parts) => {
                self.expr(&parts.0, span);
                self.expr(&parts.1, span);
                self.expr(&parts.2, span);
            }
        }
    }

    /// As [`Self::expr`].
    pub(super) fn template(&mut self, template: &Template, span: &Span) {
        for piece in &template.0 {
            if let crate::program::Piece::Expr(expr) = piece {
                self.expr(expr, span);
            }
        }
    }

    /// Reports a home that lacks what the rules need of it.
    pub(super) fn require_home(&self, house: &mut House<'_>) {
        if house.report.is_broken("home") {
            return;
        }
        let home = &house.program.home;
        let mut missing = Vec::new();
        if let (Some(span), None) = (self.clock.as_ref().or(self.sun.as_ref()), &home.timezone) {
            missing.push((
                span,
                "times of day need the home's time zone",
                "timezone = \"Europe/Berlin\"",
            ));
        }
        if let (Some(span), true) = (
            &self.sun,
            home.latitude.is_none() || home.longitude.is_none(),
        ) {
            missing.push((
                span,
                "the sun needs the home's place",
                "latitude = 52.52 and longitude = 13.40",
            ));
        }
        for (span, message, example) in missing {
            let error = Diagnostic::error("missing-home", span.clone(), message);
            house.report.push(match &house.home_span {
                Some(home) => error
                    .also(home.clone(), "it does not stand here")
                    .help(format!("add for example {example}")),
                None => error.help(format!("add a table [home] with for example {example}")),
            });
        }
    }
}
