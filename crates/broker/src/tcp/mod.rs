//! The broker on TCP sockets: one thread, a task for each connection, the shared core between them.
//!
//! Called by the binary. Runs inside a `tokio` current-thread runtime and a `LocalSet`. A task that
//! reads bytes hands them to the core and then writes every connection that got output, at once and
//! directly; only a socket that takes no more wakes its own task to wait for room. No channel and no
//! other task lies between an input and what it causes. Must not decide anything about MQTT.

mod burst;
mod certificate;
mod connection;
mod durable;
mod handshake;
mod listener;
mod origin;
mod verify;
mod websocket;
mod wrap;
mod wrapped;

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{net::TcpStream, sync::Notify, task::JoinSet};
use types::{Instant, Now};

pub use certificate::{Certificate, CertificateError, Part};
pub use durable::Durable;
pub use listener::{Listener, Tls};
pub use origin::{NoOrigin, Origin, Origins};

use crate::{Application, ConnKey, Core, Denied};
use burst::Burst;
use connection::Socket;
use handshake::Handshakes;
use verify::Verifier;
use websocket::WebSocket;
use wrap::Wrap;
use wrapped::Wrapped;

/// Bytes read from a socket in one turn. What they make all others wait for is bounded by
/// [`Limits::turn_work_max`](crate::Limits). One buffer serves all sockets.
const READ_BYTES: usize = 16 * 1024;

/// How many of the largest packets a WebSocket frame may hold: browsers put all that waits into one.
const PACKETS_PER_FRAME_MAX: u32 = 4;

/// How long a shutdown waits for clients to take their last bytes.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(1);

/// Silence after which the kernel asks whether the peer is still there, how often it asks again, and
/// how many times before the connection counts as lost: two minutes in all.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(15);
const PROBES: u32 = 4;

/// Wait after an accept that failed for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The broker's sockets around a core and an application. Clones share everything.
pub struct Server<A> {
    shared: Rc<Shared<A>>,
}

impl<A> Clone for Server<A> {
    fn clone(&self) -> Self {
        Self {
            shared: Rc::clone(&self.shared),
        }
    }
}

struct Shared<A> {
    core: Rc<RefCell<Core>>,
    app: Rc<RefCell<A>>,
    clock: Box<dyn Fn() -> Now>,
    /// By [`ConnKey::index`].
    sockets: RefCell<Vec<Option<Rc<Socket>>>>,
    scratch: RefCell<Vec<u8>>,
    /// The input of this step goes on in its connection's next turn.
    goes_on: Cell<bool>,
    /// What was wrapped in the bytes of one turn.
    plain: RefCell<Vec<u8>>,
    handshakes: Rc<Handshakes>,
    /// The deadline the timer task sleeps for, and its wake-up for an earlier one.
    armed: Cell<Option<Instant>>,
    alarm: Notify,
    burst: Burst,
    durable: Durable,
    verifier: Verifier,
    tasks: RefCell<JoinSet<()>>,
}

