//! What the house says and hears at a broker that is not ours: which topics cross over.

use std::{collections::BTreeSet, sync::Arc};

use mapping::program::{Carrier, ChannelIx, Codec, DeviceIx};

use super::Dispatcher;

/// The topics that cross between the dispatcher and an external broker, under one mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Filters of what is heard there: modules, foreign devices, people.
    pub heard: BTreeSet<String>,
    /// Filters of what the dispatcher says there.
    pub told: BTreeSet<String>,
    /// Targets and roles that may lie retained there. Others below `iot/` are of devices that are gone.
    pub kept: BTreeSet<Arc<str>>,
}

impl Dispatcher {
    /// What crosses over. What foreign devices say in their own words is not said again in ours, nor what devices on the
    /// sealed link say and are told: the mirror is off.
    #[must_use]
    pub fn outside(&self) -> Outside {
        let texts = |of: &[&str]| of.iter().map(|&text| text.to_owned()).collect();
        let mut outside = Outside {
            heard: texts(&[
                "iot/+/+/event",
                "iot/+/+/state",
                "iot/+/+/set",
                "iot/+/availability",
            ]),
            told: texts(&["iot/+/+/target", "iot/+/+/command", "iot/+/role"]),
            kept: BTreeSet::new(),
        };
        let mut devices = DeviceIx::all(self.program.devices.len());
        if devices.any(|device| self.is_sealed(device)) {
            outside.told = self.told_to_plain_modules();
        }
        for device in DeviceIx::all(self.program.devices.len()) {
            let row = &self.program[device];
            if let Carrier::Foreign(foreign) = &row.carrier {
                let says = foreign.states.iter().chain(&foreign.event);
                let says = says.chain(&foreign.availability);
                outside.heard.extend(says.map(|topic| topic.to_string()));
                let own = row.channels.iter();
                let own = own.filter_map(|channel| self.program[*channel].codec.as_ref());
                let own = own.flat_map(Codec::said_on);
                outside.heard.extend(own.map(|topic| topic.to_string()));
            }
            if !self.is_sealed(device) {
                outside.kept.extend(self.topics.device(device).role.clone());
            }
        }
        for channel in ChannelIx::all(self.program.channels.len()) {
            let topics = self.topics.channel(channel);
            if self.is_sealed(self.program[channel].device) {
                continue;
            }
            outside.kept.extend(topics.target.clone());
            let row = &self.program[channel];
            let ours: Vec<&Arc<str>> = match &self.program[row.device].carrier {
                Carrier::Own => continue,
                Carrier::Foreign(_) => {
                    let own = row.codec.iter().flat_map(Codec::told_on);
                    topics
                        .target
                        .iter()
                        .chain(own.filter(|_| topics.target.is_some()))
                        .collect()
                }
                Carrier::Virtual => topics.state.iter().chain(&topics.event).collect(),
            };
            outside
                .told
                .extend(ours.into_iter().map(|topic| topic.to_string()));
        }
        outside
    }

    fn told_to_plain_modules(&self) -> BTreeSet<String> {
        let all = DeviceIx::all(self.program.devices.len());
        let ours = all.filter(|device| self.program[*device].carrier == Carrier::Own);
        let plain = ours.filter(|device| !self.is_sealed(*device));
        let filters = plain.flat_map(|device| {
            let name = &self.program[device].name;
            ["+/target", "+/command", "role"].map(|leaf| format!("iot/{name}/{leaf}"))
        });
        filters.collect()
    }
}
