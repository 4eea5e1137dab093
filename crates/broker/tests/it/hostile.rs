//! Clients that mean harm, or are broken in ways that look like it: each has a bound, a counter, and
//! disturbs nobody else. Who opens too many sockets is in `peers`, broken bytes are in `malformed`.

use std::time::Duration;

use broker::{Limits, Version};

use crate::harness::*;

fn limited(change: impl FnOnce(&mut Limits)) -> House {
    let mut limits = Limits::default();
    change(&mut limits);
    House::new(limits)
}

/// A SUBSCRIBE or UNSUBSCRIBE with all of these filters.
fn with_filters(
    first: u8,
    version: Version,
    filters: impl IntoIterator<Item = impl AsRef<str>>,
) -> Vec<u8> {
    let mut body = vec![0, 9];
    body.extend(vec![0; usize::from(version == Version::V5)]);
    for filter in filters {
        body.extend(text(filter.as_ref()));
        body.extend(vec![0; usize::from(first == 0x82)]);
    }
    packet(first, &body)
}

fn filters(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("t/{number}"))
}

/// Takes so many bytes of what is ready, as a socket that has room for no more.
fn drip(house: &mut House, peer: Peer, bytes: usize) {
    house.core.wrote(peer.key, bytes, house.now);
    house.core.blocked(peer.key, house.now);
}

#[test]
fn a_reader_of_a_byte_a_second_ends_and_one_that_keeps_up_does_not() {
    let mut house = House::default();
    let dripping = house.join(&v3("dripping"));
    let reading = house.join(&v3("reading"));
    for peer in [dripping, reading] {
        house.subscribe(peer, "t", 0);
        house.core.publish(
            house.now,
            &own("t", &"x".repeat(10_000)).qos(qos(0)),
            &mut house.app,
        );
        drip(&mut house, peer, 0);
    }
    assert!(house.core.stats().stuck_bytes > 20_000);
    for _ in 0..29 {
        house.wait_s(1);
        drip(&mut house, dripping, 1);
        drip(&mut house, reading, 1_000);
        house.core.publish(
            house.now,
            &own("t", &"x".repeat(400)).qos(qos(0)),
            &mut house.app,
        );
    }
    assert!(house.is_open(dripping));
    house.wait_s(2);
    assert_eq!(house.core.stats().stalls, 1);
    assert!(!house.is_open(dripping) && house.is_open(reading));
    assert!(
        house
            .log()
            .contains(&"disconnected anyone/dripping SlowReader siblings 1".into())
    );
    // The one that reads has never had an empty buffer.
    for _ in 0..100 {
        house.wait_s(1);
        drip(&mut house, reading, 1_000);
        house.core.publish(
            house.now,
            &own("t", &"x".repeat(950)).qos(qos(0)),
            &mut house.app,
        );
    }
    assert!(house.is_open(reading));
    house.read(reading);
    house.drop_peer(dripping);
    assert_eq!(house.core.stats().stuck_bytes, 0);
    assert_eq!(house.core.next_deadline(), None);
}

#[test]
fn who_does_not_read_the_answers_is_not_read_either() {
    let mut house = limited(|l| l.output_bytes_max = 1_000);
    for version in [v3("a"), v5("a")] {
        let peer = house.join(&version);
        let subscribe = with_filters(0x82, peer.version, ["t"]);
        for ask in [&[0xC0, 0][..], &[0x62, 2, 0, 7], &subscribe] {
            let mut asked = 0;
            while !house.core.is_paused(peer.key) {
                house.feed(peer, ask);
                asked += 1;
                assert!(asked <= 1_000, "it is read for ever");
            }
            assert!(house.core.output(peer.key).0.len() < 1_010);
            drip(&mut house, peer, 0);
            assert_eq!(house.read(peer).len(), asked);
            assert!(!house.core.is_paused(peer.key));
        }
        // And who reads nothing at all is a slow reader, keep-alive or not.
        while !house.core.is_paused(peer.key) {
            house.feed(peer, &[0xC0, 0]);
        }
        drip(&mut house, peer, 0);
        house.wait_s(30);
        assert!(!house.is_open(peer));
        house.drop_peer(peer);
    }
    assert_eq!(house.core.stats().stalls, 2);
}

