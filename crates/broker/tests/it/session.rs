//! Sessions that outlive connections: queues, windows, repetition, expiry.

use crate::harness::*;
use broker::Token;

fn publish_numbers(house: &mut House, topic: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let message = own(topic, &number.to_string()).qos(qos(1));
        house.core.publish(house.now, &message, &mut house.app);
    }
}

#[test]
fn what_came_while_a_client_was_away_is_delivered_in_order() {
    for hello in [v3("a").keeps_session(), v5("a").keeps_session()] {
        let mut house = House::default();
        let peer = house.join(&hello);
        house.subscribe(peer, "t", 1);
        house.drop_peer(peer);
        publish_numbers(&mut house, "t", 0..3);
        house
            .core
            .publish(house.now, &own("t", "qos 0"), &mut house.app);
        let (_, got) = house.hello(&hello);
        assert_eq!(
            got[0],
            Got::Connack {
                present: true,
                code: 0
            }
        );
        assert_eq!(brief(&got)[1..], ["t=0 q1", "t=1 q1", "t=2 q1"]);
    }
}

#[test]
fn a_clean_session_leaves_nothing_behind() {
    let mut house = House::default();
    for hello in [v3("a"), v5("a")] {
        let peer = house.join(&hello);
        house.subscribe(peer, "t", 1);
        house.drop_peer(peer);
        assert_eq!(house.core.stats().sessions, 0);
        assert_eq!(house.core.stats().subscriptions, 0);
    }
    let keeps = v3("a").keeps_session();
    let peer = house.join(&keeps);
    house.subscribe(peer, "t", 1);
    house.drop_peer(peer);
    let (_, got) = house.hello(&v3("a"));
    assert_eq!(
        got,
        [Got::Connack {
            present: false,
            code: 0
        }]
    );
    assert_eq!(house.core.stats().subscriptions, 0);
}

#[test]
fn what_was_not_acknowledged_is_repeated_with_its_id() {
    let hello = v5("a").keeps_session();
    let mut house = House::default();
    let peer = house.join(&hello);
    house.subscribe(peer, "t", 2);
    publish_numbers(&mut house, "t", 0..2);
    let two = own("t", "two").qos(qos(2)).token(Token(2));
    house.core.publish(house.now, &two, &mut house.app);
    house.core.publish(house.now, &two, &mut house.app);
    assert_eq!(house.read(peer).len(), 4);
    house.ack(peer, 4, 1);
    house.ack(peer, 5, 3);
    house.drop_peer(peer);
    let (peer, got) = house.hello(&hello);
    assert_eq!(
        brief(&got)[1..],
        ["t=1 q1 dup", "Pubrel(3)", "t=two q2 dup"]
    );
    house.log();
    house.ack(peer, 7, 3);
    assert_eq!(house.log(), ["acknowledged a 2"]);
}

#[test]
fn a_pubrec_that_comes_twice_is_answered_twice_and_an_error_ends_it() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    house.subscribe(peer, "t", 2);
    let two = own("t", "x").qos(qos(2)).token(Token(1));
    house.core.publish(house.now, &two, &mut house.app);
    house.core.publish(house.now, &two, &mut house.app);
    house.read(peer);
    assert_eq!(house.ack(peer, 5, 1), [Got::Pubrel(1)]);
    assert_eq!(house.ack(peer, 5, 1), [Got::Pubrel(1)]);
    assert_eq!(house.ask(peer, &[0x50, 3, 0, 2, 0x97]), []);
    house.log();
    house.ack(peer, 7, 2);
    assert!(house.log().is_empty());
    house.ack(peer, 7, 1);
    assert_eq!(house.log(), ["acknowledged a 1"]);
}

#[test]
fn the_clients_receive_maximum_is_the_window() {
    let mut house = House::default();
    let peer = house.join(&v5("a").receive_max(2));
    house.subscribe(peer, "t", 1);
    publish_numbers(&mut house, "t", 0..5);
    assert_eq!(brief(&house.read(peer)), ["t=0 q1", "t=1 q1"]);
    assert_eq!(brief(&house.ack(peer, 4, 2)), ["t=2 q1"]);
    assert_eq!(brief(&house.ack(peer, 4, 1)), ["t=3 q1"]);
    house.ack(peer, 4, 77);
    assert_eq!(brief(&house.ack(peer, 4, 3)), ["t=4 q1"]);
}

#[test]
fn a_session_ends_when_its_time_is_over() {
    let mut house = House::default();
    let hello = v5("a").expires_after_s(60);
    let mut back = hello.clone();
    back.clean = false;
    let peer = house.join(&hello);
    house.drop_peer(peer);
    house.wait_s(59);
    let (peer, got) = house.hello(&back);
    assert_eq!(
        got,
        [Got::Connack {
            present: true,
            code: 0
        }]
    );
    house.wait_s(1_000);
    house.drop_peer(peer);
    house.wait_s(60);
    assert_eq!(house.core.stats().sessions, 0);
    let (_, got) = house.hello(&back);
    assert_eq!(
        got,
        [Got::Connack {
            present: false,
            code: 0
        }]
    );
}

