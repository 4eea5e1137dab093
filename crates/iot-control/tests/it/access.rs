//! Who is let in, and what they may say and hear.

use serde_json::json;

use crate::harness::{Client, House, Kind, Login, Message, run};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

/// What MQTT 5 answers where a right is missing.
const NOT_AUTHORIZED: u8 = 0x87;

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

#[test]
fn a_wrong_password_an_unknown_user_and_nobody_are_refused() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let right = house.device_login("hall");
    let wrong = Login {
        password: "hall".into(),
        ..right.clone()
    };
    let unknown = Login {
        user: "hell".into(),
        ..right.clone()
    };
    let empty = Login {
        password: String::new(),
        ..right.clone()
    };
    for kind in Kind::installed() {
        for login in [Some(&wrong), Some(&unknown), Some(&empty), None] {
            let connect = dispatcher.connect(login.cloned(), &[TARGET]);
            let refused = Client::connect(kind, &connect).err();
            assert!(refused.is_some(), "{kind:?} {login:?}");
        }
        let connect = dispatcher.connect(Some(right.clone()), &[TARGET]);
        assert!(Client::connect(kind, &connect).is_ok(), "{kind:?}");
    }
    dispatcher.says(0, "refused: login as 'hall'");
}

#[test]
fn a_device_that_speaks_on_the_topic_of_another_is_not_heard() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    for kind in Kind::installed() {
        let mut desk = dispatcher.device_client(kind, "desk", &[]);
        let mark = watcher.mark();
        for (topic, payload) in [
            (KEYS, press(60)),
            ("iot/hall/lamp/state", r#"{"on":true}"#.into()),
            ("iot/hall/availability", "offline".into()),
            (TARGET, r#"{"on":true}"#.into()),
            ("iot/desk/lamp/target", r#"{"on":true}"#.into()),
            ("iot/desk/lamp/set", "ON".into()),
            ("iot/dispatcher/availability", "offline".into()),
            ("home/anything", "1".into()),
        ] {
            let reason = desk.publish(topic, &payload);
            if kind.is_v5() {
                assert_eq!(reason, NOT_AUTHORIZED, "{kind:?} {topic}");
            }
        }
        // What is its own arrives, and nothing of the rest came before.
        desk.publish("iot/desk/lamp/state", r#"{"on":false}"#);
        watcher.field(mark, "iot/desk/lamp/state", "on", false);
        let forged = |message: &Message| {
            !message.topic.starts_with("iot/desk/") || message.json()["on"] == true
        };
        let mut came = watcher.messages(mark);
        came.retain(forged);
        assert_eq!(came, [], "{kind:?}");
    }
}

#[test]
fn a_device_that_subscribes_to_everything_hears_nothing_of_others() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    let mut on = false;
    for kind in Kind::installed() {
        let filters = ["#", "iot/#", KEYS, "iot/desk/lamp/target", "$SYS/#", TARGET];
        let hall = dispatcher.device_client(kind, "hall", &filters);
        for (filter, grant) in filters.iter().zip(hall.grants()) {
            let refused = if kind.is_v5() { NOT_AUTHORIZED } else { 0x80 };
            let foreign = matches!(*filter, "iot/desk/lamp/target" | KEYS);
            assert!(!foreign || *grant == refused, "{kind:?} {filter} {grant}");
        }
        assert_eq!(hall.grants().last(), Some(&1), "{kind:?}: its own target");

        let mark = hall.mark();
        let mut desk = dispatcher.device_client(Kind::RumqttcV5, "desk", &[]);
        desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
        on = !on;
        piano.publish(KEYS, &press(if on { 60 } else { 61 }));
        hall.field(mark, TARGET, "on", on);
        for message in hall.messages(0) {
            assert!(
                message.topic.starts_with("iot/hall/"),
                "{kind:?} {message:?}"
            );
        }
    }
}

#[test]
fn a_program_sees_all_and_asks_but_does_not_speak_for_devices() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let mut program = dispatcher.watcher();
    for topic in [KEYS, "iot/hall/lamp/state", TARGET, "iot/hall/availability"] {
        let reason = program.publish(topic, &press(60));
        assert_eq!(reason, NOT_AUTHORIZED, "{topic}");
    }
    assert_eq!(program.publish("iot/hall/lamp/set", "ON"), 0);
    program.field(0, TARGET, "on", true);
}

#[test]
fn a_person_logs_in_with_the_password_they_chose() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let state = house.state();
    let add = |password: &str| {
        let words = ["user", "add", "anna", "--password-stdin", "--state"];
        run(words.iter().copied().chain(state.to_str()), password)
    };
    let short = add("short\n");
    assert_eq!(short.code, Some(1), "{short:?}");
    assert_eq!(add("open sesame\n").ok().stdout, "", "nothing to print");
    let anna = Login {
        user: "anna".into(),
        password: "open sesame".into(),
    };
    let connect = dispatcher.connect(Some(anna), &["iot/#"]);
    let mut anna = Client::connect(Kind::RumqttcV5, &connect).expect("she is let in");
    anna.publish("iot/hall/lamp/set", "ON");
    anna.field(0, TARGET, "on", true);

    let list = dispatcher.ask(&["user", "list", "--json"]).ok();
    let anna_listed = json!([{ "name": "anna", "kind": "person", "device": null }]);
    assert_eq!(list.json(), anna_listed);
    assert!(!list.stdout.contains('$'), "no hash is shown");

    dispatcher.ask(&["user", "remove", "anna"]).ok();
    anna.lost();
    assert!(Client::connect(Kind::RumqttcV5, &connect).is_err());
}

#[test]
fn users_that_were_added_while_it_runs_and_while_it_does_not_outlive_kill_9() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    house.device_login("hall");
    assert_eq!(dispatcher.interrupt(), Some(0));
    drop(dispatcher);
    house.device_login("piano");
    let dispatcher = house.start().kill_9_and_restart();
    for device in ["hall", "piano"] {
        dispatcher.device_client(Kind::RumqttcV4, device, &[]);
    }
}

#[test]
fn a_login_of_a_device_that_the_house_has_not_is_refused_with_the_nearest_name() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let refused = dispatcher.ask(&["user", "add", "x", "--device", "hal"]);
    assert_eq!(refused.stdout, "", "a password that is nobody's");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("did you mean hall?"), "{refused:?}");
}
