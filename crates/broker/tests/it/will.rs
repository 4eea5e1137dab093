//! Last wills.

use broker::LastWill;

use crate::harness::*;

#[test]
fn a_will_is_published_when_the_connection_is_lost_and_not_after_a_goodbye() {
    for version in [v3("a"), v5("a")] {
        let mut house = House::default();
        let reader = house.join(&v3("reader"));
        house.subscribe(reader, "#", 0);
        let hello = version.will("availability", "offline", 1, true);
        let peer = house.join(&hello);
        house.leave(peer);
        assert_eq!(house.read(reader), []);
        let peer = house.join(&hello);
        house.log();
        house.drop_peer(peer);
        assert_eq!(brief(&house.read(reader)), ["availability=offline q0"]);
        assert_eq!(
            house.log(),
            [
                "publish a availability=offline will of Lost",
                "disconnected anyone/a Lost siblings 1"
            ]
        );
        assert_eq!(house.core.stats().retained, 1);
    }
}

#[test]
fn a_goodbye_may_ask_for_the_will() {
    let mut house = House::default();
    let peer = house.join(&v5("a").will("w", "x", 0, false));
    house.log();
    assert_eq!(house.ask(peer, &[0xE0, 1, 4]), [Got::Closed]);
    assert_eq!(house.log()[0], "publish a w=x will of Lost");
}

#[test]
fn rubbish_and_silence_publish_the_will() {
    let mut house = House::default();
    let peer = house.join(&v5("a").will("w", "rubbish", 0, false));
    house.ask(peer, &[0xF0, 0]);
    let quiet = house.join(&v5("b").will("w", "silence", 0, false).keep_alive_s(1));
    house.wait_s(2);
    house.read(quiet);
    let log = house.log();
    let rubbish = "publish a w=rubbish will of Protocol(ProtocolError)";
    assert!(log.contains(&rubbish.into()), "{log:?}");
    let silence = "publish b w=silence will of KeepAlive";
    assert!(log.contains(&silence.into()), "{log:?}");
}

#[test]
fn a_delayed_will_waits_and_a_return_cancels_it() {
    let mut house = House::default();
    let hello = v5("a")
        .will("w", "x", 0, false)
        .will_delay_s(30)
        .keeps_session();
    let peer = house.join(&hello);
    house.drop_peer(peer);
    house.wait_s(29);
    let peer = house.join(&hello);
    house.wait_s(100);
    assert!(!house.log().iter().any(|line| line.starts_with("publish")));
    house.drop_peer(peer);
    house.log();
    house.wait_s(30);
    assert_eq!(house.log(), ["publish a w=x will of Lost", "a stayed away"]);
}

#[test]
fn a_delayed_will_comes_at_the_latest_with_the_end_of_its_session() {
    let mut house = House::default();
    let will = |hello: Hello| hello.will("w", "x", 0, false).will_delay_s(1_000);
    let peer = house.join(&will(v5("a").expires_after_s(10)));
    house.drop_peer(peer);
    house.log();
    house.wait_s(10);
    assert_eq!(house.log(), ["publish a w=x will of Lost", "a stayed away"]);
    let peer = house.join(&will(v5("a")));
    house.log();
    house.drop_peer(peer);
    assert_eq!(
        house.log()[0],
        "publish a w=x will of Lost",
        "no session, no delay"
    );
    let peer = house.join(&will(v5("a").expires_after_s(100)));
    house.drop_peer(peer);
    house.log();
    house.join(&v5("a"));
    assert_eq!(
        house.log(),
        [
            "publish a w=x will of TakenOver",
            "connected anyone/a siblings 0"
        ],
        "a clean start ends the session, and nobody stayed away"
    );
}

#[test]
fn the_application_hears_whether_a_will_is_published_now_later_or_never() {
    let mut house = House::default();
    let will = v5("a").will("w", "x", 0, false).keeps_session();
    for (hello, says_goodbye, expected) in [
        (v5("a"), false, LastWill::None),
        (will.clone(), true, LastWill::None),
        (will.clone(), false, LastWill::Published),
        (will.clone().will_delay_s(30), false, LastWill::Waiting),
        (will.will_delay_s(30), true, LastWill::None),
    ] {
        let peer = house.join(&hello);
        match says_goodbye {
            true => house.leave(peer),
            false => house.drop_peer(peer),
        }
        assert_eq!(house.app.wills.pop(), Some(expected), "{hello:?}");
    }
}

#[test]
fn who_may_not_publish_its_will_any_more_stays_away_all_the_same() {
    let mut house = House::default();
    let hello = v5("a").user("lamp").will("w", "x", 0, false);
    let peer = house.join(&hello.will_delay_s(30).keeps_session());
    house.drop_peer(peer);
    house.log();
    let rights = access("lamp", &["other"], &[]);
    let now = house.now;
    house
        .core
        .set_access("lamp", Some(rights), now, &mut house.app);
    house.wait_s(30);
    let log = house.log();
    assert_eq!(log.len(), 2, "{log:?}");
    assert!(log[0].starts_with("denied publish a w"), "{log:?}");
    assert_eq!(log[1], "a stayed away");
}

#[test]
fn a_takeover_publishes_the_will_of_the_old_connection_and_says_that_it_is_one() {
    let mut house = House::default();
    house.join(&v3("a").will("w", "x", 0, false));
    house.log();
    house.join(&v3("a"));
    assert_eq!(
        house.log(),
        [
            "publish a w=x will of TakenOver",
            "disconnected anyone/a TakenOver siblings 0",
            "connected anyone/a siblings 0"
        ]
    );
}

#[test]
fn a_takeover_cancels_a_will_with_a_delay_unless_it_ends_the_session() {
    let mut house = House::default();
    let hello = v5("a")
        .will("w", "x", 0, false)
        .will_delay_s(30)
        .keeps_session();
    house.join(&hello);
    house.log();
    house.join(&hello);
    house.wait_s(100);
    let taken_over = "disconnected anyone/a TakenOver siblings 0";
    let connected = "connected anyone/a siblings 0";
    assert_eq!(house.log(), [taken_over, connected]);
    house.join(&v5("a"));
    let will = "publish a w=x will of TakenOver";
    assert_eq!(house.log(), [taken_over, will, connected]);
}

#[test]
fn a_will_on_a_foreign_topic_is_refused_at_connect() {
    let mut house = House::default();
    house
        .app
        .users
        .insert("lamp".into(), access("lamp", &["lamp/#"], &[]));
    let (_, got) = house.hello(&v3("a").user("lamp").will("door/state", "open", 0, true));
    assert_eq!(
        got,
        [
            Got::Connack {
                present: false,
                code: 5
            },
            Got::Closed
        ]
    );
    let (_, got) = house.hello(&v5("a").user("lamp").will("door/state", "open", 0, true));
    assert_eq!(
        got,
        [
            Got::Connack {
                present: false,
                code: 0x87
            },
            Got::Closed
        ]
    );
    house.join(&v3("a").user("lamp").will("lamp/state", "off", 0, true));
}

#[test]
fn a_will_is_checked_by_the_rights_its_owner_has_when_it_is_published() {
    let mut house = House::default();
    let peer = house.join(&v3("a").user("lamp").will("lamp/state", "off", 0, true));
    house.log();
    house
        .core
        .set_access("lamp", None, house.now, &mut house.app);
    assert_eq!(
        house.log(),
        [
            "denied publish a lamp/state not authorized (0x87)",
            "disconnected lamp/a Kicked siblings 0"
        ]
    );
    assert_eq!(house.read(peer), [Got::Closed]);
}
