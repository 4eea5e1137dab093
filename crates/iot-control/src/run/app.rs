//! The house behind the broker: inputs to the journal and the dispatcher, effects to messages. All of it on the hot
//! thread; nothing here waits. What the broker calls stands in [`application`].

mod application;
mod clients;
mod sealed;

use std::{cell::Cell, rc::Rc, sync::Arc, time::Duration};

use broker::{Ack, Core, Message, Outbox, tcp::Durable};
use dispatcher::{
    Blocklist, Conduct, Dispatcher, Effects, Input, Note, Observed, Qos, Sides,
    explain::{self, Explainer},
};
use mapping::program::{DeviceIx, Succession};
use replay::changes::other_names;
use store::{
    StoreHandle,
    db::{ArchivedMapping, MappingHash, Snapshot},
};
use types::{InputNo, Instant, Now};

use self::clients::Clients;
use super::{
    arrival::Arriving,
    historian::Historian,
    home_assistant::Announcer,
    house::House,
    identity,
    journal::{Haste, Journal},
    keeper::Keeper,
    recover::summed_up,
    refusals::Refusals,
    room::Room,
    sealed::Sealed,
    stream::{About, Stream},
    tell::Teller,
    uplink::Uplink,
    users::{self, Logins, Users},
};
use crate::settings::Anonymous;

/// Time after which a snapshot is taken even of a quiet house.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// How often a clock that is not synchronised is looked at.
const SYNC_CHECK_EVERY: Duration = Duration::from_secs(1);

/// The house behind the broker.
pub(super) struct App {
    pub(super) dispatcher: Dispatcher,
    pub(super) stream: Stream,
    pub(super) logins: Logins,
    pub(super) refusals: Refusals,
    pub(super) teller: Teller,
    /// Simulated modules that were started and are not all there yet.
    arriving: Option<Arriving>,
    /// A house without a past: what it was before it began, and when that was.
    unbegun: Option<(Now, Vec<u8>)>,
    anonymous: Anonymous,
    clients: Clients,
    journal: Journal,
    effects: Effects,
    /// Devices whose broker users have other rights now; the caller of a command passes them on.
    rights_changed: Vec<Arc<str>>,
    now: Cell<Now>,
    snapshot_due: Instant,
    /// It is due: taken when the step is over, since the broker's part belongs to it.
    wants_snapshot: bool,
    was_synced: bool,
    keeper: Keeper,
    /// What of the journal each device used; `None`: nobody said how long that may be.
    room: Option<Room>,
    /// Tells Home Assistant of the house; `None`: nobody asks for that.
    announcer: Option<Announcer>,
    /// Devices on the sealed link.
    pub(super) sealed: Sealed,
    /// The way to an external broker; `None`: ours is the one.
    pub(super) uplink: Option<Rc<Uplink>>,
}

impl App {
    pub(super) fn new(
        dispatcher: Dispatcher,
        users: Users,
        anonymous: Anonymous,
        last: InputNo,
        now: Now,
    ) -> Self {
        Self {
            dispatcher,
            stream: Stream::default(),
            logins: Logins::new(users),
            refusals: Refusals::default(),
            teller: Teller::default(),
            arriving: None,
            unbegun: None,
            anonymous,
            clients: Clients::default(),
            journal: Journal::after(last),
            effects: Effects::default(),
            rights_changed: Vec::new(),
            now: Cell::new(now),
            snapshot_due: now.at.after(SNAPSHOT_EVERY),
            wants_snapshot: false,
            was_synced: now.synced,
            keeper: Keeper::new(now),
            room: None,
            announcer: None,
            sealed: Sealed::default(),
            uplink: None,
        }
    }

    /// The mapping of this start is in force, and the archive did not take it because of `why`.
    pub(super) fn is_unarchived(&mut self, mapping: ArchivedMapping, why: String) {
        self.keeper.is_unarchived(mapping, why);
    }

    /// Why the mapping in force is not kept, where it is not.
    pub(super) fn unarchived(&self) -> Option<String> {
        self.keeper.unarchived()
    }

