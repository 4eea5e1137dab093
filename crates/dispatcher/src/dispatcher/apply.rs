//! One input to completion: blocks and copies first, then the engine, then what is to be sent.
//!
//! What changes here must follow from the journal alone, so that a restart comes to the same state. Sends may
//! also depend on sessions and acknowledgements, which the journal doesn't hold.

use std::sync::Arc;

use mapping::program::{Carrier, ChannelIx, DeviceIx, EventIx, SlotIx};
use types::{Now, UnixTime, Value};

use super::Dispatcher;
use crate::{
    blocklist::{Block, Sides, Subject},
    conduct::Conduct,
    effects::{Effects, Note},
    input::{Input, Stamp},
    payload,
};

impl Dispatcher {
    /// Applies an input that was journalled. Adds to `effects`, which the caller hands out and clears.
    pub fn apply(&mut self, now: Now, input: Input, effects: &mut Effects) {
        match input {
            Input::Event {
                event,
                fields,
                produced_ms,
                stamp,
            } => self.apply_event(now, event, fields, produced_ms, stamp, effects),
            Input::Report {
                channel,
                fields,
                live,
                adopt,
            } => self.apply_report(now, channel, fields, (live, adopt), effects),
            Input::Online(device) => {
                let before = self.hear_of(device, now);
                self.come(now, device, before, effects);
            }
            Input::Offline(device) => self.go(now, device, effects),
            Input::Set {
                channel,
                fields,
                who,
                hold,
                bound,
            } => {
                let input = engine::Input::Set {
                    channel,
                    fields,
                    who,
                    hold,
                    bound,
                };
                self.run(now, input, effects);
            }
            Input::Command {
                channel,
                command,
                args,
                who,
            } => {
                let input = engine::Input::Command {
                    channel,
                    command,
                    args,
                    who,
                };
                self.run(now, input, effects);
            }
            Input::Var { var, to } => self.run(now, engine::Input::Var { var, to }, effects),
            Input::Block(block) => self.block(now, block, effects),
            Input::Unblock(subject) => self.unblock(now, &subject, effects),
            Input::Began => {
                self.begun = true;
                self.bring_virtual_devices(now, |_| true, effects);
                self.run(now, engine::Input::Tick, effects);
            }
            Input::Resumed => {
                let notes = self.resume(now);
                effects.notes.extend(notes);
            }
            Input::Config(conduct) => self.go_by(conduct),
            // `now` says that the clock is right, and another mapping came with `replace`: the records mark when.
            Input::ClockSynced | Input::Reload { .. } | Input::Tick => {
                self.run(now, engine::Input::Tick, effects);
            }
            Input::Several(inputs) => {
                for input in inputs {
                    self.apply(now, input, effects);
                }
            }
        }
    }

    fn apply_event(
        &mut self,
        now: Now,
        event: EventIx,
        fields: Vec<Value>,
        produced_ms: Option<u64>,
        stamp: Option<Stamp>,
        effects: &mut Effects,
    ) {
        let device = self.program[event].device;
        let before = self.hear_of(device, now);
        if let Some(stamp) = stamp
            && !self.windows[device.index()].admit(stamp)
        {
            self.note(effects, device, "duplicate", Note::Duplicate(event));
            return;
        }
        if self.blocked[device.index()].producer {
            self.note(effects, device, "blocked-in", Note::BlockedEvent(event));
            return;
        }
        // Who speaks is there: a silent device that is heard again, a foreign one behind a bridge.
        self.come(now, device, before, effects);
        let (tells, is_sealed) = (self.tells_for(device), self.is_sealed(device));
        let told = (tells || is_sealed).then(|| fields.clone());
        let input = engine::Input::Event {
            event,
            fields,
            produced_ms,
        };
        self.run(now, input, effects);
        match told {
            Some(fields) if tells => self.publish_event(event, &fields, &mut effects.sends),
            Some(fields) => effects.mirror.extend(self.event_message(event, &fields)),
            None => {}
        }
        if tells {
            return;
        }
        if let Some(channel) = self.carries(event) {
            // A module may send the event alone; who only reads states is to see it too.
            self.publish_state(channel, &mut effects.sends);
        }
    }

    /// Whether the dispatcher tells in our words what `device` says in its own.
    fn tells_for(&self, device: DeviceIx) -> bool {
        matches!(self.program[device].carrier, Carrier::Foreign(_))
    }

    /// The channel of which `event` says the state.
    fn carries(&self, event: EventIx) -> Option<ChannelIx> {
        let row = &self.program[event];
        row.channel.filter(|_| !row.carries.is_empty())
    }

