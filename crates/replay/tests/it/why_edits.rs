//! `why`, where an edit of the mapping moved or dropped what was under way.

use std::time::Duration;

use crate::{
    home::{Files, Home, piano_house, with_rules},
    whys::{ask, check},
};

/// The house in which the hall's timer runs for another time.
fn lit_for(time: &str) -> Files {
    let mut files = piano_house();
    let rules = files.get_mut("rules.toml").unwrap();
    *rules = rules.replace("for = \"5m\"", &format!("for = \"{time}\""));
    files
}

#[test]
fn a_timer_whose_time_was_edited_shows_the_end_that_holds_and_who_moved_it() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.pass(60);
    home.reload(&lit_for("10m"));
    home.pass(60);
    check(
        &ask(&mut home, "timer.hall-off"),
        "
timer hall-off  running until 20:10:10.000   (before: running until 20:05:10.000)
since Saturday 28 March 2026, 20:01:10.000, 1 min ago

  20:00:10.000                hall.motion.start
                              rule hall-motion  rules.toml:32
                                sun.is_down           true
                                state.hall.lux < 50   true       state.hall.lux = 12
                                !var.night            true
                                starts the timer hall-off for 5m, until 20:05:10.000
  20:01:10.000        +1 min  another mapping came into force: the timer hall-off runs for 10m from its start now, until 20:10:10.000
",
    );
    home.reload(&lit_for("7m"));
    home.pass(400);
    for asked in ["timer.hall-off", "hall.lamp"] {
        let answer = ask(&mut home, asked);
        assert!(
            answer.contains("runs for 10m from its start now, until 20:10:10.000"),
            "{answer}"
        );
        assert!(
            answer.contains("runs for 7m from its start now, until 20:07:10.000"),
            "{answer}"
        );
        assert!(
            answer.contains("since Saturday 28 March 2026, 20:07:10.000"),
            "{answer}"
        );
    }
}

#[test]
fn a_for_that_an_edit_made_shorter_fires_with_the_edit_and_says_so() {
    let muggy = |so_long: &str| {
        with_rules(&format!(
            "\n[rule.muggy]\nwhen = {{ holds = \"state.bath.humidity > 60\", for = \"{so_long}\" }}\ndo = \"desk.lamp.on\"\n"
        ))
    };
    let mut home = Home::new(&muggy("1m"));
    home.pass(10);
    home.says("bath", "humidity/state", "63");
    home.pass(6);
    home.reload(&muggy("2s"));
    home.pass(100);
    let answer = ask(&mut home, "muggy");
    let moved = "another mapping came into force: the `for` of rule muggy is 2s from its start now instead of 1m, which is over";
    assert!(answer.contains(moved), "{answer}");
    assert!(
        answer.contains("since Saturday 28 March 2026, 20:00:26.000"),
        "{answer}"
    );
}

#[test]
fn a_for_that_began_with_an_edit_says_so() {
    let rule = "\n[rule.muggy]\nwhen = { holds = \"state.bath.humidity > 60\", for = \"1m\" }\ndo = \"desk.lamp.on\"\n";
    let mut home = Home::new(&piano_house());
    home.says("bath", "humidity/state", "63");
    home.pass(100);
    home.reload(&with_rules(rule));
    home.pass(100);
    check(
        &ask(&mut home, "muggy"),
        "
rule muggy  fired
since Saturday 28 March 2026, 20:02:50.000, 40 s ago

  20:01:50.000                another mapping came into force, and state.bath.humidity > 60 was true already; rule muggy waits 1m from then on
  20:02:50.000        +1 min  state.bath.humidity > 60 has held for 1m
                              rule muggy  rules.toml:117
                                state.bath.humidity > 60   true       state.bath.humidity = 63
                              sent  desk.lamp on=true
  20:02:50.012        +12 ms  acknowledged by desk
  20:02:50.060        +48 ms  reported  desk.lamp on=true
",
    );
}

/// A house in which a rule waits between its actions and another one for its `for`; then both are edited.
fn dropped() -> Home {
    let rules = "\n[rule.stay]\nwhen = \"door.bell.press\"\ndo = [\"stairs.lamp.on\", { wait = \"2m\" }, \"stairs.lamp.off\"]\n";
    let mut home = Home::new(&with_rules(rules));
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.says("bath", "humidity/state", "70");
    home.pass(10);
    let mut edited = with_rules(&rules.replace("lamp.off", "lamp.toggle"));
    let all = edited.get_mut("rules.toml").unwrap();
    *all = all.replace("state.bath.humidity > 65", "state.bath.humidity > 90");
    home.reload(&edited);
    home.pass(300);
    home
}

#[test]
fn a_rule_that_waited_when_it_was_edited_says_what_for_and_that_it_was_dropped() {
    check(
        &ask(&mut dropped(), "stay"),
        "
rule stay  dropped while it waited
since Saturday 28 March 2026, 20:00:20.000, 5 min ago

  20:00:10.000                door.bell.press
                              rule stay  rules.toml:117
                                waits 2m
  20:00:20.000         +10 s  it waited since 20:00:10.000 for its next action, 2m later; dropped at 20:00:20.000 by an edit of rules.toml
",
    );
    let answer = ask(&mut dropped(), "fan-on");
    assert!(
        answer.contains("state.bath.humidity > 65 became true; rule fan-on waits 30s"),
        "{answer}"
    );
    assert!(
        answer.contains(
            "it waited since 20:00:10.000 for state.bath.humidity > 65 for 30s; dropped at 20:00:20.000 by an edit of rules.toml"
        ),
        "{answer}"
    );
    // What it did since is newer.
    let mut home = dropped();
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    let answer = ask(&mut home, "stay");
    assert!(answer.starts_with("rule stay  fired\n"), "{answer}");
}

#[test]
fn a_start_is_told_with_how_long_it_was_off_also_where_an_edit_was_the_last_that_came() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.pass(60);
    home.reload(&lit_for("10m"));
    home.restart(Duration::from_secs(120));
    home.pass(10);
    let answer = ask(&mut home, "timer.hall-off");
    assert!(answer.contains("for 2 min at the most"), "{answer}");
}
