//! `iot-control events`: what happened, then what happens, without a seam in between.

use std::{path::Path, process::ExitCode};

use anyhow::bail;
use dispatcher::explain::Filter;
use replay::{History, Until, events::Teller};
use types::InputNo;

use crate::{
    cli::past,
    control::{
        Request,
        client::{self, Connection},
    },
    printer,
};

use super::{Named, UNORDERED, hand_over, look, now, open, tell};

/// Shows history, the live stream, or the one and then the other.
pub(crate) fn events(options: &past::Events) -> anyhow::Result<ExitCode> {
    let has_past = options.since.is_some() || options.until.is_some();
    if !options.follow && has_past {
        return history(options);
    }
    let folder = options.past.state.folder.as_deref();
    let mut dispatcher = client::connect(folder)?;
    let filters = match has_past {
        // They may be of what has another name now, or is gone.
        true => names_of_today(&mut dispatcher, folder, &options.filter)?,
        false => options.filter.clone(),
    };
    if filters.is_empty() && !options.filter.is_empty() {
        history(options)?;
        printer::tell("none of it is in the mapping any more: nothing of it will happen");
        return Ok(ExitCode::SUCCESS);
    }
    let answer = dispatcher.ask(&Request::Events {
        json: options.past.json,
        filters: filters.clone(),
    });
    let answer = answer.map_err(|why| super::with_what_became(why, folder, &filters))?;
    if has_past {
        // The stream began behind this input, which is in the journal by now.
        let last = InputNo(answer["last"].as_u64().unwrap_or(0));
        let history = open(folder)?;
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

/// Those of `filters` that something is called today, and what the others are called now; without what is gone.
fn names_of_today(
    dispatcher: &mut Connection,
    folder: Option<&Path>,
    filters: &[String],
) -> anyhow::Result<Vec<String>> {
    if filters.is_empty() {
        return Ok(Vec::new());
    }
    hand_over(dispatcher);
    let history = open(folder)?;
    let names = filters.iter().map(|name| history.name_of_today(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().flatten().collect())
}

fn history(options: &past::Events) -> anyhow::Result<ExitCode> {
    let looked = look(&options.past)?;
    let until = looked.until(options.until.as_deref())?;
    show(&looked.history, options, until)?;
    Ok(ExitCode::SUCCESS)
}

fn show(history: &History, options: &past::Events, until: Until) -> anyhow::Result<()> {
    let filters = options.filter.iter().map(|path| history.filters(path));
    let filters = filters.collect::<Result<Vec<_>, _>>()?;
    let filters: Vec<Filter> = filters.into_iter().flatten().collect();
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
