//! Packets that no client may send, beyond one for each statement of the specifications (those stand in `closes`), and nothing of
//! what follows them is looked at.

use crate::harness::*;
use broker::Version;

/// A CONNECT's body with these fields.
fn connect_body(name: &str, level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = text(name);
    body.extend_from_slice(&[level, flags, 0, 0]);
    body.extend_from_slice(rest);
    body
}

#[test]
fn a_wrong_first_packet_closes_the_connection_without_a_word() {
    let id3 = [0, 1, b'a'];
    let id5 = [0, 0, 1, b'a'];
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not a CONNECT", message("t", "x").packet(Version::V3)),
        ("PINGREQ first", vec![0xC0, 0]),
        ("flags on CONNECT", {
            let mut p = v3("a").packet();
            p[0] = 0x11;
            p
        }),
        (
            "a foreign protocol",
            packet(0x10, &connect_body("HTTP", 4, 2, &id3)),
        ),
        ("GET / HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        (
            "reserved connect flag",
            packet(0x10, &connect_body("MQTT", 4, 3, &id3)),
        ),
        (
            "reserved connect flag in 5",
            packet(0x10, &connect_body("MQTT", 5, 3, &id5)),
        ),
        (
            "will QoS without will",
            packet(0x10, &connect_body("MQTT", 4, 0x0A, &id3)),
        ),
        (
            "will retain without will",
            packet(0x10, &connect_body("MQTT", 4, 0x22, &id3)),
        ),
        (
            "will QoS 3",
            packet(
                0x10,
                &connect_body("MQTT", 4, 0x1E, b"\0\x01a\0\x01t\0\x01p"),
            ),
        ),
        (
            "user flag without user",
            packet(0x10, &connect_body("MQTT", 4, 0x82, &id3)),
        ),
        (
            "password without user",
            packet(0x10, &connect_body("MQTT", 4, 0x42, b"\0\x01a\0\x01p")),
        ),
        (
            "bytes after the end",
            packet(0x10, &connect_body("MQTT", 4, 2, b"\0\x01ax")),
        ),
        (
            "no client id",
            packet(0x10, &connect_body("MQTT", 4, 2, &[])),
        ),
        (
            "client id is not UTF-8",
            packet(0x10, &connect_body("MQTT", 4, 2, &[0, 1, 0xFF])),
        ),
        (
            "client id holds U+0000",
            packet(0x10, &connect_body("MQTT", 4, 2, &[0, 1, 0])),
        ),
        (
            "wildcard in the will's topic",
            v3("a").will("a/#", "", 0, false).packet(),
        ),
        (
            "a property twice",
            packet(
                0x10,
                &connect_body("MQTT", 5, 2, b"\x0A\x11\0\0\0\x01\x11\0\0\0\x01\0\x01a"),
            ),
        ),
        (
            "a property that isn't for CONNECT",
            packet(0x10, &connect_body("MQTT", 5, 2, b"\x03\x23\0\x01\0\x01a")),
        ),
        (
            "receive maximum 0",
            packet(0x10, &connect_body("MQTT", 5, 2, b"\x03\x21\0\0\0\x01a")),
        ),
        (
            "packet size 0",
            packet(
                0x10,
                &connect_body("MQTT", 5, 2, b"\x05\x27\0\0\0\0\0\x01a"),
            ),
        ),
        (
            "authentication data alone",
            packet(0x10, &connect_body("MQTT", 5, 2, b"\x04\x16\0\x01x\0\x01a")),
        ),
        (
            "a length of five bytes",
            vec![0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0],
        ),
        ("an empty CONNECT", vec![0x10, 0]),
    ];
    for (name, bytes) in cases {
        let mut house = House::default();
        let peer = house.open(Version::V3);
        assert_eq!(house.ask(peer, &bytes), [Got::Closed], "{name}");
        let stats = house.core.stats();
        assert_eq!((stats.connections, stats.sessions), (0, 0), "{name}");
        assert_eq!(stats.protocol_errors, 1, "{name}");
    }
}

