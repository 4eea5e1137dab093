//! House tests about rules that are switched off.

use dispatcher::rehearsal::{self, Verdict};

use crate::house::HOUSE;

/// A rule that is off and one of which nobody thinks, and what is tested of them.
const OFF: &str = r#"
[rule.porch]
when    = "hall.motion.start"
do      = "hall.lamp.on"
enabled = false
limit   = "1 per 1h"

[rule.porch-off]
when    = { timer = "porch" }
do      = "hall.lamp.off"
enabled = false

[rule.porch-start]
when    = "hall.motion.stop"
do      = { start = "porch", for = "1m" }
enabled = false
"#;

fn with_rules_off(test: &str) -> Verdict {
    let loaded = mapping::load_texts(vec![
        ("mapping.toml".to_owned(), format!("{HOUSE}{OFF}")),
        ("house.test.toml".to_owned(), test.to_owned()),
    ]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{complaints}");
    let program = loaded.program.expect("it has no errors");
    rehearsal::run(&program, &loaded.tests[0])
}

#[test]
fn a_test_that_fails_for_want_of_a_rule_that_is_off_names_it_and_does_not_fail() {
    let verdict = with_rules_off(
        r#"
        [test.porch]
        given = { fired = { porch = "2h" } }
        steps = [{ event = "hall.motion.start", expect = ["hall.lamp.on"] }]
        "#,
    );
    assert!(!verdict.failed() && !verdict.passed(), "{verdict}");
    let lack = "test porch needs the rule porch, which is off";
    assert_eq!(verdict.lack().as_deref(), Some(lack));
}

#[test]
fn a_test_that_needs_several_rules_that_are_off_names_those_that_are_off() {
    let verdict = with_rules_off(
        r#"
        [test.porch]
        given = { state = { hall.lamp.on = true } }
        steps = [
          { event = "hall.motion.stop" },
          { at = "1m", expect = ["hall.lamp.off"] },
        ]
        "#,
    );
    let lack = "test porch needs the rules porch, porch-off, porch-start, which are off";
    assert_eq!(verdict.lack().as_deref(), Some(lack), "{verdict}");
}

#[test]
fn a_test_that_fails_whatever_is_off_fails_and_shows_the_house_as_it_is() {
    let verdict = with_rules_off(
        r#"
        [test.porch]
        steps = [{ event = "hall.motion.start", expect = ["hall.lamp.on", "living.radio.on"] }]
        "#,
    );
    assert!(verdict.failed(), "{verdict}");
    let text = verdict.to_string();
    assert!(
        text.contains("FAILED") && text.contains("it is disabled"),
        "{text}"
    );
}

#[test]
fn a_test_of_a_rule_that_is_off_passes_where_it_says_so() {
    let verdict = with_rules_off(
        r#"
        [test.porch]
        steps = [{ event = "hall.motion.start", expect = [], fired = { porch = 0 } }]
        "#,
    );
    assert!(verdict.passed(), "{verdict}");
}
