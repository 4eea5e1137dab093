//! `iot-control doctor`: it names what is wrong with a machine and a house, and how to mend it.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use serde_json::Value as Json;

use crate::harness::{Dispatcher, House, Output, PIANO_AND_LAMPS, finish, iot_control};

/// Asks about a house whose broker has `address`.
fn ask(house: &House, address: &str) -> (Output, Vec<Json>) {
    let mut command = iot_control();
    command
        .args(["doctor", "--json", "--state"])
        .args([house.state(), house.folder()])
        .env("IOT_CONTROL__MQTT__LISTEN", address)
        .env("IOT_CONTROL__WEB__LISTEN", "");
    let output = finish(command, "");
    let findings = output.json().as_array().unwrap().clone();
    (output, findings)
}

/// Level and words of what it says about something.
fn about<'f>(findings: &'f [Json], about: &str) -> Vec<(&'f str, &'f str)> {
    let rows = findings.iter().filter(|row| row["about"] == about);
    rows.map(|row| {
        (
            row["level"].as_str().unwrap(),
            row["what"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_house_that_can_start_is_well_and_nothing_is_made() {
    let house = House::new(PIANO_AND_LAMPS);
    let (output, findings) = ask(&house, "127.0.0.1:0");
    assert_eq!(output.code, Some(0), "{findings:?}");
    let (level, what) = about(&findings, "house")[0];
    assert_eq!(level, "fine");
    assert!(what.ends_with("3 devices, 5 rules; it checks"), "{what}");
    assert_eq!(about(&findings, "dispatcher")[0].0, "note");
    assert!(!house.state().exists());
}

#[test]
fn a_house_that_runs_is_well() {
    let house = House::new(PIANO_AND_LAMPS);
    let dispatcher = Dispatcher::start(&house, &[]);
    let (output, findings) = ask(&house, &format!("127.0.0.1:{}", dispatcher.port()));
    assert_eq!(output.code, Some(0), "{findings:?}");
    assert_eq!(about(&findings, "dispatcher")[0].0, "fine");
    let (level, what) = about(&findings, "port")[0];
    assert_eq!(level, "fine");
    assert!(what.contains("iot-control serves it"), "{what}");
    assert!(
        about(&findings, "state")[0]
            .1
            .ends_with("whole to the last one")
    );
    assert_eq!(about(&findings, "users")[0].0, "note");
}

#[test]
fn the_dispatcher_of_another_house_is_a_stranger_on_our_port() {
    let (house, other) = (House::new(PIANO_AND_LAMPS), House::new(PIANO_AND_LAMPS));
    let _ours = Dispatcher::start(&house, &[]);
    let theirs = Dispatcher::start(&other, &[]);
    let (output, findings) = ask(&house, &format!("127.0.0.1:{}", theirs.port()));
    assert_eq!(output.code, Some(1), "{findings:?}");
    let (level, what) = about(&findings, "port")[0];
    assert_eq!(level, "trouble");
    let told = format!(
        "the iot-control of another state (process {})",
        theirs.pid()
    );
    assert!(what.contains(&told), "{what}");
}

#[test]
fn a_look_changes_no_file_of_house_or_state() {
    let house = House::new(PIANO_AND_LAMPS);
    drop(Dispatcher::start(&house, &[]));
    let before = (names(&house.folder()), names(&house.state()));
    let (output, findings) = ask(&house, "127.0.0.1:0");
    assert_eq!(output.code, Some(0), "{findings:?}");
    assert_eq!((names(&house.folder()), names(&house.state())), before);
    assert!(before.1.iter().any(|name| name == "house.db"), "{before:?}");
}

#[test]
fn a_state_is_found_from_where_one_stands() {
    let house = House::new(PIANO_AND_LAMPS);
    let dispatcher = Dispatcher::start(&house, &[]);
    let root = house.folder().parent().unwrap().to_owned();
    let ask = |state: &str| {
        let mut command = iot_control();
        command
            .current_dir(&root)
            .args(["doctor", "house", "--json", "--state", state])
            .env(
                "IOT_CONTROL__MQTT__LISTEN",
                format!("127.0.0.1:{}", dispatcher.port()),
            )
            .env("IOT_CONTROL__WEB__LISTEN", "");
        finish(command, "").json().as_array().unwrap().clone()
    };
    let found = ask("state");
    assert_eq!(about(&found, "dispatcher")[0].0, "fine");
    assert_eq!(about(&found, "port")[0].0, "fine");
    // One that is not there yet lies on a disk all the same.
    let found = ask("new");
    let (_, what) = about(&found, "disk")[0];
    let there = root.join("new");
    assert!(what.contains(there.to_str().unwrap()), "{what}");
    assert_eq!(about(&found, "dispatcher")[0].0, "note");
}

/// What is in a folder.
fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn each_trouble_is_named_with_what_to_do() {
    let house = House::new(&PIANO_AND_LAMPS.replace("hall.lamp.on", "hall.lamp.onn"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let journal = house.state().join("journal");
    fs::create_dir_all(&journal).unwrap();
    fs::set_permissions(&journal, Permissions::from_mode(0o755)).unwrap();
    let (output, findings) = ask(&house, &address);
    assert_eq!(output.code, Some(1));
    for (part, words) in [
        ("house", "1 error in its files"),
        ("port", "is taken by"),
        ("state", "journal"),
    ] {
        let found = about(&findings, part);
        let told = |(level, what): &(&str, &str)| *level == "trouble" && what.contains(words);
        assert!(found.iter().any(told), "{part}: {found:?}");
    }
    let troubles = findings.iter().filter(|row| row["level"] == "trouble");
    // What is wrong with a folder's mode says itself how to mend it.
    for row in troubles.filter(|row| row["about"] != "state") {
        assert!(row["mend"].is_string(), "{row}");
    }
}

#[test]
fn wrong_settings_keep_nothing_else_from_being_looked_at() {
    let house = House::new(PIANO_AND_LAMPS);
    house.write("settings.toml", "[mqtt]\nlisten = 7\nlissten = 8\n");
    let (output, findings) = ask(&house, "127.0.0.1:0");
    assert_eq!(output.code, Some(1));
    let wrong = about(&findings, "settings");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong.iter().all(|(level, _)| *level == "trouble"));
    assert_eq!(about(&findings, "house")[0].0, "fine");
}

#[test]
fn people_read_the_worst_last() {
    let house = House::new("nonsense");
    let mut command = iot_control();
    command
        .args(["doctor", "--state"])
        .args([house.state(), house.folder()])
        .env("IOT_CONTROL__MQTT__LISTEN", "127.0.0.1:0")
        .env("IOT_CONTROL__WEB__LISTEN", "");
    let said = finish(command, "").stdout;
    let first_words: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let order = ["ok", "note", "warning", "TROUBLE"];
    let places: Vec<usize> = first_words
        .iter()
        .filter_map(|word| order.iter().position(|known| known == word))
        .collect();
    assert!(places.is_sorted(), "{said}");
    assert_eq!(places.last(), Some(&3), "{said}");
    assert!(said.contains("-> `iot-control check"), "{said}");
}
