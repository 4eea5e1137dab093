//! What the broker remembers of a client beyond its connection, and of the user it belongs to.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use types::{InputNo, Instant};

use crate::{
    Access, Ended, Filter, Limits,
    application::ClientKey,
    codec::{Version, connect::WillPacket},
    connection::ConnKey,
    kept::SessionNo,
    limits::Rate,
    outbound::{Queue, Window},
    router::Subscriber,
};

/// A session: one client id of one user.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
    /// Its number, where it survives the end of the process.
    pub(crate) no: Option<SessionNo>,
    /// Messages that got a number in it.
    pub(crate) deliveries: u64,
    /// Index into the users.
    pub(crate) user: u32,
    pub(crate) access: Arc<Access>,
    /// Of the connection it has or last had.
    pub(crate) peer: SocketAddr,
    pub(crate) version: Version,
    pub(crate) connection: Option<ConnKey>,
    pub(crate) subscriptions: BTreeMap<Filter, Subscriber>,
    pub(crate) queue: Queue,
    pub(crate) window: Window,
    /// Messages it takes in flight.
    pub(crate) window_max: usize,
    /// What it counts against the limit of all queues together.
    pub(crate) counted: usize,
    /// QoS 2 messages from the client that wait for its PUBREL, and the input after which their
    /// PUBREC may leave.
    pub(crate) received: BTreeMap<u16, InputNo>,
    /// Seconds it outlives its connection.
    pub(crate) expiry_s: u32,
    /// When its connection ended and when it ends itself, while it has none.
    pub(crate) left: Option<Instant>,
    pub(crate) expires: Option<Instant>,
    pub(crate) will: Option<Box<WillPacket>>,
    /// When the will is published, while it waits for its delay.
    pub(crate) will_due: Option<Instant>,
    /// How the last connection ended.
    pub(crate) ended: Ended,
    /// How often its client may still take over its own connection.
    pub(crate) takeovers: Option<Rate>,
}

impl Session {
    /// Whether one more message may be in flight. The first may whatever its size.
    pub(crate) fn has_window(&self, limits: &Limits) -> bool {
        let window = &self.window;
        window.len() < self.window_max
            && (window.len() == 0 || window.bytes() < limits.queue_bytes_max)
    }

    /// Queue or window changed: brings `total`, over all sessions, up to date.
    pub(crate) fn recount(&mut self, total: &mut usize) {
        let before = std::mem::replace(&mut self.counted, self.queue.held() + self.window.bytes());
        *total = *total + self.counted - before;
    }
}

/// A user with at least one session.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) sessions: BTreeMap<Arc<str>, ClientKey>,
    /// Sessions with a connection.
    pub(crate) live: u32,
    /// Subscriptions of all its sessions.
    pub(crate) subscriptions: usize,
}

/// Deadlines. Ordered by time, then by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The CONNECT or the verdict on its password is late.
    Connect(ConnKey),
    /// Nothing came for too long, unless something did since.
    KeepAlive(ConnKey),
    /// A will's delay is over.
    Will(ClientKey),
    /// A session without connection ends.
    Session(ClientKey),
    /// A socket has taken nothing for too long, unless it did since.
    Stall(ConnKey),
    /// A client is read again that the application held back.
    Hold(ConnKey),
    /// Expired retained messages are thrown out.
    Sweep,
    /// The broker tells of itself.
    Report,
}

/// All deadlines of the broker.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Takes the first deadline that has passed.
    pub(crate) fn due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        let first = *self.0.first()?;
        if first.0 > now {
            return None;
        }
        self.0.pop_first()
    }
}
