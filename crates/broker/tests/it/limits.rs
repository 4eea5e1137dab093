//! Every bound, and what happens at it.

use crate::harness::*;
use broker::{Limits, Refused, Version};
use std::time::Duration;

fn limited(change: impl FnOnce(&mut Limits)) -> House {
    let mut limits = Limits::default();
    change(&mut limits);
    House::new(limits)
}

#[test]
fn connections_are_limited_in_number_and_pace() {
    let mut house = limited(|l| l.connections_max = 2);
    let one = house.join(&v3("one"));
    house.join(&v3("two"));
    let accept = |house: &mut House| house.core.accept(house.now, ([127, 0, 0, 1], 1).into());
    assert_eq!(accept(&mut house), Err(Refused::TooMany));
    house.drop_peer(one);
    assert!(accept(&mut house).is_ok());
    let mut house = limited(|l| l.connections_per_second_per_peer_max = 1);
    assert!(accept(&mut house).is_ok());
    assert_eq!(accept(&mut house), Err(Refused::TooFast));
    house.wait_s(1);
    assert!(accept(&mut house).is_ok());
    assert_eq!(house.core.stats().refused_at_accept, 1);
}

#[test]
fn a_packet_over_the_limit_ends_the_connection_at_its_header() {
    let mut house = limited(|l| l.packet_bytes_max = 100);
    let peer = house.join(&v5("a"));
    assert_eq!(
        house.ask(peer, &[0x30, 0x7F]),
        [Got::Disconnect(0x95), Got::Closed]
    );
    let mut house = limited(|l| l.connect_bytes_max = 100);
    let peer = house.open(Version::V5);
    assert_eq!(house.ask(peer, &[0x10, 0x7F]), [Got::Closed]);
}

#[test]
fn a_client_that_waits_for_its_verdict_may_not_fill_memory() {
    let mut house = limited(|l| l.connect_bytes_max = 100);
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let (peer, _) = house.hello(&v5("a").user("ann").password("x"));
    assert_eq!(house.ask(peer, &[0; 100]), []);
    assert_eq!(house.ask(peer, &[0]), [Got::Closed]);
}

#[test]
fn logins_beyond_the_workers_queue_are_told_to_come_later() {
    let mut house = limited(|l| l.verify_queue_max = 1);
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let (one, _) = house.hello(&v3("a").user("ann").password("x"));
    let (_, got) = house.hello(&v3("b").user("ann").password("x"));
    assert_eq!(
        got,
        [
            Got::Connack {
                present: false,
                code: 3
            },
            Got::Closed
        ]
    );
    house.wait_s(10);
    assert_eq!(
        house.read(one),
        [
            Got::Connack {
                present: false,
                code: 3
            },
            Got::Closed
        ]
    );
}

#[test]
fn a_full_queue_of_a_client_that_is_away_loses_its_oldest() {
    let mut house = limited(|l| l.queue_messages_max = 3);
    let hello = v3("a").keeps_session();
    let peer = house.join(&hello);
    house.subscribe(peer, "t", 1);
    house.drop_peer(peer);
    for number in 0..5 {
        house.core.publish(
            house.now,
            &own("t", &number.to_string()).qos(qos(1)),
            &mut house.app,
        );
    }
    assert_eq!(house.core.stats().dropped, 2);
    let (_, got) = house.hello(&hello);
    assert_eq!(brief(&got)[1..], ["t=2 q1", "t=3 q1", "t=4 q1"]);
}

#[test]
fn queues_are_limited_in_bytes_alone_and_together() {
    let mut house = limited(|l| {
        l.queue_bytes_max = 1_000;
        l.queues_bytes_max = 1_500;
    });
    for id in ["a", "b"] {
        let peer = house.join(&v3(id).keeps_session());
        house.subscribe(peer, "t", 1);
        house.drop_peer(peer);
    }
    for _ in 0..100 {
        house.core.publish(
            house.now,
            &own("t", &"x".repeat(99)).qos(qos(1)),
            &mut house.app,
        );
        assert!(house.core.stats().queued_bytes <= 1_500);
    }
    let stats = house.core.stats();
    assert!(stats.queued_bytes >= 700 && stats.queues_relieved > 0);
    house.wait_s(8 * 24 * 3_600);
    assert_eq!(house.core.stats().queued_bytes, 0);
}

