//! What the broker remembers of a client beyond its connection, and of the user it belongs to.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::Arc,
};

use types::{InputNo, Instant};

use crate::{
    Access, Filter,
    application::ClientKey,
    codec::{Version, connect::WillPacket},
    connection::ConnKey,
    outbound::{Queue, Window},
    router::Subscriber,
};

/// A session: one client id of one user.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
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
}

/// A user with at least one session.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: Arc<str>,
    pub(crate) sessions: BTreeMap<Arc<str>, ClientKey>,
    /// Sessions with a connection.
    pub(crate) live: u32,
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
    /// Expired retained messages are thrown out.
    Sweep,
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
