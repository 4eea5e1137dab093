//! A day of each example house, of which tests are recorded.

use std::{fs, path::Path};

use dispatcher::Input;
use mapping::program::{Carrier, ChannelIx, DeviceIx, EventIx};
use replay::record::{Recording, Unrecordable};
use types::{Type, UnixTime, Value};

use crate::{
    home::{Files, Home},
    records::{failures, recorded},
};

/// What happens in a day: one thing each quarter of an hour.
const HAPPENINGS: usize = 96;
const PAUSE_MS: u64 = 15 * 60_000;

/// How long a finger stays.
const HELD_MS: u64 = 150;

/// Shorter than this is no day.
const STEPS_MIN: usize = 40;

/// Fewer example houses than this were overlooked.
const HOUSES_MIN: usize = 5;

/// The mapping of a house, without its tests.
fn files(house: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![house.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(house).unwrap().to_str().unwrap();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".toml")
                && !name.ends_with(".test.toml")
                && !["settings.toml", "blocklist.toml"].contains(&name)
            {
                let text = fs::read_to_string(&path).unwrap();
                files.insert(name.to_owned(), text);
            }
        }
    }
    files
}

/// Another value each time.
fn value(ty: &Type, turn: usize) -> Value {
    let value = match ty {
        Type::Bool => Value::Bool(turn.is_multiple_of(2)),
        Type::Int { min, max } | Type::Number { min, max } => {
            let min = if min.is_finite() { *min } else { 0.0 };
            let span = (max - min).min(1_000.0);
            let part = (turn * 37 % 100) as f64 / 100.0;
            Value::Number((min + span * part).floor().max(min))
        }
        Type::Enum(names) => Value::Text(names[turn % names.len()].clone()),
        Type::Text => Value::from(["one", "two"][turn % 2]),
    };
    assert!(ty.check(&value).is_ok(), "{ty:?}: {value}");
    value
}

fn event(home: &Home, event: EventIx, turn: usize) -> Input {
    let fields = home.program[event].fields.iter();
    Input::Event {
        event,
        fields: fields.map(|field| value(&field.ty, turn)).collect(),
        produced_ms: None,
        stamp: None,
    }
}

/// What the channel does in its turn: an event, or a report of how it is. What is pressed is let go.
fn happenings(home: &Home, channel: ChannelIx, turn: usize) -> Vec<Input> {
    let program = &home.program;
    let row = &program[channel];
    if let [first, ..] = row.events[..] {
        let release = program.event(channel, "release");
        return match release.filter(|_| program.event(channel, "press") == Some(first)) {
            Some(release) => vec![event(home, first, turn), event(home, release, turn)],
            None => vec![event(home, row.events[turn % row.events.len()], turn)],
        };
    }
    let slots = row.slots.iter();
    let fields: Vec<_> = slots
        .map(|slot| (*slot, value(&program[*slot].ty, turn)))
        .collect();
    if fields.is_empty() {
        return Vec::new();
    }
    vec![Input::Report {
        channel,
        fields,
        live: true,
        adopt: false,
    }]
}

/// Everything happens in turn. Gives when.
fn live_a_day(home: &mut Home) -> Vec<UnixTime> {
    let channels = home.program.channels.len();
    let mut moments = Vec::new();
    for place in 0..HAPPENINGS {
        moments.push(home.now.wall);
        let channel = ChannelIx((place * 7 % channels) as u32);
        let turn = place / channels + place;
        for input in happenings(home, channel, turn) {
            home.take(input);
            home.pass_ms(HELD_MS);
        }
        home.pass_ms(PAUSE_MS);
    }
    moments
}

/// What is recorded from the first of these moments on from which it passes.
fn passing(
    home: &mut Home,
    files: &Files,
    begins: &[UnixTime],
    only: &[&str],
) -> Option<Recording> {
    begins
        .iter()
        .find_map(|since| match recorded(home, *since, only) {
            Ok(recording) => failures(files, &recording).is_none().then_some(recording),
            Err(Unrecordable::Waits { .. } | Unrecordable::NothingOfPart) => None,
            Err(other) => panic!("{other}"),
        })
}

#[test]
fn of_a_day_in_each_example_house_tests_are_recorded_that_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut houses = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let house = entry.unwrap().path();
        if !house.join("mapping.toml").exists() {
            continue;
        }
        houses += 1;
        let files = files(&house);
        let mut home = Home::new(&files);
        for device in DeviceIx::all(home.program.devices.len()) {
            if matches!(home.program[device].carrier, Carrier::Foreign(_)) {
                home.take(Input::Online(device));
            }
        }
        // After the first one everything is known.
        live_a_day(&mut home);
        let begins = live_a_day(&mut home);
        let whole = passing(&mut home, &files, &begins, &[]);
        // Where something waits all day, a part of the house can be recorded still.
        let rules = home.program.rules.iter();
        let mut rules = rules
            .map(|rule| format!("rule.{}", rule.name))
            .collect::<Vec<_>>()
            .into_iter();
        let is_long = whole.is_some_and(|recording| recording.steps >= STEPS_MIN);
        let mut part = || rules.any(|rule| passing(&mut home, &files, &begins, &[&rule]).is_some());
        assert!(is_long || part(), "{}", house.display());
    }
    assert!(houses >= HOUSES_MIN, "{houses}");
}
