//! After a restart the house is as if there had been none.

use std::{sync::Arc, time::Duration};

use dispatcher::{Block, Subject};
use dispatcher::{Config, Dispatcher, Effects, Input, Mark, Outputs, Sides};
use proptest::prelude::*;
use types::Now;

use crate::house::{HOUSE, RULES, Rig, program, sent, start, usual};
use crate::reloads::{TIMER_AND_MORE, goes_off_on_time, renamed_and_edited};
use mapping::Program;

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
    Acknowledge(&'static str),
    Pass(u64),
    Synced,
    Reload(usize),
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
            ("iot/living/heater/set", r#"{"on":true,"for":"30s"}"#), ("iot/mode/vacation/set", "toggle"),
            ("iot/deaf_lamp/lamp/set", "toggle"),
        ]).prop_map(|(topic, payload)| Does::Asks(topic, payload)),
        1 => device().prop_map(Does::Connect),
        1 => device().prop_map(Does::Disconnect),
        2 => device().prop_map(Does::Acknowledge),
        1 => (device(), any::<bool>(), any::<bool>()).prop_map(|(d, p, c)| Does::Block(d, p, c)),
        1 => device().prop_map(Does::Unblock),
        3 => prop::sample::select(vec![10, 900, 4_000, 61_000, 301_000]).prop_map(Does::Pass),
        1 => Just(Does::Synced),
        1 => (0..3_usize).prop_map(Does::Reload),
    ]
}

/// Rules that wait, emit, hold, and switch on for a time.
const MORE: &str = r#"
[device.mode]
virtual = true
io.evening  = { kind = "button" }
io.keys     = { kind = "keyboard" }
io.anna     = { kind = "presence" }
io.vacation = { kind = "switch" }

[rule.blink]
when = "piano.keys.press"
if   = "event.key < 62"
do   = ["hall.lamp.toggle", { wait = "900ms" }, { set = "hall.lamp", brightness = "${event.velocity}" }, { wait = "1m" }, "hall.lamp.off"]
mode = "queue"

[rule.step]
when = "piano.keys.press"
do   = [{ wait = "4s" }, { emit = "mode.keys.press", key = "${event.key + 1}" }]
mode = "parallel"

[rule.evening]
when = "mode.keys.press"
if   = "event.key > 60"
do   = [{ on = "living.heater", for = "1m" }, { hold = "hall.lamp", for = "30s" }, { emit = "mode.anna.leave" }, "mode.vacation.toggle"]

[rule.alone]
when = { holds = "state.mode.anna == 'away' && state.mode.vacation", for = "2s" }
do   = [{ set = "living.bell", on = true, for = "5s" }, { wait = "3s" }, { emit = "mode.anna.arrive" }]
after_downtime = { run_late = "1m" }
"#;

/// The house as it is edited: another rule, another timer, another device's `io`.
fn edited(edition: usize) -> Arc<Program> {
    thread_local! {
        static EDITIONS: [Arc<Program>; 3] = {
            let text = format!("{HOUSE}{RULES}{MORE}");
            [
                program(&text),
                program(&text.replace("event.key == 60", "event.key == 80").replace("\"10s\"", "\"20s\"")),
                program(&text.replace("for = \"5m\"", "for = \"1m\"").replace("{ wait = \"4s\" }", "{ wait = \"5s\" }")),
            ]
        };
    }
    EDITIONS.with(|editions| Arc::clone(&editions[edition]))
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
        Does::Acknowledge(device) => {
            let device = rig.device(device);
            for token in std::mem::take(&mut rig.tokens) {
                let _ = rig.dispatcher.delivered(device, token);
            }
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
        Does::Reload(edition) => {
            let next = edited(*edition);
            let mut record = Vec::new();
            Input::Reload { hash: next.hash }.encode(&rig.program, &mut record);
            rig.journal.push((rig.now, record));
            rig.program = next;
            rig.dispatcher
                .replace(rig.now, Arc::clone(&rig.program), &mut effects);
            rig.note_hash(&effects, Mark::default());
        }
        Does::Synced => rig.take(Input::ClockSynced, &mut effects),
    }
}

