//! Who gets in, and how connections end.

use crate::harness::*;
use broker::{Reason, Refusal, Version, password};

fn refused(code: u8) -> Vec<Got> {
    vec![
        Got::Connack {
            present: false,
            code,
        },
        Got::Closed,
    ]
}

#[test]
fn both_versions_are_let_in_on_one_port() {
    for hello in [v3("a"), v5("b")] {
        let mut house = House::default();
        let (_, got) = house.hello(&hello.user("ann"));
        assert_eq!(
            got,
            [Got::Connack {
                present: false,
                code: 0
            }]
        );
        assert_eq!(house.log().len(), 1);
    }
}

#[test]
fn a_packet_may_come_byte_by_byte() {
    let mut house = House::default();
    let peer = house.open(Version::V5);
    let mut bytes = v5("slow").packet();
    bytes.extend(message("t", "x").packet(Version::V5));
    for byte in bytes {
        house.feed(peer, &[byte]);
    }
    assert_eq!(house.read(peer).len(), 1);
    assert_eq!(
        house.log(),
        ["connected anyone/slow siblings 0", "publish slow t=x"]
    );
}

#[test]
fn other_protocol_versions_are_told_so() {
    for (level, version, code) in [(3, Version::V3, 1), (6, Version::V5, 0x84)] {
        let mut house = House::default();
        let peer = house.open(version);
        let mut body = text("MQTT");
        body.extend_from_slice(&[level, 2, 0, 0, 0, 1, b'x']);
        assert_eq!(house.ask(peer, &packet(0x10, &body)), refused(code));
    }
    let mut house = House::default();
    let peer = house.open(Version::V3);
    let mut old = text("MQIsdp");
    old.extend_from_slice(&[3, 2, 0, 0, 0, 1, b'x']);
    assert_eq!(house.ask(peer, &packet(0x10, &old)), refused(1));
}

#[test]
fn an_empty_client_id_gets_one_made_up() {
    let mut house = House::default();
    house.join(&v3(""));
    house.join(&v5(""));
    assert_eq!(
        house.log(),
        [
            "connected anyone/auto-1 siblings 0",
            "connected anyone/auto-2 siblings 1"
        ]
    );
    let mut keeps = v3("");
    keeps.clean = false;
    assert_eq!(house.hello(&keeps).1, refused(2));
}

#[test]
fn a_refusal_names_its_reason_in_both_versions() {
    for (refusal, code3, code5) in [
        (Refusal::BadCredentials, 4, 0x86),
        (Refusal::NotAuthorized, 5, 0x87),
        (Refusal::Banned, 5, 0x8A),
        (Refusal::Unavailable, 3, 0x88),
    ] {
        let mut house = House::default();
        house.app.refuse = Some(refusal);
        assert_eq!(house.hello(&v3("a")).1, refused(code3));
        assert_eq!(house.hello(&v5("a")).1, refused(code5));
        assert_eq!(house.core.stats().connections, 0);
    }
}

#[test]
fn a_generated_password_is_checked_at_once() {
    let mut house = House::default();
    house
        .app
        .hashes
        .insert("lamp".into(), password::hash_generated("0123456789abcdef"));
    house.join(&v3("a").user("lamp").password("0123456789abcdef"));
    assert!(house.core.poll_verify().is_none());
}

#[test]
fn every_login_that_fails_is_told_after_a_check_of_the_same_cost() {
    let mut house = House::default();
    let lamp = password::hash_generated("0123456789abcdef");
    let ann = password::hash_chosen("open sesame", &[7; 16]).unwrap();
    let unknown = password::decoy();
    house.app.hashes = [("lamp", &*lamp), ("ann", &*ann), ("nobody", &*unknown)]
        .map(|(user, hash)| (user.to_owned(), hash.to_owned()))
        .into();
    // What is blocked is only told to who has the password.
    house.app.banned = vec!["lamp".into(), "ann".into()];
    let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
    for user in ["lamp", "ann", "nobody"] {
        for given in [Some("wrong"), Some(""), None] {
            let mut hello = v5("a").user(user);
            hello.password = given.map(str::to_owned);
            let (peer, got) = house.hello(&hello);
            assert_eq!(got, [], "{user} {given:?}");
            let job = house.core.poll_verify().expect("it is checked");
            assert_eq!(cost(&job.hash), cost(&ann), "{user} {given:?}");
            let fits = password::verify(&job.hash, &job.password);
            house
                .core
                .verified(job.conn, fits, house.now, &mut house.app);
            assert_eq!(house.read(peer), refused(0x86), "{user} {given:?}");
        }
    }
    let right = v5("a").user("lamp").password("0123456789abcdef");
    assert_eq!(house.hello(&right).1, refused(0x8A));
}

