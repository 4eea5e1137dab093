//! `iot-control doctor`: what keeps a house from running well here, as lines or as JSON.

use std::process::ExitCode;

use serde_json::json;

use super::house;
use crate::{
    cli::Doctor,
    doctor::{self, Finding, Level},
    printer,
};

/// Exits with 1 where there is trouble; warnings alone are none.
pub(crate) fn doctor(options: &Doctor) -> anyhow::Result<ExitCode> {
    if options.house.is_file() {
        house::is_there(&options.house, "iot-control doctor HOUSE")?;
    }
    let mut findings = doctor::examine(&options.house, options.state.folder.as_deref());
    let has_trouble = findings.iter().any(|found| found.level == Level::Trouble);
    if options.json {
        printer::result(json!(findings));
    } else {
        // The worst last: that is where a terminal ends.
        findings.sort_by_key(|found| found.level);
        for found in &findings {
            printer::result(line(found));
        }
    }
    Ok(if has_trouble {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn line(found: &Finding) -> String {
    let word = match found.level {
        Level::Fine => "ok",
        Level::Note => "note",
        Level::Warning => "warning",
        Level::Trouble => "TROUBLE",
    };
    let mut line = format!("{word:<8} {:<11} {}", found.about, found.what);
    if let Some(mend) = &found.mend {
        line.push_str(&format!("\n{:<21}-> {mend}", ""));
    }
    line
}
