//! What survives the end of the process: what is said of it, what waits until that is stored, and what a core begins with.

use broker::{BadFacts, Kept, Limits, Qos, Version};
use proptest::{collection::vec, prelude::*};
use types::InputNo;

use crate::harness::*;

/// A house whose store is behind until it is told.
fn keeping() -> House {
    let mut house = House::keeping(Limits::default());
    house.app.journal = true;
    house
}

fn crash(house: &mut House) {
    house.store();
    house.crash(Limits::default(), InputNo(house.app.inputs));
}

fn payloads(got: &[Got]) -> Vec<&str> {
    let messages = got.iter().filter_map(|got| match got {
        Got::Publish(delivered) => Some(&*delivered.payload),
        _ => None,
    });
    messages.collect()
}

#[test]
fn an_event_that_becomes_a_command_leaves_no_fact() {
    let mut house = keeping();
    let lamp = house.join(&v5("lamp").keeps_session());
    house.subscribe(lamp, "lamp/target", 1);
    let piano = house.join(&v3("piano"));
    let watcher = house.join(&v5("watcher"));
    house.subscribe(watcher, "#", 1);
    house.store();
    house.read(lamp);
    house.read(watcher);
    house.app.records.clear();
    for (qos, retained) in [(0, false), (1, false), (1, true)] {
        let answer = own("lamp/target", "on").qos(broker::Qos::AtLeastOnce);
        house.app.answer = Some(if retained { answer.retained() } else { answer });
        house.publish(piano, &message("piano/event", "press").qos(qos, 1));
        house.store();
        assert_eq!(payloads(&house.read(lamp)), ["on"]);
        for id in 1..4 {
            house.ack(lamp, 4, id);
            house.ack(watcher, 4, id);
        }
    }
    assert_eq!(house.app.records, []);
}

#[test]
fn what_answers_a_session_that_survives_waits_until_it_is_stored() {
    let mut house = keeping();
    let client = house.join(&v5("client").keeps_session());
    house.store();
    assert_eq!(house.subscribe(client, "t", 1), []);
    house.store();
    assert_eq!(house.read(client), [Got::Suback(9, vec![1])]);
    let unsubscribe = packet(0xA2, &[0, 8, 0, 0, 1, b't']);
    assert_eq!(house.ask(client, &unsubscribe), []);
    house.store();
    assert_eq!(house.read(client), [Got::Unsuback(8, vec![0])]);

    assert_eq!(house.publish(client, &message("t", "x").qos(2, 7)), []);
    house.store();
    assert_eq!(house.read(client), [Got::Pubrec(7, 0)]);
    assert_eq!(house.ack(client, 6, 7), [], "PUBREL");
    house.store();
    assert_eq!(house.read(client), [Got::Pubcomp(7)]);
}

#[test]
fn what_answers_a_session_that_ends_with_its_connection_waits_for_nothing() {
    let mut house = keeping();
    let client = house.join(&v5("client"));
    assert_eq!(house.subscribe(client, "t", 1), [Got::Suback(9, vec![1])]);
    assert_eq!(house.app.records, []);
}

#[test]
fn a_message_is_acknowledged_when_its_input_and_its_facts_are_stored() {
    let mut house = keeping();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "t", 1);
    house.drop_peer(reader);
    let writer = house.join(&v5("writer"));
    house.store();
    let before = house.app.inputs;
    for (id, qos) in [(1, 1), (2, 2)] {
        let send = message("t", "x").qos(qos, id);
        assert_eq!(house.publish(writer, &send), []);
        let facts = InputNo(house.app.inputs);
        house.core.durable(InputNo(facts.0 - 1), house.now);
        assert_eq!(house.read(writer), [], "the message may still be lost");
        house.core.durable(facts, house.now);
        let acked = match qos {
            1 => Got::Puback(id, 0),
            _ => Got::Pubrec(id, 0),
        };
        assert_eq!(house.read(writer), [acked]);
    }
    assert_eq!(house.app.inputs - before, 4, "an input and a record each");
}

#[test]
fn a_qos_2_delivery_and_its_pubrel_wait_until_they_are_stored() {
    let mut house = keeping();
    let reader = house.join(&v3("reader").keeps_session());
    house.subscribe(reader, "t", 2);
    let writer = house.join(&v3("writer"));
    house.store();
    house.read(reader);
    house.publish(writer, &message("t", "x").qos(2, 7));
    assert_eq!(house.read(reader), []);
    house.store();
    let got = house.read(reader);
    assert_eq!(payloads(&got), ["x"]);
    assert_eq!(house.ack(reader, 5, 1), [], "PUBREC");
    assert_eq!(house.ack(reader, 5, 1), [], "and again");
    house.store();
    assert_eq!(house.read(reader), [Got::Pubrel(1)]);
}

