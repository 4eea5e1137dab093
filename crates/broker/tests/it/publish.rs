//! Messages through the broker: QoS, acks, properties, aliases, expiry, the application's own.

use crate::harness::*;
use broker::{Reason, Token, Version};
use types::InputNo;

#[test]
fn each_qos_is_delivered_at_the_smaller_of_both() {
    let mut house = House::default();
    let reader = house.join(&v3("reader"));
    let writer = house.join(&v3("writer"));
    for sub in 0..3 {
        assert_eq!(
            house.subscribe(reader, "t", sub),
            [Got::Suback(9, vec![sub])]
        );
        for qos in 0..3 {
            let got = house.publish(writer, &message("t", "x").qos(qos, 7));
            match qos {
                0 => assert_eq!(got, []),
                1 => assert_eq!(got, [Got::Puback(7, 0)]),
                _ => {
                    assert_eq!(got, [Got::Pubrec(7, 0)]);
                    assert_eq!(house.ack(writer, 6, 7), [Got::Pubcomp(7)]);
                }
            }
            let got = house.read(reader);
            let [Got::Publish(delivered)] = &got[..] else {
                panic!("{got:?}");
            };
            assert_eq!(delivered.qos, qos.min(sub));
            match delivered.qos {
                0 => {}
                1 => assert_eq!(house.ack(reader, 4, delivered.packet_id), []),
                _ => {
                    let id = delivered.packet_id;
                    assert_eq!(house.ack(reader, 5, id), [Got::Pubrel(id)]);
                    assert_eq!(house.ack(reader, 7, id), []);
                }
            }
        }
    }
}

#[test]
fn a_repeated_qos_2_message_is_taken_once() {
    let mut house = House::default();
    let writer = house.join(&v5("writer").keeps_session());
    let mut send = message("t", "x").qos(2, 7);
    assert_eq!(house.publish(writer, &send), [Got::Pubrec(7, 0)]);
    house.drop_peer(writer);
    let writer = house.join(&v5("writer").keeps_session());
    send.dup = true;
    assert_eq!(house.publish(writer, &send), [Got::Pubrec(7, 0)]);
    assert_eq!(house.ack(writer, 6, 7), [Got::Pubcomp(7)]);
    assert_eq!(
        house
            .log()
            .iter()
            .filter(|line| line.starts_with("publish"))
            .count(),
        1
    );
    let got = house.ack(writer, 6, 7);
    assert_eq!(got, [Got::Pubcomp(7)], "an unknown id is answered too");
}

#[test]
fn acks_wait_for_the_store_and_leave_in_order() {
    let mut house = House::default();
    let writer = house.join(&v5("writer"));
    house.app.journal = true;
    assert_eq!(house.publish(writer, &message("t", "1").qos(1, 1)), []);
    assert_eq!(house.publish(writer, &message("t", "2").qos(2, 2)), []);
    house.app.journal = false;
    assert_eq!(house.publish(writer, &message("t", "3").qos(1, 3)), []);
    let other = house.join(&v5("other"));
    assert_eq!(
        house.publish(other, &message("t", "4").qos(1, 1)),
        [Got::Puback(1, 0)]
    );
    house.core.durable(InputNo(1), house.now);
    assert_eq!(house.read(writer), [Got::Puback(1, 0)]);
    house.core.durable(InputNo(2), house.now);
    assert_eq!(house.read(writer), [Got::Pubrec(2, 0), Got::Puback(3, 0)]);
}

#[test]
fn a_repeated_qos_2_message_still_waits_for_the_store() {
    let mut house = House::default();
    house.app.journal = true;
    let writer = house.join(&v3("writer"));
    house.publish(writer, &message("t", "1").qos(2, 2));
    assert_eq!(house.publish(writer, &message("t", "1").qos(2, 2)), []);
    house.core.durable(InputNo(1), house.now);
    assert_eq!(house.read(writer), [Got::Pubrec(2, 0), Got::Pubrec(2, 0)]);
}

#[test]
fn acks_for_a_connection_that_is_gone_go_nowhere() {
    let mut house = House::default();
    house.app.journal = true;
    let writer = house.join(&v3("writer"));
    house.publish(writer, &message("t", "1").qos(1, 1));
    house.drop_peer(writer);
    let next = house.join(&v3("next"));
    house.core.durable(InputNo(1), house.now);
    assert_eq!(house.read(next), []);
}

