//! Questions about the past of what was taken out of the mapping.

use dispatcher::explain::Filter;
use replay::{
    Paint, Trouble, Until, When, events::Teller, state::state, why::why, why_not::why_not,
};
use types::UnixTime;

use crate::home::{Files, Home, piano_house};

/// The house with a bath that has a timer and a variable of its own.
fn with_bath() -> Files {
    let mut files = piano_house();
    let devices = files.get_mut("devices.toml").unwrap();
    *devices = devices.replace(
        "comfort = {",
        "soaked  = { kind = \"bool\", start = false }\ncomfort = {",
    );
    devices.push_str("\n[device.spa]\nid = 31\nio.level = { kind = \"humidity\" }\nio.jets = { kind = \"switch\" }\n");
    files.get_mut("rules.toml").unwrap().push_str(SPA);
    files
}

const SPA: &str = r#"
[rule.spa-on]
when = { holds = "state.spa.level > 65" }
do   = ["spa.jets.on", { start = "soak", for = "2m" }, { var = "soaked", to = true }]

[rule.spa-off]
when = { timer = "soak" }
if   = "var.soaked"
do   = "spa.jets.off"
"#;

/// The bath ran from 20:01:10 to 20:03:10 and was taken out at 20:06:10; it is 20:07:50.
fn bath_taken_out() -> Home {
    let mut home = Home::new(&with_bath());
    home.says("spa", "level/state", "40");
    home.pass(60);
    home.says("spa", "level/state", "70");
    home.pass(300);
    home.reload(&piano_house());
    home.pass(100);
    home
}

/// The bath is there, under another name.
fn call_it_tub(home: &mut Home) {
    let mut files = with_bath();
    for text in files.values_mut() {
        *text = text
            .replace("spa.", "tub.")
            .replace("device.spa", "device.tub");
    }
    home.reload(&files);
    home.connect("tub");
}

/// What is said along with the answer.
fn notes(troubles: &[Trouble]) -> Vec<String> {
    troubles.iter().map(ToString::to_string).collect()
}

fn taken_out(name: &str) -> Vec<String> {
    vec![format!(
        "{name} was taken out of the mapping at 2026-03-28 20:06; it is told as it was until then"
    )]
}

#[test]
fn why_is_answered_from_the_mapping_that_had_it() {
    let mut home = bath_taken_out();
    let now = home.now.wall;
    for (asked, name, expected) in [
        (
            "spa.jets",
            "spa.jets",
            "spa.jets  on=false   (before: on=true)\n",
        ),
        ("spa", "spa", "spa.jets  on=false   (before: on=true)\n"),
        ("spa.level", "spa.level", "spa.level  70   (before: 40)\n"),
        ("spa-on", "rule.spa-on", "rule spa-on  fired\n"),
        (
            "timer.soak",
            "timer.soak",
            "timer soak  not running   (before: running until 20:03:10.000)\n",
        ),
        (
            "soaked",
            "var.soaked",
            "var.soaked  true   (before: false)\n",
        ),
    ] {
        let past = home.history();
        let answer = why(&past, asked, None).unwrap().expect("it changed");
        let text = answer.text(past.zone(), now, Paint::None);
        assert!(text.starts_with(expected), "{asked}: {text}");
        assert_eq!(notes(&past.troubles()), taken_out(name), "{asked}");
    }
}

#[test]
fn a_moment_that_is_named_counts_as_long_as_it_lies_before() {
    let mut home = bath_taken_out();
    let now = home.now.wall;
    let past = home.history();
    let at = |text: &str| Some(When::parse(text, now, past.zone()).unwrap());
    let on = why(&past, "spa.jets", at("20:02"))
        .unwrap()
        .expect("it is on");
    assert_eq!((on.is.as_str(), on.was.as_str()), ("on=true", "never set"));
    let off = why(&past, "spa.jets", at("20:07"))
        .unwrap()
        .expect("it was");
    assert_eq!(off.is, "on=false");
    assert_eq!(notes(&past.troubles()), taken_out("spa.jets"));
}

#[test]
fn why_not_tells_the_last_moments_of_a_rule_that_is_gone() {
    let mut home = bath_taken_out();
    let past = home.history();
    let answer = why_not(&past, "spa-off", None, home.now.wall).unwrap();
    assert_eq!(answer.rule, "spa-off");
    assert!(answer.fired.is_some(), "{answer:?}");
    assert_eq!(past.at_home(answer.at), "2026-03-28 20:06");
    assert_eq!(notes(&past.troubles()), taken_out("rule.spa-off"));
}

#[test]
fn history_tells_a_channel_until_it_was_taken_out() {
    let mut home = bath_taken_out();
    let past = home.history();
    let all = past
        .series("spa.level", UnixTime(0), UnixTime(i64::MAX))
        .unwrap();
    let values = |series: &replay::Series| -> Vec<String> {
        let changes = series.changes.iter();
        changes.map(|(_, value)| value.to_string()).collect()
    };
    assert_eq!(
        (all.len(), values(&all[0])),
        (1, vec!["40".to_owned(), "70".to_owned()])
    );
    assert_eq!(notes(&past.troubles()), taken_out("spa.level"));
}

#[test]
fn events_are_filtered_by_what_is_gone() {
    let mut home = bath_taken_out();
    home.says(
        "piano",
        "keys/event",
        r#"{"event":"press","key":60,"velocity":64}"#,
    );
    let past = home.history();
    let mut travel = past.all(Until::End).unwrap();
    let filters = past.filters("spa.jets").unwrap();
    assert_eq!(filters, [Filter::new("spa.jets")]);
    let mut teller = Teller::new(&past, &travel, filters, false);
    let mut lines = Vec::new();
    while let Some(mut step) = travel.next().unwrap() {
        teller.tell(&mut step, |line| lines.push(line));
    }
    let all = lines.join("\n");
    assert!(all.contains("spa.jets on=true"), "{all}");
    assert!(!all.contains("hall"), "{all}");
    assert_eq!(notes(&past.troubles()), taken_out("spa.jets"));
}

