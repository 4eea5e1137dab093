//! A house in one file: made while its dispatcher runs, put in place on another machine, and refused where it is not whole.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::harness::{Dispatcher, House, Output, PIANO_AND_LAMPS, finish, iot_control};

fn run(word: &str, file: &Path, house: &House, more: &[&str]) -> Output {
    let mut command = iot_control();
    command
        .arg(word)
        .arg(file)
        .arg("--house")
        .arg(house.folder());
    command.arg("--state").arg(house.state()).args(more);
    finish(command, "")
}

/// A house that has nothing in its folders yet.
fn nowhere() -> House {
    let house = House::new("");
    fs::remove_dir_all(house.folder()).unwrap();
    house
}

#[test]
fn a_house_goes_on_elsewhere_from_a_backup_that_was_made_while_it_ran() {
    let house = House::new(&format!(
        "{PIANO_AND_LAMPS}\n[rule.later]\nwhen = \"desk.button.press\"\ndo = {{ start = \"off\", for = \"2h\" }}\n[rule.off-then]\nwhen = {{ timer = \"off\" }}\ndo = \"hall.lamp.off\"\n"
    ));
    house.write("rules/notes.txt", "kept as it is");
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    dispatcher.ask(&["press", "desk.button"]).ok();
    let file = house.folder().with_extension("tar.gz");
    let made = run("backup", &file, &house, &[]).ok();
    assert!(made.stdout.contains("whole to input"), "{made:?}");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // What happens after it is not in it.
    dispatcher.ask(&["press", "piano.keys", "key=61"]).ok();
    drop(dispatcher);

    let other = nowhere();
    let put = run("restore", &file, &other, &[]).ok();
    assert!(put.stdout.contains("whole to input"), "{put:?}");
    assert_eq!(
        fs::read_to_string(other.folder().join("rules/notes.txt")).unwrap(),
        "kept as it is"
    );
    let went_on = Dispatcher::start(&other, &["--simulate"]);
    let state = went_on.ask(&["state", "--json"]).ok().json();
    let text = state.to_string();
    assert!(text.contains("\"off\""), "the timer runs: {text}");
    let lamp = went_on.device("hall");
    assert_eq!(lamp["channels"]["lamp"]["target"]["on"], true, "{lamp}");
}

#[test]
fn a_backup_is_never_written_over_and_a_restore_moves_aside_what_is_there() {
    let house = House::new(PIANO_AND_LAMPS);
    let file = house.folder().with_extension("tar.gz");
    run("backup", &file, &house, &[]).ok();
    let bytes = fs::read(&file).unwrap();
    let again = run("backup", &file, &house, &[]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("is there already"), "{again:?}");
    assert_eq!(fs::read(&file).unwrap(), bytes);

    house.write("mapping.toml", "format = 1\n# another house\n");
    let refused = run("restore", &file, &house, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    let put = run("restore", &file, &house, &["--force"]).ok();
    let aside = house.folder().with_file_name("house.before-restore-1");
    assert!(put.stderr.contains(&*aside.to_string_lossy()), "{put:?}");
    let before = fs::read_to_string(aside.join("mapping.toml")).unwrap();
    assert!(before.contains("another house"));
    assert_eq!(
        fs::read_to_string(house.folder().join("mapping.toml")).unwrap(),
        PIANO_AND_LAMPS
    );
}

#[test]
fn nothing_is_changed_by_what_is_no_whole_backup_or_under_a_dispatcher() {
    let house = House::new(PIANO_AND_LAMPS);
    let file = house.folder().with_extension("tar.gz");
    drop(Dispatcher::start(&house, &[]));
    run("backup", &file, &house, &[]).ok();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = file.with_extension("damaged");
    fs::write(&damaged, &bytes).unwrap();
    let other = nowhere();
    let refused = run("restore", &damaged, &other, &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("nothing was changed"),
        "{refused:?}"
    );
    assert!(!other.folder().exists() && !other.state().exists());
    let left: Vec<_> = fs::read_dir(other.folder().parent().unwrap())
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");

    let dispatcher = Dispatcher::start(&house, &[]);
    let refused = run("restore", &file, &house, &["--force"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains(&dispatcher.pid().to_string()),
        "{refused:?}"
    );
}

#[test]
fn a_link_that_leads_out_of_the_house_is_told_and_left_out() {
    let house = House::new(PIANO_AND_LAMPS);
    std::os::unix::fs::symlink("/etc/passwd", house.folder().join("elsewhere.toml")).unwrap();
    let file = house.folder().with_extension("tar.gz");
    let made = run("backup", &file, &house, &[]).ok();
    assert!(
        made.stderr
            .contains("elsewhere.toml leads out of the house"),
        "{made:?}"
    );
    let other = nowhere();
    run("restore", &file, &other, &[]).ok();
    assert!(!other.folder().join("elsewhere.toml").exists());
}
