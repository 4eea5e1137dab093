//! Each flipped bit, each cut, each wrong key.

use link::{DispatcherMacs, Heard, Initiator, Own};
use wire::{Frame, Hello, Secret};

use crate::{Keys, data, opens, rng, seal, welcome_payload};

fn flipped(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        (bit, bytes)
    })
}

/// As a dispatcher reads it: frame, `mac1`, handshake.
fn heard(keys: &Keys, bytes: &[u8]) -> Option<Heard> {
    let Ok(Frame::Hello(hello)) = Frame::decode(bytes) else {
        return None;
    };
    let own = keys.dispatcher();
    let known = DispatcherMacs::new(&own.public()).knows(&hello);
    known.then(|| Heard::new(&own, &hello, &Secret::new(keys.ephemerals[1])).ok())?
}

#[test]
fn no_flipped_bit_or_cut_of_a_hello_is_heard() {
    let keys = Keys::new(&mut rng());
    let bytes = keys.initiator().hello().encode();
    assert!(heard(&keys, &bytes).is_some());
    for (bit, bytes) in flipped(&bytes).take(Hello::MAC2_AT * 8) {
        assert!(heard(&keys, &bytes).is_none(), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(heard(&keys, &bytes[..len]).is_none(), "{len}");
    }
}

#[test]
fn rule_a_the_clear_header_is_part_of_the_handshake() {
    let keys = Keys::new(&mut rng());
    let own = keys.dispatcher();
    let bytes = keys.initiator().hello().encode();
    // Even with a right mac1, which any insider can compute, no changed bit before it passes.
    for (bit, bytes) in flipped(&bytes).take(Hello::MAC1_AT * 8) {
        if let Ok(Frame::Hello(hello)) = Frame::decode(&bytes) {
            let ephemeral = Secret::new(keys.ephemerals[1]);
            assert!(Heard::new(&own, &hello, &ephemeral).is_err(), "bit {bit}");
        }
    }
    let initiator = keys.initiator();
    let mut welcome = keys.answer(&initiator).welcome;
    welcome.dispatcher_index ^= 1;
    assert_eq!(
        initiator.finish(&welcome).err(),
        Some(link::HandshakeError::Index)
    );
}

#[test]
fn no_flipped_bit_or_cut_of_a_welcome_is_taken() {
    let keys = Keys::new(&mut rng());
    let initiator = keys.initiator();
    let bytes = keys.answer(&initiator).welcome.encode();
    let takes = |bytes: &[u8]| {
        let Ok(Frame::Welcome(welcome)) = Frame::decode(bytes) else {
            return false;
        };
        initiator.finish(&welcome).is_ok()
    };
    for (bit, bytes) in flipped(&bytes) {
        assert!(!takes(&bytes), "bit {bit}");
    }
    for len in 0..bytes.len() {
        assert!(!takes(&bytes[..len]), "{len}");
    }
    assert!(takes(&bytes), "forged ones leave the handshake as it was");
}

#[test]
fn rule_e_no_flipped_bit_or_cut_of_data_is_opened_or_uses_a_counter_up() {
    let (mut device, mut dispatcher) = Keys::new(&mut rng()).sessions();
    let frame = seal(&mut device, 1);
    for (bit, bytes) in flipped(&frame) {
        // The index is the caller's to look up; the tag covers it all the same.
        if let Ok(Frame::Data(_)) = Frame::decode(&bytes) {
            assert!(!opens(&mut dispatcher, &bytes), "bit {bit}");
        }
    }
    for len in 0..frame.len() {
        if let Ok(Frame::Data(_)) = Frame::decode(&frame[..len]) {
            assert!(!opens(&mut dispatcher, &frame[..len]), "{len}");
        }
    }
    assert!(
        opens(&mut dispatcher, &frame),
        "none of them burned the counter"
    );
}

#[test]
fn rule_d_a_frame_of_any_length_is_opened_without_panic() {
    let (_, mut dispatcher) = Keys::new(&mut rng()).sessions();
    let giant = vec![0x13; 70_000];
    assert!(Frame::decode(&giant).is_err());
    for len in 0..100 {
        let data = wire::Data {
            receiver_index: 9,
            counter: 0,
            sealed: &giant[..len],
        };
        assert!(dispatcher.open(&data, &mut [0; 2_000]).is_err());
    }
    let data = wire::Data {
        receiver_index: 9,
        counter: 0,
        sealed: &giant,
    };
    assert!(dispatcher.open(&data, &mut [0; 2_000]).is_err());
}

#[test]
fn a_rogue_dispatcher_or_a_wrong_psk_makes_no_session() {
    let mut rng = rng();
    let (keys, rogue) = (Keys::new(&mut rng), Keys::new(&mut rng));
    let initiator = keys.initiator();
    // Another dispatcher can't even open the HELLO.
    let own = Own::new(Secret::new(rogue.dispatcher));
    assert!(Heard::new(&own, initiator.hello(), &Secret::new(rogue.ephemerals[1])).is_err());
    // With the dispatcher's key and another PSK, its WELCOME is refused; and so the other way round.
    let heard = keys.heard(&initiator);
    let answer = heard
        .answer(&Secret::new(rogue.psk), &welcome_payload())
        .expect("sound keys");
    assert!(initiator.finish(&answer.welcome).is_err());
    let other = Keys {
        psk: rogue.psk,
        ..keys
    };
    let other = Initiator::finish(&other.initiator(), &answer.welcome);
    assert!(other.is_ok(), "the PSK was what differed");
}

#[test]
fn a_frame_of_one_session_means_nothing_to_another() {
    let mut rng = rng();
    let keys = Keys::new(&mut rng);
    let (mut before, _) = keys.sessions();
    let fresh = Keys {
        ephemerals: [crate::bytes(&mut rng), crate::bytes(&mut rng)],
        ..keys
    };
    let (_, mut after) = fresh.sessions();
    let frame = seal(&mut before, 1);
    assert_eq!(data(&frame).counter, 0);
    assert!(!opens(&mut after, &frame));
}