#[test]
fn a_silent_client_of_mqtt_5_is_told_to_keep_alive() {
    for (wanted_s, told) in [(0, Some(3_600)), (65_535, Some(3_600)), (60, None)] {
        let mut house = House::default();
        let peer = house.open(Version::V5);
        house.feed(peer, &v5("a").keep_alive_s(wanted_s).packet());
        let (bytes, _) = house.core.take_output(peer.key, house.now);
        let property: Option<[u8; 3]> = told.map(|told_s: u16| {
            let [high, low] = told_s.to_be_bytes();
            [19, high, low]
        });
        let is_there = |property| bytes.windows(3).any(|window| window == property);
        assert!(property.is_none_or(is_there), "{wanted_s} {bytes:?}");
        house.wait_s(5_399);
        assert_eq!(house.is_open(peer), told.is_some(), "{wanted_s}");
        house.wait_s(1);
        assert!(!house.is_open(peer), "{wanted_s}");
        assert_eq!(house.core.stats().keep_alive_timeouts, 1);
    }
    let mut house = House::default();
    let old = house.join(&v3("a").keep_alive_s(65_535));
    house.wait_s(98_302);
    assert!(house.is_open(old), "it can't be told");
    house.wait_s(1);
    assert!(!house.is_open(old));
}

#[test]
fn who_spoke_while_the_broker_stood_still_is_heard_before_it_is_judged() {
    // Until 6 s nobody is late. It may stand still until just after that as well as for long, and again.
    for stalls_ms in [&[6_001][..], &[6_100], &[8_000], &[8_000, 9_000]] {
        let mut house = House::default();
        let speaks = house.join(&v5("speaks").keep_alive_s(4));
        let silent = house.join(&v5("silent").keep_alive_s(4));
        for stall_ms in stalls_ms {
            house.now = house.now.after(Duration::from_millis(*stall_ms));
            house.core.tick(house.now, &mut house.app);
        }
        assert_eq!(house.ask(speaks, &[0xC0, 0]), [Got::Pong], "{stalls_ms:?}");
        house.wait_s(1);
        assert!(house.is_open(speaks) && !house.is_open(silent));
        house.wait_s(6);
        assert!(!house.is_open(speaks), "it is judged as ever");
    }
}

#[test]
fn huge_fields_of_a_connect_end_it() {
    let mut house = House::default();
    for hello in [v3(&"i".repeat(257)), v5(&"i".repeat(257))] {
        let (_, got) = house.hello(&hello);
        let code = if hello.version == Version::V5 {
            0x85
        } else {
            2
        };
        let refused = Got::Connack {
            present: false,
            code,
        };
        assert_eq!(got, [refused, Got::Closed]);
    }
    house.join(&v3(&"i".repeat(256)));
    let too_large = [
        v5("a").user(&"u".repeat(65_000)),
        v5("a").password(&"p".repeat(65_000)).user("u"),
        v5("a").will(&"t".repeat(65_000), "x", 0, false),
        v5("a").will("t", &"x".repeat(65_000), 0, false),
        v5(&"i".repeat(65_000)),
    ];
    for hello in too_large {
        assert_eq!(house.hello(&hello).1, [Got::Closed]);
    }
    assert_eq!(house.core.stats().protocol_errors, 5);
}

#[test]
fn packets_that_never_end_may_not_fill_memory() {
    let mut house = limited(|l| l.partials_bytes_max = 1_000_000);
    let modest = house.join(&v3("modest"));
    house.feed(modest, &[0x30, 100, 0, 1]);
    let mut hostile = Vec::new();
    for number in 0..20 {
        let peer = house.join(&v5(&number.to_string()));
        let mut start = vec![0x30, 0xFF, 0xFF, 0x0E];
        start.resize(200_000, 0);
        house.feed(peer, &start);
        hostile.push(peer);
        assert!(house.core.stats().partial_bytes <= 1_000_000);
    }
    assert_eq!(house.core.stats().partials_refused, 16);
    let told = [Got::Disconnect(0x97), Got::Closed];
    let ended = hostile.iter().filter(|peer| house.read(**peer) == told);
    assert_eq!(ended.count(), 16);
    let mut rest = vec![b't'];
    rest.resize(98, 0);
    house.feed(modest, &rest);
    assert_eq!(house.core.stats().messages_in, 1, "it was never disturbed");
    for peer in hostile {
        house.drop_peer(peer);
    }
    assert_eq!(house.core.stats().partial_bytes, 0);
}

