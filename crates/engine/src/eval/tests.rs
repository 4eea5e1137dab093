//! Kleene's tables, what is recorded, and random expressions against a slow reference.

mod reference;

use mapping::program::{self, Binary, DeviceIx, Expr, Function, SlotIx, Sun, VarIx};
use proptest::prelude::*;
use types::Value;

use super::{View, eval, truth};
use crate::decision::{Seen, Term};

/// A house in a table: index -> value.
#[derive(Clone, Debug, Default)]
struct Table {
    states: Vec<Option<Value>>,
    vars: Vec<Value>,
    fields: Vec<Value>,
    ages: Vec<Option<f64>>,
    online: Vec<bool>,
    sun: Option<f64>,
}

impl View for Table {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        self.states.get(slot.index())?.as_ref()
    }
    fn age(&self, slot: SlotIx) -> Option<f64> {
        *self.ages.get(slot.index())?
    }
    fn target(&self, slot: SlotIx) -> Option<&Value> {
        self.states.get(slot.index() + 1)?.as_ref()
    }
    fn var(&self, var: VarIx) -> &Value {
        &self.vars[var.index()]
    }
    fn online(&self, device: DeviceIx) -> bool {
        self.online[device.index()]
    }
    fn event(&self, field: u8) -> Option<&Value> {
        self.fields.get(usize::from(field))
    }
    fn sun(&self, sun: Sun) -> Option<Value> {
        let elevation = self.sun?;
        Some(match sun {
            Sun::IsUp => Value::Bool(elevation > -0.833),
            Sun::IsDown => Value::Bool(elevation <= -0.833),
            Sun::Elevation => Value::Number(elevation),
        })
    }
    fn now(&self, now: program::Now) -> Option<Value> {
        Some(match now {
            program::Now::Date => Value::from("2026-03-28"),
            _ => Value::Number(7.0),
        })
    }
}

fn num(value: f64) -> Expr {
    Expr::Const(Value::Number(value))
}

fn op(operator: Binary, left: Expr, right: Expr) -> Expr {
    Expr::Binary(operator, Box::new((left, right)))
}

/// State 0 is true, 1 is false, everything else unknown.
fn three_valued() -> Table {
    Table {
        states: vec![Some(Value::Bool(true)), Some(Value::Bool(false))],
        ..Table::default()
    }
}

const TRUE: Expr = Expr::State(SlotIx(0));
const FALSE: Expr = Expr::State(SlotIx(1));
const UNKNOWN: Expr = Expr::State(SlotIx(9));

fn decided(expr: &Expr) -> Option<bool> {
    let view = three_valued();
    let fast = truth(expr, &view, &mut Vec::new());
    let whole = eval(expr, &view, &mut Vec::new());
    assert_eq!(whole, fast.map(Value::Bool), "{expr:?}");
    fast
}

#[test]
fn and_or_not_follow_kleenes_tables() {
    let (t, f, u) = (Some(true), Some(false), None);
    for (left, right, and, or) in [
        (TRUE, TRUE, t, t),
        (TRUE, FALSE, f, t),
        (TRUE, UNKNOWN, u, t),
        (FALSE, TRUE, f, t),
        (FALSE, FALSE, f, f),
        (FALSE, UNKNOWN, f, u),
        (UNKNOWN, TRUE, u, t),
        (UNKNOWN, FALSE, f, u),
        (UNKNOWN, UNKNOWN, u, u),
    ] {
        let parts = || [left.clone(), right.clone()].into();
        assert_eq!(decided(&Expr::And(parts())), and, "{left:?} && {right:?}");
        assert_eq!(decided(&Expr::Or(parts())), or, "{left:?} || {right:?}");
    }
    for (inner, not) in [(TRUE, f), (FALSE, t), (UNKNOWN, u)] {
        assert_eq!(decided(&Expr::Not(Box::new(inner))), not);
    }
}

