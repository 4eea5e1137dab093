//! From the engine's wishes to messages, and from reports back to the question whether they arrived.

use std::{sync::Arc, time::Duration};

use engine::{Cut, Disposition, Outcome, Output};
use mapping::program::{Carrier, ChannelIx, Deliver, DeviceIx, EventIx, Measure, SlotIx};
use types::{Now, Type, Value};

use super::Dispatcher;
use crate::{
    effects::{Effects, Note, Notify, Qos, Send},
    payload,
};

/// Rounds in which assumed states may lead to new wishes: as deep as the engine's own cascades.
const ROUNDS_MAX: usize = 16;

/// People hear of a rule that is cut at most so often.
const ALERT_EVERY: Duration = Duration::from_secs(600);

impl Dispatcher {
    /// Delivers the outputs from `first` on and fills in what became of each.
    pub(super) fn deliver(&mut self, now: Now, first: usize, effects: &mut Effects) {
        let mut next = first;
        for round in 0.. {
            let mut assumed = Vec::new();
            while next < effects.engine.outputs.len() {
                self.deliver_one(now, next, &mut assumed, effects);
                next += 1;
            }
            for (channel, fields) in assumed {
                if round == ROUNDS_MAX {
                    effects.notes.push(Note::Cut(channel));
                    self.alert_cuts(now, effects);
                    return;
                }
                let report = engine::Input::Report {
                    channel,
                    fields,
                    live: false,
                };
                self.engine.handle(now, report, &mut effects.engine);
                self.publish_state(channel, &mut effects.sends);
            }
            if next == effects.engine.outputs.len() {
                break;
            }
        }
        self.alert_cuts(now, effects);
    }

    /// Tells people about rules that set each other off without end; about each of them not all the time.
    fn alert_cuts(&mut self, now: Now, effects: &mut Effects) {
        for Cut { rule, why } in std::mem::take(&mut effects.engine.cuts) {
            let name = &self.program[rule].name;
            let told = self.alerts.get(name);
            if told.is_some_and(|told| now.at < told.after(ALERT_EVERY)) {
                continue;
            }
            self.alerts.insert(Arc::clone(name), now.at);
            let text = match why {
                Outcome::Fuse => format!(
                    "The rule {name} was cut: it fires more than {} times a second.",
                    self.config.conduct.firings_per_s_max
                ),
                _ => format!("The rule {name} was cut: rules set each other off without end."),
            };
            effects.notes.push(Note::RuleCut(rule));
            effects.notifications.push(Notify {
                to: "all".into(),
                text,
            });
        }
    }

    /// What a virtual device reports stands on its topics, as if a module had sent it.
    fn publish_event(&self, event: EventIx, fields: &[Value], sends: &mut Vec<Send>) {
        let row = &self.program[event];
        let Some(channel) = row.channel else {
            return;
        };
        if let Some(topic) = self.topics.channel(channel).event.clone() {
            sends.push(Send {
                topic,
                payload: payload::emitted(&self.program, event, fields),
                qos: Qos::AtLeastOnce,
                retain: false,
                expiry_s: None,
                token: None,
            });
        }
        if !row.carries.is_empty() {
            self.publish_state(channel, sends);
        }
    }

    fn deliver_one(
        &mut self,
        now: Now,
        place: usize,
        assumed: &mut Vec<(ChannelIx, Vec<(SlotIx, Value)>)>,
        effects: &mut Effects,
    ) {
        let Effects {
            engine,
            sends,
            notifications,
            ..
        } = effects;
        let (disposition, decision, line) = match &engine.outputs[place] {
            Output::Target {
                channel,
                target,
                changed,
                fade,
                decision,
                line,
                ..
            } => {
                let disposition =
                    self.deliver_target(now, *channel, target, *changed, *fade, sends);
                // Which of these three it is depends on acknowledgements; that it is one of them doesn't.
                let told = matches!(
                    disposition,
                    Disposition::Sent | Disposition::Waiting | Disposition::AlreadySo
                );
                if told && self.program.is_assumed(*channel) {
                    assumed.push((*channel, target.clone()));
                }
                (disposition, *decision, *line)
            }
            Output::Momentary {
                channel,
                command,
                args,
                decision,
                line,
            } => {
                let disposition = self.deliver_momentary(now, *channel, *command, args, sends);
                (disposition, *decision, *line)
            }
            Output::Event {
                event,
                fields,
                decision,
                line,
            } => {
                self.publish_event(*event, fields, sends);
                (Disposition::Sent, *decision, *line)
            }
            Output::Notify {
                to,
                text,
                decision,
                line,
            } => {
                notifications.push(Notify {
                    to: Arc::clone(to),
                    text: text.clone(),
                });
                (self.config.carried(to), *decision, *line)
            }
        };
        let decision = engine.decisions.get_mut(decision);
        if let Some(line) = decision.and_then(|decision| decision.sent.get_mut(line)) {
            line.disposition = disposition;
        }
    }

