//! Who may open another connection, and who has to make room: decided by address, so that one peer
//! can't take what the others need. Called by the core at accept, CONNECT and close; knows no users.
//!
//! A peer is an IPv4 address, or an IPv6 network of 64 bits: whoever has one address of it may have
//! all. A home's own network is such a network too, with every device in it. So an address from which
//! somebody logged in is *known* from then on and stands for itself: neither a stranger beside it nor
//! any number of strangers elsewhere can keep it out.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::{IpAddr, Ipv6Addr},
};

use types::Instant;

use crate::{
    Limits,
    connection::ConnKey,
    core::Refused,
    limits::{Pace, Rate},
};

/// All peers that have a connection, and as many others as are remembered.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<IpAddr, Peer>,
    /// Peers without a connection; the one that was away longest is forgotten first.
    idle: BTreeSet<(Instant, IpAddr)>,
    known: Known,
    /// The pace of all strangers together.
    strangers: Option<Rate>,
    /// Connections without a CONNECT, of all peers.
    unconnected: usize,
    /// Connections so far.
    arrivals: u64,
    /// Passwords that wait for the worker or are at it, and whose they are.
    verifying: BTreeMap<ConnKey, IpAddr>,
}

/// One peer.
#[derive(Debug)]
pub(crate) struct Peer {
    rate: Rate,
    /// Logins that may still fail.
    guesses: Rate,
    /// Its connections.
    open: usize,
    /// Those without a CONNECT, oldest first, each with its place among all that ever came.
    unconnected: VecDeque<(u64, ConnKey)>,
    verifying: usize,
    seen: Instant,
}

/// Addresses from which somebody logged in; the one where that was longest ago is forgotten first.
#[derive(Debug, Default)]
struct Known {
    last: BTreeMap<IpAddr, Instant>,
    oldest: BTreeSet<(Instant, IpAddr)>,
}