#[test]
fn a_chosen_password_waits_for_its_verdict_and_packets_after_it_too() {
    for fits in [true, false] {
        let mut house = House::default();
        house.app.hashes.insert("ann".into(), "$argon2id$..".into());
        let peer = house.open(Version::V5);
        let mut bytes = v5("tablet").user("ann").password("secret").packet();
        bytes.extend(message("t", "early").packet(Version::V5));
        assert_eq!(house.ask(peer, &bytes), []);
        assert!(house.log().is_empty());
        let job = house.core.poll_verify().unwrap();
        assert_eq!(
            (&*job.hash, &*job.password),
            ("$argon2id$..", &b"secret"[..])
        );
        house
            .core
            .verified(job.conn, fits, house.now, &mut house.app);
        let got = house.read(peer);
        if fits {
            assert_eq!(
                got,
                [Got::Connack {
                    present: false,
                    code: 0
                }]
            );
            assert_eq!(
                house.log(),
                ["connected ann/tablet siblings 0", "publish tablet t=early"]
            );
        } else {
            assert_eq!(got, refused(0x86));
        }
    }
}

#[test]
fn a_verdict_for_a_connection_that_is_gone_is_ignored() {
    let mut house = House::default();
    house.app.hashes.insert("ann".into(), "$argon2id$..".into());
    let (peer, _) = house.hello(&v5("tablet").user("ann").password("secret"));
    let job = house.core.poll_verify().unwrap();
    house.drop_peer(peer);
    house
        .core
        .verified(job.conn, true, house.now, &mut house.app);
    assert!(house.log().is_empty());
}

#[test]
fn rights_taken_while_the_password_is_checked_count() {
    let mut house = House::default();
    house.app.hashes.insert("ann".into(), "$argon2id$..".into());
    let (peer, _) = house.hello(&v5("tablet").user("ann").password("secret"));
    let job = house.core.poll_verify().unwrap();
    house
        .core
        .set_access("ann", None, house.now, &mut house.app);
    house
        .core
        .verified(job.conn, true, house.now, &mut house.app);
    assert_eq!(house.read(peer), refused(0x87));
}

#[test]
fn rights_given_while_a_wrong_password_waits_do_not_let_it_in() {
    let mut house = House::default();
    let lamp = password::hash_generated("0123456789abcdef");
    house.app.hashes.insert("lamp".into(), lamp);
    let (peer, _) = house.hello(&v5("a").user("lamp").password("wrong"));
    let job = house.core.poll_verify().unwrap();
    let all = broker::Access::superuser("lamp");
    house
        .core
        .set_access("lamp", Some(all), house.now, &mut house.app);
    house
        .core
        .verified(job.conn, true, house.now, &mut house.app);
    assert_eq!(house.read(peer), refused(0x86));
}

#[test]
fn a_password_without_a_user_is_refused() {
    let mut house = House::default();
    assert_eq!(house.hello(&v5("a").password("x")).1, refused(0x86));
    assert_eq!(house.hello(&v3("a").password("x")).1, [Got::Closed]);
}

#[test]
fn extended_authentication_is_refused_by_name() {
    let mut house = House::default();
    let mut hello = v5("a");
    hello.properties.push(21);
    hello.properties.extend(text("SCRAM"));
    assert_eq!(house.hello(&hello).1, refused(0x8C));
}

#[test]
fn a_socket_without_connect_is_closed_after_ten_seconds() {
    let mut house = House::default();
    let peer = house.open(Version::V3);
    house.feed(peer, &v3("x").packet()[..5]);
    house.wait_s(9);
    assert_eq!(house.read(peer), []);
    house.wait_s(1);
    assert_eq!(house.read(peer), [Got::Closed]);
    assert_eq!(house.core.next_deadline(), None);
}

#[test]
fn silence_of_one_and_a_half_keep_alives_ends_a_connection() {
    let mut house = House::default();
    let peer = house.join(&v5("a").keep_alive_s(10));
    for _ in 0..5 {
        house.wait_s(14);
        assert_eq!(house.ask(peer, &[0xC0, 0]), [Got::Pong]);
    }
    house.wait_s(14);
    assert_eq!(house.read(peer), []);
    house.wait_s(1);
    assert_eq!(house.read(peer), [Got::Disconnect(0x8D), Got::Closed]);
    assert_eq!(
        house.log().last().unwrap(),
        "disconnected anyone/a KeepAlive siblings 0"
    );
}