    fn deliver_target(
        &mut self,
        now: Now,
        channel: ChannelIx,
        target: &[(SlotIx, Value)],
        changed: bool,
        fade: Option<Duration>,
        sends: &mut Vec<Send>,
    ) -> Disposition {
        let row = &self.program[channel];
        if self.blocked[row.device.index()].consumer {
            return Disposition::Blocked;
        }
        let away = self.is_away(row.device);
        if away && row.deliver == Deliver::Now {
            self.deliveries.row_mut(channel).dropped = true;
            return Disposition::Dropped;
        }
        if !changed && away && self.deliveries.row(channel).retained {
            return Disposition::Waiting;
        }
        if !changed && !away && self.is_settled(channel) {
            return Disposition::AlreadySo;
        }
        if changed {
            self.deliveries.row_mut(channel).tries = 0;
        }
        match self.push_target(now, channel, target, fade, sends) {
            false => Disposition::Dropped,
            true if away => Disposition::Waiting,
            true => Disposition::Sent,
        }
    }

    fn deliver_momentary(
        &mut self,
        now: Now,
        channel: ChannelIx,
        command: u8,
        args: &[Value],
        sends: &mut Vec<Send>,
    ) -> Disposition {
        let device = self.program[channel].device;
        if self.blocked[device.index()].consumer {
            return Disposition::Blocked;
        }
        if self.is_away(device) {
            return Disposition::Dropped;
        }
        let Some(topic) = self.topics.channel(channel).command.clone() else {
            return Disposition::Dropped;
        };
        let payload = if self.is_foreign(device) {
            payload::foreign_command(&self.program, channel, command, args)
        } else {
            payload::momentary(&self.program, channel, command, args)
        };
        let token = self.deliveries.token(channel);
        self.deliveries.row_mut(channel).momentary = Some(token);
        sends.push(Send {
            topic,
            payload,
            qos: Qos::AtLeastOnce,
            retain: false,
            expiry_s: Some(self.config.momentary_expiry_s),
            token: Some(token),
        });
        // "stop" makes a cover report something else than its target: that is what was asked for, and the
        // target must not be sent again because of it.
        self.deliveries.unschedule(channel);
        self.deliveries.row_mut(channel).confirm_until = now.at;
        Disposition::Sent
    }

    /// Sends the current target of `channel`, whatever is known of its delivery.
    pub(super) fn send_target(
        &mut self,
        now: Now,
        channel: ChannelIx,
        fade: Option<Duration>,
        effects: &mut Effects,
    ) {
        let target = self.target_of(channel);
        let device = self.program[channel].device;
        if !target.is_empty() && !self.blocked[device.index()].consumer {
            self.push_target(now, channel, &target, fade, &mut effects.sends);
        }
    }

    /// Says whether there was a topic to send to.
    fn push_target(
        &mut self,
        now: Now,
        channel: ChannelIx,
        target: &[(SlotIx, Value)],
        fade: Option<Duration>,
        sends: &mut Vec<Send>,
    ) -> bool {
        let Some(topic) = self.topics.channel(channel).target.clone() else {
            return false;
        };
        let row = &self.program[channel];
        let foreign = self.is_foreign(row.device);
        // A target that is not to wait for an absent consumer is not kept for it either.
        let retain = !foreign && row.deliver == Deliver::Latest;
        let payload = if foreign {
            payload::foreign_target(&self.program, channel, target)
        } else {
            let until = self.engine.bounded_until(channel);
            let bound = until.map(|until| until.since(now.at));
            payload::target(&self.program, target, fade, bound)
        };
        let token = self.deliveries.token(channel);
        let fade = fade.filter(|_| retain);
        self.deliveries
            .sent(&self.config, now, channel, token, fade);
        self.deliveries.row_mut(channel).retained = retain;
        sends.push(Send {
            topic,
            payload,
            qos: Qos::AtLeastOnce,
            retain,
            expiry_s: None,
            token: Some(token),
        });
        true
    }

