//! Both ends against each other, against another Noise, and against whoever is no end.

mod clones;
mod conversation;
mod handshake;
mod house;
mod lifetime;
mod pairing;
mod replay;
mod tampered;
mod ways;

use link::{Answer, Heard, Initiator, Own, Session};
use proptest::{
    prelude::Rng,
    test_runner::{RngAlgorithm, TestRng},
};
use wire::{Data, Frame, HelloFlags, HelloPayload, Kind, Plain, Secret, WelcomePayload};

fn rng() -> TestRng {
    TestRng::deterministic_rng(RngAlgorithm::ChaCha)
}

fn bytes<const N: usize>(rng: &mut TestRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// Keys of both ends.
struct Keys {
    dispatcher: [u8; 32],
    device: [u8; 32],
    psk: [u8; 32],
    ephemerals: [[u8; 32]; 2],
}

impl Keys {
    fn new(rng: &mut TestRng) -> Self {
        Self {
            dispatcher: bytes(rng),
            device: bytes(rng),
            psk: bytes(rng),
            ephemerals: [bytes(rng), bytes(rng)],
        }
    }

    fn dispatcher(&self) -> Own {
        Own::new(Secret::new(self.dispatcher))
    }

    fn initiator(&self) -> Initiator {
        let (own, psk) = (Own::new(Secret::new(self.device)), Secret::new(self.psk));
        let to = self.dispatcher().public();
        let ephemeral = Secret::new(self.ephemerals[0]);
        Initiator::new(&own, to, &psk, &hello_payload(), 7, &ephemeral).expect("sound keys")
    }

    fn heard(&self, initiator: &Initiator) -> Heard {
        let ephemeral = Secret::new(self.ephemerals[1]);
        Heard::new(&self.dispatcher(), initiator.hello(), &ephemeral).expect("genuine")
    }

    fn answer(&self, initiator: &Initiator) -> Answer {
        let psk = Secret::new(self.psk);
        let answer = self.heard(initiator).answer(&psk, &welcome_payload());
        answer.expect("sound keys")
    }

    /// Device and dispatcher.
    fn sessions(&self) -> (Session, Session) {
        let initiator = self.initiator();
        let answer = self.answer(&initiator);
        let (session, payload) = initiator.finish(&answer.welcome).expect("genuine");
        assert_eq!(payload, welcome_payload());
        (session, answer.session)
    }
}

fn hello_payload() -> HelloPayload {
    HelloPayload {
        version_min: 1,
        version_max: 1,
        flags: HelloFlags::PRODUCER,
        boot_id: 3,
        boot_count: 4,
        firmware_version: 5,
        firmware_hash: [6; 8],
        config_hash: 0,
    }
}

fn welcome_payload() -> WelcomePayload {
    WelcomePayload {
        dispatcher_index: 9,
        version: 1,
        status: 0,
        keepalive_s: 30,
        rekey_s: 86_400,
        epoch: 10,
        unix_ms: 11,
        config_rev: 12,
        reset_token: [13; 16],
    }
}

fn plain(seq: u16) -> Plain<'static> {
    Plain {
        kind: Kind::Ping,
        ack_me: true,
        seq,
        ack: None,
        body: &[0x81, 5],
    }
}

fn seal(session: &mut Session, seq: u16) -> Vec<u8> {
    let mut out = [0; wire::FRAME_LEN_MAX];
    let len = session.seal(&plain(seq), &mut out).expect("it fits");
    out[..len].to_vec()
}

fn data(bytes: &[u8]) -> Data<'_> {
    match Frame::decode(bytes) {
        Ok(Frame::Data(data)) => data,
        other => panic!("{other:?}"),
    }
}

fn opens(session: &mut Session, frame: &[u8]) -> bool {
    session
        .open(&data(frame), &mut [0; wire::FRAME_LEN_MAX])
        .is_ok()
}
