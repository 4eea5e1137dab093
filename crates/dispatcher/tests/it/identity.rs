//! Who may say what: identity comes from the session.

use dispatcher::{Message, Publisher, access};

use crate::house::{Rig, usual};

fn code(rig: &mut Rig, from: &Publisher, topic: &str, payload: &str) -> &'static str {
    match rig.admit(from, topic, payload) {
        Ok(_) => "taken",
        Err(refusal) => refusal.reason.code(),
    }
}

#[test]
fn a_device_speaks_only_for_itself() {
    let mut rig = Rig::awake();
    let hall = Publisher::Device(rig.device("hall"));
    let press = r#"{"event":"press","key":60}"#;
    let refusal = rig.admit(&hall, "iot/piano/keys/event", press).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "iot/piano/keys/event from hall: the topic belongs to 'piano'; a device speaks only for itself"
    );
    assert_eq!(
        rig.dispatcher
            .counters()
            .of(rig.device("hall"), "not-yours"),
        1
    );
    for (topic, payload) in [
        ("iot/piano/availability", "online"),
        ("z2m/sensor", "{}"),
        ("iot/phones/anna/state", "away"),
        ("iot/hall/lamp/set", "on"),
    ] {
        assert_eq!(
            code(&mut rig, &hall, topic, payload),
            "not-yours",
            "{topic}"
        );
    }
}

#[test]
fn only_the_dispatcher_writes_targets_commands_and_roles() {
    let mut rig = Rig::awake();
    let hall = Publisher::Device(rig.device("hall"));
    for topic in [
        "iot/hall/lamp/target",
        "iot/hall/lamp/command",
        "iot/hall/role",
        "iot/dispatcher/availability",
    ] {
        assert_eq!(
            code(&mut rig, &hall, topic, "{}"),
            "dispatchers-own",
            "{topic}"
        );
    }
    for topic in ["iot/hall/lmap/state", "iot/nobody/x/event", "iot/"] {
        assert_eq!(code(&mut rig, &hall, topic, "1"), "undeclared", "{topic}");
    }
    assert_eq!(code(&mut rig, &hall, "iot/hall/lux/set", "1"), "undeclared");
}

#[test]
fn topics_outside_the_house_pass_as_in_any_broker() {
    let mut rig = Rig::awake();
    let tool = Publisher::Tool("node-red".into());
    let admitted = rig
        .admit(&tool, "weather/berlin", "{\"rain\":true}")
        .unwrap();
    assert!(admitted.input.is_none() && admitted.route);
}

#[test]
fn a_bridge_may_speak_for_foreign_devices_and_a_person_for_granted_virtual_ones() {
    let mut rig = Rig::awake();
    let bridge = Publisher::Tool("zigbee2mqtt".into());
    assert_eq!(
        code(&mut rig, &bridge, "z2m/sensor", "{\"occupancy\":true}"),
        "taken"
    );
    assert_eq!(
        code(&mut rig, &bridge, "iot/piano/keys/event", "{}"),
        "not-yours"
    );
    let person = Publisher::Person("anna".into());
    assert_eq!(
        code(&mut rig, &person, "iot/phones/anna/state", "away"),
        "taken"
    );
    assert_eq!(
        code(&mut rig, &person, "z2m/sensor", "{\"occupancy\":true}"),
        "not-yours"
    );
}

#[test]
fn access_lists_are_what_the_topics_say() {
    let program = usual();
    let of = |name| access::of_device(&program, program.device(name).unwrap());
    let hall = of("hall");
    assert_eq!(
        hall.publish,
        [
            "iot/hall/+/event",
            "iot/hall/+/state",
            "iot/hall/availability"
        ]
    );
    assert_eq!(
        hall.subscribe,
        ["iot/hall/+/target", "iot/hall/+/command", "iot/hall/role"]
    );
    let sensor = of("sensor");
    assert_eq!(sensor.publish, ["z2m/sensor", "z2m/sensor/availability"]);
    assert!(sensor.subscribe.is_empty());
    assert_eq!(of("old_lamp").subscribe, ["old/lamp/set"]);
    let anna = access::of_person(
        &program,
        &[
            program.device("phones").unwrap(),
            program.device("hall").unwrap(),
        ],
    );
    assert_eq!(
        anna.publish,
        [
            "iot/+/+/set",
            "iot/phones/+/event",
            "iot/phones/+/state",
            "iot/phones/availability"
        ],
        "nobody is granted a device that has its own user"
    );
    assert_eq!(anna.subscribe, ["iot/#", "$SYS/#"]);
}

#[test]
fn events_and_wishes_are_never_kept_by_the_broker() {
    let mut rig = Rig::awake();
    let piano = Publisher::Device(rig.device("piano"));
    let mut message = Message {
        topic: "iot/piano/keys/event",
        payload: br#"{"event":"press","key":60}"#,
        retain: true,
        will: None,
    };
    let admitted = rig.dispatcher.admit(rig.now, &piano, &message).unwrap();
    assert!(admitted.input.is_some() && !admitted.route);
    message.retain = false;
    assert!(
        rig.dispatcher
            .admit(rig.now, &piano, &message)
            .unwrap()
            .route
    );
}
