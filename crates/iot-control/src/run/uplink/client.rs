//! An MQTT client of either version, with what the uplink needs of one: QoS 0 and 1, acknowledged by hand.
//!
//! Called by [`super::pass`], which reads the same over both. What 3.1.1 does not have is left out here (our own messages
//! come back, nothing expires, no reason says why): [`Client::version`] tells whoever has to make up for it.

use std::time::Duration;

use rumqttc_v5::mqttbytes::v5::{PubAckReason, Publish as PublishFive, PublishProperties};
use tokio::time::timeout;

/// How long a broker may take to answer a subscription.
const SUBSCRIBED_MAX: Duration = Duration::from_secs(30);

/// A version of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 5.
    Five,
    /// 3.1.1.
    Three,
}

/// A message that is to be published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Say {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    /// When it is worth nothing any more; 3.1.1 can't say so.
    pub(super) expiry_s: Option<u32>,
}

/// A message that came.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) topic: String,
    pub(super) payload: Vec<u8>,
    pub(super) retain: bool,
    pub(super) expiry_s: Option<u32>,
    /// How many bytes it would have at our own broker, where that is more than we take; it has no payload then.
    pub(super) too_large: Option<usize>,
    /// What acknowledges it; `None`: QoS 0.
    pub(super) ack: Option<Ack>,
}

/// What acknowledges a message.
#[derive(Debug)]
pub(super) enum Ack {
    Five(rumqttc_v5::ManualAck),
    Three(rumqttc::ManualAck),
}

/// Why something could not be said.
#[derive(Debug)]
pub(super) enum Gone {
    /// The connection is over; whoever polls it knows why.
    Closed,
    /// For this reason, which the connection outlives.
    Refused(String),
}

/// One client; a copy is the same one.
#[derive(Clone)]
pub(super) enum Client {
    Five(rumqttc_v5::AsyncClient),
    Three(rumqttc::AsyncClient),
}

impl Client {
    pub(super) fn version(&self) -> Version {
        match self {
            Self::Five(_) => Version::Five,
            Self::Three(_) => Version::Three,
        }
    }

    /// Publishes at QoS 0.
    pub(super) async fn publish(&self, say: Say) -> Result<(), Gone> {
        match self {
            Self::Five(client) => {
                let options = options_five(rumqttc_v5::mqttbytes::QoS::AtMostOnce, &say);
                client.publish(say.topic, say.payload, options).await?;
            }
            Self::Three(client) => {
                let options = rumqttc::PublishOptions::at_most_once().retain(say.retain);
                client.publish(say.topic, say.payload, options).await?;
            }
        }
        Ok(())
    }

    /// Publishes at QoS 1.
    pub(super) async fn publish_tracked(&self, say: Say) -> Result<Notice, Gone> {
        Ok(match self {
            Self::Five(client) => {
                let options = options_five(rumqttc_v5::mqttbytes::QoS::AtLeastOnce, &say);
                let notice = client.publish_tracked(say.topic, say.payload, options);
                Notice::Five(notice.await?)
            }
            Self::Three(client) => {
                let options = rumqttc::PublishOptions::at_least_once().retain(say.retain);
                let notice = client.publish_tracked(say.topic, say.payload, options);
                Notice::Three(notice.await?)
            }
        })
    }

    /// Acknowledges what came to this client; what needs none passes.
    pub(super) async fn acknowledge(&self, ack: Option<Ack>) -> Result<(), Gone> {
        match (self, ack) {
            (Self::Five(client), Some(Ack::Five(ack))) => client.manual_ack(ack).await?,
            (Self::Three(client), Some(Ack::Three(ack))) => client.manual_ack(ack).await?,
            _ => {}
        }
        Ok(())
    }

    /// Subscribes to all of `filters` at QoS 1, and waits for the answer. With MQTT 5 what this client publishes itself
    /// does not come back.
    pub(super) async fn subscribe(&self, filters: &[Filter]) -> Result<(), Gone> {
        if filters.is_empty() {
            return Ok(());
        }
        let answered = async {
            match self {
                Self::Five(client) => {
                    let filters = filters.iter().map(Filter::five);
                    let notice = client.subscribe_many_tracked(filters).await?;
                    use rumqttc_v5::SubscribeNoticeError::{Recv, SessionReset};
                    match notice.wait_completion_async().await {
                        Ok(_) => Ok(()),
                        Err(Recv | SessionReset) => Err(Gone::Closed),
                        Err(error) => Err(refused(&error)),
                    }
                }
                Self::Three(client) => {
                    let filters = filters.iter().map(Filter::three);
                    let notice = client.subscribe_many_tracked(filters).await?;
                    use rumqttc::SubscribeNoticeError::{Recv, SessionReset};
                    match notice.wait_completion_async().await {
                        Ok(_) => Ok(()),
                        Err(Recv | SessionReset) => Err(Gone::Closed),
                        Err(error) => Err(refused(&error)),
                    }
                }
            }
        };
        let late = |_| Gone::Refused("it does not answer a subscription".to_owned());
        timeout(SUBSCRIBED_MAX, answered).await.map_err(late)?
    }

    pub(super) async fn unsubscribe(&self, filter: &str) -> Result<(), Gone> {
        match self {
            Self::Five(client) => client.unsubscribe(filter).await?,
            Self::Three(client) => client.unsubscribe(filter).await?,
        }
        Ok(())
    }

    /// Says goodbye, so that there is no last will.
    pub(super) async fn disconnect(&self) -> Result<(), Gone> {
        match self {
            Self::Five(client) => client.disconnect().await?,
            Self::Three(client) => client.disconnect().await?,
        }
        Ok(())
    }
}

