//! From CONNECT to a connected client: who it is, whether its password fits, which session it gets.

use std::{collections::BTreeMap, sync::Arc};

use types::Now;

use super::{Core, VerifyJob};
use crate::{
    Access, Admission, Application, Denied, Ended, Login, Reason,
    application::ClientKey,
    codec::{
        Version,
        connect::{self, Connect, Unusable},
        write::{self, Welcome},
    },
    connection::{ConnKey, Live, Pending, Stage},
    limits::Rate,
    message::seconds,
    outbound::{Queue, Window},
    password,
    session::{Session, Timer, User},
};

impl Core {
    pub(super) fn on_connect(
        &mut self,
        key: ConnKey,
        body: &[u8],
        now: Now,
        app: &mut dyn Application,
    ) {
        let connect = match connect::read(body) {
            Ok(connect) => connect,
            Err(Unusable::Close) => return self.fail(key, Reason::MalformedPacket, now, app),
            Err(Unusable::Refuse(version, reason)) => {
                return self.refuse(key, version, ("", None), reason, now, app);
            }
        };
        let Some(peer) = self.conns.read(key).map(|conn| conn.peer) else {
            return;
        };
        let login = Login {
            client_id: &connect.client_id,
            user: connect.user.as_deref(),
            password: connect.password.as_deref(),
            peer,
            version: connect.version,
        };
        match app.authenticate(&login) {
            Admission::Accept(access) => self.admit(key, connect, access, now, app),
            Admission::Refuse(refusal) => {
                self.refuse_connect(key, &connect, refusal.into(), now, app);
            }
            Admission::Verify { hash, access } => {
                self.verify(key, connect, (hash, access), now, app);
            }
        }
    }

    fn verify(
        &mut self,
        key: ConnKey,
        mut connect: Connect,
        (hash, access): (Arc<str>, Access),
        now: Now,
        app: &mut dyn Application,
    ) {
        let password = connect.password.take().unwrap_or_default();
        if let Some(fits) = password::verify_generated(&hash, &password) {
            if fits {
                self.admit(key, connect, access, now, app);
            } else {
                self.refuse_connect(key, &connect, Reason::BadUserNameOrPassword, now, app);
            }
            return;
        }
        if self.verifying >= self.limits.verify_queue_max {
            return self.refuse_connect(key, &connect, Reason::ServerBusy, now, app);
        }
        if let Some(conn) = self.conns.edit(key) {
            conn.stage = Stage::Verifying(Box::new(Pending { connect, access }));
            self.verifying += 1;
            self.verify_jobs.push_back(VerifyJob {
                conn: key,
                hash,
                password,
            });
        }
    }

    /// The next password for the worker. At most [`verify_queue_max`](crate::Limits) are out.
    pub fn poll_verify(&mut self) -> Option<VerifyJob> {
        self.verify_jobs.pop_front()
    }

    /// The worker's verdict on a [`VerifyJob`]; every job needs one.
    pub fn verified(&mut self, conn: ConnKey, fits: bool, now: Now, app: &mut dyn Application) {
        self.verifying = self.verifying.saturating_sub(1);
        let Some(open) = self.conns.edit(conn).filter(|conn| !conn.closing) else {
            return;
        };
        match std::mem::replace(&mut open.stage, Stage::Fresh) {
            Stage::Verifying(pending) => {
                let rest = std::mem::take(&mut open.partial);
                let Pending { connect, access } = *pending;
                if fits {
                    self.admit(conn, connect, access, now, app);
                    self.consume_partial(conn, rest, now, app);
                } else {
                    self.refuse_connect(conn, &connect, Reason::BadUserNameOrPassword, now, app);
                }
            }
            other => open.stage = other,
        }
        self.settle(now, app);
    }

    pub(super) fn connect_is_late(&mut self, key: ConnKey, now: Now, app: &mut dyn Application) {
        let Some(conn) = self.conns.edit(key) else {
            return;
        };
        conn.timer = None;
        match std::mem::replace(&mut conn.stage, Stage::Ended) {
            Stage::Verifying(pending) => {
                self.refuse_connect(key, &pending.connect, Reason::ServerBusy, now, app);
            }
            Stage::Fresh => self.conns.close(key),
            other => conn.stage = other,
        }
    }

