//! Whether a whole expression fits the place where it is written.

use types::{Type, Value};

use super::{Checker, Typed};
use crate::{
    expr::{
        kind::{Kind, listed},
        tree::Node,
    },
    program::Expr,
};

impl Checker<'_, '_, '_> {
    /// A condition that constants decide.
    pub(in crate::expr) fn constant_condition(&mut self, node: &Node, truth: bool) {
        let (code, message) = if truth {
            ("always-true", "this condition is always true")
        } else {
            ("never-true", "this condition is never true")
        };
        self.report.warning(code, &node.range, message, |w| w);
    }

    /// Whether a value can be written where `expected` is taken; a computed number always can, it is
    /// rounded and clamped.
    pub(in crate::expr) fn fits(
        &mut self,
        node: &Node,
        typed: &Typed,
        expected: &Type,
    ) -> Option<()> {
        match (expected, &typed.kind) {
            (Type::Bool, Kind::Bool) => Some(()),
            (Type::Int { .. } | Type::Number { .. }, Kind::Number { .. })
            | (Type::Text, Kind::Text | Kind::Literal(_) | Kind::Enum(_)) => {
                self.constant_fits(node, typed, expected)
            }
            (Type::Enum(names), Kind::Literal(texts)) => self.enum_names(node, names, texts),
            (Type::Enum(names), Kind::Enum(own)) if own.iter().all(|name| names.contains(name)) => {
                Some(())
            }
            _ => {
                self.unfit(node, typed, expected);
                None
            }
        }
    }

    fn constant_fits(&mut self, node: &Node, typed: &Typed, expected: &Type) -> Option<()> {
        let Expr::Const(value) = &typed.expr else {
            return Some(());
        };
        let Err(refusal) = expected.check(value) else {
            return Some(());
        };
        let written = self.written(&node.range);
        let message = format!("`{written}` {refusal}");
        self.report
            .error("out-of-range", &node.range, message, |e| e);
        None
    }

    fn unfit(&mut self, node: &Node, typed: &Typed, expected: &Type) {
        let written = self.written(&node.range);
        let expected_kind = Kind::of(expected);
        let message = format!(
            "`{written}` is {}, {} is taken here",
            typed.kind.described(),
            expected_kind.described()
        );
        let help = match (expected, &typed.expr) {
            (Type::Bool, _) if typed.kind.is_number() => format!("compare it: `{written} > 0`"),
            (Type::Int { .. } | Type::Number { .. }, _) if typed.kind == Kind::Bool => {
                format!("choose a number: `{written} ? 1 : 0`")
            }
            (Type::Int { .. } | Type::Number { .. }, Expr::Const(Value::Text(_))) => {
                "write the number without quotes".to_owned()
            }
            (Type::Enum(names), _) => format!("it can be: {}", listed(names)),
            _ => "values are never converted".to_owned(),
        };
        self.report
            .error("type-mismatch", &node.range, message, |e| {
                e.label(format!("this is {}", typed.kind.a_name()))
                    .help(help)
            });
    }
}
