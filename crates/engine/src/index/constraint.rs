//! What a condition demands of one event field, whatever else it says.
//!
//! Called when the index is built. A demand that is not met makes the whole condition false, also
//! beside unknown parts (`false && unknown` is false); event fields themselves are never unknown.

use mapping::program::{Binary, Expr, Function};
use types::Value;

/// The values of a field with which a condition can be true.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Allowed {
    /// Only these.
    Values(Vec<Value>),
    /// Only numbers from the first to the second, both included.
    Range(f64, f64),
}

impl Allowed {
    /// What both allow.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Range(low, high), Self::Range(from, to)) => {
                Self::Range(low.max(from), high.min(to))
            }
            (Self::Values(values), other) | (other, Self::Values(values)) => {
                Self::Values(values.into_iter().filter(|v| other.contains(v)).collect())
            }
        }
    }

    fn contains(&self, value: &Value) -> bool {
        match self {
            Self::Values(values) => values.contains(value),
            Self::Range(low, high) => value
                .as_number()
                .is_some_and(|value| (*low..=*high).contains(&value)),
        }
    }
}

/// The demands of `condition`, by the place of the field in the rule's list of event fields,
/// ascending; each field once.
pub(super) fn demands(condition: &Expr) -> Vec<(u8, Allowed)> {
    let parts = match condition {
        Expr::And(parts) => &**parts,
        one => std::slice::from_ref(one),
    };
    let mut found: Vec<(u8, Allowed)> = Vec::new();
    for (field, allowed) in parts.iter().flat_map(demand) {
        match found.iter_mut().find(|(known, _)| *known == field) {
            Some((_, known)) => {
                let before = std::mem::replace(known, Allowed::Values(Vec::new()));
                *known = before.and(allowed);
            }
            None => found.push((field, allowed)),
        }
    }
    found.sort_by_key(|(field, _)| *field);
    found
}

/// The demand of one conjunct, where it is one about a single event field.
fn demand(part: &Expr) -> Option<(u8, Allowed)> {
    match part {
        Expr::EventField(field) => Some((*field, Allowed::Values(vec![Value::Bool(true)]))),
        Expr::Not(inner) => match **inner {
            Expr::EventField(field) => Some((field, Allowed::Values(vec![Value::Bool(false)]))),
            _ => None,
        },
        Expr::Binary(operator, sides) => match &**sides {
            (Expr::EventField(field), Expr::Const(value)) => {
                Some((*field, compared(*operator, value)?))
            }
            (Expr::Const(value), Expr::EventField(field)) => {
                Some((*field, compared(operator.mirrored(), value)?))
            }
            _ => None,
        },
        Expr::In(inner, values) => match **inner {
            Expr::EventField(field) => Some((field, Allowed::Values(values.to_vec()))),
            _ => None,
        },
        Expr::Call(Function::Between, arguments) => match &**arguments {
            [
                Expr::EventField(field),
                Expr::Const(Value::Number(low)),
                Expr::Const(Value::Number(high)),
            ] => Some((*field, Allowed::Range(*low, *high))),
            _ => None,
        },
        Expr::Or(parts) => either(parts),
        _ => None,
    }
}

/// `event.key == 60 || event.key == 62`: values of one field only.
fn either(parts: &[Expr]) -> Option<(u8, Allowed)> {
    let mut of = None;
    let mut all = Vec::new();
    for part in parts {
        let (field, Allowed::Values(values)) = demand(part)? else {
            return None;
        };
        if *of.get_or_insert(field) != field {
            return None;
        }
        all.extend(values);
    }
    Some((of?, Allowed::Values(all)))
}

/// The values `x` for which `x operator value` can be true; `<` is taken as `<=`, which is only a few
/// candidates more.
fn compared(operator: Binary, value: &Value) -> Option<Allowed> {
    if operator == Binary::Eq {
        return Some(Allowed::Values(vec![value.clone()]));
    }
    let bound = value.as_number()?;
    match operator {
        Binary::Lt | Binary::Le => Some(Allowed::Range(f64::NEG_INFINITY, bound)),
        Binary::Gt | Binary::Ge => Some(Allowed::Range(bound, f64::INFINITY)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(operator: Binary, number: f64) -> Expr {
        let sides = (Expr::EventField(0), Expr::Const(Value::Number(number)));
        Expr::Binary(operator, Box::new(sides))
    }

    #[test]
    fn conjuncts_about_one_field_are_intersected() {
        let both = Expr::And([field(Binary::Ge, 72.0), field(Binary::Lt, 80.0)].into());
        assert_eq!(demands(&both), [(0, Allowed::Range(72.0, 80.0))]);
        let values: [Value; 3] = [60.0, 75.0, 90.0].map(Value::Number);
        let listed = Expr::In(Box::new(Expr::EventField(0)), values.into());
        let all = Expr::And([both, listed].into());
        // A nested `&&` is no conjunct of its own; the front end flattens it.
        assert_eq!(demands(&all).len(), 1);
    }

    #[test]
    fn alternatives_count_only_where_all_are_about_one_field() {
        let one = Expr::Or([field(Binary::Eq, 60.0), field(Binary::Eq, 62.0)].into());
        let values = [60.0, 62.0].map(Value::Number).to_vec();
        assert_eq!(demands(&one), [(0, Allowed::Values(values))]);
        let other = Expr::Online(mapping::program::DeviceIx(0));
        assert_eq!(
            demands(&Expr::Or([field(Binary::Eq, 60.0), other].into())),
            []
        );
    }
}