    /// The house has no past: what it is before it begins is kept as its first snapshot, from which all of its past can be told.
    pub(super) fn is_new(&mut self, now: Now) {
        self.unbegun = Some((now, self.dispatcher.state()));
    }

    /// Goes over to the settings, the mapping and the blocks of today, before anybody is connected. Gives what an edit gave other
    /// names and numbers while the house was down, for people.
    pub(super) fn adopt(
        &mut self,
        house: &House,
        conduct: Conduct,
        blocklist: &Blocklist,
        now: Now,
    ) -> String {
        let mut others = String::new();
        // To people; nobody else is connected yet, and `start` sends what the house is then. One that was killed before it kept
        // its beginning begins again.
        let has_begun = self.unbegun.is_none() && self.dispatcher.has_begun();
        let input = match self.journal.last() == InputNo(0) && !has_begun {
            true => Input::Began,
            // From where it was to now: what fell due in between goes by each rule's `after_downtime`.
            false => Input::Resumed,
        };
        self.take(now, input, &mut Outbox::default());
        if *self.dispatcher.conduct() != conduct {
            self.take(now, Input::Config(conduct), &mut Outbox::default());
        }
        if self.dispatcher.program().hash != house.program.hash {
            let before = Arc::clone(self.dispatcher.program());
            let succession = Succession::new(&before, &house.program);
            others = other_names(&succession);
            self.bring_into_force(now, house, &succession);
            // To people; what is retained for devices, `start` sends.
            self.hand_out(now, &mut Outbox::default());
        }
        for input in self.dispatcher.blocklist().changes_to(blocklist) {
            // Nobody is connected yet: [`App::start`] sends what the house is then.
            self.take(now, input, &mut Outbox::default());
        }
        others
    }

    /// From now on long-term history is written.
    pub(super) fn keep_history(&mut self, historian: Historian) {
        self.keeper.tells(historian);
    }

    /// From now on no device fills more than its share of a journal of at most so many bytes.
    pub(super) fn share_room(&mut self, journal_bytes_max: u64) {
        self.room = Some(Room::of(journal_bytes_max));
    }

    /// An input of this device took so many bytes. Where that is beyond its share, it is not to be read until then.
    fn charge(&mut self, now: Now, device: DeviceIx, bytes: u64) -> Option<Instant> {
        let room = self.room.as_mut()?;
        let beyond = room.take(now, device, bytes)?;
        if beyond.is_news {
            let device = &self.dispatcher.program()[device].name;
            let kib_a_day = room.bytes_a_day() >> 10;
            tracing::warn!(
                %device,
                "sends so much that everybody's past would have to go: from now on {kib_a_day} KiB a day are taken from it. If that is a mistake of the device, `iot-control device block {device}` stops it; if not, give the journal more room (journal.size_mib_max)"
            );
        }
        Some(beyond.until)
    }

    /// Puts the house's retained topics into the broker and catches up with what fell due.
    pub(super) fn start(
        &mut self,
        core: &mut Core,
        now: Now,
        store: StoreHandle,
        durable: Durable,
    ) {
        self.journal.start(store, durable);
        if let Some((then, body)) = self.unbegun.take() {
            self.keep_snapshot(InputNo(0), then, body, core.kept().facts());
        }
        self.effects.clear();
        self.dispatcher.announce(now, &mut self.effects);
        let mut out = Outbox::default();
        self.hand_out(now, &mut out);
        self.catch_up(now, &mut out);
        core.send(now, out, self);
        // The next replay is short.
        self.snapshot(now, core);
    }

    /// From now on Home Assistant is told of the house; gives what is to be kept of that.
    pub(super) fn announce_to_home_assistant(
        &mut self,
        core: &mut Core,
        now: Now,
        mut announcer: Announcer,
    ) -> String {
        let mut out = Outbox::default();
        for send in announcer.go_by(self.dispatcher.program()) {
            out.send(message(send));
        }
        core.send(now, out, self);
        let text = announcer.text();
        self.announcer = Some(announcer);
        text
    }

    /// What Home Assistant has been told of, to be kept.
    pub(super) fn announced(&self) -> Option<String> {
        Some(self.announcer.as_ref()?.text())
    }

