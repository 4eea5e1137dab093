//! What is under way in an engine, at the cost of what is and not of the house.
//!
//! Called by whoever looks for a moment at which nothing waits. Changes nothing.

use mapping::program::{ChannelIx, RuleIx, TimerIx};
use types::Instant;

use crate::{
    Engine,
    agenda::Due,
    cascade::{Core, Ctx},
    gesture::is_young,
    plan::HoldIx,
};

/// Something that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnderWay {
    /// A timer runs until then.
    Timer(TimerIx, Instant),
    /// An output is on for a time, until then.
    Bound(ChannelIx, Instant),
    /// Time alone decides something about a button still.
    Button(ChannelIx),
    /// A condition of the rule is true and waits for its time, or is unknown since that is over.
    Condition(RuleIx),
    /// The rule waits between its actions.
    Run(RuleIx),
    /// A chord or a `sequence` of the rule has begun and may be completed still.
    Begun(RuleIx),
}

impl Engine {
    /// All that is under way at `now`: first what time ends, as it falls due. Some may come twice.
    pub fn under_way(&self, now: Instant) -> impl Iterator<Item = UnderWay> {
        let (ctx, core) = self.look();
        let coming = core.agenda.coming();
        let coming = coming.filter_map(move |(at, due)| match due {
            Due::Timer(timer) => Some(UnderWay::Timer(timer, at)),
            Due::Bound(channel) => Some(UnderWay::Bound(channel, at)),
            Due::Gesture(channel) => Some(UnderWay::Button(channel)),
            Due::Hold(hold) => Some(UnderWay::Condition(rule_of(ctx, hold))),
            Due::Run(_) | Due::Late(_) | Due::At(_) | Due::Look(_) => None,
        });
        let overdue = core.overdue();
        let overdue = overdue.map(move |hold| UnderWay::Condition(rule_of(ctx, hold)));
        let runs = core.runs.keys().map(|rule| UnderWay::Run(*rule));
        let begun = begun(ctx, core, now).map(UnderWay::Begun);
        coming.chain(overdue).chain(runs).chain(begun)
    }
}

fn rule_of(ctx: Ctx<'_>, hold: HoldIx) -> RuleIx {
    ctx.plan.holds[hold.0 as usize].place.rule
}

/// Rules of which a chord or a sequence has begun.
fn begun<'e>(ctx: Ctx<'e>, core: &'e Core, now: Instant) -> impl Iterator<Item = RuleIx> {
    let chords = ctx.plan.chords.iter().zip(&core.chords);
    let chords = chords.filter(move |(plan, struck)| is_young(struck, plan.within, now));
    let sequences = ctx.plan.sequences.iter().zip(&core.sequences);
    let sequences = sequences.filter(move |(plan, begun)| is_young(begun, plan.within, now));
    let chords = chords.map(|(plan, _)| plan.place.rule);
    chords.chain(sequences.map(|(plan, _)| plan.place.rule))
}
