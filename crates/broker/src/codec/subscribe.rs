//! SUBSCRIBE, UNSUBSCRIBE and DISCONNECT from a client.

use mqtt_protocol_core::mqtt::packet::{
    Property, RetainHandling as CodecRetainHandling, SubEntry, v3_1_1, v5_0,
};

use super::{Frame, Qos, Version, reader::Reader};
use crate::reason::Reason;

/// When retained messages are sent for a new subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    Send,
    SendIfNew,
    DoNotSend,
}

/// One subscription a client asks for. The filter is not checked yet.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) filter: String,
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// A SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Subscribe {
    pub(crate) packet_id: u16,
    /// The subscription identifier that deliveries carry; 1 and up.
    pub(crate) id: Option<u32>,
    pub(crate) wishes: Vec<Wish>,
}

/// How many filters a SUBSCRIBE or UNSUBSCRIBE holds, without reading them: what has too many need
/// not be taken apart.
///
/// # Errors
/// Malformed bytes.
pub(crate) fn count(
    frame: &Frame<'_>,
    version: Version,
    with_options: bool,
) -> Result<usize, Reason> {
    let mut reader = Reader(frame.body);
    reader.u16()?;
    if version == Version::V5 {
        let len = reader.varint()? as usize;
        reader.take(len)?;
    }
    let mut count = 0;
    while !reader.is_empty() {
        reader.binary()?;
        if with_options {
            reader.u8()?;
        }
        count += 1;
    }
    Ok(count)
}

/// Reads a SUBSCRIBE.
///
/// # Errors
/// Malformed bytes, no filter at all, an empty filter, a packet id of 0.
pub(crate) fn read(frame: &Frame<'_>, version: Version) -> Result<Subscribe, Reason> {
    let (packet_id, id, entries, used) = match version {
        Version::V3 => {
            let (packet, used) =
                v3_1_1::Subscribe::parse(frame.body).map_err(|_| Reason::MalformedPacket)?;
            let entries = packet.entries().clone();
            // The upper six bits are reserved in 3.1.1 (its section 3.8.3).
            if entries.iter().any(|e| e.sub_opts().to_buffer()[0] > 2) {
                return Err(Reason::MalformedPacket);
            }
            (packet.packet_id(), None, entries, used)
        }
        Version::V5 => {
            let (packet, used) =
                v5_0::Subscribe::parse(frame.body).map_err(|_| Reason::ProtocolError)?;
            let mut ids = packet.props().iter().filter_map(|property| match property {
                Property::SubscriptionIdentifier(id) => Some(id.val()),
                _ => None,
            });
            let id = ids.next();
            if ids.next().is_some() {
                return Err(Reason::ProtocolError);
            }
            drop(ids);
            (packet.packet_id(), id, packet.entries().clone(), used)
        }
    };
    if used != frame.body.len() || packet_id == 0 {
        return Err(Reason::MalformedPacket);
    }
    let wishes: Vec<Wish> = entries.iter().map(wish).collect();
    if wishes.iter().any(|wish| is_broken(&wish.filter)) {
        return Err(Reason::MalformedPacket);
    }
    Ok(Subscribe {
        packet_id,
        id,
        wishes,
    })
}

/// A filter that no string of MQTT may be, other than one with misplaced wildcards.
fn is_broken(filter: &str) -> bool {
    filter.is_empty() || filter.contains('\0')
}

fn wish(entry: &SubEntry) -> Wish {
    let options = entry.sub_opts();
    Wish {
        filter: entry.topic_filter().to_owned(),
        qos: Qos::from_bits(options.qos() as u8).unwrap_or_default(),
        no_local: options.nl(),
        retain_as_published: options.rap(),
        retain_handling: match options.rh() {
            CodecRetainHandling::SendRetained => RetainHandling::Send,
            CodecRetainHandling::SendRetainedIfNotExists => RetainHandling::SendIfNew,
            CodecRetainHandling::DoNotSendRetained => RetainHandling::DoNotSend,
        },
    }
}

/// Reads an UNSUBSCRIBE: the packet id and the filters.
///
/// # Errors
/// As [`read`].
pub(crate) fn read_unsubscribe(
    frame: &Frame<'_>,
    version: Version,
) -> Result<(u16, Vec<String>), Reason> {
    let (packet_id, filters, used) = match version {
        Version::V3 => {
            let (packet, used) =
                v3_1_1::Unsubscribe::parse(frame.body).map_err(|_| Reason::MalformedPacket)?;
            (packet.packet_id(), packet.entries().clone(), used)
        }
        Version::V5 => {
            let (packet, used) =
                v5_0::Unsubscribe::parse(frame.body).map_err(|_| Reason::ProtocolError)?;
            (packet.packet_id(), packet.entries().clone(), used)
        }
    };
    let filters: Vec<String> = filters.iter().map(|f| f.as_str().to_owned()).collect();
    if used != frame.body.len() || packet_id == 0 || filters.iter().any(|f| is_broken(f)) {
        return Err(Reason::MalformedPacket);
    }
    Ok((packet_id, filters))
}

/// What a DISCONNECT from a client says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disconnect {
    /// The will is to be forgotten.
    pub(crate) without_will: bool,
    pub(crate) session_expiry_s: Option<u32>,
}

/// Reads a DISCONNECT.
///
/// # Errors
/// Malformed bytes, or a body in 3.1.1.
pub(crate) fn read_disconnect(frame: &Frame<'_>, version: Version) -> Result<Disconnect, Reason> {
    if version == Version::V3 {
        if !frame.body.is_empty() {
            return Err(Reason::MalformedPacket);
        }
        return Ok(Disconnect {
            without_will: true,
            session_expiry_s: None,
        });
    }
    let (packet, used) =
        v5_0::Disconnect::parse(frame.body).map_err(|_| Reason::MalformedPacket)?;
    if used != frame.body.len() {
        return Err(Reason::MalformedPacket);
    }
    let code = packet.reason_code().map_or(0, |reason| reason as u8);
    let session_expiry_s = packet.props().iter().flatten().find_map(|p| match p {
        Property::SessionExpiryInterval(value) => Some(value.val()),
        _ => None,
    });
    Ok(Disconnect {
        without_will: code == 0,
        session_expiry_s,
    })
}
