//! Who is there: last wills, goodbyes, and rules that stand in for what is lost.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::harness::{Client, Dispatcher, House, Kind, Will};

const FALLBACK: &str = r#"
[rule.fallback]
when = "desk.button.press"
if = "!hall.online"
do = "desk.lamp.on"

[rule.hall-lost]
when = "hall.offline"
do = "desk.lamp.on"

[rule.anything-lost]
when = "*.offline"
do = { notify = "all", text = "${event.device} went offline." }
"#;

const LAMP: &str = "iot/desk/lamp/target";

#[test]
fn a_last_will_makes_a_device_offline_and_the_rules_for_it_fire() {
    for kind in Kind::installed() {
        let house = House::with_rules(FALLBACK);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let desk = dispatcher.device_client(Kind::RumqttcV4, "desk", &[LAMP]);
        let hall = dispatcher.device_client_with_will(kind, "hall", &["iot/hall/+/target"]);
        watcher.text(0, "iot/hall/availability", "online");
        assert_eq!(dispatcher.device("hall")["online"], true, "{kind:?}");

        let (mark, said) = (watcher.mark(), dispatcher.mark());
        hall.vanish();
        watcher.text(mark, "iot/hall/availability", "offline");
        desk.field(0, LAMP, "on", true);
        dispatcher.says(said, "hall went offline.");
        assert_eq!(dispatcher.device("hall")["online"], false, "{kind:?}");

        let newcomer = dispatcher.watcher();
        let kept = newcomer.text(0, "iot/hall/availability", "offline");
        assert!(kept.retain, "{kind:?}: who comes later sees it as well");
    }
}

#[test]
fn a_device_that_takes_its_own_connection_over_was_never_away() {
    for (kind, has_will) in [
        (Kind::RumqttcV4, true),
        (Kind::RumqttcV5, true),
        (Kind::RumqttcV5, false),
    ] {
        let house = House::with_rules(FALLBACK);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let mut connect = dispatcher.connect(Some(house.device_login("hall")), &[]);
        connect.will = has_will.then(|| Will {
            topic: "iot/hall/availability".into(),
            payload: "offline".into(),
        });
        let old = Client::connect(kind, &connect).expect("it is let in");
        watcher.text(0, "iot/hall/availability", "online");
        let (mark, said) = (watcher.mark(), dispatcher.mark());
        let new = Client::connect(kind, &connect).expect("it is let in");
        old.lost();
        // An end of which nothing is heard comes after everything that the takeover could have said.
        new.leave();
        watcher.text(mark, "iot/hall/availability", "offline");
        dispatcher.says(said, "hall went offline.");
        let heard = watcher.messages(mark).into_iter();
        let presence: Vec<_> = heard
            .filter(|message| message.topic == "iot/hall/availability")
            .collect();
        assert_eq!(presence.len(), 1, "{kind:?}: {presence:?}");
        let told = dispatcher.said(said);
        assert_eq!(told.matches("hall went offline.").count(), 1, "{told}");
    }
}

#[test]
fn a_device_without_a_will_is_offline_when_its_connection_ends() {
    for say_goodbye in [true, false] {
        let house = House::with_rules(FALLBACK);
        let dispatcher = house.start();
        let watcher = dispatcher.watcher();
        let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
        watcher.text(0, "iot/hall/availability", "online");
        let mark = watcher.mark();
        match say_goodbye {
            true => hall.leave(),
            false => hall.vanish(),
        }
        watcher.text(mark, "iot/hall/availability", "offline");
        watcher.field(mark, LAMP, "on", true);
    }
}