    fn apply_report(
        &mut self,
        now: Now,
        channel: ChannelIx,
        fields: Vec<(SlotIx, Value)>,
        (live, adopt): (bool, bool),
        effects: &mut Effects,
    ) {
        let device = self.program[channel].device;
        let before = self.hear_of(device, now);
        if self.blocked[device.index()].producer {
            self.note(effects, device, "blocked-in", Note::BlockedReport(channel));
            return;
        }
        self.come(now, device, before, effects);
        if adopt {
            self.adopt(now, channel, &fields, effects);
        }
        let input = engine::Input::Report {
            channel,
            fields,
            live,
        };
        self.run(now, input, effects);
        if self.tells_for(device) {
            self.publish_state(channel, &mut effects.sends);
        } else if self.is_sealed(device) {
            self.publish_state(channel, &mut effects.mirror);
        }
        if self.program[channel].consumer {
            self.reconcile(now, channel, effects);
        }
    }

    /// Runs the engine and delivers what it wishes.
    pub(super) fn run(&mut self, now: Now, input: engine::Input, effects: &mut Effects) {
        let first = effects.engine.outputs.len();
        self.engine.handle(now, input, &mut effects.engine);
        let notes = effects.engine.notes.drain(..);
        effects.notes.extend(notes.map(Note::from));
        self.deliver(now, first, effects);
    }

    fn go_by(&mut self, conduct: Conduct) {
        self.engine.set_fuse(conduct.firings_per_s_max);
        self.presence.go_by(&self.program, &conduct);
        self.config.conduct = conduct;
    }

    /// A device says something; gives when it last did before.
    fn hear_of(&mut self, device: DeviceIx, now: Now) -> Option<UnixTime> {
        let before = self.last_heard(device);
        self.presence.heard(device, now);
        before
    }

    fn come(
        &mut self,
        now: Now,
        device: DeviceIx,
        last_seen: Option<UnixTime>,
        effects: &mut Effects,
    ) {
        if self.engine.online(device) {
            return;
        }
        if let Some(topic) = self.topics.device(device).availability.clone() {
            effects.retained(&topic, payload::presence(true));
        }
        self.run(now, engine::Input::Online { device, last_seen }, effects);
        self.session_started(now, device, effects);
    }

    fn go(&mut self, now: Now, device: DeviceIx, effects: &mut Effects) {
        self.presence.gone(device);
        if !self.engine.online(device) {
            return;
        }
        if let Some(topic) = self.topics.device(device).availability.clone() {
            effects.retained(&topic, payload::presence(false));
        }
        let last_seen = self.last_heard(device);
        self.run(now, engine::Input::Offline { device, last_seen }, effects);
        for channel in &Arc::clone(&self.program)[device].channels {
            self.deliveries.unschedule(*channel);
        }
    }

    /// Virtual devices need no session: they are there from the beginning, until the session of somebody who speaks for
    /// one ends. `is_new`: which of them begin now.
    pub(super) fn bring_virtual_devices(
        &mut self,
        now: Now,
        is_new: impl Fn(DeviceIx) -> bool,
        effects: &mut Effects,
    ) {
        let program = Arc::clone(&self.program);
        for device in DeviceIx::all(program.devices.len()) {
            if program[device].carrier == Carrier::Virtual && is_new(device) {
                self.come(now, device, self.last_heard(device), effects);
            }
        }
    }

    fn block(&mut self, now: Now, block: Block, effects: &mut Effects) {
        self.blocklist.block(block);
        self.blocks_changed(now, effects);
    }

    fn unblock(&mut self, now: Now, subject: &Subject, effects: &mut Effects) {
        self.blocklist.unblock(subject);
        self.blocks_changed(now, effects);
    }

    /// Looks up whom the blocklist means; gives what it meant before.
    pub(super) fn resolve_blocks(&mut self) -> Vec<Sides> {
        self.unheard.forget();
        let after = self.blocklist.resolve(&self.program);
        for (device, sides) in DeviceIx::all(after.len()).zip(&after) {
            self.engine.silence(device, sides.producer);
        }
        std::mem::replace(&mut self.blocked, after)
    }

    /// Takes effect at once: what lies retained for a blocked consumer goes, what an unblocked one should
    /// have comes back.
    pub(super) fn blocks_changed(&mut self, now: Now, effects: &mut Effects) {
        let program = Arc::clone(&self.program);
        let before = self.resolve_blocks();
        for device in DeviceIx::all(program.devices.len()) {
            let (was, is) = (before[device.index()], self.blocked[device.index()]);
            if was == is {
                continue;
            }
            self.tell_block(device, is, effects);
            self.end_blocked_session(device, is, effects);
            if is.consumer && !was.consumer {
                self.clear_told(device, effects);
            }
            if was.consumer && !is.consumer {
                self.tell(now, device, effects);
            }
        }
    }

    /// Says that a device is blocked otherwise than before.
    pub(super) fn tell_block(&self, device: DeviceIx, sides: Sides, effects: &mut Effects) {
        effects.notes.push(Note::Blocks { device, sides });
    }

    /// Ends the session of a device that may not have one.
    pub(super) fn end_blocked_session(
        &self,
        device: DeviceIx,
        sides: Sides,
        effects: &mut Effects,
    ) {
        if sides == Sides::BOTH {
            effects.kicks.push(Arc::clone(&self.program[device].name));
        }
    }
}
