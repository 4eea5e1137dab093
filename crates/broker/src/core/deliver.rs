//! Messages to subscribers: who gets one, whether it goes straight into the output or has to wait,
//! what a full queue means, and the acks that come back.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use types::{Instant, Now};

use super::{Core, facts::Held, share};
use crate::{
    Application, Ended, Limits, Qos, Reason,
    application::ClientKey,
    codec::{Frame, Version, kind, publish},
    connection::ConnKey,
    message::{Publication, Sending, Written},
    outbound::{Delivery, InFlight, Release, Stage},
    router::Subscriber,
    session::Timer,
};

/// How often expired retained messages are thrown out, in seconds.
const SWEEP_S: u64 = 60;

impl Core {
    /// Keeps a message that asks for it and delivers it to whoever wants it. False where it should be kept and there is
    /// no room for that.
    pub(super) fn route(
        &mut self,
        publication: &mut Publication<'_>,
        origin: Option<ClientKey>,
        now: Now,
    ) -> bool {
        let is_kept = !publication.retain || self.retain(publication, now.at);
        let mut hits = std::mem::take(&mut self.hits);
        self.router.matching(publication.topic, &mut hits);
        let shared = if self.router.has_groups() {
            share::split_off(&mut hits)
        } else {
            Vec::new()
        };
        let mut rest = hits.as_slice();
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|hit| hit.session == first.session);
            let (group, others) = rest.split_at(same.count());
            rest = others;
            self.deliver(group, publication, origin, now);
        }
        hits.clear();
        self.hits = hits;
        self.deliver_shared(&shared, publication, now);
        is_kept
    }

    /// Keeps it; false where there is no room.
    fn retain(&mut self, publication: &mut Publication<'_>, now: Instant) -> bool {
        let topic = publication.topic;
        if publication.is_empty() {
            self.forget_retained(topic);
            return true;
        }
        let (bytes, owner) = (publication.bytes(), publication.owner.as_deref());
        let has_room =
            publication.is_own() || (self.retained).has_room(topic, bytes, owner, &self.limits);
        if !has_room {
            self.stats.retained_refused += 1;
            // What was kept is out of date now.
            self.forget_retained(topic);
            return false;
        }
        let message = publication.stored();
        if publication.survives {
            self.facts.retained(&message);
        }
        let survives = publication.survives && self.facts.is_on();
        if self.retained.set(message, survives) {
            self.facts.cleared(topic);
        }
        if publication.expires.is_some() {
            self.sweep_later(now);
        }
        true
    }

    fn forget_retained(&mut self, topic: &str) {
        if self.retained.clear(topic) {
            self.facts.cleared(topic);
        }
    }

    /// Throws out retained messages that have expired.
    pub(super) fn sweep(&mut self, now: Instant) {
        let (expired, others) = self.retained.expired(now);
        for topic in expired {
            self.forget_retained(&topic);
        }
        if others {
            self.sweep_later(now);
        }
    }

    /// Sees to it that expired retained messages are thrown out.
    pub(super) fn sweep_later(&mut self, now: Instant) {
        if !self.sweeping {
            self.sweeping = true;
            let at = now.after(std::time::Duration::from_secs(SWEEP_S));
            self.timers.set(at, Timer::Sweep);
        }
    }

    /// Delivers to one session; `group` are its subscriptions that match.
    pub(super) fn deliver(
        &mut self,
        group: &[Subscriber],
        publication: &mut Publication<'_>,
        origin: Option<ClientKey>,
        now: Now,
    ) {
        self.work += 1;
        let mut wanted: Option<Qos> = None;
        let (mut as_published, mut covered) = (false, false);
        self.ids.clear();
        for hit in group {
            if hit.no_local && origin == Some(hit.session) {
                continue;
            }
            wanted = wanted.max(Some(hit.qos));
            as_published |= hit.retain_as_published;
            covered |= hit.covered;
            if hit.id != 0 {
                self.ids.push(hit.id);
            }
        }
        let (Some(first), Some(wanted)) = (group.first(), wanted) else {
            return;
        };
        let key = first.session;
        let share = first.group.and_then(|key| self.router.group_text(key));
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        if !covered && !session.access.may_receive(publication.topic) {
            self.stats.denied_deliveries += 1;
            return;
        }
        let qos = wanted.min(publication.qos);
        let retain = as_published && publication.retain;
        let connected = session.connection.and_then(|conn| {
            let open = self.conns.read(conn).filter(|conn| !conn.closing)?;
            let live = open.live()?;
            let alias = live.given.find(publication.topic);
            let takes = (live.version, live.packet_bytes_max, alias);
            Some((conn, open.pending(), takes))
        });
        let Some((conn, pending, (version, bytes_max, alias))) = connected else {
            if qos > Qos::AtMostOnce && session.expiry_s > 0 {
                let delivery = delivery(publication, qos, retain, &self.ids, share);
                self.enqueue(key, delivery, None);
            }
            return;
        };
        let room = session.queue.is_empty()
            && has_room(pending, self.conns.stuck_bytes(), &self.limits)
            && (qos == Qos::AtMostOnce || session.has_window(&self.limits));
        if !room {
            let delivery = delivery(publication, qos, retain, &self.ids, share);
            return self.enqueue(key, delivery, Some(conn));
        }
        let mut no = None;
        let packet_id = if qos == Qos::AtMostOnce {
            0
        } else {
            let mut delivery = delivery(publication, qos, retain, &self.ids, share);
            self.facts.queued(session, &mut delivery, &self.retained);
            no = delivery.no;
            let packet_id = session.window.push(delivery);
            session.recount(&mut self.queued_bytes);
            packet_id
        };
        let sending = Sending {
            version,
            qos,
            retain,
            dup: false,
            packet_id,
            subscription_ids: &self.ids,
            alias,
            bytes_max,
        };
        let Some(out) = self.conns.output(conn) else {
            return;
        };
        let before = out.len();
        if let Written::Message(alias) = publication.write(out, &sending, now.at) {
            if self.facts.sent(key, session.no, (no, qos), packet_id) {
                out.truncate(before);
                session.window.hold_last();
            } else {
                self.stats.messages_out += 1;
                self.conns.tell_alias(conn, publication.topic, alias);
            }
        } else {
            self.stats.dropped += 1;
            if qos > Qos::AtMostOnce {
                session.window.undo_push();
                session.recount(&mut self.queued_bytes);
                self.facts.done(session.no, no);
            }
        }
        self.relieve();
    }

    /// Puts a message into a session's queue. A full one first lets retained messages coalesce;
    /// then a session without connection loses its oldest message, and one with a connection,
    /// whose client is not reading, loses the connection.
    pub(super) fn enqueue(
        &mut self,
        key: ClientKey,
        mut delivery: Delivery,
        conn: Option<ConnKey>,
    ) {
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            self.facts.queued(session, &mut delivery, &self.retained);
            self.requeue(key, delivery, conn);
        }
    }

    /// The same for a message that has its number in the session.
    pub(super) fn requeue(&mut self, key: ClientKey, delivery: Delivery, conn: Option<ConnKey>) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let queue = &mut session.queue;
        self.stats.coalesced += queue.push(delivery);
        let limits = &self.limits;
        let is_full = |len: usize, bytes: usize| {
            len > limits.queue_messages_max || bytes > limits.queue_bytes_max
        };
        if is_full(queue.len(), queue.bytes()) {
            self.stats.coalesced += queue.coalesce_retained();
        }
        let mut is_slow = queue.replays() > 2 * limits.retained_max.max(self.retained.len());
        while is_full(queue.len(), queue.bytes()) {
            is_slow = true;
            if conn.is_some() {
                break;
            }
            let Some(oldest) = queue.pop() else {
                break;
            };
            self.facts.done(session.no, oldest.no);
            self.stats.dropped += 1;
        }
        self.facts.dropped(session);
        session.recount(&mut self.queued_bytes);
        if let Some(conn) = conn
            && is_slow
        {
            self.doom(conn, Ended::SlowReader, Some(Reason::QuotaExceeded));
        }
        self.relieve();
    }

    /// Where all queues together are full, the user whose sessions hold most gives way: the session of it that holds
    /// most loses the older half of its queue, or what it has in flight where nothing else waits; a connection it has
    /// ends, because its client doesn't keep up.
    fn relieve(&mut self) {
        while self.queued_bytes > self.limits.queues_bytes_max {
            let most = self.holds_most();
            let Some(session) = most.and_then(|key| self.sessions.get_mut(key)) else {
                return;
            };
            self.stats.queues_relieved += 1;
            let half = session.queue.held() / 2;
            if session.queue.is_empty() {
                self.stats.dropped += session.window.clear();
            }
            while session.queue.held() > half
                && let Some(oldest) = session.queue.pop()
            {
                self.facts.done(session.no, oldest.no);
                self.stats.dropped += 1;
            }
            self.facts.dropped(session);
            session.recount(&mut self.queued_bytes);
            if let Some(conn) = session.connection {
                self.doom(conn, Ended::SlowReader, Some(Reason::QuotaExceeded));
            }
        }
    }

    /// The session that holds most, of those of the user who holds most: else who has a thousand sessions would hold
    /// little with each of them, and others would give way.
    fn holds_most(&self) -> Option<usize> {
        let mut of_users: BTreeMap<u32, usize> = BTreeMap::new();
        for (_, session) in &self.sessions {
            *of_users.entry(session.user).or_default() += session.counted;
        }
        let (user, _) = of_users.into_iter().max_by_key(|(_, held)| *held)?;
        let sessions = self.sessions.iter();
        let of_user = sessions.filter(|(_, session)| session.user == user && session.counted > 0);
        let most = of_user.max_by_key(|(_, session)| session.counted);
        most.map(|(key, _)| key)
    }

    /// Sends what waits, as far as the client has room for it.
    pub(super) fn pump(&mut self, key: ClientKey, now: Now) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let Some(conn) = session.connection.filter(|_| !session.queue.is_empty()) else {
            return;
        };
        while let Some(front) = session.queue.front() {
            let qos = front.qos;
            let Some(open) = self.conns.read(conn).filter(|conn| !conn.closing) else {
                return;
            };
            let Some(live) = open.live() else {
                return;
            };
            let (version, bytes_max) = (live.version, live.packet_bytes_max);
            let alias = live.given.find(&front.message.topic);
            let full = qos > Qos::AtMostOnce && !session.has_window(&self.limits);
            if full || !has_room(open.pending(), self.conns.stuck_bytes(), &self.limits) {
                return;
            }
            let Some(delivery) = session.queue.pop() else {
                return;
            };
            session.recount(&mut self.queued_bytes);
            if delivery.message.is_expired(now.at) {
                self.stats.expired += 1;
                self.facts.done(session.no, delivery.no);
                continue;
            }
            // Rights may have changed since it was queued.
            if !session.access.may_receive(&delivery.message.topic) {
                self.stats.denied_deliveries += 1;
                self.facts.done(session.no, delivery.no);
                continue;
            }
            let mut packet_id = 0;
            if qos > Qos::AtMostOnce {
                packet_id = session.window.push(delivery.clone());
                session.recount(&mut self.queued_bytes);
            }
            let sending = Sending {
                version,
                qos,
                retain: delivery.retain,
                dup: false,
                packet_id,
                subscription_ids: &delivery.subscription_ids,
                alias,
                bytes_max,
            };
            let Some(out) = self.conns.output(conn) else {
                return;
            };
            let before = out.len();
            if let Written::Message(alias) = delivery.message.write(out, &sending, now.at) {
                let no = (delivery.no, qos);
                if self.facts.sent(key, session.no, no, packet_id) {
                    out.truncate(before);
                    session.window.hold_last();
                } else {
                    self.stats.messages_out += 1;
                    self.conns.tell_alias(conn, &delivery.message.topic, alias);
                }
            } else {
                self.stats.dropped += 1;
                if qos > Qos::AtMostOnce {
                    session.window.undo_push();
                    session.recount(&mut self.queued_bytes);
                    self.facts.done(session.no, delivery.no);
                }
            }
        }
    }

    /// What a delivery waited for is stored: its PUBLISH or PUBREL leaves, where its client is connected. If not, it is
    /// sent when the client is back.
    pub(super) fn send_held(&mut self, held: Held, now: Now) {
        let session = self.sessions.get_mut(held.client.0 as usize);
        let Some(session) = session.filter(|session| held.is_of(session)) else {
            return;
        };
        let (version, connection) = (session.version, session.connection);
        let Some(entry) = session.window.let_go(held.no) else {
            return;
        };
        let live = |conn: &ConnKey| self.conns.read(*conn)?.live().map(|l| l.packet_bytes_max);
        let Some((conn, bytes_max)) = connection.and_then(|conn| Some((conn, live(&conn)?))) else {
            return;
        };
        if let Some(out) = self.conns.output(conn) {
            self.stats.messages_out += u64::from(entry.stage == Stage::Published);
            send_in_flight(out, entry, (version, false, bytes_max), now.at);
        }
    }

    /// A retained message for a new subscription.
    pub(super) fn replay(&mut self, key: ClientKey, conn: ConnKey, delivery: Delivery) {
        self.work += 1;
        self.enqueue(key, delivery, Some(conn));
    }

    /// A client is back: what was in flight and is still worth it is sent again, in its order, then
    /// what waits.
    pub(super) fn resume(&mut self, key: ClientKey, now: Now) {
        self.give_up_in_flight(key, now);
        let Some(session) = self.sessions.get(key.0 as usize) else {
            return;
        };
        let Some(conn) = session.connection else {
            return;
        };
        let version = session.version;
        let live = self.conns.read(conn).and_then(|conn| conn.live());
        let bytes_max = live.map_or(usize::MAX, |live| live.packet_bytes_max);
        for entry in session.window.iter() {
            let Some(out) = self.conns.output(conn) else {
                return;
            };
            // What is held comes by itself.
            if !entry.is_held {
                self.stats.messages_out += u64::from(entry.stage == Stage::Published);
                send_in_flight(out, entry, (version, true, bytes_max), now.at);
            }
        }
        self.pump(key, now);
    }

    /// Gives up on messages in flight that must not reach a client that is back: commands whose time
    /// is over, targets that a newer one follows, and what it may no longer receive. MQTT would have all
    /// of them repeated; a pulse for the garage door, minutes late, is worse than none. What expired or
    /// was replaced at QoS 2 is repeated: the client may have it and keep its id taken until a PUBREL.
    fn give_up_in_flight(&mut self, key: ClientKey, now: Now) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let (access, queue, stats) = (&session.access, &session.queue, &mut self.stats);
        let mut newer: HashSet<&str> = HashSet::new();
        let mut useless = Vec::new();
        for entry in session.window.iter().rev() {
            let (message, qos) = (&entry.delivery.message, entry.delivery.qos);
            let is_replaced = message.absolute
                && (!newer.insert(&message.topic) || queue.has_target(&message.topic));
            let counter = match entry.stage {
                // The client has it, and waits for the PUBREL.
                Stage::Released => continue,
                _ if entry.revoked || !access.may_receive(&message.topic) => {
                    &mut stats.denied_deliveries
                }
                _ if qos == Qos::ExactlyOnce => continue,
                _ if message.is_expired(now.at) => &mut stats.expired,
                _ if is_replaced => &mut stats.coalesced,
                _ => continue,
            };
            *counter += 1;
            useless.push(entry.packet_id);
        }
        // Often none, and never many.
        if !useless.is_empty() {
            session.window.forget(&useless);
            self.facts.dropped(session);
            session.recount(&mut self.queued_bytes);
        }
    }

    /// PUBACK, PUBREC or PUBCOMP. Ids that are not in flight are ignored: after a restart of
    /// either side they are nobody's fault.
    pub(super) fn on_ack(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        version: Version,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let (packet_id, code) = publish::read_ack(frame, version)?;
        let Some(session) = self.sessions.get_mut(client.0 as usize) else {
            return Ok(());
        };
        let window = &mut session.window;
        let done = match frame.kind {
            kind::PUBACK => window.finish(packet_id, Qos::AtLeastOnce, Stage::Published),
            kind::PUBCOMP => window.finish(packet_id, Qos::ExactlyOnce, Stage::Released),
            _ if code >= 0x80 => window.finish(packet_id, Qos::ExactlyOnce, Stage::Published),
            _ => {
                self.on_pubrec(key, client, (version, packet_id), now, app);
                return Ok(());
            }
        };
        session.recount(&mut self.queued_bytes);
        let Some(done) = done else {
            return Ok(());
        };
        self.facts.done(session.no, done.no);
        if let Some(token) = done.message.token.filter(|_| code < 0x80) {
            self.with_client(client, now, |client, outbox| {
                app.acknowledged(now, client, token, outbox);
            });
        }
        self.pump(client, now);
        Ok(())
    }

    /// The client has a QoS 2 message: PUBREL follows.
    fn on_pubrec(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        (version, packet_id): (Version, u16),
        now: Now,
        app: &mut dyn Application,
    ) {
        let Some(session) = self.sessions.get_mut(client.0 as usize) else {
            return;
        };
        let reason = match session.window.release(packet_id) {
            Some(Release::Waits) => return,
            Some(Release::After(no)) => {
                if let Some(session) = session.no {
                    self.facts.released(client, session, no);
                    self.store_facts(true, now, app);
                    return;
                }
                None
            }
            Some(Release::Now) => None,
            None => Some(Reason::PacketIdentifierNotFound),
        };
        if let Some(out) = self.conns.output(key) {
            publish::write_ack(out, version, kind::PUBREL, packet_id, reason);
        }
    }
}