#[test]
fn unknown_spreads_through_everything_but_has() {
    assert_eq!(decided(&op(Binary::Eq, UNKNOWN, UNKNOWN)), None);
    assert_eq!(decided(&op(Binary::Ne, UNKNOWN, TRUE)), None);
    assert_eq!(
        decided(&Expr::In(Box::new(UNKNOWN), [Value::Bool(true)].into())),
        None
    );
    assert_eq!(decided(&Expr::If(Box::new((UNKNOWN, TRUE, TRUE)))), None);
    assert_eq!(
        decided(&Expr::If(Box::new((TRUE, FALSE, UNKNOWN)))),
        Some(false)
    );
    assert_eq!(decided(&Expr::Has(SlotIx(9))), Some(false));
    assert_eq!(decided(&Expr::Has(SlotIx(1))), Some(true));
    let count = |parts: &[Expr]| op(Binary::Ge, Expr::Count(parts.into()), num(1.0));
    assert_eq!(decided(&count(&[TRUE, FALSE])), Some(true));
    assert_eq!(decided(&count(&[TRUE, UNKNOWN])), None);
    assert_eq!(
        decided(&op(Binary::Gt, Expr::Age(SlotIx(0)), num(1.0))),
        None
    );
}

#[test]
fn results_that_are_no_numbers_are_unknown() {
    let view = Table {
        fields: vec![Value::Number(0.0), Value::Number(f64::MAX)],
        ..Table::default()
    };
    for expr in [
        op(Binary::Div, num(1.0), Expr::EventField(0)),
        op(Binary::Rem, num(1.0), Expr::EventField(0)),
        op(Binary::Mul, Expr::EventField(1), num(2.0)),
        Expr::Call(
            Function::Clamp,
            [num(1.0), num(1.0), Expr::EventField(0)].into(),
        ),
    ] {
        assert_eq!(eval(&expr, &view, &mut Vec::new()), None, "{expr:?}");
    }
}

#[test]
fn what_was_read_is_recorded_in_order_and_no_more() {
    let view = Table {
        fields: vec![Value::Number(60.0)],
        ..three_valued()
    };
    let expr = Expr::And(
        [
            op(Binary::Eq, Expr::EventField(0), num(60.0)),
            UNKNOWN,
            FALSE,
            TRUE,
        ]
        .into(),
    );
    let mut seen = Vec::new();
    assert_eq!(truth(&expr, &view, &mut seen), Some(false));
    let saw = |term, value| Seen { term, value };
    assert_eq!(
        seen,
        [
            saw(Term::EventField(0), Some(Value::Number(60.0))),
            saw(Term::State(SlotIx(9)), None),
            saw(Term::State(SlotIx(1)), Some(Value::Bool(false))),
        ]
    );
}

/// Fields 0-2 and slots 0-3 are numbers, 4-5 bools, 6-7 texts; what is missing is unknown.
fn tables() -> impl Strategy<Value = Table> {
    let number = || (-3_i8..4).prop_map(|n| Value::Number(f64::from(n)));
    let text = || prop::sample::select(&["open", "closed", "o"][..]).prop_map(Value::from);
    let states = (
        prop::collection::vec(prop::option::of(number()), 5),
        prop::collection::vec(prop::option::of(any::<bool>().prop_map(Value::Bool)), 3),
        prop::collection::vec(prop::option::of(text()), 3),
    );
    let rest = (
        prop::collection::vec(number(), 3),
        prop::collection::vec(prop::option::of(0.0..9.0), 5),
        prop::collection::vec(any::<bool>(), 2),
        prop::option::of(-9.0..9.0),
        (any::<bool>(), number(), text()),
    );
    (states, rest).prop_map(
        |((mut states, bools, texts), (fields, ages, online, sun, vars))| {
            states.extend(bools);
            states.extend(texts);
            Table {
                states,
                vars: vec![Value::Bool(vars.0), vars.1, vars.2],
                fields,
                ages,
                online,
                sun,
            }
        },
    )
}

