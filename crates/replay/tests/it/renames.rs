//! Questions about the past of what has another name now.

use dispatcher::{Input, Sides, explain::Filter};
use replay::{
    Paint, Until, When, events::Teller, record::Recording, state::state, trial::Trial, why::why,
    why_not::why_not,
};
use types::{InputNo, UnixTime};

use crate::{
    home::{Files, Home, load, piano_house, renamed, with_rules},
    records::passes,
};

/// The hall is a floor.
const FLOOR: &[(&str, &str)] = &[("[device.hall]", "[device.floor]"), ("hall.", "floor.")];

/// Its lamp is a light as well.
const LIGHT: &[(&str, &str)] = &[
    ("[device.hall]", "[device.floor]"),
    ("hall.", "floor."),
    (
        "io.lamp   = { kind = \"dimmer\", pin = 4, at",
        "io.light  = { kind = \"dimmer\", pin = 4, at",
    ),
    ("floor.lamp", "floor.light"),
];

/// The hall's light went on at 20:01:10 and off again at 20:06:10. The hall is a floor since 20:07:50, its lamp a light
/// since 20:09:30; it is 20:11:10.
fn renamed_twice() -> Home {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(400);
    home.reload(&renamed(FLOOR));
    home.connect("floor");
    home.pass(100);
    home.reload(&renamed(LIGHT));
    home.pass(100);
    home
}

fn ask(home: &mut Home, target: &str, at: Option<&str>) -> Result<String, String> {
    let now = home.now.wall;
    let past = home.history();
    let when = at.map(|at| When::parse(at, now, past.zone()).unwrap());
    let answer = why(&past, target, when).map_err(|error| error.to_string())?;
    assert_eq!(past.troubles(), []);
    Ok(answer.map_or_else(String::new, |why| why.text(past.zone(), now, Paint::None)))
}

#[track_caller]
fn begins(answer: &Result<String, String>, expected: &str) {
    let answer = answer.as_ref().expect("it is known");
    assert!(
        answer.starts_with(expected),
        "{answer}\nexpected: {expected}"
    );
}

#[test]
fn a_lamp_is_answered_with_what_changed_it_under_its_old_name() {
    let mut home = renamed_twice();
    let off = ask(&mut home, "floor.light", None);
    begins(
        &off,
        "floor.light, then hall.lamp  on=false   (before: on=true)\n\
         since Saturday 28 March 2026, 20:06:10.000, 5 min ago\n",
    );
    let off = off.unwrap_or_default();
    for line in [
        "hall.motion.start\n",
        "acknowledged by hall\n",
        "reported  hall.lamp on=false\n",
    ] {
        assert!(off.contains(line), "{line}: {off}");
    }
    let on = ask(&mut home, "floor.light", Some("20:02"));
    begins(
        &on,
        "floor.light, then hall.lamp  on=true   (before: never set)\n",
    );
    let json = why(&home.history(), "floor.light", None).unwrap().unwrap();
    let json = json.json(home.history().zone());
    assert_eq!(
        (&json["target"], &json["then"]),
        (&"floor.light".into(), &"hall.lamp".into())
    );
    // Of before the rename the name of then is known as well, where nothing else has it now.
    begins(
        &ask(&mut home, "hall.lamp", Some("20:02")),
        "hall.lamp  on=true   (before: never set)\n",
    );
}

#[test]
fn devices_events_rules_timers_and_variables_are_followed_too() {
    let mut home = renamed_twice();
    let mut names = LIGHT.to_vec();
    names.extend([
        ("hall-off\"", "passage\""),
        ("[rule.hall-motion]", "[rule.somebody]"),
        ("var.night", "var.dark"),
        ("night   = {", "dark    = {"),
        ("var = \"night\"", "var = \"dark\""),
    ]);
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.reload(&renamed(&names));
    home.pass(10);
    for (asked, expected) in [
        (
            "floor.motion.start",
            "floor.motion.start, then hall.motion.start  hall.motion.start\n",
        ),
        (
            "floor.lux",
            "floor.lux, then hall.lux  12   (before: unknown)\n",
        ),
        ("somebody", "rule somebody, then rule hall-motion  fired\n"),
        (
            "timer.passage",
            "timer passage, then timer hall-off  not running   (before: running until 20:06:10.000)\n",
        ),
        ("door.bell.press", "door.bell.press  door.bell.press\n"),
    ] {
        begins(&ask(&mut home, asked, None), expected);
    }
    assert_eq!(
        ask(&mut home, "dark", None),
        Ok(String::new()),
        "it never changed"
    );
    home.pass(3 * 3_600);
    names.extend([
        ("var.dark", "var.late"),
        ("dark    = {", "late    = {"),
        ("var = \"dark\"", "var = \"late\""),
    ]);
    home.reload(&renamed(&names));
    begins(
        &ask(&mut home, "late", None),
        "var.late, then var.dark  true   (before: false)\n",
    );
}

