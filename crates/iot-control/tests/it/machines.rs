//! Metrics and health over HTTP, as monitoring and service managers ask for them, and those who should not.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
};

use serde_json::{Value as Json, json};

use crate::harness::{Dispatcher, House, Kind, iot_control, until};

/// A house whose dispatcher answers on a free port, and that port.
fn start(house: &House) -> (Dispatcher<'_>, u16) {
    let settings = [
        ("MQTT__LISTEN", "127.0.0.1:0"),
        ("WEB__LISTEN", "127.0.0.1:0"),
    ];
    let dispatcher = Dispatcher::start_with(house, &[], &settings);
    let line = dispatcher.says(0, "  HTTP ");
    let (_, rest) = line.split_once("http://127.0.0.1:").unwrap();
    let port = rest.split('/').next().unwrap().parse().unwrap();
    (dispatcher, port)
}

/// Sends bytes and reads until the other side closes: status, head, body.
fn send(port: u16, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    (
        status.parse().unwrap_or(0),
        head.to_owned(),
        body.to_owned(),
    )
}

fn get(port: u16, path: &str) -> (u16, String, String) {
    send(
        port,
        &format!("GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
    )
}

fn health(port: u16, path: &str) -> (u16, Json) {
    let (status, _, body) = get(port, path);
    (status, serde_json::from_str(&body).unwrap())
}

/// Reads the exposition format, version 0.0.4, and takes nothing that it doesn't allow: families come one after the
/// other, each with HELP, TYPE and its samples, none twice.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let mut samples = BTreeMap::new();
    let mut families = Vec::new();
    assert!(text.ends_with('\n'));
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (family, help) = line
            .strip_prefix("# HELP ")
            .unwrap()
            .split_once(' ')
            .unwrap();
        assert!(
            is_name(family) && family.starts_with("iot_control_"),
            "{family}"
        );
        assert!(!help.is_empty() && !families.contains(&family), "{family}");
        families.push(family);
        let kind = lines.next().unwrap().strip_prefix("# TYPE ").unwrap();
        let kind = kind.strip_prefix(family).unwrap();
        assert!([" counter", " gauge"].contains(&kind), "{kind}");
        assert_eq!(kind == " counter", family.ends_with("_total"), "{family}");
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let labels = name.strip_prefix(family).unwrap();
            assert!(labels.is_empty() || (labels.starts_with('{') && labels.ends_with("\"}")));
            let twice = samples.insert(name.to_owned(), value.parse().unwrap());
            assert!(twice.is_none(), "{name}");
        }
    }
    samples
}

