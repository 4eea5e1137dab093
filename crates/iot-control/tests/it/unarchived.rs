//! A mapping that the disk does not take is not in force: no restart could tell what inputs came to under it. The one before goes
//! on, and the edit is taken up by itself once it can be kept.

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use crate::{
    disk::{SmallDisk, client, limit_files},
    harness::{Client, Dispatcher, House, Kind, until},
};

const BUTTON: &str = "iot/hall/button/event";
const TARGET: &str = "iot/hall/lamp/target";

/// Bytes that files may have where mappings of [`long`] are not taken any more, and inputs are.
const ROOM: u64 = 64 << 10;

/// A house that counts how often a button was pressed, in steps, and shows what that was before.
fn counts(step: u32) -> String {
    format!(
        r#"
format = 1
[device.hall]
id = 1
io.button = {{ kind = "button" }}
io.lamp = {{ kind = "dimmer" }}
[device.desk]
id = 2
io.button = {{ kind = "button" }}
[var]
pressed = {{ kind = "number", start = 0, keep = true }}
[rule.count]
when = "hall.button.press"
do = [
  {{ var = "pressed", to = "${{var.pressed + {step}}}" }},
  {{ set = "hall.lamp", brightness = "${{var.pressed}}" }},
]
"#
    )
}

/// The same mapping, with more in it than a full disk takes.
fn long(mapping: &str) -> String {
    let comment = format!("# {}\n", "lorem ipsum ".repeat(8));
    format!("{mapping}{}", comment.repeat(7_000))
}

fn press(hall: &mut Client) {
    assert_eq!(hall.publish(BUTTON, r#"{"event":"press"}"#), 0);
}

fn pressed(dispatcher: &Dispatcher<'_>) -> f64 {
    let state = dispatcher.ask(&["state", "--json"]).ok().json();
    let pressed = &state["vars"]["pressed"];
    pressed.as_f64().unwrap_or_else(|| panic!("{state}"))
}

/// A house that was pressed once, and edited while the disk takes inputs and no mapping.
fn edited<'h>(house: &'h House, mapping: &str) -> (Dispatcher<'h>, Client) {
    let dispatcher = house.start();
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    press(&mut hall);
    limit_files(&dispatcher, Some(ROOM));
    let told = dispatcher.mark();
    house.write("mapping.toml", &long(mapping));
    let said = dispatcher.says(told, "the edited files are");
    let begin = "the edited files are not in force: the mapping can't be kept (";
    assert!(said.contains(begin), "{said}");
    assert!(said.contains("are taken up by themselves"), "{said}");
    (dispatcher, hall)
}

#[test]
fn an_edit_whose_mapping_can_not_be_kept_is_in_force_once_it_can_be() {
    let house = House::new(&counts(1));
    let (dispatcher, mut hall) = edited(&house, &counts(10));
    press(&mut hall);
    assert_eq!(pressed(&dispatcher), 2.0, "the mapping before counts");
    let status = dispatcher.ask(&["status"]).ok().stdout;
    let said = "an earlier mapping goes on: the mapping can't be kept (";
    assert!(status.contains(said), "{status}");
    let told = dispatcher.mark();
    house.write("mapping.toml", &long(&counts(20)));
    dispatcher.says(told, "not in force: the mapping can't be kept (");
    press(&mut hall);
    assert_eq!(pressed(&dispatcher), 3.0, "the mapping before counts");

    let told = dispatcher.mark();
    limit_files(&dispatcher, None);
    dispatcher.says(told, "the edited files are in force");
    press(&mut hall);
    assert_eq!(pressed(&dispatcher), 23.0);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["files_in_force"], true, "{status}");
    assert!(status["files_wait"].is_null(), "{status}");
    let dispatcher = dispatcher.kill_9_and_restart();
    assert_eq!(pressed(&dispatcher), 23.0);
    let said = dispatcher.said(0);
    assert!(!said.contains("stands in"), "{said}");
}

#[test]
fn inputs_taken_while_an_edit_waits_come_to_the_same_after_kill_9_with_broken_files() {
    let house = House::new(&counts(1));
    let (dispatcher, mut hall) = edited(&house, &counts(10));
    press(&mut hall);
    house.write("mapping.toml", "format = ");
    let dispatcher = dispatcher.kill_9_and_restart();
    dispatcher.says(0, "goes on. Mend the files");
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    press(&mut hall);
    assert_eq!(pressed(&dispatcher), 3.0);
}

