//! What happened earlier and only came to its end later: who started a timer, when a condition turned.

use std::sync::Arc;

use dispatcher::explain;
use engine::{Decision, Outcome, RuleTrace};
use mapping::program::RuleIx;
use types::{InputNo, Instant};

use super::{Hop, What, teller::Teller};
use crate::{
    history::{History, Until},
    hold::hold_of,
    trouble::HistoryError,
    words::span,
};

/// What is looked for in the past.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// A firing of this rule, or of any.
    Ran(Option<RuleIx>),
    /// The moment at which this rule's condition became true.
    Turned(RuleIx),
}

impl Wanted {
    fn is(self, trace: &RuleTrace) -> bool {
        match self {
            Self::Ran(rule) => explain::ran(trace) && rule.is_none_or(|rule| rule == trace.rule),
            Self::Turned(rule) => trace.rule == rule && trace.outcome == Outcome::Waiting,
        }
    }
}

/// The decision at `since`, before input `no`: its causes and the rule.
pub(super) fn earlier(
    history: &History,
    no: InputNo,
    since: Instant,
    wanted: Wanted,
    back: u8,
) -> Result<Vec<Hop>, HistoryError> {
    let before = InputNo(no.0.saturating_sub(1));
    let is_it = |decision: &Decision| {
        decision.now.at == since && decision.rules.iter().any(|trace| wanted.is(trace))
    };
    for window in history.windows(Until::No(before), None)? {
        let mut travel = history.window(window)?;
        if travel.now().at > since {
            continue;
        }
        while let Some(step) = travel.next()? {
            let (no, program) = (step.record.no, Arc::clone(step.program()));
            let Some(decision) = step.effects.engine.decisions.iter().find(|d| is_it(d)) else {
                continue;
            };
            let teller = Teller {
                history,
                program: &program,
                no,
                decision,
                notes: &step.effects.notes,
            };
            let mut traces = decision.rules.iter();
            let Some(trace) = traces.find(|trace| wanted.is(trace)) else {
                continue;
            };
            let mut hops = teller.causes(usize::from(trace.step), back)?;
            match (wanted, hold_of(&program, trace.rule)) {
                (Wanted::Turned(rule), Some((condition, so_long))) => {
                    let text = format!(
                        "{} became true; rule {} waits {}",
                        condition.text,
                        program[rule].name,
                        span(so_long)
                    );
                    hops.push(teller.hop(What::Cause(text)));
                }
                _ => hops.push(teller.rule(trace)),
            }
            return Ok(hops);
        }
        return Ok(Vec::new());
    }
    Ok(Vec::new())
}
