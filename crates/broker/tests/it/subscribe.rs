//! Subscriptions, their options and retained messages.

use crate::harness::*;

#[test]
fn wildcards_get_what_they_match() {
    let mut house = House::default();
    let reader = house.join(&v3("reader"));
    house.subscribe(reader, "a/+/c", 0);
    house.subscribe(reader, "x/#", 0);
    let writer = house.join(&v3("writer"));
    for topic in ["a/b/c", "a/c", "x", "x/y/z", "a/b/c/d"] {
        house.publish(writer, &message(topic, "1"));
    }
    assert_eq!(
        brief(&house.read(reader)),
        ["a/b/c=1 q0", "x=1 q0", "x/y/z=1 q0"]
    );
}

#[test]
fn a_session_with_overlapping_filters_gets_one_copy_at_the_best_qos() {
    let mut house = House::default();
    let reader = house.join(&v3("reader"));
    house.subscribe(reader, "a/#", 0);
    house.subscribe(reader, "a/b", 2);
    house.subscribe(reader, "+/b", 1);
    let writer = house.join(&v3("writer"));
    house.publish(writer, &message("a/b", "1").qos(1, 1));
    assert_eq!(brief(&house.read(reader)), ["a/b=1 q1"]);
}

#[test]
fn wrong_filters_are_refused_and_the_others_granted() {
    let mut house = House::default();
    for (hello, code) in [(v3("a"), 0x80), (v5("b"), 0x8F)] {
        let peer = house.join(&hello);
        let mut body = vec![0, 9];
        if hello.version == broker::Version::V5 {
            body.push(0);
        }
        for filter in ["a+/b", "fine"] {
            body.extend(text(filter));
            body.push(1);
        }
        let got = house.ask(peer, &packet(0x82, &body));
        assert_eq!(got, [Got::Suback(9, vec![code, 1])]);
    }
}

#[test]
fn unsubscribing_ends_deliveries_and_says_what_existed() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    house.subscribe(peer, "t", 0);
    let mut body = vec![0, 3, 0];
    body.extend(text("t"));
    body.extend(text("other"));
    assert_eq!(
        house.ask(peer, &packet(0xA2, &body)),
        [Got::Unsuback(3, vec![0, 0x11])]
    );
    house
        .core
        .publish(house.now, &own("t", "x"), &mut house.app);
    assert_eq!(house.read(peer), []);
    assert_eq!(house.core.stats().subscriptions, 0);
}

#[test]
fn retained_messages_come_with_the_subscription_and_an_empty_one_deletes() {
    let mut house = House::default();
    let writer = house.join(&v3("writer"));
    for (topic, payload) in [("s/b", "2"), ("s/a", "1"), ("s", "0"), ("st", "no")] {
        house.publish(writer, &message(topic, payload).qos(1, 1).retained());
    }
    house.publish(writer, &message("s/a", "").retained());
    let reader = house.join(&v3("reader"));
    let got = house.subscribe(reader, "s/#", 1);
    assert_eq!(brief(&got)[1..], ["s=0 q1 retained", "s/b=2 q1 retained"]);
    // A live one is not marked, whatever the publisher asked.
    house.publish(writer, &message("s/a", "3").retained());
    assert_eq!(brief(&house.read(reader)), ["s/a=3 q0"]);
    assert_eq!(house.core.stats().retained, 4);
}

#[test]
fn wildcards_at_the_start_do_not_mean_the_brokers_own_topics() {
    let mut house = House::default();
    let reader = house.join(&v3("reader"));
    house.subscribe(reader, "#", 0);
    house.core.publish(
        house.now,
        &own("$SYS/uptime", "1").retained(),
        &mut house.app,
    );
    assert_eq!(house.read(reader), []);
    assert_eq!(
        brief(&house.subscribe(reader, "$SYS/#", 0))[1..],
        ["$SYS/uptime=1 q0 retained"]
    );
}

#[test]
fn retain_handling_decides_whether_retained_messages_come() {
    let mut house = House::default();
    house
        .core
        .publish(house.now, &own("t", "1").retained(), &mut house.app);
    let peer = house.join(&v5("a"));
    for (handling, expected) in [(2_u8, 1), (1, 1), (0, 2)] {
        let got = house.subscribe_with(peer, "t", handling << 4, &[]);
        assert_eq!(got.len(), expected, "handling {handling}");
    }
    let fresh = house.join(&v5("b"));
    assert_eq!(house.subscribe_with(fresh, "t", 1 << 4, &[]).len(), 2);
}

#[test]
fn no_local_and_retain_as_published_are_kept() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    house.subscribe_with(peer, "mine", 4, &[]);
    house.subscribe_with(peer, "all", 8, &[]);
    assert_eq!(house.publish(peer, &message("mine", "x")), []);
    let got = house.publish(peer, &message("all", "x").retained());
    assert_eq!(brief(&got), ["all=x q0 retained"]);
    let other = house.join(&v5("b"));
    house.publish(other, &message("mine", "y"));
    assert_eq!(brief(&house.read(peer)), ["mine=y q0"]);
}
