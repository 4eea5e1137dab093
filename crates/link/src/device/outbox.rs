//! What a device says again until it is taken: events, and the newest state of each channel. Called by the device's
//! end. Fixed room, no allocator; must not know sessions.

use wire::{Body, BodyError, EVENT_LEN_MAX, EVENTS_MAX, Event, Events, Kind, State};

use crate::{acks::Tries, time::Millis};

/// Events that are kept; of more the oldest is dropped.
const EVENTS_KEPT: usize = 16;
/// An event that nobody took for so long is dropped: a lamp that goes on for a button of long ago is a fright.
const EVENT_MS_MAX: u64 = 10_000;
/// Channels whose state waits.
const STATES_KEPT: usize = 16;
/// Bytes of a state at most.
const STATE_LEN_MAX: usize = EVENT_LEN_MAX;
const BODY_LEN: usize = 1 + EVENTS_MAX * EVENT_LEN_MAX;

#[derive(Clone, Copy)]
struct Kept {
    /// Event number, or channel.
    key: u32,
    born: Millis,
    bytes: [u8; EVENT_LEN_MAX],
    len: usize,
    tries: Tries,
}

pub(super) struct Outbox {
    /// By `seq`, oldest first; holes last.
    events: [Option<Kept>; EVENTS_KEPT],
    states: [Option<Kept>; STATES_KEPT],
    dropped: u32,
    expired: u32,
    body: [u8; BODY_LEN],
}

impl Outbox {
    pub(super) const fn new() -> Self {
        Self {
            events: [None; EVENTS_KEPT],
            states: [None; STATES_KEPT],
            dropped: 0,
            expired: 0,
            body: [0; BODY_LEN],
        }
    }

    pub(super) const fn dropped(&self) -> u32 {
        self.dropped
    }

    pub(super) const fn expired(&self) -> u32 {
        self.expired
    }

    pub(super) fn event(&mut self, event: &Event<'_>, now: Millis) -> Result<(), BodyError> {
        let mut bytes = [0; EVENT_LEN_MAX];
        let len = event.encode(&mut bytes)?;
        self.forget_old(now);
        if self.events.iter().all(Option::is_some) {
            self.events.rotate_left(1);
            if let Some(last) = self.events.last_mut() {
                *last = None;
            }
            self.dropped = self.dropped.saturating_add(1);
        }
        if let Some(hole) = self.events.iter_mut().find(|event| event.is_none()) {
            *hole = Some(Kept {
                key: event.seq,
                born: now,
                bytes,
                len,
                tries: Tries::new(now),
            });
        }
        Ok(())
    }

    pub(super) fn state(&mut self, state: &State<'_>, now: Millis) -> Result<(), BodyError> {
        let mut bytes = [0; STATE_LEN_MAX];
        let len = Body::State(*state).encode(&mut bytes)?;
        let key = u32::from(state.channel);
        let same = |kept: &&mut Option<Kept>| kept.is_some_and(|kept| kept.key == key);
        let place = if self.states.iter_mut().any(|kept| same(&kept)) {
            self.states.iter_mut().find(same)
        } else {
            self.states.iter_mut().find(|kept| kept.is_none())
        };
        let place = place.ok_or(BodyError::Limit {
            what: "channels whose state waits",
        })?;
        *place = Some(Kept {
            key,
            born: now,
            bytes,
            len,
            tries: Tries::new(now),
        });
        Ok(())
    }

    /// A session begins: all is to be said in it.
    pub(super) fn begin(&mut self, now: Millis) {
        self.forget_old(now);
        let all = self.events.iter_mut().chain(&mut self.states).flatten();
        all.for_each(|kept| kept.tries = Tries::new(now));
    }

    /// The dispatcher is there: states that were said in vain are said again. Events are of the moment.
    pub(super) fn heard(&mut self, now: Millis) {
        let states = self.states.iter_mut().flatten();
        states.for_each(|kept| kept.tries.revive(now));
    }

    pub(super) fn taken(&mut self, ack: (u16, u16)) {
        for kept in self.events.iter_mut().chain(&mut self.states) {
            if kept.is_some_and(|kept| kept.tries.taken(ack)) {
                *kept = None;
            }
        }
        self.close_up();
    }

    fn forget_old(&mut self, now: Millis) {
        for kept in &mut self.events {
            if kept.is_some_and(|kept| now.since(kept.born) >= EVENT_MS_MAX) {
                *kept = None;
                self.expired = self.expired.saturating_add(1);
            }
        }
        self.close_up();
    }

    /// Holes last, the order of the rest stays.
    fn close_up(&mut self) {
        let mut to = 0;
        for from in 0..EVENTS_KEPT {
            if self.events[from].is_some() {
                self.events.swap(to, from);
                to += 1;
            }
        }
    }

    /// When something is due.
    pub(super) fn at(&self) -> Millis {
        let all = self.events.iter().chain(&self.states).flatten();
        all.map(|kept| kept.tries.at).min().unwrap_or(Millis::NEVER)
    }

    /// What is due, as a body; it goes out as `seq`. The newest four events go together; where they wait, the
    /// oldest that are due.
    pub(super) fn due(&mut self, now: Millis, seq: u16) -> Option<(Kind, &[u8])> {
        self.forget_old(now);
        let due = |kept: &Option<Kept>| kept.is_some_and(|kept| kept.tries.at <= now);
        if let Some(first) = self.events.iter().position(due) {
            let count = self.events.iter().flatten().count();
            let newest = count.saturating_sub(EVENTS_MAX);
            let from = if self.events[newest..].iter().any(due) {
                newest
            } else {
                first.min(newest)
            };
            let to = (from + EVENTS_MAX).min(count);
            let chosen = &mut self.events[from..to];
            for kept in chosen.iter_mut().flatten() {
                kept.tries.said(seq, now);
            }
            let parts = chosen.iter().map(|kept| {
                kept.as_ref()
                    .map_or(&[][..], |kept| &kept.bytes[..kept.len])
            });
            let len = Events::join(parts, &mut self.body).ok()?;
            return Some((Kind::Event, &self.body[..len]));
        }
        let kept = self.states.iter_mut().flatten();
        let kept = { kept }.find(|kept| kept.tries.at <= now)?;
        kept.tries.said(seq, now);
        Some((Kind::State, &kept.bytes[..kept.len]))
    }
}
