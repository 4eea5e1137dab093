//! What one session has to send: the queue of messages that wait and the messages in flight that
//! wait for acks. Outlives connections. Called by the core; knows no sockets and no rights.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use crate::{codec::Qos, kept::DeliveryNo, message::Stored};

/// One message for one session, as its subscriptions asked for it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Stored>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// A retained message for a new subscription. The retained store holds its bytes and bounds
    /// how many there are, so it doesn't count against the queue's limits.
    pub(crate) replay: bool,
    pub(crate) subscription_ids: Box<[u32]>,
    /// The filter of the group that it is for: another member gets it where this session ends before its
    /// client has it.
    pub(crate) share: Option<Arc<str>>,
    /// Its number in the session, where it survives the end of the process.
    pub(crate) no: Option<DeliveryNo>,
}

/// Holes that a queue may have besides one for each message that waits.
const HOLES_MAX: usize = 64;

/// What a waiting message takes besides its bytes, as far as it counts against all queues together.
const OVERHEAD_BYTES: usize = 64;

impl Delivery {
    fn counted(&self) -> (usize, usize) {
        if self.replay {
            (0, 0)
        } else {
            (1, self.message.bytes())
        }
    }

    fn held(&self) -> usize {
        OVERHEAD_BYTES + self.counted().1
    }
}

/// Messages that wait, oldest first. Absolute targets coalesce: newest wins.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// `None` where a newer message of the same topic took its place at the end.
    entries: VecDeque<Option<Delivery>>,
    /// The number of `entries[0]`.
    first: u64,
    /// Entries that are not `None`.
    waiting: usize,
    /// Those that count against the limits, and their bytes.
    len: usize,
    bytes: usize,
    /// What all entries count against all queues together.
    held: usize,
    /// Messages pushed since [`Self::coalesce_retained`] last looked.
    unseen: usize,
    /// Where the absolute target of a topic waits. Looked up, never iterated.
    newest: HashMap<Arc<str>, u64>,
    /// What was dropped and would have survived, until it is asked for.
    lost: Vec<DeliveryNo>,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }

    /// Messages that count against the limits.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Messages that don't.
    pub(crate) fn replays(&self) -> usize {
        self.waiting - self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What counts against the limit of all queues together.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Appends; returns how many older messages it replaced.
    pub(crate) fn push(&mut self, delivery: Delivery) -> u64 {
        let mut replaced = 0;
        if delivery.message.absolute {
            let number = self.first + self.entries.len() as u64;
            let topic = Arc::clone(&delivery.message.topic);
            if let Some(older) = self.newest.insert(topic, number) {
                replaced = u64::from(self.remove(older));
            }
        }
        self.waiting += 1;
        self.unseen += 1;
        let (count, bytes) = delivery.counted();
        self.len += count;
        self.bytes += bytes;
        self.held += delivery.held();
        self.entries.push_back(Some(delivery));
        self.compact();
        replaced
    }

    /// All of them, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.entries.iter().flatten()
    }

    /// What was dropped, but not popped, since this was called last, of what survives.
    pub(crate) fn take_lost(&mut self) -> impl Iterator<Item = DeliveryNo> + use<> {
        std::mem::take(&mut self.lost).into_iter()
    }

    /// The message that is next.
    pub(crate) fn front(&mut self) -> Option<&Delivery> {
        while let Some(None) = self.entries.front() {
            self.entries.pop_front();
            self.first += 1;
        }
        self.entries.front()?.as_ref()
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        self.front()?;
        let number = self.first;
        let delivery = self.entries.pop_front()??;
        self.first += 1;
        self.uncount(&delivery);
        if delivery.message.absolute && self.newest.get(&delivery.message.topic) == Some(&number) {
            self.newest.remove(&delivery.message.topic);
        }
        if self.waiting == 0 {
            // An idle session keeps no capacity.
            let first = self.first + self.entries.len() as u64;
            *self = Self {
                first,
                lost: std::mem::take(&mut self.lost),
                ..Self::default()
            };
        }
        Some(delivery)
    }

    /// Drops retained messages that a newer one of the same topic supersedes; returns how many.
    /// Looks only after an eighth of the queue is new, so that a full queue doesn't cost a walk
    /// through it for every message.
    pub(crate) fn coalesce_retained(&mut self) -> u64 {
        if self.unseen < self.waiting / 8 {
            return 0;
        }
        self.unseen = 0;
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        let mut superseded = Vec::new();
        for (ix, entry) in self.entries.iter().enumerate().rev() {
            if let Some(delivery) = entry
                && delivery.message.retain
                && !seen.insert(Arc::clone(&delivery.message.topic))
            {
                superseded.push(self.first + ix as u64);
            }
        }
        let dropped = superseded.iter().filter(|n| self.remove(**n)).count();
        self.compact();
        dropped as u64
    }

    /// Whether an absolute target of this topic waits.
    pub(crate) fn has_target(&self, topic: &str) -> bool {
        self.newest.contains_key(topic)
    }

    /// Drops what is at QoS 0; returns how many. A session without connection keeps none of it.
    pub(crate) fn drop_at_most_once(&mut self) -> u64 {
        self.drop_where(|delivery| delivery.qos == Qos::AtMostOnce)
    }

    /// Drops what this is true of; returns how many.
    pub(crate) fn drop_where(&mut self, is_unwanted: impl Fn(&Delivery) -> bool) -> u64 {
        let numbers = self.first..self.first + self.entries.len() as u64;
        let mut dropped = 0;
        for (number, ix) in numbers.zip(0..) {
            if matches!(self.entries.get(ix), Some(Some(delivery)) if is_unwanted(delivery)) {
                dropped += u64::from(self.remove(number));
            }
        }
        self.compact();
        dropped
    }

    /// Closes the holes where they are more than what waits: a queue takes memory for what it holds and
    /// not for what it ever held. Each hole is closed once, so that it costs a push no more than a constant.
    fn compact(&mut self) {
        if self.entries.len() <= 2 * self.waiting + HOLES_MAX {
            return;
        }
        let mut dense = VecDeque::with_capacity(self.waiting);
        for (old, entry) in (self.first..).zip(std::mem::take(&mut self.entries)) {
            let Some(delivery) = entry else { continue };
            let number = self.first + dense.len() as u64;
            // An absolute target that waits is the newest of its topic.
            if let Some(newest) = self.newest.get_mut(&delivery.message.topic)
                && *newest == old
            {
                *newest = number;
            }
            dense.push_back(Some(delivery));
        }
        self.entries = dense;
    }

    fn uncount(&mut self, delivery: &Delivery) {
        let (count, bytes) = delivery.counted();
        self.waiting -= 1;
        self.len -= count;
        self.bytes -= bytes;
        self.held -= delivery.held();
    }

    fn remove(&mut self, number: u64) -> bool {
        let Some(ix) = number.checked_sub(self.first) else {
            return false;
        };
        let slot = usize::try_from(ix)
            .ok()
            .and_then(|ix| self.entries.get_mut(ix));
        let Some(delivery) = slot.and_then(Option::take) else {
            return false;
        };
        self.uncount(&delivery);
        self.lost.extend(delivery.no);
        let topic = &delivery.message.topic;
        if delivery.message.absolute && self.newest.get(topic) == Some(&number) {
            self.newest.remove(topic);
        }
        true
    }
}

