//! `why-not`: one sentence for each way in which a rule can do nothing.

use std::time::Duration;

use dispatcher::Sides;
use replay::{
    Paint, When,
    why::why,
    why_not::{WhyNot, why_not},
};
use types::Now;

use crate::home::{Home, evening, piano_house, renamed, with_rules};

pub(crate) fn ask(home: &mut Home, rule: &str, at: Option<&str>) -> WhyNot {
    let now = home.now.wall;
    let past = home.history();
    let when = at.map(|at| When::parse(at, now, past.zone()).unwrap());
    let answer = why_not(&past, rule, when, now).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(past.troubles(), []);
    answer
}

/// The first sentence, and all of the answer where another one was expected.
#[track_caller]
pub(crate) fn says(home: &mut Home, rule: &str, expected: &str) {
    says_at(home, rule, None, expected);
}

#[track_caller]
pub(crate) fn says_at(home: &mut Home, rule: &str, at: Option<&str>, expected: &str) {
    let answer = ask(home, rule, at);
    let past = home.history();
    let text = answer.text(past.zone(), Paint::None);
    assert!(
        answer.sentences.iter().any(|sentence| sentence == expected),
        "expected:\n  {expected}\ncame:\n{text}"
    );
}

#[test]
fn a_condition_that_was_false_names_the_value_and_since_when() {
    let mut home = Home::new(&piano_house());
    home.pass(20);
    home.lux(120);
    home.pass(60);
    home.motion();
    home.pass(30);
    let expected = "hall.motion.start came at 20:01:30.000, but state.hall.lux < 50 was false: state.hall.lux was 120, \
                    since 20:00:30.000";
    says(&mut home, "hall-motion", expected);
    says_at(&mut home, "hall-motion", Some("20:01"), expected);
    let text = ask(&mut home, "hall-motion", None).text(home.history().zone(), Paint::None);
    let shown = "
  20:01:30.000                hall.motion.start
                              rule hall-motion  rules.toml:32
                                sun.is_down           true
                                state.hall.lux < 50   false      state.hall.lux = 120
                                !var.night            not asked
";
    assert!(text.contains(shown), "{text}");
    assert!(
        text.contains("hall.motion.start  came last at 20:01:30.000, once since 20:00:00.000"),
        "{text}"
    );
}

#[test]
fn an_event_that_the_index_ruled_out_says_which_field() {
    let mut home = Home::new(&piano_house());
    home.press(61);
    says(
        &mut home,
        "middle-c",
        "piano.keys.press key=61 velocity=64 came at 20:00:10.000, but event.key == 60 was false: event.key was 61",
    );
}

#[test]
fn a_condition_that_was_unknown_says_what_was_never_reported_or_is_too_old() {
    let mut home = Home::new(&with_rules(
        "\n[rule.warm]\nwhen = \"piano.keys.press\"\nif = \"state.living.temp > 20\"\ndo = \"living.heater.off\"\n",
    ));
    home.motion();
    says(
        &mut home,
        "hall-motion",
        "hall.motion.start came at 20:00:10.000, but state.hall.lux < 50 was unknown: hall.lux has never been reported",
    );
    home.says("living", "temp/state", "21");
    home.pass(600);
    home.press(1);
    says(
        &mut home,
        "warm",
        "piano.keys.press key=1 velocity=64 came at 20:10:10.000, but state.living.temp > 20 was unknown: living.temp was \
         reported last at 20:00:10.000, as 21, and counts for 5m (stale_after)",
    );
}

#[test]
fn a_trigger_that_never_came_says_since_when_and_that_its_device_is_away() {
    let mut home = Home::new(&piano_house());
    home.pass(60);
    says(
        &mut home,
        "hall-motion",
        "hall.motion.start did not come since 20:00:00.000",
    );
    home.disconnect("hall");
    home.pass(60);
    says(
        &mut home,
        "hall-motion",
        "hall.motion.start did not come since 20:00:00.000; hall is offline since 20:01:10.000",
    );
}

#[test]
fn a_trigger_that_came_at_another_time_is_told_with_the_condition_then() {
    let mut home = Home::new(&piano_house());
    home.lux(120);
    home.motion();
    home.pass(1_800);
    says_at(
        &mut home,
        "hall-motion",
        Some("20:20"),
        "hall.motion.start came last at 20:00:10.000, once since 20:00:00.000",
    );
    let answer = ask(&mut home, "hall-motion", Some("20:20"));
    let parts: Vec<(&str, &str)> = answer
        .condition
        .iter()
        .map(|part| (part.text.as_str(), part.truth.word()))
        .collect();
    assert_eq!(
        parts,
        [
            ("sun.is_down", "true"),
            ("state.hall.lux < 50", "false"),
            ("!var.night", "true")
        ]
    );
}

