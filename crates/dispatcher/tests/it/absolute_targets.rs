//! Absolute targets: a consumer gets what should be, never what should change, and nothing of anybody else.

use engine::Disposition;

use crate::house::{Rig, dispositions, sent};

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
fn toggles_and_steps_leave_as_what_they_come_to() {
    let mut rig = Rig::awake();
    for (asked, target) in [
        ("toggle", r#"{"on":true}"#),
        ("toggle", r#"{"on":false}"#),
        ("toggle", r#"{"on":true}"#),
        ("brighter", r#"{"on":true,"brightness":11}"#),
        (
            r#"{"command":"brighter","step":40}"#,
            r#"{"on":true,"brightness":51}"#,
        ),
        ("dimmer", r#"{"on":true,"brightness":41}"#),
        ("off", r#"{"on":false,"brightness":41}"#),
        ("dimmer", r#"{"on":false,"brightness":31}"#),
        ("on", r#"{"on":true,"brightness":31}"#),
    ] {
        let effects = rig.asks("iot/hall/lamp/set", asked);
        let expected = format!("iot/hall/lamp/target {target}");
        assert_eq!(sent(&effects), [expected], "{asked}");
        assert!(effects.sends[0].retain);
    }
}

#[test]
fn a_message_holds_every_field_that_anybody_ever_wished() {
    let mut rig = Rig::awake();
    rig.asks("iot/hall/lamp/set", r#"{"brightness":30}"#);
    let effects = rig.press(30);
    assert_eq!(
        sent(&effects),
        [r#"iot/hall/lamp/target {"on":false,"brightness":30}"#]
    );
}
