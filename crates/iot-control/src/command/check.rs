//! `iot-control check`: every problem of every file in one go.

use std::process::ExitCode;

use mapping::{Diagnostic, Severity, Sources};
use serde_json::{Value as Json, json};

use crate::{cli::House, printer};

/// Checks a house; warnings alone are no failure.
pub(crate) fn check(options: &House) -> anyhow::Result<ExitCode> {
    let loaded = mapping::load(&options.house);
    let count = |severity| {
        loaded
            .diagnostics
            .iter()
            .filter(|found| found.severity == severity)
            .count()
    };
    let errors = count(Severity::Error);
    if options.json {
        let found = loaded
            .diagnostics
            .iter()
            .map(|found| as_json(&loaded.sources, found));
        printer::result(Json::Array(found.collect()));
    } else {
        let rendered = mapping::render(&loaded.sources, &loaded.diagnostics, printer::has_colors());
        if !rendered.is_empty() {
            printer::tell(rendered.trim_end());
        }
        if let (Some(program), 0) = (&loaded.program, errors) {
            printer::result(format_args!(
                "{}: {} devices, {} rules, {} tests; it checks",
                options.house.display(),
                program.devices.len(),
                program.rules.len(),
                loaded.tests.len(),
            ));
        }
    }
    Ok(if errors == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// One complaint for machines: places count from 1.
pub(crate) fn as_json(sources: &Sources, found: &Diagnostic) -> Json {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let labels = found.labels.iter().map(|label| {
        let (line, column) = sources.line_column(label.span.file, label.span.bytes.start);
        let file = &*sources.file(label.span.file).name;
        json!({ "file": file, "line": line, "column": column, "text": label.text })
    });
    json!({
        "code": found.code,
        "severity": severity,
        "message": found.message,
        "labels": labels.collect::<Vec<_>>(),
        "help": found.help,
    })
}
