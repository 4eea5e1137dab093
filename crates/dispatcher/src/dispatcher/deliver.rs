//! From the engine's wishes to messages.

use std::{sync::Arc, time::Duration};

use engine::{Cut, Disposition, Outcome, Output};
use mapping::program::{Carrier, ChannelIx, Deliver, DeviceIx, EventIx, SlotIx};
use types::{Now, Value};

use super::Dispatcher;
use crate::{
    effects::{Effects, Note, Notify, Qos, Send},
    payload,
    sealed::Tell,
};

/// Rounds in which assumed states may lead to new wishes: as deep as the engine's own cascades.
const ROUNDS_MAX: usize = 16;

/// People hear of a rule that is cut at most so often.
const ALERT_EVERY: Duration = Duration::from_secs(600);

/// Where what is told goes: to topics, and over the sealed link.
struct Outgoing<'e> {
    sends: &'e mut Vec<Send>,
    tells: &'e mut Vec<Tell>,
}

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

    /// What a virtual or foreign device reports stands on its topics, as if a module had sent it.
    pub(super) fn publish_event(&self, event: EventIx, fields: &[Value], sends: &mut Vec<Send>) {
        let row = &self.program[event];
        sends.extend(self.event_message(event, fields));
        if let Some(channel) = row.channel.filter(|_| !row.carries.is_empty()) {
            self.publish_state(channel, sends);
        }
    }

    /// An event as a module would have sent it.
    pub(super) fn event_message(&self, event: EventIx, fields: &[Value]) -> Option<Send> {
        let channel = self.program[event].channel?;
        Some(Send {
            topic: self.topics.channel(channel).event.clone()?,
            payload: payload::emitted(&self.program, event, fields),
            qos: Qos::AtLeastOnce,
            retain: false,
            expiry_s: None,
            token: None,
        })
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
            tells,
            notifications,
            ..
        } = effects;
        let mut out = Outgoing { sends, tells };
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
                    self.deliver_target(now, *channel, target, *changed, *fade, &mut out);
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
                let disposition = self.deliver_momentary(now, *channel, *command, args, &mut out);
                (disposition, *decision, *line)
            }
            Output::Event {
                event,
                fields,
                decision,
                line,
            } => {
                self.publish_event(*event, fields, out.sends);
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
                (self.config.conduct.carried(to), *decision, *line)
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
        out: &mut Outgoing<'_>,
    ) -> Disposition {
        let row = &self.program[channel];
        if self.blocked[row.device.index()].consumer {
            return Disposition::Blocked;
        }
        let away = self.is_away(row.device);
        if away && row.deliver == Deliver::Now {
            self.deliveries.drop_target(channel);
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
        match self.push_target(now, channel, target, fade, out) {
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
        out: &mut Outgoing<'_>,
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
        let (topic, payload) = if self.is_foreign(device) {
            payload::foreign_command(&self.program, channel, &topic, command, args)
        } else {
            (
                topic,
                payload::momentary(&self.program, channel, command, args),
            )
        };
        let token = self.deliveries.token(channel);
        self.deliveries.row_mut(channel).momentary = Some(token);
        if self.is_sealed(device) {
            out.tells.push(Tell::Command {
                channel,
                command,
                args: args.to_vec(),
                token,
            });
        }
        out.sends.push(Send {
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
            let Effects { sends, tells, .. } = effects;
            let mut out = Outgoing { sends, tells };
            self.push_target(now, channel, &target, fade, &mut out);
        }
    }

    /// Says whether there was a topic to send to.
    fn push_target(
        &mut self,
        now: Now,
        channel: ChannelIx,
        target: &[(SlotIx, Value)],
        fade: Option<Duration>,
        out: &mut Outgoing<'_>,
    ) -> bool {
        let Some(topic) = self.topics.channel(channel).target.clone() else {
            return false;
        };
        let row = &self.program[channel];
        let foreign = self.is_foreign(row.device);
        // A target that is not to wait for an absent consumer is not kept for it either.
        let retain = !foreign && row.deliver == Deliver::Latest;
        let until = self.engine.bounded_until(channel);
        let bound = until.map(|until| until.since(now.at));
        let messages = if foreign {
            payload::foreign_target(&self.program, channel, &topic, target)
        } else {
            vec![(topic, payload::target(&self.program, target, fade, bound))]
        };
        let token = self.deliveries.token(channel);
        if self.is_sealed(row.device) {
            out.tells.push(Tell::Target {
                channel,
                fields: target.to_vec(),
                fade,
                bound,
                token,
            });
        }
        let fade = fade.filter(|_| retain);
        self.deliveries
            .sent(&self.config, now, channel, token, fade);
        self.deliveries.row_mut(channel).retained = retain;
        // Messages arrive in order: who acknowledged the last one has them all.
        let last = messages.len();
        for (number, (topic, payload)) in messages.into_iter().enumerate() {
            out.sends.push(Send {
                topic,
                payload,
                qos: Qos::AtLeastOnce,
                retain,
                expiry_s: None,
                token: (number + 1 == last).then_some(token),
            });
        }
        last > 0
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
            let waits = row.retained && program[*channel].deliver == Deliver::Latest;
            if waits && (row.faded || bound.is_some()) {
                self.send_target(now, *channel, None, effects);
            }
        }
    }

    /// The targets that no broker kept for a device that came: those of foreign devices, where they wait.
    pub(super) fn send_unretained_targets(
        &mut self,
        now: Now,
        device: DeviceIx,
        effects: &mut Effects,
    ) {
        let program = Arc::clone(&self.program);
        for channel in &program[device].channels {
            let row = &program[*channel];
            if row.consumer && self.is_foreign(device) && row.deliver == Deliver::Latest {
                self.send_target(now, *channel, None, effects);
            }
        }
    }

    /// Whether nobody is there to take a message. A foreign device that never says whether it is there is
    /// believed to be.
    pub(super) fn is_away(&self, device: DeviceIx) -> bool {
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
