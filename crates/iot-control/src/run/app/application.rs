//! What the broker calls: who may come in, what a message is, when something is due.

use broker::{
    Access, Ack, Admission, Application, Client, Core, Denied, Ended, Incoming, LastWill, Login,
    Outbox, Reason, Verdict,
};
use dispatcher::{Input, Publisher, Will};
use types::{Instant, Now};

use super::{App, SYNC_CHECK_EVERY, clients::Connected};
use crate::run::{home_assistant::Announcer, identity, journal::Haste, sealed::mqtt};

impl Application for App {
    fn authenticate(&mut self, login: &Login<'_>) -> Admission {
        let uplink = self.uplink.as_ref();
        if let Some(admission) = uplink.and_then(|uplink| uplink.admit(login)) {
            return admission;
        }
        let sealed = &mut self.sealed;
        let by_key = { login.user }.and_then(|name| sealed.admit(name, &self.dispatcher));
        if let Some(admission) = by_key {
            return admission;
        }
        let known = login.user.and_then(|name| self.logins.find(name));
        let access = |name: &str, known: &_| self.access_of(name, known);
        identity::admit(login, &self.dispatcher, known, access, self.anonymous)
    }

    fn connected(&mut self, now: Now, client: &Client<'_>, out: &mut Outbox) {
        if let Some(goes) = self.sealed.came(now, client) {
            out.kick(goes);
        }
        let publisher =
            identity::publisher(client.user, self.logins.find(client.user), &self.dispatcher);
        self.clients.came(
            client.key,
            Connected {
                user: client.user.into(),
                publisher,
                here: true,
            },
        );
        if let Some(device) = self.clients.device(client.key) {
            self.session_started(now, device, out);
        }
    }

    fn disconnected(
        &mut self,
        now: Now,
        client: &Client<'_>,
        how: Ended,
        will: LastWill,
        out: &mut Outbox,
    ) {
        if how == Ended::Shutdown {
            return;
        }
        self.clients.left(client.key);
        self.sealed.left(now, client.key);
        let Some(device) = self.clients.device(client.key) else {
            return;
        };
        if how == Ended::TakenOver {
            return self.dispatcher.replaced(device);
        }
        if let Some(input) = self.dispatcher.disconnected(device, last_will(will)) {
            self.take(now, input, out);
        }
    }

    fn stayed_away(&mut self, now: Now, client: &Client<'_>, out: &mut Outbox) {
        let device = self.clients.device(client.key);
        if let Some(input) = device.and_then(|device| self.dispatcher.stayed_away(device)) {
            self.take(now, input, out);
        }
    }

    fn publish(
        &mut self,
        now: Now,
        from: &Client<'_>,
        message: &Incoming<'_>,
        out: &mut Outbox,
    ) -> Verdict {
        if mqtt::is_of_link(message.topic) {
            return self.take_of_link(now, from, message, out);
        }
        let refused = |reason| Verdict {
            route: false,
            retain: false,
            survives: false,
            ack: Ack::Now,
            refused: Some(reason),
        };
        let client = self.clients.find(from.key);
        let Some((client, publisher)) = client.and_then(|c| Some((c, c.publisher.as_ref()?)))
        else {
            return refused(Reason::NotAuthorized);
        };
        if message.will.is_some() && self.is_kept_out(publisher) {
            return refused(Reason::Banned);
        }
        let read = dispatcher::Message {
            topic: message.topic,
            payload: message.payload,
            retain: message.retain,
            will: message.will.map(|how| will(how, client)),
        };
        let speaker = match publisher {
            Publisher::Device(device) => Some(*device),
            _ => None,
        };
        self.now.set(now);
        match self.dispatcher.admit(now, publisher, &read) {
            Ok(admitted) => {
                if let Some(announcer) = &mut self.announcer {
                    announcer.hear(now, message.topic, message.payload);
                }
                let haste = |input: &Input| Haste::of_published(input, publisher);
                let haste = admitted.input.as_ref().map(haste);
                for refusal in &admitted.noted {
                    self.note_refusal(now, refusal);
                }
                let ack = match admitted.input.zip(haste) {
                    Some((input, haste)) => {
                        if message.qos != broker::Qos::AtMostOnce {
                            self.journal.await_ack();
                        }
                        let before = self.journal.bytes;
                        let ack = self.take_in(now, input, haste, out);
                        if let Some(device) = speaker {
                            let bytes = self.journal.bytes - before;
                            if let Some(until) = self.charge(now, device, bytes) {
                                out.hold(from.key, until);
                            }
                        }
                        ack
                    }
                    None => Ack::Now,
                };
                Verdict {
                    route: admitted.route,
                    retain: true,
                    // What stands there is said again after a start, by the house or by its devices.
                    survives: !message.topic.starts_with("iot/"),
                    ack,
                    refused: None,
                }
            }
            Err(refusal) => {
                self.note_refusal(now, &refusal);
                refused(if is_about_rights(&refusal.reason) {
                    Reason::NotAuthorized
                } else {
                    Reason::PayloadFormatInvalid
                })
            }
        }
    }