#[test]
fn metrics_tell_what_status_tells() {
    let house = House::with_rules("");
    let (dispatcher, port) = start(&house);
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    assert_eq!(hall.publish("iot/hall/lamp/state", r#"{"on":false}"#), 0);
    assert_ne!(hall.publish("iot/hall/lamp/state", r#"{"on":"#), 0);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();

    let (code, head, body) = get(port, "/metrics");
    assert_eq!(code, 200);
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{head}"
    );
    assert!(!head.contains("access-control"), "{head}");
    let metrics = parse(&body);
    for (name, value) in [
        ("devices", 3.0),
        ("devices_online", 1.0),
        ("rules", 5.0),
        ("store_good", 1.0),
        ("inputs_missed_total", 0.0),
        ("broker_connections", 1.0),
        ("broker_messages_in_total", 2.0),
        ("refusals_total{code=\"not-json\"}", 1.0),
        (
            concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
            1.0,
        ),
    ] {
        assert_eq!(
            metrics.get(&format!("iot_control_{name}")),
            Some(&value),
            "{name}\n{body}"
        );
    }
    for name in status["broker"].as_object().unwrap().keys() {
        let known = [
            format!("iot_control_broker_{name}"),
            format!("iot_control_broker_{name}_total"),
        ];
        assert!(
            known.iter().any(|name| metrics.contains_key(name)),
            "{name}"
        );
    }
    for (path, kind) in [("/health/live", "live"), ("/health/ready", "ready")] {
        assert_eq!(health(port, path), (200, json!({ "ok": true })), "{kind}");
    }
}

#[test]
fn a_house_whose_inputs_are_not_kept_is_live_and_not_ready() {
    let house = House::with_rules("");
    let (dispatcher, port) = start(&house);
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    let told = dispatcher.mark();
    std::fs::remove_dir_all(house.state()).unwrap();
    hall.publish_only("iot/hall/lamp/state", r#"{"on":false}"#);
    dispatcher.says(told, "was deleted while the dispatcher runs");
    let why = until("it to be unready", || {
        let (code, said) = health(port, "/health/ready");
        (code == 503).then(|| said["why"][0].to_string())
    });
    assert!(why.contains("was deleted"), "{why}");
    let (_, _, body) = get(port, "/metrics");
    assert_eq!(parse(&body)["iot_control_store_good"], 0.0);
    assert_eq!(health(port, "/health/live").0, 200);
}

/// Waits of a thread, by which strace holds it up.
const WAITS: &str = "epoll_wait,epoll_pwait,epoll_pwait2";

#[test]
fn a_house_whose_thread_hangs_is_not_live_until_it_goes_on() {
    let house = House::with_rules("");
    let (dispatcher, port) = start(&house);
    assert_eq!(health(port, "/health/live").0, 200);
    // The thread that switches the lights, and no other, is held up at its next wait for longer than the test takes.
    let strace = Command::new("strace")
        .args([
            "-qq",
            "-o",
            "/dev/null",
            "-p",
            &dispatcher.pid().to_string(),
        ])
        .args(["-e", &format!("trace={WAITS}")])
        .args(["-e", &format!("inject={WAITS}:delay_enter=600s")])
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut strace) = strace else {
        eprintln!("skipped: strace is not installed");
        return;
    };
    let hangs = until("it to hang", || {
        if strace.try_wait().unwrap().is_some() {
            return Some(false);
        }
        (health(port, "/health/live").0 == 503).then_some(true)
    });
    if !hangs {
        eprintln!("skipped: strace may not look at our own process");
        return;
    }
    let (_, said) = health(port, "/health/live");
    assert_eq!(said["why"][0], "the house did not answer in time");
    strace.kill().unwrap();
    strace.wait().unwrap();
    until("it to go on", || {
        (health(port, "/health/live").0 == 200).then_some(())
    });
}

#[test]
fn who_asks_under_a_foreign_name_or_for_a_change_is_refused() {
    let house = House::with_rules("");
    let (_dispatcher, port) = start(&house);
    let long = "x".repeat(20_000);
    for (request, expected) in [
        ("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (
            "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
            421,
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost.evil.example:8484\r\n\r\n",
            421,
        ),
        (
            "GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
            400,
        ),
        ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        (
            "POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n",
            405,
        ),
        (
            "OPTIONS /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
            405,
        ),
        (
            "GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
            404,
        ),
        ("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
        ("\u{0}\u{1}\r\n\r\n", 400),
        (
            "HEAD /health/live HTTP/1.1\r\nHost: [::1]:8484\r\n\r\n",
            200,
        ),
        ("GET /health/live HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(send(port, request).0, expected, "{request:?}");
    }
    let endless = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {long}");
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    // It may be closed before all of it is sent.
    let _ = stream.write_all(endless.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn slow_and_silent_connections_keep_nobody_waiting_for_ever() {
    let house = House::with_rules("");
    let (dispatcher, port) = start(&house);
    // More than it takes at a time; none of them ever asks.
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    let mut hall = dispatcher.device_client(Kind::RumqttcV5, "hall", &[]);
    assert_eq!(hall.publish("iot/hall/lamp/state", r#"{"on":false}"#), 0);
    assert_eq!(get(port, "/health/live").0, 200);
    drop(silent);
}

#[test]
fn a_port_that_is_taken_ends_the_start_and_names_the_setting() {
    let house = House::with_rules("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = iot_control()
        .arg("run")
        .arg(house.folder())
        .arg("--state")
        .arg(house.state())
        .env("IOT_CONTROL__MQTT__LISTEN", "127.0.0.1:0")
        .env("IOT_CONTROL__WEB__LISTEN", &address)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains(&format!("{address} is taken")), "{said}");
    assert!(said.contains("web.listen in settings.toml"), "{said}");
    assert!(!house.state().exists(), "nothing was changed before");
}
