//! Whatever stands in the files: loading ends, and says something sensible or nothing.

use mapping::{findings, load_texts, render};
use proptest::prelude::*;

const HOUSE: &str = include_str!("../fixtures/house/house.toml");
const RULES: &str = include_str!("../fixtures/house/rules.toml");
const TESTS: &str = include_str!("../fixtures/house/hall.test.toml");

fn check(house: &str, rules: &str, tests: &str) {
    let loaded = load_texts([
        ("mapping.toml", "include = [\"house.toml\", \"rules.toml\"]"),
        ("house.toml", house),
        ("rules.toml", rules),
        ("hall.test.toml", tests),
    ]);
    let _ = render(&loaded.sources, &loaded.diagnostics, false);
    for found in findings(&loaded.sources, &loaded.diagnostics) {
        assert!(found.line > 0 && found.column > 0);
        assert!(!found.message.is_empty());
    }
    assert!(loaded.program.is_some() || loaded.has_errors());
}

/// `text` with a piece cut out, or put in somewhere else.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let places = (0..text.len(), 0..text.len(), 0_usize..40, any::<bool>());
    (places, "[\\PC\n]{0,6}").prop_map(move |((at, from, length, cut), noise)| {
        let edge = |mut at: usize| {
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let at = edge(at);
        let from = edge(from);
        let to = edge((from + length).min(text.len()));
        if cut {
            let end = edge((at + length).min(text.len()));
            format!("{}{noise}{}", &text[..at], &text[end..])
        } else {
            format!("{}{noise}{}{}", &text[..at], &text[from..to], &text[at..])
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_ends(text in "[\\PC\n]{0,200}") {
        check(&text, &text, &text);
    }

    #[test]
    fn toml_like_text_ends(text in "([a-z.]{1,6}|[\\[\\]{}=\",'#]| |\n|[0-9]{1,3}|\\$\\{|rule|device|when|do|io){0,80}") {
        check(&text, &text, &text);
    }

    #[test]
    fn a_mutated_house_ends(house in mutated(HOUSE)) {
        check(&house, RULES, TESTS);
    }

    #[test]
    fn mutated_rules_end(rules in mutated(RULES)) {
        check(HOUSE, &rules, TESTS);
    }

    #[test]
    fn mutated_tests_end(tests in mutated(TESTS)) {
        check(HOUSE, RULES, &tests);
    }
}
