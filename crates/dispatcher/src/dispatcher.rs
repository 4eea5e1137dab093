//! The dispatcher: topics and payloads in front of the engine, delivery behind it.
//!
//! Sans-io. The order of calls, all on one thread:
//! 1. a message comes: [`Dispatcher::admit`] makes an [`Input`] or a refusal; the caller numbers and journals
//!    the input and calls [`Dispatcher::apply`];
//! 2. a session starts or ends: [`Dispatcher::connected`], [`Dispatcher::disconnected`]; what they return is
//!    journalled and applied likewise;
//! 3. time passes: at [`Dispatcher::next_deadline`], everything that [`Dispatcher::due`] returns is journalled
//!    and applied, then [`Dispatcher::tick`] sends again what wasn't taken.
//!
//! After each call the caller hands out the [`Effects`]. State that depends on the journal alone is in
//! [`Dispatcher::state`]; sessions, acknowledgements and counters are not.

use std::{collections::BTreeMap, sync::Arc};

use engine::Engine;
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx, SlotIx},
};
use types::{Instant, Now, UnixTime, Value};

use crate::{
    access::{self, Access},
    blocklist::{Blocklist, Sides},
    conduct::Conduct,
    config::Config,
    delivery::Deliveries,
    duplicates::Windows,
    effects::{Effects, Note, Token},
    input::Input,
    observed::Observed,
    presence::Presence,
    refusal::Counters,
    topics::Topics,
};

mod admit;
mod apply;
mod deliver;
mod outside;
mod reconcile;
mod reload;
mod retained;
mod sealed;
mod snapshot;
mod unheard;

pub use admit::{Admitted, LastWill, Message, Publisher, Will};
pub use outside::Outside;
pub use snapshot::{STATE_FORMAT, SnapshotError};

/// One house.
#[derive(Debug)]
pub struct Dispatcher {
    program: Arc<Program>,
    config: Config,
    engine: Engine,
    topics: Topics,
    blocklist: Blocklist,
    /// What each device lost, for the hot path.
    blocked: Vec<Sides>,
    /// Who is on the sealed link.
    sealed: crate::sealed::Members,
    /// Which copies of events were seen, for each device.
    windows: Vec<Windows>,
    presence: Presence,
    deliveries: Deliveries,
    /// Role of each device: its revision.
    roles: Vec<u32>,
    counters: Counters,
    unheard: unheard::Unheard,
    /// Rules that were cut because they set each other off, and when people were told last.
    alerts: BTreeMap<Arc<str>, Instant>,
    /// The house began: [`Input::Began`] was applied.
    begun: bool,
}

impl Dispatcher {
    /// A house before it starts for the first time; [`Input::Began`] is to come next.
    #[must_use]
    pub fn unbegun(program: Arc<Program>, config: Config, blocklist: Blocklist, now: Now) -> Self {
        let engine = Engine::new(Arc::clone(&program), now);
        Self::around(program, config, blocklist, engine)
    }

    /// A house that began, where what came of that is nobody's concern: where no journal holds it.
    #[must_use]
    pub fn new(program: Arc<Program>, config: Config, blocklist: Blocklist, now: Now) -> Self {
        Self::unbegun(program, config, blocklist, now).begun_unheard(now)
    }

    /// A house for a rehearsal, which began and in which no rule fired by that, or fires, until the engine goes on.
    pub(crate) fn standing_still(
        program: Arc<Program>,
        config: Config,
        blocklist: Blocklist,
        now: Now,
    ) -> Self {
        let mut dispatcher = Self::unbegun(program, config, blocklist, now);
        dispatcher.engine.stand_still(true);
        dispatcher.begun_unheard(now)
    }

    fn begun_unheard(mut self, now: Now) -> Self {
        self.bring_virtual_devices(now, |_| true, &mut Effects::default());
        self.begun = true;
        self
    }