/// Packets that no connected client of either version may send, with the reason that 5 is given.
fn common() -> Vec<(&'static str, Vec<u8>, u8)> {
    vec![
        ("packet type 0", vec![0, 0], 0x82),
        ("CONNACK", vec![0x20, 2, 0, 0], 0x82),
        ("SUBACK", vec![0x90, 3, 0, 1, 0], 0x82),
        ("UNSUBACK", vec![0xB0, 2, 0, 1], 0x82),
        ("PINGRESP", vec![0xD0, 0], 0x82),
        ("AUTH", vec![0xF0, 0], 0x82),
        ("PINGREQ with flags", vec![0xC1, 0], 0x81),
        ("PINGREQ with a body", vec![0xC0, 1, 0], 0x81),
        ("QoS 3", vec![0x36, 5, 0, 1, b't', 0, 1], 0x81),
        ("dup at QoS 0", vec![0x38, 4, 0, 1, b't', 0], 0x81),
        (
            "a topic that is longer than the packet",
            vec![0x30, 3, 0, 9, b't'],
            0x81,
        ),
        ("a PUBLISH without a topic", vec![0x30, 0], 0x81),
        (
            "a topic that is not UTF-8",
            vec![0x30, 4, 0, 1, 0xC3, 0],
            0x81,
        ),
        (
            "a surrogate in the topic",
            vec![0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0],
            0x81,
        ),
        ("a topic with U+0000", vec![0x30, 4, 0, 1, 0, 0], 0x81),
        (
            "a wildcard in the topic",
            vec![0x30, 4, 0, 1, b'+', 0],
            0x81,
        ),
        ("packet id 0", vec![0x32, 6, 0, 1, b't', 0, 0, 0], 0x82),
        (
            "a PUBLISH that ends in its packet id",
            vec![0x32, 4, 0, 1, b't', 0],
            0x81,
        ),
        ("PUBACK without an id", vec![0x40, 0], 0x81),
        ("PUBACK with id 0", vec![0x40, 2, 0, 0], 0x82),
        ("PUBACK with flags", vec![0x42, 2, 0, 1], 0x81),
        ("PUBREC with flags", vec![0x51, 2, 0, 1], 0x81),
        ("PUBREL without its flags", vec![0x60, 2, 0, 1], 0x81),
        ("PUBCOMP with flags", vec![0x72, 2, 0, 1], 0x81),
        (
            "SUBSCRIBE without its flags",
            vec![0x80, 7, 0, 1, 0, 0, 1, b't', 0],
            0x81,
        ),
        (
            "UNSUBSCRIBE without its flags",
            vec![0xA0, 6, 0, 1, 0, 0, 1, b't'],
            0x81,
        ),
        ("DISCONNECT with flags", vec![0xE1, 0], 0x81),
        (
            "a length of five bytes",
            vec![0x30, 0x80, 0x80, 0x80, 0x80, 1],
            0x81,
        ),
    ]
}

