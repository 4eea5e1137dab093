//! What devices on the sealed link say, and how they come and go: the same inputs as those of plain modules, by another
//! way.

use std::{collections::BTreeMap, sync::Arc};

use broker::{Ack, Client, Core, Denied, Incoming, Outbox, Reason, Verdict};
use dispatcher::{ALL, Input, LastWill, Notify, Said};
use link::{Address, CloneSign, Told};
use mapping::{Program, program::DeviceIx};
use store::{HouseKeys, SealedDevice};
use types::Now;
use wire::{Body, Handle, Identity, Kind, PublicKey};

use super::App;
use crate::run::{
    journal::Haste,
    keys,
    sealed::{Sealed, mqtt::Brought},
};

impl App {
    /// From now on these devices are let in over the sealed link. To be called before the house is announced.
    pub(in crate::run) fn let_in(&mut self, sealed: Sealed) {
        self.sealed = sealed;
        self.dispatcher.seal(self.sealed.subjects());
        let program = Arc::clone(self.dispatcher.program());
        self.sealed.recognise(&program, &self.dispatcher);
    }

    /// Lets a device in that was added while the house runs. Whoever spoke for it does so no longer.
    pub(in crate::run) fn seal(
        &mut self,
        core: &mut Core,
        now: Now,
        (device, house): (SealedDevice, HouseKeys),
        before: Option<PublicKey>,
    ) {
        let gone = before.and_then(|key| {
            let row = { self.sealed.row(Handle::of(&key)) }.filter(|row| row.is_here);
            row?.device
        });
        self.sealed.add(now, &device, &house, before);
        let input = gone.and_then(|gone| self.dispatcher.disconnected(gone, LastWill::None));
        if let Some(input) = input {
            self.command(core, now, input);
        }
        self.dispatcher.seal(self.sealed.subjects());
        let program = Arc::clone(self.dispatcher.program());
        self.sealed.recognise(&program, &self.dispatcher);
        let logins = self.logins.of_device(&device.name);
        let users: Vec<Arc<str>> = logins.map(|(user, _)| Arc::clone(user)).collect();
        let cages = before.map(|key| Handle::of(&key));
        let cages = cages
            .into_iter()
            .flat_map(|old| self.sealed.cages.users(old));
        let cages: Vec<Arc<str>> = cages.map(Arc::clone).collect();
        for user in users.into_iter().chain(cages) {
            core.set_access(&user, None, now, self);
        }
        if let Some(uplink) = &self.uplink {
            uplink.reloaded.notify_one();
        }
    }

    /// Gives a simulated module a key for as long as this process lives. `None`: the house has no keys.
    ///
    /// # Errors
    /// The kernel has no random numbers.
    pub(in crate::run) fn lend_key(
        &mut self,
        device: DeviceIx,
        now: Now,
    ) -> anyhow::Result<Option<Identity>> {
        let Some((dispatcher, site)) = self.sealed.own() else {
            return Ok(None);
        };
        let program = Arc::clone(self.dispatcher.program());
        let row = &program[device];
        let (secret, psk) = (keys::random()?, keys::random()?);
        let key = link::Own::new(secret.clone()).public();
        let lent = SealedDevice {
            name: row.name.to_string(),
            id: Some(row.id),
            key,
            psk: psk.clone(),
        };
        let before = self.sealed.key_of(device);
        self.sealed.lend(now, &lent, before);
        self.dispatcher.seal(self.sealed.subjects());
        self.sealed.recognise(&program, &self.dispatcher);
        Ok(Some(Identity {
            flags: 0,
            device_secret: secret,
            device_public: key,
            dispatcher,
            dispatcher_next: None,
            psk,
            site,
            seed: keys::random()?,
            ota_key: PublicKey([0; 32]),
        }))
    }

    /// Takes a frame, and what it leads to. Gives whether it is a device's word of now.
    pub(in crate::run) fn take_frame(
        &mut self,
        now: Now,
        from: Address,
        bytes: &[u8],
        out: &mut Outbox,
    ) -> bool {
        self.now.set(now);
        let is_genuine = self.sealed.handle(now, from, bytes);
        self.hear_sealed(now, out);
        is_genuine
    }

