//! Who looks for the house on the local network finds it: a zeroconf of another make and language beside the binary.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::Value as Json;

use crate::harness::{Dispatcher, House, Log, python_can, python_path, say_if_missing};

const MQTT: &str = "_mqtt._tcp.local.";
const SEALED: &str = "_iot-control._udp.local.";
const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");
/// The network of a test is this machine.
const LOOPBACK: (&str, &str) = ("MDNS__INTERFACES", "lo");

/// A program that looks for houses; killed when dropped.
struct Seeker {
    child: Child,
    told: Log<Json>,
}

impl Seeker {
    /// Starts one; `None`: it is not installed, and need not be.
    fn start() -> Option<Self> {
        if !say_if_missing("zeroconf", python_can("zeroconf")) {
            return None;
        }
        let agent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/agents/on_zeroconf.py");
        let mut child = Command::new("python3")
            .arg(agent)
            .args([MQTT, SEALED])
            .env("PYTHONPATH", python_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is installed");
        let out = child.stdout.take().expect("it is piped");
        let told = Log::default();
        let log = told.clone();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                log.push(serde_json::from_str(&line).expect("an agent tells JSON"));
            }
        });
        Some(Self { child, told })
    }

    /// What it tells of the service of this kind at this port, and of no other house.
    fn finds(&self, kind: &str, port: u16) -> Json {
        self.told.find(0, kind, |told| {
            (told["type"] == kind && told["port"] == port).then(|| told.clone())
        })
    }
}

impl Drop for Seeker {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn who_looks_for_the_house_finds_it_with_what_tells_it_from_others_until_it_ends() {
    let Some(seeker) = Seeker::start() else {
        return;
    };
    let house = House::with_rules("");
    let site = house.identity("piano").site;
    let mut dispatcher = Dispatcher::start_with(&house, &[], &[UDP, LOOPBACK]);
    let mqtt = seeker.finds(MQTT, dispatcher.port());
    assert_eq!(mqtt["addresses"], serde_json::json!(["127.0.0.1"]));
    let sealed = seeker.finds(SEALED, dispatcher.sealed().port());
    let hex = site.0.iter().map(|byte| format!("{byte:02x}"));
    assert_eq!(sealed["texts"]["site"], hex.collect::<String>());

    let name = mqtt["name"].clone();
    assert_eq!(dispatcher.interrupt(), Some(0));
    seeker.told.find(0, "that it is gone", |told| {
        (told["name"] == name && told["is_there"] == false).then_some(())
    });
}

#[test]
fn a_house_that_is_not_to_be_found_is_not() {
    let Some(seeker) = Seeker::start() else {
        return;
    };
    let (silent, told) = (House::with_rules(""), House::with_rules(""));
    let off = [LOOPBACK, ("MDNS__ANNOUNCE", "off")];
    let silent = Dispatcher::start_with(&silent, &[], &off);
    // What starts later is found, so what came before would have been.
    let told = Dispatcher::start_with(&told, &[], &[LOOPBACK]);
    seeker.finds(MQTT, told.port());
    let ports = seeker.told.since(0);
    assert!(ports.iter().all(|told| told["port"] != silent.port()));
}