#[test]
fn a_user_with_many_sessions_takes_nothing_of_what_waits_for_others() {
    let mut house = limited(|l| l.queues_bytes_max = 100_000);
    let away = |house: &mut House, user: &str, id: &str| {
        let peer = house.join(&v3(id).user(user).keeps_session());
        house.subscribe(peer, user, 1);
        house.drop_peer(peer);
    };
    let send = |house: &mut House, topic: &str| {
        let House { core, app, now, .. } = house;
        let waits = own(topic, &"x".repeat(1_000)).qos(qos(1));
        core.publish(*now, &waits, app);
    };
    away(&mut house, "tool", "a");
    for _ in 0..20 {
        send(&mut house, "tool");
    }
    for number in 0..50 {
        away(&mut house, "hostile", &number.to_string());
    }
    for _ in 0..20 {
        send(&mut house, "hostile");
        assert!(house.core.stats().queued_bytes <= 100_000);
    }
    let (_, got) = house.hello(&v3("a").user("tool").keeps_session());
    assert_eq!(got.len(), 21, "what is acknowledged waits");
}

#[test]
fn a_full_queue_coalesces_retained_messages_before_it_loses_any() {
    let mut house = limited(|l| l.queue_messages_max = 10);
    let hello = v3("a").keeps_session();
    let peer = house.join(&hello);
    house.subscribe(peer, "#", 1);
    house.drop_peer(peer);
    let writer = house.join(&v3("w"));
    house.publish(writer, &message("event", "important").qos(1, 1));
    for number in 0..100 {
        let state = message("state", &number.to_string()).qos(1, 1).retained();
        house.publish(writer, &state);
    }
    assert_eq!(house.core.stats().dropped, 0);
    let (_, got) = house.hello(&hello);
    let got = brief(&got);
    assert_eq!(got[1], "event=important q1");
    assert_eq!(got.last().unwrap(), "state=99 q1");
}

#[test]
fn a_slow_reader_gets_newest_targets_and_loses_its_connection_for_the_rest() {
    let mut house = limited(|l| {
        l.output_bytes_max = 200;
        l.queue_messages_max = 5;
    });
    let slow = house.join(&v5("slow"));
    house.subscribe(slow, "#", 0);
    for number in 0..1_000 {
        house.core.publish(
            house.now,
            &own("lamp/target", &number.to_string()).retained(),
            &mut house.app,
        );
    }
    assert_eq!(house.core.stats().slow_readers, 0);
    let got = house.read(slow);
    assert_eq!(brief(&got).last().unwrap(), "lamp/target=999 q0");
    assert!(got.len() < 20, "{}", got.len());
    for number in 0..1_000 {
        house
            .core
            .publish(house.now, &own("news", &number.to_string()), &mut house.app);
    }
    assert_eq!(house.core.stats().slow_readers, 1);
    let got = house.read(slow);
    assert_eq!(got[got.len() - 2..], [Got::Disconnect(0x97), Got::Closed]);
    assert_eq!(
        house.log().last().unwrap(),
        "disconnected anyone/slow SlowReader siblings 0"
    );
}

#[test]
fn many_retained_messages_do_not_make_a_new_subscriber_a_slow_one() {
    let mut house = limited(|l| {
        l.output_bytes_max = 200;
        l.queue_messages_max = 5;
        l.queue_bytes_max = 100;
    });
    for number in 0..500 {
        house.core.publish(
            house.now,
            &own(&format!("t/{number:03}"), "x").retained(),
            &mut house.app,
        );
    }
    let reader = house.join(&v3("reader"));
    let got = house.subscribe(reader, "#", 0);
    assert_eq!(got.len(), 501);
    assert_eq!(brief(&got)[500], "t/499=x q0 retained");
}

#[test]
fn a_client_that_asks_for_retained_messages_without_reading_them_is_a_slow_one() {
    let mut house = limited(|l| {
        l.output_bytes_max = 200;
        l.retained_max = 100;
    });
    let writer = house.join(&v3("writer"));
    for number in 0..100 {
        house.publish(writer, &message(&format!("t/{number:03}"), "x").retained());
    }
    let reader = house.join(&v3("reader"));
    let mut body = vec![0, 9];
    body.extend(text("#"));
    body.push(0);
    for _ in 0..10 {
        house.feed(reader, &packet(0x82, &body));
    }
    assert_eq!(house.core.stats().slow_readers, 1);
}

