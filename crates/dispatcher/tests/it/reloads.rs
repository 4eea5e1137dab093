//! Another mapping takes over while the house runs.

use std::{sync::Arc, time::Duration};

use dispatcher::{Block, Config, Effects, Input, Note, Sides, Subject};

use crate::house::{HOUSE, RULES, Rig, program, sent};

fn reload(rig: &mut Rig, text: &str) -> Effects {
    let mut effects = Effects::default();
    rig.program = program(text);
    rig.dispatcher
        .replace(rig.now, Arc::clone(&rig.program), &mut effects);
    effects
}

#[test]
fn an_edited_rule_takes_effect_and_nothing_else_happens() {
    let mut rig = Rig::awake();
    rig.press(60);
    let text = format!("{HOUSE}{RULES}").replace("event.key == 60", "event.key == 59");
    let effects = reload(&mut rig, &text);
    assert!(
        sent(&effects).is_empty() && effects.access.is_empty(),
        "{:?}",
        sent(&effects)
    );
    rig.asks("iot/hall/lamp/set", "off");
    assert!(rig.press(60).sends.is_empty());
    assert_eq!(rig.press(59).sends.len(), 1);
    assert!(
        rig.dispatcher.online(rig.device("hall")),
        "who was there is there"
    );
}

#[test]
fn a_running_timer_keeps_its_deadline() {
    let mut rig = Rig::awake();
    rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    rig.pass(Duration::from_secs(200));
    let text = format!("{HOUSE}{RULES}").replace("event.key == 60", "event.key == 59");
    reload(&mut rig, &text);
    assert!(rig.pass(Duration::from_secs(99)).sends.is_empty());
    assert_eq!(
        sent(&rig.pass(Duration::from_secs(1))),
        ["old/lamp/set OFF"]
    );
}

#[test]
fn new_names_for_a_timer_and_then_its_rules_send_nothing_and_it_runs_on() {
    let mut rig = Rig::awake();
    rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    rig.pass(Duration::from_secs(200));
    let old = format!("{HOUSE}{RULES}");
    let timer = old.replace("\"old-off\"", "\"late\"");
    let rules = timer.replace("[rule.", "[rule.my-");
    for text in [timer, rules] {
        assert_ne!(text, old);
        let effects = reload(&mut rig, &text);
        assert_eq!((sent(&effects), effects.notes), (vec![], vec![]));
    }
    assert!(rig.pass(Duration::from_secs(99)).sends.is_empty());
    assert_eq!(
        sent(&rig.pass(Duration::from_secs(1))),
        ["old/lamp/set OFF"]
    );
}

/// A new name for the timer of the old lamp, and an edit of a rule that starts it or waits for it.
pub(crate) const TIMER_AND_MORE: [(&str, &str); 3] = [
    (
        "{ start = \"late\", for = \"5m\" }",
        "{ start = \"late\", for = \"6m\" }",
    ),
    (
        "\"old_lamp.lamp.on\", \"deaf_lamp.lamp.on\", ",
        "\"old_lamp.lamp.on\", ",
    ),
    (
        "do   = \"old_lamp.lamp.off\"",
        "do   = [\"old_lamp.lamp.off\", \"deaf_lamp.lamp.off\"]",
    ),
];

/// The house with that.
pub(crate) fn renamed_and_edited((was, is): (&str, &str)) -> String {
    let text = format!("{HOUSE}{RULES}").replace("\"old-off\"", "\"late\"");
    assert!(text.contains(was), "{was}");
    text.replace(was, is)
}

/// After 200 s of the timer: the lamp goes off when the edited rules say so, and not before.
pub(crate) fn goes_off_on_time(rig: &mut Rig, edit: (&str, &str)) {
    let left = if edit.1.contains("6m") { 160 } else { 100 };
    let off = "old/lamp/set OFF".to_owned();
    let early = sent(&rig.pass(Duration::from_secs(left - 1)));
    assert!(!early.contains(&off), "{edit:?}: {early:?}");
    let due = sent(&rig.pass(Duration::from_secs(1)));
    assert!(due.contains(&off), "{edit:?}: {due:?}");
}

#[test]
fn a_timer_runs_on_where_one_save_renames_it_and_edits_its_rules() {
    for edit in TIMER_AND_MORE {
        let mut rig = Rig::awake();
        rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
        rig.pass(Duration::from_secs(200));
        let effects = reload(&mut rig, &renamed_and_edited(edit));
        assert!(sent(&effects).is_empty(), "{edit:?}: {:?}", sent(&effects));
        goes_off_on_time(&mut rig, edit);
    }
}

