//! The index against the linear scan: whatever the rules, the same ones fire in the same order.

use mapping::program::{
    Binary, Condition, DeviceIx, Event, EventIx, Expr, Field, Function, Mode, Origin, Program,
    Rule, RuleIx, SlotIx, Sun, Trigger, VarIx,
};
use proptest::prelude::*;
use types::{Type, Value};

use super::{Index, naive};
use crate::eval::{View, truth};

/// Two events: `press` with key, velocity, down and name; `release` with velocity and key.
fn events() -> Vec<Event> {
    let number = |name: &str| field(name, Type::Int { min: 0.0, max: 7.0 });
    let press = vec![
        number("key"),
        number("velocity"),
        field("down", Type::Bool),
        field("name", Type::Text),
    ];
    let release = vec![number("velocity"), number("key")];
    [("press", press), ("release", release)]
        .into_iter()
        .map(|(name, fields)| Event {
            device: DeviceIx(0),
            channel: None,
            name: name.into(),
            fields,
            carries: Vec::new(),
        })
        .collect()
}

fn field(name: &str, ty: Type) -> Field {
    Field {
        name: name.into(),
        ty,
        default: None,
    }
}

/// Rules read event fields by the order key, velocity, down, name.
fn trigger(event: u32) -> Trigger {
    let fields = if event == 0 {
        vec![0, 1, 2, 3]
    } else {
        vec![1, 0]
    };
    Trigger::Event {
        event: EventIx(event),
        fields: fields.into(),
    }
}

fn rule(enabled: bool, triggers: Vec<Trigger>, condition: Option<Expr>) -> Rule {
    Rule {
        name: "rule".into(),
        origin: Origin::default(),
        enabled,
        triggers: triggers.into(),
        condition: condition.map(|expr| Condition {
            expr,
            text: "".into(),
        }),
        actions: Default::default(),
        limit: None,
        mode: Mode::default(),
        after_downtime: None,
        fingerprint: 0,
    }
}

/// The event's fields through a rule's map; state 0 is unknown, state 1 true.
struct Fields<'a> {
    values: &'a [Value],
    map: &'a [u8],
}

static TRUE: Value = Value::Bool(true);

impl View for Fields<'_> {
    fn state(&self, slot: SlotIx) -> Option<&Value> {
        (slot.0 == 1).then_some(&TRUE)
    }
    fn age(&self, _: SlotIx) -> Option<f64> {
        None
    }
    fn target(&self, _: SlotIx) -> Option<&Value> {
        None
    }
    fn var(&self, _: VarIx) -> &Value {
        &TRUE
    }
    fn online(&self, _: DeviceIx) -> bool {
        true
    }
    fn event(&self, field: u8) -> Option<&Value> {
        self.values
            .get(usize::from(*self.map.get(usize::from(field))?))
    }
    fn sun(&self, _: Sun) -> Option<Value> {
        None
    }
    fn now(&self, _: mapping::program::Now) -> Option<Value> {
        None
    }
}

/// The candidates whose condition is true.
fn firing(program: &Program, found: &[(RuleIx, u32)], values: &[Value]) -> Vec<(RuleIx, u32)> {
    let fires = |(rule, place): &&(RuleIx, u32)| {
        let rule = &program[*rule];
        let Trigger::Event { fields, .. } = &rule.triggers[*place as usize] else {
            return false;
        };
        let view = Fields {
            values,
            map: fields,
        };
        rule.condition
            .as_ref()
            .is_none_or(|condition| truth(&condition.expr, &view, &mut Vec::new()) == Some(true))
    };
    found.iter().filter(fires).copied().collect()
}

fn num(value: i8) -> Value {
    // Also -0.0, which equals 0.0.
    Value::Number(if value == -1 { -0.0 } else { f64::from(value) })
}

fn conjunct(fields: u8) -> BoxedStrategy<Expr> {
    let number = || (-1_i8..9).prop_map(num);
    let operator = prop::sample::select(
        &[
            Binary::Eq,
            Binary::Ne,
            Binary::Lt,
            Binary::Le,
            Binary::Gt,
            Binary::Ge,
        ][..],
    );
    let compare = (operator, 0_u8..2, number(), any::<bool>()).prop_map(|(o, field, n, swap)| {
        let (field, n) = (Expr::EventField(field), Expr::Const(n));
        Expr::Binary(o, Box::new(if swap { (n, field) } else { (field, n) }))
    });
    let listed = (0_u8..2, prop::collection::vec(number(), 1..4))
        .prop_map(|(field, list)| Expr::In(Box::new(Expr::EventField(field)), list.into()));
    let between = (0_u8..2, number(), number()).prop_map(|(field, low, high)| {
        let arguments = [Expr::EventField(field), Expr::Const(low), Expr::Const(high)];
        Expr::Call(Function::Between, arguments.into())
    });
    let unknown = (0_u32..2).prop_map(|slot| Expr::State(SlotIx(slot)));
    if fields == 2 {
        return prop_oneof![4 => compare, 2 => listed, 1 => between, 1 => unknown].boxed();
    }
    let named = prop::sample::select(&["a", "b"][..]).prop_map(|name| {
        let sides = (Expr::EventField(3), Expr::Const(Value::from(name)));
        Expr::Binary(Binary::Eq, Box::new(sides))
    });
    let down = any::<bool>().prop_map(|not| match not {
        true => Expr::Not(Box::new(Expr::EventField(2))),
        false => Expr::EventField(2),
    });
    prop_oneof![4 => compare, 2 => listed, 1 => between, 1 => unknown, 1 => named, 1 => down]
        .boxed()
}