    /// Whether [`Input::Began`] was applied.
    #[must_use]
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    fn around(
        program: Arc<Program>,
        config: Config,
        blocklist: Blocklist,
        mut engine: Engine,
    ) -> Self {
        engine.set_fuse(config.conduct.firings_per_s_max);
        let mut dispatcher = Self {
            begun: false,
            topics: Topics::new(&program),
            blocked: Vec::new(),
            sealed: crate::sealed::Members::default(),
            windows: vec![Windows::default(); program.devices.len()],
            presence: Presence::new(&program, &config.conduct),
            deliveries: Deliveries::new(program.channels.len()),
            roles: vec![1; program.devices.len()],
            counters: Counters::default(),
            unheard: unheard::Unheard::default(),
            engine,
            program,
            alerts: BTreeMap::new(),
            config,
            blocklist,
        };
        dispatcher.resolve_blocks();
        dispatcher
    }

    /// The mapping in force.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// What of the settings is in force; [`Input::Config`] changes it.
    #[must_use]
    pub fn conduct(&self) -> &Conduct {
        &self.config.conduct
    }

    /// The engine, to look at: reported and desired values, variables.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// From now on `rule` looks whenever one of its events comes; see [`Engine::watch`].
    pub fn watch(&mut self, rule: Option<mapping::program::RuleIx>) {
        self.engine.watch(rule);
    }

    /// The sun stands still; for house tests.
    pub fn pin_sun(&mut self, up: Option<bool>) {
        self.engine.pin_sun(up);
    }

    /// All blocks, also those of devices that the mapping doesn't know.
    #[must_use]
    pub fn blocklist(&self) -> &Blocklist {
        &self.blocklist
    }

    /// What `device` lost to a block.
    #[must_use]
    pub fn blocked(&self, device: DeviceIx) -> Sides {
        self.blocked[device.index()]
    }

    /// Whether a session of `device` may start: not while it is blocked both ways.
    #[must_use]
    pub fn may_connect(&self, device: DeviceIx) -> bool {
        self.blocked(device) != Sides::BOTH
    }

    /// What the broker user of `device` may publish and subscribe.
    #[must_use]
    pub fn access(&self, device: DeviceIx) -> Access {
        if self.is_sealed(device) {
            return Access::default();
        }
        access::of_device(&self.program, device)
    }

    /// What was refused and dropped since the process started.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// When `device` last said anything.
    #[must_use]
    pub fn last_heard(&self, device: DeviceIx) -> Option<UnixTime> {
        self.presence.row(device).heard.map(|(_, wall)| wall)
    }

    /// Whether `device` is there.
    #[must_use]
    pub fn online(&self, device: DeviceIx) -> bool {
        self.engine.online(device)
    }

    /// The channels that are heard on `topic`, all of a device where it says whether that is there; `None`: the mapping
    /// declares no such topic.
    #[must_use]
    pub fn heard_on(&self, topic: &str) -> Option<Vec<ChannelIx>> {
        self.topics.heard_on(&self.program, topic)
    }

    /// Whether the newest target of `channel` was acknowledged by its consumer.
    #[must_use]
    pub fn acknowledged(&self, channel: ChannelIx) -> bool {
        self.deliveries.row(channel).acked
    }

    /// A session of `device` started. Returns what is to be journalled and applied; if `None`, record
    /// [`Observed::Connected`].
    pub fn connected(
        &mut self,
        now: Now,
        device: DeviceIx,
        effects: &mut Effects,
    ) -> Option<Input> {
        self.presence.connected(device, now);
        let came = !self.engine.online(device);
        if !came {
            self.session_started(now, device, effects);
        }
        self.renew_retained_targets(now, device, effects);
        if self.is_sealed(device) {
            self.sync(now, device, effects);
        }
        came.then_some(Input::Online(device))
    }

