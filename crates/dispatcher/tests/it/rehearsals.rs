//! House tests on virtual time.

use dispatcher::rehearsal::{self, Verdict};

use crate::house::{HOUSE, RULES};

/// A light that goes off by a timer.
const MOTION: &str = r#"
[rule.hall-motion]
when = "hall.motion.start"
if   = "sun.is_down && state.hall.lux < 50"
do   = ["hall.lamp.on", { start = "hall-off", for = "5m" }]

[rule.hall-motion-off]
when = { timer = "hall-off" }
do   = "hall.lamp.off"
"#;

fn verdicts(tests: &str) -> Vec<Verdict> {
    let loaded = mapping::load_texts(vec![
        ("mapping.toml".to_owned(), format!("{HOUSE}{RULES}{MOTION}")),
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

/// What the first test says.
fn said(tests: &str) -> String {
    verdicts(tests)[0].to_string()
}

fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line}\nin\n{text}");
    }
}

#[test]
fn a_failing_step_shows_what_was_expected_what_came_and_why() {
    let text = said(
        r#"
[test.wrong]
steps = [
  { at = "8m59s", event = "piano.keys.press", with = { key = 61 }, expect = ["hall.lamp.on"], fired = { middle-c = 1 } },
]
"#,
    );
    says(
        &text,
        &[
            "FAILED  wrong  (house.test.toml:2)",
            "  house.test.toml:4: at 8m59s",
            "    expected: hall.lamp.on",
            "    came:     living.bell.beep ms=",
            "    expected: middle-c fires once",
            "    came:     it fired never",
            "12:08:59.000 piano.keys.press key=61 velocity=64",
            "  rule ring mapping.toml:",
            "  what could have done it:",
            "  rule middle-c mapping.toml:",
            "its condition was false: event.key == 60  [event.key = 61]",
        ],
    );
    assert_eq!(text.matches("what happened").count(), 1, "{text}");
}

#[test]
fn a_timer_that_runs_still_shows_how_long() {
    let text = said(
        r#"
[test.early]
given = { state = { hall.lux = 12 }, sun = "down" }
steps = [
  { event = "hall.motion.start", expect = ["hall.lamp.on"] },
  { at = "4m", expect = ["hall.lamp.off"], by = "hall-motion-off" },
]
"#,
    );
    says(
        &text,
        &[
            "expected: hall.lamp.off",
            "came:     no command",
            "nothing",
            "rule hall-motion-off mapping.toml:",
            "waits for the timer hall-off, which has 1m left",
            "what waits:",
            "timer hall-off: 1m of 5m left, started by hall-motion",
        ],
    );
}

#[test]
fn a_timer_that_nobody_started_and_a_condition_that_waits_show_as_such() {
    says(
        &said(
            "[test.never]\nsteps = [{ at = \"10m\", expect = [\"hall.lamp.off\"], by = \"hall-motion-off\" }]",
        ),
        &["waits for the timer hall-off, which does not run"],
    );
    says(
        &said("[test.cold]\nsteps = [{ at = \"10m\", expect = [\"living.heater.on\"] }]"),
        &[
            "rule warm mapping.toml:",
            "turns true; it is unknown  [state.sensor.temp is unknown",
        ],
    );
    let warm = r#"
[test.warm]
given = { state = { sensor.temp = 25 } }
steps = [
  { at = "0s", report = { sensor.temp = 12 } },
  { at = "20s", expect = ["living.heater.on"] },
]
"#;
    says(
        &said(warm),
        &[
            "has held for 1m: 40s left",
            "rule warm: 40s of 1m left of `",
        ],
    );
}

