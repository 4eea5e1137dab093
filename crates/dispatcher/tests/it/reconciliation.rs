//! Reconciliation: a consumer that reports something else than its target is told again, ever more slowly, and people
//! hear of it; what comes later and unprompted is somebody's hand.

use dispatcher::{Effects, Note};
use engine::Who;

use crate::house::{Rig, seconds, sent};

const ON: &str = r#"iot/hall/lamp/target {"on":true}"#;

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
        Some(Who::Local)
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
fn five_seconds_after_a_send_tell_not_done_yet_from_a_hand() {
    for (ms, by_hand) in [(4_999, false), (5_000, true)] {
        let mut rig = Rig::awake();
        rig.press(60);
        rig.says("hall", "iot/hall/lamp/state", r#"{"on":true}"#);
        rig.pass(std::time::Duration::from_millis(ms));
        rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
        let target = rig.target("hall.lamp", "on");
        assert_eq!(target, Some((!by_hand).into()), "after {ms} ms");
    }
}

#[test]
fn a_target_is_sent_again_no_sooner_than_a_second_after_it_was_sent() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.pass(std::time::Duration::from_millis(300));
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    assert!(
        rig.pass(std::time::Duration::from_millis(699))
            .sends
            .is_empty()
    );
    let effects = rig.pass(std::time::Duration::from_millis(1));
    assert_eq!(sent(&effects), [ON]);
}

#[test]
fn a_new_wish_begins_a_new_round_of_tries() {
    let mut rig = Rig::awake();
    rig.press(60);
    let refuse = |rig: &mut Rig| {
        let at_once = rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
        tries(&at_once).or(tries(&rig.pass(seconds(4))))
    };
    assert_eq!(refuse(&mut rig), Some(1));
    assert_eq!(refuse(&mut rig), Some(2));
    rig.asks("iot/hall/lamp/set", r#"{"brightness":30}"#);
    assert_eq!(refuse(&mut rig), Some(1));
}

/// How often a target that was sent again now had been sent before.
fn tries(effects: &Effects) -> Option<u32> {
    effects.notes.iter().find_map(|note| match note {
        Note::Resent { tries, .. } => Some(*tries),
        _ => None,
    })
}
