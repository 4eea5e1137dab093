//! `{ command = "D.CH.C", argument = value }`: a rule says by how much, for how long.

use dispatcher::{Config, rehearsal};

use crate::house::{Rig, program, sent};

const HOUSE: &str = r#"
allow = ["device-unused"]

[device.desk]
id = 1
io.knob = { kind = "encoder" }
io.lamp = { kind = "dimmer" }
io.wall = { kind = "dimmer" }
io.horn = { kind = "buzzer" }
io.lux  = { kind = "lux" }

[group]
lamps = ["desk.lamp", "desk.wall"]

[rule.turned]
when = "desk.knob.turn"
do   = { command = "lamps.brighter", step = "${event.steps * 5}" }

[rule.pressed]
when = "desk.knob.press"
do   = [{ command = "desk.horn.beep", ms = 90 }, { command = "desk.horn.beep" }, { command = "desk.lamp.off" }]

[rule.released]
when = "desk.knob.release"
do   = { command = "desk.horn.beep", ms = "${state.desk.lux}" }
"#;

/// Tests of this house pass, or fail with what is given.
fn check(steps: &str) -> String {
    let test = format!(
        "[test.t]\ngiven = {{ state = {{ desk.lamp.brightness = 50, desk.wall.brightness = 5 }} }}\nsteps = [{steps}]"
    );
    let loaded = mapping::load_texts([("mapping.toml", HOUSE), ("a.test.toml", &test)]);
    let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{said}");
    let program = loaded.program.expect("it checks");
    let verdict = rehearsal::run(&program, &loaded.tests[0]);
    if verdict.passed() {
        String::new()
    } else {
        verdict.to_string()
    }
}

#[test]
fn a_knob_dims_both_ways_by_as_much_as_it_turns() {
    let said = check(
        r#"{ event = "desk.knob.turn", with = { steps = 4 }, expect = [{ set = "desk.lamp", brightness = 70 }, { set = "desk.wall", brightness = 25 }] },
        { event = "desk.knob.turn", with = { steps = -3 }, expect = [{ set = "desk.lamp", brightness = 55 }, { set = "desk.wall", brightness = 10 }] },
        { event = "desk.knob.turn", with = { steps = 60 }, expect = [{ set = "desk.lamp", brightness = 100 }, { set = "desk.wall", brightness = 100 }] }"#,
    );
    assert_eq!(said, "");
}

#[test]
fn arguments_reach_the_module_and_what_is_not_said_is_the_default() {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    rig.connect("desk");
    let effects = rig.says("desk", "iot/desk/knob/event", "press");
    let beeps: Vec<String> = (sent(&effects).into_iter())
        .filter(|message| message.starts_with("iot/desk/horn"))
        .collect();
    assert_eq!(
        beeps,
        [
            r#"iot/desk/horn/command {"command":"beep","ms":90}"#,
            r#"iot/desk/horn/command {"command":"beep","ms":200}"#
        ]
    );
}

#[test]
fn a_computed_argument_is_clamped_and_an_unknown_one_leaves_the_command_out() {
    let said = check(
        r#"{ event = "desk.knob.release", expect = [], log = "unknown" },
        { report = { desk.lux = 80000 } },
        { event = "desk.knob.release", expect = [{ command = "desk.horn.beep", ms = 5000 }], log = "5000" },
        { report = { desk.lux = 300 } },
        { event = "desk.knob.release", expect = [{ command = "desk.horn.beep", ms = 300 }] }"#,
    );
    assert_eq!(said, "");
}

#[test]
fn a_test_that_expects_another_argument_fails_and_shows_both() {
    let off = r#"{ event = "desk.knob.press", expect = ["desk.lamp.off", "desk.horn.beep", { command = "desk.horn.beep", ms = 91 }] }"#;
    let said = check(off);
    assert!(
        said.contains("expected: desk.lamp.off, desk.horn.beep, desk.horn.beep ms=91"),
        "{said}"
    );
    assert!(said.contains("desk.horn.beep ms=90"), "{said}");
    assert_eq!(check(&off.replace("91", "90")), "");
}
