//! `run --simulate` while somebody edits the house: modules go on as what they are in the new mapping.

use crate::{
    harness::{Client, Dispatcher, House, Kind},
    simulation::{example, simulated},
};

#[test]
fn a_reload_keeps_the_simulated_modules_in_step() {
    let house = House::copy(&example());
    let dispatcher = simulated(&house);
    let anybody = dispatcher.connect(None, &["iot/#"]);
    let watcher = Client::connect(Kind::RumqttcV5, &anybody).unwrap();
    let said = dispatcher.mark();
    let rules = house.read("rules.toml");
    let edited = rules.replace("event.key == 60", "event.key == 61");
    assert_ne!(rules, edited);
    // Its tests move with it.
    let tests = house.read("tests/light.test.toml");
    house.write(
        "tests/light.test.toml",
        &tests.replace("key = 60", "key = 61"),
    );
    house.write("rules.toml", &edited);
    dispatcher.says(said, "are in force");
    dispatcher.device_is("hall", "is simulated again", |hall| hall["online"] == true);
    let mark = watcher.mark();
    dispatcher.device_is("piano", "is simulated again", |piano| {
        piano["online"] == true
    });
    dispatcher.ask(&["press", "piano.keys", "key=61"]).ok();
    watcher.field(mark, "iot/hall/lamp/state", "on", true);
}

/// A house that says when its hall arrives, edited while its simulated modules run.
struct Edited<'h> {
    house: &'h House,
    dispatcher: Dispatcher<'h>,
    watcher: Client,
}

impl<'h> Edited<'h> {
    fn start(house: &'h House) -> Self {
        let dispatcher = simulated(house);
        let anybody = dispatcher.connect(None, &["iot/#"]);
        let watcher = Client::connect(Kind::RumqttcV5, &anybody).expect("nobody needs a user");
        dispatcher.device_is("desk", "is lit by who arrives", |desk| is_on(desk, "lamp"));
        dispatcher.ask(&["press", "desk.button"]).ok();
        dispatcher.device_is("desk", "is dark again", |desk| !is_on(desk, "lamp"));
        dispatcher.ask(&["press", "attic.lux", "lux=7"]).ok();
        dispatcher.device_is("attic", "says how dark it is", is_dark);
        Self {
            house,
            dispatcher,
            watcher,
        }
    }

    /// Edits the mapping, and waits until `device` says how it is; gives what was said on its way there.
    fn replace(&self, edits: &[(&str, &str)], device: &str) -> Vec<(String, String)> {
        let text = self.house.read("mapping.toml");
        let mark = self.watcher.mark();
        let edited = edits
            .iter()
            .fold(text.clone(), |text, (from, to)| text.replace(from, to));
        assert_ne!(edited, text);
        self.house.write("mapping.toml", &edited);
        let state = format!("iot/{device}/lamp/state");
        self.watcher
            .find(mark, "it says how it is", |message| message.topic == state);
        // Whoever went as well would be back by then, or not answer.
        self.dispatcher.ask(&["press", "piano.keys", "key=62"]).ok();
        self.watcher.find(mark, "the hall obeys", |message| {
            message.topic == "iot/hall/lamp/state"
        });
        let said = self.watcher.messages(mark).into_iter();
        said.map(|said| {
            (
                said.topic,
                String::from_utf8_lossy(&said.payload).into_owned(),
            )
        })
        .collect()
    }
}

fn is_on(device: &serde_json::Value, channel: &str) -> bool {
    device["channels"][channel]["reported"]["on"] == true
}

fn is_dark(device: &serde_json::Value) -> bool {
    device["channels"]["lux"]["reported"]["lux"] == 7.0
}

fn greeting_house() -> House {
    House::with_rules(
        r#"
[device.attic]
id = 31
io.lux = { kind = "lux" }

[rule.greet]
when = "hall.online"
do = "desk.lamp.on"
"#,
    )
}

#[test]
fn an_edit_leaves_simulated_modules_connected_also_those_with_another_role() {
    let house = greeting_house();
    let edited = Edited::start(&house);
    let porch = "[device.porch]\nid = 9\nio.lamp = { kind = \"switch\" }\n\n[device.piano]";
    let another_pin = ("kind = \"button\", pin = 10", "kind = \"button\", pin = 9");
    let one_more = ("io.lux = ", "io.lamp = { kind = \"switch\" }\nio.lux = ");
    for (edit, device) in [
        (("[device.piano]", porch), "porch"),
        (another_pin, "desk"),
        (one_more, "attic"),
    ] {
        let said = edited.replace(&[edit], device);
        // One that is new is not there yet.
        let gone = said.iter().filter(|(topic, payload)| {
            topic.ends_with("/availability") && payload == "offline" && !topic.contains("porch")
        });
        assert_eq!(gone.count(), 0, "{said:?}");
        assert!(
            !is_on(&edited.dispatcher.device("desk"), "lamp"),
            "nobody arrived"
        );
        assert!(is_dark(&edited.dispatcher.device("attic")));
    }
    // What a role has anew is obeyed as what it had.
    let mut watcher = edited.watcher;
    watcher.publish("iot/attic/lamp/set", r#"{"on":true}"#);
    watcher.field(0, "iot/attic/lamp/state", "on", true);
    let told = edited.dispatcher.ask(&["events", "--since", "-1h"]).ok();
    assert!(!told.stdout.contains("offline"), "{told:?}");
}

#[test]
fn a_simulated_module_is_what_it_was_under_another_name() {
    let house = greeting_house();
    let edited = Edited::start(&house);
    let renamed = [("device.desk]", "device.table]"), ("desk.", "table.")];
    edited.dispatcher.ask(&["press", "desk.button"]).ok();
    edited
        .dispatcher
        .device_is("desk", "is lit", |desk| is_on(desk, "lamp"));
    edited.replace(&renamed, "table");
    let lit = edited.watcher.field(0, "iot/table/lamp/state", "on", true);
    let said = edited.watcher.messages(0);
    let states = said.iter().filter(|said| said.topic == lit.topic);
    assert!(
        states.clone().all(|said| said.json()["on"] == true),
        "{states:?}"
    );
    edited.dispatcher.ask(&["press", "table.button"]).ok();
    edited
        .dispatcher
        .device_is("table", "is dark", |table| !is_on(table, "lamp"));
}
