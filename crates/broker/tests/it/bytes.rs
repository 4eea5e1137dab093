//! Random and mutated bytes: nothing panics, and nothing is left behind once they are gone.

use crate::harness::*;
use broker::Version;
use proptest::{collection::vec, prelude::*, sample::Index};

/// A packet that makes sense, for one of the versions.
fn sensible(version: Version) -> impl Strategy<Value = Vec<u8>> {
    let topic = prop_oneof![Just("a"), Just("a/b"), Just("c/d/e"), Just("")];
    let filter = prop_oneof![
        Just("#"),
        Just("a/+"),
        Just("a"),
        Just("+/#"),
        Just("$share/g/a")
    ];
    let properties = prop_oneof![
        Just(vec![]),
        Just(vec![35, 0, 1]),
        Just(vec![2, 0, 0, 0, 1]),
        Just(vec![38, 0, 1, b'k', 0, 1, b'v']),
    ];
    let publish = (topic, 0_u8..3, any::<bool>(), 1_u16..5, properties).prop_map(
        move |(topic, qos, retain, id, properties)| {
            let mut send = message(topic, "x").qos(qos, id).properties(&properties);
            send.retain = retain;
            send.packet(version)
        },
    );
    let subscribe = (filter.clone(), 0_u8..3).prop_map(move |(filter, qos)| {
        let mut body = vec![0, 1];
        body.extend(vec![0; usize::from(version == Version::V5)]);
        body.extend(text(filter));
        body.push(qos);
        packet(0x82, &body)
    });
    let unsubscribe = filter.prop_map(move |filter| {
        let mut body = vec![0, 1];
        body.extend(vec![0; usize::from(version == Version::V5)]);
        body.extend(text(filter));
        packet(0xA2, &body)
    });
    let ack = (4_u8..8, 0_u8..6).prop_map(|(kind, id)| {
        let flags = if kind == 6 { 2 } else { 0 };
        vec![kind << 4 | flags, 2, 0, id]
    });
    prop_oneof![
        6 => publish,
        3 => subscribe,
        1 => unsubscribe,
        4 => ack,
        1 => Just(vec![0xC0, 0]),
        1 => Just(vec![0xE0, 0]),
    ]
}

/// What one client sends.
fn stream() -> impl Strategy<Value = (Version, Vec<u8>)> {
    prop_oneof![Just(Version::V3), Just(Version::V5)].prop_flat_map(|version| {
        let hello = (any::<bool>(), any::<bool>(), 0_u8..3).prop_map(move |(keeps, will, id)| {
            let id = format!("c{id}");
            let mut hello = if version == Version::V3 {
                v3(&id)
            } else {
                v5(&id)
            };
            if keeps {
                hello = hello.keeps_session();
            }
            if will {
                hello = hello.will("a/b", "will", 1, true).will_delay_s(3);
            }
            hello.packet()
        });
        let mutations = vec((any::<Index>(), any::<u8>()), 0..3);
        (hello, vec(sensible(version), 0..12), mutations).prop_map(
            move |(hello, packets, mutations)| {
                let mut bytes = hello;
                bytes.extend(packets.concat());
                for (index, byte) in mutations {
                    let at = index.index(bytes.len());
                    bytes[at] = byte;
                }
                (version, bytes)
            },
        )
    })
}

/// Feeds each stream over its own connection, in pieces that take turns.
fn check(streams: &[(Version, Vec<u8>)], pieces: &[(Index, u8)]) {
    let mut house = House::default();
    let peers: Vec<Peer> = streams
        .iter()
        .map(|(version, _)| house.open(*version))
        .collect();
    let mut rest: Vec<&[u8]> = streams.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    for (turn, len) in pieces {
        let ix = turn.index(peers.len());
        let (piece, later) = rest[ix].split_at(usize::from(*len).min(rest[ix].len()));
        rest[ix] = later;
        house.feed(peers[ix], piece);
        if len % 3 == 0 {
            take(&mut house, peers[ix]);
            house.wait_s(1);
        }
    }
    for (peer, bytes) in peers.iter().zip(rest) {
        house.feed(*peer, bytes);
        take(&mut house, *peer);
    }
    for peer in peers {
        house.drop_peer(peer);
    }
    house.wait_s(8 * 24 * 3_600);
    let stats = house.core.stats();
    assert_eq!(
        (
            stats.connections,
            stats.sessions,
            stats.subscriptions,
            stats.queued_bytes
        ),
        (0, 0, 0, 0)
    );
    // A retained message may expire in a hundred years; nothing else waits.
    assert!(stats.retained > 0 || house.core.next_deadline().is_none());
}

/// Takes what is there unread: a mutated CONNECT may be answered in the other version.
fn take(house: &mut House, peer: Peer) {
    let (_, close) = house.core.take_output(peer.key, house.now);
    if close {
        house.drop_peer(peer);
    }
}

proptest! {
    #[test]
    fn mutated_packets_never_panic_and_leave_nothing_behind(
        streams in vec(stream(), 1..4),
        pieces in vec((any::<Index>(), any::<u8>()), 0..20),
    ) {
        check(&streams, &pieces);
    }

    #[test]
    fn random_bytes_never_panic_and_leave_nothing_behind(
        first in any::<bool>(),
        bytes in vec(any::<u8>(), 0..300),
    ) {
        let mut stream = if first { v5("a").packet() } else { Vec::new() };
        stream.extend(bytes);
        check(&[(Version::V5, stream)], &[]);
    }

    #[test]
    fn random_bodies_of_every_packet_type_never_panic(
        version in prop_oneof![Just(Version::V3), Just(Version::V5)],
        first in any::<u8>(),
        body in vec(prop_oneof![3 => 0_u8..6, 1 => any::<u8>()], 0..40),
    ) {
        let mut stream = if version == Version::V5 { v5("a").packet() } else { v3("a").packet() };
        stream.extend(packet(first, &body));
        check(&[(version, stream), (version, packet(0x10, &body))], &[]);
    }
}