    fn acknowledged(&mut self, now: Now, by: &Client<'_>, token: broker::Token, _: &mut Outbox) {
        if let Some(device) = self.clients.device(by.key)
            && let Some(observed) = self
                .dispatcher
                .delivered(device, dispatcher::Token(token.0))
        {
            self.observe(now, &observed);
        }
    }

    fn denied(&mut self, now: Now, what: &Denied<'_>) {
        let is_known = |name: &str| self.logins.find(name).is_some();
        self.refusals.denied(now, what, is_known);
    }

    fn tick(&mut self, now: Now, out: &mut Outbox) {
        self.catch_up(now, out);
        self.tick_sealed(now, out);
        self.sum_up_arrivals(now);
        self.watch_store(now);
        self.refusals.flush(now);
        self.wants_snapshot |= self.journal.wants_snapshot() || now.at >= self.snapshot_due;
    }

    fn next_deadline(&self) -> Option<Instant> {
        let now = self.now.get();
        let sync = (!now.synced).then(|| now.at.after(SYNC_CHECK_EVERY));
        let snapshot = if self.journal.wants_snapshot() {
            now.at
        } else {
            self.snapshot_due
        };
        let house = self.dispatcher.next_deadline(now);
        let journal = self.journal.due();
        let store = self.keeper.next_look();
        let arriving = self.arriving.as_ref().map(|it| it.deadline(now.at));
        let announcer = self.announcer.as_ref().and_then(Announcer::next_deadline);
        let sealed = self.sealed.next_deadline(now);
        house
            .into_iter()
            .chain(arriving)
            .chain(announcer)
            .chain(sealed)
            .chain(sync)
            .chain(journal)
            .chain([snapshot, store])
            .min()
    }

    fn keep(&mut self, now: Now, facts: &[u8], is_awaited: bool) -> Ack {
        self.now.set(now);
        self.journal.keep(now, facts, is_awaited)
    }

    fn rights(&self, user: &str) -> Option<Access> {
        match self.logins.find(user) {
            Some(known) => Some(self.access_of(user, known)),
            None => identity::rights_without_login(user, self.anonymous),
        }
    }

    fn drained(&mut self, core: &Core) {
        // Nobody waits any more for what it takes to let go of them.
        self.effects.clear();
        if self.wants_snapshot {
            self.snapshot(self.now.get(), core);
        }
        self.journal.hand_over_if_due(self.now.get());
        let reached = self.journal.durable().reached();
        self.sealed.reached(self.now.get(), reached);
        self.sealed.flush();
    }
}

impl App {
    /// Whether this is a device that is blocked both ways: what it left to be said is not said either.
    fn is_kept_out(&self, publisher: &Publisher) -> bool {
        matches!(publisher, Publisher::Device(device) if !self.dispatcher.may_connect(*device))
    }
}

/// What a last will says of the session that left it, which is still here unless the will had a delay.
fn will(how: Ended, of: &Connected) -> Will {
    match how {
        Ended::TakenOver => Will::Replaced,
        _ if of.here => Will::Ending,
        _ => Will::Ended,
    }
}

fn last_will(will: LastWill) -> dispatcher::LastWill {
    match will {
        LastWill::None => dispatcher::LastWill::None,
        LastWill::Published => dispatcher::LastWill::Published,
        LastWill::Waiting => dispatcher::LastWill::Waiting,
    }
}

fn is_about_rights(reason: &dispatcher::Reason) -> bool {
    use dispatcher::Reason as Why;
    matches!(
        reason,
        Why::NotYours { .. } | Why::Sealed { .. } | Why::DispatchersOwn | Why::Undeclared
    )
}
