//! What may stand in a payload, and what comes of what may not.

use dispatcher::{Config, Dispatcher, Input, Message, Publisher, Reason};
use proptest::prelude::*;
use types::Value;

use crate::house::{HOUSE, Rig, orders, program, sent, start, usual};

/// The reason for which a payload is refused, as people read it.
fn refused(device: &str, topic: &str, payload: &str) -> String {
    let mut rig = Rig::awake();
    let from = Publisher::Device(rig.device(device));
    rig.admit(&from, topic, payload).unwrap_err().to_string()
}

#[test]
fn an_event_becomes_a_command_in_the_one_form() {
    let mut rig = Rig::awake();
    let effects = rig.says(
        "piano",
        "iot/piano/keys/event",
        r#"{"velocity":87, "event":"press","key":60,"boot":4711,"seq":1,"t_ms":99}"#,
    );
    assert_eq!(sent(&effects), [r#"iot/hall/lamp/target {"on":true}"#]);
    let send = &effects.sends[0];
    assert!(send.retain && send.token.is_some());
}

#[test]
fn fields_that_an_event_lacks_take_their_default() {
    let mut rig = Rig::awake();
    let payload = r#"{"event":"press","key":72}"#;
    let effects = rig.says("piano", "iot/piano/keys/event", payload);
    let expected = r#"iot/hall/lamp/target {"on":true,"brightness":50}"#;
    assert_eq!(sent(&effects), [expected]);
}

#[test]
fn a_bare_word_names_an_event_without_fields() {
    let mut rig = Rig::awake();
    rig.says("hall", "iot/hall/motion/event", "start");
    assert_eq!(rig.reported("hall.motion", "active"), Some(true.into()));
}

#[test]
fn what_is_wrong_with_an_event_is_said_with_topic_and_device() {
    let event = |payload| refused("piano", "iot/piano/keys/event", payload);
    for (payload, expected) in [
        (
            r#"{"event":"press"}"#,
            "iot/piano/keys/event from piano: the field 'key' is missing",
        ),
        (
            r#"{"event":"press","key":60,"velocity":300}"#,
            "'velocity' is 300, which is not a whole number in 0..127",
        ),
        (
            r#"{"event":"press","key":60.5}"#,
            "'key' is 60.5, which is not a whole number",
        ),
        (
            r#"{"event":"press","key":"60"}"#,
            "'key' is a text where a int is taken",
        ),
        (
            r#"{"event":"press","key":[60]}"#,
            "'key' is an object, a list or null",
        ),
        (
            r#"{"event":"press","key":60,"velocty":1}"#,
            "no field 'velocty'; one of key, velocity",
        ),
        (
            r#"{"event":"press","key":60,"key":61}"#,
            "'key' stands there twice",
        ),
        (
            r#"{"event":"smash","key":60}"#,
            "no event 'smash'; one of press, release",
        ),
        (
            r#"{"key":60}"#,
            "the key \"event\" is missing; one of press, release",
        ),
        (
            r#"{"event":"press","key":60,"seq":-1}"#,
            "'seq' takes a whole number below 2^32",
        ),
        (r#"{"event":"press","key":60"#, "not JSON"),
        (r"[1,2]", "the key \"event\" is missing"),
        ("   ", "says nothing"),
    ] {
        let came = event(payload);
        assert!(came.contains(expected), "{payload}: {came}");
    }
}

#[test]
fn control_characters_of_others_never_reach_a_log() {
    let came = refused(
        "piano",
        "iot/piano/keys/event",
        "{\"event\":\"\\u001b[31m\\n\"}",
    );
    assert!(!came.chars().any(char::is_control), "{came}");
}

#[test]
fn a_state_is_an_object_or_a_bare_value_on_a_channel_with_one_field() {
    let mut rig = Rig::awake();
    rig.says("hall", "iot/hall/lux/state", r#"{"lux":12.5,"seq":3}"#);
    assert_eq!(rig.reported("hall.lux", "lux"), Some(12.5.into()));
    rig.says("hall", "iot/hall/lux/state", " 13 ");
    assert_eq!(rig.reported("hall.lux", "lux"), Some(13.0.into()));
    for (word, on) in [
        ("ON", true),
        ("0", false),
        ("true", true),
        ("\"off\"", false),
    ] {
        rig.says("living", "iot/living/heater/state", word);
        assert_eq!(
            rig.reported("living.heater", "on"),
            Some(on.into()),
            "{word}"
        );
    }
    let came = refused("hall", "iot/hall/lamp/state", "40");
    assert!(
        came.contains("a bare value where the channel has several fields"),
        "{came}"
    );
}

#[test]
fn brightness_zero_in_a_report_means_off() {
    let mut rig = Rig::awake();
    rig.says("hall", "iot/hall/lamp/state", r#"{"brightness":0}"#);
    assert_eq!(rig.reported("hall.lamp", "on"), Some(false.into()));
    assert_eq!(rig.reported("hall.lamp", "brightness"), None);
}

#[test]
fn people_set_fields_commands_and_bare_values() {
    let mut rig = Rig::awake();
    let mut set = |payload: &str| sent(&rig.asks("iot/hall/lamp/set", payload));
    assert_eq!(set("ON"), [r#"iot/hall/lamp/target {"on":true}"#]);
    assert_eq!(
        set(r#"{"brightness":40}"#),
        [r#"iot/hall/lamp/target {"on":true,"brightness":40}"#]
    );
    assert_eq!(
        set(r#"{"command":"brighter","step":20}"#),
        [r#"iot/hall/lamp/target {"on":true,"brightness":60}"#]
    );
    assert_eq!(
        set("toggle"),
        [r#"iot/hall/lamp/target {"on":false,"brightness":60}"#]
    );
    assert_eq!(
        set(r#"{"on":1}"#),
        [r#"iot/hall/lamp/target {"on":true,"brightness":60}"#]
    );
    assert_eq!(
        set(r#"{"brightness":0}"#),
        [r#"iot/hall/lamp/target {"on":false,"brightness":60}"#]
    );
    let set = |rig: &mut Rig, topic: &str, payload: &str| {
        let person = Publisher::Person("anna".into());
        rig.admit(&person, topic, payload).unwrap_err().reason
    };
    let code = set(&mut rig, "iot/hall/lamp/set", r#"{"colour":"red"}"#);
    assert_eq!(code.to_string(), "no field 'colour'; one of on, brightness");
    let code = set(&mut rig, "iot/hall/lamp/set", r#"{"command":"explode"}"#);
    assert_eq!(code.code(), "unknown-command");
    let code = set(&mut rig, "iot/living/blind/set", r#"{"moving":"opening"}"#);
    assert_eq!(code.code(), "not-settable");
    let code = set(
        &mut rig,
        "iot/hall/lamp/set",
        r#"{"on":true,"hold":"soon"}"#,
    );
    assert_eq!(code.code(), "stamp");
}

#[test]
fn a_hold_keeps_rules_from_writing_the_output() {
    let mut rig = Rig::awake();
    rig.asks("iot/hall/lamp/set", r#"{"on":false,"hold":"10m"}"#);
    let effects = rig.press(60);
    assert!(effects.sends.is_empty());
    assert_eq!(rig.target("hall.lamp", "on"), Some(false.into()));
    rig.pass(std::time::Duration::from_secs(601));
    assert_eq!(rig.press(60).sends.len(), 1);
}

#[test]
fn several_channels_of_a_foreign_device_share_one_message() {
    let mut rig = Rig::awake();
    let payload = r#"{"occupancy":false,"climate":{"temperature":21.5},"battery":80,"action":""}"#;
    rig.says("sensor", "z2m/sensor", payload);
    assert_eq!(rig.reported("sensor.motion", "active"), Some(false.into()));
    assert_eq!(
        rig.reported("sensor.temp", "temperature"),
        Some(21.5.into())
    );
    let effects = rig.says("sensor", "z2m/sensor", r#"{"occupancy":true}"#);
    assert_eq!(
        orders(&effects),
        ["old/lamp/set ON", r#"deaf/lamp/set {"power":"ON"}"#],
        "a change of state is the foreign channel's event"
    );
    let kept = effects.sends.iter().filter(|send| send.retain);
    assert!(kept.clone().count() > 0 && kept.clone().all(|send| send.topic.ends_with("/state")));
}

#[test]
fn a_foreign_word_becomes_our_event() {
    let mut rig = Rig::awake();
    let effects = rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    assert_eq!(sent(&effects)[0], "old/lamp/set ON");
    let from = Publisher::Device(rig.device("sensor"));
    let refusal = rig
        .admit(&from, "z2m/sensor", r#"{"action":"shake"}"#)
        .unwrap_err();
    assert_eq!(refusal.reason.code(), "unknown-event");
}

#[test]
fn a_word_that_one_key_of_a_foreign_remote_knows_is_no_mistake_of_the_others() {
    let remote = r#"
[device.remote]
id = 34
mqtt = { event = "z2m/remote" }
io.up   = { kind = "button", event_from = "action", events = { on = "click" } }
io.down = { kind = "button", event_from = "action", events = { off = "click" } }

[rule.up]
when = "remote.up.click"
do   = "hall.lamp.on"

[rule.down]
when = "remote.down.click"
do   = "hall.lamp.off"
"#;
    let mut rig = Rig::of(program(&format!("{HOUSE}{remote}")), Config::default());
    for device in ["hall", "remote"] {
        rig.connect(device);
    }
    let refused = |rig: &Rig| {
        let remote = rig.device("remote");
        rig.dispatcher.counters().of(remote, "unknown-event")
    };
    for (word, on) in [("on", true), ("off", false)] {
        rig.says("remote", "z2m/remote", &format!(r#"{{"action":"{word}"}}"#));
        assert_eq!(rig.target("hall.lamp", "on"), Some(on.into()));
        assert_eq!(refused(&rig), 0, "{word}");
    }
    let from = Publisher::Device(rig.device("remote"));
    let shaken = rig.admit(&from, "z2m/remote", r#"{"action":"shake"}"#);
    assert_eq!(shaken.unwrap_err().reason.code(), "unknown-event");
}

#[test]
fn one_unreadable_part_of_a_foreign_message_does_not_spoil_the_others() {
    let mut rig = Rig::awake();
    rig.says(
        "sensor",
        "z2m/sensor",
        r#"{"occupancy":"maybe","climate":{"temperature":20}}"#,
    );
    assert_eq!(
        rig.reported("sensor.temp", "temperature"),
        Some(20.0.into())
    );
    assert_eq!(rig.reported("sensor.motion", "active"), None);
    assert_eq!(
        rig.dispatcher.counters().of(rig.device("sensor"), "value"),
        1
    );
}

#[test]
fn a_foreign_lamp_speaks_its_own_words_both_ways() {
    let mut rig = Rig::awake();
    let effects = rig.asks("iot/old_lamp/lamp/set", "on");
    assert_eq!(sent(&effects), ["old/lamp/set ON"]);
    rig.says("old_lamp", "old/lamp/state", "ON");
    assert_eq!(rig.reported("old_lamp.lamp", "on"), Some(true.into()));
}

#[test]
fn a_payload_beyond_the_limit_is_not_even_read() {
    let mut rig = Rig::awake();
    let long = format!("{{\"event\":\"press\",\"key\":{}60}}", " ".repeat(70_000));
    let from = Publisher::Device(rig.device("piano"));
    let refusal = rig.admit(&from, "iot/piano/keys/event", &long).unwrap_err();
    assert!(matches!(refusal.reason, Reason::TooLong { .. }));
    assert_eq!(
        rig.dispatcher
            .counters()
            .of(rig.device("piano"), "too-long"),
        1
    );
}

const TOPICS: [(&str, &str); 9] = [
    ("piano", "iot/piano/keys/event"),
    ("hall", "iot/hall/lamp/state"),
    ("hall", "iot/hall/lux/state"),
    ("hall", "iot/hall/availability"),
    ("living", "iot/living/blind/state"),
    ("sensor", "z2m/sensor"),
    ("sensor", "z2m/sensor/availability"),
    ("old_lamp", "old/lamp/state"),
    ("", "iot/hall/lamp/set"),
];

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"",
        "event",
        "press",
        "key",
        "velocity",
        "on",
        "brightness",
        "command",
        "toggle",
        "hold",
        "10m",
        "seq",
        "boot",
        "t_ms",
        "true",
        "null",
        "0",
        "-1",
        "1e999",
        "60",
        "18446744073709551616",
        "0.1",
        "\\u0000",
        "occupancy",
        "action",
        "single",
        "ON",
        " ",
        "\u{e9}",
    ]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(word, 0..40).prop_map(|words| words.concat().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn no_payload_panics_and_what_is_taken_fits_the_declared_types(
        place in 0..TOPICS.len(),
        payload in payload(),
        retain: bool,
    ) {
        thread_local! {
            static RIG: std::cell::RefCell<Dispatcher> = std::cell::RefCell::new(Dispatcher::new(
                usual(), Config::default(), Default::default(), start(),
            ));
        }
        let (device, topic) = TOPICS[place];
        RIG.with_borrow_mut(|dispatcher| {
            let program = std::sync::Arc::clone(dispatcher.program());
            let from = match program.device(device) {
                Some(device) => Publisher::Device(device),
                None => Publisher::Person("anna".into()),
            };
            let message = Message { topic, payload: &payload, retain, will: None };
            if let Ok(admitted) = dispatcher.admit(start(), &from, &message)
                && let Some(input) = admitted.input
            {
                let mut bytes = Vec::new();
                input.encode(&program, &mut bytes);
                prop_assert_eq!(Input::decode(&program, &bytes), Ok(input));
            }
            Ok(())
        })?;
    }

    #[test]
    fn no_record_panics(bytes in prop::collection::vec(any::<u8>(), 0..80), flip: usize, key in 0_u8..128) {
        let program = usual();
        let _ = Input::decode(&program, &bytes);
        let event = program.event(program.channel_by_path("piano.keys").unwrap(), "press").unwrap();
        let fields = vec![Value::Number(f64::from(key)), Value::Number(1.0)];
        let input = Input::Event { event, fields, produced_ms: Some(7), stamp: None };
        let mut record = Vec::new();
        input.encode(&program, &mut record);
        let place = flip % (record.len() * 8);
        record[place / 8] ^= 1 << (place % 8);
        let _ = Input::decode(&program, &record);
    }
}

#[test]
fn records_are_small() {
    let mut rig = Rig::awake();
    let before = rig.journal.len();
    let payload = r#"{"event":"press","key":60,"velocity":87,"boot":4711,"seq":1,"t_ms":99}"#;
    rig.says("piano", "iot/piano/keys/event", payload);
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":40}"#,
    );
    for (_, record) in &rig.journal[before..] {
        assert!((20..=80).contains(&record.len()), "{} bytes", record.len());
    }
}