    /// A session begins: what lies retained for it must say how long things still are on, and nothing of a `fade` that
    /// was meant once.
    pub(super) fn renew_retained_targets(
        &mut self,
        now: Now,
        device: DeviceIx,
        effects: &mut Effects,
    ) {
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let row = self.deliveries.row(*channel);
            let bound = self.engine.bounded_until(*channel);
            if row.retained && (row.faded || bound.is_some()) {
                self.send_target(now, *channel, None, effects);
            }
        }
    }

    /// The targets that no broker kept for a device that came: those of foreign devices.
    pub(super) fn send_unretained_targets(
        &mut self,
        now: Now,
        device: DeviceIx,
        effects: &mut Effects,
    ) {
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let row = self.deliveries.row(*channel);
            if program[*channel].consumer && self.is_foreign(device) && !row.dropped {
                self.send_target(now, *channel, None, effects);
            }
        }
    }

    /// Compares a fresh report with the target and sends again where it differs and nobody's hand did it.
    pub(super) fn reconcile(&mut self, now: Now, channel: ChannelIx, effects: &mut Effects) {
        if !self.differs(channel, &[]) {
            self.deliveries.confirmed(now, channel);
            return;
        }
        let device = self.program[channel].device;
        let row = self.deliveries.row(channel);
        let insists = self.program[channel].enforce || now.at < row.confirm_until;
        let blocked = self.blocked[device.index()].consumer;
        let on_its_way = now.at < row.fading_until
            || self.is_ending(now, channel, &[])
            || self.is_moving(channel, &[]);
        if !insists || row.dropped || blocked || on_its_way {
            return;
        }
        let at = row.sent_at.map_or(now.at, |sent_at| {
            sent_at.after(self.config.resend_pause(row.tries))
        });
        if at <= now.at {
            self.resend(now, channel, effects);
        } else {
            self.deliveries.schedule(channel, at, false);
        }
    }

    /// Sends the target again because a report differed; tells people when that doesn't help.
    pub(super) fn resend(&mut self, now: Now, channel: ChannelIx, effects: &mut Effects) {
        let device = self.program[channel].device;
        if self.is_away(device)
            || self.blocked[device.index()].consumer
            || !self.differs(channel, &[])
        {
            return;
        }
        self.send_target(now, channel, None, effects);
        let row = self.deliveries.row_mut(channel);
        row.tries += 1;
        let tries = row.tries;
        self.note(effects, device, "resent", Note::Resent { channel, tries });
        if tries == self.config.alert_after_tries {
            effects.notes.push(Note::NotTaken { channel, tries });
            effects.notifications.push(Notify {
                to: "all".into(),
                text: format!(
                    "{} does not do what it was told; it was told {tries} times more.",
                    self.program.channel_path(channel)
                ),
            });
        }
    }

    /// Whether a report is somebody's hand on the switch: it comes unprompted and differs, or nothing was
    /// ever wished of this channel.
    pub(super) fn is_by_hand(
        &self,
        now: Now,
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
    ) -> bool {
        let row = &self.program[channel];
        let fading = now.at < self.deliveries.row(channel).fading_until;
        let ending = self.is_ending(now, channel, fields);
        if !row.consumer || fading || ending || self.is_moving(channel, fields) {
            return false;
        }
        if self.target_of(channel).is_empty() {
            return fields.iter().any(|(slot, _)| self.program[*slot].settable);
        }
        let delivery = self.deliveries.row(channel);
        let prompted = row.enforce || now.at < delivery.confirm_until;
        (!prompted || delivery.dropped) && self.differs(channel, fields)
    }

    /// Makes a report the desired value: what differs, or everything where nothing was wished before.
    pub(super) fn adopt(
        &mut self,
        now: Now,
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
        effects: &mut Effects,
    ) {
        let first = self.target_of(channel).is_empty();
        let adopted: Vec<(SlotIx, Value)> = fields
            .iter()
            .filter(|(slot, value)| {
                let desired = self.engine.target(*slot);
                self.program[*slot].settable
                    && (first || desired.is_some_and(|desired| !self.same(*slot, desired, value)))
            })
            .cloned()
            .collect();
        if adopted.is_empty() {
            return;
        }
        let output = effects.engine.outputs.len();
        self.engine
            .adopt(now, channel, adopted, &mut effects.engine);
        self.deliver(now, output, effects);
        let device = self.program[channel].device;
        if first {
            self.note(effects, device, "first-report", Note::FirstReport(channel));
        } else {
            self.note(effects, device, "adopted", Note::Adopted(channel));
        }
        // What lies retained must say the same, or the next reconnect would undo the hand.
        if !self.is_foreign(device) && self.program[channel].deliver == Deliver::Latest {
            self.send_target(now, channel, None, effects);
        }
    }

    /// Whether a known report differs from what is desired. `news` is looked at before what is known.
    fn differs(&self, channel: ChannelIx, news: &[(SlotIx, Value)]) -> bool {
        let reported = |slot: SlotIx| {
            let new = news.iter().find(|(known, _)| *known == slot);
            new.map(|(_, value)| value)
                .or_else(|| self.engine.reported(slot))
        };
        let row = &self.program[channel];
        for slot in &row.slots {
            let (Some(desired), Some(reported)) = (self.engine.target(*slot), reported(*slot))
            else {
                continue;
            };
            if !self.same(*slot, desired, reported) {
                return true;
            }
            // Off is off: how bright it would be says a lamp when it is on.
            if &*self.program[*slot].name == "on" && *desired == Value::Bool(false) {
                return false;
            }
        }
        false
    }

    /// Whether two values of a field are the same as far as a device can tell: numbers with a fraction come
    /// back from modules that count in 32 bits.
    fn same(&self, slot: SlotIx, a: &Value, b: &Value) -> bool {
        let row = &self.program[slot];
        match (&row.ty, a, b) {
            (Type::Number { .. }, Value::Number(a), Value::Number(b)) => {
                (a - b).abs() <= 1e-6 * a.abs().max(b.abs())
            }
            (_, Value::Number(a), Value::Number(b)) if a != b => {
                // Two of our numbers may be one of the device's.
                let codec = self.program[row.channel].codec.as_ref();
                let measure = codec.map_or(Measure::Plain, |codec| codec.measure(&row.name));
                measure.theirs(*a) == measure.theirs(*b)
            }
            _ => a == b,
        }
    }

    /// Whether a report confirms the target, or an acknowledgement does where the consumer never reports. What is
    /// only assumed confirms nothing; a virtual consumer has nobody who could.
    fn is_settled(&self, channel: ChannelIx) -> bool {
        if self.program.is_assumed(channel) {
            let device = self.program[channel].device;
            let is_virtual = self.program[device].carrier == Carrier::Virtual;
            return is_virtual || self.deliveries.row(channel).acked;
        }
        let slots = &self.program[channel].slots;
        let reports = slots.iter().any(|slot| {
            self.engine.target(*slot).is_some() && self.engine.reported(*slot).is_some()
        });
        !self.differs(channel, &[]) && (reports || self.deliveries.row(channel).acked)
    }

    /// Whether a cover is on its way: what it reports then is neither wrong nor anybody's wish.
    fn is_moving(&self, channel: ChannelIx, news: &[(SlotIx, Value)]) -> bool {
        let Some(slot) = self.program.slot(channel, "moving") else {
            return false;
        };
        let new = news.iter().find(|(known, _)| *known == slot);
        let moving = new.map(|(_, value)| value);
        let moving = moving.or_else(|| self.engine.reported(slot));
        moving.is_some_and(|value| value.as_text() != Some("stopped"))
    }

    /// Whether a consumer ended by itself what was to end about now: its clock is a little faster than ours.
    fn is_ending(&self, now: Now, channel: ChannelIx, news: &[(SlotIx, Value)]) -> bool {
        let (Some(until), Some(on)) =
            (self.engine.bounded_until(channel), self.program.on(channel))
        else {
            return false;
        };
        let new = news.iter().find(|(known, _)| *known == on);
        let reported = new.map(|(_, value)| value);
        let reported = reported.or_else(|| self.engine.reported(on));
        until <= now.at.after(self.config.confirm_within) && reported == Some(&Value::Bool(false))
    }

    /// Whether nobody is there to take a message. A foreign device that never says whether it is there is
    /// believed to be.
    fn is_away(&self, device: DeviceIx) -> bool {
        match &self.program[device].carrier {
            // A preset names the topic, and not every device of the make is set to use it.
            Carrier::Foreign(foreign)
                if foreign.availability.is_none() || foreign.preset.is_some() =>
            {
                self.presence.row(device).heard.is_some() && !self.engine.online(device)
            }
            _ => !self.engine.online(device),
        }
    }

    pub(super) fn is_foreign(&self, device: DeviceIx) -> bool {
        matches!(self.program[device].carrier, Carrier::Foreign(_))
    }
}
