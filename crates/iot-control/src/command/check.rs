//! `iot-control check`: every problem of every file in one go.

use std::{path::Path, process::ExitCode, time::Duration};

use dispatcher::rehearsal::Verdict;
use mapping::{Diagnostic, Loaded, Severity, Sources, program::Origin};
use serde_json::{Value as Json, json};

use super::{house, unread};
use crate::{
    cli::House,
    printer,
    run::{concerns::concerns, count, house::judge},
    settings::{self, At, Complaint, Settings},
};

/// Checks a house; warnings alone are no failure.
pub(crate) fn check(options: &House) -> anyhow::Result<ExitCode> {
    if !options.json {
        house::is_there(&options.house, "iot-control check HOUSE")?;
    }
    let loaded = mapping::load(&options.house);
    let mut blocks = mapping::blocklist::load(&options.house);
    if let Some(program) = &loaded.program {
        blocks.warn_of_nobody(program);
    }
    let (settings, doubts) = match Settings::read(&options.house) {
        Ok(settings) => (None, doubts(&options.house, &settings, &loaded)),
        Err(wrong) => (Some(wrong), Vec::new()),
    };
    let skipped = skipped(&loaded);
    let unread = unread::files(&options.house, &loaded);
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
        let doubts = doubts
            .iter()
            .map(|doubt| as_warning("settings", (settings::FILE, 1), doubt));
        let unread = unread
            .iter()
            .map(|file| as_warning("unread-file", (file, 1), UNREAD));
        let skipped = skipped.iter().map(as_skipped);
        let rest = settings.chain(doubts).chain(skipped).chain(unread);
        printer::result(Json::Array(rows.chain(rest).collect()));
    } else {
        for (sources, diagnostics) in found {
            let rendered = mapping::render(sources, diagnostics, printer::has_colors());
            if !rendered.is_empty() {
                printer::tell_drawn(rendered.trim_end());
            }
        }
        for complaint in settings.iter().flat_map(|wrong| &wrong.0) {
            printer::tell(format_args!("error: {complaint}"));
        }
        let lacks = skipped.iter().filter_map(Verdict::lack);
        for doubt in doubts.iter().cloned().chain(lacks) {
            printer::tell(format_args!("warning: {doubt}"));
        }
        if let Some(note) = unread::note(&unread) {
            printer::tell(note);
        }
        if let (Some(program), false) = (&loaded.program, broken) {
            printer::result(format_args!(
                "{}: {}, {}, {}; it checks",
                options.house.display(),
                count(program.devices.len(), "device"),
                count(program.rules.len(), "rule"),
                count(loaded.tests.len(), "test"),
            ));
        }
    }
    Ok(if broken {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What machines are told of a file that nobody reads.
const UNREAD: &str = "nobody reads this file: nothing includes it, and it is no *.test.toml in the house's folder or in tests";

/// What of the settings does not go with the house. A house without settings of its own says nothing about them.
fn doubts(house: &Path, settings: &Settings, loaded: &Loaded) -> Vec<String> {
    let program = loaded.program.as_ref();
    let program = program.filter(|_| house.join(settings::FILE).exists());
    program.map_or_else(Vec::new, |program| concerns(settings, program))
}

/// Tests that need rules that are off. Only for these are tests run: whether the others pass is said by `test`.
fn skipped(loaded: &Loaded) -> Vec<Verdict> {
    let mut rules = loaded.program.iter().flat_map(|program| &program.rules);
    if rules.all(|rule| rule.enabled) {
        return Vec::new();
    }
    judge(loaded, Duration::MAX).map_or_else(|_| Vec::new(), |tests| tests.skipped)
}

fn as_skipped(test: &Verdict) -> Json {
    let Origin { file, line } = &test.origin;
    let message = test.lack().unwrap_or_default();
    as_warning("test-skipped", (file, *line), &message)
}

/// A warning about a line, or about a whole file at its first one.
fn as_warning(code: &str, (file, line): (&str, u32), message: &str) -> Json {
    let place = json!({
        "file": file,
        "line": line,
        "column": 1,
        "end_line": line,
        "end_column": 1,
        "text": "",
    });
    json!({ "code": code, "severity": "warning", "message": message, "labels": [place], "help": [] })
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
