//! Modules on the sealed link, over real sockets: the firmware's own runtime against the binary.

use std::{
    collections::VecDeque,
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use device::Sample;
use serde_json::json;
use wire::{Handle, Identity, PublicKey, Secret};

use crate::harness::{
    Client, Dispatcher, Faults, House, Kind, Module, Network, PIANO_AND_LAMPS, finish, iot_control,
    run, until,
};

const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");

/// Places of channels: in the order of their names.
const PIANO_KEYS: u8 = 0;
const HALL_LAMP: u8 = 0;
const DESK_BUTTON: u8 = 0;
const DESK_LAMP: u8 = 1;

fn start(house: &House) -> Dispatcher<'_> {
    Dispatcher::start_with(house, &[], &[UDP])
}

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_device_gets_a_key_whether_the_dispatcher_runs_or_not() {
    let house = House::with_rules("");
    let before = house.identity("piano");
    let dispatcher = start(&house);
    let after = house.identity("desk");
    assert_eq!(before.dispatcher, after.dispatcher, "one house");
    assert_eq!(before.site, after.site);
    assert_ne!(before.psk.expose(), after.psk.expose());
    let listed = dispatcher.ask(&["device", "list", "--json"]).ok().json();
    let sealed = |name: &str| {
        let mut devices = listed.as_array().unwrap().iter();
        let device = devices.find(|device| device["name"] == name);
        device.unwrap()["sealed"].clone()
    };
    for (name, identity) in [("piano", &before), ("desk", &after)] {
        let handle = Handle::of(&identity.device_public).to_string();
        assert_eq!(sealed(name), json!(handle));
        assert_eq!(dispatcher.device(name)["sealed"], json!(handle));
    }
    assert_eq!(sealed("hall"), json!(null));
    let text = dispatcher.ask(&["device", "list"]).ok().stdout;
    let rows: Vec<&str> = text.lines().filter(|row| row.contains("sealed")).collect();
    assert_eq!(rows.len(), 2, "{text}");
}

#[test]
fn without_a_dispatcher_the_devices_that_have_a_key_are_listed() {
    let house = House::with_rules("");
    let identity = house.identity("piano");
    let state = house.state();
    let words = [
        "device",
        "list",
        "--json",
        "--state",
        state.to_str().unwrap(),
    ];
    let listed = run(words, "").ok().json();
    let handle = Handle::of(&identity.device_public).to_string();
    assert_eq!(listed[0]["name"], "piano");
    assert_eq!(listed[0]["sealed"], json!(handle));
}

#[test]
fn secrets_lie_where_nobody_else_can_read_them_and_the_devices_own_nowhere() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("piano");
    let keys = house.state().join("keys");
    assert_eq!(mode(&keys), 0o700);
    for entry in fs::read_dir(&keys).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    let secret = identity.device_secret.expose();
    let mut folders = vec![house.state()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let bytes = fs::read(&path).unwrap();
                let found = bytes.windows(32).any(|window| window == secret);
                assert!(!found, "{}", path.display());
            }
        }
    }
    let said = dispatcher.said(0);
    for secret in [&identity.device_secret, &identity.psk] {
        let hex: String = { secret.expose().iter() }
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(!said.contains(&hex), "{said}");
    }
}

#[test]
fn an_identity_is_written_for_its_owner_alone_and_never_over_another_file() {
    let house = House::with_rules("");
    let (folder, state) = (house.folder(), house.state());
    let add = |out: &str| {
        let mut command = iot_control();
        command.args(["device", "add", "piano", "--out", out, "--state"]);
        command.arg(&state).current_dir(&folder);
        finish(command, "")
    };
    add("new").ok();
    assert_eq!(mode(&folder.join("new")), 0o600);
    assert_eq!(fs::read(folder.join("new")).unwrap().len(), 256);
    fs::write(folder.join("mine"), "mine").unwrap();
    assert_eq!(add("mine").code, Some(1));
    assert_eq!(fs::read(folder.join("mine")).unwrap(), b"mine");
    let again = add("again");
    assert!(again.stderr.contains("--replace"), "{again:?}");
    assert!(!folder.join("again").exists(), "no key, no file");
}

