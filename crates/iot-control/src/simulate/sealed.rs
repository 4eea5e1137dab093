//! A simulated module with a key: the firmware's own runtime over a real socket, with whatever the network is told to do.
//! What its hardware would say is said for it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use device::{Runtime, Sample, record_len};
use dispatcher::role;
use link::Millis;
use mapping::{
    Program,
    program::{CarriedValue, Carrier, ChannelIx, DeviceIx, EventIx, SlotIx},
};
use rand_core::RngCore;
use tokio::{sync::mpsc, time::Instant};
use types::Value;
use wire::{CHANNELS_MAX, Fields, HelloPayload, Identity, RoleId};

use super::{
    Says, Ways,
    faults::Network,
    foreign::States,
    payload,
    told::{Next, Told},
    way::{Came, Way},
};
use crate::kernel::Kernel;

/// A module is looked at so often though nothing is due.
const LOOK_MS: u64 = 60_000;

/// It is looked at no more often than this while it has no connection, whatever is due.
const LOST_LOOK_MS: u64 = 50;

/// Events that wait for the role that has their channel, and for how long: as many, and as long, as firmware keeps them.
const WAITING_EVENTS_MAX: usize = 16;
const WAITING_MS_MAX: u64 = 10_000;

type Firmware = Runtime<{ CHANNELS_MAX as usize }>;

/// Whether firmware of ours could be this device.
pub(super) fn can_run(program: &Program, device: DeviceIx) -> bool {
    program[device].carrier == Carrier::Own && role::encode(program, device).is_ok()
}

/// An event that is not said yet.
struct Waiting {
    since: Millis,
    event: EventIx,
    fields: Vec<Value>,
}

pub(super) struct Module {
    program: Arc<Program>,
    device: DeviceIx,
    /// Its role in its mapping.
    role: Option<RoleId>,
    /// Its channels by their places in the role that it plays; `None`: that channel went since. Empty while it plays a
    /// role of a mapping that it does not have yet.
    places: Vec<Option<ChannelIx>>,
    /// The role that it plays may not be its mapping's: each of both may come first.
    is_between: bool,
    /// What happened at channels that the role it plays does not have: the one that does is on its way.
    waiting: VecDeque<Waiting>,
    identity: Identity,
    ways: Ways,
    /// To the dispatcher, and from it.
    up: Network,
    down: Network,
    inbox: mpsc::Receiver<Told>,
    /// What its inputs say.
    state: States,
    start: Instant,
}

impl Module {
    /// A module of `device`, whose inputs begin with these states, that comes in by these ways with this identity.
    pub(super) fn new(
        program: Arc<Program>,
        (device, state): (DeviceIx, States),
        (ways, identity): (Ways, Identity),
        inbox: mpsc::Receiver<Told>,
    ) -> Self {
        // Seeds beside each other, and ways of one module, are all different.
        let seed = ways.seed.wrapping_add(u64::from(device.0) << 32);
        let network = |way| Network::new(ways.faults, seed.wrapping_add(way));
        let mut module = Self {
            state,
            program,
            device,
            role: None,
            places: Vec::new(),
            is_between: true,
            waiting: VecDeque::new(),
            identity,
            ways,
            up: network(1 << 62),
            down: network(1 << 63),
            inbox,
            start: Instant::now(),
        };
        module.know_mapping();
        module
    }

    /// What follows from its mapping. Its outputs know themselves how they are.
    fn know_mapping(&mut self) {
        let program = &self.program;
        self.state.retain(|channel, _| !program[*channel].consumer);
        let role = role::encode(program, self.device);
        self.role = role.ok().map(|bytes| RoleId::of(&bytes));
    }

    /// Another mapping is in force. Until its new role comes it plays the old one.
    fn become_next(&mut self, next: Next) {
        for place in &mut self.places {
            *place = place.and_then(|channel| next.channels.get(&channel).copied());
        }
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting = waiting.filter_map(|waits| {
            let event = next.event(&self.program, waits.event)?;
            Some(Waiting { event, ..waits })
        });
        self.waiting = waiting.collect();
        let states = std::mem::take(&mut self.state);
        self.state = next.states(&self.program, states);
        self.program = next.program;
        self.device = next.device;
        self.is_between = true;
        self.know_mapping();
    }

    fn now(&self) -> Millis {
        Millis(self.start.elapsed().as_millis() as u64)
    }

    /// Runs until nobody can tell it anything any more.
    pub(super) async fn run(mut self) {
        let boot_id = Kernel.next_u64();
        let to = (self.ways.transport, self.ways.to);
        let mut way = match Way::open(to, &self.identity, boot_id).await {
            Ok(way) => way,
            Err(error) => {
                tracing::warn!(%error, "a simulated module has no socket");
                return;
            }
        };
        let about = HelloPayload {
            version_min: wire::VERSION,
            version_max: wire::VERSION,
            flags: self.ways.transport.flags(),
            boot_id,
            boot_count: 1,
            firmware_version: 1,
            firmware_hash: [0; 8],
            config_hash: 0,
        };
        let mut module: Box<Firmware> =
            Box::new(Runtime::new(&self.identity, about, &[], self.now()));
        let mut room = [0; wire::FRAME_LEN_MAX + 1];
        loop {
            self.turn(&mut module, &way, &mut room);
            // Nothing that never comes is waited for, and what can't be sent is due all the time.
            let due = module.deadline().min(self.now().after(LOOK_MS));
            let due = match way.is_open() {
                true => due,
                false => due.max(self.now().after(LOST_LOOK_MS)),
            };
            let due = self.start + Duration::from_millis(due.0);
            tokio::select! {
                told = self.inbox.recv() => match told {
                    Some(Told::Says(says)) => self.say(&mut module, says),
                    Some(Told::Next(next)) => self.become_next(*next),
                    None => {
                        if let Some(len) = module.bye(0, self.now(), &mut room) {
                            // Who is not told finds out.
                            way.send(&room[..len]);
                        }
                        return way.close().await;
                    }
                },
                came = way.receive() => match came {
                    Came::Frame(frame) => {
                        let now = self.now();
                        for frame in self.down.passes(&frame) {
                            module.handle(now, &frame, &mut Kernel);
                        }
                    }
                    Came::Connected => module.reconnected(self.now()),
                    Came::Lost => {}
                },
                () = tokio::time::sleep_until(due) => module.handle_timeout(self.now()),
            }
        }
    }

