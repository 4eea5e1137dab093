//! Rules that wait for several conditions: `why` and `why-not` tell each by itself.

use std::time::Duration;

use crate::{
    home::{Home, with_rules},
    why_nots::says_at,
    whys::{ask, ask_at, check},
};

/// A rule with two conditions that it waits for; the second one has held at 20:00:50 and the first one at 20:01:20.
fn with_two_conditions() -> Home {
    let rule = "\n[rule.muggy]\nwhen = [{ holds = \"state.bath.humidity > 60\", for = \"1m10s\" }, \
        { holds = \"state.living.temp > 25\", for = \"30s\" }]\ndo = \"desk.lamp.toggle\"\n";
    let mut home = Home::new(&with_rules(rule));
    home.says("bath", "humidity/state", "63");
    home.pass(10);
    home.says("living", "temp/state", "26");
    home.pass(100);
    home
}

#[test]
fn of_two_conditions_the_one_that_held_is_told() {
    let mut home = with_two_conditions();
    check(
        &ask_at(&mut home, "muggy", Some("20:01:00")),
        "
rule muggy  fired
since Saturday 28 March 2026, 20:00:50.000, 1 min 10 s ago

  20:00:20.000                living.temp reports temperature=26
                              state.living.temp > 25 became true; rule muggy waits 30s
  20:00:50.000         +30 s  state.living.temp > 25 has held for 30s
                              rule muggy  rules.toml:117
                                state.living.temp > 25   true       state.living.temp = 26
                              sent  desk.lamp on=true
  20:00:50.012        +12 ms  acknowledged by desk
  20:00:50.060        +48 ms  reported  desk.lamp on=true
",
    );
    let answer = ask(&mut home, "muggy");
    let first = "state.bath.humidity > 60 has held for 1m10s";
    assert!(answer.contains(first), "{answer}");
    assert!(!answer.contains("living.temp"), "{answer}");
    let live = home.live.join("\n");
    for condition in ["state.living.temp > 25", "state.bath.humidity > 60"] {
        let line = format!("the condition of muggy holds: {condition}");
        assert!(live.contains(&line), "{live}");
    }
}

#[test]
fn each_of_two_conditions_is_told_by_what_became_of_itself() {
    let rule = "\n[rule.muggy]\nwhen = [{ holds = \"state.bath.humidity > 60\" }, { holds = \"state.living.temp > 25\" }]\n\
        do = \"desk.lamp.toggle\"\n";
    let mut home = Home::new(&with_rules(rule));
    home.says("bath", "humidity/state", "63");
    home.pass(10);
    home.says("living", "temp/state", "26");
    home.pass(10);
    home.says("living", "temp/state", "20");
    home.pass(90);
    says_at(
        &mut home,
        "muggy",
        Some("20:01:59"),
        "state.bath.humidity > 60 is true, and has been since it fired at 20:00:10.000: a rule fires when it becomes true, not while \
         it is",
    );
    says_at(
        &mut home,
        "muggy",
        Some("20:01:59"),
        "state.living.temp > 25 is false since 20:00:30.000",
    );
    let turned_round = "\n[rule.muggy]\nwhen = [{ holds = \"state.living.temp > 25\" }, { holds = \"state.bath.humidity > 60\" }]\n\
        do = \"desk.lamp.toggle\"\n";
    home.reload(&with_rules(turned_round));
    home.pass(60);
    says_at(
        &mut home,
        "muggy",
        Some("20:02:59"),
        "state.living.temp > 25 is false since 20:00:30.000",
    );
}

#[test]
fn what_falls_due_with_an_edit_that_moves_its_rule_is_told_with_what_began_it() {
    let rule = "\n[rule.muggy]\nwhen = { holds = \"state.bath.humidity > 60\", for = \"1m\" }\ndo = \"desk.lamp.on\"\n\
        [device.v]\nvirtual = true\nio.e = { kind = \"button\" }\n";
    let more = "[device.aa]\nvirtual = true\nio.x = { kind = \"button\" }\n";
    let mut edited = with_rules(&format!("{rule}{more}"));
    let rules = edited.get_mut("rules.toml").expect("its rules");
    let first = "[rule.first]\nwhen = \"piano.keys.press\"\ndo = \"stairs.lamp.on\"\n";
    *rules = format!("{first}{rules}");
    let mut home = Home::new(&with_rules(rule));
    home.says("bath", "humidity/state", "63");
    home.pass(30);
    // Nothing else came: the edit is what time passes with, for it brings a device.
    home.now = home.now.after(Duration::from_secs(40));
    home.reload(&edited);
    home.pass(10);
    let answer = ask(&mut home, "muggy");
    let began = "state.bath.humidity > 60 became true; rule muggy waits 1m";
    assert!(answer.contains(began), "{answer}");
}
