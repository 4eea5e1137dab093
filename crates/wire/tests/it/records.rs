//! What lies in flash, and names on MQTT.

use wire::{
    Handle, Identity, IdentityError, Net, NetError, PublicKey, Secret, Site, Topic, Transport, Wifi,
};

fn identity() -> Identity {
    Identity {
        flags: 0,
        device_secret: Secret::new([0xA1; 32]),
        device_public: PublicKey([2; 32]),
        dispatcher: PublicKey([3; 32]),
        dispatcher_next: None,
        psk: Secret::new([0xA5; 32]),
        site: Site([6; 8]),
        seed: Secret::new([0xA7; 32]),
        ota_key: PublicKey([8; 32]),
    }
}

#[test]
fn an_identity_is_read_as_it_was_written() {
    let mut written = identity();
    for next in [None, Some(PublicKey([4; 32]))] {
        written.dispatcher_next = next;
        let bytes = written.encode();
        assert_eq!(&bytes[..8], b"IC1K\x01\0\0\x01");
        assert_eq!(
            (bytes[8], bytes[40], bytes[72], bytes[136]),
            (0xA1, 2, 3, 0xA5)
        );
        assert_eq!(
            (bytes[168], bytes[176], bytes[208], bytes[240]),
            (6, 0xA7, 8, 0)
        );
        let read = Identity::decode(&bytes).expect("it was just written");
        assert_eq!(read.encode(), bytes);
        assert_eq!(read.dispatcher_next, next);
    }
}

#[test]
fn every_flipped_bit_of_an_identity_is_found() {
    let bytes = identity().encode();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Identity::decode(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_sector_without_identity_says_what_lies_there() {
    let check = |bytes: &[u8], expected| assert_eq!(Identity::decode(bytes).err(), Some(expected));
    check(&[0xFF; 256], IdentityError::Erased);
    check(&[0; 256], IdentityError::Magic);
    check(&[0; 255], IdentityError::Length { found: 255 });
    let mut later = identity().encode();
    later[4] = 2;
    check(&later, IdentityError::Version { found: 2 });
}

#[test]
fn secrets_are_not_printed() {
    let text = format!("{:?} {:#?}", identity(), identity());
    assert!(
        !text.contains("161") && !text.contains("165") && !text.contains("167"),
        "{text}"
    );
    assert!(!text.to_lowercase().contains("a1a1") && text.contains("Secret(..)"));
    let net = format!("{:?}", net());
    assert!(
        net.contains("home") && net.contains("me") && !net.contains("hunter2"),
        "{net}"
    );
}

fn net() -> Net<'static> {
    let wifi = Wifi {
        name: b"home",
        password: b"hunter2hunter2",
    };
    Net {
        wifis: [Some(wifi), None, None, None],
        transport: Transport::Mqtt,
        host: "dispatcher.local",
        port: 1883,
        login: Some(("me", "hunter2")),
    }
}

#[test]
fn a_network_record_is_read_as_it_was_written() {
    let mut out = [0xFF; 1_024];
    let len = net().encode(&mut out).expect("there is room");
    // A partition is longer than the record.
    assert_eq!(Net::decode(&out), Ok(net()));
    assert_eq!(Net::decode(&out[..len]), Ok(net()));
    for cut in 0..len {
        assert!(Net::decode(&out[..cut]).is_err(), "{cut}");
        assert_eq!(
            net().encode(&mut [0; 1_024][..cut]),
            Err(NetError::Room),
            "{cut}"
        );
    }
    for bit in 0..len * 8 {
        let mut flipped = out;
        flipped[bit / 8] ^= 1 << (bit % 8);
        // Byte 5 means nothing yet, but the sum covers it.
        assert!(Net::decode(&flipped).is_err(), "bit {bit}");
    }
}

#[test]
fn a_network_record_that_makes_no_sense_is_not_written() {
    let check = |net: Net<'_>, expected| {
        assert_eq!(net.encode(&mut [0; 1_024]), Err(expected));
    };
    check(Net { host: "", ..net() }, NetError::Missing { field: 3 });
    check(Net { port: 0, ..net() }, NetError::Missing { field: 4 });
    check(
        Net {
            login: Some(("", "x")),
            ..net()
        },
        NetError::Value { field: 5 },
    );
    let long = Wifi {
        name: &[b'x'; 33],
        password: b"",
    };
    check(
        Net {
            wifis: [Some(long), None, None, None],
            ..net()
        },
        NetError::Value { field: 1 },
    );
}

#[test]
fn a_handle_is_thirteen_characters_that_are_read_again() {
    let key = "493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d";
    let key = PublicKey(crate::unhex(key).try_into().expect("32 bytes"));
    let handle = Handle::of(&key);
    // Python: base64.b32encode(hashlib.blake2s(key).digest()[:8]).lower().rstrip(b'=')
    assert_eq!(handle.to_string(), "fj42w2eum2zg4");
    assert_eq!(Handle::parse(&handle.to_string()), Some(handle));
    assert_eq!(Handle([0xFF; 8]).to_string(), "7777777777776");
    for text in [
        "",
        "7777777777777",
        "777777777777",
        "A777777777776",
        "1777777777776",
        "é77777777776",
    ] {
        assert_eq!(Handle::parse(text), None, "{text}");
    }
}

#[test]
fn topics_are_read_as_they_were_written_and_only_of_this_house() {
    let (site, handle) = (Site([0xAB; 8]), Handle([1; 8]));
    let topics = [
        Topic::Up(handle),
        Topic::Down(handle),
        Topic::Will(handle),
        Topic::Epoch,
    ];
    for topic in topics {
        let text = topic.text(site);
        assert_eq!(Topic::parse(text.as_str(), site), Some(topic));
        assert_eq!(Topic::parse(text.as_str(), Site([0xAC; 8])), None);
        assert_eq!(Topic::parse(&format!("{}x", text.as_str()), site), None);
    }
    let up = Topic::Up(handle).text(site);
    assert_eq!(up.as_str(), format!("ic1/abababababababab/up/{handle}"));
    for text in [
        "",
        "ic1",
        "ic1/abababababababab/",
        "ic1/abababababababab/up/",
        "ic1/+/up/#",
    ] {
        assert_eq!(Topic::parse(text, site), None, "{text}");
    }
}
