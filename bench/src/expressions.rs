//! What a condition costs beside the Common Expression Language and Rhai: each is read once and evaluated many times, with
//! values that change. The values are laid out for each library before the clock runs, so that nobody pays for that.

use std::{fmt::Write as _, hint::black_box};

use engine::eval::truth;
use mapping::program::RuleIx;
use types::Value;

use crate::{
    house,
    report::{Spread, ns_each},
    values::{self, Tables, Values},
};

/// Conditions as people write them. Numbers have a point for the others' sake: they tell 60 from 60.0.
pub const CONDITIONS: [&str; 8] = [
    "event.key == 60.0",
    "event.key >= 72.0 && event.velocity > 20.0",
    "event.key in [60.0, 64.0, 67.0] || event.velocity > 100.0",
    "state.living.temp < var.comfort - 0.5",
    "state.door.contact == 'closed' && state.living.temp < 19.5 && !var.night",
    "state.hall.lamp.on && target.living.lamp.brightness > 50.0",
    "event.velocity * 100.0 / 127.0 > 40.0 && (state.hall.lux < 50.0 || var.night)",
    "event.key < 60.0 ? state.hall.lamp.on : state.living.temp > 25.0",
];

const HOUSE: &str = r#"format = 1
allow = ["two-writers", "shadowed"]
[device.piano]
id = 1
io.keys = { kind = "midi" }
[device.hall]
id = 2
io.lamp = { kind = "dimmer" }
io.lux = { kind = "lux" }
[device.living]
id = 3
io.lamp = { kind = "dimmer" }
io.temp = { kind = "temperature" }
[device.door]
id = 4
io.contact = { kind = "contact" }
[var]
night = { kind = "bool", start = false, keep = true }
comfort = { kind = "number", start = 21.0, keep = true }
"#;

/// Sets of values that take turns.
const SETS: usize = 64;

/// One condition, ns an evaluation.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The condition, as ours takes it.
    pub text: &'static str,
    /// Ours, with the list of what was read, which a decision record needs.
    pub ours_ns: Spread,
    /// The Common Expression Language.
    pub cel_ns: Spread,
    /// Rhai.
    pub rhai_ns: Spread,
}

/// All conditions.
///
/// # Errors
/// One of the three does not take a condition.
///
/// # Panics
/// The three don't agree on the truth of a condition.
pub fn measure(rounds: usize, times: usize) -> anyhow::Result<Vec<Compared>> {
    let mut text = HOUSE.to_owned();
    for (n, condition) in CONDITIONS.iter().enumerate() {
        let _ = write!(
            text,
            "[rule.r{n}]\nwhen = \"piano.keys.press\"\nif = \"{condition}\"\ndo = \"hall.lamp.on\"\n"
        );
    }
    let program = house::program(vec![("mapping.toml".to_owned(), text)])?;
    let sets: Vec<Values> = (0..SETS).map(values_of).collect();
    let cel_sets: Vec<_> = sets.iter().map(values::cel).collect();
    let mut rhai_sets: Vec<_> = sets.iter().map(values::rhai).collect();
    let rhai = rhai::Engine::new();
    let mut compared = Vec::new();
    for (rule, text) in RuleIx::all(CONDITIONS.len()).zip(CONDITIONS) {
        let tables: Vec<_> = sets
            .iter()
            .map(|set| Tables::new(&program, rule, set))
            .collect();
        let condition = program[rule].condition.as_ref();
        let expr = &condition
            .ok_or_else(|| anyhow::anyhow!("{text}: no condition"))?
            .expr;
        let cel = cel::Program::compile(&in_cel(text))
            .map_err(|why| anyhow::anyhow!("{text} in CEL: {why}"))?;
        let ast = rhai
            .compile(in_rhai(text))
            .map_err(|why| anyhow::anyhow!("{text} in Rhai: {why}"))?;
        let mut seen = Vec::with_capacity(16);
        let mut ours = |n: usize| {
            seen.clear();
            truth(black_box(expr), &tables[n % SETS], &mut seen)
        };
        let by_cel = |n: usize| match cel.execute(&cel_sets[n % SETS]) {
            Ok(cel::Value::Bool(is)) => Some(is),
            _ => None,
        };
        let mut by_rhai = |n: usize| {
            let scope = &mut rhai_sets[n % SETS];
            rhai.eval_ast_with_scope::<bool>(scope, &ast).ok()
        };
        let mut truths = [0; 2];
        for (n, set) in sets.iter().enumerate() {
            let is = ours(n);
            assert_eq!((by_cel(n), by_rhai(n)), (is, is), "{text} with {set:?}");
            truths[usize::from(is == Some(true))] += 1;
        }
        assert!(
            truths.iter().all(|times| *times > 0),
            "{text} never changes"
        );
        let mut all: [Vec<f64>; 3] = Default::default();
        for _ in 0..rounds {
            let round = [
                ns_each(times, |n| _ = black_box(ours(n))),
                ns_each(times, |n| _ = black_box(by_cel(n))),
                ns_each(times, |n| _ = black_box(by_rhai(n))),
            ];
            all.iter_mut()
                .zip(round)
                .for_each(|(rounds, ns)| rounds.push(ns));
        }
        let [ours_ns, cel_ns, rhai_ns] = all.map(Spread::of);
        compared.push(Compared {
            text,
            ours_ns,
            cel_ns,
            rhai_ns,
        });
    }
    Ok(compared)
}

/// The condition as the Common Expression Language takes it.
#[must_use]
pub fn in_cel(text: &str) -> String {
    text.replace("var.", "vars.")
}

fn in_rhai(text: &str) -> String {
    let text = in_cel(text).replace('\'', "\"");
    match text
        .split_once(" ? ")
        .and_then(|(c, rest)| Some((c, rest.split_once(" : ")?)))
    {
        Some((condition, (then, otherwise))) => {
            format!("if {condition} {{ {then} }} else {{ {otherwise} }}")
        }
        None => text,
    }
}

/// Numbers that make each condition true at times and false at times.
fn values_of(set: usize) -> Values {
    let number = |factor: usize, from: f64, span: usize| from + (set * factor % span) as f64;
    let all = [
        ("event.key", number(1, 40.0, 48).into()),
        ("event.velocity", number(7, 10.0, 117).into()),
        ("state.hall.lux", number(5, 0.0, 100).into()),
        ("state.hall.lamp.on", Value::Bool(set.is_multiple_of(3))),
        ("state.living.temp", number(3, 15.0, 13).into()),
        (
            "state.door.contact",
            Value::from(if set.is_multiple_of(2) {
                "closed"
            } else {
                "open"
            }),
        ),
        ("target.living.lamp.brightness", number(11, 0.0, 101).into()),
        ("var.night", Value::Bool(set.is_multiple_of(5))),
        ("var.comfort", number(2, 18.0, 5).into()),
    ];
    all.map(|(path, value)| (path.to_owned(), value)).into()
}
