//! Random expressions, evaluated by us and by the Common Expression Language: on what both have, both come to the same.
//!
//! Both have: numbers with a point, truths and texts; `== != < <= > >= in`, `+ - *`, division by what is not zero,
//! `&& || !`, `?:`, and the two functions of texts, which are methods there. Left out by construction, because we mean to
//! differ: *unknown* and what leads to it (division by zero, infinite numbers), whole numbers of their own type and their
//! division, `%` (which there is for whole numbers only), and comparisons of different types (an error at load with us).

use std::fmt;

use bench::{
    house,
    values::{self, Tables, Values},
};
use engine::eval::truth;
use mapping::program::RuleIx;
use proptest::prelude::*;
use types::Value;

const HOUSE: &str = r#"format = 1
[kind.lab]
state.a = "number"
state.b = "number"
state.p = "bool"
state.q = "bool"
state.s = "text"
state.t = "text"
[device.lab]
id = 1
io.x = { kind = "lab" }
io.button = { kind = "button" }
[device.hall]
id = 2
io.lamp = { kind = "switch" }
"#;

/// An expression, and how tightly it holds together: as in both grammars.
#[derive(Clone, Debug)]
enum Tree {
    Leaf(String),
    /// Left, operator, right, level.
    Infix(Box<Tree>, &'static str, Box<Tree>, u8),
    Not(Box<Tree>),
    Neg(Box<Tree>),
    Choice(Box<Tree>, Box<Tree>, Box<Tree>),
    /// A function of two texts.
    Texts(&'static str, String, String),
}

const CHOICE: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;
const RELATION: u8 = 3;
const SUM: u8 = 4;
const PRODUCT: u8 = 5;
const UNARY: u8 = 6;
const LEAF: u8 = 7;

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Ours,
    Cel,
}

struct Written<'t>(&'t Tree, Language, u8);

impl Tree {
    fn level(&self) -> u8 {
        match self {
            Self::Leaf(text) if text.starts_with('-') => UNARY,
            Self::Leaf(_) | Self::Texts(..) => LEAF,
            Self::Infix(.., level) => *level,
            Self::Not(_) | Self::Neg(_) => UNARY,
            Self::Choice(..) => CHOICE,
        }
    }
}

/// With no more brackets than needed, so that both grammars must see the same tree.
impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tree, language, least) = *self;
        if tree.level() < least {
            return write!(f, "({})", Written(tree, language, CHOICE));
        }
        let part = |tree, least| Written(tree, language, least);
        match tree {
            Tree::Leaf(text) => f.write_str(text),
            Tree::Infix(left, operator, right, level) => {
                // Comparisons don't chain; the others group to the left.
                let left_least = if *level == RELATION {
                    RELATION + 1
                } else {
                    *level
                };
                write!(
                    f,
                    "{} {operator} {}",
                    part(left, left_least),
                    part(right, level + 1)
                )
            }
            Tree::Not(inner) => write!(f, "!{}", part(inner, LEAF)),
            Tree::Neg(inner) => write!(f, "-{}", part(inner, LEAF)),
            Tree::Choice(condition, then, otherwise) => {
                let (then, otherwise) = (part(then, OR), part(otherwise, CHOICE));
                write!(f, "{} ? {then} : {otherwise}", part(condition, OR))
            }
            Tree::Texts(function, a, b) if language == Language::Ours => {
                write!(f, "{function}({a}, {b})")
            }
            Tree::Texts(function, a, b) => write!(f, "{a}.{function}({b})"),
        }
    }
}

fn one_of(leaves: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::sample::select(leaves).prop_map(str::to_owned)
}

fn infix(
    left: impl Strategy<Value = Tree>,
    operators: &'static [&'static str],
    right: impl Strategy<Value = Tree>,
    level: u8,
) -> impl Strategy<Value = Tree> {
    (left, prop::sample::select(operators), right).prop_map(move |(left, operator, right)| {
        Tree::Infix(left.into(), operator, right.into(), level)
    })
}

/// Quarters are exact, and few enough to be equal at times.
fn literal() -> impl Strategy<Value = String> {
    (-24_i32..24).prop_map(|quarters| format!("{:?}", f64::from(quarters) / 4.0))
}

