//! Results that can't be written: a reader that went away, a disk that is full.

use std::{
    fs::OpenOptions,
    io,
    process::{Command, Stdio},
};

use crate::harness::{House, iot_control};

/// Its code and what it says to people, with results into a pipe that nobody reads.
fn unread(mut command: Command) -> (Option<i32>, String) {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    ends(command.stdout(writer))
}

/// The same with results onto a disk that is full.
fn unwritten(mut command: Command) -> (Option<i32>, String) {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    ends(command.stdout(full))
}

fn ends(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn disable(house: &House) -> Command {
    let mut command = iot_control();
    command.args(["edit", "disable"]);
    command.arg(house.folder()).arg("bell");
    command
}

const RULE: &str = "[rule.bell]\nwhen = \"piano.keys.press\"\ndo = \"hall.lamp.on\"\n";

#[test]
fn an_edit_is_made_whoever_reads_what_it_shows() {
    let house = House::with_rules(RULE);
    let (code, said) = unread(disable(&house));
    assert_eq!(code, Some(0), "{said}");
    assert!(house.read("mapping.toml").contains("enabled = false"));

    let house = House::with_rules(RULE);
    let (code, said) = unwritten(disable(&house));
    assert!(
        said.contains("error: stdout: No space left on device"),
        "{said}"
    );
    assert_eq!(code, Some(1), "{said}");
    assert!(house.read("mapping.toml").contains("enabled = false"));
}

#[test]
fn what_fails_fails_whoever_reads_it() {
    let house =
        House::with_rules("[rule.bell]\nwhen = \"piano.keys.pres\"\ndo = \"hall.lamp.on\"\n");
    let check = || {
        let mut command = iot_control();
        command.arg("check").arg(house.folder()).arg("--json");
        command
    };
    assert_eq!(unread(check()).0, Some(1));
    assert_eq!(unwritten(check()).0, Some(1));
}

#[test]
fn a_password_that_nobody_gets_lets_nobody_in() {
    let house = House::with_rules(RULE);
    let state = house.state();
    let user = |words: &[&str]| {
        let mut command = iot_control();
        command.arg("user").args(words).arg("--state").arg(&state);
        command
    };
    let names = || {
        let listed = user(&["list"]).output().unwrap();
        String::from_utf8(listed.stdout).unwrap()
    };
    let add = || user(&["add", "hall", "--device", "hall"]);
    for (code, said) in [unwritten(add()), unread(add())] {
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("nothing was changed"), "{said}");
        assert!(!said.contains("may now speak"), "{said}");
        assert_eq!(names(), "");
    }
    let added = add().output().unwrap();
    assert_eq!(added.status.code(), Some(0), "{added:?}");
    assert_eq!(added.stdout.len(), 27, "{added:?}");
    assert!(names().contains("hall"));
    // Who is refused is told no password.
    let refused = user(&["add", "z2m", "--bridge", "zigbee2mqtt"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
}

#[test]
fn an_export_that_has_no_room_says_so() {
    let house = House::with_rules(RULE);
    let mut export = iot_control();
    export.args(["export", "--json"]).arg(house.folder());
    let (code, said) = unwritten(export);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("what this command printed is not all there"),
        "{said}"
    );
}