    /// What a login may do under the mapping in force.
    pub(super) fn access_of(&self, user: &str, known: &users::Known) -> broker::Access {
        let told_at = self.announcer.as_ref().map(Announcer::prefix);
        identity::access_of(user, known, &self.dispatcher, told_at)
    }

    /// Simulated modules begin to arrive.
    pub(super) fn expect_modules(&mut self, now: Now) {
        self.arriving = Some(Arriving::new(now));
    }

    /// Says once who arrived.
    fn sum_up_arrivals(&mut self, now: Now) {
        let arriving = self.arriving.as_ref();
        let Some(text) = arriving.and_then(|it| it.summary(&self.dispatcher, now.at)) else {
            return;
        };
        self.arriving = None;
        let time = Explainer::new(self.dispatcher.program()).time(now.wall);
        self.stream.sum_up(&format!("{time} {text}"));
    }

    /// Whether anybody has a login.
    pub(super) fn has_users(&self) -> bool {
        !self.logins.kept.is_empty()
    }

    /// Journals and applies what a person or the program itself asks for.
    pub(super) fn command(&mut self, core: &mut Core, now: Now, input: Input) {
        let mut out = Outbox::default();
        self.take(now, input, &mut out);
        core.send(now, out, self);
        self.pass_rights_on(core, now);
    }

    /// Brings another house into force, whose mapping is archived: the store is given a record that names it.
    pub(super) fn reload(
        &mut self,
        core: &mut Core,
        now: Now,
        house: &House,
        succession: &Succession<'_>,
    ) -> Vec<String> {
        let mut out = Outbox::default();
        self.catch_up(now, &mut out);
        let before = Arc::clone(self.dispatcher.program());
        self.stream.replace(now, succession);
        let lost = self.bring_into_force(now, house, succession);
        // What comes of it is told by places of the new roles.
        let mut back = self.recognise_sealed(&before);
        let (dispatcher, logins) = (&self.dispatcher, &self.logins);
        if let Some(room) = &mut self.room {
            room.forget();
        }
        back.extend(
            self.clients
                .recognise(|user| identity::publisher(user, logins.find(user), dispatcher)),
        );
        self.hand_out(now, &mut out);
        if let Some(announcer) = &mut self.announcer {
            for send in announcer.go_by(self.dispatcher.program()) {
                out.send(message(send));
            }
        }
        for device in back {
            self.session_started(now, device, &mut out);
        }
        core.send(now, out, self);
        self.pass_rights_on(core, now);
        self.snapshot(now, core);
        if let Some(uplink) = &self.uplink {
            uplink.reloaded.notify_one();
        }
        lost
    }

    /// What crosses over to an external broker under the mapping in force.
    pub(super) fn outside(&self) -> dispatcher::Outside {
        let mut outside = self.dispatcher.outside();
        let texts = self.teller.topics().map(ToString::to_string);
        outside.told.extend(texts);
        if let Some((heard, told)) = self.sealed.outside() {
            outside.heard.extend(heard);
            outside.told.insert(told);
        }
        if let Some(prefix) = self.announcer.as_ref().map(Announcer::prefix) {
            outside.told.insert(format!("{prefix}/#"));
            outside.heard.insert(format!("{prefix}/status"));
        }
        outside
    }

    /// Journals that another mapping takes over, and lets it. Gives what did not outlive that, for people.
    fn bring_into_force(
        &mut self,
        now: Now,
        house: &House,
        succession: &Succession<'_>,
    ) -> Vec<String> {
        let program = Arc::clone(self.dispatcher.program());
        let hash = house.program.hash;
        let input = Input::Reload { hash };
        self.journal.take(now, &program, &input, Haste::of(&input));
        self.effects.clear();
        let program = Arc::clone(&house.program);
        self.dispatcher
            .replace_by(now, program, succession, &mut self.effects);
        self.journal.put_out(&self.effects);
        self.tell_lost()
    }

    /// Says what did not outlive a downtime or an edit: a timer, a wait, a value of another type. With whatever
    /// input it shows: what was missed while nobody knew the time, when the clock is right.
    fn tell_lost(&self) -> Vec<String> {
        let program = self.dispatcher.program();
        let notes = self.effects.notes.iter();
        let lost = notes.filter(|note| matches!(note, Note::Lost(_) | Note::Missed { .. }));
        let lines = summed_up(lost.map(|note| note.render(program)));
        for line in &lines {
            tracing::info!("{line}");
        }
        lines
    }

