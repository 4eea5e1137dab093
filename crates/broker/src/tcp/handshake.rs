//! TLS handshakes: each step of one is a turn of a worker, which takes from one address after the other, so that whoever
//! opens many waits for itself and nobody else for signatures.
//!
//! Called by [`super::wrapped`]. How many there may be, of one address and of all, and for how long, says the core: until
//! its CONNECT a connection counts as unconnected, and goes when it takes too long or is one too many.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use rustls::{AlertDescription, CertificateError, Error, ServerConfig, ServerConnection};
use tokio::{net::TcpStream, sync::oneshot, task::spawn_blocking};

use crate::turns::Turns;

/// What a client may send until the handshake is done: a hello of post-quantum size, and certificates of its own.
const BYTES_MAX: usize = 32 * 1024;

/// Bytes that are read at a time.
const READ_BYTES: usize = 4 * 1024;

/// Who is at the worker, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    waiting: RefCell<Turns<oneshot::Sender<Turn>>>,
    is_busy: Cell<bool>,
}

/// The right to use the worker; dropped, it goes to the next.
#[derive(Debug)]
struct Turn(Rc<Handshakes>);

impl Drop for Turn {
    fn drop(&mut self) {
        loop {
            let next = self.0.waiting.borrow_mut().pop();
            match next {
                None => return self.0.is_busy.set(false),
                Some(gone) if gone.is_closed() => {}
                // Nothing runs in between: it is taken.
                Some(next) => return drop(next.send(Self(Rc::clone(&self.0)))),
            }
        }
    }
}

/// Why there was no agreement.
#[derive(Debug)]
pub(super) enum Failed {
    /// The peer is gone, without a word that could be told.
    Gone,
    /// This, in words.
    Because(String),
}

/// Agrees with the client. What it is told where that fails is written as well.
pub(super) async fn shake(
    handshakes: &Rc<Handshakes>,
    stream: &TcpStream,
    peer: IpAddr,
    config: Arc<ServerConfig>,
) -> Result<ServerConnection, Failed> {
    let mut bytes = some_bytes(stream).await?;
    let tls = ServerConnection::new(config);
    let mut tls = tls.map_err(|error| Failed::Because(in_words(&error)))?;
    let mut bytes_all = 0;
    loop {
        bytes_all += bytes.len();
        if bytes_all > BYTES_MAX {
            let why = "its TLS handshake is longer than 32 KiB";
            return Err(Failed::Because(why.to_owned()));
        }
        let turn = turn(handshakes, peer).await;
        let stepped = spawn_blocking(move || step(tls, &bytes)).await;
        drop(turn);
        let Ok((stepped, answer, agreed)) = stepped else {
            return Err(Failed::Because("its TLS handshake failed".to_owned()));
        };
        write(stream, &answer).await?;
        agreed.map_err(|error| Failed::Because(in_words(&error)))?;
        if !stepped.is_handshaking() {
            return Ok(stepped);
        }
        tls = stepped;
        bytes = some_bytes(stream).await?;
    }
}

async fn turn(handshakes: &Rc<Handshakes>, peer: IpAddr) -> Turn {
    if !handshakes.is_busy.replace(true) {
        return Turn(Rc::clone(handshakes));
    }
    let (next, mut mine) = oneshot::channel();
    handshakes.waiting.borrow_mut().push(peer, next);
    match (&mut mine).await {
        Ok(turn) => turn,
        // Never: who waits keeps its place until the worker is free.
        Err(_) => std::future::pending().await,
    }
}

/// Runs on the worker: what came, what is to be answered, and whether it makes sense.
fn step(
    mut tls: ServerConnection,
    mut bytes: &[u8],
) -> (ServerConnection, Vec<u8>, Result<(), Error>) {
    let mut done = Ok(());
    while !bytes.is_empty() && done.is_ok() {
        let read = tls.read_tls(&mut bytes);
        done = read
            .map_err(|error| Error::General(error.to_string()))
            .and_then(|_| tls.process_new_packets().map(drop));
    }
    let mut answer = Vec::new();
    while tls.wants_write() && tls.write_tls(&mut answer).is_ok_and(|len| len > 0) {}
    (tls, answer, done)
}

async fn some_bytes(stream: &TcpStream) -> Result<Vec<u8>, Failed> {
    loop {
        stream.readable().await.map_err(|_| Failed::Gone)?;
        // Nobody who sends nothing takes memory.
        let mut bytes = Vec::with_capacity(READ_BYTES);
        match stream.try_read_buf(&mut bytes) {
            Ok(1..) => return Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Err(Failed::Gone),
        }
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> Result<(), Failed> {
    while !bytes.is_empty() {
        stream.writable().await.map_err(|_| Failed::Gone)?;
        match stream.try_write(bytes) {
            Ok(written @ 1..) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return Err(Failed::Gone),
        }
    }
    Ok(())
}

/// What went wrong, and how to mend it where that is known.
pub(super) fn in_words(error: &Error) -> String {
    let hint = match error {
        Error::InvalidMessage(_) => "; is it a client without TLS?",
        Error::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError,
        ) => "; it does not trust this broker: give it the CA's certificate (--cafile)",
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            "; the broker's certificate is over, or the client's clock is wrong"
        }
        Error::NoCertificatesPresented => "; tls.client_ca wants a certificate of each client",
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "; its certificate is not one of tls.client_ca"
        }
        Error::PeerIncompatible(_) => "; it has to speak TLS 1.2 or 1.3",
        _ => "",
    };
    format!("TLS: {error}{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::task::LocalSet;

    #[tokio::test]
    async fn addresses_take_turns_and_who_gave_up_is_passed_over() {
        let local = LocalSet::new();
        local
            .run_until(async {
                let handshakes = Rc::new(Handshakes::default());
                let order = Rc::new(RefCell::new(Vec::new()));
                let first = turn(&handshakes, Ipv4Addr::LOCALHOST.into()).await;
                let mut tasks = Vec::new();
                for (name, last) in [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3)] {
                    let (handshakes, order) = (Rc::clone(&handshakes), Rc::clone(&order));
                    tasks.push(tokio::task::spawn_local(async move {
                        let _turn = turn(&handshakes, Ipv4Addr::new(10, 0, 0, last).into()).await;
                        order.borrow_mut().push(name);
                    }));
                    tokio::task::yield_now().await;
                }
                tasks.swap_remove(4).abort();
                tokio::task::yield_now().await;
                drop(first);
                for task in tasks {
                    task.await.unwrap();
                }
                assert_eq!(*order.borrow(), ["a1", "b1", "a2", "a3"]);
                assert!(!handshakes.is_busy.get());
            })
            .await;
    }
}