#[test]
fn a_rule_stands_in_while_a_device_is_away_and_no_longer() {
    let house = House::with_rules(
        r#"
        [rule.stand-in]
        when = "piano.keys.press"
        if = "event.key == 50 && !hall.online"
        do = "desk.lamp.on"

        [rule.as-ever]
        when = "piano.keys.press"
        if = "event.key == 50 && hall.online"
        do = ["hall.lamp.on", "desk.lamp.off"]
        "#,
    );
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    let press = r#"{"event":"press","key":50,"velocity":1}"#;
    piano.publish("iot/piano/keys/event", press);
    watcher.field(0, LAMP, "on", true);
    let hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &["iot/hall/+/target"]);
    piano.publish("iot/piano/keys/event", press);
    watcher.field(0, LAMP, "on", false);
    hall.field(0, "iot/hall/lamp/target", "on", true);
}

/// A client that logs in as `device`, with a keep-alive of a second, and then says nothing more.
fn mute(house: &House, dispatcher: &Dispatcher<'_>, device: &str) -> TcpStream {
    let login = house.device_login(device);
    let mut body = b"\0\x04MQTT\x04\xc2\0\x01".to_vec();
    for field in ["mute", &login.user, &login.password] {
        body.extend((field.len() as u16).to_be_bytes());
        body.extend(field.as_bytes());
    }
    let mut stream = TcpStream::connect(("127.0.0.1", dispatcher.port())).unwrap();
    stream.write_all(&[0x10, body.len() as u8]).unwrap();
    stream.write_all(&body).unwrap();
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).unwrap();
    assert_eq!(connack, [0x20, 2, 0, 0]);
    stream
}

#[test]
fn a_device_that_falls_silent_is_offline_and_its_next_word_brings_it_back() {
    let house = House::with_rules(FALLBACK);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut stream = mute(&house, &dispatcher, "hall");
    watcher.text(0, "iot/hall/availability", "online");
    let (mark, said) = (watcher.mark(), dispatcher.mark());
    watcher.text(mark, "iot/hall/availability", "offline");
    watcher.field(mark, LAMP, "on", true);
    dispatcher.says(said, "hall went offline.");
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));

    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    hall.publish("iot/hall/lamp/state", r#"{"on":false}"#);
    watcher.text(mark, "iot/hall/availability", "online");
    assert_eq!(dispatcher.device("hall")["online"], true);
}

/// A client of MQTT 5 that logs in as `device`, always under the same id, with a session that outlives its
/// connection, and with a will where `delay_s` says when it is to be published.
fn with_session(
    house: &House,
    dispatcher: &Dispatcher<'_>,
    device: &str,
    delay_s: Option<u32>,
) -> TcpStream {
    let login = house.device_login(device);
    let field = |body: &mut Vec<u8>, text: &str| {
        body.extend((text.len() as u16).to_be_bytes());
        body.extend(text.as_bytes());
    };
    let has_will = u8::from(delay_s.is_some()) << 2;
    let mut body = b"\0\x04MQTT\x05".to_vec();
    body.extend([0xc0 | has_will, 0, 0, 5, 17, 0, 0, 0x0e, 0x10]);
    field(&mut body, device);
    if let Some(delay_s) = delay_s {
        body.extend([5, 24]);
        body.extend(delay_s.to_be_bytes());
        field(&mut body, &format!("iot/{device}/availability"));
        field(&mut body, "offline");
    }
    field(&mut body, &login.user);
    field(&mut body, &login.password);
    let mut stream = TcpStream::connect(("127.0.0.1", dispatcher.port())).unwrap();
    assert!(body.len() < 128, "one byte says how long it is");
    stream.write_all(&[0x10, body.len() as u8]).unwrap();
    stream.write_all(&body).unwrap();
    let mut connack = [0; 4];
    stream.read_exact(&mut connack).unwrap();
    assert_eq!((connack[0], connack[3]), (0x20, 0));
    stream
}

