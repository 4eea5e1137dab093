//! Who is there: sessions, wills, silence.

use std::{collections::BTreeMap, time::Duration};

use dispatcher::{
    Conduct, Config, Dispatcher, Input, LastWill, Message, Publisher, Will,
    explain::{Detail, Explainer},
};
use mapping::program::DeviceIx;

use crate::house::{Rig, going_by, orders, program, sent, usual};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_session_makes_a_device_online_and_its_end_offline_and_the_topic_says_so() {
    let mut rig = Rig::new();
    let hall = rig.device("hall");
    assert_eq!(sent(&rig.connect("hall")), ["iot/hall/availability online"]);
    assert!(rig.dispatcher.online(hall));
    assert!(
        sent(&rig.connect("hall")).is_empty(),
        "a second session changes nothing"
    );
    assert!(sent(&rig.disconnect("hall")).is_empty(), "one lives on");
    let effects = rig.disconnect("hall");
    assert_eq!(sent(&effects), ["iot/hall/availability offline"]);
    assert!(effects.sends[0].retain);
    assert!(!rig.dispatcher.online(hall));
}

/// What the broker makes of the will of `device`.
fn wills(rig: &mut Rig, device: &str, how: Will) -> Option<Input> {
    let message = Message {
        topic: &format!("iot/{device}/availability"),
        payload: b"offline",
        retain: true,
        will: Some(how),
    };
    let from = Publisher::Device(rig.device(device));
    let admitted = rig.dispatcher.admit(rig.now, &from, &message).unwrap();
    assert!(!admitted.route, "the dispatcher says it itself");
    admitted.input
}

#[test]
fn a_will_is_a_reason_to_fall_back_and_counts_once() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    let input = wills(&mut rig, "living", Will::Ending);
    assert_eq!(input, Some(Input::Offline(living)));
    let mut effects = dispatcher::Effects::default();
    rig.take(Input::Offline(living), &mut effects);
    assert_eq!(effects.notifications.len(), 1);
    let after = rig.dispatcher.disconnected(living, LastWill::Published);
    assert_eq!(after, None);
}

#[test]
fn a_client_that_takes_its_connection_over_was_never_away() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    // In the order of the broker: the old connection ends before the new one is there.
    assert_eq!(wills(&mut rig, "living", Will::Replaced), None);
    rig.dispatcher.replaced(living);
    assert!(rig.dispatcher.online(living));
    assert!(sent(&rig.connect("living")).is_empty());
    // The count is right again: the next end is one.
    let effects = rig.disconnect("living");
    assert_eq!(sent(&effects), ["iot/living/availability offline"]);
}

#[test]
fn the_will_of_one_session_says_nothing_about_another() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    rig.connect("living");
    assert_eq!(wills(&mut rig, "living", Will::Ending), None);
    assert!(sent(&rig.disconnect("living")).is_empty());
    assert_eq!(wills(&mut rig, "living", Will::Ended), None, "it came late");
    let input = wills(&mut rig, "living", Will::Ending);
    assert_eq!(input, Some(Input::Offline(living)));
}

#[test]
fn a_device_whose_will_waits_is_there_until_it_stayed_away() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    let left = rig.dispatcher.disconnected(living, LastWill::Waiting);
    assert_eq!(left, None, "its will says that it may come back");
    assert!(sent(&rig.connect("living")).is_empty(), "nobody was away");
    let left = rig.dispatcher.disconnected(living, LastWill::Waiting);
    assert_eq!(left, None);
    // Whatever topic the will has, and whoever may publish it.
    let gone = rig.dispatcher.stayed_away(living);
    assert_eq!(gone, Some(Input::Offline(living)));
    let mut effects = dispatcher::Effects::default();
    rig.take(Input::Offline(living), &mut effects);
    assert_eq!(rig.dispatcher.stayed_away(living), None, "it counts once");
}

#[test]
fn a_will_that_waited_says_nothing_about_another_session() {
    let mut rig = Rig::awake();
    let living = rig.device("living");
    rig.connect("living");
    let left = rig.dispatcher.disconnected(living, LastWill::Waiting);
    assert_eq!(left, None);
    assert_eq!(rig.dispatcher.stayed_away(living), None);
}

