//! Edited files while it runs: what checks and passes its tests is in force, anything else changes
//! nothing and is said with its place.

use serde_json::json;

use crate::harness::{Client, Dispatcher, House, Kind, PIANO_AND_LAMPS};

const KEYS: &str = "iot/piano/keys/event";
const HALL: &str = "iot/hall/lamp/target";
const DESK: &str = "iot/desk/lamp/target";

const RULE: &str = r#"
[rule.fifty]
when = "piano.keys.press"
if = "event.key == 50"
do = "hall.lamp.on"
"#;

/// A house whose rules stand in a file of their own.
fn house() -> House {
    let house = House::new("format = 1\ninclude = [\"devices.toml\", \"rules.toml\"]\n");
    house.write("devices.toml", &PIANO_AND_LAMPS.replace("format = 1", ""));
    house.write("rules.toml", RULE);
    house
}

fn press(piano: &mut Client, key: u32) {
    let press = json!({ "event": "press", "key": key, "velocity": 80 });
    assert_eq!(piano.publish(KEYS, &press.to_string()), 0);
}

/// Key 50 still switches the hall lamp.
fn goes_on_as_before(dispatcher: &Dispatcher<'_>, piano: &mut Client) {
    let watcher = dispatcher.watcher();
    press(piano, 61);
    watcher.field(0, HALL, "on", false);
    let mark = watcher.mark();
    press(piano, 50);
    watcher.field(mark, HALL, "on", true);
}

#[test]
fn an_edited_rule_is_in_force_while_clients_stay_connected() {
    let house = house();
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    press(&mut piano, 50);
    watcher.field(0, HALL, "on", true);

    let (mark, said) = (watcher.mark(), dispatcher.mark());
    house.write("rules.toml", &RULE.replace("hall.lamp.on", "desk.lamp.on"));
    dispatcher.says(said, "are in force");
    press(&mut piano, 50);
    watcher.field(mark, DESK, "on", true);
    let hall = watcher.messages(mark).into_iter();
    let hall: Vec<_> = hall.filter(|message| message.topic == HALL).collect();
    assert_eq!(hall, [], "its target did not change");
}

#[test]
fn a_rule_that_waits_goes_on_through_an_edit_of_others_and_is_dropped_by_its_own() {
    let waiting = r#"
[rule.wave]
when = "piano.keys.press"
if = "event.key == 51"
do = ["desk.lamp.on", { wait = "2s" }, { set = "hall.lamp", brightness = "${event.velocity}" }]
"#;
    let house = house();
    house.write("rules.toml", &format!("{RULE}{waiting}"));
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    press(&mut piano, 51);
    watcher.field(0, DESK, "on", true);
    let said = dispatcher.mark();
    house.write(
        "rules.toml",
        &format!("{waiting}{}", RULE.replace("50", "52")),
    );
    dispatcher.says(said, "are in force");
    watcher.field(0, HALL, "brightness", 80);

    press(&mut piano, 51);
    let said = dispatcher.mark();
    let edited = waiting.replace("\"desk.lamp.on\"", "\"desk.lamp.off\"");
    house.write("rules.toml", &edited);
    dispatcher.says(said, "are in force");
    dispatcher.says(
        said,
        "the rule wave was waiting among its actions, and is gone or changed",
    );
}

#[test]
fn a_broken_file_changes_nothing_and_is_said_with_its_place() {
    let house = house();
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    for (broken, place, why) in [
        (
            RULE.replace("event.key", "event.kei"),
            "rules.toml:4:13",
            "did you mean `key`?",
        ),
        (
            RULE.replace("hall.lamp.on", "hall.lmap.on"),
            "rules.toml:5:12",
            "did you mean `lamp`?",
        ),
        (
            RULE.replace("do =", "doo ="),
            "rules.toml:5:1",
            "did you mean `do`?",
        ),
        (
            RULE.replace("\"hall.lamp.on\"", "\"hall.lamp.on"),
            "rules.toml:5:",
            "error",
        ),
    ] {
        let said = dispatcher.mark();
        house.write("rules.toml", &broken);
        dispatcher.says(said, place);
        dispatcher.says(said, why);
        dispatcher.says(said, "not in force");
        goes_on_as_before(&dispatcher, &mut piano);
    }
    // Mended, it is taken.
    let said = dispatcher.mark();
    house.write("rules.toml", &RULE.replace("hall.lamp.on", "desk.lamp.on"));
    dispatcher.says(said, "are in force");
    press(&mut piano, 50);
    let watcher = dispatcher.watcher();
    watcher.field(0, DESK, "on", true);
}

