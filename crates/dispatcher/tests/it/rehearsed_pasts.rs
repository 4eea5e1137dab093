//! House tests that begin with a house that lives already, or that are about a part of it.

use dispatcher::rehearsal;

use crate::house::HOUSE;

/// Rules that hang on what was before.
const RULES: &str = r#"
[device.meter]
id = 40
io.power = { kind = "analog", stale_after = "10m" }
io.gas   = { kind = "analog" }
io.knob  = { kind = "button" }

[rule.warm]
when = { holds = "state.sensor.temp < 19", for = "1m" }
do   = "living.heater.on"

[rule.dark]
when = { holds = "state.hall.lux < 20" }
do   = ["hall.lamp.on", { start = "dark", for = "1m" }]

[rule.dark-over]
when = { timer = "dark" }
do   = "hall.lamp.off"

[rule.both]
when = ["piano.keys.press", { holds = "state.meter.gas > 5", for = "1m" }, { holds = "state.meter.power > 5", for = "2m" }]
do   = { notify = "all", text = "gas ${state.meter.gas}" }

[rule.blind]
when = { holds = "!has(state.meter.power)" }
do   = { notify = "all", text = "the meter is silent" }

[rule.old]
when = { holds = "age(state.meter.gas) > 3600" }
do   = { notify = "all", text = "gas is old" }

[rule.seldom]
when  = "hall.motion.start"
do    = { notify = "all", text = "somebody" }
limit = "2 per 1h"

[rule.click]
when = "meter.knob.click"
do   = "hall.lamp.on"

[rule.double]
when = "meter.knob.double"
do   = "hall.lamp.off"

[device.desk]
id = 41
io.lamp = { kind = "dimmer" }

[var]
away = { kind = "bool", start = false }

[rule.nobody-away]
when = { holds = "!var.away" }
do   = "desk.lamp.off"

[rule.noon]
when = { at = "23:05" }
do   = { notify = "all", text = "noon" }
"#;

fn said(tests: &str) -> String {
    said_of(RULES, tests)
}

fn said_of(rules: &str, tests: &str) -> String {
    let loaded = mapping::load_texts(vec![
        ("mapping.toml".to_owned(), format!("{HOUSE}{rules}")),
        ("house.test.toml".to_owned(), tests.to_owned()),
    ]);
    let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{complaints}");
    let program = loaded.program.unwrap_or_else(|| panic!("{complaints}"));
    let verdicts = loaded.tests.iter();
    let verdicts = verdicts.map(|test| rehearsal::run(&program, test).to_string());
    verdicts.collect()
}

fn passes(tests: &str) {
    let said = said(tests);
    assert!(!said.contains("FAILED"), "{said}");
}

#[test]
fn a_condition_that_held_before_fires_when_the_rest_of_its_time_is_over() {
    passes(
        r#"
        [test.forty-seconds]
        given = { state = { sensor.temp = 12 }, holds = { warm = "40s" } }
        steps = [
          { at = "19s", expect = [] },
          { at = "20s", expect = ["living.heater.on"], by = "warm" },
        ]

        [test.just-now]
        given = { state = { sensor.temp = 12 }, holds = { warm = "0s" } }
        steps = [{ at = "59s", expect = [] }, { at = "60s", expect = ["living.heater.on"] }]

        [test.ends]
        given = { state = { sensor.temp = 12 }, holds = { warm = "40s" } }
        steps = [{ at = "10s", report = { sensor.temp = 20 } }, { at = "1h", expect = [] }]
        "#,
    );
}

#[test]
fn a_condition_whose_rule_has_fired_fires_it_again_only_when_it_was_false() {
    passes(
        r#"
        [test.fired]
        given = { state = { sensor.temp = 12, hall.lux = 3, hall.lamp.on = false }, holds = { warm = "fired", dark = "fired" } }
        steps = [
          { at = "1h", expect = [], fired = { warm = 0, dark = 0, dark-over = 0 } },
          { report = { sensor.temp = 20 } },
          { report = { sensor.temp = 12 } },
          { report = { hall.lux = 30 } },
          { report = { hall.lux = 3 }, expect = ["hall.lamp.on"] },
          { at = "1h1m", expect = ["living.heater.on", "hall.lamp.off"] },
        ]

        [test.longer-than-its-time]
        given = { state = { sensor.temp = 12 }, holds = { warm = "1m" } }
        steps = [{ at = "1h", expect = [], fired = { warm = 0 } }]

        [test.unknown-by-now]
        given = { holds = { warm = "fired" } }
        steps = [{ report = { sensor.temp = 12 } }, { at = "1h", expect = [] }]
        "#,
    );
}

