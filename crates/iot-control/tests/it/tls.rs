//! TLS and WebSocket: what `tls init` makes, clients that come in that way, and what is refused.

use std::{
    fs::{self, Permissions},
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    process::Command,
};

use crate::harness::{Client, Dispatcher, House, Kind, run, until};

const SETTINGS: &str = "[tls]\ncertificate = \"tls/server.pem\"\nkey = \"tls/server.key\"\n";

/// All ways beside the plain one, on free ports.
const LISTEN: [(&str, &str); 3] = [
    ("MQTT__TLS_LISTEN", "127.0.0.1:0"),
    ("MQTT__WEBSOCKET_LISTEN", "127.0.0.1:0"),
    ("MQTT__WEBSOCKET_TLS_LISTEN", "127.0.0.1:0"),
];

fn init(house: &House, more: &[&str]) -> String {
    let folder = house.folder().display().to_string();
    let words = [
        "tls",
        "init",
        &folder,
        "--name",
        "localhost",
        "--name",
        "127.0.0.1",
    ];
    let made = run(words.iter().chain(more), "").ok();
    house.write("settings.toml", SETTINGS);
    format!("{}{}", made.stderr, made.stdout)
}

#[test]
fn every_make_of_client_comes_in_by_every_way_with_the_same_rights() {
    let house = House::with_rules("");
    let said = init(&house, &[]);
    assert!(
        said.contains("tls_listen = [\"0.0.0.0:8883\"]") && said.contains("--cafile"),
        "{said}"
    );
    let dispatcher = Dispatcher::start_with(&house, &[], &LISTEN);
    let watcher = dispatcher.watcher();
    let ca = house.folder().join("tls/ca.pem");
    let login = house.device_login("desk");
    for (kind, scheme) in [
        (Kind::Mosquitto, "mqtts"),
        (Kind::MqttJs, "mqtts"),
        (Kind::MqttJs, "ws"),
        (Kind::MqttJs, "wss"),
        (Kind::Paho, "mqtts"),
        (Kind::Paho, "ws"),
        (Kind::Paho, "wss"),
    ] {
        if !kind.is_installed() {
            continue;
        }
        let connect = dispatcher.connect_by(
            (scheme, &ca),
            Some(login.clone()),
            &["iot/desk/lamp/target"],
        );
        let mut desk = Client::connect(kind, &connect).unwrap();
        let mark = watcher.mark();
        desk.publish("iot/hall/lamp/state", r#"{"on":true}"#);
        desk.publish("iot/desk/lamp/state", r#"{"on":false}"#);
        watcher.field(mark, "iot/desk/lamp/state", "on", false);
        let came = watcher.messages(mark);
        assert!(
            came.iter()
                .all(|message| message.topic != "iot/hall/lamp/state"),
            "{kind:?} {scheme}: it has no right to it"
        );
        // Longer than a record of TLS, and than a short frame.
        let long = "x".repeat(40_000);
        desk.publish("iot/desk/lamp/state", &long);
        desk.leave();
    }
    let status = dispatcher.ask(&["status"]).stdout;
    assert!(status.contains("server.pem holds for 82"), "{status}");
}

#[test]
fn who_trusts_another_ca_or_speaks_no_tls_stays_out() {
    if !Kind::Mosquitto.is_installed() {
        return;
    }
    let (house, other) = (House::with_rules(""), House::with_rules(""));
    init(&house, &[]);
    init(&other, &[]);
    let dispatcher = Dispatcher::start_with(&house, &[], &LISTEN);
    let ca = house.folder().join("tls/ca.pem");
    let other = other.folder().join("tls/ca.pem");
    let login = house.tool_login();
    let port = dispatcher
        .connect_by(("mqtts", &ca), None, &[])
        .port
        .to_string();
    let publish = |more: &[&str]| {
        let mut command = Command::new("mosquitto_pub");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            "home/x",
            "-m",
            "1",
            "-q",
            "1",
        ]);
        command
            .args(["-u", &login.user, "-P", &login.password])
            .args(more);
        command.output().unwrap().status.success()
    };
    let (ca, other) = (ca.display().to_string(), other.display().to_string());
    assert!(publish(&["--cafile", &ca]));
    assert!(publish(&["--cafile", &ca, "--tls-version", "tlsv1.2"]));
    assert!(!publish(&["--cafile", &other]));
    dispatcher.says(0, "it does not trust this broker");
    assert!(!publish(&[]));
    let wrong = login.password.to_uppercase();
    assert!(!publish(&["--cafile", &ca, "-P", &wrong]));
}

