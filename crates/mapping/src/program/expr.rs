//! Compiled expressions: typed at load, so that evaluating one can only yield a value or *unknown*.

use std::{
    mem::{Discriminant, discriminant},
    sync::Arc,
};

use types::Value;

use super::{DeviceIx, SlotIx, VarIx};

/// A compiled expression. Types were checked at load; `&&` and `||` follow Kleene's three-valued logic.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A literal.
    Const(Value),
    /// `event.F`: a place in the rule's own list of event fields, which each trigger maps to
    /// the fields of its event ([`super::FieldMap`]).
    EventField(u8),
    /// `state.D.C.F`: what was reported.
    State(SlotIx),
    /// `target.D.C.F`: what is desired.
    Target(SlotIx),
    /// `var.V`.
    Var(VarIx),
    /// `D.online`; never unknown.
    Online(DeviceIx),
    /// `sun.*`.
    Sun(Sun),
    /// `now.*`, in the home's time zone.
    Now(Now),
    /// `!a`.
    Not(Box<Expr>),
    /// `-a`.
    Neg(Box<Expr>),
    /// `a && b && ..`, flattened; also a group's `all`.
    And(Box<[Expr]>),
    /// `a || b || ..`, flattened; also a group's `exists`.
    Or(Box<[Expr]>),
    /// A group's `count`: how many of these are true; unknown where one is.
    Count(Box<[Expr]>),
    /// Any other operator with two sides.
    Binary(Binary, Box<(Expr, Expr)>),
    /// `c ? a : b`: condition, then, else.
    If(Box<(Expr, Expr, Expr)>),
    /// `a in [..]` with constants, sorted as written.
    In(Box<Expr>, Arc<[Value]>),
    /// A function of values.
    Call(Function, Box<[Expr]>),
    /// `has(state.D.C.F)`: known and not stale; never unknown.
    Has(SlotIx),
    /// `age(state.D.C.F)`: seconds since the last report; unknown before the first.
    Age(SlotIx),
}

impl Expr {
    /// What its first part is, one step down; its own kind where it has none.
    #[must_use]
    pub fn first_kind(&self) -> Discriminant<Self> {
        discriminant(match self {
            Self::Not(inner) | Self::Neg(inner) | Self::In(inner, _) => inner,
            Self::And(parts) | Self::Or(parts) | Self::Count(parts) | Self::Call(_, parts) => {
                parts.first().unwrap_or(self)
            }
            Self::Binary(_, sides) => &sides.0,
            Self::If(parts) => &parts.0,
            _ => self,
        })
    }

    /// Calls `visit` with this expression and each part of it, the outer ones first.
    pub fn walk(&self, visit: &mut impl FnMut(&Self)) {
        visit(self);
        match self {
            Self::Const(_)
            | Self::EventField(_)
            | Self::State(_)
            | Self::Target(_)
            | Self::Var(_)
            | Self::Online(_)
            | Self::Sun(_)
            | Self::Now(_)
            | Self::Has(_)
            | Self::Age(_) => {}
            Self::Not(inner) | Self::Neg(inner) | Self::In(inner, _) => inner.walk(visit),
            Self::And(parts) | Self::Or(parts) | Self::Count(parts) | Self::Call(_, parts) => {
                for part in parts {
                    part.walk(visit);
                }
            }
            Self::Binary(_, sides) => {
                sides.0.walk(visit);
                sides.1.walk(visit);
            }
            Self::If(parts) => {
                parts.0.walk(visit);
                parts.1.walk(visit);
                parts.2.walk(visit);
            }
        }
    }
}

/// Operators with two sides. Both sides have the type that the operator takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `==`, same types on both sides.
    Eq,
    /// `!=`.
    Ne,
    /// `<` of numbers.
    Lt,
    /// `<=` of numbers.
    Le,
    /// `>` of numbers.
    Gt,
    /// `>=` of numbers.
    Ge,
    /// `+` of numbers; of texts: joined.
    Add,
    /// `-`.
    Sub,
    /// `*`.
    Mul,
    /// `/`; by zero: unknown.
    Div,
    /// `%`, remainder with the sign of the left side; by zero: unknown.
    Rem,
}

/// Functions of values; argument counts and types were checked at load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `between(x, low, high)`, both ends included.
    Between,
    /// `min(a, b, ..)`.
    Min,
    /// `max(a, b, ..)`.
    Max,
    /// `abs(x)`.
    Abs,
    /// `round(x)`, half away from zero.
    Round,
    /// `clamp(x, low, high)`.
    Clamp,
    /// `startsWith(text, text)`.
    StartsWith,
    /// `contains(text, text)`.
    Contains,
}

/// `sun.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sun {
    /// `sun.is_up`: elevation above -0.833 degrees.
    IsUp,
    /// `sun.is_down`.
    IsDown,
    /// `sun.elevation`, degrees.
    Elevation,
}

/// `now.*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Now {
    /// `now.hour`, 0-23.
    Hour,
    /// `now.minute`, 0-59.
    Minute,
    /// `now.weekday`: 1 Monday .. 7 Sunday.
    Weekday,
    /// `now.date`: text, `2026-03-28`.
    Date,
}
