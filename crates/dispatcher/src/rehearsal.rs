//! House tests: a real dispatcher on virtual time, with devices that do at once what they are told.
//!
//! Before the first step the house is as `given` says and has been so: what holds without any event is no
//! edge, and what `given` itself sets off is not part of the first step. Then each step lets time pass,
//! deadline by deadline, does what it says, and compares. What counts as a command is what leaves for a
//! consumer, now or when it comes back; an action that changes nothing, is blocked or dropped doesn't.
//!
//! A test ends: what it does is counted, and one that does more than it may fails. Counted is work and not
//! time, so that a house that was accepted once is accepted on any machine.
//!
//! A test that fails and passes once rules that are off are on says nothing against the house: what it is about is off.
//!
//! Called by `iot-control test`, at a start and before each reload. Reads no clock.

use std::{mem, sync::Arc, time::Duration};

use mapping::{
    Program,
    house_test::HouseTest,
    program::{Origin, RuleIx},
};

mod afterwards;
mod assign;
mod compare;
mod given;
mod missed;
mod neighbours;
mod stage;
mod verdict;

use neighbours::Played;
use stage::{Exhausted, Stage};
pub use verdict::{Failure, Trace, Unmet, Verdict};

/// How much work tests may be. An input, a deadline that came due, what derives from either, a rule that looked and
/// a command count one each; a million of them take about a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One test.
    pub test: u64,
    /// All tests of a house together, setting the house up for each of them included.
    pub house: u64,
}

impl Default for Limits {
    /// Enough for a rule that looks every minute for a year.
    fn default() -> Self {
        Self {
            test: 3_000_000,
            house: 10_000_000,
        }
    }
}

/// Steps of one test that are told to have failed.
const FAILURES_MAX: usize = 20;

/// Rules that are off and that are each tried alone before all of them together: those after them are long forgotten.
const OFF_MAX: usize = 16;

/// The tests of one house, run one after the other.
#[derive(Debug)]
pub struct Rehearsal {
    program: Arc<Program>,
    limits: Limits,
    left: u64,
}

impl Rehearsal {
    /// Nothing is tested yet.
    #[must_use]
    pub fn new(program: &Arc<Program>) -> Self {
        Self::within(program, Limits::default())
    }

    /// As [`Self::new`], with other limits.
    #[must_use]
    pub fn within(program: &Arc<Program>, limits: Limits) -> Self {
        Self {
            program: Arc::clone(program),
            limits,
            left: limits.house,
        }
    }

    /// Runs one test to its end, also past steps that fail, and again with rules on that are off where it fails.
    #[must_use]
    pub fn run(&mut self, test: &HouseTest) -> Verdict {
        let program = Arc::clone(&self.program);
        let mut verdict = self.rehearse(&program, test);
        if verdict.failed() {
            verdict.needs = self.needs(test);
        }
        if !verdict.needs.is_empty() {
            verdict.failures.clear();
        }
        verdict
    }

    /// Rules that are off, and with which on a test passes that fails: one that does alone, or all of them.
    fn needs(&mut self, test: &HouseTest) -> Vec<Arc<str>> {
        let program = Arc::clone(&self.program);
        let off = RuleIx::all(program.rules.len()).filter(|rule| !program[*rule].enabled);
        let off: Vec<RuleIx> = off.collect();
        let alone = off.iter().map(std::slice::from_ref).take(OFF_MAX);
        let together = (off.len() > 1).then_some(&*off);
        let mut tried = alone.chain(together);
        let found = tried.find(|on| !self.rehearse(&with_on(&program, on), test).failed());
        let names = found.unwrap_or_default().iter();
        names.map(|rule| Arc::clone(&program[*rule].name)).collect()
    }

    /// Plays a test in the house of a program.
    fn rehearse(&mut self, program: &Arc<Program>, test: &HouseTest) -> Verdict {
        let mut verdict = Verdict {
            name: Arc::clone(&test.name),
            origin: test.origin.clone(),
            failures: Vec::new(),
            needs: Vec::new(),
        };
        let may = self.left.min(self.limits.test);
        let mut stage = match Stage::set(program, test, may) {
            Ok(stage) => stage,
            Err(expected) => {
                let at = Duration::ZERO;
                verdict
                    .failures
                    .push(failure(&test.origin, at, expected, String::new()));
                return verdict;
            }
        };
        let done = play(&mut stage, test, &mut verdict);
        if let Err((origin, at, Exhausted)) = done {
            let Limits { test, house } = self.limits;
            let (expected, came) = if may < test {
                (
                    format!("all tests to end within {house} steps of work"),
                    "there are too many tests, or they let too much time pass",
                )
            } else {
                (
                    format!("the test to end within {test} steps of work"),
                    "it lets too much time pass, or its rules set each other off without end",
                )
            };
            let mut failed = failure(&origin, at, expected, came.to_owned());
            failed.trace = stage.trace(&[]);
            verdict.failures.push(failed);
        }
        self.left = self.left.saturating_sub(may - stage.left());
        verdict
    }
}

/// Plays all steps; an error says in which of them the work ran out.
fn play(
    stage: &mut Stage,
    test: &HouseTest,
    verdict: &mut Verdict,
) -> Result<(), (Origin, Duration, Exhausted)> {
    let wrong = stage
        .give(test)
        .map_err(|exhausted| (test.origin.clone(), Duration::ZERO, exhausted))?;
    if !wrong.is_empty() {
        verdict.failures = wrong;
        return Ok(());
    }
    let mut before: Option<Played<'_>> = None;
    for (number, step) in (1..).zip(&test.steps) {
        let mut play = || {
            stage.advance(step.at)?;
            step.input.as_ref().map_or(Ok(()), |input| stage.act(input))
        };
        play().map_err(|exhausted| (step.origin.clone(), step.at, exhausted))?;
        let (failure, odd) = compare::step(stage, step);
        let here = Played {
            number,
            step,
            odd,
            came: mem::take(&mut stage.came),
            failure: failure.is_some().then_some(verdict.failures.len()),
        };
        verdict.failures.extend(failure);
        if let Some(before) = &before {
            before.compare(&here, verdict);
        }
        before = Some(here);
        if verdict.failures.len() >= FAILURES_MAX {
            return Ok(());
        }
        stage.forget();
    }
    Ok(())
}

/// Runs one test alone.
#[must_use]
pub fn run(program: &Arc<Program>, test: &HouseTest) -> Verdict {
    Rehearsal::new(program).run(test)
}

/// The program with these rules on.
fn with_on(program: &Program, on: &[RuleIx]) -> Arc<Program> {
    let mut program = program.clone();
    for rule in on {
        program.rules[rule.index()].enabled = true;
    }
    Arc::new(program)
}

fn failure(origin: &Origin, at: Duration, expected: String, came: String) -> Failure {
    Failure {
        origin: origin.clone(),
        at,
        unmet: vec![Unmet { expected, came }],
        elsewhere: Vec::new(),
        trace: Trace::default(),
    }
}
