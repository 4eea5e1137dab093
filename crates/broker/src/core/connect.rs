//! From CONNECT to the verdict on who it is; see `join` for what follows.

use std::{net::IpAddr, sync::Arc};

use types::Now;

use super::{Core, VerifyJob};
use crate::{
    Access, Admission, Application, Denied, Login, Reason, Refusal,
    codec::{
        Version,
        connect::{self, Connect, Unusable},
        write,
    },
    connection::{ConnKey, Pending, Stage},
    password,
};

impl Core {
    pub(super) fn on_connect(
        &mut self,
        key: ConnKey,
        body: &[u8],
        now: Now,
        app: &mut dyn Application,
    ) {
        let Some((peer, counts_for)) = self
            .conns
            .read(key)
            .map(|conn| (conn.peer, conn.counts_for))
        else {
            return;
        };
        self.peers.connecting(counts_for, key);
        let connect = match connect::read(body) {
            Ok(connect) => connect,
            Err(Unusable::Close) => return self.fail(key, Reason::MalformedPacket, now, app),
            Err(Unusable::Refuse(version, reason)) => {
                return self.refuse(key, version, ("", None), reason, now, app);
            }
        };
        if connect.client_id.len() > self.limits.client_id_bytes_max {
            let reason = Reason::ClientIdentifierNotValid;
            return self.refuse(key, connect.version, ("", None), reason, now, app);
        }
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
        (mut hash, mut access): (Arc<str>, Result<Access, Refusal>),
        now: Now,
        app: &mut dyn Application,
    ) {
        let password = connect.password.take().unwrap_or_default();
        if let Some(fits) = password::verify_generated(&hash, &password) {
            if fits {
                return match access {
                    Ok(access) => self.admit(key, connect, access, now, app),
                    Err(refusal) => self.refuse_connect(key, &connect, refusal.into(), now, app),
                };
            }
            hash = password::decoy();
            access = Err(Refusal::BadCredentials);
        }
        let Some(counts_for) = self.conns.read(key).map(|conn| conn.counts_for) else {
            return;
        };
        let may_verify = self.peers.may_verify(counts_for, &self.limits, now.at);
        if !may_verify || !self.has_room_to_verify(counts_for, now, app) {
            self.stats.refused_verifies += 1;
            return self.refuse_connect(key, &connect, Reason::ServerBusy, now, app);
        }
        if let Some(conn) = self.conns.edit(key) {
            conn.stage = Stage::Verifying(Box::new(Pending { connect, access }));
            self.peers.verify(counts_for, key);
            let job = VerifyJob {
                conn: key,
                hash,
                password,
            };
            self.verify_jobs.push(counts_for, job);
        }
    }

    /// Whether one more of `peer` may wait. Where all that may wait do, whoever has most waiting gives way.
    fn has_room_to_verify(&mut self, peer: IpAddr, now: Now, app: &mut dyn Application) -> bool {
        if self.peers.verifying() < self.limits.verify_queue_max {
            return true;
        }
        let Some(job) = self.verify_jobs.make_room_for(peer) else {
            return false;
        };
        self.peers.unverified(job.conn);
        self.stats.refused_verifies += 1;
        if let Some(pending) = self.take_pending(job.conn) {
            self.refuse_connect(job.conn, &pending.connect, Reason::ServerBusy, now, app);
        }
        true
    }

    /// The next password for the worker: of the peer whose turn it is. There is none until the verdict on the one
    /// before came, so that nobody's waits behind many of another's.
    pub fn poll_verify(&mut self) -> Option<VerifyJob> {
        if self.at_worker.is_some() {
            return None;
        }
        let job = self.verify_jobs.pop()?;
        self.at_worker = Some(job.conn);
        Some(job)
    }

    /// The worker's verdict on a [`VerifyJob`]; every job needs one.
    pub fn verified(&mut self, conn: ConnKey, fits: bool, now: Now, app: &mut dyn Application) {
        self.at_worker = self.at_worker.filter(|at_worker| *at_worker != conn);
        self.peers.verified(conn, fits, &self.limits, now.at);
        let Some(Pending { connect, access }) = self.take_pending(conn) else {
            return;
        };
        let access = if fits {
            access
        } else {
            Err(Refusal::BadCredentials)
        };
        match access {
            Ok(access) => {
                let rest = self.conns.take_partial(conn);
                self.admit(conn, connect, access, now, app);
                self.consume_partial(conn, rest, now, app);
            }
            Err(refusal) => self.refuse_connect(conn, &connect, refusal.into(), now, app),
        }
        self.settle(now, app);
    }

    /// The CONNECT that waits for its password, where it still does.
    fn take_pending(&mut self, conn: ConnKey) -> Option<Pending> {
        let open = self.conns.edit(conn).filter(|conn| !conn.closing)?;
        match std::mem::replace(&mut open.stage, Stage::Fresh) {
            Stage::Verifying(pending) => Some(*pending),
            other => {
                open.stage = other;
                None
            }
        }
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
            Stage::Fresh => {
                self.stats.connect_timeouts += 1;
                self.conns.close(key);
            }
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
}
