//! `deliver`: the newest target waits for a consumer that is away (`latest`), or is dropped and recorded (`now`).

use engine::Disposition;

use crate::house::{Rig, dispositions, orders, sent};

const ON: &str = r#"iot/hall/lamp/target {"on":true}"#;

#[test]
fn an_absent_consumers_newest_target_waits_retained() {
    let mut rig = Rig::awake();
    rig.disconnect("hall");
    let effects = rig.press(60);
    assert_eq!(sent(&effects), [ON]);
    assert!(effects.sends[0].retain);
    assert_eq!(dispositions(&effects), [Disposition::Waiting]);
    assert!(rig.press(60).sends.is_empty(), "it lies there already");
}

#[test]
fn deliver_now_drops_what_an_absent_consumer_misses() {
    let mut rig = Rig::awake();
    let there = rig.press(62);
    assert_eq!(sent(&there), [r#"iot/living/radio/target {"on":true}"#]);
    assert!(!there.sends[0].retain);
    rig.asks("iot/living/radio/set", "off");
    rig.says("living", "iot/living/radio/state", "off");
    rig.disconnect("living");
    let away = rig.press(62);
    assert!(away.sends.is_empty());
    assert_eq!(dispositions(&away), [Disposition::Dropped]);
    rig.connect("living");
    let effects = rig.says("living", "iot/living/radio/state", "off");
    assert!(effects.sends.is_empty(), "nor is it made up for");
    assert_eq!(rig.target("living.radio", "on"), Some(false.into()));
}

#[test]
fn a_foreign_consumer_gets_its_target_again_when_it_comes() {
    let mut rig = Rig::awake();
    rig.asks("iot/old_lamp/lamp/set", "on");
    rig.says("old_lamp", "old/lamp/lwt", "Offline");
    let waiting = rig.asks("iot/old_lamp/lamp/set", "off");
    assert_eq!(dispositions(&waiting), [Disposition::Waiting]);
    let effects = rig.says("old_lamp", "old/lamp/lwt", "Online");
    assert_eq!(orders(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn notifications_leave_with_their_text() {
    let mut rig = Rig::awake();
    let effects = rig.disconnect("piano");
    assert_eq!(effects.notifications[0].text, "piano went offline.");
}

#[test]
fn only_the_newest_target_waits() {
    let mut rig = Rig::awake();
    rig.asks("iot/old_lamp/lamp/set", "on");
    rig.says("old_lamp", "old/lamp/lwt", "Offline");
    for wish in ["off", "on", "off"] {
        rig.asks("iot/old_lamp/lamp/set", wish);
    }
    let effects = rig.says("old_lamp", "old/lamp/lwt", "Online");
    assert_eq!(orders(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn what_was_dropped_is_not_made_up_for_and_counts_as_no_target() {
    let mut rig = Rig::awake();
    rig.disconnect("living");
    assert_eq!(dispositions(&rig.press(62)), [Disposition::Dropped]);
    let effects = rig.connect("living");
    let told = |line: &String| line.contains("radio/target");
    assert!(!sent(&effects).iter().any(told));
    let effects = rig.press(62);
    assert_eq!(sent(&effects), [r#"iot/living/radio/target {"on":true}"#]);
}
