//! `run --simulate`: the first thing that a person who clones the project sees.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::harness::{Client, Dispatcher, House, Kind, Login, until};

pub(crate) fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/piano-house")
}

pub(crate) fn simulated(house: &House) -> Dispatcher<'_> {
    simulated_with(house, "hall")
}

fn simulated_with<'h>(house: &'h House, device: &str) -> Dispatcher<'h> {
    let dispatcher = Dispatcher::start(house, &["--simulate"]);
    dispatcher.device_is(device, "is simulated", |device| device["online"] == true);
    dispatcher
}

#[test]
fn a_press_in_a_second_terminal_switches_the_lamp_and_any_client_sees_it() {
    for kind in Kind::installed() {
        let house = House::copy(&example());
        let dispatcher = simulated(&house);
        let anybody = dispatcher.connect(None, &["iot/#"]);
        let watcher = Client::connect(kind, &anybody).expect("nobody needs a user");
        let pressed = dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
        assert!(
            pressed.stdout.contains("piano.keys.press key=60"),
            "{pressed:?}"
        );
        let event = watcher.field(0, "iot/piano/keys/event", "event", "press");
        assert_eq!(event.json()["key"], 60, "{kind:?}");
        watcher.field(0, "iot/hall/lamp/target", "on", true);
        watcher.field(0, "iot/hall/lamp/state", "on", true);
        watcher.field(0, "iot/piano/keys/event", "event", "release");
    }
}

#[test]
fn a_simulated_device_may_be_called_as_the_dispatcher_calls_itself_and_others() {
    let device = |(id, name): (usize, &&str)| {
        format!(
            "[device.{name}]\nid = {}\nio.lamp = {{ kind = \"switch\" }}\n",
            id + 1
        )
    };
    let names = ["anonymous", "superuser", "local"];
    let devices: String = names.iter().enumerate().map(device).collect();
    let house = House::new(&format!("format = 1\n{devices}"));
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    for name in names {
        dispatcher.device_is(name, "is simulated", |device| device["online"] == true);
    }
}

#[test]
fn any_client_may_speak_for_a_simulated_device() {
    for kind in Kind::installed() {
        let house = House::copy(&example());
        let dispatcher = simulated(&house);
        let anybody = dispatcher.connect(None, &["iot/#"]);
        let mut client = Client::connect(kind, &anybody).unwrap();
        let press = r#"{"event":"press","key":60,"velocity":80}"#;
        assert_eq!(client.publish("iot/piano/keys/event", press), 0, "{kind:?}");
        client.field(0, "iot/hall/lamp/state", "on", true);
    }
}

const TELLS_OF_ALL: &str = r#"
[device.door]
id = 7
io.contact = { kind = "contact" }
io.temp    = { kind = "temperature" }

[device.plug]
id = 8
mqtt = { preset = "zigbee2mqtt" }
io.socket = { kind = "switch" }
io.motion = { kind = "motion" }

[device.phones]
virtual = true
io.anna = { kind = "presence" }

[rule.press]
when = "desk.button.press"
do   = ["desk.lamp.on", "plug.socket.on"]

[rule.tells]
when = [
  "*.offline", "*.online",
  { holds = "state.desk.lamp.on" }, { holds = "!state.desk.lamp.on" },
  { holds = "state.plug.socket" }, { holds = "!state.plug.socket" },
  { holds = "state.door.contact == 'open'" }, { holds = "state.door.contact == 'closed'" },
  { holds = "state.door.temp < 10" }, { holds = "state.door.temp >= 10" },
  { holds = "state.phones.anna == 'home'" }, { holds = "state.phones.anna == 'away'" },
]
do = { notify = "all", text = "something happened" }
"#;

