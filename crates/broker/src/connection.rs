//! Connections as the core keeps them: what came in and is not a whole packet yet, what is ready to
//! be written, and how far the client got. An idle one holds no buffer.

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use slab::Slab;
use types::Instant;

use crate::{
    Access, Refusal,
    aliases::{Alias, Aliases},
    application::ClientKey,
    codec::{Version, connect::Connect},
    limits::Rate,
    session::Timer,
};

/// Names a connection; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnKey {
    index: u32,
    generation: u32,
}

impl ConnKey {
    /// A small number, dense from 0 over the open connections, for tables on the shell's side.
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// How far a client got.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Nothing but bytes so far.
    Fresh,
    /// Its password is being checked.
    Verifying(Box<Pending>),
    /// In.
    Live(Live),
    /// Out; only its last bytes are left.
    Ended,
}

/// A CONNECT that waits for the verdict on its password.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) connect: Connect,
    /// What follows where the password fits.
    pub(crate) access: Result<Access, Refusal>,
}

impl Pending {
    /// Whether this user comes in where the password fits. Whoever stays out anyway is nobody's: no change of
    /// rights lets it in.
    pub(crate) fn is_of(&self, user: &str) -> bool {
        self.access
            .as_ref()
            .is_ok_and(|access| *access.user == *user)
    }
}

/// A connected client.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) session: ClientKey,
    pub(crate) version: Version,
    /// Largest packet it takes.
    pub(crate) packet_bytes_max: usize,
    /// Silence it may keep; `None` is for ever.
    pub(crate) silence_max: Option<std::time::Duration>,
    /// What its aliases stand for.
    pub(crate) aliases: Vec<Option<Arc<str>>>,
    /// Those it was given.
    pub(crate) given: Aliases,
    pub(crate) rate: Option<Rate>,
    /// Retained topics that its subscriptions may still look through.
    pub(crate) looks: Rate,
    /// QoS 1 and 2 messages from it that wait for their PUBACK or PUBREC from us.
    pub(crate) unacked: u16,
    /// Acks to it that wait for the store.
    pub(crate) withheld: usize,
    /// The application reads nothing from it until then.
    pub(crate) held_until: Option<Instant>,
    /// It said so in its CONNECT: session expiry 0, which it may not change later.
    pub(crate) expiry_was_zero: bool,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    generation: u32,
    pub(crate) peer: SocketAddr,
    /// What it counts for; see [`crate::peers`].
    pub(crate) counts_for: IpAddr,
    pub(crate) stage: Stage,
    /// The start of a packet, or all that came while the password is checked, or what is for the next turn.
    partial: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    /// Bytes written since it is open.
    written: u64,
    /// Bytes that the socket did not take, as they count over all connections.
    stuck: usize,
    pub(crate) stall: Option<Stall>,
    dirty: bool,
    /// Nothing more is read; close once the output is written.
    pub(crate) closing: bool,
    /// Packets wait that were too much work for one turn.
    pub(crate) has_more: bool,
    pub(crate) last_received: Instant,
    /// Since then it was not read for a while: its silence is ours.
    pub(crate) was_paused: bool,
    /// Its silence is too long, and what lies in its socket is read once more.
    pub(crate) is_suspect: bool,
    pub(crate) timer: Option<(Instant, Timer)>,
}

/// A socket that takes nothing at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    /// What was ready when it was looked at last has to be gone at this many bytes written ..
    goal: u64,
    /// .. until then.
    pub(crate) until: Instant,
    /// Where the timer stands; moved only when it rings.
    pub(crate) rings: Instant,
}

impl Conn {
    pub(crate) fn partial(&self) -> &[u8] {
        &self.partial
    }

