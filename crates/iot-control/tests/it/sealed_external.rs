//! Modules on the sealed link through a broker that is not ours: a real mosquitto by MQTT 5, and a real NATS by 3.1.1. It
//! carries frames, and can neither read nor forge them.

use device::Drive;
use wire::{Topic, Will};

use crate::harness::{
    At, Client, Did, Dispatcher, External, House, Message, Module, at_each_broker, topic, until,
};

at_each_broker! {
    a_sealed_button_switches_a_lamp_through_the_external_broker,
    whoever_has_the_external_broker_reads_nothing_and_forges_nothing,
    a_house_and_a_broker_that_were_away_have_their_sealed_modules_back,
    over_three_ways_modules_are_one_house,
    a_block_of_a_sealed_module_holds_at_the_external_broker,
    a_sealed_module_that_is_gone_from_the_external_broker_is_offline_within_seconds,
}

const UDP: (&str, &str) = ("UDP__LISTEN", "127.0.0.1:0");

/// Places of channels: in the order of their names.
const PIANO_KEYS: u8 = 0;
const HALL_LAMP: u8 = 0;
const DESK_BUTTON: u8 = 0;
const DESK_LAMP: u8 = 1;

fn start<'h>(external: &External, house: &'h House) -> Dispatcher<'h> {
    let dispatcher = Dispatcher::start_with(house, &[], &[UDP, ("BROKER", &external.url())]);
    dispatcher.says(0, "is reached");
    dispatcher
}

fn at(external: &External) -> At {
    At {
        port: external.port(),
        login: None,
    }
}

fn counted(dispatcher: &Dispatcher<'_>, counter: &str) -> u64 {
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    status["sealed"][counter].as_u64().unwrap()
}

fn lamp_is(dispatcher: &Dispatcher<'_>, on: bool) {
    let what = format!("reports a lamp that is on: {on}");
    dispatcher.device_is("desk", &what, |desk| {
        desk["channels"]["lamp"]["reported"]["on"] == on
    });
}

fn drives(desk: &Module, mark: usize) -> usize {
    let did = desk.did();
    let drives = |did: &&Did| matches!(did, Did::Drive(DESK_LAMP, _));
    did.iter().skip(mark).filter(drives).count()
}

fn a_sealed_button_switches_a_lamp_through_the_external_broker(external: &External) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let desk = Module::up(&house.identity("desk"), 1, at(external));
    for on in [true, false, true] {
        let mark = desk.mark();
        desk.press(DESK_BUTTON);
        desk.switches(mark, DESK_LAMP, on);
        lamp_is(&dispatcher, on);
    }
    let status = dispatcher.ask(&["status", "--json"]).ok().json();
    let version = if external.is_v5() { "5" } else { "3.1.1" };
    assert_eq!(status["external_broker"]["version"], version);
    assert_eq!(status["sealed"]["refused_frames"], 0);
    desk.leave();
    dispatcher.device_is("desk", "is gone", |desk| desk["online"] == false);
}

/// Publishes at QoS 1 and waits until the broker has it.
fn say(thief: &mut Client, topic: &str, payload: &[u8]) {
    assert_eq!(thief.publish_bytes(topic, payload, false), 0);
}

fn whoever_has_the_external_broker_reads_nothing_and_forges_nothing(external: &External) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let mut thief = external.client(external.kind(), "thief", &["#"]);
    // What was told in clear before it had a key lies there no longer.
    thief.find(0, "its role", |it| it.topic == "iot/desk/role");
    let identity = house.identity("desk");
    thief.text(0, "iot/desk/role", "");
    thief.text(0, "iot/desk/lamp/target", "");
    let mark = thief.mark();
    let [up, down, will] = [Topic::Up, Topic::Down, Topic::Will].map(|of| topic(&identity, of));
    let desk = Module::up(&identity, 1, at(external));
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    lamp_is(&dispatcher, true);
    let all: Vec<Message> = thief.messages(mark);
    let of_link = |it: &&Message| it.topic == up || it.topic == down;
    let frames: Vec<&Message> = all.iter().filter(of_link).collect();
    assert!(frames.len() >= 6, "{frames:?}");
    assert!(frames.iter().all(|it| it.qos == 0 && !it.retain));
    for word in ["press", "button", "lamp", "desk"] {
        let holds = |it: &&&Message| it.payload.windows(word.len()).any(|w| w == word.as_bytes());
        assert_eq!(frames.iter().find(holds), None, "{word}");
    }
    let in_clear = |it: &&Message| it.topic.starts_with("iot/desk/");
    assert_eq!(all.iter().find(in_clear), None);

    // Those that were for the module have an index that nobody has here; a RESET is all that they get.
    let refused = || counted(&dispatcher, "refused_frames") + counted(&dispatcher, "resets");
    let (mark, before) = (desk.mark(), refused());
    let mut said = 0;
    for frame in &frames {
        said += u64::from(frame.payload[0] == 0x13);
        // Each on both: what one end said is nothing for it when it comes back either.
        say(&mut thief, &up, &frame.payload);
        say(&mut thief, &down, &frame.payload);
        // What lies there is of no moment.
        thief.publish_bytes(&up, &frame.payload, true);
    }
    for boot_id in [desk.boot_id() + 1, desk.boot_id()] {
        say(&mut thief, &will, &Will { boot_id }.encode());
    }
    say(&mut thief, &will, b"offline");
    until("all of them refused", || {
        (refused() >= before + said).then_some(())
    });
    desk.press(DESK_BUTTON);
    desk.switches(mark, DESK_LAMP, false);
    lamp_is(&dispatcher, false);
    assert_eq!(drives(&desk, mark), 1);
    assert_eq!(dispatcher.device("desk")["online"], true);
}

