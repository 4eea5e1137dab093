//! Unchanged target: what is so already is not sent, unless the last report differs or nobody acknowledged it.

use engine::Disposition;

use crate::house::{Rig, dispositions, sent};

const ON: &str = r#"iot/hall/lamp/target {"on":true}"#;

#[test]
fn an_unchanged_target_is_sent_again_until_it_is_acknowledged() {
    let mut rig = Rig::awake();
    let first = rig.press(60);
    assert_eq!(sent(&first), [ON]);
    let second = rig.press(60);
    assert_eq!(sent(&second), [ON], "nobody acknowledged it");
    rig.acknowledge("hall", &first);
    assert_eq!(
        rig.press(60).sends.len(),
        1,
        "an old acknowledgement says nothing"
    );
    let last = rig.press(60);
    rig.acknowledge("piano", &last);
    assert!(
        !rig.dispatcher.acknowledged(rig.channel("hall.lamp")),
        "nor does somebody else's"
    );
    rig.acknowledge("hall", &last);
    let so = rig.press(60);
    assert!(so.sends.is_empty());
    assert_eq!(dispositions(&so), [Disposition::AlreadySo]);
}

#[test]
fn a_report_confirms_as_well_as_an_acknowledgement() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":80}"#,
    );
    assert_eq!(dispositions(&rig.press(60)), [Disposition::AlreadySo]);
}

#[test]
fn a_target_that_is_so_is_sent_again_where_the_last_report_differs() {
    let mut rig = Rig::awake();
    let effects = rig.press(60);
    rig.acknowledge("hall", &effects);
    assert_eq!(dispositions(&rig.press(60)), [Disposition::AlreadySo]);
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    let effects = rig.press(60);
    assert_eq!(sent(&effects), [ON]);
    assert_eq!(dispositions(&effects), [Disposition::Sent]);
}

#[test]
fn what_is_only_assumed_confirms_nothing() {
    let mut rig = Rig::awake();
    let first = rig.asks("iot/deaf_lamp/lamp/set", "on");
    assert_eq!(rig.reported("deaf_lamp.lamp", "on"), Some(true.into()));
    let again = rig.asks("iot/deaf_lamp/lamp/set", "on");
    assert_eq!(sent(&again), sent(&first), "nobody acknowledged it");
    rig.acknowledge("deaf_lamp", &again);
    let so = rig.asks("iot/deaf_lamp/lamp/set", "on");
    assert_eq!(dispositions(&so), [Disposition::AlreadySo]);
}

#[test]
fn a_momentary_command_is_always_sent() {
    let mut rig = Rig::awake();
    for _ in 0..3 {
        let effects = rig.press(61);
        rig.acknowledge("living", &effects);
        assert_eq!(dispositions(&effects), [Disposition::Sent]);
    }
}
