//! A command that a step expects and that came in the step before or after it: where a test is a little early or late, that is
//! what its author looks for.

use std::time::Duration;

use mapping::{
    house_test::{Expected, TestStep},
    program::Origin,
};

use super::{
    assign::partners,
    compare::{matches, text_of},
    stage::{Came, Stage},
    verdict::Verdict,
};
use crate::span::Span;

/// What of a step's commands has no partner.
pub(super) struct Odd<'t> {
    /// Commands that it expects.
    pub(super) missed: Vec<&'t Expected>,
    /// The places of commands that came; where it expects nothing in particular, all of them.
    pub(super) left: Vec<usize>,
}

impl Odd<'_> {
    /// Whether what came is what was expected.
    pub(super) fn is_even(&self, stage: &Stage) -> bool {
        self.missed.is_empty() && self.left.is_empty() && stage.came_more == 0
    }
}

/// A step that was played, as the one next to it looks at it.
pub(super) struct Played<'t> {
    /// Which one, from 1 on.
    pub(super) number: usize,
    pub(super) step: &'t TestStep,
    pub(super) odd: Odd<'t>,
    /// All that came.
    pub(super) came: Vec<Came>,
    /// Its place among the failures.
    pub(super) failure: Option<usize>,
}

impl Played<'_> {
    /// Tells this step and the one `after` it what it missed and the other one had.
    pub(super) fn compare(&self, after: &Self, verdict: &mut Verdict) {
        for (one, other) in [(self, after), (after, self)] {
            let failure = one.failure.and_then(|at| verdict.failures.get_mut(at));
            if let Some(failure) = failure {
                failure.elsewhere.extend(one.found_in(other));
            }
        }
    }

    fn found_in(&self, other: &Self) -> Vec<String> {
        let (missed, left) = (&self.odd.missed, &other.odd.left);
        let fits = |wanted: usize, place: usize| matches(missed[wanted], &other.came[left[place]]);
        let found = partners(missed.len(), left.len(), fits);
        let mut lines = Vec::new();
        for (expected, place) in missed.iter().zip(found) {
            let Some(came) = place.map(|place| &other.came[left[place]]) else {
                continue;
            };
            let Origin { file, line } = &other.step.origin;
            lines.push(format!(
                "{} came at step {}, {} ({file}:{line})",
                text_of(expected),
                other.number,
                apart(came.at, self.step.at)
            ));
        }
        lines
    }
}

/// How far a command is from where it was expected.
fn apart(came: Duration, expected: Duration) -> String {
    let (apart, word) = match came.checked_sub(expected) {
        Some(later) => (later, "later"),
        None => (expected.saturating_sub(came), "earlier"),
    };
    match apart.as_millis() {
        0 => "at the same time".to_owned(),
        _ => format!("{} {word}", Span(apart)),
    }
}
