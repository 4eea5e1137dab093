//! The thread, its sockets, and how much of everything there may be.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::TcpListener,
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hyper::{Request, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::{Mutex, mpsc, oneshot},
    task::{AbortHandle, LocalSet, spawn_local},
    time::{sleep_until, timeout},
};

use crate::{Names, Question, Report, answer};

/// Whoever asks within this time of the last report gets the same.
pub const FRESH: Duration = Duration::from_millis(200);

/// Connections of a listener at a time; the kernel holds some more until there is room.
const CONNECTIONS_MAX: usize = 32;

/// Where there is no room, the connection that is open longest goes once it is as old as this: whoever asks at once is
/// answered by then, and whoever dawdles keeps nobody waiting. It is also what bounds how many come in a second.
const ROOM_AFTER: Duration = Duration::from_millis(250);

/// A connection is closed after this, whatever is left to send: a slow reader holds one of them for so long at most.
const CONNECTION_MAX: Duration = Duration::from_secs(10);

/// For the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(3);

/// Largest head of a request in bytes: the least that hyper takes.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Within this the house must answer; a reload of 10,000 rules takes some hundredths of a second.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Wait after an accept that failed for want of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The running server; ends when dropped.
#[derive(Debug)]
pub struct Web {
    _ends_when_dropped: oneshot::Sender<()>,
}

/// Serves `listeners` on a thread of its own. `questions` needs room for one: more are never asked at a time.
///
/// # Errors
/// The thread or its runtime can't be made, or a listener can't be used.
pub fn start(
    listeners: Vec<TcpListener>,
    names: Names,
    questions: mpsc::Sender<Question>,
) -> io::Result<Web> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listeners: Vec<_> = {
        let _sockets_belong_to = runtime.enter();
        let listeners = listeners.into_iter().map(|listener| {
            listener.set_nonblocking(true)?;
            tokio::net::TcpListener::from_std(listener)
        });
        listeners.collect::<io::Result<_>>()?
    };
    let (stop, stopped) = oneshot::channel();
    thread::Builder::new().name("web".into()).spawn(move || {
        let shared = Rc::new(Shared {
            names,
            questions,
            newest: Mutex::default(),
        });
        let tasks = LocalSet::new();
        for listener in listeners {
            tasks.spawn_local(accept(Rc::clone(&shared), listener));
        }
        // Whether it is told or dropped: it is the end.
        let _ = tasks.block_on(&runtime, stopped);
    })?;
    Ok(Web {
        _ends_when_dropped: stop,
    })
}

struct Shared {
    names: Names,
    questions: mpsc::Sender<Question>,
    /// Held by whoever asks; all others wait for what that one hears.
    newest: Mutex<Option<(Instant, Arc<Report>)>>,
}

async fn accept(shared: Rc<Shared>, listener: tokio::net::TcpListener) {
    let mut open = VecDeque::new();
    loop {
        make_room(&mut open).await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let task = spawn_local(connection(Rc::clone(&shared), stream));
                open.push_back((Instant::now(), task.abort_handle()));
            }
            Err(error) => {
                tracing::warn!(%error, "can't accept an HTTP connection; trying again");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Waits until one more connection may come, and ends the oldest for it where need be.
async fn make_room(open: &mut VecDeque<(Instant, AbortHandle)>) {
    loop {
        open.retain(|(_, task)| !task.is_finished());
        let Some((since, oldest)) = open.front().filter(|_| open.len() >= CONNECTIONS_MAX) else {
            return;
        };
        if since.elapsed() >= ROOM_AFTER {
            tracing::debug!("an HTTP connection went to make room for another one");
            oldest.abort();
            open.pop_front();
        } else {
            sleep_until((*since + ROOM_AFTER).into()).await;
        }
    }
}

/// One connection, one request: who asks every few seconds loses nothing by it, and none waits behind an idle one.
async fn connection(shared: Rc<Shared>, stream: TcpStream) {
    let is_loopback = stream
        .local_addr()
        .is_ok_and(|address| address.ip().to_canonical().is_loopback());
    let service = service_fn(move |request: Request<_>| {
        let shared = Rc::clone(&shared);
        async move {
            let response = match answer::asked(&request, &shared.names, is_loopback) {
                Ok(asked) => answer::answer(asked, shared.report().await.as_deref()),
                Err(refused) => answer::refusal(refused),
            };
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .keep_alive(false)
        .header_read_timeout(HEAD_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_MAX, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "an HTTP connection broke"),
        Err(_) => tracing::debug!("an HTTP connection took too long"),
    }
}

impl Shared {
    /// How the house is doing, [`FRESH`]; `None`: it did not answer in time, or ends.
    async fn report(&self) -> Option<Arc<Report>> {
        let mut newest = self.newest.lock().await;
        if let Some((at, report)) = &*newest
            && at.elapsed() < FRESH
        {
            return Some(Arc::clone(report));
        }
        let (question, report) = oneshot::channel();
        // Full: a question is still there that was not answered in time.
        self.questions.try_send(question).ok()?;
        let report = timeout(ANSWER_MAX, report).await.ok()?.ok()?;
        let report = Arc::new(report);
        *newest = Some((Instant::now(), Arc::clone(&report)));
        Some(report)
    }
}
