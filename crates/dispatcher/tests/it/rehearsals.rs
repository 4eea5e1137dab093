//! House tests on virtual time.

use dispatcher::rehearsal::{self, Verdict};

use crate::house::{HOUSE, RULES};

fn verdicts(tests: &str) -> Vec<Verdict> {
    let loaded = mapping::load_texts(vec![
        ("mapping.toml".to_owned(), format!("{HOUSE}{RULES}")),
        ("house.test.toml".to_owned(), tests.to_owned()),
    ]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    let program = loaded.program.unwrap_or_else(|| panic!("{complaints}"));
    assert!(!loaded.tests.is_empty(), "{complaints}");
    let tests = loaded.tests.iter();
    tests.map(|test| rehearsal::run(&program, test)).collect()
}

fn passes(tests: &str) {
    let failed: String = verdicts(tests).iter().map(ToString::to_string).collect();
    assert!(!failed.contains("FAILED"), "{failed}");
}

#[test]
fn a_real_house_passes_its_tests() {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mapping/tests/fixtures/house"
    );
    let loaded = mapping::load(std::path::Path::new(folder));
    let program = loaded.program.unwrap();
    assert_eq!(loaded.tests.len(), 8);
    for test in &loaded.tests {
        let verdict = rehearsal::run(&program, test);
        assert!(verdict.passed(), "{verdict}");
    }
}

#[test]
fn an_unchanged_target_appears_in_no_expectation() {
    passes(
        r#"
        [test.twice]
        steps = [
          { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"] },
          { event = "piano.keys.press", with = { key = 60 }, expect = [] },
        ]
        "#,
    );
}

#[test]
fn what_given_sets_off_is_not_part_of_the_first_step() {
    passes(
        r#"
        [test.cold]
        given = { state = { sensor.temp = 12 } }
        steps = [
          { at = "0s", expect = [] },
          { at = "59s", expect = [] },
          { at = "60s", expect = ["living.heater.on"], by = "warm", state = { living.heater = true } },
        ]
        "#,
    );
}

#[test]
fn offline_blocked_and_local_changes_are_played() {
    passes(
        r#"
        [test.offline]
        given = { offline = ["hall"] }
        steps = [
          { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"], log = "waits for it" },
          { event = "hall.online", expect = [], state = { hall.lamp.on = true } },
        ]

        [test.blocked]
        given = { blocked = ["hall"] }
        steps = [{ event = "piano.keys.press", with = { key = 60 }, expect = [], log = "blocked" }]

        [test.by-hand]
        steps = [
          { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"] },
          { at = "1m", report = { hall.lamp = { on = false } }, expect = [], target = { hall.lamp.on = false } },
          { at = "2m", event = "piano.offline", expect = [{ notify = "all", text = "piano went offline." }] },
          { at = "3m", set = "hall.lamp", brightness = 20, expect = [{ set = "hall.lamp", brightness = 20 }] },
        ]
        "#,
    );
}

#[test]
fn a_failing_step_shows_what_was_expected_what_came_and_why() {
    let verdicts = verdicts(
        r#"
[test.wrong]
steps = [
  { at = "8m59s", event = "piano.keys.press", with = { key = 61 }, expect = ["hall.lamp.on"] },
]
"#,
    );
    let text = verdicts[0].to_string();
    for line in [
        "FAILED  wrong  (house.test.toml:2)",
        "  house.test.toml:4: at 8m59s",
        "    expected: hall.lamp.on",
        "    came:     living.bell.beep ms=",
        "12:08:59.000 piano.keys.press key=61 velocity=64",
        "  rule middle-c mapping.toml:",
        "its condition was false: event.key == 60",
        "  rule ring mapping.toml:",
    ] {
        assert!(text.contains(line), "{line}\nin\n{text}");
    }
}

#[test]
fn a_rule_that_did_not_even_look_is_named() {
    let verdicts = verdicts(
        r#"
[test.nothing]
steps = [{ at = "10m", expect = ["living.heater.on"] }]
"#,
    );
    let text = verdicts[0].to_string();
    assert!(text.contains("came:     no command"), "{text}");
    assert!(text.contains("rule warm mapping.toml:"), "{text}");
    assert!(
        text.contains("did not look: nothing of its `when` happened"),
        "{text}"
    );
}