fn options_five(qos: rumqttc_v5::mqttbytes::QoS, say: &Say) -> rumqttc_v5::PublishOptions {
    let options = rumqttc_v5::PublishOptions::new(qos).retain(say.retain);
    match say.expiry_s {
        Some(seconds) => options.properties(PublishProperties {
            message_expiry_interval: Some(seconds),
            ..PublishProperties::default()
        }),
        None => options,
    }
}

fn refused(error: &impl std::fmt::Display) -> Gone {
    Gone::Refused(format!("it refuses a subscription: {error}"))
}

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter {
    filter: String,
    /// Our own messages come back.
    hears_itself: bool,
    /// A retained message stays marked as one also when it is passed on at once.
    keeps_retain: bool,
}

impl Filter {
    /// What others say.
    pub(super) fn of_others(filter: &str) -> Self {
        Self {
            filter: filter.to_owned(),
            hears_itself: false,
            keeps_retain: false,
        }
    }

    /// What others say, as they said it.
    pub(super) fn as_said(filter: &str) -> Self {
        Self {
            keeps_retain: true,
            ..Self::of_others(filter)
        }
    }

    /// What anybody says, this client too.
    pub(super) fn of_all(filter: &str) -> Self {
        Self {
            hears_itself: true,
            ..Self::of_others(filter)
        }
    }

    fn five(&self) -> rumqttc_v5::SubscribeFilterInput {
        let qos = rumqttc_v5::mqttbytes::QoS::AtLeastOnce;
        rumqttc_v5::SubscribeFilterInput::new(&*self.filter, qos)
            .no_local(!self.hears_itself)
            .preserve_retain(self.keeps_retain)
    }

    fn three(&self) -> rumqttc::SubscribeFilterInput {
        rumqttc::SubscribeFilterInput::new(&*self.filter, rumqttc::QoS::AtLeastOnce)
    }
}

/// Becomes known when the broker has answered a message.
pub(super) enum Notice {
    Five(rumqttc_v5::PublishNotice),
    Three(rumqttc::PublishNotice),
}

/// What a broker answered, or did not.
#[derive(Debug)]
pub(super) enum Answer {
    Taken,
    /// It would say the same each time.
    Refused {
        reason: String,
        /// Our user may not do it.
        for_rights: bool,
    },
    /// The connection is over: nobody knows.
    None,
}

impl Notice {
    pub(super) async fn answer(self) -> Answer {
        use rumqttc_v5::PublishNoticeError;
        match self {
            Self::Five(notice) => match notice.wait_completion_async().await {
                Ok(_) => Answer::Taken,
                Err(PublishNoticeError::V5PubAck(reason)) => Answer::Refused {
                    for_rights: reason == PubAckReason::NotAuthorized,
                    reason: format!("{reason:?}"),
                },
                // Ours says the same to whoever comes again with it.
                Err(error @ PublishNoticeError::RetainNotSupported) => Answer::Refused {
                    for_rights: false,
                    reason: error.to_string(),
                },
                Err(_) => Answer::None,
            },
            Self::Three(notice) => match notice.wait_completion_async().await {
                Ok(_) => Answer::Taken,
                Err(_) => Answer::None,
            },
        }
    }
}

impl Heard {
    /// A message has at most `bytes_max` at our own broker, or is too large.
    pub(super) fn five(
        client: &rumqttc_v5::AsyncClient,
        message: PublishFive,
        bytes_max: usize,
    ) -> Self {
        let properties = message.properties.as_ref();
        let bytes = bytes_inside(message.topic.len(), message.payload.len());
        let too_large = (bytes > bytes_max).then_some(bytes);
        Self {
            too_large,
            ack: client.prepare_ack(&message).map(Ack::Five),
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            retain: message.retain,
            expiry_s: properties.and_then(|properties| properties.message_expiry_interval),
            payload: match too_large {
                Some(_) => Vec::new(),
                None => message.payload.into(),
            },
        }
    }

    /// As [`Self::five`].
    pub(super) fn three(
        client: &rumqttc::AsyncClient,
        message: rumqttc::Publish,
        bytes_max: usize,
    ) -> Self {
        let bytes = bytes_inside(message.topic.len(), message.payload.len());
        let too_large = (bytes > bytes_max).then_some(bytes);
        Self {
            too_large,
            ack: client.prepare_ack(&message).map(Ack::Three),
            topic: String::from_utf8_lossy(&message.topic).into_owned(),
            retain: message.retain,
            expiry_s: None,
            payload: match too_large {
                Some(_) => Vec::new(),
                None => message.payload.into(),
            },
        }
    }
}

/// The length of a PUBLISH of MQTT 5, as it is said at our own broker: with QoS 1 and without properties (section 3.3).
fn bytes_inside(topic: usize, payload: usize) -> usize {
    let remaining = 2 + topic + 2 + 1 + payload;
    let length = match remaining {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    };
    1 + length + remaining
}

impl From<rumqttc_v5::ClientError> for Gone {
    fn from(_: rumqttc_v5::ClientError) -> Self {
        Self::Closed
    }
}

impl From<rumqttc::ClientError> for Gone {
    fn from(_: rumqttc::ClientError) -> Self {
        Self::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::bytes_inside;

    #[test]
    fn the_length_of_a_message_is_what_its_packet_has() {
        use rumqttc_v5::mqttbytes::{QoS, v5::Publish};
        for payload in [
            0, 100, 120, 130, 16_370, 16_384, 262_100, 2_097_140, 2_097_152,
        ] {
            let mut publish = Publish::new(
                "iot/hall/lux/state",
                QoS::AtLeastOnce,
                vec![0; payload],
                None,
            );
            publish.pkid = 1;
            assert_eq!(bytes_inside(18, payload), publish.size(), "{payload}");
        }
    }
}