#[test]
fn wills_come_no_faster_than_connections_and_are_not_kept_without_end() {
    let mut house = limited(|l| l.sessions_per_user_max = 10);
    let storm = |house: &mut House, hello: &Hello| {
        let address = [10, 1, 1, 1].into();
        let Ok(peer) = house.open_from(hello.version, address) else {
            return;
        };
        house.feed(peer, &hello.packet());
        house.drop_peer(peer);
    };
    let hello = v5("a").will("w", "x", 0, false);
    for _ in 0..10_000 {
        storm(&mut house, &hello);
    }
    assert_eq!(house.core.stats().wills, 100);
    house.wait_s(1);
    for number in 0..100 {
        let hello = v5(&number.to_string()).will("w", "x", 0, false);
        storm(&mut house, &hello.will_delay_s(1_000).keeps_session());
    }
    let stats = house.core.stats();
    assert_eq!((stats.sessions, stats.evicted_sessions), (10, 90));
    assert_eq!(
        stats.wills, 190,
        "whose session ends has its will published"
    );
}

#[test]
fn five_thousand_subscriptions_are_too_many_for_one_client() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    let told = [Got::Disconnect(0x97), Got::Closed];
    for first in [0x82, 0xA2] {
        let peer = house.join(&v5("all at once"));
        let all = with_filters(first, Version::V5, filters(5_000));
        assert_eq!(house.ask(peer, &all), told);
    }
    assert_eq!(house.core.stats().subscriptions, 0);
    for filter in filters(5_000) {
        house.subscribe(peer, &filter, 0);
    }
    let stats = house.core.stats();
    assert_eq!(stats.subscriptions, 1_000);
    assert_eq!(stats.limited_subscriptions, 4_000);
}

#[test]
fn many_clients_of_one_user_share_a_bound_on_subscriptions() {
    let mut house = limited(|l| l.subscriptions_per_user_max = 25);
    for client in 0..3 {
        let peer = house.join(&v3(&client.to_string()).user("ann"));
        house.ask(peer, &with_filters(0x82, Version::V3, filters(10)));
    }
    assert_eq!(house.core.stats().subscriptions, 25);
    let bob = house.join(&v3("bob").user("bob"));
    assert_eq!(house.subscribe(bob, "t/1", 0), [Got::Suback(9, vec![0])]);
    // Room comes back with an UNSUBSCRIBE, a clean start, and the end of a session.
    let peer = house.join(&v3("0").user("ann"));
    house.ask(peer, &with_filters(0x82, Version::V3, filters(12)));
    house.ask(peer, &with_filters(0xA2, Version::V3, filters(5)));
    house.ask(peer, &with_filters(0x82, Version::V3, filters(20)));
    assert_eq!(house.core.stats().subscriptions, 26);
    house.drop_peer(peer);
    assert_eq!(house.core.stats().subscriptions, 16);
}

#[test]
fn a_topic_of_65535_levels_is_refused_wherever_it_stands() {
    let deep = "/".repeat(65_000);
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    assert_eq!(
        house.subscribe(peer, &deep, 0),
        [Got::Suback(9, vec![0x8F])]
    );
    let wild = format!("{deep}#");
    assert_eq!(
        house.subscribe(peer, &wild, 0),
        [Got::Suback(9, vec![0x8F])]
    );
    let unsubscribe = with_filters(0xA2, Version::V5, [&deep]);
    assert_eq!(
        house.ask(peer, &unsubscribe),
        [Got::Unsuback(9, vec![0x11])]
    );
    let publish = message(&deep, "x").qos(1, 1);
    assert_eq!(house.publish(peer, &publish), [Got::Puback(1, 0x90)]);
    house.join(&v3("will").will(&"/".repeat(2_000), "x", 0, true));
    let will = house.join(&v3("will"));
    house.read(will);
    assert_eq!(house.core.stats().retained, 0);
    let refused = house.log();
    assert!(
        refused.last().unwrap().starts_with("connected")
            && refused
                .iter()
                .any(|line| line.starts_with("denied publish will //")),
        "the will as well"
    );
}

#[test]
fn an_alias_does_not_make_the_broker_remember_a_topic_that_nobody_may_use() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    let publish = message(&"t".repeat(60_000), "x").properties(&[35, 0, 1]);
    let told = [Got::Disconnect(0x90), Got::Closed];
    assert_eq!(house.publish(peer, &publish), told);
}

