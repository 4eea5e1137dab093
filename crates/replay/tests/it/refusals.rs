//! `why-not` and messages that were not taken: those that the rule could have heard, until something newer was.

use dispatcher::{Observed, Publisher};

use crate::{
    home::{Home, piano_house, renamed},
    why_nots::ask,
};

const NO_EVENT: &str = r#"{"event":"strat"}"#;

/// The sentences about messages that were not taken.
fn refused(home: &mut Home, rule: &str) -> Vec<String> {
    let mut told = ask(home, rule, None).sentences;
    told.retain(|sentence| sentence.starts_with("a message was not taken at "));
    told
}

#[test]
fn a_message_of_what_the_rule_waits_for_comes_first() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "motion/event", NO_EVENT);
    let first = &ask(&mut home, "hall-motion", None).sentences[0];
    assert!(
        first.starts_with(
            "a message was not taken at 20:00:10.000: iot/hall/motion/event from hall: "
        ) && first.contains("no event 'strat'"),
        "{first}"
    );
}

#[test]
fn a_message_of_what_its_condition_reads_comes_last() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "lux/state", "bright");
    let told = ask(&mut home, "hall-motion", None).sentences;
    assert!(
        told[0].starts_with("hall.motion.start did not come"),
        "{told:?}"
    );
    let last = told.last().expect("sentences");
    assert!(last.contains("iot/hall/lux/state from hall: "), "{last}");
}

#[test]
fn a_message_of_another_channel_of_the_same_device_is_not_told() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "lamp/state", "bright");
    assert_eq!(refused(&mut home, "hall-motion"), [""; 0]);
}

#[test]
fn a_wish_that_was_not_taken_is_no_matter_of_what_is_heard() {
    let mut home = Home::new(&piano_house());
    home.asks("ada", "iot/hall/lamp/set", r#"{"on":"perhaps"}"#);
    assert_eq!(refused(&mut home, "hall-motion"), [""; 0]);
}

#[test]
fn a_message_is_forgotten_where_a_newer_one_was_taken() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "motion/event", NO_EVENT);
    home.says("hall", "lux/state", "bright");
    home.motion();
    let told = refused(&mut home, "hall-motion");
    assert!(
        matches!(&told[..], [one] if one.contains("iot/hall/lux/state")),
        "{told:?}"
    );
    home.lux(12);
    assert_eq!(refused(&mut home, "hall-motion"), [""; 0]);
}

#[test]
fn a_message_on_a_topic_that_nothing_declares_is_told_of_its_device() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "motoin/event", NO_EVENT);
    let told = refused(&mut home, "hall-motion");
    assert!(
        matches!(&told[..], [one] if one.contains("iot/hall/motoin/event")),
        "{told:?}"
    );
    assert_eq!(refused(&mut home, "middle-c"), [""; 0]);
}

#[test]
fn a_message_is_known_by_what_it_was_about_where_that_is_renamed() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "motion/event", NO_EVENT);
    home.reload(&renamed(&[
        ("hall.", "floor."),
        ("[device.hall]", "[device.floor]"),
    ]));
    assert_eq!(refused(&mut home, "hall-motion").len(), 1);
    let floor = Publisher::Device(home.device("floor"));
    home.publish(&floor, "iot/floor/motion/event", r#"{"event":"start"}"#);
    assert_eq!(refused(&mut home, "hall-motion"), [""; 0]);
}

#[test]
fn a_message_that_was_kept_without_its_topic_is_told_of_its_device() {
    let mut home = Home::new(&piano_house());
    home.observe(&Observed::Refused {
        device: Some("hall".into()),
        topic: None,
        text: "iot/hall/motion/event from hall: no event 'strat'".into(),
    });
    assert_eq!(refused(&mut home, "hall-motion").len(), 1);
    assert_eq!(refused(&mut home, "middle-c"), [""; 0]);
}
