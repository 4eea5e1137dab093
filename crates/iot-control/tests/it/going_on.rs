//! Files that can't come into force, and then a power cut: the mapping that was in force last goes on, and the mended files are
//! taken up.

use serde_json::json;

use crate::harness::{Dispatcher, House, Kind};

const RULE: &str = r#"
[rule.fifty]
when = "piano.keys.press"
if = "event.key == 50"
do = "hall.lamp.on"
"#;

const HALL: &str = "iot/hall/lamp/target";

/// Key 50 switches the hall lamp.
fn is_lit(dispatcher: &Dispatcher<'_>) {
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let press = json!({ "event": "press", "key": 50, "velocity": 80 });
    assert_eq!(piano.publish("iot/piano/keys/event", &press.to_string()), 0);
    watcher.field(0, HALL, "on", true);
}

/// Spoils a house's file, cuts the power, and mends it.
fn goes_on_and_is_mended(spoilt: (&str, &str), mended: &str, said: &str) {
    let house = House::with_rules(RULE);
    let sound = house.read("mapping.toml");
    let before = house.start();
    let status = before.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["files_in_force"], true, "{status}");
    before.kill_9();
    let (file, text) = spoilt;
    house.write(file, text);
    let dispatcher = house.start();
    dispatcher.says(0, said);
    dispatcher.says(
        0,
        "goes on. Mend the files, they are taken up when they check",
    );
    is_lit(&dispatcher);
    let status = dispatcher.ask(&["status"]).ok();
    assert!(
        status.stdout.contains("an earlier mapping goes on"),
        "{status:?}"
    );

    let dispatcher = dispatcher.kill_9_and_restart();
    dispatcher.says(0, "goes on. Mend the files");
    let mark = dispatcher.mark();
    house.write(file, mended);
    dispatcher.says(mark, "the files are again as they are in force");
    let mark = dispatcher.mark();
    house.write(
        "mapping.toml",
        &sound.replace("rule.fifty", "rule.key-fifty"),
    );
    dispatcher.says(mark, "are in force");
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["files_in_force"], true, "{status}");
}

#[test]
fn a_broken_file_and_a_power_cut_leave_the_mapping_that_was_in_force() {
    let sound = House::with_rules(RULE).read("mapping.toml");
    let half = &sound[..sound.len() - 20];
    goes_on_and_is_mended(("mapping.toml", half), &sound, "error[");
}

#[test]
fn a_test_that_fails_and_a_power_cut_leave_the_mapping_that_was_in_force() {
    let fails = "[test.a]\nsteps = [{ expect = [\"hall.lamp.on\"] }]\n";
    goes_on_and_is_mended(("a.test.toml", fails), "", "FAILED  a");
}

#[test]
fn without_a_past_a_house_that_does_not_check_is_refused() {
    let house = House::with_rules(RULE);
    house.write("mapping.toml", "[device.hall\n");
    let said = house.start_fails();
    assert!(said.contains("this house can't come into force"), "{said}");
}

#[test]
fn a_folder_of_another_house_does_not_start_the_one_that_was_in_force() {
    let house = House::with_rules(RULE);
    // In order: its mapping is archived a moment after it is ready.
    assert_eq!(house.start().interrupt(), Some(0));
    house.write(
        "mapping.toml",
        "[device.attic]\nid = 77\nio.lamp = { kind = \"switch\" }\n[rule.x]\nwhen = \"attic.lmp.on\"\n",
    );
    let said = house.start_fails();
    assert!(said.contains("it holds another house"), "{said}");
}
