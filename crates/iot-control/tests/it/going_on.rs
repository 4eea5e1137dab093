//! Files that can't come into force, and then a power cut: the mapping that was in force last goes on, and the mended files are
//! taken up.

use std::{fs, process::Command};

use serde_json::json;

use crate::harness::{Dispatcher, House, Kind, run};

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

/// Writes a spoilt file into a house while the power is cut, and then the mended one.
fn goes_on_and_is_mended((file, text): (&str, &str), mended: &str, said: &str) {
    let spoil = |house: &House| house.write(file, text);
    let mend = |house: &House| house.write(file, mended);
    goes_on(&spoil, &mend, said);
}

/// Spoils a house while the power is cut, and mends it while it runs.
fn goes_on(spoil: &dyn Fn(&House), mend: &dyn Fn(&House), said: &str) {
    let house = House::with_rules(RULE);
    let sound = house.read("mapping.toml");
    let before = house.start();
    let status = before.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["files_in_force"], true, "{status}");
    before.kill_9();
    spoil(&house);
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
    mend(&house);
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
fn files_that_lost_all_devices_and_a_power_cut_leave_the_mapping_that_was_in_force() {
    let sound = House::with_rules(RULE).read("mapping.toml");
    for emptied in [
        "",
        "format = 1\n[var]\nnight = { kind = \"bool\", start = true }\n",
    ] {
        let said = "the files have no device any more, and the house has piano, hall, desk";
        goes_on_and_is_mended(("mapping.toml", emptied), &sound, said);
    }
}

#[test]
fn whatever_takes_the_place_of_mapping_toml_leaves_the_mapping_that_was_in_force() {
    let sound = House::with_rules(RULE).read("mapping.toml");
    let path = |house: &House| house.folder().join("mapping.toml");
    let remove = |house: &House| fs::remove_file(path(house)).unwrap();
    let write = |house: &House| house.write("mapping.toml", &sound);
    let pipe = |house: &House| {
        remove(house);
        let made = Command::new("mkfifo").arg(path(house)).status();
        assert!(made.unwrap().success());
    };
    let folder = |house: &House| {
        remove(house);
        fs::create_dir(path(house)).unwrap();
    };
    let instead_of_a_folder = |house: &House| {
        fs::remove_dir(path(house)).unwrap();
        write(house);
    };
    let away = |house: &House| fs::remove_dir_all(house.folder()).unwrap();
    let back = |house: &House| {
        fs::create_dir(house.folder()).unwrap();
        write(house);
    };
    goes_on(&remove, &write, "there is no file `mapping.toml`");
    goes_on(&pipe, &write, "`mapping.toml` is a named pipe");
    goes_on(&folder, &instead_of_a_folder, "`mapping.toml` is a folder");
    goes_on(&away, &back, "there is no file `mapping.toml`");
}

#[test]
fn files_that_lost_all_devices_change_nothing_while_the_house_runs_either() {
    let house = House::with_rules(RULE);
    let sound = house.read("mapping.toml");
    let dispatcher = house.start();
    let mark = dispatcher.mark();
    house.write("mapping.toml", "format = 1\n");
    dispatcher.says(mark, "the files have no device any more");
    dispatcher.says(mark, "the house goes on as before");
    is_lit(&dispatcher);
    house.write("mapping.toml", &sound);
    dispatcher.says(mark, "the files are again as they are in force");
}

#[test]
fn where_blocks_are_gone_with_the_mapping_they_stay() {
    let house = House::with_rules("");
    house.write("blocklist.toml", "[[block]]\ndevice = \"piano\"\n");
    assert_eq!(house.start().interrupt(), Some(0));
    fs::remove_dir_all(house.folder()).unwrap();
    let dispatcher = house.start();
    dispatcher.says(0, "blocklist.toml is gone along with mapping.toml");
    assert_eq!(dispatcher.device("piano")["blocked"], "both");
}

#[test]
fn where_the_folder_is_gone_while_the_house_runs_its_blocks_stay() {
    let house = House::with_rules("");
    house.write("blocklist.toml", "[[block]]\ndevice = \"piano\"\n");
    let dispatcher = house.start();
    let mark = dispatcher.mark();
    fs::remove_dir_all(house.folder()).unwrap();
    dispatcher.says(mark, "blocklist.toml is gone along with mapping.toml");
    assert_eq!(dispatcher.device("piano")["blocked"], "both");
}

#[test]
fn where_settings_are_gone_with_the_mapping_those_of_the_last_start_go_on() {
    let house = House::with_rules(RULE);
    house.write("settings.toml", "[udp]\nlisten = \"127.0.0.1:0\"\n");
    let mut before = house.start();
    before.says(0, "sealed    udp://");
    assert_eq!(before.interrupt(), Some(0));
    fs::remove_dir_all(house.folder()).unwrap();
    let dispatcher = house.start();
    dispatcher.says(
        0,
        "settings.toml is gone; the settings of the last start go on",
    );
    dispatcher.says(0, "sealed    udp://");
    // They are kept beyond a start that did without the file.
    let dispatcher = dispatcher.kill_9_and_restart();
    dispatcher.says(0, "sealed    udp://");
}

#[test]
fn a_folder_without_a_house_does_not_start_the_one_of_another_folder() {
    let house = House::with_rules(RULE);
    assert_eq!(house.start().interrupt(), Some(0));
    let (other, state) = (tempfile::tempdir().unwrap(), house.state());
    let [folder, state] = [other.path(), &state].map(|path| path.to_str().unwrap());
    let refused = run(["run", folder, "--state", state], "");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let said = "holds no mapping.toml; name a folder that does";
    assert!(refused.stderr.contains(said), "{refused:?}");
}

