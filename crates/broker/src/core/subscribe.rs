//! Subscriptions: what a client may have, and the retained messages it then gets.

use std::sync::Arc;

use types::Now;

use super::{Core, publish::Answer};
use crate::{
    Ack, Application, Denied, Filter, Qos, Reason,
    application::ClientKey,
    codec::{
        Frame,
        subscribe::{self, RetainHandling, Wish},
        write,
    },
    connection::{Conn, ConnKey},
    limits::Pace,
    message::Stored,
    outbound::Delivery,
    router::Subscriber,
    topic,
};

impl Core {
    pub(super) fn on_subscribe(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let Some(version) = self.sessions.get(client.0 as usize).map(|s| s.version) else {
            return Ok(());
        };
        if subscribe::count(frame, version, true)? > self.limits.subscriptions_max {
            return Err(Reason::QuotaExceeded);
        }
        let packet = subscribe::read(frame, version)?;
        // [MQTT-3.8.3-4]
        if packet.wishes.iter().any(|wish| {
            wish.no_local && Filter::of_subscription(&wish.filter).is_ok_and(|f| f.is_shared())
        }) {
            return Err(Reason::ProtocolError);
        }
        let mut outcomes = Vec::with_capacity(packet.wishes.len());
        let mut replays = Vec::new();
        for wish in &packet.wishes {
            let outcome = self.subscribe(key, client, wish, packet.id, now);
            outcomes.push(outcome.as_ref().map(|_| wish.qos).map_err(|reason| *reason));
            match outcome {
                Ok(messages) if messages.is_empty() => {}
                Ok(messages) => replays.push((messages, wish.qos)),
                Err(reason) => self.tell_denied(client, &wish.filter, reason, now, app),
            }
        }
        let ack = self.store_facts(true, now, app);
        let id = packet.packet_id;
        self.answer_with(key, ack, |out| {
            write::suback(out, version, id, &outcomes);
        });
        for (messages, qos) in replays {
            self.replay_retained(key, client, messages, (qos, packet.id), now);
            if self.conns.read(key).is_none_or(|conn| conn.closing) {
                break;
            }
        }
        Ok(())
    }

