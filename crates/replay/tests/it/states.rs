//! `state`: the house at any moment.

use std::time::Duration;

use dispatcher::Sides;
use replay::{HistoryError, Paint, When, state::state};

use crate::home::{Home, piano_house};

fn show(home: &mut Home, path: Option<&str>, at: Option<&str>) -> String {
    let now = home.now.wall;
    let past = home.history();
    let when = at.map(|at| When::parse(at, now, past.zone()).unwrap());
    let answer = state(&past, path, when, None).unwrap_or_else(|error| panic!("{error}"));
    answer.text(past.zone(), Paint::None)
}

#[test]
fn after_a_clock_was_put_back_the_newest_state_is_told_and_of_a_moment_that_it_was_put_back_over_so_is_that()
 {
    let mut home = Home::new(&piano_house());
    home.lux(1);
    home.now.wall.0 += 3_600_000_000;
    home.pass(10);
    home.lux(2);
    home.now.wall.0 -= 3_600_000_000;
    home.pass(10);
    home.lux(3);
    home.pass(10);
    let (now, past) = (home.now.wall, home.history());
    let lux = |when, now| {
        let answer = state(&past, Some("hall.lux"), when, now).unwrap();
        answer.text(past.zone(), Paint::None)
    };
    let newest = lux(None, Some(now));
    assert!(
        newest.contains(" 3") && newest.contains("20:00:30"),
        "{newest}"
    );
    assert_eq!(past.troubles(), []);
    let when = When::parse("20:30", now.after(Duration::from_secs(7_200)), past.zone()).unwrap();
    let then = lux(Some(when), None);
    assert!(then.contains(" 1"), "{then}");
    let told = past.troubles()[0].to_string();
    assert!(
        told.starts_with("the clock was put back over 2026-03-28 20:30"),
        "{told}"
    );
}

fn busy() -> Home {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.motion();
    home.says("bath", "humidity/state", "70");
    home.says("living", "temp/state", "21");
    home.asks(
        "anna",
        "iot/desk/lamp/set",
        r#"{"brightness":7,"hold":"10m"}"#,
    );
    home.disconnect("door");
    home.block("piano", Sides::PRODUCER);
    home.pass(20);
    home
}

#[test]
fn a_moment_shows_what_was_reported_wished_held_blocked_and_what_waits() {
    let shown = show(&mut busy(), None, None);
    for line in [
        "Saturday 28 March 2026, 20:00:10.060\n",
        "\npiano  online, blocked as producer\n  keys  nothing known\n",
        "\n  lamp    on  true  20:00:10  wanted true by rule hall-motion\n",
        "\n  lux         12    20:00:10\n",
        "\ndoor  offline, last heard 10 s ago at 20:00:00\n",
        "\n          brightness  7     20:00:10  wanted 7 by anna\n          held until 20:10:10.000: rules don't write it\n",
        "\nvariables\n  night    false\n  comfort  21\n",
        "\ntimers\n  hall-off  runs out at 20:05:10.000 in 4 min 59 s, started at 20:00:10.000 by rule hall-motion\n",
        "\nrules that wait\n  fan-on  state.bath.humidity > 65 for 30s: at 20:00:40.000 in 29 s\n",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
}

#[test]
fn a_part_of_the_house_at_an_earlier_moment_is_shown_alone() {
    let shown = show(&mut busy(), Some("hall"), Some("20:00:05"));
    assert!(
        shown.contains("hall  online\n  lamp    nothing known"),
        "{shown}"
    );
    assert!(
        !shown.contains("piano") && !shown.contains("variables"),
        "{shown}"
    );
    let shown = show(&mut busy(), Some("hall.lux"), None);
    assert!(
        shown.contains("  lux    12  20:00:10\n") && !shown.contains("lamp"),
        "{shown}"
    );
    let shown = show(&mut busy(), Some("var.night"), None);
    assert!(shown.ends_with("variables\n  night  false\n"), "{shown}");
}

#[test]
fn a_group_is_shown_with_its_channels_alone() {
    let shown = show(&mut busy(), Some("lights"), None);
    for device in ["hall", "stairs", "living", "desk"] {
        assert!(
            shown.contains(&format!("\n{device}  online\n  lamp ")),
            "{shown}"
        );
    }
    for other in ["lux", "piano", "bath", "variables"] {
        assert!(!shown.contains(other), "{other}: {shown}");
    }
}

#[test]
fn what_is_too_old_to_count_and_what_differs_is_said() {
    let mut home = busy();
    home.restart(Duration::from_secs(400));
    home.modules = false;
    home.pass(2);
    home.press(60);
    home.unblock("piano");
    home.press(60);
    let shown = show(&mut home, Some("living"), None);
    assert!(
        shown.contains("21  20:00:10  too old to count: unknown"),
        "{shown}"
    );
    let json = state(&home.history(), Some("hall"), None, None).unwrap();
    let json = json.json(home.history().zone());
    let on = &json["devices"]["hall"]["channels"]["lamp"]["fields"]["on"];
    assert_eq!(on["reported"], false);
    assert_eq!(on["wanted"], true);
    assert_eq!(on["wanted_by"], "rule middle-c");
}

#[test]
fn an_unknown_part_is_refused_with_the_nearest_name() {
    let mut home = busy();
    let error = state(&home.history(), Some("hal"), None, None).unwrap_err();
    assert!(matches!(error, HistoryError::Unknown(_)));
    assert!(error.to_string().ends_with("did you mean hall?"), "{error}");
}
