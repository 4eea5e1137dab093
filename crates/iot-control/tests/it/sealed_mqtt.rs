//! Modules on the sealed link through our own broker: their frames are messages there, and nobody else's word counts.

use std::collections::BTreeSet;

use device::Sample;
use wire::{Handle, Identity, Topic, Will};

use crate::harness::{
    At, Client, Did, Dispatcher, House, Kind, Login, Message, Module, topic, until,
};

const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");

/// Places of channels: in the order of their names.
const PIANO_KEYS: u8 = 0;
const HALL_LAMP: u8 = 0;
const DESK_BUTTON: u8 = 0;
const DESK_LAMP: u8 = 1;

fn at(dispatcher: &Dispatcher<'_>) -> At {
    At {
        port: dispatcher.port(),
        login: None,
    }
}

/// What anybody could log in with who knows a device's handle.
fn caged(dispatcher: &Dispatcher<'_>, identity: &Identity, filters: &[&str]) -> Result<Client, u8> {
    let handle = Handle::of(&identity.device_public);
    let login = Login {
        user: format!("ic1/{handle}"),
        password: String::new(),
    };
    Client::connect(Kind::RumqttcV5, &dispatcher.connect(Some(login), filters))
}

fn counted(dispatcher: &Dispatcher<'_>, counter: &str) -> u64 {
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    status["sealed"][counter].as_u64().unwrap()
}

fn is_online(dispatcher: &Dispatcher<'_>, name: &str) {
    dispatcher.device_is(name, "is online", |device| device["online"] == true);
}

fn is_offline(told: &Message) -> bool {
    told.topic == "iot/desk/availability" && told.payload == b"offline"
}

#[test]
fn an_event_over_mqtt_switches_a_lamp_and_everybody_sees_it() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let desk = Module::up(&house.identity("desk"), 1, at(&dispatcher));
    let watcher = dispatcher.watcher();
    watcher.text(0, "iot/desk/availability", "online");
    let shown = dispatcher.ask(&["device", "show", "desk"]).ok().stdout;
    assert!(shown.contains("online  sealed by mqtt"), "{shown}");
    desk.press(DESK_BUTTON);
    watcher.field(0, "iot/desk/button/event", "event", "press");
    watcher.field(0, "iot/desk/lamp/target", "on", true);
    desk.switches(0, DESK_LAMP, true);
    watcher.field(0, "iot/desk/lamp/state", "on", true);
    dispatcher.device_is("desk", "is confirmed", |desk| {
        desk["channels"]["lamp"]["acknowledged"] == true
    });
    desk.leave();
    watcher.text(0, "iot/desk/availability", "offline");
}

#[test]
fn modules_over_mqtt_and_over_udp_are_one_house() {
    let house = House::with_rules("");
    let dispatcher = Dispatcher::start_with(&house, &[], &[UDP]);
    let piano = Module::up(&house.identity("piano"), 1, dispatcher.sealed());
    let hall = Module::up(&house.identity("hall"), 1, at(&dispatcher));
    let desk = house.identity("desk");
    let over_udp = Module::up(&desk, 1, dispatcher.sealed());
    piano.key(PIANO_KEYS, 60);
    hall.shines(0, HALL_LAMP, true);
    over_udp.press(DESK_BUTTON);
    over_udp.switches(0, DESK_LAMP, true);
    over_udp.cut_off();
    // It comes another way after its next boot.
    let over_mqtt = Module::up(&desk, 2, at(&dispatcher));
    over_mqtt.switches(0, DESK_LAMP, true);
    let mark = over_mqtt.mark();
    over_mqtt.press(DESK_BUTTON);
    over_mqtt.switches(mark, DESK_LAMP, false);
    piano.key(PIANO_KEYS, 61);
    hall.shines(hall.mark(), HALL_LAMP, false);
}

