//! What a broker must close a connection for: each such statement of both specifications by its number, with a client that
//! breaks it, in the core and through a real socket. One that has several sides stands here once for each.
//!
//! Elsewhere: `wire::` and `tcp::websocket` for MQTT-6.0.0-1 of both (a WebSocket frame that is not binary), `malformed::` for
//! more bytes that fall under MQTT-4.8.0-1 of 3.1.1 and MQTT-4.13.1-1 of 5, `hostile::` and `limits::` for limits of our own.
//! Nowhere: MQTT-3.1.3-9 and MQTT-3.2.2-6 of 3.1.1 and MQTT-3.1.3-8 of 5, since no client id and no CONNECT is refused for which
//! there is no other reason, and MQTT-4.8.0-2, since what fails for a moment here is answered later.

use std::collections::BTreeMap;

use broker::Version;

use crate::harness::*;

/// A client that breaks one statement.
struct Breach {
    /// Its number, without `MQTT-`.
    of: &'static str,
    what: &'static str,
    version: Version,
    /// It is let in before, with a keep-alive of so many seconds; `None`: these are its first bytes.
    joins: Option<u16>,
    bytes: Vec<u8>,
    /// Seconds of silence afterwards.
    waits_s: u64,
    end: End,
}

/// What the client is told before its connection is closed.
#[derive(Clone, Copy, Debug)]
enum End {
    Nothing,
    /// A CONNACK with this code.
    Refused(u8),
    /// A DISCONNECT with this reason.
    Told(u8),
}

/// Bytes of a client that was let in.
fn within(
    version: Version,
    of: &'static str,
    what: &'static str,
    bytes: &[u8],
    end: End,
) -> Breach {
    Breach {
        of,
        what,
        version,
        joins: Some(0),
        bytes: bytes.to_vec(),
        waits_s: 0,
        end,
    }
}

/// A client's first bytes.
fn first(version: Version, of: &'static str, what: &'static str, bytes: &[u8], end: End) -> Breach {
    Breach {
        joins: None,
        ..within(version, of, what, bytes, end)
    }
}

/// A CONNECT with this level, these flags and what follows the keep-alive.
fn connect(name: &str, level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let mut body = text(name);
    body.extend_from_slice(&[level, flags, 0, 0]);
    body.extend_from_slice(rest);
    packet(0x10, &body)
}

#[rustfmt::skip] // A table: one line for each.
fn of_3_1_1() -> Vec<Breach> {
    use End::{Nothing, Refused};
    let v = Version::V3;
    let id = [0, 1, b'a'];
    let mut after_refusal = connect("MQTT", 3, 2, &id);
    after_refusal.extend(message("after", "x").packet(v));
    vec![
        within(v, "1.5.3-1", "ill-formed UTF-8", &[0x30, 4, 0, 1, 0xC3, 0], Nothing),
        within(v, "1.5.3-1", "a surrogate", &[0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0], Nothing),
        first(v, "1.5.3-1", "in a client id", &connect("MQTT", 4, 2, &[0, 1, 0xFF]), Nothing),
        within(v, "1.5.3-2", "U+0000", &[0x30, 4, 0, 1, 0, 0], Nothing),
        within(v, "2.2.2-2", "flags of PINGREQ", &[0xC1, 0], Nothing),
        within(v, "2.2.2-2", "flags of PUBACK", &[0x42, 2, 0, 1], Nothing),
        within(v, "2.3.1-1", "packet id 0", &[0x32, 6, 0, 1, b't', 0, 0, 0], Nothing),
        first(v, "3.1.0-1", "PINGREQ comes first", &[0xC0, 0], Nothing),
        within(v, "3.1.0-2", "a second CONNECT", &v3("a").packet(), Nothing),
        first(v, "3.1.2-2", "level 3", &connect("MQTT", 3, 2, &id), Refused(1)),
        first(v, "3.1.2-3", "the reserved flag", &connect("MQTT", 4, 3, &id), Nothing),
        first(v, "3.1.2-14", "a will of QoS 3", &connect("MQTT", 4, 0x1E, b"\0\x01a\0\x01t\0\x01p"), Nothing),
        first(v, "3.1.2-22", "a password and no user", &connect("MQTT", 4, 0x42, b"\0\x01a\0\x01p"), Nothing),
        Breach { joins: Some(10), waits_s: 15, ..within(v, "3.1.2-24", "silence of one and a half keep-alives", &[], Nothing) },
        first(v, "3.1.3-8", "no client id in a session that is to last", &connect("MQTT", 4, 0, &[0, 0]), Refused(2)),
        first(v, "3.1.4-1", "a CONNECT that ends too early", &connect("MQTT", 4, 0x82, &id), Nothing),
        first(v, "3.1.4-5", "what follows a refused CONNECT", &after_refusal, Refused(1)),
        first(v, "3.2.2-5", "a CONNACK that refuses", &connect("MQIsdp", 3, 2, &id), Refused(1)),
        within(v, "3.3.1-4", "QoS 3", &[0x36, 5, 0, 1, b't', 0, 1], Nothing),
        within(v, "3.3.2-2", "a wildcard in a topic", &[0x30, 4, 0, 1, b'+', 0], Nothing),
        within(v, "3.6.1-1", "flags of PUBREL", &[0x60, 2, 0, 1], Nothing),
        within(v, "3.8.1-1", "flags of SUBSCRIBE", &[0x80, 6, 0, 1, 0, 1, b't', 0], Nothing),
        within(v, "3.8.3-3", "SUBSCRIBE without filters", &[0x82, 2, 0, 1], Nothing),
        within(v, "3.8.3-4", "subscribe QoS 3", &[0x82, 6, 0, 1, 0, 1, b't', 3], Nothing),
        within(v, "3.8.3-4", "reserved bits of a filter", &[0x82, 6, 0, 1, 0, 1, b't', 4], Nothing),
        within(v, "3.10.1-1", "flags of UNSUBSCRIBE", &[0xA0, 5, 0, 1, 0, 1, b't'], Nothing),
        within(v, "3.10.3-2", "UNSUBSCRIBE without filters", &[0xA2, 2, 0, 1], Nothing),
        within(v, "3.14.1-1", "flags of DISCONNECT", &[0xE1, 0], Nothing),
        within(v, "4.8.0-1", "SUBACK from a client", &[0x90, 3, 0, 1, 0], Nothing),
    ]
}

