//! Sockets that come: which are taken, and which go to make room for them.

use std::net::SocketAddr;

use types::Now;

use super::Core;
use crate::{
    connection::{ConnKey, Stage},
    message::seconds,
    session::Timer,
};

/// Why a connection was not taken: close it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Refused {
    /// [`Limits::connections_max`](crate::Limits) are open.
    TooMany,
    /// More than [`Limits::connections_per_second_per_peer_max`](crate::Limits) came from there.
    TooFast,
    /// More than [`Limits::connections_per_second_max`](crate::Limits) came from addresses that
    /// nobody has logged in from.
    TooManyStrangers,
    /// The broker stops.
    Stopping,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooMany => "as many connections are open as there may be",
            Self::TooFast => "too many connections a second from this address",
            Self::TooManyStrangers => {
                "too many connections a second from addresses that nobody has logged in from"
            }
            Self::Stopping => "the broker stops",
        })
    }
}

impl Core {
    /// A socket was accepted.
    ///
    /// # Errors
    /// The connection is not taken: close the socket.
    pub fn accept(&mut self, now: Now, peer: SocketAddr) -> Result<ConnKey, Refused> {
        let taken = self.take(now, peer);
        match taken {
            Ok(_) => self.stats.accepted += 1,
            Err(_) => self.stats.refused_at_accept += 1,
        }
        taken
    }

    fn take(&mut self, now: Now, peer: SocketAddr) -> Result<ConnKey, Refused> {
        if self.stopping {
            return Err(Refused::Stopping);
        }
        let counts_for = self.peers.admit(peer.ip(), &self.limits, now.at)?;
        if self.conns.len() >= self.limits.connections_max {
            let oldest = self.peers.oldest_of_most().ok_or(Refused::TooMany)?;
            self.evict(oldest);
        }
        // Who comes is never the one to go: nobody holds its socket yet, and it had no time to say a word.
        while let Some(oldest) = self.peers.too_many(counts_for, &self.limits) {
            self.evict(oldest);
        }
        let key = self.conns.open(peer, counts_for, now.at);
        self.peers.opened(counts_for, key);
        let deadline = now.at.after(seconds(self.limits.connect_timeout_s));
        self.set_timer(key, Some((deadline, Timer::Connect(key))));
        Ok(key)
    }

    /// A connection that has not sent its CONNECT goes, without a word.
    fn evict(&mut self, key: ConnKey) {
        self.stats.evicted_unconnected += 1;
        self.set_timer(key, None);
        if let Some(conn) = self.conns.edit(key) {
            conn.stage = Stage::Ended;
        }
        self.conns.close(key);
    }
}