fn number() -> BoxedStrategy<Tree> {
    let state = one_of(&["state.lab.x.a", "state.lab.x.b"]);
    let leaf = prop_oneof![state, literal()].prop_map(Tree::Leaf);
    let deeper = |inner: BoxedStrategy<Tree>| {
        let divisor = one_of(&["2.0", "0.5", "4.0", "8.0"]).prop_map(Tree::Leaf);
        prop_oneof![
            3 => infix(inner.clone(), &["+", "-"], inner.clone(), SUM),
            2 => infix(inner.clone(), &["*"], inner.clone(), PRODUCT),
            1 => infix(inner.clone(), &["/"], divisor, PRODUCT),
            1 => inner.prop_map(|inner| Tree::Neg(inner.into())),
        ]
    };
    leaf.prop_recursive(3, 8, 2, deeper).boxed()
}

fn text() -> impl Strategy<Value = String> {
    one_of(&[
        "state.lab.x.s",
        "state.lab.x.t",
        "'ab'",
        "'a'",
        "''",
        "'abc'",
    ])
}

fn condition() -> impl Strategy<Value = Tree> {
    let text_leaf = || text().prop_map(Tree::Leaf);
    let listed = |list: Vec<String>| Tree::Leaf(format!("[{}]", list.join(", ")));
    let numbers = prop::collection::vec(literal(), 1..4).prop_map(listed);
    let texts = prop::collection::vec(one_of(&["'ab'", "'a'", "'abc'"]), 1..4).prop_map(listed);
    let functions = (
        prop::sample::select(&["startsWith", "contains"][..]),
        text(),
        text(),
    );
    let leaf = prop_oneof![
        2 => one_of(&["state.lab.x.p", "state.lab.x.q", "true", "false"]).prop_map(Tree::Leaf),
        4 => infix(number(), &["==", "!=", "<", "<=", ">", ">="], number(), RELATION),
        2 => infix(text_leaf(), &["==", "!="], text_leaf(), RELATION),
        1 => infix(number(), &["in"], numbers, RELATION),
        1 => infix(text_leaf(), &["in"], texts, RELATION),
        1 => functions.prop_map(|(function, a, b)| Tree::Texts(function, a, b)),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        let choice = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            3 => infix(inner.clone(), &["&&"], inner.clone(), AND),
            3 => infix(inner.clone(), &["||"], inner.clone(), OR),
            2 => inner.clone().prop_map(|inner| Tree::Not(inner.into())),
            1 => infix(inner.clone(), &["==", "!="], inner.clone(), RELATION),
            1 => choice.prop_map(|(c, then, otherwise)| Tree::Choice(c.into(), then.into(), otherwise.into())),
        ]
    })
}

fn state() -> impl Strategy<Value = Values> {
    let number = || (-24_i32..24).prop_map(|quarters| Value::Number(f64::from(quarters) / 4.0));
    let word = || prop::sample::select(&["ab", "a", "abc", "b", ""][..]).prop_map(Value::from);
    let truth = || any::<bool>().prop_map(Value::Bool);
    (number(), number(), truth(), truth(), word(), word()).prop_map(|(a, b, p, q, s, t)| {
        let all = [("a", a), ("b", b), ("p", p), ("q", q), ("s", s), ("t", t)];
        all.map(|(name, value)| (format!("state.lab.x.{name}"), value))
            .into()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]
    #[test]
    fn what_both_have_means_the_same(
        tree in condition(),
        states in prop::collection::vec(state(), 4),
    ) {
        let ours = Written(&tree, Language::Ours, CHOICE).to_string();
        prop_assume!(ours.len() < 1_000);
        let text = format!("{HOUSE}[rule.r]\nwhen = \"lab.button.press\"\nif = \"{ours}\"\ndo = \"hall.lamp.on\"\n");
        let program = house::program(vec![("mapping.toml".to_owned(), text)])
            .map_err(|complaints| TestCaseError::fail(format!("{ours}\n{complaints}")))?;
        let condition = program.rules[0].condition.as_ref().expect("it has one");
        let cel_text = Written(&tree, Language::Cel, CHOICE).to_string();
        let cel = cel::Program::compile(&cel_text)
            .map_err(|why| TestCaseError::fail(format!("{cel_text}: {why}")))?;
        for state in &states {
            let tables = Tables::new(&program, RuleIx(0), state);
            let is = truth(&condition.expr, &tables, &mut Vec::new());
            let there = cel.execute(&values::cel(state));
            prop_assert_eq!(there, Ok(cel::Value::Bool(is == Some(true))), "{} with {:?}", cel_text, state);
            prop_assert!(is.is_some(), "{} is unknown with {:?}", ours, state);
        }
    }
}
