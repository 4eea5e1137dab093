//! A block holds both ways, at once, and whatever the mapping says.

use std::time::Duration;

use dispatcher::{Block, Blocklist, Config, Effects, Input, Note, Publisher, Sides, Subject};
use types::DeviceId;

use crate::house::{Rig, program, sent};

fn block(rig: &mut Rig, name: &str, sides: Sides) -> Effects {
    let mut effects = Effects::default();
    let subject = Subject::Name(name.to_owned());
    rig.take(Input::Block(Block { subject, sides }), &mut effects);
    effects
}

fn unblock(rig: &mut Rig, name: &str) -> Effects {
    let mut effects = Effects::default();
    rig.take(Input::Unblock(Subject::Name(name.to_owned())), &mut effects);
    effects
}

#[test]
fn a_blocked_producer_is_acknowledged_counted_and_never_matched() {
    let mut rig = Rig::awake();
    let effects = block(&mut rig, "piano", Sides::PRODUCER);
    assert!(effects.kicks.is_empty(), "its session lives on");
    let effects = rig.press(60);
    assert!(effects.sends.is_empty() && effects.engine.decisions.is_empty());
    let lines: Vec<String> = effects
        .notes
        .iter()
        .map(|n| n.render(&rig.program))
        .collect();
    assert_eq!(lines, ["piano.keys.press: blocked, not matched"]);
    assert_eq!(
        rig.dispatcher
            .counters()
            .of(rig.device("piano"), "blocked-in"),
        1
    );
    unblock(&mut rig, "piano");
    assert_eq!(rig.press(60).sends.len(), 1);
}

#[test]
fn of_a_blocked_producers_flood_one_input_a_second_is_left() {
    let mut rig = Rig::awake();
    block(&mut rig, "piano", Sides::PRODUCER);
    let from = Publisher::Device(rig.device("piano"));
    let mut inputs = 0;
    for _ in 0..2_500 {
        let press = r#"{"event":"press","key":60}"#;
        let admitted = rig.admit(&from, "iot/piano/keys/event", press);
        let admitted = admitted.expect("a blocked event is acknowledged");
        if let Some(input) = admitted.input {
            rig.take(input, &mut Effects::default());
            inputs += 1;
        }
        rig.pass(Duration::from_millis(1));
    }
    assert_eq!(inputs, 3);
    let counted = rig.dispatcher.counters();
    assert_eq!(counted.of(rig.device("piano"), "blocked-in"), 2_500);
    unblock(&mut rig, "piano");
    assert_eq!(rig.press(60).sends.len(), 1);
}

#[test]
fn a_blocked_consumer_loses_what_lay_retained_and_gets_it_back() {
    let mut rig = Rig::awake();
    rig.press(60);
    let effects = block(&mut rig, "hall", Sides::CONSUMER);
    assert_eq!(sent(&effects), ["iot/hall/role ", "iot/hall/lamp/target "]);
    assert!(effects.sends.iter().all(|send| send.retain));
    let effects = rig.press(30);
    assert!(effects.sends.is_empty());
    assert_eq!(
        effects.engine.decisions[0].sent[0].disposition,
        engine::Disposition::Blocked
    );
    rig.says("hall", "iot/hall/lux/state", "9");
    assert_eq!(
        rig.reported("hall.lux", "lux"),
        Some(9.0.into()),
        "it is heard"
    );
    let effects = unblock(&mut rig, "hall");
    let came = sent(&effects);
    assert!(came[0].starts_with("iot/hall/role {\"rev\":1,"), "{came:?}");
    assert_eq!(
        came[1], r#"iot/hall/lamp/target {"on":false}"#,
        "what was wished meanwhile"
    );
}

#[test]
fn only_a_block_both_ways_ends_the_session() {
    let mut rig = Rig::awake();
    let effects = block(&mut rig, "living", Sides::BOTH);
    assert_eq!(effects.kicks, ["living".into()]);
    let living = rig.device("living");
    assert!(!rig.dispatcher.may_connect(living));
    assert!(effects.notes.contains(&Note::Blocks {
        device: living,
        sides: Sides::BOTH
    }));
    unblock(&mut rig, "living");
    assert!(rig.dispatcher.may_connect(living));
}

#[test]
fn blocks_by_number_and_of_unknown_devices_are_kept() {
    let mut rig = Rig::awake();
    let mut effects = Effects::default();
    for (subject, sides) in [
        (Subject::Id(DeviceId(17)), Sides::PRODUCER),
        (Subject::Id(DeviceId(999)), Sides::BOTH),
        (Subject::Name("stranger".to_owned()), Sides::BOTH),
    ] {
        rig.take(Input::Block(Block { subject, sides }), &mut effects);
    }
    assert!(rig.press(60).sends.is_empty());
    assert_eq!(rig.dispatcher.blocklist().iter().count(), 3);
    block(&mut rig, "piano", Sides::CONSUMER);
    assert_eq!(
        rig.dispatcher.blocked(rig.device("piano")),
        Sides::BOTH,
        "name and number add up"
    );
}