#[test]
fn the_brokers_own_topics_are_nobodys() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    for topic in ["$SYS/broker/uptime", "$share/x/t", "$", "$x/iot/hall/state"] {
        let publish = message(topic, "x").qos(1, 1).retained();
        assert_eq!(house.publish(peer, &publish), [Got::Puback(1, 0x87)]);
        let (_, got) = house.hello(&v5("will").will(topic, "x", 0, true));
        let refused = Got::Connack {
            present: false,
            code: 0x87,
        };
        assert_eq!(got, [refused, Got::Closed]);
    }
    assert_eq!(house.core.stats().retained, 0);
    assert_eq!(house.core.stats().denied_publishes, 4);
}

#[test]
fn asking_for_everything_again_and_again_is_bounded() {
    let mut house = limited(|l| l.retained_looks_per_second_max = 10_000);
    for number in 0..1_000 {
        house.core.publish(
            house.now,
            &own(&format!("t/{number}"), "x").retained(),
            &mut house.app,
        );
    }
    // Who reads: ten walks through all of it, and then one for each tenth of a second.
    let peer = house.join(&v5("reads"));
    let granted = |house: &mut House| {
        let got = house.subscribe(peer, "#", 0);
        got[0] == Got::Suback(9, vec![0]) && got.len() == 1_001
    };
    let count = |house: &mut House| (0..1_000).filter(|_| granted(house)).count();
    assert_eq!(count(&mut house), 10);
    assert_eq!(house.core.stats().limited_subscriptions, 990);
    house.wait(Duration::from_millis(200));
    assert_eq!(count(&mut house), 2);
    // What matches nothing costs a walk as well; what names its topic does not.
    house.wait_s(1);
    let missed = |house: &mut House, filter: &str| {
        let tries = (0..1_000).map(|_| house.subscribe(peer, filter, 0));
        tries
            .filter(|got| *got != [Got::Suback(9, vec![0])])
            .count()
    };
    assert_eq!(missed(&mut house, "+/+/+"), 990);
    assert_eq!(missed(&mut house, "none/at/all"), 0);

    // All of them in one packet.
    let peer = house.join(&v5("at once"));
    let got = house.ask(peer, &with_filters(0x82, Version::V5, ["#"; 1_000]));
    let Got::Suback(_, codes) = &got[0] else {
        panic!("{got:?}");
    };
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 10);

    // Who does not read them: what waits is bounded.
    let mut house = limited(|l| {
        l.retained_max = 1_000;
        l.retained_looks_per_second_max = u32::MAX;
    });
    let writer = house.join(&v3("writer"));
    for number in 0..1_000 {
        house.publish(writer, &message(&format!("t/{number}"), "x").retained());
    }
    let peer = house.join(&v5("does not"));
    house.feed(peer, &with_filters(0x82, Version::V5, ["#"; 1_000]));
    assert!(!house.is_open(peer));
    let stats = house.core.stats();
    assert_eq!(stats.slow_readers, 1);
    assert!(stats.queued_bytes < 1_000_000, "{}", stats.queued_bytes);
}

#[test]
fn filters_that_all_match_deliver_one_copy() {
    let mut house = House::default();
    let peer = house.join(&v5("a"));
    let levels = 9;
    for bits in 0..1 << levels {
        let level = |ix| if bits >> ix & 1 == 1 { "+" } else { "l" };
        let filter: Vec<&str> = (0..levels).map(level).collect();
        let id = [11, 1 + (bits % 127) as u8];
        house.subscribe_with(peer, &filter.join("/"), 0, &id);
    }
    assert_eq!(house.core.stats().subscriptions, 512);
    let topic = ["l"; 9].join("/");
    let writer = house.join(&v3("writer"));
    house.publish(writer, &message(&topic, "x"));
    assert_eq!(house.read(peer).len(), 1);
}

