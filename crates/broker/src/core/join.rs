//! A client is let in: its user, the session it gets, who makes room for it, and what it is told.

use std::{collections::BTreeMap, sync::Arc};

use types::Now;

use super::Core;
use crate::{
    Access, Application, Ended, Reason,
    aliases::Aliases,
    application::ClientKey,
    codec::{
        Version,
        connect::Connect,
        write::{self, Welcome},
    },
    connection::{ConnKey, Live, Stage},
    limits::{Pace, Rate},
    message::seconds,
    outbound::{Queue, Window},
    session::{Session, Timer, User},
};

impl Core {
    /// The client is who it says it is.
    pub(super) fn admit(
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
        let takeovers = match self.may_join(user, &connect, now) {
            Ok(takeovers) => takeovers,
            Err(reason) => {
                self.forget_empty_user(user);
                return self.refuse_connect(key, &connect, reason, now, app);
            }
        };
        let earlier = self.earlier_session(user, &connect, now, app);
        let session_present = earlier.is_some();
        let is_passing = access.passing;
        let session = match earlier {
            Some(session) => session,
            None => {
                self.make_room(user, now, app);
                // Again: the user may have ended with its last session.
                let user = self.user(&access.user);
                self.new_session(user, &connect.client_id)
            }
        };
        self.attach(key, session, &mut connect, access, now);
        if let Some(session) = self.sessions.get_mut(session.0 as usize) {
            session.takeovers = takeovers;
            let address = session.peer.ip();
            if !is_passing {
                self.peers.logged_in(address, &self.limits, now.at);
            }
        }
        self.welcome(key, session, &connect, session_present, assigned);
        self.resume(session, now);
        self.with_client(session, now, |client, outbox| {
            app.connected(now, client, outbox);
        });
    }

    /// The user's entry, made where it has none. One without sessions is thrown away with its last.
    pub(super) fn user(&mut self, name: &Arc<str>) -> u32 {
        if let Some(user) = self.user_names.get(name) {
            return *user;
        }
        let user = self.users.insert(User {
            name: Arc::clone(name),
            sessions: BTreeMap::new(),
            live: 0,
            subscriptions: 0,
        }) as u32;
        self.user_names.insert(Arc::clone(name), user);
        user
    }

    pub(super) fn forget_empty_user(&mut self, key: u32) {
        let is_empty = |user: &User| user.sessions.is_empty();
        if self.users.get(key as usize).is_some_and(is_empty) {
            let user = self.users.remove(key as usize);
            self.user_names.remove(&user.name);
        }
    }

