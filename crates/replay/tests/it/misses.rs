//! `why-not`, where what the rule waits for came last while it could not look, or was dropped.

use crate::{
    home::{Home, with_rules},
    why_nots::ask,
};

const LIT: &str = "[rule.lit]\nwhen = \"door.bell.press\"\ndo = \"stairs.lamp.toggle\"\n";

fn ring(home: &mut Home) {
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    home.pass(2);
}

fn first(home: &mut Home, rule: &str) -> String {
    ask(home, rule, None).sentences[0].clone()
}

#[test]
fn what_came_while_the_rule_was_switched_off_is_told_before_that_it_fired_once() {
    let mut home = Home::new(&with_rules(LIT));
    ring(&mut home);
    home.reload(&with_rules(&format!("{LIT}enabled = false\n")));
    ring(&mut home);
    home.reload(&with_rules(LIT));
    assert_eq!(
        first(&mut home, "lit"),
        "door.bell.press came at 20:00:12.000 while the rule was switched off"
    );
    ring(&mut home);
    assert!(first(&mut home, "lit").starts_with("it did fire, at 20:00:14"));
}

#[test]
fn what_came_while_the_mapping_had_no_such_rule_is_told_and_counted() {
    let mut home = Home::new(&with_rules(LIT));
    ring(&mut home);
    home.reload(&with_rules(""));
    ring(&mut home);
    home.reload(&with_rules(LIT));
    let answer = ask(&mut home, "lit", None);
    assert_eq!(
        answer.sentences[0],
        "door.bell.press came at 20:00:12.000 while the mapping in force did not have the rule"
    );
    let waits = answer.triggers[0].to_string();
    assert!(
        waits.starts_with("door.bell.press came last at 20:00:12.000, twice")
            || waits.contains("2 times"),
        "{waits}"
    );
}

#[test]
fn what_was_dropped_while_a_run_waited_is_told_before_that_the_run_went_on() {
    let single = "[rule.lit]\nwhen = \"door.bell.press\"\nmode = \"single\"\n\
        do = [\"stairs.lamp.on\", { wait = \"10s\" }, \"stairs.lamp.off\"]\n";
    let mut home = Home::new(&with_rules(single));
    ring(&mut home);
    ring(&mut home);
    home.pass(20);
    let told = first(&mut home, "lit");
    assert!(
        told.starts_with("door.bell.press came at 20:00:12.000")
            && told.contains("a run of it was still waiting"),
        "{told}"
    );
}