    pub(super) fn refuse_connect(
        &mut self,
        key: ConnKey,
        connect: &Connect,
        reason: Reason,
        now: Now,
        app: &mut dyn Application,
    ) {
        let who = (connect.client_id.as_str(), connect.user.as_deref());
        self.refuse(key, connect.version, who, reason, now, app);
    }

    pub(super) fn refuse(
        &mut self,
        key: ConnKey,
        version: Version,
        (client_id, user): (&str, Option<&str>),
        reason: Reason,
        now: Now,
        app: &mut dyn Application,
    ) {
        self.stats.refused_connects += 1;
        if let Some(out) = self.conns.output(key) {
            write::refuse(out, version, reason);
        }
        if let Some(conn) = self.conns.edit(key) {
            conn.stage = Stage::Ended;
            let denied = Denied::Connect {
                peer: conn.peer,
                client_id,
                user,
                reason,
            };
            app.denied(now, &denied);
        }
        self.conns.close(key);
    }

    /// The client is who it says it is.
    fn admit(
        &mut self,
        key: ConnKey,
        mut connect: Connect,
        access: Access,
        now: Now,
        app: &mut dyn Application,
    ) {
        let will_allowed = connect
            .will
            .as_ref()
            .is_none_or(|will| access.may_publish(&will.topic));
        if self.stopping {
            return self.refuse_connect(key, &connect, Reason::ServerUnavailable, now, app);
        }
        if !will_allowed {
            return self.refuse_connect(key, &connect, Reason::NotAuthorized, now, app);
        }
        let user = self.user(&access.user);
        let assigned = connect.client_id.is_empty();
        if assigned {
            connect.client_id = self.make_client_id(user);
        }
        let earlier = self.earlier_session(user, &connect, now, app);
        let session_present = earlier.is_some();
        let session = match earlier {
            Some(session) => session,
            None => {
                self.make_room(now, app);
                // Again: the user may have ended with its last session.
                let user = self.user(&access.user);
                self.new_session(user, &connect.client_id)
            }
        };
        self.attach(key, session, &mut connect, access, now);
        self.welcome(key, session, &connect, session_present, assigned);
        self.resume(session, now);
        self.with_client(session, now, |client, outbox| {
            app.connected(now, client, outbox);
        });
    }

    /// The user's entry, made where it has none. One without sessions is thrown away with its last.
    fn user(&mut self, name: &Arc<str>) -> u32 {
        if let Some(user) = self.user_names.get(name) {
            return *user;
        }
        let user = self.users.insert(User {
            name: Arc::clone(name),
            sessions: BTreeMap::new(),
            live: 0,
        }) as u32;
        self.user_names.insert(Arc::clone(name), user);
        user
    }

    fn make_client_id(&mut self, user: u32) -> String {
        loop {
            self.client_ids_made += 1;
            let id = format!("auto-{}", self.client_ids_made);
            let user = self.users.get(user as usize);
            if user.is_none_or(|user| !user.sessions.contains_key(id.as_str())) {
                return id;
            }
        }
    }

    /// The session that this client left or is still connected to; a connection that it still has
    /// ends now. `None` where there is none or it is not wanted any more.
    fn earlier_session(
        &mut self,
        user: u32,
        connect: &Connect,
        now: Now,
        app: &mut dyn Application,
    ) -> Option<ClientKey> {
        let user = self.users.get(user as usize)?;
        let key = *user.sessions.get(connect.client_id.as_str())?;
        let connection = self.sessions.get(key.0 as usize)?.connection;
        if let Some(old) = connection {
            self.doom(old, Ended::TakenOver, Some(Reason::SessionTakenOver));
            // Now, and not when the step is over: the session is needed.
            self.end(old, Ended::TakenOver, now, app);
        }
        if connect.clean_start {
            self.end_session(key, now, app);
        }
        // A session without expiry ended with its connection.
        self.sessions.contains(key.0 as usize).then_some(key)
    }

