//! One device that has a key, as the mapping in force knows it.

use std::collections::BTreeMap;

use dispatcher::{Dispatcher, Subject, Token, role};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};
use store::SealedDevice;
use types::{DeviceId, Instant};
use wire::PublicKey;

/// A device that has a key.
pub(in crate::run) struct Row {
    pub(super) name: String,
    pub(super) id: Option<DeviceId>,
    pub(super) key: PublicKey,
    /// `None`: the mapping does not have it.
    pub(in crate::run) device: Option<DeviceIx>,
    /// Its channels by their places in the role that it plays. After an edit it plays the one before for a moment.
    played: Vec<Option<ChannelIx>>,
    /// Its channels by their places in the role that it was told.
    pub(super) places: Vec<ChannelIx>,
    /// Of the role that it was told.
    pub(super) rev: u32,
    /// Whether it has a session.
    pub(in crate::run) is_here: bool,
    /// It filled its share of the journal: nothing is taken from it until then.
    pub(in crate::run) held_until: Instant,
    /// What it was told and did not take yet, by place and whether it is momentary: the newest of each.
    pub(super) awaits: BTreeMap<(u8, bool), (u32, Token)>,
}

impl Row {
    pub(super) fn new(device: &SealedDevice) -> Self {
        Self {
            name: device.name.clone(),
            id: device.id,
            key: device.key,
            device: None,
            played: Vec::new(),
            places: Vec::new(),
            rev: 0,
            is_here: false,
            held_until: Instant::default(),
            awaits: BTreeMap::new(),
        }
    }

    /// A number outlives a rename; a name counts until it is known.
    pub(super) fn subject(&self) -> Subject {
        match self.id {
            Some(id) => Subject::Id(id),
            None => Subject::Name(self.name.clone()),
        }
    }

    /// Looks it up. Says whether it has another name than under the mapping before.
    pub(super) fn recognise(&mut self, before: &Program, house: &Dispatcher) -> bool {
        let program = house.program();
        let is_it = |device: &mapping::program::Device| match self.id {
            Some(id) => device.id == id,
            None => *device.name == *self.name,
        };
        let place = program.devices.iter().position(is_it);
        let found = place.map(|place| DeviceIx(place as u32));
        let found = found.filter(|device| house.is_sealed(*device));
        let name_before = self.device.map(|device| before[device].name.clone());
        let moved = |channel: &Option<ChannelIx>| {
            let (channel, device) = (&before[(*channel)?], found?);
            let mut channels = program[device].channels.iter().copied();
            channels.find(|ix| program[*ix].name == channel.name)
        };
        self.played = self.played.iter().map(moved).collect();
        self.device = found;
        self.places = found.map_or_else(Vec::new, |device| role::places(program, device));
        if let Some(device) = found {
            self.id = Some(program[device].id);
            self.name = program[device].name.to_string();
        }
        name_before.as_deref() != found.map(|device| &*program[device].name)
    }

    /// A session began; `is_new_boot`: the device knows nothing of the one before.
    pub(in crate::run) fn begin(&mut self, is_new_boot: bool) {
        self.is_here = true;
        self.awaits.clear();
        if is_new_boot || self.played.is_empty() {
            // What it says before it has a role, it said under the one that it had when we were gone: most likely this.
            self.role_taken();
        }
    }

    pub(super) fn begin_role(&mut self, program: &Program, device: DeviceIx) {
        self.places = role::places(program, device);
        self.rev += 1;
        self.awaits.clear();
    }

    /// From now on it plays the role that it was told last.
    pub(in crate::run) fn role_taken(&mut self) {
        self.played = self.places.iter().copied().map(Some).collect();
    }

    /// The channel that it means.
    pub(in crate::run) fn channel_at(&self, place: u8) -> Option<ChannelIx> {
        *self.played.get(usize::from(place))?
    }

    /// Where a channel stands in the role that it was told.
    pub(super) fn place_of(&self, channel: ChannelIx) -> Option<u8> {
        let place = self.places.iter().position(|known| *known == channel)?;
        place.try_into().ok()
    }
}
