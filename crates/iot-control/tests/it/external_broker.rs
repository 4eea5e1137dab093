//! The house at a broker that is not ours: the same dispatcher, as a client of a real mosquitto, by MQTT 5, and of a real NATS,
//! by 3.1.1.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use serde_json::json;

use crate::harness::{
    Dispatcher, External, House, Login, PATIENCE, at_each_broker, finish, iot_control, until,
    write_passwords,
};

at_each_broker! {
    an_event_at_the_external_broker_becomes_a_target_there,
    a_last_will_at_the_external_broker_says_that_a_module_is_gone,
    a_blocked_lamp_loses_its_target_at_the_external_broker_and_a_blocked_piano_is_not_heard,
    a_house_that_was_killed_answers_what_it_missed_and_takes_back_what_is_gone,
    what_waits_for_a_house_that_is_off_is_heard_however_much_it_is,
    an_edit_is_followed_at_the_external_broker,
    what_is_acknowledged_survives_restarts_of_the_external_broker_and_the_newest_target_wins,
    the_second_dispatcher_of_a_broker_says_so_and_ends,
    what_rules_do_on_a_virtual_device_comes_back_as_nothing_and_others_speak_for_it_all_the_same,
    a_text_for_people_is_told_at_the_external_broker,
    who_has_the_house_stays_and_tells_whatever_is_claimed,
    who_asks_all_the_time_keeps_no_dispatcher_from_beginning,
    a_message_of_any_size_keeps_nobody_out_and_is_refused_where_our_own_broker_would_not_take_it,
}

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";
const ROLE: &str = "iot/hall/role";

const OLD_PIANO: &str = r#"
[device.old_piano]
id = 33
mqtt = { event = "piano/events" }
io.keys = { kind = "keyboard", event_from = "action", events = { pressed = "press", released = "release" } }

[rule.old]
when = "old_piano.keys.press"
do = "hall.lamp.on"
"#;

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

/// Keys from 72 on dim by their velocity, so each press can have a target of its own.
fn dim(brightness: u32) -> String {
    json!({ "event": "press", "key": 72, "velocity": brightness }).to_string()
}

fn at<'h>(external: &External, house: &'h House) -> Dispatcher<'h> {
    at_with(external, house, &[])
}

/// As [`at`], with more settings by variables.
fn at_with<'h>(external: &External, house: &'h House, settings: &[(&str, &str)]) -> Dispatcher<'h> {
    let url = external.url();
    let settings = [&[("BROKER", &*url)], settings].concat();
    let dispatcher = Dispatcher::start_with(house, &[], &settings);
    dispatcher.says(0, "is reached");
    dispatcher
}

fn an_event_at_the_external_broker_becomes_a_target_there(external: &External) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    for &kind in external.kinds() {
        let lamp = external.client(kind, "hall", &[TARGET, ROLE]);
        let mut piano = external.client(kind, "piano", &[]);
        for (key, on) in [(60, true), (61, false)] {
            let mark = lamp.mark();
            piano.publish(KEYS, &press(key));
            lamp.field(mark, TARGET, "on", on);
        }
        lamp.vanish();

        let lamp = external.client(kind, "hall", &[TARGET, ROLE]);
        let kept = lamp.field(0, TARGET, "on", false);
        assert!(
            kept.retain,
            "{kind:?}: it lies there for a lamp that rebooted"
        );
        lamp.find(0, "its role", |message| message.topic == ROLE);
    }
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["external_broker"]["reached"], true);
    let version = if external.is_v5() { "5" } else { "3.1.1" };
    assert_eq!(status["external_broker"]["version"], version);
    assert_eq!(
        status["refusals"],
        json!({}),
        "nothing of ours came back to us"
    );
}

fn a_last_will_at_the_external_broker_says_that_a_module_is_gone(external: &External) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    let mut hall = external.device_client(external.kind(), "hall", &[TARGET]);
    hall.publish_retained("iot/hall/availability", "online");
    dispatcher.device_is("hall", "is online", |hall| hall["online"] == true);
    hall.vanish();
    dispatcher.device_is("hall", "is offline", |hall| hall["online"] == false);
}