    /// Hands the open batch to the store, whoever waits for it; says which input is the last.
    pub(super) fn hand_over(&mut self, now: Now) -> InputNo {
        self.journal.hand_over(now);
        self.journal.last()
    }

    /// The number of the newest input.
    pub(super) fn last(&self) -> InputNo {
        self.journal.last()
    }

    /// How many inputs the journal missed since the process started.
    pub(super) fn missed(&self) -> u64 {
        self.journal.unkept
    }

    /// Keeps the whole state, with what `core` is to know after a restart; what is replayed then begins here.
    pub(super) fn snapshot(&mut self, now: Now, core: &Core) {
        self.wants_snapshot = false;
        self.journal.hand_over(now);
        let (body, broker) = (self.dispatcher.state(), core.kept().facts());
        self.journal.snapshot_taken(body.len() + broker.len());
        self.snapshot_due = now.at.after(SNAPSHOT_EVERY);
        self.keep_snapshot(self.journal.last(), now, body, broker);
    }

    fn keep_snapshot(&self, no: InputNo, now: Now, body: Vec<u8>, broker: Vec<u8>) {
        let Some(store) = self.journal.store() else {
            return;
        };
        let snapshot = Snapshot {
            no,
            now,
            mapping: MappingHash(self.dispatcher.program().hash),
            format: dispatcher::STATE_FORMAT,
            binary: env!("CARGO_PKG_VERSION").to_owned(),
            body,
            broker: Some(broker),
        };
        self.keeper.keep(store, snapshot, self.journal.durable());
    }

    /// Gives the users of devices whose rights changed the rights that they have now.
    pub(super) fn pass_rights_on(&mut self, core: &mut Core, now: Now) {
        let changed = std::mem::take(&mut self.rights_changed);
        for device in changed {
            let logins = self.logins.of_device(&device);
            let accesses: Vec<_> = logins
                .map(|(user, known)| {
                    let access = self.access_of(user, known);
                    (Arc::clone(user), access)
                })
                .collect();
            for (user, access) in accesses {
                core.set_access(&user, Some(access), now, self);
            }
        }
    }

    /// The newest refusal of any login of `device`.
    pub(super) fn newest_refusal(&self, device: &str) -> Option<&str> {
        let logins = self.logins.of_device(device).map(|(user, _)| &**user);
        self.refusals.newest_of(logins.chain([device]))
    }

    /// Looks whether inputs are being kept.
    fn watch_store(&mut self, now: Now) {
        let Some(store) = self.journal.store() else {
            return;
        };
        let health = store.health();
        if let Some(by) = self.keeper.look(
            now,
            health,
            self.journal.unkept,
            self.journal.durable().waits_for_snapshot(),
        ) {
            self.snapshot_due = self.snapshot_due.min(by);
        }
        self.keeper.archive(store);
    }

    fn take(&mut self, now: Now, input: Input, out: &mut Outbox) -> Ack {
        let haste = Haste::of(&input);
        self.take_in(now, input, haste, out)
    }

    fn take_in(&mut self, now: Now, input: Input, haste: Haste, out: &mut Outbox) -> Ack {
        // What is due to the store by now goes when this is drained, whoever caused it.
        self.now.set(now);
        let program = self.dispatcher.program();
        let (_, ack) = self.journal.take(now, program, &input, haste);
        self.effects.clear();
        self.dispatcher.apply(now, input, &mut self.effects);
        self.journal.put_out(&self.effects);
        self.tell_lost();
        self.hand_out(now, out);
        ack
    }

    fn observe(&mut self, now: Now, observed: &Observed) {
        self.journal
            .observe(now, self.dispatcher.program(), observed);
    }

