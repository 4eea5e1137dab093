//! Sessions: what devices say in them, what they are told, and when they end. Called by the dispatcher's end.

use rand_core::CryptoRngCore;
use wire::{Body, Data, Handle, Kind, Plain, Set};

use super::{
    Address, CloneSign, Dispatcher, Doubt, PING_MS, PINGS, PREVIOUS_MS, SESSION_MS, SILENCE_MS,
    SendError, Told, alone,
    hello::wire_mac1,
    is_housekeeping,
    peer::{Live, Pending, Subject},
    random,
};
use crate::time::Millis;

/// Boots within this time look like two devices.
const TAKEOVER_MS: u64 = 600_000;
/// So many of them do.
const TAKEOVERS: usize = 3;

impl Dispatcher {
    pub(super) fn data(&mut self, now: Millis, from: Address, data: &Data<'_>) -> bool {
        let Some(device) = self.indices.get(&data.receiver_index).copied() else {
            if self.reset_bucket.take(self.limits.resets, now) {
                self.counters.resets += 1;
                let reset = self.resets.reset(data.receiver_index);
                self.out.push_back((from, reset.encode().to_vec()));
            }
            return false;
        };
        let Some(peer) = self.peers.get_mut(&device) else {
            return false;
        };
        let half = peer
            .halves
            .iter()
            .position(|half| half.index == data.receiver_index);
        let mut room = [0; wire::PLAIN_LEN_MAX];
        let opened = peer.live(data.receiver_index).and_then(|live| {
            // Looked at before it is opened: what is brought on another way does not count as heard.
            let is_its_way = match half {
                Some(_) => from.fits(device, live.says.flags),
                None => from.is_way_of(live.from),
            };
            if !is_its_way {
                return None;
            }
            let plain = live.session.open(data, &mut room).ok()?;
            live.heard = now;
            live.from = from;
            Some(plain)
        });
        let Some(plain) = opened else {
            self.counters.refused_frames += 1;
            return false;
        };
        if let Some(place) = half {
            let live = peer.halves.remove(place);
            self.halves -= 1;
            if !self.promote(now, device, live) {
                return true;
            }
        }
        self.message(now, device, data.receiver_index, &plain);
        true
    }

    /// A half-session becomes the session. Gives whether it may stay.
    fn promote(&mut self, now: Millis, device: Handle, live: Live) -> bool {
        let Some(peer) = self.peers.get_mut(&device) else {
            return false;
        };
        let (boot_id, count) = (live.says.boot_id, live.says.boot_count);
        let same_boot = peer.confirmed.is_some_and(|(boot, _)| boot == boot_id);
        let sign = if same_boot {
            None
        } else {
            peer.takeovers
                .retain(|(at, _)| now.since(*at) < TAKEOVER_MS);
            let counted_on = peer.confirmed.is_none_or(|(_, before)| before < count);
            let before: alloc::vec::Vec<Address> =
                peer.takeovers.iter().map(|(_, from)| *from).collect();
            peer.takeovers.push_back((now, live.from));
            let back =
                matches!(before[..], [.., first, second] if first == live.from && second != first);
            match (counted_on, before.len() >= TAKEOVERS, back) {
                (false, _, _) => Some(CloneSign::BootCount),
                (_, _, true) => Some(CloneSign::Addresses),
                (_, true, _) => Some(CloneSign::Takeovers),
                _ => None,
            }
        };
        peer.confirmed_hellos.push_back(wire_mac1(&live.hello));
        if peer.confirmed_hellos.len() > 8 {
            peer.confirmed_hellos.pop_front();
        }
        peer.confirmed = Some((boot_id, count));
        peer.queue.clear();
        peer.look_for_role();
        peer.states.clear();
        peer.seen.forget_frames();
        peer.rev = 0;
        peer.doubt = Doubt::None;
        let old = peer.current.replace(live);
        let was = old.is_some();
        if let Some((before, _)) = peer.previous.take() {
            self.indices.remove(&before.index);
        }
        if let Some(old) = old {
            self.hellos.remove(&wire_mac1(&old.hello));
            if same_boot {
                peer.previous = Some((old, now.after(PREVIOUS_MS)));
            } else {
                // Its keys are wiped here.
                self.indices.remove(&old.index);
            }
        }
        let rekeyed = was && same_boot;
        if !was {
            self.sessions += 1;
        }
        let quarantine = self.limits.quarantine && sign.is_some();
        peer.quarantined = quarantine;
        if let Some(why) = sign {
            self.tell(Told::Clone { device, why });
        }
        if quarantine {
            self.end(device);
            return false;
        }
        self.tell(Told::Online {
            device,
            boot_id,
            rekeyed,
        });
        true
    }

