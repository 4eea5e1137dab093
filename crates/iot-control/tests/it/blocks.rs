//! The blocklist: effective at once, durable before it says so, whatever the mapping says.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    thread,
};

use serde_json::json;

use crate::harness::{Client, Dispatcher, House, Kind, Will, run};

const KEYS: &str = "iot/piano/keys/event";
const TARGET: &str = "iot/hall/lamp/target";

fn press(key: u32) -> String {
    json!({ "event": "press", "key": key, "velocity": 80 }).to_string()
}

/// Makes something else happen and waits for it: what was to come before has come.
fn barrier(dispatcher: &Dispatcher<'_>, watcher: &Client) {
    let mark = watcher.mark();
    let mut desk = dispatcher.device_client(Kind::RumqttcV4, "desk", &[]);
    desk.publish("iot/desk/button/event", r#"{"event":"press"}"#);
    let told = |message: &crate::harness::Message| message.topic == "iot/desk/lamp/target";
    watcher.find(mark, "the desk lamp's target", told);
}

fn targets(watcher: &Client, mark: usize) -> Vec<String> {
    let all = watcher.messages(mark).into_iter();
    all.filter(|message| message.topic == TARGET)
        .map(|message| String::from_utf8(message.payload).unwrap())
        .collect()
}

#[test]
fn a_device_that_floods_is_read_slower_and_told_while_others_switch_lights() {
    let house = House::with_rules("");
    house.write("settings.toml", "[journal]\nsize_mib_max = 1\n");
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);
    let told = dispatcher.mark();
    // A quarter of the journal, and not much more: the rest fits into the sockets.
    for _ in 0..12_000 {
        piano.send(KEYS, press(1).as_bytes(), 0);
    }
    dispatcher.says(told, "from now on 64 KiB a day are taken from it");
    barrier(&dispatcher, &watcher);
}

#[test]
fn a_blocked_piano_is_deaf_at_once_and_hears_again_when_unblocked() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV5, "piano", &[]);

    let words = ["device", "block", "piano", "--as", "producer"];
    dispatcher.ask(&words).ok();
    let mark = watcher.mark();
    assert_eq!(piano.publish(KEYS, &press(60)), 0, "it is acknowledged");
    barrier(&dispatcher, &watcher);
    assert_eq!(targets(&watcher, mark), [""; 0]);
    let shown = dispatcher.device("piano");
    assert_eq!(shown["blocked"], "producer");
    assert_eq!(shown["counters"]["blocked-in"], 1, "{shown:#}");

    dispatcher.ask(&["device", "unblock", "piano"]).ok();
    piano.publish(KEYS, &press(60));
    watcher.field(mark, TARGET, "on", true);
    assert_eq!(dispatcher.device("piano")["blocked"], "");
}

#[test]
fn a_device_that_is_renamed_by_hand_stays_blocked_until_it_is_unblocked() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    dispatcher.ask(&["device", "block", "piano"]).ok();
    let list = house.read("blocklist.toml");
    assert!(list.contains("piano") && list.contains("17"), "{list}");

    let mapping = house.read("mapping.toml");
    let said = dispatcher.mark();
    house.write("mapping.toml", &mapping.replace("piano", "organ"));
    dispatcher.says(said, "the edited files are in force");
    assert_eq!(dispatcher.device("organ")["blocked"], "both");

    dispatcher.ask(&["device", "unblock", "organ"]).ok();
    assert_eq!(dispatcher.device("organ")["blocked"], "");
    assert!(!house.read("blocklist.toml").contains("piano"));
    let said = dispatcher.mark();
    house.write("mapping.toml", &mapping);
    dispatcher.says(said, "the edited files are in force");
    assert_eq!(dispatcher.device("piano")["blocked"], "", "by either");
}

#[test]
fn a_device_that_is_blocked_by_its_name_alone_stays_so_through_a_rename() {
    let house = House::with_rules("");
    let by_name = "[[block]]\ndevice = \"hall\"\nas = \"consumer\"\n";
    house.write("blocklist.toml", by_name);
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    piano.publish(KEYS, &press(60));
    barrier(&dispatcher, &watcher);

    let (mark, said) = (watcher.mark(), dispatcher.mark());
    let folder = house.folder().to_str().unwrap().to_owned();
    run(["rename", &folder, "hall", "floor"], "").ok();
    assert!(house.read("blocklist.toml").contains("floor"));
    dispatcher.says(said, "the edited files are in force");
    barrier(&dispatcher, &watcher);
    assert_eq!(dispatcher.device("floor")["blocked"], "consumer");
    let told: Vec<String> = watcher
        .messages(mark)
        .into_iter()
        .filter(|message| message.topic.ends_with("/target") || message.topic.ends_with("/role"))
        .filter(|message| !message.topic.starts_with("iot/desk/") && !message.payload.is_empty())
        .map(|message| message.topic)
        .collect();
    assert_eq!(told, [""; 0]);
}

