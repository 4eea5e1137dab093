//! Functions of values, `has` and `age`.

use std::ops::{Range, RangeInclusive};

use types::Value;

use super::{Checker, Typed};
use crate::{
    expr::{
        fold,
        kind::Kind,
        tree::{Node, NodeKind},
        words,
    },
    habits,
    program::{Expr, Function, SlotIx},
};

/// What a function takes: name, function, number of arguments.
pub(in crate::expr) const FUNCTIONS: [(&str, Function, RangeInclusive<usize>); 8] = [
    ("between", Function::Between, 3..=3),
    ("min", Function::Min, 2..=16),
    ("max", Function::Max, 2..=16),
    ("abs", Function::Abs, 1..=1),
    ("round", Function::Round, 1..=1),
    ("clamp", Function::Clamp, 3..=3),
    ("startsWith", Function::StartsWith, 2..=2),
    ("contains", Function::Contains, 2..=2),
];

impl Checker<'_, '_, '_> {
    /// `x.f(..)`: a group's macro, or `f(x, ..)` written the other way round.
    pub(super) fn method(
        &mut self,
        node: &Node,
        on: &Node,
        name: &Range<usize>,
        arguments: &[Node],
    ) -> Option<Typed> {
        let word = self.written(name);
        let over = match &on.kind {
            NodeKind::Path(names) if names.len() == 1 => self.written(&on.range),
            _ => "",
        };
        let is_group = self.scope.program.names.groups.contains_key(over);
        if is_group || words::names(words::OF_GROUPS).any(|name| name == word) {
            return self.over_group(on, name, arguments);
        }
        self.call(node, name, Some(on), arguments)
    }

    /// `f(a, ..)`; `first` is what stands before the point in `first.f(a)`.
    pub(super) fn call(
        &mut self,
        node: &Node,
        name: &Range<usize>,
        first: Option<&Node>,
        arguments: &[Node],
    ) -> Option<Typed> {
        let word = self.written(name);
        let arguments: Vec<&Node> = first.into_iter().chain(arguments).collect();
        if word == "has" || word == "age" {
            self.arity(node, word, 1..=1, arguments.len())?;
            return self.known(word, arguments.first()?);
        }
        let Some((_, function, arity)) = FUNCTIONS.iter().find(|row| row.0 == word) else {
            let written: Vec<&str> = arguments
                .iter()
                .map(|argument| self.written(&argument.range))
                .collect();
            let message = format!("no function is called `{word}`");
            match habits::function(self.scope.program, word, &written) {
                Some(help) => {
                    self.report
                        .error("unknown-function", name, message, |e| e.help(help));
                }
                None => {
                    let names = words::names(words::FUNCTIONS);
                    self.unknown("unknown-function", name, message, names);
                }
            }
            // What stands inside may be wrong as well.
            for argument in arguments {
                self.check(argument);
            }
            return None;
        };
        self.arity(node, word, arity.clone(), arguments.len())?;
        self.apply(node, *function, &arguments)
    }

    fn arity(
        &mut self,
        node: &Node,
        word: &str,
        takes: RangeInclusive<usize>,
        got: usize,
    ) -> Option<()> {
        if takes.contains(&got) {
            return Some(());
        }
        let (from, to) = (*takes.start(), *takes.end());
        let takes = match (from, to) {
            (1, 1) => "one argument".to_owned(),
            _ if from == to => format!("{from} arguments"),
            _ => format!("{from} to {to} arguments"),
        };
        let form = match word {
            "between" | "clamp" => format!("{word}(x, low, high)"),
            "startsWith" | "contains" => format!("{word}(text, part)"),
            "min" | "max" => format!("{word}(a, b)"),
            "has" | "age" => format!("{word}(state.DEVICE.CHANNEL)"),
            _ => format!("{word}(x)"),
        };
        let message = format!("{word}() takes {takes}, {got} stand here");
        self.report
            .error("wrong-argument-count", &node.range, message, |e| {
                e.help(format!("write `{form}`"))
            });
        None
    }

    fn apply(&mut self, node: &Node, function: Function, arguments: &[&Node]) -> Option<Typed> {
        let texts = matches!(function, Function::StartsWith | Function::Contains);
        let name = FUNCTIONS.iter().find(|row| row.1 == function)?.0;
        let of = format!("{name}()");
        let checked: Vec<Option<Typed>> = arguments
            .iter()
            .map(|argument| {
                if texts {
                    self.a_text(argument, &of)
                } else {
                    self.number(argument, &of)
                }
            })
            .collect();
        let checked: Vec<Typed> = checked.into_iter().collect::<Option<_>>()?;
        let kind = result_kind(function, &checked);
        if function == Function::Between {
            self.lint_between(node, &checked);
        }
        let arguments = checked.into_iter().map(|typed| typed.expr).collect();
        let Some(expr) = fold::call(function, arguments) else {
            self.always_unknown(node, "its low end is above its high end");
            return None;
        };
        Some(Typed { expr, kind })
    }

    /// `between(now.hour, 22, 6)` goes over no midnight.
    fn lint_between(&mut self, node: &Node, arguments: &[Typed]) {
        let bound = |at: usize| match &arguments.get(at)?.expr {
            Expr::Const(Value::Number(bound)) => Some(*bound),
            _ => None,
        };
        if let (Some(low), Some(high)) = (bound(1), bound(2))
            && low > high
        {
            let message = "this is never true: the low end is above the high end";
            let help = format!("for what lies outside write `x >= {low} || x <= {high}`");
            self.report
                .warning("never-true", &node.range, message, |w| w.help(help));
        }
    }

    fn a_text(&mut self, node: &Node, of: &str) -> Option<Typed> {
        let typed = self.check(node)?;
        if typed.kind.is_text() || matches!(typed.kind, Kind::Enum(_)) {
            return Some(typed);
        }
        self.not_a(node, &typed.kind, "a text", of);
        None
    }

    /// `has(..)` and `age(..)` take a name, not a value.
    fn known(&mut self, word: &str, argument: &Node) -> Option<Typed> {
        let typed = self.check(argument)?;
        let Expr::State(slot) = typed.expr else {
            let written = self.written(&argument.range);
            let message = format!("{word}() takes reported state, `{written}` is none");
            self.report
                .error("type-mismatch", &argument.range, message, |e| {
                    e.help(format!("write `{word}(state.DEVICE.CHANNEL)`"))
                });
            return None;
        };
        Some(has_or_age(word, slot))
    }
}

fn has_or_age(word: &str, slot: SlotIx) -> Typed {
    if word == "has" {
        return Typed::bool(Expr::Has(slot));
    }
    Typed {
        expr: Expr::Age(slot),
        kind: Kind::Number {
            min: 0.0,
            max: f64::INFINITY,
        },
    }
}

fn result_kind(function: Function, arguments: &[Typed]) -> Kind {
    match function {
        Function::Between | Function::StartsWith | Function::Contains => Kind::Bool,
        Function::Min | Function::Max => {
            let kinds = arguments.iter().map(|typed| typed.kind.clone());
            let hull = kinds.reduce(|left, right| left.joined(&right).unwrap_or(Kind::NUMBER));
            hull.unwrap_or(Kind::NUMBER)
        }
        Function::Abs | Function::Round | Function::Clamp => Kind::NUMBER,
    }
}
