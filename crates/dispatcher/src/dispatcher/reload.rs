//! Another mapping takes over between two inputs.
//!
//! What is known stays, also of what has a new name; what is told to modules goes by names, since their topics do. What lies retained under names that are
//! gone is cleared; a device learns its role anew only where its own `io` changed.

use std::{collections::BTreeSet, mem, sync::Arc};

use mapping::{
    Program,
    program::{Carrier, ChannelIx, Deliver, DeviceIx, Succession},
};
use types::{Now, Value};

use super::Dispatcher;
use crate::{
    access,
    blocklist::Sides,
    duplicates::Windows,
    effects::{Effects, Note},
    payload,
    presence::Presence,
    topics::Topics,
};

impl Dispatcher {
    /// Puts `program` in force. The caller checked it, ran its tests, and journals [`crate::Input::Reload`] at this
    /// place. Every [`DeviceIx`] that it keeps is to be looked up again.
    pub fn replace(&mut self, now: Now, program: Arc<Program>, effects: &mut Effects) {
        let (old, new) = (Arc::clone(&self.program), Arc::clone(&program));
        self.replace_by(now, program, &Succession::new(&old, &new), effects);
    }

    /// As [`Self::replace`], for whoever knows by `succession` who is who in `program`.
    pub fn replace_by(
        &mut self,
        now: Now,
        program: Arc<Program>,
        succession: &Succession<'_>,
        effects: &mut Effects,
    ) {
        let targets = self.of_all(Self::named_target);
        let reports = self.of_all(Self::named_report);
        let online = DeviceIx::all(self.program.devices.len());
        let online = online.map(|device| self.engine.online(device)).collect();
        let notes = self.engine.replace(Arc::clone(&program), succession, now);
        effects.notes.extend(notes.into_iter().map(Note::from));
        self.engine.set_fuse(self.config.conduct.firings_per_s_max);
        let before = Before {
            online,
            targets,
            reports,
            topics: mem::replace(&mut self.topics, Topics::new(&program)),
            program: mem::replace(&mut self.program, program),
            blocked: self.resolve_blocks(),
        };
        self.resolve_sealed();
        self.carry_over(&before, succession);
        self.clear_gone(&before, effects);
        self.tell_changes(now, &before, effects);
        self.tell_new_blocks(&before, succession, effects);
        // One that was virtual before is there, or gone with whoever spoke for it.
        let was_virtual = |device| {
            let was = succession.device_before(device);
            was.is_some_and(|was| before.program[was].carrier == Carrier::Virtual)
        };
        self.bring_virtual_devices(now, |device| !was_virtual(device), effects);
    }

    fn carry_over(&mut self, before: &Before, succession: &Succession<'_>) {
        let program = Arc::clone(&self.program);
        let old = &before.program;
        let windows = mem::take(&mut self.windows);
        let roles = mem::take(&mut self.roles);
        let presence = mem::replace(
            &mut self.presence,
            Presence::new(&program, &self.config.conduct),
        );
        for device in DeviceIx::all(program.devices.len()) {
            let row = &program[device];
            let Some(was) = succession.device_before(device) else {
                self.windows.push(Windows::default());
                self.roles.push(1);
                continue;
            };
            let same = row.role == old[was].role;
            self.roles
                .push(roles[was.index()].saturating_add(u32::from(!same)));
            self.windows.push(windows[was.index()].clone());
            let past = presence.row(was);
            if old[was].name == row.name {
                self.presence.carry_over(device, past);
            } else if row.carrier != Carrier::Own && row.carrier == old[was].carrier {
                // It goes on speaking on its own topics; who logged in as it is nobody now.
                self.presence.carry_over(device, &past.without_sessions());
            } else {
                // Under a new name it has yet to log in.
                self.presence.remember(device, past.heard);
            }
        }
        let dropped: Vec<bool> = ChannelIx::all(old.channels.len())
            .map(|channel| self.is_dropped(channel))
            .collect();
        self.deliveries = self.deliveries.moved(program.channels.len(), |channel| {
            old.channel_by_path(&program.channel_path(channel))
        });
        let was_dropped = |was: ChannelIx| dropped[was.index()];
        for channel in ChannelIx::all(program.channels.len()) {
            // It is a matter of the thing and not of its topics. Where targets wait from now on, this one does too.
            let was = succession.channel_before(channel).is_some_and(was_dropped);
            self.deliveries.row_mut(channel).dropped = false;
            if was && program[channel].deliver == Deliver::Now {
                self.deliveries.drop_target(channel);
            }
        }
        self.counters = self.counters.moved(|was| succession.device(was));
    }

    /// Retained messages and rights under names that are gone.
    fn clear_gone(&mut self, before: &Before, effects: &mut Effects) {
        let here: BTreeSet<&Arc<str>> = self.topics.retained().collect();
        for topic in before.topics.retained() {
            // The topics of foreign devices are theirs; we leave nothing retained there.
            if topic.starts_with("iot/") && !here.contains(topic) {
                effects.retained(topic, Vec::new());
            }
        }
        for device in DeviceIx::all(before.program.devices.len()) {
            let name = &before.program[device].name;
            let now = self.program.device(name).map(|ix| self.access(ix));
            if now != Some(access::of_device(&before.program, device)) {
                effects.access.push(Arc::clone(name));
            }
        }
        for device in &self.program.devices {
            if before.program.device(&device.name).is_none() {
                effects.access.push(Arc::clone(&device.name));
            }
        }
    }