#[rustfmt::skip] // A table: one line for each.
fn of_5() -> Vec<Breach> {
    use End::{Nothing, Refused, Told};
    let v = Version::V5;
    let id = [0, 0, 1, b'a'];
    let scram = [&[8, 21][..], &text("SCRAM"), &[0, 1, b'a']].concat();
    vec![
        within(v, "1.5.4-1", "ill-formed UTF-8", &[0x30, 5, 0, 1, 0xC3, 0, 0], Told(0x81)),
        within(v, "1.5.4-1", "a surrogate", &[0x30, 6, 0, 3, 0xED, 0xA0, 0x80, 0], Told(0x81)),
        within(v, "1.5.4-2", "U+0000", &[0x30, 4, 0, 1, 0, 0], Told(0x81)),
        within(v, "2.1.3-1", "flags of PINGREQ", &[0xC1, 0], Told(0x81)),
        within(v, "2.1.3-1", "flags of PUBACK", &[0x42, 2, 0, 1], Told(0x81)),
        within(v, "2.2.1-3", "packet id 0", &[0x32, 7, 0, 1, b't', 0, 0, 0, 0], Told(0x82)),
        first(v, "3.1.0-1", "PINGREQ comes first", &[0xC0, 0], Nothing),
        within(v, "3.1.0-2", "a second CONNECT", &v5("a").packet(), Told(0x82)),
        first(v, "3.1.2-1", "another protocol", &connect("HTTP", 5, 2, &id), Nothing),
        first(v, "3.1.2-2", "version 6", &connect("MQTT", 6, 2, &id), Refused(0x84)),
        first(v, "3.1.2-3", "the reserved flag", &connect("MQTT", 5, 3, &id), Nothing),
        first(v, "3.1.2-12", "a will of QoS 3", &connect("MQTT", 5, 0x1E, b"\0\0\x01a\0\0\x01t\0\x01p"), Nothing),
        Breach { joins: Some(10), waits_s: 15, ..within(v, "3.1.2-22", "silence of one and a half keep-alives", &[], Told(0x8D)) },
        first(v, "3.1.4-1", "a CONNECT that ends too early", &connect("MQTT", 5, 0x82, &id), Nothing),
        first(v, "3.2.2-7", "a CONNACK that refuses", &connect("MQTT", 9, 2, &id), Refused(0x84)),
        within(v, "3.3.1-4", "QoS 3", &[0x36, 6, 0, 1, b't', 0, 1, 0], Told(0x81)),
        within(v, "3.3.2-2", "a wildcard in a topic", &[0x30, 4, 0, 1, b'+', 0], Told(0x81)),
        within(v, "3.3.2-8", "topic alias 0", &[0x30, 7, 0, 1, b't', 3, 35, 0, 0], Told(0x94)),
        within(v, "3.3.2-14", "a wildcard to respond to", &[0x30, 8, 0, 1, b't', 4, 8, 0, 1, b'#'], Told(0x82)),
        within(v, "3.3.4-6", "a subscription identifier from a client", &[0x30, 6, 0, 1, b't', 2, 11, 1], Told(0x82)),
        within(v, "3.6.1-1", "flags of PUBREL", &[0x60, 2, 0, 1], Told(0x81)),
        within(v, "3.8.1-1", "flags of SUBSCRIBE", &[0x80, 7, 0, 1, 0, 0, 1, b't', 0], Told(0x81)),
        within(v, "3.8.3-2", "SUBSCRIBE without filters", &[0x82, 3, 0, 1, 0], Told(0x82)),
        within(v, "3.8.3-4", "no local on a shared subscription", &packet(0x82, &[&[0, 1, 0][..], &text("$share/g/t"), &[4]].concat()), Told(0x82)),
        within(v, "3.8.3-5", "reserved bits of a filter", &[0x82, 7, 0, 1, 0, 0, 1, b't', 0x40], Told(0x82)),
        within(v, "3.10.1-1", "flags of UNSUBSCRIBE", &[0xA0, 6, 0, 1, 0, 0, 1, b't'], Told(0x81)),
        within(v, "3.10.3-2", "UNSUBSCRIBE without filters", &[0xA2, 3, 0, 1, 0], Told(0x82)),
        within(v, "3.14.1-1", "flags of DISCONNECT", &[0xE1, 0], Told(0x81)),
        within(v, "3.15.1-1", "flags of AUTH", &[0xF1, 0], Told(0x81)),
        first(v, "4.12.0-1", "a way to log in that we don't have", &connect("MQTT", 5, 2, &scram), Refused(0x8C)),
        within(v, "4.13.1-1", "properties longer than their packet", &[0x30, 4, 0, 1, b't', 9], Told(0x81)),
        within(v, "4.13.1-1", "AUTH out of the blue", &[0xF0, 0], Told(0x82)),
        within(v, "4.13.2-1", "SUBACK from a client", &[0x90, 4, 0, 1, 0, 0], Told(0x82)),
    ]
}

