//! Tree -> typed [`Expr`]: every name is resolved against the house, every operator's types fit.
//!
//! Called by the front end. Reports everything it can find in one pass: what can't be typed is `None`
//! and causes no further complaints. Must not know TOML or rules.

pub(super) mod call;
mod contradiction;
mod group;
mod name;
mod operator;
mod slot;
mod target;

use std::{ops::Range, sync::Arc};

use types::Value;

use super::{Scope, fold, kind::Kind, report::Report, tree::Node, tree::NodeKind};
use crate::{
    index::{Mention, Symbol},
    program::{ChannelIx, Expr},
};

/// How many nodes one expression may have once groups are expanded: about 0.1 ms to evaluate.
const COST_MAX: usize = 10_000;

/// A checked expression and its kind.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) expr: Expr,
    pub(super) kind: Kind,
}

impl Typed {
    fn bool(expr: Expr) -> Self {
        Self {
            expr,
            kind: Kind::Bool,
        }
    }
}

/// Checks one expression.
pub(super) struct Checker<'c, 's, 'r> {
    text: &'c str,
    scope: &'c mut Scope<'s>,
    report: &'c mut Report<'r>,
    loops: Vec<Loop<'c>>,
    cost: usize,
}

/// A variable of `all`, `exists` or `count` and the member that it stands for.
struct Loop<'c> {
    name: &'c str,
    group: Arc<str>,
    member: ChannelIx,
}

impl<'c, 's, 'r> Checker<'c, 's, 'r> {
    pub(super) fn new(text: &'c str, scope: &'c mut Scope<'s>, report: &'c mut Report<'r>) -> Self {
        Self {
            text,
            scope,
            report,
            loops: Vec::new(),
            cost: 0,
        }
    }

    /// The typed form of `node`; `None`: reported.
    pub(super) fn check(&mut self, node: &Node) -> Option<Typed> {
        self.pay(node)?;
        match &node.kind {
            NodeKind::Number(value) => Some(Typed {
                expr: Expr::Const(Value::Number(*value)),
                kind: Kind::Number {
                    min: *value,
                    max: *value,
                },
            }),
            NodeKind::Text(text) => Some(Typed {
                expr: Expr::Const(Value::Text(text.clone())),
                kind: Kind::Literal(vec![text.clone()]),
            }),
            NodeKind::Bool(value) => Some(Typed::bool(Expr::Const(Value::Bool(*value)))),
            NodeKind::List(_) => self.lone_list(node),
            NodeKind::Path(names) => self.path(&node.range, names),
            NodeKind::Call(name, arguments) => self.call(node, name, None, arguments),
            NodeKind::Method(on, name, arguments) => self.method(node, on, name, arguments),
            NodeKind::Not(inner) => {
                let inner = self.truth(inner, "`!`")?;
                Some(Typed::bool(fold::not(inner)))
            }
            NodeKind::Neg(inner) => self.negative(inner),
            NodeKind::And(parts) => {
                let parts = self.truths(parts, "`&&`")?;
                Some(Typed::bool(self.all_of(node, parts)))
            }
            NodeKind::Or(parts) => {
                let parts = self.truths(parts, "`||`")?;
                Some(Typed::bool(self.any_of(node, parts)))
            }
            NodeKind::Binary(operator, sides) => self.binary(node, *operator, sides),
            NodeKind::In(sides) => self.contained(sides),
            NodeKind::If(parts) => self.choice(node, parts),
            NodeKind::Broken => None,
        }
    }

    /// Groups multiply what their body costs; this keeps nested ones from growing without a bound.
    fn pay(&mut self, node: &Node) -> Option<()> {
        self.cost += 1;
        if self.cost <= COST_MAX {
            return Some(());
        }
        if self.cost == COST_MAX + 1 {
            let message = format!("this expands to more than {COST_MAX} steps");
            self.report
                .error("expression-too-costly", &node.range, message, |e| {
                    e.help("use smaller groups, or don't nest all(), exists() and count()")
                });
        }
        None
    }

