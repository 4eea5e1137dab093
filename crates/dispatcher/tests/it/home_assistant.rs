//! What Home Assistant is told of a house.

use std::{collections::BTreeMap, sync::Arc};

use dispatcher::{
    Send, access,
    home_assistant::{Discovery, PREFIX, not_a_prefix},
};
use serde_json::{Value as Json, json};

use crate::house::program;

const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[device.hall]
id = 21
room = "Hall"
io.lamp   = { kind = "light" }
io.plug   = { kind = "switch" }
io.motion = { kind = "motion" }
io.power  = { kind = "analog", unit = "W" }
io.button = { kind = "button" }
io.blind  = { kind = "cover" }
io.bell   = { kind = "buzzer" }
io.pulses = { kind = "counter" }
io.vane   = { kind = "servo" }

[device.stove]
id = 22
io.fire = { kind = "stove" }

[kind.stove]
target.mode = ["off", "eco", "max"]
state.tank  = { kind = "number", min = 0, max = 100 }

[device.deaf]
id = 23
mqtt = { target = "deaf/set" }
io.lamp = { kind = "switch", on = "ON", off = "OFF" }
"#;

fn discovery(text: &str) -> (Discovery, BTreeMap<String, Json>) {
    let mut discovery = Discovery::new(PREFIX, []);
    let sends = discovery.go_by(&program(text));
    assert!(sends.iter().all(|send| send.retain && send.token.is_none()));
    let configs = sends.iter().map(|send| {
        let config = serde_json::from_slice(&send.payload).expect("it is JSON");
        (send.topic.to_string(), config)
    });
    (discovery, configs.collect())
}

fn taken_back(sends: &[Send]) -> Vec<&str> {
    let gone = sends.iter().filter(|send| send.payload.is_empty());
    gone.map(|send| &*send.topic).collect()
}

#[test]
fn each_channel_is_the_entity_that_fits() {
    let (_, configs) = discovery(HOUSE);
    let topics: Vec<&str> = configs.keys().map(String::as_str).collect();
    assert_eq!(
        topics,
        [
            "homeassistant/binary_sensor/iot_control_21/motion/config",
            "homeassistant/button/iot_control_21/bell-beep/config",
            "homeassistant/button/iot_control_21/pulses-reset/config",
            "homeassistant/cover/iot_control_21/blind/config",
            "homeassistant/event/iot_control_21/button/config",
            "homeassistant/light/iot_control_21/lamp/config",
            "homeassistant/number/iot_control_21/vane/config",
            "homeassistant/select/iot_control_22/fire-mode/config",
            "homeassistant/sensor/iot_control_21/power/config",
            "homeassistant/sensor/iot_control_21/pulses-count/config",
            "homeassistant/sensor/iot_control_21/pulses-rate/config",
            "homeassistant/sensor/iot_control_22/fire-tank/config",
            "homeassistant/siren/iot_control_21/bell/config",
            "homeassistant/switch/iot_control_21/plug/config",
            "homeassistant/switch/iot_control_23/lamp/config",
        ]
    );
    let plug = &configs["homeassistant/switch/iot_control_21/plug/config"];
    assert_eq!(plug["unique_id"], "iot_control_21_plug");
    assert_eq!(plug["command_topic"], "iot/hall/plug/set");
    assert_eq!(plug["state_topic"], "iot/hall/plug/state");
    assert_eq!(plug["availability_topic"], "iot/hall/availability");
    assert_eq!(
        plug["device"],
        json!({"identifiers": ["iot_control_21"], "name": "hall", "suggested_area": "Hall"})
    );
    let power = &configs["homeassistant/sensor/iot_control_21/power/config"];
    assert_eq!(power["unit_of_measurement"], "W");
    assert_eq!(power["device_class"], "power");
    let blind = &configs["homeassistant/cover/iot_control_21/blind/config"];
    let shows = blind["value_template"].as_str().unwrap();
    for words in [
        "'opening', 'closing'",
        "'closed' if p|float == 0 else 'open'",
    ] {
        assert!(shows.contains(words), "{shows}");
    }
    let button = &configs["homeassistant/event/iot_control_21/button/config"];
    assert_eq!(button["event_types"], json!(["press", "release"]));
    let deaf = &configs["homeassistant/switch/iot_control_23/lamp/config"];
    assert_eq!(deaf.get("availability_topic"), None, "nobody could know");
}

#[test]
fn a_device_with_another_name_stays_the_same_to_home_assistant() {
    let (mut discovery, _) = discovery(HOUSE);
    let renamed = HOUSE.replace("[device.hall]", "[device.floor]");
    let sends = discovery.go_by(&program(&renamed));
    assert_eq!(taken_back(&sends), Vec::<&str>::new());
    assert_eq!(sends.len(), 12, "all entities of one device, and no other");
    assert!(discovery.go_by(&program(&renamed)).is_empty());
}

#[test]
fn what_is_gone_is_taken_back_now_and_whenever_home_assistant_starts() {
    let (mut house, _) = discovery(HOUSE);
    let topics: Vec<Arc<str>> = house.topics().cloned().collect();
    let without = HOUSE.replace("io.plug   = { kind = \"switch\" }\n", "");
    let plug = "homeassistant/switch/iot_control_21/plug/config";
    assert_eq!(taken_back(&house.go_by(&program(&without))), [plug]);
    assert_eq!(taken_back(&house.all()), [plug]);
    // The device went while nobody ran.
    let mut next = Discovery::new(PREFIX, topics);
    next.go_by(&program(&without));
    assert_eq!(taken_back(&next.all()), [plug]);
    assert!(next.topics().any(|topic| **topic == *plug));
    // It is back.
    next.go_by(&program(HOUSE));
    assert_eq!(taken_back(&next.all()), Vec::<&str>::new());
}

#[test]
fn a_file_that_somebody_wrote_takes_nothing_else_back() {
    let others = [
        "iot/hall/role",
        "homeassistant/light/other/config",
        "iot_control_#/config",
        "",
    ];
    let discovery = Discovery::new(PREFIX, others.map(Arc::from));
    assert!(discovery.all().is_empty());
}

#[test]
fn home_assistant_says_that_it_started() {
    let (discovery, _) = discovery(HOUSE);
    assert!(discovery.is_birth("homeassistant/status", b"online"));
    assert!(!discovery.is_birth("homeassistant/status", b"offline"));
    assert!(!discovery.is_birth("iot/hall/availability", b"online"));
    for bad in ["", "a//b", "iot/x", "a/#", "a b"] {
        assert!(not_a_prefix(bad).is_some(), "{bad}");
    }
    assert_eq!(not_a_prefix("ha/discovery"), None);
}

#[test]
fn a_tool_reads_what_home_assistant_is_told_and_nobody_else() {
    let program = program(HOUSE);
    let tool = access::of_tool(&program, Some(PREFIX));
    assert_eq!(tool.publish, ["iot/+/+/set", "homeassistant/status"]);
    assert_eq!(tool.subscribe, ["iot/#", "$SYS/#", "homeassistant/#"]);
    assert_eq!(
        access::of_tool(&program, None),
        access::of_person(&program, &[])
    );
}
