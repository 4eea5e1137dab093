//! Shared subscriptions: which member of a group gets a message, and who gets what a member left behind. MQTT 5
//! section 4.8.2. MQTT 3.1.1 knows none; its clients may have them too.

use types::Now;

use super::Core;
use crate::{
    Qos,
    application::ClientKey,
    message::Publication,
    outbound::{Delivery, Stage},
    router::Subscriber,
    session::Session,
};

/// Takes the members of groups out of what matches a topic: those of one group in a row, in an order
/// that lasts.
pub(super) fn split_off(hits: &mut Vec<Subscriber>) -> Vec<Subscriber> {
    let mut members: Vec<Subscriber> = hits.extract_if(.., |hit| hit.group.is_some()).collect();
    members.sort_by_key(|member| member.group);
    members
}

/// What of an ended session another member of its group is to get: what waited, and what was sent at QoS 1
/// and not acknowledged. A QoS 2 message that was sent is nobody else's (MQTT-4.8.2-5).
pub(super) fn left_behind(session: &mut Session) -> Vec<Delivery> {
    let sent = session
        .window
        .iter()
        .filter(|entry| entry.stage == Stage::Published && entry.delivery.qos == Qos::AtLeastOnce);
    let mut left: Vec<Delivery> = sent
        .map(|entry| &entry.delivery)
        .filter(|delivery| delivery.share.is_some())
        .cloned()
        .collect();
    while let Some(delivery) = session.queue.pop() {
        if delivery.share.is_some() {
            left.push(delivery);
        }
    }
    left
}

impl Core {
    /// Delivers a message to one member of each group.
    pub(super) fn deliver_shared(
        &mut self,
        members: &[Subscriber],
        publication: &mut Publication<'_>,
        now: Now,
    ) {
        for group in members.chunk_by(|a, b| a.group == b.group) {
            if let Some(member) = self.choose(group, publication.topic, publication.qos) {
                self.deliver(&[member], publication, None, now);
            }
        }
    }

    /// A session with messages of groups has ended: others get them. Where a group has no member left, its
    /// messages are gone.
    pub(super) fn pass_on(&mut self, left: Vec<Delivery>, now: Now) {
        for delivery in left {
            let topic = &delivery.message.topic;
            let group = delivery
                .share
                .as_ref()
                .and_then(|text| self.router.group(text));
            let mut members = Vec::new();
            if group.is_some() && !delivery.message.is_expired(now.at) {
                self.router.matching(topic, &mut members);
                members.retain(|member| member.group == group);
            }
            let Some(member) = self.choose(&members, topic, delivery.message.qos) else {
                self.stats.dropped += 1;
                continue;
            };
            let conn = self.connection_of(member.session);
            let delivery = Delivery {
                qos: member.qos.min(delivery.message.qos),
                subscription_ids: Some(member.id).filter(|id| *id != 0).into_iter().collect(),
                ..delivery
            };
            self.enqueue(member.session, delivery, conn);
            self.pump(member.session, now);
        }
    }

    /// Whose turn it is among the members of one group: of those that are connected and keep up, else of
    /// those that are connected, else of those that are away and come back to what waits. Nobody's where
    /// none may have it.
    fn choose(&mut self, members: &[Subscriber], topic: &str, qos: Qos) -> Option<Subscriber> {
        let group = members.first()?.group?;
        let mut best: Option<(u8, Vec<Subscriber>)> = None;
        let mut is_denied = false;
        for member in members {
            let Some(session) = self.sessions.get(member.session.0 as usize) else {
                continue;
            };
            if !member.covered && !session.access.may_receive(topic) {
                is_denied = true;
                continue;
            }
            let is_connected = self.connection_of(member.session).is_some();
            let rank = match (is_connected, session.queue.is_empty()) {
                (true, true) => 2,
                (true, false) => 1,
                _ if session.expiry_s > 0 && member.qos.min(qos) > Qos::AtMostOnce => 0,
                _ => continue,
            };
            match &mut best {
                Some((same, ranked)) if *same == rank => ranked.push(*member),
                Some((better, _)) if *better > rank => {}
                _ => best = Some((rank, vec![*member])),
            }
        }
        let Some((_, ranked)) = best else {
            self.stats.denied_deliveries += u64::from(is_denied);
            return None;
        };
        let turn = self.router.turn(group);
        ranked.get(turn % ranked.len()).copied()
    }

    /// The connection of a session that messages can still be sent on.
    fn connection_of(&self, key: ClientKey) -> Option<crate::ConnKey> {
        let conn = self.sessions.get(key.0 as usize)?.connection?;
        let open = self.conns.read(conn).filter(|conn| !conn.closing)?;
        open.live().map(|_| conn)
    }
}
