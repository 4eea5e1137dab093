//! `run --simulate --sealed`: modules whose firmware's runtime runs in the dispatcher's process, with keys.

use std::{fs, time::Duration};

use crate::{
    harness::{Client, Dispatcher, House, Kind, Message, PIANO_AND_LAMPS},
    simulation::example,
};

#[test]
fn sealed_modules_play_their_firmware_through_a_network_that_loses_much() {
    sealed_modules_play_their_firmware("udp");
}

#[test]
fn sealed_modules_play_their_firmware_through_our_own_broker() {
    sealed_modules_play_their_firmware("mqtt");
}

#[test]
fn who_needs_no_user_may_look_at_frames_and_say_nothing_on_their_topics() {
    let house = House::copy(&example());
    let words = ["--simulate", "--sealed", "--transport", "mqtt"];
    let dispatcher = Dispatcher::start(&house, &words);
    dispatcher.device_is("piano", "is there", |piano| piano["way"] == "mqtt");
    let anybody = dispatcher.connect(None, &["ic1/#"]);
    let mut anybody = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    let is_down = |it: &Message| it.topic.starts_with("ic1/") && it.topic.contains("/dn/");
    let down = anybody.find(0, "a frame", is_down).topic;
    for kind in ["dn", "up", "w"] {
        let topic = down.replace("/dn/", &format!("/{kind}/"));
        assert_ne!(anybody.publish(&topic, "x"), 0, "{topic}");
    }
    let outside = down.replace("ic1/", "ic1/external/");
    assert_ne!(anybody.publish(&outside, "x"), 0, "{outside}");
    let told = anybody.messages(0);
    let is_up = |it: &&Message| it.topic.contains("/up/") || it.payload == b"x";
    assert_eq!(
        told.iter().find(is_up),
        None,
        "the dispatcher alone hears those"
    );
}

fn sealed_modules_play_their_firmware(transport: &str) {
    let house = House::copy(&example());
    let words = [
        "--simulate",
        "--sealed",
        "--transport",
        transport,
        "--faults",
        "loss=0.2,dup=0.05,reorder=0.1",
    ];
    let dispatcher = Dispatcher::start(&house, &words);
    let has_udp = dispatcher.said(0).contains("udp://");
    assert_eq!(has_udp, transport == "udp");
    let sealed = |name: &str| {
        let what = "is there with a key";
        dispatcher.device_is(name, what, |device| {
            device["online"] == true && device["sealed"].is_string()
        });
    };
    ["piano", "hall"].into_iter().for_each(sealed);
    let anybody = dispatcher.connect(None, &["iot/#"]);
    let mut watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    let pressed = dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
    assert!(pressed.stdout.contains("key=60"), "{pressed:?}");
    watcher.field(0, "iot/piano/keys/event", "event", "press");
    watcher.field(0, "iot/hall/lamp/target", "on", true);
    watcher.field(0, "iot/hall/lamp/state", "on", true);
    dispatcher
        .ask(&["press", "living.temp", "temperature=17"])
        .ok();
    watcher.field(0, "iot/living/temp/state", "temperature", 17);
    let forged = watcher.publish("iot/piano/keys/event", r#"{"event":"press","key":60}"#);
    assert_ne!(forged, 0, "nobody else speaks for a module with a key");
}

#[test]
fn a_sealed_module_tells_nothing_of_a_channel_that_has_no_state() {
    let house = House::new(PIANO_AND_LAMPS);
    let dispatcher = Dispatcher::start(&house, &["--simulate", "--sealed"]);
    // Its button stands before its lamp.
    dispatcher.device_is("desk", "reports its lamp", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == false
    });
    let said = dispatcher.said(0);
    assert!(!said.contains("refused"), "{said}");
}

/// The processor time that a process used so far.
fn used(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let ticks = stat.split(' ').skip(13).take(2);
    let ticks: u64 = ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // A hundred a second, as the kernel tells everybody.
    Duration::from_millis(ticks * 10)
}

#[test]
fn a_sealed_module_that_switched_its_lamp_needs_no_processor_while_nothing_happens() {
    // The first wait is longer than an output stands still before its module would write it to flash.
    let house = House::with_rules(
        r#"
        [rule.begin]
        when = "piano.keys.press"
        if = "event.key == 50"
        do = ["hall.lamp.on", { wait = "6s" }, "desk.lamp.on", { wait = "3s" }, "desk.lamp.off"]
        "#,
    );
    let dispatcher = Dispatcher::start(&house, &["--simulate", "--sealed"]);
    for device in ["piano", "hall", "desk"] {
        dispatcher.device_is(device, "is there with a key", |device| {
            device["online"] == true && device["sealed"].is_string()
        });
    }
    let anybody = dispatcher.connect(None, &["iot/desk/lamp/target"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    dispatcher.ask(&["press", "piano.keys", "key=50"]).ok();
    watcher.field(0, "iot/desk/lamp/target", "on", true);
    let (mark, before) = (watcher.mark(), used(dispatcher.pid()));
    watcher.field(mark, "iot/desk/lamp/target", "on", false);
    let used = used(dispatcher.pid()) - before;
    assert!(used < Duration::from_millis(750), "{used:?} of 3 s");
}

/// Edits the house, and presses at once what the edit brought and moved.
fn presses_after_an_edit_arrive(faults: &[&str]) {
    let house = House::copy(&example());
    let words = [&["--simulate", "--sealed"], faults].concat();
    let dispatcher = Dispatcher::start(&house, &words);
    let is_sealed = |name: &str| {
        let what = "is there with a key";
        dispatcher.device_is(name, what, |device| {
            device["online"] == true && device["sealed"].is_string()
        });
    };
    is_sealed("stairs");
    let anybody = dispatcher.connect(None, &["iot/+/+/event"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
    let (said, devices) = (dispatcher.mark(), house.read("devices.toml"));
    let lamp = r#"io.lamp   = { kind = "switch", pin = 4 }"#;
    // In front of all others: every place is another's.
    let shifted = devices.replace(
        lamp,
        &format!("{lamp}\nio.aaa = {{ kind = \"button\", pin = 7 }}"),
    );
    let attic = "\n[device.attic]\nid = 77\nio.bell = { kind = \"button\", pin = 4 }\n";
    house.write("devices.toml", &(shifted + attic));
    dispatcher.says(said, "are in force");
    let pressed = ["stairs.aaa", "stairs.top", "attic.bell"];
    for channel in pressed {
        dispatcher.ask(&["press", channel]).ok();
    }
    let topic = |channel: &str| format!("iot/{}/event", channel.replace('.', "/"));
    for channel in pressed {
        watcher.field(0, &topic(channel), "event", "press");
    }
    is_sealed("attic");
    let mut topics: Vec<String> = { watcher.messages(0).into_iter() }
        .filter(|told| told.json()["event"] == "press")
        .map(|told| told.topic)
        .collect();
    topics.sort();
    let mut expected = pressed.map(topic);
    expected.sort();
    assert_eq!(topics, expected, "each is of its own button, once");
    let reconnected = dispatcher.said(said).matches("stairs is").count();
    assert_eq!(reconnected, 0, "{}", dispatcher.said(said));
}

#[test]
fn an_edit_gives_sealed_modules_their_new_roles_and_new_ones_keys() {
    presses_after_an_edit_arrive(&[]);
}

#[test]
fn a_press_waits_for_the_role_that_has_its_button() {
    presses_after_an_edit_arrive(&["--faults", "loss=0.4"]);
}