    /// Bytes that wait for the socket.
    pub(crate) fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.stage {
            Stage::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(crate) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.stage {
            Stage::Live(live) => Some(live),
            _ => None,
        }
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slab: Slab<Conn>,
    dirty: VecDeque<ConnKey>,
    /// Empty output buffers; connections without output hold none.
    spare: Vec<Vec<u8>>,
    generation: u32,
    partial_bytes: usize,
    stuck_bytes: usize,
}

const SPARE_MAX: usize = 64;
const SPARE_BYTES_MAX: usize = 64 * 1024;

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn keys(&self) -> Vec<ConnKey> {
        let key = |(index, conn): (usize, &Conn)| ConnKey {
            index: index as u32,
            generation: conn.generation,
        };
        self.slab.iter().map(key).collect()
    }

    /// Bytes of packets that have begun and not ended.
    pub(crate) fn partial_bytes(&self) -> usize {
        self.partial_bytes
    }

    /// Bytes that sockets did not take.
    pub(crate) fn stuck_bytes(&self) -> usize {
        self.stuck_bytes
    }

    pub(crate) fn open(&mut self, peer: SocketAddr, counts_for: IpAddr, now: Instant) -> ConnKey {
        self.generation = self.generation.wrapping_add(1);
        let index = self.slab.insert(Conn {
            generation: self.generation,
            peer,
            counts_for,
            stage: Stage::Fresh,
            partial: Vec::new(),
            out: Vec::new(),
            sent: 0,
            written: 0,
            stuck: 0,
            stall: None,
            dirty: false,
            closing: false,
            has_more: false,
            last_received: now,
            was_paused: false,
            is_suspect: false,
            timer: None,
        });
        ConnKey {
            // The limit on connections keeps it small.
            index: index as u32,
            generation: self.generation,
        }
    }

    pub(crate) fn remove(&mut self, key: ConnKey) {
        if self.read(key).is_some() {
            let conn = self.slab.remove(key.index());
            self.partial_bytes -= conn.partial.len();
            self.stuck_bytes -= conn.stuck;
            self.recycle(conn.out);
        }
    }

    pub(crate) fn read(&self, key: ConnKey) -> Option<&Conn> {
        self.slab
            .get(key.index())
            .filter(|conn| conn.generation == key.generation)
    }

    pub(crate) fn edit(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.slab
            .get_mut(key.index())
            .filter(|conn| conn.generation == key.generation)
    }

    /// The rest of what came is for its next turn.
    pub(crate) fn wants_turn(&mut self, key: ConnKey) {
        if let Some(conn) = self.edit(key) {
            conn.has_more = true;
        }
    }

    /// What came of a packet that is not whole; the connection then has none.
    pub(crate) fn take_partial(&mut self, key: ConnKey) -> Vec<u8> {
        let partial = self.edit(key).map(|conn| std::mem::take(&mut conn.partial));
        let partial = partial.unwrap_or_default();
        self.partial_bytes -= partial.len();
        partial
    }

    /// Keeps what came of a packet, unless the connection is closing.
    pub(crate) fn keep_partial(&mut self, key: ConnKey, partial: Vec<u8>) {
        let Some(conn) = self.edit(key).filter(|conn| !conn.closing) else {
            return;
        };
        let (more, less) = (partial.len(), conn.partial.len());
        conn.partial = partial;
        self.partial_bytes = self.partial_bytes + more - less;
    }

    /// The connection that holds most of a packet that is not whole.
    pub(crate) fn most_partial(&self) -> Option<ConnKey> {
        let open = self.slab.iter().filter(|(_, conn)| !conn.closing);
        let (index, conn) = open.max_by_key(|(_, conn)| conn.partial.len())?;
        Some(ConnKey {
            index: index as u32,
            generation: conn.generation,
        })
    }

    /// The output buffer of a connection that is not closing. Something will be appended.
    pub(crate) fn output(&mut self, key: ConnKey) -> Option<&mut Vec<u8>> {
        let conn = self
            .slab
            .get_mut(key.index())
            .filter(|conn| conn.generation == key.generation && !conn.closing)?;
        if !conn.dirty {
            conn.dirty = true;
            self.dirty.push_back(key);
            if conn.out.capacity() == 0 {
                conn.out = self.spare.pop().unwrap_or_default();
            }
        }
        Some(&mut conn.out)
    }

