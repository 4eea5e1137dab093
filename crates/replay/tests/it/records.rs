//! `test --record`: what happened, as a house test that passes.

use dispatcher::{Publisher, Sides, explain::Filter, rehearsal};
use mapping::Loaded;
use proptest::prelude::*;
use replay::{
    Until,
    record::{Recording, Unrecordable, Wanted, record},
};
use types::UnixTime;

use crate::home::{Files, Home, piano_house, with_rules};

/// A house in which everything is known and nothing waits.
pub(crate) fn home(files: &Files) -> Home {
    let mut home = Home::new(files);
    home.lux(12);
    home.says("living", "temp/state", "21");
    home.says("bath", "humidity/state", "60");
    home.says("door", "contact/state", r#""closed""#);
    home.asks("anna", "iot/hall/lamp/set", r#"{"on":false}"#);
    home.pass(150);
    home
}

pub(crate) fn recorded(
    home: &mut Home,
    since: UnixTime,
    only: &[&str],
) -> Result<Recording, Unrecordable> {
    let wanted = Wanted {
        name: "recorded".to_owned(),
        since,
        until: Until::End,
        only: only.iter().map(|path| Filter::new(path)).collect(),
    };
    record(&home.history(), &wanted)
}

/// The house with a recorded test.
fn load(files: &Files, recording: &Recording) -> Loaded {
    let mut files = files.clone();
    files.insert(
        "tests/recorded.test.toml".to_owned(),
        recording.text.clone(),
    );
    mapping::load_texts(files)
}

/// What fails of a recorded test.
pub(crate) fn failures(files: &Files, recording: &Recording) -> Option<String> {
    let loaded = load(files, recording);
    let said = mapping::render(&loaded.sources, &loaded.diagnostics, false);
    assert!(!loaded.has_errors(), "{said}\n{}", recording.text);
    let program = loaded.program.expect("it has no errors");
    assert_eq!(loaded.tests.len(), 1);
    let verdict = rehearsal::run(&program, &loaded.tests[0]);
    (!verdict.passed()).then(|| verdict.to_string())
}

pub(crate) fn passes(files: &Files, recording: &Recording) {
    if let Some(failed) = failures(files, recording) {
        panic!("{failed}\n{}", recording.text);
    }
}

#[test]
fn what_happened_is_a_test_that_passes_and_says_what_was_done() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    home.pass(60);
    home.motion();
    home.pass(90);
    home.press(60);
    home.lux(80);
    home.pass(400);
    home.asks("anna", "iot/desk/lamp/set", "toggle");
    home.pass(10);
    home.says("living", "lamp/state", r#"{"on":true,"brightness":33}"#);
    home.pass(10);
    home.disconnect("living");
    home.pass(5);
    home.press(80);
    let recording = recorded(&mut home, since, &[]).unwrap();
    passes(&files, &recording);
    let text = &recording.text;
    for line in [
        "start = \"2026-03-28 20:02:40\"",
        "given.state.living.temp = 21",
        "given.age.living.temp = \"2m30s\"",
        "given.state.hall.lux = 12",
        "given.state.hall.lamp = { on = false }",
        "given.var.night = false",
        r#"{ at = "1m", event = "hall.motion.start", expect = ["hall.lamp.on"], by = "hall-motion" },  # 20:03:40"#,
        r#"{ at = "2m30s", report = { hall.lux = 80 }, expect = [] },"#,
        r#"{ at = "6m", expect = ["hall.lamp.off"], by = "hall-motion-off" },"#,
        r#"set = "desk.lamp", on = true, expect = ["desk.lamp.on"] },"#,
        r#"report = { living.lamp = { on = true, brightness = 33 } }"#,
        r#"event = "living.offline""#,
        r#"expect = [{ set = "living.lamp", on = true, brightness = 50 }], by = "velocity-dims" },"#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_hand_that_is_undone_is_recorded_with_what_undid_it() {
    let more = "[device.heating]\nid = 99\nio.valve = { kind = \"switch\", enforce = true }\n\
        [rule.valve]\nwhen = \"piano.keys.press\"\nif = \"event.key == 3\"\ndo = \"heating.valve.on\"\n";
    let files = with_rules(more);
    let mut home = home(&files);
    home.connect("heating");
    home.pass(60);
    let since = home.now.wall;
    home.pass(10);
    home.press(3);
    home.says("heating", "valve/state", r#"{"on":true}"#);
    home.pass(60);
    home.says("heating", "valve/state", r#"{"on":false}"#);
    home.says("heating", "valve/state", r#"{"on":true}"#);
    home.pass(60);
    for only in [&[][..], &["heating"], &["rule.valve"]] {
        let recording = recorded(&mut home, since, only).unwrap();
        passes(&files, &recording);
        let line = "report = { heating.valve = false }, expect = [\"heating.valve.on\"]";
        assert!(
            recording.text.contains(line),
            "{only:?}\n{}",
            recording.text
        );
    }
}

#[test]
fn a_part_is_told_of_a_hand_at_an_output_that_its_rules_write() {
    let more = "\n[rule.dark]\nwhen = \"piano.keys.press\"\nif = \"event.key == 3\"\ndo = \"living.tv.off\"\n";
    let files = with_rules(more);
    let mut home = home(&files);
    home.asks("anna", "iot/living/tv/set", "on");
    home.pass(60);
    let since = home.now.wall;
    home.pass(10);
    home.press(3);
    home.pass(60);
    home.says("living", "tv/state", "true");
    home.pass(60);
    home.press(3);
    let recording = recorded(&mut home, since, &["rule.dark"]).unwrap();
    passes(&files, &recording);
    let line = "report = { living.tv = true }, expect = []";
    assert!(recording.text.contains(line), "{}", recording.text);
}

#[test]
fn a_part_that_waits_for_devices_to_go_is_told_that_they_came_back() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    home.pass(60);
    for _ in 0..2 {
        home.disconnect("desk");
        home.pass(60);
        home.connect("desk");
        home.pass(60);
    }
    let recording = recorded(&mut home, since, &["rule.device-lost"]).unwrap();
    passes(&files, &recording);
    let gone = recording.text.matches("desk.offline").count();
    assert_eq!(gone, 2, "{}", recording.text);
}

#[test]
fn arguments_of_a_command_are_recorded_where_they_are_not_the_defaults() {
    let more = "[device.extra]\nid = 99\nio.horn = { kind = \"buzzer\" }\n\
        [rule.horn]\nwhen = \"piano.keys.press\"\nif = \"event.key == 3\"\ndo = [{ command = \"extra.horn.beep\", ms = 90 }, \"extra.horn.beep\"]\n";
    let files = with_rules(more);
    let mut home = home(&files);
    home.connect("extra");
    home.pass(60);
    let since = home.now.wall;
    home.pass(30);
    home.press(3);
    let recording = recorded(&mut home, since, &[]).unwrap();
    passes(&files, &recording);
    let said = r#"{ command = "extra.horn.beep", ms = 90 }, "extra.horn.beep""#;
    assert!(recording.text.contains(said), "{}", recording.text);
}

#[test]
fn a_changed_rule_fails_the_recorded_test_and_is_named() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    home.motion();
    home.pass(400);
    home.press(36);
    let recording = recorded(&mut home, since, &[]).unwrap();
    passes(&files, &recording);
    let mut broken = files;
    let rules = broken.get_mut("rules.toml").unwrap();
    *rules = rules.replace("state.hall.lux < 50", "state.hall.lux < 5");
    let failed = failures(&broken, &recording).expect("the lamp stays off");
    assert!(failed.contains("expected: hall.lamp.on"), "{failed}");
    assert!(failed.contains("rule hall-motion"), "{failed}");
}

#[test]
fn only_what_is_asked_for_is_recorded() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    for _ in 0..3 {
        home.motion();
        home.press(60);
        home.press(80);
        home.pass(400);
        home.lux(30);
    }
    let all = recorded(&mut home, since, &[]).unwrap();
    let hall = recorded(
        &mut home,
        since,
        &["rule.hall-motion", "rule.hall-motion-off"],
    )
    .unwrap();
    // Middle C switches the hall's lamp as well, so it belongs to it.
    assert!(hall.text.contains("key = 60"), "{}", hall.text);
    assert!(!hall.text.contains("key = 80"), "{}", hall.text);
    assert!(hall.text.contains("hall.motion.start"), "{}", hall.text);
    assert!(hall.steps < all.steps);
    let living = recorded(&mut home, since, &["living.lamp"]).unwrap();
    assert!(living.text.contains("key = 80"), "{}", living.text);
    assert!(!living.text.contains("motion.start"), "{}", living.text);
    for recording in [&all, &hall, &living] {
        passes(&files, recording);
    }
}

#[test]
fn what_can_not_be_recorded_is_refused_with_its_place() {
    let files = piano_house();
    let refused = |does: &dyn Fn(&mut Home)| {
        let mut home = home(&files);
        let since = home.now.wall;
        home.press(36);
        home.pass(20);
        does(&mut home);
        home.pass(20);
        home.press(36);
        recorded(&mut home, since, &[]).unwrap_err().to_string()
    };
    let expect = |refused: String, expected: &str| {
        assert!(refused.contains(expected), "{refused}");
    };
    expect(
        refused(&|home| home.restart(std::time::Duration::from_secs(7))),
        "the dispatcher was restarted at 2026-03-28 20:03:07, which a test can't say",
    );
    expect(
        refused(&|home| home.block("hall", Sides::BOTH)),
        "a block was set or lifted at 2026-03-28 20:03:00",
    );
    expect(
        refused(&|home| home.asks("anna", "iot/living/blind/set", "stop")),
        "anna asked for living.blind.stop at 2026-03-28 20:03:00",
    );
    for (from, said) in [
        (Publisher::Superuser, "a client without a login asked for"),
        (
            Publisher::ExternalBroker,
            "a client of the external broker asked for",
        ),
    ] {
        expect(
            refused(&|home| home.publish(&from, "iot/living/blind/set", "stop")),
            said,
        );
    }
    expect(
        refused(&|home| {
            let edited =
                with_rules("\n[rule.more]\nwhen = \"door.bell.release\"\ndo = \"hall.lamp.on\"\n");
            home.reload(&edited);
        }),
        "another mapping came into force at 2026-03-28 20:03:00",
    );
}

/// A rule that waits between its actions, which no test can begin with.
pub(crate) const WAITS: &str = "\n[rule.slow]\nwhen = \"door.bell.press\"\ndo = [\"bath.fan.on\", { wait = \"5m\" }, \"bath.fan.off\"]\n";

pub(crate) fn ring(home: &mut Home) {
    home.says("door", "bell/event", r#"{"event":"press"}"#);
}

#[test]
fn a_beginning_in_the_middle_of_something_is_refused_with_a_better_one() {
    let files = with_rules(WAITS);
    let mut home = home(&files);
    ring(&mut home);
    home.pass(60);
    let since = home.now.wall;
    home.press(60);
    home.pass(300);
    home.press(36);
    home.pass(10);
    home.press(36);
    let refused = recorded(&mut home, since, &[]).unwrap_err();
    let Unrecordable::Waits {
        what,
        quiet: Some(_),
        ..
    } = &refused
    else {
        panic!("{refused}");
    };
    assert_eq!(what, "the rule slow waits between its actions");
    let said = refused.to_string();
    assert!(
        said.contains("nothing waits at --since \"2026-03-28 20:07:41\""),
        "{said}"
    );
    let nothing = recorded(&mut home, UnixTime(since.0 + 3_600_000_000), &[]);
    assert!(matches!(nothing, Err(Unrecordable::Nothing)), "{nothing:?}");
}

#[test]
fn what_came_within_the_second_before_the_beginning_is_not_asked_for() {
    let more = "\n[rule.warm]\nwhen = \"piano.keys.press\"\nif = \"event.key == 3 && state.living.temp > 5\"\ndo = \"desk.lamp.on\"\n";
    let files = with_rules(more);
    let mut home = home(&files);
    home.pass_ms(200);
    home.press(3);
    home.pass_ms(300);
    let since = home.now.wall;
    home.press(36);
    home.pass(10);
    let desk = recorded(&mut home, since, &["desk.lamp"]).unwrap();
    passes(&files, &desk);
    assert!(!desk.text.contains("living.temp"), "{}", desk.text);
}

#[test]
fn a_house_in_which_something_always_waits_is_recorded_in_part_or_from_before() {
    let files = with_rules(WAITS);
    let mut home = home(&files);
    let quiet = home.now.wall;
    ring(&mut home);
    home.pass(30);
    let since = home.now.wall;
    home.says("stairs", "top/event", r#"{"event":"press"}"#);
    home.pass(60);
    ring(&mut home);
    home.pass(60);
    let refused = recorded(&mut home, since, &[]).unwrap_err();
    let Unrecordable::Waits {
        quiet: None,
        earlier: Some(_),
        ..
    } = &refused
    else {
        panic!("{refused}");
    };
    let said = refused.to_string();
    assert!(said.contains("nothing waited at --since"), "{said}");
    assert!(!said.contains("begin earlier"), "{said}");
    assert!(
        said.ends_with("With --rule or --device only what those need has to be quiet"),
        "{said}"
    );
    let stairs = recorded(&mut home, since, &["rule.staircase"]).unwrap();
    assert!(stairs.text.contains("stairs.top.press"), "{}", stairs.text);
    passes(&files, &stairs);
    let all = recorded(&mut home, quiet, &[]).unwrap();
    passes(&files, &all);
}

#[test]
fn a_part_holds_what_it_needs_and_nothing_else_of_the_house() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    home.lux(120);
    home.motion();
    home.pass(10);
    home.lux(12);
    home.motion();
    for event in ["press", "release"] {
        home.says("desk", "button/event", &format!(r#"{{"event":"{event}"}}"#));
    }
    home.pass(400);
    let hall = recorded(&mut home, since, &["rule.hall-motion"]).unwrap();
    for needed in [
        "given.state.hall.lamp",
        "given.state.hall.lux",
        "given.var.night",
        "lux = 12",
        "motion.start",
    ] {
        assert!(hall.text.contains(needed), "{needed}\n{}", hall.text);
    }
    for other in ["living", "bath", "desk", "door", "comfort"] {
        assert!(!hall.text.contains(other), "{other}\n{}", hall.text);
    }
    passes(&files, &hall);
    // A gesture is made of presses, on which no rule looks.
    let click = recorded(&mut home, since, &["rule.desk-click"]).unwrap();
    assert!(click.text.contains("desk.button.release"), "{}", click.text);
    assert!(!click.text.contains("hall"), "{}", click.text);
    passes(&files, &click);
}

#[test]
fn a_stretch_with_nothing_of_what_is_asked_for_says_so() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    for _ in 0..3 {
        home.motion();
        home.press(36);
        home.pass(400);
    }
    home.press(36);
    for part in ["rule.door-bell", "rule.wake-up", "door"] {
        let refused = recorded(&mut home, since, &[part]).unwrap_err();
        assert!(
            matches!(refused, Unrecordable::NothingOfPart),
            "{part}: {refused}"
        );
        let said = refused.to_string();
        assert!(said.contains("what --rule or --device name"), "{said}");
    }
}

#[test]
fn no_step_of_a_part_is_empty_where_nothing_falls_due_between() {
    let files = piano_house();
    let mut home = home(&files);
    let since = home.now.wall;
    home.press(36);
    for _ in 0..3 {
        home.pass(2);
        home.says("door", "bell/event", r#"{"event":"press"}"#);
        home.says("door", "bell/event", r#"{"event":"release"}"#);
        home.press(60);
        home.pass(20);
        home.press(80);
    }
    home.pass(20);
    home.press(36);
    let bell = recorded(&mut home, since, &["rule.door-bell"]).unwrap();
    passes(&files, &bell);
    let steps: Vec<&str> = bell
        .text
        .lines()
        .filter(|line| line.contains("at ="))
        .collect();
    assert_eq!(steps.len(), 3, "{}", bell.text);
    for step in steps {
        assert!(step.contains("door.bell.press"), "{}", bell.text);
    }
    assert!(!bell.text.contains("piano"), "{}", bell.text);
}

#[test]
fn texts_that_act_on_a_terminal_are_escaped_and_stay_what_they_are() {
    let more = "[device.extra]\nid = 99\nio.screen = { kind = \"teller\" }\n\
        [kind.teller]\nstate.says = \"text\"\nevents.word = { text = \"text\" }\n\
        [rule.say]\nwhen = \"extra.screen.word\"\ndo = { notify = \"all\", text = \"it said ${event.text}\" }\n";
    let files = with_rules(more);
    let mut home = home(&files);
    home.connect("extra");
    home.pass(60);
    let since = home.now.wall;
    home.pass(10);
    let text = r#"{"event":"word","text":"a\u202eb\u009b31m\u2066\u001b[2J\u200f"}"#;
    home.says("extra", "screen/event", text);
    let recording = recorded(&mut home, since, &["rule.say"]).unwrap();
    let acts = |c: char| types::is_acting(c) && c != '\n';
    assert!(!recording.text.contains(acts), "{:?}", recording.text);
    assert!(
        recording
            .text
            .contains(r"a\u202Eb\u009B31m\u2066\u001B[2J\u200F"),
        "{}",
        recording.text
    );
    passes(&files, &recording);
}

#[test]
fn a_text_that_tells_how_old_something_is_is_expected_without_its_words() {
    let rules = "\n[rule.old]\nwhen = \"piano.keys.press\"\nif = \"event.key == 61\"\n\
        do = { notify = \"all\", text = \"said ${age(state.hall.lux)} ago\" }\n";
    let files = with_rules(rules);
    let mut home = home(&files);
    home.pass_us(645_507);
    let since = home.now.wall;
    home.pass_us(100_003);
    home.press(61);
    let recording = recorded(&mut home, since, &[]).unwrap();
    passes(&files, &recording);
    assert!(
        recording.text.contains(r#"{ notify = "all" }"#),
        "{}",
        recording.text
    );
}

#[test]
fn commands_of_several_rules_in_one_step_name_them() {
    let rules = "\n[rule.also]\nwhen = \"piano.keys.press\"\nif = \"event.key == 60\"\ndo = \"bath.fan.on\"\n";
    let files = with_rules(rules);
    let mut home = home(&files);
    let since = home.now.wall;
    home.press(60);
    let both = recorded(&mut home, since, &[]).unwrap();
    let line = both.text.lines().find(|line| line.contains("key = 60"));
    assert!(
        line.is_some_and(|line| line.ends_with(" by middle-c, also")),
        "{}",
        both.text
    );
    passes(&files, &both);
}

/// Something that happens in a house.
#[derive(Clone, Debug)]
enum Does {
    Press(u32),
    Motion,
    Lux(u32),
    Temp(u32),
    Says(&'static str, &'static str, &'static str),
    Asks(&'static str, &'static str),
    Leaves(&'static str),
    Comes(&'static str),
    Passes(u64),
}

fn does() -> impl Strategy<Value = Does> {
    let lamps = prop_oneof![Just("hall/lamp"), Just("desk/lamp"), Just("stairs/lamp")];
    let wishes = prop_oneof![
        Just("toggle"),
        Just("on"),
        Just("off"),
        Just(r#"{"on":true,"for":"40s"}"#),
        Just(r#"{"on":true,"hold":"30s"}"#),
    ];
    prop_oneof![
        4 => prop_oneof![Just(60_u32), Just(36), Just(64), Just(67), Just(72), Just(52), Just(50), Just(48)].prop_map(Does::Press),
        3 => Just(Does::Motion),
        2 => (0_u32..100).prop_map(Does::Lux),
        2 => (17_u32..25).prop_map(Does::Temp),
        3 => prop_oneof![Just("press"), Just("release")].prop_map(|what| Does::Says("desk", "button/event", what)),
        1 => prop_oneof![Just("open"), Just("closed")].prop_map(|is| Does::Says("door", "contact/state", is)),
        1 => Just(Does::Says("door", "bell/event", "press")),
        1 => prop_oneof![Just("hall"), Just("stairs")].prop_map(|of| Does::Says(of, "lamp/state", r#"{"on":true}"#)),
        1 => prop_oneof![Just("hall"), Just("stairs")].prop_map(|of| Does::Says(of, "lamp/state", r#"{"on":false}"#)),
        3 => (lamps, wishes).prop_map(|(lamp, wish)| Does::Asks(lamp, wish)),
        1 => Just(Does::Leaves("desk")),
        1 => Just(Does::Comes("desk")),
        4 => (0_u64..20).prop_map(|tenths| Does::Passes(tenths * 100)),
        4 => (1_u64..400).prop_map(|seconds| Does::Passes(seconds * 1_000)),
    ]
}

fn act(home: &mut Home, does: &Does) {
    match does {
        Does::Press(key) => home.press(*key),
        Does::Motion => home.motion(),
        Does::Lux(lux) => home.lux(*lux),
        Does::Temp(temp) => home.says("living", "temp/state", &temp.to_string()),
        Does::Says(device, topic, payload) => home.says(device, topic, payload),
        Does::Asks(lamp, wish) => home.asks("anna", &format!("iot/{lamp}/set"), wish),
        Does::Leaves(device) => home.disconnect(device),
        Does::Comes(device) => home.connect(device),
        Does::Passes(ms) => home.pass_ms(*ms),
    }
    // What a module is told it reports a moment later.
    home.pass_ms(100);
}

/// What is recorded of a history in the house of these tests.
fn recorded_of(history: &[Does], only: &[&str]) -> Result<Recording, Unrecordable> {
    let mut home = home(&piano_house());
    home.watched = false;
    let since = home.now.wall;
    for does in history {
        act(&mut home, does);
    }
    recorded(&mut home, since, only)
}

/// What happened, of all or of a part of the house, is a test that passes, or nothing.
#[track_caller]
fn is_recorded(history: &[Does], part: Option<&str>) {
    let only: Vec<&str> = part.into_iter().collect();
    match recorded_of(history, &only) {
        Ok(recording) => passes(&piano_house(), &recording),
        Err(refused) => assert!(is_nothing(&refused), "{refused}"),
    }
}

fn is_nothing(refused: &Unrecordable) -> bool {
    matches!(refused, Unrecordable::Nothing | Unrecordable::NothingOfPart)
}

#[test]
fn a_device_that_comes_back_by_what_is_left_out_is_there_in_the_test_of_a_part() {
    let press = Does::Says("desk", "button/event", "press");
    let gone = || Does::Leaves("desk");
    let told = r#"{"on":true}"#;
    let histories = [
        // It says that it did what it was told while it was away.
        vec![
            gone(),
            Does::Press(36),
            Does::Says("desk", "lamp/state", told),
            gone(),
        ],
        vec![gone(), press.clone(), gone()],
        vec![gone(), press.clone(), gone(), Does::Press(36)],
        vec![
            gone(),
            press,
            Does::Press(36),
            Does::Asks("desk/lamp", "on"),
        ],
    ];
    for history in histories {
        for part in [None, Some("desk.lamp"), Some("rule.desk-click")] {
            is_recorded(&history, part);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_is_a_test_that_passes(history in prop::collection::vec(does(), 1..60)) {
        match recorded_of(&history, &[]) {
            Ok(recording) => {
                let failed = failures(&piano_house(), &recording);
                prop_assert!(failed.is_none(), "{}\n{}", failed.unwrap_or_default(), recording.text);
            }
            Err(Unrecordable::Nothing) => {
                prop_assert!(history.iter().all(|does| matches!(does, Does::Passes(_) | Does::Comes(_))));
            }
            Err(refused) => prop_assert!(false, "{refused}"),
        }
    }

    #[test]
    fn what_happened_to_a_part_is_a_test_that_passes(
        history in prop::collection::vec(does(), 1..60),
        part in prop_oneof![Just("rule.hall-motion"), Just("rule.desk-click"), Just("hall.lamp"), Just("desk.lamp"), Just("living")],
    ) {
        match recorded_of(&history, &[part]) {
            Ok(recording) => {
                let failed = failures(&piano_house(), &recording);
                prop_assert!(failed.is_none(), "{}\n{}", failed.unwrap_or_default(), recording.text);
            }
            Err(refused) => prop_assert!(is_nothing(&refused), "{refused}"),
        }
    }
}