#[test]
fn a_device_whose_will_has_a_delay_is_offline_when_that_is_over_and_not_before() {
    let house = House::with_rules(FALLBACK);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let hour = Some(3_600);
    let hall = with_session(&house, &dispatcher, "hall", hour);
    watcher.text(0, "iot/hall/availability", "online");
    let mark = watcher.mark();
    drop(hall);
    // Later than the end of the other connection, or a takeover: away for a moment either way.
    let hall = with_session(&house, &dispatcher, "hall", Some(1));
    drop(hall);
    watcher.text(mark, "iot/hall/availability", "offline");
    watcher.field(mark, LAMP, "on", true);
    let said = watcher.messages(mark).into_iter();
    let said = said.filter(|message| message.topic == "iot/hall/availability");
    assert_eq!(said.count(), 1, "the first end is none");
    assert_eq!(dispatcher.device("hall")["online"], false);
}

#[test]
fn a_device_that_sleeps_may_lose_its_connection_where_it_has_no_will() {
    let house = House::with_rules(FALLBACK);
    house.write(
        "settings.toml",
        "[presence]\nsilence_max = { hall = \"1h\" }\n",
    );
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let hall = with_session(&house, &dispatcher, "hall", None);
    watcher.text(0, "iot/hall/availability", "online");
    let mark = watcher.mark();
    drop(hall);
    let desk = with_session(&house, &dispatcher, "desk", None);
    drop(desk);
    watcher.text(mark, "iot/desk/availability", "offline");
    let hall = with_session(&house, &dispatcher, "hall", Some(0));
    drop(hall);
    watcher.text(mark, "iot/hall/availability", "offline");
    let said = watcher.messages(mark).into_iter();
    let said = said.filter(|message| message.topic == "iot/hall/availability");
    assert_eq!(said.count(), 1, "only its will says that it is gone");
}

const PROMISES: &str = r#"
[device.attic]
id = 40
io.temp = { kind = "temperature", report_every = "1s" }

[device.shed]
id = 41
mqtt = { state = "z2m/shed" }
io.temp = { kind = "temperature", from = "temperature", report_every = "1s" }

[device.letterbox]
id = 42
mqtt = { state = "z2m/letterbox" }
io.lid = { kind = "contact", from = "contact" }

[rule.attic]
when = "attic.offline"
do = "desk.lamp.on"

[rule.others]
when = ["shed.offline", "letterbox.offline"]
do = { notify = "all", text = "${event.device} says nothing" }
"#;

#[test]
fn a_module_that_leaves_out_its_reports_is_offline_though_it_is_connected() {
    let house = House::with_rules(PROMISES);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut attic = dispatcher.device_client(Kind::RumqttcV5, "attic", &[]);
    attic.publish("iot/attic/temp/state", "19");
    watcher.text(0, "iot/attic/availability", "online");
    let mark = watcher.mark();
    watcher.text(mark, "iot/attic/availability", "offline");
    watcher.field(mark, LAMP, "on", true);
    let mark = watcher.mark();
    attic.publish("iot/attic/temp/state", "19");
    watcher.text(mark, "iot/attic/availability", "online");
}

#[test]
fn foreign_devices_that_never_say_whether_they_are_there_are_missed_by_their_silence() {
    let house = House::with_rules(PROMISES);
    house.write(
        "settings.toml",
        "[presence]\nsilence_max = { letterbox = \"2s\", letterbx = \"1h\" }\n",
    );
    let dispatcher = house.start();
    dispatcher.says(
        0,
        "the house has no device letterbx; did you mean letterbox?",
    );
    for (device, topic, payload) in [
        ("shed", "z2m/shed", r#"{"temperature":3}"#),
        ("letterbox", "z2m/letterbox", r#"{"contact":"closed"}"#),
    ] {
        let said = dispatcher.mark();
        let mut client = dispatcher.device_client(Kind::RumqttcV4, device, &[]);
        client.publish(topic, payload);
        dispatcher.device_is(device, "is online", |shown| shown["online"] == true);
        dispatcher.says(said, &format!("{device} says nothing"));
        dispatcher.device_is(device, "is offline", |shown| shown["online"] == false);
        client.publish(topic, payload);
        dispatcher.device_is(device, "is online again", |shown| shown["online"] == true);
    }
}
