//! Devices on the sealed link: who speaks for them, what they say, what they are told, and what others see of it.

use std::{collections::BTreeSet, time::Duration};

use dispatcher::{Effects, Input, Publisher, Reason, Said, Subject, Tell};
use types::{DeviceId, Value};
use wire::{Event, Fields, RoleId, State};

use crate::house::{Rig, orders, sent};

/// The piano by its name, the hall and the living room by their numbers.
fn rig() -> Rig {
    let mut rig = Rig::new();
    let subjects = [
        Subject::Name("piano".into()),
        Subject::Id(DeviceId(21)),
        Subject::Id(DeviceId(24)),
        // Of another make: it has no firmware of ours.
        Subject::Name("old_lamp".into()),
    ];
    rig.dispatcher.seal(BTreeSet::from(subjects));
    for device in ["piano", "hall", "living"] {
        rig.connect(device);
    }
    rig.pass(Duration::from_secs(10));
    rig
}

fn says(rig: &mut Rig, channel: &str, said: &Said<'_>) -> Effects {
    let channel = rig.channel(channel);
    let admitted = rig.dispatcher.admit_sealed(rig.now, channel, said);
    let input = admitted.unwrap_or_else(|refusal| panic!("{refusal}"));
    let mut effects = Effects::default();
    if let Some(input) = input {
        rig.take(input, &mut effects);
    }
    effects
}

fn press(key: f64, seq: u32) -> Said<'static> {
    let number = wire::Value::Number;
    let fields = [("key", number(key)), ("velocity", number(64.0))];
    let event = Event {
        seq,
        role: RoleId::default(),
        channel: 0,
        name: "press",
        fields: Fields::new(&fields).unwrap(),
        t_ms: 12,
    };
    Said::Event { event, boot: 7 }
}

fn lamp(fields: &[(&'static str, wire::Value<'static>)]) -> Said<'static> {
    Said::State(State {
        rev: 1,
        role: RoleId::default(),
        channel: 0,
        fields: Fields::new(fields).unwrap(),
    })
}

fn mirrored(effects: &Effects) -> Vec<String> {
    let lines = effects.mirror.iter().map(|send| {
        let payload = String::from_utf8_lossy(&send.payload);
        format!("{} {payload}", send.topic)
    });
    lines.collect()
}

