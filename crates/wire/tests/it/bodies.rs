//! One vector for each kind, and each limit.

use wire::{
    Body, BodyError, Config, Event, Events, Fields, Kind, Ota, PublicKey, RoleId, Set, State, Value,
};

fn fields<'a>(of: &[(&'a str, Value<'a>)]) -> Fields<'a> {
    Fields::new(of).expect("eight names at most")
}

fn check(body: &Body<'_>, expected: &str) {
    let mut out = [0; wire::BODY_LEN_MAX];
    let len = body.encode(&mut out).expect("there is room");
    assert_eq!(crate::hex(&out[..len]), expected);
    assert_eq!(Body::decode(body.kind(), &out[..len]).as_ref(), Ok(body));
    for cut in 0..len {
        assert!(Body::decode(body.kind(), &out[..cut]).is_err(), "{cut}");
        assert_eq!(
            body.encode(&mut [0; 2_000][..cut]),
            Err(BodyError::Room),
            "{cut}"
        );
    }
    out[len] = 0;
    assert_eq!(
        Body::decode(body.kind(), &out[..=len]),
        Err(BodyError::Trailing)
    );
}

fn press(seq: u32) -> Event<'static> {
    let fields = fields(&[
        ("key", Value::Number(60.0)),
        ("velocity", Value::Number(87.0)),
    ]);
    Event {
        seq,
        role: RoleId(1),
        channel: 3,
        name: "press",
        fields,
        t_ms: 1_000,
    }
}

#[test]
fn each_kind_has_its_bytes() {
    check(&Body::Ack, "");
    check(&Body::Confirm, "");
    check(&Body::Rekey, "");
    let on = fields(&[
        ("on", Value::Bool(true)),
        ("brightness", Value::Number(40.0)),
    ]);
    let set = Set {
        rev: 7,
        role: RoleId(u32::MAX),
        channel: 0,
        command: None,
        fields: on,
        fade_ms: Some(8_000),
        for_ms: None,
    };
    check(
        &Body::Set(set),
        "87071affffffff00f6a2626f6ef56a6272696768746e6573731828191f40f6",
    );
    let beep = Set {
        command: Some("stop"),
        fields: fields(&[]),
        fade_ms: None,
        ..set
    };
    check(&Body::Set(beep), "87071affffffff006473746f70a0f6f6");
    let lux = fields(&[("lux", Value::Number(0.5)), ("mood", Value::Text("calm"))]);
    check(
        &Body::State(State {
            rev: 7,
            role: RoleId(0),
            channel: 63,
            fields: lux,
        }),
        "840700183fa2636c7578fa3f000000646d6f6f646463616c6d",
    );
    check(
        &Body::Config(Config {
            rev: 2,
            part: 0,
            parts: 1,
            bytes: &[1, 2],
        }),
        "84020001420102",
    );
    check(
        &Body::SyncEnd {
            config_rev: 2,
            sets: 300,
        },
        "820219012c",
    );
    check(&Body::Ping { nonce: 5 }, "8105");
    check(
        &Body::Pong {
            nonce: 5,
            uptime_ms: 1 << 32,
        },
        "82051b0000000100000000",
    );
    check(&Body::Bye { reason: 1 }, "8101");
    check(
        &Body::NewKey(PublicKey([9; 32])),
        &format!("815820{}", "09".repeat(32)),
    );
    let offer = Ota::Offer {
        version: 3,
        len: 9,
        hash: [1; 32],
        signature: [2; 64],
    };
    check(
        &Body::Ota(offer),
        &format!("850003095820{}5840{}", "01".repeat(32), "02".repeat(64)),
    );
    check(
        &Body::Ota(Ota::Want {
            offset: 1_024,
            len: 512,
        }),
        "8301190400190200",
    );
    check(
        &Body::Ota(Ota::Part {
            offset: 0,
            bytes: &[7],
        }),
        "8302004107",
    );
    check(&Body::Ota(Ota::Done { code: 0 }), "820300");
    check(
        &Body::Log {
            level: 2,
            t_ms: 9,
            text: "hot",
        },
        "83020963686f74",
    );
}

