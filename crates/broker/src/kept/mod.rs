//! What the broker has to know after a restart: retained messages of clients, and sessions that outlive their connection
//! with all that is to reach them. A plain model of it, made of [facts](fact) and written as facts again.
//!
//! The core says each change as facts, and can be [asked](crate::Core::kept) for all of it and [begin](crate::Core::restore)
//! with it. Applications keep the bytes and don't look into them.

pub(crate) mod fact;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use types::Instant;

pub use fact::BadFacts;
pub(crate) use fact::{DeliveryNo, Fact, SessionNo};

use crate::{Filter, Qos, message::Stored, outbound::Stage, properties, topic};

/// Retained messages and sessions, as they survive the end of the process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    pub(crate) retained: BTreeMap<Arc<str>, Arc<Stored>>,
    pub(crate) sessions: BTreeMap<SessionNo, KeptSession>,
}

/// A session that outlives its connection.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct KeptSession {
    pub(crate) user: Arc<str>,
    pub(crate) client_id: Arc<str>,
    pub(crate) expiry_s: u32,
    /// Since when its client is away; `None`: it is connected.
    pub(crate) left: Option<Instant>,
    pub(crate) subscriptions: BTreeMap<Filter, KeptSubscription>,
    pub(crate) deliveries: BTreeMap<DeliveryNo, KeptDelivery>,
    /// Packet ids of QoS 2 messages from the client that wait for its PUBREL.
    pub(crate) received: BTreeSet<u16>,
}

/// What it wants on one filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptSubscription {
    pub(crate) qos: Qos,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) id: u32,
}

/// A message that is to reach it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KeptDelivery {
    pub(crate) message: Arc<Stored>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) replay: bool,
    pub(crate) ids: Box<[u32]>,
    pub(crate) share: Option<Arc<str>>,
    /// Once it was sent.
    pub(crate) sent: Option<KeptSent>,
}

/// How far a message got that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeptSent {
    pub(crate) packet_id: u16,
    pub(crate) stage: Stage,
    pub(crate) revoked: bool,
}

impl Kept {
    /// Retained messages and sessions, for people.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.retained.len(), self.sessions.len())
    }

    /// Takes the changes of one record. Those of a session that is not known are passed over: the record that began it
    /// may be lost.
    ///
    /// # Errors
    /// [`BadFacts`]; what stood before the fact at fault is applied.
    pub fn apply(&mut self, facts: &[u8]) -> Result<(), BadFacts> {
        let mut messages = Vec::new();
        for fact in fact::read(facts) {
            let (at, fact) = fact?;
            let taken = self.take(&fact, &mut messages);
            taken.map_err(|what| BadFacts::Malformed {
                at,
                what: what.to_owned(),
            })?;
        }
        Ok(())
    }

    /// All of it as facts, for a snapshot.
    #[must_use]
    pub fn facts(&self) -> Vec<u8> {
        let mut stream = Vec::new();
        let mut messages = BTreeMap::new();
        let mut place = |stream: &mut Vec<u8>, message: &Arc<Stored>| {
            let next = messages.len() as u64;
            *messages.entry(Arc::as_ptr(message)).or_insert_with(|| {
                fact::write(stream, &message.fact());
                next
            })
        };
        for message in self.retained.values() {
            let message = place(&mut stream, message);
            fact::write(&mut stream, &Fact::Retained { message });
        }
        for (session, kept) in &self.sessions {
            kept.write(*session, &mut stream, &mut place);
        }
        stream
    }

    fn take(
        &mut self,
        fact: &Fact<'_>,
        messages: &mut Vec<Option<Arc<Stored>>>,
    ) -> Result<(), &'static str> {
        match *fact {
            Fact::Message { .. } => messages.push(Some(Arc::new(Stored::of_fact(fact)?))),
            // A version before named what did not survive, too: that message is lost, and no other.
            Fact::OfRetained { topic } => messages.push(self.retained.get(topic).cloned()),
            Fact::Retained { message } => {
                if let Some(message) = named(messages, message)? {
                    let topic = Arc::clone(&message.topic);
                    self.retained.insert(topic, message);
                }
            }
            Fact::Cleared { topic } => drop(self.retained.remove(topic)),
            Fact::Began {
                session,
                user,
                client_id,
            } => {
                let kept = KeptSession {
                    user: user.into(),
                    client_id: client_id.into(),
                    ..KeptSession::default()
                };
                self.sessions.insert(session, kept);
            }
            Fact::Ended { session } => drop(self.sessions.remove(&session)),
            Fact::Came { session, .. }
            | Fact::Left { session, .. }
            | Fact::Subscribed { session, .. }
            | Fact::Unsubscribed { session, .. }
            | Fact::Queued { session, .. }
            | Fact::Sent { session, .. }
            | Fact::Released { session, .. }
            | Fact::Revoked { session, .. }
            | Fact::Done { session, .. }
            | Fact::Received { session, .. }
            | Fact::Completed { session, .. } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.take(fact, messages)?;
                }
            }
        }
        Ok(())
    }
}