#[test]
fn a_start_is_refused_where_others_can_read_a_key() {
    let house = House::with_rules("");
    house.identity("piano");
    let keys = house.state().join("keys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o755)).unwrap();
    let said = house.start_fails();
    assert!(said.contains("chmod 700"), "{said}");
}

#[test]
fn an_event_over_udp_switches_a_lamp_and_everybody_sees_it() {
    for kind in Kind::installed() {
        let house = House::with_rules("");
        let dispatcher = start(&house);
        let desk = Module::up(&house.identity("desk"), 1, dispatcher.sealed());
        let watcher = dispatcher.connect(Some(house.tool_login()), &["iot/#"]);
        let watcher = Client::connect(kind, &watcher).unwrap();
        watcher.text(0, "iot/desk/availability", "online");
        desk.press(DESK_BUTTON);
        watcher.field(0, "iot/desk/button/event", "event", "press");
        watcher.field(0, "iot/desk/lamp/target", "on", true);
        desk.switches(0, DESK_LAMP, true);
        watcher.field(0, "iot/desk/lamp/state", "on", true);
        let shown = dispatcher.device_is("desk", "is confirmed", |desk| {
            desk["channels"]["lamp"]["acknowledged"] == true
        });
        assert_eq!(shown["channels"]["lamp"]["reported"]["on"], true);
        desk.leave();
        watcher.text(0, "iot/desk/availability", "offline");
    }
}

#[test]
fn nobody_else_speaks_for_a_device_that_has_a_key() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    // It was a plain module until now.
    let mut plain = dispatcher.device_client(Kind::RumqttcV5, "desk", &[]);
    assert_eq!(plain.publish("iot/desk/button/event", "press"), 0);
    let desk = Module::up(&house.identity("desk"), 1, dispatcher.sealed());
    plain.lost();
    let login = dispatcher.connect(Some(house.device_login("desk")), &[]);
    assert!(Client::connect(Kind::RumqttcV5, &login).is_err());
    let mut other = dispatcher.watcher();
    let refused = other.publish("iot/desk/button/event", r#"{"event":"press"}"#);
    assert_ne!(refused, 0);
    let state = house.state();
    let words = [
        "user",
        "add",
        "x",
        "--device",
        "desk",
        "--state",
        state.to_str().unwrap(),
    ];
    let why = run(words, "");
    assert!(why.stderr.contains("has a key"), "{why:?}");
    desk.leave();
}

#[test]
fn a_module_without_power_is_as_it_should_be_when_it_is_back() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("hall");
    let piano = Module::up(&house.identity("piano"), 1, dispatcher.sealed());
    let hall = Module::up(&identity, 1, dispatcher.sealed());
    piano.key(PIANO_KEYS, 60);
    hall.shines(0, HALL_LAMP, true);
    hall.cut_off();
    // It is not heard, and nobody knows yet.
    piano.key(PIANO_KEYS, 61);
    let watcher = dispatcher.watcher();
    watcher.field(0, "iot/hall/lamp/target", "on", false);
    piano.key(PIANO_KEYS, 60);
    watcher.field(0, "iot/hall/lamp/target", "on", true);

    let hall = Module::up(&identity, 2, dispatcher.sealed());
    hall.shines(0, HALL_LAMP, true);
    dispatcher.device_is("hall", "reports", |hall| {
        hall["online"] == true && hall["channels"]["lamp"]["reported"]["on"] == true
    });
}

#[test]
fn modules_find_a_dispatcher_that_was_killed_and_no_press_counts_twice() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let desk_identity = house.identity("desk");
    let address = dispatcher.sealed();
    let desk = Module::up(&desk_identity, 1, address);
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    let mark = desk.mark();
    dispatcher.kill_9();
    // It is kept for ten seconds, and said again.
    desk.sample(DESK_BUTTON, Sample::Level(true));
    let listen = address.to_string();
    let dispatcher = Dispatcher::start_with(&house, &[], &[("UDP__LISTEN", &listen)]);
    desk.switches(mark, DESK_LAMP, false);
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == false
    });
    let switched: Vec<_> = { desk.did().into_iter().skip(mark) }
        .filter(|did| matches!(did, crate::harness::Did::Drive(DESK_LAMP, _)))
        .collect();
    assert_eq!(switched.len(), 1, "{switched:?}");
}

/// Boots a device that must not come in; gives what the dispatcher counted meanwhile.
fn stays_out(dispatcher: &Dispatcher<'_>, identity: &Identity, counter: &str) {
    let before = counted(dispatcher, counter);
    let module = Module::boot(identity, 9, dispatcher.sealed());
    until(counter, || {
        (counted(dispatcher, counter) > before).then_some(())
    });
    assert!(module.did().is_empty(), "{:?}", module.did());
}

fn counted(dispatcher: &Dispatcher<'_>, counter: &str) -> u64 {
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    status["sealed"][counter].as_u64().unwrap()
}

