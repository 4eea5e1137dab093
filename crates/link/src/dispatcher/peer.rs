//! One device as the dispatcher knows it: sessions, half-sessions, what was taken from it and what it is still to
//! be told. Called by the dispatcher's end. Must not know other devices.

use alloc::vec::Vec;
use alloc::{boxed::Box, collections::BTreeMap, collections::BTreeSet, collections::VecDeque};

use wire::{Body, HELLO_LEN, Handle, HelloPayload, Kind, Plain, Secret, WELCOME_LEN};

use super::{Address, bucket::Bucket};
use crate::{
    acks::{Taken, Tries},
    session::Session,
    time::Millis,
};

/// Events of a boot that are remembered.
const DEDUP_MAX: usize = 512;
/// Frames whose acknowledgement waits for the journal.
const UNACKED_MAX: usize = 64;

/// A session, confirmed or not. Keys lie in one place on the heap: moving the rest copies none.
pub(super) struct Live {
    pub(super) session: Box<Session>,
    pub(super) device: Handle,
    pub(super) index: u32,
    pub(super) hello: [u8; HELLO_LEN],
    pub(super) welcome: [u8; WELCOME_LEN],
    pub(super) says: HelloPayload,
    pub(super) from: Address,
    pub(super) began: Millis,
    pub(super) heard: Millis,
    pub(super) stale: bool,
    pub(super) seq: u16,
    pub(super) taken: Taken,
    pub(super) ack_due: bool,
}

impl Live {
    /// A frame for the device.
    pub(super) fn say(
        &mut self,
        kind: Kind,
        body: &[u8],
        ack_me: bool,
    ) -> Option<(Address, Vec<u8>)> {
        let ack = self.taken.newest();
        let seq = self.seq;
        let plain = Plain {
            kind,
            ack_me,
            seq,
            ack,
            body,
        };
        self.seq = self.seq.wrapping_add(1);
        self.ack_due = false;
        let mut out = [0; wire::FRAME_LEN_MAX];
        let len = self.session.seal(&plain, &mut out).ok()?;
        Some((self.from, out[..len].to_vec()))
    }
}

/// What is said until it is taken.
pub(super) struct Pending {
    pub(super) kind: Kind,
    /// Of a SET.
    pub(super) rev: Option<u32>,
    pub(super) body: Vec<u8>,
    pub(super) tries: Tries,
}

impl Pending {
    /// A target is of the role that is under way: told before it, another output could take it.
    pub(super) fn waits(&self, awaits_role: bool) -> bool {
        awaits_role && self.kind == Kind::Set
    }
}

/// What becomes known as the same thing, so that the newer one replaces the older.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// By part, number or kind: not coalesced.
    Other(u64),
    /// A target of a channel.
    Target(u8),
    /// Something momentary that a channel does.
    Command(u8),
}

/// Events of one boot.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) boot_id: u64,
    /// Whether it is journalled.
    events: BTreeMap<u32, bool>,
    /// Frames to acknowledge once all of their events are journalled.
    frames: VecDeque<(u16, BTreeSet<u32>)>,
}

impl Seen {
    /// Whether this event is new. One that is older than all that are remembered is not.
    pub(super) fn is_new(&mut self, boot_id: u64, seq: u32) -> bool {
        if self.boot_id != boot_id {
            *self = Self {
                boot_id,
                ..Self::default()
            };
        }
        let full = self.events.len() >= DEDUP_MAX;
        let old = full
            && self
                .events
                .first_key_value()
                .is_some_and(|(first, _)| seq < *first);
        if old || self.events.contains_key(&seq) {
            return false;
        }
        if full {
            self.events.pop_first();
        }
        self.events.insert(seq, false);
        true
    }

    /// It was not taken after all.
    pub(super) fn forget(&mut self, seq: u32) {
        self.events.remove(&seq);
    }

    fn waits(&self, seq: u32) -> bool {
        self.events.get(&seq) == Some(&false)
    }

    /// A frame with these events: whether it can be acknowledged now.
    pub(super) fn frame(&mut self, frame: u16, events: impl Iterator<Item = u32>) -> bool {
        let waiting: BTreeSet<u32> = events.filter(|seq| self.waits(*seq)).collect();
        if waiting.is_empty() {
            return true;
        }
        if self.frames.len() >= UNACKED_MAX {
            self.frames.pop_front();
        }
        self.frames.push_back((frame, waiting));
        false
    }

    /// The journal has it: the frames that can be acknowledged.
    pub(super) fn journalled(&mut self, boot_id: u64, seq: u32) -> Vec<u16> {
        if self.boot_id != boot_id {
            return Vec::new();
        }
        if let Some(done) = self.events.get_mut(&seq) {
            *done = true;
        }
        let mut ready = Vec::new();
        self.frames.retain_mut(|(frame, waiting)| {
            waiting.remove(&seq);
            if waiting.is_empty() {
                ready.push(*frame);
            }
            !waiting.is_empty()
        });
        ready
    }