    pub(super) fn session_started(&mut self, now: Now, device: DeviceIx, effects: &mut Effects) {
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let deliver = program[*channel].deliver;
            self.deliveries
                .session_started(&self.config, now, *channel, deliver);
        }
        self.send_unretained_targets(now, device, effects);
    }

    /// A session of `device` ended; `will` says what became of its last will. Returns what is to be journalled
    /// and applied. A device with a limit of silence of its own may come and go as it likes: it sleeps. One whose
    /// will has a delay is there until [`Self::stayed_away`].
    pub fn disconnected(&mut self, device: DeviceIx, will: LastWill) -> Option<Input> {
        let row = self.presence.disconnected(device);
        let gone = match will {
            LastWill::Published => true,
            LastWill::Waiting => false,
            LastWill::None => !row.sleeps,
        };
        (gone && row.sessions == 0 && self.engine.online(device)).then_some(Input::Offline(device))
    }

    /// A session of `device` that ended with a will that [waits](LastWill::Waiting) was not taken up again in
    /// time. Returns what is to be journalled and applied: nothing where the will said it already.
    #[must_use]
    pub fn stayed_away(&self, device: DeviceIx) -> Option<Input> {
        let gone = self.presence.row(device).sessions == 0;
        (gone && self.engine.online(device)).then_some(Input::Offline(device))
    }

    /// A session of `device` ended because the same client is back: [`Self::connected`] follows, and nobody was
    /// away in between.
    pub fn replaced(&mut self, device: DeviceIx) {
        self.presence.disconnected(device);
    }

    /// A client of `by` acknowledged the send with this token. Acknowledgements of others, who only read along,
    /// say nothing. What it returns is worth a record, for explanations; the house does not depend on it: after a
    /// restart every target is published again.
    pub fn delivered(&mut self, by: DeviceIx, token: Token) -> Option<Observed> {
        let channel = token.channel();
        let row = self.program.channels.get(channel.index())?;
        if row.device != by {
            return None;
        }
        self.deliveries.acknowledged(channel, token)
    }

    /// In a replay: what was seen at this place.
    pub fn observe(&mut self, now: Now, observed: &Observed, effects: &mut Effects) {
        match observed {
            Observed::Target(channel) => self.deliveries.taken(*channel),
            Observed::Command(channel) => self.deliveries.row_mut(*channel).momentary = None,
            Observed::Connected(device) => self.session_started(now, *device, effects),
            Observed::SentAgain => {
                self.tick(now, effects);
            }
            Observed::Refused { .. } => {}
        }
    }

    /// When [`Self::due`] and [`Self::tick`] are to be asked next. They may find that nothing is due.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<Instant> {
        let engine = self.engine.next_deadline(now);
        let resend = self.deliveries.next_due().map(|(at, _)| at);
        let presence = self.presence.next_deadline();
        engine.into_iter().chain(resend).chain(presence).min()
    }

    /// What the passing of time makes of the house: journal and apply it, then ask again, until `None`.
    #[must_use]
    pub fn due(&mut self, now: Now) -> Option<Input> {
        if self
            .engine
            .next_deadline(now)
            .is_some_and(|at| at <= now.at)
        {
            return Some(Input::Tick);
        }
        let engine = &self.engine;
        let gone = self
            .presence
            .overdue(now.at, |device| engine.online(device));
        gone.map(Input::Offline)
    }

    /// Sends again what was not taken and is due. No input: it follows from what was, but for the moment; so what it
    /// returns is worth a record.
    pub fn tick(&mut self, now: Now, effects: &mut Effects) -> Option<Observed> {
        let mut observed = None;
        while let Some((at, channel)) = self.deliveries.next_due() {
            if at > now.at {
                break;
            }
            observed = Some(Observed::SentAgain);
            self.deliveries.unschedule(channel);
            if self.deliveries.row(channel).plain {
                self.deliveries.row_mut(channel).plain = false;
                self.send_target(now, channel, None, effects);
            } else {
                self.resend(now, channel, effects);
            }
        }
        observed
    }

    /// The absolute target of a channel: all known settable fields, in slot order.
    #[must_use]
    pub fn target_of(&self, channel: ChannelIx) -> Vec<(SlotIx, Value)> {
        self.engine.absolute_target(channel)
    }

    /// What was reported of a channel that it can also be told, in slot order.
    pub(crate) fn reported_of(&self, channel: ChannelIx) -> Vec<(SlotIx, Value)> {
        let settable = self.program[channel].slots.iter();
        settable
            .filter(|slot| self.program[**slot].settable)
            .filter_map(|slot| Some((*slot, self.engine.reported(*slot)?.clone())))
            .collect()
    }

    /// Whether the newest target was let go, because nobody was there and it was not to wait.
    pub(crate) fn is_dropped(&self, channel: ChannelIx) -> bool {
        self.deliveries.row(channel).dropped
    }

    fn note(&mut self, effects: &mut Effects, device: DeviceIx, code: &'static str, note: Note) {
        self.counters.count(Some(device), code);
        effects.notes.push(note);
    }
}