#[test]
fn a_house_whose_test_fails_is_not_in_force() {
    let house = house();
    house.write(
        "tests/keys.test.toml",
        "[test.fifty]\nsteps = [{ event = \"piano.keys.press\", with = { key = 50, velocity = 1 }, expect = [\"hall.lamp.on\"] }]\n",
    );
    let dispatcher = house.start();
    dispatcher.says(0, "1 test");
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let said = dispatcher.mark();
    house.write("rules.toml", &RULE.replace("hall.lamp.on", "desk.lamp.on"));
    dispatcher.says(said, "not in force");
    let why = dispatcher.said(said);
    assert!(why.contains("tests/keys.test.toml:2"), "{why}");
    assert!(
        why.contains("expected: hall.lamp.on") && why.contains("came:     desk.lamp on=true"),
        "{why}"
    );
    goes_on_as_before(&dispatcher, &mut piano);
}

#[test]
fn a_house_that_does_not_check_does_not_start() {
    let house = house();
    house.write("rules.toml", &RULE.replace("event.key", "event.kei"));
    let output = crate::harness::run(
        [
            "run",
            house.folder().to_str().unwrap(),
            "--state",
            house.state().to_str().unwrap(),
        ],
        "",
    );
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("rules.toml:4:13"), "{output:?}");
}

#[test]
fn only_a_device_whose_tables_changed_gets_another_role() {
    let house = house();
    let dispatcher = house.start();
    let is_role = |message: &crate::harness::Message| message.topic.ends_with("/role");
    let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &["iot/hall/role"]);
    let desk = dispatcher.device_client(Kind::RumqttcV5, "desk", &["iot/desk/role"]);
    let before = hall.find(0, "its role", is_role).json();
    desk.find(0, "its role", is_role);

    let (mark, said) = (hall.mark(), dispatcher.mark());
    let devices = house.read("devices.toml");
    let moved = devices.replacen("pin = 4", "pin = 3", 1);
    assert_ne!(devices, moved);
    house.write("devices.toml", &moved);
    dispatcher.says(said, "are in force");
    let after = hall.find(mark, "its new role", is_role).json();
    assert_eq!(after["io"]["lamp"]["pin"], 3);
    assert!(
        after["rev"].as_u64() > before["rev"].as_u64(),
        "{before} {after}"
    );
    let roles = desk.messages(0);
    assert_eq!(roles.len(), 1, "{roles:?}");
}

#[test]
fn a_device_that_is_removed_loses_its_topics_and_one_that_is_added_gets_them() {
    let house = house();
    let dispatcher = house.start();
    let login = house.device_login("desk");
    let watcher = dispatcher.watcher();
    watcher.find(0, "the desk's role", |of| of.topic == "iot/desk/role");
    let devices = house.read("devices.toml");
    let (start, rest) = devices.split_once("[device.desk]").unwrap();
    let (_, rest) = rest.split_once("[rule.on]").unwrap();
    let (rest, _) = rest.split_once("[rule.desk]").unwrap();

    let (mark, said) = (watcher.mark(), dispatcher.mark());
    house.write("devices.toml", &format!("{start}\n[rule.on]{rest}"));
    dispatcher.says(said, "are in force");
    watcher.text(mark, "iot/desk/role", "");
    let refused = dispatcher.ask(&["device", "show", "desk"]);
    assert_eq!(refused.code, Some(1));

    let said = dispatcher.mark();
    house.write("devices.toml", &devices);
    dispatcher.says(said, "are in force");
    let connect = dispatcher.connect(Some(login), &[DESK, "iot/desk/role"]);
    let mut desk = Client::connect(Kind::RumqttcV5, &connect).expect("its login is as before");
    desk.find(0, "its role", |of| of.topic == "iot/desk/role");
    desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
    desk.find(0, "its target", |of| of.topic == DESK);
}

#[test]
fn a_running_timer_goes_on_over_an_edit() {
    let house = House::with_rules(
        r#"
        [rule.start]
        when = "desk.button.press"
        do = ["hall.lamp.on", { start = "off", for = "2s" }]

        [rule.stop]
        when = { timer = "off" }
        do = "hall.lamp.off"
        "#,
    );
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut desk = dispatcher.device_client(Kind::RumqttcV5, "desk", &[]);
    desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
    watcher.field(0, HALL, "on", true);
    let said = dispatcher.mark();
    house.write(
        "mapping.toml",
        &format!("{}\n# edited\n{RULE}", house.read("mapping.toml")),
    );
    dispatcher.says(said, "are in force");
    watcher.field(0, HALL, "on", false);
}
