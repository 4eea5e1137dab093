//! `test --record` where a button is held down: what goes on until it is let go ends with the stretch.

use dispatcher::explain::Filter;
use replay::{
    Until,
    record::{Unrecordable, Wanted, record, record_within},
};
use types::UnixTime;

use crate::{
    home::{Files, Home, with_rules},
    records::{home, passes},
};

/// A lamp that gets darker as long as the desk's button is held.
const DIMS: &str = r#"
[rule.dim]
when = ["door.bell.press", { timer = "dim" }]
do   = ["living.lamp.dimmer", { start = "dim", for = "250ms" }]

[rule.dim-stop]
when = "door.bell.release"
do   = { stop = "dim" }
"#;

fn wanted(since: UnixTime, until: Until, only: &[&str]) -> Wanted {
    Wanted {
        name: "recorded".to_owned(),
        since,
        until,
        only: only.iter().map(|path| Filter::new(path)).collect(),
    }
}

/// A house in which somebody holds the bell since ten seconds after the moment that comes with it.
fn held(files: &Files) -> (Home, UnixTime) {
    let mut home = home(files);
    home.asks(
        "anna",
        "iot/living/lamp/set",
        r#"{"on":true,"brightness":80}"#,
    );
    home.pass(30);
    let since = home.now.wall;
    home.pass(10);
    home.says("door", "bell/event", r#"{"event":"press"}"#);
    (home, since)
}

#[test]
fn a_button_that_is_let_go_after_the_stretch_is_held_to_the_end_of_its_test() {
    let files = with_rules(DIMS);
    for held_ms in [100, 1_100, 70_000] {
        let (mut home, since) = held(&files);
        home.pass_ms(held_ms);
        let end = home.now.wall;
        home.pass(20);
        home.says("door", "bell/event", r#"{"event":"release"}"#);
        home.pass(20);
        for only in [&[][..], &["rule.dim"], &["living.lamp"]] {
            let wanted = wanted(since, Until::Wall(end), only);
            let recording = record(&home.history(), &wanted).unwrap();
            passes(&files, &recording);
            assert!(!recording.text.contains("release"), "{}", recording.text);
        }
    }
}

#[test]
fn a_part_begins_no_test_while_the_click_of_one_of_its_buttons_is_undecided() {
    let files = with_rules("");
    let mut home = home(&files);
    home.says("desk", "button/event", r#"{"event":"press"}"#);
    home.pass_ms(80);
    home.says("desk", "button/event", r#"{"event":"release"}"#);
    home.pass_ms(80);
    let since = home.now.wall;
    home.pass(5);
    home.press(36);
    home.pass(5);
    // The click writes the lamp of the rule that is asked for.
    let wanted = wanted(since, Until::End, &["rule.lowest-key"]);
    let refused = record(&home.history(), &wanted).unwrap_err().to_string();
    let told = "desk.button was just pressed at the beginning";
    assert!(refused.starts_with(told), "{refused}");
}

#[test]
fn a_button_that_nobody_lets_go_is_recorded_as_long_as_a_test_may_last() {
    let files = with_rules(DIMS);
    let (mut home, since) = held(&files);
    home.pass(600);
    home.says("door", "contact/state", r#""open""#);
    home.pass(10);
    for only in [&[][..], &["rule.dim"]] {
        let wanted = wanted(since, Until::End, only);
        passes(&files, &record(&home.history(), &wanted).unwrap());
        let refused = record_within(&home.history(), &wanted, 5_000).unwrap_err();
        assert!(
            matches!(refused, Unrecordable::TooMuchWork { .. }),
            "{refused}"
        );
        let said = refused.to_string();
        assert!(said.contains("end at --until \"2026-03-28 20:"), "{said}");
    }
}