    /// Takes a message on a topic of the link. Only devices of it speak there, each on its own; nobody else hears it, and
    /// nothing is kept there.
    pub(super) fn take_of_link(
        &mut self,
        now: Now,
        from: &Client<'_>,
        message: &Incoming<'_>,
        out: &mut Outbox,
    ) -> Verdict {
        let of = self.sealed.cages.handle(from.key);
        let is_uplink = matches!(
            self.clients.find(from.key).map(|client| &client.publisher),
            Some(Some(dispatcher::Publisher::ExternalBroker))
        );
        let speaks = of.is_some() || is_uplink;
        let brought = self.sealed.brought(message.topic, of).filter(|_| speaks);
        let refused = brought.is_none().then_some(Reason::NotAuthorized);
        match brought {
            Some(Brought::Frame(address)) => {
                if self.take_frame(now, address, message.payload, out) {
                    self.sealed.cages.proved(from.key);
                }
            }
            Some(Brought::Will(address, device)) => {
                self.sealed.hint(now, (address, device), message.payload);
            }
            None => {
                let denied = Denied::Publish {
                    client: *from,
                    topic: message.topic,
                    reason: Reason::NotAuthorized,
                };
                let is_known = |name: &str| self.logins.find(name).is_some();
                self.refusals.denied(now, &denied, is_known);
            }
        }
        Verdict {
            route: false,
            retain: false,
            survives: false,
            ack: Ack::Now,
            refused,
        }
    }

    /// Lets the link do what fell due.
    pub(super) fn tick_sealed(&mut self, now: Now, out: &mut Outbox) {
        for user in self.sealed.cages.overdue(now.at) {
            out.kick(user);
        }
        self.sealed.tick(now);
        self.hear_sealed(now, out);
    }

    fn hear_sealed(&mut self, now: Now, out: &mut Outbox) {
        while let Some(told) = self.sealed.poll_told() {
            match told {
                Told::Online {
                    device, rekeyed, ..
                } => self.sealed_came(now, device, rekeyed, out),
                Told::Offline { device } => self.sealed_went(now, device, out),
                Told::Event {
                    device,
                    boot_id,
                    seq,
                    body,
                } => self.take_sealed_event(now, device, (boot_id, seq), &body, out),
                Told::Message {
                    device,
                    kind: Kind::State,
                    body,
                } => self.take_sealed_state(now, device, &body, out),
                Told::Taken { device, rev } => self.sealed_took(now, device, rev),
                Told::Clone { device, why } => self.tell_clone(device, why, out),
                Told::Pending { key, .. } => tracing::info!(
                    handle = %Handle::of(&key),
                    "a device asks to be let in that has no key here"
                ),
                Told::Message { .. } | Told::Unheard { .. } => {}
            }
        }
        self.sealed.post(out);
    }

    fn sealed_came(&mut self, now: Now, handle: Handle, rekeyed: bool, out: &mut Outbox) {
        let Some(row) = self.sealed.row(handle) else {
            return;
        };
        let was_here = row.is_here;
        row.begin();
        let Some(device) = row.device else { return };
        if rekeyed {
            self.effects.clear();
            self.dispatcher.sync(now, device, &mut self.effects);
            self.hand_out(now, out);
            return;
        }
        if was_here {
            self.dispatcher.replaced(device);
        }
        self.session_started(now, device, out);
    }

    fn sealed_went(&mut self, now: Now, handle: Handle, out: &mut Outbox) {
        let Some(row) = self.sealed.row(handle) else {
            return;
        };
        row.is_here = false;
        let Some(device) = row.device else { return };
        if let Some(input) = self.dispatcher.disconnected(device, LastWill::None) {
            self.take(now, input, out);
        }
    }

    fn take_sealed_event(
        &mut self,
        now: Now,
        handle: Handle,
        (boot_id, seq): (u64, u32),
        body: &[u8],
        out: &mut Outbox,
    ) {
        let events = match Body::decode(Kind::Event, body) {
            Ok(Body::Event(events)) => events,
            // The link read it once.
            _ => return,
        };
        let event = events.iter().next();
        let row = self.sealed.row(handle);
        if row.as_ref().is_some_and(|row| now.at < row.held_until) {
            // Not acknowledged: the device says it for ten seconds more.
            return;
        }
        let channel = event.and_then(|event| row?.channel_at(event.role, event.channel));
        let admitted = event.zip(channel).map(|(event, channel)| {
            let boot = boot_id;
            self.dispatcher
                .admit_sealed(now, channel, &Said::Event { event, boot })
        });
        match admitted {
            Some(Ok(Some(input))) => {
                self.journal.await_ack();
                if let Ack::After(no) = self.take_of_sealed(now, handle, input, out) {
                    self.sealed.await_journal(no, handle, boot_id, seq);
                    return;
                }
            }
            Some(Err(refusal)) => self.note_refusal(now, &refusal),
            // Of a device that the mapping does not have, or a channel that it had, or a role that nobody here knows.
            Some(Ok(None)) | None => {}
        }
        self.sealed.journalled(now, handle, boot_id, seq);
    }

