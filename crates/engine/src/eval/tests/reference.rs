//! Evaluation as the language's page says it, without a thought of speed: every part is computed to a
//! value first, then the operator looks at the values.

use mapping::program::{Binary, Expr, Function};
use types::Value;

use super::super::View;

/// The value of `expr`; `None`: unknown.
pub(super) fn eval(expr: &Expr, view: &impl View) -> Option<Value> {
    match expr {
        Expr::Const(value) => Some(value.clone()),
        Expr::EventField(field) => view.event(*field).cloned(),
        Expr::State(slot) => view.state(*slot).cloned(),
        Expr::Target(slot) => view.target(*slot).cloned(),
        Expr::Var(var) => Some(view.var(*var).clone()),
        Expr::Online(device) => Some(Value::Bool(view.online(*device))),
        Expr::Sun(sun) => view.sun(*sun),
        Expr::Now(now) => view.now(*now),
        Expr::Has(slot) => Some(Value::Bool(view.state(*slot).is_some())),
        Expr::Age(slot) => view.age(*slot).map(Value::Number),
        Expr::Not(inner) => Some(Value::Bool(!eval(inner, view)?.as_bool()?)),
        Expr::Neg(inner) => Some(Value::Number(-eval(inner, view)?.as_number()?)),
        Expr::And(parts) => {
            let truths = truths(parts, view);
            if truths.contains(&Some(false)) {
                return Some(Value::Bool(false));
            }
            (!truths.contains(&None)).then_some(Value::Bool(true))
        }
        Expr::Or(parts) => {
            let truths = truths(parts, view);
            if truths.contains(&Some(true)) {
                return Some(Value::Bool(true));
            }
            (!truths.contains(&None)).then_some(Value::Bool(false))
        }
        Expr::Count(parts) => {
            let truths: Option<Vec<bool>> = truths(parts, view).into_iter().collect();
            let count = truths?.into_iter().filter(|truth| *truth).count();
            Some(Value::Number(count as f64))
        }
        Expr::If(parts) => {
            let branch = match eval(&parts.0, view)?.as_bool()? {
                true => &parts.1,
                false => &parts.2,
            };
            eval(branch, view)
        }
        Expr::In(inner, values) => Some(Value::Bool(values.contains(&eval(inner, view)?))),
        Expr::Binary(operator, sides) => {
            binary(*operator, &eval(&sides.0, view)?, &eval(&sides.1, view)?)
        }
        Expr::Call(function, arguments) => {
            let values: Option<Vec<Value>> = arguments.iter().map(|a| eval(a, view)).collect();
            call(*function, &values?)
        }
    }
}

fn truths(parts: &[Expr], view: &impl View) -> Vec<Option<bool>> {
    let truth = |part| eval(part, view).and_then(|value| value.as_bool());
    parts.iter().map(truth).collect()
}

fn binary(operator: Binary, left: &Value, right: &Value) -> Option<Value> {
    if let (Some(a), Some(b), Binary::Add) = (left.as_text(), right.as_text(), operator) {
        return Some(Value::from(&*format!("{a}{b}")));
    }
    match operator {
        Binary::Eq => return Some(Value::Bool(left == right)),
        Binary::Ne => return Some(Value::Bool(left != right)),
        _ => {}
    }
    let (a, b) = (left.as_number()?, right.as_number()?);
    let number = match operator {
        Binary::Lt => return Some(Value::Bool(a < b)),
        Binary::Le => return Some(Value::Bool(a <= b)),
        Binary::Gt => return Some(Value::Bool(a > b)),
        Binary::Ge => return Some(Value::Bool(a >= b)),
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::Div => a / b,
        Binary::Rem => a % b,
        Binary::Eq | Binary::Ne => return None,
    };
    number.is_finite().then_some(Value::Number(number))
}

fn call(function: Function, values: &[Value]) -> Option<Value> {
    let numbers: Vec<f64> = values.iter().filter_map(Value::as_number).collect();
    Some(match (function, &*numbers) {
        (Function::Between, [x, low, high]) => Value::Bool(x >= low && x <= high),
        (Function::Min, _) => Value::Number(numbers.iter().copied().reduce(f64::min)?),
        (Function::Max, _) => Value::Number(numbers.iter().copied().reduce(f64::max)?),
        (Function::Abs, [x]) => Value::Number(if *x < 0.0 { -x } else { *x }),
        (Function::Round, [x]) => Value::Number((x.abs() + 0.5).floor().copysign(*x)),
        (Function::Clamp, [_, low, high]) if low > high => return None,
        (Function::Clamp, [x, low, high]) => Value::Number(low.max(x.min(*high))),
        (Function::StartsWith, _) => {
            Value::Bool(values[0].as_text()?.starts_with(values[1].as_text()?))
        }
        (Function::Contains, _) => Value::Bool(values[0].as_text()?.contains(values[1].as_text()?)),
        _ => return None,
    })
}
