//! kill -9 and what clients were promised: sessions, what waits for them, retained messages, QoS 2.

use std::collections::BTreeSet;

use crate::harness::{
    Dispatcher, House,
    raw::{PUBACK, PUBCOMP, PUBREC, PUBREL, Packet, Raw, Sent, sent},
    run,
};

/// A topic of no device.
const NOTE: &str = "notes/kitchen";

/// Lets in whoever comes from this machine.
fn start(house: &House) -> Dispatcher<'_> {
    Dispatcher::start_with(house, &[], &[("MQTT__ANONYMOUS", "loopback")])
}

fn kill_and_start<'h>(dispatcher: Dispatcher<'h>, house: &'h House) -> Dispatcher<'h> {
    dispatcher.kill_9();
    start(house)
}

fn join(dispatcher: &Dispatcher<'_>, id: &str) -> Raw {
    let (client, present) = Raw::connect(dispatcher.port(), id, None);
    assert!(!present, "{id} is new");
    client
}

fn back(dispatcher: &Dispatcher<'_>, id: &str) -> Raw {
    let (client, present) = Raw::connect(dispatcher.port(), id, None);
    assert!(present, "{id} has its session");
    client
}

fn payloads(client: &mut Raw, count: usize) -> Vec<String> {
    let take = |_| {
        let sent = client.message();
        client.ack(PUBACK, sent.id);
        sent.payload
    };
    (0..count).map(take).collect()
}

#[test]
fn what_waits_for_a_client_that_is_away_is_there_after_kill_9() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe("notes/#", 1);
    reader.leave();
    let mut writer = join(&dispatcher, "writer");
    for id in 1..=3 {
        writer
            .publish(&sent(NOTE, &format!("{id}"), 1, id))
            .unwrap();
        writer.answer(PUBACK, id);
    }
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut reader = back(&dispatcher, "reader");
    assert_eq!(payloads(&mut reader, 3), ["1", "2", "3"]);
    assert_eq!(reader.rest(), [], "once");
    reader.leave();

    // Its answers are stored before the one to the next message. Each start keeps all of it in a snapshot.
    let mut writer = back(&dispatcher, "writer");
    writer.publish(&sent(NOTE, "4", 1, 4)).unwrap();
    writer.answer(PUBACK, 4);
    let dispatcher = kill_and_start(dispatcher, &house);
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut reader = back(&dispatcher, "reader");
    assert_eq!(payloads(&mut reader, 1), ["4"]);
    assert_eq!(reader.rest(), []);
}

#[test]
fn a_subscription_that_was_answered_is_there_after_kill_9_and_one_that_was_taken_back_is_not() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe("notes/+", 1);
    reader.subscribe("lists/+", 1);
    reader.unsubscribe("lists/+");
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut writer = join(&dispatcher, "writer");
    for (id, topic) in [(1, "lists/food"), (2, NOTE)] {
        writer.publish(&sent(topic, topic, 1, id)).unwrap();
        writer.answer(PUBACK, id);
    }
    let mut reader = back(&dispatcher, "reader");
    assert_eq!(payloads(&mut reader, 1), [NOTE]);
    assert_eq!(reader.rest(), []);
}

#[test]
fn retained_messages_of_clients_are_there_after_kill_9_and_cleared_ones_are_not() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let mut writer = join(&dispatcher, "writer");
    let kept = |topic: &str, payload: &str, id| Sent {
        retain: true,
        ..sent(topic, payload, 1, id)
    };
    for (id, topic, payload) in [
        (1, "notes/a", "old"),
        (2, "notes/b", "gone"),
        (3, "notes/a", "new"),
        (4, "notes/b", ""),
    ] {
        writer.publish(&kept(topic, payload, id)).unwrap();
        writer.answer(PUBACK, id);
    }
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe("notes/#", 1);
    let found = reader.message();
    assert_eq!((&*found.payload, found.retain), ("new", true));
    assert_eq!(reader.rest(), []);
}

#[test]
fn a_qos_2_message_is_taken_once_though_kill_9_comes_between_pubrec_and_pubrel() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe(NOTE, 1);
    let mut writer = join(&dispatcher, "writer");
    let once = sent(NOTE, "once", 2, 7);
    writer.publish(&once).unwrap();
    writer.answer(PUBREC, 7);
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut writer = back(&dispatcher, "writer");
    // Its PUBREC may have been lost for all it knows.
    writer.publish(&Sent { dup: true, ..once }).unwrap();
    writer.answer(PUBREC, 7);
    writer.ack(PUBREL, 7);
    writer.answer(PUBCOMP, 7);
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut writer = back(&dispatcher, "writer");
    // The packet id is free again.
    writer.publish(&sent(NOTE, "next", 2, 7)).unwrap();
    writer.answer(PUBREC, 7);
    let mut reader = back(&dispatcher, "reader");
    assert_eq!(payloads(&mut reader, 2), ["once", "next"]);
    assert_eq!(reader.rest(), []);
}

