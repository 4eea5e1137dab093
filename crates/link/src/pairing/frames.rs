//! The bytes of pairing, and its Noise. Called by both ends; must not know time or persons.
//!
//! | frame | first byte | bytes | after the first 8 |
//! |---|---|---|---|
//! | OFFER | 0x16 | 120 | e 32, commitment 32, zero 48: no answer is longer than what asks |
//! | SHARE | 0x17 | 120 | e 32, sealed key 48, sealed share 32 |
//! | REVEAL | 0x18 | 88 | sealed key 48, sealed share 32 |
//! | VERDICT | 0x19 | 64 | sealed: 40 bytes and a tag |
//!
//! The first 8 bytes: type, step (of a VERDICT, else 0), zero, zero, the attempt's number, which the device chooses.

use chacha20poly1305::{AeadInPlace, ChaCha20Poly1305, KeyInit};
use clatter::{
    NqHandshakeCore,
    bytearray::ByteArray,
    crypto::{cipher::ChaChaPoly, dh::X25519, hash::Blake2s},
    handshakepattern::noise_xx,
    traits::Handshaker,
};
use wire::Secret;
use zeroize::Zeroize;

use super::{Granted, PairingError};
use crate::noise::{Own, Unused};

pub(super) type Noise = NqHandshakeCore<X25519, ChaChaPoly, Blake2s, Unused>;

pub(super) const OFFER: u8 = 0x16;
pub(super) const SHARE: u8 = 0x17;
pub(super) const REVEAL: u8 = 0x18;
pub(super) const VERDICT: u8 = 0x19;
pub(super) const OFFER_LEN: usize = 120;
pub(super) const SHARE_LEN: usize = 120;
pub(super) const REVEAL_LEN: usize = 88;
pub(super) const VERDICT_LEN: usize = 64;
/// Noise's part of an OFFER; zeros follow.
pub(super) const OFFER_END: usize = HEADER + 64;
pub(super) const HEADER: usize = 8;

/// A frame whose length, type and reserved bytes are right.
#[derive(Clone, Copy)]
pub(super) enum Frame<'a> {
    Offer(u32, &'a [u8; OFFER_LEN]),
    Share(u32, &'a [u8; SHARE_LEN]),
    Reveal(u32, &'a [u8; REVEAL_LEN]),
    Verdict(u32, Step, &'a [u8; VERDICT_LEN]),
}

/// What a VERDICT says. Each is sealed at most once by each end, and is its own nonce: said again, it is the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Confirm = 1,
    Grant = 2,
    Accepted = 3,
    Refuse = 4,
}

impl Frame<'_> {
    pub(super) fn decode(bytes: &[u8]) -> Option<Frame<'_>> {
        let [kind, step, 0, 0, a, b, c, d, ..] = *bytes else {
            return None;
        };
        let number = u32::from_le_bytes([a, b, c, d]);
        match (kind, step) {
            (OFFER, 0) if bytes.get(OFFER_END..)?.iter().all(|byte| *byte == 0) => {
                Some(Frame::Offer(number, bytes.try_into().ok()?))
            }
            (SHARE, 0) => Some(Frame::Share(number, bytes.try_into().ok()?)),
            (REVEAL, 0) => Some(Frame::Reveal(number, bytes.try_into().ok()?)),
            (VERDICT, step) => {
                let step = match step {
                    1 => Step::Confirm,
                    2 => Step::Grant,
                    3 => Step::Accepted,
                    4 => Step::Refuse,
                    _ => return None,
                };
                Some(Frame::Verdict(number, step, bytes.try_into().ok()?))
            }
            _ => None,
        }
    }
}

pub(super) fn header(kind: u8, step: u8, number: u32) -> [u8; HEADER] {
    let [a, b, c, d] = number.to_le_bytes();
    [kind, step, 0, 0, a, b, c, d]
}

pub(super) fn noise(
    initiator: bool,
    number: u32,
    own: &Own,
    ephemeral: &Secret,
) -> Result<Noise, PairingError> {
    const START: &[u8; 22] = b"iot-control pairing v1";
    let mut prologue = [0; START.len() + HEADER];
    let (start, rest) = prologue.split_at_mut(START.len());
    start.copy_from_slice(START);
    rest.copy_from_slice(&header(OFFER, 0, number));
    let ephemeral = Own::new(ephemeral.clone()).pair();
    let (own, ephemeral) = (Some(own.pair()), Some(ephemeral));
    NqHandshakeCore::new(noise_xx(), &prologue, initiator, own, ephemeral, None, None)
        .map_err(|_| PairingError::Keys)
}

/// What both ends have once all shares are known: a key for each direction, and the hash that the code comes from.
pub(super) struct Keys {
    send: Secret,
    receive: Secret,
    pub(super) hash: [u8; 32],
}

impl Keys {
    pub(super) fn new(noise: Noise, initiator: bool) -> Result<Self, PairingError> {
        let transport = noise.finalize().map_err(|_| PairingError::Keys)?;
        let mut hash = [0; 32];
        hash.copy_from_slice(transport.get_handshake_hash().as_slice());
        let keys = transport.take();
        let (up, _) = keys.initiator_to_responder.take();
        let (down, _) = keys.responder_to_initiator.take();
        let (up, down) = (Secret::new(*up), Secret::new(*down));
        let (send, receive) = if initiator { (up, down) } else { (down, up) };
        Ok(Self {
            send,
            receive,
            hash,
        })
    }

    pub(super) fn seal(
        &self,
        number: u32,
        step: Step,
        plain: &[u8; Granted::LEN],
    ) -> [u8; VERDICT_LEN] {
        let mut out = [0; VERDICT_LEN];
        let (head, rest) = out.split_at_mut(HEADER);
        head.copy_from_slice(&header(VERDICT, step as u8, number));
        let (text, tag) = rest.split_at_mut(Granted::LEN);
        text.copy_from_slice(plain);
        let cipher = ChaCha20Poly1305::new(self.send.expose().into());
        let made = cipher.encrypt_in_place_detached(&nonce(step), head, text);
        // 40 bytes are not too long.
        let Ok(made) = made else {
            unreachable!("40 bytes are sealed")
        };
        tag.copy_from_slice(&made);
        out
    }

    /// What a VERDICT says, if it is of the other end.
    pub(super) fn open(&self, step: Step, frame: &[u8; VERDICT_LEN]) -> Option<Granted> {
        let (head, rest) = frame.split_at(HEADER);
        let (sealed, tag) = rest.split_at(Granted::LEN);
        let mut text = [0; Granted::LEN];
        text.copy_from_slice(sealed);
        let cipher = ChaCha20Poly1305::new(self.receive.expose().into());
        let opened = cipher.decrypt_in_place_detached(&nonce(step), head, &mut text, tag.into());
        let granted = opened.ok().map(|()| Granted::decode(&text));
        text.zeroize();
        granted
    }
}

fn nonce(step: Step) -> chacha20poly1305::Nonce {
    [step as u8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].into()
}
