//! The two ends of the uplink as MQTT clients: how each connects, and what it hears. Sessions are kept by the brokers at
//! both ends, never here.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rumqttc_v5::{
    PersistedAckMode, PersistedSession, SessionStore, SessionStoreError, SessionStoreKey,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
    time::timeout,
};

use super::{
    client::{Client, Heard},
    lost::Lost,
};

/// How long both brokers keep our session and what waits in it; of 3.1.1, which has no such time, each in its own way.
const SESSION_EXPIRY: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Messages that may be on their way to us without an acknowledgement.
const RECEIVE_MAX: u16 = 64;

/// Messages that were heard and wait here. More of QoS 1 than [`RECEIVE_MAX`] can't be.
const HEARD_MAX: usize = 1_024;

/// As [`HEARD_MAX`] with 3.1.1, where we can't ask for less: each of QoS 1 has a packet identifier of its own.
const HEARD_THREE_MAX: usize = u16::MAX as usize + HEARD_MAX;

/// Requests that wait for a socket.
const REQUESTS_MAX: usize = 64;

/// What a client of 3.1.1 takes: the largest packet of MQTT (section 2.2.3). It can't ask for less, and a packet that it does
/// not take ends its connection, unacknowledged, and comes again for ever. One of MQTT 5 has no limit for the same
/// reason: brokers are known to go a byte over one that was announced.
const PACKET_BYTES_MAX: usize = 5 + 268_435_455;

/// Seconds without a word after which a broker is asked whether it is there.
const KEEP_ALIVE_S: u16 = 20;

/// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// How long it may take until it is known why a connection is over.
const FATE_MAX: Duration = Duration::from_secs(1);

/// Why an end is over that heard more than there is room for.
pub(super) const OVERRUN: &str = "more came than was asked for";

/// What an end says.
#[derive(Debug)]
pub(super) enum Said {
    Connected {
        /// The broker still has what it kept for us.
        resumes: bool,
    },
    Message(Box<Heard>),
    Lost(Lost),
}

/// An end that connects, or is connected. Dropped, it closes its socket without a goodbye.
pub(super) struct End {
    pub(super) client: Client,
    pub(super) said: mpsc::Receiver<Said>,
    /// Polls the socket: whoever publishes must not, or both wait for each other.
    _polling: JoinSet<()>,
    fate: watch::Receiver<Option<String>>,
}

/// Why an end is over, as the one who polls it knows.
pub(super) struct Fate(watch::Receiver<Option<String>>);

impl Fate {
    /// Why; `None`: it is not over.
    pub(super) async fn why(mut self) -> Option<String> {
        let known = timeout(FATE_MAX, self.0.wait_for(Option::is_some)).await;
        known.ok()?.ok()?.clone()
    }
}

impl End {
    /// A client of MQTT 5 whose session the broker keeps. Of a message that has more than `bytes_max` at our own broker it
    /// says that alone, so that it can be refused.
    pub(super) fn five(mut options: rumqttc_v5::MqttOptions, bytes_max: usize) -> Self {
        let expiry = u32::try_from(SESSION_EXPIRY.as_secs()).unwrap_or(u32::MAX);
        options
            .set_clean_start(false)
            .set_session_expiry_interval(Some(expiry))
            .set_session_store(NothingLeft);
        Self::brief(options, bytes_max)
    }

    /// As [`Self::five`], of whom the broker keeps nothing when it goes.
    pub(super) fn brief(mut options: rumqttc_v5::MqttOptions, bytes_max: usize) -> Self {
        options
            .set_keep_alive(KEEP_ALIVE_S)
            .set_receive_maximum(Some(RECEIVE_MAX))
            .set_unlimited_incoming_packet_size()
            .set_ack_mode(rumqttc_v5::AckMode::Manual);
        let builder = rumqttc_v5::AsyncClient::builder(options);
        let (client, events) = builder.capacity(REQUESTS_MAX).build();
        let (says, said) = mpsc::channel(HEARD_MAX);
        let mut polling = JoinSet::new();
        let (tells, fate) = watch::channel(None);
        let says = Says {
            says,
            tells,
            bytes_max,
        };
        polling.spawn_local(poll_five(client.clone(), events, says));
        Self {
            client: Client::Five(client),
            said,
            _polling: polling,
            fate,
        }
    }