impl KeptSession {
    fn take(
        &mut self,
        fact: &Fact<'_>,
        messages: &[Option<Arc<Stored>>],
    ) -> Result<(), &'static str> {
        match *fact {
            Fact::Came { expiry_s, .. } => {
                self.expiry_s = expiry_s;
                self.left = None;
            }
            Fact::Left {
                expiry_s, at_us, ..
            } => {
                self.expiry_s = expiry_s;
                self.left = Some(Instant(at_us));
            }
            Fact::Subscribed {
                filter,
                qos,
                no_local,
                retain_as_published,
                id,
                ..
            } => {
                let filter = Filter::of_subscription(filter).map_err(|_| "no topic filter")?;
                let subscription = KeptSubscription {
                    qos: qos_of(qos)?,
                    no_local,
                    retain_as_published,
                    id,
                };
                self.subscriptions.insert(filter, subscription);
            }
            Fact::Unsubscribed { filter, .. } => {
                let filter = Filter::of_subscription(filter).map_err(|_| "no topic filter")?;
                self.subscriptions.remove(&filter);
            }
            Fact::Queued {
                no,
                message,
                qos,
                retain,
                replay,
                ref ids,
                share,
                ..
            } => {
                let Some(message) = named(messages, message)? else {
                    return Ok(());
                };
                let delivery = KeptDelivery {
                    message,
                    qos: qos_of(qos)?,
                    retain,
                    replay,
                    ids: ids.as_slice().into(),
                    share: share.map(Arc::from),
                    sent: None,
                };
                if delivery.qos == Qos::AtMostOnce {
                    return Err("a message at QoS 0 waits for nobody");
                }
                self.deliveries.insert(no, delivery);
            }
            Fact::Sent { no, packet_id, .. } => {
                let packet_id = id_of(packet_id)?;
                if let Some(delivery) = self.deliveries.get_mut(&no) {
                    delivery.sent = Some(KeptSent {
                        packet_id,
                        stage: Stage::Published,
                        revoked: false,
                    });
                }
            }
            Fact::Released { no, .. } => {
                if let Some(sent) = self.sent(no) {
                    sent.stage = Stage::Released;
                }
            }
            Fact::Revoked { no, .. } => {
                if let Some(sent) = self.sent(no) {
                    sent.revoked = true;
                }
            }
            Fact::Done { no, .. } => drop(self.deliveries.remove(&no)),
            Fact::Received { packet_id, .. } => drop(self.received.insert(id_of(packet_id)?)),
            Fact::Completed { packet_id, .. } => drop(self.received.remove(&packet_id)),
            _ => {}
        }
        Ok(())
    }

    fn sent(&mut self, no: DeliveryNo) -> Option<&mut KeptSent> {
        self.deliveries.get_mut(&no)?.sent.as_mut()
    }

    fn write(
        &self,
        session: SessionNo,
        stream: &mut Vec<u8>,
        mut place: impl FnMut(&mut Vec<u8>, &Arc<Stored>) -> u64,
    ) {
        let began = Fact::Began {
            session,
            user: &self.user,
            client_id: &self.client_id,
        };
        fact::write(stream, &began);
        let expiry_s = self.expiry_s;
        let since = match self.left {
            None => Fact::Came { session, expiry_s },
            Some(at) => Fact::Left {
                session,
                expiry_s,
                at_us: at.0,
            },
        };
        fact::write(stream, &since);
        for (filter, subscription) in &self.subscriptions {
            fact::write(stream, &subscription.fact(session, filter.as_str()));
        }
        for (no, delivery) in &self.deliveries {
            let message = place(stream, &delivery.message);
            let queued = Fact::Queued {
                session,
                no: *no,
                message,
                qos: delivery.qos as u8,
                retain: delivery.retain,
                replay: delivery.replay,
                ids: delivery.ids.to_vec(),
                share: delivery.share.as_deref(),
            };
            fact::write(stream, &queued);
            if let Some(sent) = delivery.sent {
                sent.write(session, *no, stream);
            }
        }
        for packet_id in &self.received {
            let packet_id = *packet_id;
            fact::write(stream, &Fact::Received { session, packet_id });
        }
    }
}