#[test]
fn tls_1_1_is_answered_with_what_is_wrong() {
    let house = House::with_rules("");
    init(&house, &[]);
    let dispatcher = Dispatcher::start_with(&house, &[], &LISTEN);
    let port = dispatcher
        .connect_by(("mqtts", "".as_ref()), None, &[])
        .port;
    // A hello of version 3.2 with one cipher and nothing else (RFC 4346, section 7.4.1.2).
    let random = [7; 32];
    let hello = [&[3, 2], &random[..], &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
    let mut record = vec![
        22,
        3,
        1,
        0,
        4 + hello.len() as u8,
        1,
        0,
        0,
        hello.len() as u8,
    ];
    record.extend(hello);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        matches!(*answer, [21, 3, _, 0, 2, 2, _]),
        "a fatal alert: {answer:?}"
    );
    dispatcher.says(0, "it has to speak TLS 1.2 or 1.3");
}

#[test]
fn what_is_no_websocket_of_mqtt_is_told_so() {
    let house = House::with_rules("");
    let dispatcher =
        Dispatcher::start_with(&house, &[], &[("MQTT__WEBSOCKET_LISTEN", "127.0.0.1:0")]);
    let port = dispatcher.connect_by(("ws", "".as_ref()), None, &[]).port;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: house\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 400 ") && answer.contains("MQTT over WebSocket"),
        "{answer}"
    );
    let upgrade = "GET / HTTP/1.1\r\nHost: house\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(upgrade.as_bytes()).unwrap();
    stream.write_all(b"\x81\x81\0\0\0\0x").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.ends_with(b"\r\n\r\n\x88\x02\x03\xeb"),
        "closed with 1003: {answer:?}"
    );
    dispatcher.says(0, "this port is for MQTT over WebSocket only");
    let status = dispatcher.ask(&["status"]).stdout;
    assert!(status.contains("2 broken wraps"), "{status}");
}

