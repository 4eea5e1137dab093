//! `iot-control replay`: another mapping on the inputs that came, and what it would have sent otherwise.

use std::process::ExitCode;

use anyhow::bail;
use replay::{Until, trial::Trial};

use crate::{cli::past, command::house, printer};

use super::{UNORDERED, look, paint};

/// Where a script looks for the difference, no answer is none of both.
const NOT_COMPARED: u8 = 2;

/// `iot-control replay --since TIME --mapping HOUSE`.
pub(crate) fn replay(options: &past::Replay) -> ExitCode {
    compare(options).unwrap_or_else(|why| {
        printer::complain(&why);
        ExitCode::from(NOT_COMPARED)
    })
}

fn compare(options: &past::Replay) -> anyhow::Result<ExitCode> {
    house::is_there(&options.mapping, "iot-control replay .. --mapping HOUSE")?;
    let loaded = mapping::load(&options.mapping);
    let Some(program) = loaded.program else {
        let colors = printer::has_colors();
        printer::tell_drawn(
            mapping::render(&loaded.sources, &loaded.diagnostics, colors).trim_end(),
        );
        bail!(
            "{}: it does not check, so it was not tried",
            options.mapping.display()
        );
    };
    let looked = look(&options.past)?;
    let history = &looked.history;
    let since = looked.since(&options.since)?;
    let until = looked.until(options.until.as_deref())?;
    if let Until::Wall(until) = until
        && since >= until
    {
        bail!(UNORDERED);
    }
    let mut trial = Trial::new(history, program, since, until)?;
    // A house whose dispatcher runs goes on while nothing comes; one that ended at its newest input does not.
    let newest = history.last_now().map_or(since, |now| now.wall);
    let known_until = if looked.is_live { looked.now } else { newest };
    let end = match until {
        Until::Wall(until) => until.min(known_until),
        _ => known_until,
    };
    trial = trial.and_on_until(end);
    let mut day = String::new();
    while let Some(difference) = trial.next()? {
        if options.past.json {
            printer::result(difference.json(history.zone()));
        } else {
            printer::painted(&difference.text(history.zone(), &mut day, paint()));
        }
    }
    let summary = trial.summary();
    looked.tell_troubles();
    if options.past.json {
        printer::result(summary.json(history.zone()));
    } else {
        printer::results(summary.text(history.zone()));
    }
    Ok(if summary.differs() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
