//! What the application and people change at run time: rights, connections, the end of it all.

use std::sync::Arc;

use bytes::Bytes;
use types::Now;

use super::Core;
use crate::{
    Access, Application, Ended, Filter, Reason,
    application::ClientKey,
    codec::write,
    connection::{ConnKey, Stage},
};

impl Core {
    /// Changes a user's rights, at once: deliveries and publishes from here on follow the new
    /// ones; what waits or is in flight and may no longer be received is not sent later either. `None` takes them all: connections and sessions of the user end, a password that is
    /// being checked no longer matters. Wills are published only as far as the new rights allow.
    pub fn set_access(
        &mut self,
        user: &str,
        access: Option<Access>,
        now: Now,
        app: &mut dyn Application,
    ) {
        self.change_pending(user, access.as_ref(), now, app);
        let ends = access.is_none();
        let rights = Arc::new(access.unwrap_or_else(|| Access::none(user)));
        let sessions = self.sessions_of(user);
        for key in &sessions {
            if let Some(session) = self.sessions.get_mut(key.0 as usize) {
                session.access = Arc::clone(&rights);
                let may_receive = |topic: &str| rights.may_receive(topic);
                let revoked = session.window.revoke(may_receive);
                self.facts.revoked(session.no, revoked);
                let queue = &mut session.queue;
                self.stats.denied_deliveries +=
                    queue.drop_where(|delivery| !may_receive(&delivery.message.topic));
                self.facts.dropped(session);
                session.recount(&mut self.queued_bytes);
                self.recheck_subscriptions(*key);
            }
        }
        if ends {
            self.doom_user(user, Reason::NotAuthorized);
            self.settle(now, app);
            for key in sessions {
                self.end_session(key, now, app);
            }
        }
        self.settle(now, app);
    }

    /// There is no such user any more: all its rights go as by [`Core::set_access`], and what it retained goes too.
    pub fn forget_user(&mut self, user: &str, now: Now, app: &mut dyn Application) {
        self.set_access(user, None, now, app);
        for topic in self.retained.clear_of(user) {
            self.facts.cleared(&topic);
        }
        self.settle(now, app);
    }

    /// Topics and payloads of the retained messages that a filter takes in, in the order of their topics. For whoever runs
    /// the broker: no rights are asked for.
    #[must_use]
    pub fn retained(&self, filter: &Filter, now: Now) -> Vec<(Arc<str>, Bytes)> {
        let (messages, _) = self.retained.matching(filter, now.at);
        let messages = messages.into_iter();
        messages
            .map(|message| (Arc::clone(&message.topic), message.payload.clone()))
            .collect()
    }

    /// Ends all connections: MQTT 5 clients are told "server shutting down", no wills are
    /// published, nobody new is let in. Sessions and retained messages stay as they are.
    pub fn shutdown(&mut self, now: Now, app: &mut dyn Application) {
        self.stopping = true;
        for key in self.conns.keys() {
            self.doom(key, Ended::Shutdown, Some(Reason::ServerShuttingDown));
        }
        self.settle(now, app);
    }

    pub(super) fn doom_user(&mut self, user: &str, say: Reason) {
        for key in self.sessions_of(user) {
            let session = self.sessions.get(key.0 as usize);
            if let Some(conn) = session.and_then(|session| session.connection) {
                self.doom(conn, Ended::Kicked, Some(say));
            }
        }
        // They were judged by what was true when they came: another try is judged anew.
        for key in self.conns.keys() {
            self.refuse_pending(key, user);
        }
    }

    /// Sends a client of this user away whose password is being checked.
    fn refuse_pending(&mut self, key: ConnKey, user: &str) {
        let Some(conn) = self.conns.edit(key).filter(|conn| !conn.closing) else {
            return;
        };
        let Stage::Verifying(pending) = &conn.stage else {
            return;
        };
        if !pending.is_of(user) {
            return;
        }
        let version = pending.connect.version;
        conn.stage = Stage::Ended;
        self.stats.refused_connects += 1;
        if let Some(out) = self.conns.output(key) {
            write::refuse(out, version, Reason::ServerBusy);
        }
        self.conns.close(key);
    }

    fn sessions_of(&self, user: &str) -> Vec<ClientKey> {
        let user = self.user_names.get(user);
        user.and_then(|user| self.users.get(*user as usize))
            .map(|user| user.sessions.values().copied().collect())
            .unwrap_or_default()
    }

    /// Clients of this user whose password is being checked get the new rights, or none.
    fn change_pending(
        &mut self,
        user: &str,
        access: Option<&Access>,
        now: Now,
        app: &mut dyn Application,
    ) {
        let keys: Vec<ConnKey> = self.conns.keys();
        for key in keys {
            let Some(conn) = self.conns.edit(key) else {
                continue;
            };
            let Stage::Verifying(pending) = &mut conn.stage else {
                continue;
            };
            if !pending.is_of(user) {
                continue;
            }
            if let Some(access) = access {
                pending.access = Ok(access.clone());
                continue;
            }
            if let Stage::Verifying(pending) = std::mem::replace(&mut conn.stage, Stage::Ended) {
                self.refuse_connect(key, &pending.connect, Reason::NotAuthorized, now, app);
            }
        }
    }
}
