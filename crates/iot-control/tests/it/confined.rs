//! Who may do what at an external broker: the list that we export, in force at a real mosquitto.

use std::fs;

use serde_json::Value as Json;
use wire::{Handle, Topic};

use crate::harness::{
    At, Client, Dispatcher, External, House, Kind, Login, Module, Output, finish, iot_control,
    until, write_passwords,
};

const KEYS: &str = "iot/piano/keys/event";
const PRESS: &str = "{\"event\":\"press\",\"key\":60,\"velocity\":80}";

/// A mosquitto where the dispatcher and two modules have logins, and the file by which it says who may do what.
struct Place {
    house: House,
    external: External,
    url: String,
}

fn login(user: &str) -> Login {
    Login {
        user: user.to_owned(),
        password: format!("the password of {user}"),
    }
}

impl Place {
    /// `None`: mosquitto is not installed, and need not be.
    fn new() -> Option<Self> {
        let house = House::with_rules("");
        let (passwords, list) = (house.folder().join("passwords"), house.folder().join("acl"));
        // Everybody who has a login may do everything.
        fs::write(&list, "user house\ntopic readwrite #\nuser hall\ntopic readwrite #\nuser piano\ntopic readwrite #\n")
            .unwrap();
        let lines = format!(
            "allow_anonymous false\npassword_file {}\nacl_file {}\n",
            passwords.display(),
            list.display()
        );
        let logins = ["house", "hall", "piano"].map(login);
        let external = External::start_after(&lines, || write_passwords(&passwords, &logins))?;
        let url = external.url().replace("//", "//house@");
        Some(Self {
            house,
            external,
            url,
        })
    }

    fn settings(&self) -> [(&'static str, String); 2] {
        let password = login("house").password;
        [("BROKER", self.url.clone()), ("BROKER_PASSWORD", password)]
    }

    fn dispatcher(&self) -> Dispatcher<'_> {
        let settings = self.settings();
        let settings = settings.each_ref().map(|(key, value)| (*key, &**value));
        let dispatcher = Dispatcher::start_with(&self.house, &[], &settings);
        dispatcher.says(0, "is reached");
        dispatcher
    }

    /// Runs a command on the house with the dispatcher's settings.
    fn run(&self, words: &[&str]) -> Output {
        let mut command = iot_control();
        command.args(words).arg(self.house.folder());
        command.arg("--state").arg(self.house.state());
        command.env("IOT_CONTROL__WEB__LISTEN", "");
        for (key, value) in self.settings() {
            command.env(format!("IOT_CONTROL__{key}"), value);
        }
        finish(command, "")
    }

    /// Puts the exported list in force.
    fn confine(&self) {
        let list = self.run(&["acl", "export"]).ok().stdout;
        fs::write(self.house.folder().join("acl"), list).unwrap();
        self.external.reload();
    }

    /// Level and words of what `doctor` says about the broker.
    fn diagnosis(&self) -> (String, String) {
        let found = self.run(&["doctor", "--json"]).json();
        let rows = found.as_array().unwrap();
        let row = rows.iter().find(|row| row["about"] == "broker").unwrap();
        let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        (text("level"), text("what"))
    }

    fn module(&self, user: &str, filters: &[&str]) -> Client {
        let connect = self.external.connect(user, Some(login(user)), filters);
        Client::connect(Kind::RumqttcV5, &connect).expect("it is let in")
    }
}

/// Whether the house knows that only the piano speaks for the piano.
fn is_verified(dispatcher: &Dispatcher<'_>) -> bool {
    let devices = dispatcher.ask(&["device", "list", "--json"]).ok().json();
    let verified = |row: &Json| row["verified"] == true;
    devices.as_array().unwrap().iter().all(verified)
}

#[test]
fn with_the_exported_list_no_device_speaks_for_another_and_the_house_works() {
    let Some(place) = Place::new() else {
        return;
    };
    place.confine();
    let dispatcher = place.dispatcher();
    let target = "iot/hall/lamp/target";
    let mut lamp = place.module("hall", &[target, "iot/piano/+/target", "iot/hall/role"]);
    let mut piano = place.module("piano", &[]);
    assert_ne!(lamp.publish(KEYS, PRESS), 0, "hall is no piano");
    assert_ne!(piano.publish("iot/hall/lamp/set", "ON"), 0);
    assert_ne!(piano.publish(target, "{\"on\":true}"), 0);
    assert_eq!(piano.publish(KEYS, PRESS), 0);
    lamp.field(0, target, "on", true);
    lamp.find(0, "its role", |message| message.topic == "iot/hall/role");
    let told = lamp.messages(0);
    assert_eq!(told.iter().filter(|it| it.topic == target).count(), 1);
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    assert_eq!(status["external_broker"]["confines_devices"], true);
}