impl<A: Application + 'static> Server<A> {
    /// A server without listeners. `clock` is asked once for each batch of input, and while it is polled for input: in
    /// bursts of messages less than `burst_pause_max` apart, at the price of one processor for as long; zero: never.
    pub fn new(
        core: Rc<RefCell<Core>>,
        app: Rc<RefCell<A>>,
        clock: impl Fn() -> Now + 'static,
        burst_pause_max: Duration,
    ) -> Self {
        Self {
            shared: Rc::new(Shared {
                core,
                app,
                clock: Box::new(clock),
                sockets: RefCell::default(),
                scratch: RefCell::new(vec![0; READ_BYTES]),
                goes_on: Cell::new(false),
                plain: RefCell::default(),
                handshakes: Rc::default(),
                armed: Cell::new(None),
                alarm: Notify::new(),
                burst: Burst::new(burst_pause_max),
                durable: Durable::default(),
                verifier: Verifier::default(),
                tasks: RefCell::default(),
            }),
        }
    }

    /// The store thread's way to say what is stored.
    #[must_use]
    pub fn durable(&self) -> Durable {
        self.shared.durable.clone()
    }

    /// Runs `step` on the core and the application, and then writes what it caused: for whatever
    /// doesn't come from an MQTT socket. Not from inside a call of the application.
    pub fn enter<R>(&self, step: impl FnOnce(&mut Core, &mut A, Now) -> R) -> R {
        self.shared.step(step)
    }

    /// Takes a connection that somebody else accepted, such as one end of a pair inside this process. Ends when its other
    /// end does. Needs a `LocalSet` around it.
    pub fn attach(&self, stream: TcpStream, peer: SocketAddr) {
        self.shared.open((None, None), stream, peer);
    }

    /// Serves until `shutdown` is done; then says goodbye to all clients and waits a second at
    /// most for them to take it. Needs a `LocalSet` around it.
    ///
    /// # Errors
    /// None today: a listener that fails is logged and tried again.
    pub async fn serve(
        &self,
        listeners: Vec<Listener>,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let mut services = JoinSet::new();
        for listener in listeners {
            services.spawn_local(accept(Rc::clone(&self.shared), listener));
        }
        services.spawn_local(timers(Rc::clone(&self.shared)));
        services.spawn_local(acks(Rc::clone(&self.shared)));
        services.spawn_local(verdicts(Rc::clone(&self.shared)));
        services.spawn_local(bursts(Rc::clone(&self.shared)));
        shutdown.await;
        services.shutdown().await;
        self.enter(|core, app, now| core.shutdown(now, app));
        let mut tasks = self.shared.tasks.take();
        let all_gone = async { while tasks.join_next().await.is_some() {} };
        // Who doesn't take the goodbye is cut off.
        let _ = tokio::time::timeout(SHUTDOWN_WAIT, all_gone).await;
        tasks.shutdown().await;
        Ok(())
    }
}

impl<A: Application + 'static> Shared<A> {
    /// One batch of input, and everything it causes. Where there is more of that input, its output is written with the
    /// next one's or whoever's turn comes first: a write for each of a thousand receivers costs more than a message.
    fn step<R>(&self, step: impl FnOnce(&mut Core, &mut A, Now) -> R) -> R {
        let now = (self.clock)();
        let mut core = self.core.borrow_mut();
        let mut app = self.app.borrow_mut();
        let result = step(&mut core, &mut app, now);
        while let Some(job) = core.poll_verify() {
            if let Err(job) = self.verifier.submit(job) {
                core.verified(job.conn, false, now, &mut *app);
            }
        }
        if self.goes_on.take() {
            self.rearm(&core, &app);
            return result;
        }
        self.flush(&mut core, &mut app, now);
        // What left a queue for a socket that has room again is to be kept too, and may let others write.
        while core.commit(now, &mut *app) {
            self.flush(&mut core, &mut app, now);
        }
        app.drained(&core);
        self.rearm(&core, &app);
        result
    }

    /// Writes every connection that has output, once. Clients that turn out to be lost may cause
    /// more output, which is written as well.
    fn flush(&self, core: &mut Core, app: &mut A, now: Now) {
        while let Some(key) = core.pop_dirty() {
            let Some(socket) = self.socket(key) else {
                core.closed(key, now, app);
                continue;
            };
            match socket.flush(key, core, now) {
                connection::Flushed::All => {}
                connection::Flushed::Close | connection::Flushed::Failed => {
                    self.forget(key);
                    core.closed(key, now, app);
                }
            }
        }
    }

    fn socket(&self, key: ConnKey) -> Option<Rc<Socket>> {
        let sockets = self.sockets.borrow();
        let socket = sockets.get(key.index())?.as_ref()?;
        (socket.key == key).then(|| Rc::clone(socket))
    }

    /// The connection's task lets go of the socket, which closes it.
    fn forget(&self, key: ConnKey) {
        let Some(socket) = self.socket(key) else {
            return;
        };
        socket.finish();
        if let Some(slot) = self.sockets.borrow_mut().get_mut(key.index()) {
            *slot = None;
        }
    }

    /// Wakes the timer task where the next deadline is earlier than the one it sleeps for.
    fn rearm(&self, core: &Core, app: &A) {
        let next = earliest(core.next_deadline(), app.next_deadline());
        let armed = self.armed.get();
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            self.armed.set(next);
            self.alarm.notify_one();
        }
    }

    /// Bytes of MQTT came, or a connection has its next turn.
    fn receive(&self, core: &mut Core, app: &mut A, now: Now, key: ConnKey, bytes: &[u8]) {
        let before = core.messages_in();
        core.receive_turn(key, bytes, now, app);
        self.goes_on.set(core.has_more(key));
        if core.messages_in() > before {
            self.burst.message_came(now.at);
        }
    }

    /// A socket came, and what its connection is wrapped in.
    fn open(
        self: &Rc<Self>,
        (tls, websocket): (Option<&Tls>, Option<&Origins>),
        stream: TcpStream,
        peer: SocketAddr,
    ) {
        let accepted = self.step(|core, app, now| {
            let accepted = core.accept(now, peer);
            if let Err(reason) = accepted {
                app.denied(now, &Denied::Accept { peer, reason });
            }
            accepted
        });
        let Ok(key) = accepted else {
            return;
        };
        if let Err(error) = options(&stream) {
            tracing::debug!(%peer, %error, "can't set the options of a socket");
        }
        let (read, write) = stream.into_split();
        let socket = Rc::new(Socket::new(
            key,
            write,
            self.wrapped((tls, websocket), peer),
        ));
        let mut sockets = self.sockets.borrow_mut();
        if sockets.len() <= key.index() {
            sockets.resize_with(key.index() + 1, || None);
        }
        if let Some(slot) = sockets.get_mut(key.index()) {
            *slot = Some(Rc::clone(&socket));
        }
        let mut tasks = self.tasks.borrow_mut();
        while tasks.try_join_next().is_some() {}
        let shared = Rc::clone(self);
        match tls {
            None => tasks.spawn_local(connection::run(shared, socket, read)),
            Some(tls) => tasks.spawn_local(wrapped::run(shared, socket, read, tls.config())),
        };
    }

    fn wrapped(
        &self,
        (tls, websocket): (Option<&Tls>, Option<&Origins>),
        peer: SocketAddr,
    ) -> Option<Wrapped> {
        if tls.is_none() && websocket.is_none() {
            return None;
        }
        let web = websocket.map(|origins| {
            let packet_bytes_max = self.core.borrow().limits().packet_bytes_max;
            let frame_bytes_max = packet_bytes_max.saturating_mul(PACKETS_PER_FRAME_MAX);
            WebSocket::new(frame_bytes_max, origins.clone())
        });
        Some(Wrapped::new(Wrap::new(tls.is_some(), web), peer))
    }
}

