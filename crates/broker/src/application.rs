//! The seam between the broker and what sits behind it: the dispatcher in production, a relay in
//! tests. Called by the core on the thread that read the bytes; must not block.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use types::{InputNo, Instant, Now};

use crate::{Access, Core, Filter, FilterError, Properties, Qos, Reason, Refused, Version, topic};

/// What sits behind the broker. Each call may send messages through the [`Outbox`]; the core
/// delivers them before it returns to the caller.
pub trait Application {
    /// A CONNECT came. Decides without blocking.
    fn authenticate(&mut self, login: &Login<'_>) -> Admission;

    /// A client is connected: its CONNACK and what waited for it are written.
    fn connected(&mut self, now: Now, client: &Client<'_>, out: &mut Outbox) {
        let _ = (now, client, out);
    }

    /// A client is gone; `will` says what became of its last will, which was published before this where it
    /// has no delay. [`Client::siblings`] says whether other connections of the same user live on.
    fn disconnected(
        &mut self,
        now: Now,
        client: &Client<'_>,
        how: Ended,
        will: LastWill,
        out: &mut Outbox,
    ) {
        let _ = (now, client, how, will, out);
    }

    /// A client whose will was [waiting](LastWill::Waiting) did not come back in time: the will's delay is
    /// over, or its session. Called after the will was published, or denied.
    fn stayed_away(&mut self, now: Now, client: &Client<'_>, out: &mut Outbox) {
        let _ = (now, client, out);
    }

    /// A PUBLISH that passed the ACL, or a will that did.
    fn publish(
        &mut self,
        now: Now,
        from: &Client<'_>,
        message: &Incoming<'_>,
        out: &mut Outbox,
    ) -> Verdict;

    /// A QoS 1 or 2 message with this token was acknowledged by this client. A retained message
    /// keeps its token: a client that gets it later acknowledges it too.
    fn acknowledged(&mut self, now: Now, client: &Client<'_>, token: Token, out: &mut Outbox) {
        let _ = (now, client, token, out);
    }

    /// The broker refused something; for counters and (rate-limited) logs.
    fn denied(&mut self, now: Now, what: &Denied<'_>) {
        let _ = (now, what);
    }

    /// What of the broker's own is to survive the end of the process has changed: sessions that outlive their connections,
    /// what waits for them, retained messages of clients. Says when that is stored; `is_awaited`: somebody waits for it.
    /// Called by a core that is [keeping](crate::Core::keeping), at the end of a step; [`Kept`](crate::Kept) reads the bytes.
    fn keep(&mut self, now: Now, facts: &[u8], is_awaited: bool) -> Ack {
        let _ = (now, facts, is_awaited);
        Ack::Now
    }

    /// The rights of a user whose sessions were [kept](crate::Core::restore); `None`: there is no such user any more.
    fn rights(&self, user: &str) -> Option<Access> {
        let _ = user;
        None
    }

    /// A deadline of the application's own has passed.
    fn tick(&mut self, now: Now, out: &mut Outbox) {
        let _ = (now, out);
    }

    /// When [`tick`](Self::tick) is wanted next.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// All input that was there has been handed over and what it caused is written, but for acks that
    /// wait: the moment to hand the inputs taken since the last call to whoever stores them.
    /// Commands don't wait for that, and a wake-up of another thread costs more than a write.
    fn drained(&mut self, core: &Core) {
        let _ = core;
    }
}

/// Who wants in.
#[derive(Clone, Copy, Debug)]
pub struct Login<'a> {
    /// May be empty; the broker then makes one up once the client is in.
    pub client_id: &'a str,
    /// The user name, where the client gave one.
    pub user: Option<&'a str>,
    /// The password, where the client gave one.
    pub password: Option<&'a [u8]>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it speaks.
    pub version: Version,
}

/// The answer to a [`Login`].
#[derive(Clone, Debug)]
pub enum Admission {
    /// Come in.
    Accept(Access),
    /// Come in if the password fits the hash: `blake2s$<hex>` is checked at once, an argon2 PHC
    /// string by the worker (see [`crate::password`]). A wrong password is only told after the worker's
    /// time, whatever the hash: neither the answer nor its time tells which users exist. So let unknown users
    /// be checked against [`crate::password::decoy`].
    Verify {
        /// The hash the password has to fit.
        hash: Arc<str>,
        /// The rights it then has, or why it stays out although its password fits: only who has that may know.
        access: Result<Access, Refusal>,
    },
    /// Stay out.
    Refuse(Refusal),
}