#[test]
fn what_a_rule_saw_and_what_was_suppressed_stand_in_what_happened() {
    says(
        &said(
            r#"
[test.bright]
given = { state = { hall.lux = 70 }, sun = "down" }
steps = [{ event = "hall.motion.start", expect = ["hall.lamp.on"] }]
"#,
        ),
        &[
            "rule hall-motion mapping.toml:",
            "false  [sun.is_down = true, state.hall.lux = 70]",
        ],
    );
    let twice = said(
        r#"
[test.twice]
steps = [
  { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"] },
  { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"], target = { hall.lamp.on = false } },
]
"#,
    );
    says(
        &twice,
        &[
            "hall.lamp on=true (already so)",
            "came:     true, written by rule middle-c",
        ],
    );
    let others = twice.split("could have done it").nth(1);
    assert!(
        others.is_some_and(|others| !others.contains("middle-c")),
        "{twice}"
    );
    says(
        &said(
            "[test.blocked]\ngiven = { blocked = [\"hall\"] }\nsteps = [{ event = \"hall.motion.start\", expect = [\"hall.lamp.on\"] }]",
        ),
        &["hall.motion.start: blocked, not matched"],
    );
}

#[test]
fn a_test_that_does_too_much_fails_and_says_so() {
    let limits = rehearsal::Limits {
        test: 20_000,
        house: 200_000,
    };
    let ticking = format!(
        "{HOUSE}[rule.tick]\nwhen = \"hall.motion.start\"\ndo = {{ start = \"tick\", for = \"1s\" }}\n\
         [rule.tock]\nwhen = {{ timer = \"tick\" }}\ndo = {{ start = \"tick\", for = \"1s\" }}\n"
    );
    let test = |name: &str, hours: u32| {
        format!(
            "[test.{name}]\nsteps = [{{ event = \"hall.motion.start\" }}, {{ at = \"{hours}h\", expect = [] }}]\n"
        )
    };
    let tests = |tests: &str| {
        let loaded = mapping::load_texts([
            ("mapping.toml", ticking.as_str()),
            ("house.test.toml", tests),
        ]);
        let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        let program = loaded.program.unwrap_or_else(|| panic!("{complaints}"));
        let mut rehearsal = rehearsal::Rehearsal::within(&program, limits);
        let verdicts = loaded
            .tests
            .iter()
            .map(|test| rehearsal.run(test).to_string());
        verdicts.collect::<Vec<_>>()
    };
    let year = &tests(&test("year", 8_760))[0];
    says(
        year,
        &[
            "house.test.toml:2: at 365d",
            "expected: the test to end within 20000 steps of work",
            "came:     it lets too much time pass, or its rules set each other off without end",
            "timer tick ran out",
            "lines before these",
        ],
    );
    assert!(year.lines().count() < 60, "{year}");
    // An hour is within what one test may do, but not for all of thirty tests.
    let many: String = (0..30).map(|at| test(&format!("hour-{at}"), 1)).collect();
    let verdicts = tests(&many);
    let failed = verdicts
        .iter()
        .position(|verdict| verdict.contains("FAILED"));
    assert!(
        (8..20).contains(&failed.expect("too much in all")),
        "{failed:?}"
    );
    says(
        verdicts.last().expect("there are thirty"),
        &["expected: all tests to end within 200000 steps of work"],
    );
}

#[test]
fn a_command_to_a_thousand_lamps_is_one_step() {
    use std::fmt::Write as _;
    let mut house = String::from("[device.desk]\nid = 9999\nio.button = { kind = \"button\" }\n");
    let mut lamps = Vec::new();
    for at in 1..=1_500 {
        let _ = writeln!(
            house,
            "[device.d{at}]\nid = {at}\nio.lamp = {{ kind = \"switch\" }}"
        );
        lamps.push(format!("\"d{at}\""));
    }
    let _ = writeln!(
        house,
        "[group]\nall = [{}]\n[rule.all]\nwhen = \"desk.button.press\"\ndo = \"all.on\"",
        lamps.join(", ")
    );
    let test = "[test.all]\nsteps = [{ event = \"desk.button.press\", expect = [\"all.on\"] }]";
    let loaded = mapping::load_texts([("mapping.toml", house.as_str()), ("a.test.toml", test)]);
    let program = loaded.program.expect("it checks");
    let verdict = rehearsal::run(&program, &loaded.tests[0]);
    assert!(verdict.passed(), "{verdict}");
}