/// Where a message in flight stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// PUBLISH sent; waits for PUBACK or PUBREC.
    Published,
    /// QoS 2: PUBREL sent; waits for PUBCOMP.
    Released,
}

/// A message that was sent and not acknowledged.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) delivery: Delivery,
    pub(crate) packet_id: u16,
    pub(crate) stage: Stage,
    /// Its session lost the right to it since: it is not sent again.
    pub(crate) revoked: bool,
    /// Its PUBLISH, or its PUBREL, waits until what it says is stored.
    pub(crate) is_held: bool,
    /// The number of its packet id since the session began.
    number: u64,
}

/// Messages in flight, in the order in which they were first sent.
#[derive(Debug, Default)]
pub(crate) struct Window {
    entries: VecDeque<InFlight>,
    /// Payload, topic and property bytes of all of them.
    bytes: usize,
    /// Packet ids given out since the session began.
    given: u64,
    /// What was given up on and would have survived, until it is asked for.
    lost: Vec<DeliveryNo>,
}

/// Packet ids are 1..=65,535.
const PACKET_IDS: u64 = 65_535;

impl Window {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &InFlight> {
        self.entries.iter()
    }

    /// What was given up on since this was called last, of what survives.
    pub(crate) fn take_lost(&mut self) -> impl Iterator<Item = DeliveryNo> + use<> {
        std::mem::take(&mut self.lost).into_iter()
    }

    /// Marks what the session may no longer receive. It stays in flight, because the client still counts it,
    /// until the client answers or comes back. Gives what is newly marked, of what survives.
    pub(crate) fn revoke(&mut self, may_receive: impl Fn(&str) -> bool) -> Vec<DeliveryNo> {
        let mut revoked = Vec::new();
        for entry in &mut self.entries {
            if !entry.revoked && !may_receive(&entry.delivery.message.topic) {
                entry.revoked = true;
                revoked.extend(entry.delivery.no);
            }
        }
        revoked
    }

