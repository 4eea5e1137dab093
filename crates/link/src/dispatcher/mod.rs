//! The dispatcher's end: all devices of a house. Called by its transports (UDP, MQTT). Takes memory as devices are
//! registered, each bound with a default; must not know channels' meaning, sockets or clocks.

mod bucket;
mod hello;
mod messages;
mod peer;

use alloc::{collections::BTreeMap, collections::VecDeque, vec::Vec};
use core::{fmt, net::SocketAddr};

use rand_core::CryptoRngCore;
use wire::{Body, BodyError, Event, Events, Frame, Handle, HelloFlags, Kind, PublicKey, Secret};

use crate::{
    macs::{CookieJar, DispatcherMacs, ResetKey},
    noise::Own,
    time::Millis,
};
use bucket::Bucket;
pub use bucket::Rate;
use peer::{Doubt, Peer, Seen};

/// How long a half-session waits for its CONFIRM.
const HALF_MS: u64 = 10_000;
/// How long the keys of before a planned rekey open what is under way.
const PREVIOUS_MS: u64 = 2_000;
/// A session's keys die after a day, whatever happens.
const SESSION_MS: u64 = 24 * 3_600_000;
/// A device is told to ask for new keys early enough: a tenth later it is still within the day.
const REKEY_S: u32 = 21 * 3_600 + 1_800;
/// A device that was not heard for so long is offline.
const SILENCE_MS: u64 = 90_000;
/// Cookies count for two to four minutes.
const COOKIE_MS: u64 = 120_000;
/// Times that a device is asked whether it is there.
const PINGS: u8 = 3;
/// How far apart.
const PING_MS: u64 = 1_000;

/// Where a frame came from.
///
/// A device says in its HELLO whether it comes by datagrams or through a broker, and has topics of its own there: what
/// comes on another way is nothing of it, whoever brought it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// A datagram's source.
    Udp(SocketAddr),
    /// The topics of this device at a broker.
    Mqtt(Broker, Handle),
}

/// A broker through which frames come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broker {
    /// The house's own.
    Own,
    /// Somebody else's.
    External,
}

impl Address {
    /// Whether a device that says this of itself may come from here.
    fn fits(self, device: Handle, says: HelloFlags) -> bool {
        match self {
            Self::Udp(_) => says.has(HelloFlags::UDP),
            Self::Mqtt(_, of) => of == device && !says.has(HelloFlags::UDP),
        }
    }

    /// Whether it is the same way; a datagram's source may change on it.
    fn is_way_of(self, other: Self) -> bool {
        matches!((self, other), (Self::Udp(_), Self::Udp(_))) || self == other
    }
}

/// Bounds, with defaults for a house.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Devices with a session.
    pub sessions_max: usize,
    /// Half-sessions of all devices.
    pub halves_max: usize,
    /// Half-sessions of one device.
    pub device_halves_max: usize,
    /// Handshakes of all.
    pub handshakes: Rate,
    /// RESETs to all.
    pub resets: Rate,
    /// HELLOs of one source with a wrong `mac1`, or without a cookie where one is asked for.
    pub source: Rate,
    /// Sources that are counted at the same time.
    pub sources_max: usize,
    /// Handshakes of one device.
    pub device: Rate,
    /// Events of one device.
    pub events: Rate,
    /// Messages to one device that wait, beside a target for each of its channels.
    pub queue_max: usize,
    /// Keys that asked and are not registered.
    pub pending_max: usize,
    /// How long they are listed, milliseconds.
    pub pending_ms: u64,
    /// What was told and not taken by the caller.
    pub told_max: usize,
    /// A clone is not only told, but kept out.
    pub quarantine: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 4_096,
            halves_max: 4_096,
            device_halves_max: 2,
            handshakes: Rate::per_second(1_000, 1_000),
            resets: Rate::per_second(1_000, 1_000),
            source: Rate::per_second(10, 20),
            sources_max: 4_096,
            device: Rate {
                per_1000_s: 500,
                burst: 5,
            },
            events: Rate::per_second(200, 400),
            queue_max: 64,
            pending_max: 64,
            pending_ms: 600_000,
            told_max: 65_536,
            quarantine: false,
        }
    }
}

