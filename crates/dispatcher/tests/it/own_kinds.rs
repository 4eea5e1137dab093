//! `[kind.K]`: a house's own peripherals are as good as built-in ones, from the payload to the command.

use dispatcher::{Config, Publisher, rehearsal};
use types::Value;

use crate::house::{Rig, orders, program, sent};

const HOUSE: &str = r#"
allow = ["device-unused"]

[kind.siren]
note = "makes noise"
target.on         = "bool"
target.volume     = { kind = "int", min = 0, max = 10 }
state.battery     = { kind = "number", min = 0, max = 100 }
state.tampered    = "bool"
events.tampered   = { by = ["hand", "wind"], force = { kind = "number", min = 0, max = 9, default = 1 } }
carries.tampered  = { tampered = true }
events.changed    = { battery = { kind = "number", min = 0, max = 100 } }
commands.alarm    = { set = { on = true, volume = 10 } }
commands.mute     = { toggle = "on" }
commands.louder   = { step = "volume", by = 2 }
commands.quieter  = { step = "volume", by = -2 }
commands.chirp    = { args = { ms = { kind = "int", min = 10, max = 900, default = 50 } } }

[kind.pad]
events.press   = {}
events.release = {}

[kind.strip]
target.on         = "bool"
target.brightness = { kind = "int", min = 1, max = 255 }

[device.roof]
id = 40
io.siren = { kind = "siren", stale_after = "1h" }
io.pad   = { kind = "pad" }
io.strip = { kind = "strip" }

[device.bought]
id = 41
mqtt = { state = "acme/siren", event = "acme/siren/said", target = "acme/siren/set" }
io.siren = { kind = "siren", events = { TAMPER = "tampered" }, event_from = "what" }

[device.meter]
id = 42
io.power = { kind = "counter" }

[kind.bell]
commands.ring  = {}
commands.chime = { args = { times = { kind = "int", min = 1, max = 5, default = 2 } } }

[device.gate]
id = 43
mqtt = { target = "acme/gate/do" }
io.bell  = { kind = "bell" }
io.meter = { kind = "counter" }
io.blind = { kind = "cover" }

[rule.hand]
when = "roof.siren.tampered"
if   = "event.by == 'hand' && event.force > 2"
do   = "roof.siren.alarm"

[rule.click]
when = "roof.pad.click"
do   = ["roof.siren.louder", "roof.siren.chirp"]

[rule.wind]
when = "roof.siren.tampered"
if   = "event.by == 'wind'"
do   = ["bought.siren.alarm", "bought.siren.chirp", "gate.bell.ring", "gate.bell.chime", "gate.meter.reset", "gate.blind.stop"]

[rule.again]
when = { holds = "state.roof.siren.battery < 20 && !state.roof.siren.tampered" }
do   = { set = "roof.siren", volume = "${state.roof.siren.battery / 2}" }
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    for device in ["roof", "bought", "meter", "gate"] {
        rig.connect(device);
    }
    rig
}

