//! What became of a house by an edit or an import: whether a running dispatcher takes it.
//!
//! Used by the commands that write a house's files. Looks at what was read for the edit; reads nothing again.

use std::{process::ExitCode, time::Duration};

use dispatcher::rehearsal::Verdict;
use mapping::Loaded;

use crate::{
    printer,
    run::house::{Tests, Unfit, judge},
    some_of::some_of,
};

/// The files are written, and a dispatcher goes on with what it has; with --dry-run: so it would be. 1 says that nothing was
/// written.
const KEPT_OUT: u8 = 3;

/// Tests that are named in one line.
const NAMES_MAX: usize = 12;

/// Whether a house may come into force.
pub(super) struct Outcome(Result<Tests, Unfit>);

impl Outcome {
    /// Runs the house's tests.
    pub(super) fn of(loaded: &Loaded) -> Self {
        Self(judge(loaded, Duration::MAX))
    }

    /// What the command ends with.
    pub(super) fn code(&self) -> ExitCode {
        match self.0 {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(KEPT_OUT),
        }
    }

    /// The tests that fail.
    pub(super) fn failing(&self) -> &[Verdict] {
        match &self.0 {
            Err(Unfit::Failing(failing)) => failing,
            _ => &[],
        }
    }

    /// The tests that need rules that are off.
    pub(super) fn skipped(&self) -> &[Verdict] {
        match &self.0 {
            Ok(tests) => &tests.skipped,
            Err(_) => &[],
        }
    }

    /// Tells people why a dispatcher won't take it; a house that it takes needs no words but warnings. `before`: the house as
    /// it was, where there was one.
    pub(super) fn tell(&self, dry_run: bool, before: Option<&Loaded>) {
        let unfit = match &self.0 {
            Ok(Tests { skipped, .. }) if skipped.is_empty() => return,
            Ok(tests) => return printer::tell(tests.to_string().trim_end()),
            Err(unfit) => unfit,
        };
        printer::tell_drawn(unfit.to_string().trim_end());
        let so_far = if dry_run {
            "with this edit"
        } else {
            "it is written, but"
        };
        let what = match unfit {
            Unfit::Unsound(_) => "the house does not check".to_owned(),
            Unfit::Failing(failing) => format!("the house's tests fail: {}", names(failing)),
        };
        let as_before = match before.is_some_and(|before| was_so(unfit, before)) {
            true => ", as before",
            false => "",
        };
        printer::tell(format_args!(
            "{so_far} {what}{as_before}; a running house keeps the mapping it has"
        ));
    }
}

/// Whether the house was kept out before by the same, or by more.
fn was_so(unfit: &Unfit, before: &Loaded) -> bool {
    match unfit {
        Unfit::Unsound(_) => before.program.is_none() || before.has_errors(),
        Unfit::Failing(now) => match judge(before, Duration::MAX) {
            Err(Unfit::Failing(then)) => {
                let failed = |test: &Verdict| then.iter().any(|before| before.name == test.name);
                now.iter().all(failed)
            }
            _ => false,
        },
    }
}

fn names(failing: &[Verdict]) -> String {
    some_of(failing.iter().map(|test| &test.name), NAMES_MAX)
}
