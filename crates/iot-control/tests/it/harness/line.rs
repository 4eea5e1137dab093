//! The way of a module to its dispatcher: datagrams, or an MQTT 3.1.1 connection of its own to a broker, with its three
//! topics. One that is lost is made again, as firmware does.

use std::{io::ErrorKind, net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
    time::{Instant, sleep_until},
};
use wire::{Handle, HelloFlags, Identity, Topic, Will};

use super::{
    house::Login,
    packet::{self, text},
    wait::Log,
};

/// Pause between two tries to connect: nothing tells that a broker listens again.
const AGAIN_EVERY: Duration = Duration::from_millis(50);

/// Where a module goes.
#[derive(Clone, Debug)]
pub enum To {
    /// Datagrams to there.
    Udp(SocketAddr),
    /// A broker.
    Mqtt(At),
}

/// A broker on this machine.
#[derive(Clone, Debug)]
pub struct At {
    /// Its port.
    pub port: u16,
    /// What it asks for; `None`: it is the house's own.
    pub login: Option<Login>,
}

impl From<SocketAddr> for To {
    fn from(to: SocketAddr) -> Self {
        Self::Udp(to)
    }
}

impl From<At> for To {
    fn from(at: At) -> Self {
        Self::Mqtt(at)
    }
}

impl To {
    /// What a module says of it in its HELLO.
    pub fn flags(&self) -> HelloFlags {
        match self {
            Self::Udp(_) => HelloFlags::UDP,
            Self::Mqtt(_) => HelloFlags::default(),
        }
    }
}

/// What came.
pub enum Came {
    Frame(Vec<u8>),
    /// There is another connection.
    Connected,
}

/// The way.
pub struct Line {
    way: Way,
    said: Log<Vec<u8>>,
}

enum Way {
    Udp(UdpSocket, SocketAddr),
    Mqtt(Box<Mqtt>),
}

struct Mqtt {
    at: At,
    login: Login,
    topics: [String; 3],
    boot_id: u64,
    /// Of this boot so far, those that its broker took.
    connections: Log<()>,
    stream: Option<TcpStream>,
    is_subscribed: bool,
    bytes: Vec<u8>,
    /// Not earlier is it tried to connect again.
    again: Instant,
}

impl Line {
    /// Of one boot of a module; what it sends is noted in `said`, each connection in `connections`.
    pub async fn to(
        to: To,
        identity: &Identity,
        boot_id: u64,
        (said, connections): (Log<Vec<u8>>, Log<()>),
    ) -> Self {
        let way = match to {
            To::Udp(to) => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                Way::Udp(socket, to)
            }
            To::Mqtt(at) => {
                let handle = Handle::of(&identity.device_public);
                let topics = [Topic::Up, Topic::Down, Topic::Will].map(|of| topic(identity, of));
                let own = Login {
                    user: format!("ic1/{handle}"),
                    password: String::new(),
                };
                Way::Mqtt(Box::new(Mqtt {
                    login: at.login.clone().unwrap_or(own),
                    at,
                    topics,
                    boot_id,
                    connections,
                    stream: None,
                    is_subscribed: false,
                    bytes: Vec::new(),
                    again: Instant::now(),
                }))
            }
        };
        Self { way, said }
    }

    /// Whether anything can be sent.
    pub fn is_open(&self) -> bool {
        match &self.way {
            Way::Udp(..) => true,
            Way::Mqtt(mqtt) => mqtt.is_subscribed,
        }
    }

    /// Sends a frame; what does not leave is lost.
    pub async fn send(&mut self, frame: &[u8]) {
        self.said.push(frame.to_vec());
        match &mut self.way {
            // A dispatcher that is gone comes back as an error here.
            Way::Udp(socket, to) => drop(socket.send_to(frame, *to).await),
            Way::Mqtt(mqtt) => {
                let mut body = text(mqtt.topics[0].as_bytes());
                body.extend(frame);
                mqtt.write(0x30, &body).await;
            }
        }
    }

    /// Waits until [`Self::receive`] has something to do. It may be dropped before that.
    pub async fn ready(&self) {
        match &self.way {
            Way::Udp(socket, _) => drop(socket.readable().await),
            Way::Mqtt(mqtt) => match &mqtt.stream {
                Some(stream) => drop(stream.readable().await),
                None => sleep_until(mqtt.again).await,
            },
        }
    }

    /// What came; a connection that is lost is tried again.
    pub async fn receive(&mut self) -> Vec<Came> {
        match &mut self.way {
            Way::Udp(socket, _) => {
                let mut room = [0; wire::FRAME_LEN_MAX + 1];
                let came = socket.try_recv_from(&mut room).into_iter();
                came.map(|(len, _)| Came::Frame(room[..len].to_vec()))
                    .collect()
            }
            Way::Mqtt(mqtt) => mqtt.receive().await,
        }
    }

    /// Breaks its connection to a broker; datagrams have none.
    pub fn lose(&mut self) {
        if let Way::Mqtt(mqtt) = &mut self.way {
            mqtt.lose();
        }
    }

    /// Says goodbye; without it a broker publishes the last will.
    pub async fn leave(mut self) {
        if let Way::Mqtt(mqtt) = &mut self.way {
            mqtt.write(0xE0, &[]).await;
        }
    }
}

