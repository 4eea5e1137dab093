//! Keys that are damaged: what is said of them leads out of it, and those that nobody needs keep no house from starting.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::harness::{House, run};

/// The file of the only device that has a key.
fn device(keys: &Path) -> PathBuf {
    let mut files = fs::read_dir(keys)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let device = files.find(|path| path.extension().is_some_and(|end| end == "device"));
    device.expect("a device has a key")
}

#[test]
fn damaged_keys_of_the_house_are_put_aside_where_no_device_has_one() {
    let house = House::with_rules("");
    let keys = house.state().join("keys");
    house.identity("piano");
    fs::remove_file(device(&keys)).unwrap();
    let file = keys.join("house");
    fs::write(&file, b"").unwrap();
    let (folder, state) = (house.folder(), house.state());
    let (folder, state) = (folder.to_str().unwrap(), state.to_str().unwrap());
    run(["acl", "export", folder, "--state", state], "").ok();
    assert!(file.exists(), "whoever only looks changes nothing");

    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(
        said.contains("was damaged, and no device has a key"),
        "{said}"
    );
    dispatcher.kill_9();
    assert!(keys.join("house.damaged").exists());
    house.identity("piano");
    assert!(!house.start().said(0).contains("damaged"));
}

#[test]
fn what_is_said_of_damaged_keys_that_devices_need_leads_out_of_it() {
    let house = House::with_rules("");
    house.identity("piano");
    let keys = house.state().join("keys");
    let file = keys.join("house");
    fs::write(&file, b"").unwrap();
    let said = house.start_fails();
    let shown = file.display();
    let mend = format!("mv {shown} {shown}.damaged");
    assert!(said.contains(&mend), "{said}");
    assert!(said.contains("device add NAME --replace"), "{said}");
    fs::rename(&file, keys.join("house.damaged")).unwrap();
    house.start().kill_9();
    house.identity_by("piano", &["--replace"]);
    house.start().kill_9();
}

#[test]
fn a_device_whose_key_is_damaged_gets_another_while_no_dispatcher_runs() {
    let house = House::with_rules("");
    house.identity("piano");
    let damaged = device(&house.state().join("keys"));
    fs::write(&damaged, b"").unwrap();
    let dispatcher = house.start();
    let said = dispatcher.said(0);
    assert!(said.contains("this device stays out"), "{said}");
    dispatcher.kill_9();
    house.identity_by("piano", &["--replace"]);
    fs::remove_file(&damaged).unwrap();
    assert!(!house.start().said(0).contains("damaged"));
}
