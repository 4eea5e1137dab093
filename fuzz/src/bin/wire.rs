//! The sealed link: any bytes as a frame, a sealed message of each kind, and a record in flash. What is read is
//! written again as it was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::{Body, Frame, Handle, Identity, Kind, Net, Plain, Site, Topic, Will};

fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::decode(bytes) else {
        return;
    };
    let mut out = [0; wire::FRAME_LEN_MAX];
    let len = frame.encode(&mut out).expect("it came in a frame");
    assert_eq!(&out[..len], bytes);
}

fn message(bytes: &[u8]) {
    let Ok(plain) = Plain::decode(bytes) else {
        return;
    };
    let Ok(body) = Body::decode(plain.kind, plain.body) else {
        return;
    };
    let mut out = [0; wire::BODY_LEN_MAX];
    let len = body.encode(&mut out).expect("it came in a frame");
    assert_eq!(Body::decode(plain.kind, &out[..len]).as_ref(), Ok(&body));
    if let Body::Event(events) = body {
        assert!((1..=4).contains(&events.iter().count()));
    }
}

fn records(bytes: &[u8]) {
    if let Ok(identity) = Identity::decode(bytes) {
        assert!(Identity::decode(&identity.encode()).is_ok());
    }
    if let Ok(net) = Net::decode(bytes) {
        let mut out = [0; wire::NET_LEN_MAX];
        let len = net.encode(&mut out).expect("it was read");
        assert_eq!(Net::decode(&out[..len]), Ok(net));
    }
    let _ = Will::decode(bytes);
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = Topic::parse(text, Site([0; 8]));
        if let Some(handle) = Handle::parse(text) {
            assert_eq!(handle.text(), text.as_bytes());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    frame(bytes);
    message(bytes);
    records(bytes);
    for kind in 0..16 {
        let _ = Body::decode(Kind::from(kind), bytes);
    }
});
