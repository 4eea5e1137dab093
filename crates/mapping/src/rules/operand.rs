//! Values that actions write: constants, checked now, or `${..}`, computed later.

use types::Type;

use super::Compiler;
use crate::{
    constant,
    diagnostic::Diagnostic,
    expr,
    program::{Operand, Template},
    read::{Node, Table, Text},
};

impl Compiler<'_, '_> {
    /// Reads a value for a field of type `ty`; `what` names the field.
    pub(super) fn operand(&mut self, node: Node<'_>, ty: &Type, what: &str) -> Option<Operand> {
        let holes = node.as_text().filter(|text| text.text.contains("${"));
        let Some(text) = holes else {
            return constant::read(&mut self.house.report, node, ty, what).map(Operand::Const);
        };
        let Some(inside) = expr::whole_hole(text.text) else {
            return self.mixed(&text, what);
        };
        let (value, _) = self.with_scope(&text, false, |place, scope| {
            let start = inside.start;
            let shifted =
                |range: std::ops::Range<usize>| place(range.start + start..range.end + start);
            expr::value(&text.text[inside.clone()], &shifted, scope, Some(ty))
        })?;
        self.all.uses.expr(&value);
        Some(Operand::Expr(value))
    }

    /// Looks at values of which nobody knows what they are written to: what is wrong with them anyhow is told in the same go
    /// as that.
    pub(super) fn look_at(&mut self, table: &Table<'_>, but: &[&str]) {
        for (key, node) in table.entries() {
            let text = node.as_text().filter(|_| !but.contains(&key.name));
            if let Some(text) = text.filter(|text| text.text.contains("${")) {
                let _ = self.template(&text);
            }
        }
    }

    /// Text around a hole, or a hole that doesn't close: only messages have that.
    fn mixed<T>(&mut self, text: &Text<'_>, what: &str) -> Option<T> {
        // The template's own errors, e.g. an unclosed hole, say more.
        self.with_scope(text, false, |place, scope| {
            expr::template(text.text, place, scope)
        })?;
        let message = format!("a computed value of {what} is one `${{..}}` and nothing else");
        let error = Diagnostic::error("mixed-value", text.span(), message);
        self.house
            .report
            .push(error.help("compute inside of the braces; texts are joined by `+`"));
        None
    }

    /// Reads a text with holes.
    pub(super) fn template(&mut self, text: &Text<'_>) -> Option<Template> {
        let template = self.with_scope(text, false, |place, scope| {
            expr::template(text.text, place, scope)
        })?;
        self.all.uses.template(&template);
        Some(template)
    }
}