/// A snapshot: when, under which mapping, what.
type Snapshot = (Now, Arc<Program>, Vec<u8>);

fn snapshot(rig: &Rig) -> Snapshot {
    let now = rig.dispatcher.engine().now();
    (now, Arc::clone(&rig.program), rig.dispatcher.state())
}

/// The house after a replay, and the hash of what each input put out.
fn replayed((now, program, bytes): &Snapshot, tail: &[(Now, Vec<u8>)]) -> (Dispatcher, Vec<u64>) {
    let mut hashes = Vec::new();
    let (mut dispatcher, notes) =
        Dispatcher::restore(Arc::clone(program), Config::default(), bytes, *now).unwrap();
    assert!(notes.is_empty(), "{notes:?}");
    for (now, record) in tail {
        let mut effects = Effects::default();
        let input = Input::decode(dispatcher.program(), record).unwrap();
        if let Input::Reload { hash } = input {
            let mut editions = (0..3).map(edited);
            let next = editions.find(|program| program.hash == hash).unwrap();
            dispatcher.replace(*now, next, &mut effects);
        } else {
            dispatcher.apply(*now, input, &mut effects);
        }
        let mut outputs = Outputs::default();
        outputs.take(&effects, Mark::default());
        hashes.push(outputs.finish());
    }
    (dispatcher, hashes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn snapshot_and_replay_equal_no_restart_at_every_cut(history in prop::collection::vec(does(), 1..40)) {
        let mut rig = Rig::of(edited(0), Config::default());
        let mut cuts = vec![(snapshot(&rig), 0)];
        for step in &history {
            run(&mut rig, step);
            cuts.push((snapshot(&rig), rig.journal.len()));
        }
        let lived = rig.dispatcher.state();
        for (snapshot, length) in &cuts {
            let (again, hashes) = replayed(snapshot, &rig.journal[*length..]);
            prop_assert!(again.state() == lived, "cut after {length} inputs of {}", rig.journal.len());
            prop_assert_eq!(&hashes, &rig.hashes[*length..], "cut after {} inputs", length);
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
    rig.take(Input::Resumed, &mut Effects::default());
    let mut effects = Effects::default();
    rig.dispatcher.announce(rig.now, &mut effects);
    rig.connect("old_lamp");
    assert!(!sent(&rig.pass(Duration::from_secs(95))).contains(&"old/lamp/set OFF".to_owned()));
    let effects = rig.pass(Duration::from_secs(5));
    assert_eq!(sent(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn a_timer_runs_on_where_it_was_renamed_and_its_rules_edited_while_the_house_was_down() {
    for edit in TIMER_AND_MORE {
        let mut rig = Rig::awake();
        rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
        let bytes = rig.dispatcher.state();
        let (dispatcher, _) =
            Dispatcher::restore(usual(), Config::default(), &bytes, rig.now).unwrap();
        rig.dispatcher = dispatcher;
        rig.now = rig.now.after(Duration::from_secs(200));
        rig.take(Input::Resumed, &mut Effects::default());
        rig.program = program(&renamed_and_edited(edit));
        let mut effects = Effects::default();
        rig.dispatcher
            .replace(rig.now, Arc::clone(&rig.program), &mut effects);
        rig.dispatcher.announce(rig.now, &mut effects);
        rig.connect("old_lamp");
        goes_off_on_time(&mut rig, edit);
    }
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

#[test]
fn a_snapshot_whose_engine_has_another_format_is_refused_and_does_not_start_from_nothing() {
    let rig = Rig::awake();
    let mut bytes = rig.dispatcher.state();
    // Two arrays, each with its format first.
    assert_eq!((bytes[1], bytes[3]), (dispatcher::STATE_FORMAT as u8, 1));
    bytes[3] = 9;
    let program = Arc::clone(&rig.program);
    let refused = Dispatcher::restore(program, Config::default(), &bytes, rig.now);
    let why = refused.expect_err("it is of another format").to_string();
    assert!(why.contains("format 9"), "{why}");
}