fn a_blocked_lamp_loses_its_target_at_the_external_broker_and_a_blocked_piano_is_not_heard(
    external: &External,
) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    let lamp = external.client(external.kind(), "hall", &[TARGET]);
    let desk = external.client(external.kind(), "desk", &["iot/desk/lamp/target"]);
    let mut piano = external.client(external.kind(), "piano", &[]);
    piano.publish(KEYS, &press(60));
    lamp.field(0, TARGET, "on", true);

    let mark = lamp.mark();
    dispatcher.ask(&["device", "block", "hall"]).ok();
    lamp.text(mark, TARGET, "");
    dispatcher.ask(&["device", "unblock", "hall"]).ok();
    let mark = lamp.mark();
    dispatcher.ask(&["device", "block", "piano"]).ok();
    piano.publish(KEYS, &press(61));
    // What comes later is answered, so what came before was heard and dropped.
    let at_desk = desk.mark();
    piano.publish("iot/desk/button/event", "press");
    desk.field(at_desk, "iot/desk/lamp/target", "on", true);
    let went_off = |message: &crate::harness::Message| message.json()["on"] == false;
    assert!(!lamp.messages(mark).iter().any(went_off));
}

fn a_house_that_was_killed_answers_what_it_missed_and_takes_back_what_is_gone(external: &External) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    let lamp = external.client(external.kind(), "hall", &[TARGET, "iot/desk/role"]);
    let mut piano = external.client(external.kind(), "piano", &[]);
    lamp.find(0, "the role of desk", |it| it.topic == "iot/desk/role");
    dispatcher.kill_9();
    piano.publish(KEYS, &press(60));
    let desk_is_gone = crate::harness::PIANO_AND_LAMPS
        .split("[device.desk]")
        .next()
        .unwrap();
    let rules =
        "[rule.on]\nwhen = \"piano.keys.press\"\nif = \"event.key == 60\"\ndo = \"hall.lamp.on\"\n";
    house.write("mapping.toml", &format!("{desk_is_gone}\n{rules}"));

    let mark = lamp.mark();
    let _dispatcher = at(external, &house);
    lamp.field(mark, TARGET, "on", true);
    lamp.text(mark, "iot/desk/role", "");
}

fn what_waits_for_a_house_that_is_off_is_heard_however_much_it_is(external: &External) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    dispatcher.kill_9();
    let mut piano = external.client(external.kind(), "piano", &[]);
    // More than a broker has on its way to one client before it hears an acknowledgement.
    for _ in 0..150 {
        piano.publish(KEYS, &press(62));
    }
    piano.publish(KEYS, &press(60));
    let _dispatcher = at(external, &house);
    let lamp = external.client(external.kind(), "hall", &[TARGET]);
    lamp.field(0, TARGET, "on", true);
    let mark = lamp.mark();
    piano.publish(KEYS, &press(61));
    lamp.field(mark, TARGET, "on", false);
}

fn an_edit_is_followed_at_the_external_broker(external: &External) {
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    let lamp = external.client(external.kind(), "hall", &[TARGET]);
    let mut old_piano = external.client(external.kind(), "old", &[]);
    let mark = dispatcher.mark();
    let text = house.read("mapping.toml");
    house.write("mapping.toml", &format!("{text}\n{OLD_PIANO}"));
    dispatcher.says(mark, "are in force");
    until("the lamp", || {
        // The subscription follows the edit; what comes before it is heard by nobody.
        old_piano.publish("piano/events", "{\"action\":\"pressed\",\"key\":60}");
        let is_on = |message: &crate::harness::Message| message.json()["on"] == true;
        lamp.messages(0).iter().any(is_on).then_some(())
    });
}

fn what_is_acknowledged_survives_restarts_of_the_external_broker_and_the_newest_target_wins(
    external: &mut External,
) {
    let house = House::with_rules("");
    // What waited comes at once: more than a rule fires in a second, where it is not to.
    let dispatcher = at_with(external, &house, &[("ENGINE__FUSE", "100000")]);
    let mut acknowledged = 0_u64;
    for round in 1..=20_u32 {
        let mark = dispatcher.mark();
        let mut piano = external.client(external.kind(), "piano", &[]);
        for brightness in 1..=round {
            assert_eq!(piano.publish(KEYS, &dim(brightness)), 0);
            acknowledged += 1;
        }
        external.end();
        piano.lost();
        // It is seen that it is away: whoever ends connections and stays is tried less and less often.
        dispatcher.says(mark, "onnection refused");
        external.begin();
        dispatcher.says(mark, "is reached");
    }
    let inputs = || dispatcher.ask(&["status", "--json"]).ok().json()["inputs"]["last"].as_u64();
    until("every event in the journal", || {
        (inputs() >= Some(acknowledged)).then_some(())
    });
    let lamp = external.client(external.kinds()[0], "hall", &[TARGET]);
    let newest = 16;
    lamp.field(0, TARGET, "brightness", newest);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["external_broker"]["lost"], 20);
    // Each is told, and again only where there is another reason: on a busy machine it may not listen yet.
    assert!(dispatcher.said(0).matches("is not reached").count() >= 20);
}