    /// Takes note of a name, where somebody wants to know.
    fn mention(&mut self, range: &Range<usize>, symbol: impl FnOnce() -> Symbol) {
        if let Some(mentions) = &mut self.scope.mentions {
            mentions.push(Mention {
                span: self.report.span(range),
                symbol: symbol(),
                declares: false,
            });
        }
    }

    fn written(&self, range: &Range<usize>) -> &'c str {
        &self.text[range.clone()]
    }

    /// A part that must be true or false.
    pub(super) fn truth(&mut self, node: &Node, of: &str) -> Option<Expr> {
        let typed = self.check(node)?;
        if typed.kind == Kind::Bool {
            return Some(typed.expr);
        }
        let written = self.written(&node.range);
        let what = typed.kind.described();
        let message = format!("`{written}` is {what}, {of} takes true or false");
        let help = match &typed.kind {
            Kind::Number { .. } => format!("compare it: `{written} > 0`"),
            Kind::Enum(names) => match names.first() {
                Some(first) => format!("compare it: `{written} == '{first}'`"),
                None => String::from("compare it"),
            },
            Kind::Literal(_) => "texts are compared: `var.name == 'text'`".to_owned(),
            Kind::Text | Kind::Bool => format!("compare it: `{written} == 'text'`"),
        };
        self.report
            .error("type-mismatch", &node.range, message, |e| {
                e.label(format!("this is {}", typed.kind.a_name()))
                    .help(help)
            });
        None
    }

    /// Several such parts; all are checked before the first failure counts.
    fn truths(&mut self, nodes: &[Node], of: &str) -> Option<Vec<Expr>> {
        let checked: Vec<Option<Expr>> = nodes.iter().map(|node| self.truth(node, of)).collect();
        checked.into_iter().collect()
    }

    /// `a && b && ..`, with a lint where the parts exclude each other.
    fn all_of(&mut self, node: &Node, parts: Vec<Expr>) -> Expr {
        let expr = fold::and(parts);
        if let Expr::And(parts) = &expr
            && contradiction::contradicts(parts)
        {
            let message = "this is never true: its parts exclude each other";
            let help = self.around_midnight(node, parts);
            self.report
                .warning("never-true", &node.range, message, |w| match help {
                    Some(help) => w.help(help),
                    None => w,
                });
        }
        expr
    }

    /// What to write instead of `now.hour >= 22 && now.hour < 6`, which goes over no midnight.
    fn around_midnight(&self, node: &Node, parts: &[Expr]) -> Option<String> {
        if !contradiction::leaves_a_gap(parts) {
            return None;
        }
        let (low, high) = self.written(&node.range).split_once("&&")?;
        let (low, high) = (low.trim(), high.trim());
        // More than the two parts that exclude each other: which belongs to what, only the writer knows.
        (!high.contains("&&")).then(|| format!("for what lies outside write `{low} || {high}`"))
    }

    /// `a || b || ..`, with a lint where one of the parts is always true.
    fn any_of(&mut self, node: &Node, parts: Vec<Expr>) -> Expr {
        let expr = fold::or(parts);
        if let Expr::Or(parts) = &expr
            && contradiction::exhausts(parts)
        {
            let message = "this is always true: its parts leave nothing out";
            self.report
                .warning("always-true", &node.range, message, |w| w);
        }
        expr
    }

    /// A part that must be a number.
    fn number(&mut self, node: &Node, of: &str) -> Option<Typed> {
        let typed = self.check(node)?;
        if typed.kind.is_number() {
            return Some(typed);
        }
        self.not_a(node, &typed.kind, "a number", of);
        None
    }

    fn not_a(&mut self, node: &Node, kind: &Kind, expected: &str, of: &str) {
        let written = self.written(&node.range);
        let message = format!("`{written}` is {}, {of} takes {expected}", kind.described());
        let help = operator::rewritten(written, kind, expected == "a number");
        self.report
            .error("type-mismatch", &node.range, message, |e| {
                let e = e.label(format!("this is {}", kind.a_name()));
                match help {
                    Some(help) => e.help(help),
                    None => e,
                }
            });
    }

    fn always_unknown(&mut self, node: &Node, why: &str) {
        let written = self.written(&node.range);
        let message = format!("`{written}` is always unknown");
        self.report
            .error("always-unknown", &node.range, message, |e| e.label(why));
    }
}