    fn take_sealed_state(&mut self, now: Now, handle: Handle, body: &[u8], out: &mut Outbox) {
        let Ok(Body::State(state)) = Body::decode(Kind::State, body) else {
            return;
        };
        let row = { self.sealed.row(handle) }.filter(|row| now.at >= row.held_until);
        let Some(channel) = row.and_then(|row| row.channel_at(state.role, state.channel)) else {
            return;
        };
        match self
            .dispatcher
            .admit_sealed(now, channel, &Said::State(state))
        {
            Ok(Some(input)) => {
                self.take_of_sealed(now, handle, input, out);
            }
            Ok(None) => {}
            Err(refusal) => self.note_refusal(now, &refusal),
        }
    }

    /// Takes an input within its device's share of the journal.
    fn take_of_sealed(&mut self, now: Now, handle: Handle, input: Input, out: &mut Outbox) -> Ack {
        let before = self.journal.bytes;
        let ack = self.take_in(now, input, Haste::WithOthers, out);
        let bytes = self.journal.bytes - before;
        let device = self.sealed.row(handle).and_then(|row| row.device);
        let held_until = device.and_then(|device| self.charge(now, device, bytes));
        if let Some((until, row)) = held_until.zip(self.sealed.row(handle)) {
            row.held_until = until;
        }
        ack
    }

    fn sealed_took(&mut self, now: Now, handle: Handle, rev: u32) {
        if let Some((device, token)) = self.sealed.taken(handle, rev)
            && let Some(observed) = self.dispatcher.delivered(device, token)
        {
            self.observe(now, &observed);
        }
    }

    fn tell_clone(&mut self, handle: Handle, why: CloneSign, out: &mut Outbox) {
        let sign = match why {
            CloneSign::BootCount => "it counts fewer boots than before",
            CloneSign::Takeovers => "it boots again and again",
            CloneSign::Addresses => "it comes from two addresses in turns",
        };
        let program = Arc::clone(self.dispatcher.program());
        let device = self.sealed.row(handle).and_then(|row| row.device);
        let Some(device) = device.map(|device| &program[device].name) else {
            return;
        };
        tracing::warn!(%device, "may be there twice with the same key: {sign}");
        let told = Notify {
            to: ALL.into(),
            text: format!(
                "{device} may be there twice with the same key: {sign}. If nobody has worked on it, give it a new key: \
                 iot-control device add {device} --replace"
            ),
        };
        self.teller.tell(&told, out);
    }

    /// Another mapping is in force: who is who on the sealed link, and which devices have a session under another name.
    pub(super) fn recognise_sealed(&mut self, before: &Program) -> Vec<DeviceIx> {
        self.sealed.recognise(before, &self.dispatcher)
    }

    /// What was refused on the sealed link, by name, and how many devices are there.
    pub(in crate::run) fn sealed_counters(&self) -> BTreeMap<&'static str, u64> {
        let Some(counters) = self.sealed.counters() else {
            return BTreeMap::new();
        };
        BTreeMap::from([
            ("sessions", self.sealed.sessions() as u64),
            ("malformed", counters.malformed),
            ("wrong_mac1", counters.wrong_mac1),
            ("refused_hellos", counters.refused_hellos),
            ("unknown_keys", counters.unknown_keys),
            ("blocked_hellos", counters.blocked_hellos),
            ("limited_hellos", counters.limited_hellos),
            ("cookies", counters.cookies),
            ("resets", counters.resets),
            ("refused_frames", counters.refused_frames),
            ("broken_bodies", counters.broken_bodies),
            ("unknown_kinds", counters.unknown_kinds),
            ("limited_events", counters.limited_events),
            ("repeated_events", counters.repeated_events),
        ])
    }
}
