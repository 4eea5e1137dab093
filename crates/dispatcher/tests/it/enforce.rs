//! `enforce = true`: a channel insists on its target instead of adopting what somebody did by hand.

use dispatcher::Note;

use crate::house::{Rig, seconds, sent};

#[test]
fn an_enforced_channel_insists() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/heater/set", "off");
    rig.says("living", "iot/living/heater/state", "off");
    rig.pass(seconds(600));
    let effects = rig.says("living", "iot/living/heater/state", "on");
    assert_eq!(sent(&effects), [r#"iot/living/heater/target {"on":false}"#]);
    assert_eq!(rig.target("living.heater", "on"), Some(false.into()));
}

#[test]
fn it_insists_ever_more_slowly_and_tells_people() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/heater/set", "off");
    rig.says("living", "iot/living/heater/state", "off");
    rig.pass(seconds(600));
    let (mut waited, mut told) = (Vec::new(), 0);
    rig.says("living", "iot/living/heater/state", "on");
    for _ in 0..6 {
        let before = rig.now;
        rig.says("living", "iot/living/heater/state", "on");
        let at = rig.dispatcher.next_deadline(rig.now).unwrap();
        let effects = rig.pass(at.since(before.at));
        assert_eq!(sent(&effects), [r#"iot/living/heater/target {"on":false}"#]);
        waited.push(rig.now.at.since(before.at).as_secs());
        told += effects.notifications.len();
    }
    assert_eq!(waited, [2, 4, 8, 16, 32, 60]);
    assert_eq!(told, 1, "people are told once");
    assert_eq!(rig.target("living.heater", "on"), Some(false.into()));
}

#[test]
fn what_it_reports_is_known_all_the_same() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/heater/set", "off");
    rig.says("living", "iot/living/heater/state", "off");
    rig.pass(seconds(600));
    let effects = rig.says("living", "iot/living/heater/state", "on");
    assert_eq!(rig.reported("living.heater", "on"), Some(true.into()));
    let adopted = |note: &Note| matches!(note, Note::Adopted(_));
    assert!(!effects.notes.iter().any(adopted));
}

#[test]
fn people_and_rules_may_wish_something_else() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/heater/set", "off");
    rig.says("living", "iot/living/heater/state", "off");
    let effects = rig.asks("iot/living/heater/set", "on");
    assert_eq!(sent(&effects), [r#"iot/living/heater/target {"on":true}"#]);
}
