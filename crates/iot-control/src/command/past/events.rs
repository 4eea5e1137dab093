//! `iot-control events`: what happened, then what happens, without a seam in between.

use std::{process::ExitCode, sync::Arc};

use anyhow::bail;
use dispatcher::explain::Filter;
use replay::{History, Target, Until, events::Teller};
use types::InputNo;

use crate::{
    cli::past,
    control::{Request, client},
    printer,
};

use super::{Named, UNORDERED, look, now, state_folder, tell};

/// Shows history, the live stream, or the one and then the other.
pub(crate) fn events(options: &past::Events) -> anyhow::Result<ExitCode> {
    let has_past = options.since.is_some() || options.until.is_some();
    if !options.follow && has_past {
        return history(options);
    }
    let folder = options.past.state.folder.as_deref();
    let mut dispatcher = client::connect(folder)?;
    let answer = dispatcher.ask(&Request::Events {
        json: options.past.json,
        filters: options.filter.clone(),
    })?;
    if has_past {
        // The stream began behind this input, which is in the journal by now.
        let last = InputNo(answer["last"].as_u64().unwrap_or(0));
        let history = History::open(&state_folder(folder))?;
        show(&history, options, Until::No(last))?;
    }
    while let Some(line) = dispatcher.line()? {
        printer::result(line);
        if printer::is_lost() {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn history(options: &past::Events) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let until = looked.until(options.until.as_deref())?;
    show(&looked.history, options, until)?;
    Ok(ExitCode::SUCCESS)
}

fn show(history: &History, options: &past::Events, until: Until) -> anyhow::Result<()> {
    let filters: Vec<Filter> = options
        .filter
        .iter()
        .flat_map(|path| Target::filters(history.program(), path))
        .collect();
    let since = options.since.as_deref();
    let since = since.map(|text| Named::Since.read(text, now(), history));
    let since = since.transpose()?;
    if let (Some(since), Until::Wall(until)) = (&since, until)
        && since.from >= until
    {
        bail!(UNORDERED);
    }
    let mut travel = match since {
        Some(since) => {
            let begin = history.oldest().filter(|oldest| since.from < *oldest);
            if let Some(begin) = begin {
                let begin = history.at_home(begin);
                printer::tell(format_args!("note: the journal begins at {begin}"));
            }
            history.from_or_oldest(since.from, until)?
        }
        None => history.all(until)?,
    };
    for path in &options.filter {
        let known = |program: &Arc<mapping::Program>| Target::find(program, path).is_some();
        if !known(history.program()) && !known(travel.house().program()) {
            return Err(history.unknown(path).into());
        }
    }
    let mut teller = Teller::new(history, &travel, filters, options.past.json);
    while let Some(mut step) = travel.next()? {
        teller.tell(&mut step, printer::result);
        if printer::is_lost() {
            return Ok(());
        }
    }
    for trouble in history.troubles() {
        tell(&trouble);
    }
    Ok(())
}
