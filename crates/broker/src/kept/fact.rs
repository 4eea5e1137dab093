//! One fact: a change of what the broker has to know after a restart, and its bytes.
//!
//! Facts stand one behind the other, behind a number that says in which format. Each is a CBOR array of its number and its
//! parts. A message is written once and named by its place among the messages before; both the records of the journal and
//! the broker's part of a snapshot are such streams. Written by the core, read by [`Kept`](super::Kept).

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder};

/// The format of a stream, and its first byte.
const FORMAT: u8 = 1;

/// Names a session in facts: no two that live at the same time have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct SessionNo(#[n(0)] pub(crate) u64);

/// Names a message that is to reach one session: counts up, in the order in which they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct DeliveryNo(#[n(0)] pub(crate) u64);

/// What changed.
#[derive(Debug, PartialEq, Encode, Decode)]
pub(crate) enum Fact<'b> {
    /// A message that later facts of this stream name by its place among the messages before, from 0.
    #[n(0)]
    Message {
        #[n(0)]
        topic: &'b str,
        #[cbor(n(1), with = "minicbor::bytes")]
        payload: &'b [u8],
        #[cbor(n(2), with = "minicbor::bytes")]
        properties: &'b [u8],
        #[n(3)]
        qos: u8,
        #[n(4)]
        retain: bool,
        /// On the house's elapsed-time line.
        #[n(5)]
        expires_us: Option<u64>,
        /// Where it is retained: the user who sent it.
        #[n(6)]
        owner: Option<&'b str>,
    },
    /// The same for the message that is retained on this topic now.
    #[n(1)]
    OfRetained {
        #[n(0)]
        topic: &'b str,
    },
    /// This message is retained on its topic.
    #[n(2)]
    Retained {
        #[n(0)]
        message: u64,
    },
    /// Nothing that a client sent is retained there any more.
    #[n(3)]
    Cleared {
        #[n(0)]
        topic: &'b str,
    },
    /// A session that outlives its connection began.
    #[n(4)]
    Began {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        user: &'b str,
        #[n(2)]
        client_id: &'b str,
    },
    /// Its client is connected.
    #[n(5)]
    Came {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        expiry_s: u32,
    },
    /// Its client is away.
    #[n(6)]
    Left {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        expiry_s: u32,
        /// On the house's elapsed-time line.
        #[n(2)]
        at_us: u64,
    },
    /// It is forgotten, with all it had.
    #[n(7)]
    Ended {
        #[n(0)]
        session: SessionNo,
    },
    /// It has this subscription, whatever it had on this filter before.
    #[n(8)]
    Subscribed {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        filter: &'b str,
        #[n(2)]
        qos: u8,
        #[n(3)]
        no_local: bool,
        #[n(4)]
        retain_as_published: bool,
        /// 0 is none.
        #[n(5)]
        id: u32,
    },
    /// It has no subscription on this filter.
    #[n(9)]
    Unsubscribed {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        filter: &'b str,
    },
    /// This message is to reach it.
    #[n(10)]
    Queued {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        no: DeliveryNo,
        #[n(2)]
        message: u64,
        #[n(3)]
        qos: u8,
        #[n(4)]
        retain: bool,
        /// For a new subscription.
        #[n(5)]
        replay: bool,
        /// Subscription identifiers.
        #[n(6)]
        ids: Vec<u32>,
        /// The filter of the group that it is for.
        #[n(7)]
        share: Option<&'b str>,
    },
    /// It is sent under this packet id.
    #[n(11)]
    Sent {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        no: DeliveryNo,
        #[n(2)]
        packet_id: u16,
    },
    /// QoS 2: the client has it and waits for PUBREL.
    #[n(12)]
    Released {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        no: DeliveryNo,
    },
    /// The session lost the right to it: it is not sent again.
    #[n(13)]
    Revoked {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        no: DeliveryNo,
    },
    /// It is over: acknowledged, expired or dropped.
    #[n(14)]
    Done {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        no: DeliveryNo,
    },
    /// QoS 2 from the client: a message with this packet id was taken, and is not taken again.
    #[n(15)]
    Received {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        packet_id: u16,
    },
    /// Its PUBREL came.
    #[n(16)]
    Completed {
        #[n(0)]
        session: SessionNo,
        #[n(1)]
        packet_id: u16,
    },
}

/// Appends a fact to a stream.
pub(crate) fn write(stream: &mut Vec<u8>, fact: &Fact<'_>) {
    if stream.is_empty() {
        stream.push(FORMAT);
    }
    let is_written = Encoder::new(stream).encode(fact).is_ok();
    debug_assert!(is_written, "memory takes what is written to it");
}

/// The facts of a stream and where each begins, until the first that is none.
pub(crate) fn read(stream: &[u8]) -> impl Iterator<Item = Result<(usize, Fact<'_>), BadFacts>> {
    let (format, rest) = match stream.split_first() {
        Some((format, rest)) => (*format, rest),
        None => (FORMAT, stream),
    };
    let mut decoder = Decoder::new(rest);
    let mut is_over = false;
    std::iter::from_fn(move || {
        if is_over || decoder.position() >= rest.len() {
            return None;
        }
        if format != FORMAT {
            is_over = true;
            return Some(Err(BadFacts::Format(format)));
        }
        let at = decoder.position() + 1;
        let fact = decoder.decode().map(|fact| (at, fact));
        let fact = fact.map_err(|error| BadFacts::Malformed {
            at,
            what: error.to_string(),
        });
        is_over = fact.is_err();
        Some(fact)
    })
}

/// Bytes that are no facts of this version.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadFacts {
    /// They are of another format: a newer version wrote them.
    Format(u8),
    /// They are damaged, or a newer version wrote them.
    Malformed {
        /// Where the fact at fault begins, in bytes.
        at: usize,
        /// What is wrong.
        what: String,
    },
}

impl fmt::Display for BadFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(format) => write!(
                f,
                "what the broker kept is of format {format}, this version reads {FORMAT}"
            ),
            Self::Malformed { at, what } => {
                write!(f, "what the broker kept is damaged at byte {at}: {what}")
            }
        }
    }
}

impl std::error::Error for BadFacts {}
