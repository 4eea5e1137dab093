//! A module's end of pairing. Called by a module that has no identity, when its person asks for one.

use core::fmt;

use clatter::traits::Handshaker;
use rand_core::{CryptoRng, RngCore};
use wire::{PublicKey, Secret};

use super::{
    AGAIN_MS, Code, Granted, PairingError, PairingEvent, WINDOW_MS, commitment,
    frames::{
        self, Frame, HEADER, Keys, Noise, OFFER, OFFER_END, OFFER_LEN, REVEAL, REVEAL_LEN,
        SHARE_LEN, Step, VERDICT_LEN,
    },
};
use crate::{noise::Own, time::Millis};

/// A module that wants to be paired. Bytes, time and random numbers come in; after each input
/// [`poll_transmit`](Self::poll_transmit) and [`poll_event`](Self::poll_event) are asked until they have nothing, and
/// again at [`deadline`](Self::deadline).
pub struct Joining {
    number: u32,
    state: State,
    /// When it is given up.
    until: Millis,
    /// When the last frame is said again.
    again: Millis,
    event: Option<PairingEvent>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it, on a device without an allocator"
)]
enum State {
    /// Waits for the dispatcher's share.
    Offered {
        noise: Noise,
        offer: [u8; OFFER_LEN],
        share: [u8; 16],
    },
    /// Both codes are known; its own person may have said yes.
    Comparing {
        keys: Keys,
        peer: PublicKey,
        reveal: [u8; REVEAL_LEN],
        confirmed: Option<[u8; VERDICT_LEN]>,
        reveal_next: bool,
    },
    /// Decided. What it said last is said again when the dispatcher asks again.
    Decided {
        keys: Keys,
        verdict: [u8; VERDICT_LEN],
        due: bool,
    },
    Over,
}

impl fmt::Debug for Joining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining")
            .field("number", &self.number)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