#[test]
fn an_event_of_an_own_kind_is_read_and_checked_by_its_types() {
    let mut rig = rig();
    let topic = "iot/roof/siren/event";
    let payload = r#"{"event":"tampered","by":"hand","force":3}"#;
    let effects = rig.says("roof", topic, payload);
    assert_eq!(
        orders(&effects),
        [r#"iot/roof/siren/target {"on":true,"volume":10}"#]
    );
    let from = Publisher::Device(rig.device("roof"));
    for (payload, expected) in [
        (r#"{"event":"tampered","by":"cat"}"#, "none of hand, wind"),
        (r#"{"event":"tampered"}"#, "the field 'by' is missing"),
        (r#"{"event":"tampered","by":"hand","force":10}"#, "0..9"),
        (r#"{"event":"tampred","by":"hand"}"#, "tampered"),
    ] {
        let refused = rig.admit(&from, topic, payload).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn an_event_carries_the_state_that_its_kind_says() {
    let mut rig = rig();
    let payload = r#"{"event":"tampered","by":"wind"}"#;
    rig.says("roof", "iot/roof/siren/event", payload);
    let tampered = rig.reported("roof.siren", "tampered");
    assert_eq!(tampered, Some(Value::Bool(true)));
    let payload = r#"{"event":"changed","battery":70}"#;
    rig.says("roof", "iot/roof/siren/event", payload);
    let battery = rig.reported("roof.siren", "battery");
    assert_eq!(battery, Some(Value::Number(70.0)));
}

#[test]
fn commands_set_toggle_step_or_are_sent_as_they_are() {
    let mut rig = rig();
    let mut asks = |what: &str| sent(&rig.asks("iot/roof/siren/set", what));
    let target = |text: &str| vec![format!("iot/roof/siren/target {text}")];
    assert_eq!(asks("alarm"), target(r#"{"on":true,"volume":10}"#));
    assert_eq!(asks("mute"), target(r#"{"on":false,"volume":10}"#));
    assert_eq!(asks("quieter"), target(r#"{"on":false,"volume":8}"#));
    let further = r#"{"command":"louder","step":1}"#;
    assert_eq!(asks(further), target(r#"{"on":false,"volume":9}"#));
    assert_eq!(
        asks(r#"{"command":"chirp","ms":90}"#),
        [r#"iot/roof/siren/command {"command":"chirp","ms":90}"#]
    );
    let refused = rig.admit(
        &Publisher::Person("anna".into()),
        "iot/roof/siren/set",
        r#"{"battery":1}"#,
    );
    assert!(refused.unwrap_err().to_string().contains("battery"));
}

#[test]
fn what_has_press_and_release_has_gestures() {
    let mut rig = rig();
    rig.says("roof", "iot/roof/pad/event", "press");
    let effects = rig.says("roof", "iot/roof/pad/event", "release");
    assert_eq!(
        sent(&effects),
        [
            r#"iot/roof/siren/target {"volume":2}"#,
            r#"iot/roof/siren/command {"command":"chirp","ms":50}"#
        ]
    );
}

#[test]
fn what_has_a_brightness_is_a_lamp() {
    let mut rig = rig();
    let mut asks = |what: &str| sent(&rig.asks("iot/roof/strip/set", what));
    let target = |text: &str| vec![format!("iot/roof/strip/target {text}")];
    assert_eq!(
        asks(r#"{"brightness":200}"#),
        target(r#"{"on":true,"brightness":200}"#)
    );
    assert_eq!(
        asks(r#"{"brightness":0}"#),
        target(r#"{"on":false,"brightness":200}"#)
    );
}

#[test]
fn a_foreign_device_may_be_of_an_own_kind() {
    let mut rig = rig();
    rig.says("bought", "acme/siren", r#"{"battery":15,"on":false}"#);
    let battery = rig.reported("bought.siren", "battery");
    assert_eq!(battery, Some(Value::Number(15.0)));
    let payload = r#"{"what":"TAMPER","by":"hand"}"#;
    rig.says("bought", "acme/siren/said", payload);
    let tampered = rig.reported("bought.siren", "tampered");
    assert_eq!(tampered, Some(Value::Bool(true)));
}

#[test]
fn what_takes_commands_only_gets_them_too() {
    let mut rig = rig();
    let effects = rig.asks("iot/meter/power/set", "reset");
    assert_eq!(
        sent(&effects),
        [r#"iot/meter/power/command {"command":"reset"}"#]
    );
}

#[test]
fn a_rule_tells_foreign_devices_of_own_and_of_built_in_kinds_whatever_they_take() {
    let mut rig = rig();
    let payload = r#"{"event":"tampered","by":"wind"}"#;
    let effects = rig.says("roof", "iot/roof/siren/event", payload);
    let mut said = orders(&effects);
    said.sort();
    assert_eq!(
        said,
        [
            "acme/gate/do reset",
            "acme/gate/do ring",
            "acme/gate/do stop",
            r#"acme/gate/do {"command":"chime","times":2}"#,
            r#"acme/siren/set {"command":"chirp","ms":50}"#,
            r#"acme/siren/set {"on":true,"volume":10}"#,
        ]
    );
}

#[test]
fn people_ask_foreign_devices_of_own_kinds_as_they_ask_any_other() {
    let mut rig = rig();
    let mut asks = |channel: &str, what: &str| sent(&rig.asks(&format!("iot/{channel}/set"), what));
    let siren = |text: &str| vec![format!("acme/siren/set {text}")];
    assert_eq!(
        asks("bought/siren", "alarm"),
        siren(r#"{"on":true,"volume":10}"#)
    );
    assert_eq!(
        asks("bought/siren", "mute"),
        siren(r#"{"on":false,"volume":10}"#)
    );
    assert_eq!(
        asks("bought/siren", "quieter"),
        siren(r#"{"on":false,"volume":8}"#)
    );
    assert_eq!(
        asks("bought/siren", r#"{"command":"chirp","ms":90}"#),
        siren(r#"{"command":"chirp","ms":90}"#)
    );
    assert_eq!(asks("gate/bell", "ring"), ["acme/gate/do ring"]);
    assert_eq!(
        asks("gate/bell", r#"{"command":"chime","times":3}"#),
        [r#"acme/gate/do {"command":"chime","times":3}"#]
    );
}

#[test]
fn house_tests_know_own_kinds() {
    let loaded = mapping::load_texts([
        ("mapping.toml", HOUSE),
        (
            "house.test.toml",
            r#"
[test.siren]
given = { state = { roof.siren = { battery = 50, tampered = false } } }
steps = [
  { event = "roof.siren.tampered", with = { by = "hand" }, expect = [] },
  { event = "roof.siren.tampered", with = { by = "hand", force = 3 }, expect = ["roof.siren.alarm"], by = "hand" },
  { report = { roof.siren.tampered = false }, expect = [] },
  { report = { roof.siren.battery = 12 }, expect = [{ set = "roof.siren", volume = 6 }], by = "again" },
  { event = "roof.pad.press" },
  { event = "roof.pad.release", expect = [{ set = "roof.siren", volume = 8 }, "roof.siren.chirp"] },
  { set = "roof.siren", volume = 1, target = { roof.siren.volume = 1 } },
]
"#,
        ),
    ]);
    let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    let program = loaded.program.unwrap_or_else(|| panic!("{said}"));
    assert_eq!(said, "");
    for test in &loaded.tests {
        let verdict = rehearsal::run(&program, test);
        assert!(verdict.passed(), "{verdict}");
    }
}