#[test]
fn what_the_application_refuses_is_not_routed() {
    let mut house = House::default();
    house.app.rejects = vec![("t".into(), Reason::PayloadFormatInvalid)];
    let reader = house.join(&v5("reader"));
    house.subscribe(reader, "#", 1);
    let modern = house.join(&v5("modern"));
    let old = house.join(&v3("old"));
    assert_eq!(
        house.publish(modern, &message("t", "x").qos(1, 1)),
        [Got::Puback(1, 0x99)]
    );
    assert_eq!(
        house.publish(modern, &message("t", "x").qos(2, 2)),
        [Got::Pubrec(2, 0x99)]
    );
    assert_eq!(
        house.publish(old, &message("t", "x").qos(1, 1)),
        [Got::Puback(1, 0)]
    );
    assert_eq!(house.read(reader), []);
}

#[test]
fn the_applications_answer_leaves_with_the_same_step() {
    let mut house = House::default();
    let lamp = house.join(&v5("lamp"));
    house.subscribe(lamp, "lamp/target", 1);
    house.app.answer = Some(
        own("lamp/target", "on")
            .qos(qos(1))
            .retained()
            .token(Token(42)),
    );
    let piano = house.join(&v3("piano"));
    house.publish(piano, &message("piano/event", "60"));
    let got = house.read(lamp);
    assert_eq!(brief(&got), ["lamp/target=on q1"]);
    house.log();
    house.ack(lamp, 4, 1);
    assert_eq!(house.log(), ["acknowledged lamp 42"]);
    // Who comes later gets the retained target, and acknowledges the same token.
    let late = house.join(&v5("late"));
    assert_eq!(
        brief(&house.subscribe(late, "lamp/+", 1))[1..],
        ["lamp/target=on q1 retained"]
    );
    house.log();
    house.ack(late, 4, 1);
    assert_eq!(house.log(), ["acknowledged late 42"]);
}

#[test]
fn a_negative_ack_is_no_acknowledgement() {
    let mut house = House::default();
    let lamp = house.join(&v5("lamp"));
    house.subscribe(lamp, "t", 1);
    house.core.publish(
        house.now,
        &own("t", "x").qos(qos(1)).token(Token(1)),
        &mut house.app,
    );
    house.log();
    house.ask(lamp, &[0x40, 3, 0, 1, 0x97]);
    assert!(house.log().is_empty());
}

#[test]
fn properties_pass_through_and_none_are_added() {
    let mut house = House::default();
    let reader = house.join(&v5("reader"));
    house.subscribe_with(reader, "t", 0, &[11, 200, 1]);
    house.subscribe_with(reader, "+", 0, &[11, 7]);
    let old = house.join(&v3("old"));
    house.subscribe(old, "t", 0);
    let writer = house.join(&v5("writer"));
    let mut properties = vec![8];
    properties.extend(text("answers"));
    properties.extend_from_slice(&[9, 0, 1, 5, 38]);
    properties.extend(text("k"));
    properties.extend(text("v"));
    house.publish(writer, &message("t", "x").properties(&properties));
    let got = house.read(reader);
    let [Got::Publish(delivered)] = &got[..] else {
        panic!("one delivery for both subscriptions: {got:?}");
    };
    assert_eq!(
        delivered.others,
        ["response answers", "correlation [5]", "k=v"]
    );
    assert_eq!(delivered.ids, [200, 7]);
    assert_eq!(brief(&house.read(old)), ["t=x q0"]);
}

#[test]
fn a_message_expires_and_tells_what_is_left() {
    let mut house = House::default();
    let writer = house.join(&v5("writer"));
    house.publish(
        writer,
        &message("t", "x").retained().properties(&[2, 0, 0, 0, 100]),
    );
    house.wait_s(40);
    let reader = house.join(&v5("reader"));
    let got = house.subscribe(reader, "t", 0);
    assert!(
        matches!(&got[1], Got::Publish(d) if d.expiry_s == Some(60)),
        "{got:?}"
    );
    house.wait_s(60);
    assert_eq!(house.subscribe(reader, "t", 0).len(), 1);
    house.wait_s(60);
    assert_eq!(house.core.stats().retained, 0, "swept");
}

#[test]
fn a_message_that_expired_in_the_queue_is_not_delivered() {
    let mut house = House::default();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "t", 1);
    house.drop_peer(reader);
    house.core.publish(
        house.now,
        &own("t", "ring").qos(qos(1)).expires_after_s(10),
        &mut house.app,
    );
    house
        .core
        .publish(house.now, &own("t", "news").qos(qos(1)), &mut house.app);
    house.wait_s(11);
    let (_, got) = house.hello(&v5("reader").keeps_session());
    assert_eq!(brief(&got)[1..], ["t=news q1"]);
}

