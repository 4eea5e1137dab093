//! Who gets a connection: one address can't take what the others need, and neither can many.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use broker::{ConnKey, Limits, Refused, Version, password};

use crate::harness::*;

const FLOODER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 1, 1));
const MODULE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 1, 2));

fn limited(change: impl FnOnce(&mut Limits)) -> House {
    let mut limits = Limits::default();
    change(&mut limits);
    House::new(limits)
}

/// Address number `number` of an IPv6 network.
fn v6(network: u64, number: u64) -> IpAddr {
    let bits = u128::from(network) << 64 | u128::from(number);
    Ipv6Addr::from_bits(bits).into()
}

fn join_from(house: &mut House, address: IpAddr, hello: &Hello) -> Peer {
    let peer = house.open_from(hello.version, address).unwrap();
    let got = house.ask(peer, &hello.packet());
    assert!(
        matches!(got.first(), Some(Got::Connack { code: 0, .. })),
        "{got:?}"
    );
    peer
}

#[test]
fn an_address_that_floods_keeps_no_other_out() {
    let mut house = House::default();
    let opened = |house: &mut House| {
        let tries = (0..10_000).map(|_| house.open_from(Version::V3, FLOODER).is_ok());
        tries.filter(|opened| *opened).count()
    };
    assert_eq!(opened(&mut house), 100);
    let module = join_from(&mut house, MODULE, &v3("module"));
    assert_eq!(house.ask(module, &[0xC0, 0]), [Got::Pong]);
    // And so it stays, however long the flood lasts.
    for second in 0..20 {
        house.wait_s(1);
        assert_eq!(opened(&mut house), 100, "{second}");
        join_from(&mut house, MODULE, &v3(&format!("module-{second}")));
    }
    assert_eq!(house.core.stats().refused_at_accept, 21 * 9_900);
}

#[test]
fn sockets_that_never_connect_make_room_for_those_that_do() {
    let mut house = limited(|l| l.unconnected_per_peer_max = 8);
    let mut held = Vec::new();
    for _ in 0..50 {
        held.push(house.open_from(Version::V3, FLOODER).unwrap());
    }
    assert_eq!(house.core.stats().unconnected, 8);
    assert_eq!(house.core.stats().evicted_unconnected, 42);
    assert!(!house.is_open(held[41]) && house.is_open(held[42]));
    // Whoever sends its CONNECT is not one of them any more, whatever comes after it.
    let connected = join_from(&mut house, FLOODER, &v3("module"));
    for _ in 0..40 {
        house.open_from(Version::V3, FLOODER).unwrap();
    }
    assert_eq!(house.ask(connected, &[0xC0, 0]), [Got::Pong]);
    // A password that is being checked counts as sent.
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let waits = house.open_from(Version::V3, MODULE).unwrap();
    house.feed(waits, &v3("a").user("ann").password("x").packet());
    for _ in 0..40 {
        house.open_from(Version::V3, MODULE).unwrap();
    }
    assert!(house.is_open(waits));
}

#[test]
fn sockets_without_a_connect_can_not_use_up_all_connections() {
    let mut house = limited(|l| {
        l.connections_max = 100;
        l.unconnected_max = 1_000;
    });
    let modules: Vec<Peer> = (0..40).map(|n| house.join(&v3(&n.to_string()))).collect();
    // From many addresses, one of which opens most.
    for number in 0..40 {
        house.open_from(Version::V3, FLOODER).unwrap();
        house.open_from(Version::V3, v6(number, 1)).unwrap();
    }
    assert_eq!(house.core.stats().connections, 100);
    join_from(&mut house, MODULE, &v3("newcomer"));
    assert_eq!(house.core.stats().connections, 100);
    for module in modules {
        assert_eq!(house.ask(module, &[0xC0, 0]), [Got::Pong]);
    }
    assert_eq!(house.core.stats().evicted_unconnected, 21);
}

#[test]
fn the_address_that_holds_most_unconnected_sockets_loses_them_first() {
    let mut house = limited(|l| l.unconnected_max = 10);
    let lone = house.open_from(Version::V3, MODULE).unwrap();
    for _ in 0..100 {
        house.open_from(Version::V3, FLOODER).unwrap();
    }
    assert_eq!(house.core.stats().unconnected, 10);
    let got = house.ask(lone, &v3("module").packet());
    assert!(matches!(got[0], Got::Connack { code: 0, .. }), "{got:?}");
}

