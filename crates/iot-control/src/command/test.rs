//! `iot-control test`: the house's tests on virtual time.

use std::process::ExitCode;

use dispatcher::rehearsal;
use serde_json::json;

use crate::{cli::Test, command::check, printer};

/// Runs a house's tests.
pub(crate) fn test(options: &Test) -> anyhow::Result<ExitCode> {
    let house = &options.house.house;
    let loaded = mapping::load(house);
    let Some(program) = loaded.program else {
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
    let (mut passed, mut failed, mut lines) = (0_usize, 0_usize, Vec::new());
    for test in loaded.tests.iter().filter(|test| wanted(&test.name)) {
        let verdict = rehearsal::run(&program, test);
        let ok = verdict.passed();
        if ok {
            passed += 1;
        } else {
            failed += 1;
        }
        if options.house.json {
            let failure = (!ok).then(|| verdict.to_string());
            lines.push(json!({ "test": &*test.name, "passed": ok, "failure": failure }));
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
