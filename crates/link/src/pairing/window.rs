//! The dispatcher's end of pairing: a window that a person has opened. Called by whoever serves that person; without
//! a window nobody is answered, for there is nothing that could.

use core::fmt;

use clatter::traits::Handshaker;
use rand_core::{CryptoRng, RngCore};
use wire::{PublicKey, Secret};

use super::{
    AGAIN_MS, ATTEMPTS_MAX, Code, Granted, PairingError, PairingEvent, REVEAL_MS, WINDOW_MS,
    commitment,
    frames::{
        self, Frame, HEADER, Keys, Noise, OFFER_END, OFFER_LEN, REVEAL_LEN, SHARE, SHARE_LEN, Step,
        VERDICT_LEN,
    },
    joining::put,
};
use crate::{noise::Own, time::Millis};

/// An open window. It takes one module at a time, and closes after [`WINDOW_MS`], one success or [`ATTEMPTS_MAX`]
/// attempts. It is driven as [`Joining`](super::Joining) is; its two queues hold one frame and two events.
pub struct PairingWindow {
    own: Own,
    granted: Granted,
    state: State,
    until: Millis,
    attempts: u8,
    due: Option<Due>,
    events: [Option<PairingEvent>; 2],
}

#[expect(
    clippy::large_enum_variant,
    reason = "there is one of it for as long as a window is open"
)]
enum State {
    Waiting,
    /// Its share was sent; the device's is to come until then.
    Shared {
        number: u32,
        noise: Noise,
        offer: [u8; OFFER_LEN],
        share_frame: [u8; SHARE_LEN],
        share: [u8; 16],
        committed: [u8; 32],
        until: Millis,
    },
    /// Both persons are asked.
    Comparing {
        number: u32,
        keys: Keys,
        device: PublicKey,
        here: bool,
        there: bool,
        again: Millis,
    },
    Closed,
}

enum Due {
    Share([u8; SHARE_LEN]),
    Verdict([u8; VERDICT_LEN]),
}

impl fmt::Debug for PairingWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PairingWindow")
            .field("until", &self.until)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

impl PairingWindow {
    /// Opens a window for one module, to which is granted what it is to have.
    #[must_use]
    pub fn open(own: Own, granted: Granted, now: Millis) -> Self {
        Self {
            own,
            granted,
            state: State::Waiting,
            until: now.after(WINDOW_MS),
            attempts: 0,
            due: None,
            events: [None, None],
        }
    }