#[test]
fn what_can_only_be_asked_about_today_says_since_when_it_is_gone() {
    let mut home = bath_taken_out();
    let past = home.history();
    let error = state(&past, Some("spa"), None, None)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "\"spa\" was taken out of the mapping at 2026-03-28 20:06"
    );
    assert_eq!(past.became("spa"), Some(error));
    assert_eq!(past.became("hall"), None, "it is there");
    assert_eq!(past.became("attic"), None, "it never was");
    assert_eq!(past.name_of_today("spa").unwrap(), None);
    let shown = state(
        &past,
        Some("spa"),
        {
            let at = When::parse("20:02", home.now.wall, past.zone());
            Some(at.unwrap())
        },
        None,
    );
    assert_eq!(shown.unwrap().devices[0].name, "spa");
}

#[test]
fn what_had_another_name_before_it_was_taken_out_is_told_with_its_last_one() {
    let mut home = Home::new(&with_bath());
    home.says("spa", "level/state", "40");
    home.pass(60);
    call_it_tub(&mut home);
    home.says("tub", "level/state", "50");
    home.pass(60);
    home.reload(&piano_house());
    home.pass(60);
    let past = home.history();
    let answer = why(&past, "spa.level", None).unwrap().expect("it changed");
    assert_eq!(
        (answer.target.as_str(), answer.is.as_str()),
        ("tub.level", "50")
    );
    let said = notes(&past.troubles());
    assert!(said[0].starts_with("tub.level was taken out"), "{said:?}");
}

#[test]
fn what_came_back_under_another_name_is_told_as_that() {
    let mut home = bath_taken_out();
    call_it_tub(&mut home);
    home.pass(10);
    let past = home.history();
    assert_eq!(
        past.became("spa.jets").as_deref(),
        Some("spa.jets is called tub.jets now")
    );
    let on = When::parse("20:02", home.now.wall, past.zone());
    let on = why(&past, "tub.jets", on.ok())
        .expect("it is known")
        .expect("it is on");
    assert_eq!(on.is, "on=true");
    assert_eq!(past.troubles(), []);
    // A rule and a timer that came back have their names again, and their past.
    let ran = why(&past, "timer.soak", None).expect("it is known");
    assert!(ran.is_some());
}

#[test]
fn another_device_under_a_name_that_was_taken_out_has_its_own_past() {
    let mut home = bath_taken_out();
    let mut files = with_bath();
    let devices = files.get_mut("devices.toml").expect("it has one");
    *devices = devices.replace("id = 31", "id = 32");
    home.reload(&files);
    home.pass(10);
    let past = home.history();
    let then = When::parse("20:02", home.now.wall, past.zone());
    let answer = why(&past, "spa.jets", then.ok()).expect("it is known");
    assert_eq!(answer.map(|answer| answer.is), None);
}

#[test]
fn a_slip_of_the_keyboard_is_answered_as_one() {
    let mut home = bath_taken_out();
    let error = why(&home.history(), "hall.lmp", None)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("did you mean hall.lamp?"), "{error}");
    let error = home.history().filters("hall.lmp").unwrap_err().to_string();
    assert!(error.ends_with("did you mean hall.lamp?"), "{error}");
}

#[test]
fn a_slip_of_the_keyboard_compiles_no_mapping_that_does_not_hold_its_words() {
    let mut home = bath_taken_out();
    for edit in 0..5 {
        let rule =
            format!("\n[rule.more-{edit}]\nwhen = \"door.bell.release\"\ndo = \"hall.lamp.on\"\n");
        home.reload(&crate::home::with_rules(&rule));
    }
    let past = home.history();
    let compiled = past.compiled();
    assert_eq!(past.became("hall.lmp"), None);
    assert_eq!(past.became("var.nihgt"), None);
    assert_eq!(past.compiled(), compiled);
    assert!(past.became("spa.offline").is_some());
}

#[test]
fn a_name_that_is_not_looked_for_in_all_mappings_is_told_as_that() {
    let mut home = bath_taken_out();
    for edit in 0..51 {
        let rule = format!(
            "\n[rule.spa]\nwhen = \"door.bell.release\"\nif = \"var.comfort > {edit}\"\ndo = \"hall.lamp.on\"\n"
        );
        home.reload(&crate::home::with_rules(&rule));
    }
    // The word stands in all of these, and is no device's.
    let past = home.history();
    assert_eq!(past.became("var.spa"), None);
    assert_eq!(
        notes(&past.troubles()),
        [
            "only the newest mappings in which \"var.spa\" is written were looked through for what was called so"
        ]
    );
}

#[test]
fn why_of_what_never_changed_until_it_was_taken_out_says_both() {
    let mut home = Home::new(&with_bath());
    home.pass(300);
    home.reload(&piano_house());
    home.pass(100);
    let past = home.history();
    for (asked, expected) in [
        (
            "spa.jets",
            "nothing changed spa.jets before it was taken out of the mapping at 2026-03-28 20:05: \
             not once since 2026-03-28 20:00, where the journal begins",
        ),
        (
            "spa-off",
            "spa-off did not fire before it was taken out of the mapping at 2026-03-28 20:05: \
             not once since 2026-03-28 20:00, where the journal begins. \
             `iot-control why-not spa-off` says what it waited for",
        ),
    ] {
        assert_eq!(why(&past, asked, None).expect("it was there"), None);
        assert_eq!(replay::why::unanswered(&past, asked, None), expected);
    }
}
