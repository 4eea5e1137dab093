//! examples/presence.sh at a real dispatcher: phones that answer a ping or have a lease become people who are at home.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::harness::{Dispatcher, House, Kind, until};

const PEOPLE: &str = r#"
[device.people]
virtual = true
io.anna = { kind = "presence" }
io.ben = { kind = "presence" }

[rule.somebody-comes]
when = "people.anna.arrive"
do = "hall.lamp.on"

[rule.somebody-goes]
when = "people.anna.leave"
do = "hall.lamp.off"
"#;

const BENS_MAC: &str = "a4:c3:f0:12:34:56";

/// Answers for a phone whose address names a file beside it, as ping does for one that is in the network.
const PING: &str = "#!/bin/sh\nfor address; do :; done\ntest -e \"$(dirname \"$0\")/$address\"\n";

/// The network of a house: a `ping` and a list of leases of our own.
struct Phones(tempfile::TempDir);

impl Phones {
    fn new() -> Self {
        let phones = Self(tempfile::tempdir().unwrap());
        let ping = phones.file("ping");
        fs::write(&ping, PING).unwrap();
        fs::set_permissions(&ping, fs::Permissions::from_mode(0o755)).unwrap();
        phones
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn comes(&self, address: &str) {
        fs::write(self.file(address), "").unwrap();
    }

    fn goes(&self, address: &str) {
        fs::remove_file(self.file(address)).unwrap();
    }

    /// Starts the example, with the login of [`PEOPLE`].
    fn watch(&self, dispatcher: &Dispatcher<'_>, login: (&str, &str)) -> Script {
        let (user, password) = login;
        let options = format!(
            "-u {user}\n-P {password}\n-h 127.0.0.1\n-p {}\n",
            dispatcher.port()
        );
        fs::write(self.file("mosquitto_pub"), options).unwrap();
        let mut path = self.0.path().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/presence.sh");
        let bens = format!("ben={BENS_MAC}");
        let child = Command::new("sh")
            .arg(example)
            .args(["people", "anna=192.168.1.20", &bens])
            .env("PATH", path)
            .env("XDG_CONFIG_HOME", self.0.path())
            .env("LEASES", self.file("leases"))
            .env("EVERY_S", "0.05")
            .env("AWAY_AFTER", "3")
            .stdin(Stdio::null())
            .spawn();
        Script(child.unwrap())
    }
}

/// Ends with this value.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn phones_that_come_and_go_are_people_who_arrive_and_leave() {
    if !Kind::Mosquitto.is_installed() {
        return;
    }
    let house = House::with_rules(PEOPLE);
    let dispatcher = Dispatcher::start(&house, &[]);
    let added = dispatcher.ask(&["user", "add", "presence", "--device", "people"]);
    let password = added.ok().stdout.trim().to_owned();
    let phones = Phones::new();
    let far_future = 4_000_000_000_u64;
    let lease = format!(
        "{far_future} {} 192.168.1.21 bens-phone *\n",
        BENS_MAC.to_uppercase()
    );
    fs::write(phones.file("leases"), lease).unwrap();
    let _script = phones.watch(&dispatcher, ("presence", &password));
    let is = |who: &str, word: &str| {
        let is_it = || {
            let people = dispatcher.ask(&["device", "show", "people", "--json"]);
            let people = people.ok().json();
            (people["channels"][who]["reported"]["presence"] == word).then_some(())
        };
        until(&format!("{who} to be {word}"), is_it);
    };
    is("anna", "away");
    is("ben", "away");
    phones.comes("192.168.1.20");
    is("anna", "home");
    phones.comes("192.168.1.21");
    is("ben", "home");
    let lamp = |on: bool| {
        dispatcher.device_is("hall", "told", |hall| {
            hall["channels"]["lamp"]["target"]["on"] == on
        });
    };
    lamp(true);
    phones.goes("192.168.1.20");
    is("anna", "away");
    lamp(false);
    is("ben", "home");
    let refused = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(refused["refusals"], serde_json::json!({}));
}
