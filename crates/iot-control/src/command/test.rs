//! `iot-control test`: the house's tests on virtual time.

use std::process::ExitCode;

use dispatcher::rehearsal::{Failure, Rehearsal, Verdict};
use serde_json::{Value as Json, json};

use crate::{
    cli::Test,
    command::{check, past},
    printer,
};

/// Runs a house's tests, or records one.
pub(crate) fn test(options: &Test) -> anyhow::Result<ExitCode> {
    if let Some(name) = &options.recorded.record {
        return past::record_test(options, name);
    }
    let house = &options.house.house;
    if !options.house.json {
        check::is_folder(house)?;
    }
    let loaded = mapping::load(house);
    // As the dispatcher has it: a house whose tests don't read can't come into force either, like one whose rules don't.
    let sound = !loaded.has_errors();
    let Some(program) = loaded.program.filter(|_| sound) else {
        if options.house.json {
            let found = loaded.diagnostics.iter();
            let found: Vec<_> = found
                .map(|found| check::as_json(&loaded.sources, found))
                .collect();
            printer::result(json!({ "problems": found }));
        } else {
            let colors = printer::has_colors();
            printer::tell(mapping::render(&loaded.sources, &loaded.diagnostics, colors).trim_end());
            printer::tell(format_args!(
                "{}: it does not check, so nothing was tested",
                house.display()
            ));
        }
        return Ok(ExitCode::FAILURE);
    };
    let wanted = |name: &str| {
        options
            .filter
            .as_deref()
            .is_none_or(|text| name.contains(text))
    };
    let mut rehearsal = Rehearsal::new(&program);
    let (mut passed, mut failed, mut lines) = (0_usize, 0_usize, Vec::new());
    for test in loaded.tests.iter().filter(|test| wanted(&test.name)) {
        let verdict = rehearsal.run(test);
        let ok = verdict.passed();
        if ok {
            passed += 1;
        } else {
            failed += 1;
        }
        if options.house.json {
            lines.push(as_json(&verdict));
        } else if ok {
            printer::result(format_args!("ok      {}", test.name));
        } else {
            printer::results(&verdict);
        }
    }
    if options.house.json {
        printer::result(json!({ "passed": passed, "failed": failed, "tests": lines }));
    } else {
        printer::result(format_args!("{passed} passed, {failed} failed"));
        if passed + failed == 0 {
            printer::tell(format_args!(
                "{}: no test {}; tests stand in tests/*.test.toml",
                house.display(),
                options
                    .filter
                    .as_deref()
                    .map_or("is there".to_owned(), |text| format!(
                        "has '{text}' in its name"
                    )),
            ));
        }
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What came of one test, for machines.
fn as_json(verdict: &Verdict) -> Json {
    json!({
        "test": &*verdict.name,
        "file": &*verdict.origin.file,
        "line": verdict.origin.line,
        "passed": verdict.passed(),
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
        "happened": failure.trace.happened,
        "missed": failure.trace.missed,
        "waits": failure.trace.waits,
    })
}