/// A bell that a rule rings, with a lamp that changes with each ring; somebody may ring it at the broker too.
const BELL: &str = r#"
[device.bell]
virtual = true
io.button = { kind = "button" }
io.lamp = { kind = "switch" }

[rule.ring]
when = "piano.keys.press"
if = "event.key == 50"
do = { emit = "bell.button.press" }

[rule.shine]
when = "bell.button.press"
do = "bell.lamp.toggle"
"#;

fn what_rules_do_on_a_virtual_device_comes_back_as_nothing_and_others_speak_for_it_all_the_same(
    external: &External,
) {
    let (rung, lamp) = ("iot/bell/button/event", "iot/bell/lamp/state");
    let house = House::with_rules(BELL);
    let _dispatcher = at(external, &house);
    let watcher = external.client(external.kind(), "watcher", &[rung, lamp]);
    let mut piano = external.client(external.kind(), "piano", &[]);
    let ring = |piano: &mut crate::harness::Client, by: &str, text: &str, on: bool| {
        let mark = watcher.mark();
        piano.publish(by, text);
        watcher.field(mark, lamp, "on", on);
    };
    for round in 1..=10 {
        ring(&mut piano, KEYS, &press(50), round % 2 == 1);
    }
    ring(&mut piano, rung, "{\"event\":\"press\"}", true);
    // What comes later is answered: an echo would have rung by then.
    ring(&mut piano, KEYS, &press(50), false);
    let count = |topic: &str| {
        let messages = watcher.messages(0);
        let fresh = messages.iter().filter(|it| it.topic == topic && !it.retain);
        fresh.count()
    };
    // Two topics may come in another order than they were said in.
    until("the last ring", || (count(rung) >= 12).then_some(()));
    assert_eq!((count(rung), count(lamp)), (12, 12));
}

fn a_text_for_people_is_told_at_the_external_broker(external: &External) {
    let rule = "[rule.tell]\nwhen = \"piano.keys.press\"\nif = \"event.key == 50\"\n\
                do = { notify = \"wall\", text = \"key ${event.key}\" }\n";
    let house = House::with_rules(rule);
    house.write("settings.toml", "[notify.wall]\nkind = \"mqtt\"\n");
    let _dispatcher = at(external, &house);
    let topic = "iot/dispatcher/notify/wall";
    let wall = external.client(external.kind(), "wall", &[topic]);
    external
        .client(external.kind(), "piano", &[])
        .publish(KEYS, &press(50));
    wall.text(0, topic, "key 50");
}

fn who_has_the_house_stays_and_tells_whatever_is_claimed(external: &External) {
    const CLAIM: &str = "iot/dispatcher/claim";
    let house = House::with_rules("");
    let mut dispatcher = at(external, &house);
    let lamp = external.client(external.kind(), "hall", &[TARGET, CLAIM]);
    let mut piano = external.client(external.kind(), "piano", &[]);
    let earlier = json!({ "id": "0000000000000000", "house": "/attic\u{1b}[2J", "since_ms": 1 });
    let mut newcomer = earlier.clone();
    newcomer["newcomer"] = true.into();
    // A newcomer is answered, and so is who takes the claim away.
    for text in [&*newcomer.to_string(), ""] {
        let mark = lamp.mark();
        piano.publish(CLAIM, text);
        let own = |message: &crate::harness::Message| {
            message.topic == CLAIM && message.json()["house"] == house.folder().to_str().unwrap()
        };
        lamp.find(mark, "our own claim", own);
    }
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["external_broker"]["rival"], json!(null));

    piano.publish_retained(CLAIM, &earlier.to_string());
    let said = dispatcher.says(0, "warning: another dispatcher");
    assert!(said.contains("/attic\\u{1b}[2J"), "{said}");
    piano.publish(KEYS, &press(60));
    lamp.field(0, TARGET, "on", true);
    assert!(dispatcher.runs());
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    let rival = status["external_broker"]["rival"].as_str();
    assert!(
        rival.is_some_and(|rival| rival.contains("/attic")),
        "{status}"
    );
    let status = dispatcher.ask(&["status"]).ok().stdout;
    assert!(
        status.contains("another dispatcher says that it has"),
        "{status}"
    );
}

