//! Messages from clients to the application and the subscribers, and their acks.

use std::sync::Arc;

use types::{InputNo, Now};

use super::{
    Core,
    facts::{Held, later, number},
};
use crate::{
    Ack, Application, Denied, Incoming, Limits, Message, Outbox, Properties, Qos, Reason, Verdict,
    application::ClientKey,
    codec::{
        Frame, Version, kind,
        publish::{self, Publish},
    },
    connection::{ConnKey, Live},
    limits::Pace,
    message::{Publication, seconds},
    topic,
};

/// What waits for the store.
#[derive(Debug)]
pub(super) struct Withheld {
    after: InputNo,
    what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// An answer to a client, on the connection that it came from.
    Answer(ConnKey, Answer),
    /// A QoS 2 delivery, on whatever connection its session has then.
    Delivery(Held),
}

/// What a client is told.
#[derive(Debug)]
pub(super) enum Answer {
    Ack {
        kind: u8,
        packet_id: u16,
        reason: Option<Reason>,
    },
    /// SUBACK or UNSUBACK.
    Bytes(Box<[u8]>),
}

impl Core {
    pub(super) fn on_publish(
        &mut self,
        key: ConnKey,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) else {
            return Ok(());
        };
        let packet = publish::read(frame, live.version)?;
        let per_second = self.limits.messages_per_second_max;
        if let (Some(rate), Some(per_second)) = (&mut live.rate, per_second)
            && !rate.take(Pace::per_second(per_second), now.at)
        {
            return Err(Reason::MessageRateTooHigh);
        }
        let aliased;
        let topic = match resolve_alias(live, &packet, &self.limits)? {
            Some(topic) => {
                aliased = topic;
                &*aliased
            }
            None => packet.topic,
        };
        let (session, version) = (live.session, live.version);
        if packet.qos != Qos::AtMostOnce {
            let repeated = self.take_slot(key, session, version, &packet)?;
            if repeated {
                return Ok(());
            }
        }
        let incoming = Incoming {
            topic,
            payload: packet.payload,
            qos: packet.qos,
            retain: packet.retain,
            dup: packet.dup,
            will: None,
            properties: Properties(&packet.properties),
        };
        let (ack, refused) = self.take_message(session, &incoming, packet.expiry_s, now, app);
        let is_received =
            packet.qos == Qos::ExactlyOnce && (version == Version::V3 || refused.is_none());
        if is_received {
            self.note_received(session, packet.packet_id);
        }
        let stored = self.store_facts(packet.qos != Qos::AtMostOnce, now, app);
        let ack = later(ack, stored);
        match packet.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.acknowledge(key, kind::PUBACK, packet.packet_id, refused, ack),
            Qos::ExactlyOnce => {
                if is_received && let Some(session) = self.sessions.get_mut(session.0 as usize) {
                    session.received.insert(packet.packet_id, number(ack));
                }
                self.acknowledge(key, kind::PUBREC, packet.packet_id, refused, ack);
            }
        }
        Ok(())
    }

    /// Counts a QoS 1 or 2 message against what the client may have open. True where it is the
    /// repetition of a QoS 2 message that was taken already; it gets its ack again, and counts too.
    fn take_slot(
        &mut self,
        key: ConnKey,
        session: ClientKey,
        version: Version,
        packet: &Publish<'_>,
    ) -> Result<bool, Reason> {
        let receive_max = self.limits.receive_max.max(1);
        let received = self.sessions.get(session.0 as usize).map(|s| &s.received);
        let mut repeated = None;
        if packet.qos == Qos::ExactlyOnce
            && let Some(received) = received
        {
            repeated = received.get(&packet.packet_id).copied();
            if repeated.is_none() && !self.may_open(session, version) {
                return Err(Reason::ReceiveMaximumExceeded);
            }
        }
        let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) else {
            return Ok(false);
        };
        if live.unacked >= receive_max && version == Version::V5 {
            return Err(Reason::ReceiveMaximumExceeded);
        }
        live.unacked = live.unacked.saturating_add(1);
        if let Some(after) = repeated {
            let ack = Ack::After(after);
            self.acknowledge(key, kind::PUBREC, packet.packet_id, None, ack);
        }
        Ok(repeated.is_some())
    }

    /// Whether one more QoS 2 message of this client may wait for its PUBREL.
    fn may_open(&self, client: ClientKey, version: Version) -> bool {
        let open = |key: ClientKey| {
            self.sessions
                .get(key.0 as usize)
                .map_or(0, |s| s.received.len())
        };
        if open(client) < usize::from(self.limits.receive_max.max(1)) {
            return true;
        }
        let session = self.sessions.get(client.0 as usize);
        let user = session.and_then(|session| self.users.get(session.user as usize));
        let of_user = user.map_or(0, |user| user.sessions.values().map(|key| open(*key)).sum());
        version == Version::V3 && of_user < self.limits.received_per_user_max
    }

    /// Remembers a QoS 2 message until its PUBREL. One that MQTT 5 refuses has no PUBREL.
    fn note_received(&mut self, session: ClientKey, packet_id: u16) {
        if let Some(session) = self.sessions.get_mut(session.0 as usize) {
            session.received.insert(packet_id, InputNo(0));
            self.facts.received(session, packet_id);
        }
    }

    pub(super) fn on_pubrel(
        &mut self,
        key: ConnKey,
        session: ClientKey,
        version: Version,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let (packet_id, _) = publish::read_ack(frame, version)?;
        let Some(session) = self.sessions.get_mut(session.0 as usize) else {
            return Ok(());
        };
        let known = session.received.remove(&packet_id).is_some();
        if known {
            self.facts.completed(session, packet_id);
        }
        let reason = (!known).then_some(Reason::PacketIdentifierNotFound);
        let ack = self.store_facts(true, now, app);
        match ack {
            Ack::Now => self.write_ack(key, kind::PUBCOMP, packet_id, reason),
            Ack::After(_) => self.acknowledge(key, kind::PUBCOMP, packet_id, reason, ack),
        }
        Ok(())
    }

    /// A message from a client, or its will: limits and rights, then the application, then the
    /// subscribers. Says when to acknowledge, and with which reason where it was refused.
    pub(super) fn take_message(
        &mut self,
        from: ClientKey,
        message: &Incoming<'_>,
        expiry_s: Option<u32>,
        now: Now,
        app: &mut dyn Application,
    ) -> (Ack, Option<Reason>) {
        self.stats.messages_in += 1;
        self.work += 1;
        let Some(session) = self.sessions.get(from.0 as usize) else {
            return (Ack::Now, None);
        };
        let too_deep = message.topic.len() > self.limits.topic_bytes_max
            || topic::levels(message.topic) > self.limits.topic_levels_max;
        let denied = if too_deep {
            Some(Reason::TopicNameInvalid)
        } else if !session.access.may_publish(message.topic) {
            Some(Reason::NotAuthorized)
        } else {
            None
        };
        let mut outbox = std::mem::take(&mut self.outbox);
        let mut verdict = Verdict {
            route: false,
            retain: false,
            survives: false,
            ack: Ack::Now,
            refused: denied,
        };
        if let Some(client) = self.client(from) {
            if let Some(reason) = denied {
                let denied = Denied::Publish {
                    client,
                    topic: message.topic,
                    reason,
                };
                app.denied(now, &denied);
            } else {
                verdict = app.publish(now, &client, message, &mut outbox);
            }
        }
        self.stats.denied_publishes += u64::from(denied.is_some());
        if verdict.route && verdict.refused.is_none() {
            let expires = expiry_s.map(|s| now.at.after(seconds(s)));
            let kept = Incoming {
                retain: message.retain && verdict.retain,
                ..*message
            };
            let mut publication = Publication::from_client(&kept, expires);
            publication.survives = verdict.survives;
            publication.owner = kept.retain.then(|| self.owner(from)).flatten();
            if !self.route(&mut publication, Some(from), now) {
                verdict.refused = Some(Reason::QuotaExceeded);
                if let Some(client) = self.client(from) {
                    let topic = message.topic;
                    app.denied(now, &Denied::Retain { client, topic });
                }
            }
        }
        self.deliver_outbox(outbox, now);
        (verdict.ack, verdict.refused)
    }

    /// The user for whose share of the retained messages a client's count.
    fn owner(&self, client: ClientKey) -> Option<Arc<str>> {
        let session = self.sessions.get(client.0 as usize);
        let session = session.filter(|session| !session.access.many)?;
        let user = self.users.get(session.user as usize)?;
        Some(Arc::clone(&user.name))
    }

    /// Delivers what the application sent.
    pub(super) fn deliver_outbox(&mut self, mut outbox: Outbox, now: Now) {
        for message in outbox.messages.drain(..) {
            let mut publication = Publication::from_application(&message, now.at);
            self.route(&mut publication, None, now);
        }
        for user in outbox.kicks.drain(..) {
            self.doom_user(&user, Reason::AdministrativeAction);
        }
        for (client, until) in outbox.holds.drain(..) {
            self.hold(client, until);
        }
        self.outbox = outbox;
    }

    /// Sends what the application collected outside of a call by the core.
    pub fn send(&mut self, now: Now, outbox: Outbox, app: &mut dyn Application) {
        self.deliver_outbox(outbox, now);
        self.settle(now, app);
    }

    /// Sends a message of the application's own that no input caused.
    pub fn publish(&mut self, now: Now, message: &Message, app: &mut dyn Application) {
        let mut publication = Publication::from_application(message, now.at);
        self.route(&mut publication, None, now);
        self.settle(now, app);
    }

    /// All inputs up to this one are stored: what waited for them leaves.
    pub fn durable(&mut self, input: InputNo, now: Now) {
        self.durable = self.durable.max(input);
        while let Some(first) = self.withheld.front() {
            if first.after > self.durable {
                break;
            }
            match self.withheld.pop_front().map(|first| first.what) {
                Some(What::Answer(conn, answer)) => {
                    if let Some(live) = self.conns.edit(conn).and_then(|conn| conn.live_mut()) {
                        live.withheld = live.withheld.saturating_sub(1);
                    }
                    self.write_answer(conn, &answer);
                }
                Some(What::Delivery(held)) => self.send_held(held, now),
                None => {}
            }
        }
    }

    /// Acknowledges a client's message, now or once its input is stored. Acks of one connection
    /// keep the order of its messages (MQTT 5 section 4.6), and so do those that wait.
    fn acknowledge(
        &mut self,
        key: ConnKey,
        kind: u8,
        packet_id: u16,
        reason: Option<Reason>,
        ack: Ack,
    ) {
        let answer = Answer::Ack {
            kind,
            packet_id,
            reason,
        };
        self.answer(key, answer, ack);
    }

    /// The same for any answer.
    pub(super) fn answer(&mut self, key: ConnKey, answer: Answer, ack: Ack) {
        let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) else {
            return;
        };
        let after = match ack {
            Ack::After(input) if input > self.durable => input,
            _ if live.withheld == 0 => return self.write_answer(key, &answer),
            _ => self.durable,
        };
        live.withheld += 1;
        self.withhold(after, What::Answer(key, answer));
    }

    pub(super) fn withhold(&mut self, after: InputNo, what: What) {
        let last = self.withheld.back().map_or(after, |last| last.after);
        self.withheld.push_back(Withheld {
            after: after.max(last),
            what,
        });
    }

    fn write_answer(&mut self, key: ConnKey, answer: &Answer) {
        match answer {
            Answer::Ack {
                kind,
                packet_id,
                reason,
            } => self.write_ack(key, *kind, *packet_id, *reason),
            Answer::Bytes(bytes) => {
                self.note_pause(key);
                if let Some(out) = self.conns.output(key) {
                    out.extend_from_slice(bytes);
                }
            }
        }
    }

    fn write_ack(&mut self, key: ConnKey, kind: u8, packet_id: u16, reason: Option<Reason>) {
        self.note_pause(key);
        let Some(live) = self.conns.edit(key).and_then(|conn| conn.live_mut()) else {
            return;
        };
        let version = live.version;
        // A PUBCOMP answers a PUBREL, of which a client may send as many as it likes; a PUBREL is none of its messages.
        let is_of_message = matches!(kind, kind::PUBACK | kind::PUBREC);
        live.unacked = live.unacked.saturating_sub(u16::from(is_of_message));
        if let Some(out) = self.conns.output(key) {
            publish::write_ack(out, version, kind, packet_id, reason);
        }
    }
}

/// Sets up or resolves a topic alias: `None` where the packet's own topic counts.
fn resolve_alias(
    live: &mut Live,
    packet: &Publish<'_>,
    limits: &Limits,
) -> Result<Option<Arc<str>>, Reason> {
    let Some(alias) = packet.alias else {
        return Ok(None);
    };
    if alias > limits.topic_alias_max {
        return Err(Reason::TopicAliasInvalid);
    }
    // What nobody may publish on is not worth remembering.
    if packet.topic.len() > limits.topic_bytes_max {
        return Err(Reason::TopicNameInvalid);
    }
    let ix = usize::from(alias).saturating_sub(1);
    if packet.topic.is_empty() {
        let topic = live.aliases.get(ix).cloned().flatten();
        return topic.map(Some).ok_or(Reason::ProtocolError);
    }
    if live.aliases.len() <= ix {
        live.aliases.resize(ix + 1, None);
    }
    if let Some(slot) = live.aliases.get_mut(ix) {
        *slot = Some(packet.topic.into());
    }
    Ok(None)
}