/// What was refused or left out, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// No frame.
    pub malformed: u64,
    /// HELLOs with a wrong `mac1`.
    pub wrong_mac1: u64,
    /// HELLOs whose handshake did not authenticate.
    pub refused_hellos: u64,
    /// HELLOs of keys that are not registered.
    pub unknown_keys: u64,
    /// HELLOs of devices that are blocked, revoked or in quarantine.
    pub blocked_hellos: u64,
    /// HELLOs beyond a rate or a bound.
    pub limited_hellos: u64,
    /// COOKIEs that were sent.
    pub cookies: u64,
    /// RESETs that were sent.
    pub resets: u64,
    /// Frames that did not authenticate, or came already.
    pub refused_frames: u64,
    /// Bodies that could not be read.
    pub broken_bodies: u64,
    /// Kinds of a later version.
    pub unknown_kinds: u64,
    /// Events beyond a device's rate; not acknowledged, so that it says them again.
    pub limited_events: u64,
    /// Events that came already.
    pub repeated_events: u64,
    /// What devices say while they are blocked.
    pub blocked_messages: u64,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A session was confirmed. Tell the device its role and the whole desired state, then [`Body::SyncEnd`]. Targets
    /// leave once the device has taken the role.
    Online {
        /// Which.
        device: Handle,
        /// Of which boot.
        boot_id: u64,
        /// The same boot has new keys; its targets are told again all the same.
        rekeyed: bool,
    },
    /// The last session ended.
    Offline {
        /// Which.
        device: Handle,
    },
    /// One new event: an EVENT body that holds it alone. Call [`Dispatcher::journalled`] once it is kept.
    Event {
        /// Which.
        device: Handle,
        /// Of which boot.
        boot_id: u64,
        /// Which of the boot.
        seq: u32,
        /// For [`Body::decode`].
        body: Vec<u8>,
    },
    /// A STATE, PONG, OTA or LOG.
    Message {
        /// Which.
        device: Handle,
        /// What.
        kind: Kind,
        /// For [`Body::decode`].
        body: Vec<u8>,
    },
    /// Two devices seem to have the same key.
    Clone {
        /// Which.
        device: Handle,
        /// What points to it.
        why: CloneSign,
    },
    /// A key that is not registered asks to be let in.
    Pending {
        /// The key.
        key: PublicKey,
        /// Where it is.
        from: Address,
    },
    /// The device took this SET; whether it could do it, its STATE says.
    Taken {
        /// Which.
        device: Handle,
        /// What [`Dispatcher::set`] gave.
        rev: u32,
    },
    /// A message was said eight times and not taken. It is said again once the device is heard, but for something
    /// momentary, which is over.
    Unheard {
        /// By which.
        device: Handle,
    },
}

/// What points to a clone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloneSign {
    /// Another boot that was not counted on from the last.
    BootCount,
    /// More than three boots within ten minutes.
    Takeovers,
    /// Two addresses, one after the other and again.
    Addresses,
}

/// Why nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// No such device is registered.
    Unknown,
    /// It has no session; the next one begins with the whole desired state.
    Offline,
    /// It may not be told anything.
    Blocked,
    /// So many messages wait already.
    Full,
    /// The body is beyond a limit.
    Body(BodyError),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("no such device is registered"),
            Self::Offline => f.write_str("the device is offline"),
            Self::Blocked => f.write_str("the device is blocked"),
            Self::Full => f.write_str("too many messages wait for the device"),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SendError {}

