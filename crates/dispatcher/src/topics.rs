//! The table topic -> what it is about, and the topics that the dispatcher writes to.
//!
//! Built once from a program; the hot path makes one hash lookup. Clients can't add to the table,
//! so nobody can make its keys collide.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use mapping::{
    Program,
    program::{Carrier, ChannelIx, DeviceIx, Foreign},
};

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `iot/<device>/<channel>/event`.
    Event(ChannelIx),
    /// `iot/<device>/<channel>/state`.
    State(ChannelIx),
    /// `iot/<device>/<channel>/set`.
    Set(ChannelIx),
    /// `iot/<device>/availability`.
    Availability(DeviceIx),
    /// A topic of foreign devices: a row of [`Topics::foreign`].
    Foreign(usize),
}

/// What one foreign topic says about one device.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ForeignUse {
    /// Whose topic it is.
    pub(crate) device: DeviceIx,
    /// Whether it says that the device is there or gone.
    pub(crate) availability: bool,
    /// Channels whose state stands in it.
    pub(crate) states: Vec<ChannelIx>,
    /// Channels whose events stand in it.
    pub(crate) events: Vec<ChannelIx>,
}

/// Where the dispatcher writes for one channel.
#[derive(Clone, Debug)]
pub(crate) struct ChannelTopics {
    /// Absolute targets; `None`: a foreign device that takes none.
    pub(crate) target: Option<Arc<str>>,
    /// Momentary commands.
    pub(crate) command: Option<Arc<str>>,
    /// Reported state. A plain module of ours speaks here itself; for the other devices the dispatcher does.
    pub(crate) state: Option<Arc<str>>,
    /// Events. A plain module of ours speaks here itself; the dispatcher tells those of foreign devices and of modules on
    /// the sealed link, and those that rules emit for virtual ones.
    pub(crate) event: Option<Arc<str>>,
}

/// Where the dispatcher writes for one device; foreign devices have no role.
#[derive(Clone, Debug)]
pub(crate) struct DeviceTopics {
    pub(crate) availability: Option<Arc<str>>,
    pub(crate) role: Option<Arc<str>>,
}

/// All topics of a house.
#[derive(Clone, Debug)]
pub(crate) struct Topics {
    table: HashMap<Arc<str>, Route, RandomState>,
    foreign: Vec<Vec<ForeignUse>>,
    channels: Vec<ChannelTopics>,
    devices: Vec<DeviceTopics>,
}

impl Topics {
    pub(crate) fn new(program: &Program) -> Self {
        let mut topics = Self {
            table: HashMap::default(),
            foreign: Vec::new(),
            channels: Vec::with_capacity(program.channels.len()),
            devices: Vec::with_capacity(program.devices.len()),
        };
        for channel in ChannelIx::all(program.channels.len()) {
            topics.add_channel(program, channel);
        }
        for device in DeviceIx::all(program.devices.len()) {
            topics.add_device(program, device);
        }
        topics
    }

    /// What `topic` is about; `None`: nothing that the mapping declares.
    pub(crate) fn route(&self, topic: &str) -> Option<Route> {
        self.table.get(topic).copied()
    }

    /// The channels that are heard on `topic`, all of a device where it says whether that is there; `None`: the mapping
    /// declares no such topic.
    pub(crate) fn heard_on(&self, program: &Program, topic: &str) -> Option<Vec<ChannelIx>> {
        Some(match self.route(topic)? {
            Route::Event(channel) | Route::State(channel) => vec![channel],
            // Wishes are sent there.
            Route::Set(_) => Vec::new(),
            Route::Availability(device) => program[device].channels.clone(),
            Route::Foreign(row) => {
                let uses = self.foreign(row).iter();
                let heard = uses.flat_map(|used| match used.availability {
                    true => program[used.device].channels.clone(),
                    false => [&used.states[..], &used.events].concat(),
                });
                heard.collect()
            }
        })
    }

    pub(crate) fn foreign(&self, row: usize) -> &[ForeignUse] {
        &self.foreign[row]
    }

    pub(crate) fn channel(&self, channel: ChannelIx) -> &ChannelTopics {
        &self.channels[channel.index()]
    }

    pub(crate) fn device(&self, device: DeviceIx) -> &DeviceTopics {
        &self.devices[device.index()]
    }

