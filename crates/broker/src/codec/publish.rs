//! PUBLISH and its acks, read and written straight from and to buffers.

use std::borrow::Cow;

use super::{Frame, Qos, Version, kind, reader::Reader, varint_bytes};
use crate::{properties, reason::Reason, topic};

/// A PUBLISH as a client sent it; borrows the input.
#[derive(Debug)]
pub(crate) struct Publish<'a> {
    /// Empty only where an alias stands for it.
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// 0 at QoS 0, never else.
    pub(crate) packet_id: u16,
    pub(crate) alias: Option<u16>,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) properties: Cow<'a, [u8]>,
}

/// Reads a PUBLISH.
///
/// # Errors
/// Whatever sections 3.3.1 and 3.3.2 of either version forbid.
pub(crate) fn read<'a>(frame: &Frame<'a>, version: Version) -> Result<Publish<'a>, Reason> {
    let qos = Qos::from_bits(frame.flags >> 1 & 3).ok_or(Reason::MalformedPacket)?;
    let dup = frame.flags & 8 != 0;
    if dup && qos == Qos::AtMostOnce {
        return Err(Reason::MalformedPacket);
    }
    let mut reader = Reader(frame.body);
    let topic = std::str::from_utf8(reader.binary()?).map_err(|_| Reason::MalformedPacket)?;
    let packet_id = if qos == Qos::AtMostOnce {
        0
    } else {
        nonzero(reader.u16()?)?
    };
    let parsed = match version {
        Version::V3 => properties::Parsed::default(),
        Version::V5 => {
            let len = reader.varint()? as usize;
            properties::parse(reader.take(len)?)?
        }
    };
    match (topic.is_empty(), parsed.alias) {
        (_, Some(0)) => return Err(Reason::TopicAliasInvalid),
        (true, None) => return Err(Reason::ProtocolError),
        (true, Some(_)) => {}
        (false, _) if topic::is_name(topic) => {}
        (false, _) => return Err(Reason::MalformedPacket),
    }
    Ok(Publish {
        topic,
        payload: reader.0,
        qos,
        retain: frame.flags & 1 != 0,
        dup,
        packet_id,
        alias: parsed.alias,
        expiry_s: parsed.expiry_s,
        properties: parsed.forwarded,
    })
}

fn nonzero(packet_id: u16) -> Result<u16, Reason> {
    if packet_id == 0 {
        return Err(Reason::ProtocolError);
    }
    Ok(packet_id)
}

/// Reads PUBACK, PUBREC, PUBREL or PUBCOMP: the packet id and the reason code, 0 where left out.
///
/// # Errors
/// Malformed bytes, or a reason code that such a packet can't have.
pub(crate) fn read_ack(frame: &Frame<'_>, version: Version) -> Result<(u16, u8), Reason> {
    let mut reader = Reader(frame.body);
    let packet_id = nonzero(reader.u16()?)?;
    let mut code = 0;
    if version == Version::V5 && !reader.is_empty() {
        code = reader.u8()?;
        if !reasons_of(frame.kind).contains(&code) {
            return Err(Reason::ProtocolError);
        }
        if !reader.is_empty() {
            let len = reader.varint()? as usize;
            reader.take(len)?;
        }
    }
    if !reader.is_empty() {
        return Err(Reason::MalformedPacket);
    }
    Ok((packet_id, code))
}

/// The reason codes of PUBACK and PUBREC, or of PUBREL and PUBCOMP (MQTT 5 sections 3.4.2.1, 3.5.2.1, 3.6.2.1 and 3.7.2.1).
fn reasons_of(kind: u8) -> &'static [u8] {
    match kind {
        kind::PUBACK | kind::PUBREC => &[0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
        _ => &[0, 0x92],
    }
}

/// A PUBLISH to a client.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    /// Ignored at QoS 0.
    pub(crate) packet_id: u16,
    /// Left until the message expires.
    pub(crate) expiry_s: Option<u32>,
    /// Stands for the topic from now on; for one that it stands for already, `topic` is empty.
    pub(crate) alias: Option<u16>,
    pub(crate) properties: &'a [u8],
}

