//! The handshake, `Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s`, and the only place that knows `clatter`. Called by the
//! state machines of both ends. Must not decide who may talk: it only says with which key somebody did.

use core::fmt;

use clatter::{
    KeyPair, NqHandshakeCore,
    bytearray::{ByteArray, SensitiveByteArray},
    crypto::{cipher::ChaChaPoly, dh::X25519, hash::Blake2s},
    handshakepattern::noise_ik_psk2,
    traits::{Dh, Handshaker},
};
use rand_core::{CryptoRng, RngCore};
use wire::{Hello, HelloPayload, PublicKey, Secret, Welcome, WelcomePayload};

use crate::{macs::DispatcherMacs, session::Session};

/// The prologue's start; HELLO's clear header follows it.
pub const PROLOGUE: &[u8; 19] = b"iot-control link v1";

type Noise = NqHandshakeCore<X25519, ChaChaPoly, Blake2s, Unused>;

/// Why a handshake did not come about. Whoever sent the bytes does not hold the keys, or they were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HandshakeError {
    /// A tag is wrong.
    Refused,
    /// The index inside of the WELCOME is not that of its header.
    Index,
    /// The key pair can't be used.
    Keys,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the handshake does not authenticate",
            Self::Index => "the sealed index is not that of the header",
            Self::Keys => "the keys can't be used",
        })
    }
}

impl core::error::Error for HandshakeError {}

/// The random source of `clatter` is never asked: each handshake is given its ephemeral key.
#[derive(Clone, Default)]
pub(crate) struct Unused;

impl RngCore for Unused {
    fn next_u32(&mut self) -> u32 {
        unreachable!("the ephemeral key was given")
    }
    fn next_u64(&mut self) -> u64 {
        unreachable!("the ephemeral key was given")
    }
    fn fill_bytes(&mut self, _: &mut [u8]) {
        unreachable!("the ephemeral key was given")
    }
    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), rand_core::Error> {
        unreachable!("the ephemeral key was given")
    }
}

impl CryptoRng for Unused {}

/// A static key pair of one's own.
#[derive(Clone, Debug)]
pub struct Own {
    secret: Secret,
    public: PublicKey,
}

impl Own {
    /// Computes the public key.
    #[must_use]
    pub fn new(secret: Secret) -> Self {
        let public = PublicKey(X25519::pubkey(&SensitiveByteArray::from_slice(
            secret.expose(),
        )));
        Self { secret, public }
    }

    /// Takes a public key that is known, which saves a device a scalar multiplication at each boot. A wrong one makes
    /// handshakes fail, nothing else.
    #[must_use]
    pub const fn with_public(secret: Secret, public: PublicKey) -> Self {
        Self { secret, public }
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) fn pair(&self) -> KeyPair<[u8; 32], SensitiveByteArray<[u8; 32]>> {
        KeyPair {
            public: self.public.0,
            secret: SensitiveByteArray::from_slice(self.secret.expose()),
        }
    }
}

fn noise(
    initiator: bool,
    device_index: u32,
    own: &Own,
    ephemeral: Option<&Secret>,
    peer: Option<PublicKey>,
) -> Result<Noise, HandshakeError> {
    let mut prologue = [0; PROLOGUE.len() + Hello::HEADER_LEN];
    let (start, header) = prologue.split_at_mut(PROLOGUE.len());
    start.copy_from_slice(PROLOGUE);
    header.copy_from_slice(&Hello::header(device_index));
    let ephemeral = ephemeral.map(|secret| Own::new(secret.clone()).pair());
    let (own, peer) = (Some(own.pair()), peer.map(|key| key.0));
    NqHandshakeCore::new(
        noise_ik_psk2(),
        &prologue,
        initiator,
        own,
        ephemeral,
        peer,
        None,
    )
    .map_err(|_| HandshakeError::Keys)
}

/// A device's end of a handshake that has begun.
pub struct Initiator {
    noise: Noise,
    hello: Hello,
    macs: DispatcherMacs,
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator")
            .field("hello", &self.hello)
            .finish_non_exhaustive()
    }
}

