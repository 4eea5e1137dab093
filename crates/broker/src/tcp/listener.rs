//! Where clients come in, and what their connections are wrapped in.

use std::{cell::RefCell, fmt, rc::Rc, sync::Arc};

use rustls::ServerConfig;
use tokio::net::TcpListener;

use super::{Certificate, Origins};

/// A listening socket: for MQTT as it is, unless said otherwise.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) tls: Option<Tls>,
    /// Pages that may come in, where it takes WebSocket.
    pub(super) websocket: Option<Origins>,
}

impl From<TcpListener> for Listener {
    fn from(socket: TcpListener) -> Self {
        Self {
            socket,
            tls: None,
            websocket: None,
        }
    }
}

impl Listener {
    /// Takes TLS only.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Takes WebSocket only; from browsers, for pages of this host and of these origins.
    #[must_use]
    pub fn with_websocket(mut self, origins: Origins) -> Self {
        self.websocket = Some(origins);
        self
    }
}

/// The certificate of TLS listeners. Clones share it: when it is replaced, the next connection sees the new one, and
/// those that are open stay.
#[derive(Clone)]
pub struct Tls(Rc<RefCell<Arc<ServerConfig>>>);

impl Tls {
    /// Shows this certificate.
    #[must_use]
    pub fn new(certificate: &Certificate) -> Self {
        Self(Rc::new(RefCell::new(Arc::clone(&certificate.config))))
    }

    /// Shows another one from now on.
    pub fn replace(&self, certificate: &Certificate) {
        *self.0.borrow_mut() = Arc::clone(&certificate.config);
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.borrow())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}