    /// What lies retained under each name that is another now: who is there, what is known of it, its role and targets.
    fn tell_changes(&mut self, now: Now, before: &Before, effects: &mut Effects) {
        let program = Arc::clone(&self.program);
        for device in DeviceIx::all(program.devices.len()) {
            let row = &program[device];
            let was = before.program.device(&row.name);
            let was_there = was.map(|was| before.online[was.index()]);
            self.tell_changed_availability(device, was_there, effects);
            for channel in &row.channels {
                self.tell_changed_report(*channel, before, effects);
            }
            // A block by number follows a device to its new name.
            if self.blocked[device.index()].consumer {
                self.clear_told(device, effects);
                continue;
            }
            let had_role = was.is_some_and(|was| {
                before.topics.device(was).role.is_some() && before.program[was].role == row.role
            });
            if !had_role {
                self.publish_role(device, effects);
                if self.is_sealed(device) {
                    // Places of channels are others now: all that it should be is told anew.
                    self.sync(now, device, effects);
                }
            }
            for channel in &row.channels {
                self.tell_changed_target(now, *channel, before, effects);
            }
        }
    }

    /// `was` says whether who had the name was there; `None`: nobody had it.
    fn tell_changed_availability(
        &self,
        device: DeviceIx,
        was: Option<bool>,
        effects: &mut Effects,
    ) {
        let is = self.engine.online(device);
        if was != Some(is)
            && let Some(topic) = self.topics.device(device).availability.clone()
        {
            effects.retained(&topic, payload::presence(is));
        }
    }

    fn tell_changed_report(&self, channel: ChannelIx, before: &Before, effects: &mut Effects) {
        let is = self.named_report(channel);
        let was = self.namesake(channel, before);
        let was = was.map_or(&[][..], |was| &before.reports[was.index()]);
        if was == is {
            return;
        }
        if is.is_empty() {
            if let Some(topic) = self.topics.channel(channel).state.clone() {
                effects.retained(&topic, Vec::new());
            }
        } else {
            self.publish_state(channel, &mut effects.sends);
        }
    }

    fn tell_changed_target(
        &mut self,
        now: Now,
        channel: ChannelIx,
        before: &Before,
        effects: &mut Effects,
    ) {
        let is = self.named_target(channel);
        let was = self.namesake(channel, before);
        let was = was.map(|ix| before.targets[ix.index()].clone());
        if was.as_ref() == Some(&is) || (was.is_none() && is.is_empty()) {
            return;
        }
        if is.is_empty() {
            let topic = self.topics.channel(channel).target.clone();
            if let Some(topic) = topic.filter(|topic| topic.starts_with("iot/")) {
                effects.retained(&topic, Vec::new());
            }
        } else if self.program[channel].deliver == Deliver::Latest {
            // An edit is no command: what is told now or never was told.
            self.send_target(now, channel, None, effects);
        }
    }

    /// What had the name of `channel`.
    fn namesake(&self, channel: ChannelIx, before: &Before) -> Option<ChannelIx> {
        let path = self.program.channel_path(channel);
        before.program.channel_by_path(&path)
    }

    /// Devices that the edit brought under a block, or out of one: a block may stand for a name or a number that no
    /// device had before. What lies retained for them is others' concern.
    fn tell_new_blocks(&self, before: &Before, succession: &Succession<'_>, effects: &mut Effects) {
        let lost = |was: DeviceIx| before.blocked[was.index()];
        for device in DeviceIx::all(self.program.devices.len()) {
            let is = self.blocked[device.index()];
            if is != succession.device_before(device).map_or(Sides::NONE, lost) {
                self.tell_block(device, is, effects);
            }
            // Sessions go by names, and this one was perhaps nobody's.
            let namesake = before.program.device(&self.program[device].name);
            if is != namesake.map_or(Sides::NONE, lost) {
                self.end_blocked_session(device, is, effects);
            }
        }
    }

    fn of_all<T>(&self, of: impl Fn(&Self, ChannelIx) -> T) -> Vec<T> {
        let channels = ChannelIx::all(self.program.channels.len());
        channels.map(|channel| of(self, channel)).collect()
    }

    fn named_target(&self, channel: ChannelIx) -> Named {
        let target = self.target_of(channel).into_iter();
        target
            .map(|(slot, value)| (Arc::clone(&self.program[slot].name), value))
            .collect()
    }

    fn named_report(&self, channel: ChannelIx) -> Named {
        let slots = self.program[channel].slots.iter();
        let report = slots.filter_map(|slot| {
            let value = self.engine.reported(*slot)?.clone();
            Some((Arc::clone(&self.program[*slot].name), value))
        });
        report.collect()
    }
}

/// Fields of a channel by their names.
type Named = Vec<(Arc<str>, Value)>;

/// What was in force.
struct Before {
    program: Arc<Program>,
    topics: Topics,
    /// By device.
    online: Vec<bool>,
    /// By channel.
    targets: Vec<Named>,
    reports: Vec<Named>,
    /// By device.
    blocked: Vec<Sides>,
}