#[test]
fn an_event_becomes_a_target_for_the_link_and_everybody_sees_both() {
    let mut rig = rig();
    let effects = says(&mut rig, "piano.keys", &press(60.0, 1));
    let event = r#"iot/piano/keys/event {"event":"press","key":60,"velocity":64}"#;
    assert_eq!(mirrored(&effects), [event]);
    assert_eq!(sent(&effects), [r#"iot/hall/lamp/target {"on":true}"#]);
    let on = (rig.slot("hall.lamp", "on"), Value::Bool(true));
    let [tell] = &effects.tells[..] else {
        panic!("{:?}", effects.tells)
    };
    let (
        Tell::Target {
            channel, fields, ..
        },
        program,
    ) = (tell, &rig.program)
    else {
        panic!("{tell:?}")
    };
    assert_eq!(
        (*channel, &fields[..]),
        (rig.channel("hall.lamp"), &[on][..])
    );
    let set = tell.set(program, (RoleId(9), 3)).unwrap().unwrap();
    let fields: Vec<_> = set.fields.iter().collect();
    assert_eq!(fields, [("on", wire::Value::Bool(true))]);
    assert_eq!((set.role, set.channel), (RoleId(9), 3));
    assert_eq!((set.command, set.for_ms), (None, None));
}

#[test]
fn an_event_that_comes_again_counts_once_after_a_restart_too() {
    let mut rig = rig();
    says(&mut rig, "piano.keys", &press(60.0, 1));
    let again = says(&mut rig, "piano.keys", &press(60.0, 1));
    assert!(again.engine.outputs.is_empty() && again.mirror.is_empty());
    let device = rig.device("piano");
    let duplicates = rig.dispatcher.counters().iter();
    let duplicates: Vec<u64> = duplicates
        .filter(|(of, code, _)| *of == Some(device) && *code == "duplicate")
        .map(|(_, _, count)| count)
        .collect();
    assert_eq!(duplicates, [1]);
    // The record says by what a copy is known.
    let (_, record) = rig.journal.last().unwrap();
    let Input::Event { stamp, .. } = Input::decode(&rig.program, record).unwrap() else {
        panic!("it is an event")
    };
    assert_eq!(stamp.map(|stamp| (stamp.boot, stamp.seq)), Some((7, 1)));
}

#[test]
fn what_inputs_put_out_is_the_same_whoever_has_a_key() {
    let mut sealed = rig();
    let mut plain = Rig::new();
    for device in ["piano", "hall", "living"] {
        plain.connect(device);
    }
    plain.pass(Duration::from_secs(10));
    says(&mut sealed, "piano.keys", &press(60.0, 1));
    let on = [("on", wire::Value::Bool(true))];
    let effects = says(&mut sealed, "hall.lamp", &lamp(&on));
    assert_eq!(mirrored(&effects), [r#"iot/hall/lamp/state {"on":true}"#]);
    for (now, record) in sealed.journal.iter().skip(plain.journal.len()) {
        let input = Input::decode(&plain.program, record).unwrap();
        plain.now = *now;
        plain.take(input, &mut Effects::default());
    }
    assert_eq!(plain.hashes, sealed.hashes, "a replay knows no keys");
}

#[test]
fn nobody_else_speaks_for_it_and_a_device_of_another_make_has_no_such_link() {
    let mut rig = rig();
    let hall = rig.device("hall");
    for from in [
        Publisher::Device(hall),
        Publisher::Tool("node-red".into()),
        Publisher::Person("anna".into()),
        Publisher::Superuser,
        Publisher::ExternalBroker,
    ] {
        for (topic, payload) in [
            ("iot/hall/lamp/state", "on"),
            ("iot/hall/motion/event", "start"),
            ("iot/hall/availability", "offline"),
        ] {
            let refusal = rig.admit(&from, topic, payload).unwrap_err();
            let owner = "hall".into();
            assert_eq!(refusal.reason, Reason::Sealed { owner }, "{from:?}");
        }
    }
    let access = rig.dispatcher.access(hall);
    assert!(access.publish.is_empty() && access.subscribe.is_empty());
    let asked = rig.asks("iot/hall/lamp/set", "on");
    assert_eq!(orders(&asked).len(), 1, "people may ask as before");
    assert!(!rig.dispatcher.is_sealed(rig.device("old_lamp")));
    rig.says("old_lamp", "old/lamp/state", "ON");
}

#[test]
fn nothing_of_it_crosses_over_to_another_broker() {
    let rig = rig();
    let outside = rig.dispatcher.outside();
    for name in ["piano", "hall", "living"] {
        let of_it = format!("iot/{name}/");
        assert!(!outside.kept.iter().any(|topic| topic.starts_with(&of_it)));
        assert!(!outside.told.iter().any(|topic| topic.starts_with(&of_it)));
    }
    assert!(
        !outside
            .told
            .iter()
            .any(|filter| filter.starts_with("iot/+"))
    );
    let told = |topic: &str| outside.told.contains(topic);
    assert!(told("old/lamp/set") && told("iot/phones/anna/state"));
    let plain = Rig::new().dispatcher.outside();
    assert!(plain.told.contains("iot/+/+/target"));
}

#[test]
fn what_does_not_fit_is_refused_and_counted_with_the_device() {
    let mut rig = rig();
    let refused = |rig: &mut Rig, path: &str, said: &Said<'_>| {
        let channel = rig.channel(path);
        let refusal = { rig.dispatcher.admit_sealed(rig.now, channel, said) }.unwrap_err();
        refusal.reason.code()
    };
    let unknown = [("colour", wire::Value::Number(3.0))];
    let text = [("on", wire::Value::Text("maybe"))];
    let half = [("brightness", wire::Value::Number(0.5))];
    for (path, said, code) in [
        ("hall.lamp", press(60.0, 1), "unknown-event"),
        ("piano.keys", press(60.5, 2), "value"),
        ("hall.lamp", lamp(&unknown), "unknown-field"),
        ("hall.lamp", lamp(&text), "value"),
        ("hall.lamp", lamp(&half), "value"),
        ("hall.lamp", lamp(&[]), "empty"),
    ] {
        assert_eq!(refused(&mut rig, path, &said), code, "{said:?}");
    }
}

#[test]
fn a_session_begins_with_the_role_and_all_that_should_be_and_a_momentary_command_is_told_once() {
    let mut rig = rig();
    says(&mut rig, "piano.keys", &press(60.0, 1));
    let rings = says(&mut rig, "piano.keys", &press(61.0, 2));
    let living = rig.device("living");
    let [bell @ Tell::Command { .. }] = &rings.tells[..] else {
        panic!("{:?}", rings.tells)
    };
    let set = bell.set(&rig.program, (RoleId(9), 0)).unwrap().unwrap();
    assert_eq!((set.command, set.fields.iter().count()), (Some("beep"), 1));

    rig.asks("iot/living/heater/set", r#"{"on":true,"for":"10m"}"#);
    rig.asks("iot/living/radio/set", "on");
    rig.disconnect("living");
    rig.pass(Duration::from_secs(60));
    let begins = rig.connect("living");
    let heater = rig.channel("living.heater");
    let [Tell::Role(first), target, Tell::SyncEnd(last)] = &begins.tells[..] else {
        panic!("what is not kept for it is not told: {:?}", begins.tells)
    };
    assert_eq!((*first, *last), (living, living));
    assert_eq!(target.channel(), Some(heater));
    let set = target.set(&rig.program, (RoleId(9), 1)).unwrap().unwrap();
    assert_eq!(set.for_ms, Some(540_000), "what is left of it");
}

#[test]
fn an_acknowledged_set_is_known_and_a_blocked_consumer_is_told_nothing() {
    let mut rig = rig();
    let effects = says(&mut rig, "piano.keys", &press(60.0, 1));
    let token = effects.tells[0].token().unwrap();
    let (hall, lamp) = (rig.device("hall"), rig.channel("hall.lamp"));
    assert!(!rig.dispatcher.acknowledged(lamp));
    rig.dispatcher.delivered(hall, token);
    assert!(rig.dispatcher.acknowledged(lamp));

    let block = dispatcher::Block {
        subject: Subject::Name("hall".into()),
        sides: dispatcher::Sides::CONSUMER,
    };
    rig.take(Input::Block(block), &mut Effects::default());
    let blocked = says(&mut rig, "piano.keys", &press(30.0, 2));
    assert!(blocked.tells.is_empty());
    let mut lifted = Effects::default();
    let unblock = Input::Unblock(Subject::Name("hall".into()));
    rig.take(unblock, &mut lifted);
    assert!(lifted.tells.contains(&Tell::Role(hall)));
    assert_eq!(lifted.tells.last(), Some(&Tell::SyncEnd(hall)));
}