    /// A session ends: frames of it are not acknowledged any more.
    pub(super) fn forget_frames(&mut self) {
        self.frames.clear();
    }
}

/// Why the device is not simply there.
pub(super) enum Doubt {
    /// None.
    None,
    /// It was asked whether it is there.
    Asked { times: u8, at: Millis },
}

/// A device that is registered.
pub(super) struct Peer {
    pub(super) psk: Secret,
    pub(super) block_in: bool,
    pub(super) block_out: bool,
    pub(super) quarantined: bool,
    pub(super) halves: Vec<Live>,
    pub(super) current: Option<Live>,
    pub(super) previous: Option<(Live, Millis)>,
    pub(super) doubt: Doubt,
    /// When it was last asked whether it is there.
    pub(super) asked_at: Option<Millis>,
    pub(super) confirmed: Option<(u64, u32)>,
    pub(super) confirmed_hellos: VecDeque<[u8; 16]>,
    pub(super) takeovers: VecDeque<(Millis, Address)>,
    pub(super) hellos: Bucket,
    pub(super) events: Bucket,
    pub(super) seen: Seen,
    pub(super) queue: BTreeMap<Subject, Pending>,
    /// A part of its role was not taken yet.
    pub(super) awaits_role: bool,
    /// The message with the newest state of each channel in this session.
    pub(super) states: BTreeMap<u8, u16>,
    pub(super) rev: u32,
    pub(super) said: u64,
}

impl Peer {
    /// Whether a HELLO belongs to the past: of an earlier boot, or one that made a session before.
    pub(super) fn is_stale(&self, says: &HelloPayload, mac1: &[u8; 16]) -> bool {
        let counted = self.confirmed.map_or(0, |(_, count)| count);
        says.boot_count < counted || self.confirmed_hellos.contains(mac1)
    }

    /// Whether a message says a newer state of the channel than what came; if so, it is the newest now.
    pub(super) fn is_newest(&mut self, channel: u8, seq: u16) -> bool {
        let newest = self.states.entry(channel).or_insert(seq.wrapping_sub(1));
        // Numbers wrap; within half of them it is clear which came first.
        let is_newer = (1..0x8000).contains(&seq.wrapping_sub(*newest));
        if is_newer {
            *newest = seq;
        }
        is_newer
    }

    /// The session or half-session with this index.
    pub(super) fn live(&mut self, index: u32) -> Option<&mut Live> {
        let previous = self.previous.as_mut().map(|(live, _)| live);
        let all = self.current.as_mut().into_iter().chain(previous);
        { all.chain(&mut self.halves) }.find(|live| live.index == index)
    }

    /// All of a HELLO but `mac2`, which changes with a cookie.
    pub(super) fn same_hello(&self, hello: &[u8; HELLO_LEN]) -> Option<&Live> {
        let all = self.current.iter().chain(&self.halves);
        { all }.find(|live| live.hello[..152] == hello[..152])
    }

    /// Ends every session; keys are wiped as they are dropped. Gives them for their
    /// indices to be forgotten.
    pub(super) fn end(&mut self) -> Vec<Live> {
        self.queue.clear();
        self.awaits_role = false;
        self.seen.forget_frames();
        self.doubt = Doubt::None;
        let previous = self.previous.take().map(|(live, _)| live);
        let all = self.current.take().into_iter().chain(previous);
        all.chain(self.halves.drain(..)).collect()
    }

    /// Queues a body. Newer absolute state replaces older of the same subject.
    pub(super) fn queue(
        &mut self,
        subject: Subject,
        body: &Body<'_>,
        max: usize,
        now: Millis,
    ) -> Result<(), super::SendError> {
        // Of targets there is one for each channel at the most.
        let is_target = |subject: &Subject| matches!(subject, Subject::Target(_));
        let others = self.queue.keys().filter(|known| !is_target(known)).count();
        if !self.queue.contains_key(&subject) && !is_target(&subject) && others >= max {
            return Err(super::SendError::Full);
        }
        let mut bytes = [0; wire::BODY_LEN_MAX];
        let len = body.encode(&mut bytes).map_err(super::SendError::Body)?;
        let pending = Pending {
            kind: body.kind(),
            rev: match body {
                Body::Set(set) => Some(set.rev),
                _ => None,
            },
            body: bytes[..len].to_vec(),
            tries: Tries::new(now),
        };
        self.awaits_role |= pending.kind == Kind::Config;
        self.queue.insert(subject, pending);
        Ok(())
    }

    /// The device is there: what was said in vain is said again, but for what was of the moment.
    pub(super) fn revive(&mut self, now: Millis) {
        self.queue
            .values_mut()
            .for_each(|pending| pending.tries.revive(now));
    }

    /// Whether parts of its role are still among what waits.
    pub(super) fn look_for_role(&mut self) {
        let mut waiting = self.queue.values();
        self.awaits_role = waiting.any(|pending| pending.kind == Kind::Config);
    }
}