impl Mqtt {
    async fn receive(&mut self) -> Vec<Came> {
        let Some(stream) = &self.stream else {
            self.connect().await;
            return Vec::new();
        };
        let mut room = [0; 4_096];
        match stream.try_read(&mut room) {
            Ok(0) => self.lose(),
            Ok(len) => self.bytes.extend(&room[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.lose(),
        }
        let mut all = Vec::new();
        while let Some((first, body)) = packet::take(&mut self.bytes) {
            all.extend(self.take(first, &body).await);
        }
        all
    }

    async fn take(&mut self, first: u8, body: &[u8]) -> Option<Came> {
        match first >> 4 {
            2 if body[1] == 0 => {
                let mut subscribe = vec![0, 1];
                subscribe.extend(text(self.topics[1].as_bytes()));
                subscribe.push(0);
                self.write(0x82, &subscribe).await;
                None
            }
            2 => {
                self.lose();
                None
            }
            9 => {
                assert_eq!(body, [0, 1, 0], "its own topic is granted");
                self.is_subscribed = true;
                self.connections.push(());
                Some(Came::Connected)
            }
            3 => {
                let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
                Some(Came::Frame(body[2 + len..].to_vec()))
            }
            _ => None,
        }
    }

    async fn connect(&mut self) {
        self.again = Instant::now() + AGAIN_EVERY;
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.at.port)).await else {
            return;
        };
        stream.set_nodelay(true).unwrap();
        self.stream = Some(stream);
        let mut body = text(b"MQTT");
        // User, password, a will of QoS 0 that is not retained, clean session; no keep-alive.
        body.extend([4, 0xC6, 0, 0]);
        let id = format!("{:016x}-{}", self.boot_id, self.connections.len());
        body.extend(text(id.as_bytes()));
        body.extend(text(self.topics[2].as_bytes()));
        let will = Will {
            boot_id: self.boot_id,
        };
        body.extend(text(&will.encode()));
        body.extend(text(self.login.user.as_bytes()));
        body.extend(text(self.login.password.as_bytes()));
        self.write(0x10, &body).await;
    }

    async fn write(&mut self, first: u8, body: &[u8]) {
        if let Some(stream) = &mut self.stream
            && stream.write_all(&packet::bytes(first, body)).await.is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.stream = None;
        self.is_subscribed = false;
        self.bytes.clear();
    }
}

/// A topic of a module at a broker.
pub fn topic(identity: &Identity, of: fn(Handle) -> Topic) -> String {
    let handle = Handle::of(&identity.device_public);
    of(handle).text(identity.site).as_str().to_owned()
}
