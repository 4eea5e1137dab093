//! `iot-control export` and `import`: a house as JSON, and back.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context, bail};
use dispatcher::rehearsal::Verdict;
use edit::{Pointer, Problem};
use mapping::Severity;
use serde_json::{Value as Json, json};
use types::Shown;

use super::{house, outcome::Outcome};
use crate::{
    cli::{Export, Import},
    printer,
};

/// Prints a house. One with mistakes has no meaning that could be printed.
pub(crate) fn export(options: &Export) -> anyhow::Result<ExitCode> {
    let folder = &options.house;
    house::is_there(folder, "iot-control export HOUSE")?;
    let read = mapping::analyze(Some(folder), &BTreeMap::new());
    if read.loaded.has_errors() {
        let mut errors = read.loaded.diagnostics.clone();
        errors.retain(|found| found.severity == Severity::Error);
        let colors = printer::has_colors();
        printer::tell_drawn(mapping::render(&read.loaded.sources, &errors, colors).trim_end());
        bail!(
            "{}: it does not check, so it is not exported",
            folder.display()
        );
    }
    printer::result(edit::export(&read));
    Ok(ExitCode::SUCCESS)
}

/// Writes a house.
pub(crate) fn import(options: &Import) -> anyhow::Result<ExitCode> {
    if options.into.is_file() {
        house::is_there(&options.into, "iot-control import .. --into HOUSE")?;
    }
    let json = text(&options.file)?;
    let imported = match edit::import(&json) {
        Ok(imported) => imported,
        Err(problems) => {
            show(options, &problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    let written = match imported.write(&options.into, options.force) {
        Ok(written) => written,
        Err(error) => {
            show(options, imported.warnings());
            return Err(error.into());
        }
    };
    let outcome = Outcome::of(&written);
    if options.json {
        let mut all = imported.warnings().to_vec();
        all.extend(outcome.failing().iter().map(failing));
        all.extend(outcome.skipped().iter().map(skipped));
        show(options, &all);
    } else {
        show(options, imported.warnings());
        for name in imported.files().keys() {
            printer::result(options.into.join(name).display());
        }
        outcome.tell(false, None);
    }
    Ok(outcome.code())
}

fn place(test: &Verdict) -> Pointer {
    Pointer(vec!["test".into(), (*test.name).into()])
}

/// A test that needs rules that are off, as a problem of the JSON.
fn skipped(test: &Verdict) -> Problem {
    Problem {
        at: place(test),
        is_error: false,
        code: "test-skipped",
        message: test.lack().unwrap_or_default(),
        help: Vec::new(),
    }
}

/// A test that fails, as a problem of the JSON.
fn failing(test: &Verdict) -> Problem {
    Problem {
        at: place(test),
        is_error: true,
        code: "test-fails",
        message: test.to_string().trim_end().to_owned(),
        help: vec!["it is written, but a running house keeps the mapping it has".to_owned()],
    }
}

fn text(file: &Path) -> anyhow::Result<String> {
    // One byte more than is taken, so that `import` says what is wrong.
    let max = edit::JSON_BYTES_MAX as u64 + 1;
    let mut text = String::new();
    let read = if file == Path::new("-") {
        io::stdin().take(max).read_to_string(&mut text)
    } else {
        fs::File::open(file).and_then(|file| file.take(max).read_to_string(&mut text))
    };
    read.with_context(|| format!("reading {}", file.display()))?;
    Ok(text)
}

fn show(options: &Import, problems: &[Problem]) {
    if options.json {
        let one = |problem: &Problem| {
            json!({
                "at": problem.at.to_string(),
                "severity": if problem.is_error { "error" } else { "warning" },
                "code": problem.code,
                "message": problem.message,
                "help": problem.help,
            })
        };
        printer::result(problems.iter().map(one).collect::<Json>());
        return;
    }
    for problem in problems {
        // Its words are those of a file that anybody may have sent.
        printer::tell(Shown(&problem.to_string()));
    }
}
