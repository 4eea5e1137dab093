//! A `fade` belongs to its action: it travels once and is no part of the target that is recovered.

use dispatcher::Effects;
use engine::Disposition;

use crate::house::{HOUSE, Rig, dispositions, orders, program, seconds, sent};

/// A house in which motion dims the lamp slowly.
fn faded() -> Rig {
    let mut rig = Rig::awake();
    let text = format!(
        "{HOUSE}[rule.dusk]\nwhen = \"hall.motion.start\"\ndo = {{ set = \"hall.lamp\", brightness = 20, fade = \"8s\" }}\n"
    );
    rig.program = program(&text);
    let mut effects = Effects::default();
    rig.dispatcher
        .replace(rig.now, rig.program.clone(), &mut effects);
    rig
}

#[test]
fn a_fade_travels_once_and_is_not_what_a_reboot_finds() {
    let mut rig = faded();
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert_eq!(
        orders(&effects),
        [r#"iot/hall/lamp/target {"on":true,"brightness":20,"fade_ms":8000}"#]
    );
    rig.pass(seconds(6));
    let halfway = r#"{"on":true,"brightness":60}"#;
    assert!(
        rig.says("hall", "iot/hall/lamp/state", halfway)
            .sends
            .is_empty()
    );
    assert!(rig.pass(seconds(1)).sends.is_empty(), "it is on its way");
    assert_eq!(rig.target("hall.lamp", "brightness"), Some(20.0.into()));
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":20}"#,
    );
    assert_eq!(
        sent(&rig.pass(seconds(60))),
        [r#"iot/hall/lamp/target {"on":true,"brightness":20}"#]
    );
}

#[test]
fn a_fade_to_where_it_is_already_is_not_sent_again() {
    let mut rig = faded();
    let fades = r#"{"on":true,"brightness":20,"fade_ms":8000}"#;
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert_eq!(orders(&effects), [format!("iot/hall/lamp/target {fades}")]);
    rig.pass(seconds(9));
    let there = r#"{"on":true,"brightness":20}"#;
    rig.says("hall", "iot/hall/lamp/state", there);
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert!(orders(&effects).is_empty(), "{:?}", sent(&effects));
    assert_eq!(dispositions(&effects), [Disposition::AlreadySo]);
}

#[test]
fn a_module_that_comes_back_in_the_middle_of_a_fade_does_not_begin_it_again() {
    let mut rig = faded();
    rig.says("hall", "iot/hall/motion/event", "start");
    rig.pass(seconds(3));
    rig.disconnect("hall");
    let effects = rig.connect("hall");
    let target = r#"iot/hall/lamp/target {"on":true,"brightness":20}"#;
    assert!(
        sent(&effects).contains(&target.to_owned()),
        "{:?}",
        sent(&effects)
    );
}