impl Peers {
    /// The peer that an address belongs to now.
    fn peer_of(&self, address: IpAddr) -> IpAddr {
        match address {
            IpAddr::V6(v6) if !self.known.last.contains_key(&address) => {
                let network = v6.to_bits() >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            _ => address,
        }
    }

    /// Whether `address` may open a connection now; gives the peer that it counts for.
    pub(crate) fn admit(
        &mut self,
        address: IpAddr,
        limits: &Limits,
        now: Instant,
    ) -> Result<IpAddr, Refused> {
        let address = address.to_canonical();
        let peer = self.peer_of(address);
        let own = Pace::per_second(limits.connections_per_second_per_peer_max);
        if let Some(row) = self.peers.get_mut(&peer)
            && !row.rate.take(own, now)
        {
            return Err(Refused::TooFast);
        }
        // Only what a peer's own bucket lets pass counts here: one peer alone can't use it up.
        if !self.known.last.contains_key(&address) {
            let all = Pace::per_second(limits.connections_per_second_max);
            let strangers = self.strangers.get_or_insert_with(|| Rate::new(all, now));
            if !strangers.take(all, now) {
                return Err(Refused::TooManyStrangers);
            }
        }
        self.remember(peer, limits, now);
        Ok(peer)
    }

    fn remember(&mut self, peer: IpAddr, limits: &Limits, now: Instant) {
        if let Some(row) = self.peers.get_mut(&peer) {
            if row.open == 0 {
                self.idle.remove(&(row.seen, peer));
                self.idle.insert((now, peer));
            }
            row.seen = now;
            return;
        }
        if self.peers.len() >= limits.peers_max
            && let Some((_, longest)) = self.idle.pop_first()
        {
            self.peers.remove(&longest);
        }
        let own = Pace::per_second(limits.connections_per_second_per_peer_max);
        let mut rate = Rate::new(own, now);
        rate.take(own, now);
        self.idle.insert((now, peer));
        self.peers.insert(
            peer,
            Peer {
                rate,
                guesses: Rate::new(limits.guesses(), now),
                open: 0,
                unconnected: VecDeque::new(),
                verifying: 0,
                seen: now,
            },
        );
    }

    /// A connection of this peer is open.
    pub(crate) fn opened(&mut self, peer: IpAddr, conn: ConnKey) {
        let Some(row) = self.peers.get_mut(&peer) else {
            return;
        };
        if row.open == 0 {
            self.idle.remove(&(row.seen, peer));
        }
        row.open += 1;
        row.unconnected.push_back((self.arrivals, conn));
        self.arrivals += 1;
        self.unconnected += 1;
    }

    /// A connection that has to go before this peer may have another one without a CONNECT: the oldest
    /// of this peer where the peer has as many as it may, else the oldest of the peer that has most.
    pub(crate) fn too_many(&mut self, peer: IpAddr, limits: &Limits) -> Option<ConnKey> {
        let row = self.peers.get(&peer)?;
        if row.unconnected.len() >= limits.unconnected_per_peer_max.max(1) {
            return self.pop_unconnected(peer);
        }
        if self.unconnected >= limits.unconnected_max.max(1) {
            return self.oldest_of_most();
        }
        None
    }

    /// The oldest connection without a CONNECT of the peer that has most of them. Where several have as
    /// many: of one that nobody logged in from, and the one that let us wait longest.
    pub(crate) fn oldest_of_most(&mut self) -> Option<ConnKey> {
        let most = self
            .peers
            .iter()
            .filter_map(|(peer, row)| {
                let (arrival, _) = row.unconnected.front()?;
                let is_stranger = !self.known.last.contains_key(peer);
                Some((
                    (row.unconnected.len(), is_stranger, Reverse(*arrival)),
                    *peer,
                ))
            })
            .max();
        let (_, peer) = most?;
        self.pop_unconnected(peer)
    }

    fn pop_unconnected(&mut self, peer: IpAddr) -> Option<ConnKey> {
        let (_, conn) = self.peers.get_mut(&peer)?.unconnected.pop_front()?;
        self.unconnected -= 1;
        Some(conn)
    }

    /// A connection sent its CONNECT, or will not.
    pub(crate) fn connecting(&mut self, peer: IpAddr, conn: ConnKey) {
        let Some(row) = self.peers.get_mut(&peer) else {
            return;
        };
        if let Some(place) = row.unconnected.iter().position(|(_, key)| *key == conn) {
            row.unconnected.remove(place);
            self.unconnected -= 1;
        }
    }

    /// A connection of this peer is closed.
    pub(crate) fn closed(&mut self, peer: IpAddr, conn: ConnKey) {
        self.connecting(peer, conn);
        let Some(row) = self.peers.get_mut(&peer) else {
            return;
        };
        row.open = row.open.saturating_sub(1);
        if row.open == 0 {
            self.idle.insert((row.seen, peer));
        }
    }

    /// Somebody logged in from `address`.
    pub(crate) fn logged_in(&mut self, address: IpAddr, limits: &Limits, now: Instant) {
        let known = &mut self.known;
        let address = address.to_canonical();
        if let Some(before) = known.last.insert(address, now) {
            known.oldest.remove(&(before, address));
        }
        known.oldest.insert((now, address));
        if known.last.len() > limits.peers_max
            && let Some((_, forgotten)) = known.oldest.pop_first()
        {
            known.last.remove(&forgotten);
        }
    }

    /// Passwords that wait for the worker or are at it.
    pub(crate) fn verifying(&self) -> usize {
        self.verifying.len()
    }

    /// Whether this peer may have another password checked by the worker.
    pub(crate) fn may_verify(&mut self, peer: IpAddr, limits: &Limits, now: Instant) -> bool {
        self.peers.get_mut(&peer).is_none_or(|row| {
            row.verifying < limits.verify_per_peer_max && row.guesses.has_any(limits.guesses(), now)
        })
    }

    /// A password waits for the worker.
    pub(crate) fn verify(&mut self, peer: IpAddr, conn: ConnKey) {
        if let Some(row) = self.peers.get_mut(&peer) {
            row.verifying += 1;
        }
        self.verifying.insert(conn, peer);
    }

    /// It is back, whatever became of the connection.
    pub(crate) fn verified(&mut self, conn: ConnKey, fits: bool, limits: &Limits, now: Instant) {
        if let Some(row) = self.unverified(conn)
            && !fits
        {
            row.guesses.take(limits.guesses(), now);
        }
    }

    /// It waits no more, and nobody looked at it.
    pub(crate) fn unverified(&mut self, conn: ConnKey) -> Option<&mut Peer> {
        let peer = self.verifying.remove(&conn)?;
        let row = self.peers.get_mut(&peer)?;
        row.verifying = row.verifying.saturating_sub(1);
        Some(row)
    }

    /// Peers that are remembered, with or without a connection.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Connections without a CONNECT.
    pub(crate) fn unconnected(&self) -> usize {
        self.unconnected
    }
}