/// Why somebody stays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Unknown user or wrong password.
    BadCredentials,
    /// Known, but not allowed here.
    NotAuthorized,
    /// Blocked.
    Banned,
    /// Not now.
    Unavailable,
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::BadCredentials => Self::BadUserNameOrPassword,
            Refusal::NotAuthorized => Self::NotAuthorized,
            Refusal::Banned => Self::Banned,
            Refusal::Unavailable => Self::ServerUnavailable,
        }
    }
}

/// A small number for a session, dense from 0, for tables on the application's side. It is used
/// again after its session ended; [`Application::connected`] then introduces the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientKey(pub u32);

/// A client as the application sees it.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its number.
    pub key: ClientKey,
    /// Its id, unique for its user.
    pub id: &'a str,
    /// The user it belongs to.
    pub user: &'a str,
    /// Where it is (or last was) connected from.
    pub peer: SocketAddr,
    /// What it speaks.
    pub version: Version,
    /// Other connections of the same user that live now.
    pub siblings: u32,
}

/// What became of a client's last will when its connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWill {
    /// There was none, or a goodbye took it back.
    None,
    /// It was published, or denied.
    Published,
    /// It has a delay. Either the client comes back before that is over, and the will is forgotten, or
    /// [`Application::stayed_away`] is called; a client that comes back without its session has its will
    /// published as one of [`Ended::TakenOver`].
    Waiting,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// The client said goodbye. Its will is forgotten.
    Clean,
    /// The socket closed, or the client said goodbye and asked for its will.
    Lost,
    /// Nothing came for one and a half keep-alive intervals.
    KeepAlive,
    /// The same client connected again; `connected` follows within the same step. A will is
    /// published all the same, unless the new connection cancels its delay. Also of the will of a client
    /// that was away for less than the will's delay and wants a new session.
    TakenOver,
    /// The application, or a change of rights, ended it.
    Kicked,
    /// The client broke the protocol or a limit.
    Protocol(Reason),
    /// The client did not read what was sent to it.
    SlowReader,
    /// The broker stops.
    Shutdown,
}

/// A message from a client.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// The payload as it came.
    pub payload: &'a [u8],
    /// How hard it is delivered.
    pub qos: Qos,
    /// Asked to be kept for later subscribers; an empty payload then deletes.
    pub retain: bool,
    /// May be a repetition.
    pub dup: bool,
    /// Where this is the client's last will: how the connection ended that left it.
    pub will: Option<Ended>,
    /// What travels with it in MQTT 5.
    pub properties: Properties<'a>,
}

/// What becomes of a message from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Deliver to subscribers and, where [`Verdict::retain`] agrees, keep, as a plain broker would.
    pub route: bool,
    /// Whether a message that asks to be kept for later subscribers may be.
    pub retain: bool,
    /// Whether what is kept so survives the end of the process. Not what the application knows and says again by itself.
    pub survives: bool,
    /// When to acknowledge.
    pub ack: Ack,
    /// Acknowledge with this reason (MQTT 5; 3.1.1 gets a plain ack). Nothing is routed then.
    pub refused: Option<Reason>,
}

impl Verdict {
    /// As a plain broker does: route and acknowledge.
    pub const RELAY: Self = Self {
        route: true,
        retain: true,
        survives: true,
        ack: Ack::Now,
        refused: None,
    };
}

/// When a QoS 1 or 2 message is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// With the next write.
    Now,
    /// Once [`Core::durable`](crate::Core::durable) has seen this input. Until then it counts against
    /// [`receive_max`](crate::Limits::receive_max), which bounds how much a client may have open.
    After(InputNo),
}

/// What the application calls one of its messages by; it comes back in
/// [`Application::acknowledged`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A message that the application sends. A retained one is an absolute target: while it waits in a
/// client's queue, a newer one of the same topic takes its place.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) topic: Arc<str>,
    /// The payload, shared with every queue it waits in.
    pub payload: Bytes,
    /// How hard it is delivered.
    pub qos: Qos,
    /// Kept for later subscribers; an empty payload deletes.
    pub retain: bool,
    /// Seconds after which nobody gets it any more.
    pub expiry_s: Option<u32>,
    /// Reported back on every ack of it.
    pub token: Option<Token>,
}

