//! `iot-control history`: how fields changed, as far back as it is kept.

use std::process::ExitCode;

use anyhow::bail;
use replay::Until;
use types::UnixTime;

use crate::{cli::past, printer};

use super::{UNORDERED, look};

/// `iot-control history TARGET`.
pub(crate) fn history(options: &past::HistoryOf) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let since = looked.since(&options.since)?;
    let until = match looked.until(options.until.as_deref())? {
        Until::Wall(until) => until,
        _ => UnixTime(i64::MAX),
    };
    if since >= until {
        bail!(UNORDERED);
    }
    let all = looked.history.series(&options.target, since, until)?;
    looked.tell_troubles();
    if all.is_empty() {
        bail!(
            "{} has no fields: history is kept of what devices report, for example living.temp",
            options.target
        );
    }
    for series in &all {
        if options.past.json {
            series.json(&looked.history).for_each(printer::result);
        } else {
            series.text(&looked.history).for_each(printer::result);
        }
    }
    if all.iter().all(|series| series.changes.is_empty()) {
        printer::tell(format_args!(
            "{} did not change since {}",
            options.target,
            looked.history.at_home(since)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
