//! What a rule's conditions read, and since when each of it is as it is.

use dispatcher::Dispatcher;
use engine::{Term, depend::Dependencies};
use mapping::{
    Program,
    program::{Condition, Expr, RuleIx, Trigger},
};
use types::{Now, Value};

/// One thing that is read, by its name, which outlives mappings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub(super) term: Term,
    pub(super) name: String,
    pub(super) value: Option<Value>,
    /// Since when; the beginning of what is looked at, where it did not change since.
    pub(super) since: Option<Now>,
}

/// All conditions of a rule: its `if`, its `holds`, those of the steps of a sequence.
pub(crate) fn conditions(program: &Program, rule: RuleIx) -> Vec<&Condition> {
    let row = &program[rule];
    let of_triggers = row.triggers.iter().flat_map(|trigger| match trigger {
        Trigger::Holds { condition, .. } => vec![&**condition],
        Trigger::Sequence { steps, .. } => steps
            .iter()
            .filter_map(|step| step.condition.as_ref())
            .collect(),
        _ => Vec::new(),
    });
    row.condition.iter().chain(of_triggers).collect()
}

/// What they read, each once, but for the event, the sun and the clock.
pub(super) fn of(house: &Dispatcher, rule: RuleIx) -> Vec<Fact> {
    let program = house.program();
    let mut facts: Vec<Fact> = Vec::new();
    for condition in conditions(program, rule) {
        for term in terms(&condition.expr) {
            if facts.iter().all(|fact| fact.term != term) {
                facts.push(Fact {
                    term,
                    name: name(program, term),
                    value: value(house, term),
                    since: None,
                });
            }
        }
    }
    facts
}

fn terms(expr: &Expr) -> Vec<Term> {
    let reads = Dependencies::of(expr);
    let states = reads.states.iter().map(|slot| Term::State(*slot));
    let ages = reads.ages.iter().map(|age| Term::State(age.slot));
    let targets = reads.targets.iter().map(|slot| Term::Target(*slot));
    let vars = reads.vars.iter().map(|var| Term::Var(*var));
    let devices = reads.devices.iter().map(|device| Term::Online(*device));
    let all = states.chain(ages).chain(targets).chain(vars).chain(devices);
    all.collect()
}

/// `state.hall.lux`.
pub(super) fn name(program: &Program, term: Term) -> String {
    match term {
        Term::State(slot) | Term::Age(slot) => format!("state.{}", program.slot_path(slot)),
        Term::Target(slot) => format!("target.{}", program.slot_path(slot)),
        Term::Var(var) => format!("var.{}", program[var].name),
        Term::Online(device) => format!("{}.online", program[device].name),
        Term::EventField(_) => "event".to_owned(),
        Term::Sun(_) => "sun".to_owned(),
        Term::Now(_) => "now".to_owned(),
    }
}

/// What it is after the last input.
pub(super) fn value(house: &Dispatcher, term: Term) -> Option<Value> {
    let engine = house.engine();
    match term {
        Term::State(slot) | Term::Age(slot) => engine.reported(slot).cloned(),
        Term::Target(slot) => engine.target(slot).cloned(),
        Term::Var(var) => Some(engine.var(var).clone()),
        Term::Online(device) => Some(Value::Bool(house.online(device))),
        Term::EventField(_) | Term::Sun(_) | Term::Now(_) => None,
    }
}
