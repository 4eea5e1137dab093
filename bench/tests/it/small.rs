//! A little of each bench: that it runs, and that its numbers are of the right kind. Nothing here asserts a time.

use std::{fs, path::Path};

use bench::{estate, expressions, house, loading, matching, reloading, travel};
use replay::{History, Until};
use types::UnixTime;

#[test]
fn houses_have_as_many_rules_as_asked_for_and_no_warning() {
    for rules in [0, 7, 100, 1_000] {
        let loaded = mapping::load_texts(house::files(rules));
        let complaints = mapping::render(&loaded.sources, &loaded.diagnostics, false);
        assert_eq!(complaints, "", "{rules} rules");
        let program = loaded.program.expect("it checks");
        assert!((rules..rules + 2).contains(&program.rules.len()), "{rules}");
    }
}

#[test]
fn index_and_scan_are_measured_beside_each_other() {
    let house = house::program(house::files(400)).expect("it checks");
    for houses in [1, 3] {
        let program = estate::side_by_side(&house, houses);
        let effort = matching::Effort {
            rounds: 1,
            events: 500,
            scanned: 50,
        };
        // It panics where the two let other rules fire.
        let found = matching::measure(&program, effort);
        assert_eq!(found.rules, house.rules.len() * houses as usize);
        assert!(
            found.firing > 0.2 && found.firing <= found.candidates,
            "{found:?}"
        );
        assert!(
            found.candidates < 4.0,
            "the index lets too much through: {found:?}"
        );
        assert!(found.index_ns.min > 0.0 && found.scan_ns.min > 0.0 && found.engine_ns.min > 0.0);
    }
}

#[test]
fn a_busy_house_goes_on_with_an_edit_and_with_other_names() {
    // It panics where anything does not go on.
    let found = reloading::measure(200, 1);
    assert_eq!(found.rules, 200);
    assert!(found.timers >= 9, "{found:?}");
    assert!(found.edited_s.median > 0.0 && found.renamed_s.median > 0.0);
}

#[test]
fn the_stages_of_loading_add_up() {
    let found = loading::measure(100, 1);
    let sum = found.parse_s.median + found.compile_s.median + found.check_s.median;
    assert!((sum - found.whole_s.median).abs() < 1e-9, "{found:?}");
    assert!(
        found.parse_s.median > 0.0 && found.compile_s.median > 0.0 && found.index_s.median > 0.0
    );
}

#[test]
fn three_languages_agree_on_each_condition() {
    // It fails where one of them doesn't take a condition, and panics where they don't agree.
    let found = expressions::measure(1, 10).expect("all take them");
    assert_eq!(found.len(), expressions::CONDITIONS.len());
}

#[test]
fn an_hour_that_was_lived_through_can_be_asked_about() {
    let folder = tempfile::tempdir().expect("a folder");
    let end = UnixTime(1_772_449_200_000_000);
    let lived = travel::live(folder.path(), 1.0 / 24.0, 24_000, end).expect("it lives");
    assert_eq!(lived.events, 1_000);
    assert!(
        lived.inputs > lived.events && lived.commands > 0,
        "{lived:?}"
    );
    let history = History::open(&folder.path().join("state")).expect("it has a past");
    assert_eq!(history.last().0, lived.inputs);
    let mut travel = history.travel_to(Until::End).expect("it can be read");
    while travel.next().expect("it can be read on").is_some() {}
    assert_eq!(
        history.troubles().len(),
        0,
        "the replay comes to what was done: {:?}",
        history.troubles()
    );
    let why = replay::why::why(&history, "room3.motion", None).expect("it can be told");
    assert!(why.is_some_and(|why| !why.hops.is_empty()));
    assert_ne!(
        files(&folder.path().join("house")),
        files(&folder.path().join("changed"))
    );
}

fn files(folder: &Path) -> Vec<String> {
    let names = ["mapping.toml", "devices.toml", "rules.toml"];
    names
        .map(|name| fs::read_to_string(folder.join(name)).expect("it is there"))
        .into()
}
