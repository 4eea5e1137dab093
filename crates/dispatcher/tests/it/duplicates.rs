//! **Duplicates**: (device, boot, seq) names an event; a second copy changes nothing, whenever it comes.

use dispatcher::{Config, Dispatcher, Effects, Note};

use crate::house::{Rig, sent, usual};

const TOPIC: &str = "iot/piano/keys/event";

fn press(rig: &mut Rig, stamp: &str) -> Effects {
    rig.says(
        "piano",
        TOPIC,
        &format!(r#"{{"event":"press","key":61{stamp}}}"#),
    )
}

/// Whether the bell rang: it does so at each press of this key.
fn rang(effects: &Effects) -> bool {
    let rang = !sent(effects).is_empty();
    let copy = matches!(effects.notes[..], [Note::Duplicate(_)]);
    assert_ne!(rang, copy, "what is no copy has its effect");
    rang
}

#[test]
fn a_copy_changes_nothing_and_is_noted() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":6"#)));
}

#[test]
fn what_overtook_another_is_no_copy() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":7"#)));
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":6"#)));
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":6"#)));
}

#[test]
fn a_device_that_boots_counts_anew() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    assert!(rang(&press(&mut rig, r#","boot":2,"seq":5"#)));
    // A copy from before the boot, which the network kept.
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
}

#[test]
fn a_device_that_names_no_boot_is_heard_when_it_counts_anew() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","seq":4294967295"#)));
    assert!(rang(&press(&mut rig, r#","seq":0"#)));
    assert!(rang(&press(&mut rig, r#","seq":1"#)));
    assert!(!rang(&press(&mut rig, r#","seq":1"#)));
    // The same with a boot is an old copy: another boot would have another number.
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":4294967295"#)));
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":0"#)));
}

#[test]
fn what_has_no_number_is_never_a_copy() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, "")));
    assert!(rang(&press(&mut rig, "")));
}

#[test]
fn two_devices_have_numbers_of_their_own() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    let effects = rig.says(
        "hall",
        "iot/hall/motion/event",
        r#"{"event":"start","boot":1,"seq":5}"#,
    );
    assert!(effects.notes.is_empty(), "{:?}", effects.notes);
}

#[test]
fn numbers_outlive_sessions_and_restarts() {
    let mut rig = Rig::awake();
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    rig.disconnect("piano");
    rig.connect("piano");
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    let bytes = rig.dispatcher.state();
    let restored = Dispatcher::restore(usual(), Config::default(), &bytes, rig.now);
    (rig.dispatcher, _) = restored.unwrap();
    assert!(!rang(&press(&mut rig, r#","boot":1,"seq":5"#)));
    assert!(rang(&press(&mut rig, r#","boot":1,"seq":6"#)));
}
