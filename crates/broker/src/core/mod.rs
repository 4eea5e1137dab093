//! The broker without sockets: bytes and time in, bytes and a deadline out.
//!
//! Driven by a shell: [`tcp::Server`](crate::tcp::Server), a simulator, a test. The shell calls
//! `handle`-like methods ([`Core::accept`], [`Core::receive`], [`Core::closed`], [`Core::verified`],
//! [`Core::durable`], [`Core::tick`]) with the time, and then
//! 1. hands [`Core::poll_verify`] to the argon2 worker,
//! 2. takes every connection from [`Core::pop_dirty`], writes its [`Core::output`] and says how much
//!    went out with [`Core::wrote`]; where the output says so and all of it is written, it closes
//!    the socket and calls [`Core::closed`],
//! 3. calls [`Core::commit`], goes back to 2 where that said something, then [`Application::drained`], and
//! 4. sleeps until input or [`Core::next_deadline`], then calls [`Core::tick`].
//!
//! No clock, socket, log or random number inside: the same calls give the same bytes. Time must
//! not go back; where it does, nothing happens until it has caught up.

mod accept;
mod admin;
mod connect;
mod deliver;
mod ending;
mod facts;
mod hold;
mod join;
mod publish;
mod report;
mod restore;
mod share;
mod subscribe;

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use slab::Slab;
use types::{InputNo, Instant, Now};

pub use accept::Refused;

use crate::{
    Application, Client, Denied, Ended, Limits, Outbox, Reason, Stats,
    application::ClientKey,
    codec::{self, Frame, Version, kind, write},
    connection::{ConnKey, Connections, Live, Stage},
    message::seconds,
    peers::Peers,
    retained::Retained,
    router::{Router, Subscriber},
    session::{Session, Timer, Timers, User},
    turns::Turns,
};

/// The broker. See the module's page for how to drive it.
#[derive(Debug)]
pub struct Core {
    limits: Limits,
    conns: Connections,
    sessions: Slab<Session>,
    users: Slab<User>,
    user_names: HashMap<Arc<str>, u32>,
    router: Router,
    retained: Retained,
    timers: Timers,
    /// Acks that wait for the store, in the order of the inputs they wait for.
    withheld: VecDeque<publish::Withheld>,
    durable: InputNo,
    facts: facts::Facts,
    /// `None`: it tells nothing of itself.
    report: Option<report::Report>,
    verify_jobs: Turns<VerifyJob>,
    /// Whose password the worker has.
    at_worker: Option<ConnKey>,
    peers: Peers,
    /// Connections that end as soon as the current step is over.
    doomed: VecDeque<(ConnKey, Ended)>,
    client_ids_made: u64,
    queued_bytes: usize,
    /// Messages and deliveries so far.
    work: u64,
    sweeping: bool,
    stopping: bool,
    stats: Stats,
    // Kept for their capacity.
    outbox: Outbox,
    hits: Vec<Subscriber>,
    ids: Vec<u32>,
}

/// A password to be checked away from the hot thread; see [`crate::password::verify`].
#[derive(Clone, Debug)]
pub struct VerifyJob {
    /// Goes back with the verdict.
    pub conn: ConnKey,
    /// The hash it has to fit.
    pub hash: Arc<str>,
    /// What the client gave.
    pub password: Vec<u8>,
}