#[test]
fn who_comes_never_makes_room_for_itself() {
    let mut house = limited(|l| l.unconnected_max = 10);
    let module = join_from(&mut house, MODULE, &v3("module"));
    house.drop_peer(module);
    // Each peer has one: the one with the highest address is as good as any other.
    let mut held: Vec<Peer> = Vec::new();
    for network in 0..10 {
        held.push(house.open_from(Version::V3, v6(network, 1)).unwrap());
    }
    for network in 10..40 {
        let newest = house.open_from(Version::V3, v6(network, 1)).unwrap();
        held.push(newest);
        assert!(house.is_open(newest), "{network}");
        let open: Vec<usize> = (0..held.len())
            .filter(|n| house.is_open(held[*n]))
            .collect();
        let newest_ten: Vec<usize> = (held.len() - 10..held.len()).collect();
        assert_eq!(open, newest_ten);
    }
    // A known address that is slow to say who it is goes after all of them.
    let slow = house.open_from(Version::V3, MODULE).unwrap();
    for network in 100..130 {
        house.open_from(Version::V3, v6(network, 1)).unwrap();
    }
    let got = house.ask(slow, &v3("module").packet());
    assert!(matches!(got[0], Got::Connack { code: 0, .. }), "{got:?}");
    assert_eq!(house.core.stats().unconnected, 9);
}

#[test]
fn half_of_an_ipv6_address_is_one_peer_until_somebody_logs_in() {
    let mut house = limited(|l| l.connections_per_second_per_peer_max = 3);
    let module = join_from(&mut house, v6(7, 1), &v3("module"));
    house.drop_peer(module);
    // Another machine of the same home takes one address after the other.
    let tries = (2..100).map(|n| house.open_from(Version::V3, v6(7, n)));
    let refused: Vec<Refused> = tries.filter_map(Result::err).collect();
    assert_eq!(refused, [Refused::TooFast; 96]);
    // A network elsewhere does not mind, and neither does the module.
    join_from(&mut house, v6(8, 1), &v3("elsewhere"));
    join_from(&mut house, v6(7, 1), &v3("module"));
}

#[test]
fn strangers_from_everywhere_keep_no_known_address_out() {
    let mut house = limited(|l| l.connections_per_second_max = 50);
    let module = join_from(&mut house, MODULE, &v3("module"));
    house.drop_peer(module);
    house.wait_s(1);
    let tries = (0..200).map(|network| house.open_from(Version::V3, v6(network, 1)));
    let refused: Vec<Refused> = tries.filter_map(Result::err).collect();
    assert_eq!(refused, [Refused::TooManyStrangers; 150]);
    join_from(&mut house, MODULE, &v3("module"));
    // Not even one that floods on its own counts against the others.
    let mut house = limited(|l| l.connections_per_second_max = 101);
    for _ in 0..10_000 {
        let _ = house.open_from(Version::V3, FLOODER);
    }
    join_from(&mut house, MODULE, &v3("module"));
}

#[test]
fn an_address_is_the_same_in_both_notations() {
    let mut house = limited(|l| l.connections_per_second_per_peer_max = 1);
    let mapped = IpAddr::V6(Ipv4Addr::new(10, 1, 1, 1).to_ipv6_mapped());
    assert!(house.open_from(Version::V3, FLOODER).is_ok());
    let again = house.open_from(Version::V3, mapped).err();
    assert_eq!(again, Some(Refused::TooFast));
}

#[test]
fn what_is_remembered_of_addresses_is_bounded() {
    let mut house = limited(|l| {
        l.peers_max = 100;
        l.connections_per_second_max = u32::MAX;
    });
    let stays = join_from(&mut house, MODULE, &v3("stays"));
    for network in 0..10_000 {
        let peer = join_from(&mut house, v6(network, 1), &v3(&network.to_string()));
        house.drop_peer(peer);
    }
    assert!(house.core.stats().peers <= 100);
    house.drop_peer(stays);
    join_from(&mut house, MODULE, &v3("stays"));
}

#[test]
fn one_address_can_not_keep_people_from_logging_in() {
    let mut house = House::default();
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let hello = v5("a").user("ann").password("x");
    let busy = Got::Connack {
        present: false,
        code: 0x89,
    };
    let mut waiting = Vec::new();
    for _ in 0..50 {
        let peer = house.open_from(Version::V5, FLOODER).unwrap();
        match house.ask(peer, &hello.packet()).first() {
            None => waiting.push(peer),
            Some(got) => assert_eq!(*got, busy),
        }
    }
    assert_eq!(waiting.len(), 8);
    assert_eq!(house.core.stats().refused_verifies, 42);
    let ann = house.open_from(Version::V5, MODULE).unwrap();
    assert_eq!(house.ask(ann, &hello.packet()), [], "she waits her turn");
    // Also one that hangs up at once has its jobs at the worker until they are done.
    for peer in waiting {
        house.drop_peer(peer);
    }
    let peer = house.open_from(Version::V5, FLOODER).unwrap();
    assert_eq!(house.ask(peer, &hello.packet())[0], busy);
}

