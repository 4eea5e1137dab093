//! What a condition comes to where only some of what it reads is known: enough to see that a rule which writes
//! `true` does not set off one that waits for `false`.
//!
//! Called by the search for rules that set each other off. Must not know the house.

use types::Value;

use crate::program::Expr;

/// The value of `expr` where `known` decides it; `None`: it may be anything.
pub(super) fn value(expr: &Expr, known: &impl Fn(&Expr) -> Option<Value>) -> Option<Value> {
    if let Some(value) = known(expr) {
        return Some(value);
    }
    let truth = |expr: &Expr| value(expr, known).and_then(|value| value.as_bool());
    match expr {
        Expr::Const(value) => Some(value.clone()),
        Expr::Not(inner) => truth(inner).map(|truth| Value::Bool(!truth)),
        Expr::Neg(inner) => Some(Value::Number(-value(inner, known)?.as_number()?)),
        Expr::And(parts) => junction(parts, false, truth),
        Expr::Or(parts) => junction(parts, true, truth),
        Expr::Binary(operator, sides) => {
            operator.apply(&value(&sides.0, known)?, &value(&sides.1, known)?)
        }
        Expr::In(inner, values) => Some(Value::Bool(values.contains(&value(inner, known)?))),
        Expr::If(parts) => match truth(&parts.0)? {
            true => value(&parts.1, known),
            false => value(&parts.2, known),
        },
        Expr::Call(function, parts) => {
            let values: Option<Vec<Value>> = parts.iter().map(|part| value(part, known)).collect();
            function.apply(&values?)
        }
        _ => None,
    }
}

/// Whether `expr` is certainly false.
pub(super) fn is_false(expr: &Expr, known: &impl Fn(&Expr) -> Option<Value>) -> bool {
    value(expr, known) == Some(Value::Bool(false))
}

/// `&&` and `||`: one part decides, or all together.
fn junction(parts: &[Expr], decides: bool, truth: impl Fn(&Expr) -> Option<bool>) -> Option<Value> {
    let mut all_known = true;
    for part in parts {
        match truth(part) {
            Some(truth) if truth == decides => return Some(Value::Bool(decides)),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(Value::Bool(!decides))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Binary, SlotIx, VarIx};

    #[test]
    fn one_known_part_can_decide() {
        let night = Expr::Var(VarIx(0));
        let lux = Expr::Binary(
            Binary::Lt,
            Box::new((Expr::State(SlotIx(0)), Expr::Const(Value::Number(5.0)))),
        );
        let known = |expr: &Expr| (*expr == Expr::Var(VarIx(0))).then_some(Value::Bool(true));
        let not_night = Expr::Not(Box::new(night.clone()));
        let both = Expr::And([lux.clone(), not_night].into());
        assert!(is_false(&both, &known));
        let either = Expr::Or([lux.clone(), night].into());
        assert_eq!(value(&either, &known), Some(Value::Bool(true)));
        assert_eq!(value(&lux, &known), None);
    }
}
