//! Whatever stands in the files: loading ends, and says something sensible or nothing.

use std::{fs, path::Path};

use mapping::{findings, load_texts, render};
use proptest::prelude::*;

const HOUSE: &str = include_str!("../fixtures/house/house.toml");
const RULES: &str = include_str!("../fixtures/house/rules.toml");
const TESTS: &str = include_str!("../fixtures/house/hall.test.toml");

/// Actions that the real house does not use.
const MORE: &str = r#"
[device.mode]
virtual = true
io.evening = { kind = "button" }
io.keys    = { kind = "keyboard" }

[rule.evening]
when = "desk.button.press"
do   = [{ emit = "mode.keys.press", key = 60, velocity = "${target.hall.lamp.brightness}" }, { wait = "2s" }, { hold = "lights", for = "1h" }]
mode = "queue"

[rule.echo]
when = "mode.keys.press"
if   = "event.key > 3"
do   = [{ on = "hall.lamp", for = "10m" }, { set = "desk.lamp", brightness = 3, fade = "3s", for = "5m" }, { emit = "mode.evening.press" }]
allow = ["cycle"]
"#;

const MORE_TESTS: &str = r#"
[test.more]
steps = [
  { event = "mode.evening.press", waiting = { evening = 1 }, emitted = [{ emit = "mode.keys.press", key = 60 }], fired = { echo = 0 } },
  { set = "hall.lamp", on = true, hold = "1h", for = "5m", expect = [{ on = "hall.lamp", for = "5m" }] },
]
"#;

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

    #[test]
    fn mutated_actions_end(rules in mutated(MORE), tests in mutated(MORE_TESTS)) {
        check(HOUSE, &rules, MORE_TESTS);
        check(HOUSE, MORE, &tests);
    }
}

#[test]
fn what_is_mutated_is_sound() {
    let loaded = load_texts([
        ("mapping.toml", "include = [\"house.toml\", \"rules.toml\"]"),
        ("house.toml", HOUSE),
        ("rules.toml", MORE),
        ("hall.test.toml", MORE_TESTS),
    ]);
    let said = render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{said}");
}

#[test]
fn what_the_fuzzer_begins_with_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/files");
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).expect("the seeds are there") {
        let path = entry.expect("it is listed").path();
        let text = fs::read_to_string(&path).expect("it is a text");
        let (house, tests) = text.split_once("\n---\n").unwrap_or((&text, ""));
        check(house, "", tests);
        names.extend(path.file_name().map(|name| name.to_owned()));
    }
    assert!(names.iter().any(|name| name == "letter-before-a-word"));
}
