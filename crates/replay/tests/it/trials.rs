//! `replay`: another mapping on the same inputs, and what would have been sent otherwise.

use std::{fmt::Write as _, time::Duration};

use proptest::prelude::*;
use replay::{Paint, Until, trial::Summary, trial::Trial};
use types::UnixTime;

use crate::{
    home::{Files, Home, load, piano_house, with_rules},
    travels::{Does, does, run},
};

fn tried_since(home: &mut Home, files: &Files, since: UnixTime) -> (String, Summary) {
    let past = home.history();
    let mut trial = Trial::new(&past, load(files), since, Until::End).unwrap();
    let (mut shown, mut day) = (String::new(), String::new());
    while let Some(difference) = trial.next().unwrap() {
        let _ = write!(
            shown,
            "{}",
            difference.text(past.zone(), &mut day, Paint::None)
        );
    }
    (shown, trial.summary().clone())
}

fn tried(home: &mut Home, files: &Files) -> (String, Summary) {
    tried_since(home, files, UnixTime(0))
}

fn edited(of: impl Fn(&str) -> String) -> Files {
    let mut files = piano_house();
    let rules = files.get_mut("rules.toml").unwrap();
    let changed = of(rules);
    assert_ne!(*rules, changed, "nothing was edited");
    *rules = changed;
    files
}

fn an_evening_with_motion() -> Home {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(600);
    home.press(36);
    home.pass(10);
    home
}

#[test]
fn a_house_that_runs_on_while_nothing_comes_is_tried_until_now() {
    let files = edited(|rules| rules.replace("for = \"5m\" }]", "for = \"90s\" }]"));
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    let past = home.history();
    let tried = |seconds: Option<u64>| {
        let mut trial = Trial::new(&past, load(&files), UnixTime(0), Until::End).unwrap();
        if let Some(seconds) = seconds {
            let newest = past.last_now().unwrap();
            trial = trial.and_on_until(newest.after(Duration::from_secs(seconds)).wall);
        }
        let mut new = Vec::new();
        while let Some(difference) = trial.next().unwrap() {
            new.extend(difference.new.into_iter().map(|line| line.text));
        }
        new
    };
    assert_eq!(tried(None), [""; 0]);
    assert_eq!(tried(Some(60)), [""; 0]);
    assert_eq!(tried(Some(120)), ["hall.lamp on=false"]);
}

#[test]
fn a_timer_that_runs_shorter_switches_the_lamp_off_earlier() {
    let files = edited(|rules| rules.replace("for = \"5m\" }]", "for = \"90s\" }]"));
    let (shown, summary) = tried(&mut an_evening_with_motion(), &files);
    assert_eq!(
        shown,
        "--- Saturday 28 March 2026\n\
         20:02:40.000  timer hall-off ran out\n  \
           + hall.lamp on=false  hall-motion-off rules.toml:42\n\
         20:06:10.000  timer hall-off ran out\n  \
           - hall.lamp on=false  hall-motion-off rules.toml:42\n"
    );
    let counts = (summary.same, summary.gone, summary.new);
    assert_eq!(counts, (3, 1, 1), "{summary:?}");
    assert!(summary.differs());
}

#[test]
fn a_rule_that_is_gone_sends_nothing_and_one_that_is_new_sends() {
    let files = edited(|rules| rules.replace("event.key == 36", "event.key == 37"));
    let (shown, summary) = tried(&mut an_evening_with_motion(), &files);
    assert!(
        shown.contains("  - desk.lamp on=true  lowest-key "),
        "{shown}"
    );
    assert_eq!((summary.gone, summary.new), (1, 0));

    let files = with_rules(
        "\n[rule.bright]\nwhen = 'piano.keys.press'\ndo = { set = 'living.lamp', brightness = 7 }\n",
    );
    let (shown, summary) = tried(&mut an_evening_with_motion(), &files);
    assert!(
        shown.contains(
            "piano.keys.press key=36 velocity=64\n  + living.lamp on=true brightness=7  bright "
        ),
        "{shown}"
    );
    assert_eq!((summary.gone, summary.new), (0, 1));
}