impl Initiator {
    /// Computes a HELLO; two scalar multiplications and an ephemeral key.
    ///
    /// # Errors
    /// [`HandshakeError::Keys`].
    pub fn new(
        own: &Own,
        dispatcher: PublicKey,
        psk: &Secret,
        payload: &HelloPayload,
        device_index: u32,
        ephemeral: &Secret,
    ) -> Result<Self, HandshakeError> {
        let mut noise = noise(true, device_index, own, Some(ephemeral), Some(dispatcher))?;
        noise.push_psk(psk.expose());
        let mut out = [0; 128];
        noise
            .write_message(&payload.encode(), &mut out)
            .map_err(|_| HandshakeError::Keys)?;
        let mut hello = Hello {
            device_index,
            ephemeral: [0; 32],
            sealed_static: [0; 48],
            sealed_payload: [0; 48],
            mac1: [0; 16],
            mac2: [0; 16],
        };
        hello.ephemeral.copy_from_slice(&out[..32]);
        hello.sealed_static.copy_from_slice(&out[32..80]);
        hello.sealed_payload.copy_from_slice(&out[80..]);
        let macs = DispatcherMacs::new(&dispatcher);
        hello.mac1 = macs.mac1(&hello);
        Ok(Self { noise, hello, macs })
    }

    /// What to send; the same bytes each time, so that the dispatcher knows a repetition.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Takes a cookie: from now on the HELLO proves where the device is.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`]: the cookie is not for this HELLO.
    pub fn cookie(&mut self, cookie: &wire::Cookie) -> Result<(), HandshakeError> {
        let mine = cookie.device_index == self.hello.device_index;
        let value = self.macs.open_cookie(cookie, &self.hello.mac1);
        let value = value.filter(|_| mine).ok_or(HandshakeError::Refused)?;
        self.hello.mac2 = crate::macs::mac2(&value, &self.hello);
        Ok(())
    }

    /// Reads a WELCOME. A forged one leaves the handshake as it was: the real one may still come.
    ///
    /// # Errors
    /// The WELCOME is not of the dispatcher, or not for this HELLO.
    pub fn finish(&self, welcome: &Welcome) -> Result<(Session, WelcomePayload), HandshakeError> {
        if welcome.device_index != self.hello.device_index {
            return Err(HandshakeError::Refused);
        }
        let mut noise = self.noise.clone();
        let mut message = [0; 96];
        message[..32].copy_from_slice(&welcome.ephemeral);
        message[32..].copy_from_slice(&welcome.sealed_payload);
        let mut payload = [0; WelcomePayload::LEN];
        noise
            .read_message(&message, &mut payload)
            .map_err(|_| HandshakeError::Refused)?;
        let payload = WelcomePayload::decode(&payload);
        if payload.dispatcher_index != welcome.dispatcher_index {
            return Err(HandshakeError::Index);
        }
        let session = split(noise, true, welcome.dispatcher_index)?;
        Ok((session, payload))
    }
}

/// A HELLO that the dispatcher could open: somebody holds this static key, or replays what its holder once sent.
pub struct Heard {
    noise: Noise,
    device_index: u32,
    /// Who speaks.
    pub device: PublicKey,
    /// What it says of itself.
    pub payload: HelloPayload,
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heard")
            .field("device", &self.device)
            .finish_non_exhaustive()
    }
}

/// What the dispatcher has after its answer.
#[derive(Debug)]
pub struct Answer {
    /// To be sent, and sent again if the same HELLO comes again.
    pub welcome: Welcome,
    /// A half-session: nothing acts on it before its first frame was opened.
    pub session: Session,
}

impl Heard {
    /// Opens a HELLO whose `mac1` was checked; two scalar multiplications.
    ///
    /// # Errors
    /// [`HandshakeError::Refused`].
    pub fn new(own: &Own, hello: &Hello, ephemeral: &Secret) -> Result<Self, HandshakeError> {
        let mut noise = noise(false, hello.device_index, own, Some(ephemeral), None)?;
        let mut message = [0; 128];
        message[..32].copy_from_slice(&hello.ephemeral);
        message[32..80].copy_from_slice(&hello.sealed_static);
        message[80..].copy_from_slice(&hello.sealed_payload);
        let mut payload = [0; HelloPayload::LEN];
        noise
            .read_message(&message, &mut payload)
            .map_err(|_| HandshakeError::Refused)?;
        let device = noise.get_remote_static().ok_or(HandshakeError::Keys)?;
        Ok(Self {
            noise,
            device_index: hello.device_index,
            device: PublicKey(device),
            payload: HelloPayload::decode(&payload),
        })
    }

