//! What a consumer reports against what it was told: confirmed, still on its way, to be told again, or somebody's hand.

use mapping::program::{Carrier, ChannelIx, Deliver, Measure, SlotIx};
use types::{Now, Type, Value};

use super::Dispatcher;
use crate::effects::{Effects, Note, Notify};

/// Saturation in % up to which a hue does not come back as it was told.
const PALE_MAX: f64 = 10.0;

impl Dispatcher {
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
            // A lamp that is off need not report its brightness.
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
                measure.same(*a, *b) || (measure == Measure::Hue && self.is_pale(row.channel))
            }
            _ => a == b,
        }
    }

    /// Whether a lamp is to show so little colour that its hue gets lost in whole reds, greens and blues.
    fn is_pale(&self, channel: ChannelIx) -> bool {
        let saturation = self.program.slot(channel, "saturation");
        let saturation = saturation.and_then(|slot| self.engine.target(slot)?.as_number());
        saturation.is_some_and(|saturation| saturation <= PALE_MAX)
    }

    /// Whether a report confirms the target, or an acknowledgement does where the consumer never reports. What is
    /// only assumed confirms nothing; a virtual consumer has nobody who could.
    pub(super) fn is_settled(&self, channel: ChannelIx) -> bool {
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
}