/// The dispatcher's end of the link.
///
/// Sans-io. After each call, and at each [`Dispatcher::deadline`] ([`Dispatcher::handle_timeout`]), drain
/// [`Dispatcher::poll_transmit`] and [`Dispatcher::poll_told`] to `None`. `now` never goes back; `rng` is
/// cryptographic. Output is in an order that depends on the inputs alone.
pub struct Dispatcher {
    own: Own,
    macs: DispatcherMacs,
    jar: CookieJar,
    jar_at: Millis,
    resets: ResetKey,
    epoch: u64,
    limits: Limits,
    peers: BTreeMap<Handle, Peer>,
    keys: BTreeMap<PublicKey, Handle>,
    indices: BTreeMap<u32, Handle>,
    hellos: BTreeMap<[u8; 16], Handle>,
    halves: usize,
    sessions: usize,
    revoked: alloc::collections::BTreeSet<PublicKey>,
    pending: BTreeMap<PublicKey, Millis>,
    sources: BTreeMap<Address, Bucket>,
    handshake_bucket: Bucket,
    reset_bucket: Bucket,
    out: VecDeque<(Address, Vec<u8>)>,
    told: VecDeque<Told>,
    counters: Counters,
}

impl fmt::Debug for Dispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatcher")
            .field("devices", &self.peers.len())
            .field("sessions", &self.sessions)
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl Dispatcher {
    /// Starts without devices. `resets` is kept with the other keys and the same at each start; the epoch is random.
    #[must_use]
    pub fn new(
        own: Own,
        resets: ResetKey,
        limits: Limits,
        now: Millis,
        rng: &mut dyn CryptoRngCore,
    ) -> Self {
        Self {
            macs: DispatcherMacs::new(&own.public()),
            own,
            jar: CookieJar::new(random(rng)),
            jar_at: now.after(COOKIE_MS),
            resets,
            epoch: rng.next_u64(),
            limits,
            peers: BTreeMap::new(),
            keys: BTreeMap::new(),
            indices: BTreeMap::new(),
            hellos: BTreeMap::new(),
            halves: 0,
            sessions: 0,
            revoked: alloc::collections::BTreeSet::new(),
            pending: BTreeMap::new(),
            sources: BTreeMap::new(),
            handshake_bucket: Bucket::new(limits.handshakes, now),
            reset_bucket: Bucket::new(limits.resets, now),
            out: VecDeque::new(),
            told: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Lets a device in. One that is registered keeps its session and gets the new PSK for the next.
    pub fn register(&mut self, key: PublicKey, psk: Secret, now: Millis) -> Handle {
        let device = Handle::of(&key);
        self.pending.remove(&key);
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.psk = psk;
            return device;
        }
        let peer = Peer {
            psk,
            block_in: false,
            block_out: false,
            quarantined: false,
            halves: Vec::new(),
            current: None,
            previous: None,
            doubt: Doubt::None,
            asked_at: None,
            confirmed: None,
            confirmed_hellos: VecDeque::new(),
            takeovers: VecDeque::new(),
            hellos: Bucket::new(self.limits.device, now),
            events: Bucket::new(self.limits.events, now),
            seen: Seen::default(),
            queue: BTreeMap::new(),
            awaits_role: false,
            states: BTreeMap::new(),
            rev: 0,
            said: 0,
        };
        self.keys.insert(key, device);
        self.peers.insert(device, peer);
        device
    }

    /// Blocks what a device says, what it is told, or both, which also ends its session. Lifts it likewise.
    pub fn block(&mut self, device: Handle, block_in: bool, block_out: bool) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        (peer.block_in, peer.block_out) = (block_in, block_out);
        if block_out {
            peer.queue.clear();
            peer.look_for_role();
        }
        if block_in && block_out {
            self.end(device);
        }
    }

    /// Denies a key for ever.
    pub fn revoke(&mut self, key: PublicKey) {
        if let Some(device) = self.keys.get(&key).copied() {
            self.end(device);
        }
        self.revoked.insert(key);
    }

    /// Lets a device in again that was kept out as a clone.
    pub fn lift_quarantine(&mut self, device: Handle) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.quarantined = false;
            peer.takeovers.clear();
        }
    }

    /// An event that an earlier run of the dispatcher journalled: it is not new.
    pub fn remember(&mut self, device: Handle, boot_id: u64, seq: u32) {
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.seen.is_new(boot_id, seq);
            peer.seen.journalled(boot_id, seq);
        }
    }

    /// What was refused.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Random at each start; published on the epoch topic.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a device has a session.
    #[must_use]
    pub fn is_online(&self, device: Handle) -> bool {
        self.peers
            .get(&device)
            .is_some_and(|peer| peer.current.is_some())
    }

    /// Where the device of a session was last heard; `None`: it has none.
    #[must_use]
    pub fn address(&self, device: Handle) -> Option<Address> {
        Some(self.peers.get(&device)?.current.as_ref()?.from)
    }

    /// Takes one datagram or MQTT payload. Whatever is not genuine is counted, and not answered but by WELCOME's,
    /// COOKIE's and RESET's rules. Gives whether it is a device's word of now: sealed, and never heard before.
    pub fn handle(
        &mut self,
        now: Millis,
        from: Address,
        datagram: &[u8],
        unix_ms: u64,
        rng: &mut dyn CryptoRngCore,
    ) -> bool {
        match Frame::decode(datagram) {
            Ok(Frame::Hello(hello)) => self.hello(now, from, &hello, unix_ms, rng),
            Ok(Frame::Data(data)) => return self.data(now, from, &data),
            Ok(_) | Err(_) => self.counters.malformed += 1,
        }
        false
    }

    /// Somebody (nobody vouches for whom) says on this way that a device is gone: it is asked, once a second at most.
    /// `boot_id`: of which boot, where that is said.
    pub fn will_hint(&mut self, on: Address, device: Handle, boot_id: Option<u64>, now: Millis) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let is_of_session = |live: &peer::Live| {
            on.is_way_of(live.from) && boot_id.is_none_or(|boot_id| boot_id == live.says.boot_id)
        };
        if peer.current.as_ref().is_some_and(is_of_session) && matches!(peer.doubt, Doubt::None) {
            let at = { peer.asked_at }.map_or(now, |asked| now.max(asked.after(PING_MS)));
            peer.doubt = Doubt::Asked { times: 0, at };
        }
    }

    /// The next datagram and where to.
    pub fn poll_transmit(&mut self) -> Option<(Address, Vec<u8>)> {
        self.out.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_told(&mut self) -> Option<Told> {
        self.told.pop_front()
    }

    /// Ends all sessions of a device.
    fn end(&mut self, device: Handle) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let was = peer.current.is_some();
        self.halves -= peer.halves.len();
        for live in peer.end() {
            self.indices.remove(&live.index);
            self.hellos.remove(&hello::wire_mac1(&live.hello));
        }
        if was {
            self.sessions -= 1;
            self.tell(Told::Offline { device });
        }
    }

    fn tell(&mut self, told: Told) {
        // The caller drains it after each call: a full queue is a caller that doesn't.
        if self.told.len() < self.limits.told_max {
            self.told.push_back(told);
        }
    }
}

fn random(rng: &mut dyn CryptoRngCore) -> Secret {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Secret::new(bytes)
}

/// An EVENT body of one event.
fn alone(event: &Event<'_>) -> Option<Vec<u8>> {
    let (mut one, mut out) = ([0; wire::EVENT_LEN_MAX], [0; wire::EVENT_LEN_MAX + 1]);
    let len = event.encode(&mut one).ok()?;
    let len = Events::join([&one[..len]].into_iter(), &mut out).ok()?;
    Some(out[..len].to_vec())
}

/// Whether a body reaches the device also where it may not be told anything.
fn is_housekeeping(body: &Body<'_>) -> bool {
    matches!(body, Body::Bye { .. } | Body::Ping { .. } | Body::Rekey)
}

#[cfg(test)]
mod wiped;