/// And those of one version.
fn of_version(version: Version) -> Vec<(&'static str, Vec<u8>, u8)> {
    let sub = |rest: &[u8]| packet(0x82, rest);
    match version {
        Version::V3 => vec![
            ("an empty topic", vec![0x30, 2, 0, 0], 0),
            ("a second CONNECT", v3("a").packet(), 0),
            ("SUBSCRIBE without filters", sub(&[0, 1]), 0),
            ("SUBSCRIBE with id 0", sub(&[0, 0, 0, 1, b't', 0]), 0),
            ("an empty filter", sub(&[0, 1, 0, 0, 0]), 0),
            ("a filter with U+0000", sub(&[0, 1, 0, 1, 0, 0]), 0),
            ("subscribe QoS 3", sub(&[0, 1, 0, 1, b't', 3]), 0),
            ("reserved subscribe bits", sub(&[0, 1, 0, 1, b't', 4]), 0),
            ("a filter without its QoS", sub(&[0, 1, 0, 1, b't']), 0),
            ("UNSUBSCRIBE without filters", packet(0xA2, &[0, 1]), 0),
            (
                "UNSUBSCRIBE with id 0",
                packet(0xA2, &[0, 0, 0, 1, b't']),
                0,
            ),
            ("PUBACK with a reason", vec![0x40, 3, 0, 1, 0], 0),
            ("DISCONNECT with a body", vec![0xE0, 1, 0], 0),
        ],
        Version::V5 => vec![
            ("an empty topic without alias", vec![0x30, 3, 0, 0, 0], 0x82),
            ("a second CONNECT", v5("a").packet(), 0x82),
            (
                "properties longer than the packet",
                vec![0x30, 4, 0, 1, b't', 9],
                0x81,
            ),
            (
                "an unknown property",
                vec![0x30, 6, 0, 1, b't', 2, 99, 0],
                0x81,
            ),
            (
                "a property twice",
                vec![0x30, 8, 0, 1, b't', 4, 1, 0, 1, 0],
                0x82,
            ),
            (
                "a subscription identifier",
                vec![0x30, 6, 0, 1, b't', 2, 11, 1],
                0x82,
            ),
            ("payload format 2", vec![0x30, 6, 0, 1, b't', 2, 1, 2], 0x82),
            (
                "a wildcard to respond to",
                vec![0x30, 8, 0, 1, b't', 4, 8, 0, 1, b'#'],
                0x82,
            ),
            ("alias 0", vec![0x30, 7, 0, 1, b't', 3, 35, 0, 0], 0x94),
            ("SUBSCRIBE without filters", sub(&[0, 1, 0]), 0x82),
            ("SUBSCRIBE with id 0", sub(&[0, 0, 0, 0, 1, b't', 0]), 0x81),
            (
                "subscription identifier 0",
                sub(&[0, 1, 2, 11, 0, 0, 1, b't', 0]),
                0x82,
            ),
            (
                "two subscription identifiers",
                sub(&[0, 1, 4, 11, 1, 11, 2, 0, 1, b't', 0]),
                0x82,
            ),
            (
                "reserved subscribe bits",
                sub(&[0, 1, 0, 0, 1, b't', 0x40]),
                0x82,
            ),
            ("retain handling 3", sub(&[0, 1, 0, 0, 1, b't', 0x30]), 0x82),
            ("an empty filter", sub(&[0, 1, 0, 0, 0, 0]), 0x81),
            ("PUBACK that goes on", vec![0x40, 5, 0, 1, 0, 0, 0], 0x81),
            (
                "PUBACK with a reason of PUBREL",
                vec![0x40, 3, 0, 1, 0x92],
                0x82,
            ),
            (
                "PUBREC with an unknown reason",
                vec![0x50, 3, 0, 1, 0x01],
                0x82,
            ),
            (
                "PUBREL with a reason of PUBACK",
                vec![0x62, 3, 0, 1, 0x80],
                0x82,
            ),
            (
                "PUBCOMP with an unknown reason",
                vec![0x70, 3, 0, 1, 0xFF],
                0x82,
            ),
            (
                "DISCONNECT with an unknown reason",
                vec![0xE0, 1, 0x55],
                0x81,
            ),
            ("DISCONNECT that goes on", vec![0xE0, 3, 0, 0, 0], 0x81),
        ],
    }
}

#[test]
fn malformed_packets_end_the_connection_with_their_reason() {
    for version in [Version::V3, Version::V5] {
        for (name, bytes, reason) in common().into_iter().chain(of_version(version)) {
            let mut house = House::default();
            let hello = if version == Version::V3 {
                v3("a")
            } else {
                v5("a")
            };
            let peer = house.join(&hello);
            // What comes after it is not looked at.
            let mut bytes = bytes;
            bytes.extend(message("after", "x").packet(version));
            let got = house.ask(peer, &bytes);
            let expected = match version {
                Version::V3 => vec![Got::Closed],
                Version::V5 => vec![Got::Disconnect(reason), Got::Closed],
            };
            assert_eq!(got, expected, "{version:?}: {name}");
            let log = house.log();
            assert!(
                !log.iter().any(|line| line.starts_with("publish")),
                "{name}: {log:?}"
            );
            assert!(
                log.last()
                    .unwrap()
                    .starts_with("disconnected anyone/a Protocol"),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_is_read_after_a_goodbye() {
    let mut house = House::default();
    let peer = house.join(&v3("a"));
    let mut bytes = vec![0xE0, 0];
    bytes.extend(message("after", "x").packet(Version::V3));
    assert_eq!(house.ask(peer, &bytes), [Got::Closed]);
    assert_eq!(
        house.log().last().unwrap(),
        "disconnected anyone/a Clean siblings 0"
    );
}