#[test]
fn a_delivery_that_waits_finds_its_client_on_another_connection() {
    let mut house = keeping();
    let hello = v3("reader").keeps_session();
    let reader = house.join(&hello);
    house.subscribe(reader, "t", 2);
    let writer = house.join(&v3("writer"));
    house.store();
    house.read(reader);
    house.publish(writer, &message("t", "x").qos(2, 7));
    house.drop_peer(reader);
    let reader = house.join(&hello);
    assert_eq!(house.read(reader), [], "not before it is stored");
    house.store();
    assert_eq!(payloads(&house.read(reader)), ["x"]);
    assert_eq!(house.read(reader), [], "once");
}

#[test]
fn a_core_begins_with_sessions_what_waits_and_what_is_retained() {
    let mut house = keeping();
    let hello = v5("reader").keeps_session();
    let reader = house.join(&hello);
    house.subscribe(reader, "t/#", 1);
    house.drop_peer(reader);
    let writer = house.join(&v5("writer"));
    house.publish(writer, &message("t/a", "1").qos(1, 1).retained());
    house.publish(writer, &message("t/b", "2").qos(1, 2));
    crash(&mut house);
    assert_eq!(house.core.stats().sessions, 1);
    let (reader, got) = house.hello(&hello);
    let connack = Got::Connack {
        present: true,
        code: 0,
    };
    assert_eq!(got.first(), Some(&connack));
    let mut all = got;
    all.extend(house.read(reader));
    assert_eq!(payloads(&all), ["1", "2"]);
    let other = house.join(&v5("other"));
    let got = house.subscribe(other, "t/+", 0);
    assert_eq!(payloads(&got), ["1"]);
}

#[test]
fn rights_and_limits_hold_for_what_a_core_begins_with() {
    let mut house = keeping();
    for user in ["anna", "ben", "carl"] {
        let reader = house.join(&v5("reader").user(user).keeps_session());
        house.subscribe(reader, "t/#", 1);
        house.drop_peer(reader);
        house.wait_s(1);
    }
    let writer = house.join(&v5("writer"));
    for (id, topic) in [(1, "t/a"), (2, "t/b"), (3, "t/c")] {
        house.publish(writer, &message(topic, topic).qos(1, id).retained());
    }
    house.app.banned.push("carl".into());
    let rights = access("ben", &[], &["t/b"]);
    house.app.users.insert("ben".into(), rights);
    crash(&mut house);
    assert_eq!(house.core.stats().sessions, 2, "carl is nobody any more");
    let (_, got) = house.hello(&v5("reader").user("ben").keeps_session());
    assert_eq!(payloads(&got), ["t/b"]);

    let mut limits = Limits::default();
    limits.sessions_max = 1;
    limits.retained_max = 2;
    house.store();
    house.crash(limits, InputNo(house.app.inputs));
    let stats = house.core.stats();
    assert_eq!((stats.sessions, stats.retained), (1, 2));
    let (_, got) = house.hello(&v5("reader").user("ben").keeps_session());
    let connack = Got::Connack {
        present: true,
        code: 0,
    };
    assert_eq!(got.first(), Some(&connack), "who was there last");
}

#[test]
fn a_session_ends_on_time_though_the_process_ended_meanwhile() {
    let mut house = keeping();
    let hello = v5("reader").expires_after_s(100);
    let reader = house.join(&hello);
    house.drop_peer(reader);
    house.wait_s(60);
    crash(&mut house);
    house.wait_s(39);
    assert_eq!(house.core.stats().sessions, 1);
    house.wait_s(1);
    assert_eq!(house.core.stats().sessions, 0);
    house.check_kept();
    assert_eq!(house.app.kept, Kept::default());
}

#[test]
fn what_expires_or_is_the_applications_own_is_not_kept() {
    let mut house = keeping();
    let writer = house.join(&v5("writer"));
    let expiring = message("t/a", "x").retained().properties(&[2, 0, 0, 0, 30]);
    house.publish(writer, &expiring);
    house.publish(writer, &message("t/b", "theirs").retained());
    house.check_kept();
    assert_eq!(house.app.kept.counts(), (2, 0));
    let House { core, app, now, .. } = &mut house;
    core.publish(*now, &own("t/b", "ours").retained(), app);
    house.check_kept();
    assert_eq!(house.app.kept.counts(), (1, 0));
    house.wait_s(120);
    house.check_kept();
    assert_eq!(house.app.kept, Kept::default());
    assert_eq!(house.core.stats().retained, 1);
}