#[test]
fn a_consumer_that_was_told_otherwise_does_that_in_the_other_house() {
    // The lamp answers in the house that was; in the other one it is never switched on, so that nothing that
    // hangs on its state happens there.
    let more =
        "\n[rule.follows]\nwhen = { becomes = 'hall.lamp.on', to = true }\ndo = 'stairs.lamp.on'\n";
    let more = match mapping::load_texts(with_rules(more)).program {
        Some(_) => more,
        None => {
            "\n[rule.follows]\nwhen = { holds = 'state.hall.lamp.on' }\ndo = 'stairs.lamp.on'\n"
        }
    };
    let mut home = Home::new(&with_rules(more));
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(10);
    let mut files = with_rules(more);
    let rules = files.get_mut("rules.toml").unwrap();
    *rules = rules.replace("lux < 50", "lux < 5");
    let (shown, summary) = tried(&mut home, &files);
    assert!(shown.contains("- hall.lamp on=true"), "{shown}");
    assert!(shown.contains("- stairs.lamp on=true"), "{shown}");
    assert_eq!((summary.gone, summary.new), (2, 0), "{shown}");

    // The other way round: it is switched on there only, and does what it is told.
    let mut home = Home::new(&files);
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(10);
    let (shown, summary) = tried(&mut home, &with_rules(more));
    assert!(shown.contains("+ hall.lamp on=true"), "{shown}");
    assert!(shown.contains("+ stairs.lamp on=true"), "{shown}");
    assert_eq!(summary.gone, 0, "{shown}");
}

#[test]
fn inputs_of_a_device_that_is_gone_are_counted_and_said() {
    let mut home = an_evening_with_motion();
    home.press(60);
    let mut files = piano_house();
    for text in files.values_mut() {
        let mut kept = String::new();
        for part in text.split_inclusive("\n\n") {
            let of_piano = ["device.piano", "piano.keys"];
            if !of_piano.iter().any(|word| part.contains(word)) {
                kept.push_str(part);
            }
        }
        *text = kept;
    }
    let (_, summary) = tried(&mut home, &files);
    assert!(
        summary.untaken.values().sum::<u64>() >= 2,
        "{:?}",
        summary.untaken
    );
    assert!(
        summary.untaken.keys().all(|what| what.contains("piano")),
        "{:?}",
        summary.untaken
    );
    let shown = summary.text(home.history().zone());
    assert!(
        shown.contains("inputs speak of what this mapping does not have: ")
            && shown.contains("piano"),
        "{shown}"
    );
}

#[test]
fn a_trial_from_the_middle_starts_with_the_house_as_it_was_then() {
    let mut home = Home::new(&piano_house());
    home.lux(12);
    home.pass(60);
    home.motion();
    home.pass(60);
    let since = home.now.wall;
    home.pass(600);
    home.press(36);
    // The timer that runs already is taken over, as a reload at that moment would do it.
    let files = edited(|rules| rules.replace("for = \"5m\" }]", "for = \"90s\" }]"));
    let (shown, _) = tried_since(&mut home, &files, since);
    assert!(
        shown.contains("20:02:40.000  timer hall-off ran out\n  + hall.lamp on=false"),
        "{shown}"
    );
    let (shown, summary) = tried_since(&mut home, &piano_house(), since);
    assert_eq!(shown, "");
    assert!(!summary.differs() && summary.same == 2, "{summary:?}");
    assert!(summary.since >= since);
    let text = summary.text(home.history().zone());
    assert!(text.contains("no difference: "), "{text}");
}