    /// Where there are too many sessions, the one that has been away longest ends.
    fn make_room(&mut self, now: Now, app: &mut dyn Application) {
        if self.sessions.len() >= self.limits.sessions_max {
            let offline = self.sessions.iter().filter(|(_, s)| s.connection.is_none());
            let longest = offline.min_by_key(|(key, session)| (session.left, *key));
            if let Some((longest, _)) = longest {
                self.end_session(ClientKey(longest as u32), now, app);
            }
        }
    }

    fn new_session(&mut self, user: u32, client_id: &str) -> ClientKey {
        let client_id: Arc<str> = client_id.into();
        let key = self.sessions.insert(Session {
            client_id: Arc::clone(&client_id),
            user,
            access: Arc::new(Access::none("")),
            peer: ([0, 0, 0, 0], 0).into(),
            version: Version::V3,
            connection: None,
            subscriptions: BTreeMap::new(),
            queue: Queue::default(),
            window: Window::default(),
            window_max: 0,
            received: BTreeMap::new(),
            expiry_s: 0,
            left: None,
            expires: None,
            will: None,
            will_due: None,
        });
        let key = ClientKey(key as u32);
        if let Some(user) = self.users.get_mut(user as usize) {
            user.sessions.insert(client_id, key);
        }
        key
    }

    /// Ties a connection and a session together.
    fn attach(
        &mut self,
        key: ConnKey,
        session_key: ClientKey,
        connect: &mut Connect,
        access: Access,
        now: Now,
    ) {
        let Some(conn) = self.conns.edit(key) else {
            return;
        };
        let Some(session) = self.sessions.get_mut(session_key.0 as usize) else {
            return;
        };
        let per_second = self.limits.messages_per_second_max;
        conn.stage = Stage::Live(Live {
            session: session_key,
            version: connect.version,
            packet_bytes_max: connect.packet_bytes_max as usize,
            silence_max: (connect.keep_alive_s > 0)
                .then(|| seconds(u32::from(connect.keep_alive_s)) * 3 / 2),
            aliases: Vec::new(),
            rate: per_second.map(|per_second| Rate::new(per_second, now.at)),
            unacked: 0,
            withheld: 0,
            expiry_was_zero: connect.session_expiry_s == 0,
        });
        session.connection = Some(key);
        session.peer = conn.peer;
        session.version = connect.version;
        session.window_max = usize::from(connect.receive_max.min(self.limits.inflight_max)).max(1);
        session.expiry_s = connect
            .session_expiry_s
            .min(self.limits.session_expiry_s_max);
        session.will = connect.will.take().map(Box::new);
        session.left = None;
        let due = session.will_due.take();
        let expires = session.expires.take();
        if let Some(user) = self.users.get_mut(session.user as usize) {
            user.live += 1;
        }
        let silence_max = conn.live().and_then(|live| live.silence_max);
        let access_changed = *session.access != access;
        if access_changed {
            session.access = Arc::new(access);
            self.recheck_subscriptions(session_key);
        }
        if let Some(at) = due {
            self.timers.cancel(at, Timer::Will(session_key));
        }
        if let Some(at) = expires {
            self.timers.cancel(at, Timer::Session(session_key));
        }
        let timer = silence_max.map(|silence| (now.at.after(silence), Timer::KeepAlive(key)));
        self.set_timer(key, timer);
    }

    fn welcome(
        &mut self,
        key: ConnKey,
        session: ClientKey,
        connect: &Connect,
        session_present: bool,
        assigned: bool,
    ) {
        let expiry_s = self
            .sessions
            .get(session.0 as usize)
            .map(|session| session.expiry_s)
            .filter(|expiry_s| *expiry_s != connect.session_expiry_s);
        let welcome = Welcome {
            session_present,
            assigned_client_id: assigned.then_some(connect.client_id.as_str()),
            session_expiry_s: expiry_s,
            receive_max: self.limits.receive_max.max(1),
            packet_bytes_max: self.limits.packet_bytes_max.max(1),
            topic_alias_max: self.limits.topic_alias_max,
        };
        if let Some(out) = self.conns.output(key) {
            write::welcome(out, connect.version, &welcome);
        }
    }
}
