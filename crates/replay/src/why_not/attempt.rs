//! One look of a rule, with its condition part by part.

use dispatcher::explain::{self, Explainer, Part};
use engine::{Decision, RuleTrace};
use mapping::Program;

use super::{Attempt, collect::Looked};
use crate::{
    hold::Hold,
    why::{Hop, What},
};

/// The condition of a look, part by part.
pub(super) fn parts(looked: &Looked) -> Vec<Part> {
    let (program, decision) = (&looked.program, &looked.decision);
    let trace = &decision.rules[looked.trace];
    let step = decision.steps.get(usize::from(trace.step));
    let cause = step.map(|step| &step.cause);
    let range = trace.seen.0 as usize..trace.seen.1 as usize;
    let seen = decision.seen.get(range).unwrap_or_default();
    let hold = trace.holds.map(|place| Hold {
        rule: looked.rule,
        place,
    });
    let hold = hold.and_then(|hold| hold.of(program));
    let hold = hold.map(|(condition, _)| condition);
    let conditions = hold.into_iter().chain(&program[looked.rule].condition);
    let explainer = Explainer::new(program);
    conditions
        .flat_map(|condition| explainer.parts(looked.rule, condition, cause, seen))
        .collect()
}

/// A look as it is told: what made it look, the rule, what it wished, and since when what it read was so.
pub(super) fn attempt(looked: &Looked) -> Attempt {
    let (program, decision) = (&looked.program, &looked.decision);
    let trace = &decision.rules[looked.trace];
    let facts = looked.facts.iter().filter_map(|fact| {
        let value = fact
            .value
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        Some((fact.name.clone(), value, fact.since?.wall))
    });
    Attempt {
        now: decision.now,
        outcome: explain::outcome(trace.outcome).to_owned(),
        hops: look_hops(program, decision, trace, parts(looked)),
        since: facts.collect(),
    }
}

/// One look of a rule, as hops: what made it look, the rule, what it wished.
fn look_hops(
    program: &Program,
    decision: &Decision,
    trace: &RuleTrace,
    parts: Vec<explain::Part>,
) -> Vec<Hop> {
    let hop = |what| Hop {
        now: decision.now,
        what,
    };
    let explainer = Explainer::new(program);
    let step = decision.steps.get(usize::from(trace.step));
    let cause = step.map(|step| hop(What::Cause(explainer.cause(&step.cause))));
    let row = &program[trace.rule];
    let mine = decision
        .sent
        .iter()
        .filter(|sent| sent.by == Some(trace.rule));
    let sent = mine.filter(|_| explain::ran(trace)).map(|sent| {
        hop(What::Sent {
            text: sent.text.clone(),
            disposition: sent.disposition,
        })
    });
    let rule = hop(What::Rule {
        name: row.name.to_string(),
        file: row.origin.file.to_string(),
        line: row.origin.line,
        parts,
        did: Vec::new(),
    });
    cause.into_iter().chain([rule]).chain(sent).collect()
}