#[test]
fn a_block_that_an_edit_lifts_holds_until_its_mapping_is_in_force() {
    let house = House::with_rules("");
    let block = |name: &str| {
        let text = format!("[[block]]\ndevice = \"{name}\"\nas = \"consumer\"\n");
        house.write("blocklist.toml", &text);
    };
    block("hall");
    let dispatcher = house.start();
    let mapping = house.read("mapping.toml");
    let said = dispatcher.mark();
    // Not what a rename leaves, but as bad as one whose tests fail.
    house.write("mapping.toml", &format!("{mapping}\n[rule.bad]\n"));
    block("piano");
    dispatcher.says(said, "blocks that blocklist.toml lifts hold");
    let blocked = |name: &str| dispatcher.device(name)["blocked"].clone();
    assert_eq!(
        (blocked("hall"), blocked("piano")),
        ("consumer".into(), "consumer".into())
    );
    // Nor do later edits of the list alone, with what it listed before.
    for name in ["hall", "piano"] {
        let said = dispatcher.mark();
        block(name);
        dispatcher.device_is("hall", "is blocked", |hall| hall["blocked"] == "consumer");
        if name == "piano" {
            dispatcher.says(said, "blocks that blocklist.toml lifts hold");
        }
    }
    // Nor does a start lift it, with the mapping that goes on.
    let dispatcher = dispatcher.kill_9_and_restart();
    dispatcher.says(0, "blocks that blocklist.toml lifts hold");
    let blocked = |name: &str| dispatcher.device(name)["blocked"].clone();
    assert_eq!(blocked("hall"), "consumer");
    let said = dispatcher.mark();
    house.write("mapping.toml", &mapping);
    dispatcher.says(said, "the files are again as they are in force");
    dispatcher.device_is("hall", "is not blocked", |hall| hall["blocked"] == "");
    assert_eq!(blocked("piano"), "consumer");
}

#[test]
fn of_devices_without_a_number_the_blocked_one_is_blocked_and_no_other() {
    let house = House::new(
        "format = 1\n\
        [device.mode]\nvirtual = true\nio.evening = { kind = \"button\" }\n\
        [device.phones]\nvirtual = true\nio.anna = { kind = \"presence\" }\n",
    );
    let mut dispatcher = house.start();
    let blocked = |dispatcher: &Dispatcher<'_>| {
        ["mode", "phones"].map(|name| dispatcher.device(name)["blocked"].to_string())
    };
    dispatcher.ask(&["device", "block", "mode"]).ok();
    assert_eq!(blocked(&dispatcher), ["\"both\"", "\"\""]);
    dispatcher = dispatcher.kill_9_and_restart();
    assert_eq!(blocked(&dispatcher), ["\"both\"", "\"\""]);
    dispatcher.ask(&["device", "block", "phones"]).ok();
    dispatcher.ask(&["device", "unblock", "mode"]).ok();
    assert_eq!(blocked(&dispatcher), ["\"\"", "\"both\""]);
    drop(dispatcher);
    // As earlier versions wrote it.
    let list = "[[block]]\ndevice = \"mode\"\nid = 0\nas = \"both\"\n";
    house.write("blocklist.toml", list);
    let dispatcher = house.start();
    assert_eq!(blocked(&dispatcher), ["\"both\"", "\"\""]);
    dispatcher.ask(&["device", "unblock", "mode"]).ok();
    assert_eq!(blocked(&dispatcher), ["\"\"", "\"\""]);
}

#[test]
fn a_blocklist_that_is_a_link_stays_one_and_keeps_its_rights() {
    let house = House::with_rules("");
    let kept = house.folder().join("kept");
    fs::create_dir(&kept).unwrap();
    let real = kept.join("blocks.toml");
    fs::write(&real, "# ours\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    let link = house.folder().join("blocklist.toml");
    symlink(&real, &link).unwrap();
    let dispatcher = house.start();
    dispatcher.ask(&["device", "block", "piano"]).ok();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let text = fs::read_to_string(&real).unwrap();
    assert!(
        text.contains("# ours\n") && text.contains("piano"),
        "{text}"
    );
    let mode = fs::metadata(&real).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(
        fs::read_dir(&kept).unwrap().count(),
        1,
        "nothing is left behind"
    );
}

#[test]
fn a_device_blocked_both_ways_loses_its_session_and_gets_no_other() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let login = house.device_login("piano");
    for kind in Kind::installed() {
        let piano = dispatcher.device_client(kind, "piano", &["iot/piano/role"]);
        dispatcher.ask(&["device", "block", "piano"]).ok();
        piano.lost();
        let connect = dispatcher.connect(Some(login.clone()), &["iot/piano/role"]);
        let refused = Client::connect(kind, &connect).err();
        assert!(refused.is_some(), "{kind:?} is kept out");
        dispatcher.ask(&["device", "unblock", "piano"]).ok();
        let back = Client::connect(kind, &connect);
        assert!(back.is_ok(), "{kind:?} is let in again");
    }
}

