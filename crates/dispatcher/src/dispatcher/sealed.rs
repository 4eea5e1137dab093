//! Devices on the sealed link: what they say becomes inputs, what they should be is told to them when a session begins.

use std::{collections::BTreeSet, sync::Arc};

use mapping::program::{Carrier, ChannelIx, Deliver, DeviceIx};
use types::Now;

use super::{Dispatcher, Publisher};
use crate::{
    blocklist::Subject,
    effects::Effects,
    input::{Input, Stamp},
    payload,
    refusal::{Reason, Refusal},
    sealed::{self, Said, Tell},
};

impl Dispatcher {
    /// From now on these devices are on the sealed link, and nobody else speaks for them. No input: it decides who is
    /// heard, and not what becomes of what was heard.
    pub fn seal(&mut self, subjects: BTreeSet<Subject>) {
        self.sealed.put(subjects);
        self.resolve_sealed();
    }

    pub(super) fn resolve_sealed(&mut self) {
        self.sealed.resolve(&self.program);
    }

    /// Whether `device` is on the sealed link. Only modules of ours are.
    #[must_use]
    pub fn is_sealed(&self, device: DeviceIx) -> bool {
        self.sealed.contains(device) && self.program[device].carrier == Carrier::Own
    }

    /// Reads what a device on the sealed link said at `channel`, which is one of its own. Returns what is to be journalled
    /// and applied; `None`: nothing changes.
    ///
    /// # Errors
    /// A [`Refusal`], counted already.
    pub fn admit_sealed(
        &mut self,
        now: Now,
        channel: ChannelIx,
        said: &Said<'_>,
    ) -> Result<Option<Input>, Refusal> {
        match self.read_sealed(now, channel, said) {
            Ok(input) => Ok(self.without_blocked(now, input)),
            Err(reason) => {
                let leaf = match said {
                    Said::Event { .. } => "event",
                    Said::State(_) => "state",
                };
                let row = &self.program[channel];
                let device = row.device;
                let topic = format!("iot/{}/{}/{leaf}", self.program[device].name, row.name);
                let from = Publisher::Device(device);
                Err(self.refused(Some(device), &from, &topic, reason))
            }
        }
    }

    fn read_sealed(&self, now: Now, channel: ChannelIx, said: &Said<'_>) -> Result<Input, Reason> {
        Ok(match said {
            Said::Event { event: said, boot } => {
                let pairs = sealed::pairs(&said.fields);
                let (event, fields) =
                    payload::named_event(&self.program, channel, said.name, &pairs)?;
                Input::Event {
                    event,
                    fields,
                    produced_ms: Some(said.t_ms.into()),
                    stamp: Some(Stamp {
                        boot: *boot,
                        seq: said.seq,
                    }),
                }
            }
            Said::State(state) => {
                let pairs = sealed::pairs(&state.fields);
                let fields = payload::state_of(&self.program, channel, &pairs)?;
                self.report_input(now, channel, fields)
            }
        })
    }

    /// Tells a device on the sealed link its role and all that it should be. [`Self::connected`] does it where a session
    /// begins; to be called where one goes on with new keys.
    pub fn sync(&mut self, now: Now, device: DeviceIx, effects: &mut Effects) {
        if self.blocked(device).consumer {
            return;
        }
        let program = Arc::clone(&self.program);
        // It is told again below, once it knows its role.
        let is_of_it = |channel: &ChannelIx| program[*channel].device == device;
        effects
            .tells
            .retain(|tell| !matches!(tell, Tell::Target { channel, .. } if is_of_it(channel)));
        effects.tells.push(Tell::Role(device));
        for channel in &program[device].channels {
            let row = &program[*channel];
            let fields = self.target_of(*channel);
            if !row.consumer || row.deliver != Deliver::Latest || fields.is_empty() {
                continue;
            }
            let token = self.deliveries.token(*channel);
            self.deliveries
                .sent(&self.config, now, *channel, token, None);
            let until = self.engine.bounded_until(*channel);
            effects.tells.push(Tell::Target {
                channel: *channel,
                fields,
                fade: None,
                bound: until.map(|until| until.since(now.at)),
                token,
            });
        }
        effects.tells.push(Tell::SyncEnd(device));
    }
}