    /// Everything that is to be done after something happened.
    fn turn(&mut self, module: &mut Firmware, way: &Way, room: &mut [u8]) {
        let now = self.now();
        if module.poll_role() {
            self.places.clear();
            self.is_between = true;
        }
        if self.is_between && self.role == Some(module.role_id()) {
            self.is_between = false;
            self.begin_role(module);
        }
        while module.poll_drive().is_some() {}
        // It has no flash: what it would write counts as written, and is no longer due.
        module.poll_store(now, &mut [0; record_len(CHANNELS_MAX as usize)]);
        while way.is_open()
            && let Some(len) = module.poll_transmit(now, &mut Kernel, room)
        {
            for frame in self.up.passes(&room[..len]) {
                way.send(&frame);
            }
        }
    }

    /// It plays its mapping's role: everything is said that is to be said under it.
    fn begin_role(&mut self, module: &mut Firmware) {
        let places = role::places(&self.program, self.device).into_iter();
        self.places = places.map(Some).collect();
        for (channel, state) in self.state.clone() {
            // What only has events, as a button, has no state to tell.
            if !state.is_empty() {
                self.report(module, channel, &state);
            }
        }
        let now = self.now();
        for waits in std::mem::take(&mut self.waiting) {
            if now.since(waits.since) < WAITING_MS_MAX {
                self.tell(module, waits.event, waits.fields);
            }
        }
    }

    fn place_of(&self, channel: ChannelIx) -> Option<u8> {
        let place = self
            .places
            .iter()
            .position(|known| *known == Some(channel))?;
        place.try_into().ok()
    }

    fn say(&mut self, module: &mut Firmware, says: Says) {
        match says {
            Says::Event { event, fields } => self.tell(module, event, fields),
            Says::State { channel, fields } => {
                let state = self.state.entry(channel).or_default();
                for (slot, value) in fields {
                    payload::write(state, slot, value);
                }
                let state = state.clone();
                self.report(module, channel, &state);
            }
        }
    }

    fn tell(&mut self, module: &mut Firmware, event: EventIx, values: Vec<Value>) {
        let program = Arc::clone(&self.program);
        let row = &program[event];
        let Some(channel) = row.channel else { return };
        let Some(place) = self.place_of(channel) else {
            self.put_off(event, values);
            return;
        };
        let names = row.fields.iter().map(|field| &*field.name);
        if let Some(fields) = written(names.zip(&values))
            && let Err(why) = module.event(place, &row.name, fields, self.now())
        {
            tracing::debug!(%why, "a simulated module can't say this");
        }
        let mut changed = false;
        for carried in &row.carries {
            let value = match &carried.value {
                CarriedValue::Const(value) => Some(value.clone()),
                CarriedValue::Field(place) => values.get(usize::from(*place)).cloned(),
            };
            if let Some(value) = value {
                let state = self.state.entry(channel).or_default();
                payload::write(state, carried.slot, value);
                changed = true;
            }
        }
        if changed && let Some(state) = self.state.get(&channel).cloned() {
            self.report(module, channel, &state);
        }
    }

    /// Of more than there is room for the oldest is dropped.
    fn put_off(&mut self, event: EventIx, fields: Vec<Value>) {
        if self.waiting.len() >= WAITING_EVENTS_MAX {
            self.waiting.pop_front();
        }
        let since = self.now();
        self.waiting.push_back(Waiting {
            since,
            event,
            fields,
        });
    }

    fn report(&self, module: &mut Firmware, channel: ChannelIx, state: &[(SlotIx, Value)]) {
        let Some(place) = self.place_of(channel) else {
            return;
        };
        let now = self.now();
        // A sensor's own machine knows it then too, and says it as often as its channel promises.
        if let [(_, Value::Number(number))] = state {
            let _ = module.sample(place, Sample::Measured(*number), now);
        }
        let names = state.iter();
        let named = names.map(|(slot, value)| (&*self.program[*slot].name, value));
        if let Some(fields) = written(named)
            && let Err(why) = module.state(place, fields, now)
        {
            tracing::debug!(%why, "a simulated module can't say this");
        }
    }
}

fn written<'v>(named: impl Iterator<Item = (&'v str, &'v Value)>) -> Option<Fields<'v>> {
    let fields = named.map(|(name, value)| {
        let value = match value {
            Value::Bool(is) => wire::Value::Bool(*is),
            Value::Number(number) => wire::Value::Number(*number),
            Value::Text(text) => wire::Value::Text(text),
        };
        (name, value)
    });
    Fields::new(&fields.collect::<Vec<_>>()).ok()
}
