//! Types of operators.

use std::sync::Arc;

use types::Value;

use super::{Checker, Typed};
use crate::{
    expr::{
        fold,
        kind::{Kind, listed},
        token::seconds,
        tree::{Node, NodeKind},
    },
    program::{Binary, Expr},
    suggest::closest,
};

impl Checker<'_, '_, '_> {
    pub(super) fn negative(&mut self, inner: &Node) -> Option<Typed> {
        let typed = self.number(inner, "`-`")?;
        let kind = match typed.kind {
            Kind::Number { min, max } => Kind::Number {
                min: -max,
                max: -min,
            },
            kind => kind,
        };
        Some(Typed {
            expr: fold::neg(typed.expr),
            kind,
        })
    }

    pub(super) fn binary(
        &mut self,
        node: &Node,
        operator: Binary,
        sides: &(Node, Node),
    ) -> Option<Typed> {
        match operator {
            Binary::Eq | Binary::Ne => self.equality(node, operator, sides),
            Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                self.ordering(node, operator, sides)
            }
            Binary::Add | Binary::Sub | Binary::Mul | Binary::Div | Binary::Rem => {
                self.arithmetic(node, operator, sides)
            }
        }
    }

    /// Both sides, each reported on its own.
    fn sides(&mut self, sides: &(Node, Node)) -> Option<(Typed, Typed)> {
        let left = self.check(&sides.0);
        let right = self.check(&sides.1);
        Some((left?, right?))
    }

    fn equality(&mut self, node: &Node, operator: Binary, sides: &(Node, Node)) -> Option<Typed> {
        let (left, right) = self.sides(sides)?;
        self.comparable((&sides.0, &sides.1), &left.kind, &right.kind)?;
        self.lint_ranges(node, operator, &left, &right);
        self.comparison(node, operator, left.expr, right.expr)
    }

    /// Whether `==` makes sense between the sides.
    fn comparable(&mut self, sides: (&Node, &Node), left: &Kind, right: &Kind) -> Option<()> {
        match (left, right) {
            (Kind::Bool, Kind::Bool)
            | (Kind::Number { .. }, Kind::Number { .. })
            | (Kind::Text | Kind::Literal(_), Kind::Text | Kind::Literal(_)) => Some(()),
            (Kind::Enum(names), Kind::Literal(texts)) => self.enum_names(sides.1, names, texts),
            (Kind::Literal(texts), Kind::Enum(names)) => self.enum_names(sides.0, names, texts),
            (Kind::Enum(left), Kind::Enum(right))
                if left.iter().any(|name| right.contains(name)) =>
            {
                Some(())
            }
            _ => {
                self.mismatch(sides, left, right);
                None
            }
        }
    }

    /// Literal texts that stand for names of an enum.
    pub(in crate::expr) fn enum_names(
        &mut self,
        node: &Node,
        names: &Arc<[Arc<str>]>,
        texts: &[Arc<str>],
    ) -> Option<()> {
        let Some(wrong) = texts.iter().find(|text| !names.contains(text)) else {
            return Some(());
        };
        // Whose word says what something is not means none of the words that are like it.
        let negated = wrong.strip_prefix("not_").or(wrong.strip_prefix("not "));
        let negated = negated.filter(|rest| names.iter().any(|name| **name == **rest));
        let near = closest(wrong, names.iter().map(|name| &**name));
        let message = format!("'{wrong}' is none of {}", listed(names));
        let help = match (negated, near) {
            (Some(rest), _) => format!(
                "it can be: {}; that it is not '{rest}' is written != '{rest}'",
                listed(names)
            ),
            (None, Some(near)) => format!("did you mean '{near}'?"),
            (None, None) => format!("it can be: {}", listed(names)),
        };
        self.report
            .error("unknown-enum-name", &node.range, message, |e| e.help(help));
        None
    }

    fn mismatch(&mut self, sides: (&Node, &Node), left: &Kind, right: &Kind) {
        // Complain about the literal, where there is one: that is what people change.
        let literal_left = matches!(
            sides.0.kind,
            NodeKind::Number(_) | NodeKind::Text(_) | NodeKind::Bool(_)
        );
        let ((wrong, wrong_kind), (other, other_kind)) = if literal_left {
            ((sides.0, left), (sides.1, right))
        } else {
            ((sides.1, right), (sides.0, left))
        };
        let message = format!(
            "`{}` is {}, {} is {}",
            self.written(&other.range),
            other_kind.described(),
            quoted_once(self.written(&wrong.range)),
            wrong_kind.described(),
        );
        let help = help_for(self.written(&wrong.range), wrong_kind, other_kind);
        let other_span = self.report.span(&other.range);
        let kind_name = wrong_kind.a_name();
        self.report
            .error("type-mismatch", &wrong.range, message, |e| {
                let e = e
                    .label(format!("this is {kind_name}"))
                    .also(other_span, format!("this is {}", other_kind.a_name()));
                match help {
                    Some(help) => e.help(help),
                    None => e.help("values of different types are never equal here"),
                }
            });
    }

    fn ordering(&mut self, node: &Node, operator: Binary, sides: &(Node, Node)) -> Option<Typed> {
        let (left, right) = self.sides(sides)?;
        match (left.kind.is_number(), right.kind.is_number()) {
            (true, true) => {}
            (false, false) => {
                let of = format!("`{}`", symbol(operator));
                self.not_a(&sides.0, &left.kind, "numbers", &of);
                return None;
            }
            _ => {
                self.mismatch((&sides.0, &sides.1), &left.kind, &right.kind);
                return None;
            }
        }
        self.lint_ranges(node, operator, &left, &right);
        self.comparison(node, operator, left.expr, right.expr)
    }

    fn comparison(
        &mut self,
        node: &Node,
        operator: Binary,
        left: Expr,
        right: Expr,
    ) -> Option<Typed> {
        let Some(expr) = fold::binary(operator, left, right) else {
            self.always_unknown(node, "these can't be compared");
            return None;
        };
        Some(Typed::bool(expr))
    }

    fn arithmetic(&mut self, node: &Node, operator: Binary, sides: &(Node, Node)) -> Option<Typed> {
        let (left, right) = self.sides(sides)?;
        let joins = operator == Binary::Add && left.kind.is_text() && right.kind.is_text();
        if !joins {
            self.numbers(operator, sides, &left.kind, &right.kind)?;
        }
        let Some(expr) = fold::binary(operator, left.expr, right.expr) else {
            let why = match operator {
                Binary::Div | Binary::Rem => "division by zero",
                _ => "the result is larger than any number",
            };
            self.always_unknown(node, why);
            return None;
        };
        let kind = match &expr {
            Expr::Const(Value::Number(value)) => Kind::Number {
                min: *value,
                max: *value,
            },
            Expr::Const(Value::Text(text)) => Kind::Literal(vec![text.clone()]),
            _ if joins => Kind::Text,
            _ => Kind::NUMBER,
        };
        Some(Typed { expr, kind })
    }

    fn numbers(
        &mut self,
        operator: Binary,
        sides: &(Node, Node),
        left: &Kind,
        right: &Kind,
    ) -> Option<()> {
        if left.is_number() && right.is_number() {
            return Some(());
        }
        let of = format!("`{}`", symbol(operator));
        let text_joined = operator == Binary::Add && (left.is_text() || right.is_text());
        for (node, kind) in [(&sides.0, left), (&sides.1, right)] {
            if text_joined && !kind.is_text() {
                let written = self.written(&node.range);
                let message = format!("`{written}` is {}, `+` joins only texts", kind.described());
                self.report
                    .error("type-mismatch", &node.range, message, |e| {
                        e.label(format!("this is {}", kind.a_name()))
                            .help(format!("put it into the text: \"..${{{written}}}..\""))
                    });
            } else if !text_joined && !kind.is_number() {
                self.not_a(node, kind, "a number", &of);
            }
        }
        None
    }

    /// `x in [..]`.
    pub(super) fn contained(&mut self, sides: &(Node, Node)) -> Option<Typed> {
        let left = self.check(&sides.0);
        let NodeKind::List(items) = &sides.1.kind else {
            if matches!(sides.1.kind, NodeKind::Broken) {
                return None;
            }
            let message = "`in` takes a list";
            let help = format!(
                "write `{} in [a, b]`; for a part of a text: contains(text, part)",
                self.written(&sides.0.range)
            );
            self.report
                .error("type-mismatch", &sides.1.range, message, |e| e.help(help));
            return None;
        };
        if items.is_empty() {
            self.report
                .error("syntax", &sides.1.range, "this list is empty", |e| {
                    e.label("nothing is in it")
                });
            return None;
        }
        let checked: Vec<Option<Typed>> = items.iter().map(|item| self.check(item)).collect();
        let left = left?;
        let mut parts = Vec::with_capacity(items.len());
        let mut all_fit = true;
        for (item, typed) in items.iter().zip(checked) {
            let fits = typed.and_then(|typed| {
                self.comparable((&sides.0, item), &left.kind, &typed.kind)?;
                self.lint_ranges(item, Binary::Eq, &left, &typed);
                Some(typed.expr)
            });
            all_fit &= fits.is_some();
            parts.extend(fits);
        }
        all_fit.then(|| Typed::bool(membership(left.expr, parts)))
    }

    pub(super) fn lone_list(&mut self, node: &Node) -> Option<Typed> {
        let message = "a list can only stand behind `in`";
        self.report
            .error("type-mismatch", &node.range, message, |e| {
                e.help("write `event.key in [60, 64]`")
            });
        None
    }

    /// `c ? a : b`.
    pub(super) fn choice(&mut self, node: &Node, parts: &(Node, Node, Node)) -> Option<Typed> {
        let condition = self.truth(&parts.0, "the part before `?`");
        let then = self.check(&parts.1);
        let otherwise = self.check(&parts.2);
        let (condition, then, otherwise) = (condition?, then?, otherwise?);
        let Some(kind) = then.kind.joined(&otherwise.kind) else {
            let message = format!(
                "`{}` is {}, `{}` is {}",
                self.written(&parts.1.range),
                then.kind.described(),
                self.written(&parts.2.range),
                otherwise.kind.described()
            );
            let second = self.report.span(&parts.1.range);
            self.report
                .error("type-mismatch", &parts.2.range, message, |e| {
                    e.label(format!("this is {}", otherwise.kind.a_name()))
                        .also(second, format!("this is {}", then.kind.a_name()))
                        .help("both sides of `:` must have the same type")
                });
            return None;
        };
        if let Expr::Const(Value::Bool(truth)) = condition {
            let used = if truth { "first" } else { "second" };
            let code = if truth { "always-true" } else { "never-true" };
            let message = format!("only the {used} side of `:` is ever used");
            self.report.warning(code, &node.range, message, |w| w);
        }
        Some(Typed {
            expr: fold::choose(condition, then.expr, otherwise.expr),
            kind,
        })
    }

    /// Warns where the ranges of both sides decide a comparison.
    fn lint_ranges(&mut self, node: &Node, operator: Binary, left: &Typed, right: &Typed) {
        let (
            Kind::Number { min, max },
            Kind::Number {
                min: low,
                max: high,
            },
        ) = (&left.kind, &right.kind)
        else {
            return;
        };
        let decided = match operator {
            Binary::Lt => always_never(max < low, min >= high),
            Binary::Le => always_never(max <= low, min > high),
            Binary::Gt => always_never(min > high, max <= low),
            Binary::Ge => always_never(min >= high, max < low),
            Binary::Eq => always_never(false, max < low || min > high),
            Binary::Ne => always_never(max < low || min > high, false),
            _ => None,
        };
        let constant = |typed: &Typed| matches!(typed.expr, Expr::Const(_));
        let (Some(truth), false) = (decided, constant(left) && constant(right)) else {
            return;
        };
        let (code, word) = if truth {
            ("always-true", "always")
        } else {
            ("never-true", "never")
        };
        let ((min, max), name) = if constant(left) {
            ((low, high), "the right side")
        } else {
            ((min, max), "the left side")
        };
        let message = format!("this is {word} true");
        let label = format!("{name} is in {min}..{max}");
        self.report
            .warning(code, &node.range, message, |w| w.label(label));
    }
}

