//! From a wish to a consumer that does it: what is sent, sent again, left alone or adopted.

use std::time::Duration;

use dispatcher::{Effects, Note};
use engine::{Disposition, Who};

use crate::house::{HOUSE, Rig, program, sent};

fn dispositions(effects: &Effects) -> Vec<Disposition> {
    let decisions = effects.engine.decisions.iter();
    decisions
        .flat_map(|d| d.sent.iter().map(|sent| sent.disposition))
        .collect()
}

const ON: &str = r#"iot/hall/lamp/target {"on":true}"#;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn an_unchanged_target_is_sent_again_until_it_is_acknowledged() {
    let mut rig = Rig::awake();
    let first = rig.press(60);
    assert_eq!(sent(&first), [ON]);
    let second = rig.press(60);
    assert_eq!(sent(&second), [ON], "nobody acknowledged it");
    rig.acknowledge("hall", &first);
    assert_eq!(
        rig.press(60).sends.len(),
        1,
        "an old acknowledgement says nothing"
    );
    let last = rig.press(60);
    rig.acknowledge("piano", &last);
    assert!(
        !rig.dispatcher.acknowledged(rig.channel("hall.lamp")),
        "nor does somebody else's"
    );
    rig.acknowledge("hall", &last);
    let so = rig.press(60);
    assert!(so.sends.is_empty());
    assert_eq!(dispositions(&so), [Disposition::AlreadySo]);
}

#[test]
fn a_report_confirms_as_well_as_an_acknowledgement() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":80}"#,
    );
    assert_eq!(dispositions(&rig.press(60)), [Disposition::AlreadySo]);
}

#[test]
fn a_differing_report_after_a_send_is_answered_with_the_target_ever_more_slowly() {
    let mut rig = Rig::awake();
    rig.press(60);
    let mut waited = Vec::new();
    for _ in 0..8 {
        let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
        assert!(effects.sends.is_empty(), "not at once");
        let before = rig.now;
        let at = rig.dispatcher.next_deadline(rig.now).unwrap();
        let effects = rig.pass(at.since(before.at));
        assert_eq!(sent(&effects), [ON]);
        waited.push(rig.now.at.since(before.at).as_secs());
        let alerts = effects.notifications.len();
        assert_eq!(
            alerts,
            usize::from(waited.len() == 5),
            "people are told once"
        );
    }
    assert_eq!(waited, [1, 2, 4, 8, 16, 32, 60, 60]);
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
    assert!(rig.pass(seconds(300)).sends.is_empty(), "confirmed");
}

#[test]
fn a_later_unprompted_report_is_somebodys_hand_and_is_adopted() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
    rig.pass(seconds(6));
    let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(rig.target("hall.lamp", "on"), Some(false.into()));
    let slot = rig.slot("hall.lamp", "on");
    assert_eq!(
        rig.dispatcher.engine().desired_origin(slot),
        Some(&Who::Local)
    );
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":false}"#],
        "what lies retained says the same, or a reconnect would undo it"
    );
    assert!(
        effects
            .notes
            .contains(&Note::Adopted(rig.channel("hall.lamp")))
    );
    assert_eq!(sent(&rig.press(60)), [ON], "the next wish counts again");
}

#[test]
fn an_enforced_channel_insists() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/heater/set", "off");
    rig.says("living", "iot/living/heater/state", "off");
    rig.pass(seconds(600));
    let effects = rig.says("living", "iot/living/heater/state", "on");
    assert_eq!(sent(&effects), [r#"iot/living/heater/target {"on":false}"#]);
    assert_eq!(rig.target("living.heater", "on"), Some(false.into()));
}

#[test]
fn the_first_report_of_a_consumer_is_nobodys_hand() {
    let mut rig = Rig::awake();
    let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    let lamp = rig.channel("hall.lamp");
    assert_eq!(effects.notes, [Note::FirstReport(lamp)]);
    assert_eq!(
        effects.notes[0].render(&rig.program),
        "hall.lamp: reports for the first time, and so it shall stay"
    );
    let again = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(again.notes, []);
}

#[test]
fn what_a_consumer_reports_before_anybody_wished_anything_is_where_toggles_start() {
    let mut rig = Rig::awake();
    rig.says(
        "hall",
        "iot/hall/lamp/state",
        r#"{"on":true,"brightness":30}"#,
    );
    let effects = rig.asks("iot/hall/lamp/set", "toggle");
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":false,"brightness":30}"#]
    );
}

#[test]
fn a_consumer_that_comes_back_with_another_state_gets_its_target_at_once() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
    rig.pass(seconds(60));
    rig.disconnect("hall");
    rig.pass(seconds(3_600));
    rig.connect("hall");
    rig.pass(seconds(1));
    let effects = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert_eq!(sent(&effects), [ON]);
    assert_eq!(rig.target("hall.lamp", "on"), Some(true.into()));
}

