//! One device that has a key, as the mapping in force knows it.

use std::collections::{BTreeMap, VecDeque};

use dispatcher::{Dispatcher, Subject, Token, role};
use mapping::{
    Program,
    program::{ChannelIx, DeviceIx},
};
use store::SealedDevice;
use types::{DeviceId, Instant};
use wire::{PublicKey, RoleId};

use crate::run::keys;

/// Roles that are remembered. An event is on its way for ten seconds at most, a state is told anew under the next role; nobody
/// brings more edits into force meanwhile.
const ROLES_KEPT: usize = 16;

/// A role that a device may play.
struct Role {
    id: RoleId,
    /// Its channels by their places, as they are in the mapping in force; `None`: that channel went since.
    places: Vec<Option<ChannelIx>>,
}

/// A device that has a key.
pub(in crate::run) struct Row {
    pub(super) name: String,
    pub(super) id: Option<DeviceId>,
    pub(super) key: PublicKey,
    /// `None`: the mapping does not have it.
    pub(in crate::run) device: Option<DeviceIx>,
    /// The roles of the mappings that were in force, the newest last. What a device says names the role that it was said
    /// under: after an edit it plays the one before for a moment, and says again what was not heard of it.
    roles: VecDeque<Role>,
    /// Whether the newest is what the mapping in force says; if not, firmware could not play that.
    has_role: bool,
    /// Revision of the role that it was told.
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
            roles: VecDeque::new(),
            has_role: false,
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
        let is_it = |device: &_| keys::is_of((self.id, &self.name), device);
        let place = program.devices.iter().position(is_it);
        let found = place.map(|place| DeviceIx(place as u32));
        let found = found.filter(|device| house.is_sealed(*device));
        let name_before = self.device.map(|device| before[device].name.clone());
        let moved = |channel: &Option<ChannelIx>| {
            let (channel, device) = (&before[(*channel)?], found?);
            let mut channels = program[device].channels.iter().copied();
            channels.find(|ix| program[*ix].name == channel.name)
        };
        for role in &mut self.roles {
            role.places = role.places.iter().map(moved).collect();
        }
        self.device = found;
        self.know_role(program);
        if let Some(device) = found {
            self.id = program[device].number();
            self.name = program[device].name.to_string();
        }
        name_before.as_deref() != found.map(|device| &*program[device].name)
    }

    /// The newest role is that of the mapping in force.
    fn know_role(&mut self, program: &Program) {
        let device = self.device;
        let encoded = device.and_then(|device| Some((device, role::encode(program, device).ok()?)));
        self.has_role = encoded.is_some();
        let Some((device, bytes)) = encoded else {
            return;
        };
        let id = RoleId::of(&bytes);
        // One that comes again is the same for the device, whatever its channels are called.
        self.roles.retain(|known| known.id != id);
        if self.roles.len() >= ROLES_KEPT {
            self.roles.pop_front();
        }
        let places = role::places(program, device);
        let places = places.into_iter().map(Some).collect();
        self.roles.push_back(Role { id, places });
    }

    /// A session began.
    pub(in crate::run) fn begin(&mut self) {
        self.is_here = true;
        self.awaits.clear();
    }

    /// It is told its role.
    pub(super) fn begin_role(&mut self) {
        self.rev += 1;
        self.awaits.clear();
    }

    /// The channel that it means by a place in this role.
    pub(in crate::run) fn channel_at(&self, role: RoleId, place: u8) -> Option<ChannelIx> {
        let role = self.roles.iter().find(|known| known.id == role)?;
        *role.places.get(usize::from(place))?
    }

    /// Where a channel stands in the role of the mapping in force.
    pub(super) fn place_of(&self, channel: ChannelIx) -> Option<(RoleId, u8)> {
        let role = self.roles.back().filter(|_| self.has_role)?;
        let place = role
            .places
            .iter()
            .position(|known| *known == Some(channel))?;
        Some((role.id, place.try_into().ok()?))
    }
}
