//! What happened earlier and only came to its end later: who started a timer, when a condition turned.

use std::sync::Arc;

use dispatcher::explain;
use engine::{Outcome, RuleTrace};
use mapping::{Program, program::RuleIx};
use types::{InputNo, Instant};

use super::{Hop, What, teller::Teller};
use crate::{
    history::{History, Until},
    hold::Hold,
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
    /// The moment at which this condition became true.
    Turned(Hold),
}

impl Wanted {
    /// Whether it is this.
    fn is(self, trace: &RuleTrace) -> bool {
        match self {
            Self::Ran(None) => explain::ran(trace),
            Self::Ran(rule) => explain::ran(trace) && rule == Some(trace.rule),
            Self::Turned(Hold { rule, place }) => {
                (rule, Some(place)) == (trace.rule, trace.holds)
                    && trace.outcome == Outcome::Waiting
            }
        }
    }

    fn rule(self) -> Option<RuleIx> {
        match self {
            Self::Ran(rule) => rule,
            Self::Turned(hold) => Some(hold.rule),
        }
    }

    /// The same under `other`, which has what is wanted of `program` as `rule`; `None`: it has not.
    fn under(self, program: &Program, other: &Program, rule: Option<RuleIx>) -> Option<Self> {
        match self {
            Self::Ran(None) => Some(self),
            Self::Ran(Some(_)) => Some(Self::Ran(Some(rule?))),
            Self::Turned(hold) => hold.in_other(program, (other, rule?)).map(Self::Turned),
        }
    }
}

/// A `for` that began as another mapping came into force: its condition was true then.
fn begun_by_edit(step: &Step<'_>, program: &Program, hold: Hold) -> Vec<Hop> {
    let hop = hold.of(program).map(|(condition, so_long)| Hop {
        now: step.record.now,
        what: What::Cause(format!(
            "another mapping came into force, and {} was true already; rule {} waits {} from then on",
            condition.text,
            program[hold.rule].name,
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
    let mut wanted_then = |no: InputNo, other: &Arc<Program>| {
        let then = asked.as_mut().and_then(|asked| asked.then(no, other));
        let rule = match then {
            Some(Target::Rule(rule)) => Some(rule),
            _ => None,
        };
        wanted.under(program, other, rule)
    };
    for window in history.windows(Until::No(before), None)? {
        let mut travel = history.window(window)?;
        if travel.now().at > since {
            continue;
        }
        let mut then = wanted_then(travel.last(), travel.house().program());
        while let Some(step) = travel.next()? {
            let (no, program) = (step.record.no, Arc::clone(step.program()));
            if step.fed == Fed::Reloaded {
                then = wanted_then(no, &program);
                let begins = step.record.now.at == since;
                if let (Some(Wanted::Turned(hold)), true) = (then, begins) {
                    return Ok(begun_by_edit(&step, &program, hold));
                }
            }
            let is_wanted = |trace: &&RuleTrace| then.is_some_and(|then| then.is(trace));
            let mut decisions = step.effects.engine.decisions.iter();
            let found = decisions.find_map(|decision| {
                let mut traces = decision.rules.iter();
                let trace = traces.find(is_wanted)?;
                (decision.now.at == since).then_some((decision, trace))
            });
            let Some((decision, trace)) = found else {
                continue;
            };
            let teller = Teller {
                history,
                program: &program,
                no,
                decision,
                notes: &step.effects.notes,
            };
            let mut hops = teller.causes(usize::from(trace.step), back)?;
            let turned = match then {
                Some(Wanted::Turned(hold)) => hold.of(&program),
                _ => None,
            };
            match turned {
                Some((condition, so_long)) => {
                    let text = format!(
                        "{} became true; rule {} waits {}",
                        condition.text,
                        program[trace.rule].name,
                        span(so_long)
                    );
                    hops.push(teller.hop(What::Cause(text)));
                }
                None => hops.push(teller.rule(trace)),
            }
            return Ok(hops);
        }
        return Ok(Vec::new());
    }
    Ok(Vec::new())
}