    /// Whether a user may have this connection besides those it has. Gives how often its client may
    /// still take over, where it does so now: that outlives the session, which may be thrown away.
    fn may_join(&mut self, user: u32, connect: &Connect, now: Now) -> Result<Option<Rate>, Reason> {
        let Some(user) = self.users.get(user as usize) else {
            return Ok(None);
        };
        let earlier = user.sessions.get(connect.client_id.as_str());
        let session = earlier.and_then(|key| self.sessions.get(key.0 as usize));
        let Some(session) = session.filter(|session| session.connection.is_some()) else {
            if user.live as usize >= self.limits.connections_per_user_max {
                return Err(Reason::QuotaExceeded);
            }
            return Ok(session.and_then(|session| session.takeovers));
        };
        let pace = self.limits.takeovers();
        let mut takeovers = session.takeovers.unwrap_or_else(|| Rate::new(pace, now.at));
        if !takeovers.take(pace, now.at) {
            self.stats.refused_takeovers += 1;
            return Err(Reason::ConnectionRateExceeded);
        }
        self.stats.takeovers += 1;
        Ok(Some(takeovers))
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
            // Its client is back, however it left.
            if let Some(session) = self.sessions.get_mut(key.0 as usize) {
                session.ended = Ended::TakenOver;
            }
            self.end_session(key, now, app);
        }
        // A session without expiry ended with its connection.
        self.sessions.contains(key.0 as usize).then_some(key)
    }

    /// Where there are too many sessions, of this user or of all, the one that has been away
    /// longest ends.
    fn make_room(&mut self, user: u32, now: Now, app: &mut dyn Application) {
        let of_user = self.users.get(user as usize).map(|user| &user.sessions);
        if let Some(sessions) = of_user
            && sessions.len() >= self.limits.sessions_per_user_max
        {
            let longest = self.longest_away(sessions.values().copied());
            self.end_for_room(longest, now, app);
        }
        if self.sessions.len() >= self.limits.sessions_max {
            let all = self.sessions.iter().map(|(key, _)| ClientKey(key as u32));
            let longest = self.longest_away(all);
            self.end_for_room(longest, now, app);
        }
    }

    fn longest_away(&self, among: impl Iterator<Item = ClientKey>) -> Option<ClientKey> {
        let left = |key: ClientKey| {
            self.sessions
                .get(key.0 as usize)
                .map(|session| session.left)
        };
        among
            .filter_map(|key| Some((left(key)??, key)))
            .min()
            .map(|(_, key)| key)
    }

    fn end_for_room(&mut self, session: Option<ClientKey>, now: Now, app: &mut dyn Application) {
        if let Some(session) = session {
            self.stats.evicted_sessions += 1;
            self.end_session(session, now, app);
        }
    }

    pub(super) fn new_session(&mut self, user: u32, client_id: &str) -> ClientKey {
        let client_id: Arc<str> = client_id.into();
        let key = self.sessions.insert(Session {
            client_id: Arc::clone(&client_id),
            no: None,
            deliveries: 0,
            user,
            access: Arc::new(Access::none("")),
            peer: ([0, 0, 0, 0], 0).into(),
            version: Version::V3,
            connection: None,
            subscriptions: BTreeMap::new(),
            queue: Queue::default(),
            window: Window::default(),
            window_max: 0,
            counted: 0,
            received: BTreeMap::new(),
            expiry_s: 0,
            left: None,
            expires: None,
            will: None,
            will_due: None,
            ended: Ended::Clean,
            takeovers: None,
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
        let looks = Pace::per_second(self.limits.retained_looks_per_second_max);
        // Who is told to keep another interval than it wished follows that one.
        let keep_alive_s = match connect.version {
            Version::V3 => connect.keep_alive_s,
            Version::V5 => keep_alive_v5(connect.keep_alive_s, self.limits.keep_alive_s_max),
        };
        conn.stage = Stage::Live(Live {
            session: session_key,
            version: connect.version,
            packet_bytes_max: connect.packet_bytes_max as usize,
            silence_max: (keep_alive_s > 0).then(|| seconds(u32::from(keep_alive_s)) * 3 / 2),
            aliases: Vec::new(),
            given: Aliases::up_to(connect.topic_alias_max.min(self.limits.topic_alias_max)),
            rate: per_second.map(|count| Rate::new(Pace::per_second(count), now.at)),
            looks: Rate::new(looks, now.at),
            unacked: 0,
            withheld: 0,
            held_until: None,
            expiry_was_zero: connect.session_expiry_s == 0,
        });
        session.connection = Some(key);
        session.peer = conn.peer;
        session.version = connect.version;
        session.window_max = usize::from(connect.receive_max.min(self.limits.inflight_max)).max(1);
        let expiry_s_max = if access.passing {
            0
        } else {
            self.limits.session_expiry_s_max
        };
        session.expiry_s = connect.session_expiry_s.min(expiry_s_max);
        session.will = connect.will.take().map(Box::new);
        session.left = None;
        let due = session.will_due.take();
        let expires = session.expires.take();
        if let Some(user) = self.users.get_mut(session.user as usize) {
            user.live += 1;
            self.facts.came(session, &user.name);
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
            keep_alive_s: Some(keep_alive_v5(
                connect.keep_alive_s,
                self.limits.keep_alive_s_max,
            ))
            .filter(|keep_alive_s| *keep_alive_s != connect.keep_alive_s),
            receive_max: self.limits.receive_max.max(1),
            packet_bytes_max: self.limits.packet_bytes_max.max(1),
            topic_alias_max: self.limits.topic_alias_max,
        };
        let Some(out) = self.conns.output(key) else {
            return;
        };
        let before = out.len();
        write::welcome(out, connect.version, &welcome);
        if out.len() - before > connect.packet_bytes_max as usize {
            // It takes no CONNACK that says what it has to know (MQTT-3.1.2-24).
            out.truncate(before);
            self.doom(key, Ended::Protocol(Reason::PacketTooLarge), None);
        }
    }
}

/// The keep-alive that an MQTT 5 client gets for the one it wants; 0 is none.
fn keep_alive_v5(wanted_s: u16, max_s: u16) -> u16 {
    match (wanted_s, max_s) {
        (wanted_s, 0) => wanted_s,
        (0, max_s) => max_s,
        (wanted_s, max_s) => wanted_s.min(max_s),
    }
}
