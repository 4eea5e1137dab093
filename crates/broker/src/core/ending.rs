//! How connections and sessions end: goodbyes, silence, wills, expiry, shutdown.

use std::time::Duration;

use types::{Instant, Now};

use super::{Core, share};
use crate::{
    Application, Client, Ended, Incoming, LastWill, Outbox, Properties, Reason,
    application::ClientKey,
    codec::{Frame, Version, connect::WillPacket, subscribe, write},
    connection::{ConnKey, Stage},
    message::seconds,
    session::Timer,
};

/// How long sockets are read before a client counts as silent, where it was looked at too late.
const READ_FIRST: Duration = Duration::from_millis(250);

impl Core {
    pub(super) fn on_disconnect(&mut self, key: ConnKey, frame: &Frame<'_>) -> Result<(), Reason> {
        let Some(live) = self.conns.read(key).and_then(|conn| conn.live()) else {
            return Ok(());
        };
        let packet = subscribe::read_disconnect(frame, live.version)?;
        let Some(session) = self.sessions.get_mut(live.session.0 as usize) else {
            return Ok(());
        };
        if let Some(expiry_s) = packet.session_expiry_s {
            if live.expiry_was_zero && expiry_s != 0 {
                return Err(Reason::ProtocolError);
            }
            let expiry_s_max = if session.access.passing {
                0
            } else {
                self.limits.session_expiry_s_max
            };
            session.expiry_s = expiry_s.min(expiry_s_max);
        }
        let how = if packet.without_will {
            Ended::Clean
        } else {
            Ended::Lost
        };
        self.doom(key, how, None);
        Ok(())
    }

    pub(super) fn stall_is_due(&mut self, key: ConnKey, now: Now) {
        let Some(stall) = self.conns.edit(key).and_then(|conn| conn.stall.as_mut()) else {
            return;
        };
        if stall.until > now.at {
            stall.rings = stall.until;
            self.timers.set(stall.rings, Timer::Stall(key));
            return;
        }
        self.stats.stalls += 1;
        self.doom(key, Ended::SlowReader, Some(Reason::QuotaExceeded));
    }

    /// `due`: when it was to be looked at.
    pub(super) fn check_keep_alive(&mut self, key: ConnKey, due: Instant, now: Now) {
        self.note_pause(key);
        let Some(conn) = self.conns.edit(key) else {
            return;
        };
        conn.timer = None;
        let Some(silence_max) = conn.live().and_then(|live| live.silence_max) else {
            return;
        };
        // A client that is not read can't be heard: it has all its time from now on. One that takes none
        // of what waits for it ends by its stall.
        let deadline = if std::mem::take(&mut conn.was_paused) {
            now.at.after(silence_max)
        } else {
            conn.last_received.after(silence_max)
        };
        if deadline > now.at {
            return self.set_timer(key, Some((deadline, Timer::KeepAlive(key))));
        }
        // Who looks late may have stood still, and what the client said meanwhile lies in its socket.
        let late = now.at.since(due);
        let was_suspect = std::mem::replace(&mut conn.is_suspect, true);
        if late.is_zero() || (was_suspect && late < READ_FIRST) {
            self.stats.keep_alive_timeouts += 1;
            self.doom(key, Ended::KeepAlive, Some(Reason::KeepAliveTimeout));
        } else {
            let again = now.at.after(READ_FIRST);
            self.set_timer(key, Some((again, Timer::KeepAlive(key))));
        }
    }

    /// The connection ends once the current step is over: no more is read from it or queued for
    /// it. MQTT 5 clients are told `say`.
    pub(super) fn doom(&mut self, key: ConnKey, how: Ended, say: Option<Reason>) {
        let Some(conn) = self.conns.read(key).filter(|conn| !conn.closing) else {
            return;
        };
        let version = conn.live().map(|live| live.version);
        if let (Some(Version::V5), Some(reason)) = (version, say)
            && let Some(out) = self.conns.output(key)
        {
            write::disconnect(out, Version::V5, reason);
        }
        self.conns.close(key);
        self.doomed.push_back((key, how));
    }

    /// Ends what was doomed, and what that dooms in turn.
    pub(super) fn settle(&mut self, now: Now, app: &mut dyn Application) {
        while let Some((key, how)) = self.doomed.pop_front() {
            self.end(key, how, now, app);
        }
        self.store_facts(false, now, app);
    }

