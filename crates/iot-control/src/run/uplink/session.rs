//! The two ends of the uplink as MQTT clients: how each connects, and what it hears. Sessions are kept by the brokers at
//! both ends, never here.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rumqttc_v5::{
    AckMode, AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, PersistedAckMode,
    PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
    mqttbytes::{
        QoS,
        v5::{Packet, Publish},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};

/// How long both brokers keep our session and what waits in it.
const SESSION_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Messages that may be on their way to us without an acknowledgement.
const RECEIVE_MAX: u16 = 64;

/// Messages that were heard and wait here. More of QoS 1 than [`RECEIVE_MAX`] can't be.
const HEARD_MAX: usize = 1_024;

/// Requests that wait for a socket.
const REQUESTS_MAX: usize = 64;

/// Seconds without a word after which a broker is asked whether it is there.
const KEEP_ALIVE_S: u16 = 20;

/// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What an end says.
#[derive(Debug)]
pub(super) enum Said {
    Connected,
    Message(Box<Publish>),
    Lost(Box<ConnectionError>),
}

/// An end that connects, or is connected. Dropped, it closes its socket without a goodbye.
pub(super) struct End {
    pub(super) client: AsyncClient,
    pub(super) said: mpsc::Receiver<Said>,
    /// Polls the socket: whoever publishes must not, or both wait for each other.
    _polling: JoinSet<()>,
}

impl End {
    pub(super) fn start(mut options: MqttOptions, packet_bytes_max: u32) -> Self {
        let expiry = u32::try_from(SESSION_EXPIRY.as_secs()).unwrap_or(u32::MAX);
        options
            .set_keep_alive(KEEP_ALIVE_S)
            .set_clean_start(false)
            .set_session_expiry_interval(Some(expiry))
            .set_receive_maximum(Some(RECEIVE_MAX))
            .set_max_packet_size(Some(packet_bytes_max))
            .set_session_store(NothingLeft)
            .set_ack_mode(AckMode::Manual);
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
        let (says, said) = mpsc::channel(HEARD_MAX);
        let mut polling = JoinSet::new();
        polling.spawn_local(poll(events, says));
        Self {
            client,
            said,
            _polling: polling,
        }
    }

    /// Says goodbye, so that there is no last will, and waits until that is sent.
    pub(super) async fn leave(&mut self) {
        if self.client.disconnect().await.is_err() {
            return;
        }
        let gone = async { while !matches!(self.said.recv().await, None | Some(Said::Lost(_))) {} };
        // Who doesn't take it will see that we are gone.
        drop(timeout(GOODBYE_MAX, gone).await);
    }
}

async fn poll(mut events: EventLoop, says: mpsc::Sender<Said>) {
    loop {
        let said = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Said::Connected,
            Ok(Event::Incoming(Packet::Publish(message))) => Said::Message(Box::new(message)),
            Ok(_) => continue,
            Err(error) => {
                // It is the last; a full queue is emptied first.
                drop(says.send(Said::Lost(Box::new(error))).await);
                return;
            }
        };
        // What is not acknowledged may be lost, and has to leave room for what is.
        let is_loose = matches!(&said, Said::Message(message) if message.qos == QoS::AtMostOnce);
        if is_loose && says.capacity() <= usize::from(RECEIVE_MAX) + 2 {
            continue;
        }
        if says.try_send(said).is_err() {
            return;
        }
    }
}

/// The session that this side keeps: nothing is under way, since whatever was comes again from the other end.
#[derive(Debug)]
struct NothingLeft;

type Done<'a, T> =
    std::pin::Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for NothingLeft {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Done<'a, Option<PersistedSession>> {
        let session = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: None,
            outgoing_inflight_upper_limit: None,
            ack_mode: PersistedAckMode::Manual,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async { Ok(Some(session)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Done<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Done<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// Options of a client that speaks through `stream` and never through another socket.
pub(super) fn through(stream: TcpStream, id: &str) -> MqttOptions {
    let stream = Arc::new(Mutex::new(Some(stream)));
    let mut options = MqttOptions::new(id, ("127.0.0.1", 0));
    options.set_socket_connector(move |_, _| {
        let taken = stream.lock().ok().and_then(|mut stream| stream.take());
        async move { taken.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)) }
    });
    options
}

/// Two connected sockets of this process: ours, theirs, and whence theirs sees us.
pub(super) async fn pair() -> io::Result<(TcpStream, TcpStream, std::net::SocketAddr)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let ours = TcpStream::connect(listener.local_addr()?).await?;
    ours.set_nodelay(true)?;
    let address = ours.local_addr()?;
    loop {
        // Another program of this machine may have been faster than we were; it is sent away.
        let (theirs, peer) = listener.accept().await?;
        if peer == address {
            return Ok((ours, theirs, peer));
        }
    }
}
