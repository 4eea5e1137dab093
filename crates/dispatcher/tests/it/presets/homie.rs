//! Homie 5. Payloads after <https://homieiot.github.io/specification/> (payloads, `$state`, the kitchen light of the
//! section on command topics) and the nodes of <https://github.com/homieiot/homie5-device-profiles>.

use super::*;

const HOUSE: &str = r#"
format = 1
allow = ["device-unused"]

[device.kitchen_light]
id = 1
mqtt = { preset = "homie", name = "kitchen-light" }
io.lamp = { kind = "dimmer", from = "/light", fields = { on = "/light/power" } }

[device.ceiling]
id = 2
mqtt = { preset = "homie" }
io.lamp = { kind = "light" }

[device.relay]
id = 3
mqtt = { preset = "homie", name = "dualrelay" }
io.first  = { kind = "switch", from = "/relay-1" }
io.second = { kind = "switch", from = "/relay-2/power" }

[device.blind]
id = 4
mqtt = { preset = "homie" }
io.blind = { kind = "cover" }

[device.porch]
id = 5
mqtt = { preset = "homie" }
io.door   = { kind = "contact" }
io.motion = { kind = "motion" }
io.temp   = { kind = "temperature" }
io.damp   = { kind = "humidity" }
io.air    = { kind = "pressure" }
io.lux    = { kind = "lux" }
io.button = { kind = "button" }
io.there  = { kind = "presence", from = "/car/there" }
io.gas    = { kind = "counter", fields = { count = "/gas/pulses" } }

[device.car]
id = 6
mqtt = { preset = "homie", name = "super-car" }
io.engine = { kind = "engine" }
io.wheels = { kind = "servo", from = "/wheels/angle", min = 0, max = 360 }
io.horn   = { kind = "buzzer", from = "/horn" }

[kind.engine]
target.speed      = { kind = "int", min = 0, max = 10 }
state.temperature = { kind = "number", min = -20, max = 120 }
commands.start    = {}
events.stalled    = {}

[rule.click]
when = "porch.button.double"
do   = "relay.first.on"

[rule.stalled]
when = "car.engine.stalled"
do   = "relay.second.on"
"#;

fn rig() -> Rig {
    let mut rig = Rig::of(program(HOUSE), Config::default());
    for name in [
        "kitchen-light",
        "ceiling",
        "dualrelay",
        "blind",
        "porch",
        "super-car",
    ] {
        bridge(&mut rig, &format!("homie/5/{name}/$state"), "ready");
    }
    rig
}

#[test]
fn each_property_is_told_on_its_own_topic() {
    check_told(
        &mut rig(),
        &[
            (
                "relay/first",
                "on",
                &["homie/5/dualrelay/relay-1/state/set true"],
            ),
            (
                "relay/second",
                "off",
                &["homie/5/dualrelay/relay-2/power/set false"],
            ),
            (
                "kitchen_light/lamp",
                r#"{"brightness":40}"#,
                &[
                    "homie/5/kitchen-light/light/power/set true",
                    "homie/5/kitchen-light/light/brightness/set 40",
                ],
            ),
            (
                "kitchen_light/lamp",
                "off",
                &["homie/5/kitchen-light/light/power/set false"],
            ),
            (
                "ceiling/lamp",
                r#"{"on":true,"hue":240,"saturation":100}"#,
                &[
                    "homie/5/ceiling/switch/state/set true",
                    "homie/5/ceiling/colorlight/color/set rgb,0,0,255",
                ],
            ),
            (
                "ceiling/lamp",
                r#"{"kelvin":4000}"#,
                &[
                    "homie/5/ceiling/switch/state/set true",
                    "homie/5/ceiling/colorlight/color-temperature/set 250",
                ],
            ),
            (
                "blind/blind",
                r#"{"position":30}"#,
                &["homie/5/blind/shutter/position/set 30"],
            ),
            (
                "blind/blind",
                r#"{"command":"open"}"#,
                &["homie/5/blind/shutter/position/set 100"],
            ),
            (
                "blind/blind",
                r#"{"command":"stop"}"#,
                &["homie/5/blind/shutter/action/set stop"],
            ),
            (
                "car/engine",
                r#"{"speed":3}"#,
                &["homie/5/super-car/engine/speed/set 3"],
            ),
            (
                "car/engine",
                r#"{"command":"start"}"#,
                &["homie/5/super-car/engine/action/set start"],
            ),
            (
                "car/wheels",
                "90",
                &["homie/5/super-car/wheels/angle/set 90"],
            ),
            ("car/horn", "on", &["homie/5/super-car/horn/state/set true"]),
        ],
    );
}

