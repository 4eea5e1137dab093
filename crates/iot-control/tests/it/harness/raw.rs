//! An MQTT 3.1.1 client that does nothing by itself: each packet is sent and awaited by the test, so that a kill can come
//! between any two.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::{
    house::Login,
    packet::{self, text},
    wait::PATIENCE,
};

/// A packet from the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connack {
        present: bool,
        code: u8,
    },
    Publish(Sent),
    /// An answer: packet type and packet id.
    Ack(u8, u16),
}

/// A PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub topic: String,
    pub payload: String,
    pub qos: u8,
    pub retain: bool,
    pub dup: bool,
    pub id: u16,
}

pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBREL: u8 = 6;
pub const PUBCOMP: u8 = 7;
pub const SUBACK: u8 = 9;
pub const UNSUBACK: u8 = 11;

/// A connection.
pub struct Raw {
    stream: TcpStream,
    /// It came while something else was awaited.
    early: Vec<Packet>,
}

impl Raw {
    /// Connects and keeps the session; says whether there was one.
    pub fn connect(port: u16, id: &str, login: Option<&Login>) -> (Self, bool) {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut body = text(b"MQTT");
        let flags = if login.is_some() { 0xC0 } else { 0 };
        body.extend([4, flags, 0, 0]);
        body.extend(text(id.as_bytes()));
        if let Some(login) = login {
            body.extend(text(login.user.as_bytes()));
            body.extend(text(login.password.as_bytes()));
        }
        let mut raw = Self {
            stream,
            early: Vec::new(),
        };
        raw.send(0x10, &body).unwrap();
        match raw.next().unwrap() {
            Packet::Connack { present, code: 0 } => (raw, present),
            other => panic!("it is let in: {other:?}"),
        }
    }

    /// Subscribes, and waits for the answer.
    pub fn subscribe(&mut self, filter: &str, qos: u8) {
        let mut body = vec![0, 1];
        body.extend(text(filter.as_bytes()));
        body.push(qos);
        self.send(0x82, &body).unwrap();
        self.answer(SUBACK, 1);
    }

    /// Takes a subscription back, and waits for the answer.
    pub fn unsubscribe(&mut self, filter: &str) {
        let mut body = vec![0, 2];
        body.extend(text(filter.as_bytes()));
        self.send(0xA2, &body).unwrap();
        self.answer(UNSUBACK, 2);
    }

    /// Sends a PUBLISH and waits for nothing.
    ///
    /// # Errors
    /// The connection is over.
    pub fn publish(&mut self, sent: &Sent) -> std::io::Result<()> {
        let first = 0x30 | u8::from(sent.dup) << 3 | sent.qos << 1 | u8::from(sent.retain);
        let mut body = text(sent.topic.as_bytes());
        if sent.qos > 0 {
            body.extend(sent.id.to_be_bytes());
        }
        body.extend(sent.payload.as_bytes());
        self.send(first, &body)
    }

    /// Answers a packet id.
    pub fn ack(&mut self, kind: u8, id: u16) {
        let flags = if kind == PUBREL { 2 } else { 0 };
        self.send(kind << 4 | flags, &id.to_be_bytes()).unwrap();
    }

    /// Waits for an answer to a packet id; messages that come before it are looked at later.
    pub fn answer(&mut self, kind: u8, id: u16) {
        let wanted = Packet::Ack(kind, id);
        loop {
            match self.read().unwrap() {
                packet if packet == wanted => return,
                packet => self.early.push(packet),
            }
        }
    }

    /// The next packet.
    ///
    /// # Errors
    /// The connection is over, or nothing came in time.
    pub fn next(&mut self) -> std::io::Result<Packet> {
        if self.early.is_empty() {
            self.read()
        } else {
            Ok(self.early.remove(0))
        }
    }

    /// The next message.
    pub fn message(&mut self) -> Sent {
        match self.next().unwrap() {
            Packet::Publish(sent) => sent,
            other => panic!("a message: {other:?}"),
        }
    }

    /// All that comes before the answer to a PINGREQ: nothing else is on its way.
    pub fn rest(&mut self) -> Vec<Packet> {
        self.send(0xC0, &[]).unwrap();
        let mut rest = std::mem::take(&mut self.early);
        loop {
            match self.read().unwrap() {
                Packet::Ack(PONG, _) => return rest,
                packet => rest.push(packet),
            }
        }
    }

    /// Says goodbye.
    pub fn leave(mut self) {
        self.send(0xE0, &[]).unwrap();
        // Its end is the broker's.
        while self.read().is_ok() {}
    }

    fn send(&mut self, first: u8, body: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(&packet::bytes(first, body))
    }

    fn read(&mut self) -> std::io::Result<Packet> {
        let first = self.byte()?;
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            len |= usize::from(byte & 0x7F) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.stream.read_exact(&mut body)?;
        let id = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        Ok(match first >> 4 {
            2 => Packet::Connack {
                present: body[0] == 1,
                code: body[1],
            },
            3 => {
                let qos = first >> 1 & 3;
                let end = 2 + usize::from(id(0));
                let start = if qos > 0 { end + 2 } else { end };
                Packet::Publish(Sent {
                    topic: String::from_utf8_lossy(&body[2..end]).into_owned(),
                    payload: String::from_utf8_lossy(&body[start..]).into_owned(),
                    qos,
                    retain: first & 1 == 1,
                    dup: first & 8 == 8,
                    id: if qos > 0 { id(end) } else { 0 },
                })
            }
            PONG => Packet::Ack(PONG, 0),
            kind => Packet::Ack(kind, id(0)),
        })
    }

    fn byte(&mut self) -> std::io::Result<u8> {
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }
}

const PONG: u8 = 13;

/// A message to be sent.
pub fn sent(topic: &str, payload: &str, qos: u8, id: u16) -> Sent {
    Sent {
        topic: topic.to_owned(),
        payload: payload.to_owned(),
        qos,
        retain: false,
        dup: false,
        id,
    }
}
