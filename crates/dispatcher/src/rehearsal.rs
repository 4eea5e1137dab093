//! House tests: a real dispatcher on virtual time, with devices that do at once what they are told.
//!
//! Before the first step the house is as `given` says and has been so: what holds without any event is no
//! edge, and what `given` itself sets off is not part of the first step. Then each step lets time pass,
//! deadline by deadline, does what it says, and compares. What counts as a command is what leaves for a
//! consumer, now or when it comes back; an action that changes nothing, is blocked or dropped doesn't.
//!
//! Called by `iot-control test` and before each reload. Reads no clock.

use std::{sync::Arc, time::Duration};

use mapping::{Program, house_test::HouseTest, program::Origin};

mod compare;
mod stage;
mod verdict;

use stage::Stage;
pub use verdict::{Failure, Verdict};

/// Runs one test to its end, also past steps that fail.
#[must_use]
pub fn run(program: &Arc<Program>, test: &HouseTest) -> Verdict {
    let mut verdict = Verdict {
        name: Arc::clone(&test.name),
        origin: test.origin.clone(),
        failures: Vec::new(),
    };
    let mut stage = match Stage::set(program, test) {
        Ok(stage) => stage,
        Err(expected) => {
            verdict.failures.push(plain_failure(&test.origin, expected));
            return verdict;
        }
    };
    for step in &test.steps {
        let calm =
            stage.advance(step.at) && step.input.as_ref().is_none_or(|input| stage.act(input));
        if !calm {
            let expected = "the house to come to rest".to_owned();
            let mut failure = plain_failure(&step.origin, expected);
            "its rules set each other off without end".clone_into(&mut failure.came);
            failure.trace = stage.trace();
            verdict.failures.push(failure);
            return verdict;
        }
        verdict.failures.extend(compare::step(&stage, step));
        stage.forget();
    }
    verdict
}

fn plain_failure(origin: &Origin, expected: String) -> Failure {
    Failure {
        origin: origin.clone(),
        at: Duration::ZERO,
        expected,
        came: String::new(),
        trace: Vec::new(),
    }
}