    /// Takes the client from its connection, publishes its will and tells the application.
    pub(super) fn end(&mut self, key: ConnKey, how: Ended, now: Now, app: &mut dyn Application) {
        let Some(conn) = self.conns.edit(key) else {
            return;
        };
        let live = match std::mem::replace(&mut conn.stage, Stage::Ended) {
            Stage::Live(live) => live,
            Stage::Ended | Stage::Fresh | Stage::Verifying(_) => return,
        };
        self.set_timer(key, None);
        if let Some(until) = live.held_until {
            self.timers.cancel(until, Timer::Hold(key));
        }
        let client = live.session;
        let Some(session) = self.sessions.get_mut(client.0 as usize) else {
            return;
        };
        session.connection = None;
        session.left = Some(now.at);
        session.ended = how;
        self.stats.dropped += session.queue.drop_at_most_once();
        session.recount(&mut self.queued_bytes);
        self.facts.left(session, now.at);
        let keeps_will = !matches!(how, Ended::Clean | Ended::Shutdown);
        let will = session.will.take().filter(|_| keeps_will);
        let expiry_s = session.expiry_s;
        if let Some(user) = self.users.get_mut(session.user as usize) {
            user.live = user.live.saturating_sub(1);
        }
        let will = match will {
            Some(will) if will.delay_s > 0 && expiry_s > 0 => {
                let due = now.at.after(seconds(will.delay_s.min(expiry_s)));
                session.will = Some(will);
                session.will_due = Some(due);
                self.timers.set(due, Timer::Will(client));
                LastWill::Waiting
            }
            Some(will) => {
                self.publish_will(client, &will, now, app);
                LastWill::Published
            }
            None => LastWill::None,
        };
        if how == Ended::SlowReader {
            self.stats.slow_readers += 1;
        }
        self.with_client(client, now, |client, outbox| {
            app.disconnected(now, client, how, will, outbox);
        });
        if expiry_s == 0 {
            self.end_session(client, now, app);
        } else if let Some(session) = self.sessions.get_mut(client.0 as usize) {
            let expires = now.at.after(seconds(expiry_s));
            session.expires = Some(expires);
            self.timers.set(expires, Timer::Session(client));
        }
    }

    pub(super) fn will_is_due(
        &mut self,
        key: ClientKey,
        at: Instant,
        now: Now,
        app: &mut dyn Application,
    ) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        if session.will_due == Some(at) {
            session.will_due = None;
            self.publish_waiting_will(key, now, app);
        }
    }

    pub(super) fn session_is_due(
        &mut self,
        key: ClientKey,
        at: Instant,
        now: Now,
        app: &mut dyn Application,
    ) {
        let session = self.sessions.get(key.0 as usize);
        if session.is_some_and(|session| session.expires == Some(at)) {
            self.end_session(key, now, app);
        }
    }

    /// Forgets a session that has no connection. A will that waits is published first.
    pub(super) fn end_session(&mut self, key: ClientKey, now: Now, app: &mut dyn Application) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        if let Some(at) = session.will_due.take() {
            self.timers.cancel(at, Timer::Will(key));
            self.publish_waiting_will(key, now, app);
        }
        let Some(mut session) = self.sessions.try_remove(key.0 as usize) else {
            return;
        };
        if let Some(at) = session.expires {
            self.timers.cancel(at, Timer::Session(key));
        }
        self.facts.ended(&mut session);
        self.queued_bytes -= session.counted;
        for filter in session.subscriptions.keys() {
            self.router.unsubscribe(filter, key);
        }
        if let Some(user) = self.users.get_mut(session.user as usize) {
            user.sessions.remove(&session.client_id);
            user.subscriptions -= session.subscriptions.len();
            if user.sessions.is_empty() {
                self.user_names.remove(&user.name);
                self.users.remove(session.user as usize);
            }
        }
        self.pass_on(share::left_behind(&mut session), now);
    }

    /// The delay is over, whichever way.
    fn publish_waiting_will(&mut self, key: ClientKey, now: Now, app: &mut dyn Application) {
        let Some(session) = self.sessions.get_mut(key.0 as usize) else {
            return;
        };
        let is_back = session.ended == Ended::TakenOver;
        if let Some(will) = session.will.take() {
            self.publish_will(key, &will, now, app);
        }
        if !is_back {
            self.with_client(key, now, |client, outbox| {
                app.stayed_away(now, client, outbox);
            });
        }
    }

    fn publish_will(
        &mut self,
        from: ClientKey,
        will: &WillPacket,
        now: Now,
        app: &mut dyn Application,
    ) {
        let Some(how) = self.sessions.get(from.0 as usize).map(|s| s.ended) else {
            return;
        };
        let incoming = Incoming {
            topic: &will.topic,
            payload: &will.payload,
            qos: will.qos,
            retain: will.retain,
            dup: false,
            will: Some(how),
            properties: Properties(&will.properties),
        };
        self.stats.wills += 1;
        // Nobody waits for an ack of a will.
        let _ = self.take_message(from, &incoming, will.expiry_s, now, app);
    }

    /// Calls the application about a client and delivers what it sends.
    pub(super) fn with_client(
        &mut self,
        key: ClientKey,
        now: Now,
        call: impl FnOnce(&Client<'_>, &mut Outbox),
    ) {
        let mut outbox = std::mem::take(&mut self.outbox);
        if let Some(client) = self.client(key) {
            call(&client, &mut outbox);
        }
        self.deliver_outbox(outbox, now);
    }

    /// Calls the application and delivers what it sends.
    pub(super) fn with_outbox(&mut self, now: Now, call: impl FnOnce(&mut Outbox)) {
        let mut outbox = std::mem::take(&mut self.outbox);
        call(&mut outbox);
        self.deliver_outbox(outbox, now);
    }
}