#[test]
fn an_absent_consumers_newest_target_waits_retained() {
    let mut rig = Rig::awake();
    rig.disconnect("hall");
    let effects = rig.press(60);
    assert_eq!(sent(&effects), [ON]);
    assert!(effects.sends[0].retain);
    assert_eq!(dispositions(&effects), [Disposition::Waiting]);
    assert!(rig.press(60).sends.is_empty(), "it lies there already");
}

#[test]
fn deliver_now_drops_what_an_absent_consumer_misses() {
    let mut rig = Rig::awake();
    let there = rig.press(62);
    assert_eq!(sent(&there), [r#"iot/living/radio/target {"on":true}"#]);
    assert!(!there.sends[0].retain);
    rig.asks("iot/living/radio/set", "off");
    rig.says("living", "iot/living/radio/state", "off");
    rig.disconnect("living");
    let away = rig.press(62);
    assert!(away.sends.is_empty());
    assert_eq!(dispositions(&away), [Disposition::Dropped]);
    rig.connect("living");
    let effects = rig.says("living", "iot/living/radio/state", "off");
    assert!(effects.sends.is_empty(), "nor is it made up for");
    assert_eq!(rig.target("living.radio", "on"), Some(false.into()));
}

#[test]
fn a_momentary_command_goes_once_with_an_expiry_or_never() {
    let mut rig = Rig::awake();
    let effects = rig.press(61);
    assert!(sent(&effects)[0].starts_with(r#"iot/living/bell/command {"command":"beep","ms":"#));
    let send = &effects.sends[0];
    assert_eq!((send.retain, send.expiry_s), (false, Some(10)));
    assert_eq!(rig.press(61).sends.len(), 1, "always sent");
    rig.disconnect("living");
    let effects = rig.press(61);
    assert!(effects.sends.is_empty());
    assert_eq!(dispositions(&effects), [Disposition::Dropped]);
}

#[test]
fn a_cover_on_its_way_is_neither_wrong_nor_moved_by_hand() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/blind/set", r#"{"position":100}"#);
    let report = |rig: &mut Rig, position: u32, moving: &str| {
        let payload = format!(r#"{{"position":{position},"moving":"{moving}"}}"#);
        rig.says("living", "iot/living/blind/state", &payload)
    };
    for position in [10, 40, 80] {
        assert!(report(&mut rig, position, "opening").sends.is_empty());
        rig.pass(seconds(8));
    }
    report(&mut rig, 100, "stopped");
    assert_eq!(rig.target("living.blind", "position"), Some(100.0.into()));
    rig.pass(seconds(60));
    report(&mut rig, 30, "stopped");
    assert_eq!(
        rig.target("living.blind", "position"),
        Some(30.0.into()),
        "by hand"
    );
}

#[test]
fn stop_leaves_a_cover_where_it_is() {
    let mut rig = Rig::awake();
    rig.asks("iot/living/blind/set", "open");
    rig.pass(seconds(2));
    rig.asks("iot/living/blind/set", "stop");
    let payload = r#"{"position":20,"moving":"stopped"}"#;
    rig.says("living", "iot/living/blind/state", payload);
    assert_eq!(rig.target("living.blind", "position"), Some(20.0.into()));
}

#[test]
fn a_foreign_consumer_gets_its_target_again_when_it_comes() {
    let mut rig = Rig::awake();
    rig.asks("iot/old_lamp/lamp/set", "on");
    rig.says("old_lamp", "old/lamp/lwt", "Offline");
    let waiting = rig.asks("iot/old_lamp/lamp/set", "off");
    assert_eq!(dispositions(&waiting), [Disposition::Waiting]);
    let effects = rig.says("old_lamp", "old/lamp/lwt", "Online");
    assert_eq!(sent(&effects), ["old/lamp/set OFF"]);
}

#[test]
fn the_state_of_a_consumer_that_never_reports_is_assumed() {
    let mut rig = Rig::awake();
    let effects = rig.asks("iot/deaf_lamp/lamp/set", "on");
    assert_eq!(sent(&effects), [r#"deaf/lamp/set {"power":"ON"}"#]);
    assert_eq!(rig.reported("deaf_lamp.lamp", "on"), Some(true.into()));
    assert_eq!(effects.notifications[0].text, "the deaf lamp is on");
}

#[test]
fn notifications_leave_with_their_text() {
    let mut rig = Rig::awake();
    let effects = rig.disconnect("piano");
    assert_eq!(effects.notifications[0].text, "piano went offline.");
}

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
fn a_fade_to_where_it_is_already_is_not_sent_again() {
    let mut rig = faded();
    let fades = r#"{"on":true,"brightness":20,"fade_ms":8000}"#;
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert_eq!(sent(&effects), [format!("iot/hall/lamp/target {fades}")]);
    rig.pass(seconds(9));
    let there = r#"{"on":true,"brightness":20}"#;
    rig.says("hall", "iot/hall/lamp/state", there);
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert!(effects.sends.is_empty(), "{:?}", sent(&effects));
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

#[test]
fn a_fade_travels_once_and_is_not_what_a_reboot_finds() {
    let mut rig = faded();
    let effects = rig.says("hall", "iot/hall/motion/event", "start");
    assert_eq!(
        sent(&effects),
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
