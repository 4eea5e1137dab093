//! `why`: what changed something last, and everything that led to it.

use std::time::Duration;

use dispatcher::{Conduct, Input, Sides};
use replay::{
    Paint, When,
    why::{unanswered, why},
};
use serde_json::Value as Json;

use crate::home::{Home, piano_house, with_rules};

/// The answer as people read it, and nothing where there is none.
pub(crate) fn ask(home: &mut Home, target: &str) -> String {
    ask_at(home, target, None)
}

pub(crate) fn ask_at(home: &mut Home, target: &str, at: Option<&str>) -> String {
    let now = home.now.wall;
    let past = home.history();
    let when = at.map(|at| When::parse(at, now, past.zone()).unwrap());
    let answer = why(&past, target, when).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(past.troubles(), []);
    answer.map_or_else(String::new, |why| why.text(past.zone(), now, Paint::None))
}

/// Lines, without blanks at their ends.
pub(crate) fn check(answer: &str, expected: &str) {
    let trim = |text: &str| -> Vec<String> {
        let lines = text.trim().lines();
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    let (came, wanted) = (trim(answer), trim(expected));
    assert!(came == wanted, "came:\n{answer}\nexpected:\n{expected}");
}

/// The hall's light went on at 20:01:10 and off again at 20:06:10; it is 20:07:50.
pub(crate) fn lit() -> Home {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(400);
    home
}

#[test]
fn a_lamp_that_a_timer_switched_off_leads_back_to_who_was_in_the_hall() {
    check(
        &ask(&mut lit(), "hall.lamp"),
        "
hall.lamp  on=false   (before: on=true)
since Saturday 28 March 2026, 20:06:10.000, 1 min 40 s ago

  20:01:10.000                hall.motion.start
                              rule hall-motion  rules.toml:32
                                sun.is_down           true
                                state.hall.lux < 50   true       state.hall.lux = 12
                                !var.night            true
                                starts the timer hall-off for 5m, until 20:06:10.000
  20:06:10.000        +5 min  timer hall-off ran out
                              rule hall-motion-off  rules.toml:42
                              sent  hall.lamp on=false
  20:06:10.012        +12 ms  acknowledged by hall
  20:06:10.060        +48 ms  reported  hall.lamp on=false
",
    );
}

#[test]
fn an_answer_is_about_the_moment_that_was_asked_about() {
    check(
        &ask_at(&mut lit(), "hall.lamp", Some("20:02")),
        "
hall.lamp  on=true   (before: never set)
since Saturday 28 March 2026, 20:01:10.000, 6 min 40 s ago

  20:01:10.000                hall.motion.start
                              rule hall-motion  rules.toml:32
                                sun.is_down           true
                                state.hall.lux < 50   true       state.hall.lux = 12
                                !var.night            true
                                starts the timer hall-off for 5m, until 20:06:10.000
                              sent  hall.lamp on=true
  20:01:10.012        +12 ms  acknowledged by hall
  20:01:10.060        +48 ms  reported  hall.lamp on=true
",
    );
    assert_eq!(ask_at(&mut lit(), "hall.lamp", Some("20:00")), "");
}

#[test]
fn a_restart_and_a_reload_in_between_change_no_answer() {
    let plain = ask(&mut lit(), "hall.lamp");
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(100);
    home.restart(Duration::from_secs(20));
    let mut edited = with_rules("\n# another comment\n");
    home.reload(&edited);
    home.pass(100);
    edited
        .get_mut("rules.toml")
        .unwrap()
        .push_str("# one more\n");
    home.reload(&edited);
    home.pass(180);
    let off = "  20:03:10.000        +2 min  the dispatcher started again; it was off for 1 min 59 s at the most\n";
    let timer = "  20:06:10.000        +5 min  timer";
    let after = "  20:06:10.000        +3 min  timer";
    let expected = plain.replace(timer, &format!("{off}{after}"));
    check(&ask(&mut home, "hall.lamp"), &expected);
}

#[test]
fn that_the_dispatcher_was_off_since_is_said_too() {
    let mut home = lit();
    let plain = ask(&mut home, "hall.lamp");
    home.restart(Duration::from_secs(20));
    home.pass(100);
    let answer = ask(&mut home, "hall.lamp");
    let since = "since then the dispatcher was off until 20:08:10.000, for 1 min 59 s at the most";
    assert!(answer.contains(since), "{answer}");
    home.restart(Duration::from_secs(20));
    let answer = ask(&mut home, "hall.lamp");
    let since = "since then the dispatcher was off 2 times, the last time until 20:10:10.000";
    assert!(answer.contains(since), "{answer}");
    assert!(!ask_at(&mut home, "hall.lamp", Some("20:07")).contains("off until"));
    assert!(!plain.contains("off until"));
}

#[test]
fn a_timer_that_ran_out_while_the_dispatcher_was_off_shows_one_moment_in_head_and_lines() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.pass(100);
    home.restart(Duration::from_secs(600));
    home.pass(60);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains("since Saturday 28 March 2026, 20:11:50.000,"),
        "{answer}"
    );
    assert!(
        answer.contains("  20:11:50.000  +11 min 40 s  the dispatcher started again; it was off for 10 min 49 s at the most\n"),
        "{answer}"
    );
    assert!(answer.contains("sent  hall.lamp on=false"), "{answer}");
}