    /// Takes a frame. Says whether it is of the attempt that runs, so that answers go where it came from. What does
    /// not authenticate changes nothing.
    pub fn handle(
        &mut self,
        now: Millis,
        bytes: &[u8],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> bool {
        self.tick(now);
        match Frame::decode(bytes) {
            Some(Frame::Offer(number, offer)) => self.offer(now, number, offer, rng),
            Some(Frame::Reveal(number, frame)) => self.reveal(now, number, frame),
            Some(Frame::Verdict(number, step, frame)) => self.verdict(now, number, step, frame),
            Some(Frame::Share(..)) | None => false,
        }
    }

    /// What the person at the dispatcher says of the code.
    pub fn answer(&mut self, now: Millis, yes: bool) {
        self.tick(now);
        let State::Comparing {
            number, keys, here, ..
        } = &mut self.state
        else {
            return;
        };
        if yes {
            *here = true;
            self.grant(now);
        } else {
            let refuse = keys.seal(*number, Step::Refuse, &[0; Granted::LEN]);
            self.due = Some(Due::Verdict(refuse));
            self.failed(PairingError::No);
        }
    }

    /// The next frame to be sent, to where the last one of the attempt came from.
    pub fn poll_transmit(&mut self, now: Millis, out: &mut [u8; 120]) -> Option<usize> {
        self.tick(now);
        self.due.take().map(|due| match due {
            Due::Share(frame) => put(out, &frame),
            Due::Verdict(frame) => put(out, &frame),
        })
    }

    /// What happened; drained to `None`.
    pub fn poll_event(&mut self) -> Option<PairingEvent> {
        let first = self.events[0].take();
        self.events[0] = self.events[1].take();
        first
    }

    /// When to ask again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        match &self.state {
            State::Waiting => self.until,
            State::Shared { until, .. } => self.until.min(*until),
            State::Comparing { again, .. } => self.until.min(*again),
            State::Closed => Millis::NEVER,
        }
    }

    /// Whether a module can still come.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed)
    }

    fn tick(&mut self, now: Millis) {
        if self.is_open() && now >= self.until {
            if !matches!(self.state, State::Waiting) {
                self.tell(PairingEvent::Failed(PairingError::Late));
            }
            self.close();
            return;
        }
        match &self.state {
            State::Shared { until, .. } if now >= *until => self.failed(PairingError::Late),
            State::Comparing { again, .. } if now >= *again => self.grant(now),
            _ => {}
        }
    }

    fn offer(
        &mut self,
        now: Millis,
        number: u32,
        offer: &[u8; OFFER_LEN],
        rng: &mut (impl RngCore + CryptoRng),
    ) -> bool {
        match &self.state {
            State::Waiting => {}
            // Its answer was lost. A new one would be a second try at the same commitment.
            State::Shared {
                offer: known,
                share_frame,
                ..
            } if known == offer => {
                self.due = Some(Due::Share(*share_frame));
                return true;
            }
            _ => return false,
        }
        let (mut ephemeral, mut share) = ([0; 32], [0; 16]);
        rng.fill_bytes(&mut ephemeral);
        rng.fill_bytes(&mut share);
        let Ok(mut noise) = frames::noise(false, number, &self.own, &Secret::new(ephemeral)) else {
            return false;
        };
        let (mut committed, mut frame) = ([0; 32], [0; SHARE_LEN]);
        frame[..HEADER].copy_from_slice(&frames::header(SHARE, 0, number));
        let read = noise.read_message(&offer[HEADER..OFFER_END], &mut committed);
        if read.is_err() || noise.write_message(&share, &mut frame[HEADER..]).is_err() {
            return false;
        }
        self.attempts += 1;
        self.due = Some(Due::Share(frame));
        self.state = State::Shared {
            number,
            noise,
            offer: *offer,
            share_frame: frame,
            share,
            committed,
            until: now.after(REVEAL_MS),
        };
        true
    }

    fn reveal(&mut self, now: Millis, number: u32, frame: &[u8; REVEAL_LEN]) -> bool {
        let State::Shared {
            number: mine,
            noise,
            share,
            committed,
            ..
        } = &self.state
        else {
            return false;
        };
        let (mut noise, share, committed) = (noise.clone(), *share, *committed);
        let mut theirs = [0; 16];
        if number != *mine || noise.read_message(&frame[HEADER..], &mut theirs).is_err() {
            return false;
        }
        let (device, keys) = (noise.get_remote_static(), Keys::new(noise, false));
        let (Some(device), Ok(keys)) = (device.map(PublicKey), keys) else {
            self.failed(PairingError::Keys);
            return false;
        };
        if commitment(&device, &theirs) != committed {
            self.failed(PairingError::Commitment);
            return false;
        }
        let code = Code::of(&keys.hash, &theirs, &share);
        self.tell(PairingEvent::Compare(code));
        self.due = None;
        self.state = State::Comparing {
            number,
            keys,
            device,
            here: false,
            there: false,
            again: now.after(AGAIN_MS),
        };
        true
    }

    fn verdict(&mut self, now: Millis, number: u32, step: Step, frame: &[u8; VERDICT_LEN]) -> bool {
        let State::Comparing {
            number: mine,
            keys,
            device,
            here,
            there,
            ..
        } = &mut self.state
        else {
            return false;
        };
        if number != *mine || keys.open(step, frame).is_none() {
            return false;
        }
        match step {
            Step::Confirm => {
                *there = true;
                self.grant(now);
            }
            Step::Accepted if *here && *there => {
                let (peer, granted) = (*device, self.granted.clone());
                self.tell(PairingEvent::Paired { peer, granted });
                self.state = State::Closed;
            }
            Step::Refuse => self.failed(PairingError::Refused),
            Step::Accepted | Step::Grant => {}
        }
        true
    }

    /// Says what is granted once both persons said yes, again each second until the device has it.
    fn grant(&mut self, now: Millis) {
        if let State::Comparing {
            number,
            keys,
            here,
            there,
            again,
            ..
        } = &mut self.state
        {
            *again = now.after(AGAIN_MS);
            if *here && *there {
                let frame = keys.seal(*number, Step::Grant, &self.granted.encode());
                self.due = Some(Due::Verdict(frame));
            }
        }
    }

    fn failed(&mut self, error: PairingError) {
        self.tell(PairingEvent::Failed(error));
        self.state = State::Waiting;
        if self.attempts >= ATTEMPTS_MAX {
            self.close();
        }
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.tell(PairingEvent::Closed);
    }

    /// At most two come of one input; a caller that does not drain loses the oldest.
    fn tell(&mut self, event: PairingEvent) {
        if self.events[0].is_none() {
            self.events[0] = Some(event);
        } else if let Some(older) = self.events[1].replace(event) {
            self.events[0] = Some(older);
        }
    }
}