    /// Every topic on which the dispatcher may have left a retained message.
    pub(crate) fn retained(&self) -> impl Iterator<Item = &Arc<str>> {
        let channels = self
            .channels
            .iter()
            .flat_map(|row| row.target.iter().chain(&row.state));
        let devices = self
            .devices
            .iter()
            .flat_map(|row| row.availability.iter().chain(&row.role));
        channels.chain(devices)
    }

    fn add_channel(&mut self, program: &Program, channel: ChannelIx) {
        let row = &program[channel];
        let device = &program[row.device];
        let base = format!("iot/{}/{}", device.name, row.name);
        let topic = |leaf: &str| -> Arc<str> { format!("{base}/{leaf}").into() };
        // A meter takes no target, but can be told to begin again.
        let told = row.consumer || !row.commands.is_empty();
        if told {
            self.table.insert(topic("set"), Route::Set(channel));
        }
        if let Carrier::Foreign(foreign) = &device.carrier {
            let own = row.codec.as_ref().and_then(|codec| codec.told_on().next());
            let target = own.or(foreign.target.as_ref()).filter(|_| told).cloned();
            // What it says in its own words is told in ours; nobody but the dispatcher speaks there.
            self.channels.push(ChannelTopics {
                command: target.clone(),
                target,
                state: Some(topic("state")),
                event: Some(topic("event")),
            });
            return;
        }
        let state = topic("state");
        let event = topic("event");
        self.table.insert(Arc::clone(&event), Route::Event(channel));
        self.table.insert(Arc::clone(&state), Route::State(channel));
        self.channels.push(ChannelTopics {
            target: row.consumer.then(|| topic("target")),
            command: told.then(|| topic("command")),
            state: Some(state),
            event: Some(event),
        });
    }

    fn add_device(&mut self, program: &Program, device: DeviceIx) {
        let row = &program[device];
        let topic = |leaf: &str| -> Arc<str> { format!("iot/{}/{leaf}", row.name).into() };
        if let Carrier::Foreign(foreign) = &row.carrier {
            self.devices.push(DeviceTopics {
                availability: Some(topic("availability")),
                role: None,
            });
            for channel in &row.channels {
                self.add_foreign(program, foreign, *channel);
            }
            if let Some(topic) = &foreign.availability {
                self.foreign_use(topic, device).availability = true;
            }
            return;
        }
        let availability = topic("availability");
        self.table
            .insert(Arc::clone(&availability), Route::Availability(device));
        self.devices.push(DeviceTopics {
            availability: Some(availability),
            role: (row.carrier == Carrier::Own).then(|| topic("role")),
        });
    }

    /// The topics on which a channel of a foreign device is heard: its own, or the device's.
    fn add_foreign(&mut self, program: &Program, foreign: &Foreign, channel: ChannelIx) {
        let row = &program[channel];
        let own = row.codec.as_ref().filter(|codec| !codec.states.is_empty());
        let states = own.map_or(&foreign.states, |codec| &codec.states);
        for topic in states.iter().filter(|_| !row.slots.is_empty()) {
            self.foreign_use(topic, row.device).states.push(channel);
        }
        let own = row.codec.as_ref().and_then(|codec| codec.event.as_ref());
        let event = own.or(foreign.event.as_ref());
        if let Some(topic) = event.filter(|_| !row.events.is_empty()) {
            self.foreign_use(topic, row.device).events.push(channel);
        }
    }

    fn foreign_use(&mut self, topic: &Arc<str>, device: DeviceIx) -> &mut ForeignUse {
        let next = self.foreign.len();
        let route = *self
            .table
            .entry(Arc::clone(topic))
            .or_insert(Route::Foreign(next));
        // A foreign topic inside `iot/` that one of our own topics took already stays ours: its row
        // exists, so that the table is whole, but no topic leads there.
        let row = match route {
            Route::Foreign(row) => row,
            _ => next,
        };
        if row == next {
            self.foreign.push(Vec::new());
        }
        let uses = &mut self.foreign[row];
        let place = uses
            .iter()
            .position(|used| used.device == device)
            .unwrap_or(uses.len());
        if place == uses.len() {
            uses.push(ForeignUse {
                device,
                availability: false,
                states: Vec::new(),
                events: Vec::new(),
            });
        }
        &mut uses[place]
    }
}