/// A house whose hall is there, and may be silent for a minute.
fn hall_sleeps() -> (Rig, DeviceIx) {
    let config = going_by(Conduct {
        silence: BTreeMap::from([("hall".into(), seconds(60))]),
        ..Conduct::default()
    });
    let mut rig = Rig::of(usual(), config);
    let hall = rig.device("hall");
    rig.connect("hall");
    (rig, hall)
}

#[test]
fn a_sleeping_device_without_a_will_may_come_and_go_and_one_with_a_will_is_gone_with_it() {
    let (mut rig, hall) = hall_sleeps();
    assert_eq!(rig.dispatcher.disconnected(hall, LastWill::None), None);
    rig.connect("hall");
    let gone = rig.dispatcher.disconnected(hall, LastWill::Published);
    assert_eq!(gone, Some(Input::Offline(hall)));
}

#[test]
fn silence_takes_a_sleeping_device_away_and_a_word_brings_it_back() {
    let (mut rig, hall) = hall_sleeps();
    rig.says("hall", "iot/hall/lux/state", "7");
    assert!(sent(&rig.disconnect("hall")).is_empty(), "it sleeps");
    rig.pass(seconds(59));
    assert!(rig.dispatcher.online(hall));
    let effects = rig.pass(seconds(2));
    assert_eq!(effects.notifications[0].text, "hall went offline.");
    assert!(!rig.dispatcher.online(hall));
    let effects = rig.says("hall", "iot/hall/lux/state", "8");
    assert_eq!(sent(&effects), ["iot/hall/availability online"]);
    assert!(rig.dispatcher.online(hall));
}

#[test]
fn a_producer_that_leaves_out_its_promised_reports_is_silent() {
    let config = going_by(Conduct {
        reports_missed_max: Some(3),
        ..Conduct::default()
    });
    let mut rig = Rig::of(usual(), config);
    rig.connect("hall");
    rig.connect("piano");
    rig.pass(seconds(29));
    assert!(rig.dispatcher.online(rig.device("hall")));
    rig.pass(seconds(2));
    assert!(
        !rig.dispatcher.online(rig.device("hall")),
        "three times 10 s"
    );
    assert!(
        rig.dispatcher.online(rig.device("piano")),
        "it promised nothing"
    );
}

#[test]
fn a_virtual_device_is_always_there() {
    let rig = Rig::new();
    assert!(rig.dispatcher.online(rig.device("phones")));
}