#[test]
fn nobody_else_speaks_or_hears_on_a_sealed_devices_topics() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let identity = house.identity("desk");
    let other = house.identity("piano");
    let desk = Module::up(&identity, 1, at(&dispatcher));
    let [up, down, will] = [Topic::Up, Topic::Down, Topic::Will].map(|of| topic(&identity, of));
    let refused = [0x80, 0x87];

    let tool = dispatcher.connect(Some(house.tool_login()), &[&down, "ic1/#"]);
    let mut tool = Client::connect(Kind::RumqttcV5, &tool).unwrap();
    assert!(tool.grants().iter().all(|grant| refused.contains(grant)));
    let plain = dispatcher.connect(Some(house.device_login("hall")), &[&down]);
    let mut plain = Client::connect(Kind::RumqttcV5, &plain).unwrap();
    assert!(refused.contains(&plain.grants()[0]));
    let own = [&*topic(&other, Topic::Down), &down, "iot/#", "#"];
    let mut caged = caged(&dispatcher, &other, &own).unwrap();
    let [own, rest @ ..] = caged.grants() else {
        panic!("{:?}", caged.grants())
    };
    assert!(!refused.contains(own));
    // `#` overlaps with its own topic; no more than that comes by it.
    assert!(rest[..2].iter().all(|grant| refused.contains(grant)));
    for client in [&mut tool, &mut plain, &mut caged] {
        for topic in [&up, &down, &will] {
            assert_ne!(client.publish(topic, "x"), 0, "{topic}");
        }
    }
    for topic in ["iot/desk/button/event", "iot/hall/lamp/set", "other"] {
        assert_ne!(caged.publish(topic, "press"), 0, "{topic}");
    }
    let mark = caged.mark();
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    // What it is told itself comes after what it must not hear.
    assert_eq!(caged.publish(&topic(&other, Topic::Up), "x"), 0);
    assert!(caged.messages(mark).is_empty());
}

#[test]
fn a_name_of_the_link_is_no_login_for_anything_else() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let stranger = Identity {
        device_public: wire::PublicKey([7; 32]),
        ..house.identity("desk")
    };
    assert!(caged(&dispatcher, &stranger, &[]).is_err());
    let state = house.state();
    let words = ["user", "add", "ic1/x", "--tool", "--state"];
    let words = words.into_iter().chain([state.to_str().unwrap()]);
    let why = crate::harness::run(words, "");
    assert!(why.stderr.contains("can't be a user's name"), "{why:?}");
}

#[test]
fn a_forged_will_makes_nobody_offline_and_a_lost_connection_does_within_seconds() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, at(&dispatcher));
    is_online(&dispatcher, "desk");
    let watcher = dispatcher.watcher();
    let mark = watcher.mark();
    // Anybody can come into the cage; who listened knows the boot too.
    let down = topic(&identity, Topic::Down);
    let mut thief = caged(&dispatcher, &identity, &[&down]).unwrap();
    let boot_id = desk.boot_id();
    let asked = thief.mark();
    for boot_id in [boot_id + 1, boot_id] {
        let will = Will { boot_id }.encode();
        thief.publish_bytes(&topic(&identity, Topic::Will), &will, false);
    }
    thief.find(asked, "a question", |it| it.topic == down);
    // What it answers comes before this.
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    thief.vanish();
    is_online(&dispatcher, "desk");
    assert!(!watcher.messages(mark).iter().any(is_offline));

    desk.cut_off();
    watcher.text(mark, "iot/desk/availability", "offline");
}

#[test]
fn a_capture_that_is_played_again_in_the_cage_changes_nothing() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, at(&dispatcher));
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == true
    });
    let mark = desk.mark();
    let before = counted(&dispatcher, "refused_frames");
    let said = desk.said();
    let frames = said.iter().filter(|frame| frame[0] == 0x13).count() as u64;
    assert!(frames >= 3, "CONFIRM, an event, a state: {frames}");
    let mut thief = caged(&dispatcher, &identity, &[]).unwrap();
    for frame in &said {
        thief.publish_bytes(&topic(&identity, Topic::Up), frame, false);
    }
    until("all of them refused", || {
        (counted(&dispatcher, "refused_frames") >= before + frames).then_some(())
    });
    desk.sample(DESK_BUTTON, Sample::Level(true));
    desk.switches(mark, DESK_LAMP, false);
    let drives = |did: &&Did| matches!(did, Did::Drive(DESK_LAMP, _));
    assert_eq!(desk.did().iter().skip(mark).filter(drives).count(), 1);
}

#[test]
fn modules_over_mqtt_find_a_dispatcher_that_was_killed_and_no_press_counts_twice() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let address = format!("127.0.0.1:{}", dispatcher.port());
    let desk = Module::up(&house.identity("desk"), 1, at(&dispatcher));
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    let mark = desk.mark();
    dispatcher.kill_9();
    // It is kept for ten seconds, and said again.
    desk.sample(DESK_BUTTON, Sample::Level(true));
    let dispatcher = Dispatcher::start_on(&house, &[], &address);
    desk.switches(mark, DESK_LAMP, false);
    dispatcher.device_is("desk", "reports", |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == false
    });
    let drives = |did: &&Did| matches!(did, Did::Drive(DESK_LAMP, _));
    assert_eq!(desk.did().iter().skip(mark).filter(drives).count(), 1);
}

