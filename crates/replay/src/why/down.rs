//! When the dispatcher was off meanwhile: between what led to a change and what came of it, or since.

use std::time::Duration;

use dispatcher::Input;
use store::{Class, ReadError};
use types::Now;

use super::{Hop, What, Why};
use crate::{
    history::{History, Until},
    trouble::HistoryError,
    words::roughly,
};

/// What is said of a start where that alone changed something.
pub(super) const STARTED: &str = "the dispatcher started again";

/// One start of the dispatcher.
struct Start {
    now: Now,
    /// Since its last record: so long it was off, at the most.
    off: Duration,
}

/// Puts into an answer that the dispatcher was off meanwhile; `until` is the end of what was asked about.
pub(super) fn tell(history: &History, why: &mut Why, until: Until) -> Result<(), HistoryError> {
    let Some(first) = why.hops.iter().map(|hop| hop.now).min_by_key(|now| now.at) else {
        return Ok(());
    };
    let mut since = Vec::new();
    for start in starts(history, first, until)? {
        let is_told = |hop: &Hop| {
            hop.now.at == start.now.at
                && matches!(&hop.what, What::Cause(text) if text.starts_with(STARTED))
        };
        if why.hops.iter().any(is_told) {
            continue;
        }
        let place = why.hops.iter().position(|hop| hop.now.at >= start.now.at);
        match place {
            Some(place) => why.hops.insert(
                place,
                Hop {
                    now: start.now,
                    what: What::Down(start.off),
                },
            ),
            None => since.push(start),
        }
    }
    if let Some(last) = since.last() {
        let times = match since.len() {
            1 => String::new(),
            n => format!(" {n} times, the last time"),
        };
        why.remarks.push(format!(
            "since then the dispatcher was off{times} until {}, for {} at the most",
            history.moment(last.now.wall),
            roughly(last.off)
        ));
    }
    Ok(())
}

/// The starts after `first`. Reads the journal and replays nothing.
fn starts(history: &History, first: Now, until: Until) -> Result<Vec<Start>, HistoryError> {
    let mut resumed = Vec::new();
    Input::Resumed.encode(history.program(), &mut resumed);
    let (from, mut before) = history.snapshot_at(first.at);
    let mut starts = Vec::new();
    for record in history.past().reader(from.next()) {
        let record = match record {
            Ok(record) => record,
            // What is missing is told already.
            Err(ReadError::Gap(_)) => continue,
            Err(error) => return Err(HistoryError::Read(error)),
        };
        if history.is_behind(&record, until) {
            break;
        }
        let now = record.now;
        if record.class == Class::Input && now.at > first.at && record.body == resumed {
            let off = before.map_or(Duration::ZERO, |before: Now| now.at.since(before.at));
            starts.push(Start { now, off });
        }
        before = Some(now);
    }
    Ok(starts)
}

/// In a word or two, for people.
pub(super) fn text(off: Duration) -> String {
    format!("{STARTED}; it was off for {} at the most", roughly(off))
}