#[test]
fn the_mapping_that_came_later_is_compared_with_the_one_in_force_before() {
    let mut home = an_evening_with_motion();
    let files = edited(|rules| rules.replace("for = \"5m\" }]", "for = \"90s\" }]"));
    home.reload(&files);
    let reloaded = home.now.wall;
    home.motion();
    home.pass(600);
    home.restart(Duration::from_secs(5));
    home.motion();
    home.pass(600);
    let (shown, _) = tried(&mut home, &files);
    assert!(shown.contains("20:02:40.000"), "{shown}");
    let (shown, summary) = tried_since(&mut home, &files, reloaded);
    assert_eq!(shown, "");
    assert_eq!((summary.gone, summary.new), (0, 0));
}

#[test]
fn an_input_is_no_more_work_in_a_house_of_more_lamps() {
    let looks = |lamps: u32| {
        let lamps = (0..lamps).map(|at| {
            format!(
                "[device.extra{at}]\nid = {}\nio.lamp = {{ kind = \"dimmer\" }}\n",
                1_000 + at
            )
        });
        let mut files = piano_house();
        files
            .get_mut("devices.toml")
            .unwrap()
            .push_str(&format!("\n{}", lamps.collect::<String>()));
        let mut home = Home::new(&files);
        let since = home.now.wall;
        home.lux(12);
        for _ in 0..50 {
            home.motion();
            home.press(36);
            home.pass(2);
        }
        let rules = files.get_mut("rules.toml").unwrap();
        *rules = rules.replace("for = \"5m\" }]", "for = \"1s\" }]");
        let past = home.history();
        let mut trial = Trial::new(&past, load(&files), since, Until::End).unwrap();
        let mut differences = 0;
        while trial.next().unwrap().is_some() {
            differences += 1;
        }
        assert!(differences > 40, "{differences}");
        (trial.looks(), trial.summary().inputs)
    };
    let ((few, inputs), (many, of_many)) = (looks(0), looks(200));
    assert_eq!(inputs, of_many);
    // Each channel is looked at once at the beginning.
    assert!(
        many - few <= 2 * 200,
        "{few} {many} looks at {inputs} inputs"
    );
    assert!(few <= 6 * inputs, "{few} looks at {inputs} inputs");
}

#[test]
fn mappings_that_came_later_are_not_compiled_where_everything_has_its_name_still() {
    let mut home = an_evening_with_motion();
    let until = home.now.wall;
    for edit in 0..5 {
        let rule =
            format!("\n[rule.more-{edit}]\nwhen = \"door.bell.release\"\ndo = \"hall.lamp.on\"\n");
        home.reload(&with_rules(&rule));
        home.pass(10);
    }
    let past = home.history();
    let tried = load(&piano_house());
    let mut trial = Trial::new(&past, tried, UnixTime(0), Until::Wall(until)).unwrap();
    assert_eq!(trial.next().unwrap(), None);
    // The one that was in force, and the newest.
    assert_eq!(past.compiled(), 2);
}

#[test]
fn machines_get_the_same_with_stable_keys() {
    let mut home = an_evening_with_motion();
    let past = home.history();
    let files = edited(|rules| rules.replace("event.key == 36", "event.key == 37"));
    let mut trial = Trial::new(&past, load(&files), UnixTime(0), Until::End).unwrap();
    let difference = trial.next().unwrap().unwrap().json(past.zone());
    assert_eq!(difference["gone"][0]["text"], "desk.lamp on=true");
    assert_eq!(difference["new"], serde_json::json!([]));
    assert!(
        difference["cause"]
            .as_str()
            .unwrap()
            .starts_with("piano.keys.press")
    );
    assert!(trial.next().unwrap().is_none());
    let whole = trial.summary().json(past.zone());
    assert_eq!(whole["differs"], true);
    assert_eq!(whole["gone"], 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn the_mapping_that_was_in_force_would_have_sent_the_same(
        history in prop::collection::vec(does(), 1..60)
    ) {
        let mut home = Home::new(&piano_house());
        for step in history.iter().filter(|step| !matches!(step, Does::Reload(_))) {
            run(&mut home, step);
        }
        let (shown, summary) = tried(&mut home, &piano_house());
        prop_assert!(!summary.differs(), "{}", shown);
        prop_assert_eq!(summary.untaken.len(), 0);
    }
}
