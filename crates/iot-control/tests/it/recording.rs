//! `test --record`: a house is used, what happened becomes its test, and the test guards its rules.

use std::fs;

use crate::harness::{Client, Dispatcher, House, Kind, run};

const HOUSE: &str = r#"
format = 1

[home]
timezone = "Europe/Berlin"

[device.hall]
id = 1
io.button = { kind = "button" }
io.bell   = { kind = "button" }
io.lamp   = { kind = "dimmer" }
io.lux    = { kind = "lux" }

[device.stairs]
id = 2
io.lamp = { kind = "switch" }

[rule.light]
when = "hall.button.press"
if   = "state.hall.lux < 50"
do   = ["hall.lamp.toggle", { start = "stairs-on", for = "500ms" }]

[rule.stairs]
when = { timer = "stairs-on" }
do   = "stairs.lamp.on"

[rule.bell]
when = "hall.bell.press"
do   = { notify = "all", text = "Somebody rings \"now\"." }
"#;

fn used(house: &House) -> Dispatcher<'_> {
    let dispatcher = Dispatcher::start(house, &["--simulate"]);
    for device in ["hall", "stairs"] {
        dispatcher.device_is(device, "reports its lamp", |shown| {
            shown["channels"]["lamp"]["target"]["on"] == false
        });
    }
    dispatcher
}

fn press(dispatcher: &Dispatcher<'_>, words: &[&str]) {
    let words: Vec<&str> = ["press"].into_iter().chain(words.iter().copied()).collect();
    dispatcher.ask(&words).ok();
}

#[test]
fn what_happened_becomes_a_test_and_a_broken_rule_fails_it() {
    let house = House::new(HOUSE);
    let dispatcher = used(&house);
    let anybody = dispatcher.connect(None, &["iot/#"]);
    let mut watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    press(&dispatcher, &["hall.button"]);
    watcher.field(0, "iot/stairs/lamp/state", "on", true);
    press(&dispatcher, &["hall.bell"]);
    press(&dispatcher, &["hall.lux", "lux=70"]);
    press(&dispatcher, &["hall.button"]);
    watcher.publish("iot/hall/lamp/set", r#"{"brightness":30}"#);
    watcher.field(0, "iot/hall/lamp/state", "brightness", 30);

    let folder = house.folder().display().to_string();
    let state = house.state().display().to_string();
    let record = |name: &str, more: &[&str]| {
        let words = ["test", &folder, "--record", name, "--since", "-1h"];
        let words = words.into_iter().chain(more.iter().copied());
        run(words.chain(["--state", &state]), "")
    };
    let recorded = record("evening", &[]);
    assert_eq!(recorded.code, Some(0), "{recorded:?}");
    let text = house.read("tests/evening.test.toml");
    for line in [
        r#"event = "hall.button.press", expect = ["hall.lamp.on"], by = "light""#,
        r#"expect = ["stairs.lamp.on"], by = "stairs""#,
        r#"expect = [{ notify = "all", text = "Somebody rings \"now\"." }], by = "bell""#,
        r#"event = "hall.lux.changed", with = { lux = 70 }, expect = []"#,
        r#"set = "hall.lamp", brightness = 30"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let again = record("evening", &[]);
    assert_eq!(again.code, Some(1), "{again:?}");
    assert!(again.stderr.contains("is there already"), "{again:?}");
    let bell = record("bell", &["--rule", "bell"]);
    assert_eq!(bell.code, Some(0), "{bell:?}");
    assert!(!house.read("tests/bell.test.toml").contains("hall.button"));
    let tests = || run(["test", &folder], "");
    let passed = tests();
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(passed.stdout.contains("2 passed, 0 failed"), "{passed:?}");

    let broken = house
        .read("mapping.toml")
        .replace("state.hall.lux < 50", "state.hall.lux < 5");
    house.write("mapping.toml", &broken);
    let failed = tests();
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for said in [
        "FAILED  evening",
        "expected: hall.lamp.on",
        "came:     no command",
        "state.hall.lux = 20",
    ] {
        assert!(failed.stdout.contains(said), "{said}: {}", failed.stdout);
    }
    // The mapping no longer does what happened: such a test is not written.
    let other = record("other", &[]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.stderr.contains("was not written"), "{other:?}");
    assert!(!house.folder().join("tests/other.test.toml").exists());
}

#[test]
fn what_can_not_be_recorded_is_refused_and_nothing_is_written() {
    let house = House::new(HOUSE);
    let mut dispatcher = used(&house);
    press(&dispatcher, &["hall.button"]);
    let folder = house.folder().display().to_string();
    let state = house.state().display().to_string();
    for (words, code, said) in [
        (vec!["--record", "x"], 2, "--since"),
        (
            vec!["--record", "../x", "--since", "-1h"],
            1,
            "can't be a test's name",
        ),
        (
            vec!["--record", "x", "--since", "-1h", "--rule", "lihgt"],
            1,
            "light",
        ),
        (vec!["--since", "-1h"], 2, "--record"),
    ] {
        let all = ["test", &folder].into_iter().chain(words.iter().copied());
        let state = ["--state", &*state];
        let refused = run(all.chain(state), "");
        assert_eq!(refused.code, Some(code), "{words:?} {refused:?}");
        assert!(refused.stderr.contains(said), "{words:?} {refused:?}");
    }
    // An orderly end leaves all of it on the disk.
    assert_eq!(dispatcher.interrupt(), Some(0));
    assert_eq!(
        Dispatcher::start(&house, &["--simulate"]).interrupt(),
        Some(0)
    );
    let all = [
        "test", &folder, "--record", "x", "--since", "-1h", "--state", &state,
    ];
    let refused = run(all, "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("the dispatcher was restarted at"),
        "{refused:?}"
    );
    assert!(fs::read_dir(house.folder().join("tests")).is_err());
}