#[test]
fn a_page_of_another_host_is_kept_out_unless_it_is_listed() {
    let house = House::with_rules("");
    let settings = [
        ("MQTT__WEBSOCKET_LISTEN", "127.0.0.1:0"),
        ("MQTT__WEBSOCKET_ORIGINS", "https://panel.example.org"),
    ];
    let dispatcher = Dispatcher::start_with(&house, &[], &settings);
    let port = dispatcher.connect_by(("ws", "".as_ref()), None, &[]).port;
    for (origin, status) in [
        ("https://panel.example.org", "101"),
        ("http://127.0.0.1:8080", "101"),
        ("https://evil.example", "403"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        let expected = format!("HTTP/1.1 {status}");
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{origin}");
    }
    dispatcher.says(0, "listed in mqtt.websocket_origins");
}

#[test]
fn a_renewed_certificate_needs_no_restart_and_a_broken_one_changes_nothing() {
    let house = House::with_rules("");
    init(&house, &[]);
    let dispatcher = Dispatcher::start_with(&house, &[], &LISTEN);
    let key = house.read("tls/server.key");
    init(&house, &["--renew"]);
    assert_ne!(house.read("tls/server.key"), key);
    dispatcher.says(0, "changed and is in force");
    house.write("tls/server.pem", "nothing");
    dispatcher.says(0, "the one before stays: tls.certificate: ");
    let trouble = || dispatcher.ask(&["status", "--json"]).json()["certificate"]["trouble"].clone();
    until("trouble in status", || trouble().is_string().then_some(()));
    init_again_is_refused(&house);
}

#[test]
fn a_renewed_certificate_is_for_the_names_of_the_one_before() {
    let house = House::with_rules("");
    let folder = house.folder().display().to_string();
    let make = |more: &[&str]| run(["tls", "init", &folder].iter().chain(more), "");
    let names = || {
        let shown = run(["tls", "show", &folder], "").ok().stdout;
        let line = shown.lines().find_map(|line| line.strip_prefix("names"));
        line.expect("a line of names").trim().to_owned()
    };
    make(&["--name", "house.local", "--name", "192.168.1.10"]).ok();
    house.write("settings.toml", SETTINGS);
    let key = house.read("tls/server.key");
    make(&["--renew"]).ok();
    assert_ne!(house.read("tls/server.key"), key);
    assert_eq!(names(), "house.local, 192.168.1.10");
    make(&["--renew", "--name", "other.local"]).ok();
    assert_eq!(names(), "other.local");
    // Nobody guesses what clients connect to.
    house.write("tls/server.pem", "nothing");
    let refused = make(&["--renew"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("say --name"), "{refused:?}");
    make(&["--renew", "--name", "house.local"]).ok();
    assert_eq!(names(), "house.local");
}

fn init_again_is_refused(house: &House) {
    let folder = house.folder().display().to_string();
    let again = run(["tls", "init", &folder], "");
    assert_eq!(again.code, Some(1));
    assert!(
        again.stderr.contains("is there already: say --renew"),
        "{again:?}"
    );
}

#[test]
fn a_certificate_that_cannot_be_used_ends_the_start_with_how_to_mend_it() {
    let house = House::with_rules("");
    let listen = |settings: &str| {
        let all = format!("mqtt.tls_listen = \"127.0.0.1:0\"\n{settings}");
        house.write("settings.toml", &all);
        house.start_fails()
    };
    assert!(listen("").contains("`iot-control tls init` makes both"));
    let said = listen(SETTINGS);
    assert!(
        said.contains("tls.certificate: ") && said.contains("server.pem: "),
        "{said}"
    );
    init(&house, &[]);
    let key = house.folder().join("tls/server.key");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let said = listen(SETTINGS);
    assert!(said.contains("(mode 640): type `chmod 600 "), "{said}");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let write_key = |text: &str| {
        house.write("tls/server.key", text);
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    };
    write_key(&house.read("tls/ca.key"));
    let said = listen(SETTINGS);
    assert!(
        said.contains("it is not the key of this certificate"),
        "{said}"
    );
    write_key("no key");
    let said = listen(SETTINGS);
    assert!(said.contains("it holds no private key"), "{said}");
    house.write(
        "tls/server.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let said = listen(SETTINGS);
    assert!(
        said.contains("its first certificate can't be read"),
        "{said}"
    );
}

#[test]
fn keys_and_certificates_are_all_made_or_none() {
    let house = House::with_rules("");
    let folder = house.folder().display().to_string();
    let make = |more: &[&str]| {
        let words = ["tls", "init", &folder, "--name", "localhost"];
        run(words.iter().chain(more), "")
    };
    let names = || {
        let entries = fs::read_dir(house.folder().join("tls")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    // The last of them can't be written.
    let stuck = house.folder().join("tls/server.pem.new");
    fs::create_dir_all(&stuck).unwrap();
    let refused = make(&[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stderr.contains("nothing was changed"),
        "{refused:?}"
    );
    assert_eq!(names(), ["server.pem.new"]);
    fs::remove_dir(&stuck).unwrap();
    make(&[]).ok();
    let made = ["ca.key", "ca.pem", "server.key", "server.pem"];
    assert_eq!(names(), made);
    // A new key without its certificate would end the next start.
    fs::create_dir(&stuck).unwrap();
    let key = house.read("tls/server.key");
    let refused = make(&["--renew"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert_eq!(house.read("tls/server.key"), key);
    fs::remove_dir(&stuck).unwrap();
    make(&["--renew"]).ok();
    assert_ne!(house.read("tls/server.key"), key);
    assert_eq!(names(), made);
}