fn who_asks_all_the_time_keeps_no_dispatcher_from_beginning(external: &External) {
    let house = House::with_rules("");
    let (begun, is_over) = (Instant::now(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut asker = external.client(external.kind(), "asker", &[]);
            while !is_over.load(Ordering::Relaxed) && begun.elapsed() < PATIENCE {
                for _ in 0..20 {
                    asker.send("iot/dispatcher/ask", b"another", 0);
                }
                asker.publish("iot/dispatcher/ask", "another");
            }
        });
        let _dispatcher = at(external, &house);
        is_over.store(true, Ordering::Relaxed);
    });
}

fn a_message_of_any_size_keeps_nobody_out_and_is_refused_where_our_own_broker_would_not_take_it(
    external: &External,
) {
    const STATE: &str = "iot/hall/lamp/state";
    const MAX: usize = 262_144;
    let house = House::with_rules("");
    let dispatcher = at(external, &house);
    let mark = dispatcher.mark();
    let lamp = external.client(external.kind(), "hall", &[TARGET]);
    let mut piano = external.client(external.kind(), "piano", &[]);
    // Around the limit of each version's packet, and far above it.
    let sizes = (MAX - 30..=MAX + 6).step_by(3);
    let sizes: Vec<usize> = sizes.chain([300_000, 600_000]).collect();
    for &size in &sizes {
        piano.publish_bytes(STATE, &vec![b'a'; size], false);
    }
    piano.publish_bytes(STATE, &vec![b'a'; 300_000], true);
    piano.publish(KEYS, &press(60));
    lamp.field(0, TARGET, "on", true);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    let refused = status["refusals"]["too-long"].as_u64();
    assert_eq!(refused, Some(sizes.len() as u64 + 1), "{status}");
    assert_eq!(status["external_broker"]["lost"], 0, "{status}");
    let said = dispatcher.said(mark);
    assert_eq!(said.matches("is not reached").count(), 0, "{said}");
    dispatcher.kill_9();

    // What lies there comes again, and is refused again.
    let mark = lamp.mark();
    let _dispatcher = at(external, &house);
    piano.publish(KEYS, &press(61));
    lamp.field(mark, TARGET, "on", false);
}

/// What a broker does that says yes to everything at first.
#[derive(Clone, Copy, PartialEq)]
enum Lies {
    /// Acknowledges nothing.
    Silent,
    /// Passes on nothing.
    Deaf,
    /// Ends where the dispatcher's own connection subscribes to the house.
    Hangs,
}

/// One that lies; says where it is. It ends with the test.
fn liar(lies: Lies) -> String {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || lie(&mut stream, lies));
        }
    });
    url
}

