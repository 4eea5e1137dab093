//! After a restart the house is as if there had been none.

use std::{sync::Arc, time::Duration};

use dispatcher::{Block, Subject};
use dispatcher::{Config, Dispatcher, Effects, Input, Sides};
use proptest::prelude::*;
use types::Now;

use crate::house::{Rig, sent, start, usual};

#[derive(Clone, Debug)]
enum Does {
    Press(u32, Option<(u64, u32)>),
    Lux(u32),
    Lamp(bool),
    Occupied(bool, u32),
    Asks(&'static str, &'static str),
    Connect(&'static str),
    Disconnect(&'static str),
    Block(&'static str, bool, bool),
    Unblock(&'static str),
    Pass(u64),
    Synced,
}

fn does() -> impl Strategy<Value = Does> {
    let device = || prop::sample::select(vec!["piano", "hall", "living", "sensor", "old_lamp"]);
    let stamp = prop::option::of((0_u64..3, 0_u32..8));
    prop_oneof![
        4 => (prop::sample::select(vec![30, 60, 61, 62, 80]), stamp).prop_map(|(k, s)| Does::Press(k, s)),
        1 => (0_u32..50).prop_map(Does::Lux),
        2 => any::<bool>().prop_map(Does::Lamp),
        2 => (any::<bool>(), 15_u32..22).prop_map(|(o, t)| Does::Occupied(o, t)),
        1 => prop::sample::select(vec![
            ("iot/hall/lamp/set", "toggle"), ("iot/hall/lamp/set", r#"{"on":false,"hold":"1m"}"#),
            ("iot/living/blind/set", "open"), ("iot/living/heater/set", "on"),
            ("iot/deaf_lamp/lamp/set", "toggle"),
        ]).prop_map(|(topic, payload)| Does::Asks(topic, payload)),
        1 => device().prop_map(Does::Connect),
        1 => device().prop_map(Does::Disconnect),
        1 => (device(), any::<bool>(), any::<bool>()).prop_map(|(d, p, c)| Does::Block(d, p, c)),
        1 => device().prop_map(Does::Unblock),
        3 => prop::sample::select(vec![10, 900, 4_000, 61_000, 301_000]).prop_map(Does::Pass),
        1 => Just(Does::Synced),
    ]
}

fn run(rig: &mut Rig, does: &Does) {
    let mut effects = Effects::default();
    match does {
        Does::Press(key, stamp) => {
            let stamp = stamp.map_or_else(String::new, |(boot, seq)| {
                format!(",\"boot\":{boot},\"seq\":{seq}")
            });
            let payload = format!("{{\"event\":\"press\",\"key\":{key}{stamp}}}");
            rig.says("piano", "iot/piano/keys/event", &payload);
        }
        Does::Lux(lux) => {
            rig.says("hall", "iot/hall/lux/state", &lux.to_string());
        }
        Does::Lamp(on) => {
            rig.says("hall", "iot/hall/lamp/state", &format!("{{\"on\":{on}}}"));
        }
        Does::Occupied(occupied, temp) => {
            let payload =
                format!("{{\"occupancy\":{occupied},\"climate\":{{\"temperature\":{temp}}}}}");
            rig.says("sensor", "z2m/sensor", &payload);
        }
        Does::Asks(topic, payload) => {
            rig.asks(topic, payload);
        }
        Does::Connect(device) => {
            rig.connect(device);
        }
        Does::Disconnect(device) => {
            rig.disconnect(device);
        }
        Does::Block(device, producer, consumer) => {
            let subject = Subject::Name((*device).to_owned());
            let sides = Sides {
                producer: *producer,
                consumer: *consumer,
            };
            rig.take(Input::Block(Block { subject, sides }), &mut effects);
        }
        Does::Unblock(device) => {
            rig.take(
                Input::Unblock(Subject::Name((*device).to_owned())),
                &mut effects,
            );
        }
        Does::Pass(ms) => {
            rig.pass(Duration::from_millis(*ms));
        }
        Does::Synced => rig.take(Input::ClockSynced, &mut effects),
    }
}

fn replayed(from: &(Now, Vec<u8>), tail: &[(Now, Vec<u8>)]) -> Dispatcher {
    let program = usual();
    let (mut dispatcher, notes) =
        Dispatcher::restore(Arc::clone(&program), Config::default(), &from.1, from.0).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    for (now, record) in tail {
        let input = Input::decode(&program, record).unwrap();
        dispatcher.apply(*now, input, &mut Effects::default());
    }
    dispatcher
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn snapshot_and_replay_equal_no_restart_at_every_cut(history in prop::collection::vec(does(), 1..40)) {
        let mut rig = Rig::new();
        let mut cuts = vec![((rig.now, rig.dispatcher.state()), 0)];
        for step in &history {
            run(&mut rig, step);
            let at = rig.dispatcher.engine().now();
            cuts.push(((at, rig.dispatcher.state()), rig.journal.len()));
        }
        let lived = rig.dispatcher.state();
        for (snapshot, length) in &cuts {
            let again = replayed(snapshot, &rig.journal[*length..]);
            prop_assert!(again.state() == lived, "cut after {length} inputs of {}", rig.journal.len());
        }
    }
}

#[test]
fn the_same_history_gives_the_same_bytes() {
    let once = || {
        let mut rig = Rig::awake();
        rig.press(60);
        rig.says("sensor", "z2m/sensor", r#"{"occupancy":true}"#);
        rig.pass(Duration::from_secs(400));
        rig.dispatcher.state()
    };
    assert_eq!(once(), once());
}

#[test]
fn a_light_goes_off_on_time_after_a_restart() {
    let mut rig = Rig::awake();
    rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    let bytes = rig.dispatcher.state();
    let (dispatcher, _) = Dispatcher::restore(usual(), Config::default(), &bytes, rig.now).unwrap();
    rig.dispatcher = dispatcher;
    rig.now = rig.now.after(Duration::from_secs(200));
    assert!(rig.dispatcher.resume(rig.now).is_empty());
    let mut effects = Effects::default();
    rig.dispatcher.announce(rig.now, &mut effects);
    rig.connect("old_lamp");
    assert!(!sent(&rig.pass(Duration::from_secs(95))).contains(&"old/lamp/set OFF".to_owned()));
    let effects = rig.pass(Duration::from_secs(5));
    assert_eq!(sent(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn everything_retained_is_published_again_at_start() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says("hall", "iot/hall/lux/state", "12");
    let (mut dispatcher, _) =
        Dispatcher::restore(usual(), Config::default(), &rig.dispatcher.state(), rig.now).unwrap();
    let mut effects = Effects::default();
    dispatcher.announce(rig.now, &mut effects);
    let came = sent(&effects);
    for line in [
        "iot/hall/availability online",
        r#"iot/hall/lux/state {"lux":12}"#,
        r#"iot/hall/lamp/target {"on":true}"#,
        "iot/phones/availability online",
    ] {
        assert!(came.contains(&line.to_owned()), "{line}: {came:#?}");
    }
    assert!(
        came.iter()
            .any(|line| line.starts_with("iot/piano/role {\"rev\":1,"))
    );
    assert!(
        effects
            .sends
            .iter()
            .all(|send| send.retain || !send.topic.starts_with("iot/"))
    );
}

#[test]
fn who_does_not_come_back_after_a_restart_is_offline() {
    let mut rig = Rig::awake();
    let (dispatcher, _) =
        Dispatcher::restore(usual(), Config::default(), &rig.dispatcher.state(), rig.now).unwrap();
    rig.dispatcher = dispatcher;
    rig.dispatcher.announce(rig.now, &mut Effects::default());
    rig.pass(Duration::from_secs(30));
    rig.connect("hall");
    let effects = rig.pass(Duration::from_secs(61));
    assert!(rig.dispatcher.online(rig.device("hall")));
    assert!(!rig.dispatcher.online(rig.device("piano")));
    let told: Vec<&str> = effects.notifications.iter().map(|n| &*n.text).collect();
    assert!(told.contains(&"piano went offline.") && !told.contains(&"hall went offline."));
}

#[test]
fn a_damaged_snapshot_is_an_error() {
    let bytes = Rig::awake().dispatcher.state();
    let restore = |bytes: &[u8]| Dispatcher::restore(usual(), Config::default(), bytes, start());
    for cut in 0..bytes.len() {
        assert!(restore(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let mut newer = bytes;
    newer[1] = 9;
    let error = restore(&newer).unwrap_err().to_string();
    assert!(error.contains("format 9"), "{error}");
}
