//! One socket: a task that reads it, and the half that everybody may write to.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use types::Now;

use super::{Shared, wrapped::Wrapped};
use crate::{Application, ConnKey, Core};

/// How long a closed socket still takes (and throws away) what the peer sends. Closing with unread
/// bytes would reset the connection and could destroy our last words.
const LINGER: Duration = Duration::from_secs(1);

/// The writing half, and what its task has to know.
pub(super) struct Socket {
    pub(super) key: ConnKey,
    write: OwnedWriteHalf,
    /// TLS, WebSocket frames; `None`: bytes are MQTT as they are.
    wrapped: Option<Box<Wrapped>>,
    /// The socket takes no more: the task waits until it does.
    blocked: Cell<bool>,
    /// The core wants no more input for now.
    paused: Cell<bool>,
    /// The core knows this connection no more.
    finished: Cell<bool>,
    /// Something was written: the peer may be about to read last words.
    spoke: Cell<bool>,
    /// The task that reads this socket.
    task: RefCell<Option<Waker>>,
}

/// What became of a connection's output.
pub(super) enum Flushed {
    /// It is written, or as much as fits.
    All,
    /// It is written, and that was all.
    Close,
    /// The socket is broken.
    Failed,
}

impl Socket {
    pub(super) fn new(key: ConnKey, write: OwnedWriteHalf, wrapped: Option<Wrapped>) -> Self {
        Self {
            key,
            write,
            wrapped: wrapped.map(Box::new),
            blocked: Cell::new(false),
            paused: Cell::new(false),
            finished: Cell::new(false),
            spoke: Cell::new(false),
            task: RefCell::default(),
        }
    }

    /// Writes what is there. Where the peer takes no more, its task goes on later; a connection
    /// that closes then loses the rest.
    pub(super) fn flush(&self, key: ConnKey, core: &mut Core, now: Now) -> Flushed {
        if let Some(wrapped) = &self.wrapped {
            return wrapped.flush(self, core, now);
        }
        loop {
            let (bytes, close) = core.output(key);
            if bytes.is_empty() {
                self.unblocked(core);
                return if close { Flushed::Close } else { Flushed::All };
            }
            match self.try_write(bytes) {
                Ok(0) => return Flushed::Failed,
                Ok(written) => {
                    core.wrote(key, written, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if close {
                        return Flushed::Close;
                    }
                    core.blocked(key, now);
                    self.blocked();
                    return Flushed::All;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Failed,
            }
        }
    }

    /// Writes what the socket takes, at least a byte; 0: it is closed.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.write.try_write(bytes);
        if written.is_ok() {
            self.spoke.set(true);
        }
        written
    }

    /// The socket takes no more for now.
    pub(super) fn blocked(&self) {
        if !self.blocked.replace(true) {
            self.wake();
        }
    }

    /// All is written.
    pub(super) fn unblocked(&self, core: &Core) {
        self.blocked.set(false);
        if self.paused.get() && !core.is_paused(self.key) {
            self.wake();
        }
    }

    pub(super) fn wrapped(&self) -> Option<&Wrapped> {
        self.wrapped.as_deref()
    }

    /// Whether the core knows this connection no more.
    pub(super) fn is_finished(&self) -> bool {
        self.finished.get()
    }

    /// Waits until it does not.
    pub(super) async fn finished(&self) {
        poll_fn(|cx| {
            self.waits(cx.waker());
            match self.finished.get() {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        })
        .await;
    }

    pub(super) fn finish(&self) {
        self.finished.set(true);
        self.wake();
    }

    /// Lets the task look again.
    fn wake(&self) {
        if let Some(task) = &*self.task.borrow() {
            task.wake_by_ref();
        }
    }

    /// The task waits: [`Socket::wake`] is for it.
    fn waits(&self, task: &Waker) {
        let mut known = self.task.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(task)) {
            *known = Some(task.clone());
        }
    }
}

/// What came of one turn of a connection's task.
enum Turn {
    Done,
    /// It took as much as one turn may: there may be more.
    Full,
    /// The peer closed, or the socket broke.
    Closed,
    /// The core ended it.
    Finished,
}

/// Reads until the peer or the core ends the connection.
pub(super) async fn run<A: Application + 'static>(
    shared: Rc<Shared<A>>,
    socket: Rc<Socket>,
    mut read: OwnedReadHalf,
) {
    loop {
        match poll_fn(|cx| turn(&shared, &socket, &mut read, cx)).await {
            Turn::Done => {}
            // A peer that sends without end gets one buffer a turn, as everybody else does.
            Turn::Full => tokio::task::yield_now().await,
            Turn::Closed => {
                shared.forget(socket.key);
                shared.step(|core, app, now| core.closed(socket.key, now, app));
                return;
            }
            Turn::Finished => break,
        }
    }
    let spoke = socket.spoke.get();
    // Sends FIN; nobody else holds the writing half any more.
    drop(socket);
    if !spoke {
        return;
    }
    linger(&shared, &mut read).await;
}

