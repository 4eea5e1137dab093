//! Texts for people: who gets them, and what is said where nobody does.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use serde_json::{Value as Json, json};

use crate::harness::{Dispatcher, House, Kind, PATIENCE};

const RULES: &str = r#"
[rule.one]
when = "piano.keys.press"
if = "event.key == 1"
do = { notify = "phone", text = "key ${event.key} at ${event.velocity}" }

[rule.all]
when = "piano.keys.press"
if = "event.key == 2"
do = { notify = "all", text = "to everybody" }

[rule.nobody]
when = "piano.keys.press"
if = "event.key == 3"
do = { notify = "phnoe", text = "to nobody" }
"#;

/// A server that takes every POST; gives heads and bodies.
fn listen() -> (u16, Receiver<(String, Json)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, heard) = sync_channel(100);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    break;
                }
            }
            let lower = head.to_lowercase();
            let length = lower
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
            if reader.read_exact(&mut body).is_err() {
                continue;
            }
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            let _ = reader.get_mut().write_all(answer);
            let body = serde_json::from_slice(&body).unwrap();
            if sender.send((lower, body)).is_err() {
                return;
            }
        }
    });
    (port, heard)
}

#[test]
fn what_a_virtual_device_sets_off_at_a_start_is_told() {
    let (port, phone) = listen();
    let hello = |device: &str, id: u32| {
        format!(
            r#"
            [device.{device}]
            id = {id}
            virtual = true
            io.on = {{ kind = "switch" }}

            [rule.{device}]
            when = "{device}.online"
            do = {{ notify = "phone", text = "{device} is there" }}
            "#
        )
    };
    let house = House::with_rules(&hello("mode", 50));
    house.write(
        "settings.toml",
        &format!(
            r#"
            [notify.phone]
            kind = "ntfy"
            url = "http://127.0.0.1:{port}"
            topic = "house"
            "#
        ),
    );
    let told = || phone.recv_timeout(PATIENCE).unwrap().1["message"].clone();
    let mut dispatcher = house.start();
    assert_eq!(told(), "mode is there", "at the first start");
    assert_eq!(dispatcher.interrupt(), Some(0));
    let mapping = house.read("mapping.toml");
    house.write("mapping.toml", &(mapping + &hello("guests", 51)));
    let mut dispatcher = house.start();
    assert_eq!(told(), "guests is there", "and what came with an edit");
    assert_eq!(dispatcher.interrupt(), Some(0));
    let _dispatcher = house.start();
    assert!(phone.try_recv().is_err(), "once");
}

fn press(dispatcher: &Dispatcher<'_>, key: u32) {
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let press = json!({ "event": "press", "key": key, "velocity": 80 }).to_string();
    assert_eq!(piano.publish("iot/piano/keys/event", &press), 0);
}

#[test]
fn a_carrier_gets_what_rules_tell_it_and_all_of_them_what_is_for_all() {
    let (port, phone) = listen();
    let (hook_port, hook) = listen();
    let house = House::with_rules(RULES);
    house.write(
        "settings.toml",
        &format!(
            r#"
            [notify.phone]
            kind = "ntfy"
            url = "http://127.0.0.1:{port}"
            topic = "house-s3cret"
            token = "tk_s3cret"

            [notify.hook]
            kind = "webhook"
            url = "http://127.0.0.1:{hook_port}/s3cret"

            [notify.wall]
            kind = "mqtt"
            "#
        ),
    );
    let mut dispatcher = Dispatcher::start(&house, &["--json"]);
    dispatcher.says(
        0,
        "rule nobody tells people by phnoe, but settings.toml has no [notify.phnoe]; did you mean phone?",
    );
    let watcher = dispatcher.watcher();
    press(&dispatcher, 1);
    let (head, body) = phone.recv_timeout(PATIENCE).unwrap();
    assert!(head.contains("authorization: bearer tk_s3cret"), "{head}");
    assert_eq!(body["message"], "key 1 at 80");
    dispatcher.prints("\"disposition\":\"queued\"");

    press(&dispatcher, 2);
    assert_eq!(
        phone.recv_timeout(PATIENCE).unwrap().1["message"],
        "to everybody"
    );
    let told = hook.recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        told.1,
        json!({ "text": "to everybody" }),
        "and nothing before"
    );
    let wall = watcher.text(0, "iot/dispatcher/notify/wall", "to everybody");
    assert!(!wall.retain);

    press(&dispatcher, 3);
    dispatcher.prints("nobody is told");
    // What was handed over leaves before the end.
    press(&dispatcher, 1);
    assert_eq!(dispatcher.interrupt(), Some(0));
    assert_eq!(
        phone.recv_timeout(PATIENCE).unwrap().1["message"],
        "key 1 at 80"
    );
    let said = dispatcher.said(0);
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn without_a_carrier_the_stream_says_that_nobody_else_is_told() {
    let house = House::with_rules(RULES);
    let dispatcher = Dispatcher::start_with(&house, &[], &[("STREAM", "on")]);
    dispatcher.says(0, "settings.toml has no [notify.phone]");
    press(&dispatcher, 2);
    dispatcher
        .prints("notify all \"to everybody\" (shown here only: no [notify.NAME] in settings.toml)");
    press(&dispatcher, 3);
    dispatcher
        .prints("notify phnoe \"to nobody\" (nobody is told: no [notify.phnoe] in settings.toml)");
}

#[test]
fn a_carrier_that_is_away_does_not_hold_up_the_house() {
    // Nobody listens there.
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let house = House::with_rules(RULES);
    let dispatcher = Dispatcher::start_with(
        &house,
        &[],
        &[
            ("NOTIFY__PHONE__KIND", "webhook"),
            ("NOTIFY__PHONE__URL", &format!("http://{gone}/s3cret")),
        ],
    );
    press(&dispatcher, 1);
    let said = dispatcher.says(0, "trying again");
    assert!(
        said.contains("127.0.0.1") && !said.contains("s3cret"),
        "{said}"
    );
    let lamp = dispatcher.device_client(Kind::RumqttcV4, "hall", &["iot/hall/lamp/target"]);
    for _ in 0..300 {
        press(&dispatcher, 1);
    }
    press(&dispatcher, 60);
    lamp.field(0, "iot/hall/lamp/target", "on", true);
}

#[test]
fn a_carrier_that_can_not_be_used_stops_a_start_with_its_place() {
    let house = House::with_rules("");
    house.write("settings.toml", "[notify.phone]\nkind = \"ntfy\"\n");
    let state = house.state().display().to_string();
    let folder = house.folder().display().to_string();
    let output = crate::harness::run(["run", &folder, "--state", &state], "");
    assert_eq!(output.code, Some(1), "{output:?}");
    let expected = "settings.toml:1:9: `notify.phone`: `topic` is missing";
    assert!(output.stderr.contains(expected), "{output:?}");
    let checked = crate::harness::run(["check", &folder, "--json"], "").json();
    assert_eq!(checked[0]["labels"][0]["line"], 1, "{checked}");
}
