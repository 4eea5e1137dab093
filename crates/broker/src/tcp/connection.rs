//! One socket: a task that reads it, and the half that everybody may write to.

use std::{
    cell::Cell,
    future::poll_fn,
    io,
    pin::Pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    sync::Notify,
};
use types::Now;

use super::Shared;
use crate::{Application, ConnKey, Core};

/// How long a closed socket still takes (and throws away) what the peer sends. Closing with unread
/// bytes would reset the connection and could destroy our last words.
const LINGER: Duration = Duration::from_secs(1);

/// The writing half, and what its task has to know.
pub(super) struct Socket {
    pub(super) key: ConnKey,
    write: OwnedWriteHalf,
    /// The socket takes no more: the task waits until it does.
    blocked: Cell<bool>,
    /// The core wants no more input for now.
    paused: Cell<bool>,
    /// The core knows this connection no more.
    finished: Cell<bool>,
    /// Something was written: the peer may be about to read last words.
    spoke: Cell<bool>,
    wake: Notify,
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
    pub(super) fn new(key: ConnKey, write: OwnedWriteHalf) -> Self {
        Self {
            key,
            write,
            blocked: Cell::new(false),
            paused: Cell::new(false),
            finished: Cell::new(false),
            spoke: Cell::new(false),
            wake: Notify::new(),
        }
    }

    /// Writes what is there. Where the peer takes no more, its task goes on later; a connection
    /// that closes then loses the rest.
    pub(super) fn flush(&self, key: ConnKey, core: &mut Core, now: Now) -> Flushed {
        loop {
            let (bytes, close) = core.output(key);
            if bytes.is_empty() {
                self.blocked.set(false);
                if self.paused.get() && !core.is_paused(key) {
                    self.wake.notify_one();
                }
                return if close { Flushed::Close } else { Flushed::All };
            }
            match self.write.try_write(bytes) {
                Ok(0) => return Flushed::Failed,
                Ok(written) => {
                    self.spoke.set(true);
                    core.wrote(key, written, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if close {
                        return Flushed::Close;
                    }
                    core.blocked(key, now);
                    if !self.blocked.replace(true) {
                        self.wake.notify_one();
                    }
                    return Flushed::All;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Flushed::Failed,
            }
        }
    }

    pub(super) fn finish(&self) {
        self.finished.set(true);
        self.wake.notify_one();
    }
}

enum Happened {
    Read,
    /// As much as one turn takes: there may be more.
    ReadFull,
    /// The peer closed, or the socket broke.
    Closed,
    Writable,
    Woken,
}

/// Reads until the peer or the core ends the connection.
pub(super) async fn run<A: Application + 'static>(
    shared: Rc<Shared<A>>,
    socket: Rc<Socket>,
    mut read: OwnedReadHalf,
) {
    let key = socket.key;
    while !socket.finished.get() {
        socket.paused.set(shared.core.borrow().is_paused(key));
        let happened = tokio::select! {
            biased;
            // Output first, so that a peer that never stops sending gets its own; what `wake` tells is looked at
            // in each turn anyway.
            _ = socket.write.writable(), if socket.blocked.get() => Happened::Writable,
            happened = read_once(&shared, key, &mut read), if !socket.paused.get() => happened,
            () = socket.wake.notified() => Happened::Woken,
        };
        match happened {
            Happened::Read | Happened::Woken => {}
            // A peer that sends without end gets one buffer a turn, as everybody else does.
            Happened::ReadFull => tokio::task::yield_now().await,
            Happened::Writable => flush_alone(&shared, &socket),
            Happened::Closed => {
                shared.forget(key);
                shared.step(|core, app, now| core.closed(key, now, app));
                return;
            }
        }
    }
    let spoke = socket.spoke.get();
    // Sends FIN; nobody else holds the writing half any more.
    drop(socket);
    if !spoke {
        return;
    }
    let _ = tokio::time::timeout(LINGER, drain(&shared, &mut read)).await;
}

/// Reads once into the shared buffer and hands it to the core before anything else can run.
async fn read_once<A: Application + 'static>(
    shared: &Shared<A>,
    key: ConnKey,
    read: &mut OwnedReadHalf,
) -> Happened {
    poll_fn(|cx| {
        let mut scratch = shared.scratch.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        let result = ready!(Pin::new(&mut *read).poll_read(cx, &mut buffer));
        if result.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(Happened::Closed);
        }
        shared.step(|core, app, now| core.receive(key, buffer.filled(), now, app));
        let is_full = buffer.remaining() == 0;
        Poll::Ready(if is_full {
            Happened::ReadFull
        } else {
            Happened::Read
        })
    })
    .await
}

/// The socket takes bytes again. Writing them may let queued messages follow.
fn flush_alone<A: Application + 'static>(shared: &Shared<A>, socket: &Socket) {
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
