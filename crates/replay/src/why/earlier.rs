//! What happened earlier and only came to its end later: who started a timer, when a condition turned.

use std::sync::Arc;

use dispatcher::explain;
use engine::{Decision, Outcome, RuleTrace};
use mapping::{Program, program::RuleIx};
use types::{InputNo, Instant};

use super::{Hop, What, teller::Teller};
use crate::{
    history::{History, Until},
    hold::hold_of,
    lineage::Lineage,
    player::Fed,
    target::Target,
    travel::Step,
    trouble::HistoryError,
    words::span,
};

/// What is looked for in the past; rules as the mapping right before the later input has them.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// A firing of this rule, or of any.
    Ran(Option<RuleIx>),
    /// The moment at which this rule's condition became true.
    Turned(RuleIx),
}

impl Wanted {
    /// Whether it is this; `rule` is the one that is wanted, under the mapping of `trace`.
    fn is(self, trace: &RuleTrace, rule: Option<RuleIx>) -> bool {
        match self {
            Self::Ran(None) => explain::ran(trace),
            Self::Ran(Some(_)) => explain::ran(trace) && rule == Some(trace.rule),
            Self::Turned(_) => rule == Some(trace.rule) && trace.outcome == Outcome::Waiting,
        }
    }

    fn rule(self) -> Option<RuleIx> {
        match self {
            Self::Ran(rule) => rule,
            Self::Turned(rule) => Some(rule),
        }
    }
}

/// A `for` that began as another mapping came into force: its condition was true then.
fn begun_by_edit(step: &Step<'_>, program: &Program, rule: RuleIx) -> Vec<Hop> {
    let hop = hold_of(program, rule).map(|(condition, so_long)| Hop {
        now: step.record.now,
        what: What::Cause(format!(
            "another mapping came into force, and {} was true already; rule {} waits {} from then on",
            condition.text,
            program[rule].name,
            span(so_long)
        )),
    });
    hop.into_iter().collect()
}

/// The decision at `since`, before input `no`: its causes and the rule.
pub(super) fn earlier(
    history: &History,
    (no, program): (InputNo, &Arc<Program>),
    since: Instant,
    wanted: Wanted,
    back: u8,
) -> Result<Vec<Hop>, HistoryError> {
    let before = InputNo(no.0.saturating_sub(1));
    let rule = wanted.rule().map(Target::Rule);
    let mut asked = rule.map(|rule| Lineage::of(history, before, program, rule));
    let mut rule_then =
        |no: InputNo, program: &Arc<Program>| match asked.as_mut()?.then(no, program)? {
            Target::Rule(rule) => Some(rule),
            _ => None,
        };
    for window in history.windows(Until::No(before), None)? {
        let mut travel = history.window(window)?;
        if travel.now().at > since {
            continue;
        }
        let mut rule = rule_then(travel.last(), travel.house().program());
        while let Some(step) = travel.next()? {
            let (no, program) = (step.record.no, Arc::clone(step.program()));
            if step.fed == Fed::Reloaded {
                rule = rule_then(no, &program);
                let begins = matches!(wanted, Wanted::Turned(_)) && step.record.now.at == since;
                if let Some(rule) = rule.filter(|_| begins) {
                    return Ok(begun_by_edit(&step, &program, rule));
                }
            }
            let is_it = |decision: &&Decision| {
                let mut traces = decision.rules.iter();
                decision.now.at == since && traces.any(|trace| wanted.is(trace, rule))
            };
            let Some(decision) = step.effects.engine.decisions.iter().find(is_it) else {
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
            let Some(trace) = traces.find(|trace| wanted.is(trace, rule)) else {
                continue;
            };
            let mut hops = teller.causes(usize::from(trace.step), back)?;
            match (wanted, hold_of(&program, trace.rule)) {
                (Wanted::Turned(_), Some((condition, so_long))) => {
                    let text = format!(
                        "{} became true; rule {} waits {}",
                        condition.text,
                        program[trace.rule].name,
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