#[test]
fn a_wrong_key_a_wrong_secret_and_another_house_stay_out() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("piano");
    let wrong_psk = Identity {
        psk: Secret::new([7; 32]),
        ..identity.clone()
    };
    // Only the answer shows that the other has not the same secret, and a device that can't read it greets again.
    let network = Network::to(dispatcher.sealed(), Faults::default(), 1);
    let module = Module::boot(&wrong_psk, 9, network.address());
    until("a greeting after an answer", || {
        let seen = network.seen();
        let answer = seen.iter().position(|(_, bytes)| bytes[0] == 0x12)?;
        let mut after = seen[answer..].iter();
        after
            .find(|(is_up, bytes)| *is_up && bytes[0] == 0x11)
            .map(drop)
    });
    let is_confirm = |(is_up, bytes): &(bool, Vec<u8>)| *is_up && bytes[0] == 0x13;
    assert!(!network.seen().iter().any(is_confirm));
    drop(module);
    let secret = Secret::new([9; 32]);
    let unknown = Identity {
        device_public: link::Own::new(secret.clone()).public(),
        device_secret: secret,
        ..identity.clone()
    };
    stays_out(&dispatcher, &unknown, "unknown_keys");
    let other_house = Identity {
        dispatcher: PublicKey([5; 32]),
        ..identity.clone()
    };
    stays_out(&dispatcher, &other_house, "wrong_mac1");
    let replaced = house.identity_by("piano", &["--replace"]);
    stays_out(&dispatcher, &identity, "blocked_hellos");
    Module::up(&replaced, 1, dispatcher.sealed()).leave();
}

#[test]
fn a_copied_identity_is_told_to_people() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("piano");
    let said = dispatcher.mark();
    let _original = Module::up(&identity, 5, dispatcher.sealed());
    let _copy = Module::up(&identity, 5, dispatcher.sealed());
    dispatcher.says(said, "may be there twice with the same key");
}

#[test]
fn a_capture_that_is_played_again_changes_nothing() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let network = Network::to(dispatcher.sealed(), Faults::default(), 1);
    let desk = Module::up(&house.identity("desk"), 1, network.address());
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == true
    });
    let mark = desk.mark();
    let before = counted(&dispatcher, "refused_frames");
    let thief = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let seen = network.seen();
    let data = |(is_up, bytes): &&(bool, Vec<u8>)| *is_up && bytes[0] == 0x13;
    let frames = seen.iter().filter(data).count() as u64;
    assert!(frames >= 3, "CONFIRM, an event, a state: {frames}");
    for (is_up, bytes) in &seen {
        if *is_up {
            thief.send_to(bytes, dispatcher.sealed()).unwrap();
        }
    }
    until("all of them refused", || {
        (counted(&dispatcher, "refused_frames") >= before + frames).then_some(())
    });
    // The device's own way goes on, and the lamp was switched by nobody else.
    desk.sample(DESK_BUTTON, Sample::Level(true));
    desk.switches(mark, DESK_LAMP, false);
    assert_eq!(dispatcher.device("desk")["online"], true);
}

#[test]
fn a_capture_holds_no_name_and_no_value_in_clear() {
    let house = House::new(
        r#"
        format = 1
        [device.hall]
        id = 1
        io.temperature = { kind = "temperature" }
        io.button = { kind = "button" }
        io.lamp = { kind = "switch" }
        [rule.light]
        when = "hall.button.press"
        do = "hall.lamp.toggle"
        "#,
    );
    let dispatcher = start(&house);
    let identity = house.identity("hall");
    let network = Network::to(dispatcher.sealed(), Faults::default(), 1);
    let hall = Module::up(&identity, 1, network.address());
    hall.press(0);
    hall.switches(0, 1, true);
    hall.sample(2, Sample::Measured(21.625));
    dispatcher.device_is("hall", "reports", |hall| {
        hall["channels"]["temperature"]["reported"]["temperature"] == 21.625
    });
    hall.leave();
    let seen = network.seen();
    let (value, half) = (21.625_f32.to_be_bytes(), [0xF9, 0x4D, 0x68]);
    let words: [&[u8]; 8] = [
        b"press",
        b"temperature",
        b"button",
        b"lamp",
        b"hall",
        b"on",
        &value,
        &half,
    ];
    // Two letters come by chance in a few kilobytes, and no more often than that.
    let bytes: usize = seen.iter().map(|(_, bytes)| bytes.len()).sum();
    for word in words {
        let windows = seen.iter().flat_map(|(_, bytes)| bytes.windows(word.len()));
        let found = windows.filter(|window| *window == word).count();
        let by_chance = if word.len() == 2 {
            3 + bytes / 10_000
        } else {
            0
        };
        assert!(
            found <= by_chance,
            "{:?} {found} times",
            word.escape_ascii().to_string()
        );
    }
    let key = identity.device_public.0;
    let named = seen
        .iter()
        .any(|(_, bytes)| bytes.windows(32).any(|w| w == key));
    assert!(!named, "nor who it is");
}

