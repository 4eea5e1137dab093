//! Dead-man targets: `{ on = TARGET, for = ".." }` is on for so long and no longer. The bound travels to the
//! consumer, which ends it by itself; here the desired value ends with it, also while the consumer is away.
//!
//! Called where a target is written, and when a bound's time is over. A bound belongs to the `on` that it was written
//! with: another `on` has its own bound or none. Must not know who is told.

use std::time::Duration;

use mapping::program::{ChannelIx, RuleIx, SlotIx};
use types::{Instant, Now, Value};

use crate::{
    agenda::{Due, Key},
    cascade::{Core, Ctx},
    house::Origin,
};

/// For how long a written `on` lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    /// Until something else is written.
    ForGood,
    /// So long, then it is off.
    For(Duration),
    /// As before: a step says how bright, not how long.
    AsBefore,
}

/// How a target is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct How<'a> {
    /// The rule that does it.
    pub(crate) by: Option<RuleIx>,
    pub(crate) origin: &'a Origin,
    pub(crate) fade: Option<Duration>,
    pub(crate) lasts: Lasts,
}

impl<'a> How<'a> {
    /// At once and for good.
    pub(crate) fn plain(by: Option<RuleIx>, origin: &'a Origin) -> Self {
        Self {
            by,
            origin,
            fade: None,
            lasts: Lasts::ForGood,
        }
    }
}

/// A bound that runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Bound {
    pub(crate) key: Key,
    /// Who set it.
    pub(crate) origin: Origin,
}

impl Core {
    /// `fields` of `channel` were written: starts, keeps or ends its bound.
    pub(crate) fn bind(
        &mut self,
        ctx: Ctx<'_>,
        now: Now,
        channel: ChannelIx,
        fields: &[(SlotIx, Value)],
        how: How<'_>,
    ) {
        if self.bounds.is_empty() && !matches!(how.lasts, Lasts::For(_)) {
            return;
        }
        let Some(on) = ctx.program.on(channel) else {
            return;
        };
        let lit = self.house.target(on) == Some(&Value::Bool(true));
        let says_on = fields.iter().any(|(slot, _)| *slot == on);
        let span = match how.lasts {
            Lasts::For(span) if lit => Some(span),
            Lasts::AsBefore if lit => return,
            // How bright, or in which colour, says nothing about how long.
            Lasts::ForGood if lit && !says_on => return,
            _ => None,
        };
        if let Some(old) = self.bounds.remove(&channel) {
            self.agenda.cancel(old.key);
        }
        if let Some(span) = span {
            let key = self.agenda.create(now.at.after(span), Due::Bound(channel));
            let origin = how.origin.clone();
            self.bounds.insert(channel, Bound { key, origin });
        }
    }

    /// When `channel`'s bound ends, where it has one.
    pub(crate) fn bounded_until(&self, channel: ChannelIx) -> Option<Instant> {
        let bound = self.bounds.get(&channel);
        bound.map(|bound| bound.key.at)
    }

    /// A bound's time is over: off, whatever holds the output. The consumer did it already.
    pub(crate) fn end_bound(&mut self, ctx: Ctx<'_>, now: Now, channel: ChannelIx) {
        let Some(bound) = self.bounds.remove(&channel) else {
            return;
        };
        if let Some(on) = ctx.program.on(channel) {
            let rule = match bound.origin {
                Origin::Rule(rule) => Some(rule),
                Origin::Other(_) => None,
            };
            let off = [(on, Value::Bool(false))];
            self.write(ctx, now, channel, &off, How::plain(rule, &bound.origin));
        }
    }
}