#[test]
fn a_client_that_is_not_read_is_not_silent() {
    let mut limits = broker::Limits::default();
    limits.receive_max = 2;
    let mut house = House::new(limits);
    house.app.journal = true;
    let peer = house.join(&v3("a").keep_alive_s(10));
    for id in 1..=2 {
        house.publish(peer, &message("t", "x").qos(1, id));
    }
    assert!(house.core.is_paused(peer.key));
    house.wait_s(1_000);
    assert!(house.is_open(peer), "nobody reads its pings");
    // The store is there again right before the time is over: the ping that waits in the socket counts.
    house.wait_s(4);
    house.core.durable(types::InputNo(2), house.now);
    assert!(!house.core.is_paused(peer.key));
    house.wait_s(12);
    assert!(house.is_open(peer), "it has the whole time again");
    house.wait_s(15);
    assert_eq!(house.read(peer)[2..], [Got::Closed]);
    assert_eq!(house.core.stats().keep_alive_timeouts, 1);
}

#[test]
fn a_client_that_takes_no_connack_is_closed_without_a_byte() {
    let mut house = House::default();
    // Fixed header, flags and reason are 5 bytes, and there are properties.
    for (max, takes) in [(1, false), (16, false), (64, true)] {
        let peer = house.open(Version::V5);
        let got = house.ask(peer, &v5("a").packet_bytes_max(max).packet());
        assert_eq!(got == [Got::Closed], !takes, "at most {max}: {got:?}");
    }
}

#[test]
fn keep_alive_zero_is_for_ever() {
    let mut house = House::default();
    let peer = house.join(&v3("a"));
    house.wait_s(1_000_000);
    assert_eq!(house.ask(peer, &[0xC0, 0]), [Got::Pong]);
}

#[test]
fn the_same_client_takes_over_and_the_old_connection_is_told() {
    let mut house = House::default();
    let old = house.join(&v5("a").user("ann"));
    let new = house.join(&v5("a").user("ann"));
    assert_eq!(house.read(old), [Got::Disconnect(0x8E), Got::Closed]);
    assert_eq!(
        house.log(),
        [
            "connected ann/a siblings 0",
            "disconnected ann/a TakenOver siblings 0",
            "connected ann/a siblings 0"
        ]
    );
    assert_eq!(house.ask(new, &[0xC0, 0]), [Got::Pong]);
}

#[test]
fn another_user_with_the_same_client_id_takes_over_nothing() {
    let mut house = House::default();
    let ann = house.join(&v5("phone").user("ann"));
    house.join(&v5("phone").user("bob"));
    assert_eq!(house.ask(ann, &[0xC0, 0]), [Got::Pong]);
}

#[test]
fn siblings_tell_whether_a_user_lives_on() {
    let mut house = House::default();
    let one = house.join(&v3("one").user("ann"));
    let two = house.join(&v3("two").user("ann"));
    house.leave(one);
    house.drop_peer(two);
    assert_eq!(
        house.log()[1..],
        [
            "connected ann/two siblings 1",
            "disconnected ann/one Clean siblings 1",
            "disconnected ann/two Lost siblings 0"
        ]
    );
}

#[test]
fn shutdown_tells_clients_and_publishes_no_wills() {
    let mut house = House::default();
    let modern = house.join(&v5("a").will("w", "gone", 0, false));
    let old = house.join(&v3("b").will("w", "gone", 0, false));
    let fresh = house.open(Version::V3);
    house.log();
    house.core.shutdown(house.now, &mut house.app);
    assert_eq!(house.read(modern), [Got::Disconnect(0x8B), Got::Closed]);
    assert_eq!(house.read(old), [Got::Closed]);
    assert_eq!(house.read(fresh), [Got::Closed]);
    assert_eq!(
        house.log(),
        [
            "disconnected anyone/a Shutdown siblings 1",
            "disconnected anyone/b Shutdown siblings 0"
        ]
    );
    let refused = house.core.accept(house.now, ([127, 0, 0, 1], 9).into());
    assert_eq!(refused, Err(broker::Refused::Stopping));
}

#[test]
fn the_reason_of_a_refusal_prints_as_words() {
    assert_eq!(Reason::NotAuthorized.to_string(), "not authorized (0x87)");
}
