//! 10,000 random and 10,000 damaged inputs for each parser: none panics, and what is read is written again.

use proptest::prelude::Rng;
use proptest::test_runner::{RngAlgorithm, TestRng};
use wire::{Body, Frame, Handle, Identity, Kind, Net, Plain, Role, Site, Topic, Transport, Will};

fn rng() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

/// Random bytes, then sound ones with a few bytes changed and perhaps cut.
fn check(sound: &[Vec<u8>], mut parse: impl FnMut(&[u8])) {
    let mut rng = rng();
    let below = |rng: &mut TestRng, end: usize| rng.next_u64() as usize % end.max(1);
    for _ in 0..10_000 {
        let len = below(&mut rng, 1_300);
        let mut bytes = vec![0; len];
        rng.fill_bytes(&mut bytes);
        parse(&bytes);
    }
    for turn in 0..10_000 {
        let mut bytes = sound[turn % sound.len()].clone();
        for _ in 0..=below(&mut rng, 4) {
            if !bytes.is_empty() {
                let at = below(&mut rng, bytes.len());
                bytes[at] = rng.next_u64() as u8;
            }
        }
        if turn % 3 == 0 {
            let len = below(&mut rng, bytes.len() + 1);
            bytes.truncate(len);
        }
        parse(&bytes);
    }
}

#[test]
fn no_bytes_make_the_frame_parser_panic() {
    let sound = [(0x11, 168), (0x12, 108), (0x13, 60), (0x14, 64), (0x15, 22)];
    let sound = sound.map(|(first, len)| {
        let mut bytes = vec![0; len];
        bytes[0] = first;
        bytes[1] = u8::from(first < 0x13);
        bytes
    });
    check(&sound, |bytes| {
        if let Ok(frame) = Frame::decode(bytes) {
            let mut out = [0; wire::FRAME_LEN_MAX];
            let len = frame.encode(&mut out).expect("it came in one");
            assert_eq!(&out[..len], bytes);
        }
        let _ = (Will::decode(bytes), Plain::decode(bytes));
    });
}

#[test]
fn no_bytes_make_a_parser_of_records_panic() {
    let net = Net {
        host: "h",
        port: 1,
        transport: Transport::Udp,
        ..Net::default()
    };
    let mut out = [0; 64];
    let len = net.encode(&mut out).expect("there is room");
    let identity = include_bytes!("../identity.bin").to_vec();
    check(&[out[..len].to_vec(), identity], |bytes| {
        let _ = (Identity::decode(bytes), Net::decode(bytes));
        let text = String::from_utf8_lossy(bytes);
        let _ = (Handle::parse(&text), Topic::parse(&text, Site([0; 8])));
    });
}

#[test]
fn no_bytes_make_the_body_parser_panic() {
    let sound = [
        "8186010103657072657373a2636b6579183c6876656c6f6369747918571903e8",
        "87071affffffff00f6a2626f6ef56a6272696768746e6573731828191f40f6",
        "840700183fa2636c7578fa3f000000646d6f6f646463616c6d",
        "84020001420102",
        "82051b0000000100000000",
        "83020963686f74",
        "8302004107",
    ];
    check(&sound.map(crate::unhex), |bytes| {
        for kind in 0..16 {
            if let Ok(body) = Body::decode(Kind::from(kind), bytes) {
                let mut out = [0; wire::BODY_LEN_MAX];
                let len = body.encode(&mut out).expect("it came in one frame");
                let again = Body::decode(Kind::from(kind), &out[..len]);
                assert_eq!(again.as_ref(), Ok(&body));
                if let Body::Event(events) = body {
                    assert!((1..=4).contains(&events.iter().count()));
                }
            }
        }
    });
}

#[test]
fn no_bytes_make_the_role_parser_panic() {
    let sound = [
        "8301a200820607018219012df6838208a4070516820102178103181818248201a30101040409fa402000008209a0",
        "8301a0818201a2040405f5",
        "8301a082820da2021903e8181a1823820aa104190100",
    ];
    check(&sound.map(crate::unhex), |bytes| {
        if let Ok(role) = Role::decode(bytes) {
            let channels: Vec<_> = role.channels().collect();
            assert_eq!(channels.len(), usize::from(role.len()));
            let mut out = [0; wire::ROLE_LEN_MAX];
            let len = Role::encode(&role.buses(), &channels, &mut out).expect("it came in one");
            let again = Role::decode(&out[..len]).expect("it was written");
            assert_eq!(again.channels().collect::<Vec<_>>(), channels);
        }
    });
}