fn lie(stream: &mut std::net::TcpStream, lies: Lies) -> Option<()> {
    use crate::harness::packet::{bytes, take};
    use std::io::{Read, Write};
    let (mut came, mut chunk) = (Vec::new(), [0; 4_096]);
    loop {
        while let Some((first, body)) = take(&mut came) {
            let answer = match first >> 4 {
                1 => bytes(0x20, &[0, 0, 0]),
                // To the first subscription alone; the second is the one to the house.
                8 if lies == Lies::Hangs && body.ends_with(b"iot/+/role\x05") => return None,
                8 => {
                    let filters = body.windows(4).filter(|four| four == b"iot/").count();
                    let grants = vec![1; filters];
                    bytes(0x90, &[&body[..2], &[0], &*grants].concat())
                }
                3 if lies != Lies::Silent => {
                    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                    let id = &body[2 + topic..4 + topic];
                    let back = [&body[..2 + topic], &body[4 + topic..]].concat();
                    let ack = bytes(0x40, id);
                    match lies {
                        Lies::Hangs => [ack, bytes(0x30, &back)].concat(),
                        _ => ack,
                    }
                }
                _ => Vec::new(),
            };
            stream.write_all(&answer).ok()?;
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        came.extend_from_slice(&chunk[..count]);
    }
}

#[test]
fn a_broker_that_lies_is_not_reached_for_a_reason_that_says_what_is_so() {
    for (lies, reason) in [
        (
            Lies::Silent,
            "it does not acknowledge what we publish on iot/dispatcher/ask",
        ),
        (
            Lies::Deaf,
            "it does not pass on what is published on iot/dispatcher/ask",
        ),
        (Lies::Hangs, "closed by peer"),
    ] {
        let house = House::with_rules("");
        let dispatcher = Dispatcher::start_with(&house, &[], &[("BROKER", &liar(lies))]);
        let said = dispatcher.says(0, "is not reached, trying again");
        assert!(said.contains(reason), "{said}");
        let status = dispatcher.ask(&["status", "--json"]).ok().json();
        let trouble = status["external_broker"]["trouble"].as_str().unwrap();
        assert!(said.contains(trouble), "{said}: {trouble}");
    }
}

fn the_second_dispatcher_of_a_broker_says_so_and_ends(external: &External) {
    let attic = "[device.attic]\nid = 40\nio.lamp = { kind = \"switch\", pin = 4 }\n";
    let (house, other) = (House::with_rules(""), House::with_rules(attic));
    let watcher = external.client(external.kind(), "watcher", &["iot/#"]);
    let first = at(external, &house);
    watcher.text(0, "iot/dispatcher/availability", "online");
    let mark = watcher.mark();
    let mut second = iot_control();
    second.arg("run").arg(other.folder());
    second.arg("--state").arg(other.state());
    second.env("IOT_CONTROL__WEB__LISTEN", "");
    second.env("IOT_CONTROL__BROKER", external.url());
    let output = finish(second, "");
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(
        output
            .stderr
            .contains("another dispatcher has this broker already"),
        "{output:?}"
    );
    let told = watcher.messages(mark);
    let harm = |message: &&crate::harness::Message| {
        message.topic.starts_with("iot/attic/")
            || message.payload.is_empty()
            || message.payload == b"offline"
    };
    assert_eq!(told.iter().find(harm), None);

    // One that died without a word holds nobody up.
    first.kill_9();
    at(external, &other);
}

#[test]
fn a_wrong_password_is_told_with_what_to_do_and_the_right_one_is_taken() {
    let login = Login {
        user: "house".to_owned(),
        password: "correct horse".to_owned(),
    };
    let house = House::with_rules("");
    let passwords = house.folder().join("passwords");
    let lines = format!(
        "allow_anonymous false\npassword_file {}\n",
        passwords.display()
    );
    let Some(external) = External::start_after(&lines, || {
        write_passwords(&passwords, std::slice::from_ref(&login));
    }) else {
        return;
    };
    let url = external.url().replace("//", "//house@");
    let wrong = [("BROKER", &*url), ("BROKER_PASSWORD", "battery staple")];
    let dispatcher = Dispatcher::start_with(&house, &[], &wrong);
    let said = dispatcher.says(0, "it refuses our login");
    assert!(said.contains("IOT_CONTROL__BROKER_PASSWORD") && !said.contains("staple"));
    dispatcher.kill_9();
    let right = [("BROKER", &*url), ("BROKER_PASSWORD", &*login.password)];
    Dispatcher::start_with(&house, &[], &right).says(0, "is reached");
}

#[test]
fn through_tls_the_external_broker_is_held_against_its_ca() {
    let house = House::with_rules("");
    let words = [
        "tls",
        "init",
        house.folder().to_str().unwrap(),
        "--name",
        "127.0.0.1",
    ]
    .map(str::to_owned);
    crate::harness::run(words.iter().map(String::as_str), "").ok();
    let tls = house.folder().join("tls");
    let lines = format!(
        "allow_anonymous true\ncertfile {0}/server.pem\nkeyfile {0}/server.key\n",
        tls.display()
    );
    let Some(external) = External::start_with(&lines) else {
        return;
    };
    let url = external.url().replace("mqtt:", "mqtts:");
    let stranger = Dispatcher::start_with(&house, &[], &[("BROKER", &url)]);
    stranger.says(0, "broker_ca names that");
    stranger.kill_9();
    let trusted = [("BROKER", &*url), ("BROKER_CA", "tls/ca.pem")];
    Dispatcher::start_with(&house, &[], &trusted).says(0, "is reached");
}