impl Message {
    /// A message at QoS 0, not retained.
    ///
    /// # Errors
    /// `topic` is empty, too long or holds a wildcard.
    pub fn new(topic: Arc<str>, payload: impl Into<Bytes>) -> Result<Self, FilterError> {
        let filter = Filter::new(&topic)?;
        if !topic::is_name(&topic) || filter.is_wild() {
            return Err(FilterError::WildcardNotAlone);
        }
        Ok(Self {
            topic,
            payload: payload.into(),
            qos: Qos::AtMostOnce,
            retain: false,
            expiry_s: None,
            token: None,
        })
    }

    /// As [`Message::new`], for a topic that is known to be a valid name: the application built and
    /// checked it once, and sends on it often.
    #[must_use]
    pub fn trusted(topic: Arc<str>, payload: impl Into<Bytes>) -> Self {
        debug_assert!(topic::is_name(&topic), "an application's topic is a name");
        Self {
            topic,
            payload: payload.into(),
            qos: Qos::AtMostOnce,
            retain: false,
            expiry_s: None,
            token: None,
        }
    }

    /// Where it goes.
    #[must_use]
    pub fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// The same message at this QoS.
    #[must_use]
    pub fn qos(mut self, qos: Qos) -> Self {
        self.qos = qos;
        self
    }

    /// The same message, kept for later subscribers.
    #[must_use]
    pub fn retained(mut self) -> Self {
        self.retain = true;
        self
    }

    /// The same message, worthless after so many seconds.
    #[must_use]
    pub fn expires_after_s(mut self, expiry_s: u32) -> Self {
        self.expiry_s = Some(expiry_s);
        self
    }

    /// The same message with a token.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }
}

/// Collects what the application sends during a call.
#[derive(Debug, Default)]
pub struct Outbox {
    pub(crate) messages: Vec<Message>,
    pub(crate) kicks: Vec<Arc<str>>,
    pub(crate) holds: Vec<(ClientKey, Instant)>,
}

impl Outbox {
    /// Sends a message to whoever subscribed to its topic.
    pub fn send(&mut self, message: Message) {
        self.messages.push(message);
    }

    /// Ends all connections of a user, also those whose password is being checked. Its sessions and
    /// rights stay; see
    /// [`Core::set_access`](crate::Core::set_access) to take those.
    pub fn kick(&mut self, user: impl Into<Arc<str>>) {
        self.kicks.push(user.into());
    }

    /// Reads nothing more from this client until then: it sends more than there is room for. What it sends
    /// waits in its own socket.
    pub fn hold(&mut self, client: ClientKey, until: Instant) {
        self.holds.push((client, until));
    }
}

/// What the broker refused.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Denied<'a> {
    /// A connection, before it said anything.
    Accept {
        /// Where it came from.
        peer: SocketAddr,
        /// What it was too much for.
        reason: Refused,
    },
    /// TLS or WebSocket frames; the connection ends.
    Wrap {
        /// Where they came from.
        peer: SocketAddr,
        /// What was wrong, in words.
        reason: &'a str,
    },
    /// A CONNECT.
    Connect {
        /// Where it came from.
        peer: SocketAddr,
        /// The id it gave; empty where the CONNECT was unreadable.
        client_id: &'a str,
        /// The user it gave.
        user: Option<&'a str>,
        /// What it was told.
        reason: Reason,
    },
    /// A message on a topic that its user may not publish, or that breaks a limit.
    Publish {
        /// Who sent it.
        client: Client<'a>,
        /// Where it should have gone.
        topic: &'a str,
        /// What it was told, where there was a way to tell.
        reason: Reason,
    },
    /// To keep a message for later subscribers: there is no room, or its user has taken its share. Who is
    /// subscribed now has it.
    Retain {
        /// Who sent it.
        client: Client<'a>,
        /// Where it should have stayed.
        topic: &'a str,
    },
    /// A subscription.
    Subscribe {
        /// Who wanted it.
        client: Client<'a>,
        /// To what.
        filter: &'a str,
        /// What it was told.
        reason: Reason,
    },
    /// Bytes that break the protocol; the connection ends.
    Protocol {
        /// Where they came from.
        peer: SocketAddr,
        /// Who sent them, after its CONNECT.
        client: Option<Client<'a>>,
        /// What was wrong.
        reason: Reason,
    },
}
