//! `event.key < 10 && event.key > 20`, `x && !x`: conjuncts that exclude each other. `event.key > 10 || event.key < 20`,
//! `x || !x`: disjuncts that leave nothing out.
//!
//! Called with the flattened parts of `&&` and `||`. All parts see one snapshot, so these never change.

use types::Value;

use crate::program::{Binary, Expr, Sun};

/// What the parts seen so far leave for one value.
struct Left<'e> {
    of: &'e Expr,
    low: f64,
    high: f64,
    /// Whether `low` and `high` themselves are left out.
    open: (bool, bool),
    /// The one value that it must be.
    exact: Option<&'e Value>,
}

/// More parts come from groups, not from people; the search is quadratic.
const PARTS_MAX: usize = 64;

/// Whether `parts` can't all be true; false where there are too many to look at.
pub(super) fn contradicts(parts: &[Expr]) -> bool {
    if parts.len() > PARTS_MAX {
        return false;
    }
    let mut known: Vec<Left<'_>> = Vec::new();
    parts.iter().enumerate().any(|(at, part)| {
        if parts[..at].iter().any(|other| are_opposite(part, other)) {
            return true;
        }
        let Some((of, operator, value)) = comparison(part) else {
            return false;
        };
        let at = known
            .iter()
            .position(|left| left.of == of)
            .unwrap_or_else(|| {
                known.push(Left::all(of));
                known.len() - 1
            });
        known[at].narrow(operator, value);
        known[at].is_empty()
            || known[at]
                .exact
                .is_some_and(|exact| excludes(operator, value, exact))
    })
}

/// Where `parts` are two bounds of one number and the lower one lies above the upper one, as in `now.hour >= 22 &&
/// now.hour < 6`: whoever wrote that may mean what lies outside.
pub(super) fn leaves_a_gap(parts: &[Expr]) -> bool {
    let [one, other] = parts else { return false };
    let (Some((read, one, bound)), Some((again, other, end))) =
        (comparison(one), comparison(other))
    else {
        return false;
    };
    let (Some(bound), Some(end)) = (bound.as_number(), end.as_number()) else {
        return false;
    };
    let is_lower = |operator| matches!(operator, Binary::Gt | Binary::Ge);
    let is_upper = |operator| matches!(operator, Binary::Lt | Binary::Le);
    let outside = if is_lower(one) && is_upper(other) {
        bound > end
    } else {
        is_upper(one) && is_lower(other) && bound < end
    };
    read == again && outside
}

/// Whether one of `parts` is always true, where their values are known: then their opposites exclude each other.
pub(super) fn exhausts(parts: &[Expr]) -> bool {
    if parts.len() > PARTS_MAX {
        return false;
    }
    let opposites: Vec<Expr> = parts.iter().map(opposite).collect();
    contradicts(&opposites)
}

/// What is true where `part` is false.
fn opposite(part: &Expr) -> Expr {
    let not = || Expr::Not(Box::new(part.clone()));
    match part {
        Expr::Not(inner) => (**inner).clone(),
        Expr::Binary(operator, sides) => {
            let operator = negated(*operator);
            operator.map_or_else(not, |operator| Expr::Binary(operator, sides.clone()))
        }
        _ => not(),
    }
}

/// The comparison that is true where this one is false.
fn negated(operator: Binary) -> Option<Binary> {
    Some(match operator {
        Binary::Eq => Binary::Ne,
        Binary::Ne => Binary::Eq,
        Binary::Lt => Binary::Ge,
        Binary::Le => Binary::Gt,
        Binary::Gt => Binary::Le,
        Binary::Ge => Binary::Lt,
        _ => return None,
    })
}

/// Whether one of both is true where the other one is false, by their form.
fn are_opposite(a: &Expr, b: &Expr) -> bool {
    match (a, b) {
        (Expr::Not(inner), other) | (other, Expr::Not(inner)) => **inner == *other,
        (Expr::Binary(one, sides), Expr::Binary(other, others)) => {
            negated(*one) == Some(*other) && sides == others
        }
        (Expr::Sun(one), Expr::Sun(other)) => {
            matches!(
                (one, other),
                (Sun::IsUp, Sun::IsDown) | (Sun::IsDown, Sun::IsUp)
            )
        }
        _ => false,
    }
}

/// A value that is read, compared with a constant; the value stands on the left.
fn comparison(part: &Expr) -> Option<(&Expr, Binary, &Value)> {
    let Expr::Binary(operator, sides) = part else {
        return None;
    };
    match &**sides {
        (Expr::Const(_), Expr::Const(_)) => None,
        (read, Expr::Const(value)) => Some((read, *operator, value)),
        (Expr::Const(value), read) => Some((read, operator.mirrored(), value)),
        _ => None,
    }
}

/// Whether a value that is `exact` fails `operator value`.
fn excludes(operator: Binary, value: &Value, exact: &Value) -> bool {
    operator.apply(exact, value) == Some(Value::Bool(false))
}

impl<'e> Left<'e> {
    fn all(of: &'e Expr) -> Self {
        Self {
            of,
            low: f64::NEG_INFINITY,
            high: f64::INFINITY,
            open: (false, false),
            exact: None,
        }
    }

    fn narrow(&mut self, operator: Binary, value: &'e Value) {
        if operator == Binary::Eq && self.exact.is_none() {
            self.exact = Some(value);
        }
        let Some(bound) = value.as_number() else {
            return;
        };
        match operator {
            Binary::Gt | Binary::Ge => self.raise(bound, operator == Binary::Gt),
            Binary::Lt | Binary::Le => self.lower(bound, operator == Binary::Lt),
            Binary::Eq => {
                self.raise(bound, false);
                self.lower(bound, false);
            }
            _ => {}
        }
    }

    fn raise(&mut self, bound: f64, open: bool) {
        if bound > self.low || (bound == self.low && open) {
            (self.low, self.open.0) = (bound, open);
        }
    }

    fn lower(&mut self, bound: f64, open: bool) {
        if bound < self.high || (bound == self.high && open) {
            (self.high, self.open.1) = (bound, open);
        }
    }

    fn is_empty(&self) -> bool {
        self.low > self.high || (self.low == self.high && (self.open.0 || self.open.1))
    }
}
