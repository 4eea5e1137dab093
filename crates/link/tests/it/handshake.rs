//! `snow` is another implementation of Noise: it has to write and read the same bytes.

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use snow::HandshakeState;

use crate::{Keys, hello_payload, plain, rng, seal, welcome_payload};

fn snow(keys: &Keys, initiator: bool) -> HandshakeState {
    let suite = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
        .parse()
        .expect("a suite");
    let mut prologue = link::PROLOGUE.to_vec();
    prologue.extend(wire::Hello::header(7));
    let (own, ephemeral) = match initiator {
        true => (&keys.device, &keys.ephemerals[0]),
        false => (&keys.dispatcher, &keys.ephemerals[1]),
    };
    let to = keys.dispatcher().public().0;
    let builder = snow::Builder::new(suite)
        .prologue(&prologue)
        .and_then(|builder| builder.local_private_key(own))
        .and_then(|builder| builder.psk(2, &keys.psk))
        .expect("sound keys")
        .fixed_ephemeral_key_for_testing_only(ephemeral);
    let built = if initiator {
        builder
            .remote_public_key(&to)
            .expect("a key")
            .build_initiator()
    } else {
        builder.build_responder()
    };
    built.expect("all keys are there")
}

#[test]
fn ten_thousand_handshakes_have_the_bytes_of_another_noise_at_both_ends() {
    let mut rng = rng();
    let keys: Vec<Keys> = (0..10_000).map(|_| Keys::new(&mut rng)).collect();
    std::thread::scope(|scope| {
        for keys in keys.chunks(2_500) {
            scope.spawn(|| keys.iter().for_each(check_handshake));
        }
    });
}

fn check_handshake(keys: &Keys) {
    let (mut device, mut dispatcher) = (snow(keys, true), snow(keys, false));
    let initiator = keys.initiator();
    let answer = keys.answer(&initiator);

    let mut message = [0; 256];
    let payload = hello_payload().encode();
    let len = device
        .write_message(&payload, &mut message)
        .expect("its turn");
    assert_eq!(initiator.hello().encode()[8..136], message[..len]);
    let mut read = [0; 256];
    let len = dispatcher
        .read_message(&message[..len], &mut read)
        .expect("genuine");
    assert_eq!(read[..len], payload);

    let payload = welcome_payload().encode();
    let len = dispatcher
        .write_message(&payload, &mut message)
        .expect("its turn");
    assert_eq!(answer.welcome.encode()[12..108], message[..len]);
    device
        .read_message(&message[..len], &mut read)
        .expect("genuine");

    let (mut session, _) = initiator.finish(&answer.welcome).expect("genuine");
    let (up, down) = device.dangerously_get_raw_split();
    assert_eq!(dispatcher.dangerously_get_raw_split(), (up, down));
    check_key(&up, &seal(&mut session, 1));
    let mut session = answer.session;
    check_key(&down, &seal(&mut session, 1));
}

/// The frame was sealed with this key.
fn check_key(key: &[u8; 32], frame: &[u8]) {
    let (sealed, tag) = frame[12..].split_at(frame.len() - 28);
    let mut text = sealed.to_vec();
    let cipher = ChaCha20Poly1305::new(key.into());
    let nonce = [0; 12].into();
    let opened = cipher.decrypt_in_place_detached(&nonce, &frame[..12], &mut text, tag.into());
    assert_eq!(opened, Ok(()));
    assert_eq!(wire::Plain::decode(&text), Ok(plain(1)));
}

#[test]
fn both_ends_talk() {
    let (mut device, mut dispatcher) = Keys::new(&mut rng()).sessions();
    let up = seal(&mut device, 1);
    let down = seal(&mut dispatcher, 2);
    let mut out = [0; wire::FRAME_LEN_MAX];
    assert_eq!(dispatcher.open(&crate::data(&up), &mut out), Ok(plain(1)));
    assert_eq!(device.open(&crate::data(&down), &mut out), Ok(plain(2)));
    assert!(
        !crate::opens(&mut device, &up),
        "a frame does not come back to its sender"
    );
}

#[test]
fn a_cookie_proves_where_a_hello_comes_from() {
    let keys = Keys::new(&mut rng());
    let macs = link::DispatcherMacs::new(&keys.dispatcher().public());
    let mut jar = link::CookieJar::new(wire::Secret::new([1; 32]));
    let mut initiator = keys.initiator();
    assert!(macs.knows(initiator.hello()) && !jar.proves(initiator.hello(), b"here"));
    let cookie = macs.seal_cookie(&jar.cookie(b"here"), initiator.hello(), [2; 24]);
    for bit in 32..wire::COOKIE_LEN * 8 {
        let mut bytes = cookie.encode();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(wire::Frame::Cookie(forged)) = wire::Frame::decode(&bytes) {
            assert!(initiator.cookie(&forged).is_err(), "bit {bit}");
        }
    }
    initiator.cookie(&cookie).expect("genuine");
    assert!(macs.knows(initiator.hello()));
    assert!(jar.proves(initiator.hello(), b"here") && !jar.proves(initiator.hello(), b"there"));
    jar.turn(wire::Secret::new([3; 32]));
    assert!(
        jar.proves(initiator.hello(), b"here"),
        "cookies outlive one turn"
    );
    jar.turn(wire::Secret::new([4; 32]));
    assert!(!jar.proves(initiator.hello(), b"here"));
    // The handshake itself does not cover mac2.
    assert!(initiator.finish(&keys.answer(&initiator).welcome).is_ok());
}