#[test]
fn an_edited_file_leads_to_the_blocks_that_changed() {
    let of = |name: &str, sides| Block {
        subject: Subject::Name(name.to_owned()),
        sides,
    };
    let before = Blocklist::new([
        of("a", Sides::BOTH),
        of("b", Sides::BOTH),
        of("c", Sides::BOTH),
    ]);
    let after = Blocklist::new([
        of("b", Sides::PRODUCER),
        of("c", Sides::BOTH),
        of("d", Sides::BOTH),
    ]);
    assert_eq!(
        before.changes_to(&after),
        [
            Input::Unblock(Subject::Name("a".to_owned())),
            Input::Block(of("b", Sides::PRODUCER)),
            Input::Block(of("d", Sides::BOTH)),
        ]
    );
}

#[test]
fn what_either_list_blocks_only_adds_to_both() {
    let of = |name: &str, sides| Block {
        subject: Subject::Name(name.to_owned()),
        sides,
    };
    let before = Blocklist::new([of("a", Sides::BOTH), of("b", Sides::CONSUMER)]);
    let after = Blocklist::new([
        of("a", Sides::PRODUCER),
        of("b", Sides::PRODUCER),
        of("c", Sides::BOTH),
    ]);
    let either = before.or(&after);
    assert_eq!(
        before.changes_to(&either),
        [
            Input::Block(of("b", Sides::BOTH)),
            Input::Block(of("c", Sides::BOTH)),
        ]
    );
    assert_eq!(
        either.changes_to(&after),
        [
            Input::Block(of("a", Sides::PRODUCER)),
            Input::Block(of("b", Sides::PRODUCER)),
        ]
    );
}

#[test]
fn a_copy_of_an_event_is_dropped_even_from_another_session() {
    let mut rig = Rig::awake();
    let event = r#"{"event":"press","key":61,"boot":1,"seq":5}"#;
    assert_eq!(
        rig.says("piano", "iot/piano/keys/event", event).sends.len(),
        1
    );
    rig.disconnect("piano");
    rig.connect("piano");
    let effects = rig.says("piano", "iot/piano/keys/event", event);
    assert!(effects.sends.is_empty());
    assert!(matches!(effects.notes[..], [Note::Duplicate(_)]));
    let next = r#"{"event":"press","key":61,"boot":1,"seq":6}"#;
    assert_eq!(
        rig.says("piano", "iot/piano/keys/event", next).sends.len(),
        1
    );
    let rebooted = r#"{"event":"press","key":61,"boot":2,"seq":5}"#;
    assert_eq!(
        rig.says("piano", "iot/piano/keys/event", rebooted)
            .sends
            .len(),
        1
    );
}

#[test]
fn a_refused_event_of_a_blocked_device_is_still_refused() {
    let mut rig = Rig::awake();
    block(&mut rig, "piano", Sides::PRODUCER);
    let from = Publisher::Device(rig.device("piano"));
    assert!(rig.admit(&from, "iot/piano/keys/event", "{}").is_err());
}

#[test]
fn what_was_to_end_while_its_consumer_was_blocked_has_ended_when_it_is_told_again() {
    let mut rig = Rig::awake();
    rig.asks("iot/hall/lamp/set", r#"{"on":true,"for":"1m"}"#);
    block(&mut rig, "hall", Sides::CONSUMER);
    assert!(rig.pass(Duration::from_secs(61)).sends.is_empty());
    let effects = unblock(&mut rig, "hall");
    let target = r#"iot/hall/lamp/target {"on":false}"#.to_owned();
    assert!(sent(&effects).contains(&target), "{:?}", sent(&effects));
}

#[test]
fn a_block_by_a_number_that_no_device_has_blocks_none_of_those_without_one() {
    let text = "format = 1\n\
        [device.mode]\nvirtual = true\nio.evening = { kind = \"button\" }\n\
        [device.phones]\nvirtual = true\nio.anna = { kind = \"presence\" }\n";
    let mut rig = Rig::of(program(text), Config::default());
    let mut effects = Effects::default();
    // As earlier versions wrote it into the journal.
    let subject = Subject::Id(DeviceId(0));
    let sides = Sides::BOTH;
    rig.take(
        Input::Block(Block {
            subject: subject.clone(),
            sides,
        }),
        &mut effects,
    );
    block(&mut rig, "mode", Sides::CONSUMER);
    let blocked = |name: &str| rig.dispatcher.blocked(rig.device(name));
    assert_eq!(blocked("mode"), Sides::CONSUMER);
    assert_eq!(blocked("phones"), Sides::NONE);
    rig.take(Input::Unblock(subject), &mut effects);
    assert_eq!(rig.dispatcher.blocklist().iter().count(), 1);
}
