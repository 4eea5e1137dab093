//! The past comes back as it was: state at any moment, decisions line by line, across restarts and reloads.

use std::{fmt::Write as _, time::Duration};

use dispatcher::{
    Sides,
    explain::{self, Explainer},
};
use proptest::prelude::*;
use replay::{Fed, History, HistoryError, Until};
use types::{InputNo, UnixTime};

use crate::home::{Files, Home, piano_house, with_rules};

/// All that the live stream showed, from the past.
fn told(history: &History) -> Vec<String> {
    let mut lines = Vec::new();
    let mut travel = history.all(Until::End).unwrap();
    while let Some(step) = travel.next().unwrap() {
        let program = std::sync::Arc::clone(step.program());
        explain::fill_texts(&program, step.effects);
        let explainer = Explainer::new(&program);
        let no = step.record.no;
        for told in explain::told(step.effects, step.record.now) {
            lines.push(format!("{no} {}", explainer.told(&told)));
        }
    }
    lines
}

fn edited(edition: usize) -> Files {
    let mut files = piano_house();
    let rules = files.get_mut("rules.toml").unwrap();
    *rules = match edition {
        0 => rules.clone(),
        1 => rules.replace("for = \"5m\"", "for = \"90s\""),
        _ => rules
            .replace("event.key == 60", "event.key == 61")
            .replace("< 50", "< 80"),
    };
    files
}