#[test]
fn of_several_conditions_each_has_its_number() {
    passes(
        r#"
        [test.second]
        given = { state = { meter = { gas = 9, power = 9 } }, holds = { both = { 1 = "fired", 2 = "90s" } } }
        steps = [
          { at = "29s", expect = [] },
          { at = "30s", expect = [{ notify = "all", text = "gas 9" }], fired = { both = 1 } },
          { at = "5m", expect = [] },
        ]
        "#,
    );
}

#[test]
fn a_condition_that_is_given_to_hold_and_does_not_is_told() {
    let said = said(
        r#"
        [test.warm-already]
        given = { state = { sensor.temp = 22 }, holds = { warm = "40s" } }
        steps = [{ at = "20s", expect = ["living.heater.on"] }]
        "#,
    );
    for line in [
        "house.test.toml:3: at 0s",
        "expected: `state.sensor.temp < 19` of warm to hold already",
        "came:     it is false by all that is given",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert!(!said.contains("expected: living.heater.on"), "{said}");
}

#[test]
fn what_was_reported_before_is_as_old_as_given() {
    passes(
        r#"
        [test.stale-in-a-minute]
        given = { state = { meter = { power = 3, gas = 1 } }, age = { meter = { power = "9m", gas = "59m" } } }
        steps = [
          { at = "59s", expect = [] },
          { at = "1m", expect = [{ notify = "all", text = "the meter is silent" }] },
          { at = "61s", expect = [{ notify = "all", text = "gas is old" }] },
        ]

        [test.stale-already]
        given = { state = { meter.power = 3 }, age = { meter.power = "9h" } }
        steps = [
          { expect = [], fired = { blind = 0 } },
          { at = "5m", report = { meter.power = 4 } },
          { at = "14m59s", expect = [] },
          { at = "15m", expect = [{ notify = "all", text = "the meter is silent" }] },
        ]
        "#,
    );
}

#[test]
fn what_fired_before_counts_against_a_limit() {
    passes(
        r#"
        [test.twice]
        given = { fired = { seldom = ["10m", "50m"] } }
        steps = [
          { event = "hall.motion.start", expect = [] },
          { at = "10m", event = "hall.motion.start", expect = [{ notify = "all" }] },
          { at = "11m", event = "hall.motion.start", expect = [] },
        ]

        [test.once]
        given = { fired = { seldom = "10m" } }
        steps = [
          { event = "hall.motion.start", expect = [{ notify = "all" }] },
          { event = "hall.motion.start", expect = [] },
        ]
        "#,
    );
}

#[test]
fn a_timer_that_runs_already_ends_when_the_rest_of_its_time_is_over() {
    passes(
        r#"
        [test.dark]
        given = { state = { hall.lamp.on = true }, timers = { dark = "20s" } }
        steps = [
          { at = "19s", expect = [] },
          { at = "20s", expect = ["hall.lamp.off"], by = "dark-over" },
          { at = "1h", expect = [] },
        ]

        [test.started-again]
        given = { state = { hall = { lux = 30, lamp.on = true } }, timers = { dark = "20s" } }
        steps = [
          { at = "10s", report = { hall.lux = 3 }, expect = [] },
          { at = "69s", expect = [] },
          { at = "70s", expect = ["hall.lamp.off"] },
        ]

        [test.over-a-restart]
        given = { state = { hall.lamp.on = true }, timers = { dark = "20s" } }
        steps = [{ at = "5s", restart = { down = "5s" } }, { at = "20s", expect = ["hall.lamp.off"] }]
        "#,
    );
    let said = said(
        r#"
        [test.wrong]
        given = { timers = { dark = "20s" } }
        steps = [{ at = "5s", expect = ["hall.lamp.off"] }]
        "#,
    );
    let waits = "timer dark: 15s of 20s left, started by the test";
    assert!(said.contains(waits), "{said}");
}

#[test]
fn what_is_on_for_a_time_already_ends_by_itself() {
    passes(
        r#"
        [test.ends]
        given = { state = { hall.lamp = { on = true, brightness = 40 }, living.heater = true }, on_for = { hall.lamp = "20s", living.heater = "1m" } }
        steps = [
          { at = "19s", expect = [], state = { hall.lamp.on = true } },
          { at = "20s", expect = ["hall.lamp.off"] },
          { at = "60s", expect = ["living.heater.off"], target = { living.heater = false } },
        ]

        [test.stays-on]
        given = { state = { hall.lamp.on = true }, on_for = { hall.lamp = "20s" } }
        steps = [
          { at = "10s", set = "hall.lamp", on = true },
          { at = "1h", expect = [], state = { hall.lamp.on = true } },
        ]
        "#,
    );
}

#[test]
fn rules_leave_alone_what_is_kept_from_them_already() {
    passes(
        r#"
        [test.kept]
        given = { kept = { hall.lamp = "20s" } }
        steps = [
          { event = "meter.knob.press" },
          { event = "meter.knob.release" },
          { at = "2s", expect = [], log = "held", fired = { click = 1 } },
          { at = "20s", event = "meter.knob.press" },
          { event = "meter.knob.release" },
          { at = "22s", expect = ["hall.lamp.on"], by = "click" },
        ]

        [test.no-person-is]
        given = { kept = { hall.lamp = "20s" } }
        steps = [{ set = "hall.lamp", on = true, expect = ["hall.lamp.on"] }]
        "#,
    );
}

#[test]
fn what_is_given_was_told_long_ago_so_that_a_hand_at_once_is_one() {
    passes(
        r#"
        [test.undone]
        given = { state = { living.heater = false } }
        steps = [{ at = "100ms", report = { living.heater = true }, expect = ["living.heater.off"], log = "sent again" }]

        [test.taken]
        given = { state = { hall.lamp.on = true } }
        steps = [
          { at = "100ms", report = { hall.lamp.on = false }, expect = [], target = { hall.lamp.on = false } },
          { at = "1h", expect = [] },
        ]
        "#,
    );
}

#[test]
fn what_is_given_of_an_output_stands_also_where_a_rule_wrote_it_as_the_house_began() {
    passes(
        r#"
        [test.on]
        given = { state = { desk.lamp = { on = true, brightness = 5 } } }
        steps = [
          { at = "1s", expect = [], target = { desk.lamp.on = true, desk.lamp.brightness = 5 } },
          { at = "2s", set = "desk.lamp", on = true, brightness = 5, expect = [] },
        ]

        [test.off]
        given = { state = { desk.lamp = { on = false, brightness = 5 } } }
        steps = [{ at = "1s", expect = [], target = { desk.lamp.on = false, desk.lamp.brightness = 5 } }]
        "#,
    );
}

#[test]
fn a_test_of_some_rules_lets_all_others_rest() {
    passes(
        r#"
        [test.motion-only]
        start = "2026-01-05 23:04"
        only = ["seldom"]
        given = { state = { sensor.temp = 12, hall.lux = 3 } }
        steps = [
          { at = "2m", event = "hall.motion.start", expect = [{ notify = "all", text = "somebody" }] },
          { at = "3m", restart = { down = "1m" }, expect = [] },
          { at = "1h", expect = [] },
        ]

        [test.nothing-else]
        start = "2026-01-05 23:04"
        only = []
        steps = [{ at = "2m", event = "hall.motion.start", expect = [] }]
        "#,
    );
    let said = said(
        r#"
        [test.wrong]
        only = ["seldom"]
        steps = [{ event = "hall.motion.start", expect = ["living.heater.on"] }]
        "#,
    );
    let rests = "it rests: the test is `only` about others";
    assert!(said.contains(rests), "{said}");
}

#[test]
fn a_rule_that_rests_still_tells_a_click_from_a_double() {
    passes(
        r#"
        [test.click]
        only = ["click"]
        steps = [
          { event = "meter.knob.press" },
          { at = "100ms", event = "meter.knob.release", expect = [] },
          { at = "1s", expect = ["hall.lamp.on"], by = "click" },
          { at = "2s", event = "meter.knob.press" },
          { at = "2100ms", event = "meter.knob.release" },
          { at = "2200ms", event = "meter.knob.press" },
          { at = "2300ms", event = "meter.knob.release", expect = [], fired = { click = 0, double = 0 } },
          { at = "1h", expect = [] },
        ]
        "#,
    );
}

#[test]
fn no_rule_fires_because_the_house_of_a_test_begins() {
    let rules = r#"
[var]
night = { kind = "bool", start = true }
lost  = { kind = "number", start = 0 }

[rule.lost]
when  = { holds = "!hall.online" }
do    = [{ var = "lost", to = "${var.lost + 1}" }, { start = "lost", for = "1m" }]
limit = "1 per 1h"

[rule.told]
when = { timer = "lost" }
do   = { notify = "all", text = "lost" }

[rule.came]
when = "hall.online"
do   = { var = "lost", to = "${var.lost + 10}" }

[rule.nightly]
when = { holds = "var.night" }
do   = [{ wait = "10s" }, { notify = "all", text = "night" }]
"#;
    let tests = r#"
        [test.there]
        steps = [
          { at = "2m", expect = [], var = { lost = 0 } },
          { event = "hall.offline", expect = [], var = { lost = 1 } },
        ]

        [test.day]
        given = { var = { night = false } }
        steps = [{ at = "1m", expect = [], waiting = { nightly = 0 } }]

        [test.gone]
        given = { offline = ["hall"], fired = { lost = "10m" } }
        steps = [{ at = "2m", expect = [], var = { lost = 0 } }]
        "#;
    let said = said_of(rules, tests);
    assert!(!said.contains("FAILED"), "{said}");
}