#[test]
fn subscriptions_topics_and_levels_are_limited() {
    let mut house = limited(|l| {
        l.subscriptions_max = 1;
        l.topic_levels_max = 3;
        l.topic_bytes_max = 10;
    });
    let peer = house.join(&v5("a"));
    assert_eq!(house.subscribe(peer, "a", 0), [Got::Suback(9, vec![0])]);
    assert_eq!(house.subscribe(peer, "a", 1), [Got::Suback(9, vec![1])]);
    assert_eq!(house.subscribe(peer, "b", 0), [Got::Suback(9, vec![0x97])]);
    for topic in ["a/b/c/d", "abcdefghijk"] {
        assert_eq!(
            house.subscribe(peer, topic, 0),
            [Got::Suback(9, vec![0x8F])]
        );
        assert_eq!(
            house.publish(peer, &message(topic, "").qos(1, 1)),
            [Got::Puback(1, 0x90)]
        );
    }
}

#[test]
fn a_client_that_publishes_too_fast_is_disconnected() {
    let mut house = limited(|l| l.messages_per_second_max = Some(10));
    let peer = house.join(&v5("a"));
    for _ in 0..10 {
        assert_eq!(house.publish(peer, &message("t", "")), []);
    }
    house.wait(Duration::from_millis(100));
    assert_eq!(house.publish(peer, &message("t", "")), []);
    assert_eq!(
        house.publish(peer, &message("t", "")),
        [Got::Disconnect(0x96), Got::Closed]
    );
}

#[test]
fn a_client_that_the_application_holds_is_not_read_until_then_and_outlives_its_silence() {
    let mut house = limited(|_| {});
    let peer = house.join(&v5("a").keep_alive_s(10));
    let second = Duration::from_secs(1);
    house.app.hold = Some(house.now.at.after(40 * second));
    house.publish(peer, &message("t", ""));
    house.app.hold = None;
    for _ in 0..39 {
        house.wait(second);
        assert!(house.core.is_paused(peer.key));
    }
    assert_eq!(house.read(peer), []);
    house.wait(second);
    assert!(!house.core.is_paused(peer.key));
    assert_eq!(house.core.pop_dirty(), Some(peer.key), "its task is woken");
    assert_eq!(house.core.stats().holds, 1);
    assert_eq!(house.publish(peer, &message("t", "")), []);
}

#[test]
fn unacknowledged_messages_of_a_client_are_limited() {
    let mut house = limited(|l| l.receive_max = 2);
    house.app.journal = true;
    let modern = house.join(&v5("a"));
    let old = house.join(&v3("b"));
    for id in 1..=2 {
        house.publish(modern, &message("t", "").qos(1, id));
        house.publish(old, &message("t", "").qos(1, id));
    }
    assert!(house.core.is_paused(old.key) && !house.core.is_paused(modern.key));
    let got = house.publish(modern, &message("t", "").qos(1, 3));
    assert_eq!(got, [Got::Disconnect(0x93), Got::Closed]);
    house.core.durable(types::InputNo(4), house.now);
    assert!(!house.core.is_paused(old.key));
    assert_eq!(house.read(old).len(), 2);
}

#[test]
fn retained_messages_are_limited_for_clients_and_not_for_the_application() {
    let mut house = limited(|l| l.retained_max = 2);
    let peer = house.join(&v5("a"));
    for topic in ["a", "b", "c"] {
        house.publish(peer, &message(topic, "x").retained());
    }
    assert_eq!(house.core.stats().retained, 2);
    assert_eq!(house.core.stats().retained_refused, 1);
    house.publish(peer, &message("a", "new").retained());
    house
        .core
        .publish(house.now, &own("d", "x").retained(), &mut house.app);
    assert_eq!(house.core.stats().retained, 3);
}

