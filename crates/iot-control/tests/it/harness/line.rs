//! The way of a module to its dispatcher: datagrams, or an MQTT 3.1.1 connection of its own to a broker, with its three
//! topics. One that is lost is made again, as firmware does.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use wire::{Handle, HelloFlags, Identity, Topic, Will};

use super::{house::Login, wait::Log};

/// How long a module looks at its socket before it looks whether its pins say something.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Pause between two tries to connect.
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
    Nothing,
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
    tried: Option<Instant>,
}

impl Line {
    /// Of one boot of a module; what it sends is noted in `said`, each connection in `connections`.
    pub fn to(
        to: To,
        identity: &Identity,
        boot_id: u64,
        (said, connections): (Log<Vec<u8>>, Log<()>),
    ) -> Self {
        let way = match to {
            To::Udp(to) => {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                socket.set_read_timeout(Some(LOOK_EVERY)).unwrap();
                Way::Udp(socket, to)
            }
            To::Mqtt(at) => {
                let handle = Handle::of(&identity.device_public);
                let topics = [Topic::Up(handle), Topic::Down(handle), Topic::Will(handle)];
                let topics = topics.map(|topic| topic.text(identity.site).as_str().to_owned());
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
                    tried: None,
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
    pub fn send(&mut self, frame: &[u8]) {
        self.said.push(frame.to_vec());
        match &mut self.way {
            // A dispatcher that is gone comes back as an error here.
            Way::Udp(socket, to) => drop(socket.send_to(frame, *to)),
            Way::Mqtt(mqtt) => {
                let mut body = text(mqtt.topics[0].as_bytes());
                body.extend(frame);
                mqtt.write(0x30, &body);
            }
        }
    }

    /// What comes next, within a moment.
    pub fn receive(&mut self) -> Came {
        match &mut self.way {
            Way::Udp(socket, _) => {
                let mut room = [0; wire::FRAME_LEN_MAX + 1];
                match socket.recv_from(&mut room) {
                    Ok((len, _)) => Came::Frame(room[..len].to_vec()),
                    Err(_) => Came::Nothing,
                }
            }
            Way::Mqtt(mqtt) => mqtt.receive(),
        }
    }

    /// Breaks its connection to a broker; datagrams have none.
    pub fn lose(&mut self) {
        if let Way::Mqtt(mqtt) = &mut self.way {
            mqtt.lose();
        }
    }

    /// Says goodbye; without it a broker publishes the last will.
    pub fn leave(mut self) {
        if let Way::Mqtt(mqtt) = &mut self.way {
            mqtt.write(0xE0, &[]);
        }
    }
}

impl Mqtt {
    fn receive(&mut self) -> Came {
        if self.stream.is_none() {
            self.connect();
        }
        let Some(stream) = &mut self.stream else {
            std::thread::sleep(LOOK_EVERY);
            return Came::Nothing;
        };
        if let Some((first, body)) = packet(&mut self.bytes) {
            return self.take(first, &body);
        }
        let mut room = [0; 4_096];
        match stream.read(&mut room) {
            Ok(0) => self.lose(),
            Ok(len) => self.bytes.extend(&room[..len]),
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
            Err(_) => self.lose(),
        }
        Came::Nothing
    }

    fn take(&mut self, first: u8, body: &[u8]) -> Came {
        match first >> 4 {
            2 if body[1] == 0 => {
                let mut subscribe = vec![0, 1];
                subscribe.extend(text(self.topics[1].as_bytes()));
                subscribe.push(0);
                self.write(0x82, &subscribe);
                Came::Nothing
            }
            2 => {
                self.lose();
                Came::Nothing
            }
            9 => {
                assert_eq!(body, [0, 1, 0], "its own topic is granted");
                self.is_subscribed = true;
                self.connections.push(());
                Came::Connected
            }
            3 => {
                let len = usize::from(u16::from_be_bytes([body[0], body[1]]));
                Came::Frame(body[2 + len..].to_vec())
            }
            _ => Came::Nothing,
        }
    }

    fn connect(&mut self) {
        if { self.tried }.is_some_and(|tried| tried.elapsed() < AGAIN_EVERY) {
            return;
        }
        self.tried = Some(Instant::now());
        let Ok(stream) = TcpStream::connect(("127.0.0.1", self.at.port)) else {
            return;
        };
        stream.set_read_timeout(Some(LOOK_EVERY)).unwrap();
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
        self.write(0x10, &body);
    }

    fn write(&mut self, first: u8, body: &[u8]) {
        let mut bytes = vec![first];
        let mut len = body.len();
        while len > 0x7F {
            bytes.push((len & 0x7F) as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes.extend(body);
        let stream = self.stream.as_mut();
        if stream.is_some_and(|stream| stream.write_all(&bytes).is_err()) {
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.stream = None;
        self.is_subscribed = false;
        self.bytes.clear();
    }
}

/// Bytes with their length in front, as MQTT has texts.
fn text(text: &[u8]) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text);
    bytes
}

/// Takes a whole packet out of what came: its first byte and its body.
fn packet(bytes: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (mut len, mut at) = (0, 1);
    loop {
        let byte = *bytes.get(at)?;
        len |= usize::from(byte & 0x7F) << (7 * (at - 1));
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    if bytes.len() < at + len {
        return None;
    }
    let rest = bytes.split_off(at + len);
    let whole = std::mem::replace(bytes, rest);
    Some((whole[0], whole[at..].to_vec()))
}
