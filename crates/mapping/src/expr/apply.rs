//! What operators and functions do with known values: the one place that says so, for constants at
//! load and for the engine at run time. Must not know where values come from.

use types::Value;

use crate::program::{Binary, Function};

impl Binary {
    /// The result for two known values; `None`: unknown (division by zero, a result beyond all
    /// numbers, or values of types that the front end would have rejected).
    #[must_use]
    pub fn apply(self, left: &Value, right: &Value) -> Option<Value> {
        match (self, left, right) {
            (Self::Eq, left, right) => Some(Value::Bool(left == right)),
            (Self::Ne, left, right) => Some(Value::Bool(left != right)),
            (Self::Add, Value::Text(left), Value::Text(right)) => {
                Some(Value::Text([&**left, &**right].concat().into()))
            }
            (_, Value::Number(left), Value::Number(right)) => match self.compare(*left, *right) {
                Some(truth) => Some(Value::Bool(truth)),
                None => self.compute(*left, *right).map(Value::Number),
            },
            _ => None,
        }
    }

    /// A comparison of two numbers; `None` where the operator is none.
    #[must_use]
    #[inline]
    pub fn compare(self, left: f64, right: f64) -> Option<bool> {
        Some(match self {
            Self::Eq => left == right,
            Self::Ne => left != right,
            Self::Lt => left < right,
            Self::Le => left <= right,
            Self::Gt => left > right,
            Self::Ge => left >= right,
            Self::Add | Self::Sub | Self::Mul | Self::Div | Self::Rem => return None,
        })
    }

    /// The operator that says the same with its sides swapped; arithmetic stays as it is.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
            same => same,
        }
    }

    /// Arithmetic with two numbers; `None`: unknown, or the operator computes no number.
    #[must_use]
    #[inline]
    pub fn compute(self, left: f64, right: f64) -> Option<f64> {
        let result = match self {
            Self::Add => left + right,
            Self::Sub => left - right,
            Self::Mul => left * right,
            // By zero these are infinite or NaN, which is unknown.
            Self::Div => left / right,
            Self::Rem => left % right,
            Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge => return None,
        };
        result
            .is_finite()
            .then_some(types::without_sign_of_zero(result))
    }
}

impl Function {
    /// The result for known values; `None`: unknown (`clamp` with its ends swapped, or arguments
    /// that the front end would have rejected).
    #[must_use]
    pub fn apply(self, arguments: &[Value]) -> Option<Value> {
        match (self, arguments) {
            (Self::StartsWith, [Value::Text(text), Value::Text(start)]) => {
                Some(Value::Bool(text.starts_with(&**start)))
            }
            (Self::Contains, [Value::Text(text), Value::Text(part)]) => {
                Some(Value::Bool(text.contains(&**part)))
            }
            (Self::Between, [Value::Number(x), Value::Number(low), Value::Number(high)]) => {
                Some(Value::Bool(low <= x && x <= high))
            }
            (Self::Clamp, [Value::Number(x), Value::Number(low), Value::Number(high)]) => {
                (low <= high).then(|| Value::Number(x.clamp(*low, *high)))
            }
            (Self::Abs, [Value::Number(x)]) => Some(Value::Number(x.abs())),
            (Self::Round, [Value::Number(x)]) => Some(Value::number(x.round())),
            (Self::Min, _) => fold(arguments, f64::min),
            (Self::Max, _) => fold(arguments, f64::max),
            _ => None,
        }
    }
}

fn fold(arguments: &[Value], pick: fn(f64, f64) -> f64) -> Option<Value> {
    let (first, rest) = arguments.split_first()?;
    let mut picked = first.as_number()?;
    for argument in rest {
        picked = pick(picked, argument.as_number()?);
    }
    Some(Value::Number(picked))
}