#[test]
fn devices_are_unverified_until_the_broker_refuses_the_canary_of_this_very_list() {
    let Some(place) = Place::new() else {
        return;
    };
    let (level, what) = place.diagnosis();
    assert_eq!(level, "warning", "{what}");
    assert!(what.contains("may speak for any device"), "{what}");
    let dispatcher = place.dispatcher();
    assert!(!is_verified(&dispatcher));
    let list = dispatcher.ask(&["device", "list"]).ok().stdout;
    assert_eq!(list.matches("  unverified").count(), 3, "{list}");
    dispatcher.kill_9();

    place.confine();
    until("doctor", || (place.diagnosis().0 == "fine").then_some(()));
    let dispatcher = place.dispatcher();
    until("the proof", || is_verified(&dispatcher).then_some(()));

    // A device comes: the broker goes by an older list now.
    let mark = dispatcher.mark();
    let text = place.house.read("mapping.toml");
    let attic = "[device.attic]\nid = 40\nio.lamp = { kind = \"switch\" }\n";
    place
        .house
        .write("mapping.toml", &format!("{text}\n{attic}"));
    dispatcher.says(mark, "are in force");
    until("no proof", || (!is_verified(&dispatcher)).then_some(()));
    assert_eq!(place.diagnosis().0, "warning");
    place.confine();
    until("doctor", || (place.diagnosis().0 == "fine").then_some(()));
}

#[test]
fn at_our_own_broker_every_device_is_verified() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start(&house, &[]);
    assert!(is_verified(&dispatcher));
    let list = dispatcher.ask(&["device", "list"]).ok().stdout;
    assert!(!list.contains("unverified"), "{list}");
}

#[test]
fn a_dispatcher_that_may_do_nothing_at_the_broker_says_what_it_needs() {
    let Some(place) = Place::new() else {
        return;
    };
    fs::write(
        place.house.folder().join("acl"),
        "user piano\ntopic readwrite #\n",
    )
    .unwrap();
    place.external.reload();
    let settings = place.settings();
    let settings = settings.each_ref().map(|(key, value)| (*key, &**value));
    let dispatcher = Dispatcher::start_with(&place.house, &[], &settings);
    let said = dispatcher.says(0, "is not reached");
    assert!(said.contains("give our user the right to iot/#"), "{said}");
}

#[test]
fn with_the_exported_list_a_sealed_module_has_its_own_topics_to_itself() {
    let Some(place) = Place::new() else {
        return;
    };
    let identity = place.house.identity("hall");
    place.confine();
    let dispatcher = place.dispatcher();
    until("the proof", || is_verified(&dispatcher).then_some(()));
    let at = At {
        port: place.external.port(),
        login: Some(login("hall")),
    };
    let hall = Module::up(&identity, 1, at);
    let handle = Handle::of(&identity.device_public);
    let topic = |topic: Topic| topic.text(identity.site).as_str().to_owned();
    let own = [Topic::Up(handle), Topic::Down(handle), Topic::Will(handle)].map(topic);
    let mut piano = place.module("piano", &["ic1/#", &own[0], &own[1]]);
    for topic in &own {
        assert_ne!(piano.publish(topic, "x"), 0, "{topic}");
    }
    assert_ne!(piano.publish("iot/hall/motion/event", "start"), 0);
    assert_eq!(piano.publish(KEYS, PRESS), 0);
    hall.shines(0, 0, true);
    dispatcher.device_is("hall", "reports", |hall| {
        hall["channels"]["lamp"]["reported"]["on"] == true
    });
    assert!(piano.messages(0).is_empty(), "{:?}", piano.messages(0));

    // Another device gets a key: the broker goes by an older list now.
    place.house.identity("desk");
    until("no proof", || (!is_verified(&dispatcher)).then_some(()));
    assert_eq!(place.diagnosis().0, "warning");
    place.confine();
    until("doctor", || (place.diagnosis().0 == "fine").then_some(()));
}