#[test]
fn what_one_user_retains_takes_no_room_of_the_others() {
    let mut house = limited(|l| {
        l.retained_max = 10;
        l.retained_per_user_max = 4;
    });
    let ann = house.join(&v5("a").user("ann"));
    let again = house.join(&v3("b").user("ann"));
    let retain = |house: &mut House, peer, topic: &str, qos: u8| {
        house.publish(peer, &message(topic, "x").qos(qos, 1).retained())
    };
    for topic in ["1", "2", "3"] {
        assert_eq!(retain(&mut house, ann, topic, 1), [Got::Puback(1, 0)]);
    }
    retain(&mut house, again, "4", 1);
    house.log();
    // Who subscribes now has it; it is only not kept, and MQTT 3.1.1 has no word for that.
    let reader = house.join(&v3("r").user("reader"));
    house.subscribe(reader, "5", 0);
    assert_eq!(retain(&mut house, ann, "5", 1), [Got::Puback(1, 0x97)]);
    assert_eq!(retain(&mut house, ann, "5", 2), [Got::Pubrec(1, 0x97)]);
    assert_eq!(retain(&mut house, again, "5", 1), [Got::Puback(1, 0)]);
    assert_eq!(brief(&house.read(reader)), ["5=x q0"; 3]);
    let told = house.log();
    let told = told.iter().filter(|line| line.starts_with("denied retain"));
    assert_eq!(told.count(), 3);
    assert_eq!(house.core.stats().retained_refused, 3);
    // What replaces its own, or says that nothing is retained, needs no room.
    assert_eq!(retain(&mut house, ann, "1", 1), [Got::Puback(1, 0)]);
    house.publish(ann, &message("2", "").retained());
    assert_eq!(retain(&mut house, ann, "5", 1), [Got::Puback(1, 0)]);
    // A topic counts for who wrote it last.
    let bob = house.join(&v5("c").user("bob"));
    assert_eq!(retain(&mut house, bob, "1", 1), [Got::Puback(1, 0)]);
    assert_eq!(retain(&mut house, ann, "6", 1), [Got::Puback(1, 0)]);
    assert_eq!(house.core.stats().retained, 5);
}

#[test]
fn who_speaks_for_many_retains_for_all_of_them() {
    let mut house = limited(|l| {
        l.retained_max = 10;
        l.retained_per_user_max = 4;
    });
    let mut rights = broker::Access::superuser("another broker");
    rights.many = true;
    house.app.users.insert("another broker".into(), rights);
    let peer = house.join(&v5("a").user("another broker"));
    for number in 0..11 {
        let got = house.publish(
            peer,
            &message(&number.to_string(), "x").qos(1, 1).retained(),
        );
        let reason = if number < 10 { 0 } else { 0x97 };
        assert_eq!(got, [Got::Puback(1, reason)], "{number}");
    }
}

#[test]
fn the_bytes_that_one_user_retains_are_limited() {
    let mut house = limited(|l| l.retained_bytes_per_user_max = 1_000);
    let ann = house.join(&v5("a").user("ann"));
    let retain = |house: &mut House, topic: &str, bytes: usize| {
        let message = message(topic, &"x".repeat(bytes)).qos(1, 1).retained();
        house.publish(ann, &message)
    };
    assert_eq!(retain(&mut house, "a", 599), [Got::Puback(1, 0)]);
    assert_eq!(retain(&mut house, "b", 400), [Got::Puback(1, 0x97)]);
    assert_eq!(retain(&mut house, "b", 399), [Got::Puback(1, 0)]);
    assert_eq!(retain(&mut house, "b", 400), [Got::Puback(1, 0x97)]);
    assert_eq!(
        house.core.stats().retained,
        1,
        "what stood there is out of date"
    );
}

#[test]
fn what_a_removed_user_retained_goes_with_it_also_after_a_restart() {
    let mut house = House::keeping(Limits::default());
    for (user, topic) in [("ann", "a"), ("bob", "b")] {
        let peer = house.join(&v5(user).user(user));
        house.publish(peer, &message(topic, "x").retained());
    }
    house.store();
    house.crash(Limits::default(), types::InputNo(house.app.inputs));
    assert_eq!(house.core.stats().retained, 2);
    let House { core, app, now, .. } = &mut house;
    core.forget_user("ann", *now, app);
    house.check_kept();
    let reader = house.join(&v3("r"));
    assert_eq!(
        brief(&house.subscribe(reader, "#", 0))[1..],
        ["b=x q0 retained"]
    );
}

#[test]
fn the_session_that_is_away_longest_makes_room() {
    let mut house = limited(|l| l.sessions_max = 2);
    for id in ["old", "newer"] {
        let peer = house.join(&v3(id).keeps_session());
        house.drop_peer(peer);
        house.wait_s(1);
    }
    house.join(&v3("third"));
    assert_eq!(house.core.stats().sessions, 2);
    let (_, got) = house.hello(&v3("newer").keeps_session());
    assert_eq!(
        got,
        [Got::Connack {
            present: true,
            code: 0
        }]
    );
}

#[test]
fn a_longer_session_than_allowed_is_cut_and_said_so() {
    let mut house = limited(|l| l.session_expiry_s_max = 100);
    let peer = house.open(Version::V5);
    house.feed(peer, &v5("a").expires_after_s(1_000).packet());
    let (bytes, _) = house.core.take_output(peer.key, house.now);
    let expiry = [17, 0, 0, 0, 100];
    assert!(bytes.windows(5).any(|window| window == expiry), "{bytes:?}");
}
