//! What came of a house test, readable.

use std::{fmt, sync::Arc, time::Duration};

use mapping::{program::Origin, some_of};

use crate::span::Span;

/// Rules that one line names.
const NAMES_MAX: usize = 5;

/// What came of one test.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Its name.
    pub name: Arc<str>,
    /// Where it is written.
    pub origin: Origin,
    /// Steps that failed, in their order.
    pub failures: Vec<Failure>,
    /// Rules that are off, and with which on it would have passed: it says nothing of the house as it is.
    pub needs: Vec<Arc<str>>,
}

impl Verdict {
    /// Whether everything was as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.failed() && self.needs.is_empty()
    }

    /// Whether something was not as expected, whatever is off.
    #[must_use]
    pub fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// `test NAME needs the rule X, which is off`; `None`: it needs none.
    #[must_use]
    pub fn lack(&self) -> Option<String> {
        let needs = self.needs()?;
        Some(format!("test {} {needs}", self.name))
    }

    fn needs(&self) -> Option<String> {
        let (rules, are) = match self.needs.len() {
            0 => return None,
            1 => ("the rule", "is"),
            _ => ("the rules", "are"),
        };
        let names = some_of(&self.needs, NAMES_MAX);
        Some(format!("needs {rules} {names}, which {are} off"))
    }
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Where it is written.
    pub origin: Origin,
    /// Its time since the start.
    pub at: Duration,
    /// Expectations that were not met.
    pub unmet: Vec<Unmet>,
    /// Expected commands that came one step before or after, a line each.
    pub elsewhere: Vec<String>,
    /// What explains it.
    pub trace: Trace,
}

/// One expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet {
    /// What was expected.
    pub expected: String,
    /// What came instead.
    pub came: String,
}

/// What explains a step that failed, in lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// What happened since the step before: causes, the rules that looked with the values they saw, what
    /// became of what they wished.
    pub happened: Vec<String>,
    /// Lines of it that were left out, the first ones.
    pub left_out: usize,
    /// Rules that could have done what was missed, and why they did not.
    pub missed: Vec<String>,
    /// Timers that run, conditions that wait for their time.
    pub waits: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.passed() {
            return writeln!(f, "ok      {}", self.name);
        }
        let Origin { file, line } = &self.origin;
        if let Some(needs) = self.needs() {
            return writeln!(f, "skipped {}  ({file}:{line}): it {needs}", self.name);
        }
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
        for Unmet { expected, came } in &self.unmet {
            writeln!(f, "    expected: {expected}")?;
            if !came.is_empty() {
                writeln!(f, "    came:     {came}")?;
            }
        }
        for line in &self.elsewhere {
            writeln!(f, "    but:      {line}")?;
        }
        write!(f, "{}", self.trace)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in [
            ("what happened:", &self.happened),
            ("what could have done it:", &self.missed),
            ("what waits:", &self.waits),
        ] {
            if lines.is_empty() {
                continue;
            }
            writeln!(f, "    {title}")?;
            if title == "what happened:" && self.left_out > 0 {
                writeln!(f, "      .. {} lines before these", self.left_out)?;
            }
            for line in lines {
                writeln!(f, "      {line}")?;
            }
        }
        Ok(())
    }
}
