//! What nobody means: refused, counted, shown, and never the end of anything.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::{Client, Dispatcher, House, Kind};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

/// What MQTT 5 answers to a payload that can't be read.
const PAYLOAD_FORMAT_INVALID: u8 = 0x99;

/// It still works.
fn plays(dispatcher: &Dispatcher<'_>, piano: &mut Client) {
    let lamp = dispatcher.device_client(Kind::RumqttcV4, "hall", &[TARGET]);
    for (key, on) in [(60, true), (61, false)] {
        let mark = lamp.mark();
        let press = format!(r#"{{"event":"press","key":{key},"velocity":80}}"#);
        assert_eq!(piano.publish(KEYS, &press), 0);
        lamp.field(mark, TARGET, "on", on);
    }
}

#[test]
fn a_second_mistake_is_in_the_log_beside_the_first_that_comes_all_the_time() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    for _ in 0..20 {
        piano.publish(KEYS, "{");
    }
    piano.publish(KEYS, r#"{"event":"presss"}"#);
    piano.publish("iot/hall/lamp/state", "true");
    dispatcher.says(0, "no event 'presss'");
    dispatcher.says(0, "publish on 'iot/hall/lamp/state': not authorized");
    let said = dispatcher.said(0);
    assert_eq!(
        said.matches("refused: iot/piano/keys/event").count(),
        2,
        "{said}"
    );
    let newest = dispatcher.device("piano")["last_refusal"].to_string();
    assert!(newest.contains("iot/hall/lamp/state"), "{newest}");
    // The others were counted, and that is told also where nothing follows.
    dispatcher.says(0, "refused 19 more of the same kind");
}

#[test]
fn rubbish_is_counted_by_what_is_wrong_with_it_and_changes_nothing() {
    let rubbish: [(&str, &str, &[u8]); 13] = [
        ("not-json", KEYS, br#"{"event":"press","key":60"#),
        ("not-json", KEYS, b"\xff\xfe{\"event\":\"press\"}"),
        ("not-json", KEYS, b"{\"event\":\"\xc3\x28\",\"key\":60}"),
        ("no-event", KEYS, br#"{"key":60,"velocity":80}"#),
        ("unknown-event", KEYS, br#"{"event":"presss","key":60}"#),
        (
            "unknown-field",
            KEYS,
            br#"{"event":"press","key":60,"velocty":80}"#,
        ),
        ("missing-field", KEYS, br#"{"event":"press","velocity":80}"#),
        (
            "value",
            KEYS,
            br#"{"event":"press","key":60,"velocity":128}"#,
        ),
        (
            "value",
            KEYS,
            br#"{"event":"press","key":60,"velocity":-1}"#,
        ),
        (
            "value",
            KEYS,
            br#"{"event":"press","key":"sixty","velocity":80}"#,
        ),
        (
            "not-plain",
            KEYS,
            br#"{"event":"press","key":[60],"velocity":80}"#,
        ),
        (
            "undeclared",
            "iot/piano/pedals/event",
            br#"{"event":"press"}"#,
        ),
        ("availability", "iot/piano/availability", b"perhaps"),
    ];
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let mut piano = dispatcher.device_client(kind, "piano", &[]);
        for (place, (code, topic, payload)) in rubbish.iter().enumerate() {
            let before = dispatcher.device("piano")["counters"][code].clone();
            let reason = piano.publish_bytes(topic, payload, false);
            let what = format!("{kind:?} {place} {code}");
            if kind.is_v5() && *code != "undeclared" {
                assert_eq!(reason, PAYLOAD_FORMAT_INVALID, "{what}");
            }
            let shown = dispatcher.device("piano");
            let count = |count: &serde_json::Value| count.as_u64().unwrap_or(0);
            let now = count(&shown["counters"][code]);
            assert_eq!(now, count(&before) + 1, "{what}: {shown:#}");
            let last = shown["last_refusal"].as_str().unwrap_or_default();
            assert!(last.contains(topic), "{what}: {last}");
        }
        let heard: Vec<_> = watcher.messages(0).into_iter().map(|of| of.topic).collect();
        assert!(!heard.iter().any(|topic| topic == KEYS), "{heard:?}");
        assert!(!heard.iter().any(|topic| topic == TARGET), "{heard:?}");
        plays(&dispatcher, &mut piano);
    }
}

#[test]
fn an_event_that_is_too_long_is_refused_and_one_that_is_huge_ends_the_connection() {
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let mut dispatcher = house.start();
        let mut piano = dispatcher.device_client(kind, "piano", &["iot/piano/role"]);
        let long = vec![b'x'; 100_000];
        piano.publish_bytes(KEYS, &long, false);
        let shown = dispatcher.device("piano");
        assert_eq!(shown["counters"]["too-long"], 1, "{kind:?} {shown:#}");

        if kind.is_v5() {
            // It was told the broker's limit and keeps to it by itself.
            continue;
        }
        piano.send(KEYS, &vec![b'x'; 1_000_000], 1);
        dispatcher.device_is(
            "piano",
            "had a connection that broke the protocol",
            |piano| {
                let last = piano["last_refusal"].as_str().unwrap_or_default();
                last.contains("broke the protocol")
            },
        );
        assert!(dispatcher.runs());
        let mut piano = dispatcher.device_client(kind, "piano", &[]);
        plays(&dispatcher, &mut piano);
    }
}

#[test]
fn bytes_that_are_no_mqtt_end_their_own_connection_only() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let noise: Vec<u8> = (0..2_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let inputs: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: hall\r\n\r\n",
        &[0x10, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0x30, 0x05, 0x00, 0x03, b'a', b'/', b'b'],
        &[
            0x10, 0x0c, 0x00, 0x04, b'M', b'Q', b'T', b'T', 0x09, 0xff, 0, 0, 0, 0,
        ],
        &noise,
    ];
    for bytes in inputs {
        let mut stream = TcpStream::connect(("127.0.0.1", dispatcher.port())).unwrap();
        stream
            .set_read_timeout(Some(crate::harness::PATIENCE))
            .unwrap();
        stream.write_all(bytes).unwrap();
        // Whatever is said before the end: the end comes, by a goodbye or a reset.
        let mut said = Vec::new();
        if let Err(error) = stream.read_to_end(&mut said) {
            let kind = error.kind();
            assert_eq!(kind, std::io::ErrorKind::ConnectionReset, "{bytes:?}");
        }
    }
    assert!(dispatcher.runs());
    plays(&dispatcher, &mut piano);
}

#[test]
fn a_flood_of_rubbish_is_all_counted_and_logged_a_few_times_only() {
    const MESSAGES: u64 = 2_000;
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let mark = dispatcher.mark();
    for _ in 1..MESSAGES {
        piano.send(KEYS, b"{rubbish", 0);
    }
    piano.publish(KEYS, "{rubbish");
    let shown = dispatcher.device("piano");
    assert_eq!(shown["counters"]["not-json"], MESSAGES, "{shown:#}");
    let lines = dispatcher.said(mark);
    let lines = lines
        .lines()
        .filter(|line| line.contains("refused"))
        .count();
    assert!((1..=10).contains(&lines), "{lines} lines");
    plays(&dispatcher, &mut piano);
}

/// A device that says whatever it likes, and a rule that repeats it.
const PARROT: &str = r#"
format = 1
[kind.parrot]
target.says = "text"
state.hears = "text"
events.word = { text = "text" }
[device.d]
id = 1
io.a = { kind = "parrot" }
io.b = { kind = "parrot" }
[var]
word = { kind = "text", start = "" }
[rule.repeat]
when = "d.a.word"
if = "event.text != 'x'"
do = [
  { set = "d.b", says = "${event.text}" },
  { var = "word", to = "${event.text}" },
  { notify = "all", text = "it said ${event.text}" },
]
[rule.never]
when = "d.a.word"
if = "state.d.a.hears == 'never'"
do = { set = "d.b", says = "x" }
"#;

/// Sets the title of a terminal, clears it, tells a line of its own, and turns the rest of it around.
const ACTS: &str = r"A\u001b]0;PWN\u0007\u001b[2J\u009b2J\nFAKE \u202e line";

#[test]
fn what_a_device_says_can_neither_act_on_a_terminal_nor_begin_a_line() {
    let house = House::new(PARROT);
    let dispatcher = Dispatcher::start_with(&house, &[], &[("STREAM", "on")]);
    let mut device = dispatcher.device_client(Kind::RumqttcV5, "d", &["iot/d/b/target"]);
    let says = |what: &str| what.replace("TEXT", ACTS);
    let target = says(r#"{"says":"TEXT"}"#);
    let target: serde_json::Value = serde_json::from_str(&target).unwrap();
    assert_eq!(
        device.publish("iot/d/a/state", &says(r#"{"hears":"TEXT"}"#)),
        0
    );
    assert_eq!(
        device.publish("iot/d/a/event", &says(r#"{"event":"word","text":"TEXT"}"#)),
        0
    );
    for refused in [
        r#"{"event":"TEXT"}"#,
        r#"{"event":"word","TEXT":1}"#,
        r#"{"hears":["TEXT"]}"#,
    ] {
        device.publish("iot/d/a/event", &says(refused));
    }
    // Devices and programs get what was meant.
    device.field(0, "iot/d/b/target", "says", target["says"].clone());
    dispatcher.prints("rule repeat");
    dispatcher.prints("it said A");
    let harmless = |of: &str, text: &str| {
        assert!(text.contains("FAKE"), "{of}: {text}");
        let acts = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!text.contains(acts), "{of}: {text:?}");
        let forged = text
            .lines()
            .any(|line| line.trim_start().starts_with("FAKE"));
        assert!(!forged, "{of}: {text}");
    };
    harmless("stdout", &dispatcher.printed());
    harmless("stderr", &dispatcher.said(0));
    for words in [
        &["events", "--since", "-1h"][..],
        &["state"],
        &["why", "d.b"],
        &["why", "var.word"],
        &["why", "notify"],
        &["why-not", "never"],
        &["device", "show", "d"],
    ] {
        let shown = dispatcher.ask(words).ok();
        harmless(
            &words.join(" "),
            &format!("{}{}", shown.stdout, shown.stderr),
        );
    }
    let program = dispatcher.ask(&["state", "--json"]).ok().json().to_string();
    assert!(program.contains(r"\u001b[2J"), "{program}");
}
