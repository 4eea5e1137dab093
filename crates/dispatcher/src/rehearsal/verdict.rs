//! What came of a house test, readable.

use std::{fmt, sync::Arc, time::Duration};

use mapping::program::Origin;

use crate::span::Span;

/// What came of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is written.
    pub origin: Origin,
    /// In the order of the steps; none: it passed.
    pub failures: Vec<Failure>,
}

impl Verdict {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// One expectation that was not met.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The step.
    pub origin: Origin,
    /// Its time since the start.
    pub at: Duration,
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub came: String,
    /// What happened since the step before, and which rules might have helped.
    pub trace: Vec<String>,
}

/// Lines of a trace that are shown; a test that lets a month pass has thousands.
const TRACE_LINES_MAX: usize = 40;

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(f, "ok      {}", self.name);
        }
        let Origin { file, line } = &self.origin;
        writeln!(f, "FAILED  {}  ({file}:{line})", self.name)?;
        for failure in &self.failures {
            write!(f, "{failure}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { file, line } = &self.origin;
        writeln!(f, "  {file}:{line}: at {}", Span(self.at))?;
        writeln!(f, "    expected: {}", self.expected)?;
        if !self.came.is_empty() {
            writeln!(f, "    came:     {}", self.came)?;
        }
        if self.trace.is_empty() {
            return Ok(());
        }
        writeln!(f, "    what happened:")?;
        let left_out = self.trace.len().saturating_sub(TRACE_LINES_MAX);
        if left_out > 0 {
            writeln!(f, "      .. {left_out} lines before these")?;
        }
        for line in &self.trace[left_out..] {
            writeln!(f, "      {line}")?;
        }
        Ok(())
    }
}
