//! As much of MQTT 3.1.1 as a load generator needs, written for speed. Called by the bench alone; what it
//! reads comes from brokers that it started itself. Sections are those of the OASIS standard of MQTT 3.1.1.

use std::io::{self, Read};

use anyhow::{Result, bail};

/// User name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

/// What a broker sends, and what the null peer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packet<'a> {
    Connect,
    /// 0 where we are let in (section 3.2.2.3).
    ConnAck {
        code: u8,
    },
    /// The QoS granted, 0x80 where refused (section 3.9.3).
    SubAck {
        code: u8,
    },
    Publish {
        retained: bool,
        qos: u8,
        /// 0 at QoS 0.
        packet_id: u16,
        topic: &'a [u8],
        payload: &'a [u8],
    },
    PubAck,
    /// Wants a PUBREL (section 3.5).
    PubRec {
        packet_id: u16,
    },
    /// Wants a PUBCOMP (section 3.6).
    PubRel {
        packet_id: u16,
    },
    PubComp,
    /// One filter, and the QoS that is wanted (section 3.8.3).
    Subscribe {
        filter: &'a [u8],
        qos: u8,
    },
    Other,
}

/// A clean session without keep-alive (section 3.1).
pub(crate) fn connect(client_id: &str, login: Option<&Login>) -> Vec<u8> {
    let mut body = Vec::new();
    string(&mut body, b"MQTT");
    let flags = if login.is_some() { 0xc2 } else { 0x02 };
    body.extend([4, flags, 0, 0]);
    string(&mut body, client_id.as_bytes());
    if let Some(login) = login {
        string(&mut body, login.user.as_bytes());
        string(&mut body, login.password.as_bytes());
    }
    packet(0x10, &body)
}

/// We are let in (section 3.2).
pub(crate) const CONNACK: [u8; 4] = [0x20, 2, 0, 0];

/// The answer to [`subscribe`] (section 3.9).
pub(crate) fn suback(qos: u8) -> [u8; 5] {
    [0x90, 3, 0, 1, qos]
}

/// One filter (section 3.8).
pub(crate) fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let mut body = vec![0, 1];
    string(&mut body, filter.as_bytes());
    body.push(qos);
    packet(0x82, &body)
}

/// Appends an event (section 3.3); `packet_id` is left out at QoS 0.
pub(crate) fn publish(out: &mut Vec<u8>, topic: &[u8], payload: &[&[u8]], qos: u8, packet_id: u16) {
    let ids = if qos > 0 { 2 } else { 0 };
    let bytes: usize = payload.iter().map(|part| part.len()).sum();
    out.push(0x30 | (qos << 1));
    length(out, 2 + topic.len() + ids + bytes);
    string(out, topic);
    if qos > 0 {
        out.extend(packet_id.to_be_bytes());
    }
    for part in payload {
        out.extend_from_slice(part);
    }
}

/// What acknowledges a message, or a step of its way at QoS 2: PUBACK, PUBREC, PUBREL, PUBCOMP (sections 3.4 to 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Acknowledged = 0x40,
    Received = 0x50,
    Released = 0x62,
    Completed = 0x70,
}

/// Appends an answer.
pub(crate) fn answer(out: &mut Vec<u8>, answer: Answer, packet_id: u16) {
    let [high, low] = packet_id.to_be_bytes();
    out.extend([answer as u8, 2, high, low]);
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    length(&mut out, body.len());
    out.extend_from_slice(body);
    out
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    // All topics and names here are short.
    out.extend((bytes.len() as u16).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Seven bits a byte, lowest first (section 2.2.3).
fn length(out: &mut Vec<u8>, mut bytes: usize) {
    while bytes >= 0x80 {
        out.push((bytes & 0x7f) as u8 | 0x80);
        bytes >>= 7;
    }
    out.push(bytes as u8);
}

/// Bytes of one connection that were read and not yet taken.
pub(crate) struct Inbox {
    bytes: Box<[u8]>,
    taken: usize,
    filled: usize,
}

impl Inbox {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![0; 256 * 1024].into(),
            taken: 0,
            filled: 0,
        }
    }

    /// Reads once.
    ///
    /// # Errors
    /// The stream's own; `UnexpectedEof` where the broker hung up.
    pub(crate) fn fill(&mut self, stream: &mut impl Read) -> io::Result<()> {
        if self.taken == self.filled {
            (self.taken, self.filled) = (0, 0);
        } else if self.filled > self.bytes.len() / 2 {
            // Reads stay large; what is left is a part of a packet.
            self.bytes.copy_within(self.taken..self.filled, 0);
            (self.taken, self.filled) = (0, self.filled - self.taken);
        }
        match stream.read(&mut self.bytes[self.filled..])? {
            0 => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the broker hung up",
            )),
            read => {
                self.filled += read;
                Ok(())
            }
        }
    }

    /// Whether all of a packet is here.
    ///
    /// # Errors
    /// What came is no MQTT.
    pub(crate) fn holds_packet(&self) -> Result<bool> {
        Ok(frame(&self.bytes[self.taken..self.filled])?.is_some())
    }

    /// The next whole packet.
    ///
    /// # Errors
    /// What came is no MQTT.
    pub(crate) fn take(&mut self) -> Result<Option<Packet<'_>>> {
        let open = &self.bytes[self.taken..self.filled];
        let Some((start, end)) = frame(open)? else {
            return Ok(None);
        };
        let range = self.taken + start..self.taken + end;
        let first = open[0];
        self.taken += end;
        parse(first, &self.bytes[range]).map(Some)
    }
}

