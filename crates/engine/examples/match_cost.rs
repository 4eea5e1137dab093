//! What one event costs until it is known which rules fire: the index beside the linear scan, and
//! one condition alone. Run with `cargo run --release -p engine --example match_cost`.
#![expect(clippy::print_stdout, reason = "a measurement prints its table")]

use std::{hint::black_box, time::Instant};

use engine::{
    eval::{View, truth},
    index::{Index, naive},
};
use mapping::program::{
    Binary, Condition, DeviceIx, Event, EventIx, Expr, Few, Field, Mode, Now, Origin, Program,
    Rule, RuleIx, SlotIx, Sun, Trigger, VarIx,
};
use types::{Type, Value};

fn main() {
    println!(
        "house with ten rules a channel, at most 1,000 channels; of ten rules one takes every event"
    );
    table(|rules| house(rules, (rules / 10).clamp(1, 1_000), true));
    println!("one keyboard, every rule names keys or ranges of keys");
    table(|rules| house(rules, 1, false));
    let expr = Expr::And([compare(Binary::Ge, 0, 72.0), compare(Binary::Gt, 1, 20.0)].into());
    let values = [80.0, 64.0].map(Value::Number);
    let mut seen = Vec::with_capacity(16);
    let condition_ns = per_event_ns(5_000_000, |_, _| {
        seen.clear();
        usize::from(truth(black_box(&expr), &Fields(&values), &mut seen) == Some(true))
    });
    println!("event.key >= 72 && event.velocity > 20: {condition_ns:.1} ns with its record");
}

fn table(house: impl Fn(usize) -> Program) {
    println!("  rules  candidates  index ns/event  scan ns/event  build ms");
    for rules in [10, 1_000, 10_000, 100_000] {
        let program = house(rules);
        let start = Instant::now();
        let index = Index::new(&program);
        let build_ms = start.elapsed().as_secs_f64() * 1e3;
        let mut candidates = 0;
        let mut events = 0;
        let by_index = per_event_ns(2_000_000 / (10 + rules / 10), |n, out| {
            index.candidates(event(&program, n), &fields(n), out);
            candidates += out.len();
            events += 1;
            matching(&program, out, &fields(n))
        });
        let by_scan = per_event_ns((4_000_000 / rules).min(200_000), |n, out| {
            naive::candidates(&program, event(&program, n), out);
            matching(&program, out, &fields(n))
        });
        let candidates = candidates as f64 / f64::from(events);
        println!("{rules:>7} {candidates:>11.1} {by_index:>15.1} {by_scan:>14.1} {build_ms:>9.1}");
    }
}

const ROUNDS: usize = 5;

/// The median of five rounds.
fn per_event_ns(
    events: usize,
    mut run: impl FnMut(usize, &mut Vec<(RuleIx, u32)>) -> usize,
) -> f64 {
    let mut out = Vec::new();
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            for n in 0..events {
                out.clear();
                black_box(run(n, &mut out));
            }
            start.elapsed().as_secs_f64() * 1e9 / events as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// How many candidates fire.
fn matching(program: &Program, found: &[(RuleIx, u32)], values: &[Value]) -> usize {
    let mut seen = Vec::with_capacity(16);
    let fires = |hit: &&(RuleIx, u32)| {
        seen.clear();
        let condition = program[hit.0].condition.as_ref();
        condition.is_none_or(|c| truth(&c.expr, &Fields(values), &mut seen) == Some(true))
    };
    found.iter().filter(fires).count()
}

fn event(program: &Program, n: usize) -> EventIx {
    EventIx((n * 7919 % program.events.len()) as u32)
}

fn fields(n: usize) -> [Value; 2] {
    [(n * 31 % 128) as f64, (n * 17 % 128) as f64].map(Value::Number)
}

/// Of ten rules eight name a key, one a range of keys and velocities, one nothing (`open`) or a key as well.
fn house(rules: usize, events: usize, open: bool) -> Program {
    let level = || Type::Int {
        min: 0.0,
        max: 127.0,
    };
    let field = |name: &str| Field {
        name: name.into(),
        ty: level(),
        default: None,
    };
    let rows = (0..events).map(|_| Event {
        device: DeviceIx(0),
        channel: None,
        name: "press".into(),
        fields: vec![field("key"), field("velocity")],
        carries: Vec::new(),
    });
    let rules = (0..rules).map(|n| {
        let place = n / 10;
        let kind = if n % 10 == 9 && !open { 0 } else { n % 10 };
        rule(place % events, condition(kind, place as f64))
    });
    Program {
        events: rows.collect(),
        rules: rules.collect(),
        ..Program::default()
    }
}

fn condition(kind: usize, seed: f64) -> Option<Expr> {
    let key = (seed * 8.0 + kind as f64) % 128.0;
    match kind {
        8 => {
            let parts = [
                compare(Binary::Ge, 0, key),
                compare(Binary::Lt, 0, key + 6.0),
                compare(Binary::Gt, 1, 20.0),
            ];
            Some(Expr::And(parts.into()))
        }
        9 => None,
        _ => Some(compare(Binary::Eq, 0, key)),
    }
}

fn compare(operator: Binary, field: u8, number: f64) -> Expr {
    let sides = (Expr::EventField(field), Expr::Const(Value::Number(number)));
    Expr::Binary(operator, Box::new(sides))
}

fn rule(event: usize, condition: Option<Expr>) -> Rule {
    Rule {
        name: "rule".into(),
        origin: Origin::default(),
        enabled: true,
        triggers: [Trigger::Event {
            event: EventIx(event as u32),
            fields: [0, 1].into(),
        }]
        .into(),
        condition: condition.map(|expr| Condition {
            expr,
            text: "".into(),
        }),
        actions: Few::default(),
        limit: None,
        mode: Mode::default(),
        after_downtime: None,
        fingerprint: 0,
    }
}

struct Fields<'a>(&'a [Value]);

static NOTHING: Value = Value::Bool(false);

impl View for Fields<'_> {
    fn state(&self, _: SlotIx) -> Option<&Value> {
        None
    }
    fn age(&self, _: SlotIx) -> Option<f64> {
        None
    }
    fn target(&self, _: SlotIx) -> Option<&Value> {
        None
    }
    fn var(&self, _: VarIx) -> &Value {
        &NOTHING
    }
    fn online(&self, _: DeviceIx) -> bool {
        true
    }
    fn event(&self, field: u8) -> Option<&Value> {
        self.0.get(usize::from(field))
    }
    fn sun(&self, _: Sun) -> Option<Value> {
        None
    }
    fn now(&self, _: Now) -> Option<Value> {
        None
    }
}