    /// Puts back what was in flight before a restart; in the order in which it was sent.
    pub(crate) fn restore(
        &mut self,
        delivery: Delivery,
        (packet_id, stage): (u16, Stage),
        revoked: bool,
    ) {
        // The next number that stands for this id: the ids came in turn.
        let ahead = (PACKET_IDS + u64::from(packet_id) - 1 - self.given % PACKET_IDS) % PACKET_IDS;
        let number = self.given + ahead;
        self.given = number + 1;
        self.bytes += delivery.message.bytes();
        self.entries.push_back(InFlight {
            delivery,
            packet_id,
            stage,
            revoked,
            is_held: false,
            number,
        });
    }

    /// The message with this number, where it waits until that is stored; it waits no longer.
    pub(crate) fn let_go(&mut self, no: DeliveryNo) -> Option<&InFlight> {
        let waits = |entry: &&mut InFlight| entry.delivery.no == Some(no) && entry.is_held;
        let entry = self.entries.iter_mut().find(waits)?;
        entry.is_held = false;
        Some(entry)
    }

    /// Nothing waits: the session ends with its connection from now on.
    pub(crate) fn let_all_go(&mut self) {
        for entry in &mut self.entries {
            entry.is_held = false;
        }
    }

    /// The message that was pushed last waits.
    pub(crate) fn hold_last(&mut self) {
        if let Some(last) = self.entries.back_mut() {
            last.is_held = true;
        }
    }

    /// Gives up on these. Only before any of them was sent on a connection: its client counts them
    /// against its receive maximum. Their packet ids stay used.
    pub(crate) fn forget(&mut self, packet_ids: &[u16]) {
        let ids: HashSet<u16> = packet_ids.iter().copied().collect();
        let (bytes, lost) = (&mut self.bytes, &mut self.lost);
        self.entries.retain(|entry| {
            let stays = !ids.contains(&entry.packet_id);
            if !stays {
                lost.extend(entry.delivery.no);
                *bytes -= entry.delivery.message.bytes();
            }
            stays
        });
    }

    /// Adds a message that is being sent; returns its packet id. The window has room for less than
    /// all packet ids, so there is a free one.
    pub(crate) fn push(&mut self, delivery: Delivery) -> u16 {
        let mut number = self.given;
        let around = |number: u64| {
            self.entries
                .front()
                .is_some_and(|e| number - e.number >= PACKET_IDS)
        };
        if around(number) {
            // The ids have come around while old ones are still in use.
            while self
                .entries
                .iter()
                .any(|e| e.packet_id == packet_id(number))
            {
                number += 1;
            }
        }
        self.given = number + 1;
        self.bytes += delivery.message.bytes();
        let packet_id = packet_id(number);
        self.entries.push_back(InFlight {
            delivery,
            packet_id,
            stage: Stage::Published,
            revoked: false,
            is_held: false,
            number,
        });
        packet_id
    }

    /// Takes back the push that came last, whose message could not be sent after all.
    pub(crate) fn undo_push(&mut self) {
        if let Some(last) = self.entries.pop_back() {
            self.bytes -= last.delivery.message.bytes();
        }
    }

    /// Gives up on all of it; returns how many messages that were. Their packet ids stay used.
    pub(crate) fn clear(&mut self) -> u64 {
        let count = self.entries.len() as u64;
        let entries = std::mem::take(&mut self.entries);
        let lost = entries.iter().filter_map(|entry| entry.delivery.no);
        self.lost.extend(lost);
        self.bytes = 0;
        count
    }

    /// The message is done: PUBACK, PUBCOMP, or an error from the client.
    pub(crate) fn finish(&mut self, packet_id: u16, qos: Qos, stage: Stage) -> Option<Delivery> {
        let ix = self.find(packet_id, stage)?;
        if self.entries.get(ix)?.delivery.qos != qos {
            return None;
        }
        let done = self.entries.remove(ix)?;
        self.bytes -= done.delivery.message.bytes();
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
        Some(done.delivery)
    }

    /// PUBREC came: the next is PUBREL, which waits where the message survives. `None` where no such message is in flight.
    pub(crate) fn release(&mut self, packet_id: u16) -> Option<Release> {
        if let Some(ix) = self.find(packet_id, Stage::Released) {
            let waits = self.entries.get(ix)?.is_held;
            return Some(if waits { Release::Waits } else { Release::Now });
        }
        let ix = self.find(packet_id, Stage::Published)?;
        let entry = self.entries.get_mut(ix)?;
        if entry.delivery.qos != Qos::ExactlyOnce {
            return None;
        }
        entry.stage = Stage::Released;
        let Some(no) = entry.delivery.no else {
            return Some(Release::Now);
        };
        entry.is_held = true;
        Some(Release::After(no))
    }