#[test]
fn a_restart_of_a_simulated_house_fires_no_rule() {
    let house = House::with_rules(TELLS_OF_ALL);
    let mut dispatcher = simulated_with(&house, "plug");
    let show = |dispatcher: &Dispatcher<'_>, device: &str, channel: &str| {
        dispatcher.device(device)["channels"][channel]["reported"].clone()
    };
    assert_eq!(
        show(&dispatcher, "phones", "anna"),
        serde_json::json!({}),
        "nobody said anything for it"
    );
    for (device, words) in [
        ("desk", &["desk.button"][..]),
        ("door", &["door.contact", "open"]),
        ("door", &["door.temp", "temperature=5"]),
        ("phones", &["phones.anna", "presence=away"]),
    ] {
        if device != "phones" {
            dispatcher.device_is(device, "is simulated", |device| device["online"] == true);
        }
        dispatcher.ask(&[&["press"][..], words].concat()).ok();
    }
    let is = |device: &str, channel: &str, field: &str, expected: serde_json::Value| {
        let what = format!("{channel} is {expected}");
        dispatcher.device_is(device, &what, |shown| {
            shown["channels"][channel]["reported"][field] == expected
        });
    };
    is("desk", "lamp", "on", true.into());
    is("plug", "socket", "on", true.into());
    is("door", "contact", "contact", "open".into());
    is("door", "temp", "temperature", 5.into());
    is("phones", "anna", "presence", "away".into());
    assert_eq!(dispatcher.interrupt(), Some(0));
    drop(dispatcher);

    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    // Each says how it is when it arrives, before anything that it is asked to say.
    for (device, press) in [
        ("desk", &["desk.button", "release"][..]),
        ("door", &["door.temp", "temperature=4"]),
        ("plug", &["plug.motion", "start"]),
    ] {
        dispatcher.device_is(device, "is back", |device| device["online"] == true);
        dispatcher.ask(&[&["press"][..], press].concat()).ok();
    }
    until("all that was pressed", || {
        let said = dispatcher.ask(&["events", "--since", "-1h"]).ok().stdout;
        let (_, since) = said.split_once("the dispatcher started again")?;
        let all = [
            "desk.button.release",
            "door.temp.changed",
            "plug.motion.start",
        ];
        all.iter().all(|text| since.contains(text)).then(|| {
            assert!(!since.contains("rule tells"), "{said}");
        })
    });
}

