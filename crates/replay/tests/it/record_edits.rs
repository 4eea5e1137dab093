//! `test --record` where the mapping was edited meanwhile.

use replay::{
    Until, When,
    record::{Recording, Unrecordable, Wanted, record},
};
use types::UnixTime;

use crate::{
    home::{Home, renamed, with_rules},
    records::{WAITS, ring},
};

/// The hall is a floor.
const FLOOR: &[(&str, &str)] = &[("[device.hall]", "[device.floor]"), ("hall.", "floor.")];

fn recorded(home: &mut Home, since: UnixTime) -> Result<Recording, Unrecordable> {
    let wanted = Wanted {
        name: "recorded".to_owned(),
        since,
        until: Until::End,
        only: Vec::new(),
    };
    record(&home.history(), &wanted)
}

/// A rule waits at the moment that is handed back. Then things got other names, then a device came and spoke; it went on
/// at 20:08:45.
fn edited_while_a_rule_waited() -> (Home, UnixTime) {
    let mut home = crate::records::home(&with_rules(WAITS));
    ring(&mut home);
    home.pass(60);
    let since = home.now.wall;
    home.pass(5);
    ring(&mut home);
    home.pass(5);
    let mut files = renamed(FLOOR);
    files.get_mut("rules.toml").unwrap().push_str(WAITS);
    home.reload(&files);
    home.connect("floor");
    home.pass(10);
    let devices = files.get_mut("devices.toml").unwrap();
    devices.push_str(
        "\n[device.yard]\nid = 77\nboard = \"esp32-c3\"\nio.bell = { kind = \"button\", pin = 5 }\n",
    );
    home.reload(&files);
    home.connect("yard");
    home.says("yard", "bell/event", r#"{"event":"press"}"#);
    home.pass(400);
    home.says("floor", "lux/state", "12");
    home.pass(10);
    home.says("floor", "motion/event", r#"{"event":"start"}"#);
    (home, since)
}

#[test]
fn a_quiet_moment_behind_a_rename_and_an_edit_is_one_to_begin_at() {
    let (mut home, since) = edited_while_a_rule_waited();
    let refused = recorded(&mut home, since).unwrap_err();
    let Unrecordable::Waits {
        quiet: Some(quiet), ..
    } = &refused
    else {
        panic!("{refused}");
    };
    // The second behind the end of the wait.
    assert_eq!(quiet, "2026-03-28 20:08:46");
    let zone = home.history().zone().clone();
    let quiet = When::parse(quiet, home.now.wall, &zone).unwrap().from;
    let text = recorded(&mut home, quiet).unwrap().text;
    assert!(text.contains("floor.motion.start"), "{text}");
}