#[test]
fn a_message_for_many_is_more_of_a_turn_than_one_for_few() {
    let mut house = limited(|l| l.turn_work_max = 100);
    let readers: Vec<Peer> = (0..50).map(|n| house.join(&v3(&n.to_string()))).collect();
    for reader in &readers {
        house.subscribe(*reader, "many", 0);
    }
    house.subscribe(readers[0], "few", 0);
    let writer = house.join(&v3("writer"));
    let turns = |house: &mut House, topic: &str| {
        let mut bytes = message(topic, "x").packet(writer.version).repeat(10);
        let mut turns = Vec::new();
        loop {
            let before = house.core.stats().messages_in;
            let House { core, app, now, .. } = house;
            core.receive_turn(writer.key, &bytes, *now, app);
            turns.push(core.stats().messages_in - before);
            bytes.clear();
            if !core.has_more(writer.key) {
                return turns;
            }
        }
    };
    assert_eq!(turns(&mut house, "few"), [10]);
    assert_eq!(
        turns(&mut house, "many"),
        [2; 5],
        "others have four turns between"
    );
    assert_eq!(house.core.stats().split_turns, 4);
    assert!(
        readers[1..]
            .iter()
            .all(|reader| house.read(*reader).len() == 10)
    );
    // What was not handled when its connection ends is not, as what was not read is not.
    let bytes = message("many", "x").packet(writer.version).repeat(10);
    let House { core, app, now, .. } = &mut house;
    core.receive_turn(writer.key, &bytes, *now, app);
    house.drop_peer(writer);
    assert!(!house.core.has_more(writer.key));
    assert_eq!(house.core.stats().partial_bytes, 0);
}

#[test]
fn a_packet_id_that_is_used_again_neither_confuses_nor_grows() {
    for hello in [v3("a"), v5("a")] {
        let mut house = limited(|l| l.receive_max = 10);
        house.app.journal = true;
        let peer = house.join(&hello);
        // The store is stuck: no ack leaves. Ids come again, and what is said to be done is not.
        let mut fed = 0;
        while house.is_open(peer) && !house.core.is_paused(peer.key) && fed < 1_000 {
            house.feed(peer, &message("t", "x").qos(2, 7).packet(peer.version));
            house.feed(peer, &[0x62, 2, 0, 9]);
            house.feed(peer, &message("t", "x").qos(1, 7).packet(peer.version));
            fed += 2;
        }
        assert_eq!(fed, 10 + 2 * usize::from(hello.version == Version::V5));
        let taken = house.log();
        let taken = taken.iter().filter(|line| line.starts_with("publish"));
        assert_eq!(taken.count(), 6, "one at QoS 2, five at QoS 1");
    }
}

#[test]
fn a_client_that_releases_late_is_still_read() {
    let mut house = House::default();
    let peer = house.join(&v3("a"));
    for id in 1..=5_000 {
        let got = house.publish(peer, &message("t", "x").qos(2, id));
        assert_eq!(got, [Got::Pubrec(id, 0)], "3.1.1 knows no receive maximum");
    }
    assert!(!house.core.is_paused(peer.key), "its PUBREL has to be read");
    for id in 1..=5_000 {
        assert_eq!(house.ack(peer, 6, id), [Got::Pubcomp(id)]);
    }
    assert_eq!(house.core.stats().messages_in, 5_000);
    let modern = house.join(&v5("b"));
    for id in 1..=1_024 {
        house.publish(modern, &message("t", "x").qos(2, id));
    }
    let got = house.publish(modern, &message("t", "x").qos(2, 1_025));
    assert_eq!(got, [Got::Disconnect(0x93), Got::Closed], "it was told");
}

#[test]
fn what_is_never_released_is_bounded_for_a_user_and_leaves_each_client_some() {
    let mut house = limited(|l| {
        l.receive_max = 10;
        l.received_per_user_max = 100;
    });
    let ann = ["a", "b"].map(|id| house.join(&v3(id).user("ann").keeps_session()));
    let open = |house: &mut House, peer: Peer| {
        let mut taken = (1..).take_while(|id| {
            house.publish(peer, &message("t", "x").qos(2, *id)) == [Got::Pubrec(*id, 0)]
        });
        taken.by_ref().last()
    };
    assert_eq!(open(&mut house, ann[0]), Some(100));
    assert_eq!(open(&mut house, ann[1]), Some(10));
    let bob = house.join(&v3("c").user("bob"));
    assert_eq!(open(&mut house, bob), Some(100));
}