    fn find(&self, packet_id: u16, stage: Stage) -> Option<usize> {
        self.entries
            .iter()
            .position(|entry| entry.packet_id == packet_id && entry.stage == stage)
    }
}

/// When PUBREL answers a PUBREC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    Now,
    /// Once it is stored that the message with this number got so far.
    After(DeliveryNo),
    /// It waits for that already.
    Waits,
}

fn packet_id(number: u64) -> u16 {
    // In 1..=65,535 by construction.
    (number % PACKET_IDS) as u16 + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn delivery(topic: &str, payload: u8, absolute: bool) -> Delivery {
        Delivery {
            message: Arc::new(Stored {
                topic: topic.into(),
                payload: Bytes::copy_from_slice(&[payload]),
                properties: Box::default(),
                qos: Qos::AtLeastOnce,
                retain: true,
                expires: None,
                token: None,
                absolute,
                is_own: false,
                owner: None,
            }),
            qos: Qos::AtLeastOnce,
            retain: false,
            replay: false,
            subscription_ids: Box::default(),
            share: None,
            no: None,
        }
    }

    fn drain(queue: &mut Queue) -> Vec<(String, u8)> {
        std::iter::from_fn(|| queue.pop())
            .map(|d| (d.message.topic.to_string(), d.message.payload[0]))
            .collect()
    }

    #[test]
    fn absolute_targets_coalesce_while_they_wait() {
        let mut queue = Queue::default();
        queue.push(delivery("a", 1, true));
        queue.push(delivery("b", 2, true));
        assert_eq!(queue.push(delivery("a", 3, true)), 1);
        assert_eq!((queue.len(), queue.bytes()), (2, 4));
        assert_eq!(drain(&mut queue), [("b".into(), 2), ("a".into(), 3)]);
        assert_eq!(queue.bytes(), 0);
        queue.push(delivery("a", 4, true));
        assert_eq!(drain(&mut queue), [("a".into(), 4)]);
    }

    #[test]
    fn a_queue_takes_room_for_what_it_holds_and_not_for_what_it_held() {
        let mut queue = Queue::default();
        queue.push(delivery("first", 0, false));
        for round in 0..10_000_u32 {
            queue.push(delivery("a", round as u8, true));
            queue.push(delivery("b", round as u8, true));
            assert!(queue.entries.len() <= 2 * 3 + HOLES_MAX);
        }
        assert_eq!((queue.len(), queue.waiting), (3, 3));
        // What a newer one replaces is found where it stands now.
        assert_eq!(queue.push(delivery("a", 1, true)), 1);
        let left = [("first".into(), 0), ("b".into(), 15), ("a".into(), 1)];
        assert_eq!(drain(&mut queue), left);
        assert_eq!((queue.bytes(), queue.held()), (0, 0));
    }

    #[test]
    fn what_is_dropped_leaves_no_room_behind() {
        let mut queue = Queue::default();
        for number in 0..1_000_u32 {
            queue.push(delivery(&format!("{}", number % 10), 0, false));
        }
        assert_eq!(queue.coalesce_retained(), 990);
        assert!(queue.entries.len() <= 2 * 10 + HOLES_MAX);
        let is_odd = |d: &Delivery| ["1", "3", "5", "7", "9"].contains(&&*d.message.topic);
        assert_eq!(queue.drop_where(is_odd), 5);
        let left: Vec<_> = drain(&mut queue).into_iter().map(|(t, _)| t).collect();
        assert_eq!(left, ["0", "2", "4", "6", "8"]);
    }

    #[test]
    fn other_retained_messages_coalesce_only_when_asked() {
        let mut queue = Queue::default();
        for payload in 0..3 {
            queue.push(delivery("a", payload, false));
        }
        assert_eq!(queue.len(), 3);
        assert_eq!(queue.coalesce_retained(), 2);
        assert_eq!(drain(&mut queue), [("a".into(), 2)]);
    }

    #[test]
    fn packet_ids_in_use_are_skipped_when_they_come_around() {
        let mut window = Window::default();
        assert_eq!(window.push(delivery("old", 0, false)), 1);
        for number in 2..=65_535 {
            let id = window.push(delivery("x", 0, false));
            assert_eq!(u32::from(id), number);
            assert!(
                window
                    .finish(id, Qos::AtLeastOnce, Stage::Published)
                    .is_some()
            );
        }
        assert_eq!(window.push(delivery("x", 0, false)), 2);
        assert_eq!(window.len(), 2);
    }
}
