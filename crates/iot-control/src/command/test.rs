//! `iot-control test`: the house's tests on virtual time.

use std::{fmt, process::ExitCode};

use dispatcher::rehearsal::{Failure, Rehearsal, Verdict};
use mapping::program::Origin;
use serde_json::{Value as Json, json};
use types::Shown;

use crate::{
    cli::Test,
    command::{check, house, past, unread},
    printer,
};

/// Runs a house's tests, or records one.
pub(crate) fn test(options: &Test) -> anyhow::Result<ExitCode> {
    if let Some(name) = &options.recorded.record {
        return past::record_test(options, name);
    }
    let house = &options.house.house;
    if !options.house.json {
        house::is_there(house, "iot-control test HOUSE")?;
    }
    let loaded = mapping::load(house);
    // As the dispatcher has it: a house whose tests don't read can't come into force either, like one whose rules don't.
    let sound = !loaded.has_errors();
    let Some(program) = loaded.program.clone().filter(|_| sound) else {
        if options.house.json {
            let found = loaded.diagnostics.iter();
            let found: Vec<_> = found
                .map(|found| check::as_json(&loaded.sources, found))
                .collect();
            printer::result(json!({ "problems": found }));
        } else {
            let colors = printer::has_colors();
            printer::tell_drawn(
                mapping::render(&loaded.sources, &loaded.diagnostics, colors).trim_end(),
            );
            printer::tell(format_args!(
                "{}: it does not check, so nothing was tested",
                house.display()
            ));
        }
        return Ok(ExitCode::FAILURE);
    };
    let unread = unread::files(house, &loaded);
    let filter = options.filter.as_deref();
    let wanted = |name: &str| filter.is_none_or(|text| name.contains(text));
    let mut rehearsal = Rehearsal::new(&program);
    let mut count = Count::default();
    let mut lines = Vec::new();
    for test in loaded.tests.iter().filter(|test| wanted(&test.name)) {
        let verdict = rehearsal.run(test);
        let is_empty = test.steps.is_empty() && verdict.passed();
        let counted = match verdict.passed() {
            true if is_empty => &mut count.empty,
            true => &mut count.passed,
            false if verdict.failed() => &mut count.failed,
            false => &mut count.skipped,
        };
        *counted += 1;
        if options.house.json {
            lines.push(as_json(&verdict));
        } else if is_empty {
            let Origin { file, line } = &test.origin;
            printer::result(format_args!(
                "EMPTY   {}  ({file}:{line}): it has no steps",
                test.name
            ));
        } else if verdict.passed() {
            printer::result(format_args!("ok      {}", test.name));
        } else {
            printer::results(&verdict);
        }
    }
    if options.house.json {
        let Count {
            passed,
            failed,
            skipped,
            empty,
        } = &count;
        printer::result(json!({
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "empty": empty,
            "tests": lines,
            "unread": unread,
        }));
    } else {
        printer::result(&count);
        if count == Count::default() {
            let none = filter.map_or("is there".to_owned(), |text| {
                format!("has '{}' in its name", Shown(text))
            });
            printer::tell(format_args!(
                "{}: no test {none}; tests stand in *.test.toml and tests/*.test.toml",
                house.display(),
            ));
        }
        if let Some(note) = unread::note(&unread) {
            printer::tell(note);
        }
    }
    // A house may have no tests; who names one, or writes one, means that something is tested.
    let is_nothing = count == Count::default() && filter.is_some();
    Ok(if count.failed + count.empty > 0 || is_nothing {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What came of all tests.
#[derive(Default, PartialEq)]
struct Count {
    passed: usize,
    failed: usize,
    /// Tests that need rules that are off.
    skipped: usize,
    /// Tests without a step: they keep no house from coming into force, but nobody should rely on them.
    empty: usize,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            empty,
        } = self;
        write!(f, "{passed} passed, {failed} failed")?;
        if *skipped > 0 {
            write!(f, ", {skipped} skipped")?;
        }
        match empty {
            0 => Ok(()),
            empty => write!(f, ", {empty} without steps"),
        }
    }
}

/// What came of one test, for machines.
fn as_json(verdict: &Verdict) -> Json {
    json!({
        "test": &*verdict.name,
        "file": &*verdict.origin.file,
        "line": verdict.origin.line,
        "passed": verdict.passed(),
        "needs": verdict.needs.iter().map(|rule| &**rule).collect::<Vec<_>>(),
        "failures": verdict.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn failure(failure: &Failure) -> Json {
    let unmet = failure
        .unmet
        .iter()
        .map(|unmet| json!({ "expected": unmet.expected, "came": unmet.came }));
    json!({
        "file": &*failure.origin.file,
        "line": failure.origin.line,
        "at_ms": u64::try_from(failure.at.as_millis()).unwrap_or(u64::MAX),
        "unmet": unmet.collect::<Vec<_>>(),
        "elsewhere": failure.elsewhere,
        "happened": failure.trace.happened,
        "missed": failure.trace.missed,
        "waits": failure.trace.waits,
    })
}