    fn message(&mut self, now: Millis, device: Handle, index: u32, plain: &Plain<'_>) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        peer.doubt = Doubt::None;
        let mut told = alloc::vec::Vec::new();
        let current = peer
            .current
            .as_ref()
            .is_some_and(|live| live.index == index);
        if let Some(ack) = plain.ack.filter(|_| current) {
            peer.queue.retain(|_, pending| {
                let taken = pending.tries.taken(ack);
                if let Some(rev) = pending.rev.filter(|_| taken) {
                    told.push(Told::Taken { device, rev });
                }
                !taken
            });
            peer.look_for_role();
        }
        if current {
            peer.revive(now);
        }
        let room = self.limits.told_max.saturating_sub(self.told.len());
        self.told.extend(told.into_iter().take(room));
        let boot_id = peer.confirmed.map_or(0, |(boot, _)| boot);
        let body = Body::decode(plain.kind, plain.body);
        let mut ack = plain.ack_me;
        let says = !matches!(
            plain.kind,
            Kind::Ack | Kind::Confirm | Kind::Pong | Kind::Bye
        );
        match body {
            _ if peer.block_in && says => self.counters.blocked_messages += 1,
            Ok(Body::Event(events)) => {
                let mut limited = false;
                for event in events.iter() {
                    if !peer.seen.is_new(boot_id, event.seq) {
                        self.counters.repeated_events += 1;
                    } else if self.told.len() < self.limits.told_max
                        && peer.events.take(self.limits.events, now)
                    {
                        if let Some(body) = alone(&event) {
                            let seq = event.seq;
                            self.told.push_back(Told::Event {
                                device,
                                boot_id,
                                seq,
                                body,
                            });
                        }
                    } else {
                        peer.seen.forget(event.seq);
                        self.counters.limited_events += 1;
                        limited = true;
                    }
                }
                // A frame of which a part was left out comes again.
                ack &= !limited
                    && peer
                        .seen
                        .frame(plain.seq, events.iter().map(|event| event.seq));
            }
            // The network turned the order round, or keys were replaced meanwhile: a newer one was told.
            Ok(Body::State(state)) if !current || !peer.is_newest(state.channel, plain.seq) => {}
            Ok(Body::State(_) | Body::Pong { .. } | Body::Ota(_) | Body::Log { .. }) => {
                let (kind, body) = (plain.kind, plain.body.to_vec());
                self.tell(Told::Message { device, kind, body });
            }
            Ok(Body::Bye { .. }) => {
                self.end(device);
                return;
            }
            Ok(_) => {}
            Err(wire::BodyError::Kind) => self.counters.unknown_kinds += 1,
            Err(_) => self.counters.broken_bodies += 1,
        }
        let live = self
            .peers
            .get_mut(&device)
            .and_then(|peer| peer.live(index));
        if let Some(live) = live.filter(|_| ack) {
            live.taken.take(plain.seq);
            live.ack_due = true;
        }
        self.flush(device, now);
    }