#[test]
fn what_was_true_when_the_house_began_did_not_become_so() {
    let files = [(
        "mapping.toml".to_owned(),
        "format = 1\n[device.desk]\nid = 1\nio.lamp = { kind = \"switch\" }\n[var]\nnight = { kind = \"bool\", keep = true }\n\
         [rule.day]\nwhen = { holds = \"!var.night\" }\ndo = \"desk.lamp.on\"\n"
            .to_owned(),
    )];
    let answer = ask(&mut Home::new(&files.into()), "day");
    assert!(
        answer.contains("  !var.night was true when the house started for the first time\n"),
        "{answer}"
    );
}

#[test]
fn what_a_rule_did_behind_its_wait_is_no_firing() {
    let rules = "\n[rule.stay]\nwhen = \"door.bell.press\"\ndo = [\"stairs.lamp.on\", { wait = \"2m\" }, \"stairs.lamp.off\"]\n";
    let mut home = Home::new(&with_rules(rules));
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(200);
    let answer = ask(&mut home, "stay");
    assert!(
        answer.starts_with(
            "rule stay  went on after its wait\nsince Saturday 28 March 2026, 20:02:10.000"
        ),
        "{answer}"
    );
}

#[test]
fn a_gesture_is_answered_like_an_event() {
    let mut home = Home::new(&piano_house());
    for event in ["press", "release", "press", "release"] {
        home.says("desk", "button/event", &format!(r#"{{"event":"{event}"}}"#));
    }
    home.pass(10);
    let answer = ask(&mut home, "desk.button.double");
    assert!(
        answer.starts_with("desk.button.double  desk.button.double\n"),
        "{answer}"
    );
    assert!(answer.contains("rule desk-double  rules.toml:"), "{answer}");
    assert_eq!(ask(&mut home, "desk.button.triple"), "");
    let past = home.history();
    assert_eq!(
        unanswered(&past, "desk.button.triple", None),
        "no rule waits for desk.button.triple, and a gesture that none waits for is not made out"
    );
    assert!(why(&past, "hall.lamp.double", None).is_err());
}

#[test]
fn a_variable_that_somebody_set_names_them() {
    let mut home = Home::new(&piano_house());
    let var = home.program.names.vars["night"];
    home.take(dispatcher::Input::Var {
        var,
        to: true.into(),
    });
    home.pass(60);
    check(
        &ask(&mut home, "var.night"),
        "
var.night  true   (before: false)
since Saturday 28 March 2026, 20:00:10.000, 1 min ago

  20:00:10.000                somebody set var.night to true
",
    );
}

#[test]
fn a_variable_that_is_not_kept_ends_with_the_process_and_no_mapping_is_blamed() {
    let mut files = with_rules(
        "[rule.party]\nwhen = \"piano.keys.press\"\nif = \"event.key == 40\"\ndo = { var = \"party\", to = true }\n",
    );
    let devices = files.get_mut("devices.toml").unwrap();
    *devices = devices.replace(
        "[var]\n",
        "[var]\nparty = { kind = \"bool\", start = false }\n",
    );
    let mut home = Home::new(&files);
    home.press(40);
    home.pass(50);
    home.restart(Duration::from_secs(10));
    home.pass(60);
    check(
        &ask(&mut home, "var.party"),
        "
var.party  false   (before: true)
since Saturday 28 March 2026, 20:01:10.000, 1 min ago

  20:01:10.000                the dispatcher started again; var.party does not outlive that
",
    );
}

#[test]
fn a_timer_that_ran_out_while_the_dispatcher_was_down_says_so_and_no_mapping_is_blamed() {
    let mut files = piano_house();
    let rules = files.get_mut("rules.toml").unwrap();
    *rules = rules.replace(
        "when  = { timer = \"hall-off\" }\n",
        "when  = { timer = \"hall-off\" }\nafter_downtime = \"drop\"\n",
    );
    let mut home = Home::new(&files);
    home.lux(12);
    home.motion();
    home.pass(100);
    home.restart(Duration::from_secs(600));
    home.pass(60);
    let answer = ask(&mut home, "timer.hall-off");
    assert!(
        answer.trim_end().ends_with("timer hall-off ran out"),
        "{answer}"
    );
}

#[test]
fn a_value_that_is_too_old_names_its_age() {
    let mut home = Home::new(&piano_house());
    home.says("bath", "humidity/state", "50");
    home.pass(400);
    home.press(40);
    let answer = ask(&mut home, "bath.humidity");
    assert!(
        answer.contains("nothing came from bath.humidity for 5m (stale_after)"),
        "{answer}"
    );
}

#[test]
fn a_condition_that_held_long_enough_says_since_when() {
    let mut home = Home::new(&piano_house());
    home.says("bath", "humidity/state", "70");
    home.pass(100);
    check(
        &ask(&mut home, "bath.fan"),
        "
bath.fan  on=true   (before: never set)
since Saturday 28 March 2026, 20:00:40.000, 1 min 10 s ago

  20:00:10.000                bath.humidity reports humidity=70
                              state.bath.humidity > 65 became true; rule fan-on waits 30s
  20:00:40.000         +30 s  state.bath.humidity > 65 has held for 30s
                              rule fan-on  rules.toml:76
                                state.bath.humidity > 65   true       state.bath.humidity = 70
                              sent  bath.fan on=true
  20:00:40.012        +12 ms  acknowledged by bath
  20:00:40.060        +48 ms  reported  bath.fan on=true
",
    );
}

#[test]
fn a_variable_that_the_time_of_day_set_names_the_time() {
    let mut home = Home::new(&piano_house());
    home.pass(9_000);
    let expected = "
var.night  true   (before: false)
since Saturday 28 March 2026, 22:30:00.000, 10 s ago

  22:30:00.000                its time came: 22:30
                              rule night-begins  rules.toml:90
                                set var.night to true
";
    for name in ["night", "var.night"] {
        check(&ask(&mut home, name), expected);
    }
}

#[test]
fn a_wish_of_a_person_for_a_lamp_that_is_away_waits() {
    let mut home = Home::new(&piano_house());
    home.disconnect("desk");
    home.asks("anna", "iot/desk/lamp/set", r#"{"brightness":7}"#);
    home.pass(90);
    check(
        &ask(&mut home, "desk"),
        "
desk.lamp  on=true brightness=7   (before: never set)
since Saturday 28 March 2026, 20:00:10.000, 1 min 30 s ago

  20:00:10.000                anna asked for desk.lamp
                              waits for it: desk.lamp on=true brightness=7
  20:01:00.060         +50 s  desk was away and has not come back since
",
    );
}

#[test]
fn what_a_blocked_lamp_was_to_do_is_followed_to_the_end_of_the_block() {
    let mut home = Home::new(&piano_house());
    home.block("hall", Sides::CONSUMER);
    home.lux(12);
    home.motion();
    home.pass(5);
    let blocked = ask(&mut home, "hall.lamp");
    assert!(blocked.contains("blocked: hall.lamp on=true"), "{blocked}");
    assert!(
        blocked.contains("hall is blocked still, and is not told"),
        "{blocked}"
    );
    home.unblock("hall");
    home.pass(5);
    let told = ask(&mut home, "hall.lamp");
    assert!(told.contains("sent  hall is no longer blocked"), "{told}");
    assert!(told.contains("acknowledged by hall"), "{told}");
}

#[test]
fn a_lamp_that_does_not_answer_is_told_so() {
    let mut home = Home::new(&piano_house());
    home.modules = false;
    home.press(60);
    home.pass(1);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains("hall has not acknowledged it yet"),
        "{answer}"
    );
    home.says("hall", "lamp/state", r#"{"on":false}"#);
    home.pass(100);
    home.lux(3);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains("reported  hall.lamp on=false, which is not what it was told"),
        "{answer}"
    );
    assert!(answer.contains("hall did not acknowledge it"), "{answer}");
}

#[test]
fn a_hand_on_the_switch_is_named() {
    let mut home = lit();
    home.says("hall", "lamp/state", r#"{"on":true,"brightness":50}"#);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains("hall.lamp was changed at the device, by no rule and no command; what it reported is the wish now"),
        "{answer}"
    );
}

#[test]
fn what_a_lamp_reports_at_first_is_nobodys_hand() {
    let mut home = Home::new(&piano_house());
    home.says("hall", "lamp/state", r#"{"on":false}"#);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains("hall.lamp reported for the first time; nobody had wished anything of it"),
        "{answer}"
    );
    assert!(!answer.contains("at the device"), "{answer}");
}

#[test]
fn what_was_wished_since_without_a_change_is_counted() {
    let mut home = Home::new(&piano_house());
    home.press(60);
    home.pass(10);
    home.press(60);
    home.pass(10);
    home.press(60);
    let answer = ask(&mut home, "hall.lamp");
    assert!(
        answer.contains(
            "since then wished 2 times without a change, last at 20:00:30.000: already so by middle-c"
        ),
        "{answer}"
    );
}

#[test]
fn an_output_that_is_held_says_until_when() {
    let mut home = Home::new(&piano_house());
    home.asks("anna", "iot/hall/lamp/set", r#"{"on":false,"hold":"10m"}"#);
    home.pass(5);
    home.press(60);
    let answer = ask(&mut home, "hall.lamp");
    assert!(answer.contains("anna asked for hall.lamp"), "{answer}");
    assert!(
        answer.contains("hall.lamp is held until 20:10:10.000"),
        "{answer}"
    );
    assert!(
        answer.contains(
            "since then wished once without a change, last at 20:00:15.000: held by middle-c"
        ),
        "{answer}"
    );
}

#[test]
fn rules_timers_events_notifications_and_sensors_are_answered_too() {
    let mut home = lit();
    let answer = ask(&mut home, "hall-motion");
    assert!(
        answer.starts_with("rule hall-motion  fired\nsince Saturday 28 March 2026, 20:01:10.000"),
        "{answer}"
    );
    assert!(answer.contains("sent  hall.lamp on=true"), "{answer}");
    let answer = ask(&mut home, "timer.hall-off");
    assert!(
        answer.starts_with("timer hall-off  not running   (before: running until 20:06:10.000)"),
        "{answer}"
    );
    assert!(
        answer.contains("starts the timer hall-off for 5m, until 20:06:10.000"),
        "{answer}"
    );
    let answer = ask(&mut home, "hall.lux");
    assert!(
        answer.starts_with("hall.lux  12   (before: unknown)"),
        "{answer}"
    );
    let answer = ask(&mut home, "hall.motion.start");
    assert!(
        answer.starts_with("hall.motion.start  hall.motion.start\n"),
        "{answer}"
    );
    assert!(
        answer.contains("rule hall-motion  rules.toml:32"),
        "{answer}"
    );
    home.disconnect("door");
    for name in ["notify", "notify.all", "door.offline"] {
        let answer = ask(&mut home, name);
        assert!(answer.contains("rule device-lost  rules.toml:"), "{answer}");
        assert!(
            answer.contains("sent  notify all \"door went offline"),
            "{answer}"
        );
    }
    assert_eq!(
        ask(&mut home, "stairs.lamp"),
        "",
        "nothing ever happened to it"
    );
}

#[test]
fn what_the_house_no_longer_has_is_answered_for_the_time_when_it_had_it() {
    let mut home = lit();
    let mut smaller = piano_house();
    let rules = smaller.get_mut("rules.toml").unwrap();
    let start = rules.find("[rule.staircase]").unwrap();
    let end = rules[start..].find("[rule.desk-click]").unwrap() + start;
    rules.replace_range(start..end, "");
    home.says("stairs", "top/event", r#"{"event":"press"}"#);
    home.pass(60);
    home.reload(&smaller);
    home.pass(60);
    let last = why(&home.history(), "staircase", None).unwrap();
    assert_eq!(last.expect("it fired").is, "fired");
    let answer = ask_at(&mut home, "staircase", Some("20:07"));
    assert!(answer.contains("stairs.top.press"), "{answer}");
}

#[test]
fn a_click_that_waited_for_a_second_press_says_so() {
    let mut home = Home::new(&piano_house());
    for event in ["press", "release"] {
        home.says("desk", "button/event", &format!(r#"{{"event":"{event}"}}"#));
    }
    home.pass(10);
    let answer = ask(&mut home, "desk.lamp");
    assert!(
        answer.contains("  desk.button.click: waited for a second press (400ms)\n"),
        "{answer}"
    );
    for event in ["press", "release", "press", "release"] {
        home.says("desk", "button/event", &format!(r#"{{"event":"{event}"}}"#));
    }
    home.pass(10);
    let answer = ask(&mut home, "desk-double");
    assert!(
        answer.contains("desk.button.double") && !answer.contains("waited"),
        "{answer}"
    );
}

#[test]
fn a_group_is_answered_by_what_changed_last_of_it() {
    let mut home = lit();
    let of_lamp = ask(&mut home, "hall.lamp");
    for group in ["lights", "group.lights"] {
        check(&ask(&mut home, group), &of_lamp);
    }
}

#[test]
fn what_comes_behind_a_wait_leads_back_to_what_began_it() {
    let rules = "\n[rule.stay]\nwhen = \"door.bell.press\"\ndo = [\"stairs.lamp.on\", { wait = \"2m\" }, \"stairs.lamp.off\"]\n";
    let mut home = Home::new(&with_rules(rules));
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(200);
    check(
        &ask(&mut home, "stairs.lamp"),
        "
stairs.lamp  on=false   (before: on=true)
since Saturday 28 March 2026, 20:02:10.000, 1 min 20 s ago

  20:00:10.000                door.bell.press
                              rule stay  rules.toml:117
                                waits 2m
  20:02:10.000        +2 min  the wait of stay is over
                              rule stay  rules.toml:117
                              sent  stairs.lamp on=false
  20:02:10.012        +12 ms  acknowledged by stairs
  20:02:10.060        +48 ms  reported  stairs.lamp on=false
",
    );
}

#[test]
fn a_text_for_people_is_told_with_who_carried_it_then() {
    let mut home = Home::new(&piano_house());
    let carriers = |names: &[&str]| {
        Input::Config(Conduct {
            carriers: Some(names.iter().map(|name| (*name).into()).collect()),
            ..Conduct::default()
        })
    };
    home.take(carriers(&[]));
    home.disconnect("door");
    let answer = ask(&mut home, "notify.all");
    let shown = "shown here only: no [notify.NAME] in settings.toml";
    assert!(answer.contains(shown), "{answer}");
    home.take(carriers(&["mail"]));
    home.connect("door");
    home.disconnect("door");
    let answer = ask(&mut home, "notify.all");
    assert!(
        answer.contains("queued: notify all \"door went offline"),
        "{answer}"
    );
}

#[test]
fn commands_that_an_answer_names_find_the_house() {
    let mut home = lit();
    let past = home.history().found_with(" --state /srv/house".to_owned());
    let said = unanswered(&past, "door-bell", None);
    let named = "`iot-control why-not door-bell --state /srv/house` says what it waits for";
    assert!(said.ends_with(named), "{said}");
}

#[test]
fn a_rule_that_never_fired_says_so_and_who_knows_why() {
    let mut home = lit();
    assert_eq!(ask(&mut home, "door-bell"), "");
    let past = home.history();
    assert_eq!(
        unanswered(&past, "door-bell", None),
        "door-bell has not fired: not once since 2026-03-28 20:00, where the journal begins. \
         `iot-control why-not door-bell` says what it waits for"
    );
    assert_eq!(
        unanswered(
            &past,
            "rule.door-bell",
            Some(("20:01", "20:01:00 today (2026-03-28)"))
        ),
        "door-bell has not fired by 20:01:00 today (2026-03-28): not once since 2026-03-28 20:00, where the journal begins. \
         `iot-control why-not door-bell --at \"20:01\"` says what it waits for"
    );
    assert_eq!(
        unanswered(&past, "stairs.lamp", None),
        "nothing changed stairs.lamp: not once since 2026-03-28 20:00, where the journal begins"
    );
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let mut home = lit();
    let past = home.history();
    for (asked, near) in [
        ("hall.lmap", "did you mean hall.lamp?"),
        ("hal", "did you mean hall?"),
        ("hall-motoin", "did you mean hall-motion?"),
        ("var.nigt", "did you mean var.night?"),
        ("lihgts", "did you mean lights?"),
    ] {
        let error = why(&past, asked, None).unwrap_err().to_string();
        assert!(error.ends_with(near), "{error}");
    }
}

#[test]
fn machines_get_every_hop_with_its_milliseconds() {
    let mut home = lit();
    let past = home.history();
    let answer = why(&past, "hall.lamp", None).unwrap().unwrap();
    let json = answer.json(past.zone());
    assert_eq!(json["target"], "hall.lamp");
    assert_eq!(json["time"], "2026-03-28T20:06:10+01:00");
    let hops = json["hops"].as_array().unwrap();
    let kinds: Vec<&str> = hops
        .iter()
        .map(|hop| hop["hop"].as_str().unwrap())
        .collect();
    assert_eq!(
        kinds,
        [
            "cause",
            "rule",
            "cause",
            "rule",
            "sent",
            "acknowledged",
            "reported"
        ]
    );
    let passed: Vec<f64> = hops
        .iter()
        .map(|hop| hop["passed_ms"].as_f64().unwrap())
        .collect();
    assert_eq!(passed, [0.0, 0.0, 300_000.0, 0.0, 0.0, 12.0, 48.0]);
    let lux = &hops[1]["conditions"][1];
    assert_eq!(lux["text"], "state.hall.lux < 50");
    assert_eq!(lux["seen"]["state.hall.lux"], Json::from(12));
}

#[test]
fn an_answer_costs_no_more_than_the_stretches_it_needs() {
    let mut home = Home::new(&piano_house());
    home.watched = false;
    home.press(60);
    for _ in 0..3 {
        for _ in 0..6_000 {
            home.lux(1);
            home.lux(2);
        }
        home.pass(10);
        home.snapshot();
    }
    home.press(61);
    home.asks("anna", "iot/desk/lamp/set", "on");
    let past = home.history();
    why(&past, "desk.lamp", None).unwrap().unwrap();
    assert!(past.replayed() < 50, "{}", past.replayed());
    let past = home.history();
    why(&past, "hall.lamp", None).unwrap().unwrap();
    let all = home.last.0;
    assert!(
        (all..all + 12_100).contains(&past.replayed()),
        "{} of {all}",
        past.replayed()
    );
}
