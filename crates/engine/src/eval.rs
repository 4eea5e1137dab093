//! Runs compiled expressions over a view of the house.
//!
//! Called by the engine for conditions, `holds` and `${..}`. Types were checked at load, so the only
//! way to fail is *unknown*. Must not change anything but the list of seen values.
//!
//! Comparisons and truth run without cloning values: [`truth`] and numbers have paths of their own,
//! [`eval`] is the way for everything.

use mapping::program::{self, Binary, DeviceIx, Expr, Function, SlotIx, Sun, VarIx};
use types::Value;

use crate::decision::{Seen, Term};

#[cfg(test)]
mod tests;

/// What expressions can read. Everything but `var` and `online` may be unknown.
pub trait View {
    /// Reported state; `None`: never reported, or stale.
    fn state(&self, slot: SlotIx) -> Option<&Value>;
    /// Seconds since the last report; `None` before the first.
    fn age(&self, slot: SlotIx) -> Option<f64>;
    /// Desired state.
    fn target(&self, slot: SlotIx) -> Option<&Value>;
    /// A variable.
    fn var(&self, var: VarIx) -> &Value;
    /// Whether a device is there.
    fn online(&self, device: DeviceIx) -> bool;
    /// A field of the event, by its place in the rule's list of event fields.
    fn event(&self, field: u8) -> Option<&Value>;
    /// `sun.*`.
    fn sun(&self, sun: Sun) -> Option<Value>;
    /// `now.*`.
    fn now(&self, now: program::Now) -> Option<Value>;
}

/// The value of `expr`; `None`: unknown. Appends what was read to `seen`, in the order in which it
/// was read; what `&&`, `||` or `?:` did not need to look at is not there.
pub fn eval(expr: &Expr, view: &impl View, seen: &mut Vec<Seen>) -> Option<Value> {
    if let Some(value) = stored(expr, view, seen) {
        return value.cloned();
    }
    match expr {
        Expr::Sun(_) | Expr::Now(_) => computed_by_view(expr, view, seen),
        Expr::Neg(_) | Expr::Count(_) | Expr::Age(_) => number(expr, view, seen).map(Value::Number),
        Expr::Binary(Binary::Add, sides) => {
            let left = eval(&sides.0, view, seen);
            let right = eval(&sides.1, view, seen);
            Binary::Add.apply(&left?, &right?)
        }
        Expr::Binary(Binary::Sub | Binary::Mul | Binary::Div | Binary::Rem, _) => {
            number(expr, view, seen).map(Value::Number)
        }
        Expr::If(parts) => {
            let chosen = choose(parts, view, seen)?;
            eval(chosen, view, seen)
        }
        Expr::Call(Function::Between | Function::StartsWith | Function::Contains, _) => {
            truth(expr, view, seen).map(Value::Bool)
        }
        Expr::Call(..) => number(expr, view, seen).map(Value::Number),
        _ => truth(expr, view, seen).map(Value::Bool),
    }
}

/// The truth of `expr` after Kleene; `None`: unknown. Appends what was read to `seen`.
pub fn truth(expr: &Expr, view: &impl View, seen: &mut Vec<Seen>) -> Option<bool> {
    match expr {
        Expr::And(parts) => junction(parts, false, view, seen),
        Expr::Or(parts) => junction(parts, true, view, seen),
        Expr::Not(inner) => truth(inner, view, seen).map(|truth| !truth),
        Expr::Binary(operator @ (Binary::Eq | Binary::Ne), sides) => {
            let equal = equal(sides, view, seen)?;
            Some(equal == (*operator == Binary::Eq))
        }
        Expr::Binary(operator, sides) => {
            let left = number(&sides.0, view, seen);
            let right = number(&sides.1, view, seen);
            operator.compare(left?, right?)
        }
        Expr::In(inner, values) => {
            let inner = read(inner, view, seen)?;
            Some(values.contains(inner.value()))
        }
        Expr::If(parts) => {
            let chosen = choose(parts, view, seen)?;
            truth(chosen, view, seen)
        }
        Expr::Has(slot) => {
            let value = view.state(*slot);
            saw(seen, Term::State(*slot), value.cloned());
            Some(value.is_some())
        }
        Expr::Online(device) => {
            let online = view.online(*device);
            saw(seen, Term::Online(*device), Some(Value::Bool(online)));
            Some(online)
        }
        Expr::Call(Function::Between, arguments) => {
            let [x, low, high] = numbers(arguments, view, seen)?;
            Some(low <= x && x <= high)
        }
        Expr::Call(function, arguments) => call(*function, arguments, view, seen)?.as_bool(),
        Expr::Sun(_) | Expr::Now(_) => computed_by_view(expr, view, seen)?.as_bool(),
        _ => stored(expr, view, seen)??.as_bool(),
    }
}

