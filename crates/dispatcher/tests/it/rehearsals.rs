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
fn what_is_sent_again_is_a_command_that_the_consumer_takes() {
    passes(
        r#"
        [test.enforced]
        given = { state = { living.heater = false } }
        steps = [
          { at = "0s", set = "living.heater", on = false },
          { at = "10m", report = { living.heater = true }, expect = ["living.heater.off"], log = "sent again", state = { living.heater = false } },
          { at = "20m", report = { living.heater = false }, expect = [] },
        ]

        [test.not-taken-at-first]
        steps = [
          { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"] },
          { at = "1s", report = { hall.lamp.on = false }, expect = ["hall.lamp.on"], log = "sent again", state = { hall.lamp.on = true }, target = { hall.lamp.on = true } },
        ]

        [test.by-hand]
        steps = [
          { event = "piano.keys.press", with = { key = 60 }, expect = ["hall.lamp.on"] },
          { at = "10s", report = { hall.lamp.on = false }, expect = [], target = { hall.lamp.on = false } },
        ]
        "#,
    );
    let text = said(
        r#"
        [test.nobody-expects-it]
        steps = [
          { set = "living.heater", on = false },
          { at = "10m", report = { living.heater = true }, expect = [] },
        ]
        "#,
    );
    let came = "came:     living.heater on=false, sent again";
    assert!(text.contains(came), "{text}");
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

        [test.not-to-wait]
        given = { offline = ["living"], state = { living.radio = false } }
        steps = [
          { set = "living.radio", on = true, expect = [], log = "dropped" },
          { event = "living.online", expect = [], state = { living.radio = false } },
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
fn a_report_that_is_too_old_is_no_state() {
    let house = "format = 1\n[device.hall]\nid = 1\nio.lux = { kind = \"lux\", stale_after = \"15m\" }\n\
        io.lamp = { kind = \"switch\" }\n[rule.dark]\nwhen = { holds = \"state.hall.lux < 20\" }\ndo = \"hall.lamp.on\"\n";
    let step = |at: &str| {
        let test = format!(
            "[test.t]\ngiven.state.hall.lux = 12\nsteps = [{{ at = \"{at}\", state = {{ hall.lux = 12 }} }}]\n"
        );
        let loaded = mapping::load_texts([("mapping.toml", house), ("t.test.toml", &test)]);
        let program = loaded.program.expect("it checks");
        rehearsal::run(&program, &loaded.tests[0]).passed()
    };
    assert!(step("14m59s"));
    assert!(!step("15m"));
}

const WAITING: &str = r#"
[device.mode]
virtual = true
io.evening = { kind = "button" }
io.keys    = { kind = "keyboard" }

[var]
night = { kind = "bool", start = false }

[rule.evening]
when = "mode.evening.press"
do   = ["hall.lamp.on", { wait = "2m" }, { set = "hall.lamp", brightness = 30 }, { var = "night", to = true }]
mode = "queue"

[rule.night]
when = { holds = "var.night" }
do   = { emit = "mode.keys.press", key = 7 }

[rule.warm-up]
when = "mode.keys.press"
do   = [{ on = "living.heater", for = "10m" }, { hold = "living.radio", for = "1h" }, "living.radio.on"]
"#;

fn verdicts_of(rules: &str, tests: &str) -> Vec<Verdict> {
    let loaded = mapping::load_texts(vec![
        ("mapping.toml".to_owned(), format!("{HOUSE}{rules}")),
        ("house.test.toml".to_owned(), tests.to_owned()),
    ]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{complaints}");
    let program = loaded.program.unwrap_or_else(|| panic!("{complaints}"));
    let tests = loaded.tests.iter();
    tests.map(|test| rehearsal::run(&program, test)).collect()
}

#[test]
fn waits_events_variables_bounds_and_holds_are_played_and_checked() {
    let verdicts = verdicts_of(
        WAITING,
        r#"
        [test.an-evening]
        steps = [
          { at = "0s", event = "mode.evening.press", expect = ["hall.lamp.on"], waiting = { evening = 1 }, emitted = [] },
          { at = "1m", event = "mode.evening.press", expect = [], waiting = { evening = 2 }, fired = { evening = 0 }, log = "queued" },
          { at = "2m", expect = [
              { set = "hall.lamp", brightness = 30 },
              { on = "living.heater", for = "10m" },
            ], var = { night = true }, emitted = [{ emit = "mode.keys.press", key = 7 }], log = "held" },
          { at = "2m", waiting = { evening = 1 } },
          { at = "12m", expect = ["living.heater.off"], by = "warm-up" },
        ]

        [test.killed-while-it-waits]
        steps = [
          { event = "mode.evening.press", expect = ["hall.lamp.on"] },
          { at = "10s", event = "mode.keys.press", with = { key = 1 }, expect = [{ on = "living.heater", for = "10m" }] },
          { at = "1m", restart = { down = "30s" }, waiting = { evening = 1 } },
          { at = "2m", expect = [{ set = "hall.lamp", brightness = 30 }, { on = "living.heater", for = "10m" }] },
          { at = "3m", restart = { down = "20m" }, expect = ["living.heater.off"], state = { living.heater = false } },
        ]

        [test.a-person]
        steps = [
          { set = "living.heater", on = true, for = "30m", expect = [{ set = "living.heater", on = true, for = "30m" }] },
          { at = "1m", set = "living.radio", on = false, hold = "5m" },
          { at = "2m", event = "mode.keys.press", with = { key = 1 }, expect = [{ on = "living.heater", for = "10m" }], log = "held" },
        ]
        "#,
    );
    let failed: String = verdicts.iter().map(ToString::to_string).collect();
    assert!(!failed.contains("FAILED"), "{failed}");
}

#[test]
fn emitted_events_are_found_in_any_order_though_one_fits_several() {
    let rules = "[device.mode]\nvirtual = true\nio.keys = { kind = \"keyboard\" }\n\
                 [rule.two]\nwhen = \"hall.motion.start\"\n\
                 do = [{ emit = \"mode.keys.press\", key = 7 }, { emit = \"mode.keys.press\", key = 8 }]\n";
    for emitted in [
        r#"["mode.keys.press", { emit = "mode.keys.press", key = 7 }]"#,
        r#"[{ emit = "mode.keys.press", key = 7 }, "mode.keys.press"]"#,
    ] {
        let test = format!(
            "[test.two]\nsteps = [{{ event = \"hall.motion.start\", emitted = {emitted} }}]\n"
        );
        for verdict in verdicts_of(rules, &test) {
            assert!(verdict.passed(), "{verdict}");
        }
    }
}

#[test]
fn what_is_not_as_expected_of_waits_and_events_is_said_in_words() {
    let verdicts = verdicts_of(
        WAITING,
        r#"
        [test.wrong]
        steps = [
          { event = "mode.evening.press", waiting = { evening = 2 }, emitted = ["mode.keys.press"], var = { night = true } },
          { at = "2m", expect = [{ set = "hall.lamp", brightness = 30 }, { on = "living.heater", for = "5m" }], waiting = { evening = 1 } },
        ]
        "#,
    );
    says(
        &verdicts[0].to_string(),
        &[
            "expected: evening waits in 2 runs",
            "came:     evening waits in one run",
            "expected: emit mode.keys.press",
            "came:     no event",
            "expected: var.night = true",
            "rule evening: 2m left of its wait",
            "expected: hall.lamp brightness=30, living.heater on=true for 5m",
            "living.heater on=true for 10m (by warm-up mapping.toml:",
            "came:     evening waits nowhere",
            "rule evening mapping.toml:56 waits 2m",
            "then mode.keys.press key=7 velocity=64",
        ],
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
fn an_expected_command_that_came_one_step_before_or_after_is_said_to_have() {
    let early = said(
        r#"
[test.early]
start = "2026-03-28 21:00"
given = { state = { hall.lux = 12 }, sun = "down" }
steps = [
  { at = "0s", event = "hall.motion.start", expect = ["hall.lamp.on"] },
  { at = "5m", expect = [] },
  { at = "5m500ms", expect = ["hall.lamp.off"] },
]
"#,
    );
    says(
        &early,
        &["  but:      hall.lamp.off came at step 2, 500ms earlier (house.test.toml:7)"],
    );
    assert_eq!(early.matches("but:").count(), 1, "{early}");
    let late = said(
        r#"
[test.late]
start = "2026-03-28 21:00"
given = { state = { hall.lux = 12 }, sun = "down" }
steps = [
  { at = "0s", event = "hall.motion.start", expect = ["hall.lamp.on"] },
  { at = "4m", expect = ["hall.lamp.off"] },
  { at = "6m" },
  { at = "7m", expect = ["hall.lamp.off"] },
]
"#,
    );
    says(
        &late,
        &[
            "  but:      hall.lamp.off came at step 3, 1m later (house.test.toml:8)",
            "  but:      hall.lamp.off came at step 3, 2m earlier (house.test.toml:8)",
        ],
    );
}

#[test]
fn an_expectation_that_fits_several_commands_leaves_another_the_only_one_that_fits() {
    let verdicts = verdicts_of(
        r#"
[rule.begin]
when = "piano.keys.press"
do   = [{ start = "low", for = "1s" }, { start = "high", for = "2s" }]

[rule.low]
when = { timer = "low" }
do   = { set = "hall.lamp", brightness = 40, on = true }

[rule.high]
when = { timer = "high" }
do   = { set = "hall.lamp", brightness = 80, on = true }
"#,
        r#"
[test.both]
steps = [
  { event = "piano.keys.press", with = { key = 1 } },
  { at = "5s", expect = ["hall.lamp.on", { set = "hall.lamp", brightness = 40 }] },
]

[test.neither]
steps = [
  { event = "piano.keys.press", with = { key = 1 } },
  { at = "5s", expect = [{ set = "hall.lamp", brightness = 40 }, { set = "hall.lamp", brightness = 40 }] },
]
"#,
    );
    assert!(verdicts[0].passed(), "{}", verdicts[0]);
    assert!(!verdicts[1].passed(), "one of both has another brightness");
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
    let restarts = r#"{ restart = { down = "1s" } }, "#.repeat(90);
    let restarts = format!("[test.restarts]\nsteps = [{restarts}]\n");
    says(
        &tests(&restarts)[0],
        &["expected: the test to end within 20000 steps of work"],
    );
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

/// A house that waits for times, and its tests.
fn passes_at_home(rules: &str, tests: &str) {
    let home = "[home]\ntimezone = \"Europe/Berlin\"\nlatitude = 52.52\nlongitude = 13.40\n\
                [device.hall]\nid = 1\nio.lamp = { kind = \"dimmer\" }\nio.motion = { kind = \"motion\" }\nio.button = { kind = \"button\" }\n\
                [device.piano]\nid = 2\nio.keys = { kind = \"midi\" }\n";
    let loaded = mapping::load_texts([
        ("mapping.toml", format!("{home}{rules}")),
        ("house.test.toml", tests.to_owned()),
    ]);
    let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    let program = loaded.program.unwrap_or_else(|| panic!("{said}"));
    assert!(!loaded.tests.is_empty(), "{said}");
    for test in &loaded.tests {
        let verdict = rehearsal::run(&program, test);
        assert!(verdict.passed(), "{verdict}");
    }
}

#[test]
fn sequences_cron_and_the_sun_are_played() {
    passes_at_home(
        r#"
        [rule.tune]
        when = { sequence = "piano.keys.press", key = [60, 64, 67], within = "2s" }
        do   = "hall.lamp.on"

        [rule.through]
        when = { sequence = ["hall.motion.start", { event = "piano.keys.press", velocity = 100 }], within = "1m" }
        do   = { notify = "all", text = "through" }

        [rule.quarter]
        when = { cron = "*/15 8 * * mon-fri" }
        do   = { notify = "all", text = "${now.hour}:${now.minute}" }

        [rule.evening]
        when = { sun = "sunset", offset = "-30m" }
        do   = { set = "hall.lamp", brightness = 20 }
        "#,
        r#"
        [test.tune]
        steps = [
          { at = "0s",    event = "piano.keys.press", with = { key = 60 } },
          { at = "600ms", event = "piano.keys.press", with = { key = 64 }, expect = [] },
          { at = "1s",    event = "piano.keys.press", with = { key = 67 }, expect = ["hall.lamp.on"], by = "tune" },
        ]

        [test.through]
        steps = [
          { at = "0s",  event = "hall.motion.start" },
          { at = "30s", event = "piano.keys.press", with = { key = 1, velocity = 100 }, fired = { through = 1 } },
        ]

        [test.quarter]
        start = "2026-01-05 07:59"
        steps = [
          { at = "1m",  expect = [{ notify = "all", text = "8:0" }] },
          { at = "40m", fired = { quarter = 2 } },
          { at = "2h",  fired = { quarter = 1 } },
        ]

        [test.evening]
        start = "2026-01-05 12:00"
        steps = [
          { at = "3h37m", expect = [] },
          { at = "3h40m", expect = [{ set = "hall.lamp", brightness = 20 }], by = "evening" },
        ]

        [test.a-sun-that-stands-still-gets-nowhere]
        start = "2026-01-05 12:00"
        given = { sun = "up" }
        steps = [
          { at = "2d", fired = { evening = 0 } },
          { sun = "real" },
          { at = "3d", fired = { evening = 1 } },
        ]
        "#,
    );
}

#[test]
fn a_restart_is_played_with_what_fell_due_meanwhile() {
    passes_at_home(
        r#"
        [rule.on]
        when = "hall.motion.start"
        do   = ["hall.lamp.on", { start = "off", for = "5m" }]

        [rule.off]
        when = { timer = "off" }
        do   = "hall.lamp.off"

        [rule.seven]
        when = { at = "13:00" }
        do   = { notify = "all", text = "one" }
        after_downtime = { run_late = "10m" }

        [rule.hourly]
        when = { cron = "@hourly" }
        do   = { notify = "all", text = "hour" }
        "#,
        r#"
        [test.a-timer-goes-on]
        steps = [
          { event = "hall.motion.start", expect = ["hall.lamp.on"] },
          { at = "1m", restart = { down = "2m" }, expect = [] },
          { at = "4m", event = "hall.motion.start", expect = [] },
          { at = "9m", expect = ["hall.lamp.off"], by = "off" },
        ]

        [test.what-fell-due-meanwhile-happens-at-once]
        steps = [
          { event = "hall.motion.start", expect = ["hall.lamp.on"] },
          { at = "1m", restart = { down = "10m" }, expect = ["hall.lamp.off"], by = "off" },
        ]

        [test.a-time-that-is-missed-by-little-comes-late]
        steps = [
          { at = "50m", restart = { down = "15m" }, expect = [{ notify = "all", text = "one" }] },
          { at = "2h",  expect = [{ notify = "all", text = "hour" }] },
        ]

        [test.a-time-that-is-missed-by-much-does-not]
        steps = [
          { at = "50m", restart = { down = "25m" }, expect = [], log = "does not run that late" },
        ]

        [test.after-a-power-cut-times-wait-for-the-clock-and-timers-for-nothing]
        steps = [
          { at = "49m", event = "hall.motion.start", expect = ["hall.lamp.on"] },
          { at = "50m", restart = { down = "12m", clock = "unsynced" }, expect = [] },
          { at = "1h5m", expect = [] },
          { at = "1h6m", expect = ["hall.lamp.off"] },
          { at = "1h7m", clock = "synced", expect = [{ notify = "all", text = "one" }] },
        ]
        "#,
    );
}

#[test]
fn a_clock_that_does_not_know_the_time_or_is_set_is_played() {
    passes_at_home(
        r#"
        [rule.hourly]
        when = { cron = "@hourly" }
        do   = { notify = "all", text = "${now.hour}" }

        [rule.timer]
        when = "hall.motion.start"
        do   = { start = "t", for = "1h" }

        [rule.rings]
        when = { timer = "t" }
        do   = "hall.lamp.on"
        "#,
        r#"
        [test.times-wait-for-the-clock]
        given = { clock = "unsynced" }
        steps = [
          { event = "hall.motion.start" },
          { at = "90m", expect = ["hall.lamp.on"] },
          { at = "90m", clock = "synced", expect = [] },
          { at = "2h",  expect = [{ notify = "all", text = "14" }] },
        ]

        [test.a-clock-that-is-set-back-brings-nothing-twice]
        start = "2026-03-28 21:30"
        steps = [
          { at = "30m", expect = [{ notify = "all", text = "22" }] },
          { at = "40m", clock = "2026-03-28 21:40", expect = [] },
          { at = "1h30m", expect = [] },
          { at = "2h", expect = [{ notify = "all", text = "23" }] },
        ]

        [test.a-clock-that-is-set-forward-skips]
        start = "2026-03-28 21:30"
        steps = [
          { event = "hall.motion.start" },
          { clock = "2026-03-28 23:30", expect = [], log = "does not run that late" },
          { at = "30m", expect = [{ notify = "all", text = "0" }] },
          { at = "1h", expect = ["hall.lamp.on"] },
        ]
        "#,
    );
}

#[test]
fn a_dropped_command_moves_no_gate_after_a_restart() {
    passes(
        r#"
        [test.gate]
        given = { state = { living.radio = false } }
        steps = [
          { event = "living.offline" },
          { event = "piano.keys.press", with = { key = 62 }, expect = [], log = "dropped" },
          { at = "10m", restart = { down = "1m" }, expect = [] },
          { at = "1h", event = "living.online", expect = [] },
          { at = "1h1s", report = { living.radio = false }, expect = [], target = { living.radio = false } },
        ]
        "#,
    );
}