fn a_house_and_a_broker_that_were_away_have_their_sealed_modules_back(external: &mut External) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let desk = Module::up(&house.identity("desk"), 1, at(external));
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    lamp_is(&dispatcher, true);
    dispatcher.kill_9();
    let dispatcher = start(external, &house);
    let mark = desk.mark();
    desk.press(DESK_BUTTON);
    desk.switches(mark, DESK_LAMP, false);
    lamp_is(&dispatcher, false);
    assert_eq!(drives(&desk, mark), 1);

    let said = dispatcher.mark();
    external.end();
    dispatcher.says(said, "is not reached");
    external.begin();
    dispatcher.says(said, "is reached");
    let mark = desk.mark();
    desk.press(DESK_BUTTON);
    desk.switches(mark, DESK_LAMP, true);
    lamp_is(&dispatcher, true);
    assert_eq!(drives(&desk, mark), 1);
}

fn over_three_ways_modules_are_one_house(external: &External) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let own = At {
        port: dispatcher.port(),
        login: None,
    };
    let piano = Module::up(&house.identity("piano"), 1, dispatcher.sealed());
    let hall = Module::up(&house.identity("hall"), 1, at(external));
    let identity = house.identity("desk");
    let listener = external.client(external.kind(), "listener", &["ic1/#"]);
    let desk = Module::up(&identity, 1, own);
    piano.key(PIANO_KEYS, 60);
    hall.shines(0, HALL_LAMP, true);
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
    lamp_is(&dispatcher, true);
    let mark = hall.mark();
    piano.key(PIANO_KEYS, 61);
    hall.shines(mark, HALL_LAMP, false);
    let ways = [
        ("piano", "udp"),
        ("desk", "mqtt"),
        ("hall", "external-broker"),
    ];
    for (name, way) in ways {
        assert_eq!(dispatcher.device(name)["way"], way, "{name}");
    }
    let down = topic(&identity, Topic::Down);
    let strays = listener.messages(0).into_iter();
    assert_eq!(strays.filter(|it| it.topic == down).count(), 0);
    // After another boot it comes by the other broker.
    desk.cut_off();
    let desk = Module::up(&identity, 2, at(external));
    let mark = desk.mark();
    desk.press(DESK_BUTTON);
    desk.switches(mark, DESK_LAMP, false);
}

fn a_block_of_a_sealed_module_holds_at_the_external_broker(external: &External) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let identity = house.identity("desk");
    let desk = Module::up(&identity, 1, at(external));
    let hall = Module::up(&house.identity("hall"), 1, at(external));
    let piano = Module::up(&house.identity("piano"), 1, at(external));
    let block = |device: &str, direction: &str| {
        dispatcher
            .ask(&["device", "block", device, "--as", direction])
            .ok();
    };
    block("desk", "producer");
    desk.press(DESK_BUTTON);
    dispatcher.device_is("desk", "is not heard", |desk| {
        desk["counters"]["blocked-in"].as_u64() >= Some(1)
    });
    block("hall", "consumer");
    let mark = hall.mark();
    piano.key(PIANO_KEYS, 60);
    dispatcher.device_is("hall", "has a target", |hall| {
        hall["channels"]["lamp"]["target"]["on"] == true
    });
    assert_eq!(hall.mark(), mark, "what is blocked is told nothing");
    let is_on = |did: &Did| *did == Did::Drive(DESK_LAMP, Drive::Level(true));
    assert!(
        !desk.did().iter().any(is_on),
        "what is blocked is not heard"
    );
    dispatcher.ask(&["device", "unblock", "hall"]).ok();
    hall.shines(mark, HALL_LAMP, true);

    let refused = counted(&dispatcher, "blocked_hellos");
    block("desk", "both");
    dispatcher.device_is("desk", "is offline", |desk| desk["online"] == false);
    drop(desk);
    let desk = Module::boot(&identity, 2, at(external));
    until("its HELLO", || {
        (counted(&dispatcher, "blocked_hellos") > refused).then_some(())
    });
    assert!(desk.did().is_empty());
    dispatcher.ask(&["device", "unblock", "desk"]).ok();
    desk.plays(0);
    desk.press(DESK_BUTTON);
    desk.switches(0, DESK_LAMP, true);
}

fn a_sealed_module_that_is_gone_from_the_external_broker_is_offline_within_seconds(
    external: &External,
) {
    let house = House::with_rules("");
    let dispatcher = start(external, &house);
    let desk = Module::up(&house.identity("desk"), 1, at(external));
    dispatcher.device_is("desk", "is online", |desk| desk["online"] == true);
    desk.cut_off();
    // Its last will is a hint, and its silence the proof; without either it would be 90 s.
    dispatcher.device_is("desk", "is offline", |desk| desk["online"] == false);
}