#[test]
fn a_device_and_its_channel_that_were_renamed_meanwhile_are_no_other_house() {
    let one = |device: &str, channel: &str| {
        format!(
            "format = 1\n[device.{device}]\nid = 21\nio.{channel} = {{ kind = \"dimmer\" }}\n\
             [rule.dark]\nwhen = {{ timer = \"off\" }}\ndo = \"{device}.{channel}.off\"\n\
             [rule.bright]\nwhen = \"{device}.online\"\ndo = [\"{device}.{channel}.on\", {{ start = \"off\", for = \"1h\" }}]\n"
        )
    };
    let house = House::new(&one("hall", "lamp"));
    let mut dispatcher = house.start();
    let _hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    let lit =
        |device: &serde_json::Value, lamp: &str| device["channels"][lamp]["target"]["on"] == true;
    dispatcher.device_is("hall", "is lit", |hall| lit(hall, "lamp"));
    assert_eq!(dispatcher.interrupt(), Some(0));
    house.write("mapping.toml", &one("floor", "light"));
    let dispatcher = house.start();
    let floor = dispatcher.device("floor");
    assert!(lit(&floor, "light"), "{floor}");
}

#[test]
fn without_a_past_a_house_that_does_not_check_is_refused() {
    let house = House::with_rules(RULE);
    house.write("mapping.toml", "[device.hall\n");
    let said = house.start_fails();
    assert!(said.contains("this house can't come into force"), "{said}");
    fs::remove_file(house.folder().join("mapping.toml")).unwrap();
    let said = house.start_fails();
    assert!(
        said.contains("holds no mapping.toml; name a folder that does"),
        "{said}"
    );
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

#[test]
fn a_start_says_what_got_another_name_meanwhile_and_which_login_speaks_for_nobody_now() {
    let text = "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\n\
                [device.desk]\nid = 2\nio.lamp = { kind = \"switch\" }\n\
                [rule.bright]\nwhen = \"hall.online\"\ndo = \"hall.lamp.on\"\n";
    let house = House::new(text);
    let mut before = house.start();
    for device in ["hall", "desk"] {
        let added = ["user", "add", device, "--device", device];
        before.ask(&added).ok();
    }
    assert_eq!(before.interrupt(), Some(0));
    house.write("mapping.toml", &text.replace("hall", "floor"));
    let dispatcher = house.start();
    dispatcher.says(0, "renamed: hall -> floor");
    dispatcher.says(
        0,
        "the login hall speaks for the device hall, which the house does not have",
    );
    let said = dispatcher.said(0);
    assert!(!said.contains("the login desk"), "{said}");

    // An edit says it at once, of those that it is about; and whoever asks hears it.
    let mark = dispatcher.mark();
    let both = text.replace("hall", "floor").replace("desk", "table");
    house.write("mapping.toml", &both);
    dispatcher.says(mark, "the login desk speaks for the device desk");
    let again = dispatcher.said(mark);
    assert!(!again.contains("the login hall"), "{again}");
    let nobody = "which the house does not have";
    let list = || dispatcher.ask(&["user", "list"]).ok().stdout;
    assert_eq!(list().matches(nobody).count(), 2, "{}", list());
    let folder = house.folder().display().to_string();
    let doctor = dispatcher.ask(&["doctor", &folder]).stdout;
    let hint = "iot-control user add desk --device DEVICE";
    assert!(doctor.contains(hint), "{doctor}");
    dispatcher
        .ask(&["user", "add", "desk", "--device", "table"])
        .ok();
    assert_eq!(list().matches(nobody).count(), 1, "{}", list());
}

#[test]
fn renames_lose_nothing_of_what_no_rule_speaks_of_in_a_house_that_runs_or_is_down() {
    let house = House::new(
        "format = 1\n[device.hall]\nid = 1\nio.lamp = { kind = \"switch\" }\nio.plug = { kind = \"switch\" }\n\
         [var]\nholiday = { kind = \"bool\", keep = true }\n\
         [rule.bright]\nwhen = \"hall.online\"\ndo = \"hall.lamp.on\"\n",
    );
    let folder = house.folder().to_str().unwrap().to_owned();
    let rename = |was: &str, is: &str| run(["rename", &folder, was, is], "").ok();
    let is_on =
        |device: &serde_json::Value, plug: &str| device["channels"][plug]["target"]["on"] == true;
    let dispatcher = house.start();
    let mut person = dispatcher.watcher();
    assert_eq!(person.publish("iot/hall/plug/set", "ON"), 0);
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    assert_eq!(hall.publish("iot/hall/plug/state", r#"{"on":true}"#), 0);
    dispatcher.ask(&["set", "holiday", "true"]).ok();
    dispatcher.device_is("hall", "is on", |hall| is_on(hall, "plug"));
    rename("hall.plug", "socket");
    dispatcher.device_is("hall", "goes on", |hall| is_on(hall, "socket"));
    let dispatcher = dispatcher.kill_9_and_restart();
    assert!(is_on(&dispatcher.device("hall"), "socket"));
    let history = dispatcher.ask(&["history", "hall.socket", "--since", "-1h"]);
    let history = history.ok().stdout;
    assert!(history.contains("true"), "its past is its own: {history}");
    dispatcher.kill_9();
    for (was, is) in [
        ("hall.socket", "outlet"),
        ("var.holiday", "away"),
        ("hall", "floor"),
        ("floor.outlet", "mains"),
        ("rule.bright", "light"),
    ] {
        rename(was, is);
    }
    let dispatcher = house.start();
    dispatcher.says(0, "hall.socket -> floor.mains");
    assert!(is_on(&dispatcher.device("floor"), "mains"));
    let away = dispatcher.ask(&["set", "var.away", "false"]).ok();
    assert!(away.stdout.contains("true"), "{away:?}");
}