/// Nothing waits for more to send; a peer that is gone without a word is found out, whatever
/// keep-alive its client asked for.
fn options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY)
        .with_retries(PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

fn earliest(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

async fn accept<A: Application + 'static>(shared: Rc<Shared<A>>, listener: Listener) {
    loop {
        match listener.socket.accept().await {
            Ok((stream, peer)) => {
                let wraps = (listener.tls.as_ref(), listener.websocket.as_ref());
                shared.open(wraps, stream, peer);
            }
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection; trying again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn timers<A: Application + 'static>(shared: Rc<Shared<A>>) {
    loop {
        let next = earliest(
            shared.core.borrow().next_deadline(),
            shared.app.borrow().next_deadline(),
        );
        shared.armed.set(next);
        let asleep = async {
            match next {
                Some(at) => tokio::time::sleep(at.since((shared.clock)().at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shared.alarm.notified() => {}
            () = asleep => shared.step(|core, app, now| core.tick(now, app)),
        }
    }
}

async fn acks<A: Application + 'static>(shared: Rc<Shared<A>>) {
    loop {
        let input = shared.durable.next().await;
        shared.step(|core, _, now| core.durable(input, now));
    }
}

async fn verdicts<A: Application + 'static>(shared: Rc<Shared<A>>) {
    loop {
        let (conn, fits) = shared.verifier.verdict().await;
        shared.step(|core, app, now| core.verified(conn, fits, now, app));
    }
}

async fn bursts<A: Application + 'static>(shared: Rc<Shared<A>>) {
    shared.burst.poll(|| (shared.clock)().at).await;
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_kernel_looks_after_peers_that_say_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, _client) = tokio::join!(listener.accept(), connecting);
        let (stream, _) = accepted.unwrap();
        options(&stream).unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap() && stream.nodelay().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), PROBE_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), PROBE_EVERY);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), PROBES);
    }
}
