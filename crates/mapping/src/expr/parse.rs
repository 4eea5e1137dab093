//! Tokens -> tree: a Pratt parser with a limit on depth.
//!
//! Called by the front end. Slips with an obvious meaning (`and`, `a < b < c`) are reported and parsed
//! on; anything else ends the parse, since what would follow is noise. Must not know names or types.

use std::ops::Range;

use super::{
    report::Report,
    token::{Token, TokenKind, tokens},
    tree::{Node, NodeKind},
};
use crate::program::Binary;

/// How deep an expression may nest; keeps recursion bounded on any input.
const DEPTH_MAX: usize = 64;

/// The tree of `text`; `None` where it has none, which is reported.
pub(super) fn parse(text: &str, report: &mut Report<'_>) -> Option<Node> {
    let tokens = tokens(text, report);
    let mut parser = Parser {
        text,
        tokens: &tokens,
        at: 0,
        depth: 0,
        report,
    };
    if parser.peek().kind == TokenKind::End {
        let all = 0..text.len();
        parser
            .report
            .error("syntax", &all, "an expression is missing here", |e| e);
        return None;
    }
    let node = parser.expression()?;
    if parser.peek().kind != TokenKind::End {
        parser.unexpected("an operator or the end");
        return None;
    }
    Some(node)
}

struct Parser<'t, 'r, 'a> {
    text: &'t str,
    tokens: &'t [Token],
    at: usize,
    depth: usize,
    report: &'r mut Report<'a>,
}

/// An operator between two sides, and how tightly it binds.
#[derive(Clone, Copy)]
enum Operator {
    Or,
    And,
    In,
    Binary(Binary),
}

impl Operator {
    fn of(token: &str) -> Option<Self> {
        Some(match token {
            "||" | "or" => Self::Or,
            "&&" | "and" => Self::And,
            "in" => Self::In,
            "==" => Self::Binary(Binary::Eq),
            "!=" => Self::Binary(Binary::Ne),
            "<" => Self::Binary(Binary::Lt),
            "<=" => Self::Binary(Binary::Le),
            ">" => Self::Binary(Binary::Gt),
            ">=" => Self::Binary(Binary::Ge),
            "+" => Self::Binary(Binary::Add),
            "-" => Self::Binary(Binary::Sub),
            "*" => Self::Binary(Binary::Mul),
            "/" => Self::Binary(Binary::Div),
            "%" => Self::Binary(Binary::Rem),
            _ => return None,
        })
    }

    fn binding(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::In => COMPARISON,
            Self::Binary(operator) => match operator {
                Binary::Eq | Binary::Ne | Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => {
                    COMPARISON
                }
                Binary::Add | Binary::Sub => 4,
                Binary::Mul | Binary::Div | Binary::Rem => 5,
            },
        }
    }
}

const COMPARISON: u8 = 3;