/// Appends what a message in flight waits to send.
fn send_in_flight(
    out: &mut Vec<u8>,
    entry: &InFlight,
    (version, dup, bytes_max): (Version, bool, usize),
    now: Instant,
) {
    match entry.stage {
        Stage::Published => {
            let sending = Sending {
                version,
                qos: entry.delivery.qos,
                retain: entry.delivery.retain,
                dup,
                packet_id: entry.packet_id,
                subscription_ids: &entry.delivery.subscription_ids,
                alias: None,
                bytes_max,
            };
            entry.delivery.message.write(out, &sending, now);
        }
        Stage::Released => {
            publish::write_ack(out, version, kind::PUBREL, entry.packet_id, None);
        }
    }
}

/// Whether a socket with so many bytes ready for it gets more at once.
fn has_room(pending: usize, stuck: usize, limits: &Limits) -> bool {
    pending < limits.output_bytes_max && (pending == 0 || stuck < limits.outputs_bytes_max)
}

fn delivery(
    publication: &mut Publication<'_>,
    qos: Qos,
    retain: bool,
    ids: &[u32],
    share: Option<&Arc<str>>,
) -> Delivery {
    Delivery {
        message: publication.stored(),
        qos,
        retain,
        replay: false,
        subscription_ids: ids.into(),
        share: share.cloned(),
        no: None,
    }
}