#[test]
fn a_topic_alias_stands_for_its_topic() {
    let mut house = House::default();
    let writer = house.join(&v5("writer"));
    house.publish(writer, &message("long/topic", "1").properties(&[35, 0, 3]));
    house.publish(writer, &message("", "2").properties(&[35, 0, 3]));
    house.publish(writer, &message("other", "3").properties(&[35, 0, 3]));
    house.publish(writer, &message("", "4").properties(&[35, 0, 3]));
    assert_eq!(
        house.log()[1..],
        [
            "publish writer long/topic=1",
            "publish writer long/topic=2",
            "publish writer other=3",
            "publish writer other=4"
        ]
    );
    for (alias, code) in [(4, 0x82), (17, 0x94), (0, 0x94)] {
        let writer = house.join(&v5("writer"));
        let got = house.publish(writer, &message("", "x").properties(&[35, 0, alias]));
        assert_eq!(got, [Got::Disconnect(code), Got::Closed]);
    }
}

#[test]
fn messages_of_the_application_reach_subscribers_without_an_input() {
    let mut house = House::default();
    let reader = house.join(&v3("reader"));
    house.subscribe(reader, "a/+", 0);
    house
        .core
        .publish(house.now, &own("a/b", "x"), &mut house.app);
    assert_eq!(brief(&house.read(reader)), ["a/b=x q0"]);
}

#[test]
fn the_applications_deadline_is_kept() {
    let mut house = House::default();
    house.app.deadline = Some(house.now.after(std::time::Duration::from_secs(5)).at);
    house.wait_s(4);
    assert!(house.log().is_empty());
    house.wait_s(1);
    assert_eq!(house.log(), ["tick"]);
}

#[test]
fn a_wildcard_or_an_empty_topic_is_no_message_of_the_application() {
    for topic in ["", "a/#", "+", "a\0"] {
        assert!(broker::Message::new(topic.into(), "").is_err(), "{topic:?}");
    }
}

#[test]
fn a_packet_larger_than_the_client_takes_is_not_sent() {
    let mut house = House::default();
    let mut hello = v5("reader");
    hello.properties.extend_from_slice(&[39, 0, 0, 0, 30]);
    let reader = house.join(&hello);
    house.subscribe(reader, "t", 1);
    house.core.publish(
        house.now,
        &own("t", &"x".repeat(50)).qos(qos(1)),
        &mut house.app,
    );
    house
        .core
        .publish(house.now, &own("t", "small").qos(qos(1)), &mut house.app);
    assert_eq!(brief(&house.read(reader)), ["t=small q1"]);
    assert_eq!(house.core.stats().dropped, 1);
}

#[test]
fn the_application_may_kick_from_inside_a_call() {
    let mut house = House::default();
    let victim = house.join(&v5("v").user("victim"));
    house.app.kick = Some("victim".into());
    let writer = house.join(&v5("w"));
    house.publish(writer, &message("t", "x"));
    assert_eq!(house.read(victim), [Got::Disconnect(0x98), Got::Closed]);
    assert_eq!(
        house.log().last().unwrap(),
        "disconnected victim/v Kicked siblings 0"
    );
    assert_eq!(writer.version, Version::V5);
}

#[test]
fn what_cannot_be_kept_for_now_is_not_acknowledged_and_ends_no_connection() {
    let mut limits = broker::Limits::default();
    limits.receive_max = 3;
    let mut house = House::new(limits);
    house.app.journal = true;
    let hello = v3("w").keep_alive_s(60);
    let writer = house.join(&hello);
    for id in 1..=3 {
        let level = if id == 2 { 2 } else { 1 };
        assert_eq!(house.publish(writer, &message("t", "x").qos(level, id)), []);
    }
    house.log();
    assert!(
        house.core.is_paused(writer.key),
        "no more than it may have open"
    );
    house.wait_s(100_000);
    assert!(house.is_open(writer));
    assert!(
        house.log().is_empty(),
        "a client that stays repeats nothing"
    );
    house.core.durable(InputNo(3), house.now);
    let acks = [Got::Puback(1, 0), Got::Pubrec(2, 0), Got::Puback(3, 0)];
    assert_eq!(house.read(writer), acks);
    assert!(!house.core.is_paused(writer.key));
}

#[test]
fn the_application_decides_what_is_kept() {
    let mut house = House::default();
    house.app.keeps_nothing = true;
    let reader = house.join(&v3("r"));
    house.subscribe(reader, "t", 0);
    let writer = house.join(&v3("w"));
    house.publish(writer, &message("t", "x").retained());
    assert_eq!(brief(&house.read(reader)), ["t=x q0"]);
    assert_eq!(house.core.stats().retained, 0);
}