#[test]
fn files_that_are_as_they_were_again_end_the_wait_of_an_edit() {
    let house = House::new(&counts(1));
    let (dispatcher, mut hall) = edited(&house, &counts(10));
    let told = dispatcher.mark();
    house.write("mapping.toml", &counts(1));
    dispatcher.says(told, "the files are again as they are in force");
    limit_files(&dispatcher, None);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["files_in_force"], true, "{status}");
    assert!(status["files_wait"].is_null(), "{status}");
    press(&mut hall);
    assert_eq!(pressed(&dispatcher), 2.0);
}

#[test]
fn blocks_that_an_edit_lifts_hold_until_its_mapping_can_be_kept() {
    let house = House::new(&counts(1));
    let block = |device: &str| {
        let text = format!("[[block]]\ndevice = \"{device}\"\n");
        house.write("blocklist.toml", &text);
    };
    block("desk");
    let (dispatcher, _) = edited(&house, &counts(10));
    let told = dispatcher.mark();
    let renamed = counts(1).replace("[device.desk]", "[device.table]");
    house.write("mapping.toml", &long(&renamed));
    block("table");
    dispatcher.says(told, "hold until the edited files are in force");
    dispatcher.says(told, "not in force: the mapping can't be kept (");
    assert_eq!(dispatcher.device("desk")["blocked"], "both");
    let told = dispatcher.mark();
    limit_files(&dispatcher, None);
    dispatcher.says(told, "the edited files are in force");
    assert_eq!(dispatcher.device("table")["blocked"], "both");
    block("hall");
    dispatcher.device_is("table", "is let in", |table| table["blocked"] == "");
}

/// A folder with a state folder in it that has a small disk of its own, where this machine gives us one; else says so.
fn small_disk() -> Option<(TempDir, PathBuf, SmallDisk)> {
    let root = tempfile::tempdir().unwrap();
    let state = root.path().join("state");
    fs::create_dir(&state).unwrap();
    let Some(disk) = SmallDisk::at(&state, "3m") else {
        println!("skipped: this machine gives us no disk of our own");
        return None;
    };
    Some((root, state, disk))
}

#[test]
fn a_start_whose_mapping_the_disk_does_not_take_goes_on_with_the_one_before() {
    let house = House::new(&counts(1));
    let Some((root, state, mut disk)) = small_disk() else {
        return;
    };
    let log = root.path().join("log");
    let port = disk.start(&house, &state, &log);
    press(&mut client(port, "first"));
    disk.run("kill -INT $PID; wait $PID");

    house.write("mapping.toml", &long(&counts(10)));
    disk.run(&format!(
        "cat /dev/zero >{}/fill 2>/dev/null",
        state.display()
    ));
    let log = root.path().join("log-full");
    let port = disk.start(&house, &state, &log);
    let said = || fs::read_to_string(&log).unwrap();
    assert!(
        said().contains("goes on. Make room or mend the disk, they are taken up by themselves"),
        "{}",
        said()
    );
    let mut second = client(port, "second");
    second.publish_only(BUTTON, r#"{"event":"press"}"#);
    second.field(0, TARGET, "brightness", 1);
    disk.run(&format!("rm {}/fill", state.display()));
    second.answered(1);
    until("the files to be in force", || {
        said()
            .contains("the edited files are in force")
            .then_some(())
    });
    for before in [2, 12] {
        let mark = second.mark();
        press(&mut second);
        second.field(mark, TARGET, "brightness", before);
    }
    disk.run("kill -9 $PID; wait $PID");
    let log = root.path().join("log-after");
    let port = disk.start(&house, &state, &log);
    client(port, "third").field(0, TARGET, "brightness", 12);
}

#[test]
fn a_first_start_whose_mapping_the_disk_does_not_take_says_so_until_it_is_kept() {
    let house = House::new(&long(&counts(1)));
    let Some((root, state, mut disk)) = small_disk() else {
        return;
    };
    let folder = state.display();
    disk.run(&format!("head -c 2300000 /dev/zero >{folder}/fill"));
    let log = root.path().join("log");
    disk.start(&house, &state, &log);
    let said = || fs::read_to_string(&log).unwrap();
    let warning = "warning: the mapping in force can't be kept (the disk has no room";
    assert!(said().contains(warning), "{}", said());
    disk.run(&format!("rm {folder}/fill"));
    until("the mapping to be kept", || {
        said()
            .contains("the mapping in force is kept now")
            .then_some(())
    });
}