#[test]
fn a_block_is_in_force_at_once_in_and_out() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, dispatcher.sealed());
    let piano = Module::up(&house.identity("piano"), 1, dispatcher.sealed());
    let watcher = dispatcher.watcher();
    let block = |direction: &str| {
        dispatcher
            .ask(&["device", "block", "desk", "--as", direction])
            .ok();
    };

    block("producer");
    desk.press(DESK_BUTTON);
    dispatcher.device_is("desk", "is not heard", |desk| {
        desk["counters"]["blocked-in"].as_u64() >= Some(1)
    });
    let target = &dispatcher.device("desk")["channels"]["lamp"]["target"];
    assert_eq!(*target, json!({ "on": false }), "as it was first reported");

    block("consumer");
    let ask = |on: &str| {
        let mut watcher = dispatcher.watcher();
        assert_eq!(watcher.publish("iot/desk/lamp/set", on), 0);
    };
    ask("ON");
    dispatcher.device_is("desk", "has a target", |desk| {
        desk["channels"]["lamp"]["target"]["on"] == true
    });
    // What another module is told goes out later, so this would have been there.
    piano.key(PIANO_KEYS, 60);
    watcher.field(0, "iot/hall/lamp/target", "on", true);
    let is_on = |did: &crate::harness::Did| {
        *did == crate::harness::Did::Drive(DESK_LAMP, device::Drive::Level(true))
    };
    assert!(!desk.did().iter().any(is_on));

    let blocked_hellos = counted(&dispatcher, "blocked_hellos");
    block("both");
    dispatcher.device_is("desk", "is offline", |desk| desk["online"] == false);
    let again = Module::boot(&identity, 2, dispatcher.sealed());
    until("its HELLO", || {
        (counted(&dispatcher, "blocked_hellos") > blocked_hellos).then_some(())
    });
    assert!(again.did().is_empty());

    dispatcher.ask(&["device", "unblock", "desk"]).ok();
    again.switches(0, DESK_LAMP, true);
    let mark = again.mark();
    again.press(DESK_BUTTON);
    again.switches(mark, DESK_LAMP, false);
}

#[test]
fn an_edit_gives_a_running_module_its_new_role_and_all_targets() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let desk = Module::up(&house.identity("desk"), 1, dispatcher.sealed());
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    let mark = desk.mark();
    let mapping = house.read("mapping.toml");
    // In front of all others: every place is another's.
    let lamp = r#"io.aaa = { kind = "switch", pin = 7 }"#;
    let edited = mapping.replace(
        "[device.desk]\nid = 25",
        &format!("[device.desk]\n{lamp}\nid = 25"),
    );
    house.write("mapping.toml", &edited);
    assert_eq!(desk.plays(mark), 3);
    desk.switches(mark, DESK_LAMP + 1, true);
    let mark = desk.mark();
    desk.press(DESK_BUTTON + 1);
    desk.switches(mark, DESK_LAMP + 1, false);
}

#[test]
fn a_press_that_is_heard_after_an_edit_moved_all_places_is_still_of_its_own_button() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let network = Network::to(dispatcher.sealed(), Faults::default(), 1);
    let desk = Module::up(&house.identity("desk"), 1, network.address());
    let connect = dispatcher.connect(Some(house.tool_login()), &["iot/desk/+/event"]);
    let watcher = Client::connect(Kind::RumqttcV5, &connect).unwrap();
    network.mute(true);
    desk.press(DESK_BUTTON);
    let mark = desk.mark();
    // Its place is now the button's that was there before.
    let bell = r#"io.bell = { kind = "button", pin = 7 }"#;
    let edited = house.read("mapping.toml").replace(
        "[device.desk]\nid = 25",
        &format!("[device.desk]\n{bell}\nid = 25"),
    );
    house.write("mapping.toml", &edited);
    assert_eq!(desk.plays(mark), 3);
    network.mute(false);
    watcher.field(0, "iot/desk/button/event", "event", "press");
    desk.switches(mark, DESK_LAMP + 1, true);
    // Under its new role the bell is heard as the bell.
    desk.press(DESK_BUTTON);
    watcher.field(0, "iot/desk/bell/event", "event", "press");
    let told = watcher.messages(0).into_iter();
    let presses = told.filter(|told| told.json()["event"] == "press");
    let topics: Vec<String> = presses.map(|told| told.topic).collect();
    assert_eq!(topics, ["iot/desk/button/event", "iot/desk/bell/event"]);
}

