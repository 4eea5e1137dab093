//! A message on its way: borrowed from the input while it is encoded for subscribers that can take
//! it at once, made into one shared copy only where it has to wait or to be kept.

use std::sync::Arc;

use bytes::Bytes;
use types::Instant;

use crate::{
    aliases::Alias,
    application::{Incoming, Message, Token},
    codec::{
        Qos, Version,
        publish::{self, Outgoing},
    },
    topic,
};

/// A message that is kept: in queues, in flight, retained. Shared between all of them.
#[derive(Debug, PartialEq)]
pub(crate) struct Stored {
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) properties: Box<[u8]>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Instant>,
    pub(crate) token: Option<Token>,
    /// Sent by the application as a retained message: newer ones replace it while it is queued.
    pub(crate) absolute: bool,
    /// Sent by the application: it says it again after a restart where that is needed.
    pub(crate) is_own: bool,
    /// The user whose share of the retained messages it counts for, where it is one.
    pub(crate) owner: Option<Arc<str>>,
}

impl Stored {
    /// What it counts against a limit.
    pub(crate) fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.len()
    }

    pub(crate) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Appends it as a PUBLISH; see [`publish::write`].
    pub(crate) fn write(&self, out: &mut Vec<u8>, to: &Sending<'_>, now: Instant) -> Written {
        write(
            out,
            &self.topic,
            &self.payload,
            &self.properties,
            self.expires,
            to,
            now,
        )
    }
}

/// How one client gets a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending<'a> {
    pub(crate) version: Version,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) dup: bool,
    pub(crate) packet_id: u16,
    pub(crate) subscription_ids: &'a [u32],
    /// What may stand for the topic.
    pub(crate) alias: Option<Alias>,
    pub(crate) bytes_max: usize,
}

/// What was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// Nothing: the client takes only smaller packets.
    Nothing,
    /// The message, and what stands for its topic.
    Message(Option<Alias>),
}

/// A message being routed.
#[derive(Debug)]
pub(crate) struct Publication<'a> {
    pub(crate) topic: &'a str,
    payload: &'a [u8],
    properties: &'a [u8],
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Instant>,
    token: Option<Token>,
    absolute: bool,
    /// Where it is retained: it survives the end of the process.
    pub(crate) survives: bool,
    /// Where it is retained: the user who sent it.
    pub(crate) owner: Option<Arc<str>>,
    /// Topic and payload, where somebody holds them already.
    shared: Option<(&'a Arc<str>, &'a Bytes)>,
    stored: Option<Arc<Stored>>,
}

impl<'a> Publication<'a> {
    /// From a client; borrows its input.
    pub(crate) fn from_client(message: &Incoming<'a>, expires: Option<Instant>) -> Self {
        Self {
            topic: message.topic,
            payload: message.payload,
            properties: message.properties.0,
            qos: message.qos,
            retain: message.retain,
            expires,
            token: None,
            absolute: false,
            survives: false,
            owner: None,
            shared: None,
            stored: None,
        }
    }

    /// From the application.
    pub(crate) fn from_application(message: &'a Message, now: Instant) -> Self {
        debug_assert!(topic::is_name(&message.topic));
        Self {
            topic: &message.topic,
            payload: &message.payload,
            properties: &[],
            qos: message.qos,
            retain: message.retain,
            expires: message.expiry_s.map(|s| now.after(seconds(s))),
            token: message.token,
            absolute: message.retain,
            survives: false,
            owner: None,
            shared: Some((&message.topic, &message.payload)),
            stored: None,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// From the application, not from a client.
    pub(crate) fn is_own(&self) -> bool {
        self.shared.is_some()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.len()
    }

    /// The one shared copy, made on first use.
    pub(crate) fn stored(&mut self) -> Arc<Stored> {
        let stored = self.stored.get_or_insert_with(|| {
            let (topic, payload) = match self.shared {
                Some((topic, payload)) => (topic.clone(), payload.clone()),
                None => (self.topic.into(), Bytes::copy_from_slice(self.payload)),
            };
            Arc::new(Stored {
                topic,
                payload,
                properties: self.properties.into(),
                qos: self.qos,
                retain: self.retain,
                expires: self.expires,
                token: self.token,
                absolute: self.absolute,
                is_own: self.shared.is_some(),
                owner: self.owner.clone(),
            })
        });
        Arc::clone(stored)
    }

    /// Appends it as a PUBLISH; see [`publish::write`].
    pub(crate) fn write(&self, out: &mut Vec<u8>, to: &Sending<'_>, now: Instant) -> Written {
        write(
            out,
            self.topic,
            self.payload,
            self.properties,
            self.expires,
            to,
            now,
        )
    }
}

fn write(
    out: &mut Vec<u8>,
    topic: &str,
    payload: &[u8],
    properties: &[u8],
    expires: Option<Instant>,
    to: &Sending<'_>,
    now: Instant,
) -> Written {
    let outgoing = Outgoing {
        topic: match to.alias {
            Some(alias) if !alias.is_new => "",
            _ => topic,
        },
        payload,
        qos: to.qos,
        retain: to.retain,
        dup: to.dup,
        packet_id: to.packet_id,
        expiry_s: expires.map(|expires| seconds_left(expires, now)),
        alias: to.alias.map(|alias| alias.number),
        properties,
    };
    let ids = to.subscription_ids.iter().copied();
    if publish::write(out, to.version, &outgoing, ids, to.bytes_max) {
        return Written::Message(to.alias);
    }
    if to.alias.is_some() {
        // It may just fit without.
        let plain = Sending { alias: None, ..*to };
        return write(out, topic, payload, properties, expires, &plain, now);
    }
    Written::Nothing
}

/// Whole seconds left, at least 1: who gets the message now still gets it in time.
fn seconds_left(expires: Instant, now: Instant) -> u32 {
    let left = expires.since(now);
    let whole = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(whole.max(1)).unwrap_or(u32::MAX)
}

pub(crate) fn seconds(count: u32) -> std::time::Duration {
    std::time::Duration::from_secs(u64::from(count))
}