    /// Adds one subscription. Gives the retained messages that are to be sent for it.
    fn subscribe(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        wish: &Wish,
        id: Option<u32>,
        now: Now,
    ) -> Result<Vec<Arc<Stored>>, Reason> {
        let levels_of_share = if wish.filter.starts_with("$share/") {
            2
        } else {
            0
        };
        let too_deep = wish.filter.len() > self.limits.topic_bytes_max
            || topic::levels(&wish.filter) > self.limits.topic_levels_max + levels_of_share;
        let filter = Filter::of_subscription(&wish.filter)
            .ok()
            .filter(|_| !too_deep)
            .ok_or(Reason::TopicFilterInvalid)?;
        let session = self
            .sessions
            .get_mut(client.0 as usize)
            .ok_or(Reason::UnspecifiedError)?;
        if !session.access.may_subscribe(&filter.inner()) {
            return Err(Reason::NotAuthorized);
        }
        let is_new = !session.subscriptions.contains_key(&filter);
        let wants_retained = !filter.is_shared()
            && match wish.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => is_new,
                RetainHandling::DoNotSend => false,
            };
        let user = self.users.get_mut(session.user as usize);
        if is_new {
            let of_user = user.as_ref().map_or(0, |user| user.subscriptions);
            if session.subscriptions.len() >= self.limits.subscriptions_max
                || of_user >= self.limits.subscriptions_per_user_max
            {
                self.stats.limited_subscriptions += 1;
                return Err(Reason::QuotaExceeded);
            }
        }
        let mut retained = Vec::new();
        if wants_retained && let Some(live) = self.conns.edit(key).and_then(Conn::live_mut) {
            let pace = Pace::per_second(self.limits.retained_looks_per_second_max);
            if filter.is_wild() && !live.looks.has_any(pace, now.at) {
                self.stats.limited_subscriptions += 1;
                return Err(Reason::QuotaExceeded);
            }
            let looked_at;
            (retained, looked_at) = self.retained.matching(&filter, now.at);
            live.looks.spend(looked_at);
        }
        if let Some(user) = user {
            user.subscriptions += usize::from(is_new);
        }
        let subscriber = Subscriber {
            session: client,
            qos: wish.qos,
            no_local: wish.no_local,
            retain_as_published: wish.retain_as_published,
            covered: session.access.covers(&filter.inner()),
            id: id.unwrap_or(0),
            group: None,
        };
        self.facts.subscribed(session, &filter, &subscriber);
        session.subscriptions.insert(filter.clone(), subscriber);
        self.router.subscribe(&filter, subscriber);
        Ok(retained)
    }

    fn tell_denied(
        &mut self,
        client: ClientKey,
        filter: &str,
        reason: Reason,
        now: Now,
        app: &mut dyn Application,
    ) {
        self.stats.denied_subscriptions += 1;
        if let Some(client) = self.client(client) {
            let denied = Denied::Subscribe {
                client,
                filter,
                reason,
            };
            app.denied(now, &denied);
        }
    }

    fn replay_retained(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        messages: Vec<Arc<Stored>>,
        (qos, id): (Qos, Option<u32>),
        now: Now,
    ) {
        for message in messages {
            let allowed = self
                .sessions
                .get(client.0 as usize)
                .is_some_and(|session| session.access.may_receive(&message.topic));
            if !allowed {
                continue;
            }
            let qos = qos.min(message.qos);
            let delivery = Delivery {
                message,
                qos,
                retain: true,
                replay: true,
                subscription_ids: id.into_iter().collect(),
                share: None,
                no: None,
            };
            self.replay(client, key, delivery);
            if self.conns.read(key).is_none_or(|conn| conn.closing) {
                return;
            }
        }
        self.pump(client, now);
    }

    pub(super) fn on_unsubscribe(
        &mut self,
        key: ConnKey,
        client: ClientKey,
        frame: &Frame<'_>,
        now: Now,
        app: &mut dyn Application,
    ) -> Result<(), Reason> {
        let Some(session) = self.sessions.get_mut(client.0 as usize) else {
            return Ok(());
        };
        let version = session.version;
        if subscribe::count(frame, version, false)? > self.limits.subscriptions_max {
            return Err(Reason::QuotaExceeded);
        }
        let (packet_id, filters) = subscribe::read_unsubscribe(frame, version)?;
        let mut existed = Vec::with_capacity(filters.len());
        for filter in &filters {
            let filter = Filter::of_subscription(filter).ok();
            let removed = filter.filter(|filter| session.subscriptions.remove(filter).is_some());
            if let Some(filter) = &removed {
                self.facts.unsubscribed(session, filter);
                self.router.unsubscribe(filter, client);
                if let Some(user) = self.users.get_mut(session.user as usize) {
                    user.subscriptions -= 1;
                }
            }
            existed.push(removed.is_some());
        }
        let ack = self.store_facts(true, now, app);
        self.answer_with(key, ack, |out| {
            write::unsuback(out, version, packet_id, &existed);
        });
        Ok(())
    }

    /// Answers straight into the output where nothing has to wait.
    fn answer_with(&mut self, key: ConnKey, ack: Ack, write: impl FnOnce(&mut Vec<u8>)) {
        if ack == Ack::Now {
            if let Some(out) = self.conns.output(key) {
                write(out);
            }
        } else {
            let mut bytes = Vec::new();
            write(&mut bytes);
            self.answer(key, Answer::Bytes(bytes.into()), ack);
        }
    }

    /// The session's rights changed: which of its subscriptions need a check on delivery?
    pub(super) fn recheck_subscriptions(&mut self, client: ClientKey) {
        let Some(session) = self.sessions.get_mut(client.0 as usize) else {
            return;
        };
        for (filter, subscriber) in &mut session.subscriptions {
            subscriber.covered = session.access.covers(&filter.inner());
            self.router.subscribe(filter, *subscriber);
        }
    }
}