/// Where the body of the first packet starts and ends, once all of it is here.
fn frame(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (ix, byte) in bytes.iter().enumerate().skip(1).take(4) {
        length |= usize::from(byte & 0x7f) << (7 * (ix - 1));
        if byte & 0x80 == 0 {
            let end = ix + 1 + length;
            return Ok((bytes.len() >= end).then_some((ix + 1, end)));
        }
    }
    if bytes.len() > 4 {
        bail!("a packet's length has more than four bytes");
    }
    Ok(None)
}

fn parse(first: u8, body: &[u8]) -> Result<Packet<'_>> {
    let last = body.last().copied();
    Ok(match (first >> 4, last) {
        (1, _) => Packet::Connect,
        (2, Some(code)) => Packet::ConnAck { code },
        (3, Some(_)) => {
            let (topic, rest) = split(body, 2)
                .and_then(|(length, rest)| split(rest, number(length).into()))
                .ok_or_else(|| anyhow::anyhow!("a PUBLISH is shorter than its topic"))?;
            let qos = first >> 1 & 0x03;
            let ids = if qos == 0 { 0 } else { 2 };
            let (packet_id, payload) =
                split(rest, ids).ok_or_else(|| anyhow::anyhow!("a PUBLISH lacks its packet id"))?;
            Packet::Publish {
                retained: first & 1 == 1,
                qos,
                packet_id: number(packet_id),
                topic,
                payload,
            }
        }
        (4, _) => Packet::PubAck,
        (5, _) => Packet::PubRec {
            packet_id: number(body),
        },
        (6, _) => Packet::PubRel {
            packet_id: number(body),
        },
        (7, _) => Packet::PubComp,
        (8, Some(qos)) => Packet::Subscribe {
            filter: body.get(4..body.len() - 1).unwrap_or_default(),
            qos,
        },
        (9, Some(code)) => Packet::SubAck { code },
        _ => Packet::Other,
    })
}

fn split(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(at)
}

/// Big-endian; 0 where there are no bytes.
fn number(bytes: &[u8]) -> u16 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u16::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `bytes` in pieces and collects what comes out, as text.
    fn read(bytes: &[u8], piece: usize) -> Vec<String> {
        let mut inbox = Inbox::new();
        let mut packets = Vec::new();
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                inbox.fill(&mut piece).expect("there are bytes");
                while let Some(packet) = inbox.take().expect("they are MQTT") {
                    packets.push(format!("{packet:?}"));
                }
            }
        }
        packets
    }

    #[test]
    fn packets_are_read_however_the_bytes_are_cut() {
        let mut bytes = vec![0x20, 2, 0, 5, 0x90, 3, 0, 1, 1];
        let long = [b'7'; 300];
        publish(&mut bytes, b"a/b", &[b"{", &long], 1, 513);
        publish(&mut bytes, b"a/b", &[b"1"], 0, 0);
        for step in [
            Answer::Acknowledged,
            Answer::Received,
            Answer::Released,
            Answer::Completed,
        ] {
            answer(&mut bytes, step, 513);
        }
        let whole = read(&bytes, bytes.len());
        assert_eq!(whole.len(), 8);
        assert_eq!(whole[0], "ConnAck { code: 5 }");
        assert_eq!(whole[1], "SubAck { code: 1 }");
        assert!(whole[2].contains("packet_id: 513"), "{}", whole[2]);
        assert!(whole[3].contains("payload: [49]"), "{}", whole[3]);
        assert_eq!(whole[4], "PubAck");
        assert_eq!(whole[5], "PubRec { packet_id: 513 }");
        assert_eq!(whole[6], "PubRel { packet_id: 513 }");
        assert_eq!(whole[7], "PubComp");
        for piece in [1, 2, 3, 7, 100] {
            assert_eq!(read(&bytes, piece), whole);
        }
    }

    #[test]
    fn what_a_client_asks_is_read_back() {
        let asked = [connect("id", None), subscribe("a/+", 2)].concat();
        let packets = read(&asked, asked.len());
        assert_eq!(packets[0], "Connect");
        let filter = format!("{:?}", b"a/+");
        assert_eq!(
            packets[1],
            format!("Subscribe {{ filter: {filter}, qos: 2 }}")
        );
    }

    #[test]
    fn a_full_inbox_moves_its_rest_to_the_front() {
        let mut bytes = Vec::new();
        for _ in 0..10_000 {
            publish(&mut bytes, b"some/topic", &[&[0; 90]], 0, 0);
        }
        assert_eq!(read(&bytes, 100_000).len(), 10_000);
    }

    #[test]
    fn a_login_stands_in_the_connect() {
        let login = Login {
            user: "u".into(),
            password: "p".into(),
        };
        let bytes = connect("id", Some(&login));
        let body = b"\x00\x04MQTT\x04\xc2\x00\x00\x00\x02id\x00\x01u\x00\x01p";
        assert_eq!(bytes, [&[0x10, body.len() as u8], &body[..]].concat());
    }
}