    /// Answers it; three scalar multiplications.
    ///
    /// # Errors
    /// [`HandshakeError::Keys`].
    pub fn answer(
        mut self,
        psk: &Secret,
        payload: &WelcomePayload,
    ) -> Result<Answer, HandshakeError> {
        self.noise.push_psk(psk.expose());
        let mut out = [0; 96];
        self.noise
            .write_message(&payload.encode(), &mut out)
            .map_err(|_| HandshakeError::Keys)?;
        let mut welcome = Welcome {
            dispatcher_index: payload.dispatcher_index,
            device_index: self.device_index,
            ephemeral: [0; 32],
            sealed_payload: [0; 64],
        };
        welcome.ephemeral.copy_from_slice(&out[..32]);
        welcome.sealed_payload.copy_from_slice(&out[32..]);
        let session = split(self.noise, false, self.device_index)?;
        Ok(Answer { welcome, session })
    }
}

fn split(noise: Noise, initiator: bool, peer_index: u32) -> Result<Session, HandshakeError> {
    let keys = noise
        .finalize()
        .map_err(|_| HandshakeError::Refused)?
        .take();
    let (up, _) = keys.initiator_to_responder.take();
    let (down, _) = keys.responder_to_initiator.take();
    let (up, down) = (Secret::new(*up), Secret::new(*down));
    let (send, receive) = if initiator { (up, down) } else { (down, up) };
    Ok(Session::new(send, receive, peer_index))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{format, string::String, vec::Vec};

    use super::*;

    pub(crate) fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn from(start: u8) -> Secret {
        Secret::new(core::array::from_fn(|i| start + i as u8))
    }

    fn initiator() -> (Own, Initiator) {
        let (dispatcher, device) = (Own::new(from(0x40)), Own::new(from(0x80)));
        let payload = HelloPayload::decode(&core::array::from_fn(|i| 0xC0 + (i as u8 & 15)));
        let (psk, ephemeral) = (from(0), from(0x20));
        let initiator = Initiator::new(
            &device,
            dispatcher.public(),
            &psk,
            &payload,
            0x1122_3344,
            &ephemeral,
        );
        (dispatcher, initiator.expect("sound keys"))
    }

    fn answer(dispatcher: &Own, initiator: &Initiator) -> (Noise, Answer) {
        let mut payload: [u8; 48] = core::array::from_fn(|i| 0x30 + (i as u8 & 15));
        payload[..4].copy_from_slice(&0x5566_7788_u32.to_le_bytes());
        let heard = Heard::new(dispatcher, initiator.hello(), &from(0xA0)).expect("genuine");
        let payload = WelcomePayload::decode(&payload);
        let mut noise = heard.noise.clone();
        noise.push_psk(from(0).expose());
        let _ = noise.write_message(&payload.encode(), &mut [0; 96]);
        (noise, heard.answer(&from(0), &payload).expect("genuine"))
    }

    /// The two ends of the fixed vector.
    pub(crate) fn vector_sessions() -> (Session, Session) {
        let (dispatcher, initiator) = initiator();
        let (_, answer) = answer(&dispatcher, &initiator);
        let (session, _) = initiator.finish(&answer.welcome).expect("genuine");
        (session, answer.session)
    }

    #[test]
    fn fixed_keys_give_the_bytes_of_the_vectors() {
        let (dispatcher, initiator) = initiator();
        let public = "79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a";
        assert_eq!(hex(&dispatcher.public().0), public);
        let public = "493e82fc74464a59268817623d2053c5eb8e2cc4a988b4fee179ec6b010d531d";
        assert_eq!(hex(&Own::new(from(0x80)).public().0), public);
        let lines: Vec<&str> = include_str!("../spec/vectors.txt").lines().collect();
        let vector = |name: &str| {
            let line = lines.iter().find(|line| line.starts_with(name));
            line.and_then(|line| line.rsplit(' ').next())
                .expect("it is there")
        };
        assert_eq!(hex(&initiator.hello().encode()), vector("HELLO"));
        let (noise, answer) = answer(&dispatcher, &initiator);
        assert_eq!(hex(&answer.welcome.encode()), vector("WELCOME"));
        let hash = noise.finalize().expect("finished").get_handshake_hash();
        assert_eq!(hex(hash.as_slice()), vector("hash"));
        let key = crate::ResetKey::new(from(0));
        assert_eq!(hex(&key.token(0x5566_7788)), vector("reset"));
        assert!(initiator.finish(&answer.welcome).is_ok());
    }
}