fn condition(fields: u8) -> BoxedStrategy<Expr> {
    conjunct(fields)
        .prop_recursive(2, 10, 4, |inner| {
            let parts = || prop::collection::vec(inner.clone(), 1..4);
            prop_oneof![
                3 => parts().prop_map(|parts| Expr::And(parts.into())),
                2 => parts().prop_map(|parts| Expr::Or(parts.into())),
                1 => inner.clone().prop_map(|part| Expr::Not(Box::new(part))),
            ]
        })
        .boxed()
}

fn rules() -> impl Strategy<Value = Rule> {
    let triggers = prop::sample::select(vec![vec![0], vec![1], vec![0, 1], vec![1, 1], vec![0, 0]]);
    triggers.prop_flat_map(|events: Vec<u32>| {
        let fields = if events.contains(&1) { 2 } else { 4 };
        let condition = prop::option::weighted(0.9, condition(fields));
        (prop::bool::weighted(0.9), condition).prop_map(move |(enabled, condition)| {
            let triggers = events.iter().map(|event| trigger(*event)).collect();
            rule(enabled, triggers, condition)
        })
    })
}

proptest! {
    #[test]
    fn the_index_and_the_scan_fire_the_same_rules_in_the_same_order(
        rules in prop::collection::vec(rules(), 0..40),
        key in -1_i8..9,
        velocity in -1_i8..9,
        down in any::<bool>(),
        name in prop::sample::select(&["a", "b", "c"][..]),
    ) {
        let program = Program { events: events(), rules, ..Program::default() };
        let index = Index::new(&program);
        let press = vec![num(key), num(velocity), Value::Bool(down), Value::from(name)];
        let release = vec![num(velocity), num(key)];
        for (event, values) in [(EventIx(0), press), (EventIx(1), release)] {
            let (mut found, mut scanned) = (Vec::new(), Vec::new());
            index.candidates(event, &values, &mut found);
            naive::candidates(&program, event, &mut scanned);
            prop_assert!(found.is_sorted_by(|a, b| a.0 < b.0), "{:?}", found);
            prop_assert!(found.iter().all(|hit| scanned.contains(hit)));
            prop_assert_eq!(
                firing(&program, &found, &values),
                firing(&program, &scanned, &values)
            );
        }
    }
}

fn equals(field: u8, value: impl Into<Value>) -> Expr {
    Expr::Binary(
        Binary::Eq,
        Box::new((Expr::EventField(field), Expr::Const(value.into()))),
    )
}

#[test]
fn rules_for_other_values_are_not_looked_at() {
    let rules = (0..1_000)
        .map(|n| rule(true, vec![trigger(0)], Some(equals(0, f64::from(n % 100)))))
        .collect();
    let program = Program {
        events: events(),
        rules,
        ..Program::default()
    };
    let mut found = Vec::new();
    let values = [7.0, 1.0].map(Value::Number);
    Index::new(&program).candidates(EventIx(0), &values, &mut found);
    let expected: Vec<_> = (0..10).map(|n| (RuleIx(n * 100 + 7), 0)).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_most_selective_field_is_chosen() {
    // Two velocities, many keys: under the key stands one rule.
    let both = |n: u32| {
        let parts = [equals(1, f64::from(n % 2)), equals(0, f64::from(n))];
        Some(Expr::And(parts.into()))
    };
    let rules = (0..100)
        .map(|n| rule(true, vec![trigger(0)], both(n)))
        .collect();
    let program = Program {
        events: events(),
        rules,
        ..Program::default()
    };
    let mut found = Vec::new();
    let values = [8.0, 0.0].map(Value::Number);
    Index::new(&program).candidates(EventIx(0), &values, &mut found);
    assert_eq!(found, [(RuleIx(8), 0)]);
}

#[test]
fn an_event_that_no_rule_waits_for_has_no_candidates() {
    let mut found = Vec::new();
    Index::new(&Program::default()).candidates(EventIx(3), &[], &mut found);
    assert_eq!(found, []);
}