#[test]
fn what_is_lost_with_its_name_is_told_with_the_line_that_keeps_it() {
    let edited = |new: &str| {
        let mut rig = Rig::awake();
        rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
        let text = format!("{HOUSE}{RULES}").replace("\"old-off\"", "\"late\"");
        // Both rules have other names, and the one says something else.
        let text = text
            .replace("[rule.old", "[rule.my")
            .replace("\"5m\"", "\"6m\"");
        let notes = reload(&mut rig, &(text + new)).notes;
        let mut told = notes.iter().map(|note| note.render(&rig.program));
        told.find(|line| line.starts_with("the timer old-off"))
            .expect("it is told")
    };
    let line = edited("");
    assert!(line.ends_with(
        "; where it is called late now, `\"timer.old-off\" = \"timer.late\"` below `[renamed]` in the same save keeps it"
    ), "{line}");
    let another =
        "[rule.more]\nwhen = { timer = \"more\" }\ndo = { start = \"more\", for = \"1m\" }\n";
    let line = edited(another);
    assert!(line.ends_with("is no longer used"), "{line}");
}

#[test]
fn only_a_device_whose_io_changed_gets_a_new_role() {
    let mut rig = Rig::awake();
    let text =
        format!("{HOUSE}{RULES}").replace("report_every = \"10s\"", "report_every = \"20s\"");
    let effects = reload(&mut rig, &text);
    let came = sent(&effects);
    assert_eq!(came.len(), 1, "{came:?}");
    assert!(came[0].starts_with("iot/hall/role {\"rev\":2,"), "{came:?}");
}

#[test]
fn a_device_that_an_edit_brings_under_a_block_loses_its_session() {
    let mut rig = Rig::awake();
    let block = Block {
        subject: Subject::Name("corridor".to_owned()),
        sides: Sides::BOTH,
    };
    let mut effects = Effects::default();
    rig.take(Input::Block(block), &mut effects);
    assert!(effects.kicks.is_empty(), "nobody has that name");
    let text = format!("{HOUSE}{RULES}")
        .replace("device.hall]", "device.corridor]")
        .replace("hall.lamp", "corridor.lamp");
    let effects = reload(&mut rig, &text);
    assert_eq!(effects.kicks, ["corridor".into()]);
    let sides = Sides::BOTH;
    let device = rig.device("corridor");
    assert!(effects.notes.contains(&Note::Blocks { device, sides }));
    assert!(reload(&mut rig, &text).kicks.is_empty(), "told once");
}

#[test]
fn a_renamed_devices_old_topics_are_cleared() {
    let mut rig = Rig::awake();
    rig.press(60);
    let text = format!("{HOUSE}{RULES}")
        .replace("device.hall]", "device.corridor]")
        .replace("hall.lamp", "corridor.lamp");
    let effects = reload(&mut rig, &text);
    let came = sent(&effects);
    for topic in [
        "availability",
        "role",
        "lamp/target",
        "lamp/state",
        "motion/state",
        "lux/state",
    ] {
        assert!(
            came.contains(&format!("iot/hall/{topic} ")),
            "{topic}: {came:?}"
        );
    }
    assert!(
        came.iter()
            .any(|line| line.starts_with("iot/corridor/role {"))
    );
    assert!(came.contains(&"iot/corridor/availability offline".to_owned()));
    assert_eq!(effects.access, ["hall".into(), "corridor".into()]);
    assert!(effects.sends.iter().all(|send| send.retain));
}

#[test]
fn a_foreign_device_that_is_renamed_and_keeps_its_topics_is_there_and_is_told() {
    let mut rig = Rig::awake();
    let renamed = format!("{HOUSE}{RULES}").replace("old_lamp", "attic_lamp");
    reload(&mut rig, &renamed);
    assert!(rig.dispatcher.online(rig.device("attic_lamp")));
    let effects = rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    let told = sent(&effects);
    assert!(told.contains(&"old/lamp/set ON".to_owned()), "{told:?}");

    let moved = renamed
        .replace("old/lamp/", "attic/lamp/")
        .replace("attic_lamp", "loft_lamp");
    reload(&mut rig, &moved);
    assert!(
        !rig.dispatcher.online(rig.device("loft_lamp")),
        "nobody spoke there yet"
    );
}