#[test]
fn a_disconnect_may_change_the_expiry_but_not_from_zero() {
    let mut house = House::default();
    let peer = house.join(&v5("a").expires_after_s(60));
    house.ask(peer, &[0xE0, 7, 0, 5, 17, 0, 0, 0, 0]);
    assert_eq!(house.core.stats().sessions, 0);
    let peer = house.join(&v5("a"));
    let got = house.ask(peer, &[0xE0, 7, 0, 5, 17, 0, 0, 0, 9]);
    assert_eq!(got, [Got::Disconnect(0x82), Got::Closed]);
}

#[test]
fn newer_targets_replace_older_ones_while_the_client_is_away() {
    let mut house = House::default();
    let hello = v3("lamp").keeps_session();
    let peer = house.join(&hello);
    house.subscribe(peer, "+/target", 1);
    house.drop_peer(peer);
    for value in 0..1_000 {
        for lamp in ["a", "b"] {
            let target = own(&format!("{lamp}/target"), &value.to_string());
            house
                .core
                .publish(house.now, &target.qos(qos(1)).retained(), &mut house.app);
        }
    }
    let (_, got) = house.hello(&hello);
    assert_eq!(brief(&got)[1..], ["a/target=999 q1", "b/target=999 q1"]);
    let in_flight = "a/target999b/target999".len();
    assert_eq!(house.core.stats().queued_bytes, in_flight);
}

/// A client of this session that got what `sends` sends, acknowledged nothing, and was cut off.
fn cut_off(house: &mut House, hello: &Hello, sends: &[broker::Message]) {
    let peer = house.join(hello);
    house.subscribe(peer, "#", 1);
    for message in sends {
        house.core.publish(house.now, message, &mut house.app);
    }
    assert_eq!(house.read(peer).len(), sends.len());
    house.drop_peer(peer);
}

#[test]
fn a_command_in_flight_is_not_repeated_after_its_time() {
    for hello in [v3("door").keeps_session(), v5("door").keeps_session()] {
        let mut house = House::default();
        let pulse = own("door/target", "pulse").qos(qos(1)).expires_after_s(5);
        let note = own("note", "kept").qos(qos(1)).expires_after_s(60);
        cut_off(&mut house, &hello, &[pulse, note]);
        house.wait_s(4);
        let (peer, got) = house.hello(&hello);
        let both = ["door/target=pulse q1 dup", "note=kept q1 dup"];
        assert_eq!(brief(&got)[1..], both);
        house.drop_peer(peer);
        house.wait_s(1);
        let (peer, got) = house.hello(&hello);
        assert_eq!(brief(&got)[1..], ["note=kept q1 dup"]);
        assert_eq!(house.core.stats().expired, 1);
        // An answer that was on its way is nobody's fault, and its id is not given to the next message.
        assert_eq!(house.ack(peer, 4, 1), []);
        publish_numbers(&mut house, "t", 0..1);
        let got = house.read(peer);
        let [Got::Publish(next)] = got.as_slice() else {
            panic!("{got:?}");
        };
        assert_eq!(next.packet_id, 3);
    }
}

#[test]
fn a_target_in_flight_is_not_repeated_where_a_newer_one_follows() {
    let target = |value: &str| own("lamp/target", value).qos(qos(1)).retained();
    for hello in [v3("lamp").keeps_session(), v5("lamp").keeps_session()] {
        let mut house = House::default();
        cut_off(&mut house, &hello, &[target("1")]);
        house.core.publish(house.now, &target("2"), &mut house.app);
        let (peer, got) = house.hello(&hello);
        assert_eq!(brief(&got)[1..], ["lamp/target=2 q1"]);
        house.core.publish(house.now, &target("3"), &mut house.app);
        house.read(peer);
        house.drop_peer(peer);
        let (_, got) = house.hello(&hello);
        assert_eq!(brief(&got)[1..], ["lamp/target=3 q1 dup"]);
        assert_eq!(house.core.stats().queued_bytes, "lamp/target3".len());
    }
}

#[test]
fn what_is_meant_exactly_once_is_repeated_whatever_became_of_it() {
    let mut house = House::default();
    let hello = v5("a").keeps_session();
    let peer = house.join(&hello);
    house.subscribe(peer, "t", 2);
    let two = own("t", "x").qos(qos(2)).expires_after_s(5);
    house.core.publish(house.now, &two, &mut house.app);
    house.read(peer);
    house.drop_peer(peer);
    house.wait_s(10);
    let (_, got) = house.hello(&hello);
    assert_eq!(brief(&got)[1..], ["t=x q2 dup"]);
}