    /// A message with this alias for its topic is on its way.
    pub(crate) fn tell_alias(&mut self, key: ConnKey, topic: &str, alias: Option<Alias>) {
        if let Some(alias) = alias
            && let Some(live) = self.edit(key).and_then(Conn::live_mut)
        {
            live.given.tell(topic, alias);
        }
    }

    /// Nothing more is read or appended; the shell writes the rest and closes.
    pub(crate) fn close(&mut self, key: ConnKey) {
        drop(self.take_partial(key));
        if let Some(conn) = self.edit(key) {
            conn.closing = true;
            if !conn.dirty {
                conn.dirty = true;
                self.dirty.push_back(key);
            }
        }
    }

    /// The next connection with something to write or to close. It comes again only after more
    /// was appended.
    pub(crate) fn pop_dirty(&mut self) -> Option<ConnKey> {
        while let Some(key) = self.dirty.pop_front() {
            if let Some(conn) = self.edit(key) {
                conn.dirty = false;
                return Some(key);
            }
        }
        None
    }

    /// What is to be written, and whether to close then.
    pub(crate) fn ready(&self, key: ConnKey) -> (&[u8], bool) {
        self.read(key)
            .map_or((&[], true), |conn| (&conn.out[conn.sent..], conn.closing))
    }

    /// The shell wrote so many bytes.
    pub(crate) fn wrote(&mut self, key: ConnKey, bytes: usize) {
        let Some(conn) = self.edit(key) else {
            return;
        };
        conn.sent = (conn.sent + bytes).min(conn.out.len());
        conn.written += bytes as u64;
        if conn.stuck > 0 {
            self.count_stuck(key);
        }
        let Some(conn) = self.edit(key) else {
            return;
        };
        if conn.sent == conn.out.len() {
            conn.sent = 0;
            let out = std::mem::take(&mut conn.out);
            self.recycle(out);
        } else if conn.sent > conn.out.len() / 2 {
            conn.out.drain(..conn.sent);
            conn.sent = 0;
        }
    }

    /// The socket takes no more: what is ready now has to be gone until `until`. True where a timer
    /// is to be set.
    pub(crate) fn blocked(&mut self, key: ConnKey, until: Instant) -> bool {
        self.count_stuck(key);
        let Some(conn) = self.edit(key) else {
            return false;
        };
        if conn.stall.is_some() {
            return false;
        }
        conn.stall = Some(Stall {
            goal: conn.written + conn.pending() as u64,
            until,
            rings: until,
        });
        true
    }

    /// Something was written: where the goal is reached, what is ready by now is the next one.
    /// Gives the time of a timer that has become needless.
    pub(crate) fn unblocked(&mut self, key: ConnKey, until: Instant) -> Option<Instant> {
        let conn = self.edit(key)?;
        let stall = conn.stall.as_mut()?;
        let pending = conn.out.len() - conn.sent;
        if pending == 0 {
            return conn.stall.take().map(|stall| stall.rings);
        }
        if conn.written >= stall.goal {
            stall.goal = conn.written + pending as u64;
            stall.until = until;
        }
        None
    }

    fn count_stuck(&mut self, key: ConnKey) {
        let Some(conn) = self.edit(key) else {
            return;
        };
        let (before, after) = (conn.stuck, conn.pending());
        conn.stuck = after;
        self.stuck_bytes = self.stuck_bytes + after - before;
    }

    fn recycle(&mut self, mut out: Vec<u8>) {
        let fits = out.capacity() > 0 && out.capacity() <= SPARE_BYTES_MAX;
        if fits && self.spare.len() < SPARE_MAX {
            out.clear();
            self.spare.push(out);
        }
    }
}
