//! A connection through TLS, WebSocket frames, or both: how its bytes get to the core and back.
//!
//! Called by [`super::connection`] where a socket is wrapped. Like a plain one it is read and answered in one turn, and
//! written once for what an input causes; its output stays in the core until the socket took all of a piece, so that the
//! core's limits hold for it as they do for others.

use std::{cell::RefCell, io, net::SocketAddr, rc::Rc, sync::Arc};

use rustls::ServerConfig;
use tokio::net::tcp::OwnedReadHalf;
use types::Now;

use super::{
    Shared,
    connection::{self, Flushed, Socket},
    handshake::{Failed, shake},
    wrap::{Broken, Wrap},
};
use crate::{Application, Core, Denied};

/// What a socket has more than a plain one.
pub(super) struct Wrapped {
    state: RefCell<Wrap>,
    peer: SocketAddr,
}

impl Wrapped {
    pub(super) fn new(state: Wrap, peer: SocketAddr) -> Self {
        Self {
            state: RefCell::new(state),
            peer,
        }
    }

    /// As [`Socket::flush`].
    pub(super) fn flush(&self, socket: &Socket, core: &mut Core, now: Now) -> Flushed {
        let mut wrap = self.state.borrow_mut();
        let mut is_parting = false;
        loop {
            if wrap.wire().is_empty() {
                let paid = wrap.paid();
                if paid > 0 {
                    core.wrote(socket.key, paid, now);
                }
                let (output, close) = core.output(socket.key);
                if !output.is_empty() && wrap.is_open() {
                    wrap.seal(output);
                } else if close && !is_parting {
                    is_parting = true;
                    wrap.goodbye();
                } else if close {
                    return Flushed::Close;
                } else {
                    socket.unblocked(core);
                    return Flushed::All;
                }
                continue;
            }
            match socket.try_write(wrap.wire()) {
                Ok(0) => return Flushed::Failed,
                Ok(written) => wrap.sent(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let (output, close) = core.output(socket.key);
                    if close {
                        return Flushed::Close;
                    }
                    if !output.is_empty() {
                        core.blocked(socket.key, now);
                    }
                    socket.blocked();
                    return Flushed::All;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Failed,
            }
        }
    }

    /// Bytes of the socket came: what is MQTT in them goes to the core, what they ask of us is answered.
    pub(super) fn receive<A: Application + 'static>(
        &self,
        shared: &Shared<A>,
        socket: &Socket,
        bytes: &[u8],
    ) {
        let mut plain = shared.plain.borrow_mut();
        plain.clear();
        let mut wrap = self.state.borrow_mut();
        let was_upgraded = wrap.is_upgraded();
        let taken = wrap.take(bytes, &mut plain);
        let is_upgrade = was_upgraded == Some(false) && wrap.is_upgraded() == Some(true);
        let has_answers = !wrap.wire().is_empty();
        drop(wrap);
        shared.step(|core, app, now| {
            if is_upgrade {
                core.count(|stats| stats.websockets += 1);
            }
            if !plain.is_empty() {
                shared.receive(core, app, now, socket.key, &plain);
            }
            if let Err(Broken::Misuse(why)) = &taken {
                core.count(|stats| stats.broken_wraps += 1);
                self.denied(app, now, why);
            }
        });
        if has_answers && !socket.is_finished() {
            connection::flush_alone(shared, socket);
        }
        if taken.is_err() && !socket.is_finished() {
            shared.forget(socket.key);
            shared.step(|core, app, now| core.closed(socket.key, now, app));
        }
    }

    fn denied<A: Application>(&self, app: &mut A, now: Now, reason: &str) {
        let peer = self.peer;
        app.denied(now, &Denied::Wrap { peer, reason });
    }
}

/// As [`connection::run`], after a TLS handshake.
pub(super) async fn run<A: Application + 'static>(
    shared: Rc<Shared<A>>,
    socket: Rc<Socket>,
    mut read: OwnedReadHalf,
    config: Arc<ServerConfig>,
) {
    let Some(wrapped) = socket.wrapped() else {
        return;
    };
    let handshake = shake(
        &shared.handshakes,
        read.as_ref(),
        wrapped.peer.ip().to_canonical(),
        config,
    );
    let agreed = tokio::select! {
        biased;
        // The core needs its place, or won't wait any longer.
        () = socket.finished() => Err(Failed::Gone),
        agreed = handshake => agreed,
    };
    match agreed {
        Ok(tls) => {
            wrapped.state.borrow_mut().agreed(tls);
            shared.step(|core, _, _| core.count(|stats| stats.tls_handshakes += 1));
            // What came behind the handshake.
            wrapped.receive(&shared, &socket, &[]);
            connection::run(shared, Rc::clone(&socket), read).await;
        }
        Err(failed) => {
            let was_here = !socket.is_finished();
            shared.forget(socket.key);
            shared.step(|core, app, now| {
                core.count(|stats| stats.tls_failures += 1);
                if let Failed::Because(why) = &failed {
                    wrapped.denied(app, now, why);
                }
                if was_here {
                    core.closed(socket.key, now, app);
                }
            });
            drop(socket);
            if matches!(failed, Failed::Because(_)) {
                connection::linger(&shared, &mut read).await;
            }
        }
    }
}