#[test]
fn a_block_is_in_force_at_once_over_mqtt_and_one_of_both_keeps_the_device_out() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let (piano, hall) = (house.identity("piano"), house.identity("hall"));
    let keys = Module::up(&piano, 1, at(&dispatcher));
    let lamp = Module::up(&hall, 1, at(&dispatcher));
    keys.key(PIANO_KEYS, 60);
    lamp.shines(0, HALL_LAMP, true);

    dispatcher
        .ask(&["device", "block", "piano", "--as", "producer"])
        .ok();
    let watcher = dispatcher.watcher();
    let before = counted(&dispatcher, "sessions");
    keys.key(PIANO_KEYS, 61);
    dispatcher.device_is("piano", "is not heard", |piano| {
        piano["counters"]["blocked-in"].as_u64() >= Some(1)
    });
    dispatcher
        .ask(&["device", "block", "hall", "--as", "consumer"])
        .ok();
    dispatcher.ask(&["device", "unblock", "piano"]).ok();
    keys.key(PIANO_KEYS, 62);
    watcher.field(0, "iot/piano/keys/event", "key", 62);
    let drives = lamp.mark();
    let pressed = |key: u32| move |it: &Message| it.json()["key"] == key;
    assert!(
        !watcher.messages(0).iter().any(pressed(61)),
        "it was blocked"
    );
    assert_eq!(counted(&dispatcher, "sessions"), before);

    dispatcher.ask(&["device", "block", "piano"]).ok();
    dispatcher.device_is("piano", "is gone", |piano| piano["online"] == false);
    assert!(caged(&dispatcher, &piano, &[]).is_err());
    assert_eq!(lamp.mark(), drives, "what is blocked is told nothing");
    let told = lamp.mark();
    dispatcher.ask(&["device", "unblock", "hall"]).ok();
    lamp.shines(told, HALL_LAMP, false);
}

#[test]
fn a_device_that_gets_another_key_leaves_its_old_topics_to_nobody() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let old = house.identity("desk");
    let _lost = Module::up(&old, 1, at(&dispatcher));
    let thief = caged(&dispatcher, &old, &[]).unwrap();
    let new = house.identity_by("desk", &["--replace"]);
    thief.lost();
    assert!(caged(&dispatcher, &old, &[]).is_err());
    let desk = Module::up(&new, 1, at(&dispatcher));
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
}

#[test]
fn who_proves_nothing_in_the_cage_is_sent_away_and_the_device_stays() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, at(&dispatcher));
    let thieves: Vec<Client> = (0..9)
        .map(|_| caged(&dispatcher, &identity, &[]).unwrap())
        .collect();
    // There is room for eight: the first ones make it for the last ones at once, the others have ten seconds.
    thieves.iter().for_each(Client::lost);
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    assert_eq!(desk.connections(), 1);
    is_online(&dispatcher, "desk");
}

#[test]
fn a_copied_identity_is_told_to_people_also_where_both_have_the_same_topics() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let identity = house.identity("piano");
    let said = dispatcher.mark();
    let _original = Module::up(&identity, 5, at(&dispatcher));
    let _copy = Module::up(&identity, 5, at(&dispatcher));
    dispatcher.says(said, "may be there twice with the same key");
}

#[test]
fn a_module_whose_connection_is_cut_goes_on_in_its_session() {
    let house = House::with_rules("");
    let dispatcher = house.start();
    let desk = Module::up(&house.identity("desk"), 1, at(&dispatcher));
    is_online(&dispatcher, "desk");
    let watcher = dispatcher.watcher();
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    for on in [false, true, false] {
        let (mark, connections) = (desk.mark(), desk.connections());
        desk.lose_connection();
        until("another connection", || {
            (desk.connections() > connections).then_some(())
        });
        desk.press(DESK_BUTTON);
        desk.switches(mark, DESK_LAMP, on);
    }
    // One that is not answered at once is said again, the same.
    let said = desk.said();
    let greetings: BTreeSet<_> = said.iter().filter(|frame| frame[0] == 0x11).collect();
    assert_eq!(greetings.len(), 1, "one session");
    assert!(!watcher.messages(0).iter().any(is_offline));
}