    /// As [`Self::five`], of MQTT 3.1.1.
    pub(super) fn three(mut options: rumqttc::MqttOptions, bytes_max: usize) -> Self {
        options.set_clean_session(false);
        Self::brief_three(options, bytes_max)
    }

    /// As [`Self::three`], of whom the broker keeps nothing when it goes.
    pub(super) fn brief_three(mut options: rumqttc::MqttOptions, bytes_max: usize) -> Self {
        options
            .set_keep_alive(KEEP_ALIVE_S)
            .set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX)
            .set_ack_mode(rumqttc::AckMode::Manual);
        let builder = rumqttc::AsyncClient::builder(options);
        let (client, events) = builder.capacity(REQUESTS_MAX).build();
        let (says, said) = mpsc::channel(HEARD_THREE_MAX);
        let mut polling = JoinSet::new();
        let (tells, fate) = watch::channel(None);
        let says = Says {
            says,
            tells,
            bytes_max,
        };
        polling.spawn_local(poll_three(client.clone(), events, says));
        Self {
            client: Client::Three(client),
            said,
            _polling: polling,
            fate,
        }
    }

    /// Tells why this end is over, also when the end itself is somebody else's by then.
    pub(super) fn fate(&self) -> Fate {
        Fate(self.fate.clone())
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

async fn poll_five(client: rumqttc_v5::AsyncClient, mut events: rumqttc_v5::EventLoop, says: Says) {
    use rumqttc_v5::{Event, mqttbytes::v5::Packet};
    loop {
        let is_told = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(answer))) => says.connected(answer.session_present),
            Ok(Event::Incoming(Packet::Publish(message))) => {
                says.message(Heard::five(&client, message, says.bytes_max))
            }
            Ok(_) => true,
            Err(error) => return says.lost(Lost::five(&error)).await,
        };
        if !is_told {
            return;
        }
    }
}

async fn poll_three(client: rumqttc::AsyncClient, mut events: rumqttc::EventLoop, says: Says) {
    use rumqttc::{Event, Packet};
    loop {
        let is_told = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(answer))) => says.connected(answer.session_present),
            Ok(Event::Incoming(Packet::Publish(message))) => {
                says.message(Heard::three(&client, message, says.bytes_max))
            }
            Ok(_) => true,
            Err(error) => return says.lost(Lost::three(&error)).await,
        };
        if !is_told {
            return;
        }
    }
}

/// Tells what an end says, without waiting for whoever hears it: who waited could not acknowledge any more. False: it is
/// not told, and the connection has to end.
struct Says {
    says: mpsc::Sender<Said>,
    tells: watch::Sender<Option<String>>,
    bytes_max: usize,
}

impl Says {
    fn connected(&self, resumes: bool) -> bool {
        self.says.try_send(Said::Connected { resumes }).is_ok()
    }

    fn message(&self, message: Heard) -> bool {
        // What is not acknowledged may be lost, and has to leave room for what is.
        let room_of_acknowledged =
            self.says.max_capacity() - (HEARD_MAX - usize::from(RECEIVE_MAX));
        if message.ack.is_none() && self.says.capacity() <= room_of_acknowledged + 2 {
            return true;
        }
        let said = Said::Message(Box::new(message));
        let is_told = self.says.try_send(said).is_ok();
        if !is_told {
            self.tells.send_replace(Some(OVERRUN.to_owned()));
        }
        is_told
    }

    /// It is the last; a full queue is emptied first.
    async fn lost(&self, lost: Lost) {
        self.tells.send_replace(Some(lost.why.clone()));
        drop(self.says.send(Said::Lost(lost)).await);
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
pub(super) fn through(stream: TcpStream, id: &str) -> rumqttc_v5::MqttOptions {
    let stream = Arc::new(Mutex::new(Some(stream)));
    let mut options = rumqttc_v5::MqttOptions::new(id, ("127.0.0.1", 0));
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