fn always_never(always: bool, never: bool) -> Option<bool> {
    match (always, never) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

/// Constants become one list; others become `x == a || ..`.
fn membership(left: Expr, parts: Vec<Expr>) -> Expr {
    let constants: Option<Arc<[Value]>> = parts
        .iter()
        .map(|part| match part {
            Expr::Const(value) => Some(value.clone()),
            _ => None,
        })
        .collect();
    match (constants, left) {
        (Some(constants), Expr::Const(value)) => Expr::Const(constants.contains(&value).into()),
        (Some(constants), left) => Expr::In(Box::new(left), constants),
        (None, left) => {
            let equal = |part| Expr::Binary(Binary::Eq, Box::new((left.clone(), part)));
            fold::or(parts.into_iter().map(equal).collect())
        }
    }
}

/// How an operator is written.
pub(super) fn symbol(operator: Binary) -> &'static str {
    match operator {
        Binary::Eq => "==",
        Binary::Ne => "!=",
        Binary::Lt => "<",
        Binary::Le => "<=",
        Binary::Gt => ">",
        Binary::Ge => ">=",
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::Rem => "%",
    }
}

fn quoted_once(written: &str) -> String {
    if written.starts_with(['\'', '"']) {
        written.to_owned()
    } else {
        format!("`{written}`")
    }
}