#[test]
fn a_blocked_device_has_no_last_word() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let state = "iot/hall/lamp/state";
    let login = house.device_login("hall");
    let mut connect = dispatcher.connect(Some(login), &["iot/hall/role"]);
    connect.will = Some(Will {
        topic: state.into(),
        payload: r#"{"on":true}"#.into(),
    });
    let hall = Client::connect(Kind::RumqttcV5, &connect).expect("it is let in");
    let mark = watcher.mark();
    dispatcher.ask(&["device", "block", "hall"]).ok();
    hall.lost();
    let gone = |message: &crate::harness::Message| message.topic == "iot/hall/availability";
    assert_eq!(
        watcher.find(mark, "that it is gone", gone).payload,
        b"offline"
    );
    barrier(&dispatcher, &watcher);
    let said = watcher.messages(mark).into_iter();
    assert_eq!(said.filter(|message| message.topic == state).count(), 0);
}

#[test]
fn a_block_survives_kill_9_right_after_its_ok() {
    let house = House::with_rules("");
    let mut dispatcher = house.start();
    for round in 0..3 {
        let words = [
            "device",
            "block",
            "piano",
            "--as",
            "producer",
            "--why",
            "it is late",
        ];
        dispatcher.ask(&words).ok();
        dispatcher = dispatcher.kill_9_and_restart();
        assert_eq!(dispatcher.device("piano")["blocked"], "producer", "{round}");
        let list = house.read("blocklist.toml");
        assert!(
            list.contains("piano") && list.contains("it is late"),
            "{list}"
        );

        let watcher = dispatcher.watcher();
        let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
        let mark = watcher.mark();
        piano.publish(KEYS, &press(60));
        barrier(&dispatcher, &watcher);
        assert_eq!(targets(&watcher, mark), [""; 0], "{round}");

        dispatcher.ask(&["device", "unblock", "piano"]).ok();
        dispatcher = dispatcher.kill_9_and_restart();
        assert_eq!(dispatcher.device("piano")["blocked"], "", "{round}");
    }
}

#[test]
fn blocks_that_change_at_once_change_one_after_the_other_and_none_is_lost() {
    const DEVICES: usize = 8;
    let devices: String = (0..DEVICES)
        .map(|n| {
            format!(
                "[device.d{n}]\nid = {}\nio.button = {{ kind = \"button\" }}\n",
                n + 1
            )
        })
        .collect();
    let house = House::new(&format!("format = 1\n{devices}"));
    house.write("blocklist.toml", "# by hand\n");
    let mut dispatcher = house.start();
    let (list, state) = (house.folder().join("blocklist.toml"), house.state());
    let written = || {
        let text = fs::read_to_string(&list).unwrap();
        let read = mapping::blocklist::parse("blocklist.toml", &text);
        let blocks = read.blocks.unwrap_or_else(|| panic!("{text}"));
        let name = |block: &mapping::blocklist::Block| match &block.subject {
            mapping::blocklist::Subject::Name(name) => name.to_string(),
            subject => panic!("{subject:?}"),
        };
        blocks.iter().map(name).collect::<BTreeSet<_>>()
    };
    let mut expected = BTreeSet::new();
    for round in 0..4 {
        // Half of them are blocked and half are not; each changes.
        let changes: Vec<(String, bool)> = (0..DEVICES)
            .map(|n| format!("d{n}"))
            .filter(|name| round > 0 || *name < format!("d{}", DEVICES / 2))
            .map(|name| (name.clone(), !expected.contains(&name)))
            .collect();
        thread::scope(|scope| {
            for (name, block) in &changes {
                scope.spawn(|| {
                    let word = if *block { "block" } else { "unblock" };
                    let words = ["device", word, name, "--state", state.to_str().unwrap()];
                    run(words, "").ok();
                    assert_eq!(written().contains(name), *block, "written before its OK");
                });
            }
        });
        for (name, block) in changes {
            match block {
                true => expected.insert(name),
                false => expected.remove(&name),
            };
        }
        assert_eq!(written(), expected, "round {round}");
        assert!(house.read("blocklist.toml").contains("# by hand"));
        dispatcher = dispatcher.kill_9_and_restart();
        for n in 0..DEVICES {
            let name = format!("d{n}");
            let is = dispatcher.device(&name)["blocked"] == "both";
            assert_eq!(is, expected.contains(&name), "round {round}: {name}");
        }
    }
}