#[test]
fn what_properties_report_is_read() {
    check_read(
        &mut rig(),
        &[
            (
                "homie/5/dualrelay/relay-1/state",
                "true",
                "relay.first",
                "on",
                true.into(),
            ),
            (
                "homie/5/kitchen-light/light/power",
                "true",
                "kitchen_light.lamp",
                "on",
                true.into(),
            ),
            (
                "homie/5/kitchen-light/light/brightness",
                "100",
                "kitchen_light.lamp",
                "brightness",
                100.0.into(),
            ),
            (
                "homie/5/ceiling/dimmer/brightness",
                "55",
                "ceiling.lamp",
                "brightness",
                55.0.into(),
            ),
            (
                "homie/5/ceiling/colorlight/color",
                "rgb,0,255,0",
                "ceiling.lamp",
                "hue",
                120.0.into(),
            ),
            (
                "homie/5/ceiling/colorlight/color",
                "hsv,300,50,75",
                "ceiling.lamp",
                "hue",
                300.0.into(),
            ),
            (
                "homie/5/ceiling/colorlight/color",
                "hsv,300,50,75",
                "ceiling.lamp",
                "saturation",
                50.0.into(),
            ),
            (
                "homie/5/ceiling/colorlight/color-temperature",
                "250",
                "ceiling.lamp",
                "kelvin",
                4000.0.into(),
            ),
            (
                "homie/5/blind/shutter/position",
                "70",
                "blind.blind",
                "position",
                70.0.into(),
            ),
            (
                "homie/5/porch/contact/state",
                "true",
                "porch.door",
                "contact",
                "open".into(),
            ),
            (
                "homie/5/porch/motion/motion",
                "false",
                "porch.motion",
                "active",
                false.into(),
            ),
            (
                "homie/5/porch/climate/temperature",
                "21.5",
                "porch.temp",
                "temperature",
                21.5.into(),
            ),
            (
                "homie/5/porch/climate/humidity",
                "40",
                "porch.damp",
                "humidity",
                40.0.into(),
            ),
            (
                "homie/5/porch/climate/pressure",
                "1013.2",
                "porch.air",
                "pressure",
                1013.2.into(),
            ),
            (
                "homie/5/porch/illuminance/illuminance",
                "120",
                "porch.lux",
                "lux",
                120.0.into(),
            ),
            (
                "homie/5/porch/car/there",
                "true",
                "porch.there",
                "presence",
                "home".into(),
            ),
            (
                "homie/5/porch/gas/pulses",
                "18",
                "porch.gas",
                "count",
                18.0.into(),
            ),
            (
                "homie/5/super-car/engine/temperature",
                "21.5",
                "car.engine",
                "temperature",
                21.5.into(),
            ),
        ],
    );
}

#[test]
fn buttons_and_own_events_are_words_on_a_property() {
    let mut rig = rig();
    let pressed = bridge(&mut rig, "homie/5/porch/button/action", "double-press");
    assert_eq!(
        orders(&pressed),
        ["homie/5/dualrelay/relay-1/state/set true"]
    );
    let stalled = bridge(&mut rig, "homie/5/super-car/engine/action", "stalled");
    assert_eq!(
        orders(&stalled),
        ["homie/5/dualrelay/relay-2/power/set true"]
    );
    let other = rig.admit(&tool(), "homie/5/porch/button/action", "continuous");
    assert_eq!(other.unwrap_err().reason.code(), "unknown-event");
}

#[test]
fn a_colour_that_comes_back_in_whole_primaries_is_the_one_that_was_told() {
    let mut rig = rig();
    rig.asks(
        "iot/ceiling/lamp/set",
        r#"{"on":true,"hue":31,"saturation":60}"#,
    );
    for report in ["rgb,255,179,102", "rgb,255,180,102"] {
        let effects = bridge(&mut rig, "homie/5/ceiling/colorlight/color", report);
        assert_eq!(orders(&effects), Vec::<String>::new(), "{report}");
    }
    assert_eq!(rig.target("ceiling.lamp", "hue"), Some(31.0.into()));
    let effects = bridge(&mut rig, "homie/5/ceiling/colorlight/color", "rgb,0,0,255");
    rig.pass(seconds(10));
    assert!(
        effects
            .sends
            .iter()
            .all(|send| !send.topic.starts_with("homie/")),
        "not at once: it may be on its way"
    );
}

#[test]
fn a_homie_sensor_that_sleeps_is_there_and_a_lamp_that_sleeps_gets_its_target_when_it_wakes() {
    let mut rig = rig();
    let online = |rig: &Rig, device: &str| rig.dispatcher.engine().online(rig.device(device));
    for (state, there) in [
        ("lost", false),
        ("init", true),
        ("disconnected", false),
        ("ready", true),
        ("sleeping", true),
        ("alert", true),
    ] {
        bridge(&mut rig, "homie/5/porch/$state", state);
        assert_eq!(online(&rig, "porch"), there, "{state}");
    }
    bridge(&mut rig, "homie/5/kitchen-light/$state", "sleeping");
    assert!(!online(&rig, "kitchen_light"));
    let waits = rig.asks("iot/kitchen_light/lamp/set", "on");
    let back = bridge(&mut rig, "homie/5/kitchen-light/$state", "ready");
    let told = "homie/5/kitchen-light/light/power/set true";
    assert!(
        orders(&back).iter().any(|order| order == told),
        "{:?} {:?}",
        orders(&waits),
        orders(&back)
    );
    let other = rig.admit(&tool(), "homie/5/porch/$state", "confused");
    assert_eq!(other.unwrap_err().reason.code(), "availability");
}

#[test]
fn a_homie_device_is_kept_to_its_own_topics() {
    let rig = rig();
    let of = access::of_device(&rig.program, rig.device("kitchen_light"));
    assert_eq!(of.publish, ["homie/5/kitchen-light/#"]);
    assert_eq!(of.subscribe, ["homie/5/kitchen-light/+/+/set"]);
}