#[test]
fn an_old_name_is_refused_with_the_one_of_today() {
    let mut home = renamed_twice();
    let refused = ask(&mut home, "hall.lamp", None).unwrap_err();
    assert_eq!(
        refused,
        "\"hall.lamp\" has another name now: ask about floor.light"
    );
    let past = home.history();
    let error = past.series("hall", UnixTime(0), home.now.wall).unwrap_err();
    assert!(error.to_string().ends_with("ask about floor"), "{error}");
    let files = renamed(&[("middle-c", "key-c")]);
    home.reload(&files);
    let error = why_not(&home.history(), "middle-c", None, home.now.wall).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"middle-c\" has another name now: ask about key-c"
    );
}

#[test]
fn a_device_that_comes_back_under_another_name_was_seen_before() {
    let mut home = Home::new(&piano_house());
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(10);
    home.disconnect("door");
    home.pass(10);
    home.reload(&renamed(&[
        ("door.", "gate."),
        ("[device.door]", "[device.gate]"),
    ]));
    home.connect("gate");
    let came = ask(&mut home, "gate.online", None).unwrap_or_default();
    assert!(came.contains("gate.online, last seen "), "{came}");
}

#[test]
fn two_that_changed_names_with_each_other_keep_their_own_past() {
    let mut home = Home::new(&piano_house());
    home.asks("anna", "iot/stairs/lamp/set", r#"{"on":true}"#);
    home.pass(10);
    home.asks("ben", "iot/desk/lamp/set", r#"{"on":true}"#);
    home.pass(10);
    home.reload(&renamed(&[
        ("[device.stairs]", "[device.tmp]"),
        ("[device.desk]", "[device.stairs]"),
        ("[device.tmp]", "[device.desk]"),
        (
            "\"stairs.top.press\", \"stairs.bottom.press\"",
            "\"desk.top.press\", \"desk.bottom.press\"",
        ),
        (
            "\"stairs.top\", \"stairs.bottom\"",
            "\"desk.top\", \"desk.bottom\"",
        ),
        ("desk.button", "stairs.button"),
        ("\"stairs.lamp.toggle\"", "\"tmp.lamp.toggle\""),
        ("\"desk.lamp.", "\"stairs.lamp."),
        ("\"tmp.lamp.toggle\"", "\"desk.lamp.toggle\""),
    ]));
    home.pass(10);
    let desk = ask(&mut home, "desk.lamp", None).unwrap_or_default();
    assert!(
        desk.contains("desk.lamp, then stairs.lamp") && desk.contains("anna"),
        "{desk}"
    );
    let stairs = ask(&mut home, "stairs.lamp", None).unwrap_or_default();
    assert!(
        stairs.contains("stairs.lamp, then desk.lamp") && stairs.contains("ben"),
        "{stairs}"
    );
}

#[test]
fn what_is_new_under_a_name_that_another_had_has_no_past() {
    let mut home = renamed_twice();
    let mut files = renamed(LIGHT);
    let devices = files.get_mut("devices.toml").unwrap();
    devices.push_str("\n[device.hall]\nid = 77\nio.lamp = { kind = \"switch\" }\n");
    home.reload(&files);
    home.pass(10);
    begins(
        &ask(&mut home, "hall.lamp", None),
        "hall.lamp  never set   (before: not in the mapping)\nsince Saturday 28 March 2026, 20:11:10.000",
    );
    // When the old one had the name it was not there.
    let before = ask(&mut home, "hall.lamp", Some("20:02")).unwrap_or_default();
    assert!(!before.contains("on=true"), "{before}");
}

#[test]
fn what_came_of_a_command_is_told_across_a_rename() {
    let mut home = Home::new(&piano_house());
    home.disconnect("hall");
    home.asks("anna", "iot/hall/lamp/set", r#"{"on":true}"#);
    home.pass(10);
    home.reload(&renamed(FLOOR));
    home.pass(10);
    home.connect("floor");
    home.says("floor", "lamp/state", r#"{"on":true}"#);
    home.pass(10);
    let answer = ask(&mut home, "floor.lamp", None).unwrap_or_default();
    assert!(answer.contains("anna asked for hall.lamp"), "{answer}");
    assert!(
        answer.contains("floor has not acknowledged it yet"),
        "{answer}"
    );
    assert!(answer.contains("reported  floor.lamp on=true"), "{answer}");
}

#[test]
fn who_started_a_timer_is_found_before_rules_moved_and_got_other_names() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.pass(60);
    let mut files = renamed(&[("[rule.hall-motion]", "[rule.somebody]")]);
    let rules = files.get_mut("rules.toml").unwrap();
    *rules = format!("[rule.first]\nwhen = \"door.bell.release\"\ndo = \"living.tv.on\"\n{rules}");
    home.reload(&files);
    home.pass(400);
    let answer = ask(&mut home, "hall.lamp", None).unwrap_or_default();
    assert!(answer.contains("timer hall-off ran out"), "{answer}");
    assert!(
        answer.contains("rule hall-motion  rules.toml:32"),
        "{answer}"
    );
    assert!(answer.contains("hall.motion.start"), "{answer}");
}

#[test]
fn why_not_about_a_moment_before_a_rename_takes_the_name_of_today() {
    let mut home = Home::new(&piano_house());
    home.press(60);
    home.pass(60);
    home.reload(&renamed(&[("middle-c", "note-c")]));
    home.pass(60);
    home.reload(&renamed(&[("middle-c", "key-c")]));
    home.pass(60);
    let past = home.history();
    let when = When::parse("20:00:12", home.now.wall, past.zone()).unwrap();
    let then = why_not(&past, "key-c", Some(when), home.now.wall).unwrap();
    assert_eq!(
        (then.rule.as_str(), then.fired.is_some()),
        ("middle-c", true)
    );
}

#[test]
fn the_house_at_a_moment_before_is_asked_about_in_the_names_of_today() {
    let mut home = renamed_twice();
    let now = home.now.wall;
    let past = home.history();
    let when = When::parse("20:02", now, past.zone()).unwrap();
    let shown = state(&past, Some("floor"), Some(when), None).unwrap();
    let text = shown.text(past.zone(), Paint::None);
    assert!(
        text.contains("\nfloor was called hall then\n\nhall  online\n"),
        "{text}"
    );
    assert_eq!(shown.json(past.zone())["then"], "hall");
    let shown = state(&past, Some("floor"), None, None).unwrap();
    assert_eq!(shown.then, None);
    let error = state(&past, Some("hall"), None, None).unwrap_err();
    assert!(error.to_string().ends_with("ask about floor"), "{error}");
}

#[test]
fn a_series_goes_on_under_the_name_of_today() {
    let values = |home: &mut Home, path: &str| -> Vec<f64> {
        let all = home.history().series(path, UnixTime(0), UnixTime(i64::MAX));
        let changes = all.unwrap().into_iter().flat_map(|series| series.changes);
        changes.filter_map(|(_, value)| value.as_number()).collect()
    };
    let mut home = Home::new(&piano_house());
    home.lux(10);
    home.pass(90);
    home.snapshot();
    let written = home.history().chronicle(InputNo(0)).unwrap().unwrap();
    home.write_history(written);
    home.lux(20);
    home.pass(90);
    home.reload(&renamed(FLOOR));
    home.connect("floor");
    home.says("floor", "lux/state", "30");
    home.pass(90);
    // A part is written down under the old name, a part not at all.
    assert_eq!(values(&mut home, "floor.lux"), [10.0, 20.0, 30.0]);
    home.snapshot();
    let up_to = home.history().chronicle(InputNo(0)).unwrap().unwrap();
    let before = store::Database::open(&home.state().join("house.db")).unwrap();
    let from = before.read().history_up_to().unwrap().unwrap_or_default();
    drop(before);
    assert!(from < up_to.up_to);
    let written = home.history().chronicle(from).unwrap().unwrap();
    home.write_history(written);
    home.says("floor", "lux/state", "40");
    home.pass(90);
    assert_eq!(values(&mut home, "floor.lux"), [10.0, 20.0, 30.0, 40.0]);
}

/// What long-term history shows of a channel of numbers.
fn numbers(home: &mut Home, path: &str) -> Vec<f64> {
    let all = home.history().series(path, UnixTime(0), UnixTime(i64::MAX));
    let changes = all.unwrap().into_iter().flat_map(|series| series.changes);
    changes.filter_map(|(_, value)| value.as_number()).collect()
}

/// A house with these sensors besides.
fn sensing(sensors: &[(u16, &str)]) -> Files {
    let mut files = piano_house();
    let devices = files.get_mut("devices.toml").unwrap();
    for (id, name) in sensors {
        devices.push_str(&format!(
            "\n[device.{name}]\nid = {id}\nio.lux = {{ kind = \"lux\" }}\n"
        ));
    }
    files
}

fn senses(home: &mut Home, sensor: &str, lux: &str) {
    home.connect(sensor);
    home.says(sensor, "lux/state", lux);
    home.pass(90);
}

/// Writes long-term history down, as far as there is more.
fn write_down(home: &mut Home) {
    home.snapshot();
    let reader = store::Database::open(&home.state().join("house.db")).unwrap();
    let from = reader.read().history_up_to().unwrap().unwrap_or_default();
    drop(reader);
    if let Some(written) = home.history().chronicle(from).unwrap() {
        home.write_history(written);
    }
}

#[test]
fn a_series_is_of_one_thing_whoever_has_its_name_and_goes_on_when_that_comes_back() {
    // It is written down after each edit, or after some of them, or never.
    for when in 0..16 {
        let mut edits = 0;
        let mut edit = |home: &mut Home, sensors: &[(u16, &str)]| {
            home.reload(&sensing(sensors));
            home.pass(10);
            if when & (1 << edits) != 0 {
                write_down(home);
            }
            edits += 1;
        };
        let mut home = Home::new(&sensing(&[(31, "a"), (33, "c")]));
        senses(&mut home, "a", "10");
        senses(&mut home, "c", "30");
        // What was `a` is `b`, and is gone; what was `c` is `b` then.
        edit(&mut home, &[(31, "b"), (33, "c")]);
        edit(&mut home, &[(33, "c")]);
        assert_eq!(numbers(&mut home, "b.lux"), [10.0], "{when}");
        edit(&mut home, &[(33, "b")]);
        senses(&mut home, "b", "35");
        assert_eq!(numbers(&mut home, "b.lux"), [30.0, 35.0], "{when}");
        assert_eq!(numbers(&mut home, "a.lux"), [10.0], "{when}: it is gone");
        // And back, under yet another name; what has its first one is new.
        edit(&mut home, &[(33, "b"), (31, "d"), (35, "a")]);
        senses(&mut home, "d", "15");
        senses(&mut home, "a", "50");
        for _ in 0..2 {
            assert_eq!(numbers(&mut home, "d.lux"), [10.0, 15.0], "{when}");
            assert_eq!(numbers(&mut home, "b.lux"), [30.0, 35.0], "{when}");
            assert_eq!(numbers(&mut home, "a.lux"), [50.0], "{when}");
            write_down(&mut home);
        }
    }
}

#[test]
fn a_series_is_of_one_thing_also_after_the_journal_and_the_mappings_of_then_are_dropped() {
    let mut home = Home::new(&sensing(&[(31, "a")]));
    senses(&mut home, "a", "10");
    let after = |home: &mut Home, sensors: &[(u16, &str)]| {
        home.reload(&sensing(sensors));
        home.pass(10);
        write_down(home);
        home.forget();
    };
    after(&mut home, &[(31, "b")]);
    assert_eq!(numbers(&mut home, "b.lux"), [10.0]);
    after(&mut home, &[]);
    after(&mut home, &[(35, "b")]);
    senses(&mut home, "b", "50");
    assert_eq!(numbers(&mut home, "b.lux"), [50.0], "it is another one");
    after(&mut home, &[(35, "b"), (31, "d")]);
    senses(&mut home, "d", "15");
    assert_eq!(numbers(&mut home, "d.lux"), [10.0, 15.0], "it came back");
    assert_eq!(numbers(&mut home, "b.lux"), [50.0]);
}

#[test]
fn exchanged_names_take_their_series_along() {
    for is_written in [false, true] {
        let mut home = Home::new(&sensing(&[(31, "a"), (33, "c")]));
        senses(&mut home, "a", "10");
        senses(&mut home, "c", "30");
        if is_written {
            write_down(&mut home);
        }
        home.reload(&sensing(&[(31, "c"), (33, "a")]));
        for _ in 0..2 {
            assert_eq!(numbers(&mut home, "c.lux"), [10.0]);
            assert_eq!(numbers(&mut home, "a.lux"), [30.0]);
            write_down(&mut home);
        }
    }
}

#[test]
fn questions_across_many_edits_hold_no_more_mappings_than_those_used_last() {
    let house = |edit: usize| {
        let mut files = piano_house();
        let rules = files.get_mut("rules.toml").unwrap();
        rules.push_str(&format!("# edit {edit}\n"));
        files
    };
    let mut home = Home::new(&house(0));
    for edit in 1..50 {
        home.lux(10 + edit);
        home.reload(&house(edit as usize));
    }
    // The two caches, of mappings and of steps between them, and what the travel and the thing are at.
    let held_max = 2 * 16 + 4;
    let mut ask = |what: &str, ask: &dyn Fn(&replay::History)| {
        let past = home.history();
        ask(&past);
        assert!(past.held() <= held_max, "{what} holds {}", past.held());
        past.compiled()
    };
    let compiled = ask("events", &|past| {
        let filters = past.filters("hall.lux").unwrap();
        let mut travel = past.all(Until::End).unwrap();
        let mut teller = Teller::new(past, &travel, filters, false);
        while let Some(mut step) = travel.next().unwrap() {
            teller.tell(&mut step, |_| ());
        }
    });
    assert!(compiled >= 50, "{compiled}");
    ask("history", &|past| {
        let series = past.series("hall.lux", UnixTime(0), UnixTime(i64::MAX));
        assert!(!series.unwrap()[0].changes.is_empty());
    });
    ask("why-not", &|past| {
        why_not(past, "hall-motion", None, UnixTime(0)).unwrap();
    });
}

#[test]
fn a_mapping_with_other_names_is_tried_on_what_came_before_them() {
    let mut home = renamed_twice();
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    home.pass(400);
    let past = home.history();
    let mut trial = Trial::new(&past, load(&renamed(LIGHT)), UnixTime(0), Until::End).unwrap();
    let mut found = Vec::new();
    while let Some(difference) = trial.next().unwrap() {
        found.push(difference);
    }
    let summary = trial.summary();
    assert!(found.is_empty(), "{found:?}");
    assert!(
        summary.untaken.is_empty() && summary.same >= 2,
        "{summary:?}"
    );
    // What it does otherwise is told in its own names.
    let mut names = LIGHT.to_vec();
    names.push(("for = \"5m\" }]      #", "for = \"90s\" }]     #"));
    let mut trial = Trial::new(&past, load(&renamed(&names)), UnixTime(0), Until::End).unwrap();
    let first = trial.next().unwrap().expect("it is off earlier");
    assert_eq!(first.new[0].text, "floor.light on=false");
}

#[test]
fn what_was_blocked_by_name_is_blocked_under_its_other_name_where_a_mapping_is_tried() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.block("hall", Sides::PRODUCER);
    home.motion();
    home.pass(10);
    let after_the_block = home.now.wall;
    home.motion();
    home.pass(10);
    home.unblock("hall");
    home.motion();
    home.pass(10);
    for since in [UnixTime(0), after_the_block] {
        let past = home.history();
        let mut trial = Trial::new(&past, load(&renamed(FLOOR)), since, Until::End).unwrap();
        let first = trial.next().unwrap();
        assert_eq!(first, None, "since {since:?}");
        assert_eq!(trial.summary().same, 1);
    }
}

#[test]
fn a_block_by_name_that_an_edit_left_behind_is_left_behind_where_a_mapping_is_tried() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.block("hall", Sides::PRODUCER);
    home.pass(10);
    home.reload(&renamed(FLOOR));
    home.connect("floor");
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    home.pass(10);
    for names in [FLOOR, LIGHT] {
        let past = home.history();
        let tried = load(&renamed(names));
        let mut trial = Trial::new(&past, tried, UnixTime(0), Until::End).unwrap();
        let first = trial.next().unwrap();
        assert_eq!(first, None, "{names:?}");
        assert_eq!(trial.summary().same, 1);
    }
}

/// A test of what happened from `since` on.
fn recorded(home: &mut Home, since: UnixTime, only: &[&str]) -> Recording {
    let recorded = crate::records::recorded(home, since, only);
    recorded.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn what_happened_across_a_rename_is_recorded_in_the_names_of_today() {
    let mut home = crate::records::home(&piano_house());
    let since = home.now.wall;
    home.motion();
    home.pass(400);
    home.reload(&renamed(FLOOR));
    home.connect("floor");
    home.pass(60);
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    home.pass(400);
    home.reload(&renamed(LIGHT));
    home.pass(60);
    home.press(36);
    let files = renamed(LIGHT);
    for only in [&[][..], &["floor"], &["rule.hall-motion"]] {
        let recording = recorded(&mut home, since, only);
        passes(&files, &recording);
        let text = &recording.text;
        assert!(!text.contains("hall."), "{only:?}\n{text}");
        let lit =
            "event = \"floor.motion.start\", expect = [\"floor.light.on\"], by = \"hall-motion\"";
        assert_eq!(text.matches(lit).count(), 2, "{only:?}\n{text}");
    }
}

#[test]
fn events_of_before_a_rename_are_filtered_by_the_name_of_today() {
    let mut home = renamed_twice();
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    let past = home.history();
    let mut travel = past.all(Until::End).unwrap();
    let mut teller = Teller::new(&past, &travel, vec![Filter::new("floor.light")], false);
    let mut lines = Vec::new();
    while let Some(mut step) = travel.next().unwrap() {
        teller.tell(&mut step, |line| lines.push(line));
    }
    let all = lines.join("\n");
    assert!(all.contains("-> hall.lamp on=true (sent)"), "{all}");
    assert!(all.contains("-> floor.light on=true (sent)"), "{all}");
    assert!(!all.contains("lux"), "{all}");
}

/// What is told of what `path` names, from the begin on.
fn told(home: &mut Home, path: &str, json: bool) -> (Vec<String>, Vec<String>) {
    let past = home.history();
    let filters = past.filters(path).unwrap();
    let mut travel = past.all(Until::End).unwrap();
    let mut teller = Teller::new(&past, &travel, filters, json);
    let mut lines = Vec::new();
    while let Some(mut step) = travel.next().unwrap() {
        teller.tell(&mut step, |line| lines.push(line));
    }
    let notes = past.troubles();
    (lines, notes.iter().map(ToString::to_string).collect())
}

#[test]
fn a_group_is_asked_about_by_the_name_that_it_has_now() {
    let group = |name: &str| {
        let mut files = piano_house();
        let devices = files.get_mut("devices.toml").unwrap();
        let lamps = format!("[group]\n{name} = [\"desk.lamp\", \"stairs.lamp\"]\n");
        *devices = devices.replace("[group]\n", &lamps);
        files
    };
    let mut home = Home::new(&group("upstairs"));
    home.asks("anna", "iot/desk/lamp/set", r#"{"on":true}"#);
    home.pass(10);
    home.reload(&group("attic"));
    home.pass(10);
    let why = ask(&mut home, "attic", None).unwrap_or_default();
    assert!(why.contains("anna"), "{why}");
    let old = ask(&mut home, "upstairs", None).unwrap_err();
    assert!(old.ends_with("ask about group.attic"), "{old}");
    let at = ask(&mut home, "upstairs", Some("20:00:15")).unwrap_or_default();
    assert!(at.contains("anna"), "{at}");
    let (lines, notes) = told(&mut home, "upstairs", false);
    assert!(
        lines.iter().any(|line| line.contains("desk.lamp")),
        "{lines:?}"
    );
    assert!(notes.iter().any(|note| note.contains("attic")), "{notes:?}");
}

#[test]
fn an_edit_is_told_with_the_rules_that_it_changes() {
    let mut home = Home::new(&piano_house());
    let more = "[rule.more]\nwhen = \"hall.motion.start\"\ndo = \"desk.lamp.on\"\n";
    let mut edited = with_rules(more);
    let rules = edited.get_mut("rules.toml").unwrap();
    *rules = rules.replace("for = \"5m\"", "for = \"6m\"");
    home.reload(&edited);
    let past = home.history();
    let tell = |json| {
        let mut travel = past.all(Until::End).unwrap();
        let mut teller = Teller::new(&past, &travel, Vec::new(), json);
        let mut lines = Vec::new();
        while let Some(mut step) = travel.next().unwrap() {
            teller.tell(&mut step, |line| lines.push(line));
        }
        lines.retain(|line| line.contains("mapping"));
        lines
    };
    let text = tell(false);
    assert!(
        text[0].ends_with(" came into force; new: more; changed: hall-motion"),
        "{text:?}"
    );
    let json: serde_json::Value = serde_json::from_str(&tell(true)[0]).unwrap();
    assert_eq!(json["new"], serde_json::json!(["more"]));
    assert_eq!(json["changed"], serde_json::json!(["hall-motion"]));
    assert_eq!(json["gone"], serde_json::json!([]));
}

#[test]
fn events_are_filtered_by_bare_names_fields_and_who_is_told() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.take(Input::Var {
        var: home.program.names.vars["night"],
        to: true.into(),
    });
    home.disconnect("door");
    for (bare, full, line) in [
        ("night", "var.night", "var.night = true"),
        ("hall-off", "timer.hall-off", "starts the timer hall-off"),
        ("hall.lamp.brightness", "hall.lamp", "-> hall.lamp on=true"),
        ("notify", "notify.all", "notify all \"door went offline"),
    ] {
        let (by_bare, _) = told(&mut home, bare, false);
        assert!(
            by_bare.iter().any(|told| told.contains(line)),
            "{bare}: {by_bare:?}"
        );
        assert_eq!(by_bare, told(&mut home, full, false).0);
    }
    assert_eq!(told(&mut home, "notify.phone", false).0, [""; 0]);
}

#[test]
fn a_timer_that_one_edit_moves_and_gives_its_rule_another_name_is_put_down_to_that_rule() {
    let rules = "[rule.a]\nwhen = \"hall.motion.start\"\ndo = { notify = \"all\", text = \"x\" }\n\
        [rule.b]\nwhen = \"hall.motion.start\"\ndo = { start = \"egg\", for = \"5m\" }\n\
        [rule.done]\nwhen = { timer = \"egg\" }\ndo = \"desk.lamp.on\"\n";
    let mut home = Home::new(&with_rules(rules));
    home.motion();
    home.pass(10);
    home.reload(&with_rules(
        &rules.replace("rule.b]", "rule.c]").replace("5m", "10m"),
    ));
    home.pass(10);
    let why = ask(&mut home, "timer.egg", None).unwrap_or_default();
    assert!(why.contains("rule b  rules.toml"), "{why}");
    assert!(!why.contains("rule a"), "{why}");
}

#[test]
fn events_are_followed_from_an_old_name_to_the_one_of_today_and_say_so() {
    let mut home = renamed_twice();
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    let (by_new, nothing) = told(&mut home, "floor.light", false);
    let (by_old, notes) = told(&mut home, "hall.lamp", false);
    assert_eq!(by_old, by_new);
    assert_eq!(nothing, [""; 0]);
    assert_eq!(
        notes,
        ["hall.lamp is called floor.light now and is told under both names"]
    );
    let all = by_old.join("\n");
    for line in [
        "-> hall.lamp on=true (sent)",
        "20:07:50.000 hall is called floor now",
        "20:09:30.000 floor.lamp is called floor.light now",
        "-> floor.light on=true (sent)",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    let (lines, _) = told(&mut home, "hall.lamp", true);
    let renamed = lines
        .iter()
        .find(|line| line.contains("\"renamed\":\"hall\""));
    let renamed = renamed.expect("it is told");
    assert!(renamed.contains("\"is\":\"floor\""), "{renamed}");
    // It is none of the piano's.
    let (lines, _) = told(&mut home, "piano", false);
    assert!(!lines.join("\n").contains("is called"), "{lines:?}");
}

#[test]
fn events_of_the_past_tell_groups_and_scenes_that_have_another_name() {
    let mut home = Home::new(&piano_house());
    home.pass(60);
    let names = [
        ("lights  = [", "lamps   = ["),
        ("\"lights.off\"", "\"lamps.off\""),
        ("[scene.movie]", "[scene.film]"),
        ("scene = \"movie\"", "scene = \"film\""),
    ];
    home.reload(&renamed(&names));
    let past = home.history();
    let mut travel = past.all(Until::End).unwrap();
    let mut teller = Teller::new(&past, &travel, Vec::new(), false);
    let mut lines = Vec::new();
    while let Some(mut step) = travel.next().unwrap() {
        teller.tell(&mut step, |line| lines.push(line));
    }
    let all = lines.join("\n");
    for line in [
        "group.lights is called group.lamps now",
        "scene.movie is called scene.film now",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
}
