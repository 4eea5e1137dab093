//! One MQTT client, whatever its make: what goes in and what is waited for is the same for all.

use std::{path::PathBuf, time::Instant};

use serde_json::Value as Json;

use super::{agent, house::Login, kind::Kind, mosquitto, rumqtt, wait::Log};

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Connect {
    /// Port of the broker on this machine.
    pub port: u16,
    /// How it gets there: `mqtt`, `mqtts`, `ws` or `wss`.
    pub scheme: &'static str,
    /// The CA that it trusts, with `mqtts` and `wss`.
    pub ca: Option<PathBuf>,
    /// Client id.
    pub id: String,
    /// User and password; `None`: without.
    pub login: Option<Login>,
    /// What it subscribes to at once, at QoS 1.
    pub filters: Vec<String>,
    /// Its last will.
    pub will: Option<Will>,
}

/// A last will, retained and at QoS 1.
#[derive(Clone, Debug)]
pub struct Will {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: String,
}

/// A message that a client received.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Where.
    pub topic: String,
    /// What.
    pub payload: Vec<u8>,
    /// Whether it was kept for the client.
    pub retain: bool,
    /// Quality of service: 0, 1 or 2.
    pub qos: u8,
    /// When it was here.
    pub at: Instant,
}

impl Message {
    /// The payload as JSON; a bare word as text.
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.payload)
            .unwrap_or_else(|_| Json::from(String::from_utf8_lossy(&self.payload)))
    }
}

/// What a client tells of its connection.
#[derive(Clone, Debug)]
pub enum Said {
    /// The broker took it.
    Connected,
    /// The broker did not; the library's own number.
    Refused(u8),
    /// Its subscriptions were answered: granted QoS, or 0x80 and above.
    Subscribed(Vec<u8>),
    /// A message of QoS 1 was answered: 0, or the reason of MQTT 5.
    Published(u8),
    /// A message came.
    Message(Message),
    /// The connection ended.
    Lost,
}

/// A make of client behind [`Client`].
pub trait Backend {
    /// Hands a message over; for QoS 1 a [`Said::Published`] follows.
    fn publish(&mut self, topic: &str, payload: &[u8], qos: u8, retain: bool);
    /// Says goodbye as MQTT has it.
    fn leave(self: Box<Self>);
    /// Is gone without a word, as after a power cut.
    fn vanish(self: Box<Self>);
}

/// A connected client; vanishes when dropped.
pub struct Client {
    backend: Option<Box<dyn Backend>>,
    said: Log<Said>,
    grants: Vec<u8>,
}

impl Client {
    /// Connects and subscribes.
    ///
    /// # Errors
    /// The broker's refusal.
    pub fn connect(kind: Kind, connect: &Connect) -> Result<Self, u8> {
        let said = Log::default();
        let backend: Box<dyn Backend> = match kind {
            Kind::Mosquitto => Box::new(mosquitto::start(connect, &said)),
            Kind::Paho | Kind::MqttJs => Box::new(agent::start(kind, connect, &said)),
            Kind::RumqttcV4 => Box::new(rumqtt::v4::start(connect, &said)),
            Kind::RumqttcV5 => Box::new(rumqtt::v5::start(connect, &said)),
        };
        let mut client = Self {
            backend: Some(backend),
            said,
            grants: Vec::new(),
        };
        client.said.find(0, "CONNACK", |said| match said {
            Said::Connected => Some(Ok(())),
            Said::Refused(code) => Some(Err(*code)),
            Said::Lost => Some(Err(u8::MAX)),
            _ => None,
        })?;
        if !connect.filters.is_empty() {
            client.grants = client.said.find(0, "SUBACK", |said| match said {
                Said::Subscribed(grants) => Some(grants.clone()),
                _ => None,
            });
        }
        Ok(client)
    }

    /// What its subscriptions were answered with, in order.
    pub fn grants(&self) -> &[u8] {
        &self.grants
    }

    /// Publishes at QoS 1 and waits for the answer: 0, or the reason of MQTT 5.
    pub fn publish(&mut self, topic: &str, payload: &str) -> u8 {
        self.publish_bytes(topic, payload.as_bytes(), false)
    }

    /// Publishes at QoS 1 and waits for nothing; [`Self::answers`] counts what came.
    pub fn publish_only(&mut self, topic: &str, payload: &str) {
        let backend = self.backend.as_mut().unwrap();
        backend.publish(topic, payload.as_bytes(), 1, false);
    }

    /// How many messages of QoS 1 were answered so far.
    pub fn answers(&self) -> usize {
        let said = self.said.since(0).into_iter();
        said.filter(|said| matches!(said, Said::Published(_)))
            .count()
    }

    /// Waits until so many were answered.
    pub fn answered(&self, count: usize) {
        super::wait::until("answers", || (self.answers() >= count).then_some(()));
    }

    /// As [`Self::publish`], retained.
    pub fn publish_retained(&mut self, topic: &str, payload: &str) -> u8 {
        self.publish_bytes(topic, payload.as_bytes(), true)
    }

    /// As [`Self::publish`], of any bytes.
    pub fn publish_bytes(&mut self, topic: &str, payload: &[u8], retain: bool) -> u8 {
        let start = self.said.len();
        self.backend
            .as_mut()
            .unwrap()
            .publish(topic, payload, 1, retain);
        let what = format!("the answer to a message on {topic}");
        self.said.find(start, &what, |said| match said {
            Said::Published(reason) => Some(*reason),
            _ => None,
        })
    }

    /// Publishes without waiting for anything.
    pub fn send(&mut self, topic: &str, payload: &[u8], qos: u8) {
        let backend = self.backend.as_mut().unwrap();
        backend.publish(topic, payload, qos, false);
    }

    /// A place to wait from: what came before is not looked at.
    pub fn mark(&self) -> usize {
        self.said.len()
    }

    /// Waits for a message that came after `mark`.
    pub fn find(&self, mark: usize, what: &str, found: impl Fn(&Message) -> bool) -> Message {
        self.said.find(mark, what, |said| match said {
            Said::Message(message) if found(message) => Some(message.clone()),
            _ => None,
        })
    }

    /// Waits for a message on `topic` whose payload has `field` = `value`.
    pub fn field(&self, mark: usize, topic: &str, field: &str, value: impl Into<Json>) -> Message {
        let value = value.into();
        let what = format!("{topic} with {field}={value}");
        self.find(mark, &what, |message| {
            message.topic == topic && message.json()[field] == value
        })
    }

    /// Waits for a message on `topic` with just this payload.
    pub fn text(&self, mark: usize, topic: &str, payload: &str) -> Message {
        self.find(mark, &format!("{topic} {payload}"), |message| {
            message.topic == topic && message.payload == payload.as_bytes()
        })
    }

    /// All messages that came after `mark` and until now.
    pub fn messages(&self, mark: usize) -> Vec<Message> {
        let said = self.said.since(mark).into_iter();
        said.filter_map(|said| match said {
            Said::Message(message) => Some(message),
            _ => None,
        })
        .collect()
    }

    /// Waits until the connection is over.
    pub fn lost(&self) {
        self.said.find(0, "the end of the connection", |said| {
            matches!(said, Said::Lost).then_some(())
        });
    }

    /// Says goodbye.
    pub fn leave(mut self) {
        self.backend.take().unwrap().leave();
    }

    /// Is cut off, as by a power cut.
    pub fn vanish(self) {
        drop(self);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(backend) = self.backend.take() {
            backend.vanish();
        }
    }
}