impl Core {
    /// A broker without clients.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            conns: Connections::default(),
            sessions: Slab::new(),
            users: Slab::new(),
            user_names: HashMap::new(),
            router: Router::default(),
            retained: Retained::default(),
            timers: Timers::default(),
            withheld: VecDeque::new(),
            durable: InputNo(0),
            facts: facts::Facts::default(),
            report: None,
            verify_jobs: Turns::default(),
            at_worker: None,
            peers: Peers::default(),
            doomed: VecDeque::new(),
            client_ids_made: 0,
            queued_bytes: 0,
            work: 0,
            sweeping: false,
            stopping: false,
            stats: Stats::default(),
            outbox: Outbox::default(),
            hits: Vec::new(),
            ids: Vec::new(),
        }
    }

    /// Bytes came: handles all of them, whatever work that is. A shell with other connections takes turns
    /// ([`Core::receive_turn`]).
    pub fn receive(&mut self, key: ConnKey, data: &[u8], now: Now, app: &mut dyn Application) {
        self.receive_turn(key, data, now, app);
        while self.has_more(key) {
            self.receive_turn(key, &[], now, app);
        }
    }

    /// Whether packets wait that were too much work for one turn. Nothing is to be read from this socket then; once
    /// others had theirs, [`Core::receive_turn`] without bytes goes on.
    #[must_use]
    pub fn has_more(&self, key: ConnKey) -> bool {
        let conn = self.conns.read(key);
        conn.is_some_and(|conn| conn.has_more && !conn.closing)
    }

    /// Bytes came: handles as many packets as [`Limits::turn_work_max`] allows, and at least one. See
    /// [`Core::has_more`].
    pub fn receive_turn(&mut self, key: ConnKey, data: &[u8], now: Now, app: &mut dyn Application) {
        let Some(conn) = self.conns.edit(key).filter(|conn| !conn.closing) else {
            return;
        };
        conn.has_more = false;
        self.stats.bytes_in += data.len() as u64;
        conn.last_received = conn.last_received.max(now.at);
        conn.was_paused = false;
        conn.is_suspect = false;
        if conn.partial().is_empty() {
            let used = self.consume(key, data, now, app);
            let rest = data.get(used..).unwrap_or_default();
            self.keep_partial(key, rest.to_vec());
        } else {
            let mut data_all = self.conns.take_partial(key);
            data_all.extend_from_slice(data);
            self.consume_partial(key, data_all, now, app);
        }
        self.settle(now, app);
    }

    /// The socket is closed, by the peer or after [`Core::output`] asked for it.
    pub fn closed(&mut self, key: ConnKey, now: Now, app: &mut dyn Application) {
        self.end(key, Ended::Lost, now, app);
        self.set_timer(key, None);
        if let Some(conn) = self.conns.edit(key) {
            if let Some(stall) = conn.stall.take() {
                self.timers.cancel(stall.rings, Timer::Stall(key));
            }
            self.peers.closed(conn.counts_for, key);
        }
        self.conns.remove(key);
        self.settle(now, app);
    }

    /// The next connection with something to write or to close, each once until there is more.
    pub fn pop_dirty(&mut self) -> Option<ConnKey> {
        self.conns.pop_dirty()
    }

    /// What is to be written to a socket, and whether to close it once that is done.
    #[must_use]
    pub fn output(&self, key: ConnKey) -> (&[u8], bool) {
        self.conns.ready(key)
    }

    /// So many bytes of [`Core::output`] were written. Messages that waited for room may follow.
    pub fn wrote(&mut self, key: ConnKey, bytes: usize, now: Now) {
        self.stats.bytes_out += bytes as u64;
        self.note_pause(key);
        self.conns.wrote(key, bytes);
        let until = now.at.after(seconds(self.limits.stall_timeout_s));
        if let Some(rings) = self.conns.unblocked(key, until) {
            self.timers.cancel(rings, Timer::Stall(key));
        }
        let waits = self.conns.read(key).and_then(|conn| {
            let room = conn.pending() <= self.limits.output_bytes_max / 2;
            conn.live().filter(|_| room).map(|live| live.session)
        });
        if let Some(session) = waits {
            self.pump(session, now);
        }
    }

    /// The socket takes no more of [`Core::output`] for now. The rest has to go within
    /// [`Limits::stall_timeout_s`], or the client counts as one that doesn't read.
    pub fn blocked(&mut self, key: ConnKey, now: Now) {
        let until = now.at.after(seconds(self.limits.stall_timeout_s));
        if self.conns.blocked(key, until) {
            self.timers.set(until, Timer::Stall(key));
        }
    }

    /// All of a connection's output at once, as if written, and whether to close. For tests and
    /// simulators.
    pub fn take_output(&mut self, key: ConnKey, now: Now) -> (Vec<u8>, bool) {
        let mut taken = Vec::new();
        loop {
            let (bytes, close) = self.conns.ready(key);
            if bytes.is_empty() {
                return (taken, close);
            }
            taken.extend_from_slice(bytes);
            let len = bytes.len();
            self.wrote(key, len, now);
        }
    }

    /// Whether to read nothing more from this socket until something has left: its client doesn't
    /// take the answers to what it sends, an MQTT 3.1.1 client sends faster than the store writes, or the
    /// application [holds](Outbox::hold) it.
    #[must_use]
    pub fn is_paused(&self, key: ConnKey) -> bool {
        let Some(conn) = self.conns.read(key) else {
            return false;
        };
        let waits = |live: &Live| {
            let max = self.limits.receive_max.max(1);
            let is_full = live.unacked >= max;
            // What else waits for the store has no limit of MQTT's.
            let waits_for_much = live.withheld > usize::from(max);
            live.held_until.is_some() || waits_for_much || (live.version == Version::V3 && is_full)
        };
        conn.pending() >= self.limits.output_bytes_max || conn.live().is_some_and(waits)
    }

    /// Remembers a pause that may end now, for the client's keep-alive.
    pub(super) fn note_pause(&mut self, key: ConnKey) {
        if self.is_paused(key)
            && let Some(conn) = self.conns.edit(key)
        {
            conn.was_paused = true;
        }
    }

    /// When [`Core::tick`] is wanted, apart from the application's own deadline.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Time has passed: the broker's deadlines, and the application's where it is due.
    pub fn tick(&mut self, now: Now, app: &mut dyn Application) {
        while let Some((at, timer)) = self.timers.due(now.at) {
            match timer {
                Timer::Connect(key) => self.connect_is_late(key, now, app),
                Timer::KeepAlive(key) => self.check_keep_alive(key, at, now),
                Timer::Will(key) => self.will_is_due(key, at, now, app),
                Timer::Session(key) => self.session_is_due(key, at, now, app),
                Timer::Stall(key) => self.stall_is_due(key, now),
                Timer::Hold(key) => self.hold_is_over(key),
                Timer::Sweep => {
                    self.sweeping = false;
                    self.sweep(now.at);
                }
                Timer::Report => self.tell_counters(now),
            }
            self.settle(now, app);
        }
        if app.next_deadline().is_some_and(|at| at <= now.at) {
            self.with_outbox(now, |outbox| app.tick(now, outbox));
            self.settle(now, app);
        }
    }

    /// Counters and gauges.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.conns.len(),
            sessions: self.sessions.len(),
            subscriptions: self.router.len(),
            retained: self.retained.len(),
            queued_bytes: self.queued_bytes,
            partial_bytes: self.conns.partial_bytes(),
            stuck_bytes: self.conns.stuck_bytes(),
            peers: self.peers.len(),
            unconnected: self.peers.unconnected(),
            ..self.stats
        }
    }

    /// What it was made with.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts what happens between socket and core.
    pub(crate) fn count(&mut self, count: impl FnOnce(&mut Stats)) {
        count(&mut self.stats);
    }

    /// PUBLISH packets taken so far.
    pub(crate) fn messages_in(&self) -> u64 {
        self.stats.messages_in
    }

    /// Works through what was kept of a connection and what came.
    fn consume_partial(
        &mut self,
        key: ConnKey,
        mut data: Vec<u8>,
        now: Now,
        app: &mut dyn Application,
    ) {
        let used = self.consume(key, &data, now, app);
        data.drain(..used.min(data.len()));
        self.keep_partial(key, data);
    }

    /// Keeps the start of a packet. Where all of them together take too much, the largest goes.
    fn keep_partial(&mut self, key: ConnKey, partial: Vec<u8>) {
        if partial.is_empty() {
            return;
        }
        self.conns.keep_partial(key, partial);
        while self.conns.partial_bytes() > self.limits.partials_bytes_max
            && let Some(largest) = self.conns.most_partial()
        {
            self.stats.partials_refused += 1;
            self.doom(
                largest,
                Ended::Protocol(Reason::QuotaExceeded),
                Some(Reason::QuotaExceeded),
            );
        }
    }

    /// Takes whole packets from the front of `data`; returns how many bytes they were.
    fn consume(&mut self, key: ConnKey, data: &[u8], now: Now, app: &mut dyn Application) -> usize {
        let mut used = 0;
        let work_max = self.work + u64::from(self.limits.turn_work_max);
        while let Some(conn) = self.conns.read(key).filter(|conn| !conn.closing) {
            let rest = data.get(used..).unwrap_or_default();
            if used > 0 && !rest.is_empty() && self.work >= work_max {
                self.stats.split_turns += 1;
                self.conns.wants_turn(key);
                break;
            }
            let connect_bytes_max = self.limits.connect_bytes_max as usize;
            let bytes_max = match &conn.stage {
                // Whatever it is, it isn't MQTT: no need to wait for the rest.
                Stage::Fresh
                    if rest
                        .first()
                        .is_some_and(|first| *first != kind::CONNECT << 4) =>
                {
                    self.fail(key, Reason::ProtocolError, now, app);
                    break;
                }
                Stage::Live(_) => self.limits.packet_bytes_max as usize,
                Stage::Fresh => connect_bytes_max,
                Stage::Verifying(_) | Stage::Ended if rest.len() <= connect_bytes_max => break,
                Stage::Verifying(_) | Stage::Ended => {
                    self.fail(key, Reason::QuotaExceeded, now, app);
                    break;
                }
            };
            let outcome = match codec::split(rest, bytes_max) {
                Ok(Some(frame)) => {
                    used += frame.len;
                    self.packet(key, &frame, now, app)
                }
                Ok(None) => break,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = outcome {
                self.fail(key, reason, now, app);
            }
        }
        used
    }

    /// One packet.
    fn packet(
        &mut self,
        key: ConnKey,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let Some(live) = self.conns.read(key).and_then(|conn| conn.live()) else {
            if frame.kind != kind::CONNECT || frame.flags != 0 {
                return Err(Reason::ProtocolError);
            }
            self.on_connect(key, frame.body, now, app);
            return Ok(());
        };
        let (session, version) = (live.session, live.version);
        let flags = match frame.kind {
            kind::PUBLISH => return self.on_publish(key, frame, now, app),
            kind::PUBREL | kind::SUBSCRIBE | kind::UNSUBSCRIBE => 2,
            _ => 0,
        };
        if frame.flags != flags {
            return Err(Reason::MalformedPacket);
        }
        match frame.kind {
            kind::PUBACK | kind::PUBREC | kind::PUBCOMP => {
                self.on_ack(key, session, version, frame, now, app)
            }
            kind::PUBREL => self.on_pubrel(key, session, version, frame, now, app),
            kind::SUBSCRIBE => self.on_subscribe(key, session, frame, now, app),
            kind::UNSUBSCRIBE => self.on_unsubscribe(key, session, frame, now, app),
            kind::PINGREQ if frame.body.is_empty() => {
                self.conns.output(key).into_iter().for_each(write::pong);
                Ok(())
            }
            kind::PINGREQ => Err(Reason::MalformedPacket),
            kind::DISCONNECT => self.on_disconnect(key, frame),
            // A second CONNECT, AUTH, and what only servers send.
            _ => Err(Reason::ProtocolError),
        }
    }

    /// The client broke the protocol or a limit: say so where its version can, and close.
    fn fail(&mut self, key: ConnKey, reason: Reason, now: Now, app: &mut dyn Application) {
        let Some(conn) = self.conns.read(key) else {
            return;
        };
        self.stats.protocol_errors += 1;
        let client = conn.live().and_then(|live| self.client(live.session));
        let denied = Denied::Protocol {
            peer: conn.peer,
            client,
            reason,
        };
        app.denied(now, &denied);
        self.doom(key, Ended::Protocol(reason), Some(reason));
    }

    /// How the application sees a session.
    fn client(&self, key: ClientKey) -> Option<Client<'_>> {
        let session = self.sessions.get(key.0 as usize)?;
        let user = self.users.get(session.user as usize)?;
        Some(Client {
            key,
            id: &session.client_id,
            user: &user.name,
            peer: session.peer,
            version: session.version,
            siblings: user
                .live
                .saturating_sub(u32::from(session.connection.is_some())),
        })
    }

    /// Replaces the one timer of a connection.
    fn set_timer(&mut self, key: ConnKey, timer: Option<(Instant, Timer)>) {
        let Some(conn) = self.conns.edit(key) else {
            return;
        };
        if let Some((at, earlier)) = std::mem::replace(&mut conn.timer, timer) {
            self.timers.cancel(at, earlier);
        }
        if let Some((at, timer)) = timer {
            self.timers.set(at, timer);
        }
    }
}