/// Lets the peer read our last words.
pub(super) async fn linger<A>(shared: &Shared<A>, read: &mut OwnedReadHalf) {
    let _ = tokio::time::timeout(LINGER, drain(shared, read)).await;
}

/// Writes where the socket takes bytes again; else reads once into the shared buffer and hands that to the core before
/// anything else can run. Output first, so that a peer that never stops sending gets its own.
fn turn<A: Application + 'static>(
    shared: &Shared<A>,
    socket: &Socket,
    read: &mut OwnedReadHalf,
    cx: &mut Context<'_>,
) -> Poll<Turn> {
    socket.waits(cx.waker());
    if socket.finished.get() {
        return Poll::Ready(Turn::Finished);
    }
    let stream: &TcpStream = socket.write.as_ref();
    if socket.blocked.get() && stream.poll_write_ready(cx).is_ready() {
        flush_alone(shared, socket);
        return Poll::Ready(Turn::Done);
    }
    let (paused, has_more) = {
        let core = shared.core.borrow();
        (core.is_paused(socket.key), core.has_more(socket.key))
    };
    socket.paused.set(paused);
    if paused {
        if has_more {
            // It goes on who knows when: what it caused so far is written now.
            shared.step(|_, _, _| ());
        }
        return Poll::Pending;
    }
    if has_more {
        shared.step(|core, app, now| shared.receive(core, app, now, socket.key, &[]));
        return Poll::Ready(Turn::Full);
    }
    let mut scratch = shared.scratch.borrow_mut();
    let mut buffer = ReadBuf::new(&mut scratch);
    let result = ready!(Pin::new(read).poll_read(cx, &mut buffer));
    if result.is_err() || buffer.filled().is_empty() {
        return Poll::Ready(Turn::Closed);
    }
    match socket.wrapped() {
        None => shared.step(|core, app, now| {
            shared.receive(core, app, now, socket.key, buffer.filled());
        }),
        Some(wrapped) => wrapped.receive(shared, socket, buffer.filled()),
    }
    if buffer.remaining() == 0 || shared.core.borrow().has_more(socket.key) {
        return Poll::Ready(Turn::Full);
    }
    acknowledge(stream);
    Poll::Ready(Turn::Done)
}

/// Lets the kernel acknowledge what was read, now that what it caused has left, and hold the next acknowledgement back
/// until then: else it sends one within each read, and a command waits for it about as long as for all that we do.
/// Nothing depends on it: the kernel acknowledges by itself what we don't.
#[cfg(target_os = "linux")]
fn acknowledge(stream: &TcpStream) {
    let socket = SockRef::from(stream);
    let _ = socket.set_tcp_quickack(true);
    let _ = socket.set_tcp_quickack(false);
}

#[cfg(not(target_os = "linux"))]
fn acknowledge(_: &TcpStream) {}

/// The socket takes bytes again. Writing them may let queued messages follow.
pub(super) fn flush_alone<A: Application + 'static>(shared: &Shared<A>, socket: &Socket) {
    shared.step(|core, app, now| match socket.flush(socket.key, core, now) {
        Flushed::All => {}
        Flushed::Close | Flushed::Failed => {
            shared.forget(socket.key);
            core.closed(socket.key, now, app);
        }
    });
}

/// Throws away what still comes.
async fn drain<A>(shared: &Shared<A>, read: &mut OwnedReadHalf) {
    poll_fn(|cx| {
        loop {
            let mut scratch = shared.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            let result = ready!(Pin::new(&mut *read).poll_read(cx, &mut buffer));
            if result.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(());
            }
        }
    })
    .await;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    #[tokio::test]
    async fn the_kernel_holds_acknowledgements_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connecting = TcpStream::connect(listener.local_addr().unwrap());
        let (accepted, client) = tokio::join!(listener.accept(), connecting);
        let (mut stream, mut client) = (accepted.unwrap().0, client.unwrap());
        for _ in 0..100 {
            client.write_all(b"x").await.unwrap();
            stream.read_u8().await.unwrap();
            acknowledge(&stream);
            let at_once = SockRef::from(&stream).tcp_quickack().unwrap();
            assert!(!at_once, "the next read acknowledges by itself");
        }
    }
}
