//! What is seen and changes nothing: acknowledgements and refusals as they lie beside the inputs.

use std::time::Duration;

use dispatcher::{DecodeError, Observed, Publisher};

use crate::house::{Rig, sent, usual};

fn record(observed: &Observed) -> Vec<u8> {
    let mut bytes = Vec::new();
    observed.encode(&usual(), &mut bytes);
    assert_eq!(
        Observed::decode(&usual(), &bytes).as_ref(),
        Ok(observed),
        "a record reads as it was written"
    );
    bytes
}

#[test]
fn the_newest_target_and_command_of_a_channel_are_observed_once() {
    let mut rig = Rig::awake();
    let (hall, living) = (rig.device("hall"), rig.device("living"));
    let token = |effects: &dispatcher::Effects| effects.sends[0].token.expect("a token");
    let (old, new) = (rig.press(60), rig.press(30));
    assert_eq!(
        rig.dispatcher.delivered(hall, token(&old)),
        None,
        "an older one"
    );
    let seen = rig.dispatcher.delivered(hall, token(&new));
    assert_eq!(seen, Some(Observed::Target(rig.channel("hall.lamp"))));
    assert_eq!(rig.dispatcher.delivered(hall, token(&new)), None, "once");

    let beep = rig.press(61);
    assert_eq!(
        rig.dispatcher.delivered(hall, token(&beep)),
        None,
        "not its own"
    );
    let seen = rig.dispatcher.delivered(living, token(&beep));
    let observed = Observed::Command(rig.channel("living.bell"));
    assert_eq!(seen.as_ref(), Some(&observed));
    assert!(record(&observed).len() < 24, "a record is small");
}

#[test]
fn a_replayed_acknowledgement_makes_the_same_command_already_so() {
    let mut rig = Rig::awake();
    rig.press(60);
    let observed = Observed::Target(rig.channel("hall.lamp"));
    let effects = &mut dispatcher::Effects::default();
    rig.dispatcher.observe(rig.now, &observed, effects);
    assert!(rig.press(60).sends.is_empty());
}

#[test]
fn a_replay_sends_again_what_was_sent_again() {
    let mut rig = Rig::awake();
    rig.press(60);
    rig.says("hall", "iot/hall/lamp/state", r#"{"on":false}"#);
    record(&Observed::SentAgain);
    let observed = |rig: &mut Rig, seconds: u64| {
        let mut effects = dispatcher::Effects::default();
        let later = rig.now.after(Duration::from_secs(seconds));
        rig.dispatcher
            .observe(later, &Observed::SentAgain, &mut effects);
        sent(&effects)
    };
    assert_eq!(observed(&mut rig, 0), [""; 0], "nothing is due yet");
    let again = [r#"iot/hall/lamp/target {"on":true}"#];
    assert_eq!(observed(&mut rig, 1), again);
    assert_eq!(observed(&mut rig, 1), [""; 0], "nothing more is due");
}

#[test]
fn a_replayed_session_gets_what_no_broker_kept() {
    let mut rig = Rig::awake();
    rig.says("sensor", "z2m/sensor", r#"{"action":"single"}"#);
    let observed = Observed::Connected(rig.device("old_lamp"));
    record(&observed);
    let mut effects = dispatcher::Effects::default();
    rig.dispatcher.observe(rig.now, &observed, &mut effects);
    assert_eq!(sent(&effects), ["old/lamp/set ON"]);
}

#[test]
fn a_refusal_is_kept_with_its_device_and_in_bounds() {
    let mut rig = Rig::awake();
    let from = Publisher::Device(rig.device("hall"));
    let refusal = rig.admit(&from, "iot/hall/motion/event", r#"{"event":"strat"}"#);
    let refusal = refusal.expect_err("no such event");
    assert_eq!(refusal.device.as_deref(), Some("hall"));
    let text: String = refusal.to_string() + &"ü".repeat(1_000);
    let observed = Observed::Refused {
        device: refusal.device,
        topic: Some(refusal.topic.into()),
        text: text.as_str().into(),
    };
    let mut bytes = Vec::new();
    observed.encode(&usual(), &mut bytes);
    let Ok(Observed::Refused {
        device,
        topic,
        text,
    }) = Observed::decode(&usual(), &bytes)
    else {
        panic!("a refusal");
    };
    assert_eq!(device.as_deref(), Some("hall"));
    assert_eq!(topic.as_deref(), Some("iot/hall/motion/event"));
    assert!(text.contains("strat") && text.len() <= 400, "{text}");
}

#[test]
fn a_refusal_that_was_kept_without_its_topic_is_read() {
    let bytes = minicbor::to_vec((2, Some("hall"), "no event 'strat'")).expect("CBOR");
    let refused = Observed::Refused {
        device: Some("hall".into()),
        topic: None,
        text: "no event 'strat'".into(),
    };
    assert_eq!(Observed::decode(&usual(), &bytes), Ok(refused));
}

#[test]
fn a_damaged_or_foreign_observation_is_an_error() {
    let rig = Rig::awake();
    let bytes = record(&Observed::Target(rig.channel("hall.lamp")));
    for cut in 0..bytes.len() {
        assert!(Observed::decode(&usual(), &bytes[..cut]).is_err(), "{cut}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(Observed::decode(&usual(), &longer).is_err());
    let mut unknown = bytes;
    unknown[1] = 9;
    assert!(Observed::decode(&usual(), &unknown).is_err());
    let empty = crate::house::program("format = 1\n");
    let error = Observed::decode(&empty, &record(&Observed::Target(rig.channel("hall.lamp"))));
    assert!(matches!(
        error,
        Err(DecodeError::Unknown { what: "device", .. })
    ));
}