impl<'t> Parser<'t, '_, '_> {
    fn peek(&self) -> &'t Token {
        // The last token is End and is never taken.
        &self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn written(&self, range: &Range<usize>) -> &'t str {
        &self.text[range.clone()]
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.peek().kind, TokenKind::Symbol(here) if here == symbol)
    }

    fn take(&mut self, symbol: &str) -> bool {
        let is = self.is(symbol);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, symbol: &str) -> Option<()> {
        if self.take(symbol) {
            return Some(());
        }
        self.unexpected(&format!("`{symbol}`"));
        None
    }

    fn unexpected(&mut self, expected: &str) {
        let token = self.peek();
        let message = if token.kind == TokenKind::End {
            format!("the expression ends where {expected} should follow")
        } else {
            let written = self.written(&token.range);
            format!("`{written}` stands where {expected} should follow")
        };
        let range = token.range.clone();
        let equals = message.starts_with("`not`");
        self.report.error("syntax", &range, message, |e| {
            if equals {
                e.help("write `!` for not")
            } else {
                e
            }
        });
    }

    /// `c ? a : b` and everything that binds tighter.
    fn expression(&mut self) -> Option<Node> {
        self.enter()?;
        let condition = self.operators(0)?;
        let node = if self.take("?") {
            let then = self.expression()?;
            self.expect(":")?;
            let otherwise = self.expression()?;
            let range = condition.range.start..otherwise.range.end;
            self.node(range, NodeKind::If(Box::new((condition, then, otherwise))))?
        } else {
            condition
        };
        self.depth -= 1;
        Some(node)
    }

    fn enter(&mut self) -> Option<()> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            self.too_deep(&self.peek().range);
            return None;
        }
        Some(())
    }

    fn too_deep(&mut self, range: &Range<usize>) {
        let message = format!("this nests deeper than {DEPTH_MAX} levels");
        self.report
            .error("expression-too-deep", range, message, |e| {
                e.help("split it into several rules, or keep a part of it in a variable")
            });
    }

    fn node(&mut self, range: Range<usize>, kind: NodeKind) -> Option<Node> {
        let node = Node::new(range, kind);
        if node.depth > DEPTH_MAX {
            self.too_deep(&node.range);
            return None;
        }
        Some(node)
    }

    /// Operators that bind at least as tightly as `binding`.
    fn operators(&mut self, binding: u8) -> Option<Node> {
        let mut left = self.unary()?;
        let mut comparison: Option<Range<usize>> = None;
        while let Some((operator, range)) = self.operator() {
            if operator.binding() < binding {
                break;
            }
            self.at += 1;
            let right = self.operators(operator.binding() + 1)?;
            if operator.binding() == COMPARISON
                && let Some(first) = comparison.replace(range.clone())
            {
                if !matches!(left.kind, NodeKind::Broken) {
                    self.chained(&left, &first, &range, &right);
                }
                left = Node::new(left.range.start..right.range.end, NodeKind::Broken);
                continue;
            }
            left = self.join(operator, left, right)?;
        }
        Some(left)
    }

    fn operator(&mut self) -> Option<(Operator, Range<usize>)> {
        let token = self.peek();
        let written = match token.kind {
            TokenKind::Symbol(symbol) => symbol,
            TokenKind::Word => self.written(&token.range),
            _ => return None,
        };
        let operator = Operator::of(written)?;
        if matches!(written, "and" | "or") {
            let symbol = if written == "and" { "&&" } else { "||" };
            let message = format!("`{written}` is no operator");
            self.report.error("syntax", &token.range, message, |e| {
                e.help(format!("write `{symbol}`"))
            });
        }
        Some((operator, token.range.clone()))
    }

    fn join(&mut self, operator: Operator, left: Node, right: Node) -> Option<Node> {
        let range = left.range.start..right.range.end;
        let kind = match (operator, left.kind) {
            (Operator::And, NodeKind::And(mut nodes)) => {
                nodes.push(right);
                NodeKind::And(nodes)
            }
            (Operator::Or, NodeKind::Or(mut nodes)) => {
                nodes.push(right);
                NodeKind::Or(nodes)
            }
            (operator, kind) => {
                let left = Node { kind, ..left };
                match operator {
                    Operator::And => NodeKind::And(vec![left, right]),
                    Operator::Or => NodeKind::Or(vec![left, right]),
                    Operator::In => NodeKind::In(Box::new((left, right))),
                    Operator::Binary(operator) => {
                        NodeKind::Binary(operator, Box::new((left, right)))
                    }
                }
            }
        };
        self.node(range, kind)
    }

    /// `a < b < c` would compare a truth value with `c`.
    fn chained(&mut self, left: &Node, first: &Range<usize>, second: &Range<usize>, right: &Node) {
        let range = left.range.start..right.range.end;
        let middle = self.text[first.end..second.start].trim();
        let help = format!(
            "write `{} && {middle} {}`",
            self.text[left.range.clone()].trim(),
            self.text[second.start..right.range.end].trim()
        );
        self.report.error(
            "chained-comparison",
            &range,
            "comparisons can't be chained",
            |e| e.help(help),
        );
    }

    fn unary(&mut self) -> Option<Node> {
        let token = self.peek();
        let start = token.range.start;
        let not = self.is("!");
        if not || self.is("-") {
            self.enter()?;
            self.at += 1;
            let inner = self.unary()?;
            self.depth -= 1;
            let range = start..inner.range.end;
            let inner = Box::new(inner);
            let kind = if not {
                NodeKind::Not(inner)
            } else {
                NodeKind::Neg(inner)
            };
            return self.node(range, kind);
        }
        self.primary()
    }

    fn primary(&mut self) -> Option<Node> {
        let token = self.peek();
        let range = token.range.clone();
        let kind = match &token.kind {
            TokenKind::Number(value) => NodeKind::Number(*value),
            TokenKind::Text(value) => NodeKind::Text(value.clone()),
            TokenKind::Broken => NodeKind::Broken,
            TokenKind::Word => match self.written(&range) {
                "true" => NodeKind::Bool(true),
                "false" => NodeKind::Bool(false),
                "in" | "and" | "or" | "not" => {
                    self.unexpected("a value");
                    return None;
                }
                _ => return self.path(),
            },
            TokenKind::Symbol("(") => return self.parenthesis(),
            TokenKind::Symbol("[") => {
                self.at += 1;
                let nodes = self.list("]")?;
                return self.node(range.start..self.end(), NodeKind::List(nodes));
            }
            TokenKind::Symbol(_) | TokenKind::End => {
                self.unexpected("a value");
                return None;
            }
        };
        self.at += 1;
        if self.is(".") {
            let point = self.peek().range.clone();
            self.report
                .error("syntax", &point, "a value has no fields", |e| e);
            return None;
        }
        self.node(range, kind)
    }

    fn parenthesis(&mut self) -> Option<Node> {
        let start = self.peek().range.start;
        self.at += 1;
        let inner = self.expression()?;
        self.expect(")")?;
        Some(Node {
            range: start..self.end(),
            ..inner
        })
    }

    /// End of the token that was taken last.
    fn end(&self) -> usize {
        self.tokens[self.at.saturating_sub(1)].range.end
    }

    /// `a`, `a.b.c`, `f(x)`, `a.b.f(x)`.
    fn path(&mut self) -> Option<Node> {
        let mut names = vec![self.peek().range.clone()];
        self.at += 1;
        while self.take(".") {
            if self.peek().kind != TokenKind::Word {
                self.unexpected("a name");
                return None;
            }
            names.push(self.peek().range.clone());
            self.at += 1;
        }
        let start = names.first()?.start;
        if !self.take("(") {
            return self.node(start..self.end(), NodeKind::Path(names));
        }
        let name = names.pop()?;
        let arguments = self.list(")")?;
        let range = start..self.end();
        let Some(last) = names.last() else {
            return self.node(range, NodeKind::Call(name, arguments));
        };
        let on = Node::new(start..last.end, NodeKind::Path(names));
        self.node(range, NodeKind::Method(Box::new(on), name, arguments))
    }

    /// Expressions with commas between them, up to and with `close`; a last comma is allowed.
    fn list(&mut self, close: &str) -> Option<Vec<Node>> {
        let mut nodes = Vec::new();
        while !self.take(close) {
            nodes.push(self.expression()?);
            if !self.take(",") {
                self.expect(close)?;
                break;
            }
        }
        Some(nodes)
    }
}