#[test]
fn an_event_body_holds_one_to_four_events() {
    let one = "8601010365707265737 3a2636b6579183c6876656c6f6369747918571903e8".replace(' ', "");
    let mut parts = [[0; wire::EVENT_LEN_MAX]; 5];
    let lens: Vec<usize> = (1..)
        .zip(&mut parts)
        .map(|(seq, out)| press(seq).encode(out).expect("it fits"))
        .collect();
    assert_eq!(crate::hex(&parts[0][..lens[0]]), one);
    for count in 1..=4_usize {
        let mut out = [0; wire::BODY_LEN_MAX];
        let events = parts[..count]
            .iter()
            .zip(&lens)
            .map(|(part, len)| &part[..*len]);
        let len = Events::join(events, &mut out).expect("there is room");
        let Ok(Body::Event(events)) = Body::decode(Kind::Event, &out[..len]) else {
            panic!("{}", crate::hex(&out[..len]));
        };
        let all: Vec<Event<'_>> = events.iter().collect();
        assert_eq!(all, (1..=count as u32).map(press).collect::<Vec<_>>());
        check(&Body::Event(events), &crate::hex(&out[..len]));
    }
    let five = parts.iter().map(|part| &part[..lens[0]]);
    assert!(Events::join(five, &mut [0; 1_000]).is_err());
    assert!(Events::join([].into_iter(), &mut [0; 1_000]).is_err());
    assert!(Body::decode(Kind::Event, &[0x80]).is_err());
}

#[test]
fn four_of_the_largest_events_fit_into_a_frame() {
    const { assert!(wire::EVENTS_MAX * wire::EVENT_LEN_MAX < wire::BODY_LEN_MAX) };
}

#[test]
fn numbers_keep_their_value() {
    for number in [0.0, -1.0, 1.5, 0.1, 21.3, 9_007_199_254_740_992.0, -1e300] {
        let state = State {
            rev: 0,
            role: RoleId(0),
            channel: 0,
            fields: fields(&[("n", Value::Number(number))]),
        };
        let mut out = [0; 64];
        let len = Body::State(state).encode(&mut out).expect("there is room");
        assert_eq!(
            Body::decode(Kind::State, &out[..len]),
            Ok(Body::State(state))
        );
    }
}

#[test]
fn what_is_beyond_a_limit_is_refused() {
    let refused = |kind, text: &str| {
        let bytes = crate::unhex(text);
        let found = Body::decode(kind, &bytes);
        assert!(found.is_err(), "{text}: {found:?}");
    };
    // Channel 64, a name in capitals, the same name twice, nine fields, NaN, infinity, 2^53 + 1.
    refused(Kind::State, "8400001840a0");
    refused(Kind::State, "84000000a1614101");
    refused(Kind::State, "84000000a2616101616102");
    let nine: String = (b'a'..=b'i')
        .map(|name| format!("61{name:02x}01"))
        .collect();
    refused(Kind::State, &format!("84000000a9{nine}"));
    refused(Kind::State, "84000000a16161f97e00");
    refused(Kind::State, "84000000a16161fb7ff0000000000000");
    refused(Kind::State, "84000000a161611b0020000000000001");
    // A text of 65 bytes, a map without length, a rev and a role beyond 32 bits, an array of another length.
    refused(
        Kind::State,
        &format!("84000000a161617841{}", "78".repeat(65)),
    );
    refused(Kind::State, "84000000bf616101ff");
    refused(Kind::State, "841b00000001000000000000a0");
    refused(Kind::State, "83000000");
    refused(Kind::State, "9f000000a0ff");
    refused(Kind::State, "84001b000000010000000000a0");
    // Part 1 of 1, 17 parts, a key of 31 bytes, a log line of 257, a step that there is not.
    refused(Kind::Config, "8402010140");
    refused(Kind::Config, "8402001140");
    refused(Kind::NewKey, &format!("81581f{}", "00".repeat(31)));
    refused(Kind::Log, &format!("830100790101{}", "78".repeat(257)));
    refused(Kind::Ota, "820400");
    refused(Kind::Ack, "00");
    assert_eq!(Body::decode(Kind::Unknown(99), &[]), Err(BodyError::Kind));
    let name = "x".repeat(33);
    assert_eq!(
        Fields::new(&[(&name, Value::Bool(true))]),
        Err(BodyError::Name)
    );
}
