//! Coalescing: the last writer of each field wins, and one absolute message goes to each output for a whole cascade.

use std::time::Duration;

use engine::Output;

use crate::{bench::bench, build::rule};

#[test]
fn outputs_coalesce_over_the_whole_cascade() {
    let mut b = bench(&[
        rule("first")
            .on("desk.button.press")
            .set("hall.lamp", &[("brightness", "50")])
            .cmd("hall.fan.on")
            .var("night", "true"),
        rule("night")
            .holds("var.night", 0)
            .set("hall.lamp", &[("brightness", "5")]),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        ["hall.fan on=true", "hall.lamp on=true brightness=5"]
    );
    assert_eq!(b.effects.decisions.len(), 1);
    let program = b.program();
    let sent = &b.effects.decisions[0].sent;
    let by = sent
        .last()
        .and_then(|line| line.by)
        .map(|by| &*program[by].name);
    assert_eq!(by, Some("night"));
}

#[test]
fn fields_coalesce_each_by_itself() {
    let mut b = bench(&[
        rule("a")
            .on("desk.button.press")
            .set("living.strip", &[("hue", "120"), ("saturation", "50")]),
        rule("b")
            .on("desk.button.press")
            .set("living.strip", &[("brightness", "20"), ("hue", "240")]),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        ["living.strip on=true brightness=20 hue=240 saturation=50"]
    );
}

#[test]
fn what_emitted_events_lead_to_is_part_of_the_same_message() {
    let mut b = bench(&[
        rule("evening")
            .on("desk.button.press")
            .cmd("hall.lamp.on")
            .emit("mode.evening.press", &[]),
        rule("dim")
            .on("mode.evening.press")
            .set("hall.lamp", &[("brightness", "30")])
            .cmd("hall.lamp.brighter"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        ["emit mode.evening.press", "hall.lamp on=true brightness=40"]
    );
}

#[test]
fn what_was_written_and_taken_back_is_no_change() {
    let mut b = bench(&[
        rule("on").on("desk.button.press").cmd("hall.fan.on"),
        rule("off").on("desk.button.press").cmd("hall.fan.off"),
    ]);
    b.person("hall.fan", false, None);
    b.out();
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["= hall.fan on=false"]);
}

#[test]
fn momentary_commands_and_messages_to_people_are_never_put_together() {
    let mut b = bench(&[
        rule("a")
            .on("desk.button.press")
            .cmd("living.blind.stop")
            .notify("hello"),
        rule("b")
            .on("desk.button.press")
            .cmd("living.blind.stop")
            .notify("hello"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(
        b.out(),
        [
            "living.blind.stop",
            "notify all: hello",
            "living.blind.stop",
            "notify all: hello"
        ]
    );
}

#[test]
fn what_comes_behind_a_wait_is_a_message_of_its_own() {
    let mut b = bench(&[rule("r")
        .on("desk.button.press")
        .cmd("hall.fan.on")
        .wait(1)
        .cmd("hall.fan.off")
        .cmd("hall.fan.on")
        .cmd("hall.fan.off")]);
    b.event("desk.button.press", &[]);
    b.pass(1);
    assert_eq!(b.out(), ["hall.fan on=true", "hall.fan on=false"]);
}

#[test]
fn a_message_stands_where_its_output_was_written_last() {
    let mut b = bench(&[
        rule("a")
            .on("desk.button.press")
            .cmd("hall.fan.on")
            .cmd("desk.lamp.on"),
        rule("b").on("desk.button.press").cmd("hall.fan.off"),
    ]);
    b.event("desk.button.press", &[]);
    assert_eq!(b.out(), ["desk.lamp on=true", "hall.fan on=false"]);
}

#[test]
fn the_last_writer_says_for_how_long() {
    let mut b = bench(&[
        rule("a").on("desk.button.press").on_for("hall.fan", 60),
        rule("b").on("desk.button.press").on_for("hall.fan", 5),
    ]);
    b.event("desk.button.press", &[]);
    let bound = match &b.effects.outputs[0] {
        Output::Target { bound, .. } => *bound,
        other => panic!("{other:?}"),
    };
    assert_eq!(bound, Some(Duration::from_secs(5)));
    assert_eq!(b.effects.outputs.len(), 1);
}
