//! Order: one snapshot per input, all matching rules in file order, derived inputs before the next one.

use engine::Who;

use crate::{
    bench::bench,
    build::{rule, slot},
};

#[test]
fn all_matching_rules_fire_in_file_order() {
    let press = |name: &str| rule(name).on("desk.button.press").notify(name);
    let mut b = bench(&[press("b"), press("a"), press("c")]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.fired(), ["b", "a", "c"]);
    assert_eq!(b.out(), ["notify all: b", "notify all: a", "notify all: c"]);
}

#[test]
fn two_toggles_cancel() {
    let toggle = |name: &str| rule(name).on("desk.button.press").cmd("hall.lamp.toggle");
    let mut b = bench(&[toggle("a"), toggle("b")]);
    b.person("hall.lamp.on", false, None);
    b.out();
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["= hall.lamp on=false"]);
}

#[test]
fn conditions_see_the_house_as_it_was_before_any_action() {
    let mut b = bench(&[
        rule("on").on("desk.button.press").cmd("hall.fan.on"),
        rule("also")
            .on("desk.button.press")
            .cond("!target.hall.fan")
            .cmd("desk.lamp.on"),
    ]);
    b.person("hall.fan", false, None);
    b.out();
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.fan on=true", "desk.lamp on=true"]);
}

#[test]
fn computed_values_see_the_house_as_it_was_before_any_action() {
    let mut b = bench(&[
        rule("set")
            .on("desk.button.press")
            .set("hall.lamp", &[("brightness", "80")]),
        rule("copy").on("desk.button.press").set(
            "desk.lamp",
            &[("brightness", "${target.hall.lamp.brightness}")],
        ),
    ]);
    b.person("hall.lamp.brightness", 30.0, None);
    b.out();
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        [
            "hall.lamp on=true brightness=80",
            "desk.lamp on=true brightness=30"
        ]
    );
}

#[test]
fn the_snapshot_holds_the_state_that_the_event_carries() {
    let mut b = bench(&[rule("r")
        .on("hall.motion.start")
        .cond("state.hall.motion")
        .cmd("hall.lamp.on")]);
    b.event("hall.motion.start", &[]);
    assert_eq!(b.out(), ["hall.lamp on=true"]);
}

#[test]
fn relative_commands_see_what_an_earlier_rule_wrote() {
    let mut b = bench(&[
        rule("on")
            .on("desk.button.press")
            .set("hall.lamp", &[("brightness", "50")]),
        rule("more")
            .on("desk.button.press")
            .cmd("hall.lamp.brighter"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.lamp on=true brightness=60"]);
}

#[test]
fn variable_changes_run_before_the_next_input_in_the_same_decision() {
    let mut b = bench(&[
        rule("set").on("desk.button.press").var("level", "7"),
        rule("seen")
            .holds("var.level == 7", 0)
            .notify("level ${var.level}"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["notify all: level 7"]);
    let depths: Vec<u8> = b.effects.decisions[0]
        .steps
        .iter()
        .map(|step| step.depth)
        .collect();
    assert_eq!(depths, [0, 1, 2]);
}

#[test]
fn a_target_that_was_so_already_is_marked_unchanged() {
    let mut b = bench(&[rule("r").on("desk.button.press").cmd("hall.fan.on")]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.fan on=true", "= hall.fan on=true"]);
}

#[test]
fn each_desired_value_keeps_its_origin() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .set("hall.lamp", &[("brightness", "40")])]);
    let (on, brightness) = {
        let p = b.program();
        (slot(&p, "hall.lamp.on"), slot(&p, "hall.lamp.brightness"))
    };
    b.event("desk.button.press", &[]);
    b.person("hall.lamp.on", false, None);
    assert_eq!(
        b.engine.desired_origin(brightness),
        Some(Who::Rule("r".into()))
    );
    assert_eq!(
        b.engine.desired_origin(on),
        Some(Who::Person("anna".into()))
    );
    let (now, channel) = (b.now, b.channel("hall.lamp"));
    b.out();
    b.effects.clear();
    b.engine
        .adopt(now, channel, vec![(on, true.into())], &mut b.effects);
    assert!(b.effects.outputs.is_empty());
    assert_eq!(b.engine.target(on), Some(&true.into()));
    assert_eq!(b.engine.desired_origin(on), Some(Who::Local));
}

#[test]
fn a_person_can_keep_rules_from_writing_an_output_for_a_while() {
    let mut b = bench(&[rule("r").on("desk.button.press").cmd("hall.lamp.off")]);
    b.person("hall.lamp.on", true, Some(60));
    assert_eq!(b.out(), ["hall.lamp on=true"]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), [""; 0]);
    let line = &b.effects.decisions[0].sent[0];
    assert_eq!(line.disposition, engine::Disposition::Held);
    assert_eq!(line.text, "hall.lamp off");
    b.person("hall.lamp.brightness", 10.0, None);
    assert_eq!(b.out(), ["hall.lamp on=true brightness=10"]);
    b.pass(60);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["hall.lamp on=false brightness=10"]);
}

#[test]
fn momentary_commands_are_always_sent_and_are_no_target() {
    let mut b = bench(&[rule("r").on("desk.button.press").cmd("living.blind.stop")]);
    b.event("desk.button.press", &[]);
    b.event("desk.button.press", &[]);
    b.command("living.blind.open");
    assert_eq!(
        b.out(),
        [
            "living.blind.stop",
            "living.blind.stop",
            "living.blind position=100"
        ]
    );
}
