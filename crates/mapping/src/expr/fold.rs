//! Builds [`Expr`] nodes, computing at load what is constant.
//!
//! Called by the checker with operands whose types fit. `None` means that constants make the value
//! unknown for ever, which is always a mistake.

use types::Value;

use crate::program::{Binary, Expr, Function};

/// `a && b && ..`: nested ones are flattened, `true` disappears, `false` decides (also beside an
/// unknown, after Kleene).
pub(super) fn and(parts: Vec<Expr>) -> Expr {
    junction(parts, true)
}

/// `a || b || ..`, likewise.
pub(super) fn or(parts: Vec<Expr>) -> Expr {
    junction(parts, false)
}

fn junction(parts: Vec<Expr>, all: bool) -> Expr {
    let mut kept = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Expr::Const(Value::Bool(truth)) if truth == all => {}
            Expr::Const(Value::Bool(truth)) => return Expr::Const(Value::Bool(truth)),
            Expr::And(inner) if all => kept.extend(inner),
            Expr::Or(inner) if !all => kept.extend(inner),
            part => kept.push(part),
        }
    }
    match kept.len() {
        0 => Expr::Const(Value::Bool(all)),
        1 => kept.remove(0),
        _ if all => Expr::And(kept.into()),
        _ => Expr::Or(kept.into()),
    }
}

/// `!a`.
pub(super) fn not(inner: Expr) -> Expr {
    match inner {
        Expr::Const(Value::Bool(truth)) => Expr::Const(Value::Bool(!truth)),
        Expr::Not(inner) => *inner,
        inner => Expr::Not(Box::new(inner)),
    }
}

/// `-a`.
pub(super) fn neg(inner: Expr) -> Expr {
    match inner {
        Expr::Const(Value::Number(value)) => Expr::Const(Value::number(-value)),
        inner => Expr::Neg(Box::new(inner)),
    }
}

/// `a op b`.
pub(super) fn binary(operator: Binary, left: Expr, right: Expr) -> Option<Expr> {
    if let (Expr::Const(left), Expr::Const(right)) = (&left, &right) {
        return operator.apply(left, right).map(Expr::Const);
    }
    if matches!(operator, Binary::Div | Binary::Rem) && right == Expr::Const(Value::Number(0.0)) {
        return None;
    }
    Some(Expr::Binary(operator, Box::new((left, right))))
}

/// `c ? a : b`.
pub(super) fn choose(condition: Expr, then: Expr, otherwise: Expr) -> Expr {
    match condition {
        Expr::Const(Value::Bool(true)) => then,
        Expr::Const(Value::Bool(false)) => otherwise,
        condition => Expr::If(Box::new((condition, then, otherwise))),
    }
}

/// `f(a, ..)`.
pub(super) fn call(function: Function, arguments: Vec<Expr>) -> Option<Expr> {
    if function == Function::Clamp
        && let [
            _,
            Expr::Const(Value::Number(low)),
            Expr::Const(Value::Number(high)),
        ] = &*arguments
        && low > high
    {
        return None;
    }
    let constants: Option<Vec<Value>> = arguments
        .iter()
        .map(|argument| match argument {
            Expr::Const(value) => Some(value.clone()),
            _ => None,
        })
        .collect();
    match constants {
        Some(constants) => function.apply(&constants).map(Expr::Const),
        None => Some(Expr::Call(function, arguments.into())),
    }
}

/// A group's `count`.
pub(super) fn count(parts: Vec<Expr>) -> Expr {
    if parts.is_empty() {
        Expr::Const(Value::Number(0.0))
    } else {
        Expr::Count(parts.into())
    }
}
