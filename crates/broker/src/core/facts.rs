//! What is to survive the end of the process, said as [facts](crate::kept::fact) when it changes: collected during a step,
//! handed to the application at its end, and what has to wait until they are stored.
//!
//! Of sessions that end with their connection, of QoS 0 and of the application's own messages there are no facts, so that
//! an event that becomes a command costs nothing here.
//!
//! What waits, and why:
//! - PUBACK and PUBREC to a publisher: an acknowledged message is the broker's to deliver.
//! - SUBACK and UNSUBACK: a client that comes back to its session does not subscribe again.
//! - PUBCOMP to a publisher: it may use the packet id again, and a message under an id that still counts as received would
//!   be taken for a repetition.
//! - QoS 2 to a subscriber, PUBLISH as well as PUBREL: what is sent again after a restart has to have the packet id that the
//!   client knows, and to stand where the client stands; else it has the message twice.
//!
//! A QoS 1 delivery waits for nothing: that it comes twice is what QoS 1 allows. Nor does a CONNACK: a client that asked for
//! a new session and had no other answer before a crash may find its old one.

use std::{collections::BTreeMap, sync::Arc};

use types::{InputNo, Instant, Now};

use super::{Core, publish::What};
use crate::{
    Ack, Application, Filter, Qos,
    application::ClientKey,
    kept::{
        DeliveryNo, Fact, Kept, KeptDelivery, KeptSent, KeptSession, KeptSubscription, SessionNo,
        fact,
    },
    message::Stored,
    outbound::Delivery,
    retained::Retained,
    router::Subscriber,
    session::Session,
};

/// The facts of the current step.
#[derive(Debug, Default)]
pub(super) struct Facts {
    is_on: bool,
    stream: Vec<u8>,
    /// Messages in it.
    messages: u64,
    /// The last of them.
    newest: Option<Arc<Stored>>,
    /// Deliveries that wait until these facts are stored.
    pub(super) held: Vec<Held>,
    next_session: u64,
}

/// A QoS 2 delivery that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) client: ClientKey,
    /// A client's number is used again.
    session: SessionNo,
    pub(super) no: DeliveryNo,
}

/// Bytes of the facts' buffer that are kept between steps.
const BUFFER_BYTES_KEPT: usize = 64 * 1024;

impl Facts {
    fn write(&mut self, fact: &Fact<'_>) {
        fact::write(&mut self.stream, fact);
    }

    /// The place of a message in the stream, written where it is not the last one.
    fn place(&mut self, message: &Arc<Stored>, is_retained: bool) -> u64 {
        if !(self.newest.as_ref()).is_some_and(|newest| Arc::ptr_eq(newest, message)) {
            match is_retained {
                true => self.write(&Fact::OfRetained {
                    topic: &message.topic,
                }),
                false => self.write(&message.fact()),
            }
            self.newest = Some(Arc::clone(message));
            self.messages += 1;
        }
        self.messages - 1
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on
    }

    pub(super) fn retained(&mut self, message: &Arc<Stored>) {
        if self.is_on {
            let message = self.place(message, false);
            self.write(&Fact::Retained { message });
        }
    }

    pub(super) fn cleared(&mut self, topic: &str) {
        if self.is_on {
            self.write(&Fact::Cleared { topic });
        }
    }

    /// A client is connected: its session outlives that from now on, or does not any more.
    pub(super) fn came(&mut self, session: &mut Session, user: &str) {
        if !self.is_on {
            return;
        }
        let expiry_s = session.expiry_s;
        if expiry_s == 0 {
            session.window.let_all_go();
            return self.ended(session);
        }
        let no = session.no.unwrap_or_else(|| {
            self.next_session += 1;
            let no = SessionNo(self.next_session);
            self.write(&Fact::Began {
                session: no,
                user,
                client_id: &session.client_id,
            });
            no
        });
        session.no = Some(no);
        self.write(&Fact::Came {
            session: no,
            expiry_s,
        });
    }

    pub(super) fn left(&mut self, session: &Session, at: Instant) {
        if let Some(no) = session.no {
            self.write(&Fact::Left {
                session: no,
                expiry_s: session.expiry_s,
                at_us: at.0,
            });
        }
    }

