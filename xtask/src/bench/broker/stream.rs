//! A connection of the load, in clear text or through TLS. Called by the client alone.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// What every system's certificate is for.
pub(crate) const NAME: &str = "localhost";

/// Bytes to a system and back.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Shakes hands with the first bytes that go through it.
    ///
    /// # Errors
    /// These settings can't be used.
    pub(crate) fn new(socket: TcpStream, tls: Option<&Arc<ClientConfig>>) -> Result<Self> {
        let Some(settings) = tls else {
            return Ok(Self::Plain(socket));
        };
        let name = ServerName::try_from(NAME)?;
        let connection = ClientConnection::new(settings.clone(), name)?;
        let stream = StreamOwned::new(connection, socket);
        Ok(Self::Tls(Box::new(stream)))
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => &stream.sock,
        }
    }

    /// Whether sealed bytes wait for the socket.
    pub(crate) fn is_behind(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(stream) => stream.conn.wants_write(),
        }
    }
}

impl Stream {
    /// Hands sealed bytes that wait to the socket.
    ///
    /// # Errors
    /// `WouldBlock` where it takes no more.
    pub(crate) fn push(&mut self) -> io::Result<()> {
        if let Self::Tls(stream) = self {
            while stream.conn.wants_write() {
                stream.conn.write_tls(&mut stream.sock)?;
            }
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(bytes),
            Self::Tls(stream) => stream.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// Trusts the certificates of this CA.
///
/// # Errors
/// The file holds none.
pub(crate) fn trust(ca: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(ca)
        .with_context(|| format!("{} holds no certificate", ca.display()))?;
    roots.add(certificate)?;
    let settings =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
    Ok(Arc::new(settings))
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::{
        bench::broker::{
            generator::Load, ledger::Ledger, mosquitto, ours::Certificate, route::Route,
        },
        shell,
    };

    #[test]
    fn events_go_through_tls_at_each_pace() {
        if shell::installed("mosquitto").is_none() {
            println!("skipped: not installed (mosquitto)");
            return;
        }
        let folder = tempfile::tempdir().expect("a folder for the test");
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).expect("it can be made");
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("there is room");
            path
        };
        let certificate = Certificate {
            ca: file("ca.pem", made.cert.pem()),
            server: file("server.pem", made.cert.pem()),
            key: file("server.key", made.signing_key.serialize_pem()),
        };
        let server = mosquitto::start(folder.path(), Some(&certificate)).expect("mosquitto starts");
        assert!(server.door.tls.is_some());
        let route = Route::relay(1_000);
        let mut ledger = Ledger::new(&route);
        for qos in [0, 1, 2] {
            let mut load = Load::connect(&server.door, &mut ledger, qos).expect("it lets us in");
            let (latencies_us, faults) = load.closed_loop(30, Duration::ZERO).expect("it relays");
            assert_eq!(latencies_us.len(), 30);
            assert!(faults.none(), "{faults:?}");
            let run = load
                .saturated(Duration::from_millis(100))
                .expect("it relays");
            assert!(run.commands > 0 && run.faults.none(), "{:?}", run.faults);
            let open = load
                .open_loop(5_000.0, Duration::from_millis(50))
                .expect("it relays");
            assert_eq!(open.latencies_us.len(), 250);
        }
    }
}
