//! The way of a simulated module with a key to its dispatcher: datagrams, or topics of the dispatcher's broker. Carries
//! frames; must not know what is in them.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use rumqttc::{
    AsyncClient, Broker, Event as Mqtt, EventLoop, Incoming, LastWill, MqttOptions, PublishOptions,
    QoS,
};
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use wire::{Handle, HelloFlags, Identity, Topic, Will};

/// Pause before a module that lost its connection tries again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Frames that may wait between a module and its own socket, each way; of more the newest are lost.
const WAITING_FRAMES_MAX: usize = 256;

/// How long a goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

/// What carries the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Transport {
    #[default]
    Udp,
    Mqtt,
}

impl FromStr for Transport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "udp" => Ok(Self::Udp),
            "mqtt" => Ok(Self::Mqtt),
            other => Err(format!("no transport is called `{other}`: udp, mqtt")),
        }
    }
}

impl Transport {
    /// What a module says of it in its HELLO.
    pub(super) fn flags(self) -> HelloFlags {
        match self {
            Self::Udp => HelloFlags::UDP,
            Self::Mqtt => HelloFlags::default(),
        }
    }
}

/// What came by it.
pub(super) enum Came {
    Frame(Vec<u8>),
    /// There is another connection.
    Connected,
    /// There is none any more.
    Lost,
}

/// The way.
pub(super) enum Way {
    Udp(UdpSocket, SocketAddr),
    Mqtt(Connection),
}

impl Way {
    /// Opens it for one boot of the module with this identity.
    ///
    /// # Errors
    /// There is no socket.
    pub(super) async fn open(
        (transport, to): (Transport, SocketAddr),
        identity: &Identity,
        boot_id: u64,
    ) -> std::io::Result<Self> {
        Ok(match transport {
            Transport::Udp => Self::Udp(UdpSocket::bind("127.0.0.1:0").await?, to),
            Transport::Mqtt => Self::Mqtt(Connection::to(to, identity, boot_id)),
        })
    }

    /// Whether anything can be sent.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Udp(..) => true,
            Self::Mqtt(connection) => connection.is_open,
        }
    }

    /// What comes next.
    pub(super) async fn receive(&mut self) -> Came {
        match self {
            Self::Udp(socket, _) => {
                let mut room = [0; wire::FRAME_LEN_MAX + 1];
                loop {
                    if let Ok((len, _)) = socket.recv_from(&mut room).await {
                        return Came::Frame(room[..len].to_vec());
                    }
                }
            }
            Self::Mqtt(connection) => connection.receive().await,
        }
    }

    /// Sends a frame. What does not leave is said again.
    pub(super) fn send(&self, frame: &[u8]) {
        match self {
            Self::Udp(socket, to) => drop(socket.try_send_to(frame, *to)),
            Self::Mqtt(connection) => connection.send(frame),
        }
    }

    /// Ends it, once what was sent has left.
    pub(super) async fn close(self) {
        if let Self::Mqtt(connection) = self {
            connection.close().await;
        }
    }
}

/// A connection to a broker, and those after it.
pub(super) struct Connection {
    client: AsyncClient,
    up: String,
    is_open: bool,
    came: mpsc::Receiver<Came>,
    /// Looks after the socket by itself: a connection that comes about must not be dropped because something else happens.
    polling: JoinSet<()>,
}

impl Connection {
    fn to(broker: SocketAddr, identity: &Identity, boot_id: u64) -> Self {
        let handle = Handle::of(&identity.device_public);
        let topic = |topic: Topic| topic.text(identity.site).as_str().to_owned();
        let broker = Broker::tcp(broker.ip().to_string(), broker.port());
        let mut options = MqttOptions::new(format!("{boot_id:016x}"), broker);
        options.set_keep_alive(30);
        options.set_credentials(format!("ic1/{handle}"), "");
        let will = Will { boot_id }.encode();
        let on = topic(Topic::Will(handle));
        options.set_last_will(LastWill::new(on, will.to_vec(), QoS::AtMostOnce, false));
        let builder = AsyncClient::builder(options);
        let (client, mut events) = builder.capacity(WAITING_FRAMES_MAX).build();
        let mut network = events.network_options();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        let (tells, came) = mpsc::channel(WAITING_FRAMES_MAX);
        let mut polling = JoinSet::new();
        let down = topic(Topic::Down(handle));
        polling.spawn_local(poll(client.clone(), events, down, tells));
        Self {
            client,
            up: topic(Topic::Up(handle)),
            is_open: false,
            came,
            polling,
        }
    }

    async fn receive(&mut self) -> Came {
        let Some(came) = self.came.recv().await else {
            return std::future::pending().await;
        };
        match came {
            Came::Frame(_) => {}
            Came::Connected => self.is_open = true,
            Came::Lost => self.is_open = false,
        }
        came
    }

    fn send(&self, frame: &[u8]) {
        let options = PublishOptions::at_most_once();
        if let Err(error) = self.client.try_publish(&*self.up, frame.to_vec(), options) {
            tracing::debug!(%error, "a frame did not leave");
        }
    }

    async fn close(mut self) {
        if self.is_open && self.client.try_disconnect().is_ok() {
            drop(self.came);
            // Who does not take it sees that the connection is over.
            drop(timeout(GOODBYE_MAX, self.polling.join_next()).await);
        }
    }
}

/// Keeps connected until nobody asks what comes, and the goodbye is sent.
async fn poll(client: AsyncClient, mut events: EventLoop, down: String, tells: mpsc::Sender<Came>) {
    loop {
        match events.poll().await {
            Ok(Mqtt::Incoming(Incoming::ConnAck(_))) => {
                if let Err(error) = client.try_subscribe(&*down, QoS::AtMostOnce) {
                    tracing::debug!(%error, "a simulated module can't subscribe");
                }
            }
            Ok(Mqtt::Incoming(Incoming::SubAck(_))) => {
                drop(tells.try_send(Came::Connected));
            }
            Ok(Mqtt::Incoming(Incoming::Publish(message))) => {
                // A frame that finds no room is one that the network lost.
                drop(tells.try_send(Came::Frame(message.payload.to_vec())));
            }
            Ok(_) => {}
            Err(_) if tells.send(Came::Lost).await.is_err() => return,
            Err(_) => sleep(RECONNECT_PAUSE).await,
        }
    }
}
