//! What one cascade gathers while it runs, and what is written down of it at its end: one line and one output
//! for each wish, outputs coalesced.
//!
//! Called by the cascade. Its memory is kept for the next one. Must not decide anything.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use mapping::program::{ChannelIx, EventIx, RuleIx, SlotIx};
use types::{Instant, Value};

use crate::{
    bounds::How,
    cascade::{Core, Ctx, What},
    decision::{Decision, Disposition, Sent},
    house::House,
    output::{Cut, Effects, Output},
    plan::{HoldIx, Place},
    targets::absolute,
};

/// Working memory of one cascade, kept for the next.
#[derive(Debug, Default)]
pub(crate) struct Work {
    pub(crate) decision: Decision,
    pub(crate) queue: VecDeque<(What, u8)>,
    pub(crate) wishes: Vec<Wish>,
    /// By channel: one more than the place of its wish in `wishes`; 0: not written.
    pub(crate) written: Vec<u32>,
    pub(crate) before: Vec<Option<Value>>,
    pub(crate) candidates: Vec<(RuleIx, u32)>,
    pub(crate) firing: Vec<Firing>,
    /// Computed values and texts of the rules in `firing`, in the order of their actions.
    pub(crate) operands: VecDeque<Option<Value>>,
    pub(crate) fields: Vec<(SlotIx, Value)>,
    /// `holds` whose truth may have changed.
    pub(crate) dirty: Vec<HoldIx>,
    pub(crate) places: Vec<Place>,
    pub(crate) cuts: Vec<Cut>,
    order: u32,
}

/// A rule that fires in this step.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: RuleIx,
    /// Of a rule that waits: the fields of its event that it reads, for later.
    pub(crate) fields: Option<Box<[Value]>>,
}

/// One line of what was wished.
#[derive(Debug)]
pub(crate) struct Wish {
    order: u32,
    by: Option<RuleIx>,
    what: Wished,
}

#[derive(Debug)]
pub(crate) enum Wished {
    Target {
        channel: ChannelIx,
        /// Its target before the cascade, in [`Work::before`].
        before: Range<usize>,
        /// Until when that was on.
        bound: Option<Instant>,
        fade: Option<Duration>,
    },
    Momentary {
        channel: ChannelIx,
        command: u8,
        args: Vec<Value>,
    },
    Event {
        event: EventIx,
        fields: Vec<Value>,
    },
    Notify {
        to: Arc<str>,
        text: String,
    },
    Skipped {
        channel: Option<ChannelIx>,
        text: String,
        disposition: Disposition,
    },
}

impl Work {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            written: vec![0; channels],
            ..Self::default()
        }
    }

    pub(crate) fn wish(&mut self, by: Option<RuleIx>, what: Wished) {
        self.order += 1;
        self.wishes.push(Wish {
            order: self.order,
            by,
            what,
        });
    }

    /// Notes that `channel`'s target is about to be written; its line moves to the end.
    pub(crate) fn touch(
        &mut self,
        ctx: Ctx<'_>,
        house: &House,
        channel: ChannelIx,
        bound: Option<Instant>,
        How { by, fade, .. }: How<'_>,
    ) {
        let place = self.written[channel.index()];
        if place == 0 {
            let start = self.before.len();
            let slots = &ctx.program[channel].slots;
            self.before
                .extend(slots.iter().map(|slot| house.target(*slot).cloned()));
            let before = start..self.before.len();
            self.wish(
                by,
                Wished::Target {
                    channel,
                    before,
                    bound,
                    fade,
                },
            );
            self.written[channel.index()] = self.wishes.len() as u32;
            return;
        }
        self.order += 1;
        let wish = &mut self.wishes[place as usize - 1];
        wish.order = self.order;
        wish.by = by;
        if let Wished::Target { fade: kept, .. } = &mut wish.what {
            *kept = fade;
        }
    }
}

/// The place of a wish in what is written down: its decision, and its line there.
#[derive(Clone, Copy)]
struct At {
    decision: usize,
    line: usize,
}

impl Core {
    /// Writes down what was wished, in the order of the last writes.
    pub(crate) fn finish(&mut self, ctx: Ctx<'_>, effects: &mut Effects) {
        let mut wishes = std::mem::take(&mut self.work.wishes);
        if !wishes.is_sorted_by_key(|wish| wish.order) {
            wishes.sort_by_key(|wish| wish.order);
        }
        for wish in wishes.drain(..) {
            let at = At {
                decision: effects.decisions.len(),
                line: self.work.decision.sent.len(),
            };
            let mut sent = Sent {
                channel: None,
                text: String::new(),
                by: wish.by,
                disposition: Disposition::Pending,
            };
            let output = self.output(ctx, wish.what, at, &mut sent);
            effects.outputs.extend(output);
            self.work.decision.sent.push(sent);
        }
        let work = &mut self.work;
        work.wishes = wishes;
        effects.cuts.append(&mut work.cuts);
        work.before.clear();
        work.order = 0;
        effects.decisions.push(std::mem::take(&mut work.decision));
    }

    /// What leaves for a wish, and `sent` with what is known of it; `None`: nothing does.
    fn output(
        &mut self,
        ctx: Ctx<'_>,
        what: Wished,
        At { decision, line }: At,
        sent: &mut Sent,
    ) -> Option<Output> {
        Some(match what {
            Wished::Target {
                channel,
                before,
                bound: bound_before,
                fade,
            } => {
                sent.channel = Some(channel);
                self.work.written[channel.index()] = 0;
                let slots = &ctx.program[channel].slots;
                let mut before = slots.iter().zip(&self.work.before[before]);
                let bound = self.bounds.get(&channel).map(|bound| bound.key.at);
                let changed = bound != bound_before
                    || before.any(|(slot, before)| self.house.target(*slot) != before.as_ref());
                Output::Target {
                    channel,
                    target: absolute(ctx.program, &self.house, channel),
                    changed,
                    fade,
                    bound: bound.map(|until| until.since(self.work.decision.now.at)),
                    decision,
                    line,
                }
            }
            Wished::Momentary {
                channel,
                command,
                args,
            } => {
                sent.channel = Some(channel);
                sent.text = format!(
                    "{} {}",
                    ctx.program.channel_path(channel),
                    ctx.program[channel].commands[usize::from(command)].name
                );
                Output::Momentary {
                    channel,
                    command,
                    args,
                    decision,
                    line,
                }
            }
            Wished::Event { event, fields } => {
                sent.channel = ctx.program[event].channel;
                Output::Event {
                    event,
                    fields,
                    decision,
                    line,
                }
            }
            Wished::Notify { to, text } => {
                sent.text = format!("notify {to} {text:?}");
                Output::Notify {
                    to,
                    text,
                    decision,
                    line,
                }
            }
            Wished::Skipped {
                channel,
                text,
                disposition,
            } => {
                sent.channel = channel;
                sent.text = text;
                sent.disposition = disposition;
                return None;
            }
        })
    }
}