#[test]
fn what_is_on_for_a_time_goes_off_at_the_module_and_in_the_house() {
    let house = House::with_rules(
        "[rule.pump]\nwhen = \"desk.button.press\"\ndo = { on = \"desk.lamp\", for = \"1s\" }",
    );
    let dispatcher = simulated(&house);
    let anybody = dispatcher.connect(None, &["iot/desk/lamp/+"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    dispatcher.ask(&["press", "desk.button"]).ok();
    let on = watcher.field(0, "iot/desk/lamp/target", "on", true);
    assert_eq!(on.json()["for_ms"], 1_000);
    let lit = watcher.field(0, "iot/desk/lamp/state", "on", true);
    let goes_off = |leaf: &str| {
        let topic = format!("iot/desk/lamp/{leaf}");
        watcher.find(0, "off", |message| {
            message.topic == topic && message.json()["on"] == false && message.at > lit.at
        })
    };
    for leaf in ["state", "target"] {
        let after = goes_off(leaf).at - on.at;
        assert!(
            after >= Duration::from_millis(900),
            "{leaf} after {after:?} already"
        );
    }
}

const OWN_KINDS: &str = r#"
format = 1

[kind.siren]
target.on       = "bool"
target.volume   = { kind = "int", min = 0, max = 10 }
state.battery   = { kind = "number", min = 0, max = 100 }
state.tampered  = "bool"
events.tampered = { by = ["hand", "wind"] }
carries.tampered = { tampered = true }
commands.alarm  = { set = { on = true, volume = 10 } }
commands.chirp  = {}

[kind.soil]
state.moisture = { kind = "number", min = 0, max = 100 }

[device.roof]
id = 1
io.siren = { kind = "siren" }
io.soil  = { kind = "soil" }
io.rain  = { kind = "counter" }

[device.bought]
id = 2
mqtt = { state = "acme/siren", target = "acme/siren/set", event = "acme/siren/said", availability = "acme/siren/lwt" }
io.siren = { kind = "siren", from = "siren", on = "ON", off = "OFF", event_from = "/what/happened", events = { TAMPER = "tampered" } }

[rule.tampered]
when = ["roof.siren.tampered", "bought.siren.tampered"]
if   = "event.by == 'hand'"
do   = ["roof.siren.alarm", "bought.siren.alarm", "bought.siren.chirp"]

[rule.dry]
when = { holds = "state.roof.soil < 20" }
do   = "roof.rain.reset"
"#;

#[test]
fn simulated_modules_of_own_kinds_report_and_obey_whatever_make_they_are() {
    for first in ["roof", "bought"] {
        let house = House::new(OWN_KINDS);
        let dispatcher = simulated_with(&house, "roof");
        let reports = |device: &str, channel: &str, field: &str, expected: serde_json::Value| {
            let what = format!("reports {field} {expected}");
            dispatcher.device_is(device, &what, |shown| {
                shown["channels"][channel]["reported"][field] == expected
            });
        };
        reports("bought", "siren", "volume", 5.into());
        reports("bought", "siren", "battery", 50.into());
        let siren = format!("{first}.siren");
        let pressed = dispatcher.ask(&["press", &siren, "by=hand"]).ok();
        assert!(
            pressed.stdout.contains("siren.tampered by=hand"),
            "{pressed:?}"
        );
        reports(first, "siren", "tampered", true.into());
        for device in ["roof", "bought"] {
            reports(device, "siren", "volume", 10.into());
            reports(device, "siren", "on", true.into());
        }
    }
}

#[test]
fn a_press_at_a_device_of_another_make_is_one_message_and_one_event() {
    let house = House::with_rules(
        r#"
[device.door]
id = 31
mqtt = { preset = "zigbee2mqtt", name = "door" }
io.contact = { kind = "contact" }

[device.remote]
id = 32
mqtt = { preset = "zigbee2mqtt", name = "remote" }
io.button = { kind = "button" }

[rule.open]
when = "door.contact.open"
do = "desk.lamp.on"

[rule.click]
when = "remote.button.click"
do = "desk.lamp.off"
"#,
    );
    let dispatcher = simulated_with(&house, "remote");
    let anybody = dispatcher.connect(None, &["zigbee2mqtt/#", "iot/desk/lamp/#"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    for (words, topic, on) in [
        (["press", "door.contact"], "zigbee2mqtt/door", true),
        (["press", "remote.button"], "zigbee2mqtt/remote", false),
    ] {
        let mark = watcher.mark();
        dispatcher.ask(&words).ok();
        watcher.field(mark, "iot/desk/lamp/state", "on", on);
        let said = watcher.messages(mark).into_iter();
        let said: Vec<_> = said.filter(|message| message.topic == topic).collect();
        assert_eq!(said.len(), 1, "{words:?}: {said:?}");
    }
}

#[test]
fn what_has_no_events_reports_its_state() {
    let house = House::new(OWN_KINDS);
    let dispatcher = simulated_with(&house, "roof");
    let rain = |count: i32| {
        dispatcher.device_is("roof", "reports its rain", |roof| {
            roof["channels"]["rain"]["reported"]["count"] == count
        });
    };
    let said = dispatcher.ask(&["press", "roof.rain", "count=7"]).ok();
    assert!(
        said.stdout.contains("roof.rain reports count=7"),
        "{said:?}"
    );
    rain(7);
    dispatcher.ask(&["press", "roof.soil", "moisture=12"]).ok();
    rain(0);
    for (words, why) in [
        (["press", "roof.soil", "moisture=101"], "0..100"),
        (["press", "roof.soil", "mud=1"], "it reports moisture"),
        (
            ["press", "roof.soil", "wet"],
            "say what it reports: iot-control press roof.soil moisture=..",
        ),
    ] {
        let refused = dispatcher.ask(&words);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(why), "{refused:?}");
    }
}

#[test]
fn the_example_starts_with_all_its_devices_and_its_tests_passed() {
    let house = House::copy(&example());
    let mut dispatcher = simulated(&house);
    let said = dispatcher.said(0);
    assert!(
        said.contains(", checked, ") && said.contains(" tests passed"),
        "{said}"
    );
    assert!(
        said.contains("mosquitto_sub -p"),
        "it says how to go on: {said}"
    );
    let list = dispatcher.ask(&["device", "list", "--json"]).ok().json();
    let devices = list.as_array().unwrap();
    assert!(devices.len() >= 7, "{list:#}");
    for device in devices {
        let name = device["name"].as_str().unwrap();
        dispatcher.device_is(name, "is online", |device| device["online"] == true);
    }
    assert_eq!(dispatcher.interrupt(), Some(0));
    dispatcher.says(0, "bye");
}

#[test]
fn the_live_stream_shows_event_rule_and_command_to_people_and_machines() {
    let house = House::copy(&example());
    let mut dispatcher = Dispatcher::start(&house, &["--simulate", "--json"]);
    dispatcher.device_is("piano", "is there", |piano| piano["online"] == true);
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    let line = dispatcher.prints("middle-c");
    let decision: serde_json::Value = serde_json::from_str(&line).expect("a line is JSON");
    assert!(decision.is_object(), "{line}");
    assert!(line.contains("hall.lamp"), "{line}");
    assert!(line.contains("rules.toml"), "with file and line: {line}");
    assert_eq!(dispatcher.interrupt(), Some(0));
}

#[test]
fn a_start_takes_one_line_of_the_terminal_and_then_the_stream_begins() {
    let house = House::copy(&example());
    let dispatcher = Dispatcher::start_with(&house, &["--simulate"], &[("STREAM", "on")]);
    let sum = dispatcher.prints(" online, ");
    assert!(sum.contains("8 devices online, "), "{sum}");
    assert!(sum.ends_with(" first reports"), "{sum}");
    assert_eq!(dispatcher.printed().lines().next(), Some(&*sum));
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    dispatcher.prints("hall.lamp reports on=true");
    let mut next = dispatcher.printed();
    next.drain(..=sum.len());
    assert!(
        next.lines().next().unwrap().contains("piano.keys.press"),
        "{next}"
    );
}

#[test]
fn machines_get_every_line_of_a_start() {
    let house = House::copy(&example());
    let dispatcher = Dispatcher::start(&house, &["--simulate", "--json"]);
    dispatcher.prints("piano.online");
    dispatcher.prints("hall.lamp: reports for the first time");
    assert!(!dispatcher.printed().contains("devices online"));
}

#[test]
fn a_module_says_once_how_it_is_when_it_arrives() {
    let house = House::new(
        "format = 1\n[device.attic]\nid = 1\nio.temp = { kind = \"temperature\", report_every = \"1h\" }\n",
    );
    let dispatcher = Dispatcher::start(&house, &["--simulate", "--json"]);
    dispatcher.device_is("attic", "is simulated", |attic| attic["online"] == true);
    // Its messages keep their order.
    dispatcher
        .ask(&["press", "attic.temp", "temperature=5"])
        .ok();
    dispatcher.prints("attic.temp reports temperature=5");
    let said = dispatcher.printed();
    assert_eq!(
        said.matches("attic.temp reports temperature=21").count(),
        1,
        "{said}"
    );
}

#[test]
fn a_sensor_with_events_reports_a_state_that_is_named() {
    let house = House::copy(&example());
    let dispatcher = simulated_with(&house, "door");
    dispatcher
        .ask(&["press", "door.contact", "contact=open"])
        .ok();
    dispatcher.device_is("door", "is open", |door| {
        door["channels"]["contact"]["reported"]["contact"] == "open"
    });
    // What is not said is what is usual, and not the middle of what can be measured.
    let said = dispatcher.ask(&["press", "living.temp"]).ok();
    assert!(said.stdout.contains("temperature=21"), "{said:?}");
}

#[test]
fn the_log_goes_by_the_clock_of_the_house() {
    let house = House::new(
        "format = 1\n[home]\ntimezone = \"Asia/Kathmandu\"\nlatitude = 27.7\nlongitude = 85.3\n\
         [device.attic]\nid = 1\nio.lamp = { kind = \"switch\" }\n",
    );
    let dispatcher = simulated_with(&house, "attic");
    let stranger = Login {
        user: "nobody".into(),
        password: "nothing".into(),
    };
    let refused = Client::connect(Kind::RumqttcV5, &dispatcher.connect(Some(stranger), &[]));
    assert!(refused.is_err());
    let line = dispatcher.says(0, "refused: login as");
    assert!(line.contains("+05:45 "), "{line}");
}

#[test]
fn a_press_of_something_that_is_not_there_says_what_was_meant() {
    let house = House::copy(&example());
    let dispatcher = simulated(&house);
    for (words, said) in [
        (["press", "piano.kees", "key=60"], "did you mean"),
        (["press", "piano.keys", "kee=60"], "has no field kee"),
        (["press", "piano.keys", "key=sixty"], "key"),
        (["press", "paino.keys", "key=60"], "did you mean"),
        (
            ["press", "living.temp", "22"],
            "iot-control press living.temp temperature=22",
        ),
        (
            ["press", "desk.button", "double"],
            "it has press, release. double is a gesture, made of those: iot-control press desk.button; iot-control press desk.button\n",
        ),
        (["press", "desk.button", "dbl"], "it has press, release\n"),
    ] {
        let refused = dispatcher.ask(&words);
        assert_eq!(refused.code, Some(1), "{refused:?}");
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
}

#[test]
fn a_port_that_is_taken_is_no_reason_to_stop_a_simulation() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let house = House::copy(&example());
    house.write("settings.toml", "");
    let dispatcher = Dispatcher::start_on(&house, &["--simulate"], &address);
    assert_ne!(dispatcher.port(), other.local_addr().unwrap().port());
    dispatcher.says(0, &format!("{address} is taken"));
}

#[test]
fn simulated_modules_keep_the_promises_of_their_tables() {
    let house = House::new(
        "format = 1\n[device.attic]\nid = 1\nio.temp = { kind = \"temperature\", report_every = \"1s\" }\n",
    );
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    let anybody = dispatcher.connect(None, &["iot/#"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).unwrap();
    let mut mark = watcher.mark();
    for _ in 0..5 {
        let report = watcher.find(mark, "a report", |message| {
            message.topic == "iot/attic/temp/state" && !message.retain
        });
        mark = watcher.mark();
        assert!(!report.payload.is_empty());
    }
    let all = watcher.messages(0);
    assert!(!all.iter().any(|message| message.payload == b"offline"));
}

#[test]
fn a_simulated_module_repeats_what_is_promised_and_people_see_what_changes() {
    let house = House::new(
        "format = 1\n[device.attic]\nid = 1\nio.temp = { kind = \"temperature\", report_every = \"1s\" }\n\
         io.lux = { kind = \"lux\" }\n",
    );
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    dispatcher.device_is("attic", "is simulated", |attic| attic["online"] == true);
    let anybody = dispatcher.connect(None, &["iot/#"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).unwrap();
    for _ in 0..3 {
        let mark = watcher.mark();
        watcher.find(mark, "a report", |message| {
            message.topic == "iot/attic/temp/state" && !message.retain
        });
    }
    let all = watcher.messages(0);
    let of_lux = all
        .iter()
        .filter(|message| message.topic == "iot/attic/lux/state");
    assert_eq!(of_lux.filter(|message| !message.retain).count(), 0);
    dispatcher
        .ask(&["press", "attic.temp", "temperature=5"])
        .ok();
    let told = |words: &[&str]| {
        let all = dispatcher.ask(words).ok().stdout;
        all.matches("attic.temp reports temperature=21").count()
    };
    assert_eq!(told(&["events", "--since", "-1h"]), 1);
    assert!(told(&["events", "--since", "-1h", "--json"]) > 1);
}

const MAKES: &str = r#"
[device.ceiling]
id = 50
mqtt = { preset = "homie" }
io.lamp = { kind = "light" }

[device.kitchen]
id = 51
mqtt = { preset = "esphome" }
io.lamp   = { kind = "light" }
io.blind  = { kind = "cover" }
io.button = { kind = "button" }
io.door   = { kind = "contact" }

[device.plug]
id = 52
mqtt = { preset = "shelly" }
io.plug  = { kind = "switch" }
io.lamp  = { kind = "dimmer" }
io.blind = { kind = "cover" }
io.key   = { kind = "button" }
io.temp  = { kind = "temperature" }

[device.old]
id = 53
mqtt = { preset = "shelly-gen1" }
io.relay = { kind = "switch" }
io.lamp  = { kind = "dimmer" }
"#;

#[test]
fn simulated_devices_of_each_make_do_what_they_are_told_and_say_so_in_their_words() {
    let house = House::with_rules(MAKES);
    let dispatcher = simulated_with(&house, "old");
    let anybody = dispatcher.connect(
        None,
        &["iot/#", "homie/#", "kitchen/#", "plug/#", "shellies/#"],
    );
    let mut client = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    for (channel, wish, field, value, topic) in [
        (
            "ceiling/lamp",
            r#"{"on":true,"brightness":40}"#,
            "brightness",
            40,
            "homie/5/ceiling/dimmer/brightness",
        ),
        (
            "ceiling/lamp",
            r#"{"hue":120,"saturation":100}"#,
            "hue",
            120,
            "homie/5/ceiling/colorlight/color",
        ),
        (
            "kitchen/lamp",
            r#"{"on":true,"brightness":50}"#,
            "brightness",
            50,
            "kitchen/light/lamp/state",
        ),
        (
            "kitchen/lamp",
            r#"{"hue":240,"saturation":100}"#,
            "hue",
            240,
            "kitchen/light/lamp/state",
        ),
        (
            "kitchen/blind",
            r#"{"position":30}"#,
            "position",
            30,
            "kitchen/cover/blind/position/state",
        ),
        (
            "kitchen/blind",
            r#"{"position":0}"#,
            "position",
            0,
            "kitchen/cover/blind/state",
        ),
        (
            "plug/lamp",
            r#"{"brightness":70}"#,
            "brightness",
            70,
            "plug/status/light:0",
        ),
        (
            "plug/blind",
            r#"{"position":60}"#,
            "position",
            60,
            "plug/status/cover:0",
        ),
        (
            "old/lamp",
            r#"{"brightness":20}"#,
            "brightness",
            20,
            "shellies/old/light/0/status",
        ),
    ] {
        let mark = client.mark();
        client.publish(&format!("iot/{channel}/set"), wish);
        client.field(mark, &format!("iot/{channel}/state"), field, value);
        client.find(mark, topic, |message| message.topic == topic);
    }
    for (channel, topic, word) in [
        ("plug/plug", "plug/status/switch:0", r#""output":true"#),
        ("old/relay", "shellies/old/relay/0", "on"),
    ] {
        let mark = client.mark();
        client.publish(&format!("iot/{channel}/set"), "on");
        client.field(mark, &format!("iot/{channel}/state"), "on", true);
        client.find(mark, word, |message| {
            message.topic == topic && String::from_utf8_lossy(&message.payload).contains(word)
        });
    }
    // What a contact says is its state, and the event follows from that.
    for (words, topic, leaf, field, value) in [
        (
            &["press", "kitchen.button"][..],
            "kitchen/binary_sensor/button/state",
            "event",
            "event",
            "press",
        ),
        (
            &["press", "kitchen.door", "open"],
            "kitchen/binary_sensor/door/state",
            "state",
            "contact",
            "open",
        ),
        (
            &["press", "plug.key", "click"],
            "plug/events/rpc",
            "event",
            "event",
            "click",
        ),
    ] {
        let mark = client.mark();
        dispatcher.ask(words).ok();
        let channel = words[1].replace('.', "/");
        client.field(mark, &format!("iot/{channel}/{leaf}"), field, value);
        client.find(mark, topic, |message| message.topic == topic);
    }
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    let counted = status["refusals"].as_object().unwrap().keys();
    let refused: Vec<&String> = counted.filter(|code| *code != "first-report").collect();
    assert!(
        refused.is_empty(),
        "nothing was said that is not understood: {refused:?}"
    );
}

#[test]
fn who_asks_with_an_old_name_hears_the_one_of_today_and_events_are_followed_to_it() {
    let piano =
        "[device.piano]\nid = 17\nio.keys = { kind = \"midi\", first_key = 36, keys = 49 }\n";
    let desk = "[device.desk]\nid = 25\nio.lamp = { kind = \"switch\" }\n";
    let rule = "[rule.key]\nwhen = \"piano.keys.press\"\ndo = \"desk.lamp.toggle\"\n";
    let text = format!("format = 1\n{piano}{desk}{rule}");
    let house = House::new(&text);
    let dispatcher = simulated_with(&house, "piano");
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    let said = dispatcher.mark();
    house.write("mapping.toml", &text.replace("piano", "keyboard"));
    let told = dispatcher.says(said, "are in force");
    assert!(told.contains("; renamed: piano -> keyboard"), "{told}");
    assert!(!told.contains("changed"), "{told}");
    dispatcher.device_is("keyboard", "is there", |device| device["online"] == true);

    let pressed = dispatcher.ask(&["press", "piano.keys", "key=61"]);
    assert_eq!(pressed.code, Some(1), "{pressed:?}");
    // The answer alone: no list of what else there is.
    let now = "piano.keys is called keyboard.keys now\n";
    assert!(pressed.stderr.ends_with(now), "{pressed:?}");
    assert!(!pressed.stderr.contains("there are"), "{pressed:?}");
    dispatcher.ask(&["press", "keyboard.keys", "key=62"]).ok();
    let shown = dispatcher.ask(&["device", "show", "piano"]);
    assert!(
        shown.stderr.contains("piano is called keyboard now"),
        "{shown:?}"
    );
    let live = dispatcher.ask(&["events", "--filter", "piano"]);
    assert_eq!(live.code, Some(1), "{live:?}");
    assert!(
        live.stderr.contains("piano is called keyboard now"),
        "{live:?}"
    );

    let events = ["events", "--since", "-1h", "--filter", "piano"];
    let events = dispatcher.ask(&events).ok();
    for line in [
        "piano.keys.press key=60",
        "piano is called keyboard now",
        "keyboard.keys.press key=62",
    ] {
        assert!(events.stdout.contains(line), "{line}: {events:?}");
    }
    assert!(events.stderr.contains("under both names"), "{events:?}");
}
