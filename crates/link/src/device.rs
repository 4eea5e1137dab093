//! A device's end: from boot to UP, what it says again until it is heard, and when it starts over. Called by the
//! device's runtime. No allocator; must not know channels' meaning, transports or clocks.

mod outbox;

use core::fmt;

use rand_core::CryptoRngCore;
use wire::{
    Body, BodyError, Event, Frame, HelloPayload, Identity, Kind, Plain, PublicKey, Secret, State,
};

use crate::{
    acks::Taken,
    macs,
    noise::{Initiator, Own},
    session::Session,
    time::Millis,
};
use outbox::Outbox;

/// Pauses between repetitions of a HELLO, before they are spread by half.
const HELLO_PAUSES_MS: [u64; 4] = [500, 1_000, 2_000, 4_000];
/// Longest pause between attempts.
const BACKOFF_MS_MAX: u64 = 60_000;
/// CONFIRMs without an answer before a new HELLO.
const CONFIRMS_MAX: u8 = 5;
/// A dispatcher that restarted hears its devices spread over this time.
const SPREAD_MS: u64 = 2_000;
/// Whoever can make a device start over can do it so often.
const RESTART_MS_MIN: u64 = 5_000;
/// Frames after which keys are replaced.
const REKEY_FRAMES: u64 = 1 << 32;
/// Channels whose newest SET is remembered.
const CHANNELS: usize = 64;

/// Where the device is on its way to UP.
#[expect(
    clippy::large_enum_variant,
    reason = "one for each device, and there is no allocator to box it"
)]
enum Attempt {
    /// UP, nothing to do.
    Idle,
    /// A HELLO follows.
    Waiting { until: Millis },
    /// The same HELLO goes out until there is a WELCOME.
    HelloSent {
        initiator: Initiator,
        tries: u8,
        at: Millis,
    },
    /// The WELCOME came; UP with the first sealed frame.
    Confirming { live: Live, tries: u8, at: Millis },
}

/// A session and what is counted in it.
struct Live {
    session: Session,
    device_index: u32,
    dispatcher_index: u32,
    reset_token: [u8; 16],
    keepalive_ms: u64,
    rekey_at: Millis,
    heard_at: Millis,
    said_at: Millis,
    seq: u16,
    taken: Taken,
    ack_due: bool,
    /// The dispatcher is asked whether it is there.
    asks: bool,
    pong: Option<u32>,
}

/// What a frame brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Received<'a> {
    /// A session came about: report every channel's state. The house's wishes follow.
    pub up: bool,
    /// The dispatcher ended the session.
    pub down: bool,
    /// A SET that is newer than what its channel had, or a CONFIG, `SYNC_END`, NEWKEY or OTA.
    pub body: Option<Body<'a>>,
}

/// A device's end of the link.
///
/// Sans-io. After each call of [`Device::handle`], `event`, `state` and at each [`Device::deadline`], call
/// [`Device::poll_transmit`] until it gives `None`, and send what it gives. `now` never goes back; `rng` is
/// cryptographic and seeded. Nothing happens between calls.
pub struct Device {
    own: Own,
    dispatcher: PublicKey,
    psk: Secret,
    about: HelloPayload,
    boot: Millis,
    attempt: Attempt,
    rounds: u32,
    current: Option<Live>,
    restarted_at: Option<Millis>,
    outbox: Outbox,
    event_seq: u32,
    set_revs: [[u32; 2]; CHANNELS],
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("up", &self.is_up())
            .finish_non_exhaustive()
    }
}

impl Device {
    /// Begins with a boot; the first HELLO is due at once. `about.boot_id` has to be random.
    #[must_use]
    pub fn new(identity: &Identity, about: HelloPayload, now: Millis) -> Self {
        Self {
            own: Own::with_public(identity.device_secret.clone(), identity.device_public),
            dispatcher: identity.dispatcher,
            psk: identity.psk.clone(),
            about,
            boot: now,
            attempt: Attempt::Waiting { until: now },
            rounds: 0,
            current: None,
            restarted_at: None,
            outbox: Outbox::new(),
            event_seq: 0,
            set_revs: [[0; 2]; CHANNELS],
        }
    }