#[test]
fn a_renamed_device_keeps_its_target_its_reports_and_what_was_asked_for_a_time() {
    let mut rig = Rig::awake();
    rig.says("hall", "iot/hall/lux/state", "20");
    let hall = dispatcher::Publisher::Device(rig.device("hall"));
    let refused = rig.admit(&hall, "iot/hall/lux/state", "dark");
    assert!(refused.is_err(), "it is no number");
    rig.asks(
        "iot/hall/lamp/set",
        r#"{"on":true,"for":"30s","hold":"10m"}"#,
    );
    let text = format!("{HOUSE}{RULES}")
        .replace("device.hall]", "device.corridor]")
        .replace("hall.lamp", "corridor.lamp");
    let effects = reload(&mut rig, &text);
    let came = sent(&effects);
    let target = came
        .iter()
        .find(|line| line.starts_with("iot/corridor/lamp/target {"));
    assert!(
        target.is_some_and(|line| line.contains(r#""on":true"#)),
        "{came:?}"
    );
    let on = |rig: &Rig| rig.target("corridor.lamp", "on");
    assert_eq!(on(&rig), Some(true.into()));
    assert!(rig.reported("corridor.lux", "lux").is_some());
    let corridor = rig.device("corridor");
    let counters = rig.dispatcher.counters().iter();
    let counted: Vec<_> = counters.filter(|(of, ..)| *of == Some(corridor)).collect();
    assert_eq!(counted.len(), 1, "what was refused: {counted:?}");
    rig.press(30);
    assert_eq!(on(&rig), Some(true.into()), "it is held");
    rig.pass(Duration::from_secs(31));
    assert_eq!(on(&rig), Some(false.into()), "its time is over");

    // Another device with a new name is another device.
    let another = text
        .replace("device.corridor]", "device.attic]")
        .replace("corridor.lamp", "attic.lamp")
        .replace("id = 21", "id = 22");
    reload(&mut rig, &another);
    assert_eq!(rig.target("attic.lamp", "on"), None);
}

/// The house with two heaters besides, of these names.
fn heaters(a: &str, b: &str) -> String {
    format!(
        "{HOUSE}[device.{a}]\nid = 81\nio.heater = {{ kind = \"switch\" }}\n\
        [device.{b}]\nid = 82\nio.heater = {{ kind = \"switch\" }}\n{RULES}"
    )
}

#[test]
fn two_devices_that_change_names_with_each_other_keep_what_is_known_of_them() {
    let mut rig = Rig::awake();
    reload(&mut rig, &heaters("left", "right"));
    rig.asks("iot/left/heater/set", r#"{"on":true}"#);
    rig.asks("iot/right/heater/set", r#"{"on":false}"#);
    let effects = reload(&mut rig, &heaters("right", "left"));
    assert_eq!(rig.target("right.heater", "on"), Some(true.into()));
    assert_eq!(rig.target("left.heater", "on"), Some(false.into()));
    let came = sent(&effects);
    for target in [
        r#"iot/right/heater/target {"on":true}"#,
        r#"iot/left/heater/target {"on":false}"#,
    ] {
        assert!(came.iter().any(|line| line == target), "{target}: {came:?}");
    }

    // The name of one that is gone brings nothing along.
    let one = heaters("left", "none").replace("id = 81", "id = 83");
    reload(&mut rig, &one);
    assert_eq!(rig.target("none.heater", "on"), Some(false.into()));
    assert_eq!(rig.target("left.heater", "on"), None);
}

#[test]
fn a_channel_that_moved_in_the_file_keeps_what_is_known_of_it() {
    let mut rig = Rig::awake();
    let effects = rig.press(60);
    rig.acknowledge("hall", &effects);
    let moved = HOUSE.replace(
        "[device.piano]",
        "[device.porch]\nid = 5\nio.lamp = { kind = \"switch\" }\n\n[device.piano]",
    );
    let effects = reload(&mut rig, &format!("{moved}{RULES}"));
    let came = sent(&effects);
    assert!(
        came.iter().all(|line| line.starts_with("iot/porch/")),
        "{came:?}"
    );
    assert!(rig.press(60).sends.is_empty(), "already so");
}

/// The lines of `effects` about one thing.
fn about(effects: &Effects, topics: &str) -> Vec<String> {
    let mut came = sent(effects);
    came.retain(|line| line.starts_with(topics));
    came
}

#[test]
fn a_virtual_device_is_there_under_its_new_name_and_so_is_what_it_reports() {
    let house = |name: &str| {
        format!(
            "format = 1\n[device.{name}]\nid = 2\nvirtual = true\n\
            io.vacation = {{ kind = \"switch\" }}\nio.party = {{ kind = \"switch\" }}\n"
        )
    };
    let mut rig = Rig::of(program(&house("mode")), Config::default());
    rig.asks("iot/mode/vacation/set", "on");
    let effects = reload(&mut rig, &house("modes"));
    assert_eq!(
        about(&effects, "iot/modes/"),
        [
            "iot/modes/availability online",
            r#"iot/modes/vacation/state {"on":true}"#,
            r#"iot/modes/vacation/target {"on":true}"#,
        ]
    );
    assert!(effects.sends.iter().all(|send| send.retain));
    let mut announced = Effects::default();
    rig.dispatcher.announce(rig.now, &mut announced);
    assert_eq!(sent(&announced), about(&effects, "iot/modes/"));
}

#[test]
fn what_another_make_s_device_reported_stands_under_its_new_name() {
    let mut rig = Rig::awake();
    rig.says(
        "sensor",
        "z2m/sensor",
        r#"{"occupancy":true,"climate":{"temperature":21}}"#,
    );
    let text = format!("{HOUSE}{RULES}")
        .replace("device.sensor]", "device.probe]")
        .replace("state.sensor.", "state.probe.")
        .replace("\"sensor.", "\"probe.");
    let came = about(&reload(&mut rig, &text), "iot/probe/");
    assert_eq!(
        came,
        [
            "iot/probe/availability online",
            r#"iot/probe/motion/state {"active":true}"#,
            r#"iot/probe/temp/state {"temperature":21}"#,
        ]
    );
}

#[test]
fn under_a_name_lies_what_is_known_of_who_has_it_now() {
    let mut rig = Rig::awake();
    reload(&mut rig, &heaters("left", "right"));
    rig.connect("left");
    rig.says("left", "iot/left/heater/state", "on");
    let effects = reload(&mut rig, &heaters("right", "left"));
    let came = sent(&effects);
    for line in [
        "iot/left/availability offline",
        "iot/left/heater/state ",
        r#"iot/right/heater/state {"on":true}"#,
    ] {
        assert!(came.iter().any(|came| came == line), "{line}: {came:?}");
    }
    let right = about(&effects, "iot/right/availability");
    assert_eq!(right, [""; 0], "it was not there before");
}

#[test]
fn a_blocked_device_that_an_edit_brings_is_told_to_be_away() {
    let mut rig = Rig::awake();
    let block = Block {
        subject: Subject::Name("porch".to_owned()),
        sides: Sides::CONSUMER,
    };
    rig.take(Input::Block(block), &mut Effects::default());
    let porch = "[device.porch]\nid = 5\nio.lamp = { kind = \"switch\" }\n";
    let effects = reload(&mut rig, &format!("{HOUSE}{porch}{RULES}"));
    let availability = about(&effects, "iot/porch/availability");
    assert_eq!(availability, ["iot/porch/availability offline"]);
}

#[test]
fn a_block_by_number_that_follows_a_device_to_its_new_name_is_no_new_one() {
    let mut rig = Rig::awake();
    let block = |subject| {
        let sides = Sides::BOTH;
        Input::Block(Block { subject, sides })
    };
    let mut effects = Effects::default();
    rig.take(block(Subject::Id(types::DeviceId(21))), &mut effects);
    let named = |name: &str| {
        format!("{HOUSE}{RULES}")
            .replace("device.hall]", &format!("device.{name}]"))
            .replace("hall.lamp", &format!("{name}.lamp"))
    };
    let is_told = |effects: &Effects| {
        let mut notes = effects.notes.iter();
        notes.any(|note| matches!(note, Note::Blocks { .. }))
    };
    let effects = reload(&mut rig, &named("corridor"));
    assert!(!is_told(&effects), "{:?}", effects.notes);
    // Somebody may have logged in under a name that was nobody's.
    assert_eq!(effects.kicks, ["corridor".into()]);
    // A block by name stays where the name was.
    let mut effects = Effects::default();
    rig.take(
        Input::Unblock(Subject::Id(types::DeviceId(21))),
        &mut effects,
    );
    rig.take(block(Subject::Name("corridor".to_owned())), &mut effects);
    let effects = reload(&mut rig, &named("floor"));
    let (device, sides) = (rig.device("floor"), Sides::NONE);
    assert!(effects.notes.contains(&Note::Blocks { device, sides }));
    assert!(effects.kicks.is_empty());
}
