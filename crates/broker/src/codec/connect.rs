//! CONNECT, as the core wants it: one shape for both versions, every rule checked.

use mqtt_protocol_core::mqtt::packet::{Properties, Property, Qos as CodecQos, v3_1_1, v5_0};

use super::{Qos, Version, reader::Reader};
use crate::{reason::Reason, topic};

/// A CONNECT that follows the specification.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) version: Version,
    pub(crate) client_id: String,
    pub(crate) clean_start: bool,
    /// Seconds; 0 is never.
    pub(crate) keep_alive_s: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) will: Option<WillPacket>,
    /// Seconds the session shall outlive the connection; `u32::MAX` is for ever.
    pub(crate) session_expiry_s: u32,
    /// QoS 1 and 2 messages it takes at once.
    pub(crate) receive_max: u16,
    /// Largest packet it takes.
    pub(crate) packet_bytes_max: u32,
    /// Topic aliases it takes.
    pub(crate) topic_alias_max: u16,
}

/// The will in a CONNECT.
#[derive(Debug)]
pub(crate) struct WillPacket {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) delay_s: u32,
    pub(crate) expiry_s: Option<u32>,
    /// What travels on, as bytes.
    pub(crate) properties: Vec<u8>,
}

/// Why a CONNECT is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// Nothing a client of ours would understand an answer to: close.
    Close,
    /// Answer with a CONNACK in the shape of this version, then close.
    Refuse(Version, Reason),
}

const CLOSE: Unusable = Unusable::Close;

/// Reads a CONNECT's body.
///
/// # Errors
/// See [`Unusable`].
pub(crate) fn read(body: &[u8]) -> Result<Connect, Unusable> {
    let version = check_start(body)?;
    let connect = match version {
        Version::V3 => read_v3(body)?,
        Version::V5 => read_v5(body)?,
    };
    let texts = [Some(connect.client_id.as_str()), connect.user.as_deref()];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        return Err(CLOSE);
    }
    if let Some(will) = &connect.will
        && !topic::is_name(&will.topic)
    {
        return Err(match version {
            Version::V3 => CLOSE,
            Version::V5 => Unusable::Refuse(version, Reason::TopicNameInvalid),
        });
    }
    Ok(connect)
}

/// Checks protocol name, level and flags, which the codec crate takes as they come.
fn check_start(body: &[u8]) -> Result<Version, Unusable> {
    let mut reader = Reader(body);
    let name = reader.binary().map_err(|_| CLOSE)?;
    let level = reader.u8().map_err(|_| CLOSE)?;
    let version = match (name, level) {
        (b"MQTT", 4) => Version::V3,
        (b"MQTT", 5) => Version::V5,
        (b"MQTT", 6..) => {
            return Err(Unusable::Refuse(
                Version::V5,
                Reason::UnsupportedProtocolVersion,
            ));
        }
        (b"MQTT" | b"MQIsdp", _) => {
            return Err(Unusable::Refuse(
                Version::V3,
                Reason::UnsupportedProtocolVersion,
            ));
        }
        _ => return Err(CLOSE),
    };
    let flags = reader.u8().map_err(|_| CLOSE)?;
    let (will, will_qos, will_retain) = (flags & 4 != 0, flags >> 3 & 3, flags & 0x20 != 0);
    if flags & 1 != 0 || will_qos == 3 || (!will && (will_qos != 0 || will_retain)) {
        return Err(CLOSE);
    }
    if flags & 0xC0 == 0x40 {
        // A password without a user: no rule of 3.1.1 allows it; 5 does, but nobody here is known
        // by password alone.
        return Err(match version {
            Version::V3 => CLOSE,
            Version::V5 => Unusable::Refuse(version, Reason::BadUserNameOrPassword),
        });
    }
    Ok(version)
}

fn read_v3(body: &[u8]) -> Result<Connect, Unusable> {
    let (packet, used) = v3_1_1::Connect::parse(body).map_err(|_| CLOSE)?;
    if used != body.len() {
        return Err(CLOSE);
    }
    if packet.client_id().is_empty() && !packet.clean_session() {
        return Err(Unusable::Refuse(
            Version::V3,
            Reason::ClientIdentifierNotValid,
        ));
    }
    Ok(Connect {
        version: Version::V3,
        client_id: packet.client_id().to_owned(),
        clean_start: packet.clean_session(),
        keep_alive_s: packet.keep_alive(),
        user: packet.user_name().map(str::to_owned),
        password: packet.password().map(<[u8]>::to_vec),
        will: packet.will_topic().map(|topic| WillPacket {
            topic: topic.to_owned(),
            payload: packet.will_payload().unwrap_or_default().to_vec(),
            qos: qos(packet.will_qos()),
            retain: packet.will_retain(),
            delay_s: 0,
            expiry_s: None,
            properties: Vec::new(),
        }),
        session_expiry_s: if packet.clean_session() { 0 } else { u32::MAX },
        receive_max: u16::MAX,
        packet_bytes_max: u32::MAX,
        topic_alias_max: 0,
    })
}

fn read_v5(body: &[u8]) -> Result<Connect, Unusable> {
    let (packet, used) = v5_0::Connect::parse(body).map_err(|_| CLOSE)?;
    if used != body.len() {
        return Err(CLOSE);
    }
    let mut connect = Connect {
        version: Version::V5,
        client_id: packet.client_id().to_owned(),
        clean_start: packet.clean_start(),
        keep_alive_s: packet.keep_alive(),
        user: packet.user_name().map(str::to_owned),
        password: packet.password().map(<[u8]>::to_vec),
        will: None,
        session_expiry_s: 0,
        receive_max: u16::MAX,
        packet_bytes_max: u32::MAX,
        topic_alias_max: 0,
    };
    for property in packet.props() {
        match property {
            Property::SessionExpiryInterval(value) => connect.session_expiry_s = value.val(),
            Property::ReceiveMaximum(value) => connect.receive_max = value.val(),
            Property::MaximumPacketSize(value) => connect.packet_bytes_max = value.val(),
            Property::TopicAliasMaximum(value) => connect.topic_alias_max = value.val(),
            Property::AuthenticationMethod(_) => {
                return Err(Unusable::Refuse(
                    Version::V5,
                    Reason::BadAuthenticationMethod,
                ));
            }
            // Data without a method (section 3.1.2.11.10).
            Property::AuthenticationData(_) => return Err(CLOSE),
            _ => {}
        }
    }
    if let Some(topic) = packet.will_topic() {
        let mut will = WillPacket {
            topic: topic.to_owned(),
            payload: packet.will_payload().unwrap_or_default().to_vec(),
            qos: qos(packet.will_qos()),
            retain: packet.will_retain(),
            delay_s: 0,
            expiry_s: None,
            properties: Vec::new(),
        };
        read_will_properties(packet.will_props(), &mut will)?;
        connect.will = Some(will);
    }
    Ok(connect)
}

fn read_will_properties(properties: &Properties, will: &mut WillPacket) -> Result<(), Unusable> {
    for property in properties {
        match property {
            Property::WillDelayInterval(value) => will.delay_s = value.val(),
            Property::MessageExpiryInterval(value) => will.expiry_s = Some(value.val()),
            other => will
                .properties
                .extend_from_slice(&other.to_continuous_buffer()),
        }
    }
    // The same rules as for a PUBLISH: the response topic is a name, texts hold no U+0000.
    crate::properties::parse(&will.properties).map_err(|_| CLOSE)?;
    Ok(())
}

fn qos(qos: CodecQos) -> Qos {
    Qos::from_bits(qos as u8).unwrap_or_default()
}