#[test]
fn a_foreign_device_behind_a_bridge_is_there_when_it_speaks() {
    let mut rig = Rig::new();
    let bridge = Publisher::Tool("bridge".into());
    rig.publish(&bridge, "z2m/sensor", r#"{"occupancy":false}"#);
    assert!(rig.dispatcher.online(rig.device("sensor")));
    rig.publish(&bridge, "z2m/sensor/availability", r#"{"state":"offline"}"#);
    assert!(!rig.dispatcher.online(rig.device("sensor")));
}

/// A house with a sensor behind a bridge that never says whether it is there, and a rule that stands in.
const BRIDGED: &str = r#"
format = 1

[device.sensor]
id = 31
mqtt = { state = "z2m/sensor" }
io.temp = { kind = "temperature", from = "temperature", report_every = "1m" }

[device.button]
id = 32
mqtt = { event = "z2m/button" }
io.press = { kind = "button", event_from = "action", events = { single = "press" } }

[device.heater]
id = 33
io.heater = { kind = "switch" }

[rule.frost]
when = "sensor.offline"
do   = "heater.heater.on"
"#;

#[test]
fn a_foreign_device_that_keeps_no_promise_is_offline_and_a_rule_stands_in() {
    let config = going_by(Conduct {
        reports_missed_max: Some(3),
        ..Conduct::default()
    });
    let mut rig = Rig::of(program(BRIDGED), config);
    let (sensor, button) = (rig.device("sensor"), rig.device("button"));
    rig.connect("heater");
    let bridge = Publisher::Tool("bridge".into());
    rig.publish(&bridge, "z2m/sensor", r#"{"temperature":19}"#);
    rig.publish(&bridge, "z2m/button", r#"{"action":"single"}"#);
    rig.pass(seconds(100));
    rig.publish(&bridge, "z2m/sensor", r#"{"temperature":18}"#);
    rig.pass(seconds(179));
    assert!(rig.dispatcher.online(sensor));
    let effects = rig.pass(seconds(1));
    assert!(!rig.dispatcher.online(sensor));
    let heats = r#"iot/heater/heater/target {"on":true}"#;
    assert_eq!(orders(&effects), [heats]);
    rig.publish(&bridge, "z2m/sensor", r#"{"temperature":17}"#);
    assert!(rig.dispatcher.online(sensor));
    rig.pass(seconds(100_000));
    assert!(rig.dispatcher.online(button), "it promised nothing");
}

/// Another process goes on from the state of this one, after so long.
fn restart(rig: &mut Rig, config: Config, down: Duration) {
    let state = rig.dispatcher.state();
    let restored = Dispatcher::restore(rig.program.clone(), config, &state, rig.now);
    rig.dispatcher = restored.unwrap().0;
    rig.now = rig.now.after(down);
    let mut effects = dispatcher::Effects::default();
    rig.take(Input::Resumed, &mut effects);
    rig.dispatcher.announce(rig.now, &mut effects);
}

#[test]
fn nobody_is_silent_for_what_could_not_be_heard() {
    let config = going_by(Conduct {
        reports_missed_max: Some(3),
        silence: BTreeMap::from([("living".into(), seconds(600))]),
        ..Conduct::default()
    });
    let mut rig = Rig::of(usual(), config.clone());
    for device in ["hall", "living", "piano"] {
        rig.connect(device);
        rig.pass(seconds(1));
    }
    restart(&mut rig, config, seconds(36_000));
    let online = |rig: &Rig, name: &str| rig.dispatcher.online(rig.device(name));
    rig.pass(seconds(89));
    assert!(online(&rig, "hall"), "it has time to come back");
    assert!(online(&rig, "piano"));
    rig.connect("hall");
    rig.pass(seconds(29));
    assert!(online(&rig, "hall"), "it has time to report");
    assert!(!online(&rig, "piano"), "it did not come back");
    rig.pass(seconds(2));
    assert!(!online(&rig, "hall"), "and it does not");
    assert!(online(&rig, "living"), "it sleeps");
    rig.pass(seconds(479));
    assert!(online(&rig, "living"));
    rig.pass(seconds(2));
    assert!(!online(&rig, "living"));
}

#[test]
fn a_foreign_device_that_never_says_whether_it_is_there_is_not_expected_back() {
    let mut rig = Rig::of(program(BRIDGED), Config::default());
    let bridge = Publisher::Tool("bridge".into());
    rig.publish(&bridge, "z2m/button", r#"{"action":"single"}"#);
    restart(&mut rig, Config::default(), seconds(10));
    rig.pass(seconds(1_000));
    assert!(rig.dispatcher.online(rig.device("button")));
}

#[test]
fn a_silent_virtual_device_is_there_all_the_same() {
    let config = going_by(Conduct {
        silence: BTreeMap::from([("phones".into(), seconds(60))]),
        ..Conduct::default()
    });
    let mut rig = Rig::of(usual(), config);
    let anna = Publisher::Person("anna".into());
    rig.publish(&anna, "iot/phones/anna/state", "home");
    rig.pass(seconds(1_000));
    assert!(rig.dispatcher.online(rig.device("phones")));
}

#[test]
fn who_comes_says_when_it_was_seen_last() {
    let mut rig = Rig::new();
    let shown = |effects: &dispatcher::Effects| {
        let program = usual();
        let explainer = Explainer::new(&program);
        let lines = effects.engine.decisions.iter();
        let lines: Vec<String> = lines
            .flat_map(|decision| explainer.lines(decision, Detail::Fired))
            .filter(|line| !line.contains("rule "))
            .collect();
        lines.join("\n")
    };
    assert_eq!(
        shown(&rig.connect("hall")),
        "12:00:00.000 hall.online, for the first time"
    );
    rig.pass(seconds(3_600));
    rig.says("hall", "iot/hall/lux/state", "7");
    rig.pass(seconds(60));
    let gone = shown(&rig.disconnect("hall"));
    let last_seen = "last seen 2026-03-02 13:00:00";
    assert_eq!(gone, format!("13:01:00.000 hall.offline, {last_seen}"));
    rig.pass(seconds(60));
    let back = shown(&rig.connect("hall"));
    assert_eq!(back, format!("13:02:00.000 hall.online, {last_seen}"));
}