impl Joining {
    /// Begins an attempt, with the key that the module is going to have.
    ///
    /// # Errors
    /// [`PairingError::Keys`].
    pub fn new(
        own: &Own,
        now: Millis,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Self, PairingError> {
        let (mut ephemeral, mut share) = ([0; 32], [0; 16]);
        rng.fill_bytes(&mut ephemeral);
        rng.fill_bytes(&mut share);
        let number = rng.next_u32();
        let mut noise = frames::noise(true, number, own, &Secret::new(ephemeral))?;
        let mut offer = [0; OFFER_LEN];
        offer[..HEADER].copy_from_slice(&frames::header(OFFER, 0, number));
        let committed = commitment(&own.public(), &share);
        noise
            .write_message(&committed, &mut offer[HEADER..OFFER_END])
            .map_err(|_| PairingError::Keys)?;
        Ok(Self {
            number,
            state: State::Offered {
                noise,
                offer,
                share,
            },
            until: now.after(WINDOW_MS),
            again: now,
            event: None,
        })
    }

    /// Takes a frame. What is not of this attempt, or does not authenticate, changes nothing.
    pub fn handle(&mut self, now: Millis, bytes: &[u8]) {
        self.tick(now);
        match Frame::decode(bytes) {
            Some(Frame::Share(number, frame)) if number == self.number => self.share(now, frame),
            Some(Frame::Verdict(number, step, frame)) if number == self.number => {
                self.verdict(now, step, frame);
            }
            _ => {}
        }
    }

    /// What the person at the module says of the code.
    pub fn answer(&mut self, now: Millis, yes: bool) {
        self.tick(now);
        let number = self.number;
        if let State::Comparing {
            keys,
            confirmed,
            reveal_next,
            ..
        } = &mut self.state
        {
            if yes {
                *confirmed = Some(keys.seal(number, Step::Confirm, &[0; Granted::LEN]));
                *reveal_next = false;
                self.again = now;
            } else {
                self.decide(now, Step::Refuse);
                self.event = Some(PairingEvent::Failed(PairingError::No));
            }
        }
    }

    /// The next frame to be sent.
    pub fn poll_transmit(&mut self, now: Millis, out: &mut [u8; 120]) -> Option<usize> {
        self.tick(now);
        if let State::Decided { verdict, due, .. } = &mut self.state {
            return core::mem::take(due).then(|| put(out, verdict));
        }
        if now < self.again {
            return None;
        }
        self.again = now.after(AGAIN_MS);
        match &mut self.state {
            State::Offered { offer, .. } => Some(put(out, offer)),
            State::Comparing {
                reveal,
                confirmed,
                reveal_next,
                ..
            } => {
                // The dispatcher may have missed either, so both are said in turn.
                let confirmed = confirmed.as_ref().filter(|_| !*reveal_next);
                *reveal_next = !*reveal_next;
                Some(match confirmed {
                    Some(frame) => put(out, frame),
                    None => put(out, reveal),
                })
            }
            State::Decided { .. } | State::Over => None,
        }
    }

    /// What happened; drained to `None`.
    pub fn poll_event(&mut self) -> Option<PairingEvent> {
        self.event.take()
    }

    /// When to ask again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        match &self.state {
            State::Offered { .. } | State::Comparing { .. } => self.until.min(self.again),
            State::Decided { .. } => self.until,
            State::Over => Millis::NEVER,
        }
    }

    fn tick(&mut self, now: Millis) {
        if now < self.until {
            return;
        }
        let waited = matches!(self.state, State::Offered { .. } | State::Comparing { .. });
        if waited {
            self.event = Some(PairingEvent::Failed(PairingError::Late));
        }
        self.state = State::Over;
    }

    fn share(&mut self, now: Millis, frame: &[u8; SHARE_LEN]) {
        let State::Offered { noise, share, .. } = &self.state else {
            return;
        };
        // Of a copy: after a forged one the genuine one may still come.
        let (mut noise, share) = (noise.clone(), *share);
        let mut theirs = [0; 16];
        if noise.read_message(&frame[HEADER..], &mut theirs).is_err() {
            return;
        }
        let mut reveal = [0; REVEAL_LEN];
        reveal[..HEADER].copy_from_slice(&frames::header(REVEAL, 0, self.number));
        let written = noise.write_message(&share, &mut reveal[HEADER..]);
        let peer = noise.get_remote_static();
        let keys = Keys::new(noise, true);
        let (Ok(_), Some(peer), Ok(keys)) = (written, peer, keys) else {
            self.state = State::Over;
            self.event = Some(PairingEvent::Failed(PairingError::Keys));
            return;
        };
        let code = Code::of(&keys.hash, &share, &theirs);
        self.event = Some(PairingEvent::Compare(code));
        self.again = now;
        self.state = State::Comparing {
            keys,
            peer: PublicKey(peer),
            reveal,
            confirmed: None,
            reveal_next: true,
        };
    }

    fn verdict(&mut self, now: Millis, step: Step, frame: &[u8; VERDICT_LEN]) {
        match &mut self.state {
            State::Comparing {
                keys,
                peer,
                confirmed,
                ..
            } => {
                let Some(granted) = keys.open(step, frame) else {
                    return;
                };
                let peer = *peer;
                match (step, confirmed.is_some()) {
                    (Step::Grant, true) => {
                        self.decide(now, Step::Accepted);
                        self.event = Some(PairingEvent::Paired { peer, granted });
                    }
                    (Step::Refuse, _) => {
                        self.state = State::Over;
                        self.event = Some(PairingEvent::Failed(PairingError::Refused));
                    }
                    _ => {}
                }
            }
            // Asked again: the last word was lost.
            State::Decided { keys, due, .. } => *due |= keys.open(step, frame).is_some(),
            State::Offered { .. } | State::Over => {}
        }
    }

    fn decide(&mut self, now: Millis, step: Step) {
        let state = core::mem::replace(&mut self.state, State::Over);
        if let State::Comparing { keys, .. } = state {
            let verdict = keys.seal(self.number, step, &[0; Granted::LEN]);
            self.again = now;
            self.state = State::Decided {
                keys,
                verdict,
                due: true,
            };
        }
    }
}

/// Of at most 120 bytes, the longest frame of pairing.
pub(super) fn put<const N: usize>(out: &mut [u8; 120], frame: &[u8; N]) -> usize {
    const { assert!(N <= 120) };
    out[..N].copy_from_slice(frame);
    N
}