#[test]
fn a_module_logs_in_from_an_address_whose_guesses_are_used_up() {
    let mut house = limited(|l| l.guesses_per_minute_max = 1);
    let hash = password::hash_generated("right");
    house.app.hashes.insert("lamp".into(), hash);
    let guess = v5("a").user("lamp").password("wrong");
    let failed = house.open_from(Version::V5, MODULE).unwrap();
    assert_eq!(house.ask(failed, &guess.packet()), []);
    assert_eq!(checked(&mut house), [failed.key]);
    let again = house.open_from(Version::V5, MODULE).unwrap();
    let busy = Got::Connack {
        present: false,
        code: 0x89,
    };
    assert_eq!(house.ask(again, &guess.packet())[0], busy);
    join_from(&mut house, MODULE, &v5("a").user("lamp").password("right"));
}

#[test]
fn passwords_can_not_be_guessed_at_full_speed() {
    let mut house = limited(|l| l.guesses_per_minute_max = 5);
    let hash = password::hash_chosen("right", &[1; 16]).unwrap();
    house.app.hashes.insert("ann".into(), hash);
    let mut checked = 0;
    for guess in 0..60 {
        let peer = house.open_from(Version::V5, FLOODER).unwrap();
        let guess = v5("a").user("ann").password(&guess.to_string());
        house.feed(peer, &guess.packet());
        while let Some(job) = house.core.poll_verify() {
            checked += 1;
            house
                .core
                .verified(job.conn, false, house.now, &mut house.app);
        }
        house.read(peer);
        house.wait_s(1);
    }
    assert_eq!(checked, 5 + 4, "a burst, and then one every twelve seconds");
    let ann = house.open_from(Version::V5, MODULE).unwrap();
    house.feed(ann, &v5("b").user("ann").password("right").packet());
    let job = house.core.poll_verify().expect("hers is looked at");
    let fits = password::verify(&job.hash, &job.password);
    house
        .core
        .verified(job.conn, fits, house.now, &mut house.app);
    assert!(matches!(house.read(ann)[0], Got::Connack { code: 0, .. }));
}

/// Whose connection each password that is checked came over, in the order in which they are; all are wrong.
fn checked(house: &mut House) -> Vec<ConnKey> {
    let mut order = Vec::new();
    while let Some(job) = house.core.poll_verify() {
        order.push(job.conn);
        house
            .core
            .verified(job.conn, false, house.now, &mut house.app);
    }
    order
}

#[test]
fn an_address_that_guesses_without_end_makes_another_wait_for_one_of_its_guesses() {
    let mut house = House::default();
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let guess = v5("a").user("ann").password("x").packet();
    let log_in = |house: &mut House, address| {
        let peer = house.open_from(Version::V5, address).unwrap();
        assert_eq!(house.ask(peer, &guess), []);
        peer
    };
    let mut flood: Vec<Peer> = (0..8).map(|_| log_in(&mut house, FLOODER)).collect();
    let at_worker = house.core.poll_verify().unwrap();
    assert_eq!(at_worker.conn, flood.remove(0).key);
    assert!(
        house.core.poll_verify().is_none(),
        "nothing lines up behind the one that the worker has"
    );
    let ann = log_in(&mut house, MODULE);
    let bob = log_in(&mut house, v6(7, 1));
    // In the same network, where nobody logged in from: one with the other.
    let beside_bob = log_in(&mut house, v6(7, 2));
    house
        .core
        .verified(at_worker.conn, false, house.now, &mut house.app);
    let order = checked(&mut house);
    let mut expected = vec![flood[0], ann, bob, flood[1], beside_bob];
    expected.extend(&flood[2..]);
    let expected: Vec<ConnKey> = expected.iter().map(|peer| peer.key).collect();
    assert_eq!(order, expected);
}

#[test]
fn addresses_that_fill_the_queue_of_passwords_make_room_for_one_that_has_none_there() {
    let mut house = limited(|l| l.verify_queue_max = 16);
    house.app.hashes.insert("ann".into(), "$argon2id$".into());
    let guess = v5("a").user("ann").password("x").packet();
    let mut flood = Vec::new();
    for network in [1, 2] {
        for _ in 0..8 {
            let peer = house.open_from(Version::V5, v6(network, 1)).unwrap();
            assert_eq!(house.ask(peer, &guess), []);
            flood.push(peer);
        }
    }
    let ann = house.open_from(Version::V5, MODULE).unwrap();
    assert_eq!(house.ask(ann, &guess), [], "she waits her turn");
    let busy = Got::Connack {
        present: false,
        code: 0x89,
    };
    let gave_way: Vec<Peer> = flood
        .iter()
        .copied()
        .filter(|p| !house.is_open(*p))
        .collect();
    assert_eq!(gave_way.len(), 1);
    assert_eq!(house.read(gave_way[0])[0], busy);
    assert_eq!(house.core.stats().refused_verifies, 1);
    // Whoever has as many there as anybody makes nobody give way.
    let more = house.open_from(Version::V5, v6(1, 1)).unwrap();
    assert_eq!(house.ask(more, &guess)[0], busy);
    let order = checked(&mut house);
    assert_eq!(order.len(), 16);
    assert_eq!(order[2], ann.key, "one of each of the others comes before");
}