    pub(super) fn ended(&mut self, session: &mut Session) {
        if let Some(session) = session.no.take() {
            self.write(&Fact::Ended { session });
        }
    }

    pub(super) fn subscribed(&mut self, session: &Session, filter: &Filter, of: &Subscriber) {
        if let Some(no) = session.no {
            let kept = KeptSubscription::from(of);
            self.write(&kept.fact(no, filter.as_str()));
        }
    }

    pub(super) fn unsubscribed(&mut self, session: &Session, filter: &Filter) {
        if let Some(session) = session.no {
            let filter = filter.as_str();
            self.write(&Fact::Unsubscribed { session, filter });
        }
    }

    /// A message is to reach a session; gives it a number there. What `retained` has is named and not written again.
    pub(super) fn queued(
        &mut self,
        session: &mut Session,
        delivery: &mut Delivery,
        retained: &Retained,
    ) {
        delivery.no = None;
        let Some(session_no) = session.no else {
            return;
        };
        if delivery.qos == Qos::AtMostOnce || delivery.message.is_own {
            return;
        }
        session.deliveries += 1;
        let no = DeliveryNo(session.deliveries);
        delivery.no = Some(no);
        let is_retained = delivery.replay && retained.survives(&delivery.message);
        let message = self.place(&delivery.message, is_retained);
        self.write(&Fact::Queued {
            session: session_no,
            no,
            message,
            qos: delivery.qos as u8,
            retain: delivery.retain,
            replay: delivery.replay,
            ids: delivery.subscription_ids.to_vec(),
            share: delivery.share.as_deref(),
        });
    }

    /// It is being sent. True where its bytes have to wait until that is stored.
    pub(super) fn sent(
        &mut self,
        client: ClientKey,
        session: Option<SessionNo>,
        (no, qos): (Option<DeliveryNo>, Qos),
        packet_id: u16,
    ) -> bool {
        let (Some(session), Some(no)) = (session, no) else {
            return false;
        };
        self.write(&Fact::Sent {
            session,
            no,
            packet_id,
        });
        let waits = qos == Qos::ExactlyOnce;
        if waits {
            self.held.push(Held {
                client,
                session,
                no,
            });
        }
        waits
    }

    /// Its PUBREC came: PUBREL waits.
    pub(super) fn released(&mut self, client: ClientKey, session: SessionNo, no: DeliveryNo) {
        self.write(&Fact::Released { session, no });
        self.held.push(Held {
            client,
            session,
            no,
        });
    }

    pub(super) fn done(&mut self, session: Option<SessionNo>, no: Option<DeliveryNo>) {
        if let (Some(session), Some(no)) = (session, no) {
            self.write(&Fact::Done { session, no });
        }
    }

    /// Says what a session's queue and window dropped since this was called last.
    pub(super) fn dropped(&mut self, session: &mut Session) {
        let lost = session.queue.take_lost().chain(session.window.take_lost());
        if let Some(session) = session.no {
            for no in lost {
                self.write(&Fact::Done { session, no });
            }
        }
    }

    pub(super) fn revoked(&mut self, session: Option<SessionNo>, revoked: Vec<DeliveryNo>) {
        if let Some(session) = session {
            for no in revoked {
                self.write(&Fact::Revoked { session, no });
            }
        }
    }

    pub(super) fn received(&mut self, session: &Session, packet_id: u16) {
        if let Some(session) = session.no {
            self.write(&Fact::Received { session, packet_id });
        }
    }

    pub(super) fn completed(&mut self, session: &Session, packet_id: u16) {
        if let Some(session) = session.no {
            self.write(&Fact::Completed { session, packet_id });
        }
    }

    /// Sessions that begin from now on have a later number than this one.
    pub(super) fn number_after(&mut self, session: SessionNo) {
        self.next_session = self.next_session.max(session.0);
    }
}

impl From<&Subscriber> for KeptSubscription {
    fn from(of: &Subscriber) -> Self {
        Self {
            qos: of.qos,
            no_local: of.no_local,
            retain_as_published: of.retain_as_published,
            id: of.id,
        }
    }
}