#[test]
fn a_device_keeps_its_key_through_a_rename() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, dispatcher.sealed());
    let mapping = house.read("mapping.toml");
    let said = dispatcher.mark();
    house.write("mapping.toml", &mapping.replace("desk", "table"));
    dispatcher.says(said, "the edited files are in force");
    dispatcher.device_is("table", "is there", |table| table["online"] == true);
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    let dispatcher = dispatcher.kill_9_and_restart();
    assert!(dispatcher.device("table")["sealed"].is_string());
}

/// A device may have 200 events a second taken; of more, those whose turn never comes are lost.
const EVENT_EVERY: Duration = Duration::from_millis(8);

/// Every key has a brightness of its own.
const EVERY_KEY_DIMS: &str = r#"
[rule.dims]
when = "piano.keys.press"
do = { set = "hall.lamp", brightness = "${event.key + 1}" }
"#;
const KEYS: usize = 100;

/// Sends so many events through a bad network; each is to come once, in whatever order, and become a command. Gives how
/// long that took from the key on, shortest first.
fn each_event_counts_once(events: usize) -> Vec<Duration> {
    let (modules, _) = PIANO_AND_LAMPS.split_once("[rule.on]").unwrap();
    let house = House::new(&format!("{modules}{EVERY_KEY_DIMS}"));
    // The rule fires for every key, a little more often than a rule may by default.
    let settings = [UDP, ("ENGINE__FUSE", "1000")];
    let dispatcher = Dispatcher::start_with(&house, &[], &settings);
    let faults = Faults {
        lost: 20,
        doubled: 5,
        late: 10,
    };
    let network = Network::to(dispatcher.sealed(), faults, 7);
    let piano = Module::up(&house.identity("piano"), 1, network.address());
    let filters = ["iot/piano/keys/event", "iot/hall/lamp/target"];
    let connect = dispatcher.connect(Some(house.tool_login()), &filters);
    let watcher = Client::connect(Kind::RumqttcV5, &connect).unwrap();
    let (start, mark) = (Instant::now(), watcher.mark());
    // Each is two messages: the event, and the target that comes of it.
    let came = || (watcher.mark() - mark) / 2;
    let mut pressed = vec![VecDeque::new(); KEYS];
    for sent in 0..events {
        // Fewer than a module keeps: those that were taken may still wait for their acknowledgement.
        let (turn, room) = (start + sent as u32 * EVENT_EVERY, sent.saturating_sub(8));
        until("events to be taken", || {
            (Instant::now() >= turn && came() >= room).then_some(())
        });
        let key = sent % KEYS;
        pressed[key].push_back(Instant::now());
        piano.key(PIANO_KEYS, key as u8);
    }
    until("all events", || (came() >= events).then_some(()));
    let mut counts = vec![0; KEYS];
    let mut took = Vec::new();
    for message in watcher.messages(mark) {
        let (json, topic) = (message.json(), &*message.topic);
        if topic == "iot/piano/keys/event" {
            counts[json["key"].as_u64().unwrap() as usize] += 1;
        } else {
            let key = json["brightness"].as_u64().unwrap() - 1;
            let pressed = pressed[key as usize].pop_front().unwrap();
            took.push(message.at - pressed);
        }
    }
    let mut expected = vec![0; KEYS];
    (0..events).for_each(|sent| expected[sent % KEYS] += 1);
    assert_eq!(counts, expected);
    assert_eq!(took.len(), events);
    assert!(
        counted(&dispatcher, "repeated_events") > 0,
        "the network was bad"
    );
    assert_eq!(counted(&dispatcher, "limited_events"), 0);
    took.sort();
    took
}

#[test]
fn through_a_network_that_loses_doubles_and_turns_round_each_event_counts_once() {
    each_event_counts_once(400);
}

/// Takes minutes: `cargo nextest run -p iot-control --run-ignored only -E 'test(heavy)'`.
#[test]
#[ignore = "heavy"]
fn heavy_20_000_events_through_a_bad_network_count_once_each_and_are_commands_in_time() {
    let took = each_event_counts_once(20_000);
    let within = |part: f64| took[(took.len() as f64 * part) as usize];
    let (p50, p99, p999) = (within(0.5), within(0.99), within(0.999));
    println!("event to command: p50 {p50:.1?}, p99 {p99:.1?}, p99.9 {p999:.1?}");
    assert!(p99 <= Duration::from_millis(150), "{p99:?}");
    assert!(p999 <= Duration::from_millis(300), "{p999:?}");
}