#[test]
fn a_client_that_acknowledges_nothing_holds_little_and_then_goes() {
    let mut house = limited(|l| {
        l.queue_bytes_max = 10_000;
        l.inflight_max = 256;
    });
    let peer = house.join(&v5("a").keeps_session());
    house.subscribe(peer, "t", 1);
    let writer = house.join(&v3("writer"));
    let large = "x".repeat(4_000);
    for _ in 0..3 {
        house.publish(writer, &message("t", &large).qos(1, 1));
    }
    assert_eq!(house.read(peer).len(), 3, "the window is full of bytes");
    while house.is_open(peer) {
        house.publish(writer, &message("t", &large).qos(1, 1));
        assert!(house.core.stats().queued_bytes < 25_000);
    }
    assert_eq!(house.core.stats().slow_readers, 1);
}

#[test]
fn whoever_holds_most_gives_way_when_all_queues_are_full() {
    let mut house = limited(|l| l.queues_bytes_max = 100_000);
    let modest = house.join(&v3("modest").user("modest").keeps_session());
    house.subscribe(modest, "modest", 1);
    house.drop_peer(modest);
    let modestly = own("modest", "kept").qos(qos(1));
    house.core.publish(house.now, &modestly, &mut house.app);
    for client in 0..20 {
        let hello = v3(&client.to_string()).user("greedy").keeps_session();
        let peer = house.join(&hello);
        house.subscribe(peer, "greedy", 1);
        house.drop_peer(peer);
    }
    for _ in 0..1_000 {
        let message = own("greedy", &"x".repeat(900)).qos(qos(1));
        house.core.publish(house.now, &message, &mut house.app);
        assert!(house.core.stats().queued_bytes <= 100_000);
    }
    assert!(house.core.stats().queues_relieved > 100);
    let (_, got) = house.hello(&v3("modest").user("modest").keeps_session());
    assert_eq!(brief(&got)[1..], ["modest=kept q1"]);

    // In flight counts as well.
    let mut house = limited(|l| l.queues_bytes_max = 100_000);
    for client in 0..200 {
        let peer = house.join(&v3(&client.to_string()));
        house.subscribe(peer, "t", 1);
    }
    let message = own("t", &"x".repeat(1_000)).qos(qos(1));
    house.core.publish(house.now, &message, &mut house.app);
    let stats = house.core.stats();
    assert!(stats.queued_bytes <= 100_000 && stats.slow_readers > 90);
}

#[test]
fn two_clients_that_share_an_id_do_not_take_over_for_ever() {
    for clean in [true, false] {
        let mut house = House::default();
        let mut hello = v5("shared").will("w", "x", 0, false);
        hello.clean = clean;
        let mut holder = house.join(&hello);
        let mut refused = 0;
        for _ in 0..100 {
            let (peer, got) = house.hello(&hello);
            match got[0] {
                Got::Connack { code: 0, .. } => holder = peer,
                Got::Connack { code, .. } => {
                    assert_eq!(code, 0x9F);
                    refused += 1;
                }
                ref other => panic!("{other:?}"),
            }
        }
        let stats = house.core.stats();
        assert_eq!((stats.takeovers, refused), (20, 80));
        assert_eq!(stats.refused_takeovers, 80);
        assert_eq!(
            house.ask(holder, &[0xC0, 0]),
            [Got::Pong],
            "one of them stays"
        );
        house.wait_s(3);
        house.join(&hello);
        assert_eq!(house.core.stats().takeovers, 21);
    }
}

#[test]
fn one_user_can_not_use_up_all_connections_and_sessions() {
    let mut house = limited(|l| {
        l.connections_per_user_max = 5;
        l.sessions_per_user_max = 8;
    });
    let other = house.join(&v3("other").user("other").keeps_session());
    house.drop_peer(other);
    let mut peers = Vec::new();
    for client in 0..10 {
        let hello = v5(&client.to_string()).user("greedy").keeps_session();
        let (peer, got) = house.hello(&hello);
        let code = if client < 5 { 0 } else { 0x97 };
        assert!(matches!(got[0], Got::Connack { code: got, .. } if got == code));
        peers.push(peer);
    }
    // One of those that are there may come again.
    house.join(&v5("0").user("greedy").keeps_session());
    for peer in peers {
        house.drop_peer(peer);
    }
    for client in 10..100 {
        let peer = house.join(&v5(&client.to_string()).user("greedy").keeps_session());
        house.drop_peer(peer);
    }
    assert_eq!(house.core.stats().sessions, 8 + 1);
    let (_, got) = house.hello(&v3("other").user("other").keeps_session());
    assert!(matches!(got[0], Got::Connack { present: true, .. }));
}