#[test]
fn a_qos_2_message_is_delivered_once_though_kill_9_comes_between_any_two_of_its_packets() {
    let house = House::with_rules("");
    let dispatcher = start(&house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe(NOTE, 2);
    let mut writer = join(&dispatcher, "writer");
    writer.publish(&sent(NOTE, "once", 2, 7)).unwrap();
    let first = reader.message();
    assert_eq!((first.qos, first.dup), (2, false));
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut reader = back(&dispatcher, "reader");
    let again = reader.message();
    assert_eq!(
        again,
        Sent {
            dup: true,
            ..first.clone()
        },
        "as the client knows it"
    );
    reader.ack(PUBREC, first.id);
    reader.answer(PUBREL, first.id);
    let dispatcher = kill_and_start(dispatcher, &house);
    let mut reader = back(&dispatcher, "reader");
    reader.answer(PUBREL, first.id);
    reader.ack(PUBCOMP, first.id);
    assert_eq!(reader.rest(), []);
    let mut writer = back(&dispatcher, "writer");
    writer.publish(&sent(NOTE, "next", 2, 8)).unwrap();
    assert_eq!(reader.message().payload, "next");
}

#[test]
fn the_sessions_of_a_user_who_is_gone_are_gone_after_a_start() {
    let house = House::with_rules("");
    let login = house.tool_login();
    let dispatcher = start(&house);
    let (mut reader, present) = Raw::connect(dispatcher.port(), "reader", Some(&login));
    assert!(!present);
    reader.subscribe("iot/#", 1);
    reader.leave();
    let dispatcher = kill_and_start(dispatcher, &house);
    let (reader, present) = Raw::connect(dispatcher.port(), "reader", Some(&login));
    assert!(present);
    reader.leave();
    dispatcher.kill_9();
    let state = house.state();
    let state = state.to_str().unwrap();
    run(["user", "remove", &login.user, "--state", state], "").ok();
    // Without that user it ends in order, so that the next start knows of it.
    assert_eq!(start(&house).interrupt(), Some(0));
    let added = run(["user", "add", &login.user, "--tool", "--state", state], "").ok();
    let password = added.stdout.trim().to_owned();
    let dispatcher = start(&house);
    let login = crate::harness::Login { password, ..login };
    let (_, present) = Raw::connect(dispatcher.port(), "reader", Some(&login));
    assert!(!present, "it is another user of that name");
}

#[test]
fn twenty_kills_under_load_lose_no_message_that_was_acknowledged() {
    let house = House::with_rules("");
    let mut dispatcher = start(&house);
    let mut reader = join(&dispatcher, "reader");
    reader.subscribe(NOTE, 1);
    reader.leave();
    drop(join(&dispatcher, "writer"));
    let (mut next, mut acked, mut got) = (0_u16, BTreeSet::new(), Vec::new());
    for round in 0..20 {
        let mut writer = back(&dispatcher, "writer");
        // Every other round the reader is there, and answers half of what comes.
        let mut reader = (round % 2 == 0).then(|| back(&dispatcher, "reader"));
        let enough = acked.len() + 20 + round;
        while acked.len() < enough {
            for _ in 0..5 {
                next += 1;
                writer
                    .publish(&sent(NOTE, &next.to_string(), 1, next))
                    .unwrap();
            }
            while let Packet::Ack(PUBACK, id) = writer.next().unwrap() {
                acked.insert(id);
                if id % 5 == 0 {
                    break;
                }
            }
        }
        // These are on their way when it ends.
        for _ in 0..5 {
            next += 1;
            writer
                .publish(&sent(NOTE, &next.to_string(), 1, next))
                .unwrap();
        }
        if let Some(reader) = &mut reader {
            for _ in 0..10 {
                let message = reader.message();
                got.push(message.payload.parse::<u16>().unwrap());
                if got.len().is_multiple_of(2) {
                    reader.ack(PUBACK, message.id);
                }
            }
        }
        dispatcher = kill_and_start(dispatcher, &house);
    }
    let mut reader = back(&dispatcher, "reader");
    let all = |got: &[u16]| acked.iter().all(|number| got.contains(number));
    while !all(&got) {
        let message = reader.message();
        got.push(message.payload.parse().unwrap());
        reader.ack(PUBACK, message.id);
    }
    let mut firsts = Vec::new();
    for number in got {
        if !firsts.contains(&number) {
            firsts.push(number);
        }
    }
    assert!(firsts.is_sorted(), "in their order: {firsts:?}");
}