/// Appends a PUBLISH. False, and nothing appended, where it would be larger than `bytes_max`.
/// `subscription_ids` are the identifiers of the subscriptions that asked for it.
pub(crate) fn write(
    out: &mut Vec<u8>,
    version: Version,
    message: &Outgoing<'_>,
    subscription_ids: impl Iterator<Item = u32> + Clone,
    bytes_max: usize,
) -> bool {
    let with_id = message.qos != Qos::AtMostOnce;
    let mut body = 2 + message.topic.len() + 2 * usize::from(with_id) + message.payload.len();
    let mut properties = 0;
    if version == Version::V5 {
        properties = message.properties.len()
            + if message.expiry_s.is_some() { 5 } else { 0 }
            + if message.alias.is_some() { 3 } else { 0 };
        for id in subscription_ids.clone() {
            properties += 1 + varint_bytes(id as usize);
        }
        body += varint_bytes(properties) + properties;
    }
    if 1 + varint_bytes(body) + body > bytes_max {
        return false;
    }
    // A topic comes from a PUBLISH or from the application, whose topics are checked on entry.
    let topic_len = u16::try_from(message.topic.len()).unwrap_or(u16::MAX);
    out.reserve(body + 5);
    out.push(
        0x30 | u8::from(message.dup) << 3 | (message.qos as u8) << 1 | u8::from(message.retain),
    );
    write_varint(out, body);
    out.extend_from_slice(&topic_len.to_be_bytes());
    out.extend_from_slice(message.topic.as_bytes());
    if with_id {
        out.extend_from_slice(&message.packet_id.to_be_bytes());
    }
    if version == Version::V5 {
        write_varint(out, properties);
        out.extend_from_slice(message.properties);
        if let Some(expiry_s) = message.expiry_s {
            out.push(properties::MESSAGE_EXPIRY);
            out.extend_from_slice(&expiry_s.to_be_bytes());
        }
        if let Some(alias) = message.alias {
            out.push(properties::TOPIC_ALIAS);
            out.extend_from_slice(&alias.to_be_bytes());
        }
        for id in subscription_ids {
            out.push(properties::SUBSCRIPTION_ID);
            write_varint(out, id as usize);
        }
    }
    out.extend_from_slice(message.payload);
    true
}

/// Appends PUBACK, PUBREC, PUBREL or PUBCOMP; MQTT 3.1.1 has no reason to give.
pub(crate) fn write_ack(
    out: &mut Vec<u8>,
    version: Version,
    kind: u8,
    packet_id: u16,
    reason: Option<Reason>,
) {
    let first = kind << 4 | if kind == super::kind::PUBREL { 2 } else { 0 };
    let [high, low] = packet_id.to_be_bytes();
    match reason {
        Some(reason) if version == Version::V5 => {
            out.extend_from_slice(&[first, 3, high, low, reason.code()]);
        }
        _ => out.extend_from_slice(&[first, 2, high, low]),
    }
}

fn write_varint(out: &mut Vec<u8>, mut value: usize) {
    while value > 0x7F {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::split;

    #[test]
    fn what_is_written_is_read_back() {
        for version in [Version::V3, Version::V5] {
            let mut out = Vec::new();
            let message = Outgoing {
                topic: "iot/lamp/light/target",
                payload: &[7; 300],
                qos: Qos::AtLeastOnce,
                retain: true,
                dup: true,
                packet_id: 0x1234,
                expiry_s: Some(70_000),
                alias: Some(7),
                properties: &[1, 1],
            };
            assert!(!write(&mut out, version, &message, std::iter::empty(), 300));
            assert!(write(
                &mut out,
                version,
                &message,
                std::iter::empty(),
                100_000
            ));
            let frame = split(&out, 100_000).unwrap().unwrap();
            assert_eq!(frame.len, out.len());
            let read = read(&frame, version).unwrap();
            assert_eq!((read.topic, read.payload), (message.topic, &[7; 300][..]));
            assert_eq!((read.qos, read.packet_id), (Qos::AtLeastOnce, 0x1234));
            assert!(read.retain && read.dup);
            let v5 = version == Version::V5;
            assert_eq!(read.expiry_s, v5.then_some(70_000));
            assert_eq!(read.alias, v5.then_some(7));
            assert_eq!(&*read.properties, if v5 { &[1, 1][..] } else { &[] });
        }
    }
}
