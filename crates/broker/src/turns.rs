//! What waits for the password worker: a queue for each peer, taken in turn, so that whoever sends much
//! waits for itself. Filled and emptied by the core; knows neither limits nor what waits.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

/// Queues by peer. A peer has one exactly while something of it waits.
#[derive(Debug)]
pub(crate) struct Turns<T> {
    waiting: BTreeMap<IpAddr, VecDeque<T>>,
    /// Every peer that has a queue, once; the first is next.
    order: VecDeque<IpAddr>,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }
}

impl<T> Turns<T> {
    /// Waits behind what the same peer has waiting, and for one turn of each other peer for every turn of its own.
    pub(crate) fn push(&mut self, peer: IpAddr, item: T) {
        let queue = self.waiting.entry(peer).or_default();
        if queue.is_empty() {
            self.order.push_back(peer);
        }
        queue.push_back(item);
    }

    /// The oldest of the peer whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let peer = self.order.pop_front()?;
        let queue = self.waiting.get_mut(&peer)?;
        let item = queue.pop_front();
        if queue.is_empty() {
            self.waiting.remove(&peer);
        } else {
            self.order.push_back(peer);
        }
        item
    }

    /// Takes back the newest of the peer that has most waiting, if it still has as many as `peer` when `peer` has
    /// one more.
    pub(crate) fn make_room_for(&mut self, peer: IpAddr) -> Option<T> {
        let own = self.waiting.get(&peer).map_or(0, VecDeque::len);
        let most = self.waiting.values_mut().max_by_key(|queue| queue.len())?;
        // It keeps one at least, and with it its place in the order.
        if most.len() > own + 1 {
            most.pop_back()
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn peer(number: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, number).into()
    }

    fn turns(waiting: &[(u8, &'static str)]) -> Turns<&'static str> {
        let mut turns = Turns::default();
        for (number, item) in waiting {
            turns.push(peer(*number), *item);
        }
        turns
    }

    fn check(mut turns: Turns<&str>, expected: &[&str]) {
        let mut taken = Vec::new();
        while let Some(item) = turns.pop() {
            taken.push(item);
        }
        assert_eq!(taken, expected);
        assert!(turns.waiting.is_empty() && turns.order.is_empty());
    }

    #[test]
    fn each_peer_is_taken_in_turn_and_its_own_in_order() {
        check(turns(&[]), &[]);
        check(
            turns(&[(1, "a"), (1, "b"), (1, "c"), (2, "d"), (3, "e"), (2, "f")]),
            &["a", "d", "e", "b", "f", "c"],
        );
    }

    #[test]
    fn whoever_has_just_been_served_waits_behind_the_others() {
        let mut turns = turns(&[(1, "a"), (1, "b"), (1, "c")]);
        assert_eq!(turns.pop(), Some("a"));
        turns.push(peer(2), "d");
        check(turns, &["b", "d", "c"]);
    }

    #[test]
    fn room_is_made_by_who_has_most_and_never_by_who_has_as_few() {
        let mut turns = turns(&[(1, "a"), (1, "b"), (1, "c"), (2, "d")]);
        assert_eq!(turns.make_room_for(peer(1)), None);
        assert_eq!(turns.make_room_for(peer(2)), Some("c"));
        assert_eq!(turns.make_room_for(peer(3)), Some("b"));
        assert_eq!(turns.make_room_for(peer(3)), None);
        check(turns, &["a", "d"]);
    }
}