    /// The journal has this event: the device may forget it.
    pub fn journalled(&mut self, device: Handle, boot_id: u64, seq: u32, now: Millis) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let frames = peer.seen.journalled(boot_id, seq);
        if let Some(live) = peer.current.as_mut().filter(|_| !frames.is_empty()) {
            frames.iter().for_each(|frame| live.taken.take(*frame));
            live.ack_due = true;
        }
        self.flush(device, now);
    }

    /// Tells a device what an output should be; `set.rev` is given here. A newer target of a channel replaces an
    /// older one that waits.
    ///
    /// # Errors
    /// [`SendError`]; nothing is told then.
    pub fn set(&mut self, device: Handle, set: Set<'_>, now: Millis) -> Result<u32, SendError> {
        let queue_max = self.limits.queue_max;
        let peer = self.peers.get_mut(&device).ok_or(SendError::Unknown)?;
        if peer.current.is_none() {
            return Err(SendError::Offline);
        }
        if peer.block_out {
            return Err(SendError::Blocked);
        }
        let rev = peer.rev + 1;
        let subject = match set.command {
            Some(_) => Subject::Command(set.channel),
            None => Subject::Target(set.channel),
        };
        peer.queue(subject, &Body::Set(Set { rev, ..set }), queue_max, now)?;
        peer.rev = rev;
        self.flush(device, now);
        Ok(rev)
    }

    /// Tells a device something that it takes once: CONFIG, `SYNC_END`, REKEY, BYE, NEWKEY, OTA. BYE ends the session.
    ///
    /// # Errors
    /// [`SendError`]; nothing is told then.
    pub fn send(&mut self, device: Handle, body: &Body<'_>, now: Millis) -> Result<(), SendError> {
        let queue_max = self.limits.queue_max;
        let peer = self.peers.get_mut(&device).ok_or(SendError::Unknown)?;
        if peer.current.is_none() {
            return Err(SendError::Offline);
        }
        if peer.block_out && !is_housekeeping(body) {
            return Err(SendError::Blocked);
        }
        if matches!(body, Body::Config(config) if config.part == 0) {
            // Of another role its places may be other channels.
            let is_of_channel =
                |subject: &Subject| matches!(subject, Subject::Target(_) | Subject::Command(_));
            peer.queue.retain(|subject, _| !is_of_channel(subject));
        }
        peer.said += 1;
        let subject = Subject::Other(peer.said);
        peer.queue(subject, body, queue_max, now)?;
        self.flush(device, now);
        if matches!(body, Body::Bye { .. }) {
            self.end(device);
        }
        Ok(())
    }

    /// Everything that is due for a device goes out.
    fn flush(&mut self, device: Handle, now: Millis) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        let Some(live) = &mut peer.current else {
            return;
        };
        let mut unheard = false;
        let awaits_role = peer.awaits_role;
        for pending in peer
            .queue
            .values_mut()
            .filter(|pending| pending.tries.at <= now && !pending.waits(awaits_role))
        {
            unheard |= pending.tries.said(live.seq, now);
            self.out.extend(live.say(pending.kind, &pending.body, true));
        }
        // Something momentary that nobody took is over.
        let is_over = |subject: &Subject, pending: &Pending| {
            matches!(subject, Subject::Command(_)) && pending.tries.at == Millis::NEVER
        };
        peer.queue
            .retain(|subject, pending| !is_over(subject, pending));
        if live.ack_due {
            self.out.extend(live.say(Kind::Ack, &[], false));
        }
        if let Some((previous, _)) = peer.previous.as_mut().filter(|(live, _)| live.ack_due) {
            self.out.extend(previous.say(Kind::Ack, &[], false));
        }
        if unheard {
            self.tell(Told::Unheard { device });
        }
    }

    /// Does what fell due.
    pub fn handle_timeout(&mut self, now: Millis, rng: &mut dyn CryptoRngCore) {
        if self.jar_at <= now {
            self.jar.turn(random(rng));
            self.jar_at = now.after(super::COOKIE_MS);
            self.sources.clear();
        }
        self.drop_old_halves(now);
        let devices: alloc::vec::Vec<Handle> = self.peers.keys().copied().collect();
        for device in devices {
            self.expire(device, now, rng);
            self.flush(device, now);
        }
    }

    fn expire(&mut self, device: Handle, now: Millis, rng: &mut dyn CryptoRngCore) {
        let Some(peer) = self.peers.get_mut(&device) else {
            return;
        };
        if let Some((live, _)) = peer.previous.take_if(|(_, until)| *until <= now) {
            self.indices.remove(&live.index);
        }
        let Some(live) = &mut peer.current else {
            return;
        };
        let mut gone = now.since(live.heard) >= SILENCE_MS || now.since(live.began) >= SESSION_MS;
        if let Doubt::Asked { times, at } = &mut peer.doubt
            && *at <= now
        {
            if *times < PINGS {
                *times += 1;
                *at = now.after(PING_MS);
                peer.asked_at = Some(now);
                let mut body = [0; 8];
                let nonce = rng.next_u32();
                if let Ok(len) = (Body::Ping { nonce }).encode(&mut body) {
                    self.out.extend(live.say(Kind::Ping, &body[..len], true));
                }
            } else {
                gone = true;
            }
        }
        if gone {
            self.end(device);
        }
    }

    /// When [`Dispatcher::handle_timeout`] is due, where nothing comes before.
    #[must_use]
    pub fn deadline(&self) -> Millis {
        let mut at = self.jar_at;
        for peer in self.peers.values() {
            for half in &peer.halves {
                at = at.min(half.began.after(super::HALF_MS));
            }
            if let Some((_, until)) = &peer.previous {
                at = at.min(*until);
            }
            let Some(live) = &peer.current else {
                continue;
            };
            at = at
                .min(live.heard.after(SILENCE_MS))
                .min(live.began.after(SESSION_MS));
            if let Doubt::Asked { at: asked, .. } = &peer.doubt {
                at = at.min(*asked);
            }
            at = { peer.queue.values() }
                .filter(|pending| !pending.waits(peer.awaits_role))
                .fold(at, |at, pending| at.min(pending.tries.at));
        }
        at
    }
}