impl Breach {
    fn name(&self) -> String {
        format!("{:?}, MQTT-{}: {}", self.version, self.of, self.what)
    }

    fn hello(&self) -> Option<Hello> {
        let keep_alive_s = self.joins?;
        let hello = match self.version {
            Version::V3 => v3("a"),
            Version::V5 => v5("a"),
        };
        Some(hello.keep_alive_s(keep_alive_s))
    }

    fn check(&self, got: &[Got]) {
        let name = self.name();
        assert_eq!(got.last(), Some(&Got::Closed), "{name}: {got:?}");
        let before = &got[..got.len() - 1];
        match (self.end, before) {
            (End::Nothing, []) => {}
            (End::Told(reason), [Got::Disconnect(told)]) if *told == reason => {}
            (End::Refused(code), [Got::Connack { code: told, .. }]) if *told == code => {}
            (end, _) => panic!("{name}: {end:?} was expected, {got:?} came"),
        }
    }
}

#[test]
fn each_statement_that_must_close_closes() {
    for breach in of_3_1_1().into_iter().chain(of_5()) {
        let mut house = House::default();
        let peer = match breach.hello() {
            Some(hello) => house.join(&hello),
            None => house.open(breach.version),
        };
        let mut got = house.ask(peer, &breach.bytes);
        if breach.waits_s > 0 {
            assert_eq!(got, [], "{}", breach.name());
            house.wait_s(breach.waits_s);
            got = house.read(peer);
        }
        breach.check(&got);
        assert!(!house.is_open(peer), "{}", breach.name());
        let log = house.log();
        assert!(
            !log.iter().any(|line| line.starts_with("publish")),
            "{}: {log:?}",
            breach.name()
        );
    }
}

#[test]
fn the_connection_that_another_takes_over_is_closed() {
    // MQTT-3.1.4-2 of 3.1.1, MQTT-3.1.4-3 of 5.
    for (hello, told) in [(v3("a"), vec![]), (v5("a"), vec![Got::Disconnect(0x8E)])] {
        let mut house = House::default();
        let old = house.join(&hello);
        let new = house.join(&hello);
        assert_eq!(house.read(old), [told, vec![Got::Closed]].concat());
        assert_eq!(house.ask(new, &[0xC0, 0]), [Got::Pong]);
    }
}

#[test]
fn each_closes_a_real_socket_too() {
    crate::wire::with_broker(broker::Limits::default(), |wire| async move {
        for breach in of_3_1_1().into_iter().chain(of_5()) {
            if breach.waits_s > 0 {
                continue;
            }
            let mut stream = wire.connect().await;
            if let Some(hello) = breach.hello() {
                tokio::io::AsyncWriteExt::write_all(&mut stream, &hello.packet())
                    .await
                    .unwrap();
                let got = crate::wire::read_packets(&mut stream, breach.version, 1).await;
                assert!(
                    matches!(got[..], [Got::Connack { code: 0, .. }]),
                    "{}: {got:?}",
                    breach.name()
                );
            }
            tokio::io::AsyncWriteExt::write_all(&mut stream, &breach.bytes)
                .await
                .unwrap();
            // Ends with the connection, or with this test's patience.
            let mut got = crate::wire::read_packets(&mut stream, breach.version, usize::MAX).await;
            got.push(Got::Closed);
            breach.check(&got);
        }
    });
}

#[test]
fn statements_stand_in_their_order_and_none_twice_with_the_same_words() {
    for breaches in [of_3_1_1(), of_5()] {
        let number = |of: &str| -> Vec<u32> {
            let parts = of.split(['.', '-']);
            parts.map(|part| part.parse().unwrap()).collect()
        };
        let places: Vec<_> = breaches.iter().map(|breach| number(breach.of)).collect();
        assert!(places.is_sorted(), "{places:?}");
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for breach in &breaches {
            *count.entry(breach.name()).or_default() += 1;
        }
        assert!(count.values().all(|count| *count == 1), "{count:?}");
    }
}
