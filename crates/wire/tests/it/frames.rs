//! Frames in the clear: layouts, and each way to be none.

use wire::{
    COOKIE_LEN, Cookie, Data, FRAME_LEN_MAX, Frame, FrameError, Hello, HelloFlags, HelloPayload,
    Kind, Plain, PlainError, Reset, Welcome, WelcomePayload, Will,
};

fn hello() -> Hello {
    Hello {
        device_index: 0x1122_3344,
        ephemeral: [1; 32],
        sealed_static: [2; 48],
        sealed_payload: [3; 48],
        mac1: [4; 16],
        mac2: [5; 16],
    }
}

fn all() -> Vec<Frame<'static>> {
    vec![
        Frame::Hello(hello()),
        Frame::Welcome(Welcome {
            dispatcher_index: 0x5566_7788,
            device_index: 0x1122_3344,
            ephemeral: [1; 32],
            sealed_payload: [2; 64],
        }),
        Frame::Data(Data {
            receiver_index: 0x5566_7788,
            counter: 0x0605_0403_0201,
            sealed: &[9; 16],
        }),
        Frame::Cookie(Cookie {
            device_index: 7,
            nonce: [1; 24],
            sealed: [2; 32],
        }),
        Frame::Reset(Reset {
            dispatcher_index: 0x5566_7788,
            token: [1; 16],
        }),
    ]
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = [0; FRAME_LEN_MAX];
    let len = frame.encode(&mut out).expect("it fits");
    out[..len].to_vec()
}

#[test]
fn a_frame_is_read_as_it_was_written() {
    for (frame, (len, start)) in all().iter().zip([
        (168, "1101000044332211"),
        (108, "120100008877665544332211"),
        (28, "130088776655010203040506"),
        (64, "1400000007000000"),
        (22, "150088776655"),
    ]) {
        let bytes = encoded(frame);
        assert_eq!(bytes.len(), len);
        assert!(
            crate::hex(&bytes).starts_with(start),
            "{}",
            crate::hex(&bytes)
        );
        assert_eq!(Frame::decode(&bytes).as_ref(), Ok(frame));
    }
}

#[test]
fn a_frame_of_another_length_is_refused() {
    for frame in all() {
        let bytes = encoded(&frame);
        for len in 0..bytes.len() {
            assert!(Frame::decode(&bytes[..len]).is_err(), "{len} of {frame:?}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        let data = matches!(frame, Frame::Data(_));
        assert_eq!(Frame::decode(&longer).is_ok(), data, "{frame:?}");
    }
    let mut data = [0_u8; FRAME_LEN_MAX + 1];
    data[0] = 0x13;
    assert!(Frame::decode(&data[..FRAME_LEN_MAX]).is_ok());
    let (found, expected) = (FRAME_LEN_MAX + 1, FRAME_LEN_MAX);
    assert_eq!(
        Frame::decode(&data),
        Err(FrameError::Length { found, expected })
    );
}

#[test]
fn versions_types_suites_and_reserved_bytes_are_checked() {
    let with = |at: usize, byte: u8| {
        let mut bytes = hello().encode();
        bytes[at] = byte;
        Frame::decode(&bytes).map(|_| ())
    };
    assert_eq!(Frame::decode(&[]), Err(FrameError::Empty));
    assert_eq!(with(0, 0x21), Err(FrameError::Version { found: 2 }));
    assert_eq!(with(0, 0x16), Err(FrameError::Type { found: 6 }));
    assert_eq!(with(1, 2), Err(FrameError::Suite { found: 2 }));
    assert_eq!(with(2, 1), Err(FrameError::Reserved { at: 2 }));
    assert_eq!(with(3, 1), Err(FrameError::Reserved { at: 3 }));
    let mut cookie = [0; COOKIE_LEN];
    cookie[0] = 0x14;
    cookie[3] = 1;
    assert_eq!(Frame::decode(&cookie), Err(FrameError::Reserved { at: 3 }));
}

#[test]
fn a_buffer_that_is_too_small_is_told() {
    for frame in all() {
        let len = encoded(&frame).len();
        let mut out = vec![0; len - 1];
        assert_eq!(frame.encode(&mut out), Err(FrameError::Room));
    }
}

#[test]
fn a_last_will_is_nine_bytes() {
    let will = Will {
        boot_id: 0x0807_0605_0403_0201,
    };
    assert_eq!(crate::hex(&will.encode()), "1f0102030405060708");
    assert_eq!(Will::decode(&will.encode()), Ok(will));
    assert_eq!(
        Will::decode(&[0x1F; 8]),
        Err(FrameError::Length {
            found: 8,
            expected: 9
        })
    );
    assert_eq!(Will::decode(&[0x11; 9]), Err(FrameError::Type { found: 1 }));
    assert!(Frame::decode(&will.encode()).is_err());
}

#[test]
fn payloads_of_the_handshake_are_read_as_they_were_written() {
    let bytes: [u8; 32] = core::array::from_fn(|i| i as u8);
    let hello = HelloPayload::decode(&bytes);
    assert_eq!(hello.encode(), bytes);
    assert_eq!((hello.version_min, hello.version_max), (0, 1));
    assert_eq!(hello.boot_id, 0x0b0a_0908_0706_0504);
    assert_eq!(hello.config_hash, 0x1f1e_1d1c);
    let bytes: [u8; 48] = core::array::from_fn(|i| i as u8);
    let welcome = WelcomePayload::decode(&bytes);
    assert_eq!(welcome.encode(), bytes);
    assert_eq!(welcome.keepalive_s, 0x0706);
    assert_eq!(welcome.config_rev, 0x1f1e_1d1c);
    let both = HelloFlags::PRODUCER.with(HelloFlags::NEED_CONFIG);
    assert_eq!(both.0, 17);
    assert!(both.has(HelloFlags::PRODUCER) && !both.has(HelloFlags::UDP));
}

#[test]
fn the_sealed_header_is_read_as_it_was_written() {
    let plain = Plain {
        kind: Kind::Event,
        ack_me: true,
        seq: 0x0102,
        ack: Some((0x0304, 0x0506)),
        body: b"body",
    };
    let mut out = [0; 12];
    assert_eq!(plain.encode(&mut out), Ok(12));
    assert_eq!(crate::hex(&out), "0203020104030605626f6479");
    assert_eq!(Plain::decode(&out), Ok(plain));
    assert_eq!(
        Plain::decode(&out[..7]),
        Err(PlainError::Short { found: 7 })
    );
    assert_eq!(plain.encode(&mut out[..11]), Err(PlainError::Room));
    assert!(matches!(
        Plain::decode(&[0; 1_173]),
        Err(PlainError::Long { found: 1_173 })
    ));
    for number in 0..=u8::MAX {
        assert_eq!(Kind::from(number).number(), number);
    }
}