impl Core {
    /// From now on it says what is to survive the end of the process: [`Application::keep`].
    #[must_use]
    pub fn keeping(mut self) -> Self {
        self.facts.is_on = true;
        self
    }

    /// Hands what is to survive to the application, as far as it was not; true where there was any. To be called before
    /// [`Application::drained`], and the output that it may cause is to be written: what leaves a queue because a
    /// socket took something is nobody's input.
    pub fn commit(&mut self, now: Now, app: &mut dyn Application) -> bool {
        let is_any = !self.facts.stream.is_empty();
        self.store_facts(false, now, app);
        is_any
    }

    /// The same for what an ack waits for, or not.
    pub(super) fn store_facts(
        &mut self,
        is_awaited: bool,
        now: Now,
        app: &mut dyn Application,
    ) -> Ack {
        if self.facts.stream.is_empty() {
            debug_assert!(self.facts.held.is_empty(), "what waits has facts");
            return Ack::Now;
        }
        let is_awaited = is_awaited || !self.facts.held.is_empty();
        let ack = app.keep(now, &self.facts.stream, is_awaited);
        self.facts.stream.clear();
        self.facts.stream.shrink_to(BUFFER_BYTES_KEPT);
        self.facts.messages = 0;
        self.facts.newest = None;
        let mut held = std::mem::take(&mut self.facts.held);
        for one in held.drain(..) {
            match ack {
                Ack::After(facts) if facts > self.durable => {
                    self.withhold(facts, What::Delivery(one));
                }
                _ => self.send_held(one, now),
            }
        }
        self.facts.held = held;
        ack
    }

    /// All that survives, as it is now.
    #[must_use]
    pub fn kept(&self) -> Kept {
        let sessions = self.sessions.iter().filter_map(|(_, session)| {
            let user = self.users.get(session.user as usize)?;
            Some((session.no?, kept_session(session, &user.name)))
        });
        let retained = self.retained.surviving();
        Kept {
            retained: retained
                .map(|message| (Arc::clone(&message.topic), Arc::clone(message)))
                .collect(),
            sessions: sessions.collect(),
        }
    }
}

fn kept_session(session: &Session, user: &Arc<str>) -> KeptSession {
    let in_flight = session.window.iter().map(|entry| {
        let sent = KeptSent {
            packet_id: entry.packet_id,
            stage: entry.stage,
            revoked: entry.revoked,
        };
        (&entry.delivery, Some(sent))
    });
    let waiting = session.queue.iter().map(|delivery| (delivery, None));
    let deliveries = in_flight
        .chain(waiting)
        .filter_map(|(delivery, sent)| Some((delivery.no?, kept_delivery(delivery, sent))));
    let subscriptions = session.subscriptions.iter();
    KeptSession {
        user: Arc::clone(user),
        client_id: Arc::clone(&session.client_id),
        expiry_s: session.expiry_s,
        left: session.left,
        subscriptions: subscriptions
            .map(|(filter, of)| (filter.clone(), of.into()))
            .collect(),
        deliveries: deliveries.collect::<BTreeMap<_, _>>(),
        received: session.received.keys().copied().collect(),
    }
}

fn kept_delivery(delivery: &Delivery, sent: Option<KeptSent>) -> KeptDelivery {
    KeptDelivery {
        message: Arc::clone(&delivery.message),
        qos: delivery.qos,
        retain: delivery.retain,
        replay: delivery.replay,
        ids: delivery.subscription_ids.clone(),
        share: delivery.share.clone(),
        sent,
    }
}

/// When both are stored.
pub(super) fn later(one: Ack, other: Ack) -> Ack {
    match (one, other) {
        (Ack::After(one), Ack::After(other)) => Ack::After(one.max(other)),
        (Ack::Now, ack) | (ack, Ack::Now) => ack,
    }
}

impl Held {
    /// Whether it is of this session.
    pub(super) fn is_of(self, session: &Session) -> bool {
        session.no == Some(self.session)
    }
}

/// What an ack waits for that need not.
pub(super) fn number(ack: Ack) -> InputNo {
    match ack {
        Ack::Now => InputNo(0),
        Ack::After(input) => input,
    }
}