fn numbers(bools: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        (-3_i8..4).prop_map(|n| num(f64::from(n))),
        (0_u8..3).prop_map(Expr::EventField),
        (0_u32..4).prop_map(|slot| Expr::State(SlotIx(slot))),
        (0_u32..4).prop_map(|slot| Expr::Target(SlotIx(slot))),
        (0_u32..4).prop_map(|slot| Expr::Age(SlotIx(slot))),
        Just(Expr::Var(VarIx(1))),
        Just(Expr::Sun(Sun::Elevation)),
        Just(Expr::Now(program::Now::Hour)),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let arithmetic = prop::sample::select(
            &[
                Binary::Add,
                Binary::Sub,
                Binary::Mul,
                Binary::Div,
                Binary::Rem,
            ][..],
        );
        let many = |count| prop::collection::vec(inner.clone(), count);
        prop_oneof![
            (arithmetic, inner.clone(), inner.clone()).prop_map(|(o, a, b)| op(o, a, b)),
            inner.clone().prop_map(|a| Expr::Neg(Box::new(a))),
            (bools.clone(), inner.clone(), inner.clone())
                .prop_map(|parts| Expr::If(Box::new(parts))),
            prop::collection::vec(bools.clone(), 0..4).prop_map(|p| Expr::Count(p.into())),
            many(1).prop_map(|a| Expr::Call(Function::Abs, a.into())),
            many(1).prop_map(|a| Expr::Call(Function::Round, a.into())),
            many(3).prop_map(|a| Expr::Call(Function::Clamp, a.into())),
            many(2).prop_map(|a| Expr::Call(Function::Min, a.into())),
            many(3).prop_map(|a| Expr::Call(Function::Max, a.into())),
        ]
    })
    .boxed()
}

fn simple_bools() -> BoxedStrategy<Expr> {
    prop_oneof![
        any::<bool>().prop_map(|truth| Expr::Const(Value::Bool(truth))),
        (5_u32..7).prop_map(|slot| Expr::State(SlotIx(slot))),
        (0_u32..12).prop_map(|slot| Expr::Has(SlotIx(slot))),
        (0_u32..2).prop_map(|device| Expr::Online(DeviceIx(device))),
        Just(Expr::Var(VarIx(0))),
        Just(Expr::Sun(Sun::IsUp)),
        Just(Expr::Sun(Sun::IsDown)),
    ]
    .boxed()
}

fn texts() -> BoxedStrategy<Expr> {
    let leaf = prop_oneof![
        prop::sample::select(&["open", "closed", "o"][..])
            .prop_map(|t| Expr::Const(Value::from(t))),
        (8_u32..10).prop_map(|slot| Expr::State(SlotIx(slot))),
        Just(Expr::Var(VarIx(2))),
        Just(Expr::Now(program::Now::Date)),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        (inner.clone(), inner).prop_map(|(a, b)| op(Binary::Add, a, b))
    })
    .boxed()
}

fn bools() -> BoxedStrategy<Expr> {
    let comparison = prop::sample::select(
        &[
            Binary::Eq,
            Binary::Ne,
            Binary::Lt,
            Binary::Le,
            Binary::Gt,
            Binary::Ge,
        ][..],
    );
    let number = || numbers(simple_bools());
    let three = || prop::collection::vec(number(), 3);
    let list = (-3_i8..4).prop_map(|n| Value::Number(f64::from(n)));
    let leaf = prop_oneof![
        simple_bools(),
        (comparison, number(), number()).prop_map(|(o, a, b)| op(o, a, b)),
        (texts(), texts()).prop_map(|(a, b)| op(Binary::Eq, a, b)),
        (number(), prop::collection::vec(list, 1..4))
            .prop_map(|(a, list)| Expr::In(Box::new(a), list.into())),
        three().prop_map(|a| Expr::Call(Function::Between, a.into())),
        (texts(), texts()).prop_map(|(a, b)| Expr::Call(Function::StartsWith, [a, b].into())),
        (texts(), texts()).prop_map(|(a, b)| Expr::Call(Function::Contains, [a, b].into())),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            parts().prop_map(|parts| Expr::And(parts.into())),
            parts().prop_map(|parts| Expr::Or(parts.into())),
            inner.clone().prop_map(|a| Expr::Not(Box::new(a))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| op(Binary::Eq, a, b)),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|parts| Expr::If(Box::new(parts))),
        ]
    })
    .boxed()
}

proptest! {
    #[test]
    fn every_path_agrees_with_the_slow_reference(
        expr in prop_oneof![bools(), numbers(simple_bools()), texts()],
        view in tables(),
    ) {
        let expected = reference::eval(&expr, &view);
        let mut seen = Vec::new();
        prop_assert_eq!(&eval(&expr, &view, &mut seen), &expected);
        if let Some(Value::Bool(_)) | None = expected {
            let mut seen_by_truth = Vec::new();
            let truth = truth(&expr, &view, &mut seen_by_truth);
            prop_assert_eq!(truth.map(Value::Bool), expected);
        }
    }
}
