//! What the broker answers: CONNACK, SUBACK, UNSUBACK, DISCONNECT, PINGRESP.

use mqtt_protocol_core::mqtt::{
    packet::{
        AssignedClientIdentifier, MaximumPacketSize, Properties, ReceiveMaximum, ServerKeepAlive,
        SessionExpiryInterval, TopicAliasMaximum, v3_1_1, v5_0,
    },
    result_code::{
        ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, MqttError, SubackReasonCode,
        SubackReturnCode, UnsubackReasonCode,
    },
};

use super::Version;
use crate::reason::Reason;

/// What a CONNACK that accepts says in MQTT 5; 3.1.1 only learns `session_present`.
#[derive(Debug, Default)]
pub(crate) struct Welcome<'a> {
    pub(crate) session_present: bool,
    pub(crate) assigned_client_id: Option<&'a str>,
    /// Where it is not the one the client asked for.
    pub(crate) session_expiry_s: Option<u32>,
    /// Likewise.
    pub(crate) keep_alive_s: Option<u16>,
    pub(crate) receive_max: u16,
    pub(crate) packet_bytes_max: u32,
    pub(crate) topic_alias_max: u16,
}

/// The outcome of one filter of a SUBSCRIBE: the QoS granted or why not.
pub(crate) type Granted = Result<super::Qos, Reason>;

/// Appends a CONNACK that accepts. False where the codec refuses to build it, which only a limit
/// of 0 could cause; nothing is appended then.
pub(crate) fn welcome(out: &mut Vec<u8>, version: Version, welcome: &Welcome<'_>) -> bool {
    let bytes = match version {
        Version::V3 => v3_1_1::Connack::builder()
            .session_present(welcome.session_present)
            .return_code(ConnectReturnCode::Accepted)
            .build()
            .map(|packet| packet.to_continuous_buffer()),
        Version::V5 => welcome_v5(welcome),
    };
    append(out, bytes)
}

fn welcome_v5(welcome: &Welcome<'_>) -> Result<Vec<u8>, MqttError> {
    let mut properties: Properties = vec![
        ReceiveMaximum::new(welcome.receive_max)?.into(),
        MaximumPacketSize::new(welcome.packet_bytes_max)?.into(),
    ];
    if welcome.topic_alias_max > 0 {
        properties.push(TopicAliasMaximum::new(welcome.topic_alias_max)?.into());
    }
    if let Some(client_id) = welcome.assigned_client_id {
        properties.push(AssignedClientIdentifier::new(client_id)?.into());
    }
    if let Some(keep_alive_s) = welcome.keep_alive_s {
        properties.push(ServerKeepAlive::new(keep_alive_s)?.into());
    }
    if let Some(expiry_s) = welcome.session_expiry_s {
        properties.push(SessionExpiryInterval::new(expiry_s)?.into());
    }
    let packet = v5_0::Connack::builder()
        .session_present(welcome.session_present)
        .reason_code(ConnectReasonCode::Success)
        .props(properties)
        .build()?;
    Ok(packet.to_continuous_buffer())
}

/// Appends a CONNACK that refuses.
pub(crate) fn refuse(out: &mut Vec<u8>, version: Version, reason: Reason) -> bool {
    let bytes = match version {
        Version::V3 => v3_1_1::Connack::builder()
            .session_present(false)
            .return_code(
                ConnectReturnCode::try_from(reason.connack_v3())
                    .unwrap_or(ConnectReturnCode::ServerUnavailable),
            )
            .build()
            .map(|packet| packet.to_continuous_buffer()),
        Version::V5 => v5_0::Connack::builder()
            .session_present(false)
            .reason_code(
                ConnectReasonCode::try_from(reason.code())
                    .unwrap_or(ConnectReasonCode::UnspecifiedError),
            )
            .build()
            .map(|packet| packet.to_continuous_buffer()),
    };
    append(out, bytes)
}

/// Appends a SUBACK with one outcome for each filter.
pub(crate) fn suback(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    outcomes: &[Granted],
) -> bool {
    let bytes = match version {
        Version::V3 => {
            let codes = outcomes.iter().map(|outcome| match outcome {
                Ok(qos) => {
                    SubackReturnCode::try_from(*qos as u8).unwrap_or(SubackReturnCode::Failure)
                }
                Err(_) => SubackReturnCode::Failure,
            });
            v3_1_1::Suback::builder()
                .packet_id(packet_id)
                .return_codes(codes.collect())
                .build()
                .map(|packet| packet.to_continuous_buffer())
        }
        Version::V5 => {
            let codes = outcomes.iter().map(|outcome| {
                let code = outcome.map_or_else(Reason::code, |qos| qos as u8);
                SubackReasonCode::try_from(code).unwrap_or(SubackReasonCode::UnspecifiedError)
            });
            v5_0::Suback::builder()
                .packet_id(packet_id)
                .reason_codes(codes.collect())
                .build()
                .map(|packet| packet.to_continuous_buffer())
        }
    };
    append(out, bytes)
}

/// Appends an UNSUBACK; `existed` says for each filter whether there was a subscription.
pub(crate) fn unsuback(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    existed: &[bool],
) -> bool {
    let bytes = match version {
        Version::V3 => v3_1_1::Unsuback::builder()
            .packet_id(packet_id)
            .build()
            .map(|packet| packet.to_continuous_buffer()),
        Version::V5 => {
            let codes = existed.iter().map(|existed| {
                if *existed {
                    UnsubackReasonCode::Success
                } else {
                    UnsubackReasonCode::NoSubscriptionExisted
                }
            });
            v5_0::Unsuback::builder()
                .packet_id(packet_id)
                .reason_codes(codes.collect())
                .build()
                .map(|packet| packet.to_continuous_buffer())
        }
    };
    append(out, bytes)
}

/// Appends a DISCONNECT with a reason; 3.1.1 servers have none to send.
pub(crate) fn disconnect(out: &mut Vec<u8>, version: Version, reason: Reason) {
    if version == Version::V5 {
        let code = DisconnectReasonCode::try_from(reason.code())
            .unwrap_or(DisconnectReasonCode::UnspecifiedError);
        let bytes = v5_0::Disconnect::builder()
            .reason_code(code)
            .build()
            .map(|packet| packet.to_continuous_buffer());
        append(out, bytes);
    }
}

/// Appends a PINGRESP.
pub(crate) fn pong(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xD0, 0]);
}

fn append(out: &mut Vec<u8>, packet: Result<Vec<u8>, MqttError>) -> bool {
    match packet {
        Ok(bytes) => {
            out.extend_from_slice(&bytes);
            true
        }
        Err(_) => false,
    }
}
