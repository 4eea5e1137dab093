//! Rights on publish, subscribe and delivery, and changes at run time.

use crate::harness::*;
use broker::{Access, Version};

fn house() -> House {
    let mut house = House::default();
    let lamp = access(
        "lamp",
        &["lamp/+/event", "lamp/state"],
        &["lamp/+/target", "all/#"],
    );
    house.app.users.insert("lamp".into(), lamp);
    house
}

#[test]
fn a_foreign_topic_is_refused_with_a_reason_where_there_is_one() {
    let mut house = house();
    let reader = house.join(&v3("reader"));
    house.subscribe(reader, "#", 0);
    let modern = house.join(&v5("a").user("lamp"));
    let old = house.join(&v3("b").user("lamp"));
    house.log();
    assert_eq!(
        house.publish(modern, &message("door/state", "x").qos(1, 1)),
        [Got::Puback(1, 0x87)]
    );
    assert_eq!(
        house.publish(modern, &message("door/state", "x").qos(2, 2)),
        [Got::Pubrec(2, 0x87)]
    );
    assert_eq!(house.publish(modern, &message("door/state", "x")), []);
    assert_eq!(
        house.publish(old, &message("door/state", "x").qos(1, 1)),
        [Got::Puback(1, 0)]
    );
    assert_eq!(house.read(reader), []);
    assert_eq!(
        house.log().len(),
        4,
        "the application hears of denials and of nothing else"
    );
    house.publish(modern, &message("lamp/1/event", "press"));
    assert_eq!(brief(&house.read(reader)), ["lamp/1/event=press q0"]);
    assert_eq!(house.core.stats().denied_publishes, 4);
}

#[test]
fn nobody_publishes_on_the_brokers_own_topics() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    assert_eq!(
        house.publish(peer, &message("$SYS/x", "x").qos(1, 1)),
        [Got::Puback(1, 0x87)]
    );
}

#[test]
fn a_permitted_hash_never_delivers_what_the_rights_do_not_allow() {
    let mut house = house();
    house.core.publish(
        house.now,
        &own("door/state", "kept").retained(),
        &mut house.app,
    );
    house.core.publish(
        house.now,
        &own("all/kept", "kept").retained(),
        &mut house.app,
    );
    let lamp = house.join(&v5("a").user("lamp"));
    let got = house.subscribe(lamp, "#", 1);
    assert_eq!(brief(&got)[1..], ["all/kept=kept q0 retained"]);
    for topic in ["door/state", "lamp/1/target", "all", "lamp/1/event"] {
        house
            .core
            .publish(house.now, &own(topic, "x"), &mut house.app);
    }
    assert_eq!(brief(&house.read(lamp)), ["lamp/1/target=x q0", "all=x q0"]);
}

#[test]
fn a_subscription_that_could_deliver_nothing_is_refused() {
    let mut house = house();
    let modern = house.join(&v5("a").user("lamp"));
    assert_eq!(
        house.subscribe(modern, "door/#", 1),
        [Got::Suback(9, vec![0x87])]
    );
    let old = house.join(&v3("b").user("lamp"));
    assert_eq!(
        house.subscribe(old, "door/#", 1),
        [Got::Suback(9, vec![0x80])]
    );
    assert_eq!(
        house.subscribe(old, "+/1/target", 1),
        [Got::Suback(9, vec![1])]
    );
    assert_eq!(house.core.stats().denied_subscriptions, 2);
}

#[test]
fn changed_rights_count_at_once() {
    let mut house = house();
    let lamp = house.join(&v5("a").user("lamp"));
    house.subscribe(lamp, "lamp/1/target", 1);
    house.subscribe(lamp, "#", 1);
    let narrow = access("lamp", &[], &["all/#"]);
    house
        .core
        .set_access("lamp", Some(narrow), house.now, &mut house.app);
    house
        .core
        .publish(house.now, &own("lamp/1/target", "x"), &mut house.app);
    assert_eq!(house.read(lamp), []);
    assert_eq!(
        house.publish(lamp, &message("lamp/state", "x").qos(1, 1)),
        [Got::Puback(1, 0x87)]
    );
    house.core.set_access(
        "lamp",
        Some(Access::superuser("lamp")),
        house.now,
        &mut house.app,
    );
    house
        .core
        .publish(house.now, &own("lamp/1/target", "y"), &mut house.app);
    assert_eq!(brief(&house.read(lamp)), ["lamp/1/target=y q0"]);
}

#[test]
fn what_was_queued_is_checked_again_when_it_leaves() {
    let mut house = house();
    let hello = v3("a").user("lamp").keeps_session();
    let lamp = house.join(&hello);
    house.subscribe(lamp, "#", 1);
    house.drop_peer(lamp);
    for topic in ["lamp/1/target", "all/x"] {
        house
            .core
            .publish(house.now, &own(topic, "x").qos(qos(1)), &mut house.app);
    }
    house
        .app
        .users
        .insert("lamp".into(), access("lamp", &[], &["all/#"]));
    let (_, got) = house.hello(&hello);
    assert_eq!(brief(&got)[1..], ["all/x=x q1"]);
}

