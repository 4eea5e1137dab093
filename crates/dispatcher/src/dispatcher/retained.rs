//! What lies retained for devices: roles, targets, availability, and the reported state that our own devices
//! left. All of it derives from the journal, so no broker has to store it: it is published again at start.

use std::sync::Arc;

use mapping::program::{Carrier, ChannelIx, Deliver, DeviceIx, SlotIx};
use types::{Now, Value};

use super::Dispatcher;
use crate::{
    effects::{Effects, Qos, Send},
    payload,
};

impl Dispatcher {
    /// Publishes everything that lies retained. To be called once, after [`crate::Input::Began`] or after
    /// [`Dispatcher::restore`] and the replay of the journal's tail. Devices that were there before a restart
    /// and whose sessions say so count as there until [`crate::Config::reconnect_within`] has passed.
    pub fn announce(&mut self, now: Now, effects: &mut Effects) {
        let program = Arc::clone(&self.program);
        for device in DeviceIx::all(program.devices.len()) {
            if let Some(topic) = self.topics.device(device).availability.clone() {
                let word = payload::presence(self.engine.online(device));
                effects.retained(&topic, word);
            }
            for channel in &program[device].channels {
                self.publish_state(*channel, &mut effects.sends);
            }
            self.tell(now, device, effects);
        }
        self.presence.listen(now);
        let back: Vec<DeviceIx> = DeviceIx::all(program.devices.len())
            .filter(|ix| self.has_sessions(*ix) && self.engine.online(*ix))
            .filter(|ix| self.presence.row(*ix).sessions == 0)
            .collect();
        let until = now.at.after(self.config.reconnect_within);
        self.presence.expect(back, until);
    }

    /// Tells a device what it is and should do: its role and targets.
    pub(crate) fn tell(&mut self, now: Now, device: DeviceIx, effects: &mut Effects) {
        if self.blocked[device.index()].consumer {
            return;
        }
        self.publish_role(device, effects);
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let row = &program[*channel];
            if row.consumer && row.deliver == Deliver::Latest {
                self.send_target(now, *channel, None, effects);
            }
        }
        if self.is_sealed(device) {
            self.sync(now, device, effects);
        }
    }

    /// Takes back what lies retained for a device.
    pub(super) fn clear_told(&mut self, device: DeviceIx, effects: &mut Effects) {
        if let Some(topic) = self.topics.device(device).role.clone() {
            effects.retained(&topic, Vec::new());
        }
        for channel in &Arc::clone(&self.program)[device].channels {
            let target = self.topics.channel(*channel).target.clone();
            if let Some(topic) = target.filter(|_| !self.is_foreign(device)) {
                effects.retained(&topic, Vec::new());
            }
            self.deliveries.reset(*channel);
        }
    }

    pub(super) fn publish_role(&self, device: DeviceIx, effects: &mut Effects) {
        if let Some(topic) = self.topics.device(device).role.clone() {
            let rev = self.roles[device.index()];
            effects.retained(&topic, payload::role(rev, &self.program[device].role));
        }
    }

    pub(super) fn publish_state(&self, channel: ChannelIx, sends: &mut Vec<Send>) {
        let Some(topic) = self.topics.channel(channel).state.clone() else {
            return;
        };
        let known: Vec<(SlotIx, Value)> = self.program[channel]
            .slots
            .iter()
            .filter_map(|slot| Some((*slot, self.engine.reported(*slot)?.clone())))
            .collect();
        if !known.is_empty() {
            sends.push(Send {
                topic,
                payload: payload::target(&self.program, &known, None, None),
                qos: Qos::AtMostOnce,
                retain: true,
                expiry_s: None,
                token: None,
            });
        }
    }

    /// Whether a session or an availability topic says that `device` is there. Not of virtual devices, which
    /// always are; not of those that sleep; not of foreign ones that say nothing about it: they may stand behind
    /// a bridge, and speak once a day.
    fn has_sessions(&self, device: DeviceIx) -> bool {
        let says_so = match &self.program[device].carrier {
            Carrier::Own => true,
            Carrier::Virtual => false,
            Carrier::Foreign(foreign) => foreign.availability.is_some(),
        };
        says_so && !self.presence.row(device).sleeps
    }
}
