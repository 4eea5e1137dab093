//! A day of each example house, of which tests are recorded.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use dispatcher::Input;
use mapping::program::{Carrier, ChannelIx, DeviceIx, EventIx, RuleIx};
use replay::{
    When,
    record::{Recording, Unrecordable},
};
use types::{Type, UnixTime, Value};

use crate::{
    home::{Files, Home},
    records::{failures, passes, recorded},
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

/// Moments of the day of each house at which tests of it and of a part of it begin.
const BEGINS: usize = 16;

/// The mapping of a house, without its tests.
pub(crate) fn files(house: &Path) -> Files {
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
pub(crate) fn happenings(home: &Home, channel: ChannelIx, turn: usize) -> Vec<Input> {
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
    let mut moments = Vec::new();
    for place in 0..HAPPENINGS {
        moments.push(home.now.wall);
        happens(home, place);
        home.pass_ms(PAUSE_MS);
    }
    moments
}

/// What happens in one quarter of an hour. Gives how the house was in the middle of it.
fn happens(home: &mut Home, place: usize) -> Vec<Moment> {
    let channels = home.program.channels.len();
    let channel = ChannelIx((place * 7 % channels) as u32);
    let turn = place / channels + place;
    let mut moments = Vec::new();
    for input in happenings(home, channel, turn) {
        home.take(input);
        home.pass_ms(HELD_MS / 2);
        moments.push(Moment::of(home));
        home.pass_ms(HELD_MS / 2);
    }
    moments
}

/// A moment, and what is under way that no test can begin with: by its name.
pub(crate) struct Moment {
    at: UnixTime,
    under_way: BTreeSet<String>,
}

impl Moment {
    pub(crate) fn of(home: &Home) -> Self {
        let (program, engine) = (&home.program, home.dispatcher.engine());
        let now = home.now.at;
        let begins = |rule: RuleIx| {
            let mut places = 0..program[rule].triggers.len() as u32;
            let is_held = |place| {
                engine
                    .hold(rule, place)
                    .is_some_and(|it| it.waits.is_some())
            };
            places.any(|place| engine.has_begun(rule, place, now) || is_held(place))
        };
        let rules = RuleIx::all(program.rules.len());
        let rules = rules.filter(|rule| engine.runs(*rule).next().is_some() || begins(*rule));
        let buttons = ChannelIx::all(program.channels.len());
        let buttons =
            buttons.filter(|button| engine.button(*button).is_some_and(|button| button.waits));
        let rules = rules.map(|rule| program[rule].name.to_string());
        let buttons = buttons.map(|button| program.channel_path(button));
        Self {
            at: home.now.wall,
            under_way: rules.chain(buttons).collect(),
        }
    }

    /// Whether something of that name is under way.
    fn has(&self, what: &str) -> bool {
        what.split(' ').any(|word| self.under_way.contains(word))
    }
}

/// Numbers that look random and are the same each time.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// Everything happens in turn; gives moments in the midst of it and between, but for the last hours of the day.
fn live_a_day_and_look(home: &mut Home, dice: &mut Dice) -> Vec<Moment> {
    let mut moments = Vec::new();
    for place in 0..HAPPENINGS {
        let mut here = happens(home, place);
        let before_ms = dice.below(PAUSE_MS as usize) as u64;
        home.pass_ms(before_ms);
        here.push(Moment::of(home));
        home.pass_ms(PAUSE_MS - before_ms);
        let chosen = dice.below(here.len() + 1).min(here.len() - 1);
        if place < HAPPENINGS * 3 / 4 {
            moments.push(here.swap_remove(chosen));
        }
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

/// The example houses.
pub(crate) fn houses() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let entries = fs::read_dir(folder).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    let houses: Vec<PathBuf> = folders
        .filter(|folder| folder.join("mapping.toml").exists())
        .collect();
    assert!(houses.len() >= HOUSES_MIN, "{houses:?}");
    houses
}

/// The house after a day: all that its devices say is known.
fn lived_in(files: &Files) -> Home {
    let mut home = Home::new(files);
    for device in DeviceIx::all(home.program.devices.len()) {
        if matches!(home.program[device].carrier, Carrier::Foreign(_)) {
            home.take(Input::Online(device));
        }
    }
    live_a_day(&mut home);
    home
}

#[test]
fn of_a_day_in_each_example_house_tests_are_recorded_that_pass() {
    for house in houses() {
        let files = files(&house);
        let mut home = lived_in(&files);
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
}

/// A test that passes; or what is told is under way, and a test begins where that says.
pub(crate) fn is_recorded_or_told(home: &mut Home, files: &Files, begin: &Moment, only: &[&str]) {
    let mut refused = match recorded(home, begin.at, only) {
        Ok(recording) => return passes(files, &recording),
        Err(refused) => refused,
    };
    let Unrecordable::Waits {
        what,
        quiet,
        earlier,
        ..
    } = &refused
    else {
        assert!(
            matches!(refused, Unrecordable::NothingOfPart),
            "{only:?}: {refused}"
        );
        return;
    };
    assert!(begin.has(what), "{what}: {:?}", begin.under_way);
    let Some(other) = quiet.as_ref().or(earlier.as_ref()) else {
        return;
    };
    let zone = home.history().zone().clone();
    let other = When::parse(other, home.now.wall, &zone).unwrap().from;
    match recorded(home, other, only) {
        Ok(recording) => passes(files, &recording),
        Err(other) => {
            refused = other;
            assert!(
                matches!(refused, Unrecordable::Nothing | Unrecordable::NothingOfPart),
                "{refused}"
            );
        }
    }
}

#[test]
fn from_any_moment_of_a_day_in_each_example_house_a_test_passes_or_what_is_under_way_is_told() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for house in houses() {
        let files = files(&house);
        let mut home = lived_in(&files);
        let moments = live_a_day_and_look(&mut home, &mut dice);
        for _ in 0..BEGINS {
            let begin = &moments[dice.below(moments.len())];
            is_recorded_or_told(&mut home, &files, begin, &[]);
            let rule = dice.below(home.program.rules.len());
            let rule = format!("rule.{}", home.program.rules[rule].name);
            is_recorded_or_told(&mut home, &files, begin, &[&rule]);
        }
    }
}