impl KeptSubscription {
    pub(crate) fn fact<'b>(&self, session: SessionNo, filter: &'b str) -> Fact<'b> {
        Fact::Subscribed {
            session,
            filter,
            qos: self.qos as u8,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            id: self.id,
        }
    }
}

impl KeptSent {
    fn write(self, session: SessionNo, no: DeliveryNo, stream: &mut Vec<u8>) {
        let packet_id = self.packet_id;
        let sent = Fact::Sent {
            session,
            no,
            packet_id,
        };
        fact::write(stream, &sent);
        if self.stage == Stage::Released {
            fact::write(stream, &Fact::Released { session, no });
        }
        if self.revoked {
            fact::write(stream, &Fact::Revoked { session, no });
        }
    }
}

impl Stored {
    /// As it is written once for all facts that name it.
    pub(crate) fn fact(&self) -> Fact<'_> {
        Fact::Message {
            topic: &self.topic,
            payload: &self.payload,
            properties: &self.properties,
            qos: self.qos as u8,
            retain: self.retain,
            expires_us: self.expires.map(|at| at.0),
            owner: self.owner.as_deref(),
        }
    }

    fn of_fact(fact: &Fact<'_>) -> Result<Self, &'static str> {
        let Fact::Message {
            topic,
            payload,
            properties,
            qos,
            retain,
            expires_us,
            owner,
        } = *fact
        else {
            return Err("no message");
        };
        if !topic::is_name(topic) || topic.len() > usize::from(u16::MAX) {
            return Err("no topic name");
        }
        // What is sent on untouched was read once; what was damaged since must not reach a client.
        let parsed = properties::parse(properties).map_err(|_| "no properties of a message")?;
        if *parsed.forwarded != *properties {
            return Err("properties that don't travel");
        }
        Ok(Self {
            topic: topic.into(),
            payload: Bytes::copy_from_slice(payload),
            properties: properties.into(),
            qos: qos_of(qos)?,
            retain,
            expires: expires_us.map(Instant),
            token: None,
            absolute: false,
            is_own: false,
            owner: owner.map(Arc::from),
        })
    }
}

/// The message at a place of the stream; `None`: it is lost.
fn named(
    messages: &[Option<Arc<Stored>>],
    place: u64,
) -> Result<Option<Arc<Stored>>, &'static str> {
    let message = usize::try_from(place).ok().and_then(|at| messages.get(at));
    message
        .cloned()
        .ok_or("it names a message that is not there")
}

fn qos_of(bits: u8) -> Result<Qos, &'static str> {
    Qos::from_bits(bits).ok_or("there is no such QoS")
}

fn id_of(packet_id: u16) -> Result<u16, &'static str> {
    (packet_id != 0).then_some(packet_id).ok_or("packet id 0")
}