#[test]
fn what_a_session_hears_of_what_is_retained_for_now_costs_none_of_what_it_hears_besides() {
    for qos in [1, 2] {
        let mut house = keeping();
        house.app.passing = vec!["iot/state".to_owned()];
        let writer = house.join(&v5("writer"));
        for (id, topic, payload) in [
            (1, "iot/state", "on"),
            (2, "notes/a", "milk"),
            (3, "notes/b", "eggs"),
        ] {
            house.publish(writer, &message(topic, payload).qos(qos, id).retained());
        }
        let hello = v5("reader").user("ben").keeps_session();
        let reader = house.join(&hello);
        house.subscribe(reader, "#", qos);
        house.check_kept();
        house.drop_peer(reader);
        crash(&mut house);
        house.check_kept();
        let (_, got) = house.hello(&hello);
        assert_eq!(payloads(&got), ["on", "milk", "eggs"], "at QoS {qos}");
    }
}

#[test]
fn a_client_that_ends_its_session_leaves_nothing() {
    let mut house = keeping();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "t", 1);
    house.drop_peer(reader);
    let reader = house.join(&v5("reader"));
    house.check_kept();
    assert_eq!(
        house.app.kept,
        Kept::default(),
        "a new one, for this connection"
    );
    house.leave(reader);
    house.check_kept();
}

#[test]
fn facts_of_another_format_are_refused_and_say_which() {
    let mut kept = Kept::default();
    let refused = kept.apply(&[9, 0x82, 0, 0]);
    assert_eq!(refused, Err(BadFacts::Format(9)));
    let text = BadFacts::Format(9).to_string();
    assert!(text.contains("format 9, this version reads 1"), "{text}");
    // A message that is not there.
    let refused = kept.apply(&[1, 0x82, 2, 0x81, 3]).unwrap_err();
    assert!(
        refused.to_string().contains("at byte 1: it names"),
        "{refused}"
    );
    assert_eq!(kept, Kept::default());
}

/// The facts of a small house.
fn some_facts() -> Vec<u8> {
    let mut house = keeping();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "t/#", 2);
    house.subscribe(reader, "$share/g/s", 1);
    let writer = house.join(&v5("writer").keeps_session());
    for qos in 1..=2 {
        let send = message("t/a", "x")
            .retained()
            .properties(&[38, 0, 1, b'k', 0, 1, b'v']);
        house.publish(writer, &send.qos(qos, u16::from(qos)));
        house.publish(writer, &message("s", "y").qos(1, 9));
    }
    house.store();
    house.core.kept().facts()
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut kept = Kept::default();
        let _ = kept.apply(&bytes);
        let _ = kept.apply(&[&[1], &*bytes].concat());
    }

    #[test]
    fn damaged_facts_leave_a_house_that_starts(at: prop::sample::Index, byte: u8, cut: bool) {
        let mut facts = some_facts();
        let at = at.index(facts.len());
        if cut {
            facts.truncate(at);
        } else {
            facts[at] = byte;
        }
        let mut kept = Kept::default();
        let _ = kept.apply(&facts);
        let mut again = Kept::default();
        prop_assert_eq!(again.apply(&kept.facts()), Ok(()));
        prop_assert_eq!(&again, &kept);
        let mut house = keeping();
        house.core.restore(kept, house.now, &house.app);
        let peer = house.open(Version::V5);
        house.feed(peer, &v5("reader").keeps_session().packet());
        house.store();
        house.read(peer);
    }
}

#[test]
fn messages_of_the_application_wait_for_nothing_at_qos_2() {
    let mut house = keeping();
    let reader = house.join(&v5("reader").keeps_session());
    house.subscribe(reader, "t", 2);
    house.store();
    house.read(reader);
    let House { core, app, now, .. } = &mut house;
    core.publish(*now, &own("t", "x").qos(Qos::ExactlyOnce), app);
    assert_eq!(payloads(&house.read(reader)), ["x"]);
}

#[test]
fn the_seeds_of_the_fuzzer_are_facts() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/facts");
    let mut counts = Vec::new();
    for file in ["qos2", "retained", "session"] {
        let facts = std::fs::read(format!("{folder}/{file}")).unwrap();
        let mut kept = Kept::default();
        assert_eq!(kept.apply(&facts), Ok(()), "{file}");
        counts.push(kept.counts());
    }
    assert_eq!(counts, [(0, 0), (0, 0), (0, 1)]);
}