#[test]
fn taking_all_rights_ends_connections_and_sessions() {
    let mut house = house();
    let one = house.join(&v5("a").user("lamp").keeps_session());
    let two = house.join(&v3("b").user("lamp").keeps_session());
    house.drop_peer(two);
    let other = house.join(&v3("c").user("piano"));
    house
        .core
        .set_access("lamp", None, house.now, &mut house.app);
    assert_eq!(house.read(one), [Got::Disconnect(0x87), Got::Closed]);
    assert_eq!(house.core.stats().sessions, 1);
    assert_eq!(house.ask(other, &[0xC0, 0]), [Got::Pong]);
    house
        .core
        .set_access("nobody", None, house.now, &mut house.app);
}

#[test]
fn a_kicked_client_may_come_back_and_find_its_session() {
    let mut house = House::default();
    let hello = v5("a").user("lamp").keeps_session();
    let peer = house.join(&hello);
    let other = house.join(&v3("other"));
    house.app.kick = Some("lamp".into());
    house.publish(other, &message("t", "x"));
    assert_eq!(house.read(peer), [Got::Disconnect(0x98), Got::Closed]);
    let (_, got) = house.hello(&hello);
    assert_eq!(
        got,
        [Got::Connack {
            present: true,
            code: 0
        }]
    );
}

#[test]
fn what_was_on_its_way_when_the_right_went_does_not_come_with_the_right() {
    for stays_connected in [false, true] {
        let mut house = house();
        let hello = v3("a").user("lamp").keeps_session();
        let lamp = house.join(&hello);
        house.subscribe(lamp, "#", 1);
        let send = |house: &mut House, topic: &str, payload: &str| {
            let message = own(topic, payload).qos(qos(1));
            house.core.publish(house.now, &message, &mut house.app);
        };
        send(&mut house, "lamp/1/target", "in flight");
        send(&mut house, "all/x", "in flight");
        assert_eq!(house.read(lamp).len(), 2);
        if !stays_connected {
            house.drop_peer(lamp);
            send(&mut house, "lamp/1/target", "queued");
            send(&mut house, "all/x", "queued");
        }
        let wide = house.app.users["lamp"].clone();
        for rights in [access("lamp", &[], &["all/#"]), wide] {
            house
                .core
                .set_access("lamp", Some(rights), house.now, &mut house.app);
        }
        if stays_connected {
            house.drop_peer(lamp);
        }
        let (_, got) = house.hello(&hello);
        let mut expected = vec!["all/x=in flight q1 dup"];
        expected.extend((!stays_connected).then_some("all/x=queued q1"));
        assert_eq!(brief(&got)[1..], expected);
        let held = "all/xin flight".len()
            + if stays_connected {
                0
            } else {
                "all/xqueued".len()
            };
        assert_eq!(house.core.stats().queued_bytes, held);
    }
}

#[test]
fn a_kick_also_ends_logins_whose_password_is_being_checked() {
    for hello in [v3("a"), v5("a")] {
        let mut house = House::default();
        house.app.hashes.insert("ann".into(), "$argon2id$".into());
        house.app.hashes.insert("bob".into(), "$argon2id$".into());
        let (ann, got) = house.hello(&hello.clone().user("ann").password("x"));
        assert_eq!(got, []);
        let (bob, _) = house.hello(&hello.clone().user("bob").password("x"));
        // As a block does, in the middle of another client's message.
        house.app.kick = Some("ann".into());
        let other = house.join(&v3("other"));
        house.publish(other, &message("t", "x"));
        let code = if hello.version == Version::V5 {
            0x89
        } else {
            3
        };
        let busy = Got::Connack {
            present: false,
            code,
        };
        assert_eq!(house.read(ann), [busy, Got::Closed]);
        while let Some(job) = house.core.poll_verify() {
            house
                .core
                .verified(job.conn, true, house.now, &mut house.app);
        }
        let got = house.read(bob);
        assert!(matches!(got[..], [Got::Connack { code: 0, .. }]), "{got:?}");
        assert!(
            !house
                .log()
                .iter()
                .any(|line| line.starts_with("connected ann"))
        );
    }
}

#[test]
fn nothing_of_a_passing_clients_session_outlives_its_connection_whatever_it_asks_for() {
    let mut house = house();
    let passing = Access {
        passing: true,
        ..access("lamp", &[], &["all/#"])
    };
    house.app.users.insert("lamp".into(), passing);
    let old = house.join(&v3("a").user("lamp").keeps_session());
    house.subscribe(old, "all/#", 1);
    house.drop_peer(old);
    assert_eq!(house.core.stats().sessions, 0);
    let hello = v5("b").user("lamp").expires_after_s(600);
    let modern = house.join(&hello);
    house.subscribe(modern, "all/#", 1);
    // A DISCONNECT that asks for ten minutes.
    house.feed(modern, &[0xE0, 7, 0, 5, 17, 0, 0, 2, 88]);
    assert_eq!(house.core.stats().sessions, 0);
}