#[test]
fn a_blocked_producer_came_and_was_not_heard() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.block("hall", Sides::PRODUCER);
    home.pass(5);
    home.motion();
    says(
        &mut home,
        "hall-motion",
        "hall.motion.start came at 20:00:15.000 and was not heard: hall is blocked as producer",
    );
}

#[test]
fn a_block_that_came_after_the_last_press_is_told_before_it_and_before_its_absence() {
    let mut home = Home::new(&piano_house());
    home.press(60);
    home.pass(20);
    home.block("piano", Sides::BOTH);
    home.disconnect("piano");
    home.pass(60);
    says(
        &mut home,
        "middle-c",
        "piano.keys.press is not heard: piano is blocked since 20:00:30.000, and its login is refused; it came last at \
         20:00:10.000, once since 20:00:00.000",
    );
    let first = &ask(&mut home, "middle-c", None).sentences[0];
    assert!(first.contains("is blocked since"), "{first}");

    home.unblock("piano");
    home.connect("piano");
    says(&mut home, "middle-c", "it did fire, at 20:00:10.000");
}

#[test]
fn a_gesture_of_a_blocked_button_is_not_told_as_one_that_nobody_made() {
    let mut home = Home::new(&piano_house());
    home.says("desk", "button/event", r#"{"event":"press"}"#);
    home.says("desk", "button/event", r#"{"event":"release"}"#);
    home.pass(10);
    home.block("desk", Sides::PRODUCER);
    says(
        &mut home,
        "desk-double",
        "desk.button.double is not heard: desk is blocked as producer since 20:00:20.000; it came last at 20:00:10.000, once \
         since 20:00:00.000",
    );
}

#[test]
fn a_disabled_rule_is_switched_off_since_when() {
    let mut off = piano_house();
    let rules = off.get_mut("rules.toml").unwrap();
    *rules = rules.replace("[rule.middle-c] ", "[rule.middle-c]\nenabled = false\n#");
    let mut home = Home::new(&off);
    home.press(60);
    says(
        &mut home,
        "middle-c",
        "it is switched off: enabled = false at rules.toml:5",
    );

    let mut home = Home::new(&piano_house());
    home.pass(50);
    home.reload(&off);
    home.press(60);
    says(
        &mut home,
        "middle-c",
        "it is switched off since 20:01:00.000: enabled = false at rules.toml:5",
    );
}

#[test]
fn what_fell_due_with_a_reload_is_told_under_the_new_mapping() {
    let rest = "[device.v]\nvirtual = true\nio.e = { kind = \"button\" }\n\
        [rule.em]\nwhen = \"piano.keys.press\"\ndo = [{ wait = \"5s\" }, { emit = \"v.e.press\" }]\n";
    let more = "[device.aa]\nvirtual = true\nio.x = { kind = \"button\" }\n";
    let mut home = Home::new(&with_rules(rest));
    home.pass(10);
    home.press(3);
    // Nothing else came: the reload is what time passes with, for it brings a device.
    home.now = home.now.after(Duration::from_secs(6));
    home.reload(&with_rules(&format!("{more}{rest}")));
    home.pass(10);
    let answer = ask(&mut home, "em", None);
    let past = home.history();
    let text = answer.text(past.zone(), Paint::None);
    assert!(
        text.contains("v.e.press") && !text.contains("aa.x"),
        "{text}"
    );
    let now = home.now.wall;
    let why = why(&past, "rule.em", None).unwrap().expect("it fired");
    let text = why.text(past.zone(), now, Paint::None);
    assert!(text.contains("v.e.press"), "{text}");
}

#[test]
fn what_was_before_the_house_is_not_told() {
    let mut home = Home::new(&piano_house());
    home.pass(20);
    let now = home.now.wall;
    let past = home.history();
    let when = When::parse("yesterday 07:00", now, past.zone()).unwrap();
    let error = why_not(&past, "middle-c", Some(when), now).unwrap_err();
    assert!(
        error.to_string().contains("nothing is known of before"),
        "{error}"
    );
}

#[test]
fn a_rule_that_the_mapping_did_not_have_then_is_told() {
    let mut home = Home::new(&piano_house());
    home.pass(120);
    home.reload(&with_rules(
        "\n[rule.new]\nwhen = \"piano.keys.press\"\ndo = \"hall.lamp.on\"\n",
    ));
    home.pass(60);
    says_at(
        &mut home,
        "new",
        Some("20:01"),
        "the mapping in force then did not have it",
    );
}

#[test]
fn a_rule_that_was_renamed_tells_what_it_did_under_its_old_name() {
    let mut home = Home::new(&piano_house());
    home.press(60);
    let before = ask(&mut home, "middle-c", None);
    home.pass(10);
    home.reload(&renamed(&[("middle-c", "note-c")]));
    home.pass(10);
    home.reload(&renamed(&[("middle-c", "key-c")]));
    home.pass(10);
    let after = ask(&mut home, "key-c", None);
    assert_eq!(after.rule, "key-c");
    assert!(before.fired.is_some());
    assert_eq!(after.fired, before.fired);
    assert_eq!(after.sentences, before.sentences);
    // Before the rename it answers to the name that it had.
    let then = ask(&mut home, "middle-c", Some("20:00:12"));
    assert_eq!((then.rule.as_str(), then.fired), ("middle-c", before.fired));
}

#[test]
fn a_device_that_was_renamed_is_told_with_what_it_said_before() {
    let mut home = Home::new(&piano_house());
    home.pass(10);
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(10);
    home.reload(&renamed(&[
        ("door.", "gate."),
        ("[device.door]", "[device.gate]"),
    ]));
    home.pass(10);
    let answer = ask(&mut home, "door-bell", None);
    assert_eq!(
        answer.triggers[0].to_string(),
        "gate.bell.press came last at 20:00:20.000, once since 20:00:00.000; gate is offline since 20:00:30.000"
    );
}

#[test]
fn a_used_up_limit_says_when_it_is_free_again() {
    let mut home = Home::new(&piano_house());
    let ring = |home: &mut Home| home.says("door", "bell/event", r#"{"event":"press"}"#);
    ring(&mut home);
    home.pass(4);
    ring(&mut home);
    says(
        &mut home,
        "door-bell",
        "door.bell.press came at 20:00:14.000 and its condition was true, but its limit (1 per 10s) was used up by 1 firing \
         before; it may fire again from 20:00:20.000 on",
    );
}

#[test]
fn the_fuse_is_named() {
    let mut home = Home::new(&piano_house());
    home.modules = false;
    for _ in 0..101 {
        home.press(36);
    }
    says(
        &mut home,
        "lowest-key",
        "piano.keys.press key=36 velocity=64 came at 20:00:10.000, but the rule was cut: it fired more often in a second than any \
         rule may (engine.fuse in settings.toml)",
    );
}

#[test]
fn what_became_of_a_firing_is_told() {
    let mut home = Home::new(&piano_house());
    home.press(60);
    home.pass(10);
    home.press(60);
    let already = "hall.lamp on=true was already so: what is already so is not sent again";
    says(&mut home, "middle-c", "it did fire, at 20:00:20.000");
    says(&mut home, "middle-c", already);

    home.asks("anna", "iot/hall/lamp/set", r#"{"on":false,"hold":"10m"}"#);
    home.pass(5);
    home.press(60);
    says(
        &mut home,
        "middle-c",
        "hall.lamp on was not written: the output is held until 20:10:20.000",
    );

    let mut home = Home::new(&piano_house());
    home.disconnect("hall");
    home.press(60);
    says(
        &mut home,
        "middle-c",
        "hall.lamp on=true waits: hall was offline",
    );

    let mut home = Home::new(&piano_house());
    home.block("hall", Sides::CONSUMER);
    home.press(60);
    says(
        &mut home,
        "middle-c",
        "hall.lamp on=true was not sent: hall is blocked as consumer",
    );
}

#[test]
fn a_rule_that_another_one_overwrote_is_told_so() {
    let mut home = Home::new(&with_rules(
        "\n[rule.later]\nwhen = \"piano.keys.press\"\nif = \"event.key == 60\"\ndo = \"hall.lamp.off\"\nallow = [\"two-writers\"]\n",
    ));
    home.press(60);
    let answer = ask(&mut home, "middle-c", None);
    assert!(
        answer.sentences[1].starts_with("hall.lamp was written by later (rules.toml:")
            && answer.sentences[1].ends_with("after it, on the same event: the last one wins"),
        "{answer:?}"
    );
}

#[test]
fn a_for_that_runs_says_how_long_it_still_takes() {
    let mut home = Home::new(&piano_house());
    home.says("bath", "humidity/state", "70");
    home.pass(12);
    says(
        &mut home,
        "fan-on",
        "state.bath.humidity > 65 for 30s is true since 20:00:10.000 and must stay so for 30s: it fires at 20:00:40.000, in 18 s",
    );
}

#[test]
fn a_holds_that_is_true_for_long_or_false_or_unknown_is_told() {
    let mut home = Home::new(&piano_house());
    says(
        &mut home,
        "fan-on",
        "state.bath.humidity > 65 for 30s is unknown",
    );
    home.says("bath", "humidity/state", "70");
    home.pass(100);
    home.says("bath", "humidity/state", "72");
    home.pass(10);
    says_at(
        &mut home,
        "fan-on",
        Some("20:01:58"),
        "state.bath.humidity > 65 for 30s is true, and has been since it fired at 20:00:40.000: a rule fires when it becomes true, \
         not while it is",
    );
    home.says("bath", "humidity/state", "50");
    home.pass(300);
    says_at(
        &mut home,
        "fan-on",
        Some("20:06"),
        "state.bath.humidity > 65 for 30s is false since 20:02:00.000",
    );
}

#[test]
fn a_holds_that_was_true_when_an_edit_brought_it_is_told() {
    let rule = "\n[rule.dim]\nwhen = { holds = \"state.hall.lux < 50\" }\ndo = \"desk.lamp.on\"\n";
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(100);
    home.reload(&with_rules(rule));
    home.pass(100);
    says(
        &mut home,
        "dim",
        "state.hall.lux < 50 is true, and was when an edit of the mapping brought it at 20:01:50.000: a rule fires when it \
         becomes true, not while it is",
    );
    home.lux(90);
    home.lux(12);
    home.pass(10);
    let answer = ask(&mut home, "dim", None);
    assert_eq!(answer.sentences[0], "it did fire, at 20:03:30.000");
}

#[test]
fn the_end_of_a_wait_is_no_firing() {
    let rules = "\n[rule.stay]\nwhen = \"door.bell.press\"\ndo = [\"stairs.lamp.on\", { wait = \"2m\" }, \"stairs.lamp.off\"]\n";
    let mut home = Home::new(&with_rules(rules));
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(200);
    let answer = ask(&mut home, "stay", None);
    assert_eq!(
        answer.sentences,
        [
            "it did fire, at 20:00:10.000, and went on after its wait at 20:02:10.000",
            "stairs.lamp on=false was sent"
        ]
    );
    let fired = answer.fired.expect("it fired");
    assert_eq!(fired.wall.0, crate::home::evening().wall.0 + 10_000_000);
}

#[test]
fn a_holds_is_shown_with_its_values_and_said_once() {
    let rules = "\n[rule.muggy]\nwhen = { holds = \"state.bath.humidity > 65 && state.living.temp > 25\", for = \"5m\" }\n\
        if = \"!var.night\"\ndo = \"bath.fan.on\"\n";
    let mut home = Home::new(&with_rules(rules));
    home.says("bath", "humidity/state", "70");
    home.says("living", "temp/state", "21");
    home.pass(10);
    let answer = ask(&mut home, "muggy", None);
    let text = answer.text(home.history().zone(), Paint::None);
    let shown = "
its condition then
  state.bath.humidity > 65   true       state.bath.humidity = 70
  state.living.temp > 25     false      state.living.temp = 21
  !var.night                 true
";
    assert!(text.contains(shown.trim_start()), "{text}");
    assert_eq!(text.matches(" is false").count(), 1, "{text}");
    assert!(!text.contains("it waits for"), "{text}");
    assert_eq!(answer.triggers.len(), 1, "machines get it still");
}

#[test]
fn a_timer_says_whether_it_runs_and_who_starts_it() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    says(
        &mut home,
        "hall-motion-off",
        "the timer hall-off does not run, and was not started since 20:00:00.000; what starts it: hall-motion (rules.toml:32), \
         hall-motion-at-night (rules.toml:37)",
    );
    home.motion();
    home.pass(60);
    says(
        &mut home,
        "hall-motion-off",
        "the timer hall-off runs: it runs out at 20:05:10.000, 4 min later",
    );
}

#[test]
fn a_time_of_day_says_when_it_comes_and_waits_for_the_clock() {
    let mut home = Home::new(&piano_house());
    home.pass(60);
    says(
        &mut home,
        "night-begins",
        "22:30 has not come; it comes next at 22:30:00.000",
    );
    says(
        &mut home,
        "wake-up",
        "07:00 on mon, tue, wed, thu, fri has not come; it comes next at 2026-03-30 07:00",
    );
    let unsynced = Now {
        synced: false,
        ..evening()
    };
    let mut home = Home::starting(&piano_house(), unsynced);
    home.pass(4 * 3_600);
    says(
        &mut home,
        "night-begins",
        "22:30 waits: the clock is not synchronised, and times wait for that",
    );
}

#[test]
fn a_time_that_the_clock_was_set_over_is_told() {
    let mut home = Home::new(&piano_house());
    home.now.wall.0 += 4 * 3_600 * 1_000_000;
    home.motion();
    home.pass(10);
    let answer = ask(&mut home, "night-begins", None);
    assert!(
        answer.sentences[0].starts_with("its time was skipped: at ")
            && answer.sentences[0].contains("the clock was set to 1 h 30 min past it"),
        "{:?}",
        answer.sentences
    );
}

#[test]
fn a_time_that_passed_long_before_stands_behind_what_came_since_and_is_over_once_the_rule_fired() {
    let late = "[rule.late]\nwhen = [{ at = \"22:30\" }, \"door.bell.press\"]\nif = \"state.hall.lux < 50\"\n\
        do = \"stairs.lamp.on\"\n";
    let mut home = Home::new(&with_rules(late));
    home.now.wall.0 += 4 * 3_600 * 1_000_000;
    home.lux(120);
    home.pass(10);
    let ring = |home: &mut Home| home.says("door", "bell/event", r#"{"event":"press"}"#);
    ring(&mut home);
    let told = ask(&mut home, "late", None).sentences;
    assert!(
        told[0].contains("state.hall.lux < 50 was false")
            && told[1].starts_with("its time was skipped: "),
        "{told:?}"
    );
    home.lux(12);
    ring(&mut home);
    let told = ask(&mut home, "late", None).sentences;
    assert!(told[0].starts_with("it did fire, "), "{told:?}");
    assert!(
        !told
            .iter()
            .any(|said| said.starts_with("its time was skipped")),
        "{told:?}"
    );
}

#[test]
fn a_time_that_came_while_the_dispatcher_was_down_is_told() {
    let mut home = Home::new(&piano_house());
    home.restart(Duration::from_secs(4 * 3_600));
    home.pass(10);
    let answer = ask(&mut home, "night-begins", None);
    assert!(
        answer.sentences[0].starts_with(
            "its time came while the dispatcher was down, 1 h 30 min before it was up again"
        ),
        "{answer:?}"
    );
}

#[test]
fn a_gesture_that_was_not_made_says_what_was_pressed() {
    let mut home = Home::new(&piano_house());
    home.says("desk", "button/event", r#"{"event":"press"}"#);
    home.says("desk", "button/event", r#"{"event":"release"}"#);
    home.pass(10);
    says(
        &mut home,
        "desk-double",
        "desk.button.double did not come: desk.button was pressed last at 20:00:10.000, and no double came of it",
    );
}

#[test]
fn a_wait_that_an_edit_dropped_is_told_first_and_one_that_goes_on_is_not() {
    let rules = "\n[rule.stay]\nwhen = \"door.bell.press\"\ndo = [\"stairs.lamp.on\", { wait = \"2m\" }, \"stairs.lamp.off\"]\n";
    let wait = |edited: &str| {
        let mut home = Home::new(&with_rules(rules));
        home.says("door", "bell/event", r#"{"event":"press"}"#);
        home.pass(10);
        home.reload(&with_rules(edited));
        home.pass(10);
        ask(&mut home, "stay", None).sentences[0].clone()
    };
    let said = "it waited since 20:00:10.000 for its next action, 2m later; dropped at 20:00:20.000 by an edit of rules.toml";
    assert_eq!(wait(&rules.replace("lamp.off", "lamp.toggle")), said);
    assert_eq!(wait(&format!("{rules}enabled = false\n")), said);
    let goes_on = wait(&format!("{rules}# a comment\n"));
    assert!(goes_on.starts_with("it did fire"), "{goes_on}");
}

#[test]
fn of_two_conditions_that_began_to_hold_at_once_the_one_that_an_edit_dropped_is_told() {
    let dry = "{ holds = \"state.bath.humidity > 60\", for = \"2m\" }";
    let wet = "{ holds = \"state.bath.humidity > 65\", for = \"3m\" }";
    let rule = |when: &str| {
        with_rules(&format!(
            "\n[rule.air]\nwhen = [{when}]\ndo = \"stairs.lamp.on\"\n"
        ))
    };
    for (stays, goes, said) in [
        (dry, wet, "state.bath.humidity > 65 for 3m"),
        (wet, dry, "state.bath.humidity > 60 for 2m"),
    ] {
        let mut home = Home::new(&rule(&format!("{dry}, {wet}")));
        home.says("bath", "humidity/state", "70");
        home.pass(10);
        home.reload(&rule(stays));
        home.pass(10);
        let told = ask(&mut home, "air", None).sentences;
        let dropped = format!(
            "it waited since 20:00:10.000 for {said}; dropped at 20:00:20.000 by an edit of rules.toml"
        );
        assert!(told.contains(&dropped), "without {goes}: {told:?}");
    }
}

/// The piano house with a tune of four keys.
fn with_tune() -> Home {
    Home::new(&with_rules(
        "\n[rule.tune]\nwhen = { sequence = \"piano.keys.press\", key = [60, 62, 64, 65], within = \"2s\" }\ndo = \"living.tv.on\"\n",
    ))
}

const TUNE: &str = "piano.keys.press key=60, then key=62, then key=64, then key=65 within 2s";

/// What is said of the tune once these keys were pressed, half a second between them, and some seconds passed.
#[track_caller]
fn tune_says(keys: &[u32], seconds: u64, expected: &str) {
    let mut home = with_tune();
    for key in keys {
        home.press(*key);
        home.pass_ms(500);
    }
    home.pass(seconds);
    says(&mut home, "tune", &format!("{TUNE} {expected}"));
}

#[test]
fn a_sequence_says_once_how_far_it_got() {
    tune_says(
        &[],
        10,
        "was not begun: piano.keys.press did not come since 20:00:00.000",
    );
    let got = "got 2 of 4: piano.keys.press key=60 at 20:00:10.000, key=62 at 20:00:10.500";
    tune_says(
        &[60, 62],
        10,
        &format!("{got}; then nothing matched within 2s"),
    );
    tune_says(
        &[60, 62],
        0,
        &format!("{got}; piano.keys.press key=64 is next, until 20:00:12.000"),
    );
    tune_says(
        &[60, 62, 67, 60],
        10,
        &format!(
            "{got}; then piano.keys.press key=67 came at 20:00:11.000, and piano.keys.press key=64 was next"
        ),
    );
    tune_says(
        &[67],
        10,
        "was not begun: piano.keys.press came last at 20:00:10.000, once since 20:00:00.000",
    );
}

#[test]
fn a_sequence_that_was_too_slow_says_so_and_one_that_was_complete_begins_anew() {
    let mut home = with_tune();
    for key in [60, 62, 64] {
        home.press(key);
        home.pass_ms(900);
    }
    home.press(65);
    home.pass(10);
    says(
        &mut home,
        "tune",
        &format!(
            "{TUNE} got 3 of 4: piano.keys.press key=60 at 20:00:10.000, key=62 at 20:00:10.900, key=64 at 20:00:11.800; then \
             piano.keys.press key=65 came at 20:00:12.700, too late: all of it must come within 2s"
        ),
    );
    for key in [60, 62, 64, 65] {
        home.press(key);
    }
    home.pass(10);
    let answer = ask(&mut home, "tune", None);
    assert!(answer.sentences[0].starts_with("it did fire"), "{answer:?}");
    assert!(
        answer.triggers[0].said.starts_with("was not begun"),
        "{answer:?}"
    );
}

#[test]
fn an_unknown_rule_is_refused_with_the_nearest_and_a_lamp_with_the_right_question() {
    let mut home = Home::new(&piano_house());
    let now = home.now.wall;
    let past = home.history();
    let error = why_not(&past, "hall-motoin", None, now)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("did you mean hall-motion?"), "{error}");
    let error = why_not(&past, "hall.lamp", None, now)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is no rule; `iot-control why hall.lamp`"),
        "{error}"
    );
}

#[test]
fn machines_get_the_sentences_and_the_miss() {
    let mut home = Home::new(&piano_house());
    home.press(61);
    let answer = ask(&mut home, "middle-c", None);
    let json = answer.json(home.history().zone());
    assert_eq!(json["rule"], "middle-c");
    assert_eq!(json["attempt"]["outcome"], "false");
    assert_eq!(
        json["attempt"]["hops"][1]["conditions"][0]["seen"]["event.key"],
        61
    );
    assert_eq!(json["triggers"][0]["trigger"], "piano.keys.press");
}
