//! Topic aliases that the broker gives: a client that takes them is told a topic once.

use crate::harness::*;
use broker::Limits;
use types::InputNo;

/// Topic, alias and payload of each message.
fn told(got: &[Got]) -> Vec<(&str, Option<u16>, &str)> {
    fn one(got: &Got) -> (&str, Option<u16>, &str) {
        match got {
            Got::Publish(d) => (&d.topic, d.alias, &d.payload),
            other => panic!("{other:?}"),
        }
    }
    got.iter().map(one).collect()
}

#[test]
fn a_client_that_takes_aliases_is_told_each_topic_once() {
    let mut house = House::default();
    let reader = house.join(&v5("reader").topic_alias_max(2));
    house.subscribe(reader, "#", 2);
    let writer = house.join(&v3("writer"));
    for (qos, topic, payload) in [
        (0, "a", "1"),
        (1, "a", "2"),
        (2, "b", "3"),
        (0, "c", "4"),
        (0, "b", "5"),
        (0, "a", "6"),
    ] {
        house.publish(writer, &message(topic, payload).qos(qos, 7));
        house.ack(writer, 6, 7);
    }
    assert_eq!(
        told(&house.read(reader)),
        [
            ("a", Some(1), "1"),
            ("", Some(1), "2"),
            ("b", Some(2), "3"),
            ("c", None, "4"),
            ("", Some(2), "5"),
            ("", Some(1), "6"),
        ]
    );
}

#[test]
fn a_client_that_says_nothing_of_aliases_gets_none_and_no_client_more_than_the_limit() {
    let mut limits = Limits::default();
    limits.topic_alias_max = 1;
    let mut house = House::new(limits);
    let hellos = [v3("3"), v5("5"), v5("0").topic_alias_max(0)];
    let readers = hellos.map(|hello| house.join(&hello));
    let greedy = house.join(&v5("greedy").topic_alias_max(u16::MAX));
    for reader in readers.iter().chain([&greedy]) {
        house.subscribe(*reader, "#", 0);
    }
    for topic in ["a", "a", "b"] {
        house
            .core
            .publish(house.now, &own(topic, "x"), &mut house.app);
    }
    for reader in readers {
        let got = house.read(reader);
        assert_eq!(
            told(&got),
            [("a", None, "x"), ("a", None, "x"), ("b", None, "x")]
        );
    }
    assert_eq!(
        told(&house.read(greedy)),
        [("a", Some(1), "x"), ("", Some(1), "x"), ("b", None, "x")]
    );
}

#[test]
fn aliases_end_with_their_connection_and_what_waited_has_its_topic() {
    let mut house = House::default();
    let hello = v5("reader").keeps_session().topic_alias_max(5);
    let reader = house.join(&hello);
    house.subscribe(reader, "t", 1);
    let writer = house.join(&v3("writer"));
    for payload in ["1", "2"] {
        house.publish(writer, &message("t", payload).qos(1, 7));
    }
    assert_eq!(
        told(&house.read(reader)),
        [("t", Some(1), "1"), ("", Some(1), "2")]
    );
    house.drop_peer(reader);
    for payload in ["3", "4"] {
        house.publish(writer, &message("t", payload).qos(1, 7));
    }
    let (_, got) = house.hello(&hello);
    assert_eq!(
        told(&got[1..]),
        [
            ("t", None, "1"),
            ("t", None, "2"),
            ("t", Some(1), "3"),
            ("", Some(1), "4")
        ]
    );
}

#[test]
fn a_message_that_is_held_back_tells_no_alias() {
    let mut house = House::keeping(Limits::default());
    let reader = house.join(&v5("reader").keeps_session().topic_alias_max(5));
    house.subscribe(reader, "t", 2);
    house.store();
    house.read(reader);
    let writer = house.join(&v3("writer"));
    house.app.journal = true;
    house.publish(writer, &message("t", "held").qos(2, 7));
    assert_eq!(house.read(reader), [], "it waits until it is stored");
    house.publish(writer, &message("t", "at once"));
    assert_eq!(told(&house.read(reader)), [("t", Some(1), "at once")]);
    house.core.commit(house.now, &mut house.app);
    house.core.durable(InputNo(house.app.inputs), house.now);
    assert_eq!(told(&house.read(reader)), [("t", None, "held")]);
}

#[test]
fn what_fits_only_without_an_alias_comes_without() {
    let mut house = House::default();
    // First byte, length, topic, no properties: 7 bytes besides the payload.
    let small = v5("reader").topic_alias_max(5).packet_bytes_max(30);
    let reader = house.join(&small);
    house.subscribe(reader, "to", 0);
    let mut relay = |payload: usize| {
        let own = own("to", &"x".repeat(payload));
        house.core.publish(house.now, &own, &mut house.app);
        let got = house.read(reader);
        let aliases = told(&got).into_iter().map(|(topic, alias, payload)| {
            let topic = topic.to_owned();
            (topic, alias, payload.len())
        });
        aliases.collect::<Vec<_>>()
    };
    assert_eq!(relay(24), []);
    assert_eq!(relay(23), [("to".to_owned(), None, 23)]);
    assert_eq!(relay(20), [("to".to_owned(), Some(1), 20)]);
    assert_eq!(relay(22), [(String::new(), Some(1), 22)]);
    assert_eq!(relay(23), [("to".to_owned(), None, 23)]);
}