/// How to write `written`, which is `kind`, where the other side is `other`.
fn help_for(written: &str, kind: &Kind, other: &Kind) -> Option<String> {
    match (kind, other) {
        (Kind::Literal(_), Kind::Number { .. }) => rewritten(written, kind, true),
        (Kind::Literal(texts), Kind::Bool) => {
            let text = texts.first()?.to_lowercase();
            let value = match &*text {
                "true" | "on" | "yes" | "1" => "true",
                "false" | "off" | "no" | "0" => "false",
                _ => return Some("write `true` or `false`".to_owned()),
            };
            Some(format!("write {value}"))
        }
        (Kind::Number { min, max }, Kind::Bool) if min == max => {
            Some(format!("write {}", *min != 0.0))
        }
        (Kind::Number { min, max }, Kind::Text) if min == max => Some(format!("write '{written}'")),
        (Kind::Bool | Kind::Number { .. }, Kind::Enum(names)) => {
            Some(format!("it can be: {}", listed(names)))
        }
        (Kind::Text, Kind::Enum(_)) | (Kind::Enum(_), Kind::Text) => Some(
            "an enum can only be compared with its own names, or with the same enum".to_owned(),
        ),
        _ => None,
    }
}

/// A literal text as the number that it holds.
pub(super) fn rewritten(written: &str, kind: &Kind, number: bool) -> Option<String> {
    let (Kind::Literal(texts), true) = (kind, number) else {
        return None;
    };
    let text = texts.first()?.trim();
    if text.parse::<f64>().is_ok_and(f64::is_finite) {
        return Some(format!("write {text}"));
    }
    match seconds(text) {
        Some(seconds) => Some(format!("times are in seconds here: write {seconds}")),
        None => Some(format!("{written} is no number")),
    }
}
