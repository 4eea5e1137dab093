//! The firmware's image on virtual boards, against the binary: real instructions, network packets and flash.

use std::path::Path;

use serde_json::json;
use wire::{Identity, Secret};

use crate::harness::{
    Board, Dispatcher, Faults, Flash, House, Network, PIANO_AND_LAMPS, image, until,
};

const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");

/// Piano, hall and desk, whose button does not bounce: a test is quicker than a hand.
fn house() -> House {
    let button = r#"{ kind = "button", pin = 10 }"#;
    let still = r#"{ kind = "button", pin = 10, debounce_ms = 0 }"#;
    assert!(PIANO_AND_LAMPS.contains(button));
    House::new(&PIANO_AND_LAMPS.replace(button, still))
}

fn start(house: &House) -> Dispatcher<'_> {
    Dispatcher::start_with(house, &[], &[UDP])
}

/// A board that was flashed as `name`, and plays its role.
fn up(image: &Path, house: &House, dispatcher: &Dispatcher<'_>, name: &str) -> (Board, Flash) {
    let flash = Flash::new(&house.identity(name), dispatcher.sealed());
    let board = Board::boot(image, &flash);
    board.says(0, "a role of");
    dispatcher.device_is(name, "is online", |it| it["online"] == true);
    (board, flash)
}

/// Presses the desk's button and lets it go.
fn press(desk: &mut Board) {
    desk.wire("pin 10 1");
    desk.wire("pin 10 0");
}

fn desk_reports(dispatcher: &Dispatcher<'_>, on: bool) {
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == on
    });
}

#[test]
fn a_key_of_one_module_switches_the_lamp_of_another() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut piano, _piano) = up(&image, &house, &dispatcher, "piano");
    let (hall, _hall) = up(&image, &house, &dispatcher, "hall");
    // Middle C by a MIDI instrument, in the status that runs on: key 60, then 61 which switches it off.
    piano.wire("serial 903c40");
    hall.says(0, "duty 4 1000 1000");
    dispatcher.device_is("hall", "reports", |hall| {
        hall["channels"]["lamp"]["reported"]["on"] == true
    });
    let mark = hall.mark();
    piano.wire("serial 3d40");
    hall.says(mark, "duty 4 0 1000");
}

#[test]
fn a_chord_on_a_matrix_of_48_keys_fires_a_rule() {
    let Some(image) = image() else { return };
    let house = House::new(
        r#"
        format = 1
        [device.organ]
        id = 1
        board = "esp32-c3"
        io.keys = { kind = "keyboard", rows = [0, 1, 2, 3, 4, 5], columns = [6, 7, 8, 9, 10, 18, 19, 20], first_key = 36 }
        io.lamp = { kind = "switch", pin = 21 }
        [rule.chord]
        when = { chord = "organ.keys.press", key = [60, 64, 67], within = "300ms" }
        do = "organ.lamp.on"
        "#,
    );
    let dispatcher = start(&house);
    let (mut organ, _flash) = up(&image, &house, &dispatcher, "organ");
    organ.says(0, "pin 21 0");
    // Key 36 is the first of the first row, key 44 the first of the second.
    for (row, column) in [(3, 6), (3, 10), (3, 20)] {
        organ.wire(&format!("join {row} {column}"));
    }
    organ.says(0, "pin 21 1");
}

#[test]
fn a_module_whose_power_is_cut_is_as_it_should_be_when_it_is_back() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut desk, flash) = up(&image, &house, &dispatcher, "desk");
    desk.says(0, "boot 1");
    press(&mut desk);
    desk.says(0, "pin 4 1");
    desk_reports(&dispatcher, true);
    desk.cut_off();
    let desk = Board::boot(&image, &flash);
    desk.says(0, "boot 2");
    desk.says(0, "pin 4 1");
}

#[test]
fn a_module_that_stood_still_goes_on() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut desk, _flash) = up(&image, &house, &dispatcher, "desk");
    desk.freeze();
    let mut watcher = dispatcher.watcher();
    assert_eq!(watcher.publish("iot/desk/lamp/set", "ON"), 0);
    dispatcher.device_is("desk", "has a target", |desk| {
        desk["channels"]["lamp"]["target"]["on"] == true
    });
    desk.thaw();
    desk.says(0, "pin 4 1");
    let mark = desk.mark();
    press(&mut desk);
    desk.says(mark, "pin 4 0");
    desk_reports(&dispatcher, false);
}