#[test]
fn nothing_is_sent_to_a_blocked_consumer_and_its_retained_target_goes() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let watcher = dispatcher.watcher();
    let mut piano = dispatcher.device_client(Kind::RumqttcV4, "piano", &[]);
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET, "iot/hall/role"]);
    piano.publish(KEYS, &press(60));
    lamp.field(0, TARGET, "on", true);

    let words = ["device", "block", "hall", "--as", "consumer"];
    dispatcher.ask(&words).ok();
    watcher.text(0, TARGET, "");
    watcher.text(0, "iot/hall/role", "");
    let (mark, seen) = (lamp.mark(), watcher.mark());
    piano.publish(KEYS, &press(61));
    barrier(&dispatcher, &watcher);
    assert_eq!(targets(&watcher, seen), [""; 0]);
    assert_eq!(targets(&lamp, mark), [""; 0]);
    lamp.vanish();
    let lamp = dispatcher.device_client(Kind::RumqttcV5, "hall", &[TARGET, "iot/hall/role"]);

    dispatcher.ask(&["device", "unblock", "hall"]).ok();
    let target = lamp.field(0, TARGET, "on", false);
    let old = lamp.messages(0).into_iter();
    let old: Vec<_> = old
        .filter(|of| of.topic == TARGET && of.at < target.at)
        .collect();
    assert_eq!(old, [], "nothing was kept for it");
    let role = lamp.find(0, "its role", |of| of.topic == "iot/hall/role");
    assert_eq!(role.json()["io"]["lamp"]["kind"], "dimmer");
}

#[test]
fn an_edited_blocklist_takes_effect_and_a_broken_one_does_not() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    house.write(
        "blocklist.toml",
        "[[block]]\ndevice = \"piano\"\nas = \"producer\"\n",
    );
    dispatcher.device_is("piano", "is blocked", |piano| {
        piano["blocked"] == "producer"
    });
    let mark = dispatcher.mark();
    house.write("blocklist.toml", "[[block]]\ndevise = \"piano\"\n");
    dispatcher.says(mark, "blocklist.toml:");
    dispatcher.says(mark, "not in force");
    assert_eq!(dispatcher.device("piano")["blocked"], "producer");
    let mark = dispatcher.mark();
    house.write(
        "blocklist.toml",
        "[[block]]\ndevice = \"piano\"\nas = \"producer\"\n",
    );
    dispatcher.says(mark, "blocklist.toml is in force");
    house.write("blocklist.toml", "");
    dispatcher.device_is("piano", "is heard again", |piano| piano["blocked"] == "");
}

#[test]
fn a_block_of_nobody_is_said_by_the_check_and_by_the_dispatcher() {
    let house = House::with_rules("");
    let nobody = "[[block]]\ndevice = \"paino\"\n";
    let warning = "this blocks nobody: the house has no device `paino`";
    let dispatcher = house.start();
    let mark = dispatcher.mark();
    house.write("blocklist.toml", nobody);
    dispatcher.says(mark, warning);
    dispatcher.says(mark, "blocklist.toml is in force");
    drop(dispatcher);
    let checked = run(["check", house.folder().to_str().unwrap()], "").ok();
    assert!(checked.stderr.contains(warning), "{checked:?}");
    assert!(checked.stderr.contains("blocklist.toml:2"), "{checked:?}");
    assert!(
        checked.stderr.contains("did you mean `piano`?"),
        "{checked:?}"
    );
    house.start().says(0, warning);
}

#[test]
fn a_block_of_a_device_that_the_house_has_not_names_the_nearest() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let refused = dispatcher.ask(&["device", "block", "paino"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("did you mean piano?"),
        "{refused:?}"
    );
    let refused = dispatcher.ask(&["device", "unblock", "piano"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("not blocked"), "{refused:?}");
}

#[test]
fn a_press_on_a_blocked_device_says_that_nothing_came_of_it() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start(&house, &["--simulate"]);
    for direction in ["producer", "both"] {
        dispatcher
            .ask(&["device", "block", "piano", "--as", direction])
            .ok();
        let pressed = dispatcher.ask(&["press", "piano.keys", "key=60"]);
        assert_eq!(pressed.code, Some(1), "{pressed:?}");
        assert_eq!(pressed.stdout, "", "{pressed:?}");
        let said = "piano is blocked: what it says is not heard, so nothing came of piano.keys.press key=60";
        assert!(pressed.stderr.contains(said), "{pressed:?}");
        assert!(
            pressed
                .stderr
                .contains("`iot-control device unblock piano`"),
            "{pressed:?}"
        );
        dispatcher.ask(&["device", "unblock", "piano"]).ok();
    }
    dispatcher
        .ask(&["device", "block", "piano", "--as", "consumer"])
        .ok();
    dispatcher.ask(&["press", "piano.keys", "key=60"]).ok();
}