    /// Everything whose time has come, in order.
    fn catch_up(&mut self, now: Now, out: &mut Outbox) {
        self.now.set(now);
        if now.synced != self.was_synced {
            self.was_synced = now.synced;
            self.take(now, Input::ClockSynced, out);
        }
        while let Some(input) = self.dispatcher.due(now) {
            self.take(now, input, out);
        }
        self.effects.clear();
        if let Some(observed) = self.dispatcher.tick(now, &mut self.effects) {
            self.observe(now, &observed);
        }
        self.hand_out(now, out);
        if let Some(announcer) = &mut self.announcer {
            for send in announcer.due(now) {
                out.send(message(send));
            }
        }
    }

    fn hand_out(&mut self, now: Now, out: &mut Outbox) {
        for note in &self.effects.notes {
            if let Note::Blocks { device, sides } = note {
                self.sealed.block(*device, *sides);
                let handle = self.sealed.handle_of(*device);
                let handle = handle.filter(|_| *sides == Sides::BOTH);
                for user in handle.iter().flat_map(|it| self.sealed.cages.users(*it)) {
                    out.kick(Arc::clone(user));
                }
            }
        }
        for tell in self.effects.tells.drain(..) {
            self.sealed.tell(now, &self.dispatcher, &tell);
        }
        self.sealed.post(out);
        for send in self.effects.mirror.drain(..) {
            out.send(message(send));
        }
        for send in self.effects.sends.drain(..) {
            out.send(message(send));
        }
        for device in self.effects.kicks.drain(..) {
            for (user, _) in self.logins.of_device(&device) {
                out.kick(Arc::clone(user));
            }
        }
        self.rights_changed.append(&mut self.effects.access);
        // What led to a text stands before it.
        if self.stream.is_watched() {
            self.show(now);
        }
        for notification in self.effects.notifications.drain(..) {
            // A terminal that shows the stream has the text in it.
            if !self.stream.is_on_terminal() {
                Teller::log(&notification);
            }
            self.teller.tell(&notification, out);
        }
    }

    fn show(&mut self, now: Now) {
        let program = Arc::clone(self.dispatcher.program());
        let program = &*program;
        explain::fill_texts(program, &mut self.effects);
        let explainer = Explainer::new(program);
        let no = self.journal.last();
        for told in explain::told(&self.effects, now) {
            let arriving = self.arriving.as_mut();
            let about = match arriving.is_some_and(|it| it.counts(&told)) {
                true => About::Arrival,
                false => About::House,
            };
            self.stream.show(
                about,
                |filters| explainer.is_wanted(&told, filters),
                || explainer.told(&told),
                || explainer.told_json(no, &told),
            );
        }
    }

    /// A device is there; it may have been all along, and only the mapping is new.
    fn session_started(&mut self, now: Now, device: DeviceIx, out: &mut Outbox) {
        self.effects.clear();
        let input = self.dispatcher.connected(now, device, &mut self.effects);
        self.hand_out(now, out);
        match input {
            Some(input) => {
                self.take(now, input, out);
            }
            None => self.observe(now, &Observed::Connected(device)),
        }
    }

    /// The external broker carried a message that our own does not take.
    pub(super) fn refuse_too_long(
        &mut self,
        now: Now,
        topic: &str,
        bytes: usize,
        bytes_max: usize,
    ) {
        let from = dispatcher::Publisher::ExternalBroker;
        let refusal = self.dispatcher.too_long(&from, topic, bytes, bytes_max);
        self.note_refusal(now, &refusal);
    }

    fn note_refusal(&mut self, now: Now, refusal: &dispatcher::Refusal) {
        if self.refusals.note(now, refusal) {
            let observed = Observed::Refused {
                device: refusal.device.clone(),
                topic: Some(Arc::from(&*refusal.topic)),
                text: refusal.to_string().into(),
            };
            self.observe(now, &observed);
        }
    }
}

fn message(send: dispatcher::Send) -> Message {
    let mut message = Message::trusted(send.topic, send.payload);
    if send.qos == Qos::AtLeastOnce {
        message = message.qos(broker::Qos::AtLeastOnce);
    }
    if send.retain {
        message = message.retained();
    }
    if let Some(seconds) = send.expiry_s {
        message = message.expires_after_s(seconds);
    }
    match send.token {
        Some(token) => message.token(broker::Token(token.0)),
        None => message,
    }
}