#[test]
fn modules_find_a_dispatcher_that_was_killed() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut desk, _flash) = up(&image, &house, &dispatcher, "desk");
    press(&mut desk);
    desk.says(0, "pin 4 1");
    desk_reports(&dispatcher, true);
    let listen = dispatcher.sealed().to_string();
    dispatcher.kill_9();
    let mark = desk.mark();
    // It is kept for ten seconds, and said again.
    press(&mut desk);
    let dispatcher = Dispatcher::start_with(&house, &[], &[("UDP__LISTEN", &listen)]);
    desk.says(mark, "pin 4 0");
    desk_reports(&dispatcher, false);
}

#[test]
fn another_role_comes_with_an_edit_and_nothing_is_flashed() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut desk, _flash) = up(&image, &house, &dispatcher, "desk");
    press(&mut desk);
    desk.says(0, "pin 4 1");
    desk_reports(&dispatcher, true);
    let mark = desk.mark();
    let mapping = house.read("mapping.toml");
    let lamp = r#"io.lamp = { kind = "switch", pin = 4 }"#;
    let desk_at = mapping.find("[device.desk]").unwrap();
    let (before, after) = mapping.split_at(desk_at);
    let after = after.replacen(lamp, &lamp.replace("pin = 4", "pin = 5"), 1);
    house.write("mapping.toml", &format!("{before}{after}"));
    desk.says(mark, "pin 5 1");
    let mark = desk.mark();
    press(&mut desk);
    desk.says(mark, "pin 5 0");
}

#[test]
fn a_wrong_secret_makes_no_session_and_a_copy_is_told() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let identity = house.identity("desk");
    let wrong = Identity {
        psk: Secret::new([7; 32]),
        ..identity.clone()
    };
    let network = Network::to(dispatcher.sealed(), Faults::default(), 1);
    let flash = Flash::new(&wrong, network.address());
    let board = Board::boot(&image, &flash);
    // It can't read the answer, and greets again.
    until("a greeting after an answer", || {
        let seen = network.seen();
        let answer = seen.iter().position(|(_, bytes)| bytes[0] == 0x12)?;
        let mut after = seen[answer..].iter();
        let is_greeting = |(is_up, bytes): &&(bool, Vec<u8>)| *is_up && bytes[0] == 0x11;
        after.find(is_greeting).map(drop)
    });
    let said = board.said(0);
    assert!(!said.iter().any(|line| line.contains(" up")), "{said:?}");
    board.cut_off();

    let mark = dispatcher.mark();
    let flashes = [(); 2].map(|()| Flash::new(&identity, dispatcher.sealed()));
    let _boards = flashes.each_ref().map(|flash| Board::boot(&image, flash));
    dispatcher.says(mark, "may be there twice with the same key");
}

#[test]
fn a_blocked_module_is_not_heard_and_gets_nothing() {
    let Some(image) = image() else { return };
    let house = house();
    let dispatcher = start(&house);
    let (mut desk, _flash) = up(&image, &house, &dispatcher, "desk");
    let block = ["device", "block", "desk", "--as", "producer"];
    dispatcher.ask(&block).ok();
    press(&mut desk);
    dispatcher.device_is("desk", "is not heard", |desk| {
        desk["counters"]["blocked-in"].as_u64() >= Some(1)
    });
    let target = &dispatcher.device("desk")["channels"]["lamp"]["target"];
    assert_eq!(*target, json!({ "on": false }), "as it was first reported");
    let mark = desk.mark();
    dispatcher.ask(&["device", "unblock", "desk"]).ok();
    press(&mut desk);
    desk.says(mark, "pin 4 1");
}

#[test]
fn nothing_of_the_house_lies_in_a_modules_flash() {
    let Some(image) = image() else { return };
    let house = House::new(
        r#"
        format = 1
        [device.karwendel]
        id = 1
        board = "esp32-c3"
        io.watzmann = { kind = "button", pin = 10, debounce_ms = 0 }
        io.zugspitze = { kind = "switch", pin = 4 }
        [rule.wendelstein]
        when = "karwendel.watzmann.press"
        do = "karwendel.zugspitze.toggle"
        "#,
    );
    let dispatcher = start(&house);
    let (mut board, flash) = up(&image, &house, &dispatcher, "karwendel");
    press(&mut board);
    board.says(0, "pin 4 1");
    board.cut_off();
    let (chip, program) = (flash.bytes(), std::fs::read(&image).unwrap());
    for name in ["karwendel", "watzmann", "zugspitze", "wendelstein"] {
        for bytes in [&chip, &program] {
            let is_there = bytes.windows(name.len()).any(|it| it == name.as_bytes());
            assert!(!is_there, "{name}");
        }
    }
}

#[test]
fn a_module_that_was_never_flashed_says_so_and_stops() {
    let Some(image) = image() else { return };
    let flash = Flash::erased();
    let board = Board::boot(&image, &flash);
    board.says(0, "no identity was flashed");
}
