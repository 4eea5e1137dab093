//! `iot-control check`: every problem of every file in one go.

use std::process::ExitCode;

use mapping::{Diagnostic, Severity, Sources};
use serde_json::{Value as Json, json};

use crate::{
    cli::House,
    command::finish_edit,
    printer,
    settings::{self, At, Complaint, Settings},
};

/// Checks a house; warnings alone are no failure.
pub(crate) fn check(options: &House) -> anyhow::Result<ExitCode> {
    finish_edit(&options.house)?;
    let loaded = mapping::load(&options.house);
    let blocks = mapping::blocklist::load(&options.house);
    let settings = Settings::read(&options.house).err();
    let found = [
        (&loaded.sources, &loaded.diagnostics),
        (&blocks.sources, &blocks.diagnostics),
    ];
    let all = found.iter().flat_map(|(_, diagnostics)| diagnostics.iter());
    let broken = all
        .filter(|found| found.severity == Severity::Error)
        .count()
        > 0;
    let broken = broken || settings.is_some();
    if options.json {
        let rows = found.iter().flat_map(|(sources, diagnostics)| {
            diagnostics.iter().map(|found| as_json(sources, found))
        });
        let settings = settings
            .iter()
            .flat_map(|wrong| wrong.0.iter().map(of_settings));
        printer::result(Json::Array(rows.chain(settings).collect()));
    } else {
        for (sources, diagnostics) in found {
            let rendered = mapping::render(sources, diagnostics, printer::has_colors());
            if !rendered.is_empty() {
                printer::tell(rendered.trim_end());
            }
        }
        for complaint in settings.iter().flat_map(|wrong| &wrong.0) {
            printer::tell(format_args!("error: {complaint}"));
        }
        if let (Some(program), false) = (&loaded.program, broken) {
            printer::result(format_args!(
                "{}: {} devices, {} rules, {} tests; it checks",
                options.house.display(),
                program.devices.len(),
                program.rules.len(),
                loaded.tests.len(),
            ));
        }
    }
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn of_settings(wrong: &Complaint) -> Json {
    let label = match &wrong.at {
        At::File { place, .. } => {
            let (line, column) = place.unwrap_or((1, 1));
            json!({
                "file": settings::FILE,
                "line": line,
                "column": column,
                "end_line": line,
                "end_column": column,
                "text": "",
            })
        }
        At::Variable(name) => json!({ "variable": name }),
    };
    json!({
        "code": "settings",
        "severity": "error",
        "message": wrong.message,
        "labels": [label],
        "help": wrong.help.iter().collect::<Vec<_>>(),
    })
}

/// One complaint for machines: places count from 1, columns in characters; the end is behind the last one. Its keys are
/// told in docs/mapping.md and stay.
pub(crate) fn as_json(sources: &Sources, found: &Diagnostic) -> Json {
    let severity = match found.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let labels = found.labels.iter().map(|label| {
        let span = &label.span;
        let (line, column) = sources.line_column(span.file, span.bytes.start);
        let (end_line, end_column) = sources.line_column(span.file, span.bytes.end);
        json!({
            "file": &*sources.file(span.file).name,
            "line": line,
            "column": column,
            "end_line": end_line,
            "end_column": end_column,
            "text": label.text,
        })
    });
    json!({
        "code": found.code,
        "severity": severity,
        "message": found.message,
        "labels": labels.collect::<Vec<_>>(),
        "help": found.help,
    })
}