    /// Whether the dispatcher is known to hear.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.current.is_some()
    }

    /// Events that found no room, and were older than all that are kept.
    #[must_use]
    pub fn dropped(&self) -> u32 {
        self.outbox.dropped()
    }

    /// Events that nobody took for ten seconds; such an event is dropped and not told late.
    #[must_use]
    pub fn expired(&self) -> u32 {
        self.outbox.expired()
    }

    /// When the dispatcher was last heard in the session that there is.
    #[must_use]
    pub fn heard_at(&self) -> Option<Millis> {
        self.current.as_ref().map(|live| live.heard_at)
    }

    /// Queues an event; its `seq` is given here, and returned. Of more than the outbox holds the oldest is dropped.
    ///
    /// # Errors
    /// The event is beyond a limit.
    pub fn event(&mut self, event: Event<'_>, now: Millis) -> Result<u32, BodyError> {
        let seq = self.event_seq + 1;
        self.outbox.event(&Event { seq, ..event }, now)?;
        self.event_seq = seq;
        Ok(seq)
    }

    /// Queues what a channel is; a newer one replaces it.
    ///
    /// # Errors
    /// The state is beyond a limit, or more channels wait than there is room for.
    pub fn state(&mut self, state: &State<'_>, now: Millis) -> Result<(), BodyError> {
        self.outbox.state(state, now)
    }

    /// The dispatcher says (on a topic that anybody may write) that it started again.
    pub fn epoch_hint(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        self.restart(now, rng);
    }

    /// The connection to the dispatcher is another one: what was under way is lost, and the dispatcher may have started again
    /// meanwhile. It is asked at once.
    pub fn reconnected(&mut self, now: Millis) {
        if let Some(live) = &mut self.current {
            live.asks = true;
        }
        if let Attempt::HelloSent { at, .. } | Attempt::Confirming { at, .. } = &mut self.attempt {
            *at = now;
        }
    }

    /// Ends the session for good: writes a last frame into `out`. Without a session there is nothing to say.
    pub fn bye(&mut self, reason: u8, now: Millis, out: &mut [u8]) -> Option<usize> {
        let until = Millis::NEVER;
        self.attempt = Attempt::Waiting { until };
        let mut live = self.current.take()?;
        live.say(&Body::Bye { reason }, now, out)
    }

    /// Takes one datagram. Whatever is not genuine changes nothing. `room` holds what is sealed in the frame, up to
    /// [`wire::PLAIN_LEN_MAX`] bytes.
    pub fn handle<'a>(
        &mut self,
        now: Millis,
        datagram: &[u8],
        room: &'a mut [u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Received<'a> {
        match Frame::decode(datagram) {
            Ok(Frame::Welcome(welcome)) => self.welcome(now, &welcome, rng),
            Ok(Frame::Cookie(cookie)) => self.cookie(now, &cookie),
            Ok(Frame::Reset(reset)) => {
                let mine = self.current.as_ref().is_some_and(|live| {
                    live.dispatcher_index == reset.dispatcher_index
                        && macs::same(&live.reset_token, &reset.token)
                });
                if mine {
                    self.restart(now, rng);
                }
            }
            Ok(Frame::Data(data)) => return self.data(now, &data, room, rng),
            Ok(Frame::Hello(_)) | Err(_) => {}
        }
        Received::default()
    }

    fn welcome(&mut self, now: Millis, welcome: &wire::Welcome, rng: &mut dyn CryptoRngCore) {
        let Attempt::HelloSent { initiator, .. } = &self.attempt else {
            return;
        };
        let Ok((session, payload)) = initiator.finish(welcome) else {
            return;
        };
        let rekey_ms = u64::from(payload.rekey_s).saturating_mul(1_000);
        let rekey_ms = rekey_ms - rekey_ms / 10 + below(rng, rekey_ms / 5 + 1);
        let live = Live {
            session,
            device_index: welcome.device_index,
            dispatcher_index: welcome.dispatcher_index,
            reset_token: payload.reset_token,
            keepalive_ms: u64::from(payload.keepalive_s.max(1)) * 1_000,
            rekey_at: now.after(rekey_ms),
            heard_at: now,
            said_at: now,
            seq: 0,
            taken: Taken::default(),
            ack_due: false,
            asks: false,
            pong: None,
        };
        self.attempt = Attempt::Confirming {
            live,
            tries: 0,
            at: now,
        };
    }

    fn cookie(&mut self, now: Millis, cookie: &wire::Cookie) {
        if let Attempt::HelloSent { initiator, at, .. } = &mut self.attempt
            && initiator.cookie(cookie).is_ok()
        {
            *at = now;
        }
    }

    fn data<'a>(
        &mut self,
        now: Millis,
        data: &wire::Data<'_>,
        room: &'a mut [u8],
        rng: &mut dyn CryptoRngCore,
    ) -> Received<'a> {
        let mut received = Received::default();
        let new = matches!(&self.attempt, Attempt::Confirming { live, .. } if live.device_index == data.receiver_index);
        let live = match (&mut self.attempt, &mut self.current) {
            (Attempt::Confirming { live, .. }, _) if new => live,
            (_, Some(live)) if live.device_index == data.receiver_index => live,
            _ => return received,
        };
        let Ok(plain) = live.session.open(data, room) else {
            return received;
        };
        if new
            && let Attempt::Confirming { live, .. } =
                core::mem::replace(&mut self.attempt, Attempt::Idle)
        {
            self.current = Some(live);
            self.set_revs = [[0; 2]; CHANNELS];
            self.outbox.begin(now);
            self.rounds = 0;
            received.up = true;
        }
        self.message(now, &plain, rng, &mut received);
        received
    }

    fn message<'a>(
        &mut self,
        now: Millis,
        plain: &Plain<'a>,
        rng: &mut dyn CryptoRngCore,
        received: &mut Received<'a>,
    ) {
        let Some(live) = &mut self.current else {
            return;
        };
        live.heard_at = now;
        if let Some(ack) = plain.ack {
            self.outbox.taken(ack);
        }
        self.outbox.heard(now);
        if plain.ack_me {
            live.taken.take(plain.seq);
            live.ack_due = true;
        }
        match Body::decode(plain.kind, plain.body) {
            Ok(Body::Set(set)) => {
                // Targets and commands of a channel are counted apart: neither hides the other.
                let place = self.set_revs.get_mut(usize::from(set.channel));
                let newest =
                    place.and_then(|revs| revs.get_mut(usize::from(set.command.is_some())));
                if let Some(newest) = newest
                    && *newest < set.rev
                {
                    *newest = set.rev;
                    received.body = Some(Body::Set(set));
                }
            }
            Ok(Body::Ping { nonce }) => live.pong = Some(nonce),
            Ok(Body::Rekey) if matches!(self.attempt, Attempt::Idle) => {
                self.attempt = Attempt::Waiting { until: now };
            }
            Ok(Body::Bye { .. }) => {
                self.current = None;
                received.down = true;
                let until = now.after(below(rng, SPREAD_MS));
                self.attempt = Attempt::Waiting { until };
            }
            Ok(
                body @ (Body::Config(_) | Body::SyncEnd { .. } | Body::NewKey(_) | Body::Ota(_)),
            ) => received.body = Some(body),
            Ok(_) | Err(_) => {}
        }
    }

    /// A new handshake beside the session there is, spread, and not too often.
    fn restart(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        let often = self
            .restarted_at
            .is_some_and(|at| now.since(at) < RESTART_MS_MIN);
        if often || !matches!(self.attempt, Attempt::Idle) {
            return;
        }
        self.restarted_at = Some(now);
        let until = now.after(below(rng, SPREAD_MS));
        self.attempt = Attempt::Waiting { until };
    }

    /// What is to be sent, at the start of `out` ([`wire::FRAME_LEN_MAX`] bytes): its length, or `None`.
    pub fn poll_transmit(
        &mut self,
        now: Millis,
        rng: &mut dyn CryptoRngCore,
        out: &mut [u8],
    ) -> Option<usize> {
        self.poll_attempt(now, rng, out)
            .or_else(|| self.poll_session(now, out))
    }

    fn poll_attempt(
        &mut self,
        now: Millis,
        rng: &mut dyn CryptoRngCore,
        out: &mut [u8],
    ) -> Option<usize> {
        if let Attempt::Waiting { until } = self.attempt
            && until <= now
        {
            self.begin(now, rng);
        }
        match &mut self.attempt {
            Attempt::HelloSent {
                initiator,
                tries,
                at,
            } if *at <= now => {
                let Some(pause) = HELLO_PAUSES_MS.get(usize::from(*tries)) else {
                    self.back_off(now, rng);
                    return None;
                };
                *tries += 1;
                *at = now.after(pause / 2 + below(rng, pause + 1));
                Frame::Hello(*initiator.hello()).encode(out).ok()
            }
            Attempt::Confirming { live, tries, at } if *at <= now => {
                if *tries >= CONFIRMS_MAX {
                    self.attempt = Attempt::Waiting { until: now };
                    return self.poll_attempt(now, rng, out);
                }
                *tries += 1;
                *at = now.after(300 + below(rng, 301));
                live.say(&Body::Confirm, now, out)
            }
            _ => None,
        }
    }

    /// A HELLO with a new ephemeral key.
    fn begin(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        let mut ephemeral = [0; 32];
        rng.fill_bytes(&mut ephemeral);
        let ephemeral = Secret::new(ephemeral);
        let index = rng.next_u32();
        let (to, about) = (self.dispatcher, &self.about);
        let begun = Initiator::new(&self.own, to, &self.psk, about, index, &ephemeral);
        self.attempt = match begun {
            Ok(initiator) => Attempt::HelloSent {
                initiator,
                tries: 0,
                at: now,
            },
            // The keys can't be used, and won't be later: asked again in a minute, so that nothing spins.
            Err(_) => Attempt::Waiting {
                until: now.after(BACKOFF_MS_MAX),
            },
        };
    }

    fn back_off(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        let most = (4_000_u64 << self.rounds.min(4)).min(BACKOFF_MS_MAX);
        self.rounds = self.rounds.saturating_add(1);
        let until = now.after(below(rng, most));
        self.attempt = Attempt::Waiting { until };
    }

    fn poll_session(&mut self, now: Millis, out: &mut [u8]) -> Option<usize> {
        let live = self.current.as_mut()?;
        let silent = now.since(live.heard_at) >= live.keepalive_ms * 5 / 2;
        let old = live.rekey_at <= now || live.session.sealed() >= REKEY_FRAMES;
        if (silent || old) && matches!(self.attempt, Attempt::Idle) {
            self.attempt = Attempt::Waiting { until: now };
        }
        if let Some(nonce) = live.pong.take() {
            let uptime_ms = now.since(self.boot);
            return live.say(&Body::Pong { nonce, uptime_ms }, now, out);
        }
        if let Some((kind, body)) = self.outbox.due(now, live.seq) {
            return live.say_bytes(kind, body, true, now, out);
        }
        if live.ack_due {
            return live.say(&Body::Ack, now, out);
        }
        // Its answer tells that the dispatcher is there.
        let quiet = live.asks || now.since(live.said_at) >= live.keepalive_ms;
        quiet
            .then(|| live.say_bytes(Kind::Ack, &[], true, now, out))
            .flatten()
    }

    /// When to poll again, where nothing comes before. May be in the past.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        let attempt = match &self.attempt {
            Attempt::Idle => Millis::NEVER,
            Attempt::Waiting { until } => *until,
            Attempt::HelloSent { at, .. } | Attempt::Confirming { at, .. } => *at,
        };
        let Some(live) = &self.current else {
            return attempt;
        };
        let idle = matches!(self.attempt, Attempt::Idle);
        let silent = live.heard_at.after(live.keepalive_ms * 5 / 2);
        let restart = if idle {
            silent.min(live.rekey_at)
        } else {
            Millis::NEVER
        };
        let now_due = live.ack_due || live.asks || live.pong.is_some();
        let due = if now_due { Millis(0) } else { self.outbox.at() };
        attempt
            .min(restart)
            .min(due)
            .min(live.said_at.after(live.keepalive_ms))
    }
}

impl Live {
    fn say(&mut self, body: &Body<'_>, now: Millis, out: &mut [u8]) -> Option<usize> {
        let mut bytes = [0; 64];
        let len = body.encode(&mut bytes).ok()?;
        let ack_me = matches!(body, Body::Confirm);
        self.say_bytes(body.kind(), &bytes[..len], ack_me, now, out)
    }

    fn say_bytes(
        &mut self,
        kind: Kind,
        body: &[u8],
        ack_me: bool,
        now: Millis,
        out: &mut [u8],
    ) -> Option<usize> {
        let plain = Plain {
            kind,
            ack_me,
            seq: self.seq,
            ack: self.taken.newest(),
            body,
        };
        self.seq = self.seq.wrapping_add(1);
        self.ack_due = false;
        self.asks &= !ack_me;
        self.said_at = now;
        self.session.seal(&plain, out).ok()
    }
}

/// A number below `end`; 0 where that is 0. The few that are likelier by 2^-32 don't matter to a pause.
fn below(rng: &mut dyn CryptoRngCore, end: u64) -> u64 {
    u64::from(rng.next_u32()) % end.max(1)
}