#[derive(Clone, Debug)]
pub(crate) enum Does {
    Press(u32),
    Motion,
    Lux(u32),
    Button(&'static str),
    Temp(u32),
    Hand(bool),
    Asks(&'static str, &'static str),
    Leaves(&'static str),
    Comes(&'static str),
    Block(&'static str, Sides),
    Unblock(&'static str),
    Pass(u64),
    Deaf(bool),
    Reload(usize),
    Restart(u64),
    Snapshot,
}

pub(crate) fn does() -> impl Strategy<Value = Does> {
    let device = || prop::sample::select(vec!["piano", "hall", "living", "desk", "stairs"]);
    prop_oneof![
        4 => prop::sample::select(vec![36_u32, 60, 64, 67, 80]).prop_map(Does::Press),
        3 => Just(Does::Motion),
        2 => (0_u32..100).prop_map(Does::Lux),
        2 => prop::sample::select(vec!["press", "release"]).prop_map(Does::Button),
        2 => (15_u32..25).prop_map(Does::Temp),
        1 => any::<bool>().prop_map(Does::Hand),
        1 => prop::sample::select(vec![
            ("iot/hall/lamp/set", "toggle"), ("iot/hall/lamp/set", r#"{"on":false,"hold":"1m"}"#),
            ("iot/living/blind/set", "open"), ("iot/living/blind/set", "stop"), ("iot/desk/lamp/set", r#"{"brightness":7}"#),
        ]).prop_map(|(topic, payload)| Does::Asks(topic, payload)),
        1 => device().prop_map(Does::Leaves),
        1 => device().prop_map(Does::Comes),
        1 => (device(), prop::sample::select(vec![Sides::PRODUCER, Sides::CONSUMER, Sides::BOTH]))
            .prop_map(|(device, sides)| Does::Block(device, sides)),
        1 => device().prop_map(Does::Unblock),
        4 => prop::sample::select(vec![5_u64, 100, 900, 4_000, 61_000, 301_000]).prop_map(Does::Pass),
        1 => any::<bool>().prop_map(Does::Deaf),
        1 => (0..3_usize).prop_map(Does::Reload),
        1 => prop::sample::select(vec![1_u64, 200, 90_000]).prop_map(Does::Restart),
        1 => Just(Does::Snapshot),
    ]
}

pub(crate) fn run(home: &mut Home, does: &Does) {
    match does {
        Does::Press(key) => home.press(*key),
        Does::Motion => home.motion(),
        Does::Lux(lux) => home.lux(*lux),
        Does::Button(event) => {
            home.says("desk", "button/event", &format!(r#"{{"event":"{event}"}}"#));
        }
        Does::Temp(temp) => home.says("living", "temp/state", &temp.to_string()),
        Does::Hand(on) => home.says("hall", "lamp/state", &format!(r#"{{"on":{on}}}"#)),
        Does::Asks(topic, payload) => home.asks("anna", topic, payload),
        Does::Leaves(device) => home.disconnect(device),
        Does::Comes(device) => home.connect(device),
        Does::Block(device, sides) => home.block(device, *sides),
        Does::Unblock(device) => home.unblock(device),
        Does::Pass(ms) => home.pass_ms(*ms),
        Does::Deaf(deaf) => home.modules = !deaf,
        Does::Reload(edition) => home.reload(&edited(*edition)),
        Does::Restart(seconds) => home.restart(Duration::from_secs(*seconds)),
        Does::Snapshot => home.snapshot(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn the_past_is_told_as_it_was_seen(history in prop::collection::vec(does(), 1..60)) {
        let mut home = Home::new(&piano_house());
        let mut moments = Vec::new();
        for step in &history {
            run(&mut home, step);
            moments.push((home.last, home.dispatcher.state()));
        }
        let past = home.history();
        let (told, live) = (told(&past), &home.live);
        let differs = told.iter().zip(live).position(|(told, live)| told != live);
        if let Some(place) = differs.or((told.len() != live.len()).then_some(told.len().min(live.len()))) {
            let mut shown = String::new();
            for (name, lines) in [("told", &told), ("live", live)] {
                let from = place.saturating_sub(3);
                let _ = writeln!(shown, "{name}: {:#?}", &lines[from.min(lines.len())..(place + 3).min(lines.len())]);
            }
            prop_assert!(false, "{}", shown);
        }
        for (no, state) in moments {
            let travel = past.from_input(no.next(), Until::End).unwrap();
            prop_assert!(travel.house().state() == state, "the house after input {}", no);
        }
        prop_assert_eq!(past.troubles(), vec![]);
    }
}

#[test]
fn the_house_at_a_moment_is_what_it_was_then() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    let dark = home.now.wall;
    home.pass(60);
    home.motion();
    let lit = home.now.wall;
    home.pass(600);
    home.snapshot();
    home.pass(60);
    home.press(60);
    let past = home.history();
    let lamp = |wall: UnixTime| {
        let travel = past.from(wall, Until::End).unwrap();
        let house = travel.house();
        let channel = house.program().channel_by_path("hall.lamp").unwrap();
        let on = house.program().slot(channel, "on").unwrap();
        house.engine().target(on).and_then(types::Value::as_bool)
    };
    assert_eq!(lamp(dark), None);
    assert_eq!(lamp(UnixTime(lit.0)), None, "right before the input");
    assert_eq!(lamp(UnixTime(lit.0 + 1)), Some(true));
    assert_eq!(lamp(UnixTime(lit.0 + 299_000_000)), Some(true));
    assert_eq!(lamp(UnixTime(lit.0 + 301_000_000)), Some(false));
    assert_eq!(
        lamp(home.now.wall.after(Duration::from_secs(1))),
        Some(true)
    );
}

#[test]
fn a_moment_before_everything_is_refused_with_the_oldest_one() {
    let mut home = Home::new(&piano_house());
    let error = home
        .history()
        .from(UnixTime(0), Until::End)
        .expect_err("1970");
    let HistoryError::TooOld { oldest, is_begin } = &error else {
        panic!("{error}");
    };
    assert_eq!(oldest, "2026-03-28 20:00");
    assert!(
        *is_begin && error.to_string().contains("began at"),
        "{error}"
    );
}

#[test]
fn windows_cover_everything_once_newest_first() {
    let mut home = Home::new(&with_rules(""));
    home.watched = false;
    for round in 0..30 {
        for _ in 0..400 {
            home.lux(round % 7);
        }
        home.pass(30);
        if round % 3 == 0 {
            home.snapshot();
        }
    }
    let past = home.history();
    let mut seen = Vec::new();
    let windows = past.windows(Until::End, None).unwrap();
    assert!(windows.len() > 1);
    for window in windows {
        let mut travel = past.window(window).unwrap();
        let mut numbers = Vec::new();
        while let Some(step) = travel.next().unwrap() {
            if step.fed == Fed::Applied {
                numbers.push(step.record.no.0);
            }
        }
        seen.splice(0..0, numbers);
    }
    assert_eq!(seen, (1..=home.last.0).collect::<Vec<_>>());
}

/// What a look back says behind a snapshot with this body, by iot-control 9.0.0, and what troubles it met.
fn behind_a_snapshot_of(body: &[u8]) -> (Result<InputNo, String>, Vec<String>) {
    let mut home = Home::new(&piano_house());
    home.press(60);
    home.flush();
    let mut database = store::Database::open(&home.state().join("house.db")).unwrap();
    let (newest, _) = database.read().newest_snapshot(home.last).unwrap();
    let strange = store::Snapshot {
        no: home.last,
        binary: "9.0.0".to_owned(),
        body: body.to_vec(),
        broker: None,
        ..newest.unwrap()
    };
    database.put_snapshot(&strange).unwrap();
    home.press(61);
    let past = home.history();
    let went = past.travel_to(Until::End).map(|travel| travel.last());
    let troubles = past.troubles().iter().map(ToString::to_string).collect();
    (went.map_err(|error| error.to_string()), troubles)
}

#[test]
fn a_snapshot_that_is_damaged_means_an_older_one_and_one_of_a_newer_version_is_refused_by_name() {
    let (went, troubles) = behind_a_snapshot_of(b"no snapshot");
    assert!(went.is_ok(), "{went:?}");
    let passed = troubles
        .iter()
        .any(|trouble| trouble.ends_with("an older one is used, with a longer replay"));
    assert!(passed, "{troubles:?}");
    // An array that begins with its format.
    let (went, _) = behind_a_snapshot_of(&[0x85, 0x18, 99]);
    let error = went.unwrap_err();
    assert!(
        error.contains("which iot-control 9.0.0 wrote: it has format 99"),
        "{error}"
    );
}
