//! Connections as the core keeps them: what came in and is not a whole packet yet, what is ready to
//! be written, and how far the client got. An idle one holds no buffer.

use std::{collections::VecDeque, net::SocketAddr, sync::Arc};

use slab::Slab;
use types::Instant;

use crate::{
    Access,
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
    pub(crate) access: Access,
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
    pub(crate) aliases: Vec<Option<Arc<str>>>,
    pub(crate) rate: Option<Rate>,
    /// QoS 1 and 2 messages from it that we have not acknowledged to the end.
    pub(crate) unacked: u16,
    /// Acks to it that wait for the store.
    pub(crate) withheld: usize,
    /// It said so in its CONNECT: session expiry 0, which it may not change later.
    pub(crate) expiry_was_zero: bool,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Conn {
    generation: u32,
    pub(crate) peer: SocketAddr,
    pub(crate) stage: Stage,
    /// The start of a packet, or all that came while the password is checked.
    pub(crate) partial: Vec<u8>,
    out: Vec<u8>,
    sent: usize,
    dirty: bool,
    /// Nothing more is read; close once the output is written.
    pub(crate) closing: bool,
    pub(crate) last_received: Instant,
    pub(crate) timer: Option<(Instant, Timer)>,
}

impl Conn {
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

    pub(crate) fn open(&mut self, peer: SocketAddr, now: Instant) -> ConnKey {
        self.generation = self.generation.wrapping_add(1);
        let index = self.slab.insert(Conn {
            generation: self.generation,
            peer,
            stage: Stage::Fresh,
            partial: Vec::new(),
            out: Vec::new(),
            sent: 0,
            dirty: false,
            closing: false,
            last_received: now,
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

    /// Nothing more is read or appended; the shell writes the rest and closes.
    pub(crate) fn close(&mut self, key: ConnKey) {
        if let Some(conn) = self.edit(key) {
            conn.closing = true;
            conn.partial = Vec::new();
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
        if conn.sent == conn.out.len() {
            conn.sent = 0;
            let out = std::mem::take(&mut conn.out);
            self.recycle(out);
        } else if conn.sent > conn.out.len() / 2 {
            conn.out.drain(..conn.sent);
            conn.sent = 0;
        }
    }

    fn recycle(&mut self, mut out: Vec<u8>) {
        let fits = out.capacity() > 0 && out.capacity() <= SPARE_BYTES_MAX;
        if fits && self.spare.len() < SPARE_MAX {
            out.clear();
            self.spare.push(out);
        }
    }
}
