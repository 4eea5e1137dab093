//! What was kept, brought back before anybody is connected.

use std::sync::Arc;

use types::{InputNo, Now};

use super::Core;
use crate::{
    Access, Application, Filter,
    application::ClientKey,
    kept::{DeliveryNo, Kept, KeptDelivery, KeptSession, SessionNo},
    message::seconds,
    outbound::Delivery,
    router::Subscriber,
    session::Timer,
};

impl Core {
    /// Begins with what was kept. All its clients are away: whoever was connected left now. Each session has the rights that
    /// [`Application::rights`] gives its user; one whose user has none is dropped. Where there is more than the limits allow,
    /// who has been away longest and the last topics are left out.
    pub fn restore(&mut self, kept: Kept, now: Now, app: &dyn Application) {
        for message in kept.retained.into_values() {
            let owner = message.owner.as_deref();
            let retained = &self.retained;
            if message.is_expired(now.at)
                || !retained.has_room(&message.topic, message.bytes(), owner, &self.limits)
            {
                continue;
            }
            if message.expires.is_some() {
                self.sweep_later(now.at);
            }
            self.retained.set(message, true);
        }
        let mut sessions: Vec<_> = kept.sessions.into_iter().collect();
        // Those that left last come first.
        sessions.sort_by_key(|(no, kept)| std::cmp::Reverse((kept.left.unwrap_or(now.at), *no)));
        for (no, kept) in sessions {
            self.facts.number_after(no);
            if let Some(access) = app.rights(&kept.user) {
                self.restore_session(no, kept, access, now);
            }
        }
    }

    fn restore_session(&mut self, no: SessionNo, kept: KeptSession, access: Access, now: Now) {
        let user = self.user(&kept.user);
        let of_user = self.users.get(user as usize);
        let is_taken = of_user.is_some_and(|user| {
            user.sessions.contains_key(&kept.client_id)
                || user.sessions.len() >= self.limits.sessions_per_user_max
        });
        if is_taken || kept.expiry_s == 0 || self.sessions.len() >= self.limits.sessions_max {
            return self.forget_empty_user(user);
        }
        let key = self.new_session(user, &kept.client_id);
        let left = kept.left.unwrap_or(now.at);
        let expiry_s = kept.expiry_s.min(self.limits.session_expiry_s_max);
        let expires = left.after(seconds(expiry_s));
        if let Some(session) = self.sessions.get_mut(key.0 as usize) {
            session.no = Some(no);
            session.access = Arc::new(access);
            session.expiry_s = expiry_s;
            session.left = Some(left);
            session.expires = Some(expires);
            let received = kept.received.into_iter();
            session.received = received.map(|id| (id, InputNo(0))).collect();
            let numbers = kept.deliveries.keys();
            session.deliveries = numbers.last().map_or(0, |no| no.0);
        }
        self.timers.set(expires, Timer::Session(key));
        for (filter, wish) in kept.subscriptions {
            let subscriber = Subscriber {
                session: key,
                qos: wish.qos,
                no_local: wish.no_local,
                retain_as_published: wish.retain_as_published,
                covered: false,
                id: wish.id,
                group: None,
            };
            self.restore_subscription(key, &filter, subscriber);
        }
        for (no, kept) in kept.deliveries {
            self.restore_delivery(key, no, kept, now);
        }
    }

    fn restore_subscription(
        &mut self,
        key: ClientKey,
        filter: &Filter,
        mut subscriber: Subscriber,
    ) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let Some(user) = self.users.get_mut(session.user as usize) else {
            return;
        };
        if session.subscriptions.len() >= self.limits.subscriptions_max
            || user.subscriptions >= self.limits.subscriptions_per_user_max
        {
            return;
        }
        user.subscriptions += 1;
        subscriber.covered = session.access.covers(&filter.inner());
        session.subscriptions.insert(filter.clone(), subscriber);
        self.router.subscribe(filter, subscriber);
    }

    fn restore_delivery(&mut self, key: ClientKey, no: DeliveryNo, kept: KeptDelivery, now: Now) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let may_receive = session.access.may_receive(&kept.message.topic);
        let delivery = Delivery {
            message: kept.message,
            qos: kept.qos,
            retain: kept.retain,
            replay: kept.replay,
            subscription_ids: kept.ids,
            share: kept.share,
            no: Some(no),
        };
        match kept.sent {
            Some(sent) => {
                let revoked = sent.revoked || !may_receive;
                session
                    .window
                    .restore(delivery, (sent.packet_id, sent.stage), revoked);
                session.recount(&mut self.queued_bytes);
            }
            None if may_receive && !delivery.message.is_expired(now.at) => {
                self.requeue(key, delivery, None);
            }
            None => {}
        }
    }
}