/// What the view holds as a value. The outer `None`: `expr` is no such leaf; the inner: unknown.
#[inline]
fn stored<'a>(
    expr: &'a Expr,
    view: &'a impl View,
    seen: &mut Vec<Seen>,
) -> Option<Option<&'a Value>> {
    let (term, value) = match expr {
        Expr::Const(value) => return Some(Some(value)),
        Expr::EventField(field) => (Term::EventField(*field), view.event(*field)),
        Expr::State(slot) => (Term::State(*slot), view.state(*slot)),
        Expr::Target(slot) => (Term::Target(*slot), view.target(*slot)),
        Expr::Var(var) => (Term::Var(*var), Some(view.var(*var))),
        _ => return None,
    };
    saw(seen, term, value.cloned());
    Some(value)
}

#[inline]
fn saw(seen: &mut Vec<Seen>, term: Term, value: Option<Value>) {
    seen.push(Seen { term, value });
}

fn computed_by_view(expr: &Expr, view: &impl View, seen: &mut Vec<Seen>) -> Option<Value> {
    let (term, value) = match expr {
        Expr::Sun(sun) => (Term::Sun(*sun), view.sun(*sun)),
        Expr::Now(now) => (Term::Now(*now), view.now(*now)),
        _ => return None,
    };
    saw(seen, term, value.clone());
    value
}

/// `&&` where `decider` is false, `||` where it is true: one deciding part decides whatever the
/// others are, also where they are unknown.
fn junction(parts: &[Expr], decider: bool, view: &impl View, seen: &mut Vec<Seen>) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match truth(part, view, seen) {
            Some(truth) if truth == decider => return Some(decider),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decider)
}

fn choose<'a>(
    parts: &'a (Expr, Expr, Expr),
    view: &impl View,
    seen: &mut Vec<Seen>,
) -> Option<&'a Expr> {
    let (condition, then, otherwise) = parts;
    Some(if truth(condition, view, seen)? {
        then
    } else {
        otherwise
    })
}

/// Both sides are looked at, so that the record shows both also where one is unknown.
fn equal(sides: &(Expr, Expr), view: &impl View, seen: &mut Vec<Seen>) -> Option<bool> {
    let left = read(&sides.0, view, seen);
    let right = read(&sides.1, view, seen);
    Some(left?.value() == right?.value())
}

/// A value that is borrowed where the view holds it.
enum Read<'a> {
    Stored(&'a Value),
    Computed(Value),
}

impl Read<'_> {
    fn value(&self) -> &Value {
        match self {
            Self::Stored(value) => value,
            Self::Computed(value) => value,
        }
    }
}

#[inline]
fn read<'a>(expr: &'a Expr, view: &'a impl View, seen: &mut Vec<Seen>) -> Option<Read<'a>> {
    match stored(expr, view, seen) {
        Some(value) => value.map(Read::Stored),
        None => eval(expr, view, seen).map(Read::Computed),
    }
}

/// The number that `expr` is; `None`: unknown.
fn number(expr: &Expr, view: &impl View, seen: &mut Vec<Seen>) -> Option<f64> {
    match expr {
        Expr::Binary(operator, sides) => {
            let left = number(&sides.0, view, seen);
            let right = number(&sides.1, view, seen);
            operator.compute(left?, right?)
        }
        Expr::Neg(inner) => {
            number(inner, view, seen).map(|value| types::without_sign_of_zero(-value))
        }
        Expr::If(parts) => {
            let chosen = choose(parts, view, seen)?;
            number(chosen, view, seen)
        }
        Expr::Count(parts) => count(parts, view, seen),
        Expr::Age(slot) => {
            let age_s = view.age(*slot).filter(|age_s| age_s.is_finite());
            saw(seen, Term::Age(*slot), age_s.map(Value::Number));
            age_s
        }
        Expr::Call(function, arguments) => call(*function, arguments, view, seen)?.as_number(),
        Expr::Sun(_) | Expr::Now(_) => computed_by_view(expr, view, seen)?.as_number(),
        _ => stored(expr, view, seen)??.as_number(),
    }
}

/// How many parts are true; unknown where one is.
fn count(parts: &[Expr], view: &impl View, seen: &mut Vec<Seen>) -> Option<f64> {
    let mut true_parts = Some(0_u32);
    for part in parts {
        let truth = truth(part, view, seen);
        true_parts = true_parts
            .zip(truth)
            .map(|(count, truth)| count + u32::from(truth));
    }
    true_parts.map(f64::from)
}

fn numbers<const N: usize>(
    arguments: &[Expr],
    view: &impl View,
    seen: &mut Vec<Seen>,
) -> Option<[f64; N]> {
    let mut values = [0.0; N];
    let mut known = arguments.len() == N;
    for (place, argument) in values.iter_mut().zip(arguments) {
        match number(argument, view, seen) {
            Some(value) => *place = value,
            None => known = false,
        }
    }
    known.then_some(values)
}

fn call(
    function: Function,
    arguments: &[Expr],
    view: &impl View,
    seen: &mut Vec<Seen>,
) -> Option<Value> {
    let mut values = Vec::with_capacity(arguments.len());
    for argument in arguments {
        values.extend(eval(argument, view, seen));
    }
    // One that is missing makes the call unknown.
    (values.len() == arguments.len())
        .then(|| function.apply(&values))
        .flatten()
}
